"""`arith`: scalar semantics as LLVM's, on numpy scalars and arrays alike. Poison is some value."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from accelc.dialects.evaluators.common import dense_array, scalar_of
from accelc.dialects.interpreter import Call, Code, dtype_of, evaluator
from accelc.dialects.nn.reference.numerics import SMALL_FLOATS, convert, store, trunc_divide, working
from accelc.mlir import ir

Function = Callable[..., Any]


def unsigned(x: Any) -> Any:
    """The same bits without a sign."""
    if x.dtype == np.bool_:
        return x.astype(np.uint8)
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "i" else x


def signed(x: Any) -> Any:
    """A bool as the 1-bit integer that it is: true is -1."""
    return -x.astype(np.int8) if x.dtype == np.bool_ else x


def _like(value: Any, dtype: np.dtype[Any]) -> Any:
    return value.view(dtype) if value.dtype != dtype and value.dtype.itemsize == dtype.itemsize else value.astype(dtype)


_FLOAT: dict[str, Function] = {
    "addf": operator.add,
    "subf": operator.sub,
    "mulf": operator.mul,
    "divf": operator.truediv,
    "remf": np.fmod,
    "negf": operator.neg,
    "maximumf": np.maximum,
    "minimumf": np.minimum,
    "maxnumf": np.fmax,
    "minnumf": np.fmin,
}

_INTEGER: dict[str, Function] = {
    "addi": operator.add,
    "subi": operator.sub,
    "muli": operator.mul,
    "divsi": lambda a, b: trunc_divide(a, b)[()],
    "remsi": lambda a, b: a - trunc_divide(a, b)[()] * b,
    "floordivsi": lambda a, b: np.floor_divide(a, b),
    "ceildivsi": lambda a, b: np.floor_divide(a, b) + (np.remainder(a, b) != 0).astype(a.dtype),
    "andi": operator.and_,
    "ori": operator.or_,
    "xori": operator.xor,
    "shli": np.left_shift,
    "shrsi": np.right_shift,
    "maxsi": np.maximum,
    "minsi": np.minimum,
}

_UNSIGNED: dict[str, Function] = {
    "divui": np.floor_divide,
    "remui": np.remainder,
    "ceildivui": lambda a, b: np.floor_divide(a, b) + (np.remainder(a, b) != 0),
    "shrui": np.right_shift,
    "maxui": np.maximum,
    "minui": np.minimum,
}

# On bits: addition without a carry, and signs where true is -1.
_BOOL: dict[str, Function] = {
    "addi": np.not_equal,
    "subi": np.not_equal,
    "muli": np.logical_and,
    "maxsi": np.logical_and,
    "minsi": np.logical_or,
}


def float_call(fn: Function, dtype: np.dtype[Any]) -> Call:
    """``fn`` on values of a float type: small ones are computed in f32 and rounded."""
    if dtype not in SMALL_FLOATS:
        return fn
    return lambda *xs: store(fn(*[working(np.asarray(x)) for x in xs]), dtype)[()]


def _register_elementwise() -> None:
    for name, fn in _FLOAT.items():

        def make_float(op: Any, code: Code, fn: Function = fn) -> Call:
            return float_call(fn, dtype_of(op.results[0].type))

        evaluator(f"arith.{name}")(make_float)
    for name, fn in _INTEGER.items():

        def make_integer(op: Any, code: Code, fn: Function = fn, name: str = name) -> Call:
            if dtype_of(op.results[0].type) == np.bool_:
                return _BOOL.get(name, fn)
            return fn

        evaluator(f"arith.{name}")(make_integer)
    for name, fn in _UNSIGNED.items():

        def make_unsigned(op: Any, code: Code, fn: Function = fn) -> Call:
            dtype = dtype_of(op.results[0].type)
            return lambda a, b: _like(fn(unsigned(a), unsigned(b)), dtype)

        evaluator(f"arith.{name}")(make_unsigned)


_register_elementwise()

_CMPI: tuple[Function, ...] = (
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
)


@evaluator("arith.cmpi")
def cmpi(op: Any, code: Code) -> Call:
    """Integer comparison: predicates 6 and up are unsigned."""
    predicate = op.attributes["predicate"].value
    fn: Function = _CMPI[predicate]
    if predicate < 2:
        return fn
    if predicate >= 6:
        return lambda a, b: fn(unsigned(a), unsigned(b))
    if dtype_of(op.operands[0].type) == np.bool_:
        return lambda a, b: fn(signed(a), signed(b))
    return fn


_CMPF: tuple[Function, ...] = (
    lambda a, b: np.zeros_like(a == b),
    operator.eq,
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
    lambda a, b: (a < b) | (a > b),
    lambda a, b: (a == a) & (b == b),
    lambda a, b: ~((a < b) | (a > b)),
    lambda a, b: ~(a <= b),
    lambda a, b: ~(a < b),
    lambda a, b: ~(a >= b),
    lambda a, b: ~(a > b),
    operator.ne,
    lambda a, b: (a != a) | (b != b),
    lambda a, b: np.ones_like(a == b),
)


@evaluator("arith.cmpf")
def cmpf(op: Any, code: Code) -> Call:
    """Float comparison, ordered and unordered."""
    fn = _CMPF[op.attributes["predicate"].value]
    return lambda a, b: fn(working(np.asarray(a)), working(np.asarray(b)))


@evaluator("arith.select")
def select(op: Any, code: Code) -> Call:
    """One of two values; elementwise where the condition is an array."""

    def call(condition: Any, a: Any, b: Any) -> Any:
        if np.ndim(condition) == 0:
            return a if condition else b
        return np.where(condition, a, b)

    return call


@evaluator("arith.constant")
def constant(op: Any, code: Code) -> Call:
    """A number, or the elements of a tensor or vector."""
    attr, mlir_type = op.attributes["value"], op.results[0].type
    if isinstance(mlir_type, ir.ShapedType):
        value = dense_array(attr)
    else:
        value = scalar_of(attr, dtype_of(mlir_type))
    return lambda: value


@evaluator("arith.extf", "arith.truncf")
def convert_float(op: Any, code: Code) -> Call:
    """To another float format, to nearest even."""
    dtype = dtype_of(op.results[0].type)
    return lambda x: store(working(np.asarray(x)), dtype)[()]


@evaluator("arith.extsi", "arith.trunci", "arith.index_cast", "arith.sitofp")
def convert_signed(op: Any, code: Code) -> Call:
    """A signed integer to another width, or to a float."""
    dtype = dtype_of(op.results[0].type)
    if dtype == np.bool_:
        return lambda x: (np.asarray(x) & 1).astype(np.bool_)[()]
    return lambda x: store(signed(working(np.asarray(x))), dtype)[()]


@evaluator("arith.extui", "arith.index_castui", "arith.uitofp")
def convert_unsigned(op: Any, code: Code) -> Call:
    """An unsigned integer to another width, or to a float."""
    dtype = dtype_of(op.results[0].type)
    return lambda x: store(unsigned(np.asarray(x)), dtype)[()]


@evaluator("arith.fptosi")
def float_to_signed(op: Any, code: Code) -> Call:
    """Toward zero."""
    dtype = dtype_of(op.results[0].type)
    return lambda x: convert(np.asarray(x), dtype, saturate=False)[()]


@evaluator("arith.fptoui")
def float_to_unsigned(op: Any, code: Code) -> Call:
    """Toward zero; the result's bits are held in a signed integer."""
    dtype = dtype_of(op.results[0].type)
    wide = np.dtype(np.uint64) if dtype.itemsize == 8 else np.dtype(np.int64)
    return lambda x: store(convert(np.asarray(x), wide, saturate=False), dtype)[()]


@evaluator("arith.bitcast")
def bitcast(op: Any, code: Code) -> Call:
    """The same bits."""
    dtype = dtype_of(op.results[0].type)
    return lambda x: np.ascontiguousarray(x).view(dtype).reshape(np.shape(x))[()]


@evaluator("arith.mulsi_extended", "arith.mului_extended")
def multiply_extended(op: Any, code: Code) -> Call:
    """Low and high half of a product of at most 32 bits each."""
    dtype = dtype_of(op.results[0].type)
    bits = dtype.itemsize * 8
    sign = signed if "mulsi" in op.name else unsigned

    def call(a: Any, b: Any) -> Any:
        product = sign(a).astype(np.int64) * sign(b).astype(np.int64)
        return product.astype(dtype), (product >> bits).astype(dtype)

    return call
