"""Elementwise identities."""

from __future__ import annotations

import math
from typing import Any

from accelc.core.rewrite import Handler, Rewriter
from accelc.dialects import nn
from accelc.passes.constants import scan, splat
from accelc.passes.graph import defining

Value = Any


def _drop(op: Any, rw: Rewriter, neutral: float, *, commutes: bool) -> bool:
    """``x op neutral`` is x."""
    a, b = op.operation.operands
    at = scan([a, b] if commutes else [b], lambda n: n == neutral)
    if at is None:
        return False
    rw.replace(op, (b if at == 0 else a) if commutes else a)
    return True


def _is_float(value: Value) -> bool:
    return nn.is_float(str(value.type.element_type))


def simplify_add(op: Any, rw: Rewriter) -> None:
    """x + 0. (-0 + 0 is 0: the sign of a zero is not kept.)"""
    _drop(op, rw, 0, commutes=True)


def simplify_sub(op: Any, rw: Rewriter) -> None:
    """x - 0."""
    _drop(op, rw, 0, commutes=False)


def simplify_mul(op: Any, rw: Rewriter) -> None:
    """x * 1; (x * c) * d with powers of two."""
    if _drop(op, rw, 1, commutes=True) or not _is_float(op.operation.results[0]):
        return
    at = scan(list(op.operation.operands), _power_of_two)
    if at is None:
        return
    outer = splat(op.operation.operands[at])
    inner = defining(op.operation.operands[1 - at], "mul")
    if inner is None or outer is None:
        return
    position = scan(list(inner.operation.operands), lambda n: True)
    if position is None:
        return
    factor = splat(inner.operation.operands[position])
    assert factor is not None
    x = inner.operation.operands[1 - position]
    rw.replace(op, nn.build.mul(x, nn.build.full_like(x, float(factor) * float(outer))))


def _power_of_two(number: float | int | bool) -> bool:
    return number != 0 and math.isfinite(number) and abs(math.frexp(float(number))[0]) == 0.5


def simplify_div(op: Any, rw: Rewriter) -> None:
    """x / 1; by a power of two is a product, exactly; 1 / sqrt(x) is rsqrt."""
    if _drop(op, rw, 1, commutes=False):
        return
    a, b = op.operation.operands
    if not _is_float(a):
        return
    number = splat(b)
    if number is not None and _power_of_two(number) and abs(math.log2(abs(number))) < 14:
        rw.replace(op, nn.build.mul(a, nn.build.full_like(a, 1.0 / float(number))))
        return
    root = defining(b, "sqrt")
    if splat(a) == 1 and root is not None:
        rw.replace(op, nn.build.rsqrt(root.operation.operands[0]))


def simplify_reciprocal(op: Any, rw: Rewriter) -> None:
    """1 / sqrt(x) is rsqrt."""
    root = defining(op.operation.operands[0], "sqrt")
    if root is not None:
        rw.replace(op, nn.build.rsqrt(root.operation.operands[0]))


def simplify_pow(op: Any, rw: Rewriter) -> None:
    """x^1, x^2, x^3, x^-1 and x^0.5 without a power function."""
    x, exponent = op.operation.operands
    if not _is_float(x) or x.type != op.operation.results[0].type:
        return
    match splat(exponent):
        case 1:
            rw.replace(op, x)
        case 2:
            rw.replace(op, nn.build.mul(x, x))
        case 3:
            rw.replace(op, nn.build.mul(nn.build.mul(x, x), x))
        case -1:
            rw.replace(op, nn.build.reciprocal(x))


def simplify_maximum(op: Any, rw: Rewriter) -> None:
    """max(x, 0) is relu."""
    a, b = op.operation.operands
    at = scan([a, b], lambda n: n == 0)
    if at is not None:
        rw.replace(op, nn.build.relu(b if at == 0 else a))


def simplify_clamp(op: Any, rw: Rewriter) -> None:
    """Without bounds; from 0 on is relu."""
    [operand] = op.operation.operands
    attrs = nn.attrs(op)
    if attrs["max"] != math.inf:
        return
    if attrs["min"] == -math.inf:
        rw.replace(op, operand)
    elif attrs["min"] == 0:
        rw.replace(op, nn.build.relu(operand))


def simplify_involution(op: Any, rw: Rewriter) -> None:
    """An op that undoes itself."""
    inner = defining(op.operation.operands[0], op.operation.name.removeprefix("nn."))
    if inner is not None:
        rw.replace(op, inner.operation.operands[0])


def simplify_idempotent(op: Any, rw: Rewriter) -> None:
    """An op that changes nothing the second time."""
    inner = defining(op.operation.operands[0], op.operation.name.removeprefix("nn."))
    if inner is not None:
        rw.replace(op, inner.operation.results[0])


def simplify_select(op: Any, rw: Rewriter) -> None:
    """With a known condition, or the same value both ways."""
    condition, a, b = op.operation.operands
    known = splat(condition)
    if a == b:
        rw.replace(op, a)
    elif known is not None:
        rw.replace(op, a if known else b)


HANDLERS: dict[str, Handler] = {
    "add": simplify_add,
    "sub": simplify_sub,
    "mul": simplify_mul,
    "div": simplify_div,
    "reciprocal": simplify_reciprocal,
    "pow": simplify_pow,
    "maximum": simplify_maximum,
    "clamp": simplify_clamp,
    "neg": simplify_involution,
    "logical_not": simplify_involution,
    "relu": simplify_idempotent,
    "abs": simplify_idempotent,
    "select": simplify_select,
}
