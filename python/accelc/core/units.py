"""Quantities with units, as machine descriptions write them: ``"1.6 TB/s"``, ``"192 KiB"``, ``"2.1 pJ"``.

Every quantity becomes a float in its base unit: bytes, bytes/s, Hz, s, J, J/byte, J/op, op/s, W. Decimal prefixes
are powers of ten (kB = 1000 B) and binary ones powers of two (KiB = 1024 B). One multiply-accumulate (MAC) counts as
two operations. A quantity per cycle needs the machine's clock.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

# Factors are exact, so that "5 us" is the float nearest to 5e-6.
_DECIMAL = {prefix: Fraction(10**n) for prefix, n in zip(("", "k", "M", "G", "T", "P"), range(0, 18, 3), strict=True)}
_BINARY = {prefix: Fraction(2**n) for prefix, n in zip(("Ki", "Mi", "Gi", "Ti"), range(10, 50, 10), strict=True)}
_SMALL = {p: Fraction(1, 10**n) for p, n in {"": 0, "m": 3, "u": 6, "µ": 6, "n": 9, "p": 12, "f": 15}.items()}

_BYTES = {f"{p}B": s for p, s in {**_DECIMAL, **_BINARY}.items()}
_OPS = {f"{p}{op}": s * n for p, s in _DECIMAL.items() for op, n in (("FLOP", 1), ("OP", 1), ("MAC", 2))}
_JOULES = {f"{p}J": s for p, s in _SMALL.items()}


@dataclass(frozen=True)
class Dimension:
    """What a field measures.

    name: as an error message calls it.
    units: unit -> factor to the base unit.
    cycle_units: unit -> factor; those that are per clock cycle (rates) or counted in cycles (times).
    example: a value that a user might write.
    per_second: whether a cycle unit is multiplied by the clock (rates) or divided by it (times).
    """

    name: str
    units: dict[str, Fraction]
    example: str
    cycle_units: dict[str, Fraction]
    per_second: bool = True


def _rates(units: dict[str, Fraction]) -> tuple[dict[str, Fraction], dict[str, Fraction]]:
    return {f"{u}/s": f for u, f in units.items()}, {f"{u}/cycle": f for u, f in units.items()}


_BANDWIDTH, _BANDWIDTH_CYCLE = _rates(_BYTES)
_RATE, _RATE_CYCLE = _rates(_OPS)

BYTES = Dimension("a size", _BYTES, "192 KiB", {})
BANDWIDTH = Dimension("a bandwidth", _BANDWIDTH, "1.6 TB/s", _BANDWIDTH_CYCLE)
FREQUENCY = Dimension("a frequency", {f"{p}Hz": s for p, s in _DECIMAL.items()}, "1.1 GHz", {})
TIME = Dimension(
    "a time", {f"{p}s": s for p, s in _SMALL.items()}, "120 ns", {"cycle": Fraction(1), "cycles": Fraction(1)}, False
)
RATE = Dimension("a rate of operations", _RATE, "989 TFLOP/s", _RATE_CYCLE)
POWER = Dimension("a power", {f"{p}W": s for p, s in {**_SMALL, **_DECIMAL}.items()}, "700 W", {})
ENERGY_PER_BYTE = Dimension(
    "an energy per byte",
    {f"{j}/{b}": f * n for j, f in _JOULES.items() for b, n in (("B", 1), ("byte", 1), ("bit", 8))},
    "4 pJ/B",
    {},
)
ENERGY_PER_OP = Dimension(
    "an energy per operation",
    {f"{j}/{op}": f / n for j, f in _JOULES.items() for op, n in (("FLOP", 1), ("OP", 1), ("MAC", 2))},
    "0.4 pJ/MAC",
    {},
)
ENERGY = Dimension("an energy", _JOULES, "2.1 pJ", {})

_QUANTITY = re.compile(r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*)\s*")


def parse_quantity(text: object, dimension: Dimension, clock: float | None = None) -> float:
    """``text`` in the base unit of ``dimension``; ``clock`` in Hz resolves units per cycle.

    Raises:
        ValueError: no unit, an unknown unit, not a number, or a unit per cycle without a clock.
    """
    if isinstance(text, bool) or not isinstance(text, str):
        raise ValueError(f'{text!r} has no unit; write {dimension.name} such as "{dimension.example}"')
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not {dimension.name}; write it as "{dimension.example}"')
    digits, unit = match[1].replace("_", ""), match[2]
    if not unit:
        raise ValueError(f'"{text}" has no unit; write {dimension.name} such as "{dimension.example}"')
    if len(digits) > 40:
        raise ValueError(f"a number of {len(digits)} digits is too long")
    if math.isinf(float(digits)):
        raise ValueError(f'"{text}" is not a finite number')
    number = Fraction(digits) if float(digits) else Fraction(0)  # an exponent of -10^9 must not become an integer
    if unit in dimension.units:
        value = float(number * dimension.units[unit])
    elif unit in dimension.cycle_units:
        if clock is None:
            raise ValueError(f'"{text}" is per cycle, but the machine has no valid clock')
        count = float(number * dimension.cycle_units[unit])
        value = count * clock if dimension.per_second else count / clock
    else:
        raise ValueError(f'"{unit}" is not a unit of {dimension.name}{_hint(unit, dimension)}')
    if not math.isfinite(value):
        raise ValueError(f'"{text}" is not a finite number')
    return value


def _hint(unit: str, dimension: Dimension) -> str:
    folded = [u for u in (*dimension.units, *dimension.cycle_units) if u.casefold() == unit.casefold()]
    if folded:
        return f'; did you mean "{folded[0]}"?'
    return f'; an example is "{dimension.example}"'


def format_quantity(value: float, unit: str, digits: int = 3) -> str:
    """``value`` in base units with a decimal prefix: ``format_quantity(1.6e12, "B/s") == "1.6 TB/s"``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    prefixes = {**{p: f for p, f in _SMALL.items() if p != "u"}, **_DECIMAL}
    scales = sorted(((float(f), p) for p, f in prefixes.items()), reverse=True)
    scale, prefix = next(((s, p) for s, p in scales if abs(value) >= s * 0.9995), scales[-1])
    mantissa = value / scale
    return f"{mantissa:.{digits}g} {prefix}{unit}" if abs(mantissa) < 10**digits else f"{mantissa:.0f} {prefix}{unit}"
