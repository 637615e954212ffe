"""host-expand-math: elementary functions become polynomials that vectorize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.targets.host.codegen.scalar_math import FUNCTIONS, F32Builder
from accelc.targets.host.kernel_module import kernels


@register_pass
@dataclass(frozen=True)
class HostExpandMath(Pass):
    """Expands `math` ops on f32, scalars or vectors, into arithmetic; on f16 and bf16 they are computed in f32.

    Wider types, and functions without a polynomial here (`sin`, `powf`, ...), stay for libm.
    """

    name: ClassVar[str] = "host-expand-math"
    summary: ClassVar[str] = "expand exp, log, tanh, erf and their kin on f32 into polynomials"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module``."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                for op in _expandable(kernel):
                    _expand(op)


def _expandable(kernel: Any) -> list[Any]:
    found: list[Any] = []

    def visit(op: Any) -> Any:
        if op.name in FUNCTIONS and _element(op.result.type) is not None:
            found.append(op)
        return ir.WalkResult.ADVANCE

    kernel.walk(visit)
    return found


def _element(kind: Any) -> Any | None:
    """The element type, if it is one that is computed in f32."""
    element = kind.element_type if isinstance(kind, ir.VectorType) else kind
    return element if isinstance(element, ir.F32Type | ir.F16Type | ir.BF16Type) else None


def _expand(op: Any) -> None:
    kind, x = op.result.type, op.operands[0]
    f32 = ir.F32Type.get()
    wide = ir.VectorType.get(kind.shape, f32) if isinstance(kind, ir.VectorType) else f32
    with ir.InsertionPoint(op):
        builder = F32Builder(wide)
        if wide != kind:
            x = builder.op("arith.extf", x, kind=wide)
        result = FUNCTIONS[op.name](builder, x)
        if wide != kind:
            result = builder.op("arith.truncf", result, kind=kind)
    op.result.replace_all_uses_with(result)
    op.erase()
