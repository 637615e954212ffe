"""Arithmetic, comparison, logic and selection, element by element."""

from __future__ import annotations

import functools
import math

import numpy as np

from accelc.dialects import nn
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value

UNARY = {
    "Abs": "abs",
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "IsNaN": "isnan",
    "Log": "log",
    "Neg": "neg",
    "Not": "logical_not",
    "BitwiseNot": "bitwise_not",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
BINARY = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
}
PREDICATES = {"Equal": "eq", "Less": "lt", "LessOrEqual": "le", "Greater": "gt", "GreaterOrEqual": "ge"}

# Until this opset, operands broadcast only where the attribute `broadcast` says so, from the attribute `axis` on.
NUMPY_BROADCASTING = 7


@handler(*UNARY)
def unary(n: Node) -> Value:
    """An op of one operand."""
    return n.b.op(UNARY[n.op], n.x())


@handler("Floor", "Ceil", "Round")
def rounding(n: Node) -> Value:
    """To an integer: down, up, or to the nearest, halves to even."""
    return n.b.op(n.op.lower(), n.x())


@handler("IsInf")
def is_inf(n: Node) -> Value:
    """Whether elements are infinite, of one sign or both."""
    return n.b.op("isinf", n.x(), positive=n.flag("detect_positive", True), negative=n.flag("detect_negative", True))


def operands(n: Node) -> list[Value]:
    """Both operands of a binary op in one shape, under the broadcasting rules of the node's opset."""
    a, b = n.x(0), n.x(1)
    if n.version >= NUMPY_BROADCASTING or a.shape == b.shape:
        return n.b.broadcast_together(a, b)
    if not n.flag("broadcast"):
        raise n.invalid(f"has operands {a.type} and {b.type}, and no attribute 'broadcast' (opset {n.version})")
    axis = n.integer("axis", a.rank - b.rank)
    first = n.resolve(axis, a.rank) if a.rank else 0
    after = a.rank - first - b.rank
    if after < 0:
        raise n.invalid(f"cannot broadcast {b.type} to {a.type} from axis {axis}")
    return [a, n.b.broadcast_to(n.b.reshape(b, [*([1] * first), *b.shape, *([1] * after)]), a.shape)]


@handler(*BINARY)
def binary(n: Node) -> Value:
    """An op of two operands."""
    return n.b.op(BINARY[n.op], *operands(n))


@handler(*PREDICATES)
def compare(n: Node) -> Value:
    """A comparison."""
    return n.b.op("compare", *operands(n), predicate=PREDICATES[n.op])


@handler("Pow")
def power(n: Node) -> Value:
    """Base to the power of an exponent, which may be of another type."""
    base, exponent = operands(n)
    if base.dtype == exponent.dtype:
        return n.b.op("pow", base, exponent)
    if base.is_float or not exponent.is_float:
        return n.b.op("pow", base, n.b.cast(exponent, base.dtype))
    # An integer to a fractional power: computed as a float, then truncated.
    wide = "f64" if base.dtype in ("si64", "ui64", "si32", "ui32") else "f32"
    return n.b.cast(n.b.op("pow", n.b.cast(base, wide), n.b.cast(exponent, wide)), base.dtype)


@handler("Mod")
def mod(n: Node) -> Value:
    """Remainder, of the divisor's sign, or with fmod of the dividend's."""
    return n.b.op("mod", *operands(n), fmod=n.flag("fmod"))


@handler("BitShift")
def bit_shift(n: Node) -> Value:
    """Bits moved left or right."""
    direction = n.text("direction")
    if direction not in ("LEFT", "RIGHT"):
        raise n.invalid(f"has the direction '{direction}'")
    return n.b.op(f"shift_{direction.lower()}", *operands(n))


VARIADIC = {"Max": "maximum", "Min": "minimum", "Sum": "add", "Mean": "add"}


@handler(*VARIADIC)
def variadic(n: Node) -> Value:
    """Any number of operands combined."""
    values = n.b.broadcast_together(*[n.x(i) for i in range(len(n.inputs))])
    total = functools.reduce(lambda a, b: n.b.op(VARIADIC[n.op], a, b), values)
    return n.b.mul(total, 1.0 / len(values)) if n.op == "Mean" and len(values) > 1 else total


@handler("Where")
def where(n: Node) -> Value:
    """One of two, as a condition says."""
    return n.b.select(n.x(0), n.x(1), n.x(2))


def _limits(dtype: str) -> tuple[float, float]:
    if nn.is_float(dtype):
        return -math.inf, math.inf
    info = np.iinfo(nn.numpy_dtype(dtype))
    return float(info.min), float(info.max)


@handler("Clip")
def clip(n: Node) -> Value:
    """Between bounds, which are attributes (until opset 6) or inputs."""
    x = n.x()
    if n.version < 11:
        return n.b.clamp(x, float(n.attributes.get("min", -math.inf)), float(n.attributes.get("max", math.inf)))
    low, high = n.maybe(1), n.maybe(2)
    exact = nn.is_float(x.dtype) or x.dtype not in ("si64", "ui64")
    if exact and all(v is None or (v.array is not None and v.array.size == 1) for v in (low, high)):
        bounds = [math.nan if v is None or v.array is None else float(v.array.item()) for v in (low, high)]
        lowest = -math.inf if math.isnan(bounds[0]) else bounds[0]
        highest = math.inf if math.isnan(bounds[1]) else bounds[1]
        return n.b.clamp(x, lowest, highest)
    if low is not None:
        x = n.b.binary("maximum", x, _scalar(n, low))
    return x if high is None else n.b.binary("minimum", x, _scalar(n, high))


def _scalar(n: Node, bound: Value) -> Value:
    return bound if bound.rank == 0 else n.b.reshape(bound, ())
