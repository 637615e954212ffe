"""Activation functions. Formulas are those of the ONNX operator documentation."""

from __future__ import annotations

from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.ops.elementwise import NUMPY_BROADCASTING
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value

# Selu's constants before opset 6 and since (Klambauer et al., 2017).
SELU_ALPHA_1, SELU_GAMMA_1 = 1.6732, 1.0507
SELU_ALPHA, SELU_GAMMA = 1.6732631921768188, 1.0507010221481323


def expm1(b: Builder, x: Value) -> Value:
    """``exp(x) - 1``."""
    return b.sub(b.op("exp", x), 1.0)


def softplus(b: Builder, x: Value) -> Value:
    """``log(1 + exp(x))`` without overflow: ``max(x, 0) + log(1 + exp(-|x|))``."""
    tail = b.op("exp", b.op("neg", b.op("abs", x)))
    return b.add(b.op("relu", x), b.op("log", b.add(tail, 1.0)))


def hard_sigmoid(b: Builder, x: Value, alpha: float, beta: float) -> Value:
    """``max(0, min(1, alpha * x + beta))``."""
    return b.clamp(b.add(b.mul(x, alpha), beta), 0.0, 1.0)


def elu(b: Builder, x: Value, alpha: float) -> Value:
    """x, or ``alpha * (exp(x) - 1)`` below 0."""
    return b.select(b.compare("lt", x, 0), b.mul(expm1(b, b.clamp(x, high=0.0)), alpha), x)


@handler("LeakyRelu")
def leaky_relu(n: Node) -> Value:
    """x, or alpha * x below 0."""
    x = n.x()
    return n.b.select(n.b.compare("lt", x, 0), n.b.mul(x, n.real("alpha", 0.01)), x)


@handler("PRelu")
def prelu(n: Node) -> Value:
    """x, or slope * x below 0; until opset 6 the slope is one a channel."""
    x, slope = n.x(0), n.x(1)
    if n.version < NUMPY_BROADCASTING and slope.rank == 1 and x.rank > 1 and slope.shape[0] != 1:
        slope = n.b.along(slope, x.rank, 1)
    zero = n.b.scalar(0, x)
    return n.b.select(n.b.compare("lt", x, zero), n.b.mul(x, slope), x)


@handler("Elu")
def elu_op(n: Node) -> Value:
    """x, or alpha * (exp(x) - 1) below 0."""
    return elu(n.b, n.x(), n.real("alpha", 1.0))


@handler("Selu")
def selu(n: Node) -> Value:
    """gamma * elu(x)."""
    alpha = n.real("alpha", SELU_ALPHA_1 if n.version < 6 else SELU_ALPHA)
    gamma = n.real("gamma", SELU_GAMMA_1 if n.version < 6 else SELU_GAMMA)
    return n.b.mul(elu(n.b, n.x(), alpha), gamma)


@handler("Celu")
def celu(n: Node) -> Value:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    x, alpha = n.x(), n.real("alpha", 1.0)
    low = n.b.mul(expm1(n.b, n.b.clamp(n.b.div(x, alpha), high=0.0)), alpha)
    return n.b.add(n.b.op("relu", x), n.b.clamp(low, high=0.0))


@handler("HardSigmoid")
def hard_sigmoid_op(n: Node) -> Value:
    """A line cut off at 0 and 1."""
    return hard_sigmoid(n.b, n.x(), n.real("alpha", 0.2), n.real("beta", 0.5))


@handler("HardSwish")
def hard_swish(n: Node) -> Value:
    """x * hard_sigmoid(x; 1/6, 1/2)."""
    return n.b.mul(n.x(), hard_sigmoid(n.b, n.x(), 1.0 / 6.0, 0.5))


@handler("Softplus")
def softplus_op(n: Node) -> Value:
    """log(1 + exp(x))."""
    return softplus(n.b, n.x())


@handler("Softsign")
def softsign(n: Node) -> Value:
    """x / (1 + |x|)."""
    return n.b.div(n.x(), n.b.add(n.b.op("abs", n.x()), 1.0))


@handler("Mish")
def mish(n: Node) -> Value:
    """x * tanh(softplus(x))."""
    return n.b.mul(n.x(), n.b.op("tanh", softplus(n.b, n.x())))


@handler("Gelu")
def gelu(n: Node) -> Value:
    """Gaussian error linear unit, exact or by tanh."""
    return n.b.op("gelu", n.x(), approximate=n.text("approximate", "none"))


@handler("Swish")
def swish(n: Node) -> Value:
    """x * sigmoid(alpha * x)."""
    alpha = n.real("alpha", 1.0)
    if alpha == 1.0:
        return n.b.op("silu", n.x())
    return n.b.mul(n.x(), n.b.op("sigmoid", n.b.mul(n.x(), alpha)))


@handler("ThresholdedRelu")
def thresholded_relu(n: Node) -> Value:
    """x where it is above alpha, else 0."""
    return n.b.select(n.b.compare("gt", n.x(), n.real("alpha", 1.0)), n.x(), 0)


@handler("Shrink")
def shrink(n: Node) -> Value:
    """x moved toward 0 by bias; 0 within lambd."""
    x, lambd, bias = n.x(), n.real("lambd", 0.5), n.real("bias", 0.0)
    low = n.b.select(n.b.compare("lt", x, -lambd), n.b.add(x, bias), 0) if x.is_float else _shrink_integer(n, x)
    if not x.is_float:
        return low
    return n.b.select(n.b.compare("gt", x, lambd), n.b.sub(x, bias), low)


def _shrink_integer(n: Node, x: Value) -> Value:
    """Bounds may be fractions: compared and moved as f32, then truncated."""
    lambd, bias = n.real("lambd", 0.5), n.real("bias", 0.0)
    wide = n.b.cast(x, "f32")
    low = n.b.select(n.b.compare("lt", wide, -lambd), n.b.add(wide, bias), 0.0)
    return n.b.cast(n.b.select(n.b.compare("gt", wide, lambd), n.b.sub(wide, bias), low), x.dtype)


def activation(b: Builder, name: str, x: Value, alpha: float | None, beta: float | None) -> Value | None:
    """An activation of RNN, GRU and LSTM by its (case-insensitive) name; None where there is none of that name."""

    def given(value: float | None, default: float) -> float:
        return default if value is None else value

    key = name.lower()
    if key in ("relu", "tanh", "sigmoid"):
        return b.op(key, x)
    if key == "affine":
        return b.add(b.mul(x, given(alpha, 1.0)), given(beta, 0.0))
    if key == "leakyrelu":
        return b.select(b.compare("lt", x, 0), b.mul(x, given(alpha, 0.01)), x)
    if key == "thresholdedrelu":
        return b.select(b.compare("gt", x, given(alpha, 1.0)), x, 0)
    if key == "scaledtanh":
        return b.mul(b.op("tanh", b.mul(x, given(beta, 1.0))), given(alpha, 1.0))
    if key == "hardsigmoid":
        return hard_sigmoid(b, x, given(alpha, 0.2), given(beta, 0.5))
    if key == "elu":
        return elu(b, x, given(alpha, 1.0))
    if key == "softsign":
        return b.div(x, b.add(b.op("abs", x), 1.0))
    if key == "softplus":
        return softplus(b, x)
    return None
