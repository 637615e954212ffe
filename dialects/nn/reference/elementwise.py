"""Elementwise ops, comparison and selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelc.dialects.nn.reference.numerics import (
    NIBBLES,
    erf,
    is_float,
    limits,
    sigmoid,
    store,
    trunc_divide,
    working,
)
from accelc.dialects.nn.reference.registry import FUNCTIONS, Array, reference


def _stored(fn: Callable[..., Array]) -> Callable[..., Array]:
    """Computes in the working type of the operands and stores in the type of the first."""

    def call(*operands: Array, **attrs: Any) -> Array:
        return store(fn(*[working(x) for x in operands], **attrs), operands[0].dtype)

    return call


def _gelu(x: Array, *, approximate: str) -> Array:
    half = x.dtype.type(0.5)
    if approximate == "tanh":
        inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)
        return np.asarray(half * x * (1 + np.tanh(inner)), x.dtype)
    return np.asarray(half * x * (1 + erf(x * np.sqrt(0.5).astype(x.dtype))), x.dtype)


_UNARY: dict[str, Callable[..., Array]] = {
    "abs": np.abs,
    "neg": np.negative,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "tanh": np.tanh,
    "erf": erf,
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "gelu": _gelu,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "bitwise_not": np.invert,
}


def _div(a: Array, b: Array) -> Array:
    return np.asarray(a / b) if is_float(a.dtype) else trunc_divide(a, b)


def _mod(a: Array, b: Array, *, fmod: bool) -> Array:
    remainder = np.fmod if fmod else np.remainder
    if is_float(a.dtype):
        return np.asarray(remainder(a, b))
    return np.asarray(np.where(b == 0, np.zeros_like(a), remainder(a, np.where(b == 0, np.ones_like(b), b))))


def _pow(a: Array, b: Array) -> Array:
    if is_float(a.dtype):
        return np.asarray(np.power(a, b))
    result = np.power(a, np.where(b < 0, np.zeros_like(b), b))
    # 1 / a^-b toward zero: nothing is left of it unless a is 1 or -1.
    inverse = np.where(a == 1, 1, np.where(a + 1 == 0, np.where(b % 2 == 0, 1, -1), 0)).astype(a.dtype)
    return np.asarray(np.where(b < 0, inverse, result)) if a.dtype.kind == "i" else result


def _shift(fn: Callable[..., Array], a: Array, b: Array) -> Array:
    width = 4 if a.dtype in NIBBLES else a.dtype.itemsize * 8
    outside = (b < 0) | (b >= width)
    value, count = working(a), np.where(outside, 0, working(b)).astype(working(b).dtype)
    spilled = fn(value, np.full_like(value, width - 1))
    spilled = np.zeros_like(value) if fn is np.left_shift else fn(spilled, np.ones_like(value))
    return store(np.where(outside, spilled, fn(value, count)), a.dtype)


_BINARY: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _div,
    "mod": _mod,
    "pow": _pow,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
}

FUNCTIONS.update({name: _stored(fn) for name, fn in {**_UNARY, **_BINARY}.items()})

_COMPARE: dict[str, Callable[..., Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@reference("shift_left")
def shift_left(a: Array, b: Array) -> Array:
    """`nn.shift_left`."""
    return _shift(np.left_shift, a, b)


@reference("shift_right")
def shift_right(a: Array, b: Array) -> Array:
    """`nn.shift_right`."""
    return _shift(np.right_shift, a, b)


@reference("logical_not")
def logical_not(x: Array) -> Array:
    """`nn.logical_not`."""
    return np.logical_not(x)


@reference("isnan")
def isnan(x: Array) -> Array:
    """`nn.isnan`."""
    return np.isnan(working(x))


@reference("isinf")
def isinf(x: Array, *, positive: bool, negative: bool) -> Array:
    """`nn.isinf`."""
    value = working(x)
    return np.asarray(((value == np.inf) & positive) | ((value == -np.inf) & negative))


@reference("compare")
def compare(a: Array, b: Array, *, predicate: str) -> Array:
    """`nn.compare`."""
    return _COMPARE[predicate](working(a), working(b))


@reference("select")
def select(cond: Array, a: Array, b: Array) -> Array:
    """`nn.select`."""
    return np.where(cond, a, b)


@reference("clamp")
def clamp(x: Array, *, min: float, max: float) -> Array:  # noqa: A002
    """`nn.clamp`."""
    value = working(x)
    low, high = (store(np.asarray(b), x.dtype) if is_float(x.dtype) else None for b in (min, max))
    if low is None or high is None:
        lowest, highest = limits(x.dtype)
        first = lowest if min <= lowest else highest if min > highest else int(np.ceil(min))
        last = highest if max >= highest else lowest if max < lowest else int(np.floor(max))
        low, high = np.asarray(first, value.dtype), np.asarray(last, value.dtype)
    return store(np.minimum(np.maximum(value, low.astype(value.dtype)), high.astype(value.dtype)), x.dtype)
