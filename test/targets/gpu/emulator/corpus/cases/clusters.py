"""Clusters: shared memory of other CTAs, barriers across them, multicast."""

from __future__ import annotations

import numpy as np

from accelc.targets.gpu.emulator import TensorMap
from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


@case("cluster.cu")
def cluster_histogram(bench: Bench) -> None:
    n = 300
    for size in (1, 2, 4, 8):
        x = RNG(1).integers(-2, 16 * size + 2, (2, n)).astype(np.int32)
        out = np.zeros((2, 16 * size), np.int32)
        bench.launch("cluster_histogram", 2 * size, 64, x, out, n, 16, shared_bytes=64, cluster=(size, 1, 1))
        same(out, [np.bincount(row.clip(0, 16 * size - 1), minlength=16 * size) for row in x])


@case("cluster.cu")
def cluster_ring(bench: Bench) -> None:
    x = RNG(2).standard_normal((2, 4, 64)).astype(np.float32)
    out = np.zeros_like(x)
    bench.launch("cluster_ring", 8, 64, x, out, cluster=(4, 1, 1))
    turned = [np.roll(x[:, :, ::-1], -step, 1).astype(np.float64) for step in (1, 2, 3)]
    close(out, turned[0] * 4 + turned[1] * 2 + turned[2], 1e-5, 1e-5)


@case("cluster.cu")
def cluster_push(bench: Bench) -> None:
    x = RNG(3).integers(0, 1000, (3, 2, 128)).astype(np.int32)
    out, ids = np.zeros_like(x), np.zeros((6, 4), np.uint32)
    bench.launch("cluster_push", 6, 128, x, out, ids)  # the module says how large its clusters are
    same(out, (x + np.arange(2)[None, :, None])[:, ::-1, ::-1])
    same(ids, [[b % 2, 2, b // 2, 3] for b in range(6)])


@case("cluster.cu")
def cluster_multicast(bench: Bench) -> None:
    x = RNG(4).standard_normal((64, 32)).astype(np.float32)
    held, out = bench.buffer(x), np.zeros((4, 4, 16, 32), np.float32)
    map_ = TensorMap(held, dtype="float32", dims=(32, 64), strides=(128,), box=(32, 16))
    bench.launch("cluster_multicast", 4, 128, map_, out, cluster=(4, 1, 1))
    tiles = x.reshape(4, 16, 32)
    for rank in range(4):
        for tile in range(4):
            same(out[rank, tile], tiles[tile] if rank % 2 == 0 or tile % 2 == 0 else np.full((16, 32), -1.0))


@case("cluster.cu")
def cluster_copy(bench: Bench) -> None:
    x = RNG(5).integers(0, 1000, (2, 2, 256)).astype(np.int32)
    out = np.zeros_like(x)
    bench.launch("cluster_copy", 4, 256, x, out, cluster=(2, 1, 1))
    same(out, 7 * (x[:, ::-1] + x[:, :, ::-1]))
