"""Handlers of ONNX ops, and what a handler sees of its node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx

from accelc.core.diagnostics import InternalError, InvalidModelError, UnsupportedError
from accelc.core.store import Array
from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.tensors import from_sparse, to_array
from accelc.frontend.onnx.values import AnyValue, Optional, Sequence, Value

if TYPE_CHECKING:
    from accelc.frontend.onnx.importer import GraphImporter

Results: TypeAlias = "AnyValue | list[AnyValue | None] | list[Value] | list[Value | None]"
Handler = Callable[["Node"], Results]


@dataclass(frozen=True)
class Registered:
    """A handler, and the limits that the table of supported ops shows (empty: none)."""

    function: Handler
    limits: str


# What a handler returns to have the op expanded by ONNX's own definition.
EXPAND: Any = NotImplemented

# (domain, op) -> handler; the default domain is "".
HANDLERS: dict[tuple[str, str], Registered] = {}


def handler(*ops: str, domain: str = "", limits: str = "") -> Callable[[Handler], Handler]:
    """Registers a function as the handler of all versions of ``ops``. ``limits``: what it refuses, by name."""

    def register(function: Handler) -> Handler:
        for op in ops:
            if (domain, op) in HANDLERS:
                raise InternalError(f"ONNX op '{op}' has two handlers")
            HANDLERS[domain, op] = Registered(function, limits)
        return function

    return register


@dataclass
class Node:
    """One ONNX node with its inputs imported and its attributes decoded.

    version: the opset version of the node's domain in this model. wanted: for each output, whether anything names it.
    """

    op: str
    name: str
    version: int
    inputs: list[AnyValue | None]
    attributes: Mapping[str, Any]
    wanted: list[bool]
    b: Builder
    importer: GraphImporter

    def has(self, i: int) -> bool:
        """Whether input ``i`` is given."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def value(self, i: int) -> AnyValue:
        """Input ``i``, whatever it is. Raises InvalidModelError if it is not given."""
        value = self.inputs[i] if i < len(self.inputs) else None
        if value is None:
            raise InvalidModelError(f"{self.op} needs input {i}")
        return value

    def x(self, i: int = 0) -> Value:
        """Input ``i``, a tensor. Raises InvalidModelError if it is not given or no tensor."""
        value = self.value(i)
        if not isinstance(value, Value):
            kind = "a sequence" if isinstance(value, Sequence) else "an optional"
            raise InvalidModelError(f"{self.op} needs a tensor as input {i}, got {kind}")
        return value

    def maybe(self, i: int) -> Value | None:
        """Input ``i`` if it is given."""
        if not self.has(i):
            return None
        value = self.inputs[i]
        if isinstance(value, Optional):
            value = value.item
        assert value is None or isinstance(value, Value)
        return value

    def sequence(self, i: int = 0) -> Sequence:
        """Input ``i``, a sequence. Raises InvalidModelError if it is none."""
        value = self.value(i)
        if not isinstance(value, Sequence):
            raise InvalidModelError(f"{self.op} needs a sequence as input {i}")
        return value

    def wants(self, i: int) -> bool:
        """Whether output ``i`` is used."""
        return i < len(self.wanted) and self.wanted[i]

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute."""
        return int(self._attribute(name, default))

    def flag(self, name: str, default: bool = False) -> bool:
        """An integer attribute that means yes or no."""
        return bool(self._attribute(name, int(default)))

    def real(self, name: str, default: float | None = None) -> float:
        """A float attribute."""
        return float(self._attribute(name, default))

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute."""
        return str(self._attribute(name, default))

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        """A list of integers."""
        return [int(i) for i in self._attribute(name, default)]

    def maybe_ints(self, name: str) -> list[int] | None:
        """A list of integers, if it is given."""
        return self.ints(name) if name in self.attributes else None

    def array(self, name: str) -> Array:
        """A tensor attribute."""
        value: Array = self._attribute(name, None)
        return value

    def _attribute(self, name: str, default: Any) -> Any:
        value = self.attributes.get(name, default)
        if value is None:
            raise InvalidModelError(f"{self.op} needs the attribute '{name}'")
        return value

    def axis(self, rank: int, default: int | None = None, name: str = "axis") -> int:
        """An axis attribute, resolved to be non-negative."""
        return self.resolve(self.integer(name, default), rank)

    def resolve(self, axis: int, rank: int) -> int:
        """An axis counted from the front. Raises InvalidModelError where there is no such axis."""
        if not -rank <= axis < rank:
            raise InvalidModelError(f"{self.op} has axis {axis} for a tensor of rank {rank}")
        return axis % rank

    def resolve_all(self, axes: list[int], rank: int) -> list[int]:
        """Axes counted from the front, in the order given. Raises InvalidModelError for a repeated one."""
        found = [self.resolve(a, rank) for a in axes]
        if len(set(found)) != len(found):
            raise InvalidModelError(f"{self.op} has an axis twice in {axes}")
        return found

    def constant(self, i: int, what: str) -> Array:
        """The elements of input ``i``, needed at import. Raises NeedsConstantError where they are not known."""
        return self.b.array(self.x(i), f"{what} of {self.op} (input {i})")

    def constant_ints(self, i: int, what: str) -> list[int]:
        """`constant` as a list of integers."""
        return [int(v) for v in self.constant(i, what).reshape(-1)]

    def attr_or_input(self, name: str, i: int, since: int) -> list[int] | None:
        """Integers that were the attribute ``name`` before opset ``since``, and are input ``i`` from then on."""
        if self.version < since:
            return self.maybe_ints(name)
        return self.constant_ints(i, name) if self.has(i) else None

    def static(self, value: Value, rank: int | None = None) -> tuple[int, ...]:
        """A shape without unknown sizes. Raises UnsupportedError for an unknown one, InvalidModelError for the rank."""
        if rank is not None and value.rank != rank:
            raise InvalidModelError(f"{self.op} needs a tensor of rank {rank}, got {value.type}")
        if not value.type.is_static:
            raise UnsupportedError(
                f"{self.op} needs a static shape, got {value.type}",
                notes=("fix the sizes of the inputs (--dim NAME=SIZE)",),
            )
        return tuple(s for s in value.shape if s is not None)

    def unsupported(self, what: str, *notes: str) -> UnsupportedError:
        """An error that names op and feature, to be raised."""
        return UnsupportedError(f"{self.op} {what} is not supported", notes=notes)

    def invalid(self, what: str) -> InvalidModelError:
        """An error that names the op, to be raised."""
        return InvalidModelError(f"{self.op} {what}")


def decode_attributes(node: onnx.NodeProto, env: Mapping[str, onnx.AttributeProto]) -> dict[str, Any]:
    """Attributes as Python values; those that refer to attributes of the function around are looked up in ``env``."""
    found: dict[str, Any] = {}
    for a in node.attribute:
        proto = env.get(a.ref_attr_name) if a.ref_attr_name else a
        if proto is not None:
            found[a.name] = _decode(proto)
    return found


def _decode(a: onnx.AttributeProto) -> Any:
    kind = onnx.AttributeProto
    if a.type == kind.TENSOR:
        return to_array(a.t, f"attribute '{a.name}'")
    if a.type == kind.SPARSE_TENSOR:
        return from_sparse(a.sparse_tensor)
    if a.type == kind.STRING:
        return a.s.decode("utf-8", "replace")
    if a.type == kind.STRINGS:
        return [s.decode("utf-8", "replace") for s in a.strings]
    if a.type == kind.TENSORS:
        return [to_array(t, f"attribute '{a.name}'") for t in a.tensors]
    if a.type in (kind.INTS, kind.FLOATS):
        return list(a.ints if a.type == kind.INTS else a.floats)
    if a.type == kind.FLOAT:
        return float(np.float32(a.f))
    return onnx.helper.get_attribute_value(a)
