"""Chooses tile sizes and loop order of a nest: a coarse grid, then descent from its best points.

Deterministic; what it minimizes is an analytic estimate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel.codegen.compact import Unfolding, windows
from accelc.targets.sim_accel.codegen.graph import Compute, Val
from accelc.targets.sim_accel.codegen.memory import ScratchpadOverflow
from accelc.targets.sim_accel.codegen.nest import (
    FIRST_SPLIT,
    Coster,
    Destination,
    Estimate,
    Nest,
    Tiling,
    matrix_user,
    plan_nest,
)
from accelc.targets.sim_accel.codegen.plan import ComputeItem
from accelc.targets.sim_accel.codegen.structured import Structured
from accelc.targets.sim_accel.limits import Limits

# In how many pieces a dimension is cut; and one that has others outside of it.
_COUNTS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64, 96, 128, 192, 256, 512, 1024)
_INNER_COUNTS = (2, 4, 8, 16, 64, 256, 1024)
_MOST_SIZES = 12
# From how many points of the coarse grid the search goes on.
_SEEDS = 3


@dataclass
class Choice:
    """The tiling chosen for a nest."""

    nest: Nest
    tiling: Tiling
    estimate: Estimate


@dataclass(frozen=True)
class _Option:
    """Tile sizes of one group of dimensions; the others of the group are whole."""

    sizes: tuple[tuple[int, int], ...]

    @property
    def tiled(self) -> frozenset[int]:
        return frozenset(d for d, _ in self.sizes)


def splits(extent: int, multiple: int = 1, counts: Sequence[int] = _COUNTS) -> list[int]:
    """Sizes below ``extent`` that divide it evenly or nearly so, rounded up to a multiple; largest first."""
    sizes = []
    for count in counts:
        size = -(-extent // count)
        size = -(-size // multiple) * multiple
        if 0 < size < extent and size not in sizes:
            sizes.append(size)
    return sizes


def divisors(extent: int) -> list[int]:
    """Proper divisors, largest first."""
    return [n for n in range(extent // 2, 0, -1) if extent % n == 0] if extent < 1 << 20 else []


def group_options(
    dims: Sequence[int], extents: dict[int, int], multiple: int = 1, *, exact: bool = False
) -> list[_Option]:
    """Row-major chunks of a group of dimensions: outer ones one by one, one in pieces, inner ones whole.

    exact: only pieces that divide their dimension.
    """
    live = [d for d in dims if extents[d] > 1]
    options = [_Option(())]
    for i, d in enumerate(live):
        ones = tuple((e, 1) for e in live[:i])
        last = i == len(live) - 1
        sizes = (
            divisors(extents[d])
            if exact
            else splits(extents[d], multiple if last else 1, _INNER_COUNTS if i else _COUNTS)
        )
        options += [_Option((*ones, (d, size))) for size in sizes]
        if multiple == 1:
            options.append(_Option((*ones, (d, 1))))
    return list(dict.fromkeys(options))


# Which operand of the contraction stays in the array, and how windows are laid out.
_Layout = tuple[int, Unfolding]
# (bytes beyond the scratchpad, cycles)
_Rank = tuple[float, float]


class Search:
    """Finds the best tiling of the nest that computes one value."""

    def __init__(self, root: Val, destination: Destination, limits: Limits, capacity: int) -> None:
        self.root = root
        self.destination = destination
        self.limits = limits
        self.capacity = capacity
        self.use_matrix = matrix_user(limits)
        self._reduced: list[int] = []
        self._found: list[tuple[float, int, Choice]] = []
        self._tried: dict[tuple[tuple[_Option, ...], _Layout], _Rank] = {}
        self._costers: dict[int, Coster] = {}
        self._nests: dict[tuple[frozenset[int], tuple[tuple[int, int], ...], int, Unfolding], Nest | None] = {}

    def run(self) -> list[Choice]:
        """Choices, best first. Raises ScratchpadOverflow where none fits, UnsupportedError where there is no plan."""
        probe = self._probe()
        self._found = []
        self._tried = {}
        groups = self._groups(probe)
        coarse = [_spread(g, most) for g, most in groups]
        full = [g for g, _ in groups]
        layouts = [(s, unfold) for s in self._stationary(probe) for unfold in self._unfold(probe, s)]
        for layout in layouts:
            points = list(itertools.product(*coarse))
            ranks = sorted((self._try(probe, point, layout), i) for i, point in enumerate(points))
            for _, i in ranks[:_SEEDS]:
                self._refine(probe, points[i], layout, full)
        if not self._found:
            raise ScratchpadOverflow(
                f"no tiles of this kernel fit {self.capacity} bytes of scratchpad", notes=("give the machine more",)
            )
        return [choice for _, _, choice in sorted(self._found, key=lambda x: x[:2])]

    def _refine(self, probe: Nest, point: tuple[_Option, ...], layout: _Layout, groups: list[list[_Option]]) -> None:
        """Descends from a point of the coarse grid along one group of dimensions at a time, over all their sizes."""
        best, at, stale, i = self._try(probe, point, layout), point, 0, 0
        while stale < len(groups):
            start = at
            for option in groups[i]:
                other = (*start[:i], option, *start[i + 1 :])
                rank = self._try(probe, other, layout)
                if rank < best:
                    best, at, stale = rank, other, 0
            stale += 1
            i = (i + 1) % len(groups)

    def _try(self, probe: Nest, point: tuple[_Option, ...], layout: _Layout) -> _Rank:
        """Estimates the tilings of a point, and keeps those that fit; the best one's rank, less being better."""
        key = (point, layout)
        if key not in self._tried:
            self._tried[key] = self._estimate(probe, point, layout)
        return self._tried[key]

    def _estimate(self, probe: Nest, point: tuple[_Option, ...], layout: _Layout) -> _Rank:
        tiled, split, sizes = self._sizes(point)
        best = (math.inf, math.inf)
        nest = self._nest(tiled, split, *layout)
        if nest is None:
            return best
        every = {**nest.extents, **sizes}
        coster = self._coster(nest)
        works = coster.works(every)
        for order in self._orders(nest, sizes):
            tiling = Tiling(every, order)
            estimate = coster.estimate(tiling, works)
            if estimate.cycles == math.inf:
                continue
            # What does not fit ranks by how far it is from fitting.
            best = min(best, (max(0, estimate.scratchpad - self.capacity), estimate.cycles))
            if estimate.scratchpad <= self.capacity:
                self._found.append((estimate.cycles, len(self._found), Choice(nest, tiling, estimate)))
        return best

    def _stationary(self, probe: Nest) -> tuple[int, ...]:
        """Which operands of the contraction to try as the one that stays in the array: not one with many more rows."""
        if probe.contraction is None:
            return (1,)
        _, rows, columns, _ = self._classes(probe, probe.contraction, sorted(probe.extents))
        m, n = (math.prod(probe.extents[d] for d in group) for group in (rows, columns))
        return (1,) if m > 2 * n else (1, 0)

    def _unfold(self, probe: Nest, stationary: int) -> tuple[Unfolding, ...]:
        """Which layouts of windows to try: side by side where that fills the array better."""
        if probe.contraction is None:
            return (Unfolding.NONE,)
        op = probe.contraction.compute.op
        assert op.product is not None
        seen = [n for n in op.product if windows(op, n)]
        if not seen:
            return (Unfolding.NONE,)
        if op.product[stationary] in seen:
            return (Unfolding.ALL,)
        side = self.limits.side
        k = math.prod(op.extents[d] for d in op.reduction)
        outer = _outer_windows(op, seen[0])
        apart, together = outer * -(-(k // outer) // side), -(-k // side)
        return (Unfolding.NONE, Unfolding.OUTER) if together < 0.8 * apart else (Unfolding.NONE,)

    def _nest(
        self, tiled: frozenset[int], split: tuple[tuple[int, int], ...], stationary: int, unfold: Unfolding
    ) -> Nest | None:
        key = (tiled, split, stationary, unfold)
        if key not in self._nests:
            pairs = [(self._reduction, d) for _, d in split] if self._reduction is not None else []
            try:
                self._nests[key] = plan_nest(
                    self.root, self.destination, tiled, pairs, stationary, self.use_matrix, unfold=unfold
                )
            except UnsupportedError:
                self._nests[key] = None
        return self._nests[key]

    def _coster(self, nest: Nest) -> Coster:
        if id(nest) not in self._costers:
            self._costers[id(nest)] = Coster(nest, self.limits)
        return self._costers[id(nest)]

    _reduction: Compute | None = None

    def _probe(self) -> Nest:
        """A plan with as many dimensions tiled as can be, to see what the nest is made of."""
        rank = len(self.root.producer.op.extents) if isinstance(self.root.producer, Compute) else self.root.rank
        error: UnsupportedError | None = None
        for count in range(max(rank, self.root.rank), -1, -1):
            try:
                nest = plan_nest(self.root, self.destination, frozenset(range(count)), [], 1, self.use_matrix)
            except UnsupportedError as problem:
                error = problem
                continue
            if nest.reduction is not None:
                self._reduction = nest.reduction.compute
            return nest
        assert error is not None
        raise error

    def _groups(self, probe: Nest) -> list[tuple[list[_Option], int]]:
        """Tile sizes of each group of dimensions, and how many of them the coarse grid has; the reduction is last."""
        allowed = [d for d in sorted(probe.extents) if d in probe.tiled]
        extents = dict(probe.extents)
        if probe.contraction is None:
            groups = [(group_options(allowed, extents), _MOST_SIZES)]
        else:
            batch, rows, columns, rest = self._classes(probe, probe.contraction, allowed)
            groups = [
                (group_options(batch + rest, extents), 4),
                (group_options(rows, extents), 7),
                (group_options(columns, extents, self.limits.side), 6),
            ]
        self._reduced, k_options = self._reductions(probe)
        return [*groups, (k_options, 5 if probe.contraction is not None else _MOST_SIZES)]

    def _sizes(self, point: tuple[_Option, ...]) -> tuple[frozenset[int], tuple[tuple[int, int], ...], dict[int, int]]:
        """(tiled dimensions, split reduction dimensions, tile sizes) of a point."""
        *options, k = point
        sizes = dict(pair for o in options for pair in o.sizes)
        split = tuple((FIRST_SPLIT + i, self._reduced[n - FIRST_SPLIT]) for i, n in enumerate(sorted(k.tiled)))
        renamed = {n: FIRST_SPLIT + i for i, n in enumerate(sorted(k.tiled))}
        sizes.update({renamed[n]: size for n, size in k.sizes})
        return frozenset(d for o in options for d in o.tiled), split, sizes

    def _reductions(self, probe: Nest) -> tuple[list[int], list[_Option]]:
        """The reduction dimensions that may be split, and the tile sizes to try along them.

        Products are padded with zeros; any other reduction needs pieces that divide it.
        """
        item = probe.reduction
        if item is None:
            return [], [_Option(())]
        op = item.compute.op
        live = [d for d in op.reduction if op.extents[d] > 1]
        reductions = [i for i in probe.items if isinstance(i, ComputeItem) and i.compute.op.reduction]
        if not live or (not item.matrix and (len(reductions) > 1 or len(op.outputs) > 1)):
            return [], [_Option(())]
        extents = {FIRST_SPLIT + i: op.extents[d] for i, d in enumerate(live)}
        if item.matrix:
            largest = max(live, key=lambda d: (op.extents[d], -d))
            only = [FIRST_SPLIT + live.index(largest)]
            return live, group_options(only, extents, self.limits.side)
        return live, group_options(list(extents), extents, exact=op.product is None)

    def _classes(
        self, probe: Nest, item: ComputeItem, allowed: list[int]
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        """The nest's dimensions as batch, rows (of operand 0), columns (of operand 1), others."""
        op = item.compute.op
        assert op.product is not None
        sides = [{d for a in op.maps[n] for d in a.dims} for n in op.product]
        batch, rows, columns = list[int](), list[int](), list[int]()
        for d, span in enumerate(item.spans):
            for nest in span.dims:
                group = batch if d in sides[0] and d in sides[1] else rows if d in sides[0] else columns
                if d not in op.reduction and nest not in group and nest in allowed:
                    group.append(nest)
        known = {*batch, *rows, *columns}
        return batch, rows, columns, [d for d in allowed if d not in known]

    def _orders(self, nest: Nest, sizes: dict[int, int]) -> list[tuple[int, ...]]:
        """Loop orders to try: rows outside of columns, and columns outside of rows; K innermost."""
        loops = [d for d in sorted(nest.extents) if d in sizes and sizes[d] < nest.extents[d]]
        k = [d for d in loops if d >= FIRST_SPLIT]
        if nest.contraction is None:
            return [tuple(d for d in loops if d < FIRST_SPLIT) + tuple(k)]
        batch, rows, columns, rest = self._classes(nest, nest.contraction, [d for d in loops if d < FIRST_SPLIT])
        outer = [d for d in (*rest, *batch) if d in loops]
        a = (*outer, *(d for d in rows if d in loops), *(d for d in columns if d in loops), *k)
        b = (*outer, *(d for d in columns if d in loops), *(d for d in rows if d in loops), *k)
        return [a] if a == b else [a, b]


def _outer_windows(op: Structured, operand: int) -> int:
    """Steps of K that are not one run: windows along all windowed dimensions but the innermost."""
    counts = []
    for access in op.maps[operand]:
        live = [d for d in access.dims if op.extents[d] > 1]
        if len(live) > 1:
            counts.append(math.prod(op.extents[d] for d in live if d in op.reduction))
    return math.prod(counts[:-1])


def _spread(options: list[_Option], most: int) -> list[_Option]:
    """At most ``most`` options: the first half as they come (large tiles, mostly best), then evenly spaced."""
    if len(options) <= most:
        return options
    head = most // 2
    rest, count = options[head:], most - head
    step = (len(rest) - 1) / (count - 1)
    return options[:head] + [rest[round(i * step)] for i in range(count)]
