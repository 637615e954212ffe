"""Triton's kernels, launched as its launcher does: descriptors by value with their shapes and strides behind them,
integers that are constants left out, and two pointers to scratch memory at the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from accelc.targets.gpu.emulator import TensorMap
from corpus.cases.convert import to_fp8_bits
from corpus.cases.matrices import normal
from corpus.harness import Bench, Extent, close, extent, same
from corpus.triton_compile import compiled

RNG = np.random.default_rng
BF16, E4M3 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn
SWIZZLES = ["none", "32B", "64B", "128B"]
TYPES = {0: "uint8", 6: "float16", 7: "float32", 10: "bfloat16"}

# Where a layout holds an element in several threads, they all store it: the same value, at the same place.
KNOWN = {"reductions": [r"^race at .*shared address.*st\.shared"]}


class Kernel:
    """A compiled Triton kernel, to be launched with its arguments by name."""

    def __init__(self, name: str, sanitize: bool = False) -> None:
        ptx, self.meta = compiled(name)
        self.bench = Bench(ptx, sanitize=sanitize, known=KNOWN.get(name, ()))
        found = re.search(r"\.reqntid (\d+)", ptx)
        assert found is not None
        self.threads = int(found.group(1))

    def described(self, which: int, array: np.ndarray) -> list[Any]:
        """A descriptor argument: the map, and the shape and strides in elements."""
        meta = self.meta["tensordesc_meta"][which]
        made = TensorMap(
            array,
            dtype=TYPES[meta["elem_type"]],
            dims=array.shape[::-1],
            strides=list(array.strides[-2::-1]),
            box=meta["block_size"][::-1],
            swizzle=SWIZZLES[meta["swizzle"]],
        )
        return [made, *array.shape, *(s // array.itemsize for s in array.strides)]

    def launch(self, grid: Extent, **arguments: Any) -> Any:
        args: list[Any] = []
        described = 0
        for name in self.meta["args"]:
            value = arguments.pop(name)
            if isinstance(value, np.ndarray) and described < len(self.meta["tensordesc_meta"]):
                args += self.described(described, value)
                described += 1
            else:
                args.append(value)
        assert not arguments
        x, y, z = extent(grid)
        clusters = self.meta["num_ctas"]
        scratch = self.meta["global_scratch_size"] * x * y * z * clusters
        args += [self.bench.emulator.buffer(scratch) if scratch else None, None]
        return self.bench.launch(
            self.meta["name"],
            (x * clusters, y, z),
            self.threads,
            *args,
            shared_bytes=self.meta["shared"],
            cluster=(clusters, 1, 1) if clusters > 1 else None,
        )


CASES: dict[str, Callable[[Kernel], None]] = {}


def case(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers what one or several kernels of triton_kernels.py must compute."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        for name in names:
            CASES[name] = function
        return function

    return register


@case("add")
def add(kernel: Kernel) -> None:
    n = 1000
    x, y, out = normal(1, (n,), np.float32), normal(2, (n,), np.float32), np.zeros(n, np.float32)
    kernel.launch(4, x=x, y=y, out=out, n=n)
    same(out, x + y)


@case("softmax")
def softmax(kernel: Kernel) -> None:
    x = normal(3, (5, 333), np.float32) * np.float32(3)
    out = np.zeros_like(x)
    kernel.launch(5, x=x, out=out, stride=333, columns=333)
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    close(out, e / e.sum(1, keepdims=True), 1e-5, 1e-7)


@case("layer_norm")
def layer_norm(kernel: Kernel) -> None:
    x, w, b = normal(4, (6, 600), np.float32), normal(5, (600,), np.float32), normal(6, (600,), np.float32)
    y, means, rstds = np.zeros_like(x), np.zeros(6, np.float32), np.zeros(6, np.float32)
    kernel.launch(6, x=x, y=y, weight=w, bias=b, means=means, rstds=rstds, columns=600, eps=1e-5)
    wide = x.astype(np.float64)
    rstd = 1 / np.sqrt(wide.var(1) + 1e-5)
    close(means, wide.mean(1), 1e-5, 1e-6)
    close(rstds, rstd, 1e-5)
    close(y, (wide - wide.mean(1, keepdims=True)) * rstd[:, None] * w + b, 1e-4, 1e-5)


@case("layer_norm_backward")
def layer_norm_backward(kernel: Kernel) -> None:
    rows, n, groups = 14, 200, 4
    x, dy, w = normal(7, (rows, n), np.float32), normal(8, (rows, n), np.float32), normal(9, (n,), np.float32)
    wide = x.astype(np.float64)
    means, rstds = wide.mean(1), 1 / np.sqrt(wide.var(1) + 1e-5)
    dx, dw, db = np.zeros_like(x), np.zeros((groups, n), np.float32), np.zeros((groups, n), np.float32)
    kernel.launch(
        rows,
        dx=dx,
        dy=dy,
        dw=dw,
        db=db,
        x=x,
        weight=w,
        means=means.astype(np.float32),
        rstds=rstds.astype(np.float32),
        locks=np.zeros(2 * groups, np.int32),
        columns=n,
    )
    hat = (wide - means[:, None]) * rstds[:, None]
    wdy = w * dy.astype(np.float64)
    close(
        dx, (wdy - hat * (hat * wdy).mean(1, keepdims=True) - wdy.mean(1, keepdims=True)) * rstds[:, None], 1e-4, 1e-5
    )
    close(dw, np.stack([(dy * hat)[g::groups].sum(0) for g in range(groups)]), 1e-4, 1e-5)
    close(db, np.stack([dy[g::groups].sum(0) for g in range(groups)]), 1e-4, 1e-5)


@case("layer_norm_reduce")
def layer_norm_reduce(kernel: Kernel) -> None:
    x, out = normal(10, (7, 150), np.float32), np.zeros(150, np.float32)
    kernel.launch(3, parts=x, out=out, rows=7, columns=150)
    close(out, x.astype(np.float64).sum(0), 1e-5, 1e-5)


@case("matmul_fp16", "matmul_bf16", "matmul_tf32", "matmul_fp8", "matmul_int8")
def matmul(kernel: Kernel, name: str) -> None:
    kind, out = {
        "matmul_fp16": (np.float16, np.float16),
        "matmul_bf16": (BF16, np.float32),
        "matmul_tf32": (np.float32, np.float32),
        "matmul_fp8": (E4M3, np.float16),
        "matmul_int8": (np.int8, np.int32),
    }[name]
    m, n, k = 160, 144, 208
    if kind is np.int8:
        a, b = (RNG(s).integers(-128, 128, shape).astype(np.int8) for s, shape in [(11, (m, k)), (12, (k, n))])
    else:
        a, b = normal(11, (m, k), kind), normal(12, (k, n), kind)
    c = np.zeros((m, n), out)
    columns = "sbk" in kernel.meta["args"]  # else B has k innermost
    laid = b if columns else np.ascontiguousarray(b.T)
    stride = {"sbk": n} if columns else {"sbn": k}
    kernel.launch(6, a=a, b=laid, c=c, M=m, N=n, K=k, sam=k, scm=n, **stride)
    if kind is np.int8:
        same(c, a.astype(np.int64) @ b.astype(np.int64))
        return
    if kind is np.float32:
        # wgmma takes floats as they lie in memory, and does not read their low 13 bits.
        a, b = ((v.view(np.uint32) & 0xFFFFE000).view(np.float32) for v in (a, b))
    close(c, a.astype(np.float64) @ b.astype(np.float64), 2e-3, 3e-2 if out is np.float16 else 2e-2)


@case("matmul_descriptors", "matmul_descriptors_fp8", "matmul_persistent", "matmul_specialized", "matmul_cluster")
def matmul_described(kernel: Kernel, name: str) -> None:
    kind, out, m, n, k, grid = {
        "matmul_descriptors": (np.float16, np.float16, 200, 136, 160, (2, 2)),
        "matmul_descriptors_fp8": (E4M3, BF16, 128, 64, 384, (2, 1)),
        "matmul_persistent": (BF16, BF16, 256, 128, 256, (2, 1)),
        "matmul_specialized": (BF16, BF16, 256, 128, 256, (2, 1)),
        "matmul_cluster": (np.float16, np.float16, 128, 256, 192, (1, 2)),
    }[name]
    a, b, c = normal(13, (m, k), kind), normal(14, (n, k), kind), np.zeros((m, n), out)
    kernel.launch(grid, a=a, b=b, c=c, M=m, N=n, K=k)
    close(c, a.astype(np.float64) @ b.astype(np.float64).T, 2**-8, 3e-2)


@case("matmul_device_descriptors")
def matmul_device_descriptors(kernel: Kernel) -> None:
    m, n, k = 256, 128, 192
    a, b, c = normal(15, (m, k), BF16), normal(16, (n, k), BF16), np.zeros((m, n), BF16)
    kernel.launch((2, 2), a=a, b=b, c=c, M=m, N=n, K=k)
    close(c, a.astype(np.float64) @ b.astype(np.float64).T, 2**-8, 3e-2)


@case("attention", "attention_causal")
def attention(kernel: Kernel, name: str) -> None:
    heads, t, d, rows = (2, 200, 64, 64) if name == "attention" else (2, 256, 128, 128)
    q, k, v = (normal(s, (heads, t, d), np.float16) for s in (17, 18, 19))
    out, lse = np.zeros_like(q), np.zeros((heads, t), np.float32)
    scale = 1 / math.sqrt(d)
    kernel.launch((-(-t // rows), heads), q=q, k=k, v=v, out=out, lse=lse, scale=scale, T=t)
    score = q.astype(np.float64) @ k.astype(np.float64).transpose(0, 2, 1) * scale
    if name == "attention_causal":
        score = np.where(np.tri(t, dtype=bool), score, -np.inf)
    weight = np.exp(score - score.max(-1, keepdims=True))
    total = weight.sum(-1, keepdims=True)
    close(lse, (np.log2(total) + score.max(-1, keepdims=True) / math.log(2))[..., 0], 1e-3, 1e-3)
    close(out, weight / total @ v.astype(np.float64), 5e-3, 3e-3)


@case("reductions")
def reductions(kernel: Kernel) -> None:
    x = RNG(20).integers(-500, 500, (16, 128)).astype(np.float32)
    out, where = np.zeros(32 + 128, np.float32), np.zeros(32 + 128, np.int32)
    kernel.launch(1, x=x, out=out, where=where)
    same(out, np.r_[x.max(1), x.sum(1), x.min(0)])
    same(where, np.r_[x.argmax(1), x.argmin(1), np.bitwise_xor.reduce(x.astype(np.int32), 0)])


@case("histogram")
def histogram(kernel: Kernel) -> None:
    x, out = RNG(21).integers(0, 128, 1200).astype(np.int32), np.zeros(129, np.int32)
    kernel.launch(3, x=x, out=out, n=1200)
    same(out, np.r_[np.bincount(x, minlength=128), x.max()])


@case("sort_and_scan")
def sort_and_scan(kernel: Kernel) -> None:
    x = RNG(22).integers(-99, 99, (16, 64)).astype(np.float32)
    ordered, sums, linear = (np.zeros_like(x) for _ in range(3))
    kernel.launch(1, x=x, ordered=ordered, sums=sums, products=linear)
    same(ordered, -np.sort(-x, 1))
    same(sums, x.cumsum(1))
    expected = x.astype(np.float64)
    for i in range(1, 16):
        expected[i] += 0.5 * expected[i - 1]
    close(linear, expected, 1e-5, 1e-4)


@case("gather")
def gather(kernel: Kernel) -> None:
    x, index = normal(23, (16, 32), np.float32), RNG(24).integers(0, 32, (16, 32)).astype(np.int32)
    out, looked = np.zeros_like(x), np.zeros_like(x)
    kernel.launch(1, x=x, index=index, out=out, looked_up=looked)
    same(out, np.take_along_axis(x, index, 1))
    same(looked, x[index % 16, np.arange(32)[None]])


def philox(seed: int, counter: np.ndarray) -> np.ndarray:
    """The first word of Philox4x32-10. (J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3. 2011.)"""
    low = np.uint64(0xFFFFFFFF)
    c = [counter.astype(np.uint64), *(np.zeros(counter.shape, np.uint64) for _ in range(3))]
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        shift = np.uint64(32)
        c = [
            (second >> shift) ^ c[1] ^ np.uint64(keys[0]),
            second & low,
            (first >> shift) ^ c[3] ^ np.uint64(keys[1]),
            first & low,
        ]
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c[0].astype(np.uint32)


@case("dropout")
def dropout(kernel: Kernel) -> None:
    n, p, seed = 900, 0.3, 12345
    x, out = normal(25, (n,), np.float32), np.zeros(n, np.float32)
    kernel.launch(4, x=x, out=out, n=n, p=p, seed=seed)
    word = philox(seed, np.arange(n)).view(np.int32)
    uniform = np.where(word < 0, -word - 1, word).astype(np.float32) * np.float32(4.6566127342e-10)
    keep = uniform > np.float32(p)
    assert 0.6 < keep.mean() < 0.8
    close(out, np.where(keep, x / np.float32(1 - p), 0), 1e-6)


@case("convert_fp8")
def convert_fp8(kernel: Kernel) -> None:
    x = np.r_[normal(26, (500,), np.float32) * np.float32(100), normal(27, (12,), np.float32) * np.float32(1e-3)]
    e4m3, e5m2, back = np.zeros(512, np.uint8), np.zeros(512, np.uint8), np.zeros(512, np.float32)
    kernel.launch(2, x=x, e4m3=e4m3, e5m2=e5m2, back=back)
    same(e4m3, to_fp8_bits(x, E4M3))
    same(e5m2, to_fp8_bits(x, ml_dtypes.float8_e5m2))
    same(back, e4m3.view(E4M3).astype(np.float32) + e5m2.view(ml_dtypes.float8_e5m2).astype(np.float32))
