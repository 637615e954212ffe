"""Values during import: known (an array) or computed (an MLIR value), and what is known of their elements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.core.store import Array
from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.dialects.nn.types import dtype_of_array


class NeedsConstantError(UnsupportedError):
    """An op needs a value when the model is compiled that is known only when it runs.

    inputs: the graph inputs that the value is computed from; binding them to constants (or, where only their sizes
    matter, fixing their dimensions) makes the model compilable.
    """

    def __init__(self, message: str, *, inputs: Iterable[str] = (), notes: tuple[str, ...] = ()) -> None:
        self.inputs = tuple(inputs)
        super().__init__(message, notes=notes)


class Partial(NamedTuple):
    """What is known of a small integer tensor's elements: ``values`` where ``known`` is true."""

    values: Array
    known: Array


@dataclass(eq=False)
class Value:
    """A tensor during import.

    type: its type. array: its elements, where they are known. handle: the MLIR value, once there is one.
    name: what the store calls the array, for an initializer. partial: for sizes, the elements that are known.
    """

    type: TensorType
    array: Array | None = None
    handle: Any = None
    name: str | None = None
    partial: Partial | None = None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Sizes; None where unknown."""
        return self.type.shape

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.type.shape)

    @property
    def dtype(self) -> str:
        """The element type's name in nn."""
        return self.type.dtype

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating point."""
        return nn.is_float(self.type.dtype)


@dataclass(eq=False)
class Sequence:
    """An ONNX sequence whose length is known: it exists during import only."""

    items: tuple[AnyValue, ...]


@dataclass(eq=False)
class Optional:
    """An ONNX optional: what it holds, or None; known during import."""

    item: AnyValue | None


AnyValue: TypeAlias = Value | Sequence | Optional


def known(array: Array, name: str | None = None) -> Value:
    """A value whose elements are known."""
    array = np.asarray(array)
    return Value(TensorType(array.shape, dtype_of_array(array)), array=array, name=name)


def sources(handle: Any, *, through_sizes: bool = True) -> tuple[str, ...]:
    """Names of the function arguments that an MLIR value is computed from, in order of the arguments.

    through_sizes: also those of which only the sizes matter.
    """
    found: dict[int, str] = {}
    seen: set[int] = set()
    stack = [handle]
    while stack:
        value = stack.pop()
        owner = value.owner
        if hasattr(owner, "arguments"):  # a block: the value is an argument of the function
            attributes = owner.owner.attributes["arg_attrs"][value.arg_number]
            found[value.arg_number] = str(attributes["nn.name"].value)
            continue
        # Two handles of one op differ as Python objects; its hash is that of the op.
        if hash(owner) not in seen and (through_sizes or owner.name not in ("nn.shape_of", "nn.dim")):
            seen.add(hash(owner))
            stack.extend(owner.operands)
    return tuple(found[i] for i in sorted(found))
