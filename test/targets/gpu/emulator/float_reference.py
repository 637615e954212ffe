"""What floating-point instructions must give, from numpy and exact fractions: rounding to any format in any mode, and
the inputs that go to the edges of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
from ptx_kernels import expand

from accelc.targets.gpu.emulator import native

MODES = ("rn", "rz", "rm", "rp")
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Format:
    """A binary format: its precision with the hidden bit, its exponents, its largest number, and numpy's dtype."""

    precision: int
    least: int  # exponent of the least normal number
    largest: float
    dtype: Any
    nan: int  # the code of NaN results
    infinite: bool = True  # it has infinities

    @property
    def bits(self) -> Any:
        """The unsigned dtype of its codes."""
        return np.dtype(f"uint{8 * np.dtype(self.dtype).itemsize}")


F16 = Format(11, -14, 65504.0, np.float16, 0x7FFF)
BF16 = Format(8, -126, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max), ml_dtypes.bfloat16, 0x7FFF)
F32 = Format(24, -126, float(np.finfo(np.float32).max), np.float32, 0x7FFFFFFF)
F64 = Format(53, -1022, float(np.finfo(np.float64).max), np.float64, 0xFFF8000000000000)
E4M3 = Format(4, -6, 448.0, ml_dtypes.float8_e4m3fn, 0x7F, False)
E5M2 = Format(3, -14, 57344.0, ml_dtypes.float8_e5m2, 0x7F)
E2M1 = Format(2, 0, 6.0, ml_dtypes.float4_e2m1fn, 0x7, False)
E2M3 = Format(4, 0, 7.5, ml_dtypes.float6_e2m3fn, 0x1F, False)
E3M2 = Format(3, -2, 28.0, ml_dtypes.float6_e3m2fn, 0x1F, False)
FORMATS = {"f16": F16, "bf16": BF16, "f32": F32, "f64": F64}
NARROW = {"e4m3": E4M3, "e5m2": E5M2, "e2m1": E2M1, "e2m3": E2M3, "e3m2": E3M2}


def rounded(x: Array, to: Format, mode: str = "rn", satfinite: bool = False) -> Array:
    """Each number (float64 or longdouble) rounded to a format's values, kept as float64; NaN stays.

    Modes: rn, rz, rm, rp and rna. Overflow goes as IEEE says, or with `satfinite` to the largest number.
    """
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(x)
        place = np.maximum(exponent - to.precision, to.least - to.precision + 1)
        scaled = np.ldexp(x, -place)  # exact: a power of two, and what is subnormal only grows
        whole = {
            "rn": np.rint,
            "rz": np.trunc,
            "rm": np.floor,
            "rp": np.ceil,
            "rna": lambda v: np.copysign(np.floor(np.abs(v) + 0.5), v),
        }[mode](scaled)
        result = np.ldexp(whole, place)
        over = np.isfinite(x) & (np.abs(result) > to.largest)
        stays = satfinite | (mode == "rz") | ((mode == "rm") & (x > 0)) | ((mode == "rp") & (x < 0))
        result = np.where(over, np.copysign(np.where(stays, to.largest, np.inf), x), result)
        if satfinite:
            result = np.where(np.isinf(x), np.copysign(to.largest, x), result)
        return np.where(np.isfinite(x) | satfinite, result, x).astype(np.float64)


def encoded(x: Array, to: Format, nan: int | None = None) -> Array:
    """Values of a format (float64) as its codes; every NaN is the format's."""
    with np.errstate(all="ignore"):
        codes = x.astype(to.dtype).view(to.bits)
    return np.where(np.isnan(x), np.array(to.nan if nan is None else nan, to.bits), codes)


def flushed(x: Array, to: Format) -> Array:
    """Subnormals of a format as zeros of their sign."""
    return np.where(np.abs(x) < 2.0**to.least, np.copysign(np.zeros_like(x), x), x)


def saturated(x: Array) -> Array:
    """Clamped to [0, 1]; NaN and -0 become +0."""
    return np.where(x > 0, np.minimum(x, 1), np.zeros_like(x))


def relu(x: Array) -> Array:
    """Negative numbers and -0 become +0; NaN stays."""
    return np.where(np.isnan(x), x, np.where(np.signbit(x), 0.0, x))


# ---- exact results, one at a time ------------------------------------------------------------------------------------


def _settle(negative: bool, floor: int, place: int, beyond_half: int, exact: bool, to: Format) -> dict[str, float]:
    """The value between floor and floor + 1 units of 2^place, in every mode."""
    results = {}
    for mode in MODES:
        up = not exact and (
            (mode == "rn" and (beyond_half > 0 or (beyond_half == 0 and floor % 2 == 1)))
            or (mode == "rp" and not negative)
            or (mode == "rm" and negative)
        )
        units = floor + up
        finite = Fraction(units) * Fraction(2) ** place <= Fraction(to.largest)
        to_largest = mode == "rz" or (mode == "rm" and not negative) or (mode == "rp" and negative)
        value = math.ldexp(units, place) if finite else to.largest if to_largest else math.inf
        results[mode] = -value if negative else value
    return results


def exact_in_modes(value: Fraction, to: Format) -> dict[str, float]:
    """A number that is not 0, rounded to a format in the four modes."""
    magnitude = abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    place = max(exponent, to.least) - to.precision + 1
    units = magnitude / Fraction(2) ** place
    floor = units.numerator // units.denominator
    rest = 2 * (units - floor) - 1
    return _settle(value < 0, floor, place, (rest > 0) - (rest < 0), units == floor, to)


def sqrt_in_modes(value: Fraction, to: Format) -> dict[str, float]:
    """The root of a positive number, which is never subnormal, in the four modes."""
    exponent = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    place = exponent - to.precision - 3
    units = value / Fraction(4) ** place
    root = math.isqrt(units.numerator // units.denominator)  # several bits more than the format's
    exact = Fraction(root * root) == units
    drop = root.bit_length() - to.precision
    floor, rest = root >> drop, root & ((1 << drop) - 1)
    half = 1 << (drop - 1)
    beyond = 1 if rest > half or (rest == half and not exact) else 0 if rest == half else -1
    return _settle(False, floor, place + drop, beyond, exact and rest == 0, to)


# ---- inputs ----------------------------------------------------------------------------------------------------------


def floats(kind: str, count: int, rng: np.random.Generator) -> Array:
    """`count` numbers of "f32" or "f64": all bit patterns, numbers near 1, few-bit ones, edges, subnormals and NaNs."""
    to = FORMATS[kind]
    width = 8 * np.dtype(to.dtype).itemsize
    fraction = to.precision - 1
    codes = rng.integers(0, 2**width - 1, count, dtype=to.bits, endpoint=True)
    near = (codes & to.bits.type((1 << fraction) - 1)) | (
        (rng.integers(-6, 6, count) + (1 << (width - fraction - 2)) - 1).astype(to.bits) << to.bits.type(fraction)
    )
    near |= rng.integers(0, 2, count).astype(to.bits) << to.bits.type(width - 1)
    short = near & ~((to.bits.type(1) << rng.integers(0, fraction, count).astype(to.bits)) - to.bits.type(1))
    low = (codes >> rng.integers(0, fraction, count).astype(to.bits)) % to.bits.type(4 << fraction)
    choice = rng.integers(0, 6, count)
    mixed = np.select(
        [choice < 2, choice == 2, choice == 3, choice == 4], [codes, near, short, low], rng.choice(_edges(to), count)
    )
    return mixed.astype(to.bits).view(to.dtype)


def _edges(to: Format) -> Array:
    tiny, least = 2.0 ** (to.least - to.precision + 1), 2.0**to.least
    values = [
        0.0,
        tiny,
        3 * tiny,
        least - tiny,
        least,
        least + tiny,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        to.largest,
        to.largest / 2,
        math.inf,
    ]
    values += [2.0 ** (to.precision - 1), 2.0**to.precision - 1]
    edges = np.array([*values, *(-v for v in values)], to.dtype).view(to.bits)
    width = 8 * edges.itemsize
    exponent = ((1 << (width - to.precision)) - 1) << (to.precision - 1)
    nans = [exponent | 1, exponent | 1 << (to.precision - 2), (1 << width) - 1, 1 << (width - 1) | exponent | 3]
    return np.concatenate([edges, np.array(nans, to.bits)])


def all_codes(width: int = 16) -> Array:
    """Every value of a type of 16 or 8 bits, as unsigned integers."""
    return np.arange(1 << width, dtype=np.uint32).astype(f"uint{width}")


# ---- forms -----------------------------------------------------------------------------------------------------------


def instruction_names(opcodes: Iterable[str], types: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every instruction that the tables allow, with its operands, of the opcodes whose last words name such types."""
    wanted, of = set(opcodes), set(types)
    seen = set()
    for opcode, modifiers, operands in native.core().forms():
        if opcode not in wanted:
            continue
        for name in expand(opcode, modifiers):
            if of & set(name.split(".")) and (name, operands) not in seen:
                seen.add((name, operands))
                yield name, operands


def same_bits(got: Array, want: Array, what: str, **inputs: Array) -> None:
    """Fails with the first inputs whose bits differ."""
    unsigned = f"uint{8 * got.dtype.itemsize}"
    a, b = got.view(unsigned), np.ascontiguousarray(want).view(unsigned)
    wrong = np.flatnonzero(a != b)
    if wrong.size:
        n = wrong[0]
        given = ", ".join(
            f"{k}={v[n]!r} ({v[n : n + 1].view(f'uint{8 * v.dtype.itemsize}')[0]:#x})" for k, v in inputs.items()
        )
        raise AssertionError(f"{what}: {wrong.size} of {a.size} differ; {given} gives {a[n]:#x}, not {b[n]:#x}")
