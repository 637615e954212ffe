"""`scf`: loops and branches, run in order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from accelc.dialects.evaluators.common import mixed
from accelc.dialects.evaluators.tensor import insert_into
from accelc.dialects.interpreter import Array, Call, Code, evaluator


def _results(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


@evaluator("scf.for")
def for_(op: Any, code: Code) -> Call:
    """A counted loop that carries values."""
    body = code.region(op)

    def call(low: Any, high: Any, step: Any, *carried: Any) -> Any:
        kind = type(low)
        values: Sequence[Any] = carried
        for i in range(int(low), int(high), int(step)):
            values = body(kind(i), *values)
        return _results(values)

    return call


@evaluator("scf.if")
def if_(op: Any, code: Code) -> Call:
    """One of two regions."""
    then = code.region(op)
    otherwise = code.region(op, 1) if len(op.regions[1].blocks) else None

    def call(condition: Any) -> Any:
        if condition:
            return _results(then())
        return _results(otherwise()) if otherwise is not None else None

    return call


@evaluator("scf.while")
def while_(op: Any, code: Code) -> Call:
    """``do before while condition: after``."""
    before, after = code.region(op), code.region(op, 1)

    def call(*carried: Any) -> Any:
        values: Sequence[Any] = carried
        while True:
            condition, *values = before(*values)
            if not condition:
                return _results(values)
            values = after(*values)

    return call


@evaluator("scf.execute_region")
def execute_region(op: Any, code: Code) -> Call:
    """A region, once."""
    body = code.region(op)
    return lambda: _results(body())


@evaluator("scf.parallel")
def parallel(op: Any, code: Code) -> Call:
    """A nest of loops without order; reductions combine in order here."""
    segments = list(op.attributes["operandSegmentSizes"])
    rank = segments[0]
    body = code.region(op)
    reduce = body.terminator
    combiners = [code.region(reduce, i) for i in range(len(reduce.regions))] if reduce is not None else []

    def call(*operands: Any) -> Any:
        lows, highs, steps = (operands[i * rank : (i + 1) * rank] for i in range(3))
        values = list(operands[3 * rank :])
        ranges = [range(int(a), int(b), int(s)) for a, b, s in zip(lows, highs, steps, strict=True)]
        for point in product(*ranges):
            given = body(*[np.int64(i) for i in point])
            values = [c(v, g)[0] for c, v, g in zip(combiners, values, given, strict=True)]
        return _results(values)

    return call


@evaluator("scf.forall")
def forall(op: Any, code: Code) -> Call:
    """A nest of loops without order; on tensors every iteration inserts its parts into the shared outputs."""
    rank = len(op.attributes["staticLowerBound"])
    segments = list(op.attributes["operandSegmentSizes"])
    bounds = [
        _bound(op, name, sum(segments[:group]), segments[group])
        for group, name in enumerate(("staticLowerBound", "staticUpperBound", "staticStep"))
    ]
    outputs = sum(segments[:3])
    body = code.region(op)
    shared = [code.slot(a) for a in list(op.regions[0].blocks[0].arguments)[rank:]]
    inserts = _inserts(body.terminator, code) if body.terminator is not None and len(body.terminator.regions) else []

    def call(*operands: Any) -> Any:
        low, high, step = (resolve(operands) for resolve in bounds)
        values: list[Array] = [np.array(v) for v in operands[outputs:]]
        for point in product(*[range(a, b, s) for a, b, s in zip(low, high, step, strict=True)]):
            body(*[np.int64(i) for i in point], *values)
            for source, target, rest, resolve in inserts:
                registers = code.registers
                given = [registers[i] for i in rest]
                insert_into(values[shared.index(target)], registers[source], resolve, given)
        return _results(values) if values else None

    return call


def _bound(op: Any, name: str, start: int, count: int) -> Any:
    static = list(op.attributes[name])

    def resolve(operands: Sequence[Any]) -> list[int]:
        dynamic = iter(operands[start : start + count])
        return [int(next(dynamic)) if s < -(2**62) else s for s in static]

    return resolve


def _inserts(terminator: Any, code: Code) -> list[Any]:
    found = []
    for inner in terminator.regions[0].blocks[0].operations:
        op = inner.operation
        slots = [code.slot(v) for v in op.operands]
        resolve = tuple(mixed(op, name, group) for group, name in ((2, "offsets"), (3, "sizes"), (4, "strides")))
        found.append((slots[0], slots[1], slots, resolve))
    return found
