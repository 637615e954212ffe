"""What cp.async.bulk.tensor must do, by numpy: coordinates of every element of a box, and where they lie in memory.

Everything is computed element by element from lists of coordinates, not row by row.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.targets.gpu.emulator import TensorMap

BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
REDUCED_AS = {
    "uint32": "u32",
    "int32": "s32",
    "uint64": "u64",
    "int64": "s64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float32_ftz": "f32",
    "float64": "f64",
}


def places(tm: TensorMap, start: Sequence[int], offsets: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Byte offsets of all elements of a box, in the order of shared memory, and which of them lie in the tensor."""
    rank = len(tm.dims)
    if tm.im2col:
        pixels = np.array(_pixels(tm, start), np.int64)  # [pixels, W H D N]
        pixels[:, : len(offsets)] += np.array(offsets, np.int64)
        channels = start[0] + np.arange(tm.channels)
        coordinates = [np.broadcast_to(channels[None, :], (tm.pixels, tm.channels))]
        coordinates += [np.broadcast_to(pixels[:, d, None], (tm.pixels, tm.channels)) for d in range(rank - 1)]
    else:
        steps = (1, *tm.element_strides[1:])
        axes = [start[d] + np.arange(0, tm.box[d], steps[d]) for d in range(rank)]
        coordinates = list(np.meshgrid(*axes[::-1], indexing="ij"))[::-1]
    inside = np.ones(coordinates[0].shape, bool)
    at = np.zeros(coordinates[0].shape, np.int64)
    for x, length, stride in zip(coordinates, tm.dims, (tm.itemsize, *tm.strides), strict=True):
        inside &= (x >= 0) & (x < length)
        at += x * stride
    return at.reshape(-1), inside.reshape(-1)


def _pixels(tm: TensorMap, start: Sequence[int]) -> list[tuple[int, ...]]:
    """The pixels of a column: all positions of the box of pixels in order, from that of `start` on."""
    steps = tm.element_strides[1:]
    axes = [
        range(low, length + high, step)
        for low, high, length, step in zip(tm.lower_corner, tm.upper_corner, tm.dims[1:-1], steps, strict=False)
    ]
    images = range(start[-1], start[-1] + tm.pixels * steps[-1] + 1, steps[-1])
    positions = [p[::-1] for p in itertools.product(images, *axes[::-1])]
    first = positions.index(tuple(start[1:]))
    return positions[first : first + tm.pixels]


def load(tm: TensorMap, memory: np.ndarray, start: Sequence[int], offsets: Sequence[int] = ()) -> np.ndarray:
    """The elements of a box, as unsigned integers of their size, before the swizzle."""
    at, inside = places(tm, start, offsets)
    bits = BITS[tm.itemsize]
    fill = (1 << (8 * tm.itemsize - 1)) - 1 if tm.oob_fill else 0  # the NaN without sign, of all ones
    result = np.full(at.size, fill, bits)
    got = memory[at[inside, None] + np.arange(tm.itemsize)].view(bits).reshape(-1)
    if tm.dtype.endswith("ftz"):
        got = np.where(got & 0x7F800000 == 0, got & 0x80000000, got).astype(bits)
    if tm.dtype.startswith("tfloat32"):
        got = _tf32(got)
    result[inside] = got
    return result


def _tf32(u: np.ndarray) -> np.ndarray:
    """To the nearest of 10 bits of mantissa, ties to even, by exact arithmetic in double precision."""
    with np.errstate(all="ignore"):
        x = u.view(np.float32).astype(np.float64)
        exponent = np.maximum(np.frexp(x)[1] - 1, -126)
        unit = np.ldexp(1.0, exponent - 10)
        rounded = np.where(np.isfinite(x), np.round(x / unit) * unit, x)
        rounded = np.copysign(rounded, x)
        return np.where(np.isnan(x), u, rounded.astype(np.float32).view(np.uint32)).astype(np.uint32)


def stored(tm: TensorMap, memory: np.ndarray, start: Sequence[int], box: np.ndarray, merge: Any = None) -> np.ndarray:
    """The tensor's memory after a box (unsigned elements, no swizzle) was stored, or with `merge` reduced, into it."""
    at, inside = places(tm, start)
    result = memory.copy()
    index = at[inside, None] + np.arange(tm.itemsize)
    new = box[inside]
    if merge is not None:
        old = result[index].view(BITS[tm.itemsize]).reshape(-1)
        new = merge(old, new)
    result[index] = np.ascontiguousarray(new).view(np.uint8).reshape(-1, tm.itemsize)
    return result


def random_map(rank: int, rng: np.random.Generator, dtype: str | None = None, im2col: bool = False) -> TensorMap:
    """A map of random parameters over memory of random bytes (no NaN), with a box of at most 16 KiB."""
    types = ["uint8", "uint16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64", "bfloat16"]
    types += ["float32_ftz", "tfloat32", "tfloat32_ftz"]
    dtype = dtype or str(rng.choice(types))
    item = TensorMap(np.zeros(16, np.uint8), dtype=dtype, dims=[16], box=[16]).itemsize
    swizzle = str(rng.choice(["none", "32B", "64B", "128B"]))
    most = {"none": min(256, 256 * item // 16), "32B": 2, "64B": 4, "128B": 8}[swizzle]
    row = 16 * int(rng.integers(1, min(most, 16) + 1)) // item
    while row > 256:
        row //= 2
    steps = [int(x) for x in rng.choice([1, 1, 1, 2, 3], rank - 1)]
    box = [row]
    for step in steps:
        room = 16384 // (item * int(np.prod(box)))
        box.append(int(rng.integers(1, max(2, min(256, room, (10 if rank < 4 else 5) * step)))))
    dims = [int(rng.integers(1, 2 * n + 2)) for n in box]
    if im2col:
        dims[1:] = [int(x) for x in rng.integers(2, 10, rank - 1)]
    strides, extent = [], -(-dims[0] * item // 16) * 16
    for length in dims[1:]:
        extent += 16 * int(rng.integers(0, 3))
        strides.append(extent)
        extent *= length
    memory = rng.integers(0, 255, max(extent, 16), dtype=np.uint8)
    floating = dtype.startswith(("float", "bfloat", "tfloat"))
    common: dict[str, Any] = {
        "dtype": dtype,
        "dims": dims,
        "strides": strides,
        "element_strides": [1, *steps],
        "swizzle": swizzle,
        "oob_fill": str(rng.choice(["zeros", "nan"])) if floating else "zeros",
        "l2_promotion": str(rng.choice(["none", "64B", "128B", "256B"])),
    }
    if im2col:
        lower = [int(x) for x in rng.integers(-3, 2, rank - 2)]
        upper = [int(rng.integers(max(-3, low - n + 1), 3)) for low, n in zip(lower, dims[1:], strict=False)]
        pixels = int(rng.integers(1, max(2, min(64, 16384 // (row * item)))))
        return TensorMap(memory, lower_corner=lower, upper_corner=upper, channels=row, pixels=pixels, **common)
    return TensorMap(memory, box=box, **common)


def random_start(tm: TensorMap, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Coordinates and im2col offsets: of boxes in the tensor where it has room, across its edges, and beyond them."""
    beyond = float(rng.choice([0.0, 0.3, 0.6]))  # for each dimension

    def first(box: int, length: int) -> int:
        if rng.random() < beyond:
            return int(rng.integers(-box, length + 2))
        return int(rng.integers(0, max(length - box, 0) + 1))

    if not tm.im2col:
        return [first(box, length) for box, length in zip(tm.box, tm.dims, strict=True)], []
    start = [first(tm.channels, tm.dims[0])]
    steps = tm.element_strides[1:]
    for low, high, length, step in zip(tm.lower_corner, tm.upper_corner, tm.dims[1:-1], steps, strict=False):
        start.append(int(rng.choice(np.arange(low, length + high, step))))
    start.append(first(1, tm.dims[-1]))
    return start, [int(x) for x in rng.integers(0, 4, len(tm.dims) - 2)]
