"""Constants and generated tensors."""

from __future__ import annotations

import math

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.dialects import nn
from accelc.frontend.onnx.build import FOLD_RESULT_ELEMENTS
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import nn_dtype
from accelc.frontend.onnx.values import Value, known, sources

# A constant tensor larger than this (in elements) is refused: it would be a mistake, or an attack.
MAX_ELEMENTS = 1 << 31


@handler("Constant", limits="no strings")
def constant(n: Node) -> Value:
    """A tensor or number of the model."""
    for name, dtype in (("value_float", "f32"), ("value_floats", "f32"), ("value_int", "si64"), ("value_ints", "si64")):
        if name in n.attributes:
            return n.b.const(n.attributes[name], dtype)
    for name in ("value", "sparse_value"):
        if name in n.attributes:
            return known(n.array(name), n.name)
    raise n.unsupported("of strings")


def filled(n: Node, number: float | int | bool, shape: list[int], dtype: str) -> Value:
    """One number everywhere; in the IR where it is large."""
    if any(s < 0 for s in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise n.invalid(f"has the shape {shape}")
    if math.prod(shape) <= FOLD_RESULT_ELEMENTS:
        return known(np.full(shape, number, nn.numpy_dtype(dtype)))
    return n.b.full(number, shape, dtype)


@handler("ConstantOfShape")
def constant_of_shape(n: Node) -> Value:
    """One number in a given shape."""
    value = n.array("value").reshape(-1) if "value" in n.attributes else np.zeros(1, np.float32)
    return filled(n, value[0], n.constant_ints(0, "the shape"), known(value).dtype)


@handler("Range", limits="start and delta must be constant; delta is 1 where the limit is computed")
def arange(n: Node) -> Value:
    """Numbers from start up to limit by delta."""
    if n.x(1).array is None and n.x(1).handle is not None and nn.is_integer(n.x(1).dtype):
        start, delta = n.constant(0, "start").reshape(()), n.constant(2, "delta").reshape(())
        if delta == 1 and not sources(n.x(1).handle, through_sizes=False):
            return _counting(n, int(start), n.x(1))
    start, limit, delta = (n.constant(i, what).reshape(())[()] for i, what in enumerate(("start", "limit", "delta")))
    if delta == 0:
        raise n.invalid("has a delta of 0")
    dtype = n.x(0).dtype
    count = max(math.ceil((float(limit) - float(start)) / float(delta)), 0)
    if nn.is_integer(dtype):
        count = max(-((int(start) - int(limit)) // int(delta)), 0)
    if count > MAX_ELEMENTS:
        raise n.invalid(f"makes {count} elements")
    steps = np.arange(count)
    if dtype in ("f16", "bf16"):
        # As onnx defines it: each element rounded once.
        return known((float(start) + steps * float(delta)).astype(nn.numpy_dtype(dtype)))
    return known((start + steps.astype(nn.numpy_dtype(dtype)) * delta).astype(nn.numpy_dtype(dtype)))


def _counting(n: Node, start: int, limit: Value) -> Value:
    """From ``start`` up to a limit that is known when the model runs."""
    count = n.b.clamp(n.b.sub(n.b.cast(n.b.reshape(limit, [1]), "si64"), start), low=0.0)
    handle = nn.build.iota(n.b.handle(count), axis=0, shape=(None,), dtype=limit.dtype)
    return n.b.add(Value(nn.tensor_type(handle), handle=handle), start)


@handler("EyeLike")
def eye_like(n: Node) -> Value:
    """Ones on a diagonal."""
    x = n.x()
    shape = n.static(x)
    if len(shape) != 2:
        raise n.invalid(f"needs a matrix, got {x.type}")
    dtype = nn_dtype(n.integer("dtype"), "the result of EyeLike") if "dtype" in n.attributes else x.dtype
    return known(np.eye(*shape, k=n.integer("k", 0)).astype(nn.numpy_dtype(dtype)))


@handler("Shape")
def shape_of(n: Node) -> Value:
    """The sizes of a tensor, or a range of them."""
    x = n.x()
    start = _clamp(n.integer("start", 0), x.rank)
    end = max(start, _clamp(n.integer("end", x.rank), x.rank))
    sizes = n.b.shape_of(x)
    return sizes if (start, end) == (0, x.rank) else n.b.slice(sizes, [start], [end - start])


def _clamp(position: int, rank: int) -> int:
    return min(max(position + rank if position < 0 else position, 0), rank)


@handler("Size")
def size_of(n: Node) -> Value:
    """The number of elements."""
    return n.b.reduce("prod", n.b.shape_of(n.x()), [0])


@handler("Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", limits="refused")
def random(n: Node) -> Value:
    """Random numbers are not reproducible between implementations."""
    raise UnsupportedError(
        f"the op {n.op} makes random numbers, which no two implementations agree on",
        notes=("make the random tensor an input of the model",),
    )
