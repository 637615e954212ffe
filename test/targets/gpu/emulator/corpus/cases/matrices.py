"""Matrix instructions of a warp, and the moves around them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A B^T in float64, which is exact or as good as for every type here."""
    result: np.ndarray = a.astype(np.float64) @ b.astype(np.float64).T
    return result


def normal(seed: int, shape: tuple[int, ...], kind: Any) -> np.ndarray:
    return RNG(seed).standard_normal(shape).astype(np.float32).astype(kind)


def rounded_tf32(x: np.ndarray) -> np.ndarray:
    """float32 with the low 13 bits rounded away from zero at ties."""
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).astype(np.uint32).view(np.float32)


@case("mma.cu")
@case("mma.cu", arch="sm_80", suffix="_sm_80")
def wmma_gemm(bench: Bench) -> None:
    m, n, k = 32, 64, 48
    for entry, kind, out in [
        ("f16_f32", np.float16, np.float32),
        ("f16_f16", np.float16, np.float16),
        ("bf16", ml_dtypes.bfloat16, np.float32),
    ]:
        a, b, c = normal(1, (m, k), kind), normal(2, (n, k), kind), np.zeros((m, n), out)
        bench.launch(f"wmma_{entry}", (n // 32, m // 16), 64, a, b, c, n, k)
        close(c, product(a, b), 1e-2 if out is np.float16 else 1e-5, 2e-2 if out is np.float16 else 1e-4)
    for entry, kind in [("s8", np.int8), ("u8", np.uint8)]:
        limits = np.iinfo(kind)
        a, b = (RNG(s).integers(limits.min, limits.max + 1, (r, k)).astype(kind) for s, r in [(3, m), (4, n)])
        c = np.zeros((m, n), np.int32)
        bench.launch(f"wmma_{entry}", (n // 32, m // 16), 64, a, b, c, n, k)
        same(c, a.astype(np.int64) @ b.astype(np.int64).T)


@case("mma.cu")
def wmma_shapes(bench: Bench) -> None:
    a, b = normal(5, (16, 8), np.float16), normal(6, (16, 32), np.float16)
    c, d = normal(7, (32, 8), np.float32), np.zeros((8, 32), np.float32)
    bench.launch("wmma_shapes", 1, 32, a, b, c, d, 0.5)
    close(d, product(a.T, b.T) + 0.5 * c.T.astype(np.float64), 1e-5, 1e-5)


@case("mma.cu")
def wmma_tf32(bench: Bench) -> None:
    a, b, c = normal(8, (16, 32), np.float32), normal(9, (32, 16), np.float32), np.zeros((16, 16), np.float32)
    bench.launch("wmma_tf32", 1, 32, a, b, c)
    close(c, product(rounded_tf32(a), rounded_tf32(b).T), 1e-5, 1e-5)


@case("mma.cu")
def wmma_f64(bench: Bench) -> None:
    a, b, c = (RNG(s).standard_normal((8, w)) for s, w in [(10, 16), (11, 16), (12, 8)])
    expected = c + a @ b.T
    bench.launch("wmma_f64", 1, 32, a, b, c)
    close(c, expected, 1e-13, 1e-13)


@case("mma.cu")
def mma_floats(bench: Bench) -> None:
    e4m3, e5m2 = ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2
    for entry, left, right in [
        ("f16", np.float16, np.float16),
        ("bf16", ml_dtypes.bfloat16, ml_dtypes.bfloat16),
        ("e4m3", e4m3, e4m3),
        ("e5m2_e4m3", e5m2, e4m3),
    ]:
        words = 24
        k = words * 4 // np.dtype(left).itemsize
        a, b, c = normal(13, (16, k), left), normal(14, (8, k), right), np.zeros((16, 8), np.float32)
        bench.launch(f"mma_{entry}", 1, 32, a.view(np.uint32), b.view(np.uint32), c, words)
        # fp8 products are summed with 13 fraction bits or so on the hardware; here the sums are wider.
        close(c, product(a, b), 1e-5, 1e-4)
    a, b = rounded_tf32(normal(15, (16, 32), np.float32)), rounded_tf32(normal(16, (8, 32), np.float32))
    c = np.zeros((16, 8), np.float32)
    bench.launch("mma_tf32", 1, 32, a.view(np.uint32), b.view(np.uint32), c, 32)
    close(c, product(a, b), 1e-5, 1e-5)


@case("mma.cu")
def mma_integers(bench: Bench) -> None:
    rng, words = RNG(17), 16
    for entry, left, right, low in [
        ("s8", np.int8, np.int8, -128),
        ("u8_s8", np.uint8, np.int8, 0),
        ("s8_saturated", np.int8, np.int8, -128),
    ]:
        a = rng.integers(low, low + 256, (16, 4 * words)).astype(left)
        b = rng.integers(-128, 128, (8, 4 * words)).astype(right)
        c = np.zeros((16, 8), np.int32)
        bench.launch(f"mma_{entry}", 1, 32, a.view(np.uint32), b.view(np.uint32), c, words)
        same(c, a.astype(np.int64) @ b.astype(np.int64).T)
    a, b = (rng.integers(0, 1 << 32, (r, words)).astype(np.uint32) for r in (16, 8))
    c = np.zeros((16, 8), np.int32)
    bench.launch("mma_s4", 1, 32, a, b, c, words)
    nibbles = [
        ((v[..., None] >> np.arange(0, 32, 4, dtype=np.uint32) & 15).reshape(len(v), -1).astype(np.int64) ^ 8) - 8
        for v in (a, b)
    ]
    same(c, nibbles[0] @ nibbles[1].T)
    bench.launch("mma_b1", 1, 32, a, b, c, words)
    same(c, np.bitwise_count(a[:, None] & b[None]).sum(-1))


@case("mma.cu")
def mma_accumulators(bench: Bench) -> None:
    a, b, c = normal(18, (16, 32), np.float16), normal(19, (8, 32), np.float16), np.zeros((16, 8), np.float16)
    bench.launch("mma_f16_f16", 1, 32, a.view(np.uint32), b.view(np.uint32), c, 16)
    close(c, product(a, b), 2e-3, 1e-2)
    x, y, z = RNG(20).standard_normal((8, 16)), RNG(21).standard_normal((8, 16)), np.zeros((8, 8))
    bench.launch("mma_f64", 1, 32, x, y, z)
    close(z, x @ y.T, 1e-13, 1e-13)


@case("mma.cu")
def gemm_ldmatrix(bench: Bench) -> None:
    m, n, k = 64, 128, 96
    bf16 = ml_dtypes.bfloat16
    a, b, c = normal(22, (m, k), bf16), normal(23, (k, n), bf16), np.zeros((m, n), bf16)
    bench.launch("gemm_ldmatrix", (n // 64, m // 64), 128, *(x.view(np.uint16) for x in (a, b, c)), n, k)
    close(c, product(a, b.T), 2**-8, 1e-3)


@case("mma.cu")
def matrix_moves(bench: Bench) -> None:
    x, out = RNG(24).integers(0, 1 << 16, (8, 8)).astype(np.uint16), np.zeros(256, np.uint16)
    bench.launch("matrix_moves", 1, 32, x, out)
    for i, expected in enumerate([x.T, x.T, x.T, x]):
        same(out[64 * i : 64 * i + 64].reshape(8, 8), expected)
