"""What the scalar body of a reduction computes, where it can be told at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from accelc.dialects.evaluators.arith import unsigned
from accelc.dialects.interpreter import Array
from accelc.dialects.nn.reference.numerics import precise, store

_UFUNCS: dict[str, Any] = {
    "arith.addf": np.add,
    "arith.addi": np.add,
    "arith.mulf": np.multiply,
    "arith.muli": np.multiply,
    "arith.maximumf": np.maximum,
    "arith.minimumf": np.minimum,
    "arith.maxnumf": np.fmax,
    "arith.minnumf": np.fmin,
    "arith.maxsi": np.maximum,
    "arith.minsi": np.minimum,
    "arith.maxui": np.maximum,
    "arith.minui": np.minimum,
    "arith.andi": np.bitwise_and,
    "arith.ori": np.bitwise_or,
    "arith.xori": np.bitwise_xor,
}
_WIDENING = ("arith.extf", "arith.extsi", "arith.extui")


@dataclass(frozen=True)
class Combination:
    """One output of a reduction: ``accumulator = op(accumulator, value)``."""

    op: Any
    value: Any

    def accumulate(self, elements: Array, axes: tuple[int, ...], target: Array) -> None:
        """Reduces ``elements`` along ``axes`` into ``target`` (a view with size 1 there)."""
        fn, is_unsigned = _UFUNCS[self.op.name], self.op.name.endswith("ui")
        have, wide = (unsigned(target), unsigned(elements)) if is_unsigned else (target, precise(elements))
        total = fn.reduce(wide, axis=axes, keepdims=True, dtype=wide.dtype)
        result = fn(have if is_unsigned else precise(np.asarray(have)), total)
        target[...] = result.view(target.dtype) if is_unsigned else store(result, target.dtype)


def _terminator(block: Any) -> Any:
    return block.operations[len(block.operations) - 1].operation


def _uses(value: Any) -> int:
    return sum(1 for _ in value.uses)


def _defining(value: Any) -> Any | None:
    owner = value.owner
    return getattr(owner, "operation", owner) if hasattr(owner, "operation") or hasattr(owner, "operands") else None


def combinations(block: Any, num_outputs: int) -> list[Combination] | None:
    """How each output combines with its elements by one associative op; None where one does not."""
    arguments = list(block.arguments)
    if len(arguments) < num_outputs:
        return None
    accumulators = arguments[len(arguments) - num_outputs :]
    found = []
    for accumulator, yielded in zip(accumulators, _terminator(block).operands, strict=True):
        op = _defining(yielded)
        if op is None or op.name not in _UFUNCS or _uses(accumulator) != 1 or _uses(yielded) != 1:
            return None
        if str(accumulator.type) == "i1":
            return None
        a, b = op.operands
        if accumulator not in (a, b):
            return None
        found.append(Combination(op, b if a == accumulator else a))
    return found


def is_contraction(block: Any) -> bool:
    """Whether the body of three arguments is ``acc + widen(a) * widen(b)``, with ``a`` and ``b`` of equal widening."""
    arguments = list(block.arguments)
    if len(arguments) != 3:
        return False
    combined = combinations(block, 1)
    if combined is None or combined[0].op.name not in ("arith.addf", "arith.addi"):
        return False
    multiply = _defining(combined[0].value)
    if multiply is None or multiply.name not in ("arith.mulf", "arith.muli"):
        return False
    if str(arguments[0].type) != str(arguments[1].type):
        return False
    sources = [_through_widening(v) for v in multiply.operands]
    names = {name for _, name in sources}
    # An unsigned widening reads the bits of 8-bit operands otherwise than numpy's signed arrays hold them.
    if "arith.extui" in names or len(names) != 1:
        return False
    return sorted(arguments.index(v) for v, _ in sources if v in arguments[:2]) == [0, 1]


def _through_widening(value: Any) -> tuple[Any, str]:
    op = _defining(value)
    if op is not None and op.name in _WIDENING:
        return op.operands[0], op.name
    return value, ""
