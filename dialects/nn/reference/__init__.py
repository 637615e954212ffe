"""Reference semantics of every op of `nn` on numpy arrays: all other ways of running a model are checked against it."""

from __future__ import annotations

from accelc.dialects.nn.reference import (
    contraction,
    conversion,
    elementwise,
    fused,
    indexing,
    movement,
    norms,
    reduction,
    resize,
    windows,
)
from accelc.dialects.nn.reference.registry import FUNCTIONS, evaluate

# The modules above fill FUNCTIONS when they are imported.
_GROUPS = (
    contraction,
    conversion,
    elementwise,
    fused,
    indexing,
    movement,
    norms,
    reduction,
    resize,
    windows,
)

__all__ = ["FUNCTIONS", "evaluate"]
