"""DMA: strides, out-of-bounds fill, gather and scatter, conversion; against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_helpers import MACHINE, NUMPY, bytes_of, run_on_scratchpad, same_bits

from accelc.targets.sim_accel.isa import Tile
from accelc.targets.sim_accel.program import Program, f32_bits
from accelc.targets.sim_accel.simulator import SimReport, Simulator

RNG = np.random.default_rng(4)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[d + 1 :])) for d in range(len(shape)))


def run(program: Program, dram: list[tuple[int, np.ndarray, bool]]) -> SimReport:
    program.halt()
    report = Simulator(MACHINE).run(program.encode(), dram)
    assert not report.hazards, report.hazards[0]
    return report


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_bounded_load_then_bounded_store(data: st.DataObject) -> None:
    """Windows anywhere, with steps, transposed in the scratchpad; outside there is `fill`."""
    rank = data.draw(st.integers(1, 5))
    size = tuple(data.draw(st.integers(1, 6)) for _ in range(rank))
    shape = tuple(data.draw(st.integers(1, 5)) for _ in range(rank))
    pos = tuple(data.draw(st.integers(-4, 8)) for _ in range(rank))
    step = tuple(data.draw(st.sampled_from([1, 1, 2, 3, -1, -2, 0])) for _ in range(rank))
    order = data.draw(st.permutations(range(rank)))
    t = data.draw(st.sampled_from(["f32", "bf16", "i8", "i64"]))
    x = RNG.integers(-100, 100, size).astype(NUMPY[t])
    packed = contiguous(tuple(shape[d] for d in order))
    strides = tuple(packed[order.index(d)] for d in range(rank))
    fill = f32_bits(7.0) if t in ("f32", "bf16") else 7

    p = Program(arguments=0)
    bounds = {"pos": pos, "size": size, "step": step}
    p.dma_load("dma0", Tile(t, 64, strides), Tile(t, 0, contiguous(size)), shape, **bounds, fill=fill)
    total = int(np.prod(shape))
    p.dma_store("dma0", Tile(t, 1 << 20, (1,)), Tile(t, 64, (1,)), (total,))
    if len(set(step) - {0}) == len(set(step)):  # else two elements go to one place
        p.dma_store("dma0", Tile(t, 2 << 20, contiguous(size)), Tile(t, 64, strides), shape, **bounds)
    got, back = np.zeros(total, NUMPY[t]), np.full(size, 9).astype(NUMPY[t])
    run(
        p,
        [
            (0, bytes_of(x), False),
            (1 << 20, got.view(np.uint8), True),
            (2 << 20, back.reshape(-1).view(np.uint8), True),
        ],
    )

    expect, scattered = np.full(shape, 7).astype(x.dtype), np.full(size, 9).astype(x.dtype)
    for index in np.ndindex(*shape):
        where = tuple(q + i * s for q, i, s in zip(pos, index, step, strict=True))
        if all(0 <= c < n for c, n in zip(where, size, strict=True)):
            expect[index] = scattered[where] = x[where]
    assert same_bits(got, expect.transpose(order).reshape(-1))
    if len(set(step) - {0}) == len(set(step)):
        assert same_bits(back, scattered)


@pytest.mark.parametrize("t", ["i32", "i64"])
def test_gather_and_scatter(t: str) -> None:
    table, index = RNG.standard_normal((20, 7)).astype("f"), RNG.permutation(np.arange(-3, 23)).astype(NUMPY[t])
    n = len(index)
    bounds = {"pos": (0, 0), "size": (20, 7), "step": (1, 1)}
    p = Program(arguments=0)
    p.dma_load("dma0", Tile(t, 0, (1,)), Tile(t, 0, (1,)), (n,))
    p.dma_gather(
        "dma0",
        Tile("f32", 1024, (7, 1)),
        Tile("f32", 1 << 20, (7, 1)),
        (n, 7),
        Tile(t, 0, (1,)),
        **bounds,
        fill=f32_bits(-1.0),
    )
    p.dma_store("dma0", Tile("f32", 2 << 20, (1,)), Tile("f32", 1024, (1,)), (n * 7,))
    p.dma_scatter("dma0", Tile("f32", 3 << 20, (7, 1)), Tile("f32", 1024, (7, 1)), (n, 7), Tile(t, 0, (1,)), **bounds)
    got, back = np.zeros((n, 7), "f"), np.zeros((20, 7), "f")
    run(p, [(0, bytes_of(index), False), (1 << 20, table, False), (2 << 20, got, True), (3 << 20, back, True)])
    inside = (index >= 0) & (index < 20)
    assert same_bits(got, np.where(inside[:, None], table[np.clip(index, 0, 19)], np.float32(-1)))
    assert same_bits(back, table)


def test_gather_of_single_elements() -> None:
    table, index = np.arange(100, dtype=np.int32), np.array([5, -1, 99, 100, 0, 2**40], np.int64)
    p = Program(arguments=0)
    p.dma_load("dma0", Tile("i64", 0, (1,)), Tile("i64", 0, (1,)), (6,))
    p.dma_gather(
        "dma0",
        Tile("i32", 64, (1,)),
        Tile("i32", 1024, (1,)),
        (6,),
        Tile("i64", 0, (1,)),
        pos=(0,),
        size=(100,),
        step=(1,),
        fill=-1 & 0xFFFFFFFF,
    )
    p.dma_store("dma0", Tile("i32", 2048, (1,)), Tile("i32", 64, (1,)), (6,))
    got = np.zeros(6, np.int32)
    run(p, [(0, index, False), (1024, table, False), (2048, got, True)])
    assert got.tolist() == [5, -1, 99, -1, 0, -1]


@pytest.mark.parametrize("t", ["bf16", "f16"])
def test_conversion(t: str) -> None:
    x = RNG.standard_normal(1000).astype("f")
    p = Program(arguments=0)
    p.dma_load("dma0", Tile(t, 0, (1,)), Tile("f32", 0, (1,)), (1000,))
    p.dma_store("dma0", Tile(t, 1 << 20, (1,)), Tile(t, 0, (1,)), (1000,))
    p.dma_store("dma0", Tile("f32", 2 << 20, (1,)), Tile(t, 0, (1,)), (1000,))
    narrow, wide = np.zeros(1000, NUMPY[t]), np.zeros(1000, "f")
    run(p, [(0, x, False), (1 << 20, narrow.view(np.uint8), True), (2 << 20, wide, True)])
    assert same_bits(narrow, x.astype(NUMPY[t]))
    assert same_bits(wide, narrow.astype("f"))


def test_bus_bytes_follow_runs() -> None:
    """A run is rounded up to a burst; what strides allow is one run; filled and broadcast elements move nothing."""

    def bus(dram_strides: tuple[int, ...], shape: tuple[int, ...], **bounds: object) -> int:
        p = Program(arguments=0)
        p.dma_load("dma0", Tile("f32", 0, contiguous(shape)), Tile("f32", 0, dram_strides), shape, **bounds)
        return run(p, [(0, np.zeros(1 << 16, "f"), False)]).dram_bus_read

    assert bus((1,), (1024,)) == 4096
    assert bus((32, 1), (16, 32)) == 16 * 32 * 4  # one run
    assert bus((64, 1), (16, 32)) == 16 * 128
    assert bus((64, 1), (16, 5)) == 16 * 64  # 20 bytes cost a burst
    assert bus((2,), (100,)) == 100 * 64
    assert bus((1, 64), (16, 32)) == 32 * 64  # the order of dimensions does not matter
    assert bus((0, 1), (16, 32)) == 128
    assert bus((1,), (100,), pos=(-50,), size=(1000,), step=(1,)) == 256
    assert bus((1,), (100,), pos=(-500,), size=(1000,), step=(1,)) == 0


def test_large_and_odd_dram_addresses() -> None:
    x, y = np.arange(100, dtype=np.uint8), np.zeros(13, np.int32)
    p = Program(arguments=0)
    r = p.reg()
    p.set(r, (1 << 45) + 3)
    p.dma_load("dma0", Tile("u8", 0, (1,)), Tile("u8", r, (1,)), (52,))
    p.set(r, 1 << 50)
    p.dma_store("dma0", Tile("i32", r, (1,)), Tile("i32", 0, (1,)), (13,))
    run(p, [(1 << 45, x, False), (1 << 50, y, True)])
    assert (y.view(np.uint8) == x[3:55]).all()


def test_dma_in_the_scratchpad_helper() -> None:
    x = RNG.standard_normal((5, 6)).astype("f")
    got, report = run_on_scratchpad(
        lambda p, at, to: p.vcopy("f32", Tile("f32", to, (1, 5)), Tile("f32", at[0], (6, 1)), (5, 6)),
        [x],
        np.zeros((6, 5), "f"),
    )
    assert same_bits(got, np.ascontiguousarray(x.T))
    assert report.dram_read == 240
