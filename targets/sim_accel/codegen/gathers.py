"""Indexed reads inside a body become gathers of their own.

A ``tensor.extract`` in a `linalg` body reads a table at computed indices. `split_gathers` cuts such a body in three: a
generic that computes a row number for each combination of the loops that the row depends on, a ``tensor.gather`` of
rows (which the DMA does), and the rest of the body, which reads what was gathered. Trailing indices that are just loop
indices are the columns of a row, so an embedding is one row an index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir
from accelc.targets.sim_accel.codegen.structured import Structured, is_structured, structured

arith = dialect("arith")
linalg = dialect("linalg")
tensor = dialect("tensor")


@dataclass
class _Cone:
    """What a value of the body needs: operations in order, block arguments, and the loops it varies with."""

    ops: list[Any]
    arguments: list[int]
    dims: set[int]


def split_gathers(function: Any) -> None:
    """Rewrites every generic of a kernel that has indexed reads. Raises UnsupportedError for reads it cannot split."""
    for op in list(function.regions[0].blocks[0].operations):
        if not is_structured(op.operation):
            continue
        current = op.operation
        while True:
            extract = next((o for o in _body(current) if o.name == "tensor.extract"), None)
            if extract is None:
                break
            current = _split(structured(current), extract)


def _body(op: Any) -> list[Any]:
    return [o.operation for o in op.regions[0].blocks[0].operations]


def _split(op: Structured, extract: Any) -> Any:
    """Takes one indexed read out of ``op``; returns the op that replaces it."""
    table = extract.operands[0]
    indices = list(extract.operands)[1:]
    shape = list(table.type.shape)
    first = _leading(op, indices, shape)
    cone = _cone(op, indices[:first])
    suffix = [_loop(v) for v in indices[first:]]
    dims = sorted(cone.dims)
    with op.op.location, ir.InsertionPoint(op.op):
        rows = _row_numbers(op, cone, indices[:first], shape[:first], dims)
        flat = _rows_of(table, first)
        gathered = _gather(flat, rows, [op.extents[d] for d in dims])
        return _replace(op, extract, gathered, [*dims, *suffix])  # type: ignore[list-item]


def _loop(value: Any) -> int | None:
    """The loop of which a value is the index, or None."""
    if isinstance(value.owner, ir.Block) or value.owner.name != "linalg.index":
        return None
    return int(ir.IntegerAttr(value.owner.attributes["dim"]).value)


def _leading(op: Structured, indices: list[Any], shape: list[int]) -> int:
    """How many leading indices make up the row: all but trailing ones that run over a whole dimension."""
    first = len(indices)
    while first > 1:
        loop = _loop(indices[first - 1])
        if loop is None or op.extents[loop] != shape[first - 1] or loop in _cone(op, indices[: first - 1]).dims:
            break
        if loop in [_loop(v) for v in indices[first:]]:
            break
        first -= 1
    return first


def _cone(op: Structured, values: list[Any]) -> _Cone:
    needed: set[Any] = set()
    arguments: set[int] = set()
    dims: set[int] = set()
    pending = list(values)
    body_ops = op.body_ops
    while pending:
        value = pending.pop()
        if isinstance(value.owner, ir.Block):
            if value.owner != op.body:
                continue
            n = ir.BlockArgument(value).arg_number
            if n >= len(op.inputs):
                raise UnsupportedError("an index that depends on an accumulator")
            arguments.add(n)
            dims |= {d for a in op.maps[n] for d in a.dims}
            continue
        if value.owner not in body_ops or value in needed:
            continue
        needed.add(value)
        loop = _loop(value)
        if loop is not None:
            dims.add(loop)
        if value.owner.name == "tensor.extract":
            raise UnsupportedError("an indexed read at indices that were read so themselves")
        pending += list(value.owner.operands)
    return _Cone([o for o in body_ops if any(r in needed for r in o.results)], sorted(arguments), dims)


def _map(loops: int, dims: list[int]) -> Any:
    return ir.AffineMap.get(loops, 0, [ir.AffineDimExpr.get(d) for d in dims])


def _generic(
    results: list[Any], inputs: list[Any], outs: list[Any], maps: list[Any], reductions: list[bool]
) -> tuple[Any, Any]:
    kinds = [ir.Attribute.parse(f"#linalg.iterator_type<{'reduction' if r else 'parallel'}>") for r in reductions]
    op = linalg.GenericOp(
        results, inputs, outs, ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]), ir.ArrayAttr.get(kinds)
    )
    types = [v.type.element_type if hasattr(v.type, "shape") else v.type for v in (*inputs, *outs)]
    return op, op.regions[0].blocks.append(*types)


def _row_numbers(op: Structured, cone: _Cone, indices: list[Any], shape: list[int], dims: list[int]) -> Any:
    """A tensor over ``dims`` with the number of the row to read."""
    i64 = ir.IntegerType.get_signless(64)
    at = {d: i for i, d in enumerate(dims)}
    sizes = [op.extents[d] for d in dims]
    out = tensor.EmptyOp(sizes, i64).result
    inputs = [op.inputs[n] for n in cone.arguments]
    maps = []
    for n in cone.arguments:
        if any(a.single is None for a in op.maps[n]):
            raise UnsupportedError("an index read through a window")
        maps.append(_map(len(dims), [at[a.single] for a in op.maps[n]]))  # type: ignore[index]
    maps.append(_map(len(dims), list(range(len(dims)))))
    generic, block = _generic([out.type], inputs, [out], maps, [False] * len(dims))
    known = {op.body.arguments[n]: block.arguments[i] for i, n in enumerate(cone.arguments)}
    with ir.InsertionPoint(block):
        for old in cone.ops:
            loop = _loop(old.results[0])
            if loop is not None:
                known[old.results[0]] = linalg.IndexOp(at[loop]).result
                continue
            _clone(old, known)
        total = None
        for value, size in zip(indices, shape, strict=True):
            index = known.get(value, value)
            if total is not None:
                scale = arith.ConstantOp(ir.IndexType.get(), size).result
                index = arith.AddIOp(arith.MulIOp(total, scale).result, index).result
            total = index
        linalg.YieldOp([arith.IndexCastOp(i64, total).result])
    return generic.results[0]


def _clone(old: Any, known: dict[Any, Any]) -> None:
    new = old.clone().operation
    for i, operand in enumerate(old.operands):
        if operand in known:
            new.operands[i] = known[operand]
    known.update(zip(old.results, new.results, strict=True))


def _rows_of(table: Any, first: int) -> Any:
    """The table as [rows, ...columns]."""
    if first == 1:
        return table
    shape = list(table.type.shape)
    count = 1
    for n in shape[:first]:
        count *= n
    kind = ir.RankedTensorType.get([count, *shape[first:]], table.type.element_type)
    groups = [list(range(first)), *([d] for d in range(first, len(shape)))]
    return tensor.CollapseShapeOp(kind, table, groups).result


def _gather(table: Any, rows: Any, sizes: list[int]) -> Any:
    """``tensor.gather`` of whole rows: [*sizes, *columns]."""
    columns = list(table.type.shape)[1:]
    wide = ir.RankedTensorType.get([*sizes, 1], rows.type.element_type)
    groups = [[d] for d in range(len(sizes) - 1)] + [[len(sizes) - 1, len(sizes)]] if sizes else []
    index = tensor.ExpandShapeOp(wide, rows, groups, [], [*sizes, 1]).result
    kind = ir.RankedTensorType.get([*sizes, *columns], table.type.element_type)
    return tensor.GatherOp(kind, table, index, [0]).result


def _replace(op: Structured, extract: Any, gathered: Any, dims: list[int]) -> Any:
    inputs = [*op.inputs, gathered]
    maps = [a.value for a in op.op.attributes["indexing_maps"]]
    maps.insert(len(op.inputs), _map(op.rank, dims))
    results = [r.type for r in op.op.results]
    generic, block = _generic(results, inputs, op.outputs, maps, [d in op.reduction for d in range(op.rank)])
    old_arguments = list(op.body.arguments)
    new_arguments = list(block.arguments)
    split = len(op.inputs)
    known = dict(zip(old_arguments[:split], new_arguments[:split], strict=True))
    known |= dict(zip(old_arguments[split:], new_arguments[split + 1 :], strict=True))
    known[extract.results[0]] = new_arguments[split]
    with ir.InsertionPoint(block):
        for old in op.body_ops:
            if old != extract:
                _clone(old, known)
    for before, after in zip(op.op.results, generic.results, strict=True):
        before.replace_all_uses_with(after)
    op.op.erase()
    _drop_dead(block)
    return generic.operation


def _drop_dead(block: Any) -> None:
    """Removes scalar operations that only the indices needed."""
    for op in reversed(list(block.operations)):
        operation = op.operation
        if operation.results and not any(True for r in operation.results for _ in r.uses):
            operation.erase()
