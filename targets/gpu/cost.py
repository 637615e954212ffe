"""The GPU cost model: contractions in tiles and waves, everything else as in `accelc.cost.analytical`.

A contraction is cut into output tiles; each SM computes one tile at a time, so the last wave of tiles may leave SMs
idle, and each wave waits for its first operands and its last results. Tiles are fed from the L2 cache: small ones
reuse less of what they load. Where there are few tiles, k is split.
"""

from __future__ import annotations

import math
from typing import Any

from accelc.core.machine import Machine
from accelc.core.target import CompileOptions
from accelc.cost.analysis import Gemm, KernelWork
from accelc.cost.analytical import KernelTime, kernel_time, peak_rate, predict
from accelc.cost.model import CostReport
from accelc.cost.traffic import format_bytes

_K_SPLITS = (1, 2, 4, 8, 16)
# Partial sums are f32: each split writes and the last one reads them.
_PARTIAL_BYTES = 2 * 4
# k is rounded up to what one matrix instruction takes: 32 bytes of each row of an operand.
_K_BYTES = 32


def contraction_seconds(machine: Machine, gemm: Gemm, number_format: str) -> float:
    """Seconds of a contraction on the matrix engine with the best tile and split, or on the vector engine."""
    vector = max((e.rates.get(number_format, 0.0) * e.achievable for e in machine.engines_of("vector")), default=0.0)
    best = 2 * gemm.macs / vector if vector else math.inf
    matrix = max((e.rates.get(number_format, 0.0) * e.achievable for e in machine.engines_of("matrix")), default=0.0)
    if matrix:
        for tile in machine.section.gemm_tiles:
            for splits in _K_SPLITS:
                best = min(best, _tiled(machine, gemm, number_format, matrix, tile, splits))
    return best if math.isfinite(best) else 2 * gemm.macs / peak_rate(machine, number_format)


def _tiled(machine: Machine, gemm: Gemm, number_format: str, rate: float, tile: tuple[int, int], splits: int) -> float:
    size = format_bytes(number_format)
    tm, tn = tile
    quantum = max(1, round(_K_BYTES / size))
    k = math.ceil(gemm.k / (splits * quantum)) * quantum
    tiles = gemm.batch * math.ceil(gemm.m / tm) * math.ceil(gemm.n / tn) * splits
    waves = math.ceil(tiles / machine.cores)
    l2 = machine.level("l2")
    fill = machine.memory.latency + l2.latency
    compute = waves * (fill + 2 * tm * tn * k / (rate / machine.cores))
    fed = tiles * (tm + tn) * k * size
    combine = 0.0
    if splits > 1:
        fed += gemm.batch * gemm.m * gemm.n * splits * _PARTIAL_BYTES
        combine = fill
    return max(compute, fed / (l2.bandwidth * l2.achievable)) + combine


def launch_time(machine: Machine, work: KernelWork, precision: str, cached: float = 0.0) -> KernelTime:
    """Where the time of one launch goes."""
    overhead = machine.section.launch_overhead
    return kernel_time(machine, work, precision, contraction_seconds, overhead=overhead, cached=cached)


def cost(module: Any, machine: Machine, options: CompileOptions) -> CostReport:
    """What a module at the `kernels` stage costs on a GPU."""
    return predict(
        module,
        machine,
        options.precision,
        contraction=contraction_seconds,
        overhead=machine.section.launch_overhead,
    )
