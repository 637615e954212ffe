"""Store functions that lay constants out for the host's tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.core.store import store_function

Array = np.ndarray[Any, Any]


@store_function("host-pack-panels")
def pack_panels(array: Array, *, shape: list[int], perm: list[int], dim: int, tile: int) -> Array:
    """The array (seen as ``shape``) in panels of ``tile`` along ``dim``, padded with zeros: what `linalg.unpack` undoes."""
    array = array.reshape(shape)
    padding = [(0, -array.shape[d] % tile if d == dim else 0) for d in range(array.ndim)]
    padded = np.pad(array, padding) if any(after for _, after in padding) else array
    split = padded.reshape(*padded.shape[:dim], padded.shape[dim] // tile, tile, *padded.shape[dim + 1 :])
    order = [d if d <= dim else d + 1 for d in perm]
    return np.ascontiguousarray(split.transpose(*order, dim + 1))
