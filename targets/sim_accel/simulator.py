"""Runs an encoded program on a simulated machine: results, cycles, traffic and energy from one run.

::

    report = Simulator(config).run(program, dram=[(0, x, False), (4096, y, True)], regs={0: 0, 1: 4096})
    report.cycles, report.energy_pj, report.hazards
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from accelc.core.diagnostics import ArtifactError, Error, UsageError
from accelc.targets.sim_accel import _sim, assembler, encoding, isa
from accelc.targets.sim_accel.config import SimConfig

_NO_LIMIT = (1 << 63) - 1
_KINDS = ("RAW", "WAR", "WAW", "unwritten")
_STOPS = ("done", "fault", "hang", "limit")

#: A slice of the trace. `stall` is the semaphore waited for, -1 for an instruction at work; `queue` indexes isa.QUEUES.
TRACE_DTYPE = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("bytes", np.int64),
        ("pc", np.int32),
        ("stall", np.int32),
        ("marker", np.uint32),
        ("queue", np.int32),
    ]
)


class SimulationError(Error):
    """A program that cannot go on: a fault (an address outside memory, a missing format, ...), a hang, or a limit.

    Attributes: reason ("fault", "hang", "limit"), pc, instruction (its text), marker, report (as far as it went).
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, reason: str, message: str, pc: int, instruction: str, marker: int, report: SimReport) -> None:
        self.reason, self.pc, self.instruction, self.marker, self.report = reason, pc, instruction, marker, report
        where = f"instruction {pc} `{instruction}` (marker {marker})" if instruction else f"instruction {pc}"
        super().__init__(f"simulation {reason} at {where}: {message}")


@dataclass(frozen=True)
class Hazard:
    """Two accesses that nothing orders, or a read of unwritten scratchpad.

    kind: RAW, WAR, WAW or unwritten. memory: scratchpad or dram. pc, instruction, queue: the later one; other_*:
    what it conflicts with (other_pc -1, other_queue "" for unwritten). [low, high): the bytes. cycle: when.
    """

    kind: str
    memory: str
    pc: int
    other_pc: int
    queue: str
    other_queue: str
    marker: int
    low: int
    high: int
    cycle: int
    instruction: str = ""
    other_instruction: str = ""

    def __str__(self) -> str:
        text = f"{self.kind} hazard on {self.memory} bytes [{self.low}, {self.high}) at cycle {self.cycle}: "
        text += f"{self.queue} instruction {self.pc} `{self.instruction}` (marker {self.marker})"
        if self.kind == "unwritten":
            return text + " reads what was never written"
        return text + f" is not ordered after {self.other_queue} instruction {self.other_pc} `{self.other_instruction}`"


@dataclass(frozen=True)
class QueueReport:
    """What one queue did, in cycles; `instructions` counts those it executed (no waits and signals).

    busy: at work (for a DMA queue: transferring). wait: blocked on a semaphore. latency: DMA only, waiting for the
    first data. dram: DMA only, the part of busy that is due to others sharing DRAM.
    """

    instructions: int
    busy: int
    wait: int
    latency: int
    dram: int


@dataclass(frozen=True)
class SimReport:
    """The outcome of a run.

    cycles and seconds: the program's duration. instructions: executed by the sequencer, all kinds.
    sequencer_stalls: cycles by reason (queue_full, semaphore, fence). dram_read/dram_written: bytes the program
    asked for; dram_bus_read/dram_bus_written: with bursts rounded up. macs: by type. vector_ops: elements.
    energy_pj: by part; `total_energy_pj` is their sum. trace: array of TRACE_DTYPE, None if not asked for.
    hazards: at most 100 distinct ones; hazards_dropped counts the others. notes: what to know about these figures.
    """

    cycles: int
    seconds: float
    instructions: int
    queues: Mapping[str, QueueReport]
    sequencer_stalls: Mapping[str, int]
    dram_read: int
    dram_written: int
    dram_bus_read: int
    dram_bus_written: int
    sp_read: int
    sp_written: int
    macs: Mapping[str, int]
    vector_ops: int
    energy_pj: Mapping[str, float]
    hazards: tuple[Hazard, ...] = ()
    hazards_dropped: int = 0
    trace: NDArray[Any] | None = field(default=None, compare=False)
    notes: tuple[str, ...] = ()

    @property
    def total_energy_pj(self) -> float:
        """Energy in pJ: the sum of its parts."""
        return sum(self.energy_pj.values())


class Simulator:
    """A machine to run programs on. Runs are independent of each other.

    Args:
        config: the machine.
        variant: which kernels compute ("avx512", "avx2", "baseline"; "" for the best); the bits are the same.
    """

    def __init__(self, config: SimConfig, variant: str = "") -> None:
        config.check()
        if variant and variant not in _sim.variants():
            raise UsageError(f"this CPU has no kernels '{variant}'; it has {', '.join(_sim.variants())}")
        self.config = config
        self._variant = variant

    def run(
        self,
        program: bytes,
        dram: Sequence[tuple[int, NDArray[Any], bool]] = (),
        regs: Mapping[int, int] | None = None,
        *,
        functional: bool = True,
        check_hazards: bool = True,
        trace: bool = False,
        max_cycles: int | None = None,
        max_instructions: int | None = None,
    ) -> SimReport:
        """Runs a program to its halt.

        Args:
            program: encoded, as `Program.encode` or `assemble` give it.
            dram: (address, array, writable): C-contiguous arrays of any type, used in place, not overlapping.
            regs: initial values of scalar registers, by number; signed 64-bit.
            functional: False times only; memory is neither read nor written.
            max_cycles, max_instructions: a run that goes beyond is ended with SimulationError("limit").

        Raises:
            ArtifactError: the program is malformed. UsageError: the arguments are.
            SimulationError: a fault, a hang or a limit; the message names the instruction.
        """
        options = {
            "functional": functional,
            "check_hazards": check_hazards,
            "trace": trace,
            "max_cycles": _NO_LIMIT if max_cycles is None else max_cycles,
            "max_instructions": _NO_LIMIT if max_instructions is None else max_instructions,
            "max_hazards": 100,
        }
        registers = dict(regs or {})
        for number, value in registers.items():
            if not 0 <= number < isa.REGISTERS or not -(1 << 63) <= value < 1 << 63:
                raise UsageError(f"regs: r{number} = {value} is no register with a 64-bit value")
        try:
            raw = _sim.run(
                bytes(program), self.config.core_fields(), options, _segments(dram), registers, self._variant
            )
        except _sim.FormatError as error:
            raise ArtifactError(str(error)) from None
        return self._finish(program, raw)

    def _finish(self, program: bytes, raw: dict[str, Any]) -> SimReport:
        lines: dict[int, str] = {}
        if raw["hazards"] or raw["stop"]:
            decoded = encoding.decode(program)
            pcs = {raw["pc"]} | {h[i] for h in raw["hazards"] for i in (2, 3)}
            lines = {pc: assembler.format_instruction(decoded[pc]) for pc in pcs if 0 <= pc < len(decoded)}
        report = _report(self.config, raw, lines)
        if raw["stop"]:
            raise SimulationError(
                _STOPS[raw["stop"]], raw["message"], raw["pc"], lines.get(raw["pc"], ""), raw["marker"], report
            )
        return report


def _segments(dram: Sequence[tuple[int, NDArray[Any], bool]]) -> list[tuple[int, NDArray[np.uint8], bool]]:
    segments = []
    for address, array, writable in dram:
        if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
            raise UsageError(f"the DRAM buffer at {address} is not a C-contiguous numpy array")
        if writable and not array.flags.writeable:
            raise UsageError(f"the DRAM buffer at {address} is to be writable, but its array is read-only")
        if not 0 <= address < 1 << 62:
            raise UsageError(f"the DRAM address {address} is not in 0..2^62")
        if array.nbytes:
            segments.append((int(address), array.reshape(-1).view(np.uint8), bool(writable)))
    segments.sort(key=lambda segment: segment[0])
    for (low, first, _), (high, _, _) in itertools.pairwise(segments):
        if low + first.nbytes > high:
            raise UsageError(f"the DRAM buffers at {low} ({first.nbytes} bytes) and {high} overlap")
    return segments


def _hazard(raw: tuple[Any, ...], lines: Mapping[int, str]) -> Hazard:
    kind, dram, pc, other_pc, queue, other_queue, marker, low, high, cycle = raw
    return Hazard(
        _KINDS[kind],
        "dram" if dram else "scratchpad",
        pc,
        other_pc,
        isa.QUEUES[queue],
        isa.QUEUES[other_queue] if other_queue >= 0 else "",
        marker,
        low,
        high,
        cycle,
        lines.get(pc, ""),
        lines.get(other_pc, ""),
    )


def _energy(config: SimConfig, counters: Mapping[str, Any], macs: Mapping[str, int]) -> dict[str, float]:
    bus = counters["dram_bus_read"] + counters["dram_bus_written"]
    return {
        "dram": bus * config.pj_dram_byte,
        "scratchpad": (counters["sp_read"] + counters["sp_written"]) * config.pj_sp_byte,
        **{f"matrix.{t}": n * config.pj_mac.get(t, 0.0) for t, n in macs.items()},
        "vector": counters["vec_ops"] * config.pj_vec_op,
        "sequencer": counters["instructions"] * config.pj_instr,
        "static": counters["cycles"] * config.pj_static_cycle,
    }


def _report(config: SimConfig, raw: Mapping[str, Any], lines: Mapping[int, str]) -> SimReport:
    c = raw["counters"]
    macs = {t: n for t, n in zip(isa.DTYPES, c["macs"], strict=True) if n}
    queues = {
        q: QueueReport(
            c["executed"][i], c["busy"][i], c["stall_semaphore"][i], c["stall_latency"][i], c["stall_dram"][i]
        )
        for i, q in enumerate(isa.QUEUES)
        if 0 < i < 3 + config.dma_queues
    }
    notes = []
    if raw["data_dependent"]:
        notes.append("sload read 0 in this timing-only run: cycles may differ from a functional run's")
    if raw["trace_dropped"]:
        notes.append(f"{raw['trace_dropped']} slices are not in the trace")
    return SimReport(
        cycles=c["cycles"],
        seconds=c["cycles"] / config.clock_hz,
        instructions=c["instructions"],
        queues=queues,
        sequencer_stalls={"queue_full": c["seq_full"], "semaphore": c["seq_semaphore"], "fence": c["seq_fence"]},
        **{
            name: c[name]
            for name in ("dram_read", "dram_written", "dram_bus_read", "dram_bus_written", "sp_read", "sp_written")
        },
        macs=macs,
        vector_ops=c["vec_ops"],
        energy_pj=_energy(config, c, macs),
        hazards=tuple(_hazard(cast(tuple[Any, ...], h), lines) for h in raw["hazards"]),
        hazards_dropped=raw["hazards_dropped"],
        trace=np.frombuffer(raw["trace"], TRACE_DTYPE) if raw["trace"] else None,
        notes=tuple(notes),
    )
