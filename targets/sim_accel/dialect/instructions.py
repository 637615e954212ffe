"""The instructions of the ISA as operations, one class each, made from the ISA's own table.

Attributes carry the instruction's fields (see `syntax`), SSA operands of type i64 the scalar registers that they
mention; an instruction that writes a register has one i64 result. ``loop`` has a region with the loop's register as
block argument, closed by ``endloop``. The jumps of the ISA have no op: control flow here is structured.
The bindings read the annotations of op classes as objects, so this file does without postponed evaluation of them.
"""

import types
from collections.abc import Sequence
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.mlir import ext, ir
from accelc.targets.sim_accel import encoding, isa
from accelc.targets.sim_accel.dialect.syntax import IMPLIED_KINDS, INTEGER_KINDS, parse_field
from accelc.targets.sim_accel.isa import Instruction, Kind, Reg, Spec


class SimAccel(ext.Dialect, name="sim_accel"):  # type: ignore[call-arg]
    """One instruction of the simulated accelerator an op, and tile transfers for the `tiled` stage."""


JUMPS = frozenset(("jmp", "beq", "bne", "blt", "bge"))
_NOT_OPS = JUMPS | {"loop", "endloop"}
BY_NAME: dict[str, Spec] = {
    f"sim_accel.{spec.mnemonic.replace('.', '_')}": spec for spec in isa.INSTRUCTIONS if spec.mnemonic not in JUMPS
}


def writes_register(spec: Spec) -> bool:
    """Whether the instruction has a result."""
    return any(f.kind is Kind.REG for f in spec.fields)


def decode_attributes(op: Any, spec: Spec, register: Any) -> dict[str, Any]:
    """The instruction's fields by name; ``register(n, offset)`` stands for SSA operand n. Raises ValueError."""
    args: dict[str, Any] = {}
    attributes = op.attributes
    for field in spec.fields:
        if field.kind in IMPLIED_KINDS:
            continue
        if field.name not in attributes:
            if field.default is None and field.kind not in (Kind.BOUND,):
                raise ValueError(f"attribute '{field.name}' is missing")
            continue
        attribute = attributes[field.name]
        if field.kind in INTEGER_KINDS:
            if not isinstance(attribute, ir.IntegerAttr):
                raise ValueError(f"attribute '{field.name}' must be an integer")
            args[field.name] = attribute.value
        else:
            if not isinstance(attribute, ir.StringAttr):
                raise ValueError(f"attribute '{field.name}' must be a string")
            args[field.name] = parse_field(field.kind, attribute.value, register)
    return args


def _verify(op: Any) -> bool:
    spec = BY_NAME[op.operation.name]
    count = len(op.operation.operands)

    def register(n: int, offset: int) -> Reg:
        if n >= count:
            raise ValueError(f"${n} names operand {n} of {count}")
        return Reg(n, offset)

    try:
        args = decode_attributes(op.operation, spec, register)
        if count >= isa.REGISTERS:
            raise ValueError(f"{count} operands; registers are {isa.REGISTERS}")
        if writes_register(spec):
            args["rd"] = 0
        if spec.mnemonic == "loop":
            args["end"] = 1
        encoding.encode_instruction(Instruction(spec, args))
    except (ValueError, UsageError) as error:
        op.location.emit_error(f"{op.operation.name}: {getattr(error, 'message', error)}")
        return False
    return True


def _define(spec: Spec) -> type:
    def body(namespace: dict[str, Any]) -> None:
        annotations: dict[str, Any] = {"regs": Sequence[ext.Operand[Any]]}
        if writes_register(spec):
            annotations["rd"] = ext.Result[Any]
        namespace["__annotations__"] = annotations
        namespace["__doc__"] = f"{spec.mnemonic}: {spec.doc}."
        namespace["__module__"] = __name__
        namespace["verify_invariants"] = staticmethod(_verify)

    name = spec.mnemonic.replace(".", "_")
    class_name = "".join(part.capitalize() for part in name.split("_")) + "Op"
    return types.new_class(class_name, (SimAccel.Operation,), {"name": name}, body)


#: Mnemonic -> operation class.
OPERATIONS: dict[str, type] = {s.mnemonic: _define(s) for s in isa.INSTRUCTIONS if s.mnemonic not in _NOT_OPS}


class EndLoopOp(  # type: ignore[call-arg]
    SimAccel.Operation,  # type: ignore[name-defined]
    name="endloop",
    traits=[ir.IsTerminatorTrait],
):
    """endloop: ends the region of a `sim_accel.loop`."""


class LoopOp(SimAccel.Operation, name="loop"):  # type: ignore[call-arg, name-defined]
    """loop: runs its region ``count`` times; the block argument is ``start``, ``start + inc``, ..."""

    regs: Sequence[ext.Operand[Any]]
    body: ext.Region

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks the fields, and that the region is one block with one i64 argument."""
        blocks = list(op.operation.regions[0].blocks)
        if len(blocks) != 1 or [str(a.type) for a in blocks[0].arguments] != ["i64"]:
            op.location.emit_error("sim_accel.loop: the region must be one block with one i64 argument")
            return False
        return _verify(op)
