"""`nn.attention` as contraction, softmax, contraction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from accelc.dialects import nn
from accelc.passes.constants import Constants

Value = Any


def decompose_attention(op: Any, constants: Constants) -> Value:
    """Scores, scale, mask, softmax and the sum of values, the first four in f32 (f64 for f64)."""
    attrs = nn.attrs(op)
    q, k, v, *masks = op.operation.operands
    result = nn.tensor_type(op.operation.results[0])
    rank = result.rank
    batch = "abcdefgh"[: rank - 2]
    wide = "f64" if result.dtype == "f64" else "f32"
    scores = nn.build.contract(q, k, spec=f"{batch}ld,{batch}sd->{batch}ls", dtype=wide)
    scores = nn.build.mul(scores, nn.build.full_like(scores, attrs["scale"]))
    for mask in masks:
        scores = _masked(scores, mask, wide)
    if attrs["causal"]:
        scores = _causal(scores, constants)
    weights = nn.build.softmax(scores, axis=rank - 1)
    if wide != result.dtype:
        weights = nn.build.cast(weights, dtype=result.dtype, saturate=False)
    return nn.build.contract(weights, v, spec=f"{batch}ls,{batch}se->{batch}le", dtype=result.dtype)


def _masked(scores: Value, mask: Value, wide: str) -> Value:
    shape = tuple(scores.type.shape)
    spread = nn.build.broadcast_to(mask, shape)
    if str(mask.type.element_type) == "i1":
        return nn.build.select(spread, scores, nn.build.full_like(scores, -math.inf))
    if str(mask.type.element_type) != wide:
        spread = nn.build.cast(spread, dtype=wide, saturate=False)
    return nn.build.add(scores, spread)


def _causal(scores: Value, constants: Constants) -> Value:
    """Hides key j from query i where j > i."""
    shape = tuple(scores.type.shape)
    visible = constants.value(constants.add(np.tri(*shape[-2:], dtype=np.bool_)))
    spread = nn.build.broadcast(visible, dims=(len(shape) - 2, len(shape) - 1), shape=shape)
    return nn.build.select(spread, scores, nn.build.full_like(scores, -math.inf))
