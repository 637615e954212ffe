"""Buffers in the scratchpad, and strided accesses to them: the vocabulary of instruction selection."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel.isa import DTYPE_BYTES, Imm

#: MLIR element type -> ISA type. Integers are signless here; an unsigned reading is the operation's business.
ELEMENT_TYPES = {
    "f32": "f32", "bf16": "bf16", "f16": "f16", "f8E4M3FN": "e4m3", "f8E5M2": "e5m2",
    "i8": "i8", "i32": "i32", "i64": "i64", "index": "i64", "i1": "bool",
}  # fmt: skip


def isa_type(element_type: Any) -> str:
    """The ISA's name of an MLIR element type. Raises UnsupportedError where it has none."""
    name = ELEMENT_TYPES.get(str(element_type))
    if name is None:
        raise UnsupportedError(f"sim_accel has no element type {element_type}")
    return name


@dataclass(eq=False)
class Buffer:
    """A piece of scratchpad.

    nbytes: size of one copy. address: where (relative to its frame's slot for a buffer with several copies).
    frame: the loop body whose rounds alternate between copies of it; None for a single copy.
    """

    name: str
    nbytes: int
    frame: Any = None
    address: int = -1


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Element strides of a contiguous tile."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


@dataclass(frozen=True, eq=False)
class View:
    """A strided tile: element ``i`` lies at ``offset + sum(i * strides)`` elements of ``dtype`` in ``buffer``."""

    buffer: Buffer
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return DTYPE_BYTES[self.dtype]

    def access(self, affines: Sequence[Any], rank: int) -> Access:
        """The access of an iteration space of ``rank`` dimensions through a map (an `Affine` per dimension)."""
        strides = [0] * rank
        offset = self.offset
        for affine, stride in zip(affines, self.strides, strict=True):
            offset += affine.const * stride
            for d, c in enumerate(affine.coeffs):
                strides[d] += c * stride
        return Access(self.buffer, self.dtype, offset, tuple(strides))


@dataclass(frozen=True, eq=False)
class Access:
    """What an instruction reads or writes: strides (elements) per dimension of its iteration space.

    moving: further (loop register, stride in elements) terms, for code inside loops.
    """

    buffer: Buffer
    dtype: str
    offset: int
    strides: tuple[int, ...]
    moving: tuple[tuple[Any, int], ...] = ()

    def fixed(self, dim: int, index: int) -> Access:
        """This access with dimension ``dim`` at ``index``."""
        strides = list(self.strides)
        offset = self.offset + index * strides[dim]
        strides[dim] = 0
        return replace(self, offset=offset, strides=tuple(strides))

    def same_as(self, other: Access) -> bool:
        """Whether both name the very same elements in the same order."""
        return (
            self.buffer is other.buffer
            and self.dtype == other.dtype
            and self.offset == other.offset
            and self.strides == other.strides
            and self.moving == other.moving
        )


def f32_bits(value: float) -> Imm:
    """An f32 immediate (rounded to nearest; overflow gives infinity)."""
    try:
        return Imm(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        return Imm(0x7F800000 if value > 0 else 0xFF800000)


def int_bits(value: int) -> Imm:
    """A signed 32-bit immediate."""
    return Imm(value & 0xFFFFFFFF)


@dataclass(eq=False)
class VectorOp:
    """One vector instruction over the iteration space ``shape``.

    sources: accesses, immediates, or scalars. fields: what else the instruction has (``dims``, ``acc``, ``dim``, ...).
    """

    mnemonic: str
    ctype: str
    dst: Access
    sources: list[Any]
    shape: tuple[int, ...]
    fields: dict[str, Any] = field(default_factory=dict)

    def accesses(self) -> list[Access]:
        """All accesses, the destination first."""
        return [self.dst, *(s for s in self.sources if isinstance(s, Access))]
