"""Pooling and local response normalization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelc.dialects.nn.ops.contraction import window_size
from accelc.dialects.nn.reference.contraction import channels_last, from_channels_last, pad_spatial, window_slices
from accelc.dialects.nn.reference.numerics import limits, precise, store, working
from accelc.dialects.nn.reference.registry import Array, reference


@reference("pool")
def pool(
    x: Array,
    *,
    kind: str,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads_low: Sequence[int],
    pads_high: Sequence[int],
    dilations: Sequence[int],
    count_include_pad: bool,
    p: int,
    layout: str,
) -> Array:
    """`nn.pool`: combines the elements at each kernel position, all windows at once."""
    value = channels_last(working(x) if kind == "max" else precise(x), layout)
    window = zip(value.shape[1:-1], kernel, strides, pads_low, pads_high, dilations, strict=True)
    sizes = [int(window_size(*each) or 0) for each in window]
    positions = list(window_slices(sizes, kernel, strides, dilations))

    def taps(array: Array, fill: float) -> list[Array]:
        padded = pad_spatial(array, pads_low, pads_high, fill)
        return [padded[(slice(None), *where)] for _, where in positions]

    if kind == "max":
        result = np.maximum.reduce(taps(value, limits(x.dtype)[0]))
    elif kind == "lp":
        result = sum(np.abs(t) ** p for t in taps(value, 0)) ** value.dtype.type(1 / p)
    else:
        total = sum(taps(value, 0))
        inside = np.ones((1, *value.shape[1:-1], 1), value.dtype)
        count = sum(taps(inside, float(count_include_pad)))
        result = total / count
    return store(from_channels_last(result, layout), x.dtype)


@reference("lrn")
def lrn(x: Array, *, size: int, alpha: float, beta: float, bias: float, layout: str) -> Array:
    """`nn.lrn`."""
    value = channels_last(precise(x), layout)
    low, high = (size - 1) // 2, size // 2
    channels = value.shape[-1]
    square = np.pad(value * value, [*([(0, 0)] * (value.ndim - 1)), (low, high)])
    total = sum(square[..., i : i + channels] for i in range(size))
    return store(from_channels_last(value / (bias + alpha / size * total) ** beta, layout), x.dtype)
