"""A tiled kernel as instruction selection sees it: a tree of loops over transfers, matrix and vector work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from accelc.targets.sim_accel.codegen.matrix import MatrixPlan
from accelc.targets.sim_accel.codegen.tiles import Access, Buffer, VectorOp, View


@dataclass(eq=False)
class Work:
    """Something that one queue does. ``reads`` and ``writes`` are the scratchpad buffers concerned."""

    queue: str = ""

    def reads(self) -> list[Buffer]:
        """Buffers read."""
        raise NotImplementedError

    def writes(self) -> list[Buffer]:
        """Buffers written."""
        raise NotImplementedError


@dataclass(eq=False)
class Dram:
    """A memref in DRAM: the SSA value that has its address, a byte offset to that, shape and ISA type."""

    base: Any
    offset: int
    shape: tuple[int, ...]
    dtype: str
    output: bool = False


@dataclass(eq=False)
class Transfer(Work):
    """A tile transfer: see `dialect.transfers`. ``kind`` is load, store or gather; positions are SSA indices."""

    kind: str = "load"
    dram: Dram = None  # type: ignore[assignment]
    tile: View = None  # type: ignore[assignment]
    positions: tuple[Any, ...] = ()
    dims: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    fill: int = 0
    index: View | None = None

    def reads(self) -> list[Buffer]:
        """The tile of a store, the indices of a gather."""
        if self.kind == "store":
            return [self.tile.buffer]
        return [self.index.buffer] if self.index is not None else []

    def writes(self) -> list[Buffer]:
        """The tile of a load or gather."""
        return [] if self.kind == "store" else [self.tile.buffer]


@dataclass(eq=False)
class Matrix(Work):
    """A contraction of tiles. ``accumulate``: adds to what the accumulator holds."""

    plan: MatrixPlan = None  # type: ignore[assignment]
    act: Access = None  # type: ignore[assignment]
    weight: Access = None  # type: ignore[assignment]
    acc: Access = None  # type: ignore[assignment]
    accumulate: bool = False
    queue: str = "mxu"

    def reads(self) -> list[Buffer]:
        """Both operands, and the accumulator where it is added to."""
        operands = [self.act.buffer, self.weight.buffer]
        return [*operands, self.acc.buffer] if self.accumulate else operands

    def writes(self) -> list[Buffer]:
        """The accumulator."""
        return [self.acc.buffer]


@dataclass(eq=False)
class Vector(Work):
    """Vector instructions of one op."""

    code: list[VectorOp] = field(default_factory=list)
    scratch: Buffer | None = None
    queue: str = "vec"

    def reads(self) -> list[Buffer]:
        """Buffers of all sources (and of accumulating destinations), each once."""
        found = [s.buffer for op in self.code for s in op.sources if isinstance(s, Access)]
        found += [op.dst.buffer for op in self.code if op.fields.get("acc")]
        return list(dict.fromkeys(found))

    def writes(self) -> list[Buffer]:
        """Buffers of all destinations, each once."""
        extra = [op.fields["b"].buffer for op in self.code if "b" in op.fields]
        return list(dict.fromkeys([*(op.dst.buffer for op in self.code), *extra]))


@dataclass(eq=False)
class Signal(Work):
    """``signal queue, sem, count``."""

    sem: int = -1
    count: int = 1

    def reads(self) -> list[Buffer]:
        """None."""
        return []

    def writes(self) -> list[Buffer]:
        """None."""
        return []


@dataclass(eq=False)
class Wait(Signal):
    """``wait queue, sem, count``."""


@dataclass(eq=False)
class Fence(Signal):
    """All queues run empty."""


@dataclass(eq=False)
class Body:
    """A sequence of nodes (`Work` or `Loop`), and the buffers that live for one round of it.

    slots: how many copies its buffers have; frame_bytes: the distance between copies; frame_address: of the first.
    """

    nodes: list[Any] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    parent: Loop | None = None
    slots: int = 1
    frame_bytes: int = 0
    frame_address: int = 0

    def walk(self) -> Iterator[Work]:
        """All work inside, in program order."""
        for node in self.nodes:
            if isinstance(node, Loop):
                yield from node.body.walk()
            else:
                yield node

    def bodies(self) -> Iterator[Body]:
        """This body and those of the loops inside."""
        yield self
        for node in self.nodes:
            if isinstance(node, Loop):
                yield from node.body.bodies()


@dataclass(eq=False)
class Loop:
    """A loop over ``iv`` (an SSA index): start, start + step, ..., ``count`` rounds. ``outer``: the body it is in."""

    iv: Any
    start: int
    step: int
    count: int
    body: Body
    outer: Body
