"""A loop nest that computes tensors of one shape: pointwise work, rows with reductions, pooling, copies.

Outer dimensions are tiles. Reductions that belong to a row are computed before it; others along the way. The last
dimension is swept in vectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from accelc.targets.host.codegen.analysis import Uses, is_expensive, uses, visit_operands
from accelc.targets.host.codegen.evaluate import Index, Memory, Spill, invert
from accelc.targets.host.codegen.kernel_writer import KernelWriter
from accelc.targets.host.codegen.linear import Linear, flatten
from accelc.targets.host.codegen.reader import Generic, Tensor
from accelc.targets.host.codegen.rows import reduce_row

# Elements that one tile of a one-dimensional nest covers: some microseconds of work.
_CHUNK = 4096
# Outputs of a window computed together: what they share stays in registers.
_SIDE_BY_SIDE = 4


@dataclass(frozen=True)
class Store:
    """``destination[offsets + strides * i] = value[i]``, with ``destination`` a tensor of ``shape`` in memory."""

    value: Tensor
    destination: Memory
    shape: tuple[int, ...]
    offsets: tuple[int, ...]
    strides: tuple[int, ...]

    def position(self, index: Index) -> Linear:
        """Where the element at ``index`` goes."""
        return flatten((i * s + o for i, o, s in zip(index, self.offsets, self.strides, strict=True)), self.shape)


class Nest:
    """Plans and writes the nest of some stores of values of one shape."""

    def __init__(self, writer: KernelWriter, stores: list[Store]) -> None:
        self.kw = writer
        self.stores = stores
        self.shape = stores[0].value.shape or (1,)
        self.vars = tuple(f"d{i}" for i in range(len(self.shape)))
        index = tuple(Linear.var(v) for v in self.vars) if stores[0].value.shape else ()
        self.index = index
        self.found = Uses()
        for store in stores:
            uses(store.value, index, writer.evaluator.memory, self.found)
        rows = [self._depth(t, i) for t, i in self.found.reductions if not self._by_lane(t, i)]
        # How many leading dimensions are settled before the reductions of a row are computed.
        self.prefix = max(rows, default=0)
        self.by_row = bool(rows)
        self.groups = self._merged()
        self.windowed = not self.by_row and bool(self.found.reductions) and len(self.groups) > 1

    def blocked(self) -> list[Tensor]:
        """Tensors that must be in memory before this nest can be written."""
        blocked = list(self.found.blocked)
        for tensor, index in self.found.reductions:
            used = {d for i in index for d, _ in i.terms}
            depth = self._depth(tensor, index)
            redundant = any(v not in used and n > 1 for v, n in zip(self.vars[:depth], self.shape[:depth], strict=True))
            if redundant or len(tensor.op.inits) != 1:
                blocked.append(tensor)
                continue
            inner = self._inner_uses(tensor, index)
            blocked += inner.blocked
            blocked += [t for t, at in inner.generics if self._reused(t, at, index)]
        return blocked

    def _reused(self, producer: Generic, at: Index, index: Index) -> bool:
        """Whether inlining ``producer`` into the reduction at ``index`` would compute its elements many times over."""
        used = {d for i in at for d, _ in i.terms}
        varies = {d for i in index for d, _ in i.terms}
        missed = any(v in varies and v not in used and n > 1 for v, n in zip(self.vars, self.shape, strict=True))
        return missed and len(producer.op.body.instructions) > producer.op.body.arguments

    def _depth(self, tensor: Generic, index: Index) -> int:
        """After how many dimensions the element of a reduction is known; all of them if it is reduced lane by lane."""
        used = [i for i, v in enumerate(self.vars) if any(e.coefficient(v) for e in index)]
        return max(used, default=-1) + 1

    def _by_lane(self, tensor: Generic, index: Index) -> bool:
        """Whether a reduction runs lane by lane: it varies along the last dimension, and so does its memory."""
        last = self.vars[-1]
        if not any(e.coefficient(last) for e in index) or self.shape[-1] == 1:
            return False
        inner = self._inner_uses(tensor, index)
        innermost = f"r{tensor.op.reductions[-1]}"
        rowwise = any(p.coefficient(innermost) == 1 for p in inner.loads)
        return not rowwise or tensor.op.extents[tensor.op.reductions[-1]] < 4

    def _merged(self) -> list[list[int]]:
        """The dimensions after the prefix, in groups that are one loop each."""
        groups = [[i] for i in range(self.prefix, len(self.shape))]
        positions = [*self.found.loads, *(s.position(self.index) for s in self.stores if self.index)]
        if self.found.opaque or any(self._by_lane(t, i) for t, i in self.found.reductions):
            return groups
        for i in range(len(self.shape) - 1, self.prefix, -1):
            outer, inner = self.vars[i - 1], self.vars[i]
            if all(p.coefficient(outer) == p.coefficient(inner) * self.shape[i] for p in positions):
                at = next(k for k, g in enumerate(groups) if g[0] == i)
                groups[at - 1 : at + 1] = [groups[at - 1] + groups[at]]
        return groups

    # Sizes.

    @property
    def extents(self) -> list[int]:
        """The extents of the merged dimensions after the prefix."""
        return [math.prod(self.shape[d] for d in g) for g in self.groups]

    @property
    def lanes(self) -> int:
        """The vector width of the last dimension's sweep."""
        if not self.groups:
            return 1
        extent = self.extents[-1]
        if any(s.strides[-1:] not in ((), (1,)) for s in self.stores):
            return 1
        native = self.kw.lanes
        last = self.vars[self.groups[-1][-1]]
        if any(p.coefficient(last) not in (0, 1) for p in self.found.loads) or self._gathers():
            return _fitting(extent, native if not self._gathers() else 1)
        if self.windowed:
            return _fitting(extent, native)
        heavy = any(is_expensive(t.op.body) for t, _ in self.found.generics) or bool(self.found.reductions)
        return _fitting(extent, native * (2 if heavy and not self.by_row else 4))

    def _gathers(self) -> bool:
        return any(i.kind == "extract" for t, _ in self.found.generics for i in t.op.body.instructions)

    @property
    def tile_extents(self) -> list[int]:
        """The dimensions that tiles count over: the prefix, or all but the last, or chunks of the only one."""
        if self.by_row:
            return list(self.shape[: self.prefix])
        if self.windowed:
            return self.extents[:-2]
        outer = self.extents[:-1]
        return outer if math.prod(outer) > 1 or not self.groups else [self._chunks]

    @property
    def _chunks(self) -> int:
        return max(1, -(-(self.extents[-1] // self.lanes) // (_CHUNK // self.lanes)))

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return math.prod(self.tile_extents)

    # Writing.

    def write(self, position: list[Linear]) -> None:
        """Writes the tile at ``position`` (in `tile_extents`)."""
        if self.by_row:
            index = [*position, *([Linear()] * (len(self.shape) - self.prefix))]
            self._row_reductions(index)
            self._inner(index, list(zip(self.groups, self.extents, strict=True)))
            self.kw.evaluator.spills.clear()
            return
        index = [Linear()] * len(self.shape)
        if self.windowed:
            self._windows(index, position)
        elif self.tile_extents == self.extents[:-1]:
            for group, at in zip(self.groups, position, strict=False):
                index[group[-1]] = at
            self._sweep(index, self.groups[-1], self.extents[-1])
        else:
            self._chunk(index, position[0])

    def _windows(self, index: list[Linear], position: list[Linear]) -> None:
        """Some outputs side by side, so that they share what their windows have in common (see `Evaluator.value`)."""
        for group, at in zip(self.groups, position, strict=False):
            index[group[-1]] = at
        side, extent = self.groups[-2][-1], self.extents[-2]
        first = min(extent, 1)

        def block(lane: Linear, start: Linear, count: int) -> None:
            with self.kw.evaluator.scope():
                for i in range(count):
                    inside = list(index)
                    inside[self.groups[-1][-1]] = lane
                    inside[side] = start + i
                    self._store(inside)

        def emit(lane: Linear, _: list[str]) -> list[str]:
            # The first and last outputs apart, since only their windows reach into padding.
            middle = max(0, extent - 2 * first) // _SIDE_BY_SIDE * _SIDE_BY_SIDE
            block(lane, Linear(), first)
            if middle:
                with self.kw.loop(first, first + middle, _SIDE_BY_SIDE) as loop:
                    block(lane, Linear.var(loop.variable), _SIDE_BY_SIDE)
            for at in range(first + middle, extent, _SIDE_BY_SIDE):
                block(lane, Linear(at), min(_SIDE_BY_SIDE, extent - at))
            return []

        self.kw.sweep(self.extents[-1], self.lanes, emit)

    def _inner(self, index: list[Linear], loops: list[tuple[list[int], int]]) -> None:
        if not loops:
            self._store(index)
            return
        (group, extent), *rest = loops
        if not rest:
            self._sweep(index, group, extent)
        elif extent == 1:
            self._inner(index, rest)
        else:
            with self.kw.loop(0, extent) as loop:
                inside = list(index)
                inside[group[-1]] = Linear.var(loop.variable)
                self._inner(inside, rest)

    def _sweep(self, index: list[Linear], group: list[int], extent: int) -> None:
        def emit(at: Linear, _: list[str]) -> list[str]:
            inside = list(index)
            inside[group[-1]] = at
            with self.kw.evaluator.scope():
                self._store(inside)
            return []

        self.kw.sweep(extent, self.lanes, emit)

    def _chunk(self, index: list[Linear], tile: Linear) -> None:
        """One chunk of a one-dimensional nest; the last one has the tail."""
        extent, lanes, chunks = self.extents[-1], self.lanes, self._chunks
        if chunks == 1:
            self._sweep(index, self.groups[-1], extent)
            return
        w, kw = self.kw.writer, self.kw
        per_chunk = -(-(extent // lanes) // chunks) * lanes
        whole = extent // lanes * lanes
        low = w.op(f"arith.muli {w.index(tile)}, {w.integer(per_chunk)} : index")
        high = w.op(f"arith.addi {low}, {w.integer(per_chunk)} : index")
        low, high = (w.op(f"arith.minui {x}, {w.integer(whole)} : index") for x in (low, high))

        def emit(at: Linear, _: list[str]) -> list[str]:
            inside = list(index)
            inside[self.groups[-1][-1]] = at
            with kw.evaluator.scope():
                self._store(inside)
            return []

        kw.sweep(whole, lanes, emit, low=low, high=high)
        if extent > whole:
            last = w.op(f"arith.cmpi eq, {w.index(tile)}, {w.integer(chunks - 1)} : index")
            with w.when(last), kw.evaluator.scope():
                kw.sweep(extent - whole, lanes, lambda at, c: emit(at + whole, c))

    def _store(self, index: list[Linear]) -> None:
        ev = self.kw.evaluator
        at = tuple(index) if self.index else ()
        for store in self.stores:
            value = ev.value(store.value, at)
            ev.store(value, store.destination, store.position(at))

    def _row_reductions(self, index: list[Linear]) -> None:
        """Computes the reductions of a row, and keeps what is expensive and needed again."""
        ev = self.kw.evaluator
        values = dict(zip(self.vars, index, strict=True))
        for tensor in self._worth_keeping():
            row = math.prod(tensor.shape[self.prefix :])
            ev.spills[tensor] = Spill(self.kw.scratch(row, tensor.element), self.prefix)
        for tensor, at in self._ordered():
            if not self._by_lane(tensor, at):
                reduce_row(self.kw, tensor, tuple(e.substitute(values) for e in at))

    def _inner_uses(self, tensor: Generic, index: Index) -> Uses:
        """What a reduction's loops touch, with its reduction dimensions named ``r<dimension>``."""
        inner = Uses()
        dims = {**invert(tensor.op.maps[-1], index), **{f"d{d}": Linear.var(f"r{d}") for d in tensor.op.reductions}}
        visit_operands(tensor, dims, self.kw.evaluator.memory, inner)
        return inner

    def _ordered(self) -> list[tuple[Generic, Index]]:
        """The reductions, those that others need first."""
        result: list[tuple[Generic, Index]] = []

        def add(tensor: Generic, index: Index) -> None:
            if any(t is tensor and i == index for t, i in result):
                return
            for needed in self._inner_uses(tensor, index).reductions:
                add(*needed)
            result.append((tensor, index))

        for tensor, index in self.found.reductions:
            add(tensor, index)
        return result

    def _worth_keeping(self) -> list[Generic]:
        """Expensive elementwise tensors over whole rows that more than one sweep needs."""
        sweeps = [self._inner_uses(t, i).generics for t, i in self._ordered() if not self._by_lane(t, i)]
        counts: dict[Generic, int] = {}
        for generics in [*sweeps, self.found.generics]:
            for tensor in dict.fromkeys(t for t, at in generics if self._is_row(t, at)):
                counts[tensor] = counts.get(tensor, 0) + 1
        return [t for t, n in counts.items() if n > 1 and is_expensive(t.op.body)]

    def _is_row(self, tensor: Generic, index: Index) -> bool:
        """Whether a use covers the tensor row by row: the prefix is this row, the rest its own dimensions."""
        if len(index) <= self.prefix or index[: self.prefix] != self.index[: self.prefix]:
            return False
        rest = [e.terms for e in index[self.prefix :]]
        names = [t[0][0] for t in rest if len(t) == 1 and t[0][1] == 1]
        return len(names) == len(rest) == len(set(names)) and tensor.shape == self.shape


def _fitting(extent: int, widest: int) -> int:
    """A vector width for an extent: the widest that divides it, else one that leaves a small tail."""
    for width in (widest, widest // 2, widest // 4):
        if width and extent % width == 0:
            return width
    if extent >= widest * 4:
        return widest
    return max(1, min(widest // 4 or 1, 1 << (extent - 1).bit_length()))
