"""Small helpers that graph passes share: finding functions and kernels, reading types and constants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelc.core.diagnostics import InvalidIRError
from accelc.dialects.plan.export import provenance
from accelc.mlir import ir

Value = Any
Operation = Any

__all__ = [
    "body_of",
    "defining",
    "device_of",
    "has_one_use",
    "kernel_entry",
    "kernels_of",
    "main_function",
    "name_of",
    "node_of",
    "provenance",
    "users",
]


def name_of(op: Operation) -> str:
    """An op's name without the dialect: ``add`` of ``nn.add``; other dialects keep theirs."""
    return str(op.operation.name).removeprefix("nn.")


def body_of(function: Operation) -> Any:
    """The one block of a function or of a fusion."""
    return function.regions[0].blocks[0]


def main_function(module: Operation) -> Operation | None:
    """The ``func.func @main`` of a module, or its only function; None where there is neither."""
    functions = [op for op in module.regions[0].blocks[0].operations if op.operation.name == "func.func"]
    for function in functions:
        if function.operation.attributes["sym_name"].value == "main":
            return function
    return functions[0] if len(functions) == 1 else None


def graph_of(module: Operation) -> Any:
    """The block of the model's graph. Raises InvalidIRError where there is none."""
    function = main_function(module)
    if function is None:
        raise InvalidIRError("the module has no function @main")
    return body_of(function)


def kernels_of(module: Operation) -> Iterator[tuple[str, Operation]]:
    """Name and operation of every kernel module nested in ``module``, in order."""
    for op in module.operation.regions[0].blocks[0].operations:
        if op.operation.name == "builtin.module" and "sym_name" in op.operation.attributes:
            yield op.operation.attributes["sym_name"].value, op.operation


def kernel_entry(kernel: Operation) -> Operation:
    """The function ``@entry`` of a kernel module. Raises InvalidIRError where there is none."""
    from accelc.dialects.plan.check import entry_of

    return entry_of(kernel)


def defining(value: Value, *names: str) -> Operation | None:
    """The op (as ``OpView``) that defines ``value``, if it is one of `nn` called one of ``names`` (or any if none)."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return None
    if names and owner.operation.name.removeprefix("nn.") not in names:
        return None
    return owner.opview


def users(value: Value) -> list[Operation]:
    """The ops that use ``value``, one entry a use."""
    return [use.owner for use in value.uses]


def has_one_use(value: Value) -> bool:
    """Whether exactly one operand refers to ``value``."""
    uses = iter(value.uses)
    return next(uses, None) is not None and next(uses, None) is None


def device_of(op: Operation) -> str:
    """Where an op runs: ``target``, or what its attribute ``device`` says."""
    attributes = op.operation.attributes
    return attributes["device"].value if "device" in attributes else "target"


def node_of(op: Operation) -> str | None:
    """The model's node behind an op, for messages."""
    names = provenance(op.operation.location)
    return ", ".join(names) if names else None
