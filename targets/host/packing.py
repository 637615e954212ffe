"""Store functions that lay constants out for the host's tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.core.store import store_function

Array = np.ndarray[Any, Any]


@store_function("host-pack-panels")
def pack_panels(array: Array, *, shape: list[int], perm: list[int], dim: int, tile: int) -> Array:
    """The array (seen as ``shape``) in zero-padded panels of ``tile`` along ``dim``: what `linalg.unpack` undoes."""
    array = array.reshape(shape)
    padding = [(0, -array.shape[d] % tile if d == dim else 0) for d in range(array.ndim)]
    padded = np.pad(array, padding) if any(after for _, after in padding) else array
    split = padded.reshape(*padded.shape[:dim], padded.shape[dim] // tile, tile, *padded.shape[dim + 1 :])
    order = [d if d <= dim else d + 1 for d in perm]
    return np.ascontiguousarray(split.transpose(*order, dim + 1))


# G of F(4x4, 3x3): A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
_WINOGRAD_FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)


@store_function("host-winograd-filters")
def winograd_filters(array: Array, *, shape: list[int]) -> Array:
    """Filters [3, 3, C, F] (the array seen as ``shape``) as Winograd F(4, 3) multiplies with them: [6, 6, C, F] f32."""
    filters = array.reshape(shape).astype(np.float32)
    both = np.kron(_WINOGRAD_FILTER, _WINOGRAD_FILTER).astype(np.float32)  # both directions at once
    return np.ascontiguousarray((both @ filters.reshape(9, -1)).reshape(6, 6, *shape[2:]))
