"""Register allocation: SSA values of a `target` kernel to the program's registers r32..r63, by liveness.

Control flow is structured, so a live range is one interval of instruction numbers: a value used inside a loop that it
was defined outside of lives to the end of that loop, because the next round reads it again.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel import isa

FIRST_FREE = 32


@dataclass
class _Range:
    value: Any
    start: int
    end: int
    loops: tuple[int, ...]


@dataclass
class _Scan:
    """One walk over the function in program order."""

    ranges: dict[Any, _Range] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    uses: list[tuple[Any, int, tuple[int, ...]]] = field(default_factory=list)
    clock: int = 0

    def block(self, block: Any, loops: tuple[int, ...]) -> None:
        for op in block.operations:
            operation = op.operation
            self.clock += 1
            now = self.clock
            for operand in operation.operands:
                self.uses.append((operand, now, loops))
            for result in operation.results:
                self.ranges[result] = _Range(result, now, now, loops)
            if operation.name == "sim_accel.loop":
                body = operation.regions[0].blocks[0]
                self.ranges[body.arguments[0]] = _Range(body.arguments[0], now, now, (*loops, now))
                self.block(body, (*loops, now))
                self.clock += 1
                self.ends[now] = self.clock
                self.ranges[body.arguments[0]].end = self.clock


def allocate(function: Any) -> dict[Any, int]:
    """The register of each SSA value; arguments are r0, r1, ...

    Raises UnsupportedError where more than 32 arguments or 32 values live at once are needed.
    """
    block = function.regions[0].blocks[0]
    if len(block.arguments) > FIRST_FREE:
        raise UnsupportedError(
            f"the kernel has {len(block.arguments)} buffers; sim_accel passes at most {FIRST_FREE}",
            notes=("split the operation (a concatenation, say) into several",),
        )
    registers: dict[Any, int] = {argument: i for i, argument in enumerate(block.arguments)}
    scan = _Scan()
    scan.block(block, ())
    for value, now, loops in scan.uses:
        live = scan.ranges.get(value)
        if live is not None:
            inner = loops[len(live.loops) :]
            live.end = max(live.end, scan.ends[inner[0]] if inner else now)
    free = list(range(FIRST_FREE, isa.REGISTERS))
    active: list[tuple[int, int]] = []
    for live in sorted(scan.ranges.values(), key=lambda r: r.start):
        while active and active[0][0] < live.start:
            heapq.heappush(free, heapq.heappop(active)[1])
        if not free:
            raise UnsupportedError(
                f"the kernel needs more than {isa.REGISTERS - FIRST_FREE} scalar registers at once",
                notes=("fewer loops or operands in one kernel would fit",),
            )
        registers[live.value] = heapq.heappop(free)
        heapq.heappush(active, (live.end, registers[live.value]))
    return registers
