"""The timing model: closed forms, bandwidth, determinism, energy; and speed of simulation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from gemm_program import gemm
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_helpers import MACHINE

from accelc.targets.sim_accel.assembler import assemble
from accelc.targets.sim_accel.config import SimConfig
from accelc.targets.sim_accel.isa import Tile
from accelc.targets.sim_accel.machine import load_config
from accelc.targets.sim_accel.program import Program
from accelc.targets.sim_accel.simulator import TRACE_DTYPE, SimReport, Simulator

ADDRESSES = {1: 1 << 30, 2: 2 << 30}


def timed(program: bytes, config: SimConfig = MACHINE, **options: bool) -> SimReport:
    dram = [(n << 30, np.broadcast_to(np.zeros(1, np.uint8), 1).repeat(1 << 22), n == 2) for n in range(3)]
    return Simulator(config).run(program, dram, ADDRESSES, functional=False, **options)


def one(line: str, config: SimConfig = MACHINE) -> int:
    """Cycles of one instruction at work."""
    report = timed(assemble(f"{line}\nhalt"), config, trace=True, check_hazards=False)
    assert report.trace is not None
    (slices,) = [report.trace[report.trace["stall"] < 0]]
    return int(slices["end"][-1] - slices["start"][-1])


@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize("tile_m", [64, 256])
def test_gemm_takes_no_less_than_the_closed_form(side: int, tile_m: int) -> None:
    m = n = k = 256
    config = replace(
        MACHINE, array=side, dram_bytes_per_cycle=1e6, dma_bytes_per_cycle=1e6, sp_bytes_per_cycle=1e6, dram_latency=0
    )
    report = timed(gemm(m, n, k, side, tile_m=tile_m).encode(), config)
    closed = math.ceil(k / side) * math.ceil(n / side) * (m + 3 * side - 2) - 1
    assert report.cycles >= closed
    tiles = m // tile_m * (n // side) * (k // side)
    assert report.queues["mxu"].busy == tiles * (tile_m + 3 * side - 2)
    if tile_m == m:
        assert report.cycles < closed * 1.05


def test_matrix_formulas() -> None:
    s = MACHINE.array
    load, mul = "mm.load bf16[0 : 16], 3, 5", "mm.mul f32[8192 : 5], bf16[1024 : 3], 1, <40>"
    assert one(load) == s
    assert one(load + ", trans=1") == 2 * s
    assert one(f"{load}\n{mul}") == 40 + 2 * s - 2
    f32 = f"{load}\n{mul}".replace("bf16", "f32")
    assert one(f32) == 4 * 40 + 2 * s - 2
    assert one(f32, replace(MACHINE, row_cycles={"f32": Fraction(1, 2)})) == 20 + 2 * s - 2
    narrow = replace(MACHINE, sp_bytes_per_cycle=1.0)
    assert one(f"{load}\n{mul}", narrow) == 40 * 3 * 2 + 40 * 5 * 4
    assert one(f"{load}\n{mul}, acc=1", narrow) == 40 * 3 * 2 + 2 * 40 * 5 * 4


def test_double_buffered_weights_overlap() -> None:
    program = gemm(256, 256, 256, 16).encode()
    wide = replace(MACHINE, dram_bytes_per_cycle=1e6, dma_bytes_per_cycle=1e6)
    single, double = timed(program, wide), timed(program, replace(wide, weight_buffers=2))
    assert double.cycles < single.cycles
    assert double.cycles >= 16 * 16 * 256


def test_vector_formulas() -> None:
    lanes, start = MACHINE.lanes["f32"], MACHINE.vec_startup
    wide = replace(MACHINE, sp_bytes_per_cycle=1e6)
    for op, cost in (("vneg", 1), ("vrecip", 4), ("vexp", 8)):
        assert one(f"{op}.f32 f32[0 : 1], f32[0 : 1], <100>", wide) == start + math.ceil(100 / lanes) * cost
    assert one("vpow.f32 f32[0 : 1], f32[0 : 1], #2.0, <100>", wide) == start + math.ceil(100 / lanes) * 16
    half = replace(wide, lanes={**wide.lanes, "bf16": 32})
    assert one("vneg.f32 bf16[0 : 1], bf16[0 : 1], <100>", half) == start + 4
    assert one("vneg.f32 bf16[0 : 1], f32[0 : 1], <100>", half) == start + 7
    narrow = replace(MACHINE, sp_bytes_per_cycle=4.0)
    assert one("vneg.f32 f32[0 : 1], f32[0 : 1], <100>", narrow) == start + 200
    assert one("vadd.f32 f32[0 : 10, 1], f32[0 : 10, 1], f32[0 : 0, 1], <10, 10>", narrow) == start + 210
    assert one("vneg.f32 f32[0 : 1, 10], f32[4096 : 10, 1], <10, 10>", narrow) == start + (400 + 100 * 32) // 4


def test_dma_formulas() -> None:
    fixed = MACHINE.dma_startup + MACHINE.dram_latency
    assert one("dma.load dma0, f32[0 : 1], f32[0 : 1], <1024>") == fixed + 4096 // 16
    assert one("dma.load dma0, f32[0 : 1], f32[0 : 16], <100>") == fixed + 100 * 64 // 16
    slow = replace(MACHINE, dma_bytes_per_cycle=4.0)
    assert one("dma.load dma0, f32[0 : 1], f32[0 : 1], <1024>", slow) == fixed + 1024


def test_latency_overlaps_within_a_queue_and_bandwidth_is_shared() -> None:
    load = "dma.load dma{}, f32[{} : 1], f32[0 : 1], <4096>\n"
    fixed, transfer = MACHINE.dma_startup + MACHINE.dram_latency, 4096 * 4 // 16
    serial = timed(assemble("".join(load.format(0, 16384 * i) for i in range(10)) + "halt"))
    assert 0 <= serial.cycles - (fixed + 10 * transfer) <= 20
    shared = timed(assemble("".join(load.format(i % 2, 16384 * i) for i in range(10)) + "halt"))
    assert 0 <= shared.cycles - (fixed + 10 * transfer) <= 20
    assert shared.queues["dma0"].dram > 0


MEMORY_BOUND = "loop r40, 50\ndma.load dma0, f32[0 : 1], f32[0 : 1], <8192>\nendloop\nhalt"
COMPUTE_BOUND = """
dma.load dma0, f32[0 : 1], f32[0 : 1], <64>
signal dma0, s1, 1
wait vec, s1, 1
loop r40, 500
  vexp.f32 f32[0 : 1], f32[0 : 1], <64>
endloop
halt
"""


def test_halving_bandwidth() -> None:
    half = replace(MACHINE, dram_bytes_per_cycle=MACHINE.dram_bytes_per_cycle / 2)
    memory = [timed(assemble(MEMORY_BOUND), c).cycles for c in (MACHINE, half)]
    assert memory[1] > 1.9 * memory[0]
    compute = [timed(assemble(COMPUTE_BOUND), c).cycles for c in (MACHINE, half)]
    assert compute[1] - compute[0] <= 64 * 4 // 8  # the first load alone
    gemms = [
        timed(gemm(256, 64, 64, 16).encode(), c).cycles
        for c in (replace(MACHINE, dram_bytes_per_cycle=256.0), replace(MACHINE, dram_bytes_per_cycle=128.0))
    ]
    assert gemms[1] < gemms[0] * 1.05


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["dram_bytes_per_cycle", "sp_bytes_per_cycle", "dma_bytes_per_cycle"]),
    st.floats(1.0, 300.0),
    st.floats(1.0, 8.0),
)
def test_more_bandwidth_never_costs_cycles(name: str, low: float, factor: float) -> None:
    program = gemm(64, 32, 48, 16, tile_m=32).encode()
    slow, fast = replace(MACHINE, **{name: low}), replace(MACHINE, **{name: low * factor})
    assert timed(program, fast, check_hazards=False).cycles <= timed(program, slow, check_hazards=False).cycles


def test_functional_and_timed_runs_agree_and_repeat() -> None:
    program = gemm(64, 32, 48, 16, tile_m=32).encode()
    a, b = np.ones((64, 48), np.uint16), np.ones((48, 32), np.uint16)
    runs = []
    for functional in (True, True, False):
        out = np.zeros((64, 32), "f")
        dram = [(0, a, False), (1 << 30, b, False), (2 << 30, out, True)]
        runs.append(Simulator(MACHINE).run(program, dram, ADDRESSES, functional=functional, trace=True))
    assert runs[0] == runs[1] == runs[2]
    assert runs[0].trace is not None
    for other in runs[1:]:
        assert other.trace is not None
        assert runs[0].trace.tobytes() == other.trace.tobytes()


def test_report_conserves_bytes_macs_and_energy() -> None:
    m, n, k, side = 64, 32, 48, 16
    report = timed(gemm(m, n, k, side, tile_m=32).encode())
    assert report.macs == {"bf16": m * n * k}
    assert report.dram_read == (m * k * (n // side) + k * n * (m // 32)) * 2
    assert report.dram_written == m * n * 4
    assert report.dram_bus_read >= report.dram_read
    assert report.sp_written == report.dram_read + m * n * 4 * (k // side)
    assert report.total_energy_pj == sum(report.energy_pj.values())
    assert report.energy_pj["matrix.bf16"] == m * n * k * 0.5
    assert report.energy_pj["dram"] == (report.dram_bus_read + report.dram_bus_written) * 30.0
    assert report.seconds == report.cycles / MACHINE.clock_hz
    for queue in report.queues.values():
        assert queue.busy + queue.wait <= report.cycles


def test_trace() -> None:
    report = timed(assemble("mark 4\n" + COMPUTE_BOUND), trace=True)
    trace = report.trace
    assert trace is not None
    assert trace.dtype == TRACE_DTYPE
    assert (trace["end"] > trace["start"]).all()
    assert (trace["marker"] == 4).all()
    work = trace[(trace["queue"] == 2) & (trace["stall"] < 0)]
    assert len(work) == 500
    assert (work["start"][1:] >= work["end"][:-1]).all()
    waits = trace[(trace["queue"] == 2) & (trace["stall"] == 1)]
    assert int((waits["end"] - waits["start"]).sum()) == report.queues["vec"].wait
    assert timed(assemble("halt")).trace is None


def test_counters_are_64_bits() -> None:
    program = "loop r40, 20000\nloop r41, 60\ndma.load dma0, f32[0 : 1], f32[0 : 1], <1048576>\nendloop\nendloop\nhalt"
    report = timed(assemble(program), replace(MACHINE, sp_bytes=1 << 22), check_hazards=False)
    assert report.dram_read == 20000 * 60 * (1 << 22)


def best_of(action: Callable[[], object], times: int = 3) -> float:
    """The least wall-clock time of an action, in seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return min(taken)


@pytest.mark.parametrize("machine", ["edge", "cloud"])
def test_functional_speed_beside_numpy(machine: str) -> None:
    """At least a hundredth of the rate of numpy's own f32 product: a loop over elements would be far below."""
    config = load_config(machine)
    out = np.zeros((512, 512), "f")
    x = np.ones((512, 512), np.uint16)
    dram = [(0, x, False), (1 << 30, x, False), (2 << 30, out, True)]
    program = gemm(512, 512, 512, config.array, tile_m=512 if machine == "cloud" else 128).encode()
    a = np.ones((512, 512), "f")
    simulated = best_of(lambda: Simulator(config).run(program, dram, ADDRESSES))
    assert simulated < 100 * best_of(lambda: a @ a)


def test_timing_only_speed_beside_numpy() -> None:
    """An instruction takes no longer than four calls of numpy on vectors of 16."""
    config = load_config("edge")
    program = speed_program()
    dram = [(0, np.zeros(1 << 16, np.uint8), False)]
    count = Simulator(config).run(program, dram, functional=False).instructions
    v = np.zeros(16, "f")

    def calls() -> None:
        for _ in range(count // 10):
            np.add(v, v, out=v)

    simulated = best_of(lambda: Simulator(config).run(program, dram, functional=False))
    assert simulated < 4 * 10 * best_of(calls)


def speed_program() -> bytes:
    p = Program(arguments=0)
    p.signal("seq", 1)
    with p.loop(40_000):
        p.wait("dma0", 1)
        p.dma_load("dma0", Tile("bf16", 0, (16, 1)), Tile("bf16", 0, (16, 1)), (16, 16))
        p.signal("dma0", 2)
        p.wait("mxu", 2)
        p.mm_load(Tile("bf16", 0, (16,)), 16, 16)
        p.mm_mul(Tile("f32", 4096, (16,)), Tile("bf16", 0, (16,)), 1, (16,))
        p.signal("mxu", 3)
        p.wait("vec", 3)
        p.vadd("f32", Tile("f32", 4096, (16, 1)), Tile("f32", 4096, (16, 1)), 1.0, (16, 16))
        p.signal("vec", 1)
    p.halt()
    return p.encode()
