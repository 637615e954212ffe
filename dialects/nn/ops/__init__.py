"""The op classes of `nn`, in files by group; importing this package defines them all."""

from __future__ import annotations

from accelc.dialects.nn.ops import (
    binary,
    constants,
    contraction,
    conversion,
    fused,
    index,
    norms,
    reduce,
    shape,
    unary,
    windows,
)

# Group name (as in docs/architecture.md) -> module.
GROUPS = {
    "constants": constants,
    "unary": unary,
    "binary, compare, select": binary,
    "types": conversion,
    "shape": shape,
    "index": index,
    "reduce": reduce,
    "contraction": contraction,
    "windows": windows,
    "norms": norms,
    "fused": fused,
}

__all__ = ["GROUPS"]
