"""The `plan` dialect: what ``main`` of a compiled model does with memory.

``main`` owns every buffer: it names constants, allocates from one arena, views bytes under another shape, and
launches kernels in destination-passing style. Its memrefs are static, contiguous, and keep the signed element types
of `nn`, so that a model's inputs and outputs say what they are.

Other modules import this package only.
"""

from __future__ import annotations

from accelc.dialects.plan.check import check
from accelc.dialects.plan.export import export
from accelc.dialects.plan.ops import (
    AllocOp,
    ConstantOp,
    CopyOp,
    LaunchOp,
    Plan,
    ViewOp,
    memref_nbytes,
    memref_of,
    register,
)

__all__ = [
    "AllocOp",
    "ConstantOp",
    "CopyOp",
    "LaunchOp",
    "Plan",
    "ViewOp",
    "check",
    "export",
    "memref_nbytes",
    "memref_of",
    "register",
]
