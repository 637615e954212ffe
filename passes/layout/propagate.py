"""One walk over the graph that carries permutations along instead of transposing.

A value v is *lazy* when only a permuted form of it exists: ``v = transpose(base, perm)``, where dimension i of v is
dimension ``perm[i]`` of ``base``. An *order* says the converse: ``transpose(v, order)`` is the form wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelc.core.rewrite import Rewriter
from accelc.core.store import Store
from accelc.dialects import nn
from accelc.passes.constants import Constants
from accelc.passes.graph import body_of, defining, name_of
from accelc.passes.op_kinds import CONSTANTS, SAME_SHAPE

Value = Any
Perm = tuple[int, ...]


def inverse(perm: Sequence[int]) -> Perm:
    """The permutation that undoes ``perm``."""
    result = [0] * len(perm)
    for i, p in enumerate(perm):
        result[p] = i
    return tuple(result)


def channels_last(rank: int) -> Perm:
    """The order that takes NCHW to NHWC, for any spatial rank."""
    return (0, *range(2, rank), 1)


class Lazy:
    """The lazy values of one walk."""

    def __init__(self, rewriter: Rewriter, store: Store) -> None:
        self.rewriter = rewriter
        self.constants = Constants(store)
        self.base: dict[Value, tuple[Value, Perm]] = {}
        self._made: dict[tuple[Value, Perm], Value] = {}
        self.replaced: list[Any] = []

    def order_of(self, value: Value) -> Perm | None:
        """The order in which a lazy value lies; None for one that lies as it is."""
        entry = self.base.get(value)
        return None if entry is None else inverse(entry[1])

    def define(self, op: Any, base: Value, order: Perm) -> None:
        """The result of ``op`` is now ``base``, which lies in ``order``."""
        self.base[op.operation.results[0]] = (base, inverse(order))
        self.replaced.append(op)

    def ordered(self, value: Value, order: Perm) -> Value:
        """``transpose(value, order)``, made only if it does not exist."""
        source, perm = self.base.get(value, (value, tuple(range(len(order)))))
        combined = tuple(perm[o] for o in order)
        if combined == tuple(range(len(combined))):
            return source
        key = (source, combined)
        if key not in self._made:
            self._made[key] = self._transposed(source, combined)
        return self._made[key]

    def plain(self, value: Value) -> Value:
        """The value as the model has it."""
        return self.ordered(value, tuple(range(len(value.type.shape)))) if value in self.base else value

    def _transposed(self, value: Value, perm: Perm) -> Value:
        ref = self.constants.ref(value)
        if ref is not None:
            return self.constants.value(self.constants.transpose(ref, perm))
        broadcast = defining(value, "broadcast")
        if broadcast is not None and len(broadcast.operation.operands) == 1:
            return self._rebroadcast(broadcast, perm)
        return nn.build.transpose(value, perm=perm)

    def _rebroadcast(self, broadcast: Any, perm: Perm) -> Value:
        """A broadcast with its result permuted: the operand is permuted as far as it must."""
        source, dims = broadcast.operation.operands[0], nn.attrs(broadcast)["dims"]
        where = inverse(perm)
        targets = [where[d] for d in dims]
        increasing = tuple(sorted(range(len(dims)), key=lambda i: targets[i]))
        shape = tuple(broadcast.operation.results[0].type.shape[p] for p in perm)
        operand = self.ordered(source, increasing) if increasing else source
        return nn.build.broadcast(operand, dims=tuple(targets[i] for i in increasing), shape=shape)


def propagate(main: Any, store: Store, *, channels_last: bool) -> None:
    """Rewrites the body of ``main``."""
    from accelc.passes.layout import rules

    rewriter = Rewriter(main)
    lazy = Lazy(rewriter, store)
    for op in list(body_of(main).operations):
        name = name_of(op)
        if name in CONSTANTS or not _is_static(op):
            continue
        with rewriter.before(op):
            rule = rules.RULES.get(name)
            if name in SAME_SHAPE:
                rule = rules.elementwise
            done = (channels_last and name in rules.SPATIAL and rules.spatial(lazy, op, name)) or (
                rule is not None and rule(lazy, op)
            )
            if not done:
                for i, value in enumerate(op.operation.operands):
                    if value in lazy.base:
                        rewriter.set_operand(op, i, lazy.plain(value))
    for op in reversed(lazy.replaced):
        rewriter.erase(op)


def _is_static(op: Any) -> bool:
    values = [*op.operation.operands, *op.operation.results]
    return all(v.type.has_static_shape for v in values)
