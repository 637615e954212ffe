"""`tensor`: values that nobody writes; slices are views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.dialects.evaluators.common import mixed, sized
from accelc.dialects.interpreter import Array, Call, Code, dtype_of, evaluator, fresh


@evaluator("tensor.empty")
def empty(op: Any, code: Code) -> Call:
    """A tensor that nobody has written."""
    mlir_type = op.results[0].type
    shape, dtype = sized(mlir_type), dtype_of(mlir_type)
    return lambda *sizes: fresh(shape(iter(sizes)), dtype)


@evaluator("tensor.extract")
def extract(op: Any, code: Code) -> Call:
    """One element (or, where indices are arrays, an array of elements)."""
    return lambda source, *indices: _checked(source, indices)


def _checked(source: Array, indices: Sequence[Any]) -> Any:
    for index, size in zip(indices, source.shape, strict=True):
        low, high = (index, index) if np.ndim(index) == 0 else (index.min(), index.max())
        if low < 0 or high >= size:
            raise IndexError(f"index {low if low < 0 else high} is outside of [0, {size})")
    return source[tuple(indices)]


@evaluator("tensor.insert")
def insert(op: Any, code: Code) -> Call:
    """A copy with one element replaced."""

    def call(value: Any, target: Array, *indices: Any) -> Array:
        result = target.copy()
        result[tuple(indices)] = value
        return result

    return call


def window(
    offsets: Sequence[int], sizes: Sequence[int], strides: Sequence[int], shape: Sequence[int]
) -> tuple[slice, ...]:
    """The index of a slice of an array of ``shape``. Raises IndexError where it does not lie inside."""
    result = []
    for o, n, s, have in zip(offsets, sizes, strides, shape, strict=True):
        last = o + (n - 1) * s
        if n < 0 or (n and not (0 <= o < have and 0 <= last < have)):
            raise IndexError(f"elements {o} to {last} are outside of [0, {have})")
        end = o + n * s
        result.append(slice(0, 0) if n == 0 else slice(o, None if end < 0 else end, s))
    return tuple(result)


@evaluator("tensor.extract_slice")
def extract_slice(op: Any, code: Code) -> Call:
    """A slice; dimensions of size 1 may be dropped."""
    offsets, sizes, strides = (mixed(op, n, g) for g, n in ((1, "offsets"), (2, "sizes"), (3, "strides")))
    rank = len(op.results[0].type.shape)
    result_shape = list(op.results[0].type.shape)

    def call(*operands: Any) -> Array:
        source = operands[0]
        part: Array = source[window(offsets(operands), sizes(operands), strides(operands), source.shape)]
        return part if part.ndim == rank else part.reshape(reduced_shape(part.shape, result_shape))

    return call


def reduced_shape(shape: Sequence[int], target: Sequence[int]) -> list[int]:
    """``shape`` without the size-1 dimensions that ``target`` (a static or dynamic shape) does not have."""
    kept: list[int] = []
    rest = list(target)
    surplus = len(shape) - len(rest)
    for size in shape:
        if size == 1 and surplus and (not rest or rest[0] != 1):
            surplus -= 1
            continue
        kept.append(size)
        rest = rest[1:]
    return kept


def insert_into(target: Array, part: Array, resolve: Sequence[Any], operands: Sequence[Any]) -> None:
    """Writes ``part`` into a slice of ``target``; offsets, sizes and strides come from ``operands``."""
    offsets, sizes, strides = (r(operands) for r in resolve)
    where = window(offsets, sizes, strides, target.shape)
    target[where] = np.reshape(part, target[where].shape)


@evaluator("tensor.insert_slice")
def insert_slice(op: Any, code: Code) -> Call:
    """A copy with a slice replaced."""
    resolve = [mixed(op, n, g) for g, n in ((2, "offsets"), (3, "sizes"), (4, "strides"))]

    def call(*operands: Any) -> Array:
        result: Array = operands[1].copy()
        insert_into(result, operands[0], resolve, operands)
        return result

    return call


@evaluator("tensor.expand_shape")
def expand_shape(op: Any, code: Code) -> Call:
    """The same elements with dimensions split."""
    shape = _output_shape(op)
    return lambda *operands: operands[0].reshape(shape(operands))


def _output_shape(op: Any) -> Any:
    static = list(op.attributes["static_output_shape"])

    def resolve(operands: Sequence[Any]) -> list[int]:
        dynamic = iter(operands[1:])
        return [int(next(dynamic)) if s < 0 else s for s in static]

    return resolve


@evaluator("tensor.collapse_shape")
def collapse_shape(op: Any, code: Code) -> Call:
    """The same elements with dimensions joined."""
    groups = [[d.value for d in group] for group in op.attributes["reassociation"]]
    return lambda source: source.reshape(collapsed(source.shape, groups))


def collapsed(shape: Sequence[int], groups: Sequence[Sequence[int]]) -> list[int]:
    """The shape with each group of dimensions joined."""
    return [int(np.prod([shape[d] for d in group], dtype=np.int64)) for group in groups]


@evaluator("tensor.reshape")
def reshape(op: Any, code: Code) -> Call:
    """The same elements under a computed shape."""
    return lambda source, shape: source.reshape([int(s) for s in shape])


@evaluator("tensor.concat")
def concat(op: Any, code: Code) -> Call:
    """Tensors joined along one dimension."""
    axis = op.attributes["dim"].value
    return lambda *parts: np.concatenate(parts, axis=axis)


@evaluator("tensor.from_elements", "vector.from_elements")
def from_elements(op: Any, code: Code) -> Call:
    """Scalars in row-major order."""
    mlir_type = op.results[0].type
    shape, dtype = list(mlir_type.shape), dtype_of(mlir_type)
    return lambda *elements: np.array(elements, dtype).reshape(shape)


@evaluator("tensor.splat", "vector.splat")
def splat(op: Any, code: Code) -> Call:
    """One scalar, repeated."""
    mlir_type = op.results[0].type
    shape, dtype = sized(mlir_type), dtype_of(mlir_type)
    return lambda value, *sizes: np.full(shape(iter(sizes)), value, dtype)


@evaluator("tensor.dim", "memref.dim")
def dim(op: Any, code: Code) -> Call:
    """One size."""
    return lambda source, axis: np.int64(source.shape[int(axis)])


@evaluator("tensor.cast", "memref.cast", "memref.memory_space_cast")
def cast(op: Any, code: Code) -> Call:
    """The same value under a type that says more or less of it."""
    return lambda source: source


@evaluator("tensor.generate")
def generate(op: Any, code: Code) -> Call:
    """Each element from its indices: the body, on whole arrays of indices."""
    mlir_type = op.results[0].type
    shape, dtype, body = sized(mlir_type), dtype_of(mlir_type), code.region(op)

    def call(*sizes: Any) -> Array:
        full = shape(iter(sizes))
        (value,) = body(*np.indices(full, sparse=True))
        return np.array(np.broadcast_to(value, full), dtype)

    return call


@evaluator("tensor.pad")
def pad(op: Any, code: Code) -> Call:
    """The source with what the body gives around it."""
    low, high = mixed(op, "low", 1), mixed(op, "high", 2)
    dtype, body = dtype_of(op.results[0].type), code.region(op)

    def call(*operands: Any) -> Array:
        source = operands[0]
        before, after = low(operands), high(operands)
        shape = [a + n + b for a, n, b in zip(before, source.shape, after, strict=True)]
        (value,) = body(*np.indices(shape, sparse=True))
        result = np.array(np.broadcast_to(value, shape), dtype)
        result[tuple([slice(a, a + n) for a, n in zip(before, source.shape, strict=True)])] = source
        return result

    return call


@evaluator("tensor.bitcast")
def bitcast(op: Any, code: Code) -> Call:
    """The same bits as another type of that width."""
    dtype = dtype_of(op.results[0].type)
    return lambda source: np.ascontiguousarray(source).view(dtype)
