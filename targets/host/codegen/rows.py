"""Reduces a row to a scalar with vectors: partial results in lanes, combined at the end.

Which lane an element goes to follows from shapes alone, so results do not depend on threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from accelc.targets.host.codegen.analysis import Uses, uses, visit_operands
from accelc.targets.host.codegen.evaluate import COMBINERS, Index, Val, invert
from accelc.targets.host.codegen.kernel_writer import KernelWriter
from accelc.targets.host.codegen.linear import Linear
from accelc.targets.host.codegen.reader import Body, Generic, NotTileable
from accelc.targets.host.codegen.writer import vector_type


@dataclass(frozen=True)
class Combiner:
    """A body of the form ``combine(accumulator, x)``: the op, the instruction of ``x``, and the neutral element."""

    op: str
    operand: int
    kind: str
    neutral: str


def combiner_of(body: Body, accumulator: int) -> Combiner | None:
    """How a reduction's body combines, where its lanes may be combined separately."""
    if len(body.yields) != 1:
        return None
    last = body.instructions[body.yields[0]]
    if last.kind != "op" or last.text not in COMBINERS or last.element in ("f16", "bf16"):
        return None
    is_accumulator = [
        body.instructions[o].kind == "argument" and body.instructions[o].operands[0] == accumulator
        for o in last.operands
    ]
    if sum(is_accumulator) != 1:
        return None
    operand = last.operands[is_accumulator.index(False)]
    if depends(body, operand, accumulator):
        return None
    kind, neutral = COMBINERS[last.text]
    return Combiner(last.text, operand, kind, neutral(last.element))


def depends(body: Body, instruction: int, argument: int) -> bool:
    """Whether an instruction uses a block argument."""
    work = [instruction]
    while work:
        current = body.instructions[work.pop()]
        if current.kind == "argument" and current.operands[0] == argument:
            return True
        if current.kind in ("op", "extract"):
            work.extend(current.operands)
    return False


def reduce_row(kw: KernelWriter, tensor: Generic, index: Index) -> None:
    """Computes the element of a reduction at ``index`` (no lanes); the evaluator knows it from here on."""
    ev = kw.evaluator
    if ev.knows(tensor, index):
        return
    op = tensor.op
    if len(op.inits) != 1:
        raise NotTileable("a reduction with several results")
    groups = _merged(kw, tensor, index)
    combiner = combiner_of(op.body, len(op.inputs))
    if combiner is None or groups is None:
        ev.value(tensor, index)
        return
    ev.remember(tensor, index, _reduce(kw, tensor, index, combiner, groups))


def _merged(kw: KernelWriter, tensor: Generic, index: Index) -> list[list[int]] | None:
    """The reduction dimensions in groups of one loop each; None where lanes would not be consecutive in memory."""
    op = tensor.op
    names = {d: f"r{d}" for d in op.reductions}
    dims = {**invert(op.maps[-1], index), **{f"d{d}": Linear.var(n) for d, n in names.items()}}
    found = Uses()
    visit_operands(tensor, dims, kw.evaluator.memory, found)
    if any(i.kind == "extract" for t in (tensor, *(t for t, _ in found.generics)) for i in t.op.body.instructions):
        return None
    for nested, at in found.reductions:  # only what is a scalar for the whole row
        if any(e.coefficient(n) for e in at for n in names.values()):
            return None
        uses(nested, at, kw.evaluator.memory)
    if any(p.coefficient(names[op.reductions[-1]]) not in (0, 1) for p in found.loads):
        return None
    groups = [[d] for d in op.reductions]
    if found.opaque:
        return groups
    for i in range(len(op.reductions) - 1, 0, -1):
        outer, inner = op.reductions[i - 1], op.reductions[i]
        if all(p.coefficient(names[outer]) == p.coefficient(names[inner]) * op.extents[inner] for p in found.loads):
            groups[i - 1 : i + 1] = [groups[i - 1] + groups[i]]
    return groups


def _reduce(kw: KernelWriter, tensor: Generic, index: Index, combiner: Combiner, groups: list[list[int]]) -> Val:
    op, ev, w = tensor.op, kw.evaluator, kw.writer
    extents = [math.prod(op.extents[d] for d in g) for g in groups]
    lanes = row_lanes(extents[-1], kw.lanes)
    element = tensor.element
    kind = vector_type(lanes, element)
    dims = {**invert(op.maps[-1], index), **{f"d{d}": Linear() for d in op.reductions}}
    start = w.constant(f"dense<{combiner.neutral}>", kind)

    def row(accumulator: str, remaining: list[int], at: dict[str, Linear]) -> str:
        if len(remaining) == 1:
            last = groups[remaining[0]][-1]

            def emit(position: Linear, carried: list[str]) -> list[str]:
                with ev.scope():
                    return [_combine(kw, tensor, combiner, {**at, f"d{last}": position}, carried[0], lanes)]

            return kw.sweep(extents[-1], lanes, emit, [(accumulator, kind)])[0]
        group, *rest = remaining
        with kw.loop(0, extents[group], carried=[(accumulator, kind)]) as loop:
            inside = {**at, f"d{groups[group][-1]}": Linear.var(loop.variable)}
            loop.yields = [row(loop.arguments[0], rest, inside)]
        return loop.results[0]

    partial = row(start, list(range(len(groups))), dims)
    result = w.op(f"vector.reduction <{combiner.kind}>, {partial} : {kind} into {element}")
    initial = ev.value(op.inits[0], index)
    ev.fill_spills()
    return ev.apply(combiner.op, [initial, Val(result, element, 1)], element)


def _combine(
    kw: KernelWriter, tensor: Generic, combiner: Combiner, dims: dict[str, Linear], accumulator: str, lanes: int
) -> str:
    op, ev, w = tensor.op, kw.evaluator, kw.writer
    arguments = [ev.lazy(t, m, dims) for t, m in zip(op.inputs, op.maps, strict=False)]
    (value,) = ev.body(op.body.instructions, [combiner.operand], arguments, dims)
    value = ev.widen(value, lanes)
    kind = vector_type(lanes, tensor.element)
    name = value.name
    if ev.mask:
        neutral = w.constant(f"dense<{combiner.neutral}>", kind)
        name = w.op(f"arith.select {ev.mask}, {name}, {neutral} : {vector_type(lanes, 'i1')}, {kind}")
    # The order of the two zeros would cost more than the maximum itself, and means nothing in a reduction.
    flags = " fastmath<nsz>" if combiner.op in ("arith.maximumf", "arith.minimumf") else ""
    return w.op(f"{combiner.op} {accumulator}, {name}{flags} : {kind}")


def row_lanes(extent: int, native: int) -> int:
    """The vector width for a row: four registers where they fill, since one would wait for its own additions."""
    for width in (native * 4, native * 2, native):
        if extent % width == 0:
            return width
    if extent >= native * 16:
        return native * 4
    return native if extent >= native else max(2, 1 << (extent - 1).bit_length())
