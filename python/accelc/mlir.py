"""The one door to the MLIR Python bindings.

Everything in accelc that touches MLIR imports it from here, so that the provider of the bindings is a
single decision: `mlir` (mlir-python-bindings) where it is installed with its bindings, otherwise the
upstream bindings inside `torch_mlir`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def _provider() -> str:
    # PyPI's `mlir-python-bindings` is a placeholder without `mlir.ir`; only a real installation counts.
    if importlib.util.find_spec("mlir") is not None and importlib.util.find_spec("mlir.ir") is not None:
        return "mlir"
    return "torch_mlir"


PROVIDER = _provider()


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{PROVIDER}.{name}")


# `ir` before `dialects.ext`: both export `Dialect` and `Operation`, and the order of import matters.
ir: Any = _load("ir")
passmanager: Any = _load("passmanager")
PassManager: Any = passmanager.PassManager


def dialect(name: str) -> Any:
    """The Python module of an upstream dialect, e.g. ``dialect("linalg")`` or ``dialect("transform.structured")``."""
    return _load(f"dialects.{name}")


ext: Any = _load("dialects.ext")


def claim_namespace(namespace: str) -> None:
    """Tells the bindings that the dialect ``namespace`` has no generated Python module.

    Without it they look for one on the import path again for every op that Python sees: 50 times the access's cost.
    """
    name = f"{PROVIDER}.dialects.{namespace}"
    sys.modules.setdefault(name, ModuleType(name))
