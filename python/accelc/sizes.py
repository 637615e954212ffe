"""Sizes: symbolic dimensions get values, inputs without a size are named, and a plan must fit the machine's memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelc.core.diagnostics import UnsupportedError, UsageError
from accelc.core.pass_ import PassContext
from accelc.core.pipeline import Pipeline
from accelc.core.plan import Plan
from accelc.core.store import Store
from accelc.core.units import format_quantity

# Where a machine's description does not say how much memory it has. It only has to stop what no machine can run.
_ANY_MACHINE_BYTES = 1 << 40


def bind_sizes(module: Any, store: Store, dims: Mapping[str, int]) -> None:
    """Gives the symbolic dimensions of an `nn` module values, in place. Raises UsageError for one that it lacks."""
    from accelc.passes.nn_infer_shapes import NnInferShapes

    Pipeline((NnInferShapes(dims=dict(dims)),)).run(module, PassContext(store=store))


def require_sizes(module: Any) -> None:
    """Raises UsageError where an input of an `nn` module has a dimension without a size, and names both."""
    from accelc.passes.graph import graph_of

    block = graph_of(module.operation)
    main = block.owner.operation
    attributes = main.attributes["arg_attrs"] if "arg_attrs" in main.attributes else [{} for _ in block.arguments]
    unknown: dict[str, None] = {}
    described = []
    for i, (argument, attrs) in enumerate(zip(block.arguments, attributes, strict=True)):
        if argument.type.has_static_shape:
            continue
        name = attrs["nn.name"].value if "nn.name" in attrs else f"input{i}"
        symbols = [d.value for d in attrs["nn.dims"]] if "nn.dims" in attrs else ["?"] * argument.type.rank
        unknown.update((s, None) for d, s in enumerate(symbols) if argument.type.is_dynamic_dim(d))
        described.append(f"'{name}' [{', '.join(symbols)}]")
    if not unknown:
        return
    names = ", ".join(f"'{s}'" for s in unknown)
    options = " ".join(f"--dim {s}=SIZE" for s in unknown)
    raise UsageError(
        f"the size of {names} must be known to compile: input {', '.join(described)}",
        notes=(f"give it with {options}, or in Python with dims={{{', '.join(f'{s!r}: SIZE' for s in unknown)}}}",),
    )


def require_memory(plan: Plan, machine: Any) -> None:
    """Raises UnsupportedError where the values and constants of a plan are larger than the machine's memory."""
    memory = getattr(machine, "memory", None)
    capacity = int(memory.capacity) if memory is not None else _ANY_MACHINE_BYTES
    constants = {b.ref: b.nbytes for b in plan.buffers if b.kind == "constant"}
    ports = {(b.kind, b.index): b.nbytes for b in plan.buffers if b.kind in ("input", "output")}
    needed = plan.arena_bytes + sum(constants.values()) + sum(ports.values())
    if needed > capacity:
        sizes = format_quantity(needed, "B"), format_quantity(capacity, "B")
        raise UnsupportedError(f"the model needs {sizes[0]} of memory; the machine has {sizes[1]}")
