"""Softmax and the norms over trailing axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelc.core.rewrite import Rewriter
from accelc.dialects import nn
from accelc.passes.constants import Constants, splat
from accelc.passes.graph import defining, has_one_use, users

Value = Any
Axes = tuple[int, ...]


def peel(value: Value) -> Value:
    """``value`` without the reshapes and broadcasts around it."""
    while (op := defining(value, "reshape", "broadcast")) is not None:
        value = op.operation.operands[0]
    return value


def _reduction(value: Value, kind: str) -> tuple[Value, Axes] | None:
    """(x, axes) where ``value``, peeled, is a reduction of x."""
    op = defining(peel(value), "reduce")
    if op is None:
        return None
    attrs = nn.attrs(op)
    return (op.operation.operands[0], attrs["axes"]) if attrs["kind"] == kind else None


def _is_spread(value: Value, shape: Sequence[int], axes: Axes) -> bool:
    """Whether ``value`` repeats what is left of ``shape`` without ``axes`` along ``axes``."""
    op = defining(value, "broadcast")
    if op is None or len(op.operation.operands) != 1:
        return False
    source = op.operation.operands[0].type.shape
    runs = [d for i, d in enumerate(nn.attrs(op)["dims"]) if source[i] != 1]
    return runs == [d for d in range(len(shape)) if d not in axes and shape[d] != 1]


def _shape(value: Value) -> list[int]:
    return list(value.type.shape)


def match_softmax(op: Any, rw: Rewriter) -> bool:
    """``exp(x) / sum(exp(x))``, where x may have its maximum subtracted."""
    power, total = op.operation.operands
    exponential, summed = defining(power, "exp"), _reduction(total, "sum")
    if exponential is None or summed is None or summed[0] != power or len(summed[1]) != 1:
        return False
    if not _is_spread(total, _shape(power), summed[1]):
        return False
    x = exponential.operation.operands[0]
    difference = defining(x, "sub")
    if difference is not None:
        y, top = difference.operation.operands
        maximum = _reduction(top, "max")
        if maximum is not None and maximum == (y, summed[1]) and _is_spread(top, _shape(y), summed[1]):
            x = y
    rw.replace(op, nn.build.softmax(x, axis=summed[1][0]))
    return True


def match_log_softmax(op: Any, rw: Rewriter) -> None:
    """The logarithm of a softmax."""
    inner = defining(op.operation.operands[0], "softmax")
    if inner is not None:
        rw.replace(op, nn.build.log_softmax(inner.operation.operands[0], axis=nn.attrs(inner)["axis"]))


def match_norm(op: Any, rw: Rewriter, constants: Constants) -> None:
    """``c / sqrt(mean(c^2) + epsilon)``, c being x (rms_norm, with a scale) or x less its mean (layer_norm)."""
    if op.operation.name == "nn.div":
        pairs = [tuple(op.operation.operands)]
    else:
        a, b = op.operation.operands
        pairs = [(a, b), (b, a)]
    for value, spread in pairs:
        found = _deviation(spread, root="sqrt" if op.operation.name == "nn.div" else "rsqrt")
        if found is None:
            continue
        squared, axes, epsilon = found
        shape = _shape(value)
        trailing = axes == tuple(range(len(shape) - len(axes), len(shape)))
        if squared != value or not trailing or not _is_spread(spread, shape, axes):
            continue
        _replace_norm(op, rw, constants, value, axes[0], epsilon)
        return


def _deviation(spread: Value, *, root: str) -> tuple[Value, Axes, float] | None:
    """(c, axes, epsilon) where ``spread``, peeled, is the root of ``mean(c * c) + epsilon``."""
    op = defining(peel(spread), root)
    if op is None and root == "rsqrt":
        reciprocal = defining(peel(spread), "reciprocal")
        op = None if reciprocal is None else defining(peel(reciprocal.operation.operands[0]), "sqrt")
    if op is None:
        return None
    total = defining(peel(op.operation.operands[0]), "add")
    if total is None:
        return None
    a, b = total.operation.operands
    mean, epsilon = (a, splat(b)) if splat(b) is not None else (b, splat(a))
    found = _reduction(mean, "mean")
    if found is None or epsilon is None:
        return None
    square = defining(found[0], "mul")
    if square is None or square.operation.operands[0] != square.operation.operands[1]:
        return None
    return square.operation.operands[0], found[1], float(epsilon)


def _centered(value: Value, axis: int) -> Value | None:
    """x where ``value`` is x less its mean over the axes from ``axis``."""
    op = defining(value, "sub")
    if op is None:
        return None
    x, mean = op.operation.operands
    axes = tuple(range(axis, len(_shape(value))))
    if _reduction(mean, "mean") == (x, axes) and _is_spread(mean, _shape(x), axes):
        return x
    return None


def _replace_norm(op: Any, rw: Rewriter, constants: Constants, value: Value, axis: int, epsilon: float) -> None:
    """Builds the norm with the scale and bias that follow, or with ones and zeros."""
    x = _centered(value, axis)
    scaled = _parameter(op, "mul", axis)
    if x is None:
        if scaled is not None:
            with rw.before(scaled[0]):
                rw.replace(scaled[0], nn.build.rms_norm(value, scaled[1], axis=axis, epsilon=epsilon))
        return
    shifted = _parameter(scaled[0], "add", axis) if scaled is not None else None
    last = shifted[0] if shifted is not None else scaled[0] if scaled is not None else op
    with rw.before(last):
        scale = scaled[1] if scaled is not None else _full(constants, x, axis, 1.0)
        bias = shifted[1] if shifted is not None else _full(constants, x, axis, 0.0)
        rw.replace(last, nn.build.layer_norm(x, scale, bias, axis=axis, epsilon=epsilon))


def _parameter(op: Any, name: str, axis: int) -> tuple[Any, Value] | None:
    """The only user of ``op``, if it is ``name`` with a parameter of the shape of the axes from ``axis``."""
    result = op.operation.results[0]
    if not has_one_use(result):
        return None
    [user] = users(result)
    if user.operation.name != f"nn.{name}":
        return None
    a, b = user.operation.operands
    broadcast = defining(b if a == result else a, "broadcast")
    if broadcast is None or len(broadcast.operation.operands) != 1:
        return None
    source, shape = broadcast.operation.operands[0], _shape(result)
    fits = nn.attrs(broadcast)["dims"] == tuple(range(axis, len(shape))) and _shape(source) == shape[axis:]
    return (user.opview, source) if fits else None


def _full(constants: Constants, x: Value, axis: int, number: float) -> Value:
    """A parameter of one number, in the store where it is large."""
    ref = constants.scalar(number, str(x.type.element_type))
    return constants.value(constants.broadcast(ref, _shape(x)[axis:], ()))
