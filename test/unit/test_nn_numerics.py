"""Number formats: casts, rounding, wrapping and integer arithmetic against exact Python numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.dialects.nn.reference.numerics import convert, erf, store

INTEGERS = ["si4", "si8", "si16", "si32", "si64", "ui4", "ui8", "ui16", "ui32", "ui64"]
NARROW = ["f16", "bf16", "f8E4M3FN", "f8E5M2"]


def bounds(dtype: str) -> tuple[int, int]:
    """The lowest and highest integer of a type."""
    bits = int(dtype[2:])
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.startswith("si") else (0, (1 << bits) - 1)


def wrap(value: int, dtype: str) -> int:
    """``value`` modulo the type's width."""
    low, high = bounds(dtype)
    return (value - low) % (high - low + 1) + low


def binary(name: str, dtype: str, a: int, b: int, **attrs: Any) -> int:
    """One element of a binary op."""
    t = TensorType((1,), dtype)
    x, y = (
        np.array([v]).astype(nn.numpy_dtype(dtype)) if dtype != "ui64" else np.array([v], np.uint64) for v in (a, b)
    )
    (result,) = nn.evaluate(name, [x, y], attrs, [t])
    return int(result[0])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_integer_arithmetic_wraps(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(INTEGERS))
    low, high = bounds(dtype)
    value = st.integers(low, high) | st.sampled_from([low, high, min(1, high), 0])
    a, b = data.draw(value), data.draw(value)
    assert binary("add", dtype, a, b) == wrap(a + b, dtype)
    assert binary("sub", dtype, a, b) == wrap(a - b, dtype)
    assert binary("mul", dtype, a, b) == wrap(a * b, dtype)
    if b:
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        assert binary("div", dtype, a, b) == wrap(quotient, dtype)
        assert binary("mod", dtype, a, b, fmod=False) == a % b
        assert binary("mod", dtype, a, b, fmod=True) == a - b * quotient


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(INTEGERS), st.integers(-9, 9), st.integers(-4, 20))
def test_integer_power(dtype: str, a: int, b: int) -> None:
    low, high = bounds(dtype)
    a, b = (min(max(v, low), high) for v in (a, b))
    if a == 0 and b < 0:
        return
    expected = a**b if b >= 0 else math.trunc(Fraction(1, a**-b))
    assert binary("pow", dtype, a, b) == wrap(expected, dtype)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_shifts(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(INTEGERS))
    low, high = bounds(dtype)
    a, count = data.draw(st.integers(low, high)), data.draw(st.integers(0, min(high, 70)))
    bits = int(dtype[2:])
    assert binary("shift_left", dtype, a, count) == (wrap(a << count, dtype) if count < bits else 0)
    assert binary("shift_right", dtype, a, count) == a >> count


def nearest(value: Fraction, dtype: np.dtype[Any]) -> float:
    """The finite value of a narrow format nearest to ``value``, ties to even, by looking at all of them."""
    codes = np.arange(1 << 8 * dtype.itemsize).astype(f"u{dtype.itemsize}")
    values = codes.view(dtype).astype(np.float64)
    keep = np.isfinite(values)
    values, codes = values[keep], codes[keep]
    order = np.argsort(values, kind="stable")
    values, codes = values[order], codes[order]
    i = int(np.searchsorted(values, float(value)))
    near = range(max(0, i - 3), min(len(values), i + 4))
    best = min(near, key=lambda j: (abs(Fraction(float(values[j])) - value), int(codes[j]) & 1))
    return float(values[best])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NARROW), st.floats(-200, 200), st.integers(-3, 3))
def test_narrowing_rounds_once(name: str, value: float, steps: int) -> None:
    """f64 values near the middle of two f32 values are where rounding twice would go wrong."""
    dtype = nn.numpy_dtype(name)
    middle = float(np.array(value).astype(dtype)) * (1 + 2.0**-9)
    for x in (value, middle + steps * 2.0**-40, middle):
        got = float(store(np.array(x), dtype))
        assert got == nearest(Fraction(x), dtype), (x, got)


@pytest.mark.parametrize("value", [2**55 + 2**47 + 1, 2**62 + 2**54, 2**60 - 1, -(2**55) - 2**47 - 1])
def test_large_integers_round_once(value: int) -> None:
    assert float(store(np.array(value), np.dtype(ml_dtypes.bfloat16))) == nearest(
        Fraction(value), np.dtype(ml_dtypes.bfloat16)
    )


@pytest.mark.parametrize("dtype", INTEGERS)
def test_saturating_casts_from_floats(dtype: str) -> None:
    low, high = bounds(dtype)
    x = np.array([-np.inf, -1e30, -2.7, -0.5, np.nan, 0.5, 2.7, 1e30, np.inf])
    got = [int(v) for v in convert(x, nn.numpy_dtype(dtype), saturate=True)]
    assert got == [low, low, max(-2, low), 0, 0, 0, 2, high, high]


def test_fp8_overflow() -> None:
    x = np.array([448, 465, 1e9, np.inf, -np.inf, np.nan], np.float32)
    e4m3 = nn.numpy_dtype("f8E4M3FN")
    clipped = convert(x, e4m3, saturate=True).astype(np.float32)
    np.testing.assert_array_equal(clipped, [448, 448, 448, 448, -448, np.nan])
    plain = convert(x, e4m3, saturate=False).astype(np.float32)
    np.testing.assert_array_equal(plain, [448, np.nan, np.nan, np.nan, np.nan, np.nan])
    e5m2 = convert(x[2:], nn.numpy_dtype("f8E5M2"), saturate=False).astype(np.float32)
    np.testing.assert_array_equal(e5m2, [np.inf, np.inf, -np.inf, np.nan])


def test_erf_is_libm_s() -> None:
    x = np.linspace(-7, 7, 20001).astype(np.float32)
    exact = np.array([math.erf(float(v)) for v in x])
    assert np.max(np.abs(erf(x).astype(np.float64) - exact)) <= 2.0**-24
    wide = x[::50].astype(np.float64)
    np.testing.assert_array_equal(erf(wide), [math.erf(v) for v in wide])


def test_small_floats_accumulate_in_f32() -> None:
    x = np.full((1, 4096), 0.1, ml_dtypes.bfloat16)
    t = TensorType((1,), "bf16")
    (total,) = nn.evaluate("reduce", [x], {"kind": "sum", "axes": (1,)}, [t])
    assert float(total[0]) == float(np.float32(4096 * float(x[0, 0])).astype(ml_dtypes.bfloat16))


def test_eight_bit_products_wrap_at_32_bits() -> None:
    k = 1 << 17
    a, b = np.full((1, k), -128, np.int8), np.full((k, 1), 255, np.uint8)
    t = TensorType((1, 1), "si32")
    (result,) = nn.evaluate("contract", [a, b], {"spec": "mk,kn->mn", "dtype": "si32"}, [t])
    assert int(result[0, 0]) == wrap(-128 * 255 * k, "si32")


def test_nan_passes_where_it_must() -> None:
    nan = np.array([np.nan], np.float32)
    one = np.ones(1, np.float32)
    t = [TensorType((1,), "f32")]
    for name, operands, attrs in (
        ("maximum", [nan, one], {}),
        ("minimum", [one, nan], {}),
        ("relu", [nan], {}),
        ("clamp", [nan], {"min": 0.0, "max": 1.0}),
        ("sign", [nan], {}),
        ("reduce", [np.array([[1, np.nan, 2]], np.float32)], {"kind": "max", "axes": (1,)}),
    ):
        (result,) = nn.evaluate(name, operands, attrs, t)
        assert np.isnan(result[0]), name
