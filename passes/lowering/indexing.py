"""Gathers are indexed reads inside generics; scatters, running sums and top-k are built from loops over tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accelc.mlir import dialect, ir
from accelc.passes.lowering.convert import cast
from accelc.passes.lowering.dtypes import compute_type, constant, is_float
from accelc.passes.lowering.expr import Apply, Expr, identity
from accelc.passes.lowering.kernel import PARALLEL, REDUCTION, Kernel, shape_and_dtype
from accelc.passes.lowering.movement import clamp_index
from accelc.passes.lowering.registry import lowers
from accelc.passes.lowering.scalar import add, compare, maximum, minimum, mul

arith = dialect("arith")
scf = dialect("scf")
tensor = dialect("tensor")

Value = Any


def to_index(value: Value, size: int) -> Value:
    """An index that the model computed, as ``index`` and never outside [0, size)."""
    return clamp_index(arith.index_cast(ir.IndexType.get(), value), size)


@lowers("gather")
def lower_gather(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """``tensor.extract`` at the loop indices, with ``axis`` taken from the index tensor."""
    x, idx = op.operation.operands
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    axis, source, indices = attrs["axis"], k.tensor(x), k.expr(idx)
    count = len(indices.shape)
    spread = k.broadcast(indices, shape, tuple(range(axis, axis + count)))
    size = source.type.shape[axis]

    def body(scalars: Sequence[Any]) -> Any:
        at = list(scalars[1:])
        return tensor.extract(source, [*at[:axis], to_index(scalars[0], size), *at[axis + count :]])

    k.define(result, Apply(shape, dtype, None, (spread, *k.positions(shape)), body=body))


@lowers("gather_elements")
def lower_gather_elements(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """``tensor.extract`` at the loop indices, but for ``axis``."""
    x, idx = op.operation.operands
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    axis, source = attrs["axis"], k.tensor(x)
    size = source.type.shape[axis]

    def body(scalars: Sequence[Any]) -> Any:
        at = list(scalars[1:])
        at[axis] = to_index(scalars[0], size)
        return tensor.extract(source, at)

    k.define(result, Apply(shape, dtype, None, (k.expr(idx), *k.positions(shape)), body=body))


@lowers("gather_nd")
def lower_gather_nd(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """``tensor.extract`` of the index tuple, then of what it points to."""
    x, idx = op.operation.operands
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    batch, source, tuples = attrs["batch_dims"], k.tensor(x), k.tensor(idx)
    depth, lead = tuples.type.shape[-1], len(tuples.type.shape) - 1
    sizes = list(source.type.shape)

    def body(at: Sequence[Any]) -> Any:
        parts = [tensor.extract(tuples, [*at[:lead], constant("index", d)]) for d in range(depth)]
        chosen = [to_index(p, sizes[batch + d]) for d, p in enumerate(parts)]
        return tensor.extract(source, [*at[:batch], *chosen, *at[lead:]])

    k.define(result, Apply(shape, dtype, None, k.positions(shape), body=body))


def loop_nest(sizes: Sequence[int], init: Value, body: Callable[[list[Value], Value], Value]) -> Value:
    """``scf.for`` loops over ``sizes`` that carry one tensor: ``body(indices, tensor)`` gives the next one."""

    def nest(depth: int, indices: list[Value], carried: Value) -> Value:
        if depth == len(sizes):
            return body(indices, carried)
        bounds = [constant("index", n) for n in (0, sizes[depth], 1)]
        loop = scf.ForOp(*bounds, [carried])
        with ir.InsertionPoint(loop.body):
            inner = nest(depth + 1, [*indices, loop.induction_variable], loop.inner_iter_args[0])
            scf.YieldOp([inner])
        return loop.results[0]

    return nest(0, [], init)


def _combine(dtype: str, reduction: str) -> Callable[[Any, Any], Any]:
    """How an update meets what is there."""
    wide = compute_type(dtype)
    fn = {"add": add, "mul": mul, "min": minimum, "max": maximum}.get(reduction)
    if fn is None:
        return lambda old, new: new
    return lambda old, new: cast(fn(wide, cast(old, dtype, wide), cast(new, dtype, wide)), wide, dtype)


def _copied(k: Kernel, expr: Expr) -> Value:
    """A tensor of the kernel's own with the elements of ``expr``, to be written into."""
    copy = k.apply(expr.dtype, lambda s: s, Expr(expr.shape, expr.dtype, k.materialize(expr)))
    return k.materialize(copy)


@lowers("scatter_elements")
def lower_scatter_elements(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A copy, then a loop over the updates in order."""
    x, idx, upd = op.operation.operands
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    axis, indices, updates = attrs["axis"], k.tensor(idx), k.tensor(upd)
    combine = _combine(dtype, attrs["reduction"])

    def body(at: list[Value], carried: Value) -> Value:
        place = list(at)
        place[axis] = to_index(tensor.extract(indices, at), shape[axis])
        new = combine(tensor.extract(carried, place), tensor.extract(updates, at))
        return tensor.InsertOp(new, carried, place).result

    k.define(result, loop_nest(list(indices.type.shape), _copied(k, k.expr(x)), body))


@lowers("scatter_nd")
def lower_scatter_nd(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A copy, then a loop over the elements of the updates in order."""
    x, idx, upd = op.operation.operands
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    tuples, updates = k.tensor(idx), k.tensor(upd)
    depth, lead = tuples.type.shape[-1], len(tuples.type.shape) - 1
    combine = _combine(dtype, attrs["reduction"])

    def body(at: list[Value], carried: Value) -> Value:
        parts = [tensor.extract(tuples, [*at[:lead], constant("index", d)]) for d in range(depth)]
        place = [*(to_index(p, shape[d]) for d, p in enumerate(parts)), *at[lead:]]
        new = combine(tensor.extract(carried, place), tensor.extract(updates, at))
        return tensor.InsertOp(new, carried, place).result

    k.define(result, loop_nest(list(updates.type.shape), _copied(k, k.expr(x)), body))


@lowers("cumsum")
def lower_cumsum(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A loop that adds each element to the sum before it, kept in the compute type."""
    [operand], [result] = op.operation.operands, op.operation.results
    x, axis = k.expr(operand), attrs["axis"]
    t, shape = compute_type(x.dtype), x.shape
    source = k.materialize(k.cast(x, t))
    reverse, exclusive, size = attrs["reverse"], attrs["exclusive"], shape[axis]
    others = [n for d, n in enumerate(shape) if d != axis]
    step = constant("index", 1)

    def place(rest: list[Value], i: Value) -> list[Value]:
        return [*rest[:axis], i, *rest[axis:]]

    def along(at: list[Value], carried: Value) -> Value:
        *rest, i = at
        here = arith.subi(constant("index", size - 1), i) if reverse else i
        back = arith.addi(here, step) if reverse else arith.subi(here, step)
        first = arith.cmpi(0, i, constant("index", 0))
        before = clamp_index(back, size)
        total = tensor.extract(carried, place(rest, before))
        added = tensor.extract(source, place(rest, before if exclusive else here))
        start = constant(t, 0) if exclusive else added
        value = arith.select(first, start, add(t, total, added))
        return tensor.InsertOp(value, carried, place(rest, here)).result

    sums = loop_nest([*others, size], k.filled(shape, t, 0), along)
    k.define(result, k.cast(Expr(shape, t, sums), x.dtype))


@lowers("topk")
def lower_topk(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Ranks by counting who comes before, then each place takes the element of its rank: two generics."""
    [operand], (values, indices) = op.operation.operands, op.operation.results
    x, axis, count, largest = k.expr(operand), attrs["axis"], attrs["k"], attrs["largest"]
    source = k.materialize(x)
    t, rank, size = compute_type(x.dtype), len(x.shape), x.shape[axis]
    extended = (*x.shape, size)
    other = tuple(rank if d == axis else d for d in range(rank))

    def ahead(ins: list[Any], outs: list[Any]) -> list[Any]:
        mine, theirs, i, j = ins
        before = _comes_first(t, theirs, mine, largest)
        behind = _comes_first(t, mine, theirs, largest)
        tie = arith.andi(arith.xori(behind, constant("i1", 1)), arith.cmpi(6, j, i))
        one = cast(arith.ori(before, tie), "i1", "si64")
        return [arith.addi(outs[0], one)]

    position = k.positions(extended)
    wide = k.cast(Expr(x.shape, x.dtype, source), t)
    everywhere = identity(rank + 1)
    [ranks] = k.generic(
        extended,
        [PARALLEL] * rank + [REDUCTION],
        [(wide, identity(rank)), (wide, other), (position[axis], everywhere), (position[rank], everywhere)],
        [(k.filled(x.shape, "si64", 0), tuple(range(rank)))],
        ahead,
    )
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    picks = (*shape, size)
    at = k.positions(picks)

    def pick(ins: list[Any], outs: list[Any]) -> list[Any]:
        value, place, t_out, j = ins
        mine = arith.cmpi(0, place, arith.index_cast(constant("si64", 0).type, t_out))
        index = arith.index_cast(constant("si64", 0).type, j)
        return [arith.select(mine, value, outs[0]), arith.select(mine, index, outs[1])]

    every = identity(rank + 1)
    found, where = k.generic(
        picks,
        [PARALLEL] * rank + [REDUCTION],
        [
            (Expr(x.shape, x.dtype, source), other),
            (Expr(x.shape, "si64", ranks), other),
            (at[axis], every),
            (at[rank], every),
        ],
        [(k.filled(shape, x.dtype, 0), tuple(range(rank))), (k.filled(shape, "si64", 0), tuple(range(rank)))],
        pick,
    )
    k.define(values, found)
    k.define(indices, where)


def _comes_first(dtype: str, a: Any, b: Any, largest: bool) -> Any:
    """Whether ``a`` is ordered strictly before ``b``; NaN counts as larger than everything."""
    before = compare(dtype, "gt" if largest else "lt", a, b)
    if not is_float(dtype):
        return before
    nan_a, nan_b = arith.cmpf(14, a, a), arith.cmpf(14, b, b)
    winner, loser = (nan_a, nan_b) if largest else (nan_b, nan_a)
    return arith.ori(before, arith.andi(winner, arith.xori(loser, constant("i1", 1))))
