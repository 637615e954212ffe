"""Instruction selection for the vector unit: the body of a `linalg` op to one instruction a scalar operation.

A value of the body becomes a `Term`: a strided access, an immediate, or a scalar register. Conversions cost nothing
where the instruction that reads or writes the value can do them. A temporary has only the dimensions that its value
depends on, so what is constant along a row is computed once a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import ir
from accelc.targets.sim_accel.codegen.scalar_ops import (
    COMPARE_FLOAT,
    FLOAT_PREDICATES,
    INTEGER_PREDICATES,
    OPERATIONS,
    Step,
)
from accelc.targets.sim_accel.codegen.structured import Structured
from accelc.targets.sim_accel.codegen.tiles import (
    Access,
    Buffer,
    VectorOp,
    f32_bits,
    int_bits,
    isa_type,
    row_major,
)
from accelc.targets.sim_accel.dialect.syntax import Scalar
from accelc.targets.sim_accel.isa import DTYPE_BYTES, FLOAT_DTYPES, Imm

_CASTS = frozenset((
    "arith.extf", "arith.extsi", "arith.extui", "arith.index_cast", "arith.index_castui", "arith.truncf",
    "arith.trunci", "arith.sitofp", "arith.uitofp", "arith.fptosi", "arith.fptoui", "arith.bitcast",
))  # fmt: skip


@dataclass(eq=False)
class Term:
    """A scalar value of the body over the iteration space.

    where: `Access`, Python number, or `Scalar`. dtype: its type; an access may be stored in another one, from which
    every instruction that reads it converts.
    """

    where: Any
    dtype: str


class Temporaries:
    """Scratch for the values inside one body: first fit over the instruction numbers, reused as values die."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self._live: list[tuple[int, int]] = []

    def take(self, nbytes: int) -> int:
        """Address (in the buffer) of a free piece."""
        nbytes = -(-nbytes // 64) * 64
        at = 0
        for start, size in sorted(self._live):
            if at + nbytes <= start:
                break
            at = max(at, start + size)
        self._live.append((at, nbytes))
        self.buffer.nbytes = max(self.buffer.nbytes, at + nbytes)
        return at

    def release(self, at: int) -> None:
        """Gives a piece back."""
        self._live = [(s, n) for s, n in self._live if s != at]


def width_of(dtype: str) -> str:
    """The vector unit's type for computing with values of ``dtype``."""
    if dtype in FLOAT_DTYPES:
        return "f32"
    return "i64" if dtype == "i64" else "i32"


class BodyLowering:
    """Lowers one body over the iteration space ``shape``.

    scratch: where temporaries go. outside: what an SSA value from around the op is (a number, or an index), or None.
    ``linalg.index`` counts from the tile's first element, in the tiled IR as here.
    """

    def __init__(self, op: Structured, shape: tuple[int, ...], scratch: Buffer, outside: Callable[[Any], Any]) -> None:
        self.op = op
        self.shape = shape
        self.temporaries = Temporaries(scratch)
        self.outside = outside
        self.code: list[VectorOp] = []
        self.terms: dict[Any, Term] = {}
        self.last_use: dict[Any, int] = {}
        self.expires: dict[int, int] = {}
        self.now = 0

    # ---- terms ----

    def bind(self, argument: Any, access: Access) -> None:
        """Says where a block argument lies."""
        self.terms[argument] = Term(access, access.dtype)

    def term(self, value: Any) -> Term:
        """The term of an SSA value."""
        known = self.terms.get(value)
        if known is None:
            where = self.outside(value)
            if where is None:
                raise UnsupportedError(f"a value computed by {value.owner} cannot be used in a vector operation")
            known = self.terms[value] = Term(where, isa_type(value.type))
        return known

    def _dims(self, terms: Sequence[Any]) -> tuple[bool, ...]:
        accesses = [t for t in terms if isinstance(t, Access)]
        return tuple(n > 1 and any(a.strides[d] for a in accesses) for d, n in enumerate(self.shape))

    def temporary(self, dtype: str, dims: tuple[bool, ...]) -> Access:
        """A new temporary of the dimensions in ``dims``."""
        sizes = tuple(n if used else 1 for n, used in zip(self.shape, dims, strict=True))
        count = 1
        for n in sizes:
            count *= n
        at = self.temporaries.take(count * DTYPE_BYTES[dtype])
        order = self._layout()
        laid = dict(zip(order, row_major([sizes[d] for d in order]), strict=True))
        strides = tuple(laid[d] if used else 0 for d, used in enumerate(dims))
        return Access(self.temporaries.buffer, dtype, at // DTYPE_BYTES[dtype], strides)

    def _layout(self) -> list[int]:
        """The order of dimensions in temporaries: that of the largest tile the body reads, so that runs are long."""
        accesses = [t.where for t in self.terms.values() if isinstance(t.where, Access)]
        accesses = [a for a in accesses if a.buffer is not self.temporaries.buffer]

        def elements(access: Access) -> int:
            total = 1
            for n, stride in zip(self.shape, access.strides, strict=True):
                total *= n if stride else 1
            return total

        if not accesses:
            return list(range(len(self.shape)))
        largest = max(accesses, key=elements)
        return sorted(
            range(len(self.shape)), key=lambda d: -abs(largest.strides[d]) if largest.strides[d] else -(1 << 60)
        )

    # ---- instructions ----

    def operand(self, where: Any, ctype: str) -> Any:
        """An instruction's operand for a term's place."""
        if isinstance(where, bool | int | float):
            if ctype == "f32":
                return f32_bits(float(where))
            number = int(where)
            if not -(1 << 31) <= number < 1 << 32:
                raise UnsupportedError(f"the integer constant {number} does not fit a vector instruction")
            return int_bits(number)
        return where

    def emit(self, mnemonic: str, ctype: str, sources: Sequence[Any], dst: Access, **fields: Any) -> None:
        """Appends an instruction over the dimensions of ``dst``."""
        shape = tuple(n if dst.strides[d] else 1 for d, n in enumerate(self.shape))
        operands = [self.operand(s, ctype) for s in sources]
        self.code.append(VectorOp(mnemonic, ctype, dst, operands, shape, fields))

    def _steps(
        self, steps: Sequence[Step], arguments: list[Any], ctype: str, result: str, into: Access | None
    ) -> Access:
        """Runs a recipe of `scalar_ops`; the last step writes ``into`` or a new temporary of type ``result``."""
        done: list[Access] = []
        for i, (mnemonic, kind, *names) in enumerate(steps):
            last = i == len(steps) - 1
            width = {"f": "f32", "n": ctype}.get(str(kind), str(kind))
            sources = [self._source(n, arguments, done) for n in names]
            compare = str(mnemonic).startswith("vc") and mnemonic not in ("vceil", "vcos", "vcopy")
            if last:
                dst = into or self.temporary(result, self._dims(sources))
            else:
                dst = self.temporary("bool" if compare and width == "f32" else width, self._dims(sources))
            self.emit(str(mnemonic), width, sources, dst)
            done.append(dst)
        for access in done[:-1]:
            self.temporaries.release(access.offset * DTYPE_BYTES[access.dtype])
        return done[-1]

    @staticmethod
    def _source(name: str | float, arguments: list[Any], done: list[Access]) -> Any:
        if not isinstance(name, str):
            return name
        return (arguments if name[0] == "a" else done)[int(name[1:])]

    # ---- the walk ----

    def run(self, outputs: Sequence[Access | None]) -> list[Term]:
        """Lowers the body; yielded value k is written to ``outputs[k]`` if that is not None.

        Returns the terms of the yielded values.
        """
        ops = self.op.body_ops
        yielded = list(ops[-1].operands)
        for number, op in enumerate(ops):
            for v in op.operands:
                self.last_use[v] = number
        targets = self._targets(ops, yielded, outputs)
        for number, op in enumerate(ops[:-1]):
            self.now = number
            self._lower(op, targets)
            self._keep(op.results[0])
            for at in [at for at, last in self.expires.items() if last <= number]:
                del self.expires[at]
                self.temporaries.release(at)
        results = []
        for value, output in zip(yielded, outputs, strict=True):
            term = self.term(value)
            if output is not None and not (isinstance(term.where, Access) and term.where.same_as(output)):
                self._copy(term, output)
            results.append(term)
        return results

    def run_to(self, value: Any, skipped: Any, into: Access | None = None) -> Term:
        """Lowers the body without the op ``skipped`` (a combiner); gives ``value``, written to ``into`` if given."""
        ops = [op for op in self.op.body_ops[:-1] if op != skipped]
        for number, op in enumerate(ops):
            for v in op.operands:
                self.last_use[v] = number
        self.last_use[value] = len(ops)
        targets: dict[Any, Access] = {}
        if (
            into is not None
            and not isinstance(value.owner, ir.Block)
            and self._safe(ops, value, into, list(self.op.body.arguments))
        ):
            targets[value] = into
        for number, op in enumerate(ops):
            self.now = number
            self._lower(op, targets)
            self._keep(op.results[0])
        term = self.term(value)
        if into is not None and not (isinstance(term.where, Access) and term.where.same_as(into)):
            self._copy(term, into)
        return term

    def _targets(self, ops: list[Any], yielded: list[Any], outputs: Sequence[Access | None]) -> dict[Any, Access]:
        """Which values may be computed right where they are yielded to.

        A value that only a narrowing conversion reads is written in the narrow type: that is the conversion.
        """
        targets: dict[Any, Access] = {}
        arguments = list(self.op.body.arguments)
        for value, output in zip(yielded, outputs, strict=True):
            if output is None or value in targets or isinstance(value.owner, ir.Block):
                continue
            if not self._safe(ops, value, output, arguments):
                continue
            targets[value] = output
            owner = value.owner
            if owner.name in ("arith.truncf", "arith.fptosi", "arith.trunci") and _single_use(owner.operands[0]):
                source = owner.operands[0]
                inner = isa_type(source.type)
                if owner.name != "arith.trunci" or inner == "i64":
                    targets[source] = output
        return targets

    def _safe(self, ops: list[Any], value: Any, output: Access, arguments: list[Any]) -> bool:
        """Whether writing ``output`` when ``value`` is computed leaves later reads of the same buffer right."""
        at = next(i for i, op in enumerate(ops) if op == value.owner)
        earlier = at
        owner = value.owner
        if owner.name in ("arith.truncf", "arith.fptosi", "arith.trunci") and not isinstance(
            owner.operands[0].owner, ir.Block
        ):
            inner = owner.operands[0].owner
            earlier = next((i for i, op in enumerate(ops) if op == inner), at)
        for argument in arguments:
            term = self.terms.get(argument)
            if term is None or not isinstance(term.where, Access) or term.where.buffer is not output.buffer:
                continue
            if not term.where.same_as(output):
                return False
            if any(v == argument for op in ops[earlier + 1 :] for v in op.operands):
                return False
        return True

    def _keep(self, value: Any) -> None:
        """Notes until when the temporary that holds ``value`` is needed; casts share their operand's."""
        where = self.terms[value].where
        if isinstance(where, Access) and where.buffer is self.temporaries.buffer:
            at = where.offset * DTYPE_BYTES[where.dtype]
            self.expires[at] = max(self.expires.get(at, -1), self.last_use.get(value, self.now))

    def _dying(self, value: Any, dtype: str, dims: tuple[bool, ...]) -> Access | None:
        """The temporary of ``value``, if its last use is now and a result fits its place."""
        where = self.term(value).where
        if not isinstance(where, Access) or where.buffer is not self.temporaries.buffer or where.dtype != dtype:
            return None
        at = where.offset * DTYPE_BYTES[dtype]
        fits = tuple(s != 0 for s in where.strides) == dims
        return where if fits and self.expires.get(at) == self.now else None

    def _copy(self, term: Term, output: Access) -> None:
        ctype = width_of(term.dtype)
        source = term.where
        if isinstance(source, Access) and source.dtype == output.dtype:
            ctype = width_of(output.dtype)
        shape = tuple(n if output.strides[d] else 1 for d, n in enumerate(self.shape))
        self.code.append(VectorOp("vcopy", ctype, output, [self.operand(source, ctype)], shape))

    def _clean(self, term: Term) -> Term:
        """``term`` stored in its own type."""
        if not isinstance(term.where, Access) or term.where.dtype == term.dtype:
            return term
        dst = self.temporary(term.dtype, self._dims([term.where]))
        stored = term.where.dtype
        ctype = width_of(stored) if stored in FLOAT_DTYPES else width_of(term.dtype)
        if stored not in FLOAT_DTYPES and term.dtype not in FLOAT_DTYPES:
            ctype = width_of(stored)
        self.emit("vcopy", ctype, [term.where], dst)
        return Term(dst, term.dtype)

    def _lower(self, op: Any, targets: dict[Any, Access]) -> None:
        name = op.name
        result = op.results[0]
        if name == "arith.constant":
            self.terms[result] = Term(constant_value(op), isa_type(result.type))
        elif name == "linalg.index":
            self._index(op, targets.get(result))
        elif name in _CASTS:
            self._cast(op, targets)
        elif name == "arith.select":
            condition, a, b = (self._readable(v) for v in op.operands)
            self._define(op, [("vselect", "n", "a0", "a1", "a2")], [a, b, condition], targets, isa_type(result.type))
        elif name == "arith.cmpf":
            predicate = FLOAT_PREDICATES[op.attributes["predicate"].value]
            if predicate in ("true", "false"):
                self.terms[result] = Term(predicate == "true", "bool")
            else:
                self._define(op, COMPARE_FLOAT[predicate], [self._readable(v) for v in op.operands], targets, "f32")
        elif name == "arith.cmpi":
            self._compare(op, targets)
        elif name in ("arith.maxui", "arith.minui"):
            limit: list[Step] = [("vmax" if name == "arith.maxui" else "vmin", "n", "a0", "a1")]
            self._define(op, limit, [self._unsigned(v) for v in op.operands], targets, isa_type(result.type))
        elif name == "math.copysign":
            a, b = (self._readable(v) for v in op.operands)
            signed: list[Step] = [
                ("vabs", "f", "a0"),
                ("vneg", "f", "t0"),
                ("vclt", "f", "a1", 0.0),
                ("vselect", "f", "t1", "t0", "t2"),
            ]
            self._define(op, signed, [a, b], targets, "f32")
        elif name in OPERATIONS:
            self._define(
                op, OPERATIONS[name], [self._readable(v) for v in op.operands], targets, isa_type(op.operands[0].type)
            )
        else:
            raise UnsupportedError(f"sim_accel has no vector operation for {name}")

    def _readable(self, value: Any) -> Any:
        return self.term(value).where

    def _unsigned(self, value: Any) -> Any:
        where = self._readable(value)
        if isinstance(where, Access) and where.dtype == "i8":
            return Access(where.buffer, "u8", where.offset, where.strides, where.moving)
        return where

    def _define(
        self, op: Any, steps: Sequence[Step], arguments: list[Any], targets: dict[Any, Access], operand: str
    ) -> None:
        """Computes the result of ``op`` by a recipe, in its target, in a dying operand's place, or in a new one."""
        result = op.results[0]
        dtype = isa_type(result.type)
        dims = self._dims(arguments)
        into = targets.get(result)
        if into is not None and not all(into.strides[d] or not used for d, used in enumerate(dims)):
            into = None
        if into is None and len(steps) == 1:
            into = next((a for v in op.operands if (a := self._dying(v, dtype, dims)) is not None), None)
        access = self._steps(steps, arguments, width_of(operand), dtype, into)
        self.terms[result] = Term(access, dtype)

    def _index(self, op: Any, into: Access | None) -> None:
        dim = ir.IntegerAttr(op.attributes["dim"]).value
        dims = tuple(d == dim and n > 1 for d, n in enumerate(self.shape))
        if not any(dims):
            self.terms[op.results[0]] = Term(0, "i64")
            return
        dst = self.temporary("i64", dims)
        self.emit("viota", "i64", [], dst, dim=dim, start=0, inc=1)
        self.terms[op.results[0]] = Term(dst, "i64")

    def _cast(self, op: Any, targets: dict[Any, Access]) -> None:
        result, source = op.results[0], op.operands[0]
        name = op.name
        dtype = isa_type(result.type)
        term = self.term(source)
        into = targets.get(result)
        if into is not None and isinstance(term.where, Access) and term.where.same_as(into):
            self.terms[result] = Term(into, dtype)
            return
        if name == "arith.bitcast" or name == "arith.extui":
            term = self._clean(term)
        where = term.where
        if not isinstance(where, Access):
            self.terms[result] = Term(_convert(where, name, dtype), dtype)
            return
        unsigned = name in ("arith.extui", "arith.uitofp", "arith.index_castui")
        if unsigned and where.dtype in ("i32", "i64") and name != "arith.index_castui":
            raise UnsupportedError(f"sim_accel has no unsigned {where.dtype}")
        if unsigned and where.dtype == "i8":
            where = Access(where.buffer, "u8", where.offset, where.strides, where.moving)
        if name == "arith.bitcast":
            where = Access(where.buffer, dtype, where.offset, where.strides, where.moving)
            self.terms[result] = Term(where, dtype)
            return
        if name in ("arith.truncf", "arith.fptosi", "arith.fptoui", "arith.trunci"):
            wide = "u8" if name == "arith.fptoui" and dtype == "i8" else dtype
            dst = into if into is not None and wide == dtype else self.temporary(wide, self._dims([where]))
            ctype = "f32" if where.dtype in FLOAT_DTYPES else width_of(where.dtype)
            if name == "arith.trunci" and dtype == "bool":
                # Truncation keeps the low bit; a conversion to bool would ask for any.
                masked = self.temporary(width_of(where.dtype), self._dims([where]))
                self.emit("vand", ctype, [where, 1], masked)
                where = masked
            self.emit("vcopy", ctype, [where], dst)
            if wide != dtype:
                dst = Access(dst.buffer, dtype, dst.offset, dst.strides, dst.moving)
            self.terms[result] = Term(dst, dtype)
            return
        if name == "arith.extsi" and where.dtype == "bool":
            dst = self.temporary(dtype, self._dims([where]))
            self.emit("vneg", "i32", [where], dst)
            self.terms[result] = Term(dst, dtype)
            return
        self.terms[result] = Term(where, dtype)

    def _compare(self, op: Any, targets: dict[Any, Access]) -> None:
        predicate = op.attributes["predicate"].value
        dtype = isa_type(op.operands[0].type)
        arguments = [self._unsigned(v) if predicate >= 6 else self._readable(v) for v in op.operands]
        mnemonic = INTEGER_PREDICATES[predicate]
        if predicate >= 6 and dtype == "i32":
            steps: list[Step] = [
                ("vxor", "n", "a0", -(1 << 31)),
                ("vxor", "n", "a1", -(1 << 31)),
                (mnemonic, "n", "t0", "t1"),
            ]
        else:
            # Indices are not negative, bytes are read unsigned.
            steps = [(mnemonic, "n", "a0", "a1")]
        self._define(op, steps, arguments, targets, dtype)


def _single_use(value: Any) -> bool:
    return sum(1 for _ in value.uses) == 1


def constant_value(op: Any) -> int | float | bool:
    """The number of a scalar ``arith.constant``."""
    attribute = op.attributes["value"]
    if isinstance(attribute, ir.BoolAttr):
        return bool(attribute.value)
    if isinstance(attribute, ir.IntegerAttr):
        value = int(attribute.value)
        if str(attribute.type) == "i1":
            return bool(value)
        return value
    return float(ir.FloatAttr(attribute).value)


def _convert(number: Any, name: str, dtype: str) -> Any:
    if isinstance(number, Scalar | Imm):
        return number
    if dtype in FLOAT_DTYPES:
        return float(number)
    return bool(number) if dtype == "bool" else int(number)
