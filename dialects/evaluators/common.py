"""What several evaluators need: affine maps on arrays, mixed static and dynamic lists, constants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.dialects.interpreter import Array, dtype_of
from accelc.dialects.nn.reference.numerics import store
from accelc.mlir import ir

DYNAMIC: int = ir.ShapedType.get_dynamic_size()


class Linear(NamedTuple):
    """``sum(coefficients[i] * d_i) + constant``."""

    coefficients: tuple[int, ...]
    constant: int


def linear(expression: Any, num_dims: int) -> Linear | None:
    """An affine expression without symbols as a linear form, or None where it divides or takes remainders."""
    if isinstance(expression, ir.AffineDimExpr):
        return Linear(tuple(int(i == expression.position) for i in range(num_dims)), 0)
    if isinstance(expression, ir.AffineConstantExpr):
        return Linear((0,) * num_dims, expression.value)
    if isinstance(expression, ir.AffineAddExpr):
        a, b = linear(expression.lhs, num_dims), linear(expression.rhs, num_dims)
        if a is None or b is None:
            return None
        pairs = zip(a.coefficients, b.coefficients, strict=True)
        return Linear(tuple(x + y for x, y in pairs), a.constant + b.constant)
    if isinstance(expression, ir.AffineMulExpr):
        a, b = linear(expression.lhs, num_dims), linear(expression.rhs, num_dims)
        if a is None or b is None:
            return None
        if any(b.coefficients):
            a, b = b, a
        if any(b.coefficients):
            return None
        return Linear(tuple(x * b.constant for x in a.coefficients), a.constant * b.constant)
    return None


def affine(expression: Any) -> Callable[[Sequence[Any], Sequence[Any]], Any]:
    """An affine expression as a function of the values of dims and of symbols (integers or arrays)."""
    if isinstance(expression, ir.AffineDimExpr):
        position = expression.position
        return lambda dims, symbols: dims[position]
    if isinstance(expression, ir.AffineSymbolExpr):
        position = expression.position
        return lambda dims, symbols: symbols[position]
    if isinstance(expression, ir.AffineConstantExpr):
        value = np.int64(expression.value)
        return lambda dims, symbols: value
    a, b = affine(expression.lhs), affine(expression.rhs)
    if isinstance(expression, ir.AffineAddExpr):
        return lambda dims, symbols: a(dims, symbols) + b(dims, symbols)
    if isinstance(expression, ir.AffineMulExpr):
        return lambda dims, symbols: a(dims, symbols) * b(dims, symbols)
    if isinstance(expression, ir.AffineModExpr):
        return lambda dims, symbols: a(dims, symbols) % b(dims, symbols)
    if isinstance(expression, ir.AffineFloorDivExpr):
        return lambda dims, symbols: a(dims, symbols) // b(dims, symbols)
    return lambda dims, symbols: -(-a(dims, symbols) // b(dims, symbols))


def strided(array: Array, forms: Sequence[Linear], sizes: Sequence[int], *, writeable: bool = False) -> Array:
    """A view of ``array`` over an iteration space: at point d it is ``array[forms[0](d), forms[1](d), ..]``.

    A dimension of the space that no form uses has size 1. Raises IndexError where a point lies outside of the array.
    """
    rank = len(sizes)
    used = [any(f.coefficients[d] for f in forms) for d in range(rank)]
    shape = [n if u else 1 for n, u in zip(sizes, used, strict=True)]
    if 0 in shape:
        return np.empty(shape, array.dtype)
    start = []
    for form, size in zip(forms, array.shape, strict=True):
        reach = [c * (n - 1) for c, n in zip(form.coefficients, shape, strict=True)]
        low, high = form.constant + sum(min(0, r) for r in reach), form.constant + sum(max(0, r) for r in reach)
        if low < 0 or high >= size:
            raise IndexError(f"an indexing map reaches {low} to {high} along a dimension of {size}")
        start.append(slice(form.constant, None))
    strides = [sum(f.coefficients[d] * s for f, s in zip(forms, array.strides, strict=True)) for d in range(rank)]
    origin = array[tuple(start)] if array.ndim else array
    return np.lib.stride_tricks.as_strided(origin, shape, strides, writeable=writeable)


def mixed(op: Any, name: str, group: int) -> Callable[[Sequence[Any]], list[int]]:
    """A list that is static where it can be: ``static_<name>``, its dynamic entries in operand group ``group``.

    Gives a function of the op's operand values.
    """
    static = list(op.attributes[f"static_{name}"])
    segments = list(op.attributes["operandSegmentSizes"])
    start = sum(segments[:group])
    if DYNAMIC not in static:
        return lambda operands: static

    def resolve(operands: Sequence[Any]) -> list[int]:
        dynamic = iter(operands[start : start + segments[group]])
        return [int(next(dynamic)) if s == DYNAMIC else s for s in static]

    return resolve


def sized(mlir_type: Any) -> Callable[[Iterator[Any]], list[int]]:
    """The shape of a shaped type, its unknown sizes taken from an iterator of values."""
    static = list(mlir_type.shape)
    return lambda dynamic: [int(next(dynamic)) if s == DYNAMIC else s for s in static]


def dense_array(attr: Any) -> Array:
    """A dense elements attribute as an array. Raises UnsupportedError for one that holds its bytes elsewhere."""
    if not isinstance(attr, ir.DenseElementsAttr):
        raise UnsupportedError(f"the interpreter cannot read the elements of {str(attr)[:60]}")
    dtype, shape = dtype_of(attr.type), list(attr.type.shape)
    if attr.is_splat:
        return np.full(shape, scalar_of(attr.get_splat_value(), dtype), dtype)
    if dtype.isbuiltin == 1:
        return np.array(attr).astype(dtype, copy=False).reshape(shape)
    text = str(attr)
    text = text[text.index("<") + 1 : text.rindex("> : ")]
    if text.startswith('"0x'):
        return np.frombuffer(bytes.fromhex(text[3:-1]), dtype).reshape(shape)
    tokens = re.findall(r"[^\[\],\s]+", text)
    return np.array([_element(t, dtype) for t in tokens], dtype).reshape(shape)


def _element(token: str, dtype: np.dtype[Any]) -> Any:
    if token.startswith("0x"):
        return np.array(int(token, 16), f"u{dtype.itemsize}").view(dtype)[()]
    return store(np.array(float(token)), dtype)[()]


def scalar_of(attr: Any, dtype: np.dtype[Any]) -> Any:
    """An integer, float or bool attribute as a numpy scalar of ``dtype``."""
    if dtype.kind in "iu" and dtype.isbuiltin == 1:
        bits = 8 * dtype.itemsize
        value = int(attr.value) & ((1 << bits) - 1)
        return np.array(value, f"u{dtype.itemsize}").view(dtype)[()]
    return store(np.array(attr.value), dtype)[()]
