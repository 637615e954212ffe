"""Cooperative groups and the synchronization types of libcu++."""

from __future__ import annotations

import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


@case("groups.cu")
@case("groups.cu", arch="sm_80", suffix="_sm_80")
def tiles(bench: Bench) -> None:
    x = RNG(1).integers(0, 100, 64).astype(np.int32)
    out = np.zeros((64, 6), np.int32)
    bench.launch("tiles", 1, 64, x, out)
    same(out[:, 0], np.repeat(x.reshape(-1, 4).sum(1), 4))
    same(out[:, 1], np.repeat(x.reshape(-1, 16).max(1), 16))
    same(out[:, 2], np.repeat(x.reshape(-1, 32).sum(1), 32))
    same(out[:, 3], x.reshape(-1, 32).cumsum(1).reshape(-1))
    ballots = ((x.reshape(-1, 32) & 1).astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(1).astype(np.uint32)
    same(out[:, 4].view(np.uint32), np.repeat(ballots, 32))
    sixteens = x.reshape(-1, 16) & 3
    peers = ((sixteens[:, :, None] == sixteens[:, None, :]) << np.arange(16)).sum(2).reshape(-1)
    same(out[:, 5], np.arange(64) // 4 * 100 + peers)


@case("groups.cu")
def coalesced(bench: Bench) -> None:
    x = RNG(2).integers(0, 100, 64).astype(np.int32)
    out, counter = np.zeros((64, 4), np.int32), np.zeros(1, np.uint32)
    bench.launch("coalesced", 1, 64, x, out, counter)
    assert counter[0] == (x % 3 == 1).sum()
    for warp in (0, 1):
        v, o = x[32 * warp : 32 * warp + 32], out[32 * warp : 32 * warp + 32]
        chosen = v % 3 == 1
        rank = chosen.cumsum() - 1
        same(o[:, 0], np.where(chosen, rank * 100 + chosen.sum(), -1))
        same(o[:, 1], np.where(chosen, v[np.flatnonzero(chosen)[-1]], -1))
        same(o[:, 2], [v[v % 4 == w % 4].sum() for w in v])
        large = v > 50
        same(o[:, 3], [(large == g).sum() * 100 + (large[:i] == g).sum() for i, g in enumerate(large)])


@case("groups.cu")
def grid_rounds(bench: Bench) -> None:
    n, rounds = 1000, 6
    a, b = RNG(3).standard_normal(n).astype(np.float32), np.zeros(n, np.float32)
    expected = a.astype(np.float64)
    for _ in range(rounds):
        padded = np.pad(expected, 1)
        expected = 0.25 * padded[:-2] + 0.5 * expected + 0.25 * padded[2:]
    bench.launch("grid_rounds", 4, 128, a, b, n, rounds, cooperative=True)
    close(a, expected, 1e-5, 1e-5)


@case("groups.cu")
@case("groups.cu", arch="sm_80", suffix="_sm_80")
def barrier_halves(bench: Bench) -> None:
    rounds = 6
    x, out = RNG(4).integers(0, 10, (rounds, 64)).astype(np.int32), np.zeros(64, np.int32)
    bench.launch("barrier_halves", 1, 128, x, out, rounds)
    expected = np.zeros(64, np.int32)
    for row in x:
        expected = expected * np.int32(5) + row[::-1]
    same(out, expected)


@case("groups.cu")
def barrier_drop(bench: Bench) -> None:
    out = np.zeros((4, 128), np.int32)
    bench.launch("barrier_drop", 1, 128, out)
    for r in range(4):
        same(out[r], np.where(np.arange(128) >= 32 * r, 128 - 32 * r, 0))


@case("groups.cu")
def message(bench: Bench) -> None:
    data, flag, out, rounds = np.arange(64, dtype=np.int32), np.zeros(1, np.int32), np.zeros(64, np.int32), 3
    bench.launch("message", 2, 64, data, flag, out, rounds)
    expected = np.arange(64, dtype=np.int32)
    for _ in range(rounds):
        expected = (expected * 3 + 1) * 3 + 2
    same(out, expected)


@case("groups.cu")
@case("groups.cu", arch="sm_80", suffix="_sm_80")
def atomic_orders(bench: Bench) -> None:
    i = np.arange(256)
    u, s, wide = np.array([0, 0xFFFF, 0, 0], np.uint32), np.array([-1000, 1000, 0], np.int32), np.zeros(2, np.uint64)
    f, d, narrow = np.zeros(1, np.float32), np.zeros(1), np.zeros(4, np.int16)
    bench.launch("atomic_orders", 2, 128, u, s, wide, f, d, narrow)
    values = i * 37 % 101 - 50
    same(u, [i.sum(), 0, 0xFFFFFFFF, np.bitwise_xor.reduce(1 << i % 5)])
    same(s, [values.max(), values.min(), -i.sum()])
    same(wide, [sum(1 << int(v) for v in i % 40), (i * 1000003 % 4096).max()])
    assert f[0] == 256 and d[0] == 128
    same(narrow[:3], np.bincount(i % 3))


@case("groups.cu")
def semaphore(bench: Bench) -> None:
    inside, peak, total = (np.zeros(1, np.int32) for _ in range(3))
    bench.launch("semaphore", 1, 64, inside, peak, total)
    assert inside[0] == 0 and 1 <= peak[0] <= 4 and total[0] == 64
