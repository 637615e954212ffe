"""Making `nn` ops during import: known values are computed at once, the rest becomes IR.

Handlers of ONNX ops speak to a `Builder` only. Each method takes and gives `Value`; one whose operands are all known
is evaluated with `nn.evaluate` (that is how shape arithmetic disappears), unless it is so large that it is better left
to the pass ``nn-fold``, which works on the store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import InvalidModelError
from accelc.core.store import Array, Store
from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.frontend.onnx.values import NeedsConstantError, Partial, Value, known, sources

Shape = Sequence[int | None]
Number = int | float | bool
Operand = Value | Number

# A constant of at most this many elements stands in the IR.
INLINE_ELEMENTS = 64
# Ops on known operands are computed at import where operands and results have at most this many elements ...
FOLD_OPERAND_ELEMENTS = 1 << 20
FOLD_RESULT_ELEMENTS = 1 << 16
# ... and these, which cost much more than one step an element, where the operands have at most so many.
EXPENSIVE = frozenset({"contract", "conv", "conv_transpose", "attention", "pool", "resize"})
EXPENSIVE_OPERAND_ELEMENTS = 1 << 12
# Ops that move elements of sizes, through which each element can be followed.
_MOVES = frozenset({"reshape", "concat", "slice", "gather", "broadcast", "transpose"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "maximum", "minimum", "cast"})


class Builder:
    """Makes ops in one function; ``store`` receives the constants."""

    def __init__(self, store: Store, context_location: Callable[[str], Any]) -> None:
        self.store = store
        self._location = context_location
        self._inline: dict[tuple[Any, ...], Any] = {}
        self._node = ""
        self._counts: dict[str, int] = {}

    def at(self, node: str) -> None:
        """Names the node that what follows belongs to (folded constants are called after it)."""
        self._node = node

    # -- values ---------------------------------------------------------------------------------------------------

    def const(self, value: Any, dtype: str | None = None) -> Value:
        """A known value from anything numpy takes; ``dtype`` is an nn name."""
        array = np.asarray(value)
        with np.errstate(all="ignore"):
            return known(array if dtype is None else array.astype(nn.numpy_dtype(dtype)))

    def handle(self, value: Value) -> Any:
        """The MLIR value; a known one becomes `nn.constant`, or `nn.weight` and an entry of the store."""
        if value.handle is None:
            assert value.array is not None
            value.handle = self._constant(value.array, value.name)
        return value.handle

    def _constant(self, array: Array, name: str | None) -> Any:
        if array.size <= INLINE_ELEMENTS:
            key = (array.dtype.name, array.shape, array.tobytes())
            if key not in self._inline:
                self._inline[key] = nn.build.constant(array)
            return self._inline[key]
        if name is None or name in self.store:
            name = self._fresh(name or f"{self._node}.folded")
        self.store.add(name, array)
        with self._location(name):
            return nn.build.weight(name, TensorType(array.shape, known(array).dtype))

    def _fresh(self, stem: str) -> str:
        while True:
            n = self._counts.get(stem, 0)
            self._counts[stem] = n + 1
            name = f"{stem}.{n}"
            if name not in self.store:
                return name

    def array(self, value: Value, what: str) -> Array:
        """The elements of a value that an op needs at import.

        Raises NeedsConstantError, saying ``what`` the value is, where they depend on the model's inputs.
        """
        if value.array is None:
            value.array = self._force(value.handle, {})
        if value.array is None:
            inputs = sources(value.handle)
            raise NeedsConstantError(
                f"{what} must be known when the model is compiled, and is computed from "
                f"{', '.join(repr(i) for i in inputs)}",
                inputs=inputs,
                notes=("make it a constant of the model, or fix the sizes of the inputs (--dim NAME=SIZE)",),
            )
        return value.array

    def _force(self, handle: Any, done: dict[int, list[Array] | None]) -> Array | None:
        """Evaluates IR whose leaves are all constants: what was too large to fold by itself."""
        op = handle.owner
        if hasattr(op, "arguments"):
            return None
        # Handles of one op differ as Python objects; their hash is the op's.
        key = hash(op)
        if key not in done:
            done[key] = self._results(op, done)
        results = done[key]
        return None if results is None else results[handle.result_number]

    def _results(self, op: Any, done: dict[int, list[Array] | None]) -> list[Array] | None:
        attrs = nn.attrs(op)
        if op.name == "nn.constant":
            return [np.asarray(attrs["value"])]
        if op.name == "nn.weight":
            return [self.store.array(attrs["ref"])]
        operands = []
        for operand in op.operands:
            array = self._force(operand, done)
            if array is None:
                return None
            operands.append(array)
        types = [nn.tensor_type(r) for r in op.results]
        return list(nn.evaluate(op.name.removeprefix("nn."), operands, attrs, types))

    def ints(self, value: Value, what: str) -> list[int]:
        """`array` as a list of Python integers."""
        return [int(i) for i in self.array(value, what).reshape(-1)]

    # -- ops ------------------------------------------------------------------------------------------------------

    def emit(self, op: str, *operands: Value, **attrs: Any) -> list[Value]:
        """Makes an op, or computes it where its operands are known; returns all its results."""
        if all(v.array is not None for v in operands):
            types = nn.infer(op, [v.type for v in operands], attrs)
            if _worth_folding(op, operands, types):
                arrays = [v.array for v in operands if v.array is not None]
                full = nn_attrs(op, attrs, types)
                return [known(a) for a in nn.evaluate(op, arrays, full, types)]
        built = nn.build.make(op, [self.handle(v) for v in operands], attrs)
        results = [Value(nn.tensor_type(h), handle=h) for h in (built if isinstance(built, list) else [built])]
        if len(results) == 1 and results[0].type.is_static:
            results[0].partial = _partial(op, operands, attrs, results[0].type)
            if results[0].partial is not None and results[0].partial.known.all():
                return [known(results[0].partial.values.astype(nn.numpy_dtype(results[0].dtype)))]
        return results

    def op(self, name: str, *operands: Value, **attrs: Any) -> Value:
        """`emit` of an op with one result."""
        return self.emit(name, *operands, **attrs)[0]

    def scalar(self, number: Number, like: Value) -> Value:
        """A rank-0 constant of another value's element type."""
        return self.const(number, like.dtype)

    def operands(self, *xs: Operand) -> list[Value]:
        """Values and Python numbers as values of one element type, broadcast to one shape as numpy would."""
        first = next(x for x in xs if isinstance(x, Value))
        values = [x if isinstance(x, Value) else self.scalar(x, first) for x in xs]
        return self.broadcast_together(*values)

    def binary(self, op: str, a: Operand, b: Operand, **attrs: Any) -> Value:
        """An elementwise op of two operands, with numpy's broadcasting."""
        x, y = self.operands(a, b)
        return self.op(op, x, y, **attrs)

    def add(self, a: Operand, b: Operand) -> Value:
        """``a + b``."""
        return self.binary("add", a, b)

    def sub(self, a: Operand, b: Operand) -> Value:
        """``a - b``."""
        return self.binary("sub", a, b)

    def mul(self, a: Operand, b: Operand) -> Value:
        """``a * b``."""
        return self.binary("mul", a, b)

    def div(self, a: Operand, b: Operand) -> Value:
        """``a / b``; integers truncate."""
        return self.binary("div", a, b)

    def compare(self, predicate: str, a: Operand, b: Operand) -> Value:
        """``a <predicate> b``, i1."""
        return self.binary("compare", a, b, predicate=predicate)

    def select(self, cond: Value, a: Operand, b: Operand) -> Value:
        """``cond ? a : b`` with broadcasting; a number takes the other's element type."""
        first = a if isinstance(a, Value) else b
        assert isinstance(first, Value)
        x = a if isinstance(a, Value) else self.scalar(a, first)
        y = b if isinstance(b, Value) else self.scalar(b, first)
        return self.op("select", *self.broadcast_together(cond, x, y))

    def clamp(self, x: Value, low: float = -math.inf, high: float = math.inf) -> Value:
        """``min(max(x, low), high)``."""
        return self.op("clamp", x, min=low, max=high)

    def cast(self, x: Value, dtype: str, saturate: bool = False) -> Value:
        """Another element type; x itself where it has it."""
        return x if x.dtype == dtype else self.op("cast", x, dtype=dtype, saturate=saturate)

    # -- shapes ---------------------------------------------------------------------------------------------------

    def broadcast_together(self, *values: Value) -> list[Value]:
        """The values repeated to one shape as numpy would."""
        shapes = [v.shape for v in values]
        if all(s == shapes[0] for s in shapes):
            return list(values)
        shape = nn.build.broadcast_shapes(*shapes)
        if None in shape:
            handles = nn.build.broadcast_together(*[self.handle(v) for v in values])
            return [Value(nn.tensor_type(h), handle=h) for h in handles]
        return [self.broadcast_to(v, shape) for v in values]

    def broadcast_to(self, x: Value, shape: Shape) -> Value:
        """x repeated to a static shape as numpy would."""
        shape = tuple(shape)
        if x.shape == shape:
            return x
        first = len(shape) - x.rank
        fits = first >= 0 and all(
            s in (1, None) or t is None or s == t for s, t in zip(x.shape, shape[first:], strict=True)
        )
        if not fits:
            raise InvalidModelError(f"cannot broadcast {x.type} to {list(shape)}")
        return self.op("broadcast", x, dims=tuple(range(first, len(shape))), shape=shape)

    def broadcast_in(self, x: Value, shape: Shape, dims: Sequence[int]) -> Value:
        """x repeated to ``shape``, its dimension i being result dimension ``dims[i]``."""
        if x.shape == tuple(shape) and tuple(dims) == tuple(range(x.rank)):
            return x
        return self.op("broadcast", x, dims=tuple(dims), shape=tuple(shape))

    def along(self, x: Value, rank: int, axis: int) -> Value:
        """A vector as a tensor of ``rank`` that broadcasts along ``axis``."""
        shape: list[int | None] = [1] * rank
        shape[axis] = x.shape[0]
        return self.reshape(x, shape)

    def reshape(self, x: Value, shape: Shape) -> Value:
        """The same elements under another shape (None, at most once: what is left)."""
        shape = tuple(shape)
        if x.shape == shape and (shape.count(None) == 0):
            return x
        if shape.count(None) > 1:
            return self._dynamic_reshape(x, shape)
        return self.op("reshape", x, shape=shape)

    def _dynamic_reshape(self, x: Value, shape: Shape) -> Value:
        """A reshape in which dimensions of size 1 come or go; the other sizes are x's, in order."""
        mine = [i for i, s in enumerate(x.shape) if s != 1]
        theirs = [i for i, s in enumerate(shape) if s != 1]
        if [x.shape[i] for i in mine] != [shape[i] for i in theirs]:
            raise NeedsConstantError(
                f"a reshape of {x.type} to {['?' if s is None else s for s in shape]} needs known sizes",
                notes=("fix the sizes of the inputs (--dim NAME=SIZE)",),
            )
        sizes = self.shape_of(x)
        parts = [self.const([1], "si64")] * len(shape)
        for i, j in zip(mine, theirs, strict=True):
            parts[j] = self.slice(sizes, [i], [1])
        return self.op("dynamic_reshape", x, self.concat(parts, 0), shape=tuple(shape))

    def shape_of(self, x: Value) -> Value:
        """The sizes as a si64 vector; known where they all are."""
        if x.type.is_static:
            return self.const(np.array(x.shape, np.int64))
        result = self.op("shape_of", x)
        flags = np.array([s is not None for s in x.shape])
        result.partial = Partial(np.array([s or 0 for s in x.shape], np.int64), flags)
        return result

    def expand_dims(self, x: Value, axes: Sequence[int]) -> Value:
        """Dimensions of size 1 put in, at positions of the result."""
        shape: list[int | None] = list(x.shape)
        for axis in sorted(axes):
            shape.insert(axis, 1)
        return self.reshape(x, shape)

    def squeeze(self, x: Value, axes: Sequence[int]) -> Value:
        """Dimensions of size 1 taken out. Raises InvalidModelError where a size is not 1."""
        for axis in axes:
            if x.shape[axis] not in (1, None):
                raise InvalidModelError(f"cannot squeeze axis {axis} of {x.type}")
        return self.reshape(x, [s for i, s in enumerate(x.shape) if i not in axes])

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Dimensions permuted: result dimension i is x's ``perm[i]``."""
        if tuple(perm) == tuple(range(x.rank)):
            return x
        return self.op("transpose", x, perm=tuple(perm))

    def concat(self, xs: Sequence[Value], axis: int) -> Value:
        """Joined along ``axis``."""
        return xs[0] if len(xs) == 1 else self.op("concat", *xs, axis=axis)

    def slice(
        self, x: Value, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int] | None = None
    ) -> Value:
        """Elements ``start + i * stride``, i below ``size``, along each dimension."""
        strides = strides or [1] * x.rank
        return self.op("slice", x, starts=tuple(starts), sizes=tuple(sizes), strides=tuple(strides))

    def slice_axis(self, x: Value, axis: int, start: int, size: int, stride: int = 1) -> Value:
        """`slice` along one axis; the others are whole."""
        if start == 0 and size == x.shape[axis] and stride == 1:
            return x
        sizes = [-1 if s is None else s for s in x.shape]
        starts, strides = [0] * x.rank, [1] * x.rank
        starts[axis], sizes[axis], strides[axis] = start, size, stride
        return self.slice(x, starts, sizes, strides)

    def pad(self, x: Value, low: Sequence[int], high: Sequence[int], value: Operand = 0) -> Value:
        """Padded with a constant; negative amounts crop."""
        if not any(low) and not any(high):
            return x
        fill = value if isinstance(value, Value) else self.scalar(value, x)
        return self.op("pad", x, fill, low=tuple(low), high=tuple(high))

    def iota(self, shape: Sequence[int], axis: int, dtype: str = "si64") -> Value:
        """Counts along ``axis``."""
        return self.op("iota", axis=axis, shape=tuple(shape), dtype=dtype)

    def full(self, number: Number, shape: Sequence[int], dtype: str) -> Value:
        """One number everywhere."""
        return self.broadcast_in(self.const(number, dtype), shape, ())

    # -- compute --------------------------------------------------------------------------------------------------

    def reduce(self, kind: str, x: Value, axes: Sequence[int], keepdims: bool = False) -> Value:
        """Sum, mean, max, min or prod over axes."""
        axes = sorted(axes)
        result = self.op("reduce", x, kind=kind, axes=tuple(axes)) if axes else x
        if not keepdims:
            return result
        return self.reshape(result, [1 if i in axes else s for i, s in enumerate(x.shape)])

    def gather(self, x: Value, idx: Value, axis: int) -> Value:
        """Slices of x at resolved indices."""
        return self.op("gather", x, idx, axis=axis)

    def contract(self, a: Value, b: Value, spec: str, dtype: str | None = None) -> Value:
        """An einsum of two operands."""
        return self.op("contract", a, b, spec=spec, dtype=dtype)


def _worth_folding(op: str, operands: Sequence[Value], types: Sequence[TensorType]) -> bool:
    if any(not t.is_static for t in types):
        return False
    read = sum(v.type.num_elements for v in operands)
    written = sum(t.num_elements for t in types)
    if op in EXPENSIVE:
        return read <= EXPENSIVE_OPERAND_ELEMENTS and written <= EXPENSIVE_OPERAND_ELEMENTS
    return read <= FOLD_OPERAND_ELEMENTS and written <= FOLD_RESULT_ELEMENTS


def nn_attrs(op: str, given: dict[str, Any], types: Sequence[TensorType]) -> dict[str, Any]:
    """Attributes as `nn.attrs` would read them off the op: with defaults, and with what the result type says."""
    cls = nn.op_class(op)
    values = {**cls.defaults, **given}
    return values | {name: getattr(types[0], name) for name in cls.FROM_RESULT}


def _partial(op: str, operands: Sequence[Value], attrs: dict[str, Any], result: TensorType) -> Partial | None:
    """Follows known elements of sizes through an op that was not computed because others are unknown."""
    if result.num_elements > INLINE_ELEMENTS or not nn.is_integer(result.dtype) or not operands:
        return None
    if op not in _MOVES and op not in _ARITHMETIC:
        return None
    parts = [_elements(v) for v in operands]
    if all(p is None for p in parts):
        return None
    filled = [
        p or Partial(np.ones(_static(v), np.int64), np.zeros(_static(v), np.bool_))
        for p, v in zip(parts, operands, strict=True)
        if p is not None or v.type.is_static
    ]
    if len(filled) != len(operands) or (op == "gather" and not filled[1].known.all()):
        return None
    values = [
        np.where(p.known, p.values, 1).astype(nn.numpy_dtype(v.dtype)) for p, v in zip(filled, operands, strict=True)
    ]
    full = nn_attrs(op, attrs, [result])
    value = nn.evaluate(op, values, full, [result])[0]
    if op in _ARITHMETIC:
        return Partial(value, np.logical_and.reduce([p.known for p in filled]))
    marks = [p.known.astype(nn.numpy_dtype(v.dtype)) for p, v in zip(filled, operands, strict=True)]
    if op == "gather":
        marks[1] = values[1]
    return Partial(value, nn.evaluate(op, marks, full, [result])[0] != 0)


def _static(v: Value) -> tuple[int, ...]:
    return tuple(s or 0 for s in v.shape)


def _elements(v: Value) -> Partial | None:
    if v.array is not None:
        return Partial(v.array, np.ones(v.array.shape, np.bool_))
    return v.partial
