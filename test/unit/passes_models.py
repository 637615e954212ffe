"""Small models for the tests of passes: each is built op by op, with seeded weights in a store."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accelc.core.store import Store
from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.mlir import dialect, ir

B = nn.build
func = dialect("func")
Array = np.ndarray[Any, Any]


@dataclass
class Model:
    """A module, its constants, and inputs to run it on."""

    module: Any
    store: Store
    inputs: list[Array]


@dataclass
class Builder:
    """Gives a model's body its weights."""

    store: Store = field(default_factory=Store)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def weight(self, *shape: int, scale: float = 0.5, low: float | None = None, dtype: str = "f32") -> Any:
        """A random weight; positive from ``low`` on, if given."""
        array = self.random.standard_normal(shape) * scale
        if low is not None:
            array = np.abs(array) + low
        return self.constant(array.astype(nn.numpy_dtype(dtype)))

    def constant(self, array: Array) -> Any:
        """A stored constant."""
        name = f"w{len(self.store)}"
        self.store.add(name, array)
        return B.weight(name, TensorType(array.shape, _dtype(array)))


def _dtype(array: Array) -> str:
    return next(name for name, dtype in nn.DTYPES.items() if dtype == array.dtype)


def build(types: Sequence[TensorType], body: Callable[..., Any]) -> Model:
    """A model of ``body(builder, *inputs)``, in the current context; returns one value or several."""
    builder = Builder()
    module = ir.Module.create()
    probe = func.FuncOp("main", ([t.to_mlir() for t in types], []), ip=ir.InsertionPoint(module.body))
    block = probe.add_entry_block()
    with ir.InsertionPoint(block), ir.Location.name("node"):
        results = body(builder, *block.arguments)
        values = list(results) if isinstance(results, list | tuple) else [results]
        func.ReturnOp(values)
    kind = ir.FunctionType.get([t.to_mlir() for t in types], [v.type for v in values])
    probe.attributes["function_type"] = ir.TypeAttr.get(kind)
    probe.attributes["arg_attrs"] = ir.ArrayAttr.get([_name(f"in{i}") for i in range(len(types))])
    probe.attributes["res_attrs"] = ir.ArrayAttr.get([_name(f"out{i}") for i in range(len(values))])
    assert module.operation.verify()
    inputs = [_input(builder.random, t) for t in types]
    return Model(module, builder.store, inputs)


def _name(name: str) -> Any:
    return ir.DictAttr.get({"nn.name": ir.StringAttr.get(name)})


def _input(random: np.random.Generator, kind: TensorType) -> Array:
    dtype = nn.numpy_dtype(kind.dtype)
    if nn.is_float(kind.dtype):
        return random.standard_normal(kind.shape).astype(dtype)
    if kind.dtype == "i1":
        return random.random(kind.shape) < 0.5
    return random.integers(0, 5, kind.shape).astype(dtype)


def T(*shape: int, dtype: str = "f32") -> TensorType:
    """A tensor type."""
    return TensorType(shape, dtype)


def _conv(b: Builder, x: Any, out: int, k: int = 3, stride: int = 1, pad: int = 1, groups: int = 1) -> Any:
    w = b.weight(out, x.type.shape[1] // groups, k, k, scale=0.3)
    two = lambda n: (n, n)
    return B.conv(x, w, strides=two(stride), pads_low=two(pad), pads_high=two(pad), dilations=two(1), groups=groups)


def _bn(b: Builder, x: Any) -> Any:
    c = x.type.shape[1]
    return B.batch_norm(x, b.weight(c), b.weight(c), b.weight(c), b.weight(c, low=0.5), epsilon=1e-5, axis=1)


def _channels(b: Builder, x: Any, axis: int = 1) -> Any:
    return B.broadcast(b.weight(x.type.shape[axis]), dims=(axis,), shape=tuple(x.type.shape))


def _pool(x: Any, kind: str, k: int = 3, stride: int = 2, pad: int = 1, **attrs: Any) -> Any:
    two = lambda n: (n, n)
    return B.pool(
        x,
        kind=kind,
        kernel=two(k),
        strides=two(stride),
        pads_low=two(pad),
        pads_high=two(pad),
        dilations=two(1),
        **attrs,
    )


def mlp(b: Builder, x: Any) -> Any:
    """Two layers and a softmax."""
    h = B.contract(x, b.weight(8, 16), spec="mk,kn->mn")
    h = B.relu(B.add(h, B.broadcast_like(b.weight(16), h)))
    y = B.contract(h, b.weight(5, 16), spec="mk,nk->mn")
    return B.softmax(B.add(y, B.broadcast_like(b.weight(5), y)), axis=1)


def residual(b: Builder, x: Any) -> Any:
    """A ResNet block with a projection, then global pooling and a classifier."""
    y = B.relu(_bn(b, _conv(b, x, 8, stride=2)))
    y = _bn(b, _conv(b, y, 8))
    skip = _bn(b, _conv(b, x, 8, k=1, stride=2, pad=0))
    y = B.relu(B.add(y, skip))
    y = B.add(y, _conv(b, y, 8))
    y = B.reduce(y, kind="mean", axes=(2, 3))
    y = B.contract(y, b.weight(3, 8), spec="mk,nk->mn")
    return B.add(y, B.broadcast_like(b.weight(3), y))


def mobile(b: Builder, x: Any) -> Any:
    """An inverted residual with a depthwise convolution and clamps."""
    y = B.clamp(_bn(b, _conv(b, x, 12, k=1, pad=0)), min=0.0, max=6.0)
    y = B.clamp(_bn(b, _conv(b, y, 12, groups=12)), min=0.0, max=6.0)
    return B.add(_bn(b, _conv(b, y, x.type.shape[1], k=1, pad=0)), x)


def pooling(b: Builder, x: Any) -> Any:
    """Max, average and LRN, concatenated, flattened."""
    x = B.lrn(B.relu(_conv(b, x, 8)), size=5, alpha=1e-2, beta=0.75, bias=1.0)
    parts = [
        _pool(x, "max"),
        _pool(x, "average", count_include_pad=False),
        _pool(x, "average", count_include_pad=True),
        _pool(x, "lp", p=3),
    ]
    y = B.concat(*parts, axis=1)
    n = math.prod(y.type.shape[1:])
    y = B.reshape(y, shape=(y.type.shape[0], n))
    return B.contract(y, b.weight(n, 4, scale=0.1), spec="mk,kn->mn")


def shuffle(b: Builder, x: Any) -> Any:
    """A ShuffleNet unit: grouped convolutions around a channel shuffle, next to an average pool."""
    n, c, h, w = x.type.shape
    y = B.relu(_bn(b, _conv(b, x, c, k=1, pad=0, groups=2)))
    y = B.reshape(y, shape=(n, 2, c // 2, h, w))
    y = B.transpose(y, perm=(0, 2, 1, 3, 4))
    y = B.reshape(y, shape=(n, c, h, w))
    y = _bn(b, _conv(b, y, c, stride=2, groups=c))
    y = _bn(b, _conv(b, y, c, k=1, pad=0, groups=2))
    return B.relu(B.concat(_pool(x, "average", count_include_pad=False), y, axis=1))


def _linear(b: Builder, x: Any, out: int) -> Any:
    y = B.contract(x, b.weight(x.type.shape[-1], out, scale=0.2), spec="bsk,kn->bsn")
    return B.add(y, B.broadcast_like(b.weight(out), y))


def _norm(b: Builder, x: Any) -> Any:
    """A layer norm as exporters write it where the opset has none."""
    d = x.type.shape[-1]
    row = lambda v: B.broadcast_like(B.reshape(v, shape=(*v.type.shape, 1)), x)
    centered = B.sub(x, row(B.reduce(x, kind="mean", axes=(2,))))
    square = B.pow(centered, B.full_like(x, 2.0))
    mean = B.reduce(square, kind="mean", axes=(2,))
    root = B.sqrt(B.add(mean, B.full_like(mean, 1e-5)))
    normal = B.div(centered, row(root))
    return B.add(B.mul(normal, B.broadcast_like(b.weight(d), x)), B.broadcast_like(b.weight(d), x))


def _gelu_erf(x: Any) -> Any:
    half = B.erf(B.div(x, B.full_like(x, math.sqrt(2.0))))
    return B.mul(B.mul(x, B.add(half, B.full_like(x, 1.0))), B.full_like(x, 0.5))


def _gelu_tanh(x: Any) -> Any:
    cube = B.mul(B.pow(x, B.full_like(x, 3.0)), B.full_like(x, 0.044715))
    inner = B.mul(B.add(x, cube), B.full_like(x, math.sqrt(2.0 / math.pi)))
    return B.mul(B.mul(x, B.full_like(x, 0.5)), B.add(B.tanh(inner), B.full_like(x, 1.0)))


def transformer(b: Builder, ids: Any, mask: Any) -> Any:
    """Embeddings, one block of attention and gelu with decomposed norms, and a pooler."""
    n, s = ids.type.shape
    d, heads = 16, 2
    x = B.add(B.gather(b.weight(20, d), ids, axis=0), B.broadcast(b.weight(s, d), dims=(1, 2), shape=(n, s, d)))
    x = _norm(b, x)
    split = lambda v: B.transpose(B.reshape(v, shape=(n, s, heads, d // heads)), perm=(0, 2, 1, 3))
    q, k, v = (split(_linear(b, x, d)) for _ in range(3))
    scores = B.contract(q, B.transpose(k, perm=(0, 1, 3, 2)), spec="bhqd,bhdk->bhqk")
    scores = B.div(scores, B.full_like(scores, math.sqrt(d // heads)))
    hide = B.mul(B.sub(B.full_like(mask, 1.0), mask), B.full_like(mask, -10000.0))
    scores = B.add(scores, B.broadcast(hide, dims=(0, 3), shape=(n, heads, s, s)))
    y = B.contract(B.softmax(scores, axis=3), v, spec="bhqk,bhkd->bhqd")
    y = B.reshape(B.transpose(y, perm=(0, 2, 1, 3)), shape=(n, s, d))
    x = _norm(b, B.add(_linear(b, y, d), x))
    y = _linear(b, _gelu_erf(_linear(b, x, 32)), d)
    x = B.layer_norm(B.add(y, x), b.weight(d), b.weight(d), axis=2, epsilon=1e-5)
    first = B.reshape(B.gather(x, B.constant([0], "si64"), axis=1), shape=(n, d))
    pooled = B.tanh(B.contract(first, b.weight(d, d), spec="mk,kn->mn"))
    return x, pooled


def gated(b: Builder, x: Any) -> Any:
    """RMS norm, silu gate, tanh gelu, log softmax: two residual reads of one sum."""
    d = x.type.shape[-1]
    total = B.add(x, _linear(b, x, d))
    y = B.rms_norm(total, b.weight(d), axis=2, epsilon=1e-6)
    gate = _linear(b, y, d)
    y = B.mul(B.mul(gate, B.sigmoid(gate)), _linear(b, y, d))
    y = B.add(total, _gelu_tanh(y))
    return B.log_softmax(y, axis=2)


def attention(b: Builder, q: Any, k: Any, v: Any) -> Any:
    """The fused op, causal."""
    return B.attention(q, k, v, scale=0.5, causal=True)


def upsample(b: Builder, x: Any) -> Any:
    """Nearest and linear resize of a convolution's result, padded and reduced."""
    y = _conv(b, x, 6)
    shape = (*y.type.shape[:2], *(2 * s for s in y.type.shape[2:]))
    y = B.resize(y, mode="nearest", coordinate="asymmetric", nearest="floor", scales=(1.0, 1.0, 2.0, 2.0), shape=shape)
    half = (*shape[:2], *(s // 4 for s in shape[2:]))
    y = B.resize(y, mode="linear", coordinate="half_pixel", scales=(1.0, 1.0, 0.25, 0.25), shape=half)
    y = B.pad(y, B.constant(0.5, "f32"), low=(0, 0, 1, 0), high=(0, 0, 0, 2))
    y = B.slice(y, starts=(0, 1, 0, 0), sizes=(-1, -1, -1, -1), strides=(1, 2, 1, 1))
    return B.reduce(y, kind="max", axes=(1,)), B.softmax(y, axis=1)


def integers(b: Builder, x: Any, y: Any) -> Any:
    """Signed and unsigned integer arithmetic, comparison and selection."""
    big = B.compare(x, y, predicate="gt")
    z = B.select(big, B.sub(x, y), B.add(x, y))
    counts = B.reduce(B.cast(big, dtype="si64"), kind="sum", axes=(1,))
    return B.cast(z, dtype="f32"), counts, B.div(y, B.add(x, B.broadcast_like(B.constant(1, "ui8"), x)))


MODELS: dict[str, tuple[list[TensorType], Callable[..., Any]]] = {
    "mlp": ([T(4, 8)], mlp),
    "residual": ([T(1, 3, 8, 8)], residual),
    "mobile": ([T(1, 4, 6, 6)], mobile),
    "pooling": ([T(1, 3, 7, 7)], pooling),
    "shuffle": ([T(1, 8, 6, 6)], shuffle),
    "transformer": ([T(1, 6, dtype="si64"), T(1, 6)], transformer),
    "gated": ([T(2, 5, 8)], gated),
    "attention": ([T(1, 2, 5, 4), T(1, 2, 5, 4), T(1, 2, 5, 3)], attention),
    "upsample": ([T(1, 3, 8, 8)], upsample),
    "integers": ([T(3, 4, dtype="ui8"), T(3, 4, dtype="ui8")], integers),
}


def make(name: str) -> Model:
    """The model called ``name``, in the current context."""
    types, body = MODELS[name]
    return build(types, body)
