"""Lowering of single `nn` ops to `linalg`: a handler an op, found in `HANDLERS`."""

from __future__ import annotations

from accelc.passes.lowering import (  # noqa: F401  (importing them registers their handlers)
    contraction,
    convolution,
    indexing,
    movement,
    rowwise,
    windows,
)
from accelc.passes.lowering.pointwise import lower_elementwise
from accelc.passes.lowering.registry import HANDLERS

__all__ = ["HANDLERS", "lower_elementwise"]
