"""gpu-lower-to-nvvm: split launches become functions in the `llvm` and `nvvm` dialects, which run as kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import kernels, run_pipeline
from accelc.passes.lowering.expand_math import expand_math

# bf16 arithmetic goes by f32 (kernels hold little of it: values are widened where they are loaded).
_FLOATS = (
    "func.func(arith-emulate-unsupported-floats{source-types=bf16 target-type=f32},math-extend-to-supported-types"
    "{target-type=f32})"
)
_TO_LLVM = (
    "fold-memref-alias-ops",
    "expand-strided-metadata",
    "lower-affine",
    _FLOATS,
    "arith-expand{include-bf16=true}",
    "canonicalize",
    "cse",
    "loop-invariant-code-motion",
    "convert-scf-to-cf",
    "convert-math-to-llvm",
    "convert-func-to-llvm{use-bare-ptr-memref-call-conv=true}",
    "convert-to-llvm",
    "reconcile-unrealized-casts",
    "canonicalize",
    "cse",
)


@register_pass
@dataclass(frozen=True)
class GpuLowerToNvvm(Pass):
    """Lowers kernels whose launches are split: each becomes a function that LLVM emits as a kernel."""

    name: ClassVar[str] = "gpu-lower-to-nvvm"
    summary: ClassVar[str] = "lower split launches to the llvm and nvvm dialects"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module``."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                expand_math(kernel)
                _read_special_registers(kernel)
                run_pipeline(kernel, ",".join(_TO_LLVM))
                for op in kernel.regions[0].blocks[0].operations:
                    if op.operation.name == "llvm.func" and op.operation.regions[0].blocks:
                        op.operation.attributes["nvvm.kernel"] = ir.UnitAttr.get()


def _read_special_registers(kernel: Any) -> None:
    """`gpu.thread_id x` and its kin become reads of special registers. (Upstream's pass wants a `gpu.module`.)"""
    registers = {"gpu.thread_id": "tid", "gpu.block_id": "ctaid", "gpu.block_dim": "ntid", "gpu.grid_dim": "nctaid"}
    found: list[Any] = []

    def visit(op: Any) -> Any:
        if op.name in registers:
            found.append(op)
        return ir.WalkResult.ADVANCE

    kernel.walk(visit)
    i32 = ir.IntegerType.get_signless(32)
    for op in found:
        axis = str(op.attributes["dimension"])[-2]  # #gpu<dim x>
        with ir.InsertionPoint(op):
            read = ir.Operation.create(f"nvvm.read.ptx.sreg.{registers[op.name]}.{axis}", results=[i32])
            value = dialect("arith").index_castui(ir.IndexType.get(), read.result)
        op.result.replace_all_uses_with(value)
        op.erase()
