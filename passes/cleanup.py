"""What every graph pass ends with: equal ops become one, and unused ones go."""

from __future__ import annotations

from typing import Any

from accelc.mlir import PassManager
from accelc.passes.graph import body_of, main_function


def clean(module: Any) -> None:
    """Upstream's common subexpression elimination (all of `nn` is pure), then dead ops, users before producers."""
    PassManager.parse("builtin.module(cse)", module.context).run(module.operation)
    main = main_function(module)
    if main is None:
        return
    for op in reversed(list(body_of(main).operations)):
        operation = op.operation
        if operation.name.startswith("nn.") and not any(_used(v) for v in operation.results):
            operation.erase()


def _used(value: Any) -> bool:
    return next(iter(value.uses), None) is not None
