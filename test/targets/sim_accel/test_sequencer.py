"""The sequencer: arithmetic, loops, branches, sload; faults, hangs and limits are errors that name the place."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import instructions
from sim_helpers import MACHINE, SMALL

from accelc.core.diagnostics import ArtifactError, UsageError
from accelc.targets.sim_accel import encoding, isa
from accelc.targets.sim_accel.assembler import assemble
from accelc.targets.sim_accel.isa import Instruction, Reg, Tile
from accelc.targets.sim_accel.program import Program
from accelc.targets.sim_accel.simulator import SimReport, SimulationError, Simulator

INT64 = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-5, 5), st.sampled_from([-(1 << 63), (1 << 63) - 1])
)


def results(text: str, regs: dict[int, int] | None = None, count: int = 1) -> list[int]:
    """Runs a program that leaves its results in r40, r41, ...; stores and returns them."""
    p = assemble(
        text
        + "".join(f"viota.i64 i64[{8 * i} : 1], 0, r{40 + i}, 0, <1>\n" for i in range(count))
        + f"""
fence vec
dma.store dma0, i64[0 : 1], i64[0 : 1], <{count}>
halt
"""
    )
    out = np.zeros(count, np.int64)
    assert not Simulator(MACHINE).run(p, [(0, out, True)], regs).hazards
    return out.tolist()


def wrap(v: int) -> int:
    return (v + (1 << 63)) % (1 << 64) - (1 << 63)


@given(INT64, INT64)
def test_arithmetic(x: int, y: int) -> None:
    quotient = -1 if y == 0 else wrap(abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1))
    expect = {
        "sadd": wrap(x + y),
        "ssub": wrap(x - y),
        "smul": wrap(x * y),
        "sdiv": quotient,
        "srem": x if y == 0 else wrap(x - quotient * y),
        "smin": min(x, y),
        "smax": max(x, y),
        "sand": x & y,
        "sor": x | y,
        "sxor": x ^ y,
        "sshl": wrap(x << (y & 63)),
        "sshr": x >> (y & 63),
        "slt": int(x < y),
        "sle": int(x <= y),
        "seq": int(x == y),
        "sne": int(x != y),
    }
    text = "".join(f"{name} r{40 + i}, r1, r2\n" for i, name in enumerate(expect))
    assert results(text, {1: x, 2: y}, len(expect)) == list(expect.values())


def test_loops_and_branches() -> None:
    nested = """
loop r50, 5, start=10, inc=-2
  loop r51, r50
    sadd r40, r40, r51
  endloop
  sadd r41, r41, 1
endloop
loop r52, 0
  sadd r41, r41, 100
endloop
loop r52, 10
  blt r52, 7, skip
  sadd r42, r42, r52
skip:
endloop
"""
    assert results(nested, None, 3) == [sum(sum(range(n)) for n in (10, 8, 6, 4, 2)), 5, 7 + 8 + 9]
    euclid = """
top:
beq r2, 0, out
srem r3, r1, r2
sadd r1, r2, 0
sadd r2, r3, 0
jmp top
out:
sadd r40, r1, 0
"""
    assert results(euclid, {1: 252, 2: 105}) == [21]


def test_sload() -> None:
    x = np.array([3, -7, 2**40], np.int64)
    program = assemble("""
dma.load dma0, i64[64 : 1], i64[0 : 1], <3>
fence dma0
sload r40, i64[80]
sload r41, i32[72]
sload r42, u8[72]
viota.i64 i64[0 : 1], 0, r40, 0, <1>
viota.i64 i64[8 : 1], 0, r41, 0, <1>
viota.i64 i64[16 : 1], 0, r42, 0, <1>
fence vec
dma.store dma0, i64[1024 : 1], i64[0 : 1], <3>
halt
""")
    out = np.zeros(3, np.int64)
    report = Simulator(MACHINE).run(program, [(0, x, False), (1024, out, True)])
    assert out.tolist() == [2**40, -7, 249]
    assert not report.hazards
    assert not report.notes
    timed = Simulator(MACHINE).run(program, [(0, x, False), (1024, out, True)], functional=False)
    assert "sload" in timed.notes[0]


def error(text: str, **options: object) -> SimulationError:
    with pytest.raises(SimulationError) as caught:
        Simulator(MACHINE).run(assemble(text), [(0, np.zeros(64, "f"), False)], **options)
    assert isinstance(caught.value.report, SimReport)
    return caught.value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dma.load dma0, f32[0 : 1], f32[0 : 1], <65>", r"DRAM bytes \[0, 260\) are not inside one mapped buffer"),
        ("dma.load dma0, f32[0 : 1], f32[-4 : 1], <1>", "not inside one mapped buffer"),
        ("dma.store dma0, f32[0 : 1], f32[0 : 1], <4>", r"writes DRAM bytes \[0, 16\), which are read-only"),
        ("dma.load dma7, f32[0 : 1], f32[0 : 1], <4>", "no queue dma7"),
        ("vcopy.f32 f32[4194300 : 1], #1.0, <2>", r"scratchpad bytes \[4194300, 4194308\) of 4194304"),
        ("vcopy.f32 f32[0 : -1], #1.0, <2>", r"\[-4, 4\)"),
        ("vcopy.f32 f32[2 : 1], #1.0, <2>", "not aligned"),
        ("vcopy.f32 f32[0 : 0], #1.0, <-1>", "size is -1"),
        ("vcopy.f32 f32[0 : 0, 0], #1.0, <65536, 65536>", "2\\^28 elements"),
        ("vrsum.f32 f32[0 : 1], f32[0 : 1], <4>, dims=0", "nonzero stride"),
        ("sload r1, i32[4194304]", "scratchpad byte 4194304"),
        ("signal vec, s1, 70000", "count of 70000"),
        ("nop", "ends without halt"),
    ],
)
def test_faults(line: str, message: str) -> None:
    tail = "\nhalt" if "without" not in message else ""
    raised = error("mark 5\nnop\n" + line + tail)
    assert raised.reason == "fault"
    assert raised.pc == 2
    with pytest.raises(SimulationError, match=message):
        raise raised
    if tail:
        assert line in str(raised)
        assert "marker 5" in str(raised)


def test_deadlock_says_who_waits_for_what() -> None:
    raised = error("wait vec, s1, 2\nsignal seq, s1, 1\nwait dma0, s2, 1\nwait seq, s3, 1\nhalt")
    assert raised.reason == "hang"
    for part in (
        "vec waits at instruction 0 for s1 >= 2 (it is 1)",
        "dma0 waits at instruction 2 for s2 >= 1",
        "instruction 3, waits for s3 >= 1",
    ):
        assert part in str(raised)
    assert "waits at halt" in str(error("wait vec, s1, 1\nhalt"))
    full = "wait vec, s1, 1\nloop r40, 100\nvcopy.f32 f32[0 : 1], #0.0, <1>\nendloop\nhalt"
    assert "full queue vec" in str(error(full))
    assert "fence" in str(error("wait vec, s1, 1\nfence vec\nhalt"))


def test_endless_loops_end() -> None:
    assert "endless loop" in str(error("top:\njmp top"))
    assert error("top:\njmp top", max_instructions=1000).reason == "limit"
    assert error("top:\nvcopy.f32 f32[0 : 1], #0.0, <1>\njmp top", max_cycles=10_000).reason == "limit"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_programs_end_in_a_report_or_an_error(data: st.DataObject) -> None:
    """Small and wild values alike: nothing crashes, nothing hangs, and memory around the buffers stays as it was."""
    small = st.one_of(st.integers(-2, 6), st.integers(0, 64).map(lambda v: 8 * v), st.builds(Reg, st.integers(0, 9)))
    wild = st.one_of(small, st.integers(-(1 << 30), (1 << 30) - 1))
    program = data.draw(
        st.lists(instructions(data.draw(st.sampled_from([small, small, wild]))), min_size=1, max_size=8)
    )
    program.append(Instruction(isa.BY_MNEMONIC["halt"], {}))
    memory = np.full(8192, 77, np.uint8)
    dram = [(0, memory[1024:3072], True), (4096, memory[5000:6000], False)]
    regs = {r: data.draw(st.one_of(st.integers(0, 64), st.integers(-(1 << 63), (1 << 63) - 1))) for r in range(10)}
    with contextlib.suppress(SimulationError):
        assert Simulator(SMALL).run(encoding.encode(program), dram, regs, max_cycles=1 << 40).cycles > 0
    assert (memory[:1024] == 77).all()
    assert (memory[3072:] == 77).all()


def test_bad_arguments() -> None:
    halt, simulator = assemble("halt"), Simulator(MACHINE)
    with pytest.raises(ArtifactError):
        simulator.run(halt[:-1])
    with pytest.raises(UsageError, match="overlap"):
        simulator.run(halt, [(0, np.zeros(8), False), (63, np.zeros(8), False)])
    with pytest.raises(UsageError, match="contiguous"):
        simulator.run(halt, [(0, np.zeros((8, 8))[:, ::2], False)])
    with pytest.raises(UsageError, match="register"):
        simulator.run(halt, regs={64: 1})


def test_registers_may_hold_shapes() -> None:
    """One program, any length: sizes, addresses and counts come from registers."""
    p = Program(arguments=3)
    tail, full = p.reg(), p.reg()
    p.sdiv(full, p.arg(2), 8)
    p.srem(tail, p.arg(2), 8)
    with p.loop(full + 1, step=8) as i:
        n, src, dst = p.reg(), p.reg(), p.reg()
        p.ssub(n, p.arg(2), i)
        p.smin(n, n, 8)
        p.smul(src, i, 4)
        p.sadd(dst, src, p.arg(1))
        p.sadd(src, src, p.arg(0))
        p.dma_load("dma0", Tile("f32", 0, (1,)), Tile("f32", src, (1,)), (n,))
        p.dma_store("dma0", Tile("f32", dst, (1,)), Tile("f32", 0, (1,)), (n,))
    p.halt()
    program = p.encode()
    for length in (0, 1, 8, 21):
        x, y = np.arange(32, dtype="f") + 1, np.zeros(32, "f")
        Simulator(MACHINE).run(program, [(0, x, False), (4096, y, True)], {0: 0, 1: 4096, 2: length})
        assert (y == np.where(np.arange(32) < length, x, 0)).all()
    assert isinstance(full + 1, Reg)
