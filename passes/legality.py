"""Which ops may stand where: one table a stage, checked at the marks of every pipeline."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import InternalError, InvalidIRError, InvalidModelError, UnsupportedError
from accelc.dialects import nn, plan
from accelc.mlir import ir
from accelc.passes.graph import graph_of, kernel_entry, kernels_of, main_function

# Ops whose name starts with one of these may stand in @main; "" as a key is the module's top level.
MAIN: dict[str, tuple[str, ...]] = {
    "nn": ("nn.", "func.return"),
    "kernels": ("plan.", "func.return"),
    "tiled": ("plan.", "func.return"),
    "target": ("plan.", "func.return"),
}

# Ops that may stand in a kernel.
KERNEL: dict[str, tuple[str, ...]] = {
    "nn": (),
    "kernels": (
        "arith.",
        "math.",
        "linalg.",
        "tensor.",
        "scf.for",
        "scf.yield",
        "func.return",
    ),
    "tiled": (
        "arith.",
        "math.",
        "vector.",
        "memref.",
        "scf.",
        "affine.",
        "linalg.",
        "func.return",
        "sim_accel.",
        "gpu.",
        "ub.poison",
    ),
}

# Ops of the dialects above that may not stand in a kernel, since no target takes them.
FORBIDDEN: dict[str, frozenset[str]] = {
    "kernels": frozenset({"tensor.concat", "tensor.dim", "tensor.cast", "linalg.softmax", "linalg.pack"}),
}


def check(stage: str, module: Any) -> None:
    """Holds ``module`` to the table of ``stage``. Raises InternalError naming the first op that may not be there.

    Stages that the tables do not know (a target's own) are the target's to check. A kernel module alone has no main.
    """
    operation = module.operation
    if stage in MAIN and _has_main(operation):
        for op in graph_of(operation).operations:
            _check_op(op.operation, MAIN[stage], frozenset(), stage, "@main")
        if stage == "kernels":  # later a kernel has its target's own arguments
            plan.check(operation)
    if stage in KERNEL:
        kernels = list(kernels_of(operation)) or ([("", operation)] if _has_entry(operation) else [])
        for name, kernel in kernels:
            _check_kernel(kernel, stage, f"kernel @{name}")


def check_input(stage: str, module: Any, reader: str) -> None:
    """Holds IR that a user wrote to the table of ``stage``, which ``reader`` (a pass, a pipeline) takes.

    Raises InvalidIRError naming the first op or type that may not be there.
    """
    try:
        if stage == "nn":
            _check_graph(module.operation)
        check(stage, module)
    except InternalError as error:
        refusal = InvalidIRError(f"{reader} takes the stage '{stage}': {error.message}", notes=error.notes)
        refusal.location = error.location
        raise refusal from None


def _check_graph(module: Any) -> None:
    """A graph is one block of ops of `nn` on ranked tensors."""
    main = main_function(module)
    if main is None:
        return
    name = f"@{main.operation.attributes['sym_name'].value}"
    if len(main.regions[0].blocks) != 1:
        raise InternalError(f"the graph {name} has {len(main.regions[0].blocks)} blocks, not one")
    block = main.regions[0].blocks[0]
    for argument in block.arguments:
        _check_tensor(argument.type, f"argument {argument.arg_number} of {name}")
    for op in block.operations:
        _check_op(op.operation, MAIN["nn"], frozenset(), "nn", name)
        for result in op.operation.results:
            _check_tensor(result.type, f"a result of '{op.operation.name}' at {op.location}")


def _check_tensor(t: Any, what: str) -> None:
    if not isinstance(t, ir.RankedTensorType):
        raise InternalError(f"{what} is {t}; a graph holds ranked tensors")
    try:
        nn.tensor_type(t)
    except InvalidModelError as error:
        raise InternalError(f"{what}: {error.message}") from None


def _has_main(module: Any) -> bool:
    return _has_function(module, "main")


def _has_entry(module: Any) -> bool:
    return _has_function(module, "entry")


def _has_function(module: Any, name: str) -> bool:
    return any(
        op.operation.name == "func.func" and op.operation.attributes["sym_name"].value == name
        for op in module.regions[0].blocks[0].operations
    )


def _check_kernel(kernel: Any, stage: str, where: str) -> None:
    entry = kernel_entry(kernel)
    allowed, forbidden = KERNEL[stage], FORBIDDEN.get(stage, frozenset())

    def visit(op: Any) -> Any:
        if op.name != "func.func":
            _check_op(op, allowed, forbidden, stage, where)
        return ir.WalkResult.ADVANCE

    entry.operation.walk(visit)
    if stage == "kernels":
        for argument in entry.arguments:
            if not isinstance(argument.type, ir.RankedTensorType) or not argument.type.has_static_shape:
                raise UnsupportedError(f"{where} takes {argument.type}; kernels take tensors of static shape")


def _check_op(op: Any, allowed: tuple[str, ...], forbidden: frozenset[str], stage: str, where: str) -> None:
    if not op.name.startswith(allowed) or op.name in forbidden:
        error = InternalError(f"'{op.name}' at {op.location} may not stand in {where} at the stage '{stage}'")
        error.location = op.location
        raise error
