"""`plan`: one arena where offsets are set (so that a wrong plan of memory gives wrong results), launches, copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.dialects.interpreter import Array, Call, Code, dtype_of, evaluator, fresh, same_bits


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
    kernel = session.find(path)
    wanted = [dtype_of(t) for t in kernel.attributes["function_type"].value.inputs]

    def call(*buffers: Array) -> None:
        arguments = [same_bits(b, d) for b, d in zip(buffers, wanted, strict=True)]
        results = session.call(path, arguments)
        for out, result in zip(arguments[len(arguments) - len(results) :], results, strict=True):
            if out is not result:
                out[...] = result

    return call
