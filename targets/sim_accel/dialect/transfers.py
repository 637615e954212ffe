"""Tile transfers: how the `tiled` stage moves data between DRAM and the scratchpad.

They are the DMA's bounded form with memrefs in place of addresses, so that one of them becomes one ``dma.*``
instruction (in loops where it has more dimensions than the ISA, or windows that reach over an edge). Semantics, with
``src``, ``dst`` memrefs and ``p`` one index per dimension of the DRAM memref:

* ``tile_load(src, dst, p...) {dims, steps, fill}``: ``dst[i] = src[c]`` where ``c[d] = p[d]`` plus
  ``steps[j] * i[j]`` for every tile dimension j with ``dims[j] == d``; outside of ``src`` it is ``fill``.
  ``dims[j] == -1`` repeats the data along j; two dimensions with the same ``dims`` are a window's.
* ``tile_store(src, dst, p...) {dims, steps}``: the reverse; elements outside of ``dst`` are dropped.
* ``tile_gather(src, index, dst, p...) {dims, steps, fill}``: a load in which ``c[dims[0]] = index[i[0]]``.

Element types are equal, or f32 with bf16 or f16, converted on the way.
"""

from collections.abc import Sequence
from typing import Any

from accelc.mlir import ext, ir
from accelc.targets.sim_accel.dialect.instructions import SimAccel

SCRATCHPAD = "scratchpad"
_CONVERSIONS = frozenset((("f32", "bf16"), ("bf16", "f32"), ("f32", "f16"), ("f16", "f32")))


def in_scratchpad(type_: Any) -> bool:
    """Whether a memref type lies in the scratchpad."""
    space = type_.memory_space
    return space is not None and isinstance(space, ir.StringAttr) and space.value == SCRATCHPAD


def _problem(dram: Any, tile: Any, positions: int, dims: list[int], steps: list[int]) -> str | None:
    if not in_scratchpad(tile) or in_scratchpad(dram):
        return "one side must be DRAM, the other in the scratchpad"
    if positions != dram.rank:
        return f"{positions} positions for a memref of rank {dram.rank}"
    if len(dims) != tile.rank or len(steps) != tile.rank:
        return f"dims and steps must have {tile.rank} entries, one per dimension of the tile"
    if any(not -1 <= d < dram.rank for d in dims):
        return f"dims {dims} do not name dimensions of a memref of rank {dram.rank}"
    a, b = str(dram.element_type), str(tile.element_type)
    if a != b and (a, b) not in _CONVERSIONS:
        return f"the DMA does not convert between {a} and {b}"
    return None


def _check(op: Any, dram: int, tile: int, others: int) -> bool:
    operands = op.operation.operands
    try:
        dims = list(ir.DenseI64ArrayAttr(op.attributes["dims"]))
        steps = list(ir.DenseI64ArrayAttr(op.attributes["steps"]))
        text = _problem(operands[dram].type, operands[tile].type, len(operands) - others, dims, steps)
    except (KeyError, ValueError, AttributeError) as error:
        text = f"operands must be memrefs, dims and steps i64 arrays ({error})"
    if text:
        op.location.emit_error(f"{op.operation.name}: {text}")
    return text is None


class TileLoadOp(SimAccel.Operation, name="tile_load"):  # type: ignore[call-arg, name-defined]
    """DRAM to scratchpad, with fill outside of the source."""

    src: ext.Operand[Any]
    dst: ext.Operand[Any]
    positions: Sequence[ext.Operand[Any]]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks spaces, ranks and types."""
        return _check(op, 0, 1, 2)


class TileStoreOp(SimAccel.Operation, name="tile_store"):  # type: ignore[call-arg, name-defined]
    """Scratchpad to DRAM; what lies outside of the destination is dropped."""

    src: ext.Operand[Any]
    dst: ext.Operand[Any]
    positions: Sequence[ext.Operand[Any]]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks spaces, ranks and types."""
        return _check(op, 1, 0, 2)


class TileGatherOp(SimAccel.Operation, name="tile_gather"):  # type: ignore[call-arg, name-defined]
    """DRAM to scratchpad, the coordinate of ``dims[0]`` taken from an index tile."""

    src: ext.Operand[Any]
    index: ext.Operand[Any]
    dst: ext.Operand[Any]
    positions: Sequence[ext.Operand[Any]]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks spaces, ranks and types."""
        return _check(op, 0, 2, 3)
