"""What a launch executed and moved: by instruction, opcode, line, and in all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.table import Table

Key = TypeVar("Key", bound=Hashable)

_COLUMNS = (
    "line",
    "file",
    "file_line",
    "opcode",
    "warps",
    "lanes",
    "space",
    "requests",
    "bytes",
    "sectors",
    "wavefronts",
    "ideal",
    "flops",
)
_SPACES = ("", "reg", "param", "local", "shared", "global", "const", "generic")


@dataclass(frozen=True)
class Count:
    """What some instructions did together.

    Attributes:
        warp_instructions: instructions issued, one for each warp (or part of one) that came to it.
        thread_instructions: the same by active lanes whose guard let them.
        requests: memory requests of warps.
        bytes: bytes that lanes asked for.
        sectors: 32-byte sectors touched, summed over requests (global, local and constant memory).
        wavefronts: passes over the 32 banks that shared memory requests took.
        ideal_wavefronts: the passes they would have taken without bank conflicts.
        flops: floating-point and integer operations of matrix instructions, a multiply-add as two.
    """

    warp_instructions: int = 0
    thread_instructions: int = 0
    requests: int = 0
    bytes: int = 0
    sectors: int = 0
    wavefronts: int = 0
    ideal_wavefronts: int = 0
    flops: int = 0

    @property
    def active_lanes(self) -> float:
        """Mean lanes at work of an issued instruction, 0 to 32."""
        return self.thread_instructions / self.warp_instructions if self.warp_instructions else 0.0

    @property
    def bank_conflicts(self) -> int:
        """Passes over the shared memory's banks beyond the ideal."""
        return self.wavefronts - self.ideal_wavefronts

    @property
    def sectors_per_request(self) -> float:
        """32-byte sectors of a request: 4 for 32 consecutive 4-byte words, 32 for scattered ones."""
        return self.sectors / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Counters:
    """Counters of one launch.

    Attributes:
        rows: uint64 [instructions, 13], by place in the program; columns are `columns`.
        barriers: phases of CTA and cluster barriers that completed.
        opcodes: names that the column opcode indexes ("ld.global.f32").
        files: source files that the column file indexes.
    """

    rows: NDArray[np.uint64]
    barriers: int = 0
    opcodes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    columns = _COLUMNS

    @staticmethod
    def empty() -> Counters:
        """Of a launch that ran nothing."""
        return Counters(np.zeros((0, len(_COLUMNS)), np.uint64))

    def column(self, name: str) -> NDArray[np.uint64]:
        """One column of `rows`, by name."""
        return self.rows[:, _COLUMNS.index(name)]

    def _sum(self, chosen: NDArray[np.bool_] | slice) -> Count:
        sums = self.rows[chosen].sum(axis=0, dtype=np.uint64)
        at = {name: int(sums[k]) for k, name in enumerate(_COLUMNS)}
        return Count(
            at["warps"],
            at["lanes"],
            at["requests"],
            at["bytes"],
            at["sectors"],
            at["wavefronts"],
            at["ideal"],
            at["flops"],
        )

    @property
    def total(self) -> Count:
        """Of the whole launch."""
        return self._sum(slice(None))

    def _group(self, keys: Iterable[Key]) -> dict[Key, Count]:
        places: dict[Key, list[int]] = {}
        warps = self.column("warps")
        for k, key in enumerate(keys):
            if warps[k]:
                places.setdefault(key, []).append(k)
        result = {}
        for key, at in places.items():
            mask = np.zeros(len(self.rows), bool)
            mask[at] = True
            result[key] = self._sum(mask)
        return result

    def by_opcode(self) -> dict[str, Count]:
        """By full instruction name ("fma.rn.f32"), those executed only, in the order of the program."""
        return self._group(self.opcodes[int(o)] for o in self.column("opcode"))

    def by_line(self) -> dict[int, Count]:
        """By line of the PTX text, 1-based."""
        return self._group(int(n) for n in self.column("line"))

    def by_source(self) -> dict[str, Count]:
        """By "file:line" of the source that .loc names; "" for instructions without."""
        names = (
            f"{self.files[int(f)]}:{int(n)}" if n and int(f) < len(self.files) else ""
            for f, n in zip(self.column("file"), self.column("file_line"), strict=True)
        )
        return self._group(names)

    def by_space(self) -> dict[str, Count]:
        """Memory instructions by the space they name: global, shared, local, const, param, generic."""
        requests = self.column("requests")
        keys = (_SPACES[int(s)] if r else "" for s, r in zip(self.column("space"), requests, strict=True))
        return {k: v for k, v in self._group(keys).items() if k}

    def table(self, title: str = "", limit: int = 40) -> Table:
        """A table by opcode, the most executed first, with a last row of all."""
        from rich.table import Table  # who only runs models need not have it

        table = Table(title=title or None)
        table.add_column("opcode", overflow="fold")
        names = ("warp instr", "thread instr", "lanes", "bytes", "sectors/req", "bank conflicts", "matrix flop")
        for name in names:
            table.add_column(name, justify="right")
        ranked = sorted(self.by_opcode().items(), key=lambda item: (-item[1].thread_instructions, item[0]))
        for name, count in ranked[:limit]:
            table.add_row(name, *_cells(count))
        if len(ranked) > limit:
            table.add_row(f"... {len(ranked) - limit} more", *[""] * len(names))
        table.add_section()
        table.add_row("all", *_cells(self.total))
        return table


def _cells(c: Count) -> list[str]:
    return [
        f"{c.warp_instructions:,}",
        f"{c.thread_instructions:,}",
        f"{c.active_lanes:.1f}",
        f"{c.bytes:,}" if c.bytes else "",
        f"{c.sectors_per_request:.1f}" if c.sectors else "",
        f"{c.bank_conflicts:,}" if c.wavefronts else "",
        f"{c.flops:,}" if c.flops else "",
    ]
