"""`plan`: one arena where offsets are set (so that a wrong plan of memory gives wrong results), launches, copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.dialects.interpreter import Array, Call, Code, Session, dtype_of, evaluator, fresh, same_bits
from accelc.mlir import ir


@evaluator("plan.constant")
def constant(op: Any, code: Code) -> Call:
    """The store's array."""
    ref, store, mlir_type = op.attributes["ref"].value, code.session.store, op.results[0].type
    shape, dtype = list(mlir_type.shape), dtype_of(mlir_type)
    return lambda: same_bits(np.ascontiguousarray(store.array(ref)), dtype).reshape(shape)


@evaluator("plan.alloc")
def alloc(op: Any, code: Code) -> Call:
    """A buffer: in the function's arena where it has an offset, else its own memory."""
    mlir_type = op.results[0].type
    shape, dtype = list(mlir_type.shape), dtype_of(mlir_type)
    main = op.parent.operation
    if "offset" not in op.attributes or "plan.arena_bytes" not in main.attributes:
        return lambda: fresh(shape, dtype)
    arena = _arena(code, main.attributes["plan.arena_bytes"].value)
    start = op.attributes["offset"].value
    end = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return lambda: arena[start:end].view(dtype).reshape(shape)


def _arena(code: Code, size: int) -> Array:
    arenas = code.__dict__.setdefault("arenas", {})
    if size not in arenas:
        arenas[size] = np.full(size, 0xFF, np.uint8)
    arena: Array = arenas[size]
    return arena


@evaluator("plan.view")
def view(op: Any, code: Code) -> Call:
    """The same memory under another shape."""
    shape = list(op.results[0].type.shape)
    return lambda source: source.reshape(shape)


@evaluator("plan.copy")
def copy(op: Any, code: Code) -> Call:
    """Copies bytes from one buffer to another."""

    def call(source: Array, destination: Array) -> None:
        destination[...] = source.reshape(destination.shape)

    return call


@evaluator("plan.launch")
def launch(op: Any, code: Code) -> Call:
    """Calls a kernel; what it returns goes to its output buffers."""
    path = tuple(op.attributes["kernel"].value)
    session = code.session
    return lambda *buffers: call_kernel(session, path, buffers)


def call_kernel(session: Session, path: tuple[str, ...], buffers: Sequence[Array]) -> None:
    """Calls the kernel at ``path`` on inputs and outputs, the latter written in place.

    A tiled kernel may take its buffers flat, and after them a workspace and the range of tiles to compute (all).
    """
    types = list(session.find(path).attributes["function_type"].value.inputs)
    arguments: list[Any] = [_as_argument(b, t) for b, t in zip(buffers, types, strict=False)]
    rest = [t for t in types[len(buffers) :] if isinstance(t, ir.MemRefType)]
    arguments += [fresh(list(t.shape), dtype_of(t)) for t in rest]
    if len(arguments) + 2 == len(types):
        kernel = session.find(path[:1])
        arguments += [np.int64(0), np.int64(kernel.attributes["accelc.tiles"].value)]
    results = session.call(path, arguments)
    for out, result in zip(arguments[len(buffers) - len(results) : len(buffers)], results, strict=True):
        if out is not result:
            out[...] = result


def _as_argument(buffer: Array, mlir_type: Any) -> Array:
    array = same_bits(buffer, dtype_of(mlir_type))
    if len(mlir_type.shape) == 1 and array.ndim != 1:
        return array.reshape(-1)
    return array
