"""`vector`: values that are arrays; memory is read and written through masks and permutation maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.dialects.evaluators.arith import unsigned
from accelc.dialects.evaluators.common import DYNAMIC
from accelc.dialects.evaluators.math import fused_multiply_add
from accelc.dialects.interpreter import Array, Call, Code, dtype_of, evaluator
from accelc.dialects.nn.reference.numerics import SMALL_FLOATS, store, working
from accelc.mlir import ir

_COMBINE: dict[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "minimumf": np.minimum,
    "maximumf": np.maximum,
    "minnumf": np.fmin,
    "maxnumf": np.fmax,
    "minsi": np.minimum,
    "maxsi": np.maximum,
    "minui": np.minimum,
    "maxui": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def _kind(op: Any) -> str:
    """The name in a combining kind such as ``#vector.kind<add>``."""
    text = str(op.attributes["kind"])
    return text[text.index("<") + 1 : text.rindex(">")]


def combine(kind: str, a: Array, b: Any) -> Array:
    """Elementwise ``a <kind> b`` in a's type."""
    fn = _COMBINE[kind]
    if kind.endswith("ui"):
        return np.asarray(fn(unsigned(a), unsigned(np.asarray(b)))).view(a.dtype)
    if a.dtype == np.bool_ and kind in ("add", "mul"):
        fn = np.logical_xor if kind == "add" else np.logical_and
    return store(fn(working(a), working(np.asarray(b))), a.dtype)


def fold(kind: str, value: Array, axes: tuple[int, ...], initial: Array | None) -> Array:
    """Combines along ``axes`` in order of the elements, after ``initial``."""
    moved = np.moveaxis(value, axes, range(len(axes)))
    rows = moved.reshape(int(np.prod(moved.shape[: len(axes)], dtype=np.int64)), *moved.shape[len(axes) :])
    result, rest = (rows[0], rows[1:]) if initial is None else (np.asarray(initial), rows)
    for row in rest:
        result = combine(kind, np.asarray(result), row)
    return np.asarray(result)


# Reading and writing memory.


def _coordinates(op: Any, mlir_type: Any) -> tuple[list[int | None], list[int], list[bool]]:
    """Of a transfer: for each memory dimension the vector dimension along it, the vector's shape, what is in bounds."""
    results = op.attributes["permutation_map"].value.results
    rank = op.attributes["permutation_map"].value.n_dims
    along: list[int | None] = [None] * rank
    for i, e in enumerate(results):
        if isinstance(e, ir.AffineDimExpr):
            along[e.position] = i
    in_bounds = [b.value for b in op.attributes["in_bounds"]]
    return along, list(mlir_type.shape), in_bounds


def _transfer_index(
    memory: Array, indices: Sequence[Any], along: Sequence[int | None], shape: Sequence[int], in_bounds: Sequence[bool]
) -> tuple[tuple[Array, ...], Array]:
    """Indices into memory (clipped) for every vector element, and which of them lie inside."""
    rank = len(shape)
    inside = np.ones(shape, bool)
    where = []
    for base, axis, size in zip(indices, along, memory.shape, strict=True):
        if axis is None:
            position = np.asarray(base)
            if not 0 <= position < size:
                raise IndexError(f"index {base} is outside of [0, {size})")
        else:
            position = (base + np.arange(shape[axis])).reshape([-1 if d == axis else 1 for d in range(rank)])
            valid = (position >= 0) & (position < size)
            if in_bounds[axis] and not valid.all():
                raise IndexError(f"a transfer that claims to be in bounds reaches {position.max()} of {size}")
            inside = inside & valid
            position = np.clip(position, 0, max(size - 1, 0))
        where.append(position)
    return tuple(where), inside


def _mask_of(mask: Sequence[Any], op: Any, shape: Sequence[int]) -> Any:
    """A transfer's mask brought to the vector's dimensions: it lies over the memory dimensions that are read."""
    if not mask:
        return True
    results = op.attributes["permutation_map"].value.results
    positions = [e.position if isinstance(e, ir.AffineDimExpr) else None for e in results]
    order = sorted(p for p in positions if p is not None)
    value = np.asarray(mask[0])
    perm = [order.index(p) for p in positions if p is not None]
    value = value.transpose(perm)
    return value.reshape([n if p is not None else 1 for n, p in zip(shape, positions, strict=True)])


@evaluator("vector.transfer_read")
def transfer_read(op: Any, code: Code) -> Call:
    """A vector from memory or a tensor: padding where it is masked or out of bounds."""
    along, shape, in_bounds = _coordinates(op, op.results[0].type)
    segments = list(op.attributes["operandSegmentSizes"])
    dtype = dtype_of(op.results[0].type)

    def call(source: Array, *operands: Any) -> Array:
        indices, (padding, *mask) = operands[: segments[1]], operands[segments[1] :]
        where, inside = _transfer_index(source, indices, along, shape, in_bounds)
        inside = inside & _mask_of(mask, op, shape)
        if 0 in source.shape:
            return np.full(shape, padding, dtype)
        value = source[where] if where else source[()]
        return np.where(inside, value, padding).astype(dtype, copy=False)

    return call


@evaluator("vector.transfer_write")
def transfer_write(op: Any, code: Code) -> Call:
    """A vector to memory, or into a copy of a tensor, where it is not masked and in bounds."""
    along, shape, in_bounds = _coordinates(op, op.operands[0].type)
    segments = list(op.attributes["operandSegmentSizes"])
    on_tensor = len(op.results) > 0

    def call(value: Array, target: Array, *operands: Any) -> Array | None:
        indices, mask = operands[: segments[2]], operands[segments[2] :]
        result = target.copy() if on_tensor else target
        where, inside = _transfer_index(result, indices, along, shape, in_bounds)
        inside = inside & _mask_of(mask, op, shape)
        full = tuple([np.broadcast_to(w, shape)[inside] for w in where])
        if where:
            result[full] = np.broadcast_to(value, shape)[inside]
        elif inside:
            result[()] = np.asarray(value).reshape(())
        return result if on_tensor else None

    return call


def _trailing(memory: Array, indices: Sequence[Any], shape: Sequence[int]) -> Array:
    """The memory that a contiguous load or store of a vector of ``shape`` touches."""
    lead = len(indices) - len(shape)
    for i, size in zip(indices[:lead], memory.shape, strict=False):
        if not 0 <= i < size:
            raise IndexError(f"index {i} is outside of [0, {size})")
    window = [slice(int(i), int(i) + n) for i, n in zip(indices[lead:], shape, strict=True)]
    part: Array = memory[(*indices[:lead], *window)]
    if list(part.shape) != list(shape):
        raise IndexError(f"a vector of {list(shape)} at {[int(i) for i in indices]} leaves {list(memory.shape)}")
    return part


def _vector_memory(memory: Array, shape: Sequence[int], indices: Sequence[Any]) -> Array:
    # A memref of vectors holds whole vectors as elements: its arrays have the vector's dimensions at their end.
    return memory[indices] if memory.ndim != len(indices) else _trailing(memory, indices, shape)


@evaluator("vector.load")
def load(op: Any, code: Code) -> Call:
    """A vector from contiguous memory, all inside."""
    shape = list(op.results[0].type.shape)
    return lambda memory, *indices: np.array(_vector_memory(memory, shape, indices))


@evaluator("vector.store")
def store_(op: Any, code: Code) -> Call:
    """A vector to contiguous memory, all inside."""
    shape = list(op.operands[0].type.shape)

    def call(value: Array, memory: Array, *indices: Any) -> None:
        _vector_memory(memory, shape, indices)[...] = value

    return call


def _masked(memory: Array, indices: Sequence[Any], mask: Array) -> tuple[tuple[Any, ...], Array]:
    position = indices[-1] + np.arange(mask.shape[-1])
    if mask.any() and not (position[mask].min() >= 0 and position[mask].max() < memory.shape[-1]):
        raise IndexError(f"an unmasked element lies outside of [0, {memory.shape[-1]})")
    return (*indices[:-1],), position


@evaluator("vector.maskedload")
def masked_load(op: Any, code: Code) -> Call:
    """Elements where the mask is set, else those of the pass-through."""

    def call(memory: Array, *operands: Any) -> Array:
        *indices, mask, other = operands
        lead, position = _masked(memory, indices, mask)
        result = np.array(other)
        result[mask] = memory[lead][position[mask]]
        return result

    return call


@evaluator("vector.maskedstore")
def masked_store(op: Any, code: Code) -> Call:
    """Writes elements where the mask is set."""

    def call(memory: Array, *operands: Any) -> None:
        *indices, mask, value = operands
        lead, position = _masked(memory, indices, mask)
        memory[lead][position[mask]] = value[mask]

    return call


@evaluator("vector.gather")
def gather(op: Any, code: Code) -> Call:
    """Elements at offsets from a base where the mask is set, else those of the pass-through."""

    def call(source: Array, *operands: Any) -> Array:
        *indices, offsets, mask, other = operands
        result = np.array(other)
        position = indices[-1] + offsets[mask]
        if position.size and not (position.min() >= 0 and position.max() < source.shape[-1]):
            raise IndexError(f"a gathered element lies outside of [0, {source.shape[-1]})")
        result[mask] = source[(*indices[:-1],)][position]
        return result

    return call


# Shapes of vectors.


@evaluator("vector.broadcast")
def broadcast(op: Any, code: Code) -> Call:
    """A scalar or vector repeated to a shape."""
    mlir_type = op.results[0].type
    shape, dtype = list(mlir_type.shape), dtype_of(mlir_type)
    return lambda x: np.broadcast_to(np.asarray(x, dtype), shape)


@evaluator("vector.shape_cast")
def shape_cast(op: Any, code: Code) -> Call:
    """The same elements under another shape."""
    shape = list(op.results[0].type.shape)
    return lambda x: np.reshape(x, shape)


@evaluator("vector.transpose")
def transpose(op: Any, code: Code) -> Call:
    """Dimensions permuted."""
    perm = list(op.attributes["permutation"])
    return lambda x: np.transpose(x, perm)


@evaluator("vector.bitcast")
def bitcast(op: Any, code: Code) -> Call:
    """The same bits; the last dimension grows or shrinks with the elements' width."""
    mlir_type = op.results[0].type
    shape, dtype = list(mlir_type.shape), dtype_of(mlir_type)
    return lambda x: np.ascontiguousarray(x).view(dtype).reshape(shape)


def _position(op: Any) -> Any:
    static = list(op.attributes["static_position"])

    def resolve(dynamic: Sequence[Any]) -> tuple[Any, ...]:
        given = iter(dynamic)
        return tuple([int(next(given)) if s == DYNAMIC else s for s in static])

    return resolve


@evaluator("vector.extract")
def extract(op: Any, code: Code) -> Call:
    """An element or a sub-vector."""
    position = _position(op)
    return lambda x, *dynamic: np.asarray(x)[position(dynamic)]


@evaluator("vector.insert")
def insert(op: Any, code: Code) -> Call:
    """A copy with an element or a sub-vector replaced."""
    position = _position(op)

    def call(value: Any, target: Any, *dynamic: Any) -> Array:
        result = np.array(target)
        result[position(dynamic)] = value
        return result

    return call


def _window(op: Any, shape: Sequence[int]) -> tuple[slice, ...]:
    offsets = [o.value for o in op.attributes["offsets"]]
    strides = [s.value for s in op.attributes["strides"]]
    return tuple([slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offsets, shape, strides, strict=False)])


@evaluator("vector.extract_strided_slice")
def extract_strided_slice(op: Any, code: Code) -> Call:
    """A window."""
    window = _window(op, [n.value for n in op.attributes["sizes"]])
    return lambda x: x[window]


@evaluator("vector.insert_strided_slice")
def insert_strided_slice(op: Any, code: Code) -> Call:
    """A copy with a window (of the trailing dimensions) replaced."""
    source = list(op.operands[0].type.shape)
    offsets = [o.value for o in op.attributes["offsets"]]
    lead = len(offsets) - len(source)
    strides = [s.value for s in op.attributes["strides"]]
    window = tuple(
        [*offsets[:lead]]
        + [slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offsets[lead:], source, strides, strict=True)]
    )

    def call(value: Array, target: Array) -> Array:
        result = np.array(target)
        result[window] = value
        return result

    return call


@evaluator("vector.shuffle")
def shuffle(op: Any, code: Code) -> Call:
    """Rows of two vectors by number; -1 is anything."""
    order = np.maximum(list(op.attributes["mask"]), 0)
    return lambda a, b: np.concatenate([np.atleast_1d(a), np.atleast_1d(b)])[order]


@evaluator("vector.interleave")
def interleave(op: Any, code: Code) -> Call:
    """Elements of two vectors in turn, along the last dimension."""
    shape = list(op.results[0].type.shape)
    return lambda a, b: np.stack([a, b], axis=-1).reshape(shape)


@evaluator("vector.deinterleave")
def deinterleave(op: Any, code: Code) -> Call:
    """Even and odd elements of the last dimension."""
    return lambda x: (x[..., 0::2], x[..., 1::2])


@evaluator("vector.to_elements")
def to_elements(op: Any, code: Code) -> Call:
    """All elements as scalars."""
    if len(op.results) == 1:
        return lambda x: np.asarray(x).reshape(-1)[0]
    return lambda x: tuple(np.asarray(x).reshape(-1))


@evaluator("vector.step")
def step(op: Any, code: Code) -> Call:
    """0, 1, 2, ..."""
    value = np.arange(op.results[0].type.shape[0], dtype=np.int64)
    return lambda: value


# Masks.


def _leading(sizes: Sequence[int], shape: Sequence[int]) -> Array:
    mask = np.zeros(shape, bool)
    mask[tuple([slice(0, max(0, int(n))) for n in sizes])] = True
    return mask


@evaluator("vector.create_mask")
def create_mask(op: Any, code: Code) -> Call:
    """True for the first elements along each dimension."""
    shape = list(op.results[0].type.shape)
    return lambda *sizes: _leading(sizes, shape)


@evaluator("vector.constant_mask")
def constant_mask(op: Any, code: Code) -> Call:
    """True for the first elements along each dimension, known sizes."""
    mask = _leading(list(op.attributes["mask_dim_sizes"]), list(op.results[0].type.shape))
    return lambda: mask


@evaluator("vector.mask")
def mask(op: Any, code: Code) -> Call:
    """One op under a mask: transfers take it as theirs; of reductions and contractions it hides elements."""
    operations = [o.operation for o in op.regions[0].blocks[0].operations]
    inner = operations[0]
    make = _MASKED.get(inner.name)
    if make is None:
        raise UnsupportedError(f"the interpreter cannot execute '{inner.name}' under a mask, at {op.location}")
    call = make(inner, code)
    slots = [code.slot(v) for v in inner.operands]

    def masked(mask: Array, *passthru: Any) -> Any:
        result = call(mask, *[code.registers[i] for i in slots])
        if passthru and result is not None:
            return np.where(mask, result, passthru[0])
        return result

    return masked


# Arithmetic.


@evaluator("vector.fma")
def fma(op: Any, code: Code) -> Call:
    """``a * b + c``, rounded once."""
    dtype = dtype_of(op.results[0].type)
    if dtype in SMALL_FLOATS:
        return lambda a, b, c: store(fused_multiply_add(working(a), working(b), working(c)), dtype)
    return fused_multiply_add


@evaluator("vector.outerproduct")
def outerproduct(op: Any, code: Code) -> Call:
    """``acc <kind> a b^T`` (or ``a * b`` for a scalar b)."""
    kind = _kind(op)
    scalar = not isinstance(op.operands[1].type, ir.VectorType)

    def call(a: Array, b: Any, *acc: Any) -> Array:
        product = combine("mul", np.asarray(a) if scalar else a[:, None], b)
        return combine(kind, np.asarray(acc[0]), product) if acc else product

    return call


@evaluator("vector.reduction")
def reduction(op: Any, code: Code) -> Call:
    """All elements of a vector as one, in order, after the accumulator."""
    kind = _kind(op)
    return lambda x, *acc: fold(kind, x, (0,), np.asarray(acc[0]) if acc else None)[()]


@evaluator("vector.multi_reduction")
def multi_reduction(op: Any, code: Code) -> Call:
    """Elements along some dimensions as one, in order, after the accumulator."""
    kind, axes = _kind(op), tuple(op.attributes["reduction_dims"])
    return lambda x, acc: fold(kind, x, axes, np.asarray(acc))[()]


@evaluator("vector.scan")
def scan(op: Any, code: Code) -> Call:
    """Running combinations along a dimension, and the last of them."""
    kind, axis = _kind(op), op.attributes["reduction_dim"].value
    inclusive = op.attributes["inclusive"].value

    def call(x: Array, initial: Array) -> tuple[Array, Array]:
        rows, total = [], np.asarray(initial)
        for i, row in enumerate(np.moveaxis(x, axis, 0)):
            # An inclusive scan starts with the first row itself.
            after = row if inclusive and i == 0 else combine(kind, total, row)
            rows.append(after if inclusive else total)
            total = after
        return np.stack(rows, axis=axis), rows[-1]

    return call


def _contract_call(op: Any, code: Code) -> Call:
    maps = [m.value for m in op.attributes["indexing_maps"]]
    kind = _kind(op)
    rank = maps[0].n_dims
    dims = [[e.position for e in m.results] for m in maps]
    reduced = tuple(d for d in range(rank) if d not in dims[2])
    kept = [d for d in range(rank) if d in dims[2]]

    def spread(x: Array, order: Sequence[int]) -> Array:
        shape = [1] * rank
        for d, n in zip(order, x.shape, strict=True):
            shape[d] = n
        return np.transpose(x, np.argsort(order)).reshape(shape)

    def call(mask: Any, a: Array, b: Array, acc: Any) -> Any:
        total = np.asarray(acc)
        x, y = (spread(v, d) for v, d in ((a, dims[0]), (b, dims[1])))
        if total.dtype != a.dtype:
            x, y = x.astype(total.dtype), y.astype(total.dtype)
        product = combine("mul", x, y)
        product = np.transpose(product, [*reduced, *kept])
        rows = product.reshape(-1, *product.shape[len(reduced) :])
        total = _to_order(total, dims[2], kept)
        hidden = None if mask is None else np.transpose(mask, [*reduced, *kept]).reshape(rows.shape)
        for i, row in enumerate(rows):
            after = combine(kind, total, row)
            total = after if hidden is None else np.where(hidden[i], after, total)
        return _to_order(total, kept, dims[2])[()]

    return call


def _to_order(x: Array, have: Sequence[int], want: Sequence[int]) -> Array:
    """An array whose dimensions are labelled ``have``, in the order ``want``."""
    return np.transpose(x, [list(have).index(d) for d in want])


@evaluator("vector.contract")
def contract(op: Any, code: Code) -> Call:
    """``acc <kind> a * b`` over the dimensions that the accumulator does not have, in order."""
    call = _contract_call(op, code)
    return lambda a, b, acc: call(None, a, b, acc)


def _masked_transfer(op: Any, code: Code) -> Call:
    call = (transfer_read if op.name == "vector.transfer_read" else transfer_write)(op, code)
    return lambda mask, *operands: call(*operands, mask)


def _masked_fold(op: Any, code: Code) -> Call:
    kind = _kind(op)
    axes = tuple(op.attributes["reduction_dims"]) if op.name == "vector.multi_reduction" else (0,)

    def call(mask: Array, x: Array, *acc: Any) -> Any:
        if not acc:
            raise UnsupportedError("a masked reduction without an accumulator")
        moved, hidden = (np.moveaxis(v, axes, range(len(axes))) for v in (x, mask))
        total = np.asarray(acc[0])
        flat = moved.reshape(-1, *moved.shape[len(axes) :])
        for row, seen in zip(flat, hidden.reshape(flat.shape), strict=True):
            total = np.where(seen, combine(kind, total, row), total)
        return total[()]

    return call


_MASKED = {
    "vector.transfer_read": _masked_transfer,
    "vector.transfer_write": _masked_transfer,
    "vector.contract": _contract_call,
    "vector.reduction": _masked_fold,
    "vector.multi_reduction": _masked_fold,
}
