"""Reductions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelc.dialects.nn.reference.numerics import is_float, limits, precise, store, trunc_divide, working
from accelc.dialects.nn.reference.registry import Array, reference


@reference("reduce")
def reduce(x: Array, *, kind: str, axes: Sequence[int]) -> Array:
    """`nn.reduce`."""
    axis = tuple(axes)
    if kind in ("max", "min"):
        extremum = np.maximum if kind == "max" else np.minimum
        value = working(x)
        identity = np.asarray(limits(x.dtype)[0 if kind == "max" else 1]).astype(value.dtype)
        return store(extremum.reduce(value, axis=axis, initial=identity), x.dtype)
    value = precise(x)
    if kind == "prod":
        return store(np.multiply.reduce(value, axis=axis, dtype=value.dtype), x.dtype)
    total = np.asarray(np.add.reduce(value, axis=axis, dtype=value.dtype))
    if kind == "mean":
        count = int(np.prod([x.shape[a] for a in axis], dtype=np.int64))
        total = total / total.dtype.type(count) if is_float(x.dtype) else _integer_mean(total, count)
    return store(total, x.dtype)


def _integer_mean(total: Array, count: int) -> Array:
    wide = total.astype(np.uint64 if total.dtype == np.uint64 else np.int64)
    return trunc_divide(wide, np.full_like(wide, count)).astype(total.dtype)
