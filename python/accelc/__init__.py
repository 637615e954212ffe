"""accelc compiles neural networks for several accelerators, through MLIR.

Names are loaded when they are first used, so that ``import accelc`` is immediate, and so that running an
artifact needs neither MLIR nor the compiler.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accelc.core.diagnostics import ArtifactError as ArtifactError
    from accelc.core.diagnostics import Error as Error
    from accelc.core.diagnostics import InternalError as InternalError
    from accelc.core.diagnostics import InvalidIRError as InvalidIRError
    from accelc.core.diagnostics import InvalidModelError as InvalidModelError
    from accelc.core.diagnostics import MachineError as MachineError
    from accelc.core.diagnostics import UnsupportedError as UnsupportedError
    from accelc.core.diagnostics import UsageError as UsageError
    from accelc.core.diagnostics import WrongResultError as WrongResultError
    from accelc.driver import compile as compile  # noqa: A004  (the public name)
    from accelc.runtime import load as load

__version__ = "0.1.0"

# Public name -> module that defines it.
_EXPORTS = {
    **dict.fromkeys(
        (
            "ArtifactError",
            "Error",
            "InternalError",
            "InvalidIRError",
            "InvalidModelError",
            "MachineError",
            "UnsupportedError",
            "UsageError",
            "WrongResultError",
        ),
        "accelc.core.diagnostics",
    ),
    "compile": "accelc.driver",
    "load": "accelc.runtime",
}

# Public name -> module that it is.
_MODULES = {"builder": "accelc.frontend.builder"}

__all__ = [*sorted([*_EXPORTS, *_MODULES]), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return globals().setdefault(name, importlib.import_module(_MODULES[name]))
    raise AttributeError(f"module 'accelc' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})
