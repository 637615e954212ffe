"""`SimConfig`: what the simulator needs to know of a machine, in cycles, bytes and picojoules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from accelc.core.diagnostics import UsageError
from accelc.targets.sim_accel import isa

#: Cost classes of vector instructions (docs/sim_accel_isa.md, section 5).
VECTOR_CLASSES = ("simple", "div", "func", "pow", "gather")


def _default_lanes() -> dict[str, int]:
    return dict.fromkeys(isa.DTYPES, 16)


def _default_rows() -> dict[str, Fraction]:
    return {"bf16": Fraction(1), "i8": Fraction(1), "u8": Fraction(1)}


def _default_vector_cycles() -> dict[str, int]:
    return {"simple": 1, "div": 4, "func": 8, "pow": 16, "gather": 4}


@dataclass(frozen=True)
class SimConfig:
    """A machine as the simulator sees it. Rates are per cycle of the core's clock.

    array: side S of the matrix array. row_cycles: cycles that a row of mm.mul takes, by type; a type that is
    not there the matrix unit does not have. weight_buffers: 1, or 2 for double-buffered weights.
    sp_bytes: scratchpad capacity. sp_bytes_per_cycle: of each of the matrix and the vector unit's ports.
    sp_word_bytes: what a strided access takes of that. dram_bytes_per_cycle: shared by the DMA queues.
    dram_latency, dma_startup, vec_startup: cycles. burst_bytes: a contiguous run in DRAM is rounded up to it.
    dma_bytes_per_cycle: of one DMA queue on the scratchpad's side. lanes: vector lanes by type.
    vec_cycles: cycles an element row takes, by cost class. pj_*: energies in pJ; pj_mac by type.
    """

    name: str = "default"
    clock_hz: float = 1e9
    array: int = 16
    row_cycles: Mapping[str, Fraction] = field(default_factory=_default_rows)
    weight_buffers: int = 1
    sp_bytes: int = 256 * 1024
    sp_bytes_per_cycle: float = 256.0
    sp_word_bytes: int = 32
    dram_bytes_per_cycle: float = 16.0
    dram_latency: int = 100
    burst_bytes: int = 64
    dma_queues: int = 2
    dma_startup: int = 16
    dma_bytes_per_cycle: float = 64.0
    queue_depth: int = 16
    vec_startup: int = 8
    lanes: Mapping[str, int] = field(default_factory=_default_lanes)
    vec_cycles: Mapping[str, int] = field(default_factory=_default_vector_cycles)
    pj_mac: Mapping[str, float] = field(default_factory=dict)
    pj_sp_byte: float = 0.0
    pj_dram_byte: float = 0.0
    pj_vec_op: float = 0.0
    pj_instr: float = 0.0
    pj_static_cycle: float = 0.0

    def check(self) -> None:
        """Raises UsageError for what no machine can be."""
        positive = {
            "array": self.array,
            "sp_bytes": self.sp_bytes,
            "sp_bytes_per_cycle": self.sp_bytes_per_cycle,
            "sp_word_bytes": self.sp_word_bytes,
            "dram_bytes_per_cycle": self.dram_bytes_per_cycle,
            "burst_bytes": self.burst_bytes,
            "dma_bytes_per_cycle": self.dma_bytes_per_cycle,
            "queue_depth": self.queue_depth,
            "clock_hz": self.clock_hz,
            **{f"row_cycles[{t}]": float(c) for t, c in self.row_cycles.items()},
            **{f"lanes[{t}]": self.lanes.get(t, 0) for t in isa.DTYPES},
            **{f"vec_cycles[{c}]": self.vec_cycles.get(c, 0) for c in VECTOR_CLASSES},
        }
        for name, value in positive.items():
            if not 0 < value < 1 << 40:
                raise UsageError(f"SimConfig.{name} is {value}; it must be positive (and below 2^40)")
        for name in ("dram_latency", "dma_startup", "vec_startup"):
            if not 0 <= getattr(self, name) < 1 << 31:
                raise UsageError(f"SimConfig.{name} is {getattr(self, name)}; it must be in 0..2^31")
        if not 1 <= self.dma_queues <= isa.MAX_DMA_QUEUES:
            raise UsageError(f"SimConfig.dma_queues is {self.dma_queues}; 1 to {isa.MAX_DMA_QUEUES} are possible")
        if self.array > 4096 or self.sp_bytes > 1 << 32 or self.queue_depth > 1024 or self.weight_buffers not in (1, 2):
            raise UsageError(
                "SimConfig: array is at most 4096, sp_bytes 4 GiB, queue_depth 1024; weight_buffers is 1 or 2"
            )
        unknown = [t for t in (*self.row_cycles, *self.lanes, *self.pj_mac) if t not in isa.DTYPES]
        if unknown:
            raise UsageError(f"SimConfig: unknown type {unknown[0]}; types: {', '.join(isa.DTYPES)}")

    def core_fields(self) -> dict[str, object]:
        """The form in which the C++ core takes it."""
        rows = [self.row_cycles.get(t, Fraction(0)) for t in isa.DTYPES]
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            **{name: float(getattr(self, name)) for name in _FLOATS},
            "row_num": [r.numerator for r in rows],
            "row_den": [r.denominator if r else 0 for r in rows],
            "lanes": [self.lanes[t] for t in isa.DTYPES],
            "vec_cycles": [0, *(self.vec_cycles[c] for c in VECTOR_CLASSES)],
        }


_PLAIN = (
    "array",
    "sp_bytes",
    "sp_word_bytes",
    "dram_latency",
    "burst_bytes",
    "dma_queues",
    "dma_startup",
    "queue_depth",
    "vec_startup",
    "weight_buffers",
)
_FLOATS = ("sp_bytes_per_cycle", "dram_bytes_per_cycle", "dma_bytes_per_cycle")
