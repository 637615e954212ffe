"""Every 16-bit pattern through every conversion, bit for bit against numpy and ml_dtypes.

A NaN comes out as the format's one quiet NaN with all payload bits set (0x7fff, 0x7fffffff); bf16 to f32 alone keeps
the pattern, because it only moves it.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from corpus.harness import Bench, case, same

ALL = np.arange(1 << 16, dtype=np.uint32)
HALF = ALL.astype(np.uint16).view(np.float16)
BF16 = ALL.astype(np.uint16).view(ml_dtypes.bfloat16)
GRID, BLOCK = 64, 1024
LOWS = [0x0000, 0x0001, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0xA5C3]


def bits(values: np.ndarray, kind: Any, nan: int) -> np.ndarray:
    """The patterns of `values`, with one pattern for every NaN."""
    raw = values.view(kind)
    return np.where(np.isnan(cast(values, np.float64)), kind(nan), raw).astype(kind)


def cast(values: np.ndarray, to: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        return values.astype(to)


def quiet(function: Any, values: np.ndarray) -> np.ndarray:
    """A numpy function without its warnings about NaNs."""
    with np.errstate(all="ignore"):
        result: np.ndarray = function(values)
        return result


def towards(values: np.ndarray, to: Any, direction: str) -> np.ndarray:
    """float32 `values` to a 16-bit type, rounded down, up or to zero: from the nearest one a step back where needed."""
    near = cast(values, to)
    wide, exact = cast(near, np.float64), cast(values, np.float64)
    up = np.full(values.shape, direction == "up") | ((direction == "zero") & (exact < 0))
    step = np.where(up & (wide < exact), 1, np.where(~up & (wide > exact), -1, 0))
    raw = near.view(np.uint16).astype(np.int32)
    # Patterns as numbers that grow with the value, so that a step is an increment, also across zero.
    order = np.where(raw & 0x8000, -(raw & 0x7FFF) - 1, raw) + step
    back = np.where(order < 0, 0x8000 | (-order - 1), order).astype(np.uint16)
    sign = (np.signbit(values).astype(np.uint16) << 15).astype(np.uint16)
    back = np.where(back & 0x7FFF == 0, sign, back).astype(np.uint16)
    return np.where(step == 0, near.view(np.uint16), back).astype(np.uint16).view(to)


def to_int(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Rounded `values` as integers: clamped, NaN zero."""
    clipped = np.nan_to_num(cast(values, np.float64), nan=0.0, posinf=float(high), neginf=float(low))
    return np.array([min(max(int(v), low), high) for v in clipped], dtype=object)


@case("convert.cu")
@case("convert.cu", arch="sm_80", suffix="_sm_80")
def half_to_floats(bench: Bench) -> None:
    single, double, bf16 = np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.uint16)
    bench.launch("half_to_floats", GRID, BLOCK, single, double, bf16)
    same(single, bits(HALF.astype(np.float32), np.uint32, 0x7FFFFFFF))
    number = ~np.isnan(HALF)
    same(double[number], HALF.astype(np.float64).view(np.uint64)[number])
    assert np.isnan(double.view(np.float64)[~number]).all()
    same(bf16, bits(cast(HALF.astype(np.float32), ml_dtypes.bfloat16), np.uint16, 0x7FFF))


@case("convert.cu")
def half_to_integers(bench: Bench) -> None:
    out, unsigned = np.zeros((1 << 16, 4), np.int32), np.zeros(1 << 16, np.uint32)
    wide, narrow = np.zeros(1 << 16, np.int64), np.zeros(1 << 16, np.int16)
    bench.launch("half_to_integers", GRID, BLOCK, out, unsigned, wide, narrow)
    x = HALF.astype(np.float64)
    low, high = -(1 << 31), (1 << 31) - 1
    for i, function in enumerate([np.rint, np.trunc, np.floor, np.ceil]):
        same(out[:, i], to_int(quiet(function, x), low, high).astype(np.int32))
    same(unsigned, to_int(quiet(np.rint, x), 0, (1 << 32) - 1).astype(np.uint32))
    number = ~np.isnan(x)
    same(wide[number & np.isfinite(x)], np.trunc(x[number & np.isfinite(x)]).astype(np.int64))
    same(wide[np.isinf(x)], np.where(x[np.isinf(x)] > 0, (1 << 63) - 1, -(1 << 63)))
    assert (wide[~number] == -(1 << 63)).all()
    same(narrow, to_int(quiet(np.rint, x), -(1 << 15), (1 << 15) - 1).astype(np.int16))


@case("convert.cu")
@case("convert.cu", arch="sm_80", suffix="_sm_80")
def integers_to_half(bench: Bench) -> None:
    out, bf16 = np.zeros((1 << 16, 5), np.uint16), np.zeros((1 << 16, 2), np.uint16)
    bench.launch("integers_to_half", GRID, BLOCK, out, bf16)
    number = ALL.astype(np.int64)
    spread = (ALL * np.uint32(65537)).view(np.int32) >> 3
    half = np.float16
    same(out[:, 0], cast(ALL.astype(np.uint16).view(np.int16).astype(np.float64), half).view(np.uint16))
    same(out[:, 1], cast(number.astype(np.float64), half).view(np.uint16))
    same(out[:, 2], cast((number - 32768).astype(np.float64), half).view(np.uint16))
    same(out[:, 3], towards((number * 3).astype(np.float32), half, "zero").view(np.uint16))
    same(out[:, 4], towards(number.astype(np.float32), half, "up").view(np.uint16))
    same(bf16[:, 0], cast(number.astype(np.float32), ml_dtypes.bfloat16).view(np.uint16))
    same(bf16[:, 1], nearest_bf16(spread.astype(np.int64)))


def nearest_bf16(values: np.ndarray) -> np.ndarray:
    """Integers rounded once, to 8 significant bits, ties to even: through float32 they would be rounded twice."""
    size = np.abs(values)
    length = np.array([int(v).bit_length() for v in size])
    drop = np.maximum(length - 8, 0)
    kept, rest = size >> drop, size & ((1 << drop) - 1)
    half = np.where(drop > 0, 1 << np.maximum(drop - 1, 0), 1)
    up = (drop > 0) & ((rest > half) | ((rest == half) & (kept & 1 == 1)))
    return (
        np.copysign(((kept + up) << drop).astype(np.float32), values.astype(np.float32))
        .view(np.uint32)
        .__rshift__(16)
        .astype(np.uint16)
    )


@case("convert.cu")
def float_to_narrow(bench: Bench) -> None:
    for low in LOWS:
        x = (ALL << 16 | low).view(np.float32)
        out = np.zeros((1 << 16, 9), np.uint16)
        bench.launch("float_to_narrow", GRID, BLOCK, out, low)
        half, bf16 = np.float16, ml_dtypes.bfloat16
        near = bits(cast(x, bf16), np.uint16, 0x7FFF)
        expected = [
            cast(x, half),
            towards(x, half, "zero"),
            towards(x, half, "down"),
            towards(x, half, "up"),
            near,
            towards(x, bf16, "zero"),
            cast(-x, half),
            cast(x, half),
            np.where((near & 0x8000 != 0) & (near & 0x7FFF <= 0x7F80), 0, near),
        ]
        for i, values in enumerate(expected):
            raw = values if values.dtype == np.uint16 else values.view(np.uint16)
            same(out[:, i], np.where(np.isnan(x), 0x7FFF, raw))


@case("convert.cu")
@case("convert.cu", arch="sm_80", suffix="_sm_80")
def bf16_to_others(bench: Bench) -> None:
    single, half, integer = np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.uint16), np.zeros((1 << 16, 2), np.int32)
    bench.launch("bf16_to_others", GRID, BLOCK, single, half, integer)
    x = BF16.astype(np.float32)
    same(single, ALL << 16)
    same(half, bits(cast(x, np.float16), np.uint16, 0x7FFF))
    same(integer[:, 0], to_int(quiet(np.trunc, x), -(1 << 31), (1 << 31) - 1).astype(np.int32))
    same(integer[:, 1].view(np.uint32), to_int(quiet(np.rint, x), 0, (1 << 32) - 1).astype(np.uint32))


def to_fp8_bits(values: np.ndarray, kind: Any) -> np.ndarray:
    """To fp8 as `satfinite` has it: what is too large, infinities too, becomes the largest number; NaN is 0x7f."""
    largest = float(ml_dtypes.finfo(kind).max)
    with np.errstate(all="ignore"):
        raw = np.clip(values, -largest, largest).astype(kind).view(np.uint8)
    return np.where(np.isnan(values), 0x7F, raw).astype(np.uint8)


@case("convert.cu")
def to_fp8(bench: Bench) -> None:
    for low in LOWS:
        x = (ALL << 16 | low).view(np.float32)
        from_half, from_float = np.zeros((1 << 16, 2), np.uint8), np.zeros((1 << 16, 4), np.uint8)
        bench.launch("to_fp8", GRID, BLOCK, from_half, from_float, low)
        with np.errstate(all="ignore"):
            y = x * np.float32(-0.5)
        for i, kind in enumerate([ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]):
            same(from_half[:, i], to_fp8_bits(HALF.astype(np.float32), kind))
            same(from_float[:, 2 * i], to_fp8_bits(x, kind))
            same(from_float[:, 2 * i + 1], to_fp8_bits(y, kind))


@case("convert.cu")
def from_fp8(bench: Bench) -> None:
    e4m3, e5m2, total = np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.float32)
    bench.launch("from_fp8", GRID, BLOCK, e4m3, e5m2, total)
    pairs = ALL.astype(np.uint16).view(np.uint8).reshape(-1, 2)
    for out, kind in [(e4m3, ml_dtypes.float8_e4m3fn), (e5m2, ml_dtypes.float8_e5m2)]:
        same(out.view(np.uint16).reshape(-1, 2), bits(pairs.view(kind).astype(np.float16), np.uint16, 0x7FFF))
    a, b = pairs[:, 0].copy().view(ml_dtypes.float8_e4m3fn), pairs[:, 1].copy().view(ml_dtypes.float8_e5m2)
    with np.errstate(all="ignore"):
        same(total, a.astype(np.float32) + b.astype(np.float32))


@case("convert.cu")
def tf32_rounding(bench: Bench) -> None:
    for low in LOWS:
        raw = ALL << 16 | low
        x = raw.view(np.float32)
        out = np.zeros((1 << 16, 2), np.uint32)
        bench.launch("tf32_rounding", GRID, BLOCK, out, low)
        number = np.isfinite(x)
        away = (raw + 0x1000) & 0xFFFFE000
        even = (raw + 0xFFF + (raw >> 13 & 1)) & 0xFFFFE000
        # For sm_90a ptxas makes cvt.rna out of an addition that leaves out what is not finite, and of a mask: a NaN
        # whose payload lies in the low bits becomes an infinity. cvt.rn is an instruction.
        same(out[:, 0], np.where(number, away, raw & 0xFFFFE000))
        same(out[:, 1], np.where(np.isnan(x), 0x7FFFFFFF, np.where(number, even, raw)))


def arithmetic(a: np.ndarray, b: np.ndarray, c: np.ndarray, kind: Any) -> np.ndarray:
    """a * b + c rounded once. Products are exact in float64; sums of far-apart numbers are made odd to stay right."""
    with np.errstate(all="ignore"):
        x, y, z = (v.astype(np.float64) for v in (a, b, c))
        product = x * y
        total = product + z
        # Knuth's error of the sum; where there is one, the last bit is forced to one so that ties are not ties.
        part = total - product
        error = (product - (total - part)) + (z - part)
        raw = total.view(np.int64)
        odd = np.where(
            (error != 0) & np.isfinite(total) & (raw & 1 == 0), raw + np.where((error > 0) == (total > 0), 1, -1), raw
        )
        return round_to(odd.view(np.float64), kind)


def round_to(values: np.ndarray, kind: Any) -> np.ndarray:
    """float64 to a 16-bit type, in one rounding; ml_dtypes goes through float32, which is made odd first."""
    if kind == np.float16:
        return cast(values, kind)
    with np.errstate(all="ignore"):
        single = values.astype(np.float32)
        wide = single.astype(np.float64)
        raw = single.view(np.int32)
        away = np.abs(wide) > np.abs(values)
        truncated = np.where(away & (wide != values), raw - 1, raw)
        odd = np.where((wide != values) & np.isfinite(values), truncated | 1, raw).astype(np.int32).view(np.float32)
        return odd.astype(kind)


OTHERS = [1.0, -0.0, 0.1, 65504.0, -3.0e-5, 6.0e-8, float("inf"), float("nan")]


@case("convert.cu")
def half_arithmetic(bench: Bench) -> None:
    for other in OTHERS:
        b = np.full(1 << 16, other, np.float32).astype(np.float16)
        out = np.zeros((1 << 16, 9), np.uint16)
        bench.launch("half_arithmetic", GRID, BLOCK, out, int(b.view(np.uint16)[0]))
        a, raw = HALF, ALL.astype(np.uint16)
        one = np.ones(1 << 16, np.float16)
        with np.errstate(all="ignore"):
            product = round_to(a.astype(np.float64) * b.astype(np.float64), np.float16)
        fma = arithmetic(a, b, b, np.float16)
        relu = np.where(fma.view(np.uint16) & 0x8000 != 0, np.float16(0), fma)
        same(out[:, 0], bits(arithmetic(a, one, b, np.float16), np.uint16, 0x7FFF))
        same(out[:, 1], bits(product, np.uint16, 0x7FFF))
        same(out[:, 2], bits(arithmetic(a, b, a, np.float16), np.uint16, 0x7FFF))
        number = ~np.isnan(a)  # which NaN comes of a negated or absolute one, the manual leaves open
        same(out[number, 5], (raw ^ 0x8000)[number])
        same(out[number, 6], (raw & 0x7FFF)[number])
        assert np.isnan(out[~number, 5:7].copy().view(np.float16)).all()
        same(out[:, 8], np.where(np.isnan(fma), 0x7FFF, relu.view(np.uint16)))
        compare(a, b, out[:, 3], out[:, 4], out[:, 7])


def compare(a: np.ndarray, b: np.ndarray, least: np.ndarray, most_nan: np.ndarray, flags: np.ndarray) -> None:
    """Minimum without NaNs, maximum with them, and the comparisons."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    number = ~np.isnan(x) & ~np.isnan(y)
    below = (x < y) | ((x == y) & np.signbit(x))
    same(least[number], np.where(below, a.view(np.uint16), b.view(np.uint16))[number])
    same(most_nan[number], np.where(below, b.view(np.uint16), a.view(np.uint16))[number])
    assert (most_nan[~number] == 0x7FFF).all()
    one = np.isnan(x) & ~np.isnan(y)
    same(least[one], b.view(np.uint16)[one])
    other = ~np.isnan(x) & np.isnan(y)
    same(least[other], a.view(np.uint16)[other])
    same(flags, (x < y) + 2 * (x == y) + 4 * ~(x < y))


@case("convert.cu")
def bf16_arithmetic(bench: Bench) -> None:
    kind = ml_dtypes.bfloat16
    for other in [1.0, -0.0, 0.1, 3.0e38, -3.0e-39, float("inf"), float("nan")]:
        b = np.full(1 << 16, other, np.float32).astype(kind)
        out = np.zeros((1 << 16, 5), np.uint16)
        bench.launch("bf16_arithmetic", GRID, BLOCK, out, int(b.view(np.uint16)[0]))
        a = BF16
        with np.errstate(all="ignore"):
            product = round_to(a.astype(np.float64) * b.astype(np.float64), kind)
        same(out[:, 0], bits(arithmetic(a, np.ones(1 << 16, kind), b, kind), np.uint16, 0x7FFF))
        same(out[:, 1], bits(product, np.uint16, 0x7FFF))
        same(out[:, 2], bits(arithmetic(a, b, a, kind), np.uint16, 0x7FFF))
        x, y = a.astype(np.float32), b.astype(np.float32)
        number = ~np.isnan(x) & ~np.isnan(y)
        below = (x < y) | ((x == y) & np.signbit(x))
        same(out[number, 3], np.where(below, b.view(np.uint16), a.view(np.uint16))[number])
        same(out[:, 4], (x < y) + 2 * (x == y) + 4 * ~(x < y))
