"""Planted races are found and named; their correctly ordered twins are clean."""

from __future__ import annotations

import numpy as np
import pytest
from gemm_program import gemm
from sim_helpers import MACHINE, NUMPY, SMALL, bytes_of

from accelc.targets.sim_accel import encoding
from accelc.targets.sim_accel.assembler import assemble, format_instruction
from accelc.targets.sim_accel.isa import Instruction
from accelc.targets.sim_accel.simulator import Hazard, SimReport, SimulationError, Simulator

LOAD = "dma.load dma0, f32[0 : 1], f32[0 : 1], <64>"
STORE = "dma.store dma1, f32[0 : 1], f32[0 : 1], <64>"
FILL = "vcopy.f32 f32[0 : 1], #1.0, <64>"
READ = "vcopy.f32 f32[1024 : 1], f32[0 : 1], <64>"


def hazards(*lines: str) -> tuple[Hazard, ...]:
    program = assemble("\n".join([*lines, "halt"]))
    return Simulator(MACHINE).run(program, [(0, np.zeros(256, "f"), True)]).hazards


#: Time passes, in which nothing gets ordered: the second of two accesses is then surely the later one.
DELAY = ("loop r60, 300", "nop", "endloop")


def sync(producer: str, consumer: str, sem: int = 1) -> tuple[str, str]:
    return f"signal {producer}, s{sem}, 1", f"wait {consumer}, s{sem}, 1"


@pytest.mark.parametrize(
    ("kind", "first", "second", "queues"),
    [
        ("RAW", [LOAD], READ, ("dma0", "vec")),
        ("RAW", [FILL], STORE, ("vec", "dma1")),
        ("WAR", [FILL, *sync("vec", "dma1", 9), STORE], FILL, ("dma1", "vec")),
        ("WAW", [LOAD], FILL, ("dma0", "vec")),
        ("WAW", [FILL], LOAD, ("vec", "dma0")),
    ],
)
def test_planted_races_and_their_ordered_twins(
    kind: str, first: list[str], second: str, queues: tuple[str, str]
) -> None:
    found = hazards(*first, *DELAY, second)
    assert [h.kind for h in found if h.kind == kind] == [kind], found
    hazard = next(h for h in found if h.kind == kind)
    assert (hazard.other_queue, hazard.queue) == queues
    assert (hazard.low, hazard.high, hazard.memory) == (0, 256, "scratchpad")
    assert hazard.instruction == second
    assert hazard.other_instruction == first[-1]
    assert second in str(hazard)
    assert not hazards(*first, *sync(*queues), second)
    assert not hazards(*first, "fence all", second)
    # Ordered through a third party, and through the sequencer.
    third = ["signal " + queues[0] + ", s2, 1", "wait mxu, s2, 1", "signal mxu, s3, 1", "wait " + queues[1] + ", s3, 1"]
    assert not hazards(*first, *third, second)
    assert not hazards(*first, *sync(queues[0], "seq"), second)


def test_harmless_timing_does_not_hide_a_race() -> None:
    """The load is over long before the read starts, but nothing says so."""
    delay = ["vcopy.f32 f32[4096 : 1], #0.0, <65536>"] * 3
    assert [h.kind for h in hazards(LOAD, *delay, READ)] == ["RAW"]


def test_unwritten_reads() -> None:
    (hazard,) = hazards("mark 3", READ)
    assert (hazard.kind, hazard.low, hazard.high, hazard.marker) == ("unwritten", 0, 256, 3)
    assert "never written" in str(hazard)
    half = "vcopy.f32 f32[0 : 2], #1.0, <32>"  # every other element
    assert [h.kind for h in hazards(half, READ)] == ["unwritten"]
    assert not hazards(half, "vcopy.f32 f32[4 : 2], #1.0, <32>", READ)


def test_disjoint_ranges_do_not_conflict() -> None:
    even, odd = "vcopy.f32 f32[0 : 2], #1.0, <32>", "dma.load dma0, f32[4 : 2], f32[0 : 1], <32>"
    assert not hazards(even, odd)
    assert [h.kind for h in hazards(even, odd.replace("f32[4", "f32[0"))] == ["WAW"]


def test_races_through_dram() -> None:
    store, load = "dma.store dma1, f32[0 : 1], f32[0 : 1], <64>", "dma.load dma0, f32[2048 : 1], f32[128 : 1], <64>"
    (hazard,) = hazards(FILL, *sync("vec", "dma1"), store, *DELAY, load)
    assert (hazard.kind, hazard.memory, hazard.low, hazard.high) == ("RAW", "dram", 128, 256)
    assert not hazards(FILL, *sync("vec", "dma1"), store, *sync("dma1", "dma0", 2), load)


def test_sload_races() -> None:
    load, read = "dma.load dma0, i32[0 : 1], i32[0 : 1], <64>", "sload r40, i32[8]"
    assert [(h.kind, h.queue, h.low) for h in hazards(load, *DELAY, read)] == [("RAW", "seq", 8)]
    assert not hazards(load, *sync("dma0", "seq"), read)
    assert not hazards(load, "fence dma0", read, load)
    busy = "vcopy.f32 f32[4096 : 1], #0.0, <65536>"
    (hazard,) = hazards(load, "fence dma0", busy, *sync("vec", "dma0"), load, read)
    assert (hazard.kind, hazard.queue, hazard.other_queue) == ("WAR", "dma0", "seq")


# ---- a whole program ----

M, N, K, SIDE, TILE_M = 16, 8, 24, 4, 8
A = np.random.default_rng(6).standard_normal((M, K)).astype(NUMPY["bf16"])
B = np.random.default_rng(7).standard_normal((K, N)).astype(NUMPY["bf16"])


def run_gemm(instructions: list[Instruction]) -> tuple[np.ndarray, SimReport]:
    out = np.zeros((M, N), "f")
    dram = [(0, bytes_of(A), False), (1 << 20, bytes_of(B), False), (2 << 20, out, True)]
    return out, Simulator(SMALL).run(encoding.encode(instructions), dram, {1: 1 << 20, 2: 2 << 20})


def gemm_instructions() -> list[Instruction]:
    return encoding.decode(gemm(M, N, K, SIDE, tile_m=TILE_M).encode())


def test_double_buffered_gemm_is_clean() -> None:
    out, report = run_gemm(gemm_instructions())
    assert not report.hazards
    np.testing.assert_allclose(out, A.astype("f") @ B.astype("f"), rtol=1e-4, atol=1e-4)


WAITS = [pc for pc, inst in enumerate(gemm_instructions()) if inst.spec.mnemonic in ("wait", "signal")]


@pytest.mark.parametrize("pc", WAITS)
def test_without_any_one_wait_or_signal_it_is_not(pc: int) -> None:
    """Each one is needed: without it there is a hazard, a hang, or at least another number of cycles."""
    instructions = gemm_instructions()
    text = format_instruction(instructions[pc])
    instructions[pc] = Instruction(assemble_nop().spec)
    try:
        _, report = run_gemm(instructions)
    except SimulationError as error:
        if error.reason != "hang":
            raise
        return
    assert report.hazards or report.cycles != run_gemm(gemm_instructions())[1].cycles, text
    if text.startswith("wait"):
        assert report.hazards, text


def assemble_nop() -> Instruction:
    return encoding.decode(assemble("nop"))[0]
