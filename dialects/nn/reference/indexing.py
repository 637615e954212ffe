"""Gathers, scatters, cumulative sums, top-k and arg-reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.dialects.nn.reference.numerics import precise, store, working
from accelc.dialects.nn.reference.registry import Array, reference

_COMBINE: dict[str, Any] = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


def _in_range(idx: Array, size: int) -> Array:
    if idx.size and not (int(idx.min()) >= 0 and int(idx.max()) < size):
        raise UsageError(f"index {int(idx.min())} to {int(idx.max())} is outside of [0, {size})")
    return idx


@reference("gather")
def gather(x: Array, idx: Array, *, axis: int) -> Array:
    """`nn.gather`."""
    return np.take(x, _in_range(idx, x.shape[axis]), axis=axis)


def _element_index(x: Array, idx: Array, axis: int) -> tuple[Array, ...]:
    grid: list[Array] = list(np.indices(idx.shape, sparse=True))
    grid[axis] = _in_range(idx, x.shape[axis])
    return tuple(grid)


@reference("gather_elements")
def gather_elements(x: Array, idx: Array, *, axis: int) -> Array:
    """`nn.gather_elements`."""
    return x[_element_index(x, idx, axis)]


def _tuple_index(x: Array, idx: Array, batch_dims: int) -> tuple[Array, ...]:
    lead = idx.shape[:-1]
    batch = [
        np.arange(n).reshape([n if i == d else 1 for d in range(len(lead))]) for i, n in enumerate(lead[:batch_dims])
    ]
    rest = [_in_range(idx[..., i], x.shape[batch_dims + i]) for i in range(idx.shape[-1])]
    return (*batch, *rest)


@reference("gather_nd")
def gather_nd(x: Array, idx: Array, *, batch_dims: int) -> Array:
    """`nn.gather_nd`."""
    return x[_tuple_index(x, idx, batch_dims)]


def _scatter(x: Array, index: tuple[Array, ...], upd: Array, reduction: str) -> Array:
    if reduction == "none":
        result = x.copy()
        result[index] = upd
        return result
    wide = np.array(working(x))
    _COMBINE[reduction].at(wide, index, working(upd))
    return store(wide, x.dtype)


@reference("scatter_elements")
def scatter_elements(x: Array, idx: Array, upd: Array, *, axis: int, reduction: str) -> Array:
    """`nn.scatter_elements`."""
    return _scatter(x, _element_index(x, idx, axis), upd, reduction)


@reference("scatter_nd")
def scatter_nd(x: Array, idx: Array, upd: Array, *, reduction: str) -> Array:
    """`nn.scatter_nd`."""
    return _scatter(x, _tuple_index(x, idx, 0), upd, reduction)


@reference("cumsum")
def cumsum(x: Array, *, axis: int, exclusive: bool, reverse: bool) -> Array:
    """`nn.cumsum`."""
    value = np.flip(precise(x), axis) if reverse else precise(x)
    total = np.cumsum(value, axis=axis, dtype=value.dtype)
    if exclusive:
        total = np.roll(total, 1, axis=axis)
        total[(slice(None),) * axis + (slice(0, 1),)] = 0
    return store(np.flip(total, axis) if reverse else total, x.dtype)


@reference("topk")
def topk(x: Array, *, k: int, axis: int, largest: bool) -> list[Array]:
    """`nn.topk`."""
    value = working(x)
    n = x.shape[axis]
    if largest:
        # A stable ascending order of the reversed row, reversed: descending, equal elements in their order.
        order = n - 1 - np.flip(np.argsort(np.flip(value, axis), axis=axis, kind="stable"), axis)
    else:
        order = np.argsort(value, axis=axis, kind="stable")
    chosen = np.take(order, np.arange(k), axis=axis).astype(np.int64)
    return [np.take_along_axis(x, chosen, axis=axis), chosen]


@reference("argreduce")
def argreduce(x: Array, *, axis: int, kind: str, last: bool) -> Array:
    """`nn.argreduce`."""
    value = working(x)
    find = np.argmax if kind == "max" else np.argmin
    if not last:
        return np.asarray(find(value, axis=axis), np.int64)
    return np.asarray(x.shape[axis] - 1 - find(np.flip(value, axis), axis=axis), np.int64)
