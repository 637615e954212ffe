"""Attention, as `nn.attention` where it has the plain form; otherwise ONNX's definition is expanded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.registry import EXPAND, Node, handler
from accelc.frontend.onnx.values import Value


@handler("Attention")
def attention(n: Node) -> Any:
    """softmax(scale * Q K^T + mask) V, with heads in their own dimension or not, with grouped keys and a cache."""
    q, k, v = n.x(0), n.x(1), n.x(2)
    if not _plain(n) or not all(t.type.is_static for t in (q, k, v)):
        return EXPAND
    flat = q.rank == 3
    if flat:
        heads, kv_heads = n.integer("q_num_heads"), n.integer("kv_num_heads")
        q, k, v = _heads(n, q, heads), _heads(n, k, kv_heads), _heads(n, v, kv_heads)
    past = 0
    if n.has(4) and n.has(5):
        past = n.static(n.x(4), 4)[2]
        k, v = n.b.concat([n.x(4), k], 2), n.b.concat([n.x(5), v], 2)
    present: list[Value | None] = [k, v]
    batch, heads, length, size = n.static(q, 4)
    k, v = _repeated(n, k, heads), _repeated(n, v, heads)
    keys = n.static(k)[2]
    mask = _mask(n, q, keys)
    causal = n.flag("is_causal")
    if causal and past:
        mask = _merge_causal(n.b, mask, length, keys, past)
        causal = False
    scale = float(n.attributes.get("scale", 1.0 / math.sqrt(size)))
    operands = [q, k, v] if mask is None else [q, k, v, mask]
    y = n.b.op("attention", *operands, scale=scale, causal=causal)
    if mask is not None:
        y = _zero_where_blind(n.b, y, mask, causal, length, keys)
    if flat:
        y = n.b.reshape(n.b.transpose(y, [0, 2, 1, 3]), [batch, length, heads * n.static(y)[3]])
    return [y, *present]


def _plain(n: Node) -> bool:
    """Whether nothing is asked for that `nn.attention` does not do."""
    windows = n.integer("left_window_size", -1) >= 0 or n.integer("right_window_size", -1) >= 0
    return not (n.real("softcap", 0.0) or n.has(6) or n.wants(3) or windows) and n.has(4) == n.has(5)


def _heads(n: Node, x: Value, heads: int) -> Value:
    """[batch, length, heads * size] as [batch, heads, length, size]."""
    batch, length, hidden = n.static(x, 3)
    if heads < 1 or hidden % heads:
        raise n.invalid(f"cannot cut {x.type} into {heads} heads")
    return n.b.transpose(n.b.reshape(x, [batch, length, heads, hidden // heads]), [0, 2, 1, 3])


def _repeated(n: Node, x: Value, heads: int) -> Value:
    """Keys or values with each head repeated for the query heads that share it."""
    batch, own, length, size = n.static(x, 4)
    if own == heads:
        return x
    if heads % own:
        raise n.invalid(f"has {heads} query heads for {own} key heads")
    shared = n.b.broadcast_in(x, [batch, own, heads // own, length, size], [0, 1, 3, 4])
    return n.b.reshape(shared, [batch, heads, length, size])


def _mask(n: Node, q: Value, keys: int) -> Value | None:
    """The mask in rank 4, and as long as the keys: what it does not say is hidden."""
    mask = n.maybe(3)
    if mask is None:
        return None
    missing = keys - n.static(mask)[-1]
    if missing > 0:
        fill = n.b.const(False) if mask.dtype == "i1" else n.b.const(-math.inf, mask.dtype)
        mask = n.b.pad(mask, [0] * mask.rank, [*([0] * (mask.rank - 1)), missing], fill)
    if mask.dtype != "i1":
        mask = n.b.cast(mask, q.dtype)
    return n.b.reshape(mask, [*([1] * (4 - mask.rank)), *mask.shape])


def _merge_causal(b: Builder, mask: Value | None, length: int, keys: int, past: int) -> Value:
    """A mask that also hides keys after the query, which stands behind ``past`` keys."""
    seen = b.compare("le", b.iota([1, 1, length, keys], 3), b.add(b.iota([1, 1, length, keys], 2), past))
    if mask is None:
        return seen
    if mask.dtype == "i1":
        return b.binary("logical_and", mask, seen)
    return b.select(seen, mask, -math.inf)


def _zero_where_blind(b: Builder, y: Value, mask: Value, causal: bool, length: int, keys: int) -> Value:
    """A query that sees no key gives 0 (the sum over nothing), where `nn.attention` gives NaN."""
    seen = mask if mask.dtype == "i1" else b.compare("gt", mask, -math.inf)
    if causal:
        seen = b.binary(
            "logical_and", seen, b.compare("le", b.iota([1, 1, length, keys], 3), b.iota([1, 1, length, keys], 2))
        )
    sees = b.reduce("max", seen, [3], keepdims=True)
    if sees.array is not None and bool(np.all(sees.array)):
        return y
    return b.select(sees, y, 0.0)
