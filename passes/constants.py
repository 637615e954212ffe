"""Constants in graph passes: reading them, computing with them lazily, and putting them back into the IR."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from accelc.core.store import Array, Store, store_function
from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.passes.graph import defining

Value = Any

# Up to this many elements a constant lives in the IR as `nn.constant`; beyond, in the store.
INLINE_ELEMENTS = 64

# Attributes that `Store.derive` has parameters of the same name for, as they are called in the store.
_STORED = {"shape": "to_shape", "dtype": "to_dtype"}
_READ = {stored: name for name, stored in _STORED.items()}

_NAMES = {dtype: name for name, dtype in nn.DTYPES.items()}


def _register(name: str) -> None:
    def evaluate(*arrays: Array, **attrs: Any) -> Array:
        values = {_READ.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
        types = nn.infer(name, [type_of_array(a) for a in arrays], values)
        [result] = nn.evaluate(name, arrays, values, types)
        return np.ascontiguousarray(result)

    store_function(f"nn.{name}")(evaluate)


FOLDABLE = frozenset(n for n, cls in nn.op_classes() if cls.num_results == 1 and n not in ("constant", "weight"))
"""Ops that the store can evaluate: those with one result (`nn.evaluate` refuses what has no value)."""

for _name in sorted(FOLDABLE):
    _register(_name)


def type_of_array(array: Array) -> TensorType:
    """Shape and `nn` element type of an array."""
    return TensorType(tuple(array.shape), _NAMES[array.dtype])


class Constants:
    """Constant values of one module and the store behind them."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ref(self, value: Value) -> str | None:
        """The store's name of a value defined by ``nn.weight`` or ``nn.constant``.

        None for any other value, and for a weight that the store does not have (IR without its constants).
        """
        op = defining(value, "weight", "constant")
        if op is None:
            return None
        if op.operation.name == "nn.weight":
            return str(op.ref) if op.ref in self.store else None
        return self.add(nn.attrs(op)["value"])

    def add(self, array: Array) -> str:
        """A leaf that holds ``array``, named by its content."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        digest = hashlib.sha256(repr((array.shape, str(array.dtype))).encode() + array.tobytes()).hexdigest()[:16]
        name = f"nn.constant.{digest}"
        return name if name in self.store else self.store.add(name, array)

    def type(self, ref: str) -> TensorType:
        """The tensor type of an entry."""
        entry = self.store.entry(ref)
        return TensorType(entry.shape, _NAMES[entry.dtype])

    def shape(self, ref: str) -> tuple[int, ...]:
        """The shape of an entry."""
        return self.store.entry(ref).shape

    def derive(self, name: str, refs: Sequence[str], **attrs: Any) -> str:
        """The entry for ``nn.<name>`` of other entries; evaluated when the artifact is written.

        Raises InvalidModelError where the operands do not fit.
        """
        [result] = nn.infer(name, [self.type(r) for r in refs], attrs)
        shape = tuple(int(s or 0) for s in result.shape)
        full = {**nn.op_class(name).defaults, **attrs}
        json = {_STORED.get(k, k): list(v) if isinstance(v, tuple) else v for k, v in full.items()}
        return self.store.derive(f"nn.{name}", list(refs), shape, nn.numpy_dtype(result.dtype), **json)

    def value(self, ref: str) -> Value:
        """The constant as an op at the current insertion point: inline if small and cheap to compute, else by name."""
        kind = self.type(ref)
        if kind.num_elements <= INLINE_ELEMENTS and self.leaf_elements(ref) <= 64 * INLINE_ELEMENTS:
            return nn.build.constant(self.store.array(ref))
        return nn.build.weight(ref, kind)

    def leaf_elements(self, ref: str) -> int:
        """How many elements of leaves an entry is computed from."""
        entry = self.store.entry(ref)
        if entry.function is None:
            return int(np.prod(entry.shape, dtype=np.int64))
        return sum(self.leaf_elements(r) for r in dict.fromkeys(entry.inputs))

    # Arithmetic on entries -------------------------------------------------------------------------------------------

    def binary(self, name: str, a: str, b: str) -> str:
        """An elementwise op on two entries of one shape."""
        return self.derive(name, [a, b])

    def broadcast(self, ref: str, shape: Sequence[int], dims: Sequence[int]) -> str:
        """An entry repeated to ``shape``, its dimension i as ``dims[i]``; the same entry where nothing changes."""
        if tuple(shape) == self.shape(ref):
            return ref
        return self.derive("broadcast", [ref], dims=tuple(dims), shape=tuple(shape))

    def transpose(self, ref: str, perm: Sequence[int]) -> str:
        """A transposed entry; the same where nothing moves."""
        return ref if tuple(perm) == tuple(range(len(perm))) else self.derive("transpose", [ref], perm=tuple(perm))

    def reshape(self, ref: str, shape: Sequence[int]) -> str:
        """A reshaped entry; the same where it has that shape."""
        return ref if self.shape(ref) == tuple(shape) else self.derive("reshape", [ref], shape=tuple(shape))

    def cast(self, ref: str, dtype: str) -> str:
        """An entry in another element type; the same where it has it."""
        return ref if self.type(ref).dtype == dtype else self.derive("cast", [ref], dtype=dtype, saturate=False)

    def scalar(self, number: float, dtype: str) -> str:
        """A rank-0 entry."""
        return self.add(np.asarray(number).astype(nn.numpy_dtype(dtype)))


def splat(value: Value) -> float | int | bool | None:
    """The one number that all elements of a constant are, seen through broadcasts and reshapes; None otherwise."""
    op = defining(value)
    while op is not None and op.operation.name in ("nn.broadcast", "nn.reshape"):
        op = defining(op.operation.operands[0])
    if op is None or op.operation.name != "nn.constant":
        return None
    attribute = op.operation.attributes["value"]
    if not attribute.is_splat:
        return None
    element = attribute.get_splat_value()
    number: float | int | bool = element.value
    return number


def scan(values: Sequence[Value], test: Callable[[float | int | bool], bool]) -> int | None:
    """The position of the first of ``values`` that is a splat for which ``test`` holds."""
    for i, value in enumerate(values):
        number = splat(value)
        if number is not None and test(number):
            return i
    return None
