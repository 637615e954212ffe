"""What belongs to training: dropout, and the optimizers' steps."""

from __future__ import annotations

from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value

MASK_IS_BOOL = 7


@handler("Dropout", limits="training mode (its random numbers are no one's)")
def dropout(n: Node) -> list[Value | None]:
    """The input itself, as in inference."""
    x = n.x()
    if n.has(2) and bool(n.constant(2, "training_mode").reshape(-1)[0]):
        ratio = float(n.constant(1, "the ratio").reshape(-1)[0]) if n.has(1) else 0.5
        if ratio != 0.0:
            raise n.unsupported("in training mode", "export the model for inference")
    if not n.wants(1):
        return [x]
    return [x, n.b.full(1, n.static(x), x.dtype if n.version < MASK_IS_BOOL else "i1")]


@handler("Bernoulli", limits="refused")
def bernoulli(n: Node) -> Value:
    """Random numbers are not reproducible between implementations."""
    raise n.unsupported("(it makes random numbers)", "make the random tensor an input of the model")


PREVIEW = "ai.onnx.preview.training"


def _rate(n: Node, decay: str) -> Value:
    """The learning rate, divided by ``1 + T * decay``."""
    rate, step = n.x(0), n.b.cast(n.x(1), n.x(0).dtype)
    return n.b.div(rate, n.b.add(n.b.mul(step, n.real(decay, 0.0)), 1.0))


def _groups(n: Node, count: int) -> tuple[int, list[list[Value]]]:
    """The node's tensors after rate and step: ``count`` lists of equal length."""
    rest = [n.x(i) for i in range(2, len(n.inputs))]
    size = len(rest) // count
    return size, [rest[i * size : (i + 1) * size] for i in range(count)]


@handler("Adagrad", domain=PREVIEW)
def adagrad(n: Node) -> list[Value]:
    """One step of Adagrad."""
    rate = _rate(n, "decay_factor")
    _, (xs, gs, hs) = _groups(n, 3)
    news, sums = [], []
    for x, gradient, h in zip(xs, gs, hs, strict=True):
        g = n.b.add(gradient, n.b.mul(x, n.real("norm_coefficient", 0.0)))
        total = n.b.add(h, n.b.mul(g, g))
        news.append(n.b.sub(x, n.b.div(n.b.mul(g, rate), n.b.add(n.b.op("sqrt", total), n.real("epsilon", 0.0)))))
        sums.append(total)
    return [*news, *sums]


@handler("Momentum", domain=PREVIEW)
def momentum(n: Node) -> list[Value]:
    """One step of gradient descent with momentum."""
    alpha, beta = n.real("alpha"), n.real("beta")
    _, (xs, gs, vs) = _groups(n, 3)
    first = n.b.compare("gt", n.x(1), 0)
    beta_adjusted = n.b.select(first, n.b.const(beta, n.x(0).dtype), n.b.const(1.0, n.x(0).dtype))
    news, velocities = [], []
    for x, gradient, v in zip(xs, gs, vs, strict=True):
        g = n.b.add(gradient, n.b.mul(x, n.real("norm_coefficient", 0.0)))
        velocity = n.b.add(n.b.mul(v, alpha), n.b.mul(g, beta_adjusted))
        step = n.b.add(g, n.b.mul(velocity, alpha)) if n.text("mode") == "nesterov" else velocity
        news.append(n.b.sub(x, n.b.mul(step, n.x(0))))
        velocities.append(velocity)
    return [*news, *velocities]


@handler("Adam", domain=PREVIEW)
def adam(n: Node) -> list[Value]:
    """One step of Adam (Kingma and Ba, 2015)."""
    alpha, beta, epsilon = n.real("alpha", 0.9), n.real("beta", 0.999), n.real("epsilon", 0.0)
    _, (xs, gs, vs, hs) = _groups(n, 4)
    rate, step = n.x(0), n.b.cast(n.x(1), n.x(0).dtype)
    one = n.b.const(1.0, rate.dtype)
    corrected = n.b.div(
        n.b.op("sqrt", n.b.sub(one, n.b.op("pow", n.b.const(beta, rate.dtype), step))),
        n.b.sub(one, n.b.op("pow", n.b.const(alpha, rate.dtype), step)),
    )
    rate = n.b.select(n.b.compare("gt", n.x(1), 0), n.b.mul(rate, corrected), rate)
    post = n.real("norm_coefficient_post", 0.0)
    news, firsts, seconds = [], [], []
    for x, gradient, v, h in zip(xs, gs, vs, hs, strict=True):
        g = n.b.add(gradient, n.b.mul(x, n.real("norm_coefficient", 0.0)))
        first = n.b.add(n.b.mul(v, alpha), n.b.mul(g, 1.0 - alpha))
        second = n.b.add(n.b.mul(h, beta), n.b.mul(n.b.mul(g, g), 1.0 - beta))
        new = n.b.sub(x, n.b.div(n.b.mul(first, rate), n.b.add(n.b.op("sqrt", second), epsilon)))
        news.append(n.b.mul(new, 1.0 - post) if post else new)
        firsts.append(first)
        seconds.append(second)
    return [*news, *firsts, *seconds]
