"""Resampling, as ONNX's Resize defines it (opset 19): one axis after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.dialects.nn.reference.numerics import is_float, limits, precise, store, working
from accelc.dialects.nn.reference.registry import Array, reference
from accelc.dialects.nn.types import Shape


@reference("resize")
def resize(
    x: Array,
    *,
    mode: str,
    coordinate: str,
    nearest: str,
    scales: Sequence[float],
    roi: Sequence[float],
    cubic_a: float,
    exclude_outside: bool,
    extrapolation: float,
    antialias: bool,
    shape: Shape,
) -> Array:
    """`nn.resize`."""
    if None in shape:
        raise UnsupportedError(f"nn.resize to unknown sizes cannot be evaluated: {list(shape)}")
    value = working(x) if mode == "nearest" else precise(x).astype(np.float64)
    outside = np.zeros([1] * x.ndim, bool)
    for axis, (scale, size) in enumerate(zip(scales, shape, strict=True)):
        assert size is not None
        region = (roi[axis], roi[axis + x.ndim]) if roi else (0.0, 1.0)
        if scale == 1.0 and size == x.shape[axis] and region == (0.0, 1.0):
            continue
        position = source_positions(size, x.shape[axis], scale, coordinate, region)
        if coordinate == "tf_crop_and_resize":
            beyond = (position < 0) | (position > x.shape[axis] - 1)
            outside = outside | beyond.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        if mode == "nearest":
            value = value.take(nearest_indices(position, x.shape[axis], nearest), axis=axis)
        else:
            weights = interpolation(
                position, x.shape[axis], mode, min(scale, 1.0) if antialias else 1.0, cubic_a, exclude_outside
            )
            value = np.moveaxis(np.tensordot(value, weights, axes=(axis, 1)), -1, axis)
    if outside.any():
        value = np.where(outside, extrapolation, value)
    if not is_float(x.dtype) and value.dtype.kind == "f":
        value = np.clip(np.rint(value), *limits(x.dtype)).astype(np.int64)
    return store(value, x.dtype)


def source_positions(size: int, have: int, scale: float, coordinate: str, region: tuple[float, float]) -> Array:
    """Where in x, in elements, each of ``size`` results lies."""
    i = np.arange(size, dtype=np.float64)
    start, end = region
    if coordinate == "align_corners":
        return i * ((have - 1) / (size - 1) if size > 1 else 0.0)
    if coordinate == "asymmetric":
        return np.asarray(i / scale)
    if coordinate == "tf_half_pixel_for_nn":
        return np.asarray((i + 0.5) / scale)
    if coordinate == "tf_crop_and_resize":
        if size > 1:
            return start * (have - 1) + i * (end - start) * (have - 1) / (size - 1)
        return np.full(size, 0.5 * (start + end) * (have - 1))
    if coordinate == "pytorch_half_pixel" and size == 1:
        return np.zeros(1)
    if coordinate == "half_pixel_symmetric":
        i = i + scale * have / 2 * (1 - size / (scale * have))
    return np.asarray((i + 0.5) / scale - 0.5)


def nearest_indices(position: Array, have: int, nearest: str) -> Array:
    """The element of x that each position takes."""
    if nearest == "floor":
        index = np.floor(position)
    elif nearest == "ceil":
        index = np.ceil(position)
    elif nearest == "round_prefer_floor":
        index = np.ceil(position - 0.5)
    else:
        index = np.floor(position + 0.5)
    return np.clip(index.astype(np.int64), 0, have - 1)


def _linear(distance: Array) -> Array:
    return np.asarray(np.clip(1 - np.abs(distance), 0, 1))


def _cubic(distance: Array, a: float) -> Array:
    """The cubic convolution kernel (Keys, 1981)."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def interpolation(
    position: Array, have: int, mode: str, stretch: float, cubic_a: float, exclude_outside: bool
) -> Array:
    """Weights ``[size, have]``: how much of each element of x each result takes; rows sum to 1.

    stretch: at most 1; kernels are widened by its inverse. Elements beyond x's ends are its ends, or left out.
    """
    reach = math.ceil((1 if mode == "linear" else 2) / stretch)
    offsets = np.arange(-reach, reach + 1)
    index = np.floor(position).astype(np.int64)[:, None] + offsets
    distance = (index - position[:, None]) * stretch
    weights = _linear(distance) if mode == "linear" else _cubic(distance, cubic_a)
    if exclude_outside:
        weights = np.where((index < 0) | (index >= have), 0.0, weights)
    weights = weights / weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(position), have))
    np.add.at(matrix, (np.arange(len(position))[:, None], np.clip(index, 0, have - 1)), weights)
    return matrix
