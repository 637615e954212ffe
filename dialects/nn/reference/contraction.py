"""Contractions and convolutions, through BLAS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from accelc.dialects.nn.ops.contraction import accumulator, parse_spec, window_size
from accelc.dialects.nn.reference.numerics import is_float, precise, store
from accelc.dialects.nn.reference.registry import Array, reference
from accelc.dialects.nn.types import dtype_of_array, numpy_dtype


def _operands(a: Array, b: Array) -> tuple[Array, Array]:
    """Both in the type of the sums: f64 for f32, f64 and 8-bit integers (exact there), f32 for smaller floats."""
    if is_float(a.dtype):
        return precise(a), precise(b)
    if a.dtype.itemsize == 1:
        # Products of 8-bit integers are exact in f64 up to sums of 2^37 of them.
        return a.astype(np.float64), b.astype(np.float64)
    return a, b


def _finish(total: Array, a: Array, dtype: str) -> Array:
    target = numpy_dtype(dtype)
    if is_float(a.dtype):
        return store(total, target)
    kept = total.astype(np.int64) if total.dtype.kind == "f" else total
    return store(store(kept, numpy_dtype(accumulator(dtype_of_array(a)))), target)


@reference("contract")
def contract(a: Array, b: Array, *, spec: str, dtype: str) -> Array:
    """`nn.contract`."""
    s = parse_spec(spec)
    x, y = _operands(a, b)
    size = {**dict(zip(s.a, a.shape, strict=True)), **dict(zip(s.b, b.shape, strict=True))}

    def count(letters: str) -> int:
        return int(np.prod([size[c] for c in letters], dtype=np.int64))

    shape = [size[c] for c in s.batch]
    x = x.transpose([s.a.index(c) for c in s.batch + s.rows + s.summed])
    y = y.transpose([s.b.index(c) for c in s.batch + s.summed + s.columns])
    total = np.matmul(
        x.reshape(*shape, count(s.rows), count(s.summed)), y.reshape(*shape, count(s.summed), count(s.columns))
    )
    order = s.batch + s.rows + s.columns
    total = total.reshape([size[c] for c in order]).transpose([order.index(c) for c in s.out])
    return _finish(total, a, dtype)


def channels_last(x: Array, layout: str) -> Array:
    """A tensor of ``layout`` as ``[N, *S, C]``."""
    return x if layout == "nhwc" else np.moveaxis(x, 1, -1)


def from_channels_last(x: Array, layout: str) -> Array:
    """The inverse of `channels_last`."""
    return x if layout == "nhwc" else np.moveaxis(x, -1, 1)


def window_slices(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """For each position in the kernel: the position, and the (padded) elements that it meets, one a window."""
    for position in product(*(range(k) for k in kernel)):
        yield (
            position,
            tuple(
                slice(p * d, p * d + (n - 1) * s + 1 if n else p * d, s)
                for p, d, s, n in zip(position, dilations, strides, sizes, strict=True)
            ),
        )


def pad_spatial(x: Array, low: Sequence[int], high: Sequence[int], value: float) -> Array:
    """``[N, *S, C]`` with ``value`` around its spatial dimensions; negative amounts crop."""
    crop = tuple(slice(max(0, -a), n - max(0, -b)) for n, a, b in zip(x.shape[1:-1], low, high, strict=True))
    amounts = [(0, 0), *((max(0, a), max(0, b)) for a, b in zip(low, high, strict=True)), (0, 0)]
    return np.pad(x[(slice(None), *crop)], amounts, constant_values=value)


def _group_matmul(x: Array, w: Array) -> Array:
    """``[N, *S, G, I]`` by ``[G, I, O]`` to ``[N, *S, G, O]``."""
    groups, inputs, outputs = w.shape
    if inputs == 1 and outputs == 1:
        return np.asarray(x * w.reshape(groups, 1))
    if groups == 1:
        # One product of all windows, not one a row of the image.
        return np.asarray(np.matmul(x.reshape(-1, inputs), w[0]).reshape(*x.shape[:-1], outputs))
    rows = x.reshape(-1, groups, inputs).transpose(1, 0, 2)
    return np.asarray(np.matmul(rows, w).transpose(1, 0, 2).reshape(*x.shape[:-1], outputs))


@reference("conv")
def conv(
    x: Array,
    w: Array,
    *,
    strides: Sequence[int],
    pads_low: Sequence[int],
    pads_high: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    layout: str,
    dtype: str,
) -> Array:
    """`nn.conv`: the sum over kernel positions of a matrix product each."""
    a, b = _operands(x, w)
    a = channels_last(a, layout)
    filters = b if layout == "nhwc" else np.moveaxis(b, (0, 1), (-1, -2))
    kernel, (per_group, outputs) = filters.shape[:-2], filters.shape[-2:]
    filters = filters.reshape(*kernel, per_group, groups, outputs // groups)
    filters = np.ascontiguousarray(np.moveaxis(filters, -2, -3))
    window = zip(a.shape[1:-1], kernel, strides, pads_low, pads_high, dilations, strict=True)
    sizes = [int(window_size(*each) or 0) for each in window]
    a = pad_spatial(a, pads_low, pads_high, 0)
    a = a.reshape(*a.shape[:-1], groups, per_group)
    total = np.zeros((a.shape[0], *sizes, groups, outputs // groups), a.dtype)
    for position, where in window_slices(sizes, kernel, strides, dilations):
        total += _group_matmul(a[(slice(None), *where)], filters[position])
    return _finish(from_channels_last(total.reshape(*total.shape[:-2], outputs), layout), x, dtype)


@reference("conv_transpose")
def conv_transpose(
    x: Array,
    w: Array,
    *,
    strides: Sequence[int],
    pads_low: Sequence[int],
    pads_high: Sequence[int],
    dilations: Sequence[int],
    output_pads: Sequence[int],
    groups: int,
    dtype: str,
) -> Array:
    """`nn.conv_transpose`: every element of x adds the filter to the windows it belongs to."""
    a, b = _operands(x, w)
    a = channels_last(a, "nchw")
    kernel, inputs, outputs = w.shape[2:], w.shape[0], w.shape[1] * groups
    a = a.reshape(*a.shape[:-1], groups, inputs // groups)
    filters = np.moveaxis(b, (0, 1), (-2, -1)).reshape(*kernel, groups, inputs // groups, outputs // groups)
    spatial = a.shape[1:-2]
    full = [
        (n - 1) * s + (k - 1) * d + 1 + max(0, extra)
        for n, s, k, d, extra in zip(spatial, strides, kernel, dilations, output_pads, strict=True)
    ]
    total = np.zeros((a.shape[0], *full, groups, outputs // groups), a.dtype)
    for position, where in window_slices(spatial, kernel, strides, dilations):
        total[(slice(None), *where)] += _group_matmul(a, filters[position])
    total = total.reshape(*total.shape[:-2], outputs)
    high = [-h for h in pads_high]
    total = pad_spatial(total, [-p for p in pads_low], high, 0)
    return _finish(from_channels_last(total, "nchw"), x, dtype)
