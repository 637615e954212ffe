"""Reductions, transposes, GEMM on the ordinary units, histograms, scans, asynchronous copies."""

from __future__ import annotations

import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


@case("reduction.cu")
def reduce_shuffle(bench: Bench) -> None:
    for n, grid, block in [(10_000, 4, 256), (77, 1, 96), (1, 2, 32)]:
        x = RNG(n).standard_normal(n).astype(np.float32)
        out = np.zeros(grid, np.float32)
        bench.launch("reduce_shuffle", grid, block, x, out, n)
        padded = np.zeros(-(-n // (grid * block)) * grid * block, np.float32)
        padded[:n] = x
        close(out, padded.reshape(-1, grid, block).astype(np.float64).sum((0, 2)), 1e-4, 1e-4)


@case("reduction.cu")
def argmax_rows(bench: Bench) -> None:
    x = RNG(1).integers(-50, 50, (13, 301)).astype(np.float32)
    where, top = np.zeros(13, np.int32), np.zeros(13, np.float32)
    bench.launch("argmax_rows", 4, 128, x, where, top, 13, 301)
    same(where, x.argmax(1))
    same(top, x.max(1))


@case("reduction.cu")
@case("reduction.cu", arch="sm_80", suffix="_sm_80")
def reduce_redux(bench: Bench) -> None:
    x = RNG(2).integers(-1000, 1000, 1000).astype(np.int32)
    total, low, bits = np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint32)
    bench.launch("reduce_redux", 8, 128, x, total, low, bits, 1000)
    assert (total[0], low[0], bits[0]) == (x.sum(), x.min(), np.bitwise_or.reduce(x.view(np.uint32)))


@case("reduction.cu")
@case("reduction.cu", flags=["-G"], suffix="_debug")
def reduce_last_block(bench: Bench) -> None:
    x = RNG(3).standard_normal(5000)
    partial, out = np.zeros(7), np.zeros(1)
    for _ in range(2):  # the counter in global memory wraps to zero, so a second launch works too
        bench.launch("reduce_last_block", 7, 128, x, partial, out, 5000, shared_bytes=128 * 8)
        close(out, np.array([x.sum()]), 1e-10, 1e-10)


@case("transpose.cu")
@case("transpose.cu", flags=["-lineinfo"], suffix="_lineinfo")
def transpose_padded(bench: Bench) -> None:
    x = RNG(4).standard_normal((75, 130)).astype(np.float32)
    out = np.zeros((130, 75), np.float32)
    bench.launch("transpose_padded", (5, 3), (32, 8), x, out, 75, 130)
    same(out, x.T)


@case("transpose.cu")
def transpose_conflicts(bench: Bench) -> None:
    x = RNG(5).standard_normal((64, 64)).astype(np.float32)
    out = np.zeros_like(x)
    bench.launch("transpose_conflicts", (2, 2), (32, 8), x, out, 64)
    same(out, x.T)


@case("transpose.cu")
def transpose_half(bench: Bench) -> None:
    x = RNG(6).integers(0, 1 << 16, (128, 128)).astype(np.uint16)
    out = np.zeros_like(x)
    bench.launch("transpose_half", (2, 2), (32, 8), x, out, 128)
    same(out, x.T)


@case("gemm.cu")
@case("gemm.cu", flags=["-G"], suffix="_debug")
def gemm_tiled(bench: Bench) -> None:
    m, n, k = 45, 50, 37
    a, b = RNG(7).standard_normal((m, k)).astype(np.float32), RNG(8).standard_normal((k, n)).astype(np.float32)
    c = np.zeros((m, n), np.float32)
    bench.launch("gemm_tiled", (4, 3), (16, 16), a, b, c, m, n, k)
    close(c, a.astype(np.float64) @ b, 1e-4, 1e-4)


@case("gemm.cu")
@case("gemm.cu", flags=["--fmad=false"], suffix="_without_fma")
@case("gemm.cu", arch="sm_80", suffix="_sm_80")
def gemm_blocked(bench: Bench) -> None:
    m, n, k = 128, 64, 48
    a, b = RNG(9).standard_normal((m, k)).astype(np.float32), RNG(10).standard_normal((k, n)).astype(np.float32)
    c = RNG(11).standard_normal((m, n)).astype(np.float32)
    expected = 0.5 * (a.astype(np.float64) @ b) - 2.0 * c
    bench.launch("gemm_blocked", (n // 64, m // 64), 256, a, b, c, n, k, 0.5, -2.0)
    close(c, expected, 1e-4, 1e-4)


@case("histogram.cu")
def histograms(bench: Bench) -> None:
    x = (RNG(12).standard_normal(7001) * 30 + 128).clip(0, 255).astype(np.uint8)
    expected = np.bincount(x, minlength=256)
    for entry, kind in [("shared", np.uint32), ("global", np.uint64), ("matched", np.uint32)]:
        bins = np.zeros(256, kind)
        bench.launch(f"histogram_{entry}", 5, 128, x, bins, len(x))
        same(bins, expected)


@case("histogram.cu")
def hash_insert(bench: Bench) -> None:
    keys = RNG(13).integers(0, 500, 800).astype(np.uint32)
    table, slots = np.full(701, 0xFFFFFFFF, np.uint32), np.zeros(800, np.uint32)
    bench.launch("hash_insert", 7, 128, keys, table, slots, 800, 701)
    same(table[slots], keys)
    same(np.sort(table[table != 0xFFFFFFFF]), np.unique(keys))


@case("scan.cu")
def scan_block(bench: Bench) -> None:
    x = RNG(14).integers(-100, 100, (3, 256)).astype(np.int32)
    out = np.zeros_like(x)
    bench.launch("scan_block", 3, 256, x, out)
    same(out, x.cumsum(1))


@case("scan.cu")
def scan_sweeps(bench: Bench) -> None:
    x = RNG(15).integers(0, 16, 512).astype(np.float32)
    out = np.zeros_like(x)
    bench.launch("scan_sweeps", 1, 256, x, out, 512, shared_bytes=512 * 4)
    same(out, x.cumsum() - x)


@case("scan.cu")
@case("scan.cu", arch="sm_80", suffix="_sm_80")
def scan_lookback(bench: Bench) -> None:
    n, block = 10_000, 128
    x = RNG(16).integers(-1000, 1000, n).astype(np.int32)
    tiles = -(-n // block)
    out, states, ticket = np.zeros_like(x), np.zeros(tiles, np.uint64), np.zeros(1, np.uint32)
    bench.launch("scan_lookback", tiles, block, x, out, states, ticket, n)
    same(out, x.cumsum())
    assert (states >> np.uint64(32) == 2).all()


@case("cp_async.cu")
@case("cp_async.cu", arch="sm_90", suffix="_sm_90")
def cp_async_ring(bench: Bench) -> None:
    for tiles in (1, 2, 7):
        x = RNG(17).standard_normal((2, tiles, 256, 4)).astype(np.float32)
        out = np.zeros((2, 256, 4), np.float32)
        bench.launch("cp_async_ring", 2, 256, x, out, tiles)
        close(out, (x.astype(np.float64) * x[:, :, ::-1]).sum(1), 1e-5, 1e-5)


@case("cp_async.cu")
def cp_async_sizes(bench: Bench) -> None:
    x = RNG(18).integers(0, 1 << 30, 512).astype(np.int32)
    n = 301
    out = np.zeros(128 + 256 + 512, np.int32)
    bench.launch("cp_async_sizes", 1, 128, x, out, n)
    same(out[:128], x[:128][::-1])
    same(out[128:384].reshape(128, 2), x[:256].reshape(128, 2)[::-1])
    cut = np.where(np.arange(512) < n, x, 0)
    same(out[384:].reshape(128, 4), cut.reshape(128, 4)[::-1])


@case("pipeline.cu")
def pipeline_block(bench: Bench) -> None:
    tiles = 5
    x = RNG(19).integers(0, 100, (tiles, 512)).astype(np.int32)
    out = np.zeros(128, np.int32)
    bench.launch("pipeline_block", 1, 128, x, out, tiles)
    expected = np.zeros(128, np.int32)
    for tile in x:
        for i in range(4):
            expected = expected * np.int32(3) + tile[(4 * np.arange(128) + i * 5) % 512]
    same(out, expected)


@case("pipeline.cu")
def pipeline_roles(bench: Bench) -> None:
    tiles = 8
    x = RNG(20).integers(0, 100, (tiles, 96)).astype(np.int32)
    out = np.zeros(96, np.int32)
    bench.launch("pipeline_roles", 1, 128, x, out, tiles)
    same(out, (x[:, ::-1] * np.arange(1, tiles + 1, dtype=np.int32)[:, None]).sum(0))


@case("pipeline.cu")
def barrier_copies(bench: Bench) -> None:
    x = RNG(21).integers(0, 100, (2, 1024)).astype(np.int32)
    out = np.zeros_like(x)
    bench.launch("barrier_copies", 2, 128, x, out)
    same(out, x * 2 + np.arange(1024))
