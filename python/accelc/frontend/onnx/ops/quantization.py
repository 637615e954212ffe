"""Quantization, and arithmetic on quantized tensors."""

from __future__ import annotations

from accelc.dialects import nn
from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.ops.contraction import matmul
from accelc.frontend.onnx.ops.convolution import conv_attributes
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import nn_dtype
from accelc.frontend.onnx.values import Value


def zeros_like(b: Builder, scale: Value, dtype: str) -> Value:
    """Zero points for ``scale``."""
    return b.full(0, [s or 0 for s in scale.shape], dtype)


def _scale(n: Node, scale: Value) -> Value:
    """A scale of one element is a scalar."""
    return n.b.reshape(scale, ()) if scale.shape == (1,) else scale


@handler("QuantizeLinear", limits="scale of f32, f16, bf16; no fp8 FNUZ, fp6, 2-bit or 4-bit float results")
def quantize_linear(n: Node) -> Value:
    """To integers or fp8: one scale, one a channel, or one a block."""
    x, scale, zero = n.x(0), _scale(n, n.x(1)), n.maybe(2)
    declared = n.integer("output_dtype", 0)
    dtype = (
        zero.dtype if zero is not None else nn_dtype(declared, "the result of QuantizeLinear") if declared else "ui8"
    )
    zero = zeros_like(n.b, scale, dtype) if zero is None else _scale(n, zero)
    axis = n.axis(x.rank, 1) if scale.rank else 0
    precision = n.integer("precision", 0)
    if precision and nn_dtype(precision, "precision") not in ("f32", scale.dtype):
        raise n.unsupported(f"in the precision {nn_dtype(precision, 'precision')}")
    if not nn.is_float(x.dtype):
        x = n.b.cast(x, "si32")
    if nn.is_float(dtype) and not n.flag("saturate", True):
        scaled = n.b.div(x, _expand_scale(n, scale, x, axis))
        return n.b.cast(scaled, dtype, saturate=False)
    return n.b.op("quantize", x, scale, zero, axis=axis)


def _expand_scale(n: Node, scale: Value, x: Value, axis: int) -> Value:
    """Scales repeated to x's shape."""
    if scale.rank == 0:
        return scale
    if scale.rank == 1:
        return n.b.along(scale, x.rank, axis)
    shape = n.static(x)
    count = scale.shape[axis] or 1
    block = -(-shape[axis] // count)
    spread = n.b.expand_dims(scale, [axis + 1])
    spread = n.b.broadcast_to(spread, [*shape[:axis], count, block, *shape[axis + 1 :]])
    merged = n.b.reshape(spread, [*shape[:axis], count * block, *shape[axis + 1 :]])
    return n.b.slice_axis(merged, axis, 0, shape[axis])


@handler("DequantizeLinear", limits="no fp8 FNUZ, fp6 or 2-bit types")
def dequantize_linear(n: Node) -> Value:
    """From integers or fp8: one scale, one a channel, or one a block."""
    q, scale, zero = n.x(0), _scale(n, n.x(1)), n.maybe(2)
    zero = zeros_like(n.b, scale, q.dtype) if zero is None else _scale(n, zero)
    declared = n.integer("output_dtype", 0)
    result = n.b.op("dequantize", q, scale, zero, axis=n.axis(q.rank, 1) if scale.rank else 0)
    return n.b.cast(result, nn_dtype(declared, "the result of DequantizeLinear")) if declared else result


def is_zero(value: Value | None) -> bool:
    """Whether a zero point is known to be 0 everywhere."""
    return value is None or (value.array is not None and not value.array.any())


def centered(n: Node, q: Value, zero: Value | None, axis: int) -> Value:
    """``q - zero_point`` in si32; a vector of zero points runs along ``axis``. q itself where they are 0."""
    if is_zero(zero) or zero is None:
        return q
    wide = n.b.cast(q, "si32")
    point = n.b.cast(_scale(n, zero), "si32")
    if point.rank == 1:
        point = n.b.along(point, q.rank, axis)
    return n.b.sub(wide, point)


def same_width(n: Node, a: Value, b: Value) -> tuple[Value, Value]:
    """Both as they are if both are small integers, else both in si32."""
    if "si32" in (a.dtype, b.dtype):
        return n.b.cast(a, "si32"), n.b.cast(b, "si32")
    return a, b


@handler("MatMulInteger")
def matmul_integer(n: Node) -> Value:
    """Matrix product of 8-bit integers, minus their zero points, in si32."""
    a, b = n.x(0), n.x(1)
    a = centered(n, a, n.maybe(2), max(a.rank - 2, 0))
    b = centered(n, b, n.maybe(3), b.rank - 1)
    return matmul(n.b, *same_width(n, a, b), dtype="si32")


@handler("ConvInteger")
def conv_integer(n: Node) -> Value:
    """Convolution of 8-bit integers, minus their zero points, in si32."""
    x, w = n.x(0), n.x(1)
    attributes = conv_attributes(n, x, w)
    x, w = same_width(n, centered(n, x, n.maybe(2), 1), centered(n, w, n.maybe(3), 0))
    return n.b.op("conv", x, w, dtype="si32", **attributes)


def requantize(n: Node, total: Value, factor: Value, scale: Value, zero: Value, axis: int) -> Value:
    """si32 sums times ``factor`` (of both operands' scales), quantized."""
    if factor.rank == 1:
        factor = n.b.along(factor, total.rank, axis)
    real = n.b.mul(n.b.cast(total, factor.dtype), factor)
    return n.b.op("quantize", real, _scale(n, scale), _scale(n, zero), axis=axis)


@handler("QLinearMatMul", limits="no fp8")
def qlinear_matmul(n: Node) -> Value:
    """Matrix product of quantized matrices, quantized; summed in si32."""
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = (n.x(i) for i in range(8))
    if nn.is_float(a.dtype) or nn.is_float(b.dtype):
        raise n.unsupported("of fp8")
    if a_scale.rank > 1 or b_scale.rank > 1:
        raise n.unsupported("with one scale a block")
    total = matmul(
        n.b,
        *same_width(n, centered(n, a, a_zero, max(a.rank - 2, 0)), centered(n, b, b_zero, b.rank - 1)),
        dtype="si32",
    )
    sa, sb = _scale(n, a_scale), _scale(n, b_scale)
    if sa.rank:
        sa = n.b.along(sa, total.rank, total.rank - 2)
    if sb.rank:
        sb = n.b.along(sb, total.rank, total.rank - 1)
    factor = n.b.mul(sa, sb)
    return requantize(n, total, factor, scale, zero, 0)


@handler("QLinearConv")
def qlinear_conv(n: Node) -> Value:
    """Convolution of quantized tensors, quantized; summed in si32."""
    x, x_scale, x_zero, w, w_scale, w_zero, scale, zero = (n.x(i) for i in range(8))
    attributes = conv_attributes(n, x, w)
    small = same_width(n, centered(n, x, x_zero, 1), centered(n, w, w_zero, 0))
    total = n.b.op("conv", *small, dtype="si32", **attributes)
    bias = n.maybe(8)
    if bias is not None:
        total = n.b.add(total, n.b.along(bias, total.rank, 1))
    factor = n.b.mul(_scale(n, x_scale), _scale(n, w_scale))
    return requantize(n, total, factor, scale, zero, 1)
