"""Element types: `cast`, `bitcast`, `quantize`, `dequantize`."""

from __future__ import annotations

from accelc.dialects.nn.fields import Flag, Int, Out, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import (
    fail,
    need_axis,
    need_float,
    need_same_dtype,
    need_shape,
    shape_text,
)
from accelc.dialects.nn.types import BITS, DTYPES, TensorType, dims_agree


class Cast(NNOp, name="cast"):
    """Converts the elements to the result's type; the shape stays.

    To floats: nearest, ties to even; overflow is infinite (NaN in f8E4M3FN, the largest in f4E2M1FN), or with
    ``saturate`` in fp8 the largest finite value, for infinities too. Float to integer: toward zero; out of range with
    ``saturate`` the nearest bound (NaN is 0), else unspecified. Integer to integer: wraps, or with ``saturate`` the
    nearest bound. To i1: ``x != 0``. ONNX: Cast.
    """

    x: Tensor
    result: Out
    saturate: Flag
    FROM_RESULT = ("dtype",)

    @staticmethod
    def infer(x: TensorType, *, dtype: str, saturate: bool = False) -> TensorType:
        """Result types."""
        need_dtype(dtype)
        return TensorType(x.shape, dtype)


class Bitcast(NNOp, name="bitcast"):
    """The same bits read as the result's element type, which has the same width; not for i1. ONNX: BitCast."""

    x: Tensor
    result: Out
    FROM_RESULT = ("dtype",)

    @staticmethod
    def infer(x: TensorType, *, dtype: str) -> TensorType:
        """Result types."""
        need_dtype(dtype)
        if "i1" in (x.dtype, dtype) or BITS[x.dtype] != BITS[dtype]:
            fail(f"needs element types of one width, got {x.dtype} and {dtype}")
        return TensorType(x.shape, dtype)


class Quantize(NNOp, name="quantize"):
    """``saturate(round(x / scale) + zero_point)``, halves to even, in the type of ``zero_point``.

    x: a float tensor (or si32). scale: a float tensor; rank 0 (all of x), rank 1 with x's size along ``axis``, or x's
    rank with x's sizes but along ``axis``, where ``n`` scales stand for blocks of ``ceil(size / n)`` elements.
    zero_point: of scale's shape, an integer of at most 16 bits or fp8 (then it is 0, and values are rounded to the
    format). Computes in f32. ONNX: QuantizeLinear.
    """

    x: Tensor
    scale: Tensor
    zero_point: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(x: TensorType, scale: TensorType, zero_point: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        if x.dtype != "si32":
            need_float(x)
        _check_scale(x, scale, zero_point, axis)
        if BITS[zero_point.dtype] > 16 or zero_point.dtype in ("f16", "bf16", "i1"):
            fail(f"cannot quantize to {zero_point.dtype}")
        return TensorType(x.shape, zero_point.dtype)


class Dequantize(NNOp, name="dequantize"):
    """``(q - zero_point) * scale`` in scale's type (computed in f32); operands as in `quantize`, q in the type of
    ``zero_point``: an integer of at most 32 bits or fp8. ONNX: DequantizeLinear.
    """

    q: Tensor
    scale: Tensor
    zero_point: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(q: TensorType, scale: TensorType, zero_point: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        _check_scale(q, scale, zero_point, axis)
        need_same_dtype(q, zero_point)
        if BITS[q.dtype] > 32 or q.dtype in ("f16", "bf16", "f32", "i1"):
            fail(f"cannot dequantize {q.dtype}")
        return TensorType(q.shape, scale.dtype)


def need_dtype(dtype: str) -> None:
    """``dtype`` must be an element type of nn."""
    if dtype not in DTYPES:
        fail(f"knows no element type '{dtype}'; there are: {', '.join(DTYPES)}")


def _check_scale(x: TensorType, scale: TensorType, zero_point: TensorType, axis: int) -> None:
    need_float(scale)
    need_shape(zero_point, scale.shape, "a zero point")
    if scale.rank == 0:
        return
    need_axis(axis, x.rank)
    if scale.rank == 1 and dims_agree(scale.shape[0], x.shape[axis]):
        return
    blocked = scale.rank == x.rank and all(
        dims_agree(s, d) for i, (s, d) in enumerate(zip(scale.shape, x.shape, strict=True)) if i != axis
    )
    if not blocked:
        fail(f"needs a scale that is a scalar, of size {shape_text((x.shape[axis],))}, or blocks of x, got {scale}")
    size, count = x.shape[axis], scale.shape[axis]
    if size is not None and count is not None and size and (count < 1 or -(-size // -(-size // count)) != count):
        fail(f"cannot cut {size} elements along axis {axis} into {count} equal blocks")
