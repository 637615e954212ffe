"""Softmax and the normalizations."""

from __future__ import annotations

import numpy as np

from accelc.dialects.nn.reference.numerics import precise, store
from accelc.dialects.nn.reference.registry import Array, reference


def softmax_of(scores: Array, axis: int) -> Array:
    """Softmax in the type of ``scores``."""
    shifted = np.exp(scores - np.max(scores, axis=axis, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / np.sum(shifted, axis=axis, keepdims=True))


@reference("softmax")
def softmax(x: Array, *, axis: int) -> Array:
    """`nn.softmax`."""
    return store(softmax_of(precise(x), axis), x.dtype)


@reference("log_softmax")
def log_softmax(x: Array, *, axis: int) -> Array:
    """`nn.log_softmax`."""
    value = precise(x)
    shifted = value - np.max(value, axis=axis, keepdims=True, initial=-np.inf)
    return store(shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)), x.dtype)


def _normalize(value: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centered = value - np.mean(value, axis=axes, keepdims=True)
    variance = np.mean(centered * centered, axis=axes, keepdims=True)
    return np.asarray(centered / np.sqrt(variance + value.dtype.type(epsilon)))


@reference("layer_norm")
def layer_norm(x: Array, scale: Array, bias: Array, *, axis: int, epsilon: float) -> Array:
    """`nn.layer_norm`."""
    normal = _normalize(precise(x), tuple(range(axis, x.ndim)), epsilon)
    return store(normal * precise(scale) + precise(bias), x.dtype)


@reference("rms_norm")
def rms_norm(x: Array, scale: Array, *, axis: int, epsilon: float) -> Array:
    """`nn.rms_norm`."""
    value = precise(x)
    square = np.mean(value * value, axis=tuple(range(axis, x.ndim)), keepdims=True)
    return store(value / np.sqrt(square + value.dtype.type(epsilon)) * precise(scale), x.dtype)


@reference("batch_norm")
def batch_norm(x: Array, scale: Array, bias: Array, mean: Array, var: Array, *, epsilon: float, axis: int) -> Array:
    """`nn.batch_norm`."""
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    s, b, m, v = (precise(t).reshape(shape) for t in (scale, bias, mean, var))
    return store((precise(x) - m) / np.sqrt(v + v.dtype.type(epsilon)) * s + b, x.dtype)


@reference("group_norm")
def group_norm(x: Array, scale: Array, bias: Array, *, groups: int, epsilon: float) -> Array:
    """`nn.group_norm`."""
    value = precise(x).reshape(x.shape[0], groups, -1)
    normal = _normalize(value, (2,), epsilon).reshape(x.shape)
    shape = [-1 if i == 1 else 1 for i in range(x.ndim)]
    return store(normal * precise(scale).reshape(shape) + precise(bias).reshape(shape), x.dtype)
