"""From a kernel in the `llvm` dialect to an object file."""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm

from accelc.core.diagnostics import InternalError, UnsupportedError
from accelc.core.llvm_literals import down_convert
from accelc.core.pass_ import Pass, PassContext
from accelc.core.target import KernelCode
from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import ENTRY, TILES, VECTORIZED, WORKSPACE_BYTES, kernels, name_of
from accelc.targets.host.cpu import Cpu, cpu, target_machine
from accelc.targets.host.elf import undefined_symbols
from accelc.targets.host.pipeline import kernel_pipeline

# An op that is not LLVM's at the start of a line of assembly.
_NOT_LOWERED = re.compile(r"^ *(?:%[^=]*= )?\"?(?!llvm\.|builtin\.)([a-z_]\w*\.[\w.]+).*$", re.MULTILINE)

_VECTOR = re.compile(r"= load <\d+ x |@llvm\.masked\.load\.")


def compile_kernel(kernel: Any, machine: str = "native") -> KernelCode:
    """Compiles one kernel module at the `kernels` stage (an operation, changed in place, or text).

    machine: what is written after ``host:``.
    Raises UnsupportedError where the kernel is valid but cannot be lowered, InternalError where lowering fails.
    """
    if isinstance(kernel, str):
        with ir.Context() as context:
            context.enable_multithreading(False)
            return compile_kernel(ir.Module.parse(kernel).operation, machine)
    for element in kernel_pipeline(machine).elements:
        if isinstance(element, Pass):
            element.run(kernel, PassContext())
    (lowered,) = kernels(kernel)
    return emit(lowered, cpu(machine))


def emit(kernel: Any, target: Cpu) -> KernelCode:
    """The object code of a kernel module in the `llvm` dialect."""
    meta = {
        "tiles": ir.IntegerAttr(kernel.attributes[TILES]).value,
        "workspace_bytes": ir.IntegerAttr(kernel.attributes[WORKSPACE_BYTES]).value,
        **target.to_json(),
    }
    text = llvm_ir(kernel)
    data = object_code(text, target, name_of(kernel), _effort(kernel, text))
    meta["symbols"] = list(undefined_symbols(data))
    return KernelCode(ENTRY, data, meta)


def _effort(kernel: Any, text: str) -> int:
    """What LLVM should do: 0 for vectors as they should be, 1 for scalar loops, 3 for what it has to vectorize.

    Level 0 takes a sixth of the time of 1, and a scalar loop may be a copy, which 1 recognizes.
    """
    if VECTORIZED not in kernel.attributes:
        return 3
    return 0 if _VECTOR.search(text) else 1


def llvm_ir(kernel: Any) -> str:
    """The kernel as LLVM IR that llvmlite reads."""
    if not kernel.verify():  # the translation would crash on invalid IR
        raise InternalError(f"kernel '{name_of(kernel)}' is invalid after lowering")
    left = _NOT_LOWERED.search(kernel.get_asm(assume_verified=True))
    if left is not None:  # and on anything that is not LLVM's
        raise UnsupportedError(
            f"'{left[1]}' has no native code on the host", node=name_of(kernel), notes=(left[0].strip(),)
        )
    return down_convert(str(dialect("llvm").translate_module_to_llvmir(kernel)))


def object_code(text: str, target: Cpu, name: str, level: int) -> bytes:
    """Optimizes textual LLVM IR and compiles it to an object file. level: see `_effort`."""
    machine = target_machine(target)
    try:
        module = llvm.parse_assembly(text)
    except RuntimeError as error:
        raise InternalError(f"kernel '{name}': LLVM cannot read the lowered code: {error}") from None
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(max(level, 1))
    options.slp_vectorization = False
    options.loop_vectorization = options.loop_unrolling = level == 3
    builder = llvm.create_pass_builder(machine, options)
    if level == 0:
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    else:
        passes = builder.getModulePassManager()
    passes.run(module, builder)
    data: bytes = machine.emit_object(module)
    return data
