"""Pooling and local response normalization: reductions over windows."""

from __future__ import annotations

import math as pymath
from collections.abc import Mapping, Sequence
from typing import Any

from accelc.mlir import dialect, ir
from accelc.passes.lowering.convert import cast
from accelc.passes.lowering.convolution import pad_space, window_dim
from accelc.passes.lowering.dtypes import compute_type, constant, signless
from accelc.passes.lowering.expr import Expr
from accelc.passes.lowering.kernel import PARALLEL, REDUCTION, Kernel, emit_generic, shape_and_dtype
from accelc.passes.lowering.movement import padded
from accelc.passes.lowering.registry import lowers
from accelc.passes.lowering.rowwise import lowest
from accelc.passes.lowering.scalar import add, maximum

arith = dialect("arith")
math = dialect("math")
tensor = dialect("tensor")

Value = Any


def spatial_axes(rank: int, layout: str) -> range:
    """Which dimensions are space."""
    return range(2, rank) if layout == "nchw" else range(1, rank - 1)


def window_reduce(
    init: Value,
    image: Value,
    axes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    combine: Any,
) -> Value:
    """``combine(acc, x)`` over the windows that slide along ``axes``; all other dimensions are kept."""
    rank = len(image.type.shape)
    dims = [ir.AffineDimExpr.get(i) for i in range(rank + len(axes))]
    at = list(dims[:rank])
    for i, axis in enumerate(axes):
        at[axis] = window_dim(dims[axis], dims[rank + i], strides[i], dilations[i])
    loops = len(dims)
    maps = [ir.AffineMap.get(loops, 0, m) for m in (at, dims[rank:], dims[:rank])]
    window = tensor.empty(list(kernel), init.type.element_type)
    kinds = [PARALLEL] * rank + [REDUCTION] * len(axes)
    [value] = emit_generic([image, window], [init], maps, kinds, lambda s: [combine(s[2], s[0])])
    return value


@lowers("pool")
def lower_pool(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Pads with what does not count, reduces windows, then divides or takes a root."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    x, kind, layout = k.expr(op.operation.operands[0]), attrs["kind"], attrs["layout"]
    t = dtype if kind == "max" else compute_type(dtype)
    axes = spatial_axes(len(shape), layout)
    neutral = lowest(t) if kind == "max" else 0
    image = pad_space(k, k.materialize(x), attrs["pads_low"], attrs["pads_high"], layout, constant(x.dtype, neutral))
    p = attrs["p"]

    def combine(acc: Any, element: Any) -> Any:
        element = cast(element, x.dtype, t)
        if kind == "max":
            return maximum(t, acc, element)
        return add(t, acc, element if kind == "average" else _power(t, element, p))

    init = k.filled(shape, t, neutral)
    value = Expr(
        shape, t, window_reduce(init, image, axes, attrs["kernel"], attrs["strides"], attrs["dilations"], combine)
    )
    if kind == "average":
        value = _average(k, value, x.shape, axes, attrs)
    elif kind == "lp":
        value = k.apply(t, lambda s: _root(t, s, p), value)
    k.define(result, k.cast(value, dtype))


def _power(dtype: str, x: Any, p: int) -> Any:
    """|x| ** p."""
    if p == 1:
        return math.absf(x)
    return arith.mulf(x, x) if p == 2 else math.powf(math.absf(x), constant(dtype, p))


def _root(dtype: str, x: Any, p: int) -> Any:
    """x ** (1 / p)."""
    if p == 1:
        return x
    return math.sqrt(x) if p == 2 else math.powf(x, constant(dtype, 1 / p))


def _average(k: Kernel, total: Expr, source: tuple[int, ...], axes: Sequence[int], attrs: Mapping[str, Any]) -> Expr:
    """Divides by how many elements count: the window's size, or those of the window that are not padding."""
    t = total.dtype
    padded = any(attrs["pads_low"]) or any(attrs["pads_high"])
    if attrs["count_include_pad"] or not padded:
        count = pymath.prod(attrs["kernel"])
        return k.apply(t, lambda s: arith.divf(s, constant(t, count)), total)
    positions = k.positions(total.shape)

    def body(s: Any, *at: Any) -> Any:
        count = None
        for i, axis in enumerate(axes):
            n = _inside(
                at[i],
                attrs["strides"][i],
                attrs["pads_low"][i],
                attrs["kernel"][i],
                attrs["dilations"][i],
                source[axis],
            )
            count = n if count is None else arith.muli(count, n)
        whole = arith.index_cast(signless("si64"), count)
        return arith.divf(s, cast(whole, "si64", t))

    return k.apply(t, body, total, *(positions[a] for a in axes))


def _inside(index: Any, stride: int, low: int, kernel: int, dilation: int, size: int) -> Any:
    """How many positions ``index * stride - low + j * dilation``, j in [0, kernel), lie in [0, size)."""
    step = constant("index", dilation)
    first = arith.subi(arith.muli(index, constant("index", stride)), constant("index", low))
    # j runs from ceil(-first / dilation) to ceil((size - first) / dilation), both limited to [0, kernel].
    limits = [arith.ceildivsi(arith.subi(constant("index", b), first), step) for b in (0, size)]
    start, stop = (arith.minsi(arith.maxsi(limit, constant("index", 0)), constant("index", kernel)) for limit in limits)
    return arith.subi(stop, start)


@lowers("lrn")
def lower_lrn(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """x / (bias + alpha / size * sum of squares over ``size`` neighbouring channels) ** beta."""
    [operand], [result] = op.operation.operands, op.operation.results
    x = k.expr(operand)
    t, rank, size = compute_type(x.dtype), len(x.shape), attrs["size"]
    axis = 1 if attrs["layout"] == "nchw" else rank - 1
    low = (size - 1) // 2
    before, after = ([p if d == axis else 0 for d in range(rank)] for p in (low, size - 1 - low))
    image = padded(k, k.materialize(x), before, after, constant(x.dtype, 0))
    init = k.filled(x.shape, t, 0)

    def combine(acc: Any, element: Any) -> Any:
        wide = cast(element, x.dtype, t)
        return arith.addf(acc, arith.mulf(wide, wide))

    total = Expr(x.shape, t, window_reduce(init, image, [axis], [size], [1], [1], combine))

    def body(value: Any, squares: Any) -> Any:
        base = arith.addf(constant(t, attrs["bias"]), arith.mulf(squares, constant(t, attrs["alpha"] / size)))
        return arith.divf(value, _to_beta(t, base, attrs["beta"]))

    k.define(result, k.cast(k.apply(t, body, k.cast(x, t), total), x.dtype))


def _to_beta(dtype: str, base: Any, beta: float) -> Any:
    """base ** beta; the usual 0.75 is two square roots, which are exact where powf is slow."""
    if beta == 0.75:
        root = math.sqrt(base)
        return arith.mulf(root, math.sqrt(root))
    return base if beta == 1.0 else math.powf(base, constant(dtype, beta))
