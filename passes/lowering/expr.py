"""Elementwise values that are not computed yet.

`nn-to-linalg` keeps every elementwise result as an expression over tensors, and emits one ``linalg.generic`` where a
tensor is needed: so a chain of elementwise ops is one loop, whatever its shape, and an epilogue is one generic.
An expression that is emitted remembers its tensor, so nothing is computed twice across generics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Tensor = Any
Mapping = tuple[int | None, ...]
"""For each dimension of a value, the loop that runs over it; None where its size is 1 and no loop does."""


@dataclass(eq=False)
class Expr:
    """A value of static ``shape`` and `nn` element type ``dtype``; ``tensor`` is set once it lies in memory."""

    shape: tuple[int, ...]
    dtype: str
    tensor: Tensor | None = None


@dataclass(eq=False)
class Apply(Expr):
    """``body`` of the operands' elements; the operands have this shape."""

    operands: tuple[Expr, ...] = ()
    body: Callable[[Sequence[Any]], Any] = field(kw_only=True)


@dataclass(eq=False)
class Reindex(Expr):
    """A transpose or a broadcast: dimension i of ``source`` is dimension ``dims[i]`` here (or is repeated)."""

    source: Expr = field(kw_only=True)
    dims: tuple[int, ...] = ()

    def mapping_of_source(self, mapping: Mapping) -> Mapping:
        """The source's mapping, given this value's."""
        sizes = zip(self.source.shape, self.dims, strict=True)
        return tuple(None if size == 1 and self.shape[d] != 1 else mapping[d] for size, d in sizes)


@dataclass(eq=False)
class Splat(Expr):
    """One number everywhere."""

    number: float | int | bool = 0


@dataclass(eq=False)
class Iota(Expr):
    """The index along ``axis``."""

    axis: int = 0


def identity(rank: int) -> Mapping:
    """The mapping of a value that has a loop for each dimension."""
    return tuple(range(rank))


@dataclass
class Leaves:
    """The tensors that expressions read, each once for each way of indexing it, in order of first use.

    squeeze: drops unit dimensions of a tensor that no loop runs over (a ``tensor.collapse_shape``).
    """

    squeeze: Callable[[Tensor, tuple[int, ...]], Tensor]
    tensors: list[Tensor] = field(default_factory=list)
    mappings: list[tuple[int, ...]] = field(default_factory=list)
    _index: dict[tuple[Tensor, Mapping], int] = field(default_factory=dict)
    _seen: set[tuple[Expr, Mapping]] = field(default_factory=set)

    def collect(self, expr: Expr, mapping: Mapping) -> None:
        """Notes the leaves of ``expr``."""
        if (expr, mapping) in self._seen:
            return
        self._seen.add((expr, mapping))
        if expr.tensor is not None:
            self._leaf(expr.tensor, mapping)
        elif isinstance(expr, Apply):
            for operand in expr.operands:
                self.collect(operand, mapping)
        elif isinstance(expr, Reindex):
            self.collect(expr.source, expr.mapping_of_source(mapping))

    def _leaf(self, tensor: Tensor, mapping: Mapping) -> None:
        if (tensor, mapping) in self._index:
            return
        self._index[tensor, mapping] = len(self.tensors)
        dropped = tuple(i for i, loop in enumerate(mapping) if loop is None)
        self.tensors.append(self.squeeze(tensor, dropped) if dropped else tensor)
        self.mappings.append(tuple(loop for loop in mapping if loop is not None))

    def position(self, tensor: Tensor, mapping: Mapping) -> int:
        """Which input of the generic holds this leaf."""
        return self._index[tensor, mapping]


class Emitter:
    """Emits expressions as scalar ops inside the body of one generic."""

    def __init__(
        self,
        leaves: Leaves,
        arguments: Sequence[Any],
        constant: Callable[[str, float | int | bool], Any],
        index: Callable[[int, str], Any],
    ) -> None:
        self.leaves = leaves
        self.arguments = arguments
        self.constant = constant
        self.index = index
        self.known: dict[tuple[Expr, Mapping], Any] = {}

    def scalar(self, expr: Expr, mapping: Mapping) -> Any:
        """The scalar of ``expr`` at the current loop indices."""
        key = (expr, mapping)
        if key not in self.known:
            self.known[key] = self._emit(expr, mapping)
        return self.known[key]

    def _emit(self, expr: Expr, mapping: Mapping) -> Any:
        if expr.tensor is not None:
            return self.arguments[self.leaves.position(expr.tensor, mapping)]
        match expr:
            case Apply():
                return expr.body([self.scalar(operand, mapping) for operand in expr.operands])
            case Reindex():
                return self.scalar(expr.source, expr.mapping_of_source(mapping))
            case Splat():
                return self.constant(expr.dtype, expr.number)
            case Iota():
                loop = mapping[expr.axis]
                return self.constant(expr.dtype, 0) if loop is None else self.index(loop, expr.dtype)
            case _:
                raise AssertionError(f"expression without a tensor: {expr}")
