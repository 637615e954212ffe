"""Nests: the root of a loop nest, its dimensions, and the cost of a tiling of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel.codegen.graph import Compute, Val
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
    locate,
)
from accelc.targets.sim_accel.codegen.spans import Span, full
from accelc.targets.sim_accel.codegen.structured import Structured
from accelc.targets.sim_accel.codegen.tiles import isa_type, row_major
from accelc.targets.sim_accel.limits import Limits
from accelc.targets.sim_accel.isa import DTYPE_BYTES

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
    """Tile sizes of a nest's dimensions, and the order of the loops (outermost first; those with one round left out)."""

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
    use_matrix: Callable[[Structured], bool],
) -> Nest:
    """Plans the nest that computes ``root`` with tiles along the dimensions ``tiled``.

    split: (contraction, reduction dimension) pairs with tiles of their own: nest dimensions from FIRST_SPLIT on.
    Raises UnsupportedError where that is impossible.
    """
    numbers = {(id(c), d): FIRST_SPLIT + i for i, (c, d) in enumerate(split)}
    planner = Planner(numbers, stationary, use_matrix)
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
            spans = item.spans
            if isinstance(item, LoadItem):
                spans = (*item.positions, *item.spans)
            elif isinstance(item, StoreItem):
                spans = (*item.positions, *item.spans)
            level = max((self.depth_of.get(d, 0) for s in spans for d in s.dims), default=0)
            level = max([level, *(self.tile_level.get(t, 0) for t in item.tiles())])
            outs = item.outs if isinstance(item, ComputeItem) else [item.out] if item.out is not None else []
            if any(t in late for t in item.tiles()):
                self.after.add(item)
                level = self.parallel
            if level > self.parallel and is_split(item):
                # The accumulator belongs to the body around the loops over K.
                for t in outs:
                    self.tile_level[t] = self.parallel
                    late.add(t)
            else:
                for t in outs:
                    self.tile_level[t] = max(level, self.tile_level.get(t, 0))
                    if item in self.after:
                        late.add(t)
            self.level[item] = level


@lru_cache(maxsize=4096)
def _matrix_plan(
    act: tuple[int, ...], weight: tuple[int, ...], acc: tuple[int, ...], extents: tuple[int, ...], side: int
) -> MatrixPlan | None:
    return plan_matrix(act, weight, acc, extents, side)


def best_matrix(
    strides: Sequence[tuple[int, ...]], product: tuple[int, int], extents: tuple[int, ...], side: int, rate: float
) -> MatrixPlan | None:
    """The cheaper of the two ways to give the operands of a contraction their roles."""
    best: MatrixPlan | None = None
    for a, b in (product, product[::-1]):
        plan = _matrix_plan(strides[a], strides[b], strides[-1], extents, side)
        if plan is not None and (best is None or plan.cycles(side, rate) < best.cycles(side, rate)):
            best = plan
    return best


def vector_cycles(extents: Sequence[int], limits: Limits) -> float:
    """Cycles of a multiply-accumulate over ``extents`` on the vector unit: products, and their sum."""
    return 2 * math.prod(extents) / limits.lanes("f32") * limits.config.vec_cycles["simple"]


class Coster:
    """Estimates tilings of one nest."""

    def __init__(self, nest: Nest, limits: Limits) -> None:
        self.nest = nest
        self.limits = limits

    def estimate(self, tiling: Tiling) -> Estimate:
        """Cycles and bytes of a tiling; the scratchpad's share of it is an upper bound in most cases."""
        levels = Levels(self.nest, tiling)
        limits, sizes = self.limits, tiling.sizes
        users = self._users(levels)
        traffic = dma = mxu = vec = 0.0
        scratchpad = 0
        for item in self.nest.items:
            rounds = levels.rounds[levels.level[item]]
            if isinstance(item, LoadItem | StoreItem):
                bus, cycles = self._transfer(item, sizes)
                traffic += rounds * bus
                dma += rounds * cycles
            elif isinstance(item, ComputeItem):
                m, v, scratch = self._compute(item, sizes)
                mxu += rounds * m
                vec += rounds * v
                scratchpad += scratch
            elif isinstance(item, FillItem | PasteItem) and item.out is not None:
                n = math.prod(item.out.shape(sizes))
                vec += rounds * (limits.config.vec_startup + n / limits.lanes("f32"))
        for tile, queues in users.items():
            size = -(-math.prod(tile.shape(sizes)) * DTYPE_BYTES[isa_type(tile.element_type)] // 64) * 64
            level = levels.tile_level.get(tile, 0)
            scratchpad += size * (2 if level and len(queues) > 1 and levels.rounds[level] > 1 else 1)
        total = levels.rounds[-1]
        # The first tile's transfers and the last one's vector work overlap with nothing.
        cycles = max(dma, mxu, vec) + (dma + mxu + vec - max(dma, mxu, vec)) / max(1, total)
        cycles += 2 * (limits.config.dma_startup + limits.config.dram_latency)
        return Estimate(cycles, traffic, scratchpad, {"dma": dma, "mxu": mxu, "vec": vec})

    def _users(self, levels: Levels) -> dict[TileValue, set[str]]:
        users: dict[TileValue, set[str]] = {}
        for item in self.nest.items:
            queue = "dma" if isinstance(item, LoadItem | StoreItem) else "vec"
            if isinstance(item, ComputeItem) and item.matrix:
                queue = "mxu"
            if isinstance(item, ReshapeItem):
                continue
            outs = item.outs if isinstance(item, ComputeItem) else [item.out] if item.out is not None else []
            for tile in (*outs, *item.tiles()):
                users.setdefault(tile, set()).add(queue)
        return users

    def _transfer(self, item: LoadItem | StoreItem, sizes: Mapping[int, int]) -> tuple[float, float]:
        """(bytes on the bus, cycles) of one transfer."""
        limits = self.limits
        tile = item.out if isinstance(item, LoadItem) else item.source
        assert tile is not None
        memref_shape = item.source_shape if isinstance(item, LoadItem) else item.target.shape
        counts = {d: s.size(sizes) for d, s in zip(item.dims, tile.spans, strict=True) if d >= 0}
        steps = dict(zip(item.dims, item.steps, strict=True))
        run, rest, chained = 1, 1, True
        for d in reversed(range(len(memref_shape))):
            n = min(counts.get(d, 1), memref_shape[d])
            if chained and steps.get(d, 1) == 1:
                run *= n
            else:
                rest *= n
            chained = chained and n == memref_shape[d] and steps.get(d, 1) == 1
        item_bytes = DTYPE_BYTES[isa_type(tile.element_type)]
        bus = rest * -(-run * item_bytes // limits.config.burst_bytes) * limits.config.burst_bytes
        side = math.prod(s.size(sizes) for s in tile.spans) * item_bytes / limits.config.dma_bytes_per_cycle
        return bus, limits.config.dma_startup + max(bus / limits.config.dram_bytes_per_cycle, side / max(1, limits.config.dma_queues - 1))

    def _compute(self, item: ComputeItem, sizes: Mapping[int, int]) -> tuple[float, float, int]:
        """(matrix cycles, vector cycles, scratch bytes) of one round."""
        limits, op = self.limits, item.compute.op
        extents = tuple(s.size(sizes) for s in item.spans)
        if item.matrix:
            plan = self.matrix_plan(item, extents, sizes)
            if plan is None:
                return math.inf, 0.0, 0
            dtype = isa_type(op.inputs[op.product[0]].type.element_type)  # type: ignore[index]
            return plan.cycles(limits.side, limits.rates[dtype]), 0.0, 0
        steps = max(1, sum(1 for o in op.body_ops[:-1] if not o.name.startswith("arith.ext") and o.name not in ("arith.truncf", "arith.constant")))
        elements = math.prod(extents)
        heavy = sum(1 for o in op.body_ops if o.name in ("math.exp", "math.tanh", "math.erf", "math.log", "arith.divf", "math.sqrt", "math.rsqrt"))
        heavy += 4 * sum(1 for o in op.body_ops if o.name == "math.powf")
        passes = steps + heavy * (limits.config.vec_cycles["func"] - 1)
        if op.reduction and op.product is not None:
            passes = 2 * limits.config.vec_cycles["simple"]
        parallel = math.prod(n for d, n in enumerate(extents) if d not in op.reduction)
        scratch = min(3, max(0, steps - 1)) * 4 * (elements if op.reduction and steps > 1 else parallel)
        return 0.0, steps * limits.config.vec_startup + passes * elements / limits.lanes("f32"), scratch

    def matrix_plan(self, item: ComputeItem, extents: tuple[int, ...], sizes: Mapping[int, int]) -> MatrixPlan | None:
        """How the matrix unit runs a tile of a contraction."""
        op = item.compute.op
        assert op.product is not None
        strides = []
        for n in (*op.product, len(op.inputs)):
            tile = item.ins[n] if n < len(op.inputs) else item.outs[0]
            assert tile is not None
            laid = row_major(tile.shape(sizes))
            of_dim = {d: laid[j] for j, d in enumerate(tile.order)}
            total = [0] * op.rank
            for k, affine in enumerate(op.maps[n]):
                for d, c in enumerate(affine.coeffs):
                    total[d] += c * of_dim[k]
            strides.append(tuple(total))
        dtype = isa_type(op.inputs[op.product[0]].type.element_type)
        return best_matrix(strides, (0, 1), extents, self.limits.side, self.limits.rates[dtype])


def matrix_user(limits: Limits) -> Callable[[Structured], bool]:
    """Which contractions the matrix unit should do on a machine: those it can, where the vector unit is not faster."""

    def use(op: Structured) -> bool:
        if op.product is None:
            return False
        types = [isa_type(op.inputs[n].type.element_type) for n in op.product]
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
