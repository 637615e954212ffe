"""How a contraction of tiles maps to the matrix unit: which dimensions are rows, columns, and steps of K.

Everything follows from the element strides of the three tiles along each iteration dimension, so products, batched
products in any layout, and convolutions (implicit GEMM) are one case: in a convolution the stride of the activations
along an output row is that of the window's step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Strides = Sequence[int]


@dataclass(frozen=True)
class OuterLoop:
    """A loop around the array's work: its extent, and the strides (elements) of activations, weights, accumulator."""

    extent: int
    act: int
    weight: int
    acc: int


@dataclass(frozen=True)
class MatrixPlan:
    """A tile contraction on the array.

    rows: (extent, stride in the activations, stride in the accumulator), slowest first, at most 4.
    n, weight_n: columns in one run, and the weights' stride along it. k, act_k, weight_k: the same for a run of K.
    trans: whether the weights are loaded transposed. free: outer loops that the accumulator has; summed: those of K.
    """

    rows: tuple[tuple[int, int, int], ...]
    n: int
    weight_n: int
    k: int
    act_k: int
    weight_k: int
    trans: bool
    free: tuple[OuterLoop, ...]
    summed: tuple[OuterLoop, ...]

    @property
    def row_count(self) -> int:
        """Rows streamed by one ``mm.mul``."""
        return math.prod(r[0] for r in self.rows)

    def passes(self, side: int) -> int:
        """How many pairs of ``mm.load`` and ``mm.mul`` the tile takes on an array of ``side``."""
        outer = math.prod(loop.extent for loop in (*self.free, *self.summed))
        return outer * -(-self.n // side) * -(-self.k // side)

    def cycles(self, side: int, row_cycles: float) -> float:
        """Matrix unit's cycles for the tile (docs/sim_accel_isa.md, section 5)."""
        load = 2 * side if self.trans else side
        return self.passes(side) * (load + math.ceil(self.row_count * row_cycles) + 2 * side - 2)

    @property
    def ld(self) -> int:
        """Leading dimension of the weight tile in memory."""
        return self.weight_n if self.trans else self.weight_k


def _grow(start: int, members: list[int], extents: Sequence[int], strides: Sequence[Strides]) -> tuple[int, list[int]]:
    """Merges dimensions into a run that starts with ``start``: extents and strides must chain in all operands."""
    run, extent = [start], extents[start]
    while True:
        following = next((d for d in members if d not in run and all(s[d] == s[start] * extent for s in strides)), None)
        if following is None:
            return extent, run
        run.append(following)
        extent *= extents[following]


def plan_matrix(act: Strides, weight: Strides, acc: Strides, extents: Sequence[int], side: int) -> MatrixPlan | None:
    """Maps the contraction with the given strides to the array; None where it does not fit (see `MatrixPlan`).

    The accumulator's stride along the columns must be 1, and the weights must have stride 1 along columns or K.
    """
    dims = [d for d, n in enumerate(extents) if n > 1]
    rows = [d for d in dims if acc[d] and act[d] and not weight[d]]
    columns = [d for d in dims if acc[d] and weight[d] and not act[d]]
    batch = [d for d in dims if acc[d] and act[d] and weight[d]]
    summed = [d for d in dims if not acc[d] and act[d] and weight[d]]
    if len(rows) + len(columns) + len(batch) + len(summed) != len(dims):
        return None
    n0 = next((d for d in columns if acc[d] == 1), None)
    if columns and n0 is None:
        return None
    n, run_n = (1, list[int]()) if n0 is None else _grow(n0, columns, extents, (acc, weight))
    best: MatrixPlan | None = None
    starts: list[int | None] = [*summed] or [None]
    for k0 in starts:
        plan = _with_k(k0, summed, (act, weight, acc), extents, rows, columns, batch, n0, n, run_n)
        if plan is not None and (best is None or plan.cycles(side, 1) < best.cycles(side, 1)):
            best = plan
    return best


def _with_k(
    k0: int | None,
    summed: list[int],
    strides: tuple[Strides, Strides, Strides],
    extents: Sequence[int],
    rows: list[int],
    columns: list[int],
    batch: list[int],
    n0: int | None,
    n: int,
    run_n: list[int],
) -> MatrixPlan | None:
    act, weight, acc = strides
    weight_n = 1 if n0 is None else weight[n0]
    k, run_k, act_k, weight_k = 1, list[int](), 1, n
    if k0 is not None:
        k, run_k = _grow(k0, summed, extents, (act, weight))
        act_k, weight_k = act[k0], weight[k0]
    trans = weight_n != 1
    if trans and k0 is not None and weight_k != 1:
        return None
    merged = _merge_rows(sorted(rows, key=lambda d: (-acc[d], -act[d])), extents, act, acc)
    rest, inner = merged[:-4], merged[-4:]
    free = [OuterLoop(extents[d], act[d], weight[d], acc[d]) for d in batch]
    free += [OuterLoop(extents[d], 0, weight[d], acc[d]) for d in columns if d not in run_n]
    free += [OuterLoop(e, a, 0, c) for e, a, c in rest]
    outer_k = [OuterLoop(extents[d], act[d], weight[d], 0) for d in summed if d not in run_k]
    return MatrixPlan(tuple(inner) or ((1, 0, 0),), n, weight_n, k, act_k, weight_k, trans, tuple(free), tuple(outer_k))


def _merge_rows(rows: list[int], extents: Sequence[int], act: Strides, acc: Strides) -> list[tuple[int, int, int]]:
    merged: list[tuple[int, int, int]] = []
    for d in rows:
        if merged:
            extent, a, c = merged[-1]
            if a == act[d] * extents[d] and c == acc[d] * extents[d]:
                merged[-1] = (extent * extents[d], act[d], acc[d])
                continue
        merged.append((extents[d], act[d], acc[d]))
    return merged
