"""Reshapes, transposes, broadcasts, slices, pads and casts that do nothing, or that combine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from accelc.core.rewrite import Handler, Rewriter
from accelc.dialects import nn
from accelc.passes.constants import splat
from accelc.passes.graph import defining
from accelc.passes.simplify.contraction import simplify_transpose_of_contract

Value = Any
Shape = tuple[int, ...]


def _shape(value: Value) -> Shape | None:
    return tuple(value.type.shape) if value.type.has_static_shape else None


def same_type(op: Any, rw: Rewriter) -> bool:
    """An op that gives its operand's very type and elements."""
    [operand], [result] = list(op.operation.operands)[:1], op.operation.results
    if operand.type != result.type:
        return False
    rw.replace(op, operand)
    return True


def simplify_reshape(op: Any, rw: Rewriter) -> None:
    """Identity; reshape of reshape; of a splat."""
    if same_type(op, rw):
        return
    operand, result = op.operation.operands[0], op.operation.results[0]
    inner = defining(operand, "reshape")
    if inner is not None and result.type.has_static_shape:
        rw.replace(op, nn.build.reshape(inner.operation.operands[0], shape=tuple(result.type.shape)))
        return
    shape = _shape(result)
    broadcast = defining(operand, "broadcast")
    if shape is not None and broadcast is not None and splat(operand) is not None:
        scalar = broadcast.operation.operands[0]
        if len(scalar.type.shape) == 0:
            rw.replace(op, nn.build.broadcast(scalar, dims=(), shape=shape))


def simplify_dynamic_reshape(op: Any, rw: Rewriter) -> None:
    """A reshape to a shape that is known by now."""
    x, result = op.operation.operands[0], op.operation.results[0]
    if result.type.has_static_shape:
        rw.replace(op, nn.build.reshape(x, shape=tuple(result.type.shape)))


def simplify_transpose(op: Any, rw: Rewriter) -> None:
    """Identity; transpose of transpose; one that only moves dimensions of size 1 is a reshape."""
    [operand], [result] = op.operation.operands, op.operation.results
    perm = nn.attrs(op)["perm"]
    if perm == tuple(range(len(perm))):
        rw.replace(op, operand)
        return
    inner = defining(operand, "transpose")
    if inner is not None:
        first = nn.attrs(inner)["perm"]
        rw.replace(op, nn.build.transpose(inner.operation.operands[0], perm=tuple(first[p] for p in perm)))
        return
    if simplify_transpose_of_contract(op, rw):
        return
    shape = _shape(operand)
    if shape is not None and _keeps_order(shape, perm):
        rw.replace(op, nn.build.reshape(operand, shape=tuple(result.type.shape)))


def _keeps_order(shape: Shape, perm: Sequence[int]) -> bool:
    moved = [p for p in perm if shape[p] != 1]
    return moved == sorted(moved)


def simplify_broadcast(op: Any, rw: Rewriter) -> None:
    """Identity; of broadcast; of a reshape that adds unit dimensions; one that adds only unit dimensions."""
    operation = op.operation
    if len(operation.operands) != 1:
        return
    operand, result = operation.operands[0], operation.results[0]
    source, shape = _shape(operand), _shape(result)
    if source is None or shape is None:
        return
    dims = nn.attrs(op)["dims"]
    if source == shape:
        rw.replace(op, operand)
        return
    if math.prod(source) == math.prod(shape):
        rw.replace(op, nn.build.reshape(operand, shape=shape))
        return
    inner = defining(operand, "broadcast")
    if inner is not None and len(inner.operation.operands) == 1:
        first = nn.attrs(inner)["dims"]
        rw.replace(op, nn.build.broadcast(inner.operation.operands[0], dims=tuple(dims[d] for d in first), shape=shape))
        return
    kept = [i for i in range(len(source)) if source[i] != 1]
    if len(kept) < len(source):
        squeezed = nn.build.reshape(operand, shape=tuple(source[i] for i in kept))
        rw.replace(op, nn.build.broadcast(squeezed, dims=tuple(dims[i] for i in kept), shape=shape))
        return
    inner = defining(operand, "reshape")
    if inner is not None:
        base = inner.operation.operands[0]
        base_shape = _shape(base)
        positions = None if base_shape is None else _embed(base_shape, source)
        if positions is not None:
            rw.replace(op, nn.build.broadcast(base, dims=tuple(dims[p] for p in positions), shape=shape))


def _embed(small: Shape, large: Shape) -> list[int] | None:
    """Where each dimension of ``small`` stands in ``large``, if the latter only adds dimensions of size 1."""
    positions: list[int] = []
    at = 0
    for size in small:
        while at < len(large) and large[at] != size:
            if large[at] != 1:
                return None
            at += 1
        if at == len(large):
            return None
        positions.append(at)
        at += 1
    return positions if all(s == 1 for s in large[at:]) else None


def simplify_concat(op: Any, rw: Rewriter) -> None:
    """Of one operand; of operands without elements along the axis."""
    operands, result = list(op.operation.operands), op.operation.results[0]
    axis = nn.attrs(op)["axis"]
    full = [v for v in operands if not v.type.has_static_shape or v.type.shape[axis] != 0]
    if len(full) == 1 and full[0].type == result.type:
        rw.replace(op, full[0])
    elif full and len(full) < len(operands):
        rw.replace(op, nn.build.concat(*full, axis=axis))


def simplify_slice(op: Any, rw: Rewriter) -> None:
    """Of everything."""
    if all(s == 1 for s in nn.attrs(op)["strides"]):
        same_type(op, rw)


def simplify_pad(op: Any, rw: Rewriter) -> None:
    """By nothing."""
    attrs = nn.attrs(op)
    if not any(attrs["low"]) and not any(attrs["high"]):
        rw.replace(op, op.operation.operands[0])


def simplify_resize(op: Any, rw: Rewriter) -> None:
    """To the same size."""
    attrs = nn.attrs(op)
    if all(s == 1.0 for s in attrs["scales"]) and attrs["coordinate"] != "tf_crop_and_resize":
        same_type(op, rw)


def simplify_gather(op: Any, rw: Rewriter) -> None:
    """At one known index: a slice."""
    x, idx = op.operation.operands
    result = op.operation.results[0]
    shape = _shape(x)
    index = splat(idx)
    if shape is None or index is None or not result.type.has_static_shape or math.prod(idx.type.shape) != 1:
        return
    axis = nn.attrs(op)["axis"]
    rank = len(shape)
    starts = tuple(int(index) if d == axis else 0 for d in range(rank))
    sizes = tuple(1 if d == axis else s for d, s in enumerate(shape))
    if not 0 <= int(index) < shape[axis]:
        return
    part = nn.build.slice(x, starts=starts, sizes=sizes, strides=(1,) * rank)
    rw.replace(op, nn.build.reshape(part, shape=tuple(result.type.shape)))


def simplify_reduce(op: Any, rw: Rewriter) -> None:
    """Over dimensions of size 1: a reshape."""
    [operand], [result] = op.operation.operands, op.operation.results
    shape = _shape(operand)
    attrs = nn.attrs(op)
    if shape is not None and all(shape[a] == 1 for a in attrs["axes"]):
        rw.replace(op, nn.build.reshape(operand, shape=tuple(result.type.shape)))


def simplify_cast(op: Any, rw: Rewriter) -> None:
    """To the type it has."""
    same_type(op, rw)


HANDLERS: dict[str, Handler] = {
    "reshape": simplify_reshape,
    "dynamic_reshape": simplify_dynamic_reshape,
    "assume_dim": lambda op, rw: same_type(op, rw),
    "transpose": simplify_transpose,
    "broadcast": simplify_broadcast,
    "concat": simplify_concat,
    "slice": simplify_slice,
    "pad": simplify_pad,
    "resize": simplify_resize,
    "gather": simplify_gather,
    "reduce": simplify_reduce,
    "cast": simplify_cast,
}
