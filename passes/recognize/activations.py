"""gelu, silu and sigmoid, found as products whatever the order of their factors."""

from __future__ import annotations

import math
from typing import Any

from accelc.core.rewrite import Rewriter
from accelc.dialects import nn
from accelc.passes.constants import splat
from accelc.passes.graph import defining

Value = Any

# Exporters write constants in f32, f16 or with a few digits.
TOLERANCE = 1e-3


def _near(number: float, wanted: float) -> bool:
    return abs(number - wanted) <= TOLERANCE * abs(wanted)


def factors(value: Value, depth: int = 4) -> tuple[list[Value], float]:
    """``value`` as a product: the factors that are no numbers, and the product of the numbers."""
    number = splat(value)
    if number is not None:
        return [], float(number)
    op = defining(value, "mul", "div")
    if op is None or depth == 0:
        return [value], 1.0
    a, b = op.operation.operands
    left, scale = factors(a, depth - 1)
    if op.operation.name == "nn.div":
        divisor = splat(b)
        return (left, scale / float(divisor)) if divisor else ([value], 1.0)
    right, other = factors(b, depth - 1)
    return left + right, scale * other


def _one_plus(value: Value) -> Value | None:
    """y where ``value`` is ``y + 1``."""
    op = defining(value, "add")
    if op is None:
        return None
    a, b = op.operation.operands
    if splat(a) == 1:
        return b
    return a if splat(b) == 1 else None


def match_product(op: Any, rw: Rewriter) -> None:
    """``x/2 (1 + erf(x / sqrt 2))``, ``x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`` and ``x sigmoid(x)``."""
    result = op.operation.results[0]
    values, scale = factors(result)
    if len(values) != 2:
        return
    for x, other in (values, values[::-1]):
        if x.type != result.type:
            continue
        sigmoid = defining(other, "sigmoid")
        if sigmoid is not None and sigmoid.operation.operands[0] == x and scale == 1.0:
            rw.replace(op, nn.build.silu(x))
            return
        inner = _one_plus(other)
        if inner is None or not _near(scale, 0.5):
            continue
        if _is_erf(inner, x):
            rw.replace(op, nn.build.gelu(x, approximate="none"))
            return
        if _is_tanh(inner, x):
            rw.replace(op, nn.build.gelu(x, approximate="tanh"))
            return


def _is_erf(value: Value, x: Value) -> bool:
    """erf(x / sqrt 2)."""
    op = defining(value, "erf")
    if op is None:
        return False
    inner, scale = factors(op.operation.operands[0])
    return inner == [x] and _near(scale, math.sqrt(0.5))


def _is_tanh(value: Value, x: Value) -> bool:
    """tanh(sqrt(2/pi) (x + 0.044715 x^3)), or with x factored out."""
    op = defining(value, "tanh")
    if op is None:
        return False
    inner, scale = factors(op.operation.operands[0])
    if not _near(scale, math.sqrt(2 / math.pi)):
        return False
    if len(inner) == 1:
        return _is_cubic_sum(inner[0], x)
    if len(inner) == 2 and x in inner:
        rest = inner[1] if inner[0] == x else inner[0]
        square = _one_plus(rest)
        if square is not None:
            powers, factor = factors(square)
            return powers == [x, x] and _near(factor, 0.044715)
    return False


def _is_cubic_sum(value: Value, x: Value) -> bool:
    op = defining(value, "add")
    if op is None:
        return False
    a, b = op.operation.operands
    for linear, cubic in ((a, b), (b, a)):
        powers, factor = factors(cubic)
        if linear == x and powers == [x, x, x] and _near(factor, 0.044715):
            return True
    return False


def match_sigmoid(op: Any, rw: Rewriter) -> None:
    """``1 / (1 + exp(-x))``."""
    operands = list(op.operation.operands)
    if len(operands) == 2 and splat(operands[0]) != 1:
        return
    power = _one_plus(operands[-1])
    exponential = None if power is None else defining(power, "exp")
    if exponential is None:
        return
    values, scale = factors(exponential.operation.operands[0])
    negated = defining(values[0], "neg") if len(values) == 1 else None
    if negated is not None and scale == 1.0:
        rw.replace(op, nn.build.sigmoid(negated.operation.operands[0]))
    elif len(values) == 1 and scale == -1.0:
        rw.replace(op, nn.build.sigmoid(values[0]))
