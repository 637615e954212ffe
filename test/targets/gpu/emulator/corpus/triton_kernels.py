"""Kernels in Triton, and how each is compiled for sm_90a. Run as a script it writes `NAME.ptx` and `NAME.json` of all.

Triton needs no GPU to compile. Nothing here knows of the emulator: what a kernel must compute is in cases/triton.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


@triton.jit
def add(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    tl.store(out + at, tl.load(x + at, mask=mask) + tl.load(y + at, mask=mask), mask=mask)


@triton.jit
def softmax(x, out, stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * stride + at, mask=at < columns, other=-float("inf"))
    values = tl.exp(values - tl.max(values, axis=0))
    tl.store(out + row * stride + at, values / tl.sum(values, axis=0), mask=at < columns)


@triton.jit
def layer_norm(x, y, weight, bias, means, rstds, columns, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    x += row * columns
    y += row * columns
    total = tl.zeros([BLOCK], tl.float32)
    for base in range(0, columns, BLOCK):
        at = base + tl.arange(0, BLOCK)
        total += tl.load(x + at, mask=at < columns, other=0.0)
    mean = tl.sum(total, axis=0) / columns
    total = tl.zeros([BLOCK], tl.float32)
    for base in range(0, columns, BLOCK):
        at = base + tl.arange(0, BLOCK)
        centred = tl.where(at < columns, tl.load(x + at, mask=at < columns, other=0.0) - mean, 0.0)
        total += centred * centred
    rstd = 1 / tl.sqrt(tl.sum(total, axis=0) / columns + eps)
    tl.store(means + row, mean)
    tl.store(rstds + row, rstd)
    for base in range(0, columns, BLOCK):
        at = base + tl.arange(0, BLOCK)
        mask = at < columns
        value = (tl.load(x + at, mask=mask, other=0.0) - mean) * rstd
        tl.store(y + at, value * tl.load(weight + at, mask=mask) + tl.load(bias + at, mask=mask), mask=mask)


@triton.jit
def layer_norm_backward(
    dx, dy, dw, db, x, weight, means, rstds, locks, columns, GROUPS: tl.constexpr, BLOCK: tl.constexpr
):
    """Partial sums of dw and db are added by groups of rows, each under a lock that programs wait for."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    group = row % GROUPS
    lock = locks + group
    count = locks + GROUPS + group
    value = tl.load(x + row * columns + at, mask=mask, other=0.0)
    grad = tl.load(dy + row * columns + at, mask=mask, other=0.0)
    w = tl.load(weight + at, mask=mask, other=0.0)
    rstd = tl.load(rstds + row)
    hat = tl.where(mask, (value - tl.load(means + row)) * rstd, 0.0)
    wdy = tl.where(mask, w * grad, 0.0)
    first = tl.sum(hat * wdy, axis=0) / columns
    second = tl.sum(wdy, axis=0) / columns
    tl.store(dx + row * columns + at, (wdy - (hat * first + second)) * rstd, mask=mask)
    part_w = grad * hat
    part_b = grad
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    if tl.load(count) == 0:
        tl.atomic_xchg(count, 1)
    else:
        part_w += tl.load(dw + group * columns + at, mask=mask)
        part_b += tl.load(db + group * columns + at, mask=mask)
    tl.store(dw + group * columns + at, part_w, mask=mask)
    tl.store(db + group * columns + at, part_b, mask=mask)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def layer_norm_reduce(parts, out, rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    at = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for base in range(0, rows, ROWS):
        r = base + tl.arange(0, ROWS)
        mask = (r[:, None] < rows) & (at[None, :] < columns)
        total += tl.load(parts + r[:, None] * columns + at[None, :], mask=mask, other=0.0)
    tl.store(out + at, tl.sum(total, axis=0), mask=at < columns)


@triton.jit
def matmul(
    a, b, c, M, N, K, sam, sak, sbk, sbn, scm, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr
):
    """C = A B through pointers, any strides, tiles in groups that share B in the cache."""
    tile = tl.program_id(0)
    down = tl.cdiv(M, BM)
    across = tl.cdiv(N, BN)
    first = tile // (GROUP * across) * GROUP
    size = min(down - first, GROUP)
    m = first + (tile % (GROUP * across)) % size
    n = (tile % (GROUP * across)) // size
    rm = (m * BM + tl.arange(0, BM)) % M
    rn = (n * BN + tl.arange(0, BN)) % N
    rk = tl.arange(0, BK)
    pa = a + rm[:, None] * sam + rk[None, :] * sak
    pb = b + rk[:, None] * sbk + rn[None, :] * sbn
    if c.dtype.element_ty == tl.int32:
        total = tl.zeros((BM, BN), tl.int32)
    else:
        total = tl.zeros((BM, BN), tl.float32)
    for k in range(tl.cdiv(K, BK)):
        x = tl.load(pa, mask=rk[None, :] < K - k * BK, other=0.0)
        y = tl.load(pb, mask=rk[:, None] < K - k * BK, other=0.0)
        total = tl.dot(x, y, total)
        pa += BK * sak
        pb += BK * sbk
    om = m * BM + tl.arange(0, BM)
    on = n * BN + tl.arange(0, BN)
    tl.store(
        c + om[:, None] * scm + on[None, :], total.to(c.dtype.element_ty), mask=(om[:, None] < M) & (on[None, :] < N)
    )


@triton.jit
def matmul_descriptors(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """C = A B^T with descriptors that the host has made: TMA in and out."""
    m = tl.program_id(0) * BM
    n = tl.program_id(1) * BN
    total = tl.zeros((BM, BN), tl.float32)
    for k in range(tl.cdiv(K, BK)):
        x = a.load([m, k * BK])
        y = b.load([n, k * BK])
        total = tl.dot(x, y.T, total)
    c.store([m, n], total.to(c.dtype))


@triton.jit
def matmul_device_descriptors(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """The same, with descriptors that the kernel makes in scratch memory."""
    da = tl.make_tensor_descriptor(a, shape=[M, K], strides=[K, 1], block_shape=[BM, BK])
    db = tl.make_tensor_descriptor(b, shape=[N, K], strides=[K, 1], block_shape=[BN, BK])
    dc = tl.make_tensor_descriptor(c, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    m = tl.program_id(0) * BM
    n = tl.program_id(1) * BN
    total = tl.zeros((BM, BN), tl.float32)
    for k in range(tl.cdiv(K, BK)):
        total = tl.dot(da.load([m, k * BK]), db.load([n, k * BK]).T, total)
    dc.store([m, n], total.to(dc.dtype))


@triton.jit
def matmul_persistent(
    a,
    b,
    c,
    M,
    N,
    K,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SPECIALIZE: tl.constexpr,
):
    """Programs that go from tile to tile; with SPECIALIZE the loads are a warp's own job."""
    down = tl.cdiv(M, BM)
    tiles = down * tl.cdiv(N, BN)
    for tile in tl.range(tl.program_id(0), tiles, PROGRAMS, warp_specialize=SPECIALIZE):
        m = tile % down * BM
        n = tile // down * BN
        total = tl.zeros((BM, BN), tl.float32)
        for k in range(tl.cdiv(K, BK)):
            total = tl.dot(a.load([m, k * BK]), b.load([n, k * BK]).T, total)
        c.store([m, n], total.to(c.dtype))


@triton.jit
def attention(q, k, v, out, lse, scale, T, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, CAUSAL: tl.constexpr):
    """Flash attention, forward: [heads, T, D] in f16, the running maximum and sum in f32."""
    head = tl.program_id(1)
    start = tl.program_id(0) * BM
    rows = start + tl.arange(0, BM)
    columns = tl.arange(0, D)
    base = head * T * D
    query = tl.load(q + base + rows[:, None] * D + columns[None, :], mask=rows[:, None] < T, other=0.0)
    most = tl.full([BM], -float("inf"), tl.float32)
    total = tl.zeros([BM], tl.float32)
    result = tl.zeros([BM, D], tl.float32)
    end = min(start + BM, T) if CAUSAL else T
    for begin in range(0, end, BN):
        at = begin + tl.arange(0, BN)
        key = tl.load(k + base + at[None, :] * D + columns[:, None], mask=at[None, :] < T, other=0.0)
        score = tl.dot(query, key) * (scale * 1.4426950408889634)
        keep = at[None, :] < T
        if CAUSAL:
            keep = keep & (rows[:, None] >= at[None, :])
        score = tl.where(keep, score, -float("inf"))
        larger = tl.maximum(most, tl.max(score, 1))
        weight = tl.exp2(score - larger[:, None])
        shrink = tl.exp2(most - larger)
        total = total * shrink + tl.sum(weight, 1)
        value = tl.load(v + base + at[:, None] * D + columns[None, :], mask=at[:, None] < T, other=0.0)
        result = tl.dot(weight.to(tl.float16), value, result * shrink[:, None])
        most = larger
    tl.store(lse + head * T + rows, most + tl.log2(total), mask=rows < T)
    result = result / total[:, None]
    tl.store(out + base + rows[:, None] * D + columns[None, :], result.to(tl.float16), mask=rows[:, None] < T)


@triton.jit
def _product_and_sum(p, s, q, t):
    return p * q, s * q + t


@triton.jit
def reductions(x, out, where, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Sums, maxima with their places, minima and XORs along both axes."""
    r = tl.arange(0, ROWS)
    c = tl.arange(0, COLUMNS)
    values = tl.load(x + r[:, None] * COLUMNS + c[None, :])
    most, at = tl.max(values, axis=1, return_indices=True)
    tl.store(where + r, at)
    tl.store(out + r, most)
    tl.store(out + ROWS + r, tl.sum(values, axis=1))
    tl.store(where + ROWS + r, tl.argmin(values, axis=1))
    tl.store(out + 2 * ROWS + c, tl.min(values, axis=0))
    tl.store(where + 2 * ROWS + c, tl.xor_sum(values.to(tl.int32), axis=0))


@triton.jit
def histogram(x, out, n, BINS: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    values = tl.load(x + at, mask=at < n, other=0)
    counts = tl.histogram(values, BINS, mask=at < n)
    tl.atomic_add(out + tl.arange(0, BINS), counts)
    tl.atomic_max(out + BINS, tl.max(tl.where(at < n, values, 0), axis=0))


@triton.jit
def sort_and_scan(x, ordered, sums, products, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    r = tl.arange(0, ROWS)
    c = tl.arange(0, COLUMNS)
    at = r[:, None] * COLUMNS + c[None, :]
    values = tl.load(x + at)
    tl.store(ordered + at, tl.sort(values, dim=1, descending=True))
    tl.store(sums + at, tl.cumsum(values, axis=1))
    half = tl.full([ROWS, COLUMNS], 0.5, tl.float32)
    _, linear = tl.associative_scan((half, values), 0, _product_and_sum)
    tl.store(products + at, linear)


@triton.jit
def gather(x, index, out, looked_up, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    r = tl.arange(0, ROWS)
    c = tl.arange(0, COLUMNS)
    at = r[:, None] * COLUMNS + c[None, :]
    places = tl.load(index + at)
    tl.store(out + at, tl.gather(tl.load(x + at), places, axis=1))
    tl.store(looked_up + at, tl.load(x + places * COLUMNS % (ROWS * COLUMNS) + c[None, :]))


@triton.jit
def dropout(x, out, n, p, seed, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    values = tl.load(x + at, mask=mask)
    keep = tl.rand(seed, at) > p
    tl.store(out + at, tl.where(keep, values / (1 - p), 0.0), mask=mask)


@triton.jit
def convert_fp8(x, e4m3, e5m2, back, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    values = tl.load(x + at)
    narrow = values.to(tl.float8e4nv)
    wide = values.to(tl.float8e5)
    tl.store(e4m3 + at, narrow)
    tl.store(e5m2 + at, wide)
    tl.store(back + at, narrow.to(tl.float32) + wide.to(tl.float32))


GEMM = {"BM": 128, "BN": 128, "BK": 64}
STRIDED = "M N K sam sak sbk sbn scm"


def gemm(a: str, c: str, bk: int, **options: Any) -> tuple[Any, ...]:
    pointers = {"a": f"*{a}", "b": f"*{a}", "c": f"*{c}"}
    strides = dict.fromkeys(STRIDED.split(), "i32")
    fixed = {"sak": 1, **({"sbn": 1} if a in ("fp16", "bf16") else {"sbk": 1})}
    for name in fixed:
        strides[name] = "constexpr"
    return (
        matmul,
        {**pointers, **strides},
        {"BM": 128, "BN": 64, "BK": bk, "GROUP": 2, **fixed},
        {"num_warps": 4, "num_stages": 3, **options},
    )


def described(kernel: Any, element: str, out: str, tile: dict[str, int], **options: Any) -> tuple[Any, ...]:
    bm, bn, bk = tile["BM"], tile["BN"], tile["BK"]
    maps = {
        "a": f"tensordesc<{element}[{bm}, {bk}]>",
        "b": f"tensordesc<{element}[{bn}, {bk}]>",
        "c": f"tensordesc<{out}[{bm}, {bn}]>",
    }
    return kernel, {**maps, "M": "i32", "N": "i32", "K": "i32"}, tile, options


# Name: kernel, types of its arguments, constants, options.
KERNELS: dict[str, tuple[Any, dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "add": (add, {"x": "*fp32", "y": "*fp32", "out": "*fp32", "n": "i32"}, {"BLOCK": 256}, {}),
    "softmax": (softmax, {"x": "*fp32", "out": "*fp32", "stride": "i32", "columns": "i32"}, {"BLOCK": 512}, {}),
    "layer_norm": (
        layer_norm,
        {**dict.fromkeys(["x", "y", "weight", "bias", "means", "rstds"], "*fp32"), "columns": "i32", "eps": "fp32"},
        {"BLOCK": 256},
        {},
    ),
    "layer_norm_backward": (
        layer_norm_backward,
        {
            **dict.fromkeys(["dx", "dy", "dw", "db", "x", "weight", "means", "rstds"], "*fp32"),
            "locks": "*i32",
            "columns": "i32",
        },
        {"GROUPS": 4, "BLOCK": 256},
        {},
    ),
    "layer_norm_reduce": (
        layer_norm_reduce,
        {"parts": "*fp32", "out": "*fp32", "rows": "i32", "columns": "i32"},
        {"ROWS": 4, "COLUMNS": 64},
        {},
    ),
    "matmul_fp16": gemm("fp16", "fp16", 64),
    "matmul_bf16": gemm("bf16", "fp32", 32, num_warps=8),
    "matmul_tf32": gemm("fp32", "fp32", 32),
    "matmul_fp8": gemm("fp8e4nv", "fp16", 128),
    "matmul_int8": gemm("i8", "i32", 64),
    "matmul_descriptors": described(
        matmul_descriptors, "fp16", "fp16", {"BM": 128, "BN": 128, "BK": 64}, num_warps=8, num_stages=3
    ),
    "matmul_descriptors_fp8": described(
        matmul_descriptors, "fp8e4nv", "bf16", {"BM": 64, "BN": 64, "BK": 128}, num_warps=4, num_stages=2
    ),
    "matmul_device_descriptors": (
        matmul_device_descriptors,
        {"a": "*bf16", "b": "*bf16", "c": "*bf16", "M": "i32", "N": "i32", "K": "i32"},
        {"BM": 128, "BN": 64, "BK": 64},
        {"num_warps": 4, "num_stages": 3},
    ),
    "matmul_persistent": described(
        matmul_persistent,
        "bf16",
        "bf16",
        {"BM": 128, "BN": 64, "BK": 64, "PROGRAMS": 2, "SPECIALIZE": False},
        num_warps=4,
        num_stages=3,
    ),
    "matmul_specialized": described(
        matmul_persistent,
        "bf16",
        "bf16",
        {"BM": 128, "BN": 64, "BK": 64, "PROGRAMS": 2, "SPECIALIZE": True},
        num_warps=8,
        num_stages=3,
    ),
    "matmul_cluster": described(
        matmul_descriptors, "fp16", "fp16", {"BM": 128, "BN": 128, "BK": 64}, num_warps=4, num_stages=3, num_ctas=2
    ),
    "attention": (
        attention,
        {**dict.fromkeys(["q", "k", "v", "out"], "*fp16"), "lse": "*fp32", "scale": "fp32", "T": "i32"},
        {"D": 64, "BM": 64, "BN": 64, "CAUSAL": False},
        {"num_warps": 4, "num_stages": 2},
    ),
    "attention_causal": (
        attention,
        {**dict.fromkeys(["q", "k", "v", "out"], "*fp16"), "lse": "*fp32", "scale": "fp32", "T": "i32"},
        {"D": 128, "BM": 128, "BN": 64, "CAUSAL": True},
        {"num_warps": 8, "num_stages": 3},
    ),
    "reductions": (reductions, {"x": "*fp32", "out": "*fp32", "where": "*i32"}, {"ROWS": 16, "COLUMNS": 128}, {}),
    "histogram": (histogram, {"x": "*i32", "out": "*i32", "n": "i32"}, {"BINS": 128, "BLOCK": 512}, {}),
    "sort_and_scan": (
        sort_and_scan,
        {"x": "*fp32", "ordered": "*fp32", "sums": "*fp32", "products": "*fp32"},
        {"ROWS": 16, "COLUMNS": 64},
        {},
    ),
    "gather": (
        gather,
        {"x": "*fp32", "index": "*i32", "out": "*fp32", "looked_up": "*fp32"},
        {"ROWS": 16, "COLUMNS": 32},
        {},
    ),
    "dropout": (dropout, {"x": "*fp32", "out": "*fp32", "n": "i32", "p": "fp32", "seed": "i32"}, {"BLOCK": 256}, {}),
    "convert_fp8": (
        convert_fp8,
        {"x": "*fp32", "e4m3": "*fp8e4nv", "e5m2": "*fp8e5", "back": "*fp32"},
        {"BLOCK": 256},
        {},
    ),
}

# Told to Triton as what its launcher finds by itself: pointers, sizes and strides that are multiples of 16.
DIVISIBLE = {
    "matmul_fp16",
    "matmul_bf16",
    "matmul_fp8",
    "matmul_int8",
    "matmul_tf32",
    "matmul_device_descriptors",
    "attention",
    "attention_causal",
    "add",
}


def compile_all(folder: Path, names: list[str]) -> None:
    """Writes the PTX of kernels, and what a launch must know: warps, shared memory, clusters, scratch, tensor maps."""
    for name in names:
        kernel, types, constants, options = KERNELS[name]
        signature = {arg: types.get(arg, "constexpr") for arg in kernel.arg_names}
        attributes = {}
        if name in DIVISIBLE:
            for index, arg in enumerate(kernel.arg_names):
                if signature[arg][0] == "*" or (signature[arg] == "i32" and arg not in ("n", "T")):
                    attributes[(index,)] = [["tt.divisibility", 16]]
        source = ASTSource(kernel, signature, constexprs=constants, attrs=attributes)
        done = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        meta = done.metadata._asdict()
        keep = [
            "name",
            "num_warps",
            "num_ctas",
            "shared",
            "global_scratch_size",
            "profile_scratch_size",
            "tensordesc_meta",
        ]
        told = {key: meta.get(key) for key in keep}
        told["args"] = [arg for arg in kernel.arg_names if signature[arg] != "constexpr"]
        (folder / f"{name}.json").write_text(json.dumps(told, default=str))
        (folder / f"{name}.ptx").write_text(done.asm["ptx"])


if __name__ == "__main__":
    compile_all(Path(sys.argv[1]), sys.argv[2:] or list(KERNELS))
