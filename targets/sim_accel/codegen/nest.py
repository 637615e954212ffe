"""Nests: the root of a loop nest, its dimensions, and the cost of a tiling of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from accelc.targets.sim_accel.codegen.compact import Unfolding
from accelc.targets.sim_accel.codegen.graph import Compute, Val
from accelc.targets.sim_accel.codegen.locate import locate
from accelc.targets.sim_accel.codegen.matrix import MatrixPlan, plan_matrix
from accelc.targets.sim_accel.codegen.plan import (
    ComputeItem,
    FillItem,
    Item,
    LoadItem,
    PasteItem,
    Planner,
    ReshapeItem,
    StoreItem,
    TileValue,
    UseMatrix,
)
from accelc.targets.sim_accel.codegen.spans import Span, full
from accelc.targets.sim_accel.codegen.structured import Structured
from accelc.targets.sim_accel.codegen.tiles import isa_type, row_major
from accelc.targets.sim_accel.isa import DTYPE_BYTES
from accelc.targets.sim_accel.limits import Limits

#: Nest dimensions from here on are reduction dimensions of a contraction that is split.
FIRST_SPLIT = 100


@dataclass(frozen=True)
class Destination:
    """Where a nest's root goes: element ``offsets + i * steps`` of the DRAM value ``target``."""

    target: Val
    offsets: tuple[int, ...]
    steps: tuple[int, ...]
    dims: tuple[int, ...]


def whole(target: Val) -> Destination:
    """All of ``target``."""
    rank = target.rank
    return Destination(target, (0,) * rank, (1,) * rank, tuple(range(rank)))


@dataclass
class Nest:
    """A planned nest. extents: size of every nest dimension; loops may run over any of ``tiled``.

    contraction: the last one on the matrix unit. reduction: that, or the last reduction of any kind.
    """

    root: Val
    extents: dict[int, int]
    items: list[Item]
    tiled: frozenset[int]
    contraction: ComputeItem | None
    reduction: ComputeItem | None
    planner: Planner


@dataclass(frozen=True)
class Tiling:
    """Tile sizes of a nest's dimensions, and the order of its loops: outermost first, without those of one round."""

    sizes: Mapping[int, int]
    loops: tuple[int, ...]


@dataclass
class Estimate:
    """What a tiling costs: cycles, DRAM bytes, scratchpad bytes, and cycles of each kind of unit."""

    cycles: float
    traffic: float
    scratchpad: int
    units: dict[str, float] = field(default_factory=dict)


def plan_nest(
    root: Val,
    destination: Destination,
    tiled: frozenset[int],
    split: Sequence[tuple[Compute, int]],
    stationary: int,
    use_matrix: UseMatrix,
    *,
    unfold: Unfolding = Unfolding.NONE,
) -> Nest:
    """Plans the nest that computes ``root`` with tiles along the dimensions ``tiled``.

    split: (contraction, reduction dimension) pairs with tiles of their own: nest dimensions from FIRST_SPLIT on.
    Raises UnsupportedError where that is impossible.
    """
    numbers = {(id(c), d): FIRST_SPLIT + i for i, (c, d) in enumerate(split)}
    planner = Planner(numbers, stationary, use_matrix, unfold=unfold)
    extents = {FIRST_SPLIT + i: c.op.extents[d] for i, (c, d) in enumerate(split)}
    producer = root.producer
    if isinstance(producer, Compute) and (root.memref is None and locate(root, (full(1),) * root.rank) is None):
        op = producer.op
        iteration = []
        for d, n in enumerate(op.extents):
            nest = numbers.get((id(producer), d))
            if nest is not None:
                iteration.append(Span(0, 1, ((nest, 1),)))
            elif d in tiled and d not in op.reduction:
                iteration.append(Span(0, 1, ((d, 1),)))
            else:
                iteration.append(full(n))
            if d not in op.reduction:
                extents[d] = n
        item = planner.run(producer, tuple(iteration))
        tile = item.outs[next(i for i, v in enumerate(producer.outs) if v is root)]
    else:
        spans = tuple(Span(0, 1, ((d, 1),)) if d in tiled else full(n) for d, n in enumerate(root.shape))
        extents |= dict(enumerate(root.shape))
        tile = planner.need(root, spans)
    planner.items.append(store_item(tile, destination))
    computations = [i for i in planner.items if isinstance(i, ComputeItem)]
    contraction = next((i for i in reversed(computations) if i.matrix), None)
    reduction = contraction
    if contraction is None:
        reduction = next((i for i in reversed(computations) if i.compute.op.reduction), None)
    return Nest(root, extents, planner.items, tiled, contraction, reduction, planner)


def store_item(tile: TileValue, destination: Destination) -> StoreItem:
    """The store of a tile of a value to its destination."""
    positions: list[Span] = [Span(o, 1) for o in destination.offsets]
    for i, d in enumerate(destination.dims):
        span, step = tile.spans[i], destination.steps[d]
        coeffs = tuple((n, c * step) for n, c in span.coeffs)
        positions[d] = Span(span.const * step + destination.offsets[d], 1, coeffs)
    steps = tuple(destination.steps[d] for d in destination.dims)
    return StoreItem(None, tile.spans, tile, destination.target, tuple(positions), destination.dims, steps)


def is_split(item: Item) -> bool:
    """Whether an item is a reduction that runs in pieces: it accumulates over loops of its own."""
    if not isinstance(item, ComputeItem):
        return False
    return any(n >= FIRST_SPLIT for d in item.compute.op.reduction for n in item.spans[d].dims)


def outs_of(item: Item) -> list[TileValue]:
    """The tiles that an item makes."""
    if isinstance(item, ComputeItem):
        return item.outs
    return [] if item.out is None else [item.out]


class Levels:
    """At which depth of the loops each item of a nest stands (0: before all loops).

    after: items that use the result of a contraction split along K; they stand after its loops.
    """

    def __init__(self, nest: Nest, tiling: Tiling) -> None:
        self.depth_of = {d: i + 1 for i, d in enumerate(tiling.loops)}
        self.parallel = sum(1 for d in tiling.loops if d < FIRST_SPLIT)
        self.level: dict[Item, int] = {}
        self.tile_level: dict[TileValue, int] = {}
        self.after: set[Item] = set()
        self.rounds = [1]
        for d in tiling.loops:
            self.rounds.append(self.rounds[-1] * -(-nest.extents[d] // tiling.sizes[d]))
        late: set[TileValue] = set()
        for item in nest.items:
            level = max([self.depth_of.get(d, 0) for d in _dims_of(item)], default=0)
            tiles = item.tiles()
            for t in tiles:
                level = max(level, self.tile_level.get(t, 0))
            if late and any(t in late for t in tiles):
                self.after.add(item)
                level = self.parallel
            accumulates = level > self.parallel and is_split(item)
            for t in outs_of(item):
                if accumulates:
                    # The accumulator belongs to the body around the loops over K.
                    self.tile_level[t] = self.parallel
                    late.add(t)
                else:
                    self.tile_level[t] = max(level, self.tile_level.get(t, 0))
                    if item in self.after:
                        late.add(t)
            self.level[item] = level


def _dims_of(item: Item) -> tuple[int, ...]:
    """The nest's dimensions that an item moves with."""
    if item.moves is None:
        spans = item.spans
        if isinstance(item, LoadItem | StoreItem):
            spans = (*item.positions, *item.spans)
        item.moves = tuple(sorted({d for s in spans for d in s.dims}))
    return item.moves


@lru_cache(maxsize=4096)
def _matrix_plan(
    act: tuple[int, ...], weight: tuple[int, ...], acc: tuple[int, ...], extents: tuple[int, ...], side: int
) -> MatrixPlan | None:
    return plan_matrix(act, weight, acc, extents, side)


def vector_cycles(extents: Sequence[int], limits: Limits) -> float:
    """Cycles of a multiply-accumulate over ``extents`` on the vector unit: products, and their sum."""
    return 2 * math.prod(extents) / limits.lanes("f32") * limits.config.vec_cycles["simple"]


@dataclass
class _Shape:
    """Sizes of a tile's dimensions, in its layout, as (base, ((dimension, coefficient), ...))."""

    parts: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    itemsize: int

    def of(self, sizes: Mapping[int, int]) -> tuple[int, ...]:
        """The shape for given tile sizes."""
        return tuple(
            base + sum([c * (sizes[d] - 1) for d, c in coeffs]) if coeffs else base for base, coeffs in self.parts
        )


@dataclass(frozen=True)
class _Work:
    """What one round of an item takes.

    bus: bytes. load, store: cycles of a DMA queue. mxu, vec: cycles. scratch: bytes of temporaries.
    """

    bus: float = 0.0
    load: float = 0.0
    store: float = 0.0
    mxu: float = 0.0
    vec: float = 0.0
    scratch: int = 0


_HEAVY = frozenset(("math.exp", "math.tanh", "math.erf", "math.log", "arith.divf", "math.sqrt", "math.rsqrt"))
_FREE = frozenset(("arith.extf", "arith.extsi", "arith.extui", "arith.truncf", "arith.constant"))


class Coster:
    """Estimates tilings of one nest. What does not depend on tile sizes is worked out once."""

    def __init__(self, nest: Nest, limits: Limits) -> None:
        self.nest = nest
        self.limits = limits
        self.shapes: dict[TileValue, _Shape] = {}
        self.queues: dict[TileValue, set[str]] = {}
        self.vector: dict[Item, tuple[int, float]] = {}
        for item in nest.items:
            queue = "dma" if isinstance(item, LoadItem | StoreItem) else "vec"
            if isinstance(item, ComputeItem):
                queue = "mxu" if item.matrix else "vec"
                self.vector[item] = self._passes(item)
            for tile in (*outs_of(item), *item.tiles()):
                parts = tuple((tile.spans[d].base, tile.spans[d].coeffs) for d in tile.order)
                self.shapes[tile] = _Shape(parts, DTYPE_BYTES[isa_type(tile.element_type)])
                if not isinstance(item, ReshapeItem):
                    self.queues.setdefault(tile, set()).add(queue)

    def works(self, sizes: Mapping[int, int]) -> tuple[list[_Work], dict[TileValue, int]]:
        """The work of a round of each item, and the bytes of each tile."""
        shapes = {tile: shape.of(sizes) for tile, shape in self.shapes.items()}
        nbytes = {tile: -(-math.prod(n) * self.shapes[tile].itemsize // 64) * 64 for tile, n in shapes.items()}
        return [self._work(item, sizes, shapes) for item in self.nest.items], nbytes

    def estimate(self, tiling: Tiling, works: tuple[list[_Work], dict[TileValue, int]] | None = None) -> Estimate:
        """Cycles and bytes of a tiling; the scratchpad's share of it is an upper bound in most cases.

        works: what `works` says for the tile sizes, where the caller has it.
        """
        items, nbytes = works or self.works(tiling.sizes)
        levels = Levels(self.nest, tiling)
        traffic = load = store = mxu = vec = 0.0
        scratchpad = 0
        for item, work in zip(self.nest.items, items, strict=True):
            rounds = levels.rounds[levels.level[item]]
            traffic += rounds * work.bus
            load += rounds * work.load
            store += rounds * work.store
            mxu += rounds * work.mxu
            vec += rounds * work.vec
            scratchpad += work.scratch
        for tile, queues in self.queues.items():
            level = levels.tile_level.get(tile, 0)
            scratchpad += nbytes[tile] * (2 if len(queues) > 1 and levels.rounds[level] > 1 else 1)
        config = self.limits.config
        dma = max(traffic / config.dram_bytes_per_cycle, load / max(1, config.dma_queues - 1), store)
        # The first tile's transfers and the last one's vector work overlap with nothing.
        longest = max(dma, mxu, vec)
        cycles = longest + (dma + mxu + vec - longest) / levels.rounds[-1]
        cycles += 2 * (config.dma_startup + config.dram_latency)
        return Estimate(cycles, traffic, scratchpad, {"dma": dma, "mxu": mxu, "vec": vec})

    def _work(self, item: Item, sizes: Mapping[int, int], shapes: Mapping[TileValue, tuple[int, ...]]) -> _Work:
        config = self.limits.config
        if isinstance(item, LoadItem | StoreItem):
            return self._transfer(item, shapes)
        if isinstance(item, ComputeItem):
            return self._compute(item, sizes, shapes)
        if isinstance(item, FillItem | PasteItem) and item.out is not None:
            count = math.prod(shapes[item.out])
            return _Work(vec=config.vec_startup + count / self.limits.lanes("f32"))
        return _Work()

    def _transfer(self, item: LoadItem | StoreItem, shapes: Mapping[TileValue, tuple[int, ...]]) -> _Work:
        config = self.limits.config
        tile = item.out if isinstance(item, LoadItem) else item.source
        assert tile is not None
        memory = item.source_shape if isinstance(item, LoadItem) else item.target.shape
        shape = shapes[tile]
        counts: dict[int, tuple[int, int]] = {}
        repeats = 1
        for d, n in zip(tile.order, shape, strict=True):
            if item.dims[d] in counts:
                # A second dimension along the same one of the source: a transfer for each of its elements.
                fewer = min(n, counts[item.dims[d]][0])
                repeats *= fewer
                n = max(n, counts[item.dims[d]][0])
            counts[item.dims[d]] = (n, item.steps[d])
        run, rest, chained = 1, repeats, True
        for d in range(len(memory) - 1, -1, -1):
            n, step = counts.get(d, (1, 1))
            n = min(n, memory[d])
            if chained and step == 1:
                run *= n
            else:
                rest *= n
            chained = chained and step == 1 and n == memory[d]
        itemsize = self.shapes[tile].itemsize
        bus = rest * -(-run * itemsize // config.burst_bytes) * config.burst_bytes
        # A queue hides the latency of a request only behind the transfer before it.
        local = math.prod(shape) * itemsize / config.dma_bytes_per_cycle
        busy = max(repeats * (config.dma_startup + config.dram_latency), local)
        return _Work(bus=bus, store=busy) if isinstance(item, StoreItem) else _Work(bus=bus, load=busy)

    def _passes(self, item: ComputeItem) -> tuple[int, float]:
        """(instructions, passes over the elements at the simple rate) of a body on the vector unit."""
        cycles = self.limits.config.vec_cycles
        names = [o.name for o in item.compute.op.body_ops[:-1] if o.name not in _FREE]
        heavy = sum(n in _HEAVY for n in names)
        passes = len(names) + heavy * (cycles["func"] - 1) + names.count("math.powf") * (cycles["pow"] - 1)
        if item.compute.op.product is not None and item.compute.op.reduction:
            return 2, 2.0
        return max(1, len(names)), max(1.0, passes)

    def _compute(
        self, item: ComputeItem, sizes: Mapping[int, int], shapes: Mapping[TileValue, tuple[int, ...]]
    ) -> _Work:
        limits, op = self.limits, item.compute.op
        extents = tuple(s.size(sizes) for s in item.spans)
        if item.matrix:
            plan = self.matrix_plan(item, extents, shapes)
            assert op.product is not None
            operand = item.ins[op.product[0]]
            assert operand is not None
            rate = limits.rates[isa_type(operand.element_type)]
            return _Work(mxu=math.inf if plan is None else plan.cycles(limits.side, rate))
        steps, passes = self.vector[item]
        elements = math.prod(extents)
        scratch = min(3, steps - 1) * 4 * (elements if op.reduction else math.prod(shapes[item.outs[0]]))
        return _Work(vec=steps * limits.config.vec_startup + passes * elements / limits.lanes("f32"), scratch=scratch)

    def matrix_plan(
        self, item: ComputeItem, extents: tuple[int, ...], shapes: Mapping[TileValue, tuple[int, ...]]
    ) -> MatrixPlan | None:
        """How the matrix unit runs a tile of a contraction."""
        op = item.compute.op
        assert op.product is not None
        act, weight = op.product[1 - self.nest.planner.stationary], op.product[self.nest.planner.stationary]
        strides = []
        for n in (act, weight, len(op.inputs)):
            tile = item.ins[n] if n < len(op.inputs) else item.outs[0]
            assert tile is not None
            laid = row_major(shapes[tile])
            of_dim = {d: laid[j] for j, d in enumerate(tile.order)}
            total = [0] * op.rank
            for k, affine in enumerate(op.maps[n]):
                for d, c in enumerate(affine.coeffs):
                    if c:
                        total[d] += c * of_dim[k]
            strides.append(tuple(total))
        return _matrix_plan(strides[0], strides[1], strides[2], extents, self.limits.side)


def matrix_user(limits: Limits) -> UseMatrix:
    """Which contractions the matrix unit should do on a machine: those it can, where the vector unit is not faster."""

    def use(op: Structured, element_types: Sequence[Any]) -> bool:
        if op.product is None:
            return False
        types = [isa_type(element_types[n]) for n in op.product]
        types = ["u8" if _extended_unsigned(op, n) and t == "i8" else t for n, t in zip(op.product, types, strict=True)]
        if not limits.multiplies(types[0], types[1], isa_type(op.outputs[0].type.element_type)):
            return False
        a, b = ({d for e in op.maps[n] for d in e.dims} for n in op.product)
        out = {d for e in op.maps[len(op.inputs)] for d in e.dims}
        if any(e.single is None and e.dims for e in op.maps[len(op.inputs)]):
            return False
        if any((d in a) + (d in b) + (d in out) < 2 and op.extents[d] > 1 for d in range(op.rank)):
            return False
        rows = math.prod(op.extents[d] for d in out if d in a and d not in b)
        columns = math.prod(op.extents[d] for d in out if d in b and d not in a)
        batch = math.prod(op.extents[d] for d in out if d in a and d in b)
        k = math.prod(op.extents[d] for d in range(op.rank) if d not in out)
        if rows == 1 or columns == 1:
            rows, columns = max(rows, columns), 1
            if batch > 1:
                # Depthwise and the like: the array would hold a single column at a time.
                return False
        side = limits.side
        passes = batch * -(-columns // side) * -(-k // side)
        cycles = passes * (3 * side + rows * limits.rates[types[0]])
        return cycles <= vector_cycles(op.extents, limits)

    return use


def _extended_unsigned(op: Any, n: int) -> bool:
    return any(u.owner.operation.name == "arith.extui" for u in op.body.arguments[n].uses)


__all__ = [
    "FIRST_SPLIT",
    "Coster",
    "Destination",
    "Estimate",
    "Levels",
    "Nest",
    "Tiling",
    "is_split",
    "matrix_user",
    "plan_nest",
    "store_item",
    "whole",
]
