"""Kernels of every family, small and odd: name -> (inputs, body, relative tolerance)."""

from __future__ import annotations

from typing import Any

import numpy as np
from codegen_helpers import Body, Spec, attention, build, cast, conv, linear, mm, pool

BF16, F32 = 1e-2, 1e-5
Case = tuple[list[Spec], Body, float]


def _residual(x: Any, w: Any, bias: Any, other: Any) -> list[Any]:
    shape = [1, 14, 14, 24]
    y = build.conv(x, w, strides=[1, 1], pads_low=[1, 1], pads_high=[1, 1], dilations=[1, 1], groups=1, layout="nhwc")
    y = build.add(y, cast(build.broadcast(bias, shape=shape, dims=[3]), dtype="bf16"))
    return [build.relu(build.add(y, other))]


def _conv_transpose(x: Any, w: Any) -> list[Any]:
    return [
        build.conv_transpose(
            x, w, strides=[2, 2], pads_low=[1, 1], pads_high=[1, 1], dilations=[1, 1], groups=1, output_pads=[0, 0]
        )
    ]


CONTRACTIONS: dict[str, Case] = {
    "matmul": ([((50, 70), "bf16"), ((70, 90), "bf16")], mm("mk,kn->mn"), BF16),
    "matmul-transposed": ([((50, 70), "bf16"), ((90, 70), "bf16")], mm("mk,nk->mn"), BF16),
    "matmul-f32": ([((50, 70), "f32"), ((70, 90), "f32")], mm("mk,kn->mn", "f32"), F32),
    "matvec": ([((1, 700), "bf16"), ((700, 300), "bf16")], mm("mk,kn->mn"), BF16),
    "outer": ([((37, 1), "bf16"), ((1, 41), "bf16")], mm("mk,kn->mn"), BF16),
    "batched": ([((2, 3, 33, 20), "bf16"), ((2, 3, 33, 20), "bf16")], mm("bhmk,bhnk->bhmn"), BF16),
    "batched-permuted": ([((2, 33, 3, 20), "bf16"), ((2, 33, 3, 20), "bf16")], mm("bmhk,bnhk->bhmn"), BF16),
    "result-permuted": ([((40, 24), "bf16"), ((24, 56), "bf16")], mm("mk,kn->nm"), BF16),
    "two-reductions": ([((9, 6, 7), "bf16"), ((6, 7, 11), "bf16")], mm("mab,abn->mn"), BF16),
    "int8": ([((50, 70), "si8"), ((70, 90), "si8")], mm("mk,kn->mn", "si32"), 0.0),
    "uint8": ([((50, 70), "ui8"), ((70, 90), "si8")], mm("mk,kn->mn", "si32"), 0.0),
    "bias-relu": ([((33, 64), "bf16"), ((64, 100), "bf16"), ((100,), "bf16")], linear((33, 100)), BF16),
    "large": ([((200, 600), "bf16"), ((600, 300), "bf16"), ((300,), "bf16")], linear((200, 300)), BF16),
    "softmax-after": (
        [((16, 24), "bf16"), ((24, 40), "bf16")],
        lambda a, b: [build.softmax(build.contract(a, b, spec="mk,kn->mn", dtype="bf16"), axis=1)],
        BF16,
    ),
    "attention": ([((1, 2, 48, 24), "bf16")] * 3, attention, BF16),
}

CONVOLUTIONS: dict[str, Case] = {
    "3x3": ([((1, 14, 14, 24), "bf16"), ((3, 3, 24, 40), "bf16")], conv(1, 1), BF16),
    "7x7-stride": ([((1, 29, 29, 3), "bf16"), ((7, 7, 3, 24), "bf16")], conv(2, 3), BF16),
    "1x1-stride": ([((1, 15, 15, 64), "bf16"), ((1, 1, 64, 32), "bf16")], conv(2, 0), BF16),
    "dilated": ([((1, 15, 15, 16), "bf16"), ((3, 3, 16, 32), "bf16")], conv(1, 2, 2), BF16),
    "batch": ([((3, 9, 11, 8), "bf16"), ((3, 3, 8, 20), "bf16")], conv(1, 1), BF16),
    "residual": (
        [((1, 14, 14, 24), "bf16"), ((3, 3, 24, 24), "bf16"), ((24,), "f32"), ((1, 14, 14, 24), "bf16")],
        _residual,
        BF16,
    ),
    "groups": ([((1, 14, 14, 24), "bf16"), ((3, 3, 8, 30), "bf16")], conv(1, 1, groups=3), BF16),
    "depthwise": ([((1, 14, 14, 48), "bf16"), ((3, 3, 1, 48), "bf16")], conv(2, 1, groups=48), BF16),
    "few-pixels": ([((1, 7, 7, 160), "bf16"), ((3, 3, 160, 200), "bf16")], conv(1, 1), BF16),
    "nchw": ([((1, 24, 14, 14), "bf16"), ((40, 24, 3, 3), "bf16")], conv(1, 1, layout="nchw"), BF16),
    "1d": ([((2, 24, 50), "bf16"), ((40, 24, 3), "bf16")], conv(2, 1, layout="nchw", rank=1), BF16),
    "3d": ([((1, 6, 6, 6, 5), "bf16"), ((3, 3, 3, 5, 8), "bf16")], conv(1, 1, rank=3), BF16),
    "transposed": ([((1, 8, 9, 9), "bf16"), ((8, 6, 3, 3), "bf16")], _conv_transpose, BF16),
}

ROWS: dict[str, Case] = {
    "softmax": ([((40, 300), "bf16")], lambda x: [build.softmax(x, axis=1)], BF16),
    "softmax-middle": ([((3, 5, 37, 7), "f32")], lambda x: [build.softmax(x, axis=2)], F32),
    "softmax-long": ([((2, 50257), "f32")], lambda x: [build.softmax(x, axis=1)], F32),
    "log-softmax": ([((6, 31), "f32")], lambda x: [build.log_softmax(x, axis=1)], F32),
    "layer-norm": (
        [((40, 96), "bf16"), ((96,), "bf16"), ((96,), "bf16")],
        lambda x, s, b: [build.layer_norm(x, s, b, axis=1, epsilon=1e-5)],
        BF16,
    ),
    "rms-norm": ([((9, 70), "f32"), ((70,), "f32")], lambda x, s: [build.rms_norm(x, s, axis=1, epsilon=1e-5)], F32),
    "group-norm": (
        [((2, 12, 5, 7), "f32"), ((12,), "f32"), ((12,), "f32")],
        lambda x, s, b: [build.group_norm(x, s, b, groups=3, epsilon=1e-5)],
        F32,
    ),
    "mean-space": ([((1, 7, 7, 100), "bf16")], lambda x: [build.reduce(x, kind="mean", axes=[1, 2])], BF16),
    "max-rows": ([((400, 30), "f32")], lambda x: [build.reduce(x, kind="max", axes=[0])], 0.0),
    "sum-all": ([((400, 300), "f32")], lambda x: [build.reduce(x, kind="sum", axes=[0, 1])], 1e-4),
    "product": ([((5, 9), "f32")], lambda x: [build.reduce(x, kind="prod", axes=[1])], F32),
    "argmax": ([((6, 100), "f32")], lambda x: [build.argreduce(x, axis=1, kind="max", last=False)], 0.0),
    "argmin-last": ([((6, 100), "si32")], lambda x: [build.argreduce(x, axis=1, kind="min", last=True)], 0.0),
    "max-pool": ([((1, 29, 29, 20), "bf16")], pool("max", 3, 2, 1), 0.0),
    "average-pool": ([((1, 29, 29, 20), "bf16")], pool("average", 3, 2, 1), BF16),
    "average-pool-padded": ([((1, 29, 29, 20), "bf16")], pool("average", 3, 2, 1, include=True), BF16),
    "lrn": (
        [((1, 9, 9, 24), "bf16")],
        lambda x: [build.lrn(x, size=5, alpha=1e-4, beta=0.75, bias=1.0, layout="nhwc")],
        BF16,
    ),
}

POINTWISE: dict[str, Case] = {
    "relu": ([((3, 5, 7), "f32")], lambda x: [build.relu(x)], 0.0),
    "broadcast": (
        [((3, 5, 7), "bf16"), ((7,), "bf16")],
        lambda x, y: [build.add(x, build.broadcast(y, shape=[3, 5, 7], dims=[2]))],
        0.0,
    ),
    "gelu": ([((40, 300), "bf16")], lambda x: [build.gelu(x, approximate="none")], BF16),
    "large": ([((64, 56, 56), "f32")], lambda x: [build.exp(x)], F32),
    "two-outputs": ([((40, 300), "f32")], lambda x: [build.relu(x), build.exp(build.relu(x))], F32),
    "rank-6": ([((2, 3, 2, 3, 2, 3), "f32")] * 2, lambda x, y: [build.mul(x, y)], 0.0),
    "scalar": ([((), "f32")], lambda x: [build.sqrt(build.abs(x))], F32),
    "to-integer": ([((6, 100), "f32")], lambda x: [cast(x, dtype="si64")], 0.0),
    "to-float": ([((6, 100), "si64")], lambda x: [cast(x, dtype="f32")], 0.0),
    "to-bool": ([((6, 100), "si32")], lambda x: [cast(x, dtype="i1")], 0.0),
    "select": (
        [((6, 100), "i1"), ((6, 100), "f32"), ((6, 100), "f32")],
        lambda c, x, y: [build.select(c, x, y)],
        0.0,
    ),
    "integers": ([((6, 100), "si64")] * 2, lambda x, y: [build.sub(build.mul(x, y), y)], 0.0),
    "compare": ([((6, 100), "si64")] * 2, lambda x, y: [build.compare(x, y, predicate="lt")], 0.0),
    "bytes": ([((6, 100), "ui8")] * 2, lambda x, y: [build.add(x, y)], 0.0),
    "round": ([((6, 100), "f32")], lambda x: [build.round(x)], 0.0),
    "power": ([((6, 100), "f32")] * 2, lambda x, y: [build.pow(build.abs(x), y)], F32),
}

MOVEMENT: dict[str, Case] = {
    "transpose": ([((40, 33, 20), "bf16")], lambda x: [build.transpose(x, perm=[2, 0, 1])], 0.0),
    "concat": ([((4, 33, 20), "bf16"), ((4, 33, 7), "bf16")], lambda x, y: [build.concat(x, y, axis=2)], 0.0),
    "concat-computed": (
        [((4, 33, 20), "f32"), ((4, 33, 7), "f32")],
        lambda x, y: [build.concat(build.relu(x), y, axis=2)],
        0.0,
    ),
    "slice": (
        [((40, 33, 20), "bf16")],
        lambda x: [build.slice(x, starts=[3, 2, 1], sizes=[10, 10, 6], strides=[1, 2, 3])],
        0.0,
    ),
    "slice-backwards": (
        [((40, 20), "bf16")],
        lambda x: [build.slice(x, starts=[38, 1], sizes=[10, 6], strides=[-2, 3])],
        0.0,
    ),
    "pad": (
        [((40, 33), "f32")],
        lambda x: [build.pad(x, build.constant(np.array(2.5, np.float32)), low=[3, 0], high=[1, 4])],
        0.0,
    ),
    "pad-reflect": ([((40, 33), "f32")], lambda x: [build.pad_mode(x, low=[3, 0], high=[1, 4], mode="reflect")], 0.0),
    "embedding": ([((100, 64), "bf16"), ((3, 40), "si64")], lambda x, i: [build.gather(x, i, axis=0)], 0.0),
    "gather-columns": ([((6, 100), "bf16"), ((3, 4), "si64")], lambda x, i: [build.gather(x, i, axis=1)], 0.0),
    "gather-elements": (
        [((20, 6), "f32"), ((7, 6), "si64")],
        lambda x, i: [build.gather_elements(x, i, axis=0)],
        0.0,
    ),
    "gather-nd": ([((9, 8, 6), "f32"), ((7, 2), "si64")], lambda x, i: [build.gather_nd(x, i, batch_dims=0)], 0.0),
    "embedding-sum": (
        [((100, 64), "f32"), ((1, 40), "si64"), ((40, 64), "f32")],
        lambda x, i, p: [build.add(build.gather(x, i, axis=0), build.broadcast(p, shape=[1, 40, 64], dims=[1, 2]))],
        0.0,
    ),
}

FAMILIES = {
    "contraction": CONTRACTIONS,
    "convolution": CONVOLUTIONS,
    "rows": ROWS,
    "pointwise": POINTWISE,
    "movement": MOVEMENT,
}
CASES: dict[str, Case] = {
    f"{family}/{name}": case for family, cases in FAMILIES.items() for name, case in cases.items()
}
