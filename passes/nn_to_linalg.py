"""The pass `nn-to-linalg`: kernels of `nn` ops become kernels of `linalg`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.diagnostics import Error, UnsupportedError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.dialects import nn
from accelc.mlir import dialect, ir
from accelc.passes.cleanup import run_upstream
from accelc.passes.graph import body_of, kernel_entry, kernels_of, name_of, node_of
from accelc.passes.lowering import HANDLERS, lower_elementwise
from accelc.passes.lowering.destination import write_outputs
from accelc.passes.lowering.dtypes import tensor_of
from accelc.passes.lowering.edges import hoist_reshapes
from accelc.passes.lowering.expr import Expr
from accelc.passes.lowering.kernel import Kernel, shape_and_dtype

func = dialect("func")


@register_pass
@dataclass(frozen=True)
class NnToLinalg(Pass):
    """Lowers every kernel module in one walk, an op a handler (`accelc.passes.lowering`).

    Elementwise ops are kept as expressions until a tensor is needed, so a chain of them is one ``linalg.generic`` and
    an epilogue is one. Types lose their signs; the ops chosen keep the meaning. Reshapes at a kernel's edge become
    ``plan.view`` around its launches.
    """

    name = "nn-to-linalg"
    summary = "lower kernels from nn to linalg on tensors"
    requires = frozenset({"kernels-outlined"})
    establishes = frozenset({"linalg"})

    def run(self, module: Any, context: PassContext) -> None:
        """Raises UnsupportedError, naming the model's node, for ops and types that `linalg` cannot express here."""
        kernels = [kernel for _, kernel in kernels_of(module)]
        with module.context, ir.Location.unknown():
            for kernel in kernels:
                lower_kernel(kernel)
            if kernels:
                run_upstream(module, "canonicalize,cse")
            hoist_reshapes(module)
            for kernel in kernels:
                write_outputs(kernel_entry(kernel))


def lower_kernel(kernel: Any) -> None:
    """Replaces ``@entry`` of a kernel module by its lowered form (results not in their destinations yet)."""
    old = kernel_entry(kernel)
    block = body_of(old)
    types = [tensor_of(*shape_and_dtype(v)) for v in block.arguments]
    count = ir.IntegerAttr(old.attributes["accelc.num_outputs"]).value
    with old.operation.location, ir.InsertionPoint(old):
        new = func.FuncOp("entry", (types, types[len(types) - count :]))
    for attribute in ("accelc.num_outputs", "arg_attrs"):
        if attribute in old.attributes:
            new.attributes[attribute] = old.attributes[attribute]
    entry = new.add_entry_block()
    state = Kernel()
    for before, after in zip(block.arguments, entry.arguments, strict=True):
        state.define(before, after)
    with ir.InsertionPoint(entry):
        for op in block.operations:
            with op.operation.location:
                _lower(state, op)
    old.operation.erase()


def _lower(state: Kernel, op: Any) -> None:
    name = name_of(op)
    if name == "func.return":
        values = [state.expr(v) for v in op.operation.operands]
        _materialize_together(state, values)
        func.ReturnOp([v.tensor for v in values])
        return
    try:
        attrs = nn.attrs(op)
        handler = HANDLERS.get(name)
        if handler is not None:
            handler(state, op, attrs)
        elif not lower_elementwise(state, op, name, attrs):
            raise UnsupportedError(f"nn.{name} cannot run in a kernel")
    except Error as error:
        if error.node is None:
            raise type(error)(error.message, node=node_of(op), notes=error.notes) from None
        raise


def _materialize_together(state: Kernel, values: list[Expr]) -> None:
    """Emits pending outputs; those of one shape share a generic."""
    groups: dict[tuple[int, ...], list[Expr]] = {}
    for value in values:
        groups.setdefault(value.shape, []).append(value)
    for group in groups.values():
        state.materialize_all(group)
