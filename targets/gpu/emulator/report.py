"""What a launch tells: findings, counters, and what the kernel printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accelc.targets.gpu.emulator.counters import Counters

#: Every kind a finding can be of. docs/emulator.md says how to read each.
KINDS = (
    "race",
    "uninitialized",
    "out_of_bounds",
    "misaligned",
    "async_before_wait",
    "missing_proxy_fence",
    "mbarrier_misuse",
    "barrier_divergence",
    "deadlock",
    "trap",
    "step_limit",
)


@dataclass(frozen=True)
class Finding:
    """Something the kernel does that it must not.

    Attributes:
        kind: one of `KINDS`.
        message: what happened, with sizes, addresses and whom it concerns.
        line: the instruction's line in the PTX text, 1-based.
        source: "file:line" of what the PTX was made from, where a .loc says so; else "".
        kernel: the kernel's name.
        block: (x, y, z) of the first thread concerned.
        thread: its (x, y, z) in the block.
        address: the address as the instruction gave it; 0 where there is none.
        count: how many times the same kind was found at this instruction.
    """

    kind: str
    message: str
    line: int
    source: str
    kernel: str
    block: tuple[int, int, int]
    thread: tuple[int, int, int]
    address: int
    count: int = 1

    def __str__(self) -> str:
        place = f"{self.kernel}, PTX line {self.line}" + (f" ({self.source})" if self.source else "")
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.kind} at {place}, block {self.block}, thread {self.thread}: {self.message}{times}"


@dataclass(frozen=True)
class Report:
    """A launch's results; its data are in the buffers.

    Attributes:
        kernel: the kernel's name.
        findings: in the order of the program; empty for a clean launch.
        counters: what was executed and moved.
        output: what the kernel printed.
    """

    kernel: str
    findings: list[Finding] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters.empty)
    output: str = ""

    @staticmethod
    def make(kernel: str, raw: dict[str, Any], opcodes: list[str], files: list[str]) -> Report:
        """From what the core returns."""
        findings = [
            Finding(
                kind=kind,
                message=message,
                line=line,
                source=f"{file}:{file_line}" if file and file_line else "",
                kernel=kernel,
                block=block,
                thread=thread,
                address=address,
                count=count,
            )
            for kind, message, line, file, file_line, block, thread, address, count in raw["findings"]
        ]
        return Report(kernel, findings, Counters(raw["counters"], raw["barriers"], opcodes, files), raw["output"])
