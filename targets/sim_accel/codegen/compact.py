"""Other layouts for the operands of a contraction: what a stride skips is left out, windows may be laid side by side.

Both are done by the DMA as it loads. Without the skipped elements of a strided 1x1 convolution, its pixels are one run;
with windows side by side (im2col), all of K is one run, at the price of loading elements once for each window.
"""

from __future__ import annotations

import enum
from dataclasses import replace

from accelc.targets.sim_accel.codegen.graph import Compute, Unfold, Val
from accelc.targets.sim_accel.codegen.structured import Affine, Structured


class Unfolding(enum.Enum):
    """Which windows are laid out side by side.

    OUTER: all but those along the innermost windowed dimension, whose neighbours lie side by side anyway: few, long
    transfers. ALL: every window; then the pixels are one run too, as the columns of the array need it.
    """

    NONE = 0
    OUTER = 1
    ALL = 2


def _live(op: Structured, affine: Affine) -> list[int]:
    return [d for d in affine.dims if op.extents[d] > 1]


def windows(op: Structured, operand: int) -> bool:
    """Whether an operand is read through windows that overlap or touch."""
    return any(len(_live(op, a)) > 1 for a in op.maps[operand])


def compacted(compute: Compute, unfold: Unfolding) -> Compute:
    """The contraction with compact operands (the very same object where there is nothing to do)."""
    for n in compute.op.product or ():
        changed = _compact(compute, n, unfold)
        if changed is not None:
            compute = changed
    return compute


def _compact(compute: Compute, n: int, unfold: Unfolding) -> Compute | None:
    op, source = compute.op, compute.ins[n]
    if source is None or any(c < 0 for a in op.maps[n] for c in a.coeffs):
        return None
    lives = [_live(op, a) for a in op.maps[n]]
    windowed = [k for k, live in enumerate(lives) if len(live) > 1]
    opened = {Unfolding.NONE: [], Unfolding.OUTER: windowed[:-1], Unfolding.ALL: windowed}[unfold]
    strided = any(len(live) == 1 and a.coeffs[live[0]] > 1 for a, live in zip(op.maps[n], lives, strict=True))
    if not strided and not opened:
        return None
    # The view's dimensions: (iteration dimension, None), or (None, source dimension) where windows stay.
    dims: list[tuple[int | None, int | None]] = []
    for k, live in enumerate(lives):
        if k in windowed and k not in opened:
            dims.append((None, k))
        else:
            dims += [(d, None) for d in live]
    if len(set(dims)) != len(dims):
        return None
    if opened:
        dims.sort(key=lambda item: _rank(op, n, item))
    access: list[Affine] = []
    for k, affine in enumerate(op.maps[n]):
        coeffs = [0] * len(dims)
        if (None, k) in dims:
            coeffs[dims.index((None, k))] = 1
            access.append(Affine(tuple(coeffs)))
            continue
        for d in lives[k]:
            coeffs[dims.index((d, None))] = affine.coeffs[d]
        access.append(Affine(tuple(coeffs), affine.const))
    shape = tuple(op.extents[d] if d is not None else source.shape[k or 0] for d, k in dims)
    view = Val(shape, source.element_type, Unfold(source, tuple(access)))
    every = list(op.maps)
    every[n] = tuple(_unit(op.rank, d) if d is not None else op.maps[n][k or 0] for d, k in dims)
    ins = list(compute.ins)
    ins[n] = view
    return replace(compute, op=replace(op, maps=every), ins=ins)


def _unit(rank: int, d: int) -> Affine:
    return Affine(tuple(int(i == d) for i in range(rank)))


def _rank(op: Structured, n: int, item: tuple[int | None, int | None]) -> tuple[int, int]:
    """Where a dimension belongs in an unfolded operand: the output's first, then windows that stay, then K."""
    d, k = item
    if d is None:
        return (1, k or 0)
    if d not in op.reduction:
        return (0, next(i for i, a in enumerate(op.maps[len(op.inputs)]) if a.single == d))
    assert op.product is not None
    other = op.product[1] if op.product[0] == n else op.product[0]
    return (2, next((i for i, a in enumerate(op.maps[other]) if d in a.dims), 0))
