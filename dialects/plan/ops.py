"""The ops of the `plan` dialect, with their verifiers.

The bindings read the classes' annotations as objects, so this file does without postponed evaluation of them.
"""

from collections.abc import Sequence
from typing import Any

from accelc.core.plan import DTYPES
from accelc.dialects.runs import declare_values, segment_sizes
from accelc.mlir import dialect, ext, ir


class Plan(ext.Dialect, name="plan"):  # type: ignore[call-arg]
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


class ConstantOp(Plan.Operation, name="constant", traits=[ext.Pure]):  # type: ignore[name-defined, call-arg]
    """The constant that the store calls ``ref``. Result: a static memref; it is only read."""

    buffer: ext.Result[Any]
    ref: ir.StringAttr

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks the result and that ``ref`` names something."""
        if not op.ref.value:
            return _report(op, "needs a name in 'ref'")
        return _report(op, _buffer_error(op.results[0]))


class AllocOp(Plan.Operation, name="alloc"):  # type: ignore[name-defined, call-arg]
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


class ViewOp(Plan.Operation, name="view", traits=[ext.Pure]):  # type: ignore[name-defined, call-arg]
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


class LaunchOp(Plan.Operation, name="launch"):  # type: ignore[name-defined, call-arg]
    """Runs ``kernel = @kN::@entry``: reads ``ins``, writes ``outs``. Its location says which model nodes it computes.

    The last ``num_outputs`` operands are outputs (see `accelc.dialects.runs` for the segment sizes; `make` sets them).
    """

    kernel: ir.SymbolRefAttr
    num_outputs: ir.IntegerAttr

    @classmethod
    def _emit_operation(cls) -> None:
        irdl = dialect("irdl")
        op = irdl.operation_(cls._op_name)
        with ir.InsertionPoint(op.body):
            declare_values("operands", [], "buffers")
            fields = {"kernel": "#builtin.symbol_ref", "num_outputs": "#builtin.integer"}
            irdl.attributes_([irdl.base(base_name=kind) for kind in fields.values()], list(fields))

    @classmethod
    def make(cls, ins: Sequence[Any], outs: Sequence[Any], kernel: Any) -> Any:
        """A launch at the current insertion point. Raises UnsupportedError where the operands need too many groups."""
        operands = [*ins, *outs]
        attributes = {
            "kernel": kernel,
            "num_outputs": ir.IntegerAttr.get(ir.IntegerType.get_signless(64), len(outs)),
            "operandSegmentSizes": segment_sizes([v.type for v in operands], "a kernel"),
        }
        return ir.Operation.create("plan.launch", operands=operands, attributes=attributes)

    def set_operands(self, operands: Sequence[Any]) -> None:
        """Replaces all operands, as many as there were; their types may differ from before."""
        for i, value in enumerate(operands):
            self.operation.operands[i] = value
        self.operation.attributes["operandSegmentSizes"] = segment_sizes([v.type for v in operands], "a kernel")

    @property
    def ins(self) -> list[Any]:
        """The buffers that the kernel reads."""
        operands = list(self.operation.operands)
        return operands[: len(operands) - self.num_outputs.value]

    @property
    def outs(self) -> list[Any]:
        """The buffers that the kernel writes."""
        operands = list(self.operation.operands)
        return operands[len(operands) - self.num_outputs.value :]

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks buffers and that the kernel is named by two symbols (`check` resolves them)."""
        operands = list(op.operation.operands)
        count = op.operation.attributes["num_outputs"].value
        kernel = op.operation.attributes["kernel"]
        if isinstance(kernel, ir.FlatSymbolRefAttr) or len(kernel.value) != 2:
            return _report(op, f"expects a kernel written @module::@function, got {kernel}")
        if not 1 <= count <= len(operands):
            return _report(op, f"cannot have {count} outputs among {len(operands)} operands")
        return _report(op, _first_error(operands))


class CopyOp(Plan.Operation, name="copy"):  # type: ignore[name-defined, call-arg]
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
