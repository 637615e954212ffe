"""Elementary functions of f32 as arithmetic: what targets share of it."""

from __future__ import annotations

from typing import Any

from accelc.mlir import ir
from accelc.passes.lowering.scalar_math import FUNCTIONS, F32Builder


def expand_math(kernel: Any) -> None:
    """Expands `math` ops on f32 in a kernel module, scalars or vectors, into arithmetic; f16 and bf16 go by f32.

    Wider types, and functions without a polynomial here (`sin`, `powf`, ...), stay.
    """
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
