"""Register tiles per instruction set: what fits the vector registers, measured on each kind of CPU."""

from __future__ import annotations

from dataclasses import dataclass

from accelc.targets.host.cpu import Cpu


@dataclass(frozen=True)
class RegisterTile:
    """An accumulator of ``rows`` by ``columns`` elements; columns are whole vectors, a power of two."""

    rows: int
    columns: int


# Bytes after which addresses come to lie in the same set of a first-level cache again, and the lines that a set of the
# smallest one holds.
_SET_STRIDE, _SET_LINES = 4096, 8


def register_tile(rows: int, columns: int, element_bytes: int, cpu: Cpu, row_bytes: int = 0) -> RegisterTile:
    """The tile for a contraction with this many rows (of its inner row dimension) and columns.

    row_bytes: how far apart the rows of the first operand are. Where that makes all of them fall into one set of the
    cache, more rows than it has lines evict each other (measured: a quarter slower).
    Two vectors wide keeps broadcasts and multiplications in balance. With few rows it is wider, since then independent
    sums must hide the latency of an addition; with few columns it is one vector.
    """
    lanes = cpu.vector_bytes // element_bytes
    registers = cpu.vector_registers
    if rows == 1:
        vectors = 8 if registers >= 32 else 4
    elif rows <= 4:
        vectors = 4 if registers >= 32 else 2
    else:
        vectors = 2
    while vectors > 1 and lanes * (vectors // 2) >= columns:
        vectors //= 2
    most = (registers - vectors - 1) // vectors
    most = min(most, 14 if registers >= 32 else 6)
    if row_bytes and row_bytes % _SET_STRIDE == 0:
        most = min(most, _SET_LINES)
    return RegisterTile(_rows(rows, most), lanes * vectors)


def _rows(rows: int, most: int) -> int:
    """As many rows as fit, without a remainder if possible, else with blocks of even size."""
    if rows <= most:
        return rows
    for count in range(most, most // 2, -1):
        if rows % count == 0:
            return count
    blocks = -(-rows // most)
    return -(-rows // blocks)
