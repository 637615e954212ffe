"""Softmax and the normalizations. Float tensors; f16, bf16 and fp8 compute in f32 and round once at the end."""

from __future__ import annotations

from accelc.dialects.nn.fields import Float, Int, Out, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import fail, need_axis, need_float, need_same_dtype, need_shape
from accelc.dialects.nn.types import TensorType


class Softmax(NNOp, name="softmax"):
    """``exp(x - max) / sum(exp(x - max))`` along ``axis``; x's type. A row of -inf gives NaN. ONNX: Softmax (13+)."""

    x: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(x: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        need_float(x)
        need_axis(axis, x.rank)
        return x


class LogSoftmax(NNOp, name="log_softmax"):
    """``x - max - log(sum(exp(x - max)))`` along ``axis``; x's type. ONNX: LogSoftmax (13+)."""

    x: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(x: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        return Softmax.infer(x, axis=axis)


class LayerNorm(NNOp, name="layer_norm"):
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` over the trailing axes from ``axis``.

    scale, bias: of the shape ``x.shape[axis:]`` and x's element type. The variance is that of the population.
    ONNX: LayerNormalization.
    """

    x: Tensor
    scale: Tensor
    bias: Tensor
    result: Out
    axis: Int
    epsilon: Float

    @staticmethod
    def infer(x: TensorType, scale: TensorType, bias: TensorType, *, axis: int, epsilon: float) -> TensorType:
        """Result types."""
        need_float(x)
        need_same_dtype(x, scale, bias)
        need_axis(axis, x.rank)
        need_shape(scale, x.shape[axis:], "a scale")
        need_shape(bias, x.shape[axis:], "a bias")
        return x


class RmsNorm(NNOp, name="rms_norm"):
    """``x / sqrt(mean(x^2) + epsilon) * scale`` over the trailing axes from ``axis``; scale as in `layer_norm`.

    ONNX: RMSNormalization (opset 23).
    """

    x: Tensor
    scale: Tensor
    result: Out
    axis: Int
    epsilon: Float

    @staticmethod
    def infer(x: TensorType, scale: TensorType, *, axis: int, epsilon: float) -> TensorType:
        """Result types."""
        need_float(x)
        need_same_dtype(x, scale)
        need_axis(axis, x.rank)
        need_shape(scale, x.shape[axis:], "a scale")
        return x


class BatchNorm(NNOp, name="batch_norm"):
    """``(x - mean) / sqrt(var + epsilon) * scale + bias`` with given statistics, one of each a channel along ``axis``.

    scale, bias, mean, var: ``[x.shape[axis]]``, x's element type. ONNX: BatchNormalization (inference).
    """

    x: Tensor
    scale: Tensor
    bias: Tensor
    mean: Tensor
    var: Tensor
    result: Out
    epsilon: Float
    axis: Int

    @staticmethod
    def infer(
        x: TensorType,
        scale: TensorType,
        bias: TensorType,
        mean: TensorType,
        var: TensorType,
        *,
        epsilon: float,
        axis: int = 1,
    ) -> TensorType:
        """Result types."""
        need_float(x)
        need_same_dtype(x, scale, bias, mean, var)
        need_axis(axis, x.rank)
        for t, what in ((scale, "a scale"), (bias, "a bias"), (mean, "a mean"), (var, "a variance")):
            need_shape(t, (x.shape[axis],), what)
        return x


class GroupNorm(NNOp, name="group_norm"):
    """Normalizes each of ``groups`` groups of channels of each example over channels and space, then scales.

    x: ``[N, C, ...]``; scale, bias: ``[C]``, x's element type. One group a channel is instance normalization.
    ONNX: GroupNormalization (opset 21), InstanceNormalization.
    """

    x: Tensor
    scale: Tensor
    bias: Tensor
    result: Out
    groups: Int
    epsilon: Float

    @staticmethod
    def infer(x: TensorType, scale: TensorType, bias: TensorType, *, groups: int, epsilon: float) -> TensorType:
        """Result types."""
        need_float(x)
        need_same_dtype(x, scale, bias)
        if x.rank < 2:
            fail(f"needs a batch and a channel dimension, got {x}")
        channels = x.shape[1]
        need_shape(scale, (channels,), "a scale")
        need_shape(bias, (channels,), "a bias")
        if groups < 1 or (channels is not None and channels % groups):
            fail(f"cannot cut {channels} channels into {groups} groups")
        return x
