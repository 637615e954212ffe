"""What every graph pass ends with: equal ops become one, and unused ones go."""

from __future__ import annotations

from typing import Any

from accelc.mlir import PassManager
from accelc.passes.graph import body_of, main_function


def clean(module: Any) -> None:
    """Upstream's common subexpression elimination (all of `nn` is pure), then dead ops, users before producers."""
    run_upstream(module, "cse")
    main = main_function(module)
    if main is None:
        return
    for op in reversed(list(body_of(main).operations)):
        operation = op.operation
        if operation.name.startswith("nn.") and not any(_used(v) for v in operation.results):
            operation.erase()


def run_upstream(module: Any, pipeline: str) -> None:
    """Runs upstream passes without verification, which comes after each of our passes anyway."""
    manager = PassManager.parse(f"builtin.module({pipeline})", module.context)
    manager.enable_verifier(False)
    manager.run(module.operation)


def _used(value: Any) -> bool:
    return next(iter(value.uses), None) is not None
