"""How the reference interpreter executes tile transfers, so that the `tiled` stage runs on numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.dialects.interpreter import Array, Call, evaluator
from accelc.mlir import ir


def _places(op: Any, tile: Array, positions: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[list[Array], Array]:
    """For every element of the tile its coordinates in DRAM (clipped), and whether they lie inside."""
    dims = list(ir.DenseI64ArrayAttr(op.attributes["dims"]))
    steps = list(ir.DenseI64ArrayAttr(op.attributes["steps"]))
    places: list[Array] = []
    inside: Array = np.ones(tile.shape, np.bool_)
    for d, size in enumerate(shape):
        at: Array = np.full((1,) * tile.ndim, int(positions[d]), np.int64)
        for j, (dim, step) in enumerate(zip(dims, steps, strict=True)):
            if dim == d:
                along = np.arange(tile.shape[j], dtype=np.int64) * step
                at = at + along.reshape([-1 if k == j else 1 for k in range(tile.ndim)])
        inside = inside & (at >= 0) & (at < size)
        places.append(np.clip(at, 0, max(size - 1, 0)))
    return places, inside


def _fill(op: Any, dtype: Any) -> Any:
    attribute = op.attributes["fill"]
    number = ir.FloatAttr(attribute).value if isinstance(attribute, ir.FloatAttr) else ir.IntegerAttr(attribute).value
    return np.asarray(number).astype(dtype)


@evaluator("sim_accel.tile_load")
def make_load(op: Any, code: Any) -> Call:
    """DRAM to tile, with fill outside."""

    def call(source: Array, tile: Array, *positions: Any) -> None:
        places, inside = _places(op, tile, positions, source.shape)
        values = source[tuple(places)].astype(tile.dtype) if source.size else np.zeros(tile.shape, tile.dtype)
        tile[...] = np.where(inside, values, _fill(op, tile.dtype))

    return call


@evaluator("sim_accel.tile_store")
def make_store(op: Any, code: Any) -> Call:
    """Tile to DRAM; what lies outside is dropped."""

    def call(tile: Array, target: Array, *positions: Any) -> None:
        if target.ndim == 0:
            target[...] = tile.reshape(()).astype(target.dtype)
            return
        places, inside = _places(op, tile, positions, target.shape)
        everywhere = np.broadcast_arrays(*places, inside)[:-1]
        target[tuple(p[inside] for p in everywhere)] = tile[inside].astype(target.dtype)

    return call


@evaluator("sim_accel.tile_gather")
def make_gather(op: Any, code: Any) -> Call:
    """Rows of DRAM to the tile's first dimension; an index outside fills."""

    def call(source: Array, index: Array, tile: Array, *positions: Any) -> None:
        places, inside = _places(op, tile, positions, source.shape)
        first = int(positions[0]) + index.reshape([-1] + [1] * (tile.ndim - 1)).astype(np.int64)
        places[0] = np.clip(first, 0, source.shape[0] - 1)
        inside = inside & (first >= 0) & (first < source.shape[0])
        tile[...] = np.where(inside, source[tuple(places)].astype(tile.dtype), _fill(op, tile.dtype))

    return call


@evaluator("sim_accel.fence", "sim_accel.nop")
def make_nothing(op: Any, code: Any) -> Call:
    """Order between queues means nothing here."""
    return lambda *operands: None
