"""The ops of the `plan` dialect, with their verifiers.

The bindings read the classes' annotations as objects, so this file does without postponed evaluation of them.
"""

from collections.abc import Sequence
from typing import Any

from accelc.core.plan import DTYPES
from accelc.mlir import ext, ir


class Plan(ext.Dialect, name="plan"):  # type: ignore[misc, call-arg]
    """Buffers and launches of a compiled model."""


def register(context: Any) -> None:
    """Loads the dialect into ``context``."""
    with context:
        Plan.load()


def memref_of(tensor_type: Any) -> Any:
    """The contiguous memref type of a static ranked tensor type; the element type keeps its sign."""
    tensor = ir.RankedTensorType(tensor_type)
    with tensor_type.context, ir.Location.unknown():
        return ir.MemRefType.get(list(tensor.shape), tensor.element_type)


def memref_nbytes(memref_type: Any) -> int:
    """Size in bytes of a static memref (``i1`` takes one byte an element)."""
    memref = ir.MemRefType(memref_type)
    count = 1
    for size in memref.shape:
        count *= size
    return count * DTYPES[str(memref.element_type)].itemsize


def _buffer_error(value: Any) -> str | None:
    """Why ``value`` is no buffer of a plan, or None."""
    if not isinstance(value.type, ir.MemRefType):
        return f"expects memrefs, got {value.type}"
    if not value.type.has_static_shape:
        return f"expects static shapes, got {value.type}"
    if str(value.type.element_type) not in DTYPES:
        return f"expects an element type that a buffer can hold, got {value.type}"
    return None


def _report(op: Any, error: str | None) -> bool:
    if error is None:
        return True
    op.location.emit_error(f"'{op.operation.name}' {error}")
    return False


def _first_error(values: Sequence[Any]) -> str | None:
    for value in values:
        error = _buffer_error(value)
        if error is not None:
            return error
    return None


class ConstantOp(Plan.Operation, name="constant", traits=[ext.Pure]):  # type: ignore[misc, name-defined, call-arg]
    """The constant that the store calls ``ref``. Result: a static memref; it is only read."""

    buffer: ext.Result[Any]
    ref: ir.StringAttr

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks the result and that ``ref`` names something."""
        if not op.ref.value:
            return _report(op, "needs a name in 'ref'")
        return _report(op, _buffer_error(op.results[0]))


class AllocOp(Plan.Operation, name="alloc"):  # type: ignore[misc, name-defined, call-arg]
    """A buffer in the arena. ``offset`` (bytes, i64, a multiple of 64) is set by ``plan-memory``."""

    buffer: ext.Result[Any]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks the result, and the offset where there is one."""
        if "offset" in op.operation.attributes:
            offset = op.operation.attributes["offset"]
            if not isinstance(offset, ir.IntegerAttr) or offset.value < 0:
                return _report(op, f"expects a non-negative integer offset, got {offset}")
        return _report(op, _buffer_error(op.results[0]))


class ViewOp(Plan.Operation, name="view", traits=[ext.Pure]):  # type: ignore[misc, name-defined, call-arg]
    """The same bytes under another static shape (same element type). Free."""

    source: ext.Operand[Any]
    buffer: ext.Result[Any]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks that source and result hold the same elements."""
        source, result = op.operands[0], op.results[0]
        error = _first_error([source, result])
        if error is not None:
            return _report(op, error)
        if source.type.element_type != result.type.element_type:
            return _report(op, f"cannot change the element type: {source.type} to {result.type}")
        if memref_nbytes(source.type) != memref_nbytes(result.type):
            return _report(op, f"cannot change the number of elements: {source.type} to {result.type}")
        return True


class LaunchOp(Plan.Operation, name="launch"):  # type: ignore[misc, name-defined, call-arg]
    """Runs ``kernel = @kN::@entry``: reads ``ins``, writes ``outs``. Its location says which model nodes it computes."""

    ins: Sequence[ext.Operand[Any]]
    outs: Sequence[ext.Operand[Any]]
    kernel: ir.SymbolRefAttr

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks buffers and that the kernel is named by two symbols (`check` resolves them)."""
        symbols = op.kernel.value
        if len(symbols) != 2:
            return _report(op, f"expects a kernel written @module::@function, got {op.kernel}")
        if len(op.outs) == 0:
            return _report(op, "needs at least one output")
        return _report(op, _first_error(list(op.operation.operands)))


class CopyOp(Plan.Operation, name="copy"):  # type: ignore[misc, name-defined, call-arg]
    """Copies ``source`` to ``destination``: the same number of bytes and the same element type."""

    source: ext.Operand[Any]
    destination: ext.Operand[Any]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks that the two buffers agree."""
        source, destination = op.operands[0], op.operands[1]
        error = _first_error([source, destination])
        if error is not None:
            return _report(op, error)
        same = source.type.element_type == destination.type.element_type
        if not same or memref_nbytes(source.type) != memref_nbytes(destination.type):
            return _report(op, f"expects buffers of one size and element type: {source.type}, {destination.type}")
        return True
