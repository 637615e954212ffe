"""Reductions over axes."""

from __future__ import annotations

from accelc.dialects import nn
from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value

# The opset in which `axes` became an input.
_AXES_INPUT = {"ReduceSum": 13}
AXES_INPUT = 18


def axes_of(n: Node) -> list[int] | None:
    """The axes to reduce, from the front; None where the op is to do nothing to the shape."""
    x = n.x()
    axes = n.attr_or_input("axes", 1, _AXES_INPUT.get(n.op, AXES_INPUT))
    if not axes:
        return None if n.flag("noop_with_empty_axes") else list(range(x.rank))
    return n.resolve_all(axes, x.rank)


KINDS = {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod"}


@handler(*KINDS)
def reduce_plain(n: Node) -> Value:
    """Sum, mean, maximum, minimum, product."""
    axes = axes_of(n)
    return n.x() if axes is None else n.b.reduce(KINDS[n.op], n.x(), axes, n.flag("keepdims", True))


def _sum(n: Node, x: Value) -> Value:
    axes = axes_of(n)
    return x if axes is None else n.b.reduce("sum", x, axes, n.flag("keepdims", True))


@handler("ReduceL1")
def reduce_l1(n: Node) -> Value:
    """Sum of absolute values."""
    return _sum(n, n.b.op("abs", n.x()))


@handler("ReduceSumSquare")
def reduce_sum_square(n: Node) -> Value:
    """Sum of squares."""
    return _sum(n, n.b.mul(n.x(), n.x()))


def in_float(b: Builder, x: Value) -> Value:
    """Integers as floats, for roots and logarithms of their sums."""
    return x if nn.is_float(x.dtype) else b.cast(x, "f64" if x.dtype in ("si64", "ui64") else "f32")


@handler("ReduceL2")
def reduce_l2(n: Node) -> Value:
    """Square root of the sum of squares."""
    x = in_float(n.b, n.x())
    return n.b.cast(n.b.op("sqrt", _sum(n, n.b.mul(x, x))), n.x().dtype)


@handler("ReduceLogSum")
def reduce_log_sum(n: Node) -> Value:
    """Logarithm of the sum."""
    return n.b.cast(n.b.op("log", _sum(n, in_float(n.b, n.x()))), n.x().dtype)


@handler("ReduceLogSumExp")
def reduce_log_sum_exp(n: Node) -> Value:
    """Logarithm of the sum of exponentials, with the maximum taken out first."""
    x = in_float(n.b, n.x())
    axes = axes_of(n)
    if axes is None:
        return n.x()
    top = n.b.reduce("max", x, axes, keepdims=True)
    # A maximum of -inf (an empty or all -inf row) would give NaN.
    top = n.b.select(n.b.op("isinf", top, positive=False, negative=True), 0.0, top)
    total = n.b.reduce("sum", n.b.op("exp", n.b.sub(x, top)), axes, keepdims=True)
    result = n.b.add(n.b.op("log", total), top)
    result = result if n.flag("keepdims", True) else n.b.squeeze(result, axes)
    return n.b.cast(result, n.x().dtype)
