"""From a kernel in the `llvm` and `nvvm` dialects to PTX."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from accelc.core.diagnostics import InternalError, UnsupportedError
from accelc.core.llvm_literals import down_convert
from accelc.core.target import KernelCode
from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import ENTRY, WORKSPACE_BYTES, name_of
from accelc.targets.gpu.machine import PTX_VERSIONS
from accelc.targets.gpu.passes.gpu_split_launches import LAUNCHES

TRIPLE = "nvptx64-nvidia-cuda"
# Threads of a block. Eight warps hide latencies, and every GPU takes them.
BLOCK = 256

# An op that is not LLVM's or NVVM's at the start of a line of assembly.
_NOT_LOWERED = re.compile(r"^ *(?:%[^=]*= )?\"?(?!llvm\.|nvvm\.|builtin\.)([a-z_]\w*\.[\w.]+).*$", re.MULTILINE)
# Functions that LLVM would call, and nobody defines on a GPU.
_LIBRARY = re.compile(
    r"declare [^@]*@llvm\.(sin|cos|tan|pow|exp|exp10|log|log10|log2|asin|acos|atan\w*|sinh|cosh|tanh)\."
)


def emit(kernel: Any, arch: str) -> KernelCode:
    """The PTX of a kernel module at the `target` stage, for ``arch`` ("sm_90a").

    Its metadata hold ``launches``: [function, blocks, threads of a block] in the order to run them, and
    ``workspace_bytes``.

    Raises UnsupportedError where something in the kernel has no code on a GPU yet.
    """
    threads = list(ir.DenseI64ArrayAttr(kernel.attributes[LAUNCHES]))
    launches = []
    for number, count in enumerate(threads):
        block = min(BLOCK, -(-count // 32) * 32)
        launches.append([ENTRY if number == 0 else f"{ENTRY}_{number}", -(-count // block), block])
    meta = {
        "arch": arch,
        "launches": launches,
        "workspace_bytes": ir.IntegerAttr(kernel.attributes[WORKSPACE_BYTES]).value,
    }
    return KernelCode(ENTRY, ptx(_llvm_ir(kernel), arch, name_of(kernel)).encode(), meta)


def _llvm_ir(kernel: Any) -> str:
    if not kernel.verify():  # the translation would crash on invalid IR
        raise InternalError(f"kernel '{name_of(kernel)}' is invalid after lowering")
    left = _NOT_LOWERED.search(kernel.get_asm(assume_verified=True))
    if left is not None:  # and on anything that is not LLVM's
        raise UnsupportedError(f"'{left[1]}' has no code on the GPU yet", notes=(left[0].strip(),))
    return down_convert(str(dialect("llvm").translate_module_to_llvmir(kernel)))


@cache
def _machine(arch: str) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=arch, features=f"+ptx{PTX_VERSIONS[arch]}", opt=3)


def ptx(text: str, arch: str, name: str) -> str:
    """Optimizes textual LLVM IR and compiles it to PTX. name: the kernel, for messages."""
    missing = _LIBRARY.search(text)
    if missing is not None:
        raise UnsupportedError(f"'{missing[1]}' has no code on the GPU yet")
    machine = _machine(arch)
    try:
        module = llvm.parse_assembly(text)
    except RuntimeError as error:
        raise InternalError(f"kernel '{name}': LLVM does not take its own IR: {error}") from None
    module.triple = TRIPLE
    module.data_layout = str(machine.target_data)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(3))
    builder.getModulePassManager().run(module, builder)
    return str(machine.emit_assembly(module))
