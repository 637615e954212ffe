"""The pass `nn-demote`: values between fusions are stored in a narrower format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.store import Store
from accelc.dialects import nn
from accelc.dialects.nn.op import op_class
from accelc.mlir import ir
from accelc.passes.cleanup import clean
from accelc.passes.constants import Constants
from accelc.passes.graph import body_of, defining, main_function, name_of
from accelc.passes.op_kinds import CONTRACTIONS, MOVEMENT, VIEWS

Value = Any

WIDE = "f32"


@register_pass
@dataclass(frozen=True)
class NnDemote(Pass):
    """Stores f32 values between fusions as ``format``; the model's inputs and outputs keep their type.

    Inside a fusion, contractions and convolutions read ``format`` and sum in f32, everything else computes in f32 and
    is rounded once where it leaves. Weights of contractions and tables of gathers are cast in the store; biases and the
    parameters of norms stay f32. Data movement works on ``format`` as it is.

    Options:
        format: ``bf16`` or ``f16``.
    """

    format: Literal["bf16", "f16"] = "bf16"

    name = "nn-demote"
    summary = "store values between kernels in a narrower float format"
    takes = "nn"
    requires = frozenset({"fused"})
    establishes = frozenset({"demoted"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites the fusions of ``@main``."""
        main = main_function(module)
        if main is None:
            return
        demoter = _Demoter(self.format, context.store)
        with module.context, ir.Location.unknown():
            for op in list(body_of(main).operations):
                demoter.visit(op)
        clean(module)


def _dtype(value: Value) -> str:
    return str(value.type.element_type)


def _retype(value: Value, dtype: str) -> None:
    """Changes the element type of a value in place."""
    value.set_type(ir.RankedTensorType.get(list(value.type.shape), nn.element_type(dtype)))


class _Demoter:
    def __init__(self, dtype: str, store: Store) -> None:
        self.dtype = dtype
        self.constants = Constants(store)
        self.casts: dict[Value, Value] = {}

    def visit(self, op: Any) -> None:
        """Fusions are rebuilt; views follow the type of what they show."""
        operation = op.operation
        if operation.name == "nn.fusion":
            with operation.location, ir.InsertionPoint(operation):
                self._fusion(operation)
        elif name_of(op) in VIEWS and _dtype(operation.results[0]) != _dtype(operation.operands[0]):
            _retype(operation.results[0], _dtype(operation.operands[0]))

    def _fusion(self, old: Any) -> None:
        block = body_of(old)
        operands = [self._operand(v, a) for v, a in zip(old.operands, block.arguments, strict=True)]
        inner = list(block.operations)
        # What the model itself stores as the format is none of this pass's business.
        narrowed = [a for a, v in zip(block.arguments, operands, strict=True) if a.type != v.type]
        for argument, value in zip(block.arguments, operands, strict=True):
            if argument.type != value.type:
                argument.set_type(value.type)
        if all(name_of(op) in MOVEMENT or name_of(op) in VIEWS or name_of(op) in _NEUTRAL for op in inner):
            self._move_narrow(inner)
        else:
            self._compute_wide(block, inner, narrowed)
        terminator = inner[-1].operation
        kept = [_dtype(v) if _reaches_return(v) else None for v in old.results]
        yielded = [self._result(v, k, terminator) for v, k in zip(terminator.operands, kept, strict=True)]
        self._rebuild(old, block, operands, yielded)

    def _operand(self, value: Value, argument: Value) -> Value:
        """What a fusion reads instead of ``value``."""
        if _dtype(value) != WIDE or not _wants_narrow(argument):
            return value
        if value not in self.casts:
            self.casts[value] = self._narrowed(value)
        return self.casts[value]

    def _narrowed(self, value: Value) -> Value:
        ref = self.constants.ref(value)
        if ref is not None:
            return self.constants.value(self.constants.cast(ref, self.dtype))
        view = defining(value, *VIEWS)
        if view is not None:
            return nn.build.reshape(self._narrowed(view.operation.operands[0]), shape=tuple(value.type.shape))
        cast = lambda x: [nn.build.cast(x, dtype=self.dtype, saturate=False)]  # noqa: E731
        return nn.build.fusion([value], cast)[0]

    def _move_narrow(self, inner: list[Any]) -> None:
        """Data movement: results have the type of what is moved."""
        for op in inner[:-1]:
            operation, name = op.operation, name_of(op)
            if name in _NEUTRAL or _dtype(operation.results[0]) != WIDE:
                continue
            moved = [0] if name in _INDEXED else range(len(operation.operands))
            dtypes = {_dtype(operation.operands[i]) for i in moved}
            if self.dtype not in dtypes:
                continue
            with operation.location, ir.InsertionPoint(operation):
                for i in moved:
                    if _dtype(operation.operands[i]) == WIDE:
                        operation.operands[i] = nn.build.cast(operation.operands[i], dtype=self.dtype, saturate=False)
            if "operandSegmentSizes" in operation.attributes:
                types = [v.type for v in operation.operands]
                operation.attributes["operandSegmentSizes"] = op_class(name).segments(types, [])["operandSegmentSizes"]
            _retype(operation.results[0], self.dtype)

    def _compute_wide(self, block: Any, inner: list[Any], narrowed: list[Value]) -> None:
        """The ``narrowed`` arguments are widened for all but contractions, whose operands are narrowed."""
        for argument in narrowed:
            if _dtype(argument) != self.dtype or not argument.type.has_static_shape:
                continue
            others = [use for use in argument.uses if use.owner.operation.name.removeprefix("nn.") not in CONTRACTIONS]
            if others:
                with ir.InsertionPoint.at_block_begin(block):
                    wide = nn.build.cast(argument, dtype=WIDE, saturate=False)
                for use in others:
                    use.owner.operation.operands[use.operand_number] = wide
        for op in inner:
            if name_of(op) not in CONTRACTIONS:
                continue
            operation = op.operation
            with operation.location, ir.InsertionPoint(operation):
                for i, value in enumerate(operation.operands):
                    if _dtype(value) == WIDE:
                        operation.operands[i] = nn.build.cast(value, dtype=self.dtype, saturate=False)

    def _result(self, value: Value, kept: str | None, terminator: Any) -> Value:
        """What is yielded for ``value``: rounded, unless the model returns it (as ``kept``)."""
        wanted = kept or self.dtype
        if _dtype(value) == wanted or _dtype(value) not in (WIDE, self.dtype):
            return value
        with terminator.location, ir.InsertionPoint(terminator):
            return nn.build.cast(value, dtype=wanted, saturate=False)

    def _rebuild(self, old: Any, block: Any, operands: list[Value], yielded: list[Value]) -> None:
        terminator = block.operations[len(block.operations) - 1].operation
        with terminator.location, ir.InsertionPoint(terminator):
            nn.build.yield_(*yielded)
        terminator.erase()
        types = [v.type for v in yielded]
        attributes = op_class("fusion").segments([v.type for v in operands], types)
        if "device" in old.attributes:
            attributes["device"] = old.attributes["device"]
        new = ir.Operation.create("nn.fusion", results=types, operands=operands, attributes=attributes, regions=1)
        block.append_to(new.regions[0])
        for before, after in zip(old.results, new.results, strict=True):
            before.replace_all_uses_with(after)
        old.erase()


# Ops in a movement fusion that take no part in it.
_NEUTRAL = frozenset({"yield", "constant", "iota"})

# Movement ops whose first operand alone is moved.
_INDEXED = frozenset({"gather", "gather_elements", "gather_nd"})


def _wants_narrow(argument: Value) -> bool:
    """Whether a fusion reads an argument as a contraction's operand or as the table of a gather."""
    for use in argument.uses:
        name = use.owner.operation.name.removeprefix("nn.")
        if name in CONTRACTIONS or (name in _INDEXED and use.operand_number == 0):
            return True
    return False


def _reaches_return(value: Value) -> bool:
    """Whether the model returns ``value``, perhaps under another shape."""
    for use in value.uses:
        operation = use.owner.operation
        if operation.name == "func.return":
            return True
        if operation.name.removeprefix("nn.") in VIEWS and _reaches_return(operation.results[0]):
            return True
    return False
