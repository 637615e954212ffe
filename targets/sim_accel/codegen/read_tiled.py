"""Reads a kernel at the `tiled` stage into a `schedule`: which unit does what, on which tiles."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import ir
from accelc.targets.sim_accel.codegen.matrix import plan_matrix
from accelc.targets.sim_accel.codegen.reduce import lower_reduction
from accelc.targets.sim_accel.codegen.schedule import Body, Dram, Fence, Loop, Matrix, Transfer, Vector
from accelc.targets.sim_accel.codegen.structured import UNIT, Structured, is_structured, structured
from accelc.targets.sim_accel.codegen.tiles import (
    Access,
    Buffer,
    VectorOp,
    View,
    f32_bits,
    int_bits,
    isa_type,
    row_major,
)
from accelc.targets.sim_accel.codegen.vector import BodyLowering, constant_value, width_of
from accelc.targets.sim_accel.dialect.transfers import in_scratchpad
from accelc.targets.sim_accel.isa import DTYPE_BYTES, FLOAT_DTYPES
from accelc.targets.sim_accel.limits import Limits

_INDEX_OPS = frozenset((
    "arith.constant", "arith.addi", "arith.subi", "arith.muli", "arith.index_cast", "arith.minsi", "arith.maxsi",
))  # fmt: skip


class Reader:
    """Builds the schedule of one kernel function.

    segments: bodies to run one after the other, all queues empty in between.
    workspace: bytes of DRAM that intermediate values take.
    """

    def __init__(self, function: Any, limits: Limits) -> None:
        self.limits = limits
        self.segments: list[Body] = [Body()]
        self.workspace = 0
        self.formats: dict[str, int] = {}
        self._drams: dict[Any, Dram] = {}
        self._views: dict[Any, View] = {}
        self._fills: dict[Buffer, tuple[Any, float | int]] = {}
        self._names = 0
        block = function.regions[0].blocks[0]
        outputs = ir.IntegerAttr(function.attributes["accelc.num_outputs"]).value
        first_output = len(block.arguments) - outputs
        for i, argument in enumerate(block.arguments):
            memref = argument.type
            self._drams[argument] = Dram(
                argument, 0, tuple(memref.shape), isa_type(memref.element_type), i >= first_output
            )
        self._block(block, self.segments[-1])
        self._flush(self.segments[-1])

    # ---- structure ----

    def _block(self, block: Any, body: Body) -> None:
        for op in block.operations:
            name = op.operation.name
            if name == "scf.for":
                self._loop(op.operation, body)
            elif name == "sim_accel.fence":
                self._flush(body)
                body = Body()
                self.segments.append(body)
            else:
                self._op(op.operation, name, body)

    def _loop(self, op: Any, body: Body) -> None:
        self._flush(body)
        start, stop, step = (index_constant(v) for v in list(op.operands)[:3])
        block = op.regions[0].blocks[0]
        loop = Loop(block.arguments[0], start, step, -(-(stop - start) // step), Body(), body)
        loop.body.parent = loop
        body.nodes.append(loop)
        self._block(block, loop.body)
        self._flush(loop.body)

    def _op(self, op: Any, name: str, body: Body) -> None:
        if name == "memref.alloc":
            self._alloc(op, body)
        elif name in ("memref.expand_shape", "memref.collapse_shape"):
            self._reshape(op)
        elif name == "memref.subview":
            self._subview(op)
        elif name in ("sim_accel.tile_load", "sim_accel.tile_store", "sim_accel.tile_gather"):
            self._transfer(op, name.removeprefix("sim_accel.tile_"), body)
        elif name == "linalg.fill":
            self._fill(op, body)
        elif is_structured(op):
            self._structured(structured(op), body)
        elif name not in _INDEX_OPS and name not in ("func.return", "scf.yield", "memref.dealloc"):
            raise UnsupportedError(f"'{name}' cannot be lowered to sim_accel")

    # ---- memory ----

    def _alloc(self, op: Any, body: Body) -> None:
        memref = op.results[0].type
        dtype, shape = isa_type(memref.element_type), tuple(memref.shape)
        count = 1
        for n in shape:
            count *= n
        nbytes = count * DTYPE_BYTES[dtype]
        if in_scratchpad(memref):
            self._views[op.results[0]] = View(self._buffer(body, nbytes), dtype, shape, row_major(shape))
        else:
            self._drams[op.results[0]] = Dram(None, self.workspace, shape, dtype, True)
            self.workspace += -(-nbytes // 256) * 256

    def _buffer(self, body: Body, nbytes: int) -> Buffer:
        self._names += 1
        buffer = Buffer(f"tile {self._names}", nbytes)
        body.buffers.append(buffer)
        return buffer

    def _reshape(self, op: Any) -> None:
        source, shape = op.operands[0], tuple(op.results[0].type.shape)
        if source in self._drams:
            d = self._drams[source]
            self._drams[op.results[0]] = Dram(d.base, d.offset, shape, d.dtype, d.output)
            return
        view = self._views[source]
        if view.strides != row_major(view.shape):
            raise UnsupportedError("a reshape of a tile that is not contiguous")
        self._views[op.results[0]] = View(view.buffer, view.dtype, shape, row_major(shape), view.offset)

    def _subview(self, op: Any) -> None:
        view = self._views[op.operands[0]]
        offsets, sizes, strides = (
            list(ir.DenseI64ArrayAttr(op.attributes[f"static_{k}"])) for k in ("offsets", "sizes", "strides")
        )
        offset = view.offset + sum(o * s for o, s in zip(offsets, view.strides, strict=True))
        steps = tuple(k * s for k, s in zip(strides, view.strides, strict=True))
        self._views[op.results[0]] = View(view.buffer, view.dtype, tuple(sizes), steps, offset)

    def _transfer(self, op: Any, kind: str, body: Body) -> None:
        operands = list(op.operands)
        gather = kind == "gather"
        dram, tile = (operands[1], operands[0]) if kind == "store" else (operands[0], operands[1 + gather])
        target = self._views[tile]
        fill = 0
        if kind != "store":
            bits = constant_of(op.attributes["fill"])
            fill = (f32_bits(bits) if target.dtype in FLOAT_DTYPES else int_bits(int(bits))).bits
        if kind == "store":
            self._settle(target.buffer, body)
        body.nodes.append(
            Transfer(
                kind=kind,
                dram=self._drams[dram],
                tile=target,
                positions=tuple(operands[2 + gather :]),
                dims=tuple(ir.DenseI64ArrayAttr(op.attributes["dims"])),
                steps=tuple(ir.DenseI64ArrayAttr(op.attributes["steps"])),
                fill=fill,
                index=self._views[operands[1]] if gather else None,
            )
        )

    # ---- computation ----

    def _fill(self, op: Any, body: Body) -> None:
        """Fills are put off: a contraction or reduction that follows in the same body starts from them for free."""
        number = constant_value(op.operands[0].owner)
        view = self._views[op.operands[1]]
        whole = view.strides == row_major(view.shape) and view.buffer.nbytes == _nbytes(view)
        if whole:
            self._fills[view.buffer] = (view, number)
        else:
            self._settle(view.buffer, body)
            self._emit_fill(view, number, body)

    def _emit_fill(self, view: View, number: float | int, body: Body) -> None:
        value = f32_bits(float(number)) if view.dtype in FLOAT_DTYPES else int_bits(int(number))
        dst = Access(view.buffer, view.dtype, view.offset, view.strides)
        body.nodes.append(Vector(code=[VectorOp("vcopy", width_of(view.dtype), dst, [value], view.shape)]))

    def _settle(self, buffer: Buffer, body: Body) -> None:
        pending = self._fills.pop(buffer, None)
        if pending is not None:
            self._emit_fill(*pending, body)

    def _flush(self, body: Body) -> None:
        for buffer in list(self._fills):
            if buffer in body.buffers:
                self._settle(buffer, body)

    def _structured(self, op: Structured, body: Body) -> None:
        accesses = [
            self._views[v].access(m, op.rank) if v in self._views else Access(_NOWHERE, "f32", 0, (0,) * op.rank)
            for v, m in zip([*op.inputs, *op.outputs], op.maps, strict=True)
        ]
        outputs = accesses[len(op.inputs) :]
        for access in accesses[: len(op.inputs)]:
            self._settle(access.buffer, body)
        for access, value in zip(outputs, op.outputs, strict=True):
            if _nbytes(self._views[value]) != access.buffer.nbytes:
                # A part of the tile is written: the fill stays what the rest is.
                self._settle(access.buffer, body)
        inits = [self._fills.pop(a.buffer, None) for a in outputs]
        init = inits[0][1] if inits[0] is not None else None
        matrix = self._matrix(op, accesses, init) if self._on_matrix_unit(op) else None
        if matrix is not None:
            if init is not None and init != 0:
                self._emit_fill(inits[0][0], init, body)  # type: ignore[index]
            body.nodes.append(matrix)
            return
        scratch = self._buffer(body, 0)
        if op.reduction:
            code = lower_reduction(op, op.extents, accesses, scratch, self._outside, init)
        else:
            for pending in inits:
                if pending is not None and op.used[len(op.inputs)]:
                    self._emit_fill(*pending, body)
            lowering = BodyLowering(op, op.extents, scratch, self._outside)
            for argument, access in zip(op.body.arguments, accesses, strict=True):
                if access.buffer is not _NOWHERE:
                    lowering.bind(argument, access)
            lowering.run(outputs)
            code = lowering.code
        body.nodes.append(Vector(code=code, scratch=scratch))

    def _on_matrix_unit(self, op: Structured) -> bool:
        if op.product is None:
            return False
        attributes = op.op.attributes
        return bool(attributes[UNIT].value == "mxu") if UNIT in attributes else True

    def _matrix(self, op: Structured, accesses: list[Access], init: Any) -> Matrix | None:
        assert op.product is not None
        acc = accesses[-1]
        best: Matrix | None = None
        for a, b in (op.product, op.product[::-1]):
            act, weight = self._operand(op, a, accesses), self._operand(op, b, accesses)
            if not self.limits.multiplies(act.dtype, weight.dtype, acc.dtype):
                return None
            plan = plan_matrix(act.strides, weight.strides, acc.strides, op.extents, self.limits.side)
            if plan is None:
                continue
            rate = self.limits.rates[act.dtype]
            if best is None or plan.cycles(self.limits.side, rate) < best.plan.cycles(self.limits.side, rate):
                best = Matrix(plan=plan, act=act, weight=weight, acc=acc, accumulate=init != 0)
        if best is not None:
            self.formats[best.act.dtype] = self.formats.get(best.act.dtype, 0) + 1
        return best

    @staticmethod
    def _operand(op: Structured, n: int, accesses: list[Access]) -> Access:
        """The operand, read unsigned where the body extends it without sign."""
        access = accesses[n]
        argument = op.body.arguments[n]
        if access.dtype == "i8" and any(u.owner.operation.name == "arith.extui" for u in argument.uses):
            return Access(access.buffer, "u8", access.offset, access.strides)
        return access

    @staticmethod
    def _outside(value: Any) -> Any:
        if isinstance(value.owner, ir.Block):
            return IndexValue(value)
        if value.owner.name == "arith.constant":
            return constant_value(value.owner)
        return IndexValue(value) if str(value.type) == "index" else None


class IndexValue:
    """An SSA index from around an op, as an operand of a vector instruction: its register at run time."""

    def __init__(self, value: Any) -> None:
        self.value = value


_NOWHERE = Buffer("nowhere", 0)


def _nbytes(view: View) -> int:
    count = view.itemsize
    for n in view.shape:
        count *= n
    return count


def index_constant(value: Any) -> int:
    """The number of an index constant. Raises UnsupportedError where it is none."""
    if isinstance(value.owner, ir.Block) or value.owner.name != "arith.constant":
        raise UnsupportedError("a loop bound of a tiled kernel must be a constant")
    return int(ir.IntegerAttr(value.owner.attributes["value"]).value)


def constant_of(attribute: Any) -> float | int:
    """The number of a float or integer attribute."""
    if isinstance(attribute, ir.FloatAttr):
        return float(attribute.value)
    return int(ir.IntegerAttr(attribute).value)


__all__ = ["Fence", "IndexValue", "Reader", "constant_of", "index_constant"]
