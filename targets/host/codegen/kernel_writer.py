"""The frame of a tiled kernel: arguments, workspace, tile loop, and sweeps of vectors over an extent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from accelc.targets.host.codegen.evaluate import Evaluator, Memory
from accelc.targets.host.codegen.linear import LANE, Linear
from accelc.targets.host.codegen.reader import Kernel, NotTileable, Tensor
from accelc.targets.host.codegen.writer import Loop, Writer, vector_type
from accelc.targets.host.cpu import Cpu

_BITS = {"index": 64, "i1": 8}


def element_bytes(element: str) -> int:
    """Size in memory of an element type, in bytes. Raises NotTileable for types that are no plain numbers."""
    try:
        return (_BITS.get(element) or int(element.lstrip("bfi"))) // 8
    except ValueError:
        raise NotTileable(element) from None


@dataclass(frozen=True)
class Tiled:
    """A tiled kernel: the text of a module with ``@entry``, its tiles, and the workspace it needs."""

    text: str
    tiles: int
    workspace_bytes: int


class KernelWriter:
    """Writes one kernel. ``evaluator`` computes elements; ``writer`` takes the text."""

    def __init__(self, kernel: Kernel, cpu: Cpu) -> None:
        self.kernel = kernel
        self.cpu = cpu
        self.writer = Writer()
        self._workspace = 0
        self._views: list[str] = []
        memory: dict[Tensor, Memory] = {}
        for a in kernel.arguments:
            if element_bytes(a.element) == 0 or a.element not in _NUMBERS:
                raise NotTileable(a.element)
            memory[a] = Memory(f"%a{a.position}", math.prod(a.shape), a.element)
        self.evaluator = Evaluator(self.writer, memory)
        self.arguments = memory.copy()

    @property
    def lanes(self) -> int:
        """How many 32-bit numbers a vector register holds."""
        return self.cpu.vector_bytes // 4

    def scratch(self, size: int, element: str) -> Memory:
        """A part of the (per thread) workspace."""
        memory = Memory(f"%w{len(self._views)}", size, element)
        offset = self.writer.integer(self._workspace)
        self._views.append(
            f"{memory.name} = memref.view %workspace[{offset}][] : memref<WORKSPACExi8> to {memory.type}"
        )
        self._workspace += -(-size * element_bytes(element) // 64) * 64
        return memory

    def finish(self, tiles: int) -> Tiled:
        """The kernel's text."""
        arguments = [f"{m.name}: {m.type}" for m in self.arguments.values()]
        size = max(self._workspace, 1)
        signature = ", ".join([*arguments, f"%workspace: memref<{size}xi8>", "%begin: index", "%end: index"])
        views = [v.replace("WORKSPACE", str(size)) for v in self._views]
        text = f"func.func @entry({signature}) {{\n{self.writer.text(views)}\nreturn\n}}"
        return Tiled(text, tiles, self._workspace)

    @contextmanager
    def loop(
        self, low: str | int, high: str | int, step: int = 1, carried: Sequence[tuple[str, str]] = ()
    ) -> Iterator[Loop]:
        """A loop in whose body the evaluator starts afresh."""
        with self.writer.loop(low, high, step, carried) as loop, self.evaluator.scope():
            if isinstance(low, int) and isinstance(high, int):
                self.evaluator.ranges[loop.variable] = (low, low + max(0, high - low - 1) // step * step)
            yield loop

    @contextmanager
    def tiles(self, extents: Sequence[int]) -> Iterator[list[Linear]]:
        """The loop over the tiles of this call; gives the tile's position in ``extents`` (last one fastest)."""
        with self.loop("%begin", "%end") as loop:
            yield self.split(loop.variable, extents)

    def split(self, number: str, extents: Sequence[int]) -> list[Linear]:
        """The row-major position that ``number`` means."""
        w = self.writer
        result: list[Linear] = []
        rest = number
        for i, extent in enumerate(reversed(extents)):
            if extent == 1:
                result.append(Linear())
                continue
            part = rest
            if math.prod(extents[: len(extents) - 1 - i]) > 1:
                size = w.integer(extent)
                part = w.op(f"arith.remui {rest}, {size} : index")
                rest = w.op(f"arith.divui {rest}, {size} : index")
            result.append(Linear.var(part))
            self.evaluator.ranges[part] = (0, extent - 1)
        return result[::-1]

    def sweep(
        self,
        extent: int,
        lanes: int,
        emit: Callable[[Linear, list[str]], list[str]],
        carried: Sequence[tuple[str, str]] = (),
        low: str | None = None,
        high: str | None = None,
    ) -> list[str]:
        """Goes over ``[0, extent)`` in vectors: ``emit(position, carried)`` is written for whole vectors and for the
        tail.

        With ``low`` and ``high`` (names of index values, multiples of ``lanes``) it goes over that part, which has no
        tail.
        """
        ev = self.evaluator
        values = [name for name, _ in carried]
        kinds = [kind for _, kind in carried]
        whole = extent // lanes * lanes
        if low is not None or whole > lanes:
            pairs = list(zip(values, kinds, strict=True))
            with ev.vectors(lanes), self.loop(low or 0, high or whole, lanes, pairs) as loop:
                loop.yields = emit(Linear.var(loop.variable) + Linear.var(LANE), loop.arguments)
            values = loop.results
        elif whole:
            with ev.vectors(lanes):
                values = emit(Linear.var(LANE), values)
        tail = extent - whole
        if tail and low is None:
            # Carried vectors keep their width; otherwise the tail takes the smallest that holds it.
            width = lanes if carried else 1 << (tail - 1).bit_length()
            mask = None if width == tail else self.mask(width, tail)
            with ev.vectors(width, mask):
                values = emit(Linear.var(LANE) + whole, values)
        return values

    def mask(self, lanes: int, on: int) -> str:
        """A mask of which the first ``on`` lanes are on."""
        bits = ", ".join(["true"] * on + ["false"] * (lanes - on))
        return self.writer.constant(f"dense<[{bits}]>", vector_type(lanes, "i1"))


_NUMBERS = frozenset({"f16", "bf16", "f32", "f64", "i1", "i8", "i16", "i32", "i64"})
