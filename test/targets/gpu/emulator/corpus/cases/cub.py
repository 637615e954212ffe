"""CUB, as its headers are: collectives of blocks and warps, and the kernels behind the device-wide algorithms, which
are launched here as CUB's dispatch launches them.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng
EMPTY = b"\0"  # a functor without members
BLOCK = ["-extended-lambda"]


@case("cub_block.cu", flags=BLOCK)
def block_scan(bench: Bench) -> None:
    x = RNG(1).integers(-100, 100, (2, 512)).astype(np.int32)
    for entry in ("raking", "warps"):
        out, total = np.zeros_like(x), np.zeros(2, np.int32)
        bench.launch(f"block_scan_{entry}", 2, 128, x, out, total)
        same(out, x.cumsum(1) - x)
        same(total, x.sum(1))


@case("cub_block.cu", flags=BLOCK)
def block_reduce(bench: Bench) -> None:
    x = RNG(2).standard_normal(128).astype(np.float32)
    for entry in ("raking", "commutative", "warps"):
        for n in (128, 77, 5):
            out = np.zeros(2, np.float32)
            bench.launch(f"block_reduce_{entry}", 1, 128, x, out, n)
            close(out, np.array([x[:n].astype(np.float64).sum(), x[:n].max()]), 1e-5, 1e-5)


@case("cub_block.cu", flags=BLOCK)
def block_radix_sort(bench: Bench) -> None:
    x = RNG(3).standard_normal(512).astype(np.float32)
    x[::7] = 0.5
    for descending in (0, 1):
        keys, values = x.copy(), np.arange(512, dtype=np.int32)
        bench.launch("block_radix_sort", 1, 128, keys, values, descending)
        order = np.argsort(-x if descending else x, kind="stable")
        same(keys, x[order])
        same(values, order)


@case("cub_block.cu", flags=BLOCK)
def block_merge_sort(bench: Bench) -> None:
    x = RNG(4).integers(-50, 50, 512).astype(np.int16)
    keys, values = x.copy(), np.arange(512, dtype=np.int32)
    bench.launch("block_merge_sort", 1, 128, keys, values)
    order = np.argsort(-x.astype(np.int32), kind="stable")
    same(keys, x[order])
    same(values, order)


@case("cub_block.cu", flags=BLOCK)
def block_histogram(bench: Bench) -> None:
    x = (RNG(5).standard_normal(512) * 20 + 100).astype(np.uint8)
    for entry in ("sort", "atomic"):
        out = np.zeros(256, np.uint32)
        bench.launch(f"block_histogram_{entry}", 1, 128, x, out)
        same(out, np.bincount(x, minlength=256))


@case("cub_block.cu", flags=BLOCK)
def block_neighbours(bench: Bench) -> None:
    x = RNG(6).integers(0, 3, 512).astype(np.int32)
    heads, differences, shifted = (np.zeros(512, np.int32) for _ in range(3))
    bench.launch("block_neighbours", 1, 128, x, heads, differences, shifted)
    same(heads, np.r_[1, x[1:] != x[:-1]])
    same(differences, np.r_[x[0], np.diff(x)])
    same(shifted, np.r_[-1, x[:-1]])


# A serial merge reads one key behind the end, and drops it.
BEHIND = [r"^uninitialized.*shared"]


@case("cub_block.cu", flags=BLOCK, known=BEHIND)
def warp_collectives(bench: Bench) -> None:
    x, small = RNG(7).integers(0, 100, 128).astype(np.int32), RNG(8).integers(-99, 99, 256).astype(np.int16)
    out, sorted_ = np.zeros((128, 5), np.int32), small.copy()
    bench.launch("warp_collectives", 1, 128, x, out, sorted_)
    bounded = np.minimum(x.reshape(4, 32).cumsum(1), 1000)
    same(out[:, 0], bounded.reshape(-1))
    same(out[:, 1], np.pad(bounded[:, :-1], ((0, 0), (1, 0))).reshape(-1))
    rows = x.reshape(4, 32)
    same(out[:, 2], (rows.sum(1)[:, None] - rows.cumsum(1) + rows).reshape(-1))
    eights = x.reshape(16, 8)
    same(out[:, 3].reshape(16, 8)[:, 0], eights.sum(1))
    for row, got in zip(eights, out[:, 4].reshape(16, 8), strict=True):
        starts = [i for i in range(8) if i == 0 or row[i] % 3 == 0]
        for start, stop in zip(starts, [*starts[1:], 8], strict=True):
            assert got[start] == row[start:stop].sum()
    same(sorted_.reshape(8, 32), np.sort(small.reshape(8, 32), 1))


class Device:
    """The module of device-wide kernels: entries by parts of their names, with their block sizes and tuning."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def items(self, name: str) -> int:
        """How many items a thread takes, by CUB's tuning."""
        return int(np.frombuffer(self.bench.emulator.symbol(f"{name}_items").read(4), np.int32)[0])

    def threads(self, entry: str, default: int) -> int:
        """The block size that a kernel declares."""
        found = re.search(rf"\.entry {re.escape(entry)}\(.*?\)\s*(?:\.maxntid (\d+))?", self.bench.ptx, re.DOTALL)
        assert found is not None
        return int(found.group(1) or default)

    def launch(self, parts: tuple[str, ...], blocks: int, *args: Any, threads: int = 128) -> None:
        entry = self.bench.kernel(*parts)
        self.bench.launch(entry, blocks, self.threads(entry, threads), *args)

    def tile(self, parts: tuple[str, ...], name: str) -> int:
        """How many items a block takes."""
        return self.items(name) * self.threads(self.bench.kernel(*parts), 0)

    def unwritten(self, nbytes: int) -> Any:
        return self.bench.emulator.buffer(nbytes)


def tiles_of(n: int, tile: int) -> int:
    return -(-n // tile)


STATE_PADDING = 32  # descriptors of tiles before the first one


@case("cub_device.cu")
def device_scan(bench: Bench) -> None:
    cub, n = Device(bench), 20_000
    x, out = RNG(10).integers(-100, 100, n).astype(np.int32), np.zeros(n, np.int32)
    scan = ("DeviceScanKernel",)
    tiles = tiles_of(n, cub.tile(scan, "scan"))
    state = cub.unwritten(8 * (tiles + STATE_PADDING))
    cub.launch(("DeviceScanInitKernel",), tiles_of(tiles, 128), struct.pack("<Q", state.address), tiles)
    initial = struct.pack("<?7xq", False, 7)  # an immediate value, not a pointer to one
    cub.launch(scan, tiles, x, out, struct.pack("<Q", state.address), 0, EMPTY, initial, n)
    same(out, 7 + x.cumsum() - x)


@case("cub_device.cu")
def device_reduce(bench: Bench) -> None:
    cub, n, blocks = Device(bench), 30_001, 5
    x, out = RNG(11).integers(-1000, 1000, n).astype(np.int32), np.zeros(1, np.int32)
    kernel = ("18DeviceReduceKernel",)
    tile = cub.tile(kernel, "reduce")
    total = tiles_of(n, tile)
    each = total // blocks
    big = total - each * blocks
    share = struct.pack("<10I", total, big, each * tile + tile, each * tile, big * tile, n, blocks, n, n, 0)
    partial = cub.unwritten(4 * blocks)
    cub.launch(kernel, blocks, x, partial, n, share, EMPTY, EMPTY)
    cub.launch(("SingleTileKernel", "plusIvEEE10Policy1000EPiS"), 1, partial, out, blocks, EMPTY, 5, EMPTY)
    assert out[0] == x.sum() + 5
    cub.launch(("DeviceReduceSingleTileKernel", "10Policy1000EPKi"), 1, x, out, 3000, EMPTY, -1, EMPTY)
    assert out[0] == x[:3000].sum() - 1


@case("cub_device.cu")
def device_radix_sort(bench: Bench) -> None:
    cub, n = Device(bench), 20_000
    keys = RNG(12).integers(0, 1 << 32, n).astype(np.uint32)
    keys[::3] &= 0xFFF
    values = np.arange(n, dtype=np.int32)
    digits = 1 << cub.items("radix_bits")
    passes = -(-32 // cub.items("radix_bits"))
    onesweep = ("DeviceRadixSortOnesweepKernel",)
    tiles = tiles_of(n, cub.tile(onesweep, "onesweep"))
    bins, counters = bench.buffer(4 * passes * digits), bench.buffer(4 * passes)
    cub.launch(("DeviceRadixSortHistogramKernel",), 4, bins, keys, n, 0, 32, EMPTY)
    cub.launch(("DeviceRadixSortExclusiveSumKernel",), passes, bins, threads=256)
    expected = np.stack([np.bincount(keys >> (8 * p) & 255, minlength=256) for p in range(4)])
    same(
        np.frombuffer(bins.read(4 * passes * digits), np.uint32).reshape(passes, digits), expected.cumsum(1) - expected
    )
    source = [bench.buffer(keys), bench.buffer(values)]
    target = [cub.unwritten(4 * n), cub.unwritten(4 * n)]
    for step in range(passes):
        lookback = bench.buffer(4 * tiles * digits)
        addresses = [struct.pack("<Q", b.address + o) for b, o in [(counters, 4 * step), (bins, 4 * step * digits)]]
        cub.launch(
            onesweep,
            tiles,
            lookback,
            addresses[0],
            None,
            addresses[1],
            target[0],
            source[0],
            target[1],
            source[1],
            n,
            8 * step,
            8,
            EMPTY,
        )
        source, target = target, source
    order = np.argsort(keys, kind="stable")
    same(np.frombuffer(source[0].read(4 * n), np.uint32), keys[order])
    same(np.frombuffer(source[1].read(4 * n), np.int32), order)


@case("cub_device.cu")
def device_radix_sort_single_tile(bench: Bench) -> None:
    cub, n = Device(bench), 2000
    keys, values = RNG(13).integers(0, 1 << 16, n).astype(np.uint32), np.arange(n, dtype=np.int32)
    out, moved = np.zeros_like(keys), np.zeros_like(values)
    cub.launch(("DeviceRadixSortSingleTileKernel",), 1, keys, out, values, moved, n, 0, 16, EMPTY)
    order = np.argsort(keys, kind="stable")
    same(out, keys[order])
    same(moved, order)


@case("cub_device.cu")
def device_histogram(bench: Bench) -> None:
    cub, n, blocks = Device(bench), 60_000, 3
    x = (RNG(14).standard_normal(n) * 40 + 128).clip(0, 255).astype(np.uint8)
    bins = cub.unwritten(4 * 256)
    sweep = ("DeviceHistogramSweepKernel",)
    tiles = tiles_of(n, cub.tile(sweep, "histogram"))
    private, queue = cub.unwritten(4 * 256 * blocks), cub.unwritten(8)
    pointer = [struct.pack("<Q", b.address) for b in (bins, private, queue)]
    count = struct.pack("<i", 256)
    cub.launch(("DeviceHistogramInitKernel",), 1, count, pointer[0], pointer[2], threads=256)
    scale = struct.pack("<4i", 256, 0, 256, 256)  # levels: the last, the first; bins over their range
    cub.launch(sweep, blocks, x, count, count, pointer[0], pointer[1], scale, EMPTY, n, 1, n, tiles, pointer[2])
    same(np.frombuffer(bins.read(1024), np.int32), np.bincount(x, minlength=256))


@case("cub_device.cu")
def device_select(bench: Bench) -> None:
    cub, n = Device(bench), 25_000
    x, flags = RNG(15).integers(0, 1 << 30, n).astype(np.int32), (RNG(16).random(n) < 0.3).astype(np.uint8)
    out, count = np.zeros(n, np.int32), np.zeros(1, np.int32)
    sweep = ("DeviceSelectSweepKernel",)
    tiles = tiles_of(n, cub.tile(sweep, "select"))
    state = cub.unwritten(8 * (tiles + STATE_PADDING))
    pointer = struct.pack("<Q", state.address)
    cub.launch(("DeviceCompactInitKernel", "13ScanTileStateIi"), tiles_of(tiles, 128), pointer, tiles, count)
    streaming = struct.pack("<??6xqqQQ", True, True, n, 0, 0, 0)
    cub.launch(sweep, tiles, x, flags, out, count, pointer, EMPTY, EMPTY, n, tiles, streaming, bytes(8))
    assert count[0] == flags.sum()
    same(out[: count[0]], x[flags == 1])


@case("cub_device.cu")
def device_reduce_by_key(bench: Bench) -> None:
    cub, n = Device(bench), 12_000
    keys, values = np.sort(RNG(17).integers(0, 900, n)).astype(np.int32), RNG(18).integers(-9, 9, n).astype(np.int32)
    unique, sums, count = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(1, np.int32)
    kernel = ("DeviceReduceByKeyKernel", "reduce_by_key10policy_hub")
    tiles = tiles_of(n, cub.tile(kernel, "by_key"))
    state = cub.unwritten(16 * (tiles + STATE_PADDING))
    pointer = struct.pack("<Q", state.address)
    cub.launch(("DeviceCompactInitKernel", "StateIijLb1"), tiles_of(tiles, 128), pointer, tiles, count)
    cub.launch(kernel, tiles, keys, unique, values, sums, count, pointer, 0, EMPTY, EMPTY, n)
    expected, first = np.unique(keys, return_index=True)
    assert count[0] == len(expected)
    same(unique[: len(expected)], expected)
    same(sums[: len(expected)], np.add.reduceat(values, first))


@case("cub_device.cu")
def device_run_length_encode(bench: Bench) -> None:
    cub, n = Device(bench), 12_000
    x = np.repeat(RNG(19).integers(0, 5, n), RNG(20).integers(1, 9, n))[:n].astype(np.int32)
    unique, lengths, count = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(1, np.int32)
    kernel = ("DeviceReduceByKeyKernel", "constant_iterator")
    tiles = tiles_of(n, cub.tile(kernel, "encode"))
    state = cub.unwritten(16 * (tiles + STATE_PADDING))
    pointer = struct.pack("<Q", state.address)
    cub.launch(("DeviceCompactInitKernel", "StateIiiLb1"), tiles_of(tiles, 128), pointer, tiles, count)
    one = struct.pack("<2i", 0, 1)  # where a constant iterator stands, and its constant
    entry = next(name for name in bench.emulator.kernels if all(part in name for part in kernel))
    size = bench.emulator.kernels[entry][2].bytes
    cub.launch(kernel, tiles, x, unique, one.ljust(size, b"\0"), lengths, count, pointer, 0, EMPTY, EMPTY, n)
    heads = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])
    assert count[0] == len(heads)
    same(unique[: len(heads)], x[heads])
    same(lengths[: len(heads)], np.diff(np.r_[heads, n]))


@case("cub_device.cu", known=BEHIND)
def device_merge_sort(bench: Bench) -> None:
    cub, n = Device(bench), 20_000
    x = RNG(21).integers(-(1 << 30), 1 << 30, n).astype(np.int32)
    keys, spare = bench.buffer(x), cub.unwritten(4 * n)
    block, merge = ("DeviceMergeSortBlockSortKernel",), ("DeviceMergeSortMergeKernel",)
    tile = cub.tile(block, "merge")
    tiles = tiles_of(n, tile)
    passes = (tiles - 1).bit_length()
    ping = passes % 2 == 0
    partitions, none = cub.unwritten(4 * (tiles + 1)), bytes(8)
    cub.launch(block, tiles, ping, keys, None, keys, None, n, spare, None, EMPTY, none)
    for step in range(passes):
        cub.launch(
            ("DeviceMergeSortPartitionKernel",),
            tiles_of(tiles + 1, 256),
            ping,
            keys,
            spare,
            n,
            tiles + 1,
            partitions,
            EMPTY,
            2 << step,
            tile,
            threads=256,
        )
        cub.launch(merge, tiles, ping, keys, None, n, spare, None, EMPTY, partitions, 2 << step, none)
        ping = not ping
    same(np.frombuffer(keys.read(4 * n), np.int32), np.sort(x))
