"""Convolutions: named ops where the contract with the targets has them, else a generic with a convolution's maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accelc.mlir import dialect, ir
from accelc.passes.lowering.contraction import accumulator, multiply_accumulate, same_family
from accelc.passes.lowering.dtypes import UNSIGNED, constant
from accelc.passes.lowering.expr import Apply, Expr
from accelc.passes.lowering.kernel import PARALLEL, REDUCTION, Kernel, emit_generic, shape_and_dtype
from accelc.passes.lowering.movement import extract_slice, insert_slice, padded
from accelc.passes.lowering.registry import lowers

arith = dialect("arith")
linalg = dialect("linalg")
tensor = dialect("tensor")

Value = Any


def window_dim(out: Any, window: Any, stride: int, dilation: int) -> Any:
    """The input position ``out * stride + window * dilation`` of a window, as an affine expression."""
    return _times(out, stride) + _times(window, dilation)


def _times(dim: Any, factor: int) -> Any:
    return dim if factor == 1 else dim * factor


def pad_space(k: Kernel, value: Value, low: Sequence[int], high: Sequence[int], layout: str, number: Value) -> Value:
    """Pads (or with negative amounts crops) the spatial dimensions."""
    if not any(low) and not any(high):
        return value
    before, after = ((0, 0, *p) if layout == "nchw" else (0, *p, 0) for p in (low, high))
    if any(p < 0 for p in (*before, *after)):
        starts = [max(-p, 0) for p in before]
        sizes = [s - max(-a, 0) - max(-b, 0) for s, a, b in zip(value.type.shape, before, after, strict=True)]
        value = extract_slice(value, starts, sizes, [1] * len(sizes))
        before, after = (tuple(max(p, 0) for p in side) for side in (before, after))
    return padded(k, value, before, after, number)


@lowers("conv")
def lower_conv(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Pads, then convolves into the accumulator's type; the conversion to the result's is left to an epilogue."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    x, w = (k.expr(v) for v in op.operation.operands)
    acc = accumulator(x.dtype, w.dtype)
    layout, groups = attrs["layout"], attrs["groups"]
    image = pad_space(k, k.materialize(x), attrs["pads_low"], attrs["pads_high"], layout, constant(x.dtype, 0))
    filters = k.materialize(w)
    strides, dilations = attrs["strides"], attrs["dilations"]
    init = k.filled(shape, acc, 0)
    plain = same_family(x.dtype, w.dtype) and x.dtype not in UNSIGNED and w.dtype not in UNSIGNED
    if layout == "nhwc" and len(strides) == 2 and groups == 1 and plain:
        value = _named(linalg.Conv2DNhwcHwcfOp, image, filters, init, strides, dilations)
    elif layout == "nhwc" and len(strides) == 2 and plain and groups == x.shape[-1] == shape[-1]:
        flat = k.reshape(filters, (*w.shape[:2], shape[-1]))
        value = _named(linalg.DepthwiseConv2DNhwcHwcOp, image, flat, init, strides, dilations)
    else:
        body = multiply_accumulate(x.dtype, w.dtype, acc)
        value = _generic_conv(k, image, filters, init, strides, dilations, groups, layout, body)
    k.define(result, k.cast(Expr(shape, acc, value), dtype))


def _named(build: Any, image: Value, filters: Value, init: Value, strides: Any, dilations: Any) -> Value:
    numbers = [ir.DenseElementsAttr.get(np.array(v, np.int64)) for v in (strides, dilations)]
    op = build([init.type], [image, filters], [init], strides=numbers[0], dilations=numbers[1])
    linalg.fill_builtin_region(op.operation)
    return op.result


def _generic_conv(
    k: Kernel,
    image: Value,
    filters: Value,
    init: Value,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    layout: str,
    body: Any,
) -> Value:
    """Any rank, groups and layout. Loops: batch, group, output channel, output space; input channel, window."""
    rank = len(strides)
    grouped = groups > 1
    dims = [ir.AffineDimExpr.get(i) for i in range(3 + 2 * rank + grouped)]
    n, *rest = dims
    g = rest[:grouped]
    f, *rest = rest[grouped:]
    space, c, window = rest[:rank], rest[rank], rest[rank + 1 :]
    at = [window_dim(o, w, s, d) for o, w, s, d in zip(space, window, strides, dilations, strict=True)]
    final = tuple(init.type.shape)
    if layout == "nchw":
        maps = [[n, *g, c, *at], [*g, f, c, *window], [n, *g, f, *space]]
        splits = [1, 0, 1]
    else:
        maps = [[n, *at, *g, c], [*window, c, *g, f], [n, *space, *g, f]]
        splits = [rank + 1, rank + 1, rank + 1]
    operands = [image, filters, init]
    if grouped:
        operands = [_split(k, v, axis, groups) for v, axis in zip(operands, splits, strict=True)]
    kinds = [PARALLEL] * (2 + rank + grouped) + [REDUCTION] * (1 + rank)
    affine = [ir.AffineMap.get(len(dims), 0, m) for m in maps]
    [value] = emit_generic(operands[:2], operands[2:], affine, kinds, body)
    return k.reshape(value, final)


def _split(k: Kernel, value: Value, axis: int, groups: int) -> Value:
    """Dimension ``axis`` as [groups, size / groups]."""
    shape = list(value.type.shape)
    return k.reshape(value, (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]))


@lowers("conv_transpose")
def lower_conv_transpose(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A convolution of the input spread by the strides, with the filter turned around.

    Output position p collects ``x[i] * w[j]`` where ``p = i * stride + j * dilation - low``.
    """
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    x, w = (k.expr(v) for v in op.operation.operands)
    acc = accumulator(x.dtype, w.dtype)
    strides, dilations, groups = attrs["strides"], attrs["dilations"], attrs["groups"]
    window = w.shape[2:]
    extents = [(size - 1) * d for size, d in zip(window, dilations, strict=True)]
    lows = [e - p for e, p in zip(extents, attrs["pads_low"], strict=True)]
    spread = _spread(k, k.materialize(x), x.dtype, strides)
    highs = [o + e - s - a for o, e, s, a in zip(shape[2:], extents, spread.type.shape[2:], lows, strict=True)]
    image = pad_space(k, spread, lows, highs, "nchw", constant(x.dtype, 0))
    filters = _turned(k, w, groups)
    init = k.filled(shape, acc, 0)
    body = multiply_accumulate(x.dtype, w.dtype, acc)
    ones = [1] * len(strides)
    value = _generic_conv(k, image, filters, init, ones, dilations, groups, "nchw", body)
    k.define(result, k.cast(Expr(shape, acc, value), dtype))


def _spread(k: Kernel, value: Value, dtype: str, strides: Sequence[int]) -> Value:
    """``value`` with ``stride - 1`` zeros between neighbours in space."""
    if all(s == 1 for s in strides):
        return value
    shape = list(value.type.shape)
    for i, s in enumerate(strides):
        shape[2 + i] = (shape[2 + i] - 1) * s + 1 if shape[2 + i] else 0
    return insert_slice(value, k.filled(tuple(shape), dtype, 0), [0] * len(shape), [1, 1, *strides])


def _turned(k: Kernel, w: Expr, groups: int) -> Value:
    """The filter [C, O/groups, *K] as [O, C/groups, *K], reversed in space."""
    source = k.materialize(w)
    channels, per_group, window = w.shape[0], w.shape[1], w.shape[2:]
    shape = (groups * per_group, channels // groups, *window)

    def body(at: Sequence[Any]) -> Any:
        o, c, *space = at
        count = constant("index", per_group)
        group = arith.divui(o, count)
        first = arith.muli(group, constant("index", channels // groups))
        turned = [arith.subi(constant("index", n - 1), i) for i, n in zip(space, window, strict=True)]
        return tensor.extract(source, [arith.addi(first, c), arith.remui(o, count), *turned])

    return k.materialize(Apply(shape, w.dtype, None, k.positions(shape), body=body))
