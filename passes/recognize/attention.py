"""Attention: two contractions with a softmax between them."""

from __future__ import annotations

from typing import Any

from accelc.core.rewrite import Rewriter
from accelc.dialects import nn
from accelc.passes.constants import Constants, splat
from accelc.passes.graph import defining, has_one_use

Value = Any

# What exporters write for "minus infinity" in f32; exp of anything as low is 0.
_HIDDEN = -1e30


def match_attention(op: Any, rw: Rewriter, constants: Constants) -> None:
    """``softmax(scale * q k^T + mask) v``, whatever order the operands' dimensions have; scale and mask may be missing.

    A select that hides keys is a mask where it is constant and leaves every query a key: then it does not matter how
    low the hidden scores are.
    """
    weights, v = op.operation.operands
    softmax = defining(weights, "softmax")
    if softmax is None or not has_one_use(weights):
        return
    scores, mask = _unmasked(softmax.operation.operands[0], constants)
    scores, scale = _unscaled(scores)
    product = defining(scores, "contract")
    if product is None or not has_one_use(scores) or nn.attrs(softmax)["axis"] != scores.type.rank - 1:
        return
    q, k = product.operation.operands
    element = str(q.type.element_type)
    if element not in ("f32", "f64") or any(str(x.type.element_type) != element for x in (k, v, scores, weights)):
        return
    orders = _orders(nn.attrs(product)["spec"], nn.attrs(op)["spec"])
    if orders is None:
        return
    q_perm, k_perm, v_perm, out_perm = orders
    operands = [_transposed(x, perm) for x, perm in ((q, q_perm), (k, k_perm), (v, v_perm))]
    masks = [mask] if mask is not None else []
    result = nn.build.attention(*operands, *masks, scale=scale, causal=False)
    rw.replace(op, _transposed(result, out_perm))


def _unmasked(scores: Value, constants: Constants) -> tuple[Value, Value | None]:
    """(scores, mask) where ``scores`` is a sum with a mask, or a select between scores and something very low."""
    chosen = defining(scores, "select")
    if chosen is not None and has_one_use(scores):
        visible, inside, hidden = chosen.operation.operands
        low = splat(hidden)
        if low is not None and low <= _HIDDEN and _leaves_a_key(visible, constants):
            return inside, visible
    total = defining(scores, "add")
    if total is not None and has_one_use(scores):
        for inside, mask in (tuple(total.operation.operands), tuple(total.operation.operands)[::-1]):
            if defining(_unscaled(inside)[0], "contract") is not None and defining(mask, "broadcast") is not None:
                return inside, mask
    return scores, None


def _leaves_a_key(visible: Value, constants: Constants) -> bool:
    """Whether a mask is a constant in which every query sees some key."""
    spread = defining(visible, "broadcast")
    source = spread.operation.operands[0] if spread is not None else visible
    ref = constants.ref(source)
    if ref is None or source.type.rank == 0 or source.type.shape[-1] != visible.type.shape[-1]:
        return False
    return bool(constants.store.array(ref).any(axis=-1).all())


def _unscaled(scores: Value) -> tuple[Value, float]:
    """(scores, factor) where ``scores`` is a product with a number."""
    product = defining(scores, "mul")
    if product is not None and has_one_use(scores):
        for inside, factor in (tuple(product.operation.operands), tuple(product.operation.operands)[::-1]):
            number = splat(factor)
            if number is not None:
                return inside, float(number)
    return scores, 1.0


def _orders(first: str, second: str) -> tuple[list[int], list[int], list[int], list[int]] | None:
    """How q, k, v and the result are transposed so that batch comes first, and each ends as `nn.attention` wants.

    ``first`` is the spec of ``q, k -> scores``, ``second`` of ``weights, v -> out``; weights have the scores' order.
    """
    operands, scores = first.split("->")
    q, k = operands.split(",")
    operands, out = second.split("->")
    weights, v = operands.split(",")
    *batch, row, key = list(scores)
    # Letters of the second contraction, position by position those of the scores.
    *batch2, row2, key2 = list(weights)
    summed = [c for c in q if c in k and c not in scores]
    columns = [c for c in v if c not in weights]
    if len(summed) != 1 or len(columns) != 1 or row not in q or row in k or key not in k or key in q:
        return None
    if row2 in v or row2 not in out or key2 not in v or key2 in out:
        return None
    if any(c not in q or c not in k for c in batch) or any(c not in v or c not in out for c in batch2):
        return None
    q_perm = [q.index(c) for c in (*batch, row, summed[0])]
    k_perm = [k.index(c) for c in (*batch, key, summed[0])]
    v_perm = [v.index(c) for c in (*batch2, key2, columns[0])]
    natural = [*batch2, row2, columns[0]]
    if len(out) != len(natural) or len(q) != len(q_perm) or len(k) != len(k_perm) or len(v) != len(v_perm):
        return None
    return q_perm, k_perm, v_perm, [natural.index(c) for c in out]


def _transposed(x: Value, perm: list[int]) -> Value:
    return x if perm == sorted(perm) else nn.build.transpose(x, perm=perm)
