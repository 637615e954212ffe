"""Emits the instructions of a schedule through the dialect's builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accelc.core.diagnostics import InternalError, UnsupportedError
from accelc.mlir import ir
from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.codegen.matrix import MatrixPlan, OuterLoop
from accelc.targets.sim_accel.codegen.read_tiled import IndexValue, index_constant
from accelc.targets.sim_accel.codegen.schedule import Body, Fence, Loop, Matrix, Signal, Transfer, Vector, Wait
from accelc.targets.sim_accel.codegen.tiles import Access, Buffer, VectorOp
from accelc.targets.sim_accel.dialect.builder import Builder
from accelc.targets.sim_accel.dialect.syntax import Scalar, Value, tile
from accelc.targets.sim_accel.isa import DTYPE_BYTES, Tile

_UNROLLED_PASSES = 12


class Selector:
    """Emits one kernel. ``arguments``: SSA memref of the tiled function -> register with its DRAM address."""

    def __init__(self, builder: Builder, arguments: Mapping[Any, Value], workspace: Value, side: int) -> None:
        self.b = builder
        self.arguments = arguments
        self.workspace = workspace
        self.side = side
        self._ivs: dict[Any, Value] = {}
        self._ranges: dict[Any, tuple[int, int]] = {}
        self._slots: dict[Body, Value] = {}

    # ---- structure ----

    def segment(self, body: Body) -> None:
        """Emits one segment."""
        self._body(body)

    def _body(self, body: Body) -> None:
        for node in body.nodes:
            if isinstance(node, Loop):
                self._loop(node)
            elif isinstance(node, Fence):
                self.b.op("fence", queues=tuple(range(len(isa.QUEUES))))
            elif isinstance(node, Signal):
                self.b.op("wait" if isinstance(node, Wait) else "signal", q=node.queue, sem=node.sem, n=node.count)
            elif isinstance(node, Transfer):
                self._transfer(node)
            elif isinstance(node, Matrix):
                self._matrix(node)
            elif isinstance(node, Vector):
                for op in node.code:
                    self._vector(op)
            else:
                raise InternalError(f"unknown node {node}")

    def _loop(self, loop: Loop) -> None:
        last = loop.start + (loop.count - 1) * loop.step
        self._ranges[loop.iv] = (loop.start, last)
        with self.b.loop(loop.count, loop.start, loop.step) as iv:
            self._ivs[loop.iv] = iv
            if loop.body.slots > 1:
                self._slots[loop.body] = self._slot(loop)
            self._body(loop.body)

    def _slot(self, loop: Loop) -> Value:
        """Byte offset of this round's copies: the number of the round, modulo the slots, times the frame."""
        number: Value = 0
        scale = 1
        node: Loop | None = loop
        while node is not None and scale % 2:
            # Only the parity counts: a level whose inner rounds are even in number does not change it.
            position = self.b.div(self.b.add(self._ivs[node.iv], -node.start), node.step)
            number = self.b.add(number, position)
            scale *= node.count
            node = node.outer.parent
        parity = self.b.binary("sand", number, 1) if not isinstance(number, int) else number & 1
        return self.b.mul(parity, loop.body.frame_bytes)

    # ---- addresses ----

    def address(self, buffer: Buffer) -> Value:
        """Where the current copy of a buffer lies."""
        if buffer.frame is None or buffer.frame.slots == 1:
            return buffer.address
        return self.b.add(self._slots[buffer.frame], buffer.address)

    def _access(self, access: Access) -> Value:
        return self.b.add(self.address(access.buffer), access.offset * DTYPE_BYTES[access.dtype])

    def index(self, value: Any) -> Value:
        """An SSA index of the tiled function as a value."""
        if value in self._ivs:
            return self._ivs[value]
        op = value.owner
        if isinstance(op, ir.Block):
            raise InternalError("an index that is no loop's")
        if op.name == "arith.constant":
            return index_constant(value)
        x, y = (
            (self.index(v) for v in list(op.operands)[:2]) if len(op.operands) == 2 else (self.index(op.operands[0]), 0)
        )
        if op.name == "arith.addi":
            return self.b.add(x, y)
        if op.name == "arith.muli":
            return self.b.mul(x, y)
        if op.name == "arith.subi":
            return self.b.add(x, -y) if isinstance(y, int) else self.b.binary("ssub", x, y)
        if op.name == "arith.index_cast":
            return x
        raise InternalError(f"'{op.name}' in an index")

    def bounds(self, value: Any) -> tuple[int, int]:
        """The least and the greatest value that an SSA index takes."""
        if value in self._ranges:
            return self._ranges[value]
        op = value.owner
        if op.name == "arith.constant":
            n = index_constant(value)
            return n, n
        if op.name == "arith.index_cast":
            return self.bounds(op.operands[0])
        (a, b), (c, d) = (self.bounds(v) for v in op.operands)
        if op.name == "arith.addi":
            return a + c, b + d
        if op.name == "arith.subi":
            return a - d, b - c
        products = (a * c, a * d, b * c, b * d)
        return min(products), max(products)

    # ---- units ----

    def _transfer(self, t: Transfer) -> None:
        from accelc.targets.sim_accel.codegen.transfer import emit_transfer

        emit_transfer(self, t)

    def base(self, memref: Any) -> Value:
        """The DRAM address of a memref's element 0."""
        start = self.workspace if memref.base is None else self.arguments[memref.base]
        return self.b.add(start, memref.offset)

    def _matrix(self, m: Matrix) -> None:
        emit_matrix(self, m)

    def _vector(self, op: VectorOp) -> None:
        emit_vector(self, op)

    def operand(self, source: Any, strides: Callable[[Access], Sequence[int]], moved: Callable[[Access], Value]) -> Any:
        """A vector instruction's operand."""
        if isinstance(source, Access):
            return tile(source.dtype, moved(source), tuple(strides(source)))
        if isinstance(source, IndexValue):
            value = self.index(source.value)
            return value if isinstance(value, Scalar) else isa.Imm(value & 0xFFFFFFFF)
        return source


# ---- the matrix unit ----


def emit_matrix(s: Selector, m: Matrix) -> None:
    """Pairs of ``mm.load`` and ``mm.mul`` over the outer loops, the columns and K."""
    act, weight, acc = (s._access(a) for a in (m.act, m.weight, m.acc))
    _free(s, m, list(m.plan.free), act, weight, acc)


def _free(s: Selector, m: Matrix, loops: list[OuterLoop], act: Value, weight: Value, acc: Value) -> None:
    if not loops:
        _columns(s, m, act, weight, acc)
        return
    first, rest = loops[0], loops[1:]
    sizes = [DTYPE_BYTES[a.dtype] for a in (m.act, m.weight, m.acc)]
    with s.b.loop(first.extent) as i:
        moved = [
            s.b.add(base, s.b.mul(i, stride * size))
            for base, stride, size in zip((act, weight, acc), (first.act, first.weight, first.acc), sizes, strict=True)
        ]
        _free(s, m, rest, *moved)


def _columns(s: Selector, m: Matrix, act: Value, weight: Value, acc: Value) -> None:
    plan, side = m.plan, s.side
    full, tail = divmod(plan.n, side)
    step_w, step_c = plan.weight_n * DTYPE_BYTES[m.weight.dtype], DTYPE_BYTES[m.acc.dtype]
    if full == 1:
        _summed(s, m, side, act, weight, acc)
    elif full:
        with s.b.loop(full) as i:
            w = s.b.add(weight, s.b.mul(i, side * step_w))
            c = s.b.add(acc, s.b.mul(i, side * step_c))
            _summed(s, m, side, act, w, c)
    if tail:
        w, c = s.b.add(weight, full * side * step_w), s.b.add(acc, full * side * step_c)
        _summed(s, m, tail, act, w, c)


def _k_slices(plan: MatrixPlan, side: int) -> list[tuple[int, int, int]]:
    """(offset in activations, offset in weights, k) in elements of every step of K, in order."""
    runs = [(0, 0)]
    for loop in plan.summed:
        runs = [(a + i * loop.act, w + i * loop.weight) for a, w in runs for i in range(loop.extent)]
    return [
        (a + k * plan.act_k, w + k * plan.weight_k, min(side, plan.k - k))
        for a, w in runs
        for k in range(0, plan.k, side)
    ]


def _summed(s: Selector, m: Matrix, n: int, act: Value, weight: Value, acc: Value) -> None:
    slices = _k_slices(m.plan, s.side)
    done = 0
    while done < len(slices):
        start = slices[done]
        fresh = done == 0 and not m.accumulate
        count, da, dw = 1, 0, 0
        if not fresh:
            count, da, dw = _progression(slices, done)
        if count < 3:
            _pair(s, m, n, start[2], _plus(s, act, start[0], m.act), _plus(s, weight, start[1], m.weight), acc, fresh)
            done += 1
            continue
        with s.b.loop(count) as i:
            a = _plus(s, s.b.add(act, s.b.mul(i, da * DTYPE_BYTES[m.act.dtype])), start[0], m.act)
            w = _plus(s, s.b.add(weight, s.b.mul(i, dw * DTYPE_BYTES[m.weight.dtype])), start[1], m.weight)
            _pair(s, m, n, start[2], a, w, acc, False)
        done += count


def _plus(s: Selector, base: Value, elements: int, access: Access) -> Value:
    return s.b.add(base, elements * DTYPE_BYTES[access.dtype])


def _progression(slices: list[tuple[int, int, int]], at: int) -> tuple[int, int, int]:
    """How many slices from ``at`` on are evenly spaced and of one size, and their spacing."""
    if at + 1 >= len(slices):
        return 1, 0, 0
    a, w, k = slices[at]
    da, dw = slices[at + 1][0] - a, slices[at + 1][1] - w
    count = 1
    while at + count < len(slices) and slices[at + count] == (a + count * da, w + count * dw, k):
        count += 1
    return count, da, dw


def _pair(s: Selector, m: Matrix, n: int, k: int, act: Value, weight: Value, acc: Value, fresh: bool) -> None:
    plan = m.plan
    s.b.op("mm.load", a=tile(m.weight.dtype, weight, (plan.ld,)), k=k, n=n, trans=int(plan.trans))
    s.b.op(
        "mm.mul",
        dst=tile(m.acc.dtype, acc, tuple(r[2] for r in plan.rows)),
        a=tile(m.act.dtype, act, tuple(r[1] for r in plan.rows)),
        kstride=plan.act_k,
        shape=tuple(r[0] for r in plan.rows),
        acc=int(not fresh),
    )


# ---- the vector unit ----


def emit_vector(s: Selector, op: VectorOp) -> None:
    """One instruction, its dimensions merged where all operands allow; more than 5 become loops."""
    accesses = op.accesses() + ([op.fields["b"]] if "b" in op.fields else [])
    reduced = set(op.fields.get("dims", ()))
    iota = op.fields.get("dim")
    dims = [d for d, n in enumerate(op.shape) if n > 1 or d == iota]
    if not reduced:
        dims.sort(key=lambda d: -abs(op.dst.strides[d]))
    elif "b" not in op.fields:
        # Sums are of the same elements in any order of the dimensions; an index of a maximum is not.
        dims.sort(key=lambda d: -abs(op.sources[0].strides[d]))
    groups: list[list[int]] = []
    for d in dims:
        if groups and _mergeable(groups[-1], d, op, accesses, reduced, iota):
            groups[-1].append(d)
        else:
            groups.append([d])
    if not groups:
        groups = [[]]
    extents = [_extent(g, op.shape) for g in groups]
    strides = {id(a): [a.strides[g[-1]] if g else 0 for g in groups] for a in accesses}
    outer = [i for i, g in enumerate(groups) if not (g and g[0] in reduced)][: max(0, len(groups) - isa.MAX_RANK)]
    if len(groups) - len(outer) > isa.MAX_RANK:
        raise UnsupportedError("a reduction over more dimensions than an instruction has")
    _vector_loops(s, op, groups, extents, strides, outer, {}, reduced, iota)


def _extent(group: list[int], shape: tuple[int, ...]) -> int:
    total = 1
    for d in group:
        total *= shape[d]
    return total


def _mergeable(
    group: list[int], d: int, op: VectorOp, accesses: list[Access], reduced: set[int], iota: int | None
) -> bool:
    last = group[-1]
    if (last in reduced) != (d in reduced) or iota in (last, d):
        return False
    return all(a.strides[last] == a.strides[d] * op.shape[d] for a in accesses)


def _vector_loops(
    s: Selector,
    op: VectorOp,
    groups: list[list[int]],
    extents: list[int],
    strides: dict[int, list[int]],
    outer: list[int],
    counters: dict[int, Value],
    reduced: set[int],
    iota: int | None,
) -> None:
    pending = [i for i in outer if i not in counters]
    if pending:
        with s.b.loop(extents[pending[0]]) as i:
            _vector_loops(s, op, groups, extents, strides, outer, {**counters, pending[0]: i}, reduced, iota)
        return
    inner = [i for i in range(len(groups)) if i not in counters]

    def moved(access: Access) -> Value:
        address = s._access(access)
        for i, counter in counters.items():
            address = s.b.add(address, s.b.mul(counter, strides[id(access)][i] * DTYPE_BYTES[access.dtype]))
        return address

    def placed(access: Access) -> Tile:
        return tile(access.dtype, moved(access), tuple(strides[id(access)][i] for i in inner))

    def inner_strides(access: Access) -> list[int]:
        return [strides[id(access)][i] for i in inner]

    operands = [s.operand(x, inner_strides, moved) for x in op.sources]
    fields: dict[str, Any] = dict(zip("abc", operands, strict=False))
    if "b" in op.fields:
        fields["b"] = placed(op.fields["b"])
    for name, value in op.fields.items():
        if name == "dims":
            fields["dims"] = tuple(inner.index(i) for i, g in enumerate(groups) if g and g[0] in reduced)
        elif name == "dim":
            fields["dim"] = next((inner.index(i) for i, g in enumerate(groups) if g == [iota]), 0)
        elif name != "b":
            fields[name] = value
    s.b.op(op.mnemonic, ct=op.ctype, dst=placed(op.dst), shape=tuple(extents[i] for i in inner), **fields)
