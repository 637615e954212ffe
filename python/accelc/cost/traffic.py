"""How many bytes cross the outermost memory's pins, given what fits on the chip."""

from __future__ import annotations

import math
from collections.abc import Iterable

from accelc.core.machine import Machine
from accelc.core.plan import Plan
from accelc.cost.analysis import Gemm

# The slice of k that a blocked contraction holds at a time, twice (double buffering).
_K_SLICE = 64
_ACCUMULATOR_BYTES = 4
_FORMAT_BYTES = {"f64": 8.0, "f32": 4.0, "tf32": 4.0, "i32": 4.0, "f16": 2.0, "bf16": 2.0, "i16": 2.0}
_FORMAT_BYTES |= {"i4": 0.5, "f4E2M1FN": 0.5}


def format_bytes(number_format: str) -> float:
    """Bytes of one number; formats that are not listed have 8 bits."""
    return _FORMAT_BYTES.get(number_format, 1.0)


def on_chip_bytes(machine: Machine) -> float:
    """What the machine's largest level of on-chip memory holds, over all of its instances."""
    sizes = [level.capacity * (machine.cores if level.scope == "core" else 1) for level in machine.levels[1:]]
    return max(sizes, default=0.0)


def gemm_reads(gemm: Gemm, capacity: float) -> float:
    """Bytes of operands that a blocked contraction reads, with ``capacity`` bytes to hold blocks in.

    The least over block sizes (powers of two) of: blocks of the output that stay while k passes by; and one
    operand's panel that stays while the other passes by. More capacity never gives more bytes, and no capacity
    fewer than each operand once.
    """
    size = format_bytes(gemm.format)
    a = gemm.source_elements * size
    b = gemm.batch * gemm.k * gemm.n * size
    # Convolution windows overlap: a row of the (m, k) matrix costs its share of the source.
    row = a / (gemm.batch * gemm.m)
    column = gemm.k * size
    k_slice = min(gemm.k, _K_SLICE)
    best = math.inf
    for bm in _blocks(gemm.m):
        for bn in _blocks(gemm.n):
            a_times, b_times = math.ceil(gemm.n / bn), math.ceil(gemm.m / bm)
            stream = 2 * size * k_slice
            output = _ACCUMULATOR_BYTES * bm * bn
            if output + stream * (bm + bn) <= capacity:
                best = min(best, a * a_times + b * b_times)
            if output + bm * row + stream * bn <= capacity:
                best = min(best, a + b * b_times)
            if output + bn * column + stream * bm <= capacity:
                best = min(best, a * a_times + b)
    # Nothing fits: every product fetches its operands.
    return best if math.isfinite(best) else a * gemm.n + b * gemm.m


def _blocks(extent: int) -> Iterable[int]:
    block = 1
    while block < extent:
        yield block
        block *= 2
    yield extent


class CacheModel:
    """Which of a launch's inputs are still on the chip from launches before.

    A buffer hits if what was touched since it was last touched, itself included, fits into the capacity: exact for
    an LRU cache of whole buffers. A run starts cold.
    """

    def __init__(self, plan: Plan, capacity: float) -> None:
        self._plan = plan
        self._capacity = capacity
        self._recent: dict[tuple[object, ...], int] = {}  # the least recent first

    def touch(self, buffers: Iterable[int]) -> float:
        """Records a use of ``buffers``; the bytes of them that were on the chip already."""
        hits = 0.0
        for index in buffers:
            buffer = self._plan.buffers[index]
            key = (buffer.kind, buffer.offset, buffer.ref, buffer.index)
            if key in self._recent and self._distance(key) <= self._capacity:
                hits += buffer.nbytes
            self._recent.pop(key, None)
            self._recent[key] = buffer.nbytes
        return hits

    def _distance(self, key: tuple[object, ...]) -> float:
        distance = 0
        for other, nbytes in reversed(self._recent.items()):
            distance += nbytes
            if other == key or distance > self._capacity:
                break
        return distance
