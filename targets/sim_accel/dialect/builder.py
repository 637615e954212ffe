"""Builds ops of the dialect: one call an instruction, with folding of scalar arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelc.mlir import ir
from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.dialect.instructions import BY_NAME, writes_register
from accelc.targets.sim_accel.dialect.syntax import IMPLIED_KINDS, INTEGER_KINDS, Operands, Scalar, Value
from accelc.targets.sim_accel.isa import Kind

_FIELDS = {
    spec.mnemonic: (
        name,
        tuple((f.name, f.kind, f.default) for f in spec.fields if f.kind not in IMPLIED_KINDS),
        writes_register(spec),
    )
    for name, spec in BY_NAME.items()
}
_OFFSET_LIMIT = 1 << 24
_IMMEDIATE_LIMIT = 1 << 30


class Builder:
    """Appends instructions at the current insertion point. Values are ints or `Scalar`s."""

    def __init__(self) -> None:
        self.i64 = ir.IntegerType.get_signless(64)
        self._strings: dict[str, Any] = {}
        self._known: list[dict[tuple[Any, ...], Value]] = [{}]

    def op(self, mnemonic: str, **fields: Any) -> Scalar | None:
        """Appends one instruction; returns its register if it writes one."""
        name, known, result = _FIELDS[mnemonic]
        operands, attributes = Operands(), {}
        for field, kind, default in known:
            value = fields.get(field)
            if value is None or (value == default and kind is not Kind.VALUE):
                continue
            if kind in INTEGER_KINDS:
                attributes[field] = ir.IntegerAttr.get(self.i64, value)
            else:
                attributes[field] = self._string(operands.field(kind, value))
        op = ir.Operation.create(
            name, results=[self.i64] if result else [], operands=operands.values, attributes=attributes
        )
        return Scalar(op.results[0]) if result else None

    def _string(self, text: str) -> Any:
        attribute = self._strings.get(text)
        if attribute is None:
            attribute = self._strings[text] = ir.StringAttr.get(text)
        return attribute

    @contextmanager
    def loop(self, count: Value, start: Value = 0, inc: Value = 1) -> Iterator[Scalar]:
        """A hardware loop around what is built inside; gives its register."""
        operands = Operands()
        attributes = {
            key: self._string(operands.value(v)) for key, v in (("count", count), ("start", start), ("inc", inc))
        }
        op = ir.Operation.create("sim_accel.loop", operands=operands.values, attributes=attributes, regions=1)
        block = op.regions[0].blocks.append(self.i64)
        self._known.append({})
        with ir.InsertionPoint(block):
            yield Scalar(block.arguments[0])
            ir.Operation.create("sim_accel.endloop")
        self._known.pop()

    # ---- scalar arithmetic; constants fold, and what was computed in an enclosing scope is found again ----

    def _scalar(self, mnemonic: str, x: Value, y: Value) -> Value:
        key = (mnemonic, x, y)
        for scope in self._known:
            if key in scope:
                return scope[key]
        x, y = self._legal(x), self._legal(y)
        result = self.op(mnemonic, x=x, y=y)
        assert result is not None
        self._known[-1][key] = result
        return result

    def _legal(self, v: Value) -> Value:
        if isinstance(v, int) and not -_IMMEDIATE_LIMIT <= v < _IMMEDIATE_LIMIT:
            result = self.op("movi", imm=v)
            assert result is not None
            return result
        return v

    def add(self, x: Value, y: Value) -> Value:
        """x + y."""
        if isinstance(x, int):
            x, y = y, x
        if isinstance(x, int):
            return x + (y if isinstance(y, int) else 0)
        if isinstance(y, int):
            if abs(x.offset + y) < _OFFSET_LIMIT:
                return x + y
            return self._scalar("sadd", x, y)
        return (
            self._scalar("sadd", Scalar(x.value), Scalar(y.value, 0))
            if not x.offset and not y.offset
            else self.add(self._scalar("sadd", Scalar(x.value), Scalar(y.value)), x.offset + y.offset)
        )

    def mul(self, x: Value, y: Value) -> Value:
        """x * y."""
        if isinstance(x, int):
            x, y = y, x
        if isinstance(x, int):
            assert isinstance(y, int)
            return x * y
        if isinstance(y, int):
            if y == 0:
                return 0
            if y == 1:
                return x
            if x.offset and abs(x.offset * y) < _OFFSET_LIMIT:
                return self.add(self._scalar("smul", Scalar(x.value), y), x.offset * y)
        return self._scalar("smul", x, y)

    def div(self, x: Value, y: int) -> Value:
        """x / y, truncated."""
        if y == 1:
            return x
        if isinstance(x, int):
            return abs(x) // y * (1 if x >= 0 else -1)
        return self._scalar("sdiv", x, y)

    def binary(self, mnemonic: str, x: Value, y: Value) -> Value:
        """Any other scalar instruction, not folded."""
        assert mnemonic in isa.BY_MNEMONIC
        return self._scalar(mnemonic, x, y)

    def address(self, v: Value) -> Value:
        """``v`` as something an instruction can hold."""
        return self._legal(v)
