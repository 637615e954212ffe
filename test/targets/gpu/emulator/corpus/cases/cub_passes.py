"""More of CUB's device-wide kernels, launched as its dispatch does."""

from __future__ import annotations

import itertools
import struct

import numpy as np

from corpus.cases.cub import EMPTY, Device, tiles_of
from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


@case("cub_passes.cu")
def device_radix_passes(bench: Bench) -> None:
    cub, n, blocks = Device(bench), 40_000, 3
    keys, values = RNG(1).integers(0, 1 << 32, n).astype(np.uint32), np.arange(n, dtype=np.int32)
    tile = cub.tile(("DownsweepKernel",), "downsweep")
    total = tiles_of(n, tile)
    each = total // blocks
    big = total - each * blocks
    share = struct.pack("<10I", total, big, each * tile + tile, each * tile, big * tile, n, blocks, n, n, 0)
    bits = cub.items("radix_bits")
    digits = 1 << bits
    # A scan of the spine goes in whole tiles of its own: there is room behind.
    spine = bench.buffer(4 * (digits * blocks + 8192))
    source, target = [bench.buffer(keys), bench.buffer(values)], [cub.unwritten(4 * n), cub.unwritten(4 * n)]
    for bit in range(0, 32, bits):
        taken = min(bits, 32 - bit)
        cub.launch(("UpsweepKernel",), blocks, source[0], spine, n, bit, taken, share, EMPTY)
        cub.launch(("RadixSortScanBinsKernel",), 1, spine, digits * blocks)
        pairs = source[0], target[0], source[1], target[1]
        cub.launch(("DownsweepKernel",), blocks, *pairs, spine, n, bit, taken, share, EMPTY)
        source, target = target, source
    order = np.argsort(keys, kind="stable")
    same(np.frombuffer(source[0].read(4 * n), np.uint32), keys[order])
    same(np.frombuffer(source[1].read(4 * n), np.int32), order)


@case("cub_passes.cu")
def device_transform(bench: Bench) -> None:
    cub, n, items = Device(bench), 9000, 4
    a, b = (RNG(s).standard_normal(n + 64).astype(np.float32) for s in (2, 3))
    held, out = [bench.buffer(a), bench.buffer(b)], np.zeros(n, np.float32)
    kernel = ("transform_kernel",)
    tile = items * cub.threads(bench.kernel(*kernel), 0)
    # One input begins at a line of 128 bytes, the other 12 bytes behind one: copies begin at the line.
    inputs = [struct.pack("<Qi4x", h.address, padding) for h, padding in zip(held, (0, 12), strict=True)]
    args = n, items, struct.pack("<f", 0.25), out, *inputs
    bench.launch(bench.kernel(*kernel), tiles_of(n, tile), 256, *args, shared_bytes=128 + 8 * tile + 2 * 128)
    close(out, np.float32(0.25) * a[:n] + np.float32(0.75) * b[3 : n + 3], 1e-6, 1e-6)


@case("cub_passes.cu")
def device_segmented_reduce(bench: Bench) -> None:
    cub, n = Device(bench), 10_000
    x, edges = RNG(4).integers(-500, 500, n).astype(np.int32), np.sort(RNG(5).integers(0, n, 12)).astype(np.int32)
    edges[3] = edges[4]  # an empty segment
    out = np.zeros(11, np.int32)
    cub.launch(("DeviceSegmentedReduceKernel",), 11, x, out, edges[:-1].copy(), edges[1:].copy(), EMPTY, -1)
    same(out, [max([-1, *x[begin:end].tolist()]) for begin, end in itertools.pairwise(edges)])


@case("cub_passes.cu")
def device_adjacent_difference(bench: Bench) -> None:
    cub, n = Device(bench), 3000
    x, out = RNG(6).integers(-500, 500, n).astype(np.int32), np.zeros(n, np.int32)
    threads = cub.items("difference_block")
    blocks = tiles_of(n, threads * cub.items("difference"))
    cub.launch(("DifferenceKernel",), blocks, x, None, out, EMPTY, n, threads=threads)
    same(out, np.r_[x[0], np.diff(x)])


@case("cub_passes.cu")
def device_for(bench: Bench) -> None:
    cub, n = Device(bench), 3000
    held = cub.unwritten(4 * n)
    cub.launch(("for_each",), tiles_of(n, 256 * cub.items("bulk")), n, struct.pack("<Q", held.address))
    same(np.frombuffer(held.read(4 * n), np.int32), np.arange(n) ** 2)
