"""Number formats on numpy: what an op computes in, and rounding and wrapping to what it stores."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
DType = np.dtype[Any]

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
_FP8 = {np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float8_e5m2)}
SMALL_FLOATS = {
    np.dtype(t)
    for t in (np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float4_e2m1fn)
}
FLOATS = {*SMALL_FLOATS, F32, F64}
NIBBLES = {np.dtype(ml_dtypes.int4): True, np.dtype(ml_dtypes.uint4): False}


def is_float(dtype: DType) -> bool:
    """Whether ``dtype`` is a floating-point format."""
    return dtype in FLOATS


def working(x: Array) -> Array:
    """``x`` in the type that elementwise ops compute in: f32 for smaller floats, int32 for 4-bit integers."""
    if x.dtype in SMALL_FLOATS:
        return x.astype(np.float32)
    return x.astype(np.int32) if x.dtype in NIBBLES else x


def precise(x: Array) -> Array:
    """``x`` in the type that sums are kept in: f32 for smaller floats, f64 for f32 and f64; integers stay."""
    if x.dtype == F32:
        return x.astype(np.float64)
    return working(x)


def store(x: Array, dtype: DType) -> Array:
    """``x`` rounded (nearest even) or wrapped to ``dtype``; floats never become integers here."""
    x = np.asarray(x)
    if x.dtype == dtype:
        return x
    if dtype in NIBBLES:
        low = x.astype(np.int64) & 15
        return np.where(low > 7, low - 16, low).astype(dtype) if NIBBLES[dtype] else low.astype(dtype)
    if dtype in SMALL_FLOATS and dtype != np.float16:
        return _to_odd_f32(x).astype(dtype)
    return x.astype(dtype)


def _to_odd_f32(x: Array) -> Array:
    """``x`` as f32, rounded to odd where it is inexact, so that a further rounding to fewer bits is right.

    Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums" (2008), theorem on rounding to odd.
    """
    if x.dtype.kind in "iu" and x.dtype.itemsize > 4:
        # Keep f64 exact: fold the bits below 2^11 of a large integer into one sticky bit.
        sticky = ((x >> 11) | ((x & 2047) != 0)).astype(np.float64) * 2048.0
        large = (x >= 2**52) | (x <= -(2**52)) if x.dtype.kind == "i" else x >= 2**52
        x = np.where(large, sticky, x.astype(np.float64))
    elif x.dtype.kind in "iub":
        x = x.astype(np.float64)
    if x.dtype != F64:
        return x.astype(np.float32)
    y = x.astype(np.float32)
    back = y.astype(np.float64)
    inexact = (back != x) & np.isfinite(x) & np.isfinite(y)
    bits = np.atleast_1d(y).view(np.uint32).reshape(y.shape)
    bits = bits - (np.abs(back) > np.abs(x)).astype(np.uint32) * inexact
    return np.asarray(np.where(inexact, np.atleast_1d(bits | 1).view(np.float32).reshape(y.shape), y))


def limits(dtype: DType) -> tuple[Any, Any]:
    """The lowest and highest value of a number type, infinities included where it has them."""
    if dtype in NIBBLES:
        return (-8, 7) if NIBBLES[dtype] else (0, 15)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    if dtype == np.bool_:
        return False, True
    if dtype in (np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float4_e2m1fn)):
        highest = float(ml_dtypes.finfo(dtype).max)
        return -highest, highest
    return -math.inf, math.inf


def largest_finite(dtype: DType) -> float:
    """The largest finite value of a floating-point format."""
    return float(ml_dtypes.finfo(dtype).max)


def convert(x: Array, dtype: DType, *, saturate: bool) -> Array:
    """`nn.cast`: see its class for the rules."""
    if x.dtype == dtype:
        return x
    if dtype == np.bool_:
        return np.asarray(working(x) != 0)
    source = working(x)
    if is_float(dtype):
        return _to_float(source, dtype, saturate=saturate)
    if is_float(x.dtype):
        return _float_to_integer(source, dtype, saturate=saturate)
    if saturate:
        low, high = limits(dtype)
        have_low, have_high = limits(source.dtype)
        source = np.clip(source, max(low, have_low), min(high, have_high))
    return store(source, dtype)


def _to_float(x: Array, dtype: DType, *, saturate: bool) -> Array:
    if dtype in _FP8 and saturate and is_float(x.dtype):
        highest = largest_finite(dtype)
        x = np.clip(x, -highest, highest)
    return store(x, dtype)


def _float_to_integer(x: Array, dtype: DType, *, saturate: bool) -> Array:
    whole = np.trunc(x)
    low, high = limits(dtype)
    if not saturate:
        # Out of range is unspecified; through int64 it is at least the same everywhere.
        wide = np.uint64 if dtype == np.uint64 else np.int64
        return store(np.where(np.isfinite(whole), whole, 0).astype(wide), dtype)
    # Bounds of 64-bit types are not floats: compare first, then fill in the exact bound.
    over, under = whole >= float(high), whole <= float(low)
    inside = np.where(over | under | np.isnan(whole), 0, whole).astype(np.uint64 if dtype == np.uint64 else np.int64)
    wide_result = np.where(under, low, np.where(over, high, inside)) if dtype != np.uint64 else inside
    if dtype == np.uint64:
        wide_result = np.where(over, np.uint64(high), inside)
    return store(wide_result, dtype)


def trunc_divide(a: Array, b: Array) -> Array:
    """Integer quotient toward zero; 0 where ``b`` is 0."""
    safe = np.where(b == 0, np.ones_like(b), b)
    quotient = a // safe
    inexact = a - quotient * safe != 0
    quotient = quotient + (inexact & ((a < 0) != (safe < 0))).astype(quotient.dtype)
    return np.asarray(np.where(b == 0, np.zeros_like(quotient), quotient))


# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969).
_ERF_P = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_ERF_Q = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_ERFC_P = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_ERFC_Q = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
_ERF_EXACT = np.frompyfunc(math.erf, 1, 1)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        value *= x
        value += c
    return value


def erf(x: Array) -> Array:
    """The error function: libm's for f64, else within 1e-14 absolute in f64 and then rounded to f32."""
    if x.dtype == F64:
        return np.asarray(_ERF_EXACT(x), np.float64)
    wide = x.astype(np.float64)
    magnitude = np.minimum(np.abs(wide), 6.0)
    square = magnitude * magnitude
    small = magnitude * _polynomial(_ERF_P, square) / _polynomial(_ERF_Q, square)
    large = 1.0 - np.exp(-square) * _polynomial(_ERFC_P, magnitude) / _polynomial(_ERFC_Q, magnitude)
    return np.copysign(np.where(magnitude <= 0.46875, small, large), wide).astype(x.dtype)


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))`` without overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + e), e / (1 + e)), x.dtype)
