"""MLIR contexts with every dialect of accelc loaded.

The table below is the one list of our dialects. It names modules, not objects, because `core` stands below the
dialects; each module has a ``register(context)`` that loads its dialect into a context.
"""

from __future__ import annotations

import importlib
from typing import Any

from accelc.mlir import claim_namespace, ir

# Namespace -> module with `register(context)`.
DIALECTS: dict[str, str] = {
    "nn": "accelc.dialects.nn",
    "plan": "accelc.dialects.plan",
    "sim_accel": "accelc.targets.sim_accel.dialect",
}


def make_context(*, allow_unregistered: bool = False) -> Any:
    """A fresh ``ir.Context`` holding upstream's dialects and ours; use it as ``with make_context(): ...``.

    Threading is off: a Python interface or trait called from a pass that runs in MLIR's thread pool deadlocks
    on the interpreter lock.
    """
    context = ir.Context()
    context.enable_multithreading(False)
    context.allow_unregistered_dialects = allow_unregistered
    with context:
        for namespace, module in DIALECTS.items():
            claim_namespace(namespace)
            if not context.is_dialect_loaded(namespace):
                importlib.import_module(module).register(context)
    return context
