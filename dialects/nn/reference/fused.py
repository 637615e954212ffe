"""Attention."""

from __future__ import annotations

import numpy as np

from accelc.dialects.nn.reference.norms import softmax_of
from accelc.dialects.nn.reference.numerics import precise, store
from accelc.dialects.nn.reference.registry import Array, reference


@reference("attention")
def attention(q: Array, k: Array, v: Array, *mask: Array, scale: float, causal: bool) -> Array:
    """`nn.attention`."""
    queries = precise(q)
    scores = np.matmul(queries, precise(k).swapaxes(-1, -2)) * queries.dtype.type(scale)
    for m in mask:
        scores = np.where(m, scores, -np.inf) if m.dtype == np.bool_ else scores + precise(m)
    if causal:
        seen = np.tril(np.ones(scores.shape[-2:], bool))
        scores = np.where(seen, scores, -np.inf)
    return store(np.matmul(softmax_of(scores.astype(queries.dtype), -1), precise(v)), q.dtype)
