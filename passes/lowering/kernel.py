"""The state of lowering one kernel, and the few ways in which handlers emit `linalg`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir
from accelc.passes.lowering.convert import cast
from accelc.passes.lowering.dtypes import constant, signless
from accelc.passes.lowering.expr import Apply, Emitter, Expr, Iota, Leaves, Mapping, Reindex, Splat, identity

arith = dialect("arith")
linalg = dialect("linalg")
tensor = dialect("tensor")

Value = Any
PARALLEL, REDUCTION = "parallel", "reduction"


def shape_and_dtype(value: Value) -> tuple[tuple[int, ...], str]:
    """Static shape and `nn` element type of a tensor value. Raises UnsupportedError if a size is dynamic."""
    kind = value.type
    if not kind.has_static_shape:
        raise UnsupportedError(f"a kernel needs static shapes, got {kind}", notes=("fix sizes with --dim NAME=SIZE",))
    return tuple(kind.shape), str(kind.element_type)


def iterators(kinds: Sequence[str]) -> Any:
    """The ``iterator_types`` attribute."""
    return ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{kind}>") for kind in kinds])


def projection(loops: int, dims: Sequence[int]) -> Any:
    """The affine map from ``loops`` loops to the loops in ``dims``."""
    return ir.AffineMap.get(loops, 0, [ir.AffineDimExpr.get(d) for d in dims])


class Kernel:
    """Values of one kernel function while it is lowered."""

    def __init__(self) -> None:
        self._exprs: dict[Value, Expr] = {}

    # Values ------------------------------------------------------------------------------------------------

    def define(self, value: Value, what: Expr | Value) -> None:
        """Says what `nn` value ``value`` is: an expression, or a tensor that holds it."""
        if not isinstance(what, Expr):
            shape, dtype = shape_and_dtype(value)
            what = Expr(shape, dtype, what)
        self._exprs[value] = what

    def expr(self, value: Value) -> Expr:
        """The expression for an `nn` value."""
        return self._exprs[value]

    def tensor(self, value: Value) -> Value:
        """The tensor that holds an `nn` value, computed now if need be."""
        return self.materialize(self._exprs[value])

    # Expressions ---------------------------------------------------------------------------------------------

    @staticmethod
    def cast(expr: Expr, dtype: str) -> Expr:
        """``expr`` converted to ``dtype``."""
        if expr.dtype == dtype:
            return expr
        source = expr.dtype
        return Apply(expr.shape, dtype, None, (expr,), body=lambda s: cast(s[0], source, dtype))

    @staticmethod
    def apply(dtype: str, body: Callable[..., Any], *operands: Expr) -> Expr:
        """``body(*scalars)`` of expressions of one shape."""
        return Apply(operands[0].shape, dtype, None, operands, body=lambda s: body(*s))

    @staticmethod
    def broadcast(expr: Expr, shape: tuple[int, ...], dims: tuple[int, ...]) -> Expr:
        """``expr`` under ``shape``: its dimension i becomes ``dims[i]``."""
        return Reindex(shape, expr.dtype, None, source=expr, dims=dims)

    def materialize(self, expr: Expr) -> Value:
        """The tensor of an expression; emits it where there is none yet."""
        if expr.tensor is None:
            self.materialize_all([expr])
        return expr.tensor

    def materialize_all(self, exprs: Sequence[Expr]) -> None:
        """Emits expressions of one shape as one generic with a result each (fills and transposes as such)."""
        pending = [e for e in dict.fromkeys(exprs) if e.tensor is None]
        if not pending:
            return
        if len(pending) == 1 and self._emit_named(pending[0]):
            return
        shape, rank = pending[0].shape, len(pending[0].shape)
        loops = tuple(range(rank))
        inits = [(self.empty(e.shape, e.dtype), loops) for e in pending]
        inputs = [(e, identity(rank)) for e in pending]
        results = self.generic(shape, [PARALLEL] * rank, inputs, inits, lambda ins, outs: ins)
        for expr, result in zip(pending, results, strict=True):
            expr.tensor = result

    def _emit_named(self, expr: Expr) -> bool:
        if isinstance(expr, Splat):
            expr.tensor = self.filled(expr.shape, expr.dtype, expr.number)
            return True
        if isinstance(expr, Reindex) and expr.source.tensor is not None and len(expr.shape) == len(expr.source.shape):
            if (
                sorted(expr.dims) != list(range(len(expr.dims)))
                or expr.mapping_of_source(identity(len(expr.dims))) != expr.dims
            ):
                return False
            permutation = [expr.dims.index(i) for i in range(len(expr.dims))]
            init = self.empty(expr.shape, expr.dtype)
            expr.tensor = linalg.transpose(expr.source.tensor, outs=[init], permutation=permutation).results[0]
            return True
        return False

    @staticmethod
    def positions(shape: tuple[int, ...]) -> tuple[Expr, ...]:
        """The index along each dimension of ``shape``, as expressions of type ``index``."""
        return tuple(Iota(shape, "index", None, axis) for axis in range(len(shape)))

    # Emission --------------------------------------------------------------------------------------------------

    @staticmethod
    def empty(shape: tuple[int, ...], dtype: str) -> Value:
        """A ``tensor.empty``."""
        return tensor.empty(list(shape), signless(dtype))

    def filled(self, shape: tuple[int, ...], dtype: str, number: float | int | bool) -> Value:
        """A tensor of one number."""
        return fill(constant(dtype, number), self.empty(shape, dtype))

    @staticmethod
    def reshape(value: Value, shape: tuple[int, ...]) -> Value:
        """``value`` with its unit dimensions and factors regrouped: a collapse, an expansion, or both."""
        return reshape(value, shape)

    def _squeeze(self, value: Value, dropped: tuple[int, ...]) -> Value:
        return reshape(value, tuple(s for i, s in enumerate(value.type.shape) if i not in dropped))

    def generic(
        self,
        sizes: Sequence[int],
        kinds: Sequence[str],
        inputs: Sequence[tuple[Expr, Mapping]],
        inits: Sequence[tuple[Value, Sequence[int]]],
        body: Callable[[list[Any], list[Any]], Sequence[Any]],
    ) -> list[Value]:
        """One ``linalg.generic`` over loops of ``sizes`` and iterator ``kinds``.

        inputs: expressions with their mapping to loops; ``body(ins, outs)`` gets their scalars and the accumulators.
        inits: destination tensors, each with the loops of its dimensions.
        """
        loops = len(sizes)
        leaves = Leaves(self._squeeze)
        for expr, mapping in inputs:
            leaves.collect(expr, mapping)
        covered = {d for m in [*leaves.mappings, *(m for _, m in inits)] for d in m}
        tensors, mappings = list(leaves.tensors), [tuple(m) for m in leaves.mappings]
        missing = [d for d in range(loops) if d not in covered]
        if missing:  # A loop that no tensor's shape tells: an empty tensor does.
            tensors.append(tensor.empty([sizes[d] for d in missing], signless("f32")))
            mappings.append(tuple(missing))
        maps = [projection(loops, m) for m in [*mappings, *(m for _, m in inits)]]

        def emit(arguments: list[Any]) -> Sequence[Any]:
            emitter = Emitter(leaves, arguments, constant, _loop_index)
            scalars = [emitter.scalar(expr, mapping) for expr, mapping in inputs]
            return body(scalars, arguments[len(tensors) :])

        return emit_generic(tensors, [t for t, _ in inits], maps, kinds, emit)

    def reduce(
        self,
        expr: Expr,
        axes: Sequence[int],
        dtype: str,
        neutral: float | int | bool,
        combine: Callable[[Any, Any], Any],
    ) -> Expr:
        """``combine`` over ``axes`` of ``expr`` (converted to ``dtype`` first), from ``neutral``; axes are removed."""
        rank = len(expr.shape)
        kept = [d for d in range(rank) if d not in axes]
        shape = tuple(expr.shape[d] for d in kept)
        kinds = [REDUCTION if d in axes else PARALLEL for d in range(rank)]
        init = self.filled(shape, dtype, neutral)
        [result] = self.generic(
            expr.shape,
            kinds,
            [(self.cast(expr, dtype), identity(rank))],
            [(init, kept)],
            lambda ins, outs: [combine(outs[0], ins[0])],
        )
        return Expr(shape, dtype, result)


def fill(number: Value, init: Value) -> Value:
    """``linalg.fill`` of a scalar (the bindings' own maker goes through a slow description language)."""
    op = linalg.FillOp([init.type], [number], [init])
    linalg.fill_builtin_region(op.operation)
    return op.result


def _loop_index(loop: int, dtype: str) -> Any:
    position = linalg.IndexOp(loop).result
    if dtype == "index":
        return position
    whole = arith.index_cast(signless("si64"), position)
    return cast(whole, "si64", dtype)


def emit_generic(
    inputs: Sequence[Value],
    inits: Sequence[Value],
    maps: Sequence[Any],
    kinds: Sequence[str],
    body: Callable[[list[Any]], Sequence[Any]],
) -> list[Value]:
    """A ``linalg.generic`` with given maps; ``body`` maps block arguments to the scalars to yield."""
    op = linalg.GenericOp(
        [t.type for t in inits],
        list(inputs),
        list(inits),
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        iterators(kinds),
    )
    block = op.regions[0].blocks.append(*(t.type.element_type for t in [*inputs, *inits]))
    with ir.InsertionPoint(block):
        linalg.YieldOp(list(body(list(block.arguments))))
    return list(op.results)


def reassociation(fine: Sequence[int], coarse: Sequence[int]) -> list[list[int]] | None:
    """Groups of dimensions of ``fine`` that make up each dimension of ``coarse``, or None if there are none."""
    groups: list[list[int]] = []
    position = 0
    for size in coarse:
        group: list[int] = []
        product = 1
        while position < len(fine) and (not group or product < size):
            product *= fine[position]
            group.append(position)
            position += 1
        if product != size:
            return None
        groups.append(group)
    rest = list(range(position, len(fine)))
    if any(fine[i] != 1 for i in rest):
        return None
    if rest:
        if not groups:
            return [] if not coarse else None
        groups[-1] += rest
    return groups if all(groups) else None


def _collapse(value: Value, shape: tuple[int, ...], groups: list[list[int]]) -> Value:
    kind = ir.RankedTensorType.get(list(shape), value.type.element_type)
    return tensor.CollapseShapeOp(kind, value, groups).result


def _expand(value: Value, shape: tuple[int, ...], groups: list[list[int]]) -> Value:
    kind = ir.RankedTensorType.get(list(shape), value.type.element_type)
    return tensor.ExpandShapeOp(kind, value, groups, [], list(shape)).result


def reshape(value: Value, shape: tuple[int, ...]) -> Value:
    """A row-major reshape as ``collapse_shape`` and ``expand_shape`` (through one dimension where they must)."""
    source = tuple(value.type.shape)
    if source == shape:
        return value
    if len(source) > len(shape) and (groups := reassociation(source, shape)) is not None:
        return _collapse(value, shape, groups)
    if len(source) < len(shape) and (groups := reassociation(shape, source)) is not None:
        return _expand(value, shape, groups)
    count = 1
    for size in source:
        count *= size
    flat = value if len(source) == 1 else None
    if flat is None:
        flat = _collapse(value, (count,), [list(range(len(source)))]) if source else _expand(value, (1,), [])
    if len(shape) == 1:
        return flat
    return _expand(flat, shape, [list(range(len(shape)))]) if shape else _collapse(flat, (), [])
