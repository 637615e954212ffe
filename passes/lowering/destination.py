"""Destination passing: what a kernel returns is written into its output arguments."""

from __future__ import annotations

from typing import Any

from accelc.mlir import dialect, ir

linalg = dialect("linalg")

Value = Any


def write_outputs(entry: Any) -> None:
    """Makes the op that computes each returned value write the corresponding output argument, or copies into it."""
    block = entry.regions[0].blocks[0]
    terminator = block.operations[len(block.operations) - 1].operation
    count = ir.IntegerAttr(entry.attributes["accelc.num_outputs"]).value
    outputs = list(block.arguments)[len(block.arguments) - count :]
    for i, output in enumerate(outputs):
        value = terminator.operands[i]
        if not _redirect(value, output):
            with terminator.location, ir.InsertionPoint(terminator):
                terminator.operands[i] = linalg.copy(value, outs=[output])
    _erase_unused_empties(block)


def _redirect(value: Value, output: Value) -> bool:
    """Follows ``value`` to the ``tensor.empty`` that it is written into, and puts ``output`` in its place."""
    if not isinstance(value.owner, ir.Block) and _returned_before(value):
        return False
    while not isinstance(value.owner, ir.Block):
        op = value.owner.operation
        position = _destination(op, value)
        if position is None:
            return False
        dest = op.operands[position]
        if dest.type != output.type or isinstance(dest.owner, ir.Block):
            return False
        if dest.owner.operation.name == "tensor.empty":
            op.operands[position] = output
            return True
        # The chain continues only where nobody else looks at the value in between.
        if len(list(dest.uses)) != 1:
            return False
        value = dest
    return False


def _returned_before(value: Value) -> bool:
    """Whether more than one output is this very value: only one of them can be written in place."""
    returns = [use for use in value.uses if use.owner.operation.name == "func.return"]
    return len(returns) > 1


def _destination(op: Any, value: Value) -> int | None:
    """Which operand of a destination-style op its result ``value`` is written into."""
    if op.name.startswith("linalg."):
        index = [r == value for r in op.results].index(True)
        return len(op.operands) - len(op.results) + index
    return 1 if op.name == "tensor.insert_slice" else None


def _erase_unused_empties(block: Any) -> None:
    for op in list(block.operations):
        if op.operation.name == "tensor.empty" and next(iter(op.operation.results[0].uses), None) is None:
            op.operation.erase()
