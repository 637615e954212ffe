"""Tile and fuse: what one tile of a nest loads, computes and stores, as a function of tile positions and sizes.

A nest computes one value (its root) tile by tile. From the root's tile follow, through the accesses of each op, the
tiles of everything it needs; movement of data (padding, slices, transposes, broadcasts) becomes part of a load wherever
the source lies in DRAM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel.codegen.compact import Unfolding, compacted
from accelc.targets.sim_accel.codegen.graph import (
    Compute,
    Concat,
    Elements,
    Gather,
    Insert,
    Pad,
    Reshape,
    Slice,
    Splat,
    Val,
)
from accelc.targets.sim_accel.codegen.locate import Source, locate
from accelc.targets.sim_accel.codegen.spans import Span, apply, full
from accelc.targets.sim_accel.codegen.structured import Affine, Structured


@dataclass(eq=False)
class TileValue:
    """A tile in the scratchpad: ``spans`` of its value's dimensions, laid out in ``order``."""

    element_type: Any
    spans: tuple[Span, ...]
    order: tuple[int, ...]

    def shape(self, tile: Mapping[int, int]) -> tuple[int, ...]:
        """The tile's shape as laid out."""
        return tuple(self.spans[d].size(tile) for d in self.order)


@dataclass(eq=False)
class Item:
    """One step of a tile's work; ``out`` is the tile it makes (None for a store).

    moves: the nest's dimensions that it moves with, once they are worked out.
    """

    out: TileValue | None
    spans: tuple[Span, ...] = ()
    moves: tuple[int, ...] | None = field(default=None, kw_only=True)

    def tiles(self) -> list[TileValue]:
        """The tiles it reads."""
        return []


@dataclass(eq=False)
class LoadItem(Item):
    """DRAM to scratchpad: see `dialect.transfers`. source_shape: the shape under which ``memref`` is read."""

    source: Val = None  # type: ignore[assignment]
    source_shape: tuple[int, ...] = ()
    positions: tuple[Span, ...] = ()
    dims: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    fill: float | int = 0
    index: TileValue | None = None

    def tiles(self) -> list[TileValue]:
        """The index tile of a gather."""
        return [self.index] if self.index is not None else []


@dataclass(eq=False)
class StoreItem(Item):
    """Scratchpad to DRAM at ``positions`` of ``target``; ``dims``: the target's dimension of each value dimension."""

    source: TileValue = None  # type: ignore[assignment]
    target: Any = None
    positions: tuple[Span, ...] = ()
    dims: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()

    def tiles(self) -> list[TileValue]:
        """The stored tile."""
        return [self.source]


@dataclass(eq=False)
class FillItem(Item):
    """A tile of one number."""

    number: float | int = 0


@dataclass(eq=False)
class ComputeItem(Item):
    """A `linalg` op on tiles. ``inits``: number, tile to start from, or None, for each output."""

    compute: Compute = None  # type: ignore[assignment]
    ins: list[TileValue | None] = field(default_factory=list)
    inits: list[Any] = field(default_factory=list)
    outs: list[TileValue] = field(default_factory=list)
    matrix: bool = False

    def tiles(self) -> list[TileValue]:
        """Inputs and tensors started from."""
        return [t for t in (*self.ins, *self.inits) if isinstance(t, TileValue)]


@dataclass(eq=False)
class PasteItem(Item):
    """Copies tile ``source`` into ``out`` at fixed ``offsets`` (the rest of ``out`` was filled before)."""

    source: TileValue = None  # type: ignore[assignment]
    offsets: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()

    def tiles(self) -> list[TileValue]:
        """Source, and what it is pasted into."""
        assert self.out is not None
        return [self.source, self.out]


@dataclass(eq=False)
class ReshapeItem(Item):
    """``out`` is ``source`` under another shape: the same bytes."""

    source: TileValue = None  # type: ignore[assignment]

    def tiles(self) -> list[TileValue]:
        """The source."""
        return [self.source]


UseMatrix = Callable[[Structured, Sequence[Any]], bool]
"""Whether the matrix unit computes a contraction whose operand tiles have these element types."""


class Planner:
    """Builds the items of one nest.

    split: reduction dimensions of contractions that have tiles, by (op, dimension) -> nest dimension.
    stationary: which operand of a contraction stays in the array (its own dimensions are the accumulator's fastest).
    unfold: which windows of a convolution the DMA lays out side by side.
    """

    def __init__(
        self,
        split: Mapping[tuple[int, int], int],
        stationary: int,
        use_matrix: UseMatrix,
        *,
        unfold: Unfolding = Unfolding.NONE,
    ) -> None:
        self.items: list[Item] = []
        self.split = split
        self.stationary = stationary
        self.use_matrix = use_matrix
        self.unfold = unfold
        self._tiles: dict[Any, TileValue] = {}

    def need(self, val: Val, spans: tuple[Span, ...]) -> TileValue:
        """The tile of ``val`` over ``spans``. Raises UnsupportedError where it cannot be computed tile by tile."""
        key = (val, spans)
        if key not in self._tiles:
            self._tiles[key] = self._make(val, spans)
        return self._tiles[key]

    def computed(self, val: Val) -> tuple[tuple[Span, ...], TileValue] | None:
        """The only tile made of a value, if there is exactly one."""
        found = [(spans, tile) for (v, spans), tile in self._tiles.items() if v is val]
        return found[0] if len(found) == 1 else None

    def _add(self, item: Item) -> TileValue:
        self.items.append(item)
        assert item.out is not None
        return item.out

    def _make(self, val: Val, spans: tuple[Span, ...]) -> TileValue:
        source = locate(val, spans)
        if source is not None:
            return self._load(val, spans, source)
        producer = val.producer
        out = TileValue(val.element_type, spans, tuple(range(val.rank)))
        if isinstance(producer, Splat):
            return self._add(FillItem(out, number=producer.number))
        if producer is None:
            return self._add(FillItem(out, number=0))
        if isinstance(producer, Compute):
            return self._compute(val, spans, producer)
        if isinstance(producer, Gather):
            return self._gather(producer, out, spans)
        if isinstance(producer, Elements):
            return self._elements(producer, out, val, spans)
        if isinstance(producer, Pad):
            return self._pad(producer, out, val, spans)
        if isinstance(producer, Slice):
            return self._slice(producer, val, spans)
        if isinstance(producer, Reshape):
            return self._reshape(producer, out, val, spans)
        if isinstance(producer, Concat):
            return self._concat(producer, out, val, spans)
        if isinstance(producer, Insert):
            return self._insert(producer, out, val, spans)
        raise UnsupportedError(f"a value made by {type(producer).__name__} inside a kernel")

    # ---- loads ----

    def _load(self, val: Val, spans: tuple[Span, ...], source: Source) -> TileValue:
        dims = [-1] * val.rank
        steps = [1] * val.rank
        for d, terms in enumerate(source.terms):
            for requested, step in terms:
                dims[requested], steps[requested] = d, step
        out = TileValue(source.element_type, spans, tuple(range(val.rank)))
        fill = 0 if source.fill is None else source.fill
        item = LoadItem(out, spans, source.val, source.shape, tuple(source.positions), tuple(dims), tuple(steps), fill)
        return self._add(item)

    def _gather(self, producer: Gather, out: TileValue, spans: tuple[Span, ...]) -> TileValue:
        count = producer.rows.rank
        table = locate(producer.table, tuple(full(n) for n in producer.table.shape))
        identity = table is not None and table.terms == [((d, 1),) for d in range(producer.table.rank)]
        if table is None or not identity or table.padded or table.shape != producer.table.shape:
            raise UnsupportedError("a gather from a table that is not in memory as it is")
        rows = self.need(producer.rows, spans[:count])
        if rows.order != tuple(range(count)):
            raise UnsupportedError("a gather at transposed indices")
        positions = (Span(0, 1), *spans[count:])
        item = LoadItem(
            out,
            spans,
            table.val,
            producer.table.shape,
            positions,
            (0,) * count + tuple(range(1, producer.table.rank)),
            (1,) * out_rank(out),
            0,
            rows,
        )
        return self._add(item)

    # ---- computation ----

    def _compute(self, val: Val, spans: tuple[Span, ...], compute: Compute) -> TileValue:
        which = next(i for i, v in enumerate(compute.outs) if v is val)
        iteration = self._iteration(compute, which, spans)
        self.run(compute, iteration)
        return self._tiles[(val, spans)]

    def _iteration(self, compute: Compute, which: int, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        """The ranges of the iteration dimensions for a tile of output ``which``."""
        op = compute.op
        iteration: list[Span] = [full(n) for n in op.extents]
        for affine, span in zip(op.maps[len(op.inputs) + which], spans, strict=True):
            if affine.single is None:
                if affine.dims:
                    raise UnsupportedError("an output that is no projection of the iteration space")
                continue
            iteration[affine.single] = span
        for d in op.reduction:
            nest = self.split.get((id(compute), d))
            if nest is not None:
                iteration[d] = Span(0, 1, ((nest, 1),))
        return tuple(iteration)

    def run(self, compute: Compute, iteration: tuple[Span, ...]) -> ComputeItem:
        """Adds the computation over ``iteration``, and what it needs."""
        matrix = compute.op.product is not None and self.use_matrix(compute.op, [_stored_type(v) for v in compute.ins])
        if matrix:
            compute = compacted(compute, self.unfold)
        op = compute.op
        ins: list[TileValue | None] = []
        for n, source in enumerate(compute.ins):
            if source is None:
                ins.append(None)
            else:
                ins.append(self.need(source, tuple(apply(a, iteration) for a in op.maps[n])))
        inits: list[Any] = []
        outs: list[TileValue] = []
        if matrix and op.product is not None:
            self._lay_weights(op, op.product[self.stationary], ins[op.product[self.stationary]])
        for n, val in enumerate(compute.outs):
            access = op.maps[len(op.inputs) + n]
            spans = tuple(apply(a, iteration) for a in access)
            init = compute.inits[n]
            inits.append(self.need(init, spans) if isinstance(init, Val) else init)
            out = TileValue(val.element_type, spans, self._order(compute, access, matrix, ins))
            outs.append(out)
            self._tiles[(val, spans)] = out
        if matrix and isinstance(inits[0], TileValue):
            outs[0].order = tuple(range(len(outs[0].spans)))
        item = ComputeItem(outs[0], iteration, compute, ins, inits, outs, matrix)
        self.items.append(item)
        return item

    def _lay_weights(self, op: Structured, operand: int, tile: TileValue | None) -> None:
        """A stationary operand that comes from DRAM is laid out as the array wants it: columns fastest.

        The DMA transposes on the way, which costs nothing; loading weights transposed costs the array cycles.
        """
        item = next((i for i in self.items if isinstance(i, LoadItem) and i.out is tile), None)
        if item is None or tile is None or item.index is not None:
            return
        assert op.product is not None
        act = op.product[0] if op.product[1] == operand else op.product[1]
        # K in the order in which the activations have it, so that runs of it are runs in both.
        in_act = {d for a in op.maps[act] for d in a.dims}
        singles = [a.single for a in op.maps[operand]]
        if any(d is None for d in singles):
            return
        dims = list(range(len(singles)))
        columns = [k for k in dims if singles[k] not in in_act and singles[k] not in op.reduction]
        summed = sorted(
            (k for k in dims if singles[k] in op.reduction), key=lambda k: self._k_rank(op, act, singles[k])
        )
        rest = [k for k in dims if k not in columns and k not in summed]
        tile.order = tuple(rest + summed + columns)

    @staticmethod
    def _k_rank(op: Structured, act: int, d: int | None) -> tuple[int, int]:
        """Where a reduction dimension stands in the activations; in a window, before what lies inside of it."""
        for k, access in enumerate(op.maps[act]):
            if d is not None and d in access.dims:
                return (k, access.coeffs[d])
        return (-1, 0)

    def _order(
        self, compute: Compute, access: Sequence[Affine], matrix: bool, ins: list[TileValue | None]
    ) -> tuple[int, ...]:
        """The layout of an output tile: columns of the matrix unit fastest; else that of the inputs."""
        op = compute.op
        identity = tuple(range(len(access)))
        if matrix and op.product is not None:
            mine = {d for a in op.maps[op.product[self.stationary]] for d in a.dims}
            other = {d for a in op.maps[op.product[1 - self.stationary]] for d in a.dims}
            columns = [i for i, a in enumerate(access) if a.single in mine and a.single not in other]
            return tuple([i for i in identity if i not in columns] + columns)
        for n, tile in enumerate(ins):
            if tile is None or len(tile.order) != len(access) or tile.order == identity:
                continue
            singles = [a.single for a in op.maps[n]]
            outer = [a.single for a in access]
            if None not in singles and sorted(singles) == sorted(outer):  # type: ignore[type-var]
                return tuple(outer.index(singles[d]) for d in tile.order)
        return identity

    # ---- movement of what is in the scratchpad ----

    def _elements(self, producer: Elements, out: TileValue, val: Val, spans: tuple[Span, ...]) -> TileValue:
        if any(s.coeffs for s in spans) or any(s.base != n for s, n in zip(spans, val.shape, strict=True)):
            raise UnsupportedError("a part of a small constant")
        self._add(FillItem(out, number=producer.numbers[0]))
        for i, number in enumerate(producer.numbers[1:], 1):
            at, rest = [], i
            for n in reversed(val.shape):
                at.append(rest % n)
                rest //= n
            one = TileValue(val.element_type, (full(1),) * val.rank, tuple(range(val.rank)))
            self._add(FillItem(one, number=number))
            self._add(PasteItem(out, source=one, offsets=tuple(reversed(at)), steps=(1,) * val.rank))
        return out

    def _pad(self, producer: Pad, out: TileValue, val: Val, spans: tuple[Span, ...]) -> TileValue:
        inner: list[Span] = []
        for d, span in enumerate(spans):
            if producer.low[d] == 0 and val.shape[d] == producer.source.shape[d]:
                inner.append(span)
            elif not span.coeffs and span.const == 0 and span.base == val.shape[d]:
                inner.append(full(producer.source.shape[d]))
            else:
                raise UnsupportedError("padding of a computed value along a tiled dimension")
        source = self.need(producer.source, tuple(inner))
        self._add(FillItem(out, number=producer.number))
        return self._add(PasteItem(out, source=source, offsets=producer.low, steps=(1,) * val.rank))

    def _slice(self, producer: Slice, val: Val, spans: tuple[Span, ...]) -> TileValue:
        if any(s != 1 for s in producer.strides):
            raise UnsupportedError("a strided slice of a computed value")
        inner = [Span(o, 1) for o in producer.offsets]
        for i, d in enumerate(producer.kept):
            inner[d] = spans[i].shifted(producer.offsets[d])
        source = self.need(producer.source, tuple(inner))
        if len(producer.kept) == len(producer.offsets):
            return source
        return self._view(source, val, spans)

    def _view(self, source: TileValue, val: Val, spans: tuple[Span, ...]) -> TileValue:
        if source.order != tuple(range(len(source.order))):
            raise UnsupportedError("a reshape of a transposed tile")
        out = TileValue(source.element_type, spans, tuple(range(val.rank)))
        return self._add(ReshapeItem(out, source=source))

    def _reshape(self, producer: Reshape, out: TileValue, val: Val, spans: tuple[Span, ...]) -> TileValue:
        inner = reshaped_spans(producer.source.shape, val.shape, spans)
        if inner is None:
            raise UnsupportedError("a reshape across tiles")
        return self._view(self.need(producer.source, inner), val, spans)

    def _concat(self, producer: Concat, out: TileValue, val: Val, spans: tuple[Span, ...]) -> TileValue:
        axis = producer.axis
        span = spans[axis]
        if span.coeffs or span.const or span.base != val.shape[axis]:
            raise UnsupportedError("a concatenation along a tiled dimension")
        pieces = []
        at = 0
        for source in producer.sources:
            inner = list(spans)
            inner[axis] = full(source.shape[axis])
            pieces.append((self.need(source, tuple(inner)), at))
            at += source.shape[axis]
        self._add(FillItem(out, number=0))
        for tile, start in pieces:
            offsets = tuple(start if d == axis else 0 for d in range(val.rank))
            self._add(PasteItem(out, source=tile, offsets=offsets, steps=(1,) * val.rank))
        return out

    def _insert(self, producer: Insert, out: TileValue, val: Val, spans: tuple[Span, ...]) -> TileValue:
        if any(s.coeffs or s.const or s.base != n for s, n in zip(spans, val.shape, strict=True)):
            raise UnsupportedError("an insertion into a tiled value")
        source = self.need(producer.source, tuple(full(n) for n in producer.source.shape))
        if len(producer.kept) != val.rank:
            raise UnsupportedError("a rank-changing insertion")
        if producer.target is None:
            self._add(FillItem(out, number=0))
        else:
            whole = self.need(producer.target, spans)
            self._add(FillItem(out, number=0))
            self._add(PasteItem(out, source=whole, offsets=(0,) * val.rank, steps=(1,) * val.rank))
        return self._add(PasteItem(out, source=source, offsets=producer.offsets, steps=producer.strides))


def _stored_type(val: Val | None) -> Any:
    """The element type of the tile that a value will be read from."""
    if val is None:
        return None
    source = locate(val, tuple(full(n) for n in val.shape))
    return val.element_type if source is None else source.element_type


def out_rank(tile: TileValue) -> int:
    """Number of dimensions of a tile."""
    return len(tile.spans)


def reshaped_spans(
    source: tuple[int, ...], result: tuple[int, ...], spans: tuple[Span, ...]
) -> tuple[Span, ...] | None:
    """The spans of a reshape's source for a tile of its result that is contiguous in both; None where it is not."""
    inner: list[Span | None] = [None] * len(source)
    i = j = 0
    while i < len(source) or j < len(result):
        start_i, start_j = i, j
        a = b = 1
        if i < len(source):
            a, i = source[i], i + 1
        if j < len(result):
            b, j = result[j], j + 1
        while a != b:
            if a < b:
                if i == len(source):
                    return None
                a, i = a * source[i], i + 1
            else:
                if j == len(result):
                    return None
                b, j = b * result[j], j + 1
        if not _group(source[start_i:i], result[start_j:j], spans[start_j:j], inner, start_i):
            return None
    return tuple(s for s in inner if s is not None) if all(s is not None for s in inner) else None


def _group(
    source: tuple[int, ...], result: tuple[int, ...], spans: tuple[Span, ...], inner: list[Span | None], at: int
) -> bool:
    """Fills ``inner`` for one group of dimensions with equal products."""
    moving = [k for k, n in enumerate(result) if n > 1]
    targets = [k for k, n in enumerate(source) if n > 1]
    for k in range(len(source)):
        inner[at + k] = full(source[k])
    if len(moving) == 1 and len(targets) == 1:
        inner[at + targets[0]] = spans[moving[0]]
        return True
    return all(not s.coeffs and s.const == 0 and s.base == n for s, n in zip(spans, result, strict=True))
