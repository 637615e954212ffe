"""The scalar meaning of every elementwise `nn` op, as `arith` and `math` ops.

`scalar(name, attrs, operand_dtypes, result_dtype)` gives a function from scalar values to a scalar value. Narrow
floats (f16, bf16, fp8) compute in f32 and round once an op, which is what `nn` means by them.
"""

from __future__ import annotations

import math as pymath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect
from accelc.passes.lowering.convert import bitcast, cast
from accelc.passes.lowering.dtypes import bits, compute_type, constant, int_range, is_float, is_signed

arith = dialect("arith")
math = dialect("math")

Scalar = Any
Body = Callable[[Sequence[Scalar]], Scalar]
Unary = Callable[[str, Scalar], Scalar]
Binary = Callable[[str, Scalar, Scalar], Scalar]

CMPF = {"eq": 1, "gt": 2, "ge": 3, "lt": 4, "le": 5, "ne": 13}  # ordered, but for ne (unordered)
CMPI_SIGNED = {"eq": 0, "ne": 1, "lt": 2, "le": 3, "gt": 4, "ge": 5}
CMPI_UNSIGNED = {"eq": 0, "ne": 1, "lt": 6, "le": 7, "gt": 8, "ge": 9}
UNO = 14


def compare(dtype: str, predicate: str, a: Scalar, b: Scalar) -> Scalar:
    """``a predicate b`` as i1, with IEEE semantics for floats."""
    if is_float(dtype):
        return arith.cmpf(CMPF[predicate], a, b)
    return arith.cmpi((CMPI_SIGNED if is_signed(dtype) else CMPI_UNSIGNED)[predicate], a, b)


def add(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """a + b, wrapping."""
    return arith.addf(a, b) if is_float(dtype) else arith.addi(a, b)


def sub(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """a - b, wrapping."""
    return arith.subf(a, b) if is_float(dtype) else arith.subi(a, b)


def mul(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """a * b, wrapping."""
    return arith.mulf(a, b) if is_float(dtype) else arith.muli(a, b)


def maximum(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """max(a, b), NaN where either is."""
    if is_float(dtype):
        return arith.maximumf(a, b)
    return arith.maxsi(a, b) if is_signed(dtype) else arith.maxui(a, b)


def minimum(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """min(a, b), NaN where either is."""
    if is_float(dtype):
        return arith.minimumf(a, b)
    return arith.minsi(a, b) if is_signed(dtype) else arith.minui(a, b)


def div(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """a / b; integers truncate. By zero gives a, and the smallest integer by -1 itself: neither may trap."""
    if is_float(dtype):
        return arith.divf(a, b)
    one, zero = constant(dtype, 1), constant(dtype, 0)
    divisor = arith.select(compare(dtype, "eq", b, zero), one, b)
    if not is_signed(dtype):
        return arith.divui(a, divisor)
    minus = compare(dtype, "eq", b, constant(dtype, -1))
    quotient = arith.divsi(a, arith.select(minus, one, divisor))
    return arith.select(minus, arith.subi(zero, a), quotient)


def _remainder(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """The remainder with the sign of ``a`` (C's ``fmod`` and ``%``); of a division by 0 or -1 in integers: 0."""
    if is_float(dtype):
        return arith.remf(a, b)
    one = constant(dtype, 1)
    bad = compare(dtype, "eq", b, constant(dtype, 0))
    if is_signed(dtype):
        bad = arith.ori(bad, compare(dtype, "eq", b, constant(dtype, -1)))
        return arith.remsi(a, arith.select(bad, one, b))
    return arith.remui(a, arith.select(bad, one, b))


def mod(dtype: str, a: Scalar, b: Scalar, *, fmod: bool) -> Scalar:
    """The remainder: with the sign of ``a`` if ``fmod``, else with the sign of ``b`` (Python's ``%``)."""
    rest = _remainder(dtype, a, b)
    if fmod or not (is_float(dtype) or is_signed(dtype)):
        return rest
    zero = constant(dtype, 0)
    signs = arith.xori(compare(dtype, "lt", rest, zero), compare(dtype, "lt", b, zero))
    wrong = arith.andi(signs, compare(dtype, "ne", rest, zero))
    return arith.select(wrong, add(dtype, rest, b), rest)


def power(dtype: str, a: Scalar, b: Scalar) -> Scalar:
    """a ** b. Integers by squaring, wrapping; a negative exponent truncates 1 / a**-b to 0, 1 or -1."""
    if is_float(dtype):
        return math.powf(a, b)
    one, zero = constant(dtype, 1), constant(dtype, 0)
    result, square = one, a
    for bit in range(bits(dtype)):
        is_set = compare(dtype, "ne", arith.andi(b, constant(dtype, 1 << bit)), zero)
        result = arith.select(is_set, arith.muli(result, square), result)
        square = arith.muli(square, square)
    if not is_signed(dtype):
        return result
    odd = compare(dtype, "ne", arith.andi(b, one), zero)
    minus = arith.select(odd, constant(dtype, -1), one)
    inverse = arith.select(compare(dtype, "eq", a, constant(dtype, -1)), minus, zero)
    inverse = arith.select(compare(dtype, "eq", a, one), one, inverse)
    return arith.select(compare(dtype, "lt", b, zero), inverse, result)


def _shift(dtype: str, a: Scalar, b: Scalar, *, left: bool) -> Scalar:
    """Shifts by ``b`` bits; by the width or more (undefined in `arith`) gives 0, or the sign to the right."""
    over = arith.cmpi(CMPI_UNSIGNED["ge"], b, constant(dtype, bits(dtype)))
    if is_signed(dtype) and not left:
        return arith.shrsi(a, arith.select(over, constant(dtype, bits(dtype) - 1), b))
    amount = arith.select(over, constant(dtype, 0), b)
    shifted = arith.shli(a, amount) if left else arith.shrui(a, amount)
    return arith.select(over, constant(dtype, 0), shifted)


BINARY: dict[str, Binary] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "pow": power,
    "maximum": maximum,
    "minimum": minimum,
    "logical_and": lambda t, a, b: arith.andi(a, b),
    "logical_or": lambda t, a, b: arith.ori(a, b),
    "logical_xor": lambda t, a, b: arith.xori(a, b),
    "bitwise_and": lambda t, a, b: arith.andi(a, b),
    "bitwise_or": lambda t, a, b: arith.ori(a, b),
    "bitwise_xor": lambda t, a, b: arith.xori(a, b),
    "shift_left": lambda t, a, b: _shift(t, a, b, left=True),
    "shift_right": lambda t, a, b: _shift(t, a, b, left=False),
}


def _abs(dtype: str, x: Scalar) -> Scalar:
    if is_float(dtype):
        return math.absf(x)
    return math.absi(x) if is_signed(dtype) else x


def _neg(dtype: str, x: Scalar) -> Scalar:
    return arith.negf(x) if is_float(dtype) else arith.subi(constant(dtype, 0), x)


def _sign(dtype: str, x: Scalar) -> Scalar:
    """-1, 0 or 1; NaN stays NaN, since it fails both comparisons."""
    zero = constant(dtype, 0)
    positive = arith.select(compare(dtype, "gt", x, zero), constant(dtype, 1), x)
    if not (is_float(dtype) or is_signed(dtype)):
        return positive
    return arith.select(compare(dtype, "lt", x, zero), constant(dtype, -1), positive)


def sigmoid(dtype: str, x: Scalar) -> Scalar:
    """1 / (1 + exp(-x)); exp overflowing to infinity gives the right 0."""
    one = constant(dtype, 1)
    return arith.divf(one, arith.addf(one, math.exp(arith.negf(x))))


def _gelu(dtype: str, x: Scalar, approximate: str) -> Scalar:
    """x/2 (1 + erf(x/sqrt 2)), or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): Hendrycks and Gimpel, 2016."""
    one, half = constant(dtype, 1), constant(dtype, 0.5)
    if approximate == "none":
        inner = math.erf(arith.mulf(x, constant(dtype, pymath.sqrt(0.5))))
    else:
        cube = arith.mulf(arith.mulf(x, x), arith.mulf(x, constant(dtype, 0.044715)))
        inner = math.tanh(arith.mulf(arith.addf(x, cube), constant(dtype, pymath.sqrt(2 / pymath.pi))))
    return arith.mulf(arith.mulf(half, x), arith.addf(one, inner))


def _on_floats(fn: Callable[[Scalar], Scalar]) -> Unary:
    """``fn`` on floats, the identity on integers (floor, ceil, round)."""
    return lambda t, x: fn(x) if is_float(t) else x


UNARY: dict[str, Unary] = {
    "abs": _abs,
    "neg": _neg,
    "sign": _sign,
    "exp": lambda t, x: math.exp(x),
    "log": lambda t, x: math.log(x),
    "sqrt": lambda t, x: math.sqrt(x),
    "rsqrt": lambda t, x: math.rsqrt(x),
    "reciprocal": lambda t, x: div(t, constant(t, 1), x),
    "sin": lambda t, x: math.sin(x),
    "cos": lambda t, x: math.cos(x),
    "tan": lambda t, x: math.tan(x),
    "asin": lambda t, x: math.asin(x),
    "acos": lambda t, x: math.acos(x),
    "atan": lambda t, x: math.atan(x),
    "sinh": lambda t, x: math.sinh(x),
    "cosh": lambda t, x: math.cosh(x),
    "asinh": lambda t, x: math.asinh(x),
    "acosh": lambda t, x: math.acosh(x),
    "atanh": lambda t, x: math.atanh(x),
    "tanh": lambda t, x: math.tanh(x),
    "erf": lambda t, x: math.erf(x),
    "sigmoid": sigmoid,
    "relu": lambda t, x: maximum(t, x, constant(t, 0)),
    "floor": _on_floats(lambda x: math.floor(x)),
    "ceil": _on_floats(lambda x: math.ceil(x)),
    "round": _on_floats(lambda x: math.roundeven(x)),
    "logical_not": lambda t, x: arith.xori(x, constant("i1", 1)),
    "bitwise_not": lambda t, x: arith.xori(x, constant(t, -1)),
    "silu": lambda t, x: arith.mulf(x, sigmoid(t, x)),
}


def _isinf(dtype: str, x: Scalar, attrs: Mapping[str, Any]) -> Scalar:
    tests = []
    if attrs["positive"]:
        tests.append(compare(dtype, "eq", x, constant(dtype, pymath.inf)))
    if attrs["negative"]:
        tests.append(compare(dtype, "eq", x, constant(dtype, -pymath.inf)))
    if not tests:
        return constant("i1", 0)
    return tests[0] if len(tests) == 1 else arith.ori(*tests)


def _clamp(dtype: str, x: Scalar, attrs: Mapping[str, Any]) -> Scalar:
    """min(max(x, lo), hi): NaN passes through. Bounds that no integer reaches are left out."""
    low, high = float(attrs["min"]), float(attrs["max"])
    if not is_float(dtype):
        smallest, largest = int_range(dtype)
        low, high = max(low, smallest), min(high, largest)
        if low > smallest:
            x = maximum(dtype, x, constant(dtype, pymath.ceil(low)))
        if high < largest:
            x = minimum(dtype, x, constant(dtype, pymath.floor(high)))
        return x
    if low != -pymath.inf:
        x = maximum(dtype, x, constant(dtype, low))
    return x if high == pymath.inf else minimum(dtype, x, constant(dtype, high))


def _widened(operand_dtypes: Sequence[str], result_dtype: str, fn: Callable[..., Scalar]) -> Body:
    """Runs ``fn(dtype, *scalars)`` in the compute type and rounds the result, unless the result is a truth value."""
    dtype = compute_type(operand_dtypes[0])

    def body(scalars: Sequence[Scalar]) -> Scalar:
        wide = [cast(s, t, compute_type(t)) for s, t in zip(scalars, operand_dtypes, strict=True)]
        result = fn(dtype, *wide)
        return result if result_dtype == "i1" else cast(result, dtype, result_dtype)

    return body


def _quantize(operand_dtypes: Sequence[str], result_dtype: str) -> Body:
    """saturate(round_half_even(x / scale) + zero_point), in f32."""

    def body(scalars: Sequence[Scalar]) -> Scalar:
        x, scale, zero = (cast(s, t, "f32") for s, t in zip(scalars, operand_dtypes, strict=True))
        scaled = arith.divf(x, scale)
        if is_float(result_dtype):
            return cast(arith.addf(scaled, zero), "f32", result_dtype, saturate=True)
        low, high = int_range(result_dtype)
        value = arith.addf(math.roundeven(scaled), zero)
        value = arith.minimumf(arith.maximumf(value, constant("f32", low)), constant("f32", high))
        return cast(value, "f32", result_dtype)

    return body


def _dequantize(operand_dtypes: Sequence[str], result_dtype: str) -> Body:
    """(q - zero_point) * scale; the difference of integers is exact."""
    q_type, scale_type, zero_type = operand_dtypes
    compute = compute_type(result_dtype)
    exact = compute if is_float(q_type) else ("si32" if bits(q_type) < 32 else "si64")

    def body(scalars: Sequence[Scalar]) -> Scalar:
        difference = sub(exact, cast(scalars[0], q_type, exact), cast(scalars[2], zero_type, exact))
        product = arith.mulf(cast(difference, exact, compute), cast(scalars[1], scale_type, compute))
        return cast(product, compute, result_dtype)

    return body


def scalar(name: str, attrs: Mapping[str, Any], operand_dtypes: Sequence[str], result_dtype: str) -> Body | None:
    """The scalar body of elementwise op ``name`` (without ``nn.``), or None if the op is not elementwise.

    Raises UnsupportedError where the op has no meaning on its types.
    """
    first = operand_dtypes[0] if operand_dtypes else result_dtype
    if name in UNARY:
        if name == "bitwise_not" or not is_float(first):
            return lambda s: UNARY[name](first, s[0])
        return _widened(operand_dtypes, result_dtype, UNARY[name])
    if name in BINARY:
        return _widened(operand_dtypes, result_dtype, BINARY[name])
    match name:
        case "mod":
            return _widened(operand_dtypes, result_dtype, lambda t, a, b: mod(t, a, b, fmod=attrs["fmod"]))
        case "gelu":
            return _widened(operand_dtypes, result_dtype, lambda t, x: _gelu(t, x, attrs["approximate"]))
        case "clamp":
            return _widened(operand_dtypes, result_dtype, lambda t, x: _clamp(t, x, attrs))
        case "compare":
            return _widened(operand_dtypes, "i1", lambda t, a, b: compare(t, attrs["predicate"], a, b))
        case "isnan":
            return _widened(operand_dtypes, "i1", lambda t, x: arith.cmpf(UNO, x, x))
        case "isinf":
            return _widened(operand_dtypes, "i1", lambda t, x: _isinf(t, x, attrs))
        case "select":
            return lambda s: arith.select(s[0], s[1], s[2])
        case "cast":
            saturate = bool(attrs["saturate"])
            return lambda s: cast(s[0], first, result_dtype, saturate=saturate)
        case "bitcast":
            if bits(first) != bits(result_dtype):
                raise UnsupportedError(f"nn.bitcast from {first} to {result_dtype} changes the number of elements")
            return lambda s: bitcast(s[0], first, result_dtype)
        case "quantize":
            return _quantize(operand_dtypes, result_dtype)
        case "dequantize":
            return _dequantize(operand_dtypes, result_dtype)
        case _:
            return None
