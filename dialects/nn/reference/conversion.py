"""Element types: casts and quantization."""

from __future__ import annotations

import numpy as np

from accelc.dialects.nn.reference.numerics import (
    FLOATS,
    convert,
    limits,
    precise,
    store,
    working,
)
from accelc.dialects.nn.reference.registry import Array, reference
from accelc.dialects.nn.types import numpy_dtype


@reference("cast")
def cast(x: Array, *, dtype: str, saturate: bool) -> Array:
    """`nn.cast`."""
    return convert(x, numpy_dtype(dtype), saturate=saturate)


@reference("bitcast")
def bitcast(x: Array, *, dtype: str) -> Array:
    """`nn.bitcast`."""
    target = numpy_dtype(dtype)
    flat = np.ascontiguousarray(x).reshape(-1)
    if target.itemsize == 1 and str(dtype).endswith("4") and x.dtype.itemsize == 1:
        # A nibble lies in the low half of its byte; a signed one is extended, which is a matter of its value only.
        return store(flat.view(np.int8), target).reshape(x.shape)
    return flat.view(target).reshape(x.shape)


def expand_scale(scale: Array, shape: tuple[int, ...], axis: int) -> Array:
    """A scale (or zero point) repeated so that it broadcasts against a tensor of ``shape``."""
    if scale.ndim == 0:
        return scale
    if scale.ndim == 1 and scale.shape[0] == shape[axis]:
        return scale.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    if scale.shape[axis] == 0:
        return scale
    block = -(-shape[axis] // scale.shape[axis])
    return np.repeat(scale, block, axis=axis).take(np.arange(shape[axis]), axis=axis)


@reference("quantize")
def quantize(x: Array, scale: Array, zero_point: Array, *, axis: int) -> Array:
    """`nn.quantize`."""
    wide = np.float64 if x.dtype == np.float64 else np.float32
    scaled = x.astype(wide) / expand_scale(scale, x.shape, axis).astype(wide)
    if zero_point.dtype in FLOATS:
        return convert(np.asarray(scaled), zero_point.dtype, saturate=True)
    low, high = limits(zero_point.dtype)
    shifted = np.rint(scaled).astype(np.float64) + working(expand_scale(zero_point, x.shape, axis)).astype(np.float64)
    return store(np.clip(np.where(np.isnan(shifted), 0, shifted), low, high).astype(np.int64), zero_point.dtype)


@reference("dequantize")
def dequantize(q: Array, scale: Array, zero_point: Array, *, axis: int) -> Array:
    """`nn.dequantize`."""
    zero = working(expand_scale(zero_point, q.shape, axis))
    wide = np.float64 if scale.dtype == np.float64 else np.float32
    if q.dtype in FLOATS:
        difference = precise(q) - precise(zero)
    else:
        difference = working(q).astype(np.int64) - zero.astype(np.int64)
    return store(difference.astype(wide) * expand_scale(scale, q.shape, axis).astype(wide), scale.dtype)
