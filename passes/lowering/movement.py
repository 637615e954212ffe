"""Data movement: reshape, concat, slice, pad and what reads or writes parts of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir
from accelc.passes.lowering.dtypes import constant
from accelc.passes.lowering.expr import Apply, Expr, Splat
from accelc.passes.lowering.kernel import Kernel, fill, shape_and_dtype
from accelc.passes.lowering.registry import lowers

arith = dialect("arith")
linalg = dialect("linalg")
tensor = dialect("tensor")

Value = Any


def extract_slice(source: Value, offsets: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Value:
    """A static ``tensor.extract_slice``."""
    kind = ir.RankedTensorType.get(list(sizes), source.type.element_type)
    return tensor.ExtractSliceOp(kind, source, [], [], [], list(offsets), list(sizes), list(strides)).result


def insert_slice(source: Value, dest: Value, offsets: Sequence[int], strides: Sequence[int]) -> Value:
    """A static ``tensor.insert_slice`` of all of ``source``."""
    sizes = list(source.type.shape)
    return tensor.InsertSliceOp(source, dest, [], [], [], list(offsets), sizes, list(strides)).result


def number_of(expr: Expr) -> float | int | bool | None:
    """The number that a scalar expression is, if it is known now."""
    return expr.number if isinstance(expr, Splat) else None


@lowers("reshape", "dynamic_reshape", "assume_dim")
def lower_reshape(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """``collapse_shape`` and ``expand_shape``; at a kernel's edge they become a ``plan.view``."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    operand = k.expr(op.operation.operands[0])
    if isinstance(operand, Splat):
        k.define(result, Splat(shape, dtype, None, operand.number))
    else:
        k.define(result, k.reshape(k.materialize(operand), shape))


@lowers("shape_of", "dim")
def lower_shape(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Constants, since shapes are static here."""
    result = op.operation.results[0]
    source, _ = shape_and_dtype(op.operation.operands[0])
    shape, dtype = shape_and_dtype(result)
    if "axis" in attrs:
        k.define(result, Splat(shape, dtype, None, source[attrs["axis"]]))
        return
    from accelc.passes.lowering.dtypes import tensor_of

    elements = [constant(dtype, s) for s in source]
    k.define(result, tensor.FromElementsOp(tensor_of(shape, dtype), elements).result)


@lowers("concat")
def lower_concat(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """One ``tensor.insert_slice`` an operand, into the destination."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    axis = attrs["axis"]
    dest = k.empty(shape, dtype)
    offsets, strides = [0] * len(shape), [1] * len(shape)
    for operand in op.operation.operands:
        part = k.tensor(operand)
        size = part.type.shape[axis]
        if size:
            dest = insert_slice(part, dest, offsets, strides)
        offsets[axis] += size
    k.define(result, dest)


@lowers("slice")
def lower_slice(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """``tensor.extract_slice``; with a negative stride, an indexed read (upstream's slices only go forward)."""
    [operand], [result] = op.operation.operands, op.operation.results
    shape, dtype = shape_and_dtype(result)
    starts, strides = attrs["starts"], attrs["strides"]
    if all(s > 0 for s in strides):
        k.define(result, extract_slice(k.tensor(operand), starts, shape, strides))
        return
    source = k.tensor(operand)

    def body(at: Sequence[Any]) -> Any:
        return tensor.extract(source, [_affine(i, s, b) for i, s, b in zip(at, strides, starts, strict=True)])

    k.define(result, Apply(shape, dtype, None, k.positions(shape), body=body))


def _affine(index: Value, factor: int, offset: int) -> Value:
    """factor * index + offset, on ``index``."""
    if factor != 1:
        index = arith.muli(index, constant("index", factor))
    return arith.addi(index, constant("index", offset)) if offset else index


def padded(k: Kernel, value: Value, low: Sequence[int], high: Sequence[int], number: Value) -> Value:
    """``tensor.pad`` of ``value`` with a scalar SSA value."""
    shape = [s + a + b for s, a, b in zip(value.type.shape, low, high, strict=True)]
    kind = ir.RankedTensorType.get(shape, value.type.element_type)
    op = tensor.PadOp(kind, value, [], [], list(low), list(high))
    index = ir.IndexType.get()
    block = op.regions[0].blocks.append(*[index] * len(shape))
    with ir.InsertionPoint(block):
        tensor.YieldOp(number)
    return op.result


@lowers("pad")
def lower_pad(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A slice for what is cropped, then fill and ``tensor.insert_slice`` (``tensor.pad`` has no destination)."""
    x, value = op.operation.operands
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    low, high = list(attrs["low"]), list(attrs["high"])
    source = k.tensor(x)
    if any(p < 0 for p in (*low, *high)):
        starts = [max(-p, 0) for p in low]
        sizes = [s - max(-a, 0) - max(-b, 0) for s, a, b in zip(source.type.shape, low, high, strict=True)]
        source = extract_slice(source, starts, sizes, [1] * len(sizes))
    known = number_of(k.expr(value))
    scalar = constant(dtype, known) if known is not None else tensor.extract(k.tensor(value), [])
    dest = fill(scalar, k.empty(shape, dtype))
    k.define(result, insert_slice(source, dest, [max(p, 0) for p in low], [1] * len(shape)))


@lowers("pad_mode")
def lower_pad_mode(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """An indexed read: reflected without the edge, clamped to the edge, or wrapped around."""
    operand, result = op.operation.operands[0], op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    source = k.tensor(operand)
    sizes, low, mode = list(source.type.shape), attrs["low"], attrs["mode"]
    if mode not in _PAD_INDEX:
        raise UnsupportedError(f"nn.pad_mode with mode '{mode}'")

    def body(at: Sequence[Any]) -> Any:
        moved = [_affine(i, 1, -a) for i, a in zip(at, low, strict=True)]
        return tensor.extract(source, [_PAD_INDEX[mode](i, n) for i, n in zip(moved, sizes, strict=True)])

    k.define(result, Apply(shape, dtype, None, k.positions(shape), body=body))


def clamp_index(index: Value, size: int) -> Value:
    """``index`` limited to [0, size): an index that a model computes must never reach outside memory."""
    index = arith.maxsi(index, constant("index", 0))
    return arith.minsi(index, constant("index", size - 1))


def _wrap(index: Value, size: int) -> Value:
    """index modulo size, never negative."""
    rest = arith.remsi(index, constant("index", size))
    negative = arith.cmpi(2, rest, constant("index", 0))
    return arith.select(negative, arith.addi(rest, constant("index", size)), rest)


def _reflect(index: Value, size: int) -> Value:
    """Mirrored at both ends, the ends not repeated, as often as it takes."""
    if size == 1:
        return constant("index", 0)
    wrapped = _wrap(index, 2 * size - 2)
    return arith.minsi(wrapped, arith.subi(constant("index", 2 * size - 2), wrapped))


_PAD_INDEX = {"reflect": _reflect, "edge": clamp_index, "wrap": _wrap}
