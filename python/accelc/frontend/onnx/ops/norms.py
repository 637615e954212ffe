"""Softmax, and the normalizations."""

from __future__ import annotations

from typing import Any

from accelc.frontend.onnx.ops.shape import flat
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import nn_dtype
from accelc.frontend.onnx.values import Value

# Until this opset, softmax and its kin saw a matrix, cut at the axis.
ONE_AXIS = 13
_SOFTMAX = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}


def _along_axis(n: Node, compute: Any) -> Value:
    """Applies ``compute(x, axis)`` along the axis, or until opset 12 to all dimensions from the axis on."""
    x = n.x()
    axis = n.axis(x.rank, -1 if n.version >= ONE_AXIS else 1)
    if n.version >= ONE_AXIS or axis == x.rank - 1:
        result: Value = compute(x, axis)
        return result
    return n.b.reshape(compute(n.b.reshape(x, flat(x, axis)), 1), x.shape)


@handler(*_SOFTMAX)
def softmax(n: Node) -> Value:
    """Softmax, or its logarithm."""
    return _along_axis(n, lambda x, axis: n.b.op(_SOFTMAX[n.op], x, axis=axis))


@handler("Hardmax")
def hardmax(n: Node) -> Value:
    """1 at the first maximum, 0 elsewhere."""

    def compute(x: Value, axis: int) -> Value:
        best = n.b.expand_dims(n.b.op("argreduce", x, axis=axis, kind="max", last=False), [axis])
        shape = n.static(x)
        return n.b.cast(n.b.compare("eq", n.b.broadcast_to(best, shape), n.b.iota(shape, axis)), x.dtype)

    return _along_axis(n, compute)


@handler("BatchNormalization", limits="outputs of training before opset 14")
def batch_normalization(n: Node) -> list[Value | None]:
    """Normalization by given statistics, or in training mode by those of the batch."""
    x, scale, bias, mean, var = (n.x(i) for i in range(5))
    epsilon = n.real("epsilon", 1e-5)
    if n.version >= 14 and n.flag("training_mode"):
        return _train(n, x, scale, bias, mean, var, epsilon)
    if n.version < 9 and not n.flag("spatial", True):
        return [_per_activation(n, x, scale, bias, mean, var, epsilon)]
    if x.rank < 2:
        # A vector of examples with one channel.
        y = n.b.op("batch_norm", n.b.expand_dims(x, [1]), scale, bias, mean, var, epsilon=epsilon, axis=1)
        return [n.b.squeeze(y, [1])]
    parts = [n.b.cast(v, x.dtype) for v in (scale, bias, mean, var)]
    return [n.b.op("batch_norm", x, *parts, epsilon=epsilon, axis=1)]


def _per_activation(n: Node, x: Value, scale: Value, bias: Value, mean: Value, var: Value, epsilon: float) -> Value:
    """Statistics for each element of an example."""
    scaled = n.b.mul(n.b.sub(x, mean), n.b.op("rsqrt", n.b.add(var, epsilon)))
    return n.b.add(n.b.mul(scaled, scale), bias)


def _train(n: Node, x: Value, scale: Value, bias: Value, mean: Value, var: Value, epsilon: float) -> list[Value | None]:
    axes = [i for i in range(x.rank) if i != 1]
    momentum = n.real("momentum", 0.9)
    batch_mean = n.b.reduce("mean", x, axes)
    off = n.b.sub(x, n.b.along(batch_mean, x.rank, 1))
    batch_var = n.b.reduce("mean", n.b.mul(off, off), axes)
    y = n.b.op("batch_norm", x, scale, bias, batch_mean, batch_var, epsilon=epsilon, axis=1)

    def running(old: Value, new: Value) -> Value:
        new = n.b.cast(new, old.dtype)
        return n.b.add(n.b.mul(old, momentum), n.b.mul(new, 1.0 - momentum))

    return [y, running(mean, batch_mean), running(var, batch_var)]


@handler("InstanceNormalization")
def instance_normalization(n: Node) -> Value:
    """Each channel of each example by itself."""
    x = n.x()
    channels = n.static(x)[1]
    return n.b.op("group_norm", x, n.x(1), n.x(2), groups=channels, epsilon=n.real("epsilon", 1e-5))


@handler("GroupNormalization")
def group_normalization(n: Node) -> Value:
    """Groups of channels; scale and bias are one a group until opset 20, then one a channel."""
    x, scale, bias = n.x(0), n.x(1), n.x(2)
    groups = n.integer("num_groups")
    channels = n.static(x)[1]
    if n.version < 21 and scale.shape == (groups,) and groups and channels % groups == 0:
        scale, bias = (
            n.b.reshape(n.b.broadcast_in(v, [groups, channels // groups], [0]), [channels]) for v in (scale, bias)
        )
    stash = nn_dtype(n.integer("stash_type", 1), "stash_type")
    parts = [_at_least(n, v, stash) for v in (x, scale, bias)]
    return n.b.cast(n.b.op("group_norm", *parts, groups=groups, epsilon=n.real("epsilon", 1e-5)), x.dtype)


def _at_least(n: Node, x: Value, stash: str) -> Value:
    """f16 and bf16 compute in f32 by themselves; a wider stash type is a cast."""
    return n.b.cast(x, stash) if stash == "f64" else x


@handler("LayerNormalization")
def layer_normalization(n: Node) -> list[Value | None]:
    """The trailing axes; mean and 1/deviation where they are asked for."""
    x, scale, bias = n.x(0), n.x(1), n.maybe(2)
    axis = n.axis(x.rank, -1)
    epsilon = n.real("epsilon", 1e-5)
    shape = x.shape[axis:]
    scale = n.b.broadcast_to(n.b.cast(scale, x.dtype), shape)
    bias = n.b.full(0.0, n.static(x)[axis:], x.dtype) if bias is None else n.b.broadcast_to(bias, shape)
    y = n.b.op("layer_norm", x, scale, n.b.cast(bias, x.dtype), axis=axis, epsilon=epsilon)
    if not n.wants(1) and not n.wants(2):
        return [y]
    wide = n.b.cast(x, nn_dtype(n.integer("stash_type", 1), "stash_type"))
    axes = list(range(axis, x.rank))
    mean = n.b.reduce("mean", wide, axes, keepdims=True)
    off = n.b.sub(wide, mean)
    var = n.b.reduce("mean", n.b.mul(off, off), axes, keepdims=True)
    return [y, mean, n.b.op("rsqrt", n.b.add(var, epsilon))]


@handler("RMSNormalization")
def rms_normalization(n: Node) -> Value:
    """The trailing axes by their root mean square."""
    x, scale = n.x(0), n.x(1)
    axis = n.axis(x.rank, -1)
    if scale.dtype != x.dtype:
        wide = n.b.op(
            "rms_norm", x, n.b.full(1.0, n.static(x)[axis:], x.dtype), axis=axis, epsilon=n.real("epsilon", 1e-5)
        )
        return n.b.mul(n.b.cast(wide, scale.dtype), scale)
    if scale.rank > x.rank - axis:
        wide = n.b.op(
            "rms_norm", x, n.b.full(1.0, n.static(x)[axis:], x.dtype), axis=axis, epsilon=n.real("epsilon", 1e-5)
        )
        return n.b.mul(wide, scale)
    scale = n.b.broadcast_to(scale, x.shape[axis:])
    return n.b.op("rms_norm", x, scale, axis=axis, epsilon=n.real("epsilon", 1e-5))


@handler("LpNormalization")
def lp_normalization(n: Node) -> Value:
    """Divided by the 1- or 2-norm along an axis."""
    x, p = n.x(), n.integer("p", 2)
    axis = n.axis(x.rank, -1)
    if p not in (1, 2):
        raise n.invalid(f"has p = {p}")
    if p == 1:
        norm = n.b.reduce("sum", n.b.op("abs", x), [axis], keepdims=True)
    else:
        norm = n.b.op("sqrt", n.b.reduce("sum", n.b.mul(x, x), [axis], keepdims=True))
    # A vector of zeros stays one.
    return n.b.select(
        n.b.compare("eq", norm, 0.0), 0.0, n.b.div(x, n.b.select(n.b.compare("eq", norm, 0.0), 1.0, norm))
    )


@handler("LRN")
def lrn(n: Node) -> Value:
    """Local response normalization across channels."""
    return n.b.op(
        "lrn",
        n.x(),
        size=n.integer("size"),
        alpha=n.real("alpha", 1e-4),
        beta=n.real("beta", 0.75),
        bias=n.real("bias", 1.0),
        layout="nchw",
    )
