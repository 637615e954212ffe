"""The contraction family: register tiles of rows times columns, columns in vectors, the epilogue before the tile is
left.

A panel of B (some columns, all sums) is used by all rows before the next one; it comes from the weights packed that
way, or is packed into the workspace first where B's columns are not consecutive, or is read in place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from accelc.targets.host.codegen.contraction_shape import (
    Contraction,
    Dim,
    contraction,
    find_core,
    is_contraction,
    operands_to_place,
)
from accelc.targets.host.codegen.evaluate import Index, Memory, Val, invert
from accelc.targets.host.codegen.kernel_writer import KernelWriter, Tiled, element_bytes
from accelc.targets.host.codegen.linear import LANE, Linear
from accelc.targets.host.codegen.loops import materialize
from accelc.targets.host.codegen.pack_panel import pack_panel
from accelc.targets.host.codegen.reader import Kernel, NotTileable
from accelc.targets.host.codegen.tiles import RegisterTile, register_tile
from accelc.targets.host.codegen.writer import vector_type
from accelc.targets.host.cpu import Cpu

# An epilogue with more ops an element than this runs in a loop over the tile's rows, from L1, instead of unrolled
# from registers.
_UNROLLED_EPILOGUE = 8
# Fewer tiles than this leave threads idle, so rows are divided too.
_ENOUGH_TILES = 16


def write_contraction(kernel: Kernel, cpu: Cpu) -> Tiled:
    """Writes a matrix product or convolution. Raises NotTileable."""
    if any(math.prod(a.shape) == 0 for a in kernel.arguments):
        raise NotTileable("an empty tensor")
    kw = KernelWriter(kernel, cpu)
    core, _, _ = find_core(kernel, kw.evaluator)
    if not is_contraction(core):
        raise NotTileable("no contraction")
    for tensor in operands_to_place(core, kw.evaluator):
        materialize(kw, tensor)
    return ContractionWriter(kw, contraction(kernel, kw.evaluator)).write()


@dataclass(frozen=True)
class Block:
    """Where a tile is: values of all parallel dimensions but the tile's own, the first row, and the first column."""

    at: dict[str, Linear]
    row: Linear
    column: Linear
    panel: Linear


class ContractionWriter:
    """Plans and writes one contraction; ``tile`` is the register tile that its operands' layout should suit."""

    def __init__(self, kw: KernelWriter, shape: Contraction) -> None:
        self.kw = kw
        self.shape = shape
        self.variables = {
            name: e.terms[0][0] for name, e in invert(shape.core.op.maps[-1], shape.index).items() if e.terms
        }
        self.rows = self._merge(shape.rows)
        self.columns = self._merge(shape.columns) if shape.panels is None else shape.columns
        self.sums = self._merge(sorted(shape.sums, key=lambda d: (-d.b, -d.a)))
        self.row = max(self.rows, key=lambda d: d.extent) if self.rows else Dim("one", 1, 0, 0, 0)
        self.outer_rows = [d for d in self.rows if d is not self.row]
        self.column = self.columns[-1]
        self.element = shape.core.element
        self.tile = self._tile()
        ev = kw.evaluator
        self.a, self.a_base = self._place(shape.a)
        self.b, self.b_base = self._place(shape.b)
        self.packs = shape.panels is None and self._should_pack()
        self.panel_step = self.column.b if shape.panels is not None else self.column.b * self.tile.columns
        if self.packs:
            self.unpacked_b = (self.b, self.b_base, self.sums)
            size = math.prod(d.extent for d in self.sums) * self.tile.columns
            self.b, self.b_base = kw.scratch(size, shape.core.op.inputs[shape.b].element), Linear()
            self.packed_sums = self._packed(self.sums)
        destination = kw.kernel.destinations[0]
        self.out = kw.arguments[destination]
        self.scratch = None
        cost = sum(t.op.body.cost for t, _ in shape.epilogue.generics)
        if cost > _UNROLLED_EPILOGUE and self.tile.rows > 1:
            self.scratch = kw.scratch(self.tile.rows * self.tile.columns, self.element)
        self.ev = ev

    def _merge(self, dims: list[Dim]) -> list[Dim]:
        """Joins neighbouring dimensions that every address walks through as one."""
        result: list[Dim] = []
        for dim in dims:
            if result:
                outer = result[-1]
                loads = [self._load_coefficients(d) for d in (outer, dim)]
                coefficients = [((outer.a, outer.b, outer.c), (dim.a, dim.b, dim.c)), tuple(loads)]
                if all(o == i * dim.extent for os, is_ in coefficients for o, i in zip(os, is_, strict=True)):
                    result[-1] = replace(dim, extent=outer.extent * dim.extent)
                    continue
            result.append(dim)
        return result

    def _load_coefficients(self, dim: Dim) -> tuple[int, ...]:
        variable = self.variables.get(dim.name, "")
        return tuple(p.coefficient(variable) for p in self.shape.epilogue.loads)

    def _tile(self) -> RegisterTile:
        apart = self.row.a * element_bytes(self.shape.core.op.inputs[self.shape.a].element)
        tile = register_tile(self.row.extent, self.column.extent, element_bytes(self.element), self.kw.cpu, apart)
        return tile if self.shape.panels is None else RegisterTile(tile.rows, self.shape.panels.tile)

    def _place(self, operand: int) -> tuple[Memory, Linear]:
        """The memory of an operand, and its address with all dimensions 0."""
        op = self.shape.core.op
        tensor = op.inputs[operand]
        if self.shape.panels is not None and operand == self.shape.b:
            return self.kw.evaluator.memory[self.shape.panels.source], Linear()
        place = self.kw.evaluator.address(tensor, op.maps[operand])
        assert place is not None
        return place[0], Linear(place[1].const)

    def _should_pack(self) -> bool:
        if self.column.b != 1:
            return True
        blocks = math.prod(d.extent for d in self.rows) // self.tile.rows
        return blocks >= 8 and self.sums[0].extent * self.sums[0].b * 4 > 256 << 10 if self.sums else False

    def _packed(self, sums: list[Dim]) -> list[Dim]:
        """The sums as they lie in a packed panel, which is all that A's order still matters for."""
        result: list[Dim] = []
        size = self.tile.columns
        for dim in reversed(sums):
            result.append(replace(dim, b=size))
            size *= dim.extent
        return self._merge(result[::-1])

    # Tiles.

    def write(self) -> Tiled:
        """The kernel: tiles are batches, outer columns, panels and, where those are few, parts of the rows."""
        outer = [*self.shape.batch, *self.columns[:-1]]
        panels = -(-self.column.extent // self.tile.columns)
        tiles = math.prod(d.extent for d in outer) * panels
        groups = math.prod(d.extent for d in self.outer_rows)
        units = groups if groups > 1 else -(-self.row.extent // self.tile.rows)
        parts = max(1, min(units, -(-_ENOUGH_TILES // tiles)))
        extents = [*(d.extent for d in outer), panels, parts]
        with self.kw.tiles(extents) as position:
            at = {d.name: p for d, p in zip(outer, position, strict=False)}
            panel, part = position[-2:]
            self._panel(at, panel, panels, self._part(part, parts, units))
        return self.kw.finish(tiles * parts)

    def _part(self, part: Linear, parts: int, units: int) -> tuple[str | int, str | int]:
        """The range of row units that a part covers."""
        if parts == 1:
            return 0, units
        w = self.kw.writer
        per = -(-units // parts)
        low = w.op(f"arith.minui {w.index(part * per)}, {w.integer(units)} : index")
        high = w.op(f"arith.minui {w.index(part * per + per)}, {w.integer(units)} : index")
        return low, high

    def _panel(self, at: dict[str, Linear], panel: Linear, panels: int, part: tuple[str | int, str | int]) -> None:
        tail = self.column.extent % self.tile.columns
        w = self.kw.writer
        block = Block(at, Linear(), panel * self.tile.columns, panel)
        if tail == 0 or panels == 1:
            self._columns(block, tail or self.tile.columns, part)
            return
        last = w.op(f"arith.cmpi eq, {w.index(panel)}, {w.integer(panels - 1)} : index")
        with w.when(last), self.ev.scope():
            self._columns(block, tail, part)
        with w.otherwise(), self.ev.scope():
            self._columns(block, self.tile.columns, part)

    def _columns(self, block: Block, width: int, part: tuple[str | int, str | int]) -> None:
        """All rows of a part, for one panel of ``width`` columns."""
        lanes = min(self.tile.columns, max(2, 1 << (width - 1).bit_length()))
        mask = None if lanes == width else self.kw.mask(lanes, width)
        with self.ev.vectors(lanes, mask):
            if self.packs:
                memory, base, sums = self.unpacked_b
                start = base + self._offset(block.at, "b") + block.column * self.column.b
                pack_panel(self.kw, memory, start, sums, self.column.b, width, self.b, self.tile.columns)
            if not self.outer_rows:
                self._row_blocks(block, part)
                return
            low, high = part
            with self.kw.loop(low, high) as loop:
                position = self.kw.split(loop.variable, [d.extent for d in self.outer_rows])
                at = {**block.at, **{d.name: p for d, p in zip(self.outer_rows, position, strict=True)}}
                self._row_blocks(replace(block, at=at), (0, -(-self.row.extent // self.tile.rows)))

    def _row_blocks(self, block: Block, part: tuple[str | int, str | int]) -> None:
        """Whole blocks of rows in a loop, and the remainder in code of its own."""
        w, rows = self.kw.writer, self.tile.rows
        whole, tail = divmod(self.row.extent, rows)
        low, high = part
        bounded = isinstance(low, str)
        if whole == 1 and not bounded:
            self._block(block, rows)
        elif whole:
            end = w.op(f"arith.minui {high}, {w.integer(whole)} : index") if bounded and tail else high
            with self.kw.loop(low, end if bounded else whole) as loop:
                self._block(replace(block, row=Linear.var(loop.variable, rows)), rows)
        if not tail:
            return
        last = replace(block, row=Linear(whole * rows))
        if not bounded:
            with self.ev.scope():
                self._block(last, tail)
            return
        # The remainder belongs to the part that ends with it, if that part is not empty.
        ends = w.op(f"arith.cmpi eq, {high}, {w.integer(whole + 1)} : index")
        some = w.op(f"arith.cmpi ult, {low}, {high} : index")
        with w.when(w.op(f"arith.andi {ends}, {some} : i1")), self.ev.scope():
            self._block(last, tail)

    def _offset(self, at: dict[str, Linear], operand: str) -> Linear:
        """What the outer dimensions add to an operand's address."""
        result = Linear()
        for dim in [*self.shape.batch, *self.columns[:-1], *self.outer_rows]:
            if dim.name in at:
                result = result + at[dim.name] * getattr(dim, operand)
        return result

    # One tile.

    def _block(self, block: Block, rows: int) -> None:
        lanes = self.ev.lanes
        kind = vector_type(lanes, self.element)
        zero = self.kw.writer.constant(f"dense<{'0.0' if self.shape.multiply.is_float else '0'}>", kind)
        a = self.a_base + self._offset(block.at, "a") + block.row * self.row.a
        sums = self.sums
        if self.packs:
            b, sums = Linear(), self.packed_sums
        else:
            b = self.b_base + self._offset(block.at, "b") + block.panel * self.panel_step
        totals = self._sum(sums, a, b, [zero] * rows)
        totals = self._add_initial(block, totals)
        self._epilogue(block, totals)

    def _add_initial(self, block: Block, totals: list[str]) -> list[str]:
        """Adds what the accumulator starts from, where that is not zero."""
        init = self.shape.core.op.inits[0]
        start = self.ev.value(init, (Linear(),) * len(init.shape)) if _is_splat(init) else None
        if start is None:
            raise NotTileable("a contraction that adds to a tensor")
        if _is_zero(init):
            return totals
        op = "arith.addf" if self.shape.multiply.is_float else "arith.addi"
        lanes = self.ev.lanes
        return [self.ev.apply(op, [start, Val(t, self.element, lanes)], self.element).name for t in totals]

    def _sum(self, sums: list[Dim], a: Linear, b: Linear, totals: list[str]) -> list[str]:
        if not sums:
            return self._step(a, b, totals)
        dim, *rest = sums
        kind = vector_type(self.ev.lanes, self.element)
        with self.kw.loop(0, dim.extent, carried=[(t, kind) for t in totals]) as loop:
            variable = Linear.var(loop.variable)
            loop.yields = self._sum(rest, a + variable * dim.a, b + variable * dim.b, loop.arguments)
        return loop.results

    def _step(self, a: Linear, b: Linear, totals: list[str]) -> list[str]:
        """One element of the sum: a vector of B, and for each row a number of A and a multiplication."""
        column = self._factor(self.shape.b, self.shape.multiply.b, self.b, b + Linear.var(LANE))
        column = self.ev.widen(column, self.ev.lanes)
        result = []
        for i, total in enumerate(totals):
            row = self._factor(self.shape.a, self.shape.multiply.a, self.a, a + i * self.row.a)
            row = self.ev.widen(row, self.ev.lanes)
            result.append(self._multiply_add(row, column, total))
        return result

    def _factor(self, operand: int, instruction: int, memory: Memory, position: Linear) -> Val:
        body = self.shape.core.op.body
        # Panels are padded with zeros, so that their loads need no mask.
        mask = None if self.packs or self.shape.panels is not None else self.ev.mask
        with self.ev.vectors(self.ev.lanes, mask):
            arguments = [lambda: self.ev.load(memory, position)] * 2
            return self.ev.body(body.instructions, [instruction], arguments, {})[0]

    def _multiply_add(self, row: Val, column: Val, total: str) -> str:
        w, kind = self.kw.writer, vector_type(self.ev.lanes, self.element)
        if self.shape.multiply.is_float:
            return w.op(f"math.fma {row.name}, {column.name}, {total} : {kind}")
        product = w.op(f"arith.muli {row.name}, {column.name} : {kind}")
        return w.op(f"arith.addi {total}, {product} : {kind}")

    # The epilogue.

    def _epilogue(self, block: Block, totals: list[str]) -> None:
        lanes = self.ev.lanes
        if self.scratch is None or len(totals) == 1:
            for i, total in enumerate(totals):
                self._finish_row(block, block.row + i, lambda t=total: Val(t, self.element, lanes))
            return
        scratch = self.scratch
        with self.ev.vectors(lanes):
            for i, total in enumerate(totals):
                self.ev.store(Val(total, self.element, lanes), scratch, Linear(i * lanes) + Linear.var(LANE))
        with self.kw.loop(0, len(totals)) as loop:
            row = Linear.var(loop.variable)

            def load() -> Val:
                with self.ev.vectors(lanes):
                    return self.ev.load(scratch, row * lanes + Linear.var(LANE))

            self._finish_row(block, block.row + row, load)

    def _finish_row(self, block: Block, row: Linear, total: object) -> None:
        """Computes and stores the elements of one row of the tile."""
        values = {**block.at, self.row.name: row, self.column.name: block.column + Linear.var(LANE)}
        at = {variable: values.get(name, Linear()) for name, variable in self.variables.items()}
        index = tuple(at.get(f"o{i}", Linear()) for i in range(len(self.shape.value.shape)))
        expected: Index = tuple(e.substitute(at) for e in self.shape.index)

        def result(asked: Index) -> Val:
            if asked != expected:
                raise NotTileable("an epilogue that mixes elements")
            assert callable(total)
            value: Val = total()
            return value

        self.ev.bound[self.shape.core] = result
        with self.ev.scope():
            value = self.ev.value(self.shape.value, index)
            place = self.ev.address(self.kw.kernel.destinations[0], index)
            assert place is not None
            self.ev.store(value, *place)


def _is_splat(tensor: object) -> bool:
    return _splat_value(tensor) is not None


def _is_zero(tensor: object) -> bool:
    return float(_splat_value(tensor) or "1") == 0.0


def _splat_value(tensor: object) -> str | None:
    """The literal that a tensor is filled with (by a constant, or a generic that yields one)."""
    from accelc.targets.host.codegen.reader import Generic, Splat

    if isinstance(tensor, Splat):
        return tensor.value
    if isinstance(tensor, Generic):
        instruction = tensor.op.body.instructions[tensor.op.body.yields[tensor.result]]
        if instruction.kind == "constant":
            return instruction.text
        if instruction.kind == "argument" and instruction.operands[0] < len(tensor.op.inputs):
            return _splat_value(tensor.op.inputs[instruction.operands[0]])
    return None
