"""Contractions: `contract` (an einsum of two operands), `conv`, `conv_transpose`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from accelc.dialects.nn.fields import Int, Ints, Out, Str, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import (
    fail,
    merge_dim,
    need_length,
    need_number,
    need_one_of,
    need_positive,
    need_same_dtype,
)
from accelc.dialects.nn.ops.conversion import need_dtype
from accelc.dialects.nn.types import BITS, FLOATS, Dim, TensorType, dims_agree

LAYOUTS = ("nchw", "nhwc")


class Spec(NamedTuple):
    """A parsed contraction: the letters of both operands and of the output."""

    a: str
    b: str
    out: str

    @property
    def batch(self) -> str:
        """Letters in all three."""
        return "".join(c for c in self.out if c in self.a and c in self.b)

    @property
    def summed(self) -> str:
        """Letters in both operands, not in the output."""
        return "".join(c for c in self.a if c in self.b and c not in self.out)

    @property
    def rows(self) -> str:
        """Letters of the output that only ``a`` has."""
        return "".join(c for c in self.out if c not in self.b)

    @property
    def columns(self) -> str:
        """Letters of the output that only ``b`` has."""
        return "".join(c for c in self.out if c not in self.a)


@lru_cache(maxsize=1024)
def parse_spec(spec: str) -> Spec:
    """Parses ``"bmk,bkn->bmn"``. Raises InvalidModelError where it is no contraction."""
    inputs, arrow, out = spec.partition("->")
    a, comma, b = inputs.partition(",")
    letters = a + b + out
    if not arrow or not comma or not (letters.isascii() and (letters.isalpha() or not letters)):
        fail(f"needs a spec such as 'bmk,bkn->bmn', got '{spec}'")
    for term in (a, b, out):
        if len(set(term)) != len(term):
            fail(f"has a letter twice in '{term}' of '{spec}'")
    for c in out:
        if c not in a and c not in b:
            fail(f"has '{c}' in the output of '{spec}', but in no operand")
    for c in a + b:
        if c not in out and not (c in a and c in b):
            fail(f"has '{c}' in one operand of '{spec}' only, and not in the output; reduce it first")
    return Spec(a, b, out)


def accumulator(dtype: str) -> str:
    """The element type in which products of ``dtype`` are summed: f32 for floats up to 32 bits, f64 for f64, si32 for
    8-bit (and 4-bit) integers, the type itself for wider integers."""
    if dtype in FLOATS:
        return "f64" if dtype == "f64" else "f32"
    return "si32" if BITS[dtype] <= 8 else dtype


def _check_elements(a: TensorType, b: TensorType, dtype: str) -> None:
    need_dtype(dtype)
    need_number(a, b)
    small = all(t.dtype not in FLOATS and BITS[t.dtype] <= 8 for t in (a, b))
    if not small:
        need_same_dtype(a, b)
    if (a.dtype in FLOATS) != (dtype in FLOATS) or dtype == "i1":
        fail(f"cannot give {dtype} elements on ({a}, {b})")


def default_result(dtype: str) -> str:
    """The result's element type where a caller does not say: that of the operands, si32 for 8-bit integers."""
    return dtype if dtype in FLOATS else accumulator(dtype)


class Contract(NNOp, name="contract"):
    """An einsum of two operands, such as ``spec = "bmk,bkn->bmn"``: one letter a dimension, at most once an operand.

    Letters in both operands and the output are batch, in both and not the output are summed; a letter of one operand
    stays in the output. a and b have one element type (8-bit integers may differ in sign). Sums in f32 (f64 for f64,
    si32 for 8-bit integers, wrapping), then rounds to the result's element type. ONNX: MatMul, Gemm, Einsum,
    MatMulInteger. linalg: contract.
    """

    a: Tensor
    b: Tensor
    result: Out
    spec: Str
    FROM_RESULT = ("dtype",)

    @staticmethod
    def infer(a: TensorType, b: TensorType, *, spec: str, dtype: str | None = None) -> TensorType:
        """Result types."""
        parsed = parse_spec(spec)
        dtype = dtype or default_result(a.dtype)
        _check_elements(a, b, dtype)
        for t, letters in ((a, parsed.a), (b, parsed.b)):
            if t.rank != len(letters):
                fail(f"has {len(letters)} letters in '{letters}' of '{spec}' for {t}")
        sizes: dict[str, Dim] = dict(zip(parsed.a, a.shape, strict=True))
        for letter, size in zip(parsed.b, b.shape, strict=True):
            have = sizes.get(letter)
            if not dims_agree(have, size):
                fail(f"needs one size for '{letter}' of '{spec}', got {have} and {size} in ({a}, {b})")
            sizes[letter] = size if have is None else have
        return TensorType(tuple([sizes[c] for c in parsed.out]), dtype)


def window_size(size: Dim, kernel: int, stride: int, low: int, high: int, dilation: int) -> Dim:
    """How many windows fit: ``floor((size + low + high - extent) / stride) + 1``, extent ``(kernel-1)*dilation+1``."""
    if size is None:
        return None
    free = size + low + high - ((kernel - 1) * dilation + 1)
    if free < 0:
        fail(f"has a window of {(kernel - 1) * dilation + 1} over {size} elements padded by {low} and {high}")
    return free // stride + 1


def check_window(
    rank: int,
    strides: Sequence[int],
    pads_low: Sequence[int],
    pads_high: Sequence[int],
    dilations: Sequence[int],
) -> None:
    """Window attributes must have one entry a spatial dimension; strides and dilations are positive."""
    need_length(strides, rank, "strides")
    need_length(pads_low, rank, "pads_low")
    need_length(pads_high, rank, "pads_high")
    need_length(dilations, rank, "dilations")
    need_positive(strides, "strides")
    need_positive(dilations, "dilations")


def split_layout(t: TensorType, layout: str) -> tuple[Dim, Dim, tuple[Dim, ...]]:
    """Batch, channels and spatial sizes of a tensor in ``layout`` ("nchw" or "nhwc", for any spatial rank)."""
    need_one_of(layout, LAYOUTS, "layout")
    if t.rank < 3:
        fail(f"needs a batch, a channel and at least one spatial dimension, got {t}")
    if layout == "nchw":
        return t.shape[0], t.shape[1], t.shape[2:]
    return t.shape[0], t.shape[-1], t.shape[1:-1]


def join_layout(batch: Dim, channels: Dim, spatial: Sequence[Dim], layout: str) -> tuple[Dim, ...]:
    """The inverse of `split_layout`."""
    return (batch, channels, *spatial) if layout == "nchw" else (batch, *spatial, channels)


class Conv(NNOp, name="conv"):
    """Convolution (cross-correlation) of any spatial rank.

    x: ``[N, C, *S]`` with layout "nchw", ``[N, *S, C]`` with "nhwc". w: ``OIHW`` = ``[O, C/groups, *K]`` with nchw,
    ``HWIO`` = ``[*K, C/groups, O]`` with nhwc. Result: ``[N, O, *S']`` or ``[N, *S', O]`` with
    ``S' = floor((S + low + high - ((K-1)*dilation + 1)) / stride) + 1``; padding is zero. Element types and sums as in
    `contract`. ONNX: Conv, ConvInteger. linalg: conv_2d_nhwc_hwcf, depthwise_conv_2d_nhwc_hwc.
    """

    x: Tensor
    w: Tensor
    result: Out
    strides: Ints
    pads_low: Ints
    pads_high: Ints
    dilations: Ints
    groups: Int
    layout: Str
    FROM_RESULT = ("dtype",)

    @staticmethod
    def infer(
        x: TensorType,
        w: TensorType,
        *,
        strides: Sequence[int],
        pads_low: Sequence[int],
        pads_high: Sequence[int],
        dilations: Sequence[int],
        groups: int = 1,
        layout: str = "nchw",
        dtype: str | None = None,
    ) -> TensorType:
        """Result types."""
        dtype = dtype or default_result(x.dtype)
        _check_elements(x, w, dtype)
        batch, channels, spatial = split_layout(x, layout)
        if w.rank != x.rank:
            fail(f"needs a filter of x's rank, got ({x}, {w})")
        if layout == "nchw":
            out, per_group, kernel = w.shape[0], w.shape[1], w.shape[2:]
        else:
            out, per_group, kernel = w.shape[-1], w.shape[-2], w.shape[:-2]
        _check_groups(channels, per_group, out, groups)
        check_window(len(spatial), strides, pads_low, pads_high, dilations)
        sizes = [
            None if k is None else window_size(s, k, strides[i], pads_low[i], pads_high[i], dilations[i])
            for i, (s, k) in enumerate(zip(spatial, kernel, strict=True))
        ]
        return TensorType(join_layout(batch, out, sizes, layout), dtype)


def _check_groups(channels: Dim, per_group: Dim, out: Dim, groups: int) -> None:
    if groups < 1:
        fail(f"needs at least one group, got {groups}")
    if channels is not None and per_group is not None and channels != per_group * groups:
        fail(f"needs {groups} groups of {per_group} input channels (as the filter says), got {channels} channels")
    if out is not None and out % groups:
        fail(f"needs a multiple of {groups} (the groups) output channels, got {out}")


class ConvTranspose(NNOp, name="conv_transpose"):
    """Transposed convolution: the gradient of `conv` with respect to its input; nchw, any spatial rank.

    x: ``[N, C, *S]``. w: ``IOHW`` = ``[C, O/groups, *K]``. Result: ``[N, O, *S']`` with
    ``S' = (S-1)*stride + (K-1)*dilation + 1 - low - high + output_pad``; an output pad adds at the high end.
    Element types and sums as in `contract`. ONNX: ConvTranspose.
    """

    x: Tensor
    w: Tensor
    result: Out
    strides: Ints
    pads_low: Ints
    pads_high: Ints
    dilations: Ints
    groups: Int
    output_pads: Ints
    FROM_RESULT = ("dtype",)

    @staticmethod
    def infer(
        x: TensorType,
        w: TensorType,
        *,
        strides: Sequence[int],
        pads_low: Sequence[int],
        pads_high: Sequence[int],
        dilations: Sequence[int],
        output_pads: Sequence[int],
        groups: int = 1,
        dtype: str | None = None,
    ) -> TensorType:
        """Result types."""
        dtype = dtype or default_result(x.dtype)
        _check_elements(x, w, dtype)
        batch, channels, spatial = split_layout(x, "nchw")
        if w.rank != x.rank:
            fail(f"needs a filter of x's rank, got ({x}, {w})")
        merge_dim(channels, w.shape[0], "input channels of x and w")
        if groups < 1 or (channels is not None and channels % groups):
            fail(f"needs a multiple of {groups} (the groups) input channels, got {channels}")
        check_window(len(spatial), strides, pads_low, pads_high, dilations)
        need_length(output_pads, len(spatial), "output_pads")
        if min(output_pads) < 0:
            fail(f"needs output pads that are not negative, got {list(output_pads)}")
        sizes: list[Dim] = []
        for i, (s, k) in enumerate(zip(spatial, w.shape[2:], strict=True)):
            if s is None or k is None:
                sizes.append(None)
                continue
            size = (s - 1) * strides[i] + (k - 1) * dilations[i] + 1 - pads_low[i] - pads_high[i] + output_pads[i]
            if size < 0:
                fail(f"gives the negative size {size} along spatial dimension {i} on ({x}, {w})")
            sizes.append(size)
        out = None if w.shape[1] is None else w.shape[1] * groups
        return TensorType((batch, out, *sizes), dtype)
