"""`linalg`: every structured op, named or generic, from its indexing maps and its scalar body.

The body is evaluated on arrays over the iteration space. A contraction becomes matrix products; a reduction that
combines each element with one associative op becomes a numpy reduction; any other reduction runs its steps in order,
each for all parallel points at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.dialects.evaluators.common import affine, linear, strided
from accelc.dialects.evaluators.patterns import Combination, combinations, is_contraction
from accelc.dialects.interpreter import Array, Body, Call, Code, evaluator
from accelc.dialects.nn.reference.norms import softmax_of
from accelc.dialects.nn.reference.numerics import is_float, precise, store
from accelc.mlir import dialect

_linalg: Any = dialect("linalg")
_MEMOIZED = "linalg.memoized_indexing_maps"

# Points of an iteration space that are evaluated at once.
CHUNK = 1 << 22


class Space:
    """What ``linalg.index`` gives while a body runs: an array (or number) a dimension."""

    def __init__(self) -> None:
        self.indices: list[Any] = []


class Structured:
    """A structured op made ready: maps as linear forms, iterators, the body, and how to run it."""

    def __init__(self, op: Any, code: Code) -> None:
        maps = _maps(op)
        self.op = op
        self.rank: int = maps[0].n_dims if maps else 0
        self.forms = [[linear(e, self.rank) for e in m.results] for m in maps]
        self.expressions = [[affine(e) for e in m.results] for m in maps]
        self.num_outputs = _num_outputs(op)
        self.num_inputs = len(op.operands) - self.num_outputs
        outputs = [f for forms in self.forms[self.num_inputs :] for f in forms]
        if any(f is None for f in outputs):
            raise UnsupportedError(f"'{op.name}' at {op.location} has an output map that is not linear")
        self.parallel = [any(f.coefficients[d] for f in outputs if f) for d in range(self.rank)]
        self.reduced = tuple(d for d in range(self.rank) if not self.parallel[d])
        self.space = Space()
        block = op.regions[0].blocks[0]
        self.num_arguments = len(block.arguments)
        self.contraction = bool(self.reduced) and len(op.operands) == 3 and is_contraction(block)
        self.combined: list[Combination] | None = combinations(block, self.num_outputs) if self.reduced else None
        spaces = code.__dict__.setdefault("spaces", [])
        spaces.append(self.space)
        if self.combined is not None:
            skip = {c.op for c in self.combined}
            self.body: Body = code.body(block, skip=skip, yielded=[c.value for c in self.combined])
        else:
            self.body = code.body(block)
        spaces.pop()

    def __call__(self, *operands: Any) -> Any:
        arrays = [np.asarray(x) for x in operands]
        on_tensors = len(self.op.results) > 0
        inputs = arrays[: self.num_inputs]
        outputs = [a.copy() if on_tensors else a for a in arrays[self.num_inputs :]]
        sizes = self._sizes(arrays)
        if 0 not in sizes:
            self._run(inputs, outputs, sizes)
        if not on_tensors:
            return None
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _sizes(self, arrays: Sequence[Array]) -> list[int]:
        sizes: list[int | None] = [None] * self.rank
        for forms, array in zip(self.forms, arrays, strict=True):
            for form, size in zip(forms, array.shape, strict=True):
                if form is not None and form.constant == 0 and sorted(form.coefficients)[-2:] in ([0, 1], [1]):
                    sizes[form.coefficients.index(1)] = size
        if None in sizes:
            raise UnsupportedError(f"'{self.op.name}' at {self.op.location} does not say the size of every loop")
        return [int(s or 0) for s in sizes]

    def _view(self, i: int, array: Array, sizes: Sequence[int]) -> Array:
        forms = self.forms[i]
        if all(f is not None for f in forms):
            return strided(array, [f for f in forms if f is not None], sizes)
        grid = np.indices(sizes, sparse=True)
        gathered: Array = array[tuple([np.asarray(e(grid, ())) for e in self.expressions[i]])]
        return gathered

    def _run(self, inputs: list[Array], outputs: list[Array], sizes: list[int]) -> None:
        views = [self._view(i, a, sizes) for i, a in enumerate(inputs)]
        targets = [
            strided(a, [f for f in forms if f is not None], sizes, writeable=True)
            for a, forms in zip(outputs, self.forms[self.num_inputs :], strict=True)
        ]
        if self.contraction:
            _contract(views[0], views[1], targets[0], sizes)
        elif self.combined is not None:
            self._reduce(views, targets, sizes, self.combined)
        else:
            self._in_order(views, targets, sizes)

    def _in_order(self, views: list[Array], targets: list[Array], sizes: list[int]) -> None:
        """Step by step over the reduction, all parallel points at once (in one step where nothing is reduced)."""
        for point in product(*(range(sizes[d]) for d in self.reduced)):
            where = dict(zip(self.reduced, point, strict=True))
            self.space.indices = [
                np.int64(where[d]) if d in where else _along(np.arange(sizes[d]), d, self.rank)
                for d in range(self.rank)
            ]
            taken = [v[_point(v, where)] for v in views]
            results = self.body(*[*taken, *targets][: self.num_arguments])
            for target, result in zip(targets, [np.array(r) for r in results], strict=True):
                target[...] = result

    def _reduce(
        self, views: list[Array], targets: list[Array], sizes: list[int], combined: Sequence[Combination]
    ) -> None:
        """The elements over a slab of the space at once, then one numpy reduction; slabs along a parallel dimension."""
        parallel = [d for d in range(self.rank) if self.parallel[d]]
        cut = max(parallel, key=lambda d: sizes[d], default=None)
        points = int(np.prod(sizes, dtype=np.int64))
        step = sizes[cut] if cut is not None else 1
        if cut is not None and points > CHUNK:
            step = max(1, CHUNK // (points // sizes[cut]))
        for start in range(0, sizes[cut] if cut is not None else 1, step):
            slab = [slice(None)] * self.rank
            shape = list(sizes)
            if cut is not None:
                slab[cut] = slice(start, start + step)
                shape[cut] = min(step, sizes[cut] - start)
            self.space.indices = [_along(np.arange(sizes[d])[slab[d]], d, self.rank) for d in range(self.rank)]
            parts = [_slab(a, slab, cut) for a in [*views, *targets]]
            values = self.body(*parts[: self.num_arguments])
            for c, value, target in zip(combined, values, parts[len(views) :], strict=True):
                c.accumulate(np.broadcast_to(value, shape), self.reduced, target)


def _along(values: Array, axis: int, rank: int) -> Array:
    return values.reshape([-1 if d == axis else 1 for d in range(rank)])


def _point(view: Array, where: dict[int, int]) -> tuple[slice, ...]:
    """The index that keeps a view's rank but takes one point along the dimensions in ``where``."""
    return tuple(
        slice(where[d], where[d] + 1) if d in where and n > 1 else slice(None) for d, n in enumerate(view.shape)
    )


def _slab(array: Array, slab: list[slice], cut: int | None) -> Array:
    if cut is None or array.shape[cut] == 1:
        return array
    part: Array = array[tuple(slab)]
    return part


def _contract(a: Array, b: Array, out: Array, sizes: Sequence[int]) -> None:
    """``out += a * b`` summed over the dimensions that ``out`` does not have; views over the whole space."""
    rank = len(sizes)
    in_a, in_b, in_out = ([v.shape[d] > 1 for d in range(rank)] for v in (a, b, out))
    floats = is_float(a.dtype)
    wide = (lambda x: precise(x)) if floats else _exact
    lonely = [d for d in range(rank) if not in_out[d] and sizes[d] > 1]
    for d in lonely:
        if not in_a[d] and not in_b[d]:
            raise UnsupportedError("a contraction sums over a dimension that no operand has")
    only_a = tuple(d for d in lonely if not in_b[d])
    only_b = tuple(d for d in lonely if not in_a[d])
    x = wide(a).sum(axis=only_a, keepdims=True) if only_a else a
    y = wide(b).sum(axis=only_b, keepdims=True) if only_b else b
    summed = [d for d in lonely if in_a[d] and in_b[d]]
    batch = [d for d in range(rank) if in_out[d] and in_a[d] and in_b[d]]
    rows = [d for d in range(rank) if in_out[d] and in_a[d] and not in_b[d]]
    columns = [d for d in range(rank) if in_out[d] and in_b[d] and not in_a[d]]
    right = wide(_grouped(y, batch, summed, columns))
    # A window map repeats elements: copy them a part of the rows at a time.
    depth = int(np.prod([sizes[d] for d in [*batch, *rows, *summed]], dtype=np.int64))
    first = rows[0] if rows else None
    step = sizes[first] if first is not None else 1
    if first is not None and depth > CHUNK:
        step = max(1, sizes[first] * CHUNK // depth)
    for start in range(0, sizes[first] if first is not None else 1, step):
        slab = [slice(None)] * rank
        if first is not None:
            slab[first] = slice(start, start + step)
        part, target = x[tuple(slab)], out[tuple(slab)]
        total = np.matmul(wide(_grouped(part, batch, rows, summed)), right)
        order = [*batch, *rows, *columns]
        rest = [d for d in range(rank) if d not in order]
        total = total.reshape([*[target.shape[d] for d in order], *[1] * len(rest)])
        total = total.transpose(np.argsort([*order, *rest]))
        if floats:
            target[...] = store(wide(target) + total, out.dtype)
        else:
            target[...] = target + (total.astype(np.int64) if total.dtype.kind == "f" else total).astype(out.dtype)


def _exact(x: Array) -> Array:
    """8-bit integers as f64, in which sums of their products are exact; wider ones as they are."""
    return x.astype(np.float64) if x.dtype.itemsize == 1 else x.astype(np.int64)


def _grouped(x: Array, batch: list[int], middle: list[int], last: list[int]) -> Array:
    rest = [d for d in range(x.ndim) if d not in (*batch, *middle, *last)]
    moved = x.transpose([*batch, *middle, *last, *rest])
    count = [int(np.prod([x.shape[d] for d in group], dtype=np.int64)) for group in (middle, last)]
    return moved.reshape([*[x.shape[d] for d in batch], *count])


def _maps(op: Any) -> list[Any]:
    """The op's indexing maps. The bindings leave a note on named ops; the module must print as before."""
    had = _MEMOIZED in op.attributes
    maps = [m.value if hasattr(m, "value") else m for m in _linalg.get_indexing_maps(op)]
    if not had and _MEMOIZED in op.attributes:
        del op.attributes[_MEMOIZED]
    return maps


def _num_outputs(op: Any) -> int:
    if "operandSegmentSizes" in op.attributes:
        return int(list(op.attributes["operandSegmentSizes"])[-1])
    return len(op.operands) // 2 if op.name == "linalg.reduce" else 1


@evaluator("linalg.")
def structured(op: Any, code: Code) -> Call:
    """Any op with indexing maps and a scalar body."""
    if not len(op.regions) or not len(op.regions[0].blocks):
        raise UnsupportedError(f"the interpreter cannot execute '{op.name}' at {op.location}")
    return Structured(op, code)


@evaluator("linalg.index")
def index(op: Any, code: Code) -> Call:
    """Where in the iteration space the body is."""
    space, dim = code.__dict__["spaces"][-1], op.attributes["dim"].value
    return lambda: space.indices[dim]


def _give(op: Any, out: Array, result: Array) -> Array | None:
    """A result as a tensor, or written to the memref that takes it."""
    if len(op.results):
        return result.astype(out.dtype, copy=False)
    out[...] = result
    return None


@evaluator("linalg.softmax")
def softmax(op: Any, code: Code) -> Call:
    """Softmax along one dimension."""
    axis = op.attributes["dimension"].value
    return lambda x, out: _give(op, out, store(softmax_of(precise(x), axis), x.dtype))


def _packing(op: Any) -> tuple[list[int], list[int], list[int]]:
    tiles = list(op.attributes["static_inner_tiles"])
    if any(t < 0 for t in tiles):
        raise UnsupportedError(f"'{op.name}' at {op.location} has tiles of unknown size")
    outer = list(op.attributes["outer_dims_perm"]) if "outer_dims_perm" in op.attributes else []
    return list(op.attributes["inner_dims_pos"]), tiles, outer


@evaluator("linalg.pack")
def pack(op: Any, code: Code) -> Call:
    """Tiles of the source, padded where they do not fit, as trailing dimensions."""
    positions, tiles, outer = _packing(op)
    rank = len(op.operands[0].type.shape)
    order = outer or list(range(rank))

    def call(source: Array, out: Array, *padding: Any) -> Any:
        full = list(source.shape)
        for p, t in zip(positions, tiles, strict=True):
            full[p] = -(-full[p] // t) * t
        padded = np.full(full, padding[0] if padding else 0, source.dtype)
        padded[tuple([slice(0, n) for n in source.shape])] = source
        shape: list[int] = []
        outer_axis, inner_axis = {}, {}
        for d, n in enumerate(full):
            outer_axis[d] = len(shape)
            if d in positions:
                t = tiles[positions.index(d)]
                inner_axis[d] = len(shape) + 1
                shape += [n // t, t]
            else:
                shape.append(n)
        axes = [*[outer_axis[d] for d in order], *[inner_axis[p] for p in positions]]
        return _give(op, out, np.ascontiguousarray(padded.reshape(shape).transpose(axes)))

    return call


@evaluator("linalg.unpack")
def unpack(op: Any, code: Code) -> Call:
    """The inverse of `pack`; what was padded is dropped."""
    positions, tiles, outer = _packing(op)

    def call(source: Array, out: Array) -> Any:
        rank = source.ndim - len(tiles)
        order = outer or list(range(rank))
        axes: list[int] = []
        shape: list[int] = []
        for d in range(rank):
            n = source.shape[order.index(d)]
            axes.append(order.index(d))
            if d in positions:
                axes.append(rank + positions.index(d))
                n *= tiles[positions.index(d)]
            shape.append(n)
        whole = source.transpose(axes).reshape(shape)
        return _give(op, out, np.ascontiguousarray(whole[tuple([slice(0, n) for n in out.shape])]))

    return call
