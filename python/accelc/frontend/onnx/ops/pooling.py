"""Pooling over windows, and over all of space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accelc.frontend.onnx.ops.convolution import window_pads
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value, known


@dataclass(frozen=True)
class Windows:
    """Where the windows of a pool lie: one entry a spatial dimension. ``high`` makes room for the last of them
    (it exceeds ``pads_high`` in ceil mode)."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    low: list[int]
    pads_high: list[int]
    high: list[int]
    sizes: list[int | None]


def windows(n: Node, x: Value) -> Windows:
    """The windows of a pooling node over x."""
    kernel = n.ints("kernel_shape")
    rank = len(kernel)
    if x.rank != rank + 2:
        raise n.invalid(f"has a kernel of {rank} dimensions for {x.type}")
    strides = n.maybe_ints("strides") or [1] * rank
    dilations = n.maybe_ints("dilations") or [1] * rank
    spatial = list(x.shape[2:])
    low, pads_high = window_pads(n, spatial, kernel, strides, dilations)
    high, sizes = list(pads_high), list[int | None]()
    for i, size in enumerate(spatial):
        if size is None:
            if n.flag("ceil_mode"):
                raise n.unsupported("with ceil_mode and an unknown spatial size")
            sizes.append(None)
            continue
        free = size + low[i] + pads_high[i] - ((kernel[i] - 1) * dilations[i] + 1)
        count = (-(-free // strides[i]) if n.flag("ceil_mode") else free // strides[i]) + 1
        # A window that would start in the padding after the data is left out.
        if n.flag("ceil_mode") and (count - 1) * strides[i] >= size + low[i]:
            count -= 1
        sizes.append(count)
        high[i] = max(pads_high[i], (count - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - size - low[i])
    return Windows(kernel, strides, dilations, low, pads_high, high, sizes)


def pool(n: Node, x: Value, w: Windows, kind: str, count_include_pad: bool = False, p: int = 2) -> Value:
    """`nn.pool` over windows."""
    y = n.b.op(
        "pool",
        x,
        kind=kind,
        kernel=w.kernel,
        strides=w.strides,
        pads_low=w.low,
        pads_high=w.high,
        dilations=w.dilations,
        count_include_pad=count_include_pad,
        p=p,
        layout="nchw",
    )
    # Padding that ceil mode does not need may make room for one window more.
    for i, size in enumerate(w.sizes):
        if size is not None and y.shape[i + 2] != size:
            y = n.b.slice_axis(y, i + 2, 0, size)
    return y


@handler("MaxPool")
def max_pool(n: Node) -> list[Value]:
    """The largest element of each window, and where it was."""
    x = n.x()
    w = windows(n, x)
    if n.wants(1):
        return _max_pool_indices(n, x, w)
    return [pool(n, x, w, "max")]


def _max_pool_indices(n: Node, x: Value, w: Windows) -> list[Value]:
    """Windows gathered into rows, whose extremum is then searched; positions outside never win."""
    shape = n.static(x)
    spatial, rank = shape[2:], len(w.kernel)
    positions = np.zeros((), np.int64)
    inside = np.ones((), np.bool_)
    sizes = [s or 0 for s in w.sizes]
    for i in range(rank):
        at = (np.arange(sizes[i]) * w.strides[i] - w.low[i])[:, None] + (np.arange(w.kernel[i]) * w.dilations[i])[None]
        view = [1] * (2 * rank)
        view[i], view[rank + i] = at.shape
        at = at.reshape(view)
        inside = inside & (at >= 0) & (at < spatial[i])
        positions = positions * spatial[i] + np.clip(at, 0, spatial[i] - 1)
    count = int(np.prod(sizes))
    rows = np.broadcast_to(positions, [*sizes, *w.kernel]).reshape(count, -1)
    valid = np.broadcast_to(inside, [*sizes, *w.kernel]).reshape(count, -1)
    # An element outside is replaced by one inside the same window, which then wins in its place or not at all.
    rows = np.where(valid, rows, np.take_along_axis(rows, valid.argmax(1)[:, None], 1))
    flat = n.b.reshape(x, [*shape[:2], int(np.prod(spatial))])
    gathered = n.b.gather(flat, known(rows.astype(np.int64)), 2)
    best = n.b.op("argreduce", gathered, axis=3, kind="max", last=False)
    value = n.b.reduce("max", gathered, [3])
    table = n.b.broadcast_to(known(_ordered(n, rows, spatial)), [*shape[:2], *rows.shape])
    where = n.b.squeeze(n.b.op("gather_elements", table, n.b.expand_dims(best, [3]), axis=3), [3])
    image = np.arange(shape[0] * shape[1], dtype=np.int64).reshape(shape[0], shape[1], 1) * int(np.prod(spatial))
    where = n.b.add(where, known(image))
    return [n.b.reshape(v, [*shape[:2], *sizes]) for v in (value, where)]


def _ordered(
    n: Node, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]], spatial: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Positions counted row by row, or (storage_order 1) column by column."""
    if not n.flag("storage_order"):
        return rows.astype(np.int64)
    coordinates = np.unravel_index(rows, spatial)
    return np.ravel_multi_index(coordinates[::-1], spatial[::-1]).astype(np.int64)


@handler("MaxUnpool")
def max_unpool(n: Node) -> Value:
    """Elements put back where MaxPool found them; zeros elsewhere."""
    x, idx = n.x(0), n.x(1)
    shape = n.static(x)
    kernel = n.ints("kernel_shape")
    rank = len(kernel)
    strides = n.maybe_ints("strides") or [1] * rank
    pads = n.maybe_ints("pads") or [0] * (2 * rank)
    natural = [(shape[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + rank] for i in range(rank)]
    inferred = [*shape[:2], *natural]
    target = n.constant_ints(2, "the output's shape") if n.has(2) else inferred
    total = int(np.prod(inferred))
    flat = n.b.op(
        "scatter_elements",
        n.b.full(0, [total], x.dtype),
        n.b.reshape(idx, [int(np.prod(shape))]),
        n.b.reshape(x, [int(np.prod(shape))]),
        axis=0,
        reduction="none",
    )
    y = n.b.reshape(flat, inferred)
    # Indices refer to the shape without `output_shape`; what that adds lies at the end.
    return n.b.pad(y, [0] * (rank + 2), [t - s for t, s in zip(target, inferred, strict=True)])


@handler("AveragePool")
def average_pool(n: Node) -> Value:
    """The mean of each window, with or without the padding in it."""
    x = n.x()
    w = windows(n, x)
    include = n.flag("count_include_pad")
    if not include or w.high == w.pads_high:
        return pool(n, x, w, "average", include)
    # Ceil mode: padding counts, but not what lies beyond it. The sum of a window is its mean over all, times all.
    total = pool(n, x, w, "average", True)
    whole = float(np.prod(w.kernel))
    counts = np.ones(())
    for i in range(len(w.kernel)):
        end = (x.shape[i + 2] or 0) + w.low[i] + w.pads_high[i]
        at = np.arange(w.sizes[i] or 0)[:, None] * w.strides[i] + np.arange(w.kernel[i])[None] * w.dilations[i]
        counts = counts[..., None] * (at < end).sum(1)
    return n.b.mul(total, n.b.const(whole / counts, x.dtype))


@handler("LpPool")
def lp_pool(n: Node) -> Value:
    """The p-norm of each window."""
    x = n.x()
    p = n.attributes.get("p", 2)
    if int(p) != p or p < 1:
        raise n.unsupported(f"with p = {p}")
    return pool(n, x, windows(n, x), "lp", p=int(p))


@handler("GlobalAveragePool", "GlobalMaxPool")
def global_pool(n: Node) -> Value:
    """The mean or maximum over all of space."""
    x = n.x()
    kind = "mean" if n.op == "GlobalAveragePool" else "max"
    return n.b.reduce(kind, x, list(range(2, x.rank)), keepdims=True)


@handler("GlobalLpPool")
def global_lp_pool(n: Node) -> Value:
    """The p-norm over all of space."""
    x = n.x()
    p = float(n.attributes.get("p", 2))
    powered = n.b.binary("pow", n.b.op("abs", x), p)
    total = n.b.reduce("sum", powered, list(range(2, x.rank)), keepdims=True)
    return n.b.binary("pow", total, 1.0 / p)
