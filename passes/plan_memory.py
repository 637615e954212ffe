"""The pass `plan-memory`: one arena, with buffers that reuse each other's bytes once they are dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.dialects import plan
from accelc.mlir import ir
from accelc.passes.graph import body_of, main_function

Value = Any


@dataclass(frozen=True)
class Lifetime:
    """A buffer of ``size`` bytes (aligned) that is written first by step ``first`` and read last by step ``last``."""

    first: int
    last: int
    size: int


@register_pass
@dataclass(frozen=True)
class PlanMemory(Pass):
    """Gives every ``plan.alloc`` an ``offset``: liveness, then best fit, large buffers first; the same every time.

    A view keeps its source alive. A launch's outputs never share bytes with its inputs. ``@main`` gets
    ``plan.arena_bytes`` (the peak) and ``plan.arena_bytes_without_reuse`` (the sum).

    Options:
        alignment: of every offset, in bytes.
    """

    alignment: int = 64

    name = "plan-memory"
    summary = "place the plan's buffers in one arena"
    requires = frozenset({"kernels-outlined"})
    establishes = frozenset({"memory-planned"})

    def run(self, module: Any, context: PassContext) -> None:
        """Raises UsageError for an alignment that is not a power of two."""
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise UsageError(f"plan-memory needs a power of two as alignment, got {self.alignment}")
        main = main_function(module)
        if main is None:
            return
        allocs, lifetimes = lifetimes_of(main, self.alignment)
        offsets = place(lifetimes)
        i64 = ir.IntegerType.get_signless(64, context=module.context)
        for op, offset in zip(allocs, offsets, strict=True):
            op.operation.attributes["offset"] = ir.IntegerAttr.get(i64, offset)
        peak = max((o + t.size for o, t in zip(offsets, lifetimes, strict=True)), default=0)
        main.operation.attributes["plan.arena_bytes"] = ir.IntegerAttr.get(i64, peak)
        total = sum(t.size for t in lifetimes)
        main.operation.attributes["plan.arena_bytes_without_reuse"] = ir.IntegerAttr.get(i64, total)


def lifetimes_of(main: Any, alignment: int) -> tuple[list[Any], list[Lifetime]]:
    """The plan's allocations in order, and for each the steps between which it is alive."""
    root: dict[Value, Value] = {}
    allocs: list[Any] = []
    span: dict[Value, list[int]] = {}
    for step, op in enumerate(body_of(main).operations):
        name, operation = op.operation.name, op.operation
        if name == "plan.alloc":
            allocs.append(op)
            root[operation.results[0]] = operation.results[0]
        elif name == "plan.view":
            source = root.get(operation.operands[0])
            if source is not None:
                root[operation.results[0]] = source
        else:
            for value in operation.operands:
                source = root.get(value)
                if source is not None:
                    span.setdefault(source, [step, step])[1] = step
    lifetimes = []
    for op in allocs:
        value = op.operation.results[0]
        first, last = span.get(value, (0, 0))
        size = -(-plan.memref_nbytes(value.type) // alignment) * alignment
        lifetimes.append(Lifetime(first, last, size))
    return allocs, lifetimes


def place(lifetimes: list[Lifetime]) -> list[int]:
    """An offset for each buffer so that none that are alive at once overlap.

    Greedy by size (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020): the largest
    first, each into the smallest gap that holds it between those placed before that live at the same time.
    """
    order = sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, lifetimes[i].first, i))
    offsets = [0] * len(lifetimes)
    placed: list[tuple[int, int]] = []  # (offset, index), by offset
    for i in order:
        mine = lifetimes[i]
        best, best_gap, end = None, None, 0
        for offset, j in placed:
            other = lifetimes[j]
            if other.last < mine.first or mine.last < other.first:
                continue
            gap = offset - end
            if gap >= mine.size and (best_gap is None or gap < best_gap):
                best, best_gap = end, gap
            end = max(end, offset + other.size)
        offsets[i] = end if best is None else best
        placed.append((offsets[i], i))
        placed.sort()
    return offsets
