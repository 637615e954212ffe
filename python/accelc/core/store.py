"""The constant store: weights live here, never in the IR.

A store maps names to *expressions*. A leaf holds an array (usually a memory map into the model file); a
derived entry names a registered store function, its inputs and its attributes, and is evaluated when somebody
asks for the array. So folding, packing, casting and quantising a weight is one line in a pass, costs nothing until the
artifact is written, and is streamed tensor by tensor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accelc.core.diagnostics import InternalError

Array = np.ndarray[Any, Any]
StoreFunction = Callable[..., Array]

_FUNCTIONS: dict[str, StoreFunction] = {}


def store_function(name: str) -> Callable[[StoreFunction], StoreFunction]:
    """Registers ``fn(*inputs: Array, **attrs) -> Array`` as the evaluator of derived entries called ``name``."""

    def register(fn: StoreFunction) -> StoreFunction:
        if name in _FUNCTIONS:
            raise InternalError(f"store function '{name}' is registered twice")
        _FUNCTIONS[name] = fn
        return fn

    return register


@dataclass(frozen=True)
class Entry:
    """One constant: a leaf (``load`` set) or ``function(*inputs, **attrs)``."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], Array] | None = None
    function: str | None = None
    inputs: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes (4-bit types count one byte an element here; packing is a layout)."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Store:
    """Named constants, lazily evaluated and identified by content."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._digests: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, name: str) -> Entry:
        """The entry called ``name``. Raises InternalError if there is none."""
        try:
            return self._entries[name]
        except KeyError:
            raise InternalError(f"the constant store has no entry '{name}'") from None

    def add(self, name: str, array: Array) -> str:
        """Adds a leaf that holds ``array`` (kept by reference, so a memory map stays one)."""
        return self.add_lazy(name, array.shape, array.dtype, lambda: array)

    def add_lazy(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        load: Callable[[], Array],
        *,
        digest: str | None = None,
    ) -> str:
        """Adds a leaf whose array is produced by ``load()`` when needed.

        ``digest`` identifies the content where the caller knows it already (say, hash of the file plus offset).
        """
        if name in self._entries:
            raise InternalError(f"the constant store has an entry '{name}' already")
        self._entries[name] = Entry(tuple(shape), np.dtype(dtype), load=load)
        if digest is not None:
            self._digests[name] = digest
        return name

    def derive(
        self,
        function: str,
        inputs: list[str],
        shape: tuple[int, ...],
        dtype: np.dtype[Any] | type,
        /,
        **attrs: Any,
    ) -> str:
        """Adds (or finds) the entry ``function(*inputs, **attrs)`` and returns its name.

        The name depends on the expression alone, so deriving the same thing twice gives one entry. ``attrs``
        must be JSON values.
        """
        spec = json.dumps([function, inputs, list(shape), np.dtype(dtype).name, attrs], sort_keys=True)
        name = f"{function}.{hashlib.sha256(spec.encode()).hexdigest()[:16]}"
        if name not in self._entries:
            self._entries[name] = Entry(
                tuple(shape), np.dtype(dtype), function=function, inputs=tuple(inputs), attrs=dict(attrs)
            )
        return name

    def array(self, name: str) -> Array:
        """Evaluates an entry. Nothing is kept: a caller that needs the array twice holds on to it."""
        entry = self.entry(name)
        if entry.load is not None:
            result = entry.load()
        else:
            assert entry.function is not None
            result = _FUNCTIONS[entry.function](*(self.array(i) for i in entry.inputs), **entry.attrs)
        if tuple(result.shape) != entry.shape or result.dtype != entry.dtype:
            raise InternalError(
                f"constant '{name}' was declared {entry.dtype}{list(entry.shape)} "
                f"but evaluates to {result.dtype}{list(result.shape)}"
            )
        return result

    def digest(self, name: str) -> str:
        """A hash that identifies the content: of the bytes for a leaf, of the expression for a derived entry."""
        known = self._digests.get(name)
        if known is not None:
            return known
        entry = self.entry(name)
        h = hashlib.sha256(json.dumps([list(entry.shape), entry.dtype.name]).encode())
        if entry.load is not None:
            # As bytes: ml_dtypes' types have no buffer format of their own.
            h.update(np.ascontiguousarray(entry.load()).reshape(-1).view(np.uint8).data)
        else:
            h.update(json.dumps([entry.function, dict(entry.attrs)], sort_keys=True).encode())
            for i in entry.inputs:
                h.update(self.digest(i).encode())
        return self._digests.setdefault(name, h.hexdigest())
