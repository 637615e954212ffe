"""TMA and wgmma: the warp-specialised GEMM in two types with and without clusters, every swizzle, every box."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from accelc.targets.gpu.emulator import TensorMap
from corpus.cases.matrices import normal, product, rounded_tf32
from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng
BF16, E4M3, E5M2 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2
NAMES = {
    np.dtype(BF16): "bfloat16",
    np.dtype(E4M3): "uint8",
    np.dtype(np.float16): "float16",
    np.dtype(np.float32): "float32",
}


def rows(buffer: Any, shape: tuple[int, int], kind: Any, box: tuple[int, int], swizzle: str = "128B") -> TensorMap:
    """A tensor map of a row-major matrix; `box` is columns and rows, as the hardware counts dimensions."""
    size = np.dtype(kind).itemsize
    return TensorMap(
        buffer,
        dtype=NAMES[np.dtype(kind)],
        dims=(shape[1], shape[0]),
        strides=(shape[1] * size,),
        box=box,
        swizzle=swizzle,
    )


def hopper_gemm(bench: Bench, entry: str, kind: Any, cluster: int) -> None:
    m, n, k = 256, 256, 5 * 128 // np.dtype(kind).itemsize
    a, b = normal(1, (m, k), kind), normal(2, (n, k), kind)
    buffers = [bench.buffer(a), bench.buffer(b), bench.emulator.buffer(m * n * 2)]
    width = 128 // np.dtype(kind).itemsize
    maps = [
        rows(buffers[0], (m, k), kind, (width, 128)),
        rows(buffers[1], (n, k), kind, (width, 128 // cluster)),
        rows(buffers[2], (m, n), BF16, (64, 64)),
    ]
    # Two CTAs for four tiles: each is persistent over two.
    bench.launch(entry, 2, 384, *maps, m, n, k, shared_bytes=4 * 32768, cluster=(2, 1, 1) if cluster > 1 else None)
    c = np.frombuffer(buffers[2].read(m * n * 2), BF16).reshape(m, n)
    close(c, product(a, b), 2**-8, 2e-2)


@case("hopper_gemm.cu")
@case("hopper_gemm.cu", flags=["-lineinfo"], suffix="_lineinfo")
def gemm_bf16(bench: Bench) -> None:
    hopper_gemm(bench, "gemm_bf16", BF16, 1)


@case("hopper_gemm.cu")
def gemm_e4m3(bench: Bench) -> None:
    hopper_gemm(bench, "gemm_e4m3", E4M3, 1)


@case("hopper_gemm.cu")
def gemm_bf16_cluster(bench: Bench) -> None:
    hopper_gemm(bench, "gemm_bf16_cluster", BF16, 2)


@case("hopper_gemm.cu")
def gemm_e4m3_cluster(bench: Bench) -> None:
    hopper_gemm(bench, "gemm_e4m3_cluster", E4M3, 2)


@case("wgmma.cu")
def wgmma_floats(bench: Bench) -> None:
    for entry, span, left, right, sign in [
        ("f16_plain", 128, np.float16, np.float16, 1),
        ("f16_32", 32, np.float16, np.float16, 1),
        ("f16_64", 64, np.float16, np.float16, 1),
        ("f16_128", 128, np.float16, np.float16, 1),
        ("f16_minus", 128, np.float16, np.float16, -1),
        ("bf16_64", 64, BF16, BF16, -1),
        ("tf32_128", 128, np.float32, np.float32, 1),
        ("tf32_plain", 64, np.float32, np.float32, 1),
        ("e5m2_e4m3", 128, E5M2, E4M3, 1),
    ]:
        k = span // np.dtype(left).itemsize
        a, b = normal(3, (64, k), left), normal(4, (64, k), right)
        if left is np.float32:
            a, b = rounded_tf32(a), rounded_tf32(b)
        out = np.zeros((64, 64), np.float32)
        bench.launch(f"wgmma_{entry}", 1, 128, a.view(np.uint32), b.view(np.uint32), out)
        close(out, sign * product(a, b), 1e-5, 1e-4)


@case("wgmma.cu")
def wgmma_integers(bench: Bench) -> None:
    for entry, span, left in [("s8_128", 128, np.int8), ("u8_s8_32", 32, np.uint8)]:
        a, b = (RNG(s).integers(0, 256, (64, span)).astype(np.uint8) for s in (5, 6))
        out = np.zeros((64, 64), np.int32)
        bench.launch(f"wgmma_{entry}", 1, 128, a, b, out)
        same(out, a.view(left).astype(np.int64) @ b.view(np.int8).astype(np.int64).T)


@case("wgmma.cu")
def wgmma_f16_f16(bench: Bench) -> None:
    a, b, out = normal(7, (64, 64), np.float16), normal(8, (64, 64), np.float16), np.zeros((64, 64), np.float16)
    bench.launch("wgmma_f16_f16", 1, 128, a, b, out)
    close(out, product(a, b), 4e-3, 3e-2)


@case("wgmma.cu")
def wgmma_registers(bench: Bench) -> None:
    a, b, out = normal(9, (64, 64), np.float16), normal(10, (64, 64), np.float16), np.zeros((64, 64), np.float32)
    held = bench.buffer(b)
    bench.launch("wgmma_registers", 1, 128, a, rows(held, (64, 64), np.float16, (64, 64)), out)
    close(out, product(a, b.T), 1e-5, 1e-4)


@case("wgmma.cu")
def wgmma_transposed(bench: Bench) -> None:
    steps = 3
    a, b, out = normal(11, (64 * steps, 64), BF16), normal(12, (64 * steps, 128), BF16), np.zeros((64, 128), np.float32)
    held = bench.buffer(a), bench.buffer(b)
    maps = rows(held[0], a.shape, BF16, (64, 64)), rows(held[1], b.shape, BF16, (64, 64))
    bench.launch("wgmma_transposed", 1, 128, *maps, out, steps)
    close(out, product(a.T, b.T), 1e-5, 1e-4)


def swizzled(box: np.ndarray, span: int) -> np.ndarray:
    """Rows of `span` bytes as the hardware lays them: 16-byte pieces exchanged by the number of the 128-byte line."""
    flat = box.reshape(-1)
    at = np.arange(flat.size)
    to = at ^ (((at >> 7) & (span // 16 - 1)) << 4)
    out = np.zeros_like(flat)
    out[to] = flat
    return out


@case("tma.cu")
def tma_box_2d(bench: Bench) -> None:
    x = RNG(13).integers(0, 256, (40, 256)).astype(np.uint8)
    held = bench.buffer(x)
    for swizzle, span in [("none", 0), ("32B", 32), ("64B", 64), ("128B", 128)]:
        width = span or 48
        for at in [(0, 0), (64, 3), (224, 30), (-16, -5)]:
            box, bytes_ = np.zeros((16, width), np.uint8), 16 * width
            whole = np.zeros((40 + 64, 256 + 512), np.uint8)
            whole[32:72, 256:512] = x
            box = whole[32 + at[1] : 48 + at[1], 256 + at[0] : 256 + at[0] + width]
            out = np.zeros(bytes_, np.uint8)
            map_ = TensorMap(held, dtype="uint8", dims=(256, 40), strides=(256,), box=(width, 16), swizzle=swizzle)
            bench.launch("tma_box_2d", 1, 64, map_, out, *at, bytes_, shared_bytes=bytes_)
            same(out, swizzled(box, span) if span else box.reshape(-1))


@case("tma.cu")
def tma_fills_with_nan(bench: Bench) -> None:
    x = RNG(14).standard_normal((6, 16)).astype(np.float32)
    held, out = bench.buffer(x), np.zeros((8, 8), np.float32)
    map_ = TensorMap(held, dtype="float32", dims=(16, 6), strides=(64,), box=(8, 8), oob_fill="nan")
    bench.launch("tma_box_2d", 1, 64, map_, out, 12, 2, 256, shared_bytes=256)
    same(out[:4, :4], x[2:, 12:])
    assert np.isnan(out[4:]).all() and np.isnan(out[:, 4:]).all()


@case("tma.cu")
def tma_box_1d(bench: Bench) -> None:
    x = RNG(15).integers(0, 1 << 30, 100).astype(np.int32)
    held, out = bench.buffer(x), np.zeros(32, np.int32)
    map_ = TensorMap(held, dtype="int32", dims=(100,), strides=(), box=(32,))
    bench.launch("tma_box_1d", 1, 32, map_, out, 84, 128, shared_bytes=128)
    same(out, np.r_[x[84:], np.zeros(16, np.int32)])


@case("tma.cu")
def tma_box_5d(bench: Bench) -> None:
    x = RNG(16).integers(0, 1 << 16, (3, 4, 5, 6, 24)).astype(np.uint16)
    held = bench.buffer(x)
    at = np.array([8, 1, -1, 2, 1], np.int32)
    out = np.zeros((2, 3, 2, 3, 16), np.uint16)
    map_ = TensorMap(held, dtype="uint16", dims=x.shape[::-1], strides=x.strides[-2::-1], box=out.shape[::-1])
    bench.launch("tma_box_5d", 1, 64, map_, out, at, out.nbytes, shared_bytes=out.nbytes)
    padded = np.pad(x, 4)
    corner = [4 + int(c) for c in at[::-1]]
    same(out, padded[tuple(slice(c, c + e) for c, e in zip(corner, out.shape, strict=True))])


@case("tma.cu")
def tma_element_strides(bench: Bench) -> None:
    x = RNG(17).standard_normal((12, 32)).astype(np.float32)
    held, out = bench.buffer(x), np.zeros((4, 8), np.float32)
    # A box is counted in the tensor's elements: every third of 12 rows. The inner dimension's stride does not count.
    map_ = TensorMap(held, dtype="float32", dims=(32, 12), strides=(128,), box=(8, 12), element_strides=(1, 3))
    bench.launch("tma_box_2d", 1, 64, map_, out, 4, 0, 128, shared_bytes=128)
    same(out, x[::3, 4:12])


@case("tma.cu")
def tma_transpose(bench: Bench) -> None:
    x = RNG(18).standard_normal((52, 76)).astype(np.float32)
    held, out = bench.buffer(x), bench.emulator.buffer(x.nbytes)
    maps = rows(held, x.shape, np.float32, (32, 32), "none"), rows(out, x.shape[::-1], np.float32, (32, 32), "none")
    bench.launch("tma_transpose", (3, 2), 64, *maps)
    same(np.frombuffer(out.read(x.nbytes), np.float32).reshape(76, 52), x.T)


@case("tma.cu")
def tma_reduce(bench: Bench) -> None:
    start = RNG(19).integers(0, 100, (8, 32)).astype(np.float32)
    held, row = bench.buffer(start), np.arange(64, dtype=np.int32)
    bench.launch("tma_reduce", 3, 64, rows(held, (8, 32), np.float32, (32, 8), "none"), row)
    same(np.frombuffer(held.read(1024), np.float32).reshape(8, 32), start + 6 * np.arange(256).reshape(8, 32))
    same(row, 4 * np.arange(64) + 3)
