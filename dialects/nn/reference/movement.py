"""Constants, shapes and movement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.dialects.nn.reference.numerics import store
from accelc.dialects.nn.reference.registry import Array, reference
from accelc.dialects.nn.types import Shape, numpy_dtype, shapes_agree


@reference("constant")
def constant(*, value: Array) -> Array:
    """`nn.constant`."""
    return value


@reference("iota")
def iota(*sizes: Array, axis: int, shape: Shape, dtype: str) -> Array:
    """`nn.iota`."""
    sized = resolve_shape(shape, *sizes)
    count = store(np.arange(sized[axis], dtype=np.int64), numpy_dtype(dtype))
    return np.broadcast_to(count.reshape([-1 if i == axis else 1 for i in range(len(sized))]), sized)


def resolve_shape(shape: Shape, *sizes: Array) -> tuple[int, ...]:
    """A result shape with its unknown sizes filled in from ``sizes``. Raises UsageError where they disagree."""
    if not sizes:
        return tuple(int(s) for s in shape if s is not None)
    given = tuple(int(s) for s in sizes[0])
    if not shapes_agree(shape, given):
        raise UsageError(f"the sizes {list(given)} do not fit the declared shape {list(shape)}")
    return given


@reference("reshape")
def reshape(x: Array, *, shape: Shape) -> Array:
    """`nn.reshape`."""
    known = int(np.prod([s for s in shape if s is not None], dtype=np.int64))
    if None in shape:
        fits = known != 0 and x.size % known == 0
    else:
        fits = known == x.size
    if not fits:
        raise UsageError(f"cannot reshape {x.size} elements, {list(x.shape)}, to {list(shape)}")
    return x.reshape([-1 if s is None else s for s in shape])


@reference("dynamic_reshape")
def dynamic_reshape(x: Array, sizes: Array, *, shape: Shape) -> Array:
    """`nn.dynamic_reshape`."""
    given = [int(s) for s in sizes]
    result: Array = reshape(x, shape=tuple(None if s == -1 else s for s in given))
    if not shapes_agree(result.shape, shape):
        raise UsageError(f"the sizes {list(result.shape)} do not fit the declared shape {list(shape)}")
    return result


@reference("transpose")
def transpose(x: Array, *, perm: Sequence[int]) -> Array:
    """`nn.transpose`."""
    return np.transpose(x, perm)


@reference("broadcast")
def broadcast(x: Array, *sizes: Array, dims: Sequence[int], shape: Shape) -> Array:
    """`nn.broadcast`."""
    placed = [1] * len(shape)
    for size, d in zip(x.shape, dims, strict=True):
        placed[d] = size
    given = sizes[0] if sizes else [p if s is None else s for s, p in zip(shape, placed, strict=True)]
    target = resolve_shape(shape, np.asarray(given, np.int64))
    if any(p not in (1, t) for p, t in zip(placed, target, strict=True)):
        raise UsageError(f"cannot broadcast {list(x.shape)} to {list(target)}")
    return np.broadcast_to(x.reshape(placed), target)


@reference("concat")
def concat(*xs: Array, axis: int) -> Array:
    """`nn.concat`."""
    return np.concatenate(xs, axis=axis)


@reference("slice")
def slice_(x: Array, *, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Array:
    """`nn.slice`."""
    index = []
    for have, start, declared, stride in zip(x.shape, starts, sizes, strides, strict=True):
        rest = start // -stride + 1 if stride < 0 else max(0, -(-(have - start) // stride))
        size = rest if declared == -1 else declared
        end = start + size * stride
        index.append(slice(0, 0) if size == 0 else slice(start, None if end < 0 else end, stride))
    return x[tuple(index)]


def _crop(x: Array, low: Sequence[int], high: Sequence[int]) -> Array:
    index = [slice(max(0, -a), max(0, n - max(0, -b))) for n, a, b in zip(x.shape, low, high, strict=True)]
    return x[tuple(index)]


@reference("pad")
def pad(x: Array, value: Array, *, low: Sequence[int], high: Sequence[int]) -> Array:
    """`nn.pad`."""
    result = np.full([n + a + b for n, a, b in zip(x.shape, low, high, strict=True)], value, x.dtype)
    cropped = _crop(x, low, high)
    # What a crop on one side leaves may still be less than a pad on the other side takes away.
    index = tuple([slice(max(0, a), max(0, a) + n) for n, a in zip(cropped.shape, low, strict=True)])
    result[index] = cropped
    return result


@reference("pad_mode")
def pad_mode(x: Array, *, low: Sequence[int], high: Sequence[int], mode: str) -> Array:
    """`nn.pad_mode`."""
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        if a > 0 or b > 0:
            x = x.take(_pad_indices(x.shape[axis], max(a, 0), max(b, 0), mode), axis=axis)
    return _crop(x, low, high)


def _pad_indices(n: int, low: int, high: int, mode: str) -> Array:
    position = np.arange(-low, n + high)
    if mode == "edge":
        return np.clip(position, 0, n - 1)
    if mode == "wrap":
        return position % n
    period = max(2 * (n - 1), 1)
    folded = position % period
    return np.minimum(folded, period - folded) if n > 1 else np.zeros_like(position)


@reference("shape_of")
def shape_of(x: Array) -> Array:
    """`nn.shape_of`."""
    return np.asarray(x.shape, np.int64)


@reference("dim")
def dim(x: Array, *, axis: int) -> Array:
    """`nn.dim`."""
    return np.asarray(x.shape[axis], np.int64)


@reference("assume_dim")
def assume_dim(x: Array, *, shape: Shape) -> Array:
    """`nn.assume_dim`."""
    if not shapes_agree(x.shape, shape):
        raise UsageError(f"a tensor of shape {list(x.shape)} was promised to be {list(shape)}")
    return x
