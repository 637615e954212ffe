"""`memref` and `bufferization`: numpy views of memory, written in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.dialects.evaluators.common import dense_array, mixed, sized
from accelc.dialects.evaluators.tensor import collapsed, reduced_shape, window
from accelc.dialects.interpreter import Array, Call, Code, dtype_of, evaluator, fresh
from accelc.mlir import ir


@evaluator("memref.alloc", "memref.alloca", "bufferization.alloc_tensor")
def alloc(op: Any, code: Code) -> Call:
    """Memory that nobody has written."""
    mlir_type = op.results[0].type
    shape, dtype = sized(mlir_type), dtype_of(mlir_type)
    copies = op.name == "bufferization.alloc_tensor" and list(op.attributes["operandSegmentSizes"])[1] == 1

    def call(*operands: Any) -> Array:
        if copies:
            return np.array(operands[-1])
        return fresh(shape(iter(operands)), dtype)

    return call


@evaluator("memref.dealloc", "memref.prefetch", "bufferization.dealloc_tensor")
def nothing(op: Any, code: Code) -> Call:
    """No effect on values."""
    return lambda *operands: None


@evaluator("memref.load")
def load(op: Any, code: Code) -> Call:
    """One element."""

    def call(source: Array, *indices: Any) -> Any:
        _check(source, indices)
        return source[indices]

    return call


@evaluator("memref.store")
def store(op: Any, code: Code) -> Call:
    """Writes one element."""

    def call(value: Any, target: Array, *indices: Any) -> None:
        _check(target, indices)
        target[indices] = value

    return call


def _check(memory: Array, indices: Sequence[Any]) -> None:
    for index, size in zip(indices, memory.shape, strict=True):
        if not 0 <= index < size:
            raise IndexError(f"index {index} is outside of [0, {size})")


@evaluator("memref.subview")
def subview(op: Any, code: Code) -> Call:
    """A window of memory; dimensions of size 1 may be dropped."""
    offsets, sizes, strides = (mixed(op, n, g) for g, n in ((1, "offsets"), (2, "sizes"), (3, "strides")))
    shape = list(op.results[0].type.shape)

    def call(*operands: Any) -> Array:
        source = operands[0]
        part = source[window(offsets(operands), sizes(operands), strides(operands), source.shape)]
        return part if part.ndim == len(shape) else _drop_ones(part, shape)

    return call


def _drop_ones(part: Array, shape: Sequence[int]) -> Array:
    """A view without the size-1 dimensions that are dropped; ``reshape`` might copy a strided one."""
    kept = reduced_shape(part.shape, shape)
    strides, rest = [], list(kept)
    for size, stride in zip(part.shape, part.strides, strict=True):
        if rest and size == rest[0]:
            strides.append(stride)
            rest.pop(0)
    return np.lib.stride_tricks.as_strided(part, kept, strides)


@evaluator("memref.copy")
def copy(op: Any, code: Code) -> Call:
    """Copies elements between memrefs of one shape."""

    def call(source: Array, target: Array) -> None:
        target[...] = source

    return call


@evaluator("memref.reinterpret_cast")
def reinterpret_cast(op: Any, code: Code) -> Call:
    """Memory from its beginning under another shape and strides."""
    offsets, sizes, strides = (mixed(op, n, g) for g, n in ((1, "offsets"), (2, "sizes"), (3, "strides")))
    if not _starts_at_zero(op.operands[0].type):
        raise UnsupportedError(f"the interpreter cannot execute '{op.name}' of an offset memref, at {op.location}")

    def call(*operands: Any) -> Array:
        source = operands[0]
        (offset,), shape, steps = offsets(operands), sizes(operands), strides(operands)
        reach = offset + sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) if 0 not in shape else 0
        if source.flags.c_contiguous and reach >= source.size:
            raise IndexError(f"element {reach} is outside of a buffer of {source.size}")
        origin = source.reshape(-1)[offset:] if source.flags.c_contiguous else source
        return np.lib.stride_tricks.as_strided(origin, shape, [s * source.itemsize for s in steps])

    return call


def _starts_at_zero(mlir_type: Any) -> bool:
    _, offset = mlir_type.get_strides_and_offset()
    return bool(offset == 0)


@evaluator("memref.view")
def view(op: Any, code: Code) -> Call:
    """A typed window of bytes."""
    mlir_type = op.results[0].type
    shape, dtype = sized(mlir_type), dtype_of(mlir_type)

    def call(source: Array, shift: Any, *sizes: Any) -> Array:
        full = shape(iter(sizes))
        size = int(np.prod(full, dtype=np.int64)) * dtype.itemsize
        if shift + size > source.size:
            raise IndexError(f"bytes {shift} to {shift + size} are outside of a buffer of {source.size}")
        return source.view(np.uint8)[shift : shift + size].view(dtype).reshape(full)

    return call


def _same_memory(source: Array, shape: Sequence[int], name: str) -> Array:
    result = source.view()
    try:
        result.shape = tuple(shape)
    except AttributeError:
        raise UnsupportedError(f"'{name}' of memory that is not contiguous") from None
    return result


@evaluator("memref.collapse_shape")
def collapse_shape(op: Any, code: Code) -> Call:
    """The same memory with dimensions joined."""
    groups = [[d.value for d in group] for group in op.attributes["reassociation"]]
    return lambda source: _same_memory(source, collapsed(source.shape, groups), "memref.collapse_shape")


@evaluator("memref.expand_shape")
def expand_shape(op: Any, code: Code) -> Call:
    """The same memory with dimensions split."""
    static = list(op.attributes["static_output_shape"])

    def call(source: Array, *sizes: Any) -> Array:
        dynamic = iter(sizes)
        return _same_memory(source, [int(next(dynamic)) if s < 0 else s for s in static], "memref.expand_shape")

    return call


@evaluator("memref.transpose")
def transpose(op: Any, code: Code) -> Call:
    """The same memory with dimensions permuted."""
    perm = [e.position for e in op.attributes["permutation"].value.results]
    return lambda source: source.transpose(perm)


@evaluator("memref.assume_alignment")
def assume_alignment(op: Any, code: Code) -> Call:
    """The memory itself; numpy's own allocations may be aligned less."""
    return lambda source: source


@evaluator("memref.extract_strided_metadata")
def extract_strided_metadata(op: Any, code: Code) -> Call:
    """Where the memory begins (as a buffer of no dimensions), offset 0 from there, sizes and strides."""

    def call(source: Array) -> tuple[Any, ...]:
        base = np.lib.stride_tricks.as_strided(source, (), ())
        sizes = [np.int64(n) for n in source.shape]
        strides = [np.int64(s // source.itemsize) for s in source.strides]
        return base, np.int64(0), *sizes, *strides

    return call


@evaluator("memref.get_global")
def get_global(op: Any, code: Code) -> Call:
    """A constant of the module, or memory of its own."""
    name = op.attributes["name"].value
    module = op.parent.operation
    while module.name != "builtin.module":
        module = module.parent.operation
    for inner in module.regions[0].blocks[0].operations:
        found = inner.operation
        if found.name == "memref.global" and found.attributes["sym_name"].value == name:
            mlir_type = found.attributes["type"].value
            initial = found.attributes.get("initial_value", None)
            known = isinstance(initial, ir.DenseElementsAttr)
            array = dense_array(initial) if known else fresh(list(mlir_type.shape), dtype_of(mlir_type))
            return lambda: array
    raise UnsupportedError(f"the module has no memref.global @{name}, at {op.location}")


@evaluator("bufferization.to_tensor", "bufferization.to_buffer")
def to_tensor(op: Any, code: Code) -> Call:
    """Memory as a value: a copy, so that later writes do not show; and a value as memory of its own."""
    return lambda source: np.array(source)


@evaluator("bufferization.materialize_in_destination")
def materialize_in_destination(op: Any, code: Code) -> Call:
    """Writes a tensor to where it has to be."""
    to_memory = not len(op.results)

    def call(source: Array, target: Array) -> Any:
        if not to_memory:
            return source
        target[...] = source
        return None

    return call
