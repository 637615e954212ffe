"""`nn.resize`: one dimension after the other, each an indexed read with computed weights."""

from __future__ import annotations

import math as pymath
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir
from accelc.passes.lowering.convert import cast
from accelc.passes.lowering.dtypes import compute_type, constant, int_range, is_float, signless
from accelc.passes.lowering.expr import Apply, Expr
from accelc.passes.lowering.kernel import Kernel, shape_and_dtype
from accelc.passes.lowering.registry import lowers

arith = dialect("arith")
math = dialect("math")
tensor = dialect("tensor")

# A table longer than this would make the kernel's text and code large; then positions are computed in the kernel.
MAX_TABLE = 4096


@lowers("resize")
def lower_resize(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Taps and weights of each output position are constants; what differs between axes is resampled in turn."""
    [operand], [result] = op.operation.operands, op.operation.results
    shape, dtype = shape_and_dtype(result)
    x = k.expr(operand)
    t = "f64" if dtype in ("f64", "si64", "ui64") else "f32"
    nearest = attrs["mode"] == "nearest"
    value = x if nearest else k.cast(x, t)
    changed = False
    for axis in range(len(shape)):
        taps = resize_taps(x.shape[axis], shape[axis], axis, attrs)
        if taps is None:
            continue
        changed = True
        value = _resample(k, value, axis, shape[axis], *taps)
    value = _outside(k, value, x.shape, shape, attrs)
    if not nearest and changed and not is_float(dtype):
        low, high = int_range(dtype)
        value = k.apply(t, lambda s: math.roundeven(s), value)
        value = k.apply(
            t, lambda s: arith.minimumf(arith.maximumf(s, constant(t, low)), constant(t, high)), value
        )
    k.define(result, k.cast(value, dtype))


def _resample(k: Kernel, value: Expr, axis: int, size: int, index: Any, weight: Any) -> Expr:
    """``sum_j weight[i, j] * value[index[i, j]]`` along ``axis``."""
    source = k.materialize(value)
    shape = (*value.shape[:axis], size, *value.shape[axis + 1 :])
    t = value.dtype
    indices = _table(index, ir.IndexType.get())
    weights = None if weight is None else _table(weight, signless(t))

    def body(at: Sequence[Any]) -> Any:
        total = None
        for j in range(index.shape[1]):
            place = [at[axis], constant("index", j)]
            element = tensor.extract(source, [*at[:axis], tensor.extract(indices, place), *at[axis + 1 :]])
            if weights is not None:
                element = arith.mulf(element, tensor.extract(weights, place))
            total = element if total is None else arith.addf(total, element)
        return total

    return Apply(shape, t, None, k.positions(shape), body=body)


def _table(array: Any, element: Any) -> Any:
    if array.size > MAX_TABLE:
        raise UnsupportedError(f"nn.resize needs a table of {array.size} positions; at most {MAX_TABLE} are supported")
    is_index = isinstance(element, ir.IndexType)
    values = np.ascontiguousarray(array, np.int64 if is_index else (np.float64 if str(element) == "f64" else np.float32))
    kind = ir.RankedTensorType.get(list(array.shape), element)
    dense = ir.DenseElementsAttr.get(values, type=element if is_index else None)
    return dialect("arith").ConstantOp(kind, dense).result


def _outside(k: Kernel, value: Expr, source: tuple[int, ...], shape: tuple[int, ...], attrs: Mapping[str, Any]) -> Expr:
    """tf_crop_and_resize: positions outside of x have the value ``extrapolation``."""
    if attrs["coordinate"] != "tf_crop_and_resize":
        return value
    for axis in range(len(shape)):
        where = coordinates(source[axis], shape[axis], axis, attrs)
        if where is None:
            continue
        outside = (where < 0) | (where > source[axis] - 1)
        if not outside.any():
            continue
        flags = _table(outside.astype(np.int64)[:, None], ir.IndexType.get())
        t = value.dtype
        value = Apply(
            shape,
            t,
            None,
            (value, k.positions(shape)[axis]),
            body=lambda s, flags=flags, t=t: arith.select(
                arith.cmpi(1, tensor.extract(flags, [s[1], constant("index", 0)]), constant("index", 0)),
                cast(constant(compute_type(t), attrs["extrapolation"]), compute_type(t), t),
                s[0],
            ),
        )
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
