"""The graph passes: from the imported `nn` graph to kernels and a plan.

One file a pass, named as the pass: ``nn_to_linalg.py`` is ``nn-to-linalg``. `accelc.passes.pipelines` puts them in
order.
"""

from __future__ import annotations

if __name__ != "accelc.passes":
    raise ImportError("import accelc.passes, not passes: two copies of a dialect's classes break MLIR's registration")

import importlib

from accelc.passes.graph import kernels_of

PASS_MODULES = (
    "nn_infer_shapes",
    "nn_fold",
    "nn_simplify",
    "nn_recognize",
    "nn_fold_norms",
    "nn_layout",
    "nn_decompose",
    "nn_place",
    "nn_fuse",
    "nn_demote",
    "nn_outline",
    "nn_to_linalg",
    "plan_memory",
)

__all__ = ["PASS_MODULES", "kernels_of", "register_all"]


def register_all() -> None:
    """Imports every pass, which registers it (see `accelc.core.pass_.registered_passes`)."""
    for module in PASS_MODULES:
        importlib.import_module(f"accelc.passes.{module}")
