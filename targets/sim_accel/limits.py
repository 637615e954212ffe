"""What the compiler asks of a machine: the simulator's own description of it, under the names the compiler uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from accelc.targets.sim_accel.config import SimConfig

_MIXING = (frozenset(("e4m3", "e5m2")), frozenset(("i8", "u8")))


@dataclass(frozen=True)
class Limits:
    """Sizes and rates of one core, in bytes and cycles (docs/sim_accel_isa.md, section 5)."""

    config: SimConfig

    @cached_property
    def side(self) -> int:
        """The matrix unit's S."""
        return self.config.array

    @cached_property
    def rates(self) -> dict[str, float]:
        """Cycles that a row of activations takes, by matrix format."""
        return {t: float(c) for t, c in self.config.row_cycles.items()}

    def multiplies(self, act: str, weight: str, acc: str) -> bool:
        """Whether the matrix unit multiplies these types into an accumulator of type ``acc``."""
        if act not in self.rates or weight not in self.rates:
            return False
        if act != weight and not any(act in g and weight in g for g in _MIXING):
            return False
        return acc == ("i32" if act in ("i8", "u8") else "f32")

    def lanes(self, dtype: str) -> int:
        """Vector elements a cycle of a type."""
        return self.config.lanes[dtype]


def limits_of(machine: Any) -> Limits:
    """The limits of a machine: a name that ships, the path of a TOML file, or a resolved description."""
    if isinstance(machine, str):
        return _limits_of_name(machine)
    from accelc.targets.sim_accel.machine import sim_config

    return Limits(sim_config(machine))


@lru_cache(maxsize=16)
def _limits_of_name(name: str) -> Limits:
    from accelc.targets.sim_accel.machine import load_config

    return Limits(load_config(name))
