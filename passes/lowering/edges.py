"""Reshapes at a kernel's edge leave the kernel: they are free as views in the plan."""

from __future__ import annotations

from typing import Any

from accelc.dialects import plan
from accelc.mlir import ir

RESHAPES = ("tensor.collapse_shape", "tensor.expand_shape")


def hoist_reshapes(module: Any) -> None:
    """Kernel arguments used only through one reshape, and results that end in one, change their shape instead.

    Every ``plan.launch`` of such a kernel passes a ``plan.view``.
    """
    from accelc.passes.graph import body_of, kernel_entry, kernels_of, main_function

    changed = {name for name, kernel in kernels_of(module) if _hoist(kernel_entry(kernel))}
    main = main_function(module)
    if not changed or main is None:
        return
    entries = {name: kernel_entry(kernel) for name, kernel in kernels_of(module) if name in changed}
    for op in list(body_of(main).operations):
        if op.operation.name == "plan.launch" and op.kernel.value[0] in changed:
            _view_operands(op, entries[op.kernel.value[0]])


def _hoist(entry: Any) -> bool:
    block = entry.regions[0].blocks[0]
    terminator = block.operations[len(block.operations) - 1].operation
    count = ir.IntegerAttr(entry.attributes["accelc.num_outputs"]).value
    arguments = list(block.arguments)
    inputs, outputs = arguments[: len(arguments) - count], arguments[len(arguments) - count :]
    changed = [_hoist_input(argument) for argument in inputs]
    changed += [_hoist_output(terminator, i, output) for i, output in enumerate(outputs)]
    if not any(changed):
        return False
    types = [a.type for a in block.arguments]
    with entry.context:
        kind = ir.FunctionType.get(types, [v.type for v in terminator.operands])
        entry.attributes["function_type"] = ir.TypeAttr.get(kind)
    return True


def _hoist_input(argument: Any) -> bool:
    uses = [use.owner.operation for use in argument.uses]
    kinds = {op.results[0].type for op in uses if op.name in RESHAPES}
    if not uses or len(kinds) != 1 or any(op.name not in RESHAPES for op in uses):
        return False
    argument.set_type(kinds.pop())
    for op in uses:
        op.results[0].replace_all_uses_with(argument)
        op.erase()
    return True


def _hoist_output(terminator: Any, index: int, output: Any) -> bool:
    value = terminator.operands[index]
    if isinstance(value.owner, ir.Block) or value.owner.operation.name not in RESHAPES:
        return False
    reshape = value.owner.operation
    source = reshape.operands[0]
    if isinstance(source.owner, ir.Block) or next(iter(output.uses), None) is not None:
        return False
    terminator.operands[index] = source
    output.set_type(source.type)
    if next(iter(value.uses), None) is None:
        reshape.erase()
    return True


def _view_operands(launch: Any, entry: Any) -> None:
    operands = list(launch.operation.operands)
    with launch.operation.location, ir.InsertionPoint(launch.operation):
        for i, wanted in enumerate(entry.type.inputs):
            buffer = operands[i]
            if list(buffer.type.shape) != list(wanted.shape):
                kind = ir.MemRefType.get(list(wanted.shape), buffer.type.element_type)
                operands[i] = plan.ViewOp(buffer, kind).buffer
        launch.set_operands(operands)
