"""`math`: through numpy in the operand's format; formats below f32 are computed in f32 and rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.dialects.evaluators.arith import Function, float_call, unsigned
from accelc.dialects.interpreter import Array, Call, Code, dtype_of, evaluator
from accelc.dialects.nn.reference.numerics import erf, working


def _erf(x: Any) -> Any:
    return erf(np.asarray(x))[()]


def _round_away(x: Any) -> Any:
    """Halves away from zero, exactly: adding 0.5 would round."""
    whole = np.trunc(x)
    return whole + np.copysign((np.abs(x - whole) >= 0.5).astype(whole.dtype), x)


def fused_multiply_add(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` rounded once for f32: the product is exact in f64, the sum is rounded to odd there.

    f64 goes through numpy's long double, which is exact on few machines.
    """
    a, b, c = np.asarray(a), np.asarray(b), np.asarray(c)
    if a.dtype == np.float64:
        wide = np.longdouble
        return (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(np.float64)[()]
    product, addend = a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64)
    total = product + addend
    # Knuth's exact error of an addition.
    back = total - product
    error = (product - (total - back)) + (addend - back)
    return np.asarray(_to_odd(total, error)).astype(np.float32)[()]


def _to_odd(total: Array, error: Array) -> Array:
    total, error = np.atleast_1d(total), np.atleast_1d(error)
    bits = total.view(np.int64).copy()
    inexact = (error != 0) & np.isfinite(total) & np.isfinite(error)
    # The truncated value is one step toward zero where the error points there.
    toward_zero = inexact & ((error < 0) == (total > 0))
    bits -= toward_zero
    bits |= inexact
    result: Array = bits.view(np.float64)
    return result


_FLOAT: dict[str, Function] = {
    "absf": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "clampf": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "copysign": np.copysign,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": _erf,
    "erfc": lambda x: (1 - _erf(np.asarray(x).astype(np.float64))).astype(x.dtype),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "fma": fused_multiply_add,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "powf": np.power,
    "round": _round_away,
    "roundeven": np.rint,
    "rsqrt": lambda x: (1 / np.sqrt(x)).astype(x.dtype),
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    "trunc": np.trunc,
}


def _register() -> None:
    for name, fn in _FLOAT.items():

        def make(op: Any, code: Code, fn: Function = fn) -> Call:
            return float_call(fn, dtype_of(op.results[0].type))

        evaluator(f"math.{name}")(make)


_register()


@evaluator("math.isnan", "math.isinf", "math.isfinite")
def classify(op: Any, code: Code) -> Call:
    """Whether a float is NaN, infinite, finite."""
    fn: Function = getattr(np, op.name.removeprefix("math."))
    return lambda x: fn(working(np.asarray(x)))[()]


@evaluator("math.absi")
def absolute(op: Any, code: Code) -> Call:
    """``|x|`` of a signed integer."""
    return np.abs


@evaluator("math.fpowi")
def power(op: Any, code: Code) -> Call:
    """A float to an integer power."""
    dtype = dtype_of(op.results[0].type)
    return float_call(lambda x, n: np.power(x, n.astype(x.dtype)), dtype)


@evaluator("math.ctpop")
def count_ones(op: Any, code: Code) -> Call:
    """How many bits are set."""
    dtype = dtype_of(op.results[0].type)
    return lambda x: np.bitwise_count(unsigned(x)).astype(dtype)


@evaluator("math.ctlz", "math.cttz")
def count_zeros(op: Any, code: Code) -> Call:
    """How many bits are clear before the first that is set, from the top or from the bottom."""
    dtype = dtype_of(op.results[0].type)
    width = dtype.itemsize * 8
    leading = op.name.endswith("ctlz")

    def call(x: Any) -> Any:
        bits = unsigned(np.asarray(x))
        one = bits.dtype.type(1)
        order = range(width - 1, -1, -1) if leading else range(width)
        count = np.zeros(bits.shape, dtype)
        open_ = np.ones(bits.shape, bool)
        for i in order:
            open_ = open_ & ((bits >> bits.dtype.type(i)) & one == 0)
            count = count + open_.astype(dtype)
        return count[()]

    return call
