"""`affine`: maps on integers, and linearized indices."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from accelc.dialects.evaluators.common import DYNAMIC, affine
from accelc.dialects.interpreter import Call, Code, evaluator


@evaluator("affine.apply", "affine.min", "affine.max")
def apply(op: Any, code: Code) -> Call:
    """A map of integers: its one result, or the least or greatest of its results."""
    expressions = op.attributes["map"].value
    results = [affine(e) for e in expressions.results]
    dims = expressions.n_dims
    choices: dict[str, Call] = {"affine.apply": operator.itemgetter(0), "affine.min": min, "affine.max": max}
    choose = choices[op.name]
    return lambda *operands: choose([e(operands[:dims], operands[dims:]) for e in results])


def _basis(op: Any, used: int) -> Any:
    static = list(op.attributes["static_basis"])

    def resolve(operands: tuple[Any, ...]) -> list[int]:
        dynamic = iter(operands[used:])
        return [int(next(dynamic)) if s == DYNAMIC else s for s in static]

    return resolve


@evaluator("affine.delinearize_index")
def delinearize(op: Any, code: Code) -> Call:
    """An index as digits in a mixed basis; without an outer bound the first digit takes what is left."""
    basis, count = _basis(op, 1), len(op.results)

    def call(index: Any, *dynamic: Any) -> Any:
        digits = []
        rest = index
        for size in reversed(basis((index, *dynamic))):
            digits.append(rest % size)
            rest = rest // size
        digits = [*digits, rest][:count]
        return tuple(reversed(digits)) if count > 1 else digits[0]

    return call


@evaluator("affine.linearize_index")
def linearize(op: Any, code: Code) -> Call:
    """Digits in a mixed basis as one index."""
    segments = list(op.attributes["operandSegmentSizes"])
    basis, digits = _basis(op, segments[0]), segments[0]

    def call(*operands: Any) -> Any:
        sizes = basis(operands)
        index = operands[0]
        for digit, size in zip(operands[1:digits], sizes[len(sizes) - digits + 1 :], strict=True):
            index = index * np.int64(size) + digit
        return index

    return call
