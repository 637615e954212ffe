"""Builds the `tiled` form of a kernel: loops, tiles in the scratchpad, transfers, and `linalg` on tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelc.core.diagnostics import InternalError
from accelc.mlir import dialect, ir
from accelc.targets.sim_accel.codegen.graph import Val
from accelc.targets.sim_accel.codegen.nest import Levels, Nest, Tiling, is_split
from accelc.targets.sim_accel.codegen.plan import (
    ComputeItem,
    FillItem,
    Item,
    LoadItem,
    PasteItem,
    ReshapeItem,
    StoreItem,
    TileValue,
)
from accelc.targets.sim_accel.codegen.spans import Span, apply
from accelc.targets.sim_accel.codegen.structured import UNIT, Affine
from accelc.targets.sim_accel.dialect.transfers import SCRATCHPAD

arith = dialect("arith")
linalg = dialect("linalg")
memref = dialect("memref")
scf = dialect("scf")


class TiledBuilder:
    """Appends nests to a function. ``memrefs``: where DRAM values lie."""

    def __init__(self, memrefs: dict[Val, Any]) -> None:
        self.memrefs = memrefs
        self.index = ir.IndexType.get()
        self._views: dict[tuple[Val, tuple[int, ...]], Any] = {}
        self._constants: dict[Any, Any] = {}
        self.constants_at: Any = None
        self._space = ir.StringAttr.get(SCRATCHPAD)

    def nest(self, nest: Nest, tiling: Tiling) -> None:
        """Appends the loops of one nest."""
        _NestBuilder(self, nest, tiling).run()

    def constant(self, number: int) -> Any:
        """An index constant, at the function's start."""
        key = ("index", number)
        if key not in self._constants:
            with self.constants_at:
                self._constants[key] = arith.ConstantOp(self.index, number).result
        return self._constants[key]

    def scalar(self, element_type: Any, number: float | int) -> Any:
        """A scalar constant of an element type, at the function's start."""
        key = (str(element_type), repr(number))
        if key not in self._constants:
            attribute = (
                ir.FloatAttr.get(element_type, float(number))
                if _is_float(element_type)
                else ir.IntegerAttr.get(element_type, int(number))
            )
            with self.constants_at:
                self._constants[key] = arith.ConstantOp(element_type, attribute).result
        return self._constants[key]

    def outside(self, op: Any) -> Any:
        """A clone, at the function's start, of a constant around a body."""
        if op not in self._constants:
            with self.constants_at:
                self._constants[op] = op.clone().operation.results[0]
        return self._constants[op]

    def dram(self, val: Val, shape: tuple[int, ...]) -> Any:
        """The memref of a value in DRAM, under ``shape``."""
        source = self.memrefs[val]
        if shape == val.shape:
            return source
        if (val, shape) not in self._views:
            with self.constants_at:
                self._views[val, shape] = reshape_memref(source, shape)
        return self._views[val, shape]

    def tile_type(self, shape: Sequence[int], element_type: Any) -> Any:
        """A contiguous tile in the scratchpad."""
        return ir.MemRefType.get(list(shape), element_type, memory_space=self._space)


def _is_float(element_type: Any) -> bool:
    return str(element_type)[0] in "fb"


def fill_attribute(element_type: Any, number: float | int) -> Any:
    """The fill of a load as an attribute of the element type."""
    if _is_float(element_type):
        return ir.FloatAttr.get(element_type, float(number))
    return ir.IntegerAttr.get(element_type, int(number))


def reshape_memref(source: Any, shape: tuple[int, ...]) -> Any:
    """A contiguous memref under another shape, through one dimension."""
    kind = source.type
    count = 1
    for n in kind.shape:
        count *= n
    value = source
    rank = len(kind.shape)
    if rank != 1:
        flat = ir.MemRefType.get([count], kind.element_type, memory_space=kind.memory_space)
        if rank == 0:
            value = memref.ExpandShapeOp(flat, value, [], [], [1]).result
        else:
            value = memref.CollapseShapeOp(flat, value, [list(range(rank))]).result
    if len(shape) == 1:
        return value
    result = ir.MemRefType.get(list(shape), kind.element_type, memory_space=kind.memory_space)
    if not shape:
        return memref.CollapseShapeOp(result, value, []).result
    return memref.ExpandShapeOp(result, value, [list(range(len(shape)))], [], list(shape)).result


class _NestBuilder:
    def __init__(self, builder: TiledBuilder, nest: Nest, tiling: Tiling) -> None:
        self.b = builder
        self.nest = nest
        self.tiling = tiling
        self.levels = Levels(nest, tiling)
        self.positions: dict[int, Any] = {}
        self.memrefs: dict[TileValue, Any] = {}

    def run(self) -> None:
        self._level(0)

    def _level(self, depth: int) -> None:
        items, levels = self.nest.items, self.levels
        for item in items:
            if levels.level[item] == depth and item not in levels.after:
                self._item(item)
        split = levels.parallel == depth
        if split:
            # Accumulators of a reduction in pieces belong here, around its loops.
            for item in items:
                if levels.level[item] > depth and is_split(item):
                    assert isinstance(item, ComputeItem)
                    self._outputs(item)
        if depth < len(self.tiling.loops):
            d = self.tiling.loops[depth]
            step = self.tiling.sizes[d]
            bounds = [self.b.constant(n) for n in (0, self.nest.extents[d], step)]
            loop = scf.ForOp(*bounds)
            self.positions[d] = loop.induction_variable
            with ir.InsertionPoint(loop.body):
                self._level(depth + 1)
                scf.YieldOp([])
            del self.positions[d]
        if split:
            for item in items:
                if item in levels.after:
                    self._item(item)

    # ---- items ----

    def _item(self, item: Item) -> None:
        if isinstance(item, LoadItem):
            self._load(item)
        elif isinstance(item, StoreItem):
            self._store(item)
        elif isinstance(item, FillItem):
            assert item.out is not None
            linalg.fill(self.b.scalar(item.out.element_type, item.number), outs=[self._tile(item.out)])
        elif isinstance(item, ComputeItem):
            self._compute(item)
        elif isinstance(item, PasteItem):
            self._paste(item)
        elif isinstance(item, ReshapeItem):
            assert item.out is not None
            shape = item.out.shape(self.tiling.sizes)
            self.memrefs[item.out] = self._reshaped(self._tile(item.source), shape)
        else:
            raise InternalError(f"unknown item {item}")

    def _reshaped(self, source: Any, shape: tuple[int, ...]) -> Any:
        return source if tuple(source.type.shape) == shape else reshape_memref(source, shape)

    def _tile(self, tile: TileValue) -> Any:
        if tile not in self.memrefs:
            kind = self.b.tile_type(tile.shape(self.tiling.sizes), tile.element_type)
            self.memrefs[tile] = memref.AllocOp(kind, [], []).result
        return self.memrefs[tile]

    def _position(self, span: Span) -> Any:
        """The SSA index at which a span starts."""
        terms = [(self.positions[d], c) for d, c in span.coeffs if d in self.positions]
        value = None
        for position, c in terms:
            term = position if c == 1 else arith.MulIOp(position, self.b.constant(c)).result
            value = term if value is None else arith.AddIOp(value, term).result
        if value is None:
            return self.b.constant(span.const)
        return arith.AddIOp(value, self.b.constant(span.const)).result if span.const else value

    def _load(self, item: LoadItem) -> None:
        assert item.out is not None
        source = self.b.dram(item.source, item.source_shape)
        positions = [self._position(s) for s in item.positions]
        order = item.out.order
        attributes = {
            "dims": ir.DenseI64ArrayAttr.get([item.dims[d] for d in order]),
            "steps": ir.DenseI64ArrayAttr.get([item.steps[d] for d in order]),
            "fill": fill_attribute(item.out.element_type, item.fill),
        }
        if item.index is not None:
            self._gather(item, source, positions, attributes)
            return
        operands = [source, self._tile(item.out), *positions]
        ir.Operation.create("sim_accel.tile_load", operands=operands, attributes=attributes)

    def _gather(self, item: LoadItem, source: Any, positions: list[Any], attributes: dict[str, Any]) -> None:
        """Rows for all index dimensions as one list of rows."""
        assert item.index is not None and item.out is not None
        index, target = self._tile(item.index), self._tile(item.out)
        sizes = list(index.type.shape)
        count = 1
        for n in sizes:
            count *= n
        columns = list(target.type.shape)[len(sizes) :]
        rank = 1 + len(columns)
        attributes["dims"] = ir.DenseI64ArrayAttr.get(list(range(rank)))
        attributes["steps"] = ir.DenseI64ArrayAttr.get([1] * rank)
        operands = [source, self._reshaped(index, (count,)), self._reshaped(target, (count, *columns)), *positions]
        ir.Operation.create("sim_accel.tile_gather", operands=operands, attributes=attributes)

    def _store(self, item: StoreItem) -> None:
        order = item.source.order
        attributes = {
            "dims": ir.DenseI64ArrayAttr.get([item.dims[d] for d in order]),
            "steps": ir.DenseI64ArrayAttr.get([item.steps[d] for d in order]),
        }
        positions = [self._position(s) for s in item.positions]
        operands = [self._tile(item.source), self.b.dram(item.target, item.target.shape), *positions]
        ir.Operation.create("sim_accel.tile_store", operands=operands, attributes=attributes)

    def _paste(self, item: PasteItem) -> None:
        assert item.out is not None
        source, target = self._tile(item.source), self._tile(item.out)
        order = item.out.order
        if item.source.order != order:
            raise InternalError("a paste of a tile in another layout")
        sizes = list(source.type.shape)
        offsets = [item.offsets[d] for d in order]
        steps = [item.steps[d] for d in order]
        view = memref.subview(target, offsets, sizes, steps)
        linalg.copy(source, outs=[view])

    def _outputs(self, item: ComputeItem) -> list[Any]:
        """The output tiles of a computation, filled with what it starts from."""
        tiles = []
        for tile, init in zip(item.outs, item.inits, strict=True):
            known = tile in self.memrefs
            out = self._tile(tile)
            tiles.append(out)
            if known or init is None:
                continue
            if isinstance(init, TileValue):
                linalg.copy(self._tile(init), outs=[out])
            else:
                linalg.fill(self.b.scalar(tile.element_type, init), outs=[out])
        return tiles

    def _compute(self, item: ComputeItem) -> None:
        op = item.compute.op
        outs = self._outputs(item)
        inputs: list[Any] = []
        maps: list[Any] = []
        bound: dict[Any, Any] = {}
        for n, value in enumerate(op.inputs):
            argument = op.body.arguments[n]
            tile = item.ins[n]
            if not hasattr(value.type, "shape"):
                bound[argument] = self.b.outside(value.owner)
                continue
            if tile is not None:
                inputs.append(self._tile(tile))
                maps.append((argument, [op.maps[n][d] for d in tile.order]))
            else:
                # Unused, but its shape tells the size of loops.
                spans = [apply(a, item.spans) for a in op.maps[n]]
                kind = self.b.tile_type([s.size(self.tiling.sizes) for s in spans], value.type.element_type)
                inputs.append(memref.AllocOp(kind, [], []).result)
                maps.append((argument, list(op.maps[n])))
        for n, tile in enumerate(item.outs):
            accesses = op.maps[len(op.inputs) + n]
            maps.append((op.body.arguments[len(op.inputs) + n], [accesses[d] for d in tile.order]))
        self._generic(item, inputs, outs, maps, bound)

    def _generic(
        self, item: ComputeItem, inputs: list[Any], outs: list[Any], maps: list[Any], bound: dict[Any, Any]
    ) -> None:
        op = item.compute.op
        kinds = ["reduction" if d in op.reduction else "parallel" for d in range(op.rank)]
        generic = linalg.GenericOp(
            [],
            inputs,
            outs,
            ir.ArrayAttr.get([ir.AffineMapAttr.get(_map(op.rank, accesses)) for _, accesses in maps]),
            ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{k}>") for k in kinds]),
        )
        if op.product is not None:
            generic.operation.attributes[UNIT] = ir.StringAttr.get("mxu" if item.matrix else "vec")
        offsets = {
            d: self._before(generic, s) for d, s in enumerate(item.spans) if any(n in self.positions for n in s.dims)
        }
        types = [v.type.element_type for v in (*inputs, *outs)]
        block = generic.regions[0].blocks.append(*types)
        known = dict(bound)
        with ir.InsertionPoint(block):
            for (argument, _), new in zip(maps, block.arguments, strict=True):
                # A tile may hold narrower elements than the op was written for.
                narrow = new.type != argument.type and argument in list(op.body.arguments)[: len(op.inputs)]
                known[argument] = arith.ExtFOp(argument.type, new).result if narrow else new
            for old in op.body_ops:
                self._clone(old, known, offsets, op.body)

    def _before(self, generic: Any, span: Span) -> Any:
        with ir.InsertionPoint(generic):
            return self._position(span)

    def _clone(self, old: Any, known: dict[Any, Any], offsets: dict[int, Any], body: Any) -> None:
        new = old.clone().operation
        for i, operand in enumerate(old.operands):
            if operand in known:
                new.operands[i] = known[operand]
            elif not isinstance(operand.owner, ir.Block):
                new.operands[i] = known[operand] = self.b.outside(operand.owner)
        result = list(new.results)
        if old.name == "linalg.index":
            dim = ir.IntegerAttr(old.attributes["dim"]).value
            if dim in offsets:
                result = [arith.AddIOp(result[0], offsets[dim]).result]
        known.update(zip(old.results, result, strict=True))


def _map(rank: int, accesses: Sequence[Affine]) -> Any:
    """The affine map of accesses relative to a tile: without constants, which its position has."""
    results = []
    for access in accesses:
        expr = None
        for d, c in enumerate(access.coeffs):
            if c:
                term = ir.AffineDimExpr.get(d) if c == 1 else ir.AffineDimExpr.get(d) * c
                expr = term if expr is None else expr + term
        results.append(ir.AffineConstantExpr.get(0) if expr is None else expr)
    return ir.AffineMap.get(rank, 0, results)
