"""Following a request for a tile through movement ops (padding, slices, reshapes, transposes, windows) to DRAM.

Where that succeeds the whole chain is one transfer: the DMA pads, strides and transposes on the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from accelc.targets.sim_accel.codegen.graph import Compute, Pad, Reshape, Slice, Unfold, Val
from accelc.targets.sim_accel.codegen.spans import Span

Terms = tuple[tuple[int, int], ...]


@dataclass
class Source:
    """A request followed through movement to DRAM.

    For each source dimension: where it starts, and the (requested dimension, step) terms that move along it.
    element_type: of the source; narrower than what was asked for where only an exact extension is in between.
    """

    val: Val
    shape: tuple[int, ...]
    positions: list[Span]
    terms: list[Terms]
    fill: float | int | None
    padded: set[int]
    element_type: Any


def locate(val: Val, spans: tuple[Span, ...]) -> Source | None:
    """Follows a request through movement ops to DRAM; None where the data has to be computed."""
    terms: list[Terms] = [((d, 1),) for d in range(val.rank)]
    state = Source(val, val.shape, list(spans), terms, None, set(), val.element_type)
    while state.val.memref is None:
        producer = state.val.producer
        if isinstance(producer, Pad):
            followed = _through_pad(state, producer)
        elif isinstance(producer, Slice):
            followed = _through_slice(state, producer)
        elif isinstance(producer, Unfold):
            followed = _through_unfold(state, producer)
        elif isinstance(producer, Reshape):
            followed = _through_reshape(state, producer)
        elif isinstance(producer, Compute) and producer.op.moved is not None:
            followed = _through_access(state, producer, producer.op.moved)
        elif isinstance(producer, Compute) and producer.op.extended is not None:
            followed = _through_access(state, producer, producer.op.extended)
        else:
            return None
        if not followed:
            return None
    requested = [d for terms in state.terms for d, _ in terms]
    # A diagonal asks for one index in two places, which no transfer does.
    return state if len(set(requested)) == len(requested) else None


def _through_pad(state: Source, producer: Pad) -> bool:
    if state.fill is not None and state.fill != producer.number:
        return False
    state.fill = producer.number
    for d, (low, inner, outer) in enumerate(zip(producer.low, producer.source.shape, state.val.shape, strict=True)):
        if low or inner != outer:
            if d in state.padded:
                return False
            state.positions[d] = state.positions[d].shifted(-low)
            state.padded.add(d)
    state.val, state.shape = producer.source, producer.source.shape
    return True


def _scaled(span: Span, factor: int, offset: int) -> Span:
    """The position ``span * factor + offset``."""
    return Span(span.const * factor + offset, 1, tuple((n, c * factor) for n, c in span.coeffs))


def _through_slice(state: Source, producer: Slice) -> bool:
    positions = [Span(o, 1) for o in producer.offsets]
    terms: list[Terms] = [()] * len(positions)
    if state.padded & set(range(len(producer.kept))):
        # Padding ends where the slice ends, which the DMA's bounds do not know.
        return False
    for i, d in enumerate(producer.kept):
        stride = producer.strides[d]
        positions[d] = _scaled(state.positions[i], stride, producer.offsets[d])
        terms[d] = tuple((n, step * stride) for n, step in state.terms[i])
    state.val, state.shape = producer.source, producer.source.shape
    state.positions, state.terms, state.padded = positions, terms, set()
    return True


def _through_unfold(state: Source, producer: Unfold) -> bool:
    if state.padded:
        return False
    positions, terms = list[Span](), list[Terms]()
    for access in producer.access:
        at = Span(access.const, 1)
        moved: Terms = ()
        for d, c in enumerate(access.coeffs):
            if c:
                at = _plus(at, _scaled(state.positions[d], c, 0))
                moved += tuple((n, step * c) for n, step in state.terms[d])
        positions.append(at)
        terms.append(moved)
    state.val, state.shape = producer.source, producer.source.shape
    state.positions, state.terms, state.padded = positions, terms, set()
    return True


def _plus(a: Span, b: Span) -> Span:
    coeffs = dict(a.coeffs)
    for n, c in b.coeffs:
        coeffs[n] = coeffs.get(n, 0) + c
    return Span(a.const + b.const, 1, tuple(sorted(coeffs.items())))


def _through_reshape(state: Source, producer: Reshape) -> bool:
    source = producer.source
    if source.memref is not None:
        # Contiguous memory: the same bytes under the shape that is asked for.
        state.val = source
        return True
    result = state.val.shape
    if [n for n in source.shape if n != 1] != [n for n in result if n != 1]:
        return False
    if any(result[d] == 1 for d in state.padded):
        return False
    order = iter([d for d, n in enumerate(result) if n != 1])
    positions, terms, padded = list[Span](), list[Terms](), set()
    for k, n in enumerate(source.shape):
        d = next(order) if n != 1 else None
        positions.append(Span(0, 1) if d is None else state.positions[d])
        terms.append(() if d is None else state.terms[d])
        if d in state.padded:
            padded.add(k)
    state.val, state.shape = source, source.shape
    state.positions, state.terms, state.padded = positions, terms, padded
    return True


def _through_access(state: Source, producer: Compute, argument: int) -> bool:
    op = producer.op
    source = producer.ins[argument]
    out = op.maps[len(op.inputs)]
    if source is None or any(a.single is None for a in out) or not _keeps_fill(state, source):
        return False
    where = {a.single: i for i, a in enumerate(out)}
    positions, terms, padded = list[Span](), list[Terms](), set()
    for k, affine in enumerate(op.maps[argument]):
        used = affine.dims
        if len(used) > 1 or any(c < 0 for c in affine.coeffs):
            return False
        if not used:
            positions.append(Span(affine.const, 1))
            terms.append(())
            continue
        c, i = affine.coeffs[used[0]], where[used[0]]
        positions.append(_scaled(state.positions[i], c, affine.const))
        terms.append(tuple((n, step * c) for n, step in state.terms[i]))
        if i in state.padded:
            if c != 1 or affine.const:
                return False
            padded.add(k)
    if state.padded - {where[a.dims[0]] for a in op.maps[argument] if a.dims}:
        return False
    state.val, state.shape, state.element_type = source, source.shape, source.element_type
    state.positions, state.terms, state.padded = positions, terms, padded
    return True


def _keeps_fill(state: Source, source: Val) -> bool:
    """Whether the fill is the same number in the source's element type."""
    return state.fill is None or source.element_type == state.element_type or state.fill in (0, math.inf, -math.inf)
