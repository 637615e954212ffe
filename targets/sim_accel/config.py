"""What the compiler needs to know of a machine, in cycles and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes and rates of one core (names as in docs/sim_accel_isa.md, section 5).

    side: the matrix unit's S. formats: cycles a row by matrix format. lanes: vector elements a cycle by ISA type.
    """

    side: int
    sp_bytes: int
    formats: Mapping[str, float]
    lanes: Mapping[str, float]
    vec_cycles: Mapping[str, float]
    vec_startup: float
    sp_bytes_per_cycle: float
    sp_word_bytes: int
    dma_queues: int
    dma_startup: float
    dram_latency: float
    dram_bytes_per_cycle: float
    dma_bytes_per_cycle: float
    burst_bytes: int
    queue_depth: int

    def multiplies(self, act: str, weight: str, acc: str) -> bool:
        """Whether the matrix unit multiplies these types into an accumulator of type ``acc``."""
        if act not in self.formats or weight not in self.formats:
            return False
        groups = (frozenset(("e4m3", "e5m2")), frozenset(("i8", "u8")))
        if act != weight and not any(act in g and weight in g for g in groups):
            return False
        return acc == ("i32" if act in ("i8", "u8") else "f32")

    def row_cycles(self, dtype: str) -> float:
        """Cycles that one row of activations takes."""
        return self.formats["i8" if dtype == "u8" and "u8" not in self.formats else dtype]
