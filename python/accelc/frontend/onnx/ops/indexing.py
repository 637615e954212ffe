"""Indexing: gathers, scatters, searches, running sums."""

from __future__ import annotations

import numpy as np

from accelc.dialects import nn
from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value, known


def resolved(b: Builder, idx: Value, size: int | Value) -> Value:
    """Indices with the negative ones counted from the end, in si64 (or si32, as they were)."""
    idx = idx if idx.dtype in ("si32", "si64") else b.cast(idx, "si64")
    if idx.array is not None and (idx.array.size == 0 or idx.array.min() >= 0):
        return idx
    return b.select(b.compare("lt", idx, 0), b.add(idx, size), idx)


def _size(b: Builder, x: Value, axis: int, like: Value) -> int | Value:
    size = x.shape[axis]
    if size is not None:
        return size
    dtype = like.dtype if like.dtype in ("si32", "si64") else "si64"
    return b.cast(b.op("dim", x, axis=axis), dtype)


def _in_range(n: Node, idx: Value, size: int | Value) -> None:
    if idx.array is not None and isinstance(size, int) and idx.array.size:
        low, high = int(idx.array.min()), int(idx.array.max())
        if low < -size or high >= size:
            raise n.invalid(f"has the index {low if low < -size else high} for a size of {size}")


@handler("Gather")
def gather(n: Node) -> Value:
    """Slices at indices."""
    x, idx = n.x(0), n.x(1)
    axis = n.axis(x.rank, 0)
    size = _size(n.b, x, axis, idx)
    _in_range(n, idx, size)
    return n.b.gather(x, resolved(n.b, idx, size), axis)


@handler("GatherElements")
def gather_elements(n: Node) -> Value:
    """One element for each index."""
    x, idx = n.x(0), n.x(1)
    axis = n.axis(x.rank, 0)
    size = _size(n.b, x, axis, idx)
    _in_range(n, idx, size)
    return n.b.op("gather_elements", x, resolved(n.b, idx, size), axis=axis)


def _resolved_tuples(n: Node, x: Value, idx: Value, batch: int) -> Value:
    """Index tuples, each coordinate counted from the front."""
    if not x.type.is_static or idx.shape[-1] is None:
        raise n.unsupported(f"of {x.type} by {idx.type}, whose sizes are unknown,")
    sizes = np.array(x.shape[batch : batch + idx.shape[-1]], nn.numpy_dtype(idx.dtype))
    if len(sizes) != idx.shape[-1]:
        raise n.invalid(f"has index tuples of {idx.shape[-1]} for {x.type}")
    return resolved(n.b, idx, known(sizes))


@handler("GatherND")
def gather_nd(n: Node) -> Value:
    """Slices at index tuples."""
    x, idx, batch = n.x(0), n.x(1), n.integer("batch_dims", 0)
    return n.b.op("gather_nd", x, _resolved_tuples(n, x, idx, batch), batch_dims=batch)


def _reduction(n: Node) -> str:
    kind = n.text("reduction", "none")
    if kind not in ("none", "add", "mul", "min", "max"):
        raise n.invalid(f"has the reduction '{kind}'")
    return kind


@handler("ScatterElements", "Scatter")
def scatter_elements(n: Node) -> Value:
    """A copy with one element replaced for each index."""
    x, idx, updates = n.x(0), n.x(1), n.x(2)
    axis = n.axis(x.rank, 0)
    idx = resolved(n.b, idx, _size(n.b, x, axis, idx))
    return n.b.op("scatter_elements", x, idx, updates, axis=axis, reduction=_reduction(n))


@handler("ScatterND")
def scatter_nd(n: Node) -> Value:
    """A copy with slices replaced at index tuples."""
    x, idx, updates = n.x(0), n.x(1), n.x(2)
    return n.b.op("scatter_nd", x, _resolved_tuples(n, x, idx, 0), updates, reduction=_reduction(n))


@handler("TensorScatter")
def tensor_scatter(n: Node) -> Value:
    """A cache with new steps written at each example's position, around the end or not."""
    cache, update = n.x(0), n.x(1)
    axis = n.axis(cache.rank, -2)
    shape, new = n.static(cache), n.static(update, cache.rank)
    if axis == 0:
        raise n.invalid("cannot write along the batch axis")
    count = new[axis]
    start = n.maybe(2)
    steps = n.b.iota([shape[0], count], 1)
    if start is not None:
        steps = n.b.add(steps, n.b.along(start, 2, 0))
    mode = n.text("mode", "linear")
    if mode == "circular":
        steps = n.b.binary("mod", steps, shape[axis], fmod=False)
    elif mode != "linear":
        raise n.invalid(f"has the mode '{mode}'")
    idx = n.b.reshape(steps, [shape[0] if i == 0 else count if i == axis else 1 for i in range(len(shape))])
    return n.b.op("scatter_elements", cache, n.b.broadcast_to(idx, new), update, axis=axis, reduction="none")


@handler("OneHot")
def one_hot(n: Node) -> Value:
    """On at each index along a new axis, off elsewhere; off everywhere for an index out of range."""
    idx, values = n.x(0), n.x(2)
    depth = int(n.constant(1, "the depth").reshape(-1)[0])
    axis = n.axis(idx.rank + 1, -1)
    idx = n.b.cast(idx, "si64")
    idx = n.b.expand_dims(resolved(n.b, idx, depth), [axis])
    shape = [*n.static(idx)]
    shape[axis] = depth
    hit = n.b.compare("eq", n.b.broadcast_to(idx, shape), n.b.iota(shape, axis))
    off, on = (n.b.reshape(n.b.slice(values, [i], [1]), ()) for i in (0, 1))
    return n.b.select(hit, on, off)


@handler("TopK")
def topk(n: Node) -> list[Value]:
    """The largest or smallest elements, and where they were."""
    x = n.x()
    axis = n.axis(x.rank, -1)
    k = n.integer("k") if n.version < 10 else n.constant_ints(1, "k")[0]
    return n.b.emit("topk", x, k=k, axis=axis, largest=n.flag("largest", True))


@handler("ArgMax", "ArgMin")
def arg_extremum(n: Node) -> Value:
    """Where the extremum along an axis is."""
    x = n.x()
    axis = n.axis(x.rank, 0)
    kind = "max" if n.op == "ArgMax" else "min"
    result = n.b.op("argreduce", x, axis=axis, kind=kind, last=n.flag("select_last_index"))
    return n.b.expand_dims(result, [axis]) if n.flag("keepdims", True) else result


@handler("CumSum")
def cumsum(n: Node) -> Value:
    """Running sums."""
    x = n.x()
    axis = n.resolve(n.constant_ints(1, "the axis")[0], x.rank)
    return n.b.op("cumsum", x, axis=axis, exclusive=n.flag("exclusive"), reverse=n.flag("reverse"))


@handler("CumProd")
def cumprod(n: Node) -> Value:
    """Running products, by doubling: after step s each element holds the product of the 2^s before it."""
    x = n.x()
    axis = n.resolve(n.constant_ints(1, "the axis")[0], x.rank)
    size = n.static(x)[axis]
    toward_front = n.flag("reverse")
    if n.flag("exclusive"):
        x = _shifted(n, x, axis, min(1, size), toward_front)
    distance = 1
    while distance < size:
        x = n.b.mul(x, _shifted(n, x, axis, distance, toward_front))
        distance *= 2
    return x


def _shifted(n: Node, x: Value, axis: int, distance: int, toward_front: bool) -> Value:
    """x moved along an axis; ones come in."""
    ahead = [distance if i == axis else 0 for i in range(x.rank)]
    away = [-d for d in ahead]
    low, high = (away, ahead) if toward_front else (ahead, away)
    return n.b.pad(x, low, high, 1)


@handler("Compress", limits="the condition must be constant")
def compress(n: Node) -> Value:
    """The slices where a condition holds."""
    x = n.x()
    if "axis" not in n.attributes:
        x = n.b.reshape(x, [x.type.num_elements if x.type.is_static else None])
    axis = n.axis(x.rank, 0)
    idx = np.flatnonzero(n.constant(1, "the condition").reshape(-1))
    return n.b.gather(x, known(idx.astype(np.int64)), axis)


@handler("NonZero", limits="the input must be constant")
def non_zero(n: Node) -> Value:
    """Where the elements are that are not 0."""
    array = n.constant(0, "the input")
    return known(
        np.stack(np.nonzero(array)).astype(np.int64) if array.ndim else np.zeros((0, int(bool(array))), np.int64)
    )


@handler("Unique", limits="the input must be constant")
def unique(n: Node) -> list[Value]:
    """The distinct elements (or slices), sorted or in order of appearance."""
    x = n.constant(0, "the input")
    axis = n.axis(x.ndim) if "axis" in n.attributes else None
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not n.flag("sorted", True):
        order = np.argsort(first)
        values = np.take(values, order, axis=axis or 0)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        first, inverse, counts = first[order], rank[inverse], counts[order]
    return [known(values), *(known(a.astype(np.int64)) for a in (first, inverse, counts))]
