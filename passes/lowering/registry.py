"""Which function lowers which `nn` op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from accelc.core.diagnostics import InternalError
from accelc.passes.lowering.kernel import Kernel

Handler = Callable[[Kernel, Any, Mapping[str, Any]], None]
"""``handler(kernel, op, attrs)`` defines the results of ``op`` in ``kernel``."""

HANDLERS: dict[str, Handler] = {}


def lowers(*names: str) -> Callable[[Handler], Handler]:
    """Decorator: the handler of the `nn` ops called ``names`` (without ``nn.``)."""

    def register(handler: Handler) -> Handler:
        for name in names:
            if name in HANDLERS:
                raise InternalError(f"nn.{name} has two handlers")
            HANDLERS[name] = handler
        return handler

    return register
