"""Element-wise reductions in memory, by numpy and ml_dtypes: what cp.reduce.async.bulk and red.async must give."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

DTYPES: dict[str, Any] = {
    "u32": np.uint32,
    "s32": np.int32,
    "u64": np.uint64,
    "s64": np.int64,
    "b32": np.uint32,
    "b64": np.uint64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
}


def operands(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random elements: integers of all sizes, floats over all magnitudes with infinities and subnormals, no NaN."""
    dtype = np.dtype(DTYPES[kind])
    bits = np.dtype(f"uint{8 * dtype.itemsize}")
    raw = rng.integers(0, 2 ** (8 * dtype.itemsize) - 1, count, dtype=bits, endpoint=True)
    if kind[0] in "usb" and kind != "bf16":
        small = rng.random(count) < 0.5
        return np.where(small, raw & bits.type(7), raw).view(dtype)
    values = raw.view(dtype).copy()
    subnormal = rng.random(count) < 0.2
    mantissa = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}[kind]
    sign = bits.type(1 << (8 * dtype.itemsize - 1))
    low = raw & bits.type((1 << mantissa) - 1) | raw & sign
    values[subnormal] = low.view(dtype)[subnormal]
    with np.errstate(all="ignore"):
        values[np.isnan(values)] = 1.5
    return values


def reduced(op: str, kind: str, old: np.ndarray, operand: np.ndarray, flush: bool = False) -> np.ndarray:
    """op(old, operand) of two arrays of the kind's dtype. `flush`: of f32, subnormals are zeros."""
    a, b = old, operand
    with np.errstate(all="ignore"):
        if op == "add":
            if kind == "f32" and flush:
                return _flushed(_flushed(a) + _flushed(b))
            if kind == "bf16":
                return (a.astype(np.float32) + b.astype(np.float32)).astype(a.dtype)
            return a + b
        if op in ("min", "max"):
            first = b < a if op == "min" else a < b
            return np.where(first, b, a)
        if op == "inc":
            return np.where(a >= b, a.dtype.type(0), a + a.dtype.type(1))
        if op == "dec":
            return np.where((a == 0) | (a > b), b, a - a.dtype.type(1))
        return {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}[op](a, b)


def same(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where two arrays have the same bits, or both NaN, or zeros of either sign."""
    bits = np.dtype(f"uint{8 * got.dtype.itemsize}")
    equal = got.view(bits) == wanted.view(bits)
    if got.dtype.kind in "iu":
        return np.asarray(equal)
    return np.asarray(equal | (np.isnan(got) & np.isnan(wanted)) | ((got == 0) & (wanted == 0)))


def _flushed(x: np.ndarray) -> np.ndarray:
    tiny = np.abs(x) < np.finfo(np.float32).tiny
    return np.where(tiny, np.copysign(np.float32(0), x), x).astype(np.float32)
