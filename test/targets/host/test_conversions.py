"""Element types that the CPU lacks, against ml_dtypes and numpy: every pattern of the narrow type, every tie."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from host_kernels import elementwise_kernel, run_kernel

from accelc.core.diagnostics import UnsupportedError

Array = np.ndarray[Any, Any]
DTYPES: dict[str, Any] = {
    "f8E4M3FN": ml_dtypes.float8_e4m3fn,
    "f8E5M2": ml_dtypes.float8_e5m2,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn,
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
    "i4": ml_dtypes.uint4,
    "i8": np.int8,
    "i32": np.int32,
}
NARROW = ("f8E4M3FN", "f8E5M2", "f4E2M1FN")


def convert(op: str, source: str, target: str, x: Array) -> Array:
    """``arith.<op>`` of every element."""
    body = f"%r = arith.{op} %a0 : {source} to {target}\nlinalg.yield %r : {target}"
    text = elementwise_kernel([(source, x.shape)], (target, x.shape), body)
    return run_kernel(text, [x], [(x.shape, np.dtype(DTYPES[target]))])[0]


def patterns(dtype: str) -> Array:
    """Every value of a type of at most 8 bits."""
    return np.arange(16 if "4" in dtype[:2] else 256, dtype=np.uint8).view(DTYPES[dtype])


def test_f32_to_narrow_at_every_tie() -> None:
    high, low = np.meshgrid(np.arange(1 << 16), [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], indexing="ij")
    x = (high << 16 | low).astype(np.uint32).view(np.float32).ravel()
    for target in NARROW:
        with np.errstate(all="ignore"):
            want = x.astype(DTYPES[target])
        np.testing.assert_array_equal(convert("truncf", "f32", target, x).view(np.uint8), want.view(np.uint8), target)


@pytest.mark.parametrize("target", NARROW)
def test_f16_to_narrow_everywhere(target: str) -> None:
    x = np.arange(1 << 16).astype(np.uint16).view(np.float16)
    with np.errstate(all="ignore"):
        want = x.astype(np.float32).astype(DTYPES[target])
    np.testing.assert_array_equal(convert("truncf", "f16", target, x).view(np.uint8), want.view(np.uint8))


@pytest.mark.parametrize("source", NARROW)
@pytest.mark.parametrize("target", ["f16", "bf16", "f32", "f64"])
def test_narrow_to_wide_everywhere(source: str, target: str) -> None:
    x = patterns(source)
    with np.errstate(invalid="ignore"):  # NaNs
        np.testing.assert_array_equal(convert("extf", source, target, x).astype(np.float64), x.astype(np.float64))


@pytest.mark.parametrize("target", ["f16", "bf16", *NARROW])
def test_f64_rounds_once(target: str) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16) if target in ("f16", "bf16") else np.arange(128, dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        numbers = bits.view(DTYPES[target]).astype(np.float64)
    numbers = np.unique(numbers[np.isfinite(numbers)])
    below, above = numbers[:-1], numbers[1:]
    middle = below + (above - below) / 2  # exact: f64 has bits to spare
    tiny = np.abs(middle) * 2.0**-50  # far below what f32 resolves
    for x, want in ((middle - tiny, below), (middle + tiny, above), (numbers, numbers)):
        np.testing.assert_array_equal(convert("truncf", "f64", target, x).astype(np.float64), want)


def test_special_f64_to_f16() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 1e300, -1e300, 65519.999999999, 65520.0, 1e-300, -0.0])
    with np.errstate(over="ignore"):
        want = x.astype(np.float16)
    np.testing.assert_array_equal(convert("truncf", "f64", "f16", x), want)


def test_4_bit_integers() -> None:
    x = patterns("i4")
    unsigned = x.astype(np.int32)
    signed = np.where(unsigned > 7, unsigned - 16, unsigned)
    for target in ("i8", "i32"):
        np.testing.assert_array_equal(convert("extui", "i4", target, x), unsigned)
        np.testing.assert_array_equal(convert("extsi", "i4", target, x), signed)
    np.testing.assert_array_equal(convert("uitofp", "i4", "f32", x), unsigned)
    np.testing.assert_array_equal(convert("sitofp", "i4", "f32", x), signed)
    every = np.arange(-128, 128, dtype=np.int8)
    np.testing.assert_array_equal(convert("trunci", "i8", "i4", every).view(np.uint8), every.view(np.uint8) & 15)
    np.testing.assert_array_equal(convert("bitcast", "i4", "f4E2M1FN", x).view(np.uint8), x.view(np.uint8))


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        ("addi", lambda a, b: a + b),
        ("muli", lambda a, b: a * b),
        ("maxsi", np.maximum),
        ("minui", lambda a, b: np.minimum(a & 15, b & 15)),
        ("shrsi", lambda a, b: a >> np.minimum(b & 15, 3)),
    ],
)
def test_4_bit_arithmetic(op: str, reference: Any) -> None:
    a, b = (g.ravel().astype(np.uint8) for g in np.meshgrid(np.arange(16), np.arange(4 if op == "shrsi" else 16)))
    signed = [np.where(v > 7, v.astype(int) - 16, v) for v in (a, b)]
    text = elementwise_kernel(
        [("i4", a.shape)] * 2, ("i4", a.shape), f"%r = arith.{op} %a0, %a1 : i4\nlinalg.yield %r : i4"
    )
    [result] = run_kernel(text, [a, b], [(a.shape, np.dtype(np.uint8))])
    np.testing.assert_array_equal(result, reference(*signed) & 15)


def test_constants_and_selections_of_fp8() -> None:
    body = """%c = arith.constant -1.5 : f8E5M2
        %z = arith.constant 0.0 : f32
        %w = arith.extf %a0 : f8E5M2 to f32
        %p = arith.cmpf olt, %w, %z : f32
        %r = arith.select %p, %c, %a0 : f8E5M2
        linalg.yield %r : f8E5M2"""
    x = np.array([-3, 2, -0.5, 7], np.float32).astype(ml_dtypes.float8_e5m2)
    text = elementwise_kernel([("f8E5M2", (4,))], ("f8E5M2", (4,)), body)
    [result] = run_kernel(text, [x], [((4,), x.dtype)])
    np.testing.assert_array_equal(result.astype(np.float32), [-1.5, 2, -1.5, 7])


def test_arithmetic_on_fp8_is_refused_by_name() -> None:
    body = "%r = arith.addf %a0, %a0 : f8E4M3FN\nlinalg.yield %r : f8E4M3FN"
    with pytest.raises(UnsupportedError, match=r"arith\.addf.*f8E4M3FN"):
        run_kernel(elementwise_kernel([("f8E4M3FN", (4,))], ("f8E4M3FN", (4,)), body), [], [])
