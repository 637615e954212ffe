"""Reductions, softmax and the norms: generics over the same leading loops, reductions inside."""

from __future__ import annotations

import math as pymath
from collections.abc import Mapping
from typing import Any

from accelc.mlir import dialect
from accelc.passes.lowering.dtypes import compute_type, constant, int_range, is_float
from accelc.passes.lowering.expr import Expr
from accelc.passes.lowering.kernel import PARALLEL, REDUCTION, Kernel, shape_and_dtype
from accelc.passes.lowering.registry import lowers
from accelc.passes.lowering.scalar import add, compare, div, maximum, minimum, mul

arith = dialect("arith")
math = dialect("math")


def lowest(dtype: str) -> float | int:
    """The neutral element of max."""
    return -pymath.inf if is_float(dtype) else int_range(dtype)[0]


def highest(dtype: str) -> float | int:
    """The neutral element of min."""
    return pymath.inf if is_float(dtype) else int_range(dtype)[1]


def _spread(k: Kernel, expr: Expr, shape: tuple[int, ...], axes: tuple[int, ...]) -> Expr:
    """A reduced value, broadcast again over the axes that were removed."""
    return k.broadcast(expr, shape, tuple(d for d in range(len(shape)) if d not in axes))


def _source(k: Kernel, value: Any) -> tuple[Expr, str]:
    """An operand that several generics read: in memory, and its compute type."""
    expr = k.expr(value)
    k.materialize(expr)
    return expr, compute_type(expr.dtype)


def _sum(k: Kernel, expr: Expr, axes: tuple[int, ...], dtype: str) -> Expr:
    return k.reduce(expr, axes, dtype, 0, lambda acc, x: add(dtype, acc, x))


def _small(k: Kernel, dtype: str, body: Any, *operands: Expr) -> Expr:
    """A value for each row, computed once and kept."""
    expr = k.apply(dtype, body, *operands)
    k.materialize(expr)
    return expr


@lowers("reduce")
def lower_reduce(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A generic with reduction loops, in f32 for narrow floats."""
    [operand], [result] = op.operation.operands, op.operation.results
    _, dtype = shape_and_dtype(result)
    x, axes, kind = k.expr(operand), tuple(attrs["axes"]), attrs["kind"]
    acc = compute_type(dtype)
    if kind in ("sum", "mean"):
        total = _sum(k, x, axes, acc)
    elif kind == "prod":
        total = k.reduce(x, axes, acc, 1, lambda a, b: mul(acc, a, b))
    elif kind == "max":
        total = k.reduce(x, axes, acc, lowest(acc), lambda a, b: maximum(acc, a, b))
    else:
        total = k.reduce(x, axes, acc, highest(acc), lambda a, b: minimum(acc, a, b))
    if kind == "mean":
        count = pymath.prod(x.shape[a] for a in axes)
        total = k.apply(acc, lambda s: div(acc, s, constant(acc, count)), total)
    k.define(result, k.cast(total, dtype))


@lowers("softmax", "log_softmax")
def lower_softmax(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Row maximum, exponentials of the differences, their sum, and a quotient (or a difference of logarithms)."""
    [operand], [result] = op.operation.operands, op.operation.results
    x, t = _source(k, operand)
    axes = (attrs["axis"],)
    top = k.reduce(x, axes, t, -pymath.inf, lambda a, b: maximum(t, a, b))
    centered = k.apply(t, lambda a, b: arith.subf(a, b), k.cast(x, t), _spread(k, top, x.shape, axes))
    powers = k.apply(t, lambda a: math.exp(a), centered)
    if op.operation.name == "nn.softmax":
        k.materialize(powers)
        total = _spread(k, _sum(k, powers, axes, t), x.shape, axes)
        quotient = k.apply(t, lambda a, b: arith.divf(a, b), powers, total)
        k.define(result, k.cast(quotient, x.dtype))
        return
    total = _small(k, t, lambda s: math.log(s), _sum(k, powers, axes, t))
    difference = k.apply(t, lambda a, b: arith.subf(a, b), centered, _spread(k, total, x.shape, axes))
    k.define(result, k.cast(difference, x.dtype))


def _normalized(k: Kernel, x: Expr, t: str, axes: tuple[int, ...], epsilon: float, *, center: bool) -> Expr:
    """(x - mean) / sqrt(variance + epsilon) over ``axes``; without ``center``, x / sqrt(mean(x^2) + epsilon)."""
    count = pymath.prod(x.shape[a] for a in axes)
    value = k.cast(x, t)
    if center:
        mean = _small(k, t, lambda s: arith.divf(s, constant(t, count)), _sum(k, x, axes, t))
        value = k.apply(t, lambda a, b: arith.subf(a, b), value, _spread(k, mean, x.shape, axes))
    squares = k.apply(t, lambda a: arith.mulf(a, a), value)

    def inverse(total: Any) -> Any:
        variance = arith.divf(total, constant(t, count))
        return math.rsqrt(arith.addf(variance, constant(t, epsilon)))

    scale = _small(k, t, inverse, _sum(k, squares, axes, t))
    return k.apply(t, lambda a, b: arith.mulf(a, b), value, _spread(k, scale, x.shape, axes))


def _scaled(k: Kernel, value: Expr, t: str, scale: Expr, bias: Expr | None, dims: tuple[int, ...], dtype: str) -> Expr:
    """value * scale + bias, with the parameters along ``dims``."""
    value = k.apply(t, lambda a, b: arith.mulf(a, b), value, k.cast(k.broadcast(scale, value.shape, dims), t))
    if bias is not None:
        value = k.apply(t, lambda a, b: arith.addf(a, b), value, k.cast(k.broadcast(bias, value.shape, dims), t))
    return k.cast(value, dtype)


@lowers("layer_norm", "rms_norm")
def lower_layer_norm(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Statistics over the trailing axes, then one elementwise expression."""
    operands = list(op.operation.operands)
    x, t = _source(k, operands[0])
    axes = tuple(range(attrs["axis"], len(x.shape)))
    value = _normalized(k, x, t, axes, attrs["epsilon"], center=len(operands) == 3)
    parameters = [k.expr(v) for v in operands[1:]]
    bias = parameters[1] if len(parameters) == 2 else None
    k.define(op.operation.results[0], _scaled(k, value, t, parameters[0], bias, axes, x.dtype))


@lowers("group_norm")
def lower_group_norm(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Statistics over channels of a group and space: x as [N, groups, C / groups, space]."""
    operands, [result] = list(op.operation.operands), op.operation.results
    x, t = _source(k, operands[0])
    groups = attrs["groups"]
    batch, channels, space = x.shape[0], x.shape[1], pymath.prod(x.shape[2:])
    split = (batch, groups, channels // groups, space)
    grouped = Expr(split, x.dtype, k.reshape(k.materialize(x), split))
    value = _normalized(k, grouped, t, (2, 3), attrs["epsilon"], center=True)
    per_group = (groups, channels // groups)
    scale, bias = (Expr(per_group, e.dtype, k.reshape(k.materialize(e), per_group)) for e in map(k.expr, operands[1:]))
    scaled = _scaled(k, value, t, scale, bias, (1, 2), x.dtype)
    k.define(result, k.reshape(k.materialize(scaled), x.shape))


@lowers("batch_norm")
def lower_batch_norm(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Elementwise: the statistics are given."""
    operands, [result] = list(op.operation.operands), op.operation.results
    x = k.expr(operands[0])
    t, dims = compute_type(x.dtype), (attrs["axis"],)
    scale, bias, mean, var = (k.cast(k.broadcast(k.expr(v), x.shape, dims), t) for v in operands[1:])

    def body(v: Any, s: Any, b: Any, m: Any, w: Any) -> Any:
        inverse = math.rsqrt(arith.addf(w, constant(t, attrs["epsilon"])))
        return arith.addf(arith.mulf(arith.mulf(arith.subf(v, m), inverse), s), b)

    k.define(result, k.cast(k.apply(t, body, k.cast(x, t), scale, bias, mean, var), x.dtype))


@lowers("argreduce")
def lower_argreduce(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """One generic that carries the best value and its index; ``last`` decides ties."""
    [operand], [result] = op.operation.operands, op.operation.results
    shape, _ = shape_and_dtype(result)
    x, axis = k.expr(operand), attrs["axis"]
    t = compute_type(x.dtype)
    best = lowest(t) if attrs["kind"] == "max" else highest(t)
    predicate = ("ge" if attrs["last"] else "gt") if attrs["kind"] == "max" else ("le" if attrs["last"] else "lt")
    rank = len(x.shape)
    kept = [d for d in range(rank) if d != axis]
    position = k.positions(x.shape)[axis]

    def body(ins: list[Any], outs: list[Any]) -> list[Any]:
        value, index = ins[0], arith.index_cast(constant("si64", 0).type, ins[1])
        better = _better(t, predicate, value, outs[0])
        return [arith.select(better, value, outs[0]), arith.select(better, index, outs[1])]

    identity = tuple(range(rank))
    _, index = k.generic(
        x.shape,
        [REDUCTION if d == axis else PARALLEL for d in range(rank)],
        [(k.cast(x, t), identity), (position, identity)],
        [(k.filled(shape, t, best), kept), (k.filled(shape, "si64", 0), kept)],
        body,
    )
    k.define(result, index)


def _better(dtype: str, predicate: str, value: Any, best: Any) -> Any:
    """Whether ``value`` beats ``best``; a NaN beats numbers, as in numpy, and the first one stays."""
    better = compare(dtype, predicate, value, best)
    if not is_float(dtype):
        return better
    nan, had_nan = arith.cmpf(14, value, value), arith.cmpf(14, best, best)
    keep = arith.xori(had_nan, constant("i1", 1))
    return arith.ori(better, nan) if predicate in ("ge", "le") else arith.andi(arith.ori(better, nan), keep)
