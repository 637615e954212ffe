"""`nn.resize` as gathers and contractions: the positions and weights are constants."""

from __future__ import annotations

import math as pymath
from collections.abc import Mapping
from typing import Any

import numpy as np

from accelc.dialects import nn
from accelc.passes.constants import Constants

Value = Any

# Letters for the dimensions of a contraction.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def decompose_resize(op: Any, constants: Constants) -> Value:
    """One axis after the other: nearest gathers; linear and cubic gather every tap and contract with the weights."""
    x, result = op.operation.operands[0], op.operation.results[0]
    attrs = nn.attrs(op)
    dtype = str(result.type.element_type)
    nearest = attrs["mode"] == "nearest"
    t = "f64" if dtype in ("f64", "si64", "ui64") else "f32"
    value = x if nearest else _cast(x, t)
    source, shape = tuple(x.type.shape), tuple(result.type.shape)
    for axis in range(len(shape)):
        taps = resize_taps(source[axis], shape[axis], axis, attrs)
        if taps is not None:
            value = _resample(value, axis, *taps, constants)
    value = _outside(value, source, shape, attrs, constants)
    if nearest:
        return value
    if not nn.is_float(dtype):
        value = nn.build.round(value)
    return nn.build.cast(value, dtype=dtype, saturate=True) if dtype != t else value


def _cast(value: Value, dtype: str) -> Value:
    return value if str(value.type.element_type) == dtype else nn.build.cast(value, dtype=dtype, saturate=False)


def _resample(value: Value, axis: int, index: Any, weight: Any, constants: Constants) -> Value:
    """``sum_j weight[i, j] * value[index[i, j]]`` along ``axis``."""
    if weight is None or index.shape[1] == 1:
        return nn.build.gather(value, constants.value(constants.add(index[:, 0])), axis=axis)
    taps = nn.build.gather(value, constants.value(constants.add(index)), axis=axis)
    dtype = str(value.type.element_type)
    weights = constants.value(constants.add(weight.astype(nn.numpy_dtype(dtype))))
    rank = len(value.type.shape)
    letters = _LETTERS[: rank + 1]
    pair = letters[axis : axis + 2]
    out = letters[: axis + 1] + letters[axis + 2 :]
    return nn.build.contract(taps, weights, spec=f"{letters},{pair}->{out}", dtype=dtype)


def _outside(
    value: Value, source: tuple[int, ...], shape: tuple[int, ...], attrs: Mapping[str, Any], constants: Constants
) -> Value:
    """tf_crop_and_resize: positions outside of x have the value ``extrapolation``."""
    if attrs["coordinate"] != "tf_crop_and_resize":
        return value
    for axis in range(len(shape)):
        where = coordinates(source[axis], shape[axis], axis, attrs)
        if where is None:
            continue
        inside = (where >= 0) & (where <= source[axis] - 1)
        if not inside.all():
            mask = nn.build.broadcast(constants.value(constants.add(inside)), dims=(axis,), shape=shape)
            value = nn.build.select(mask, value, nn.build.full_like(value, attrs["extrapolation"]))
    return value


def coordinates(have: int, size: int, axis: int, attrs: Mapping[str, Any]) -> Any:
    """Positions in x of the result's elements along an axis, in f64; None where the axis stays as it is."""
    scale, kind = attrs["scales"][axis], attrs["coordinate"]
    roi = attrs["roi"]
    whole = kind != "tf_crop_and_resize" or (roi[axis] == 0.0 and roi[len(roi) // 2 + axis] == 1.0)
    if have == size and scale == 1.0 and whole:
        return None
    i = np.arange(size, dtype=np.float64)
    match kind:
        case "half_pixel":
            return (i + 0.5) / scale - 0.5
        case "half_pixel_symmetric":
            # The result's centre meets x's, also where the scaled size was rounded (ONNX Resize, opset 19).
            adjustment = size / (scale * have)
            offset = have / 2 * (1 - adjustment)
            return offset + (i + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (i + 0.5) / scale - 0.5 if size > 1 else np.zeros(size)
        case "align_corners":
            return i * (have - 1) / (size - 1) if size > 1 else np.zeros(size)
        case "asymmetric":
            return i / scale
        case "tf_half_pixel_for_nn":
            return (i + 0.5) / scale
        case _:
            start, end = roi[axis], roi[len(roi) // 2 + axis]
            if size > 1:
                return start * (have - 1) + i * (end - start) * (have - 1) / (size - 1)
            return np.full(size, 0.5 * (start + end) * (have - 1))


def resize_taps(have: int, size: int, axis: int, attrs: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """(index, weight) of the elements of x that make each result element along an axis, as [size, taps] arrays.

    weight is None for nearest. None where the axis stays as it is.
    """
    where = coordinates(have, size, axis, attrs)
    if where is None:
        return None
    if attrs["mode"] == "nearest":
        return np.clip(_nearest(where, attrs["nearest"]), 0, have - 1)[:, None].astype(np.int64), None
    scale = attrs["scales"][axis]
    stretch = min(scale, 1.0) if attrs["antialias"] else 1.0
    reach = (1 if attrs["mode"] == "linear" else 2) / stretch
    floor = np.floor(where)
    offsets = np.arange(-pymath.ceil(reach) + 1, pymath.ceil(reach) + 1)
    index = floor[:, None] + offsets[None, :]
    distance = np.abs(where[:, None] - index) * stretch
    weight = _linear(distance) if attrs["mode"] == "linear" else _cubic(distance, attrs["cubic_a"])
    if attrs["exclude_outside"]:
        weight = np.where((index < 0) | (index > have - 1), 0.0, weight)
    if attrs["exclude_outside"] or attrs["antialias"]:
        weight = weight / weight.sum(axis=1, keepdims=True)
    return np.clip(index, 0, have - 1).astype(np.int64), weight


def _nearest(where: Any, mode: str) -> Any:
    match mode:
        case "round_prefer_floor":
            return np.ceil(where - 0.5)
        case "round_prefer_ceil":
            return np.floor(where + 0.5)
        case "floor":
            return np.floor(where)
        case _:
            return np.ceil(where)


def _linear(distance: Any) -> Any:
    return np.maximum(0.0, 1.0 - distance)


def _cubic(d: Any, a: float) -> Any:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
