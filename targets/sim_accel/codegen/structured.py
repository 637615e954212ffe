"""Reading `linalg` ops: iteration space, affine accesses and body, the same for named and generic ops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir

#: Attribute on a tiled contraction: which unit computes it, ``mxu`` or ``vec``.
UNIT = "sim_accel.unit"


@dataclass(frozen=True)
class Affine:
    """``sum(coeffs[d] * index[d]) + const`` over the iteration dimensions."""

    coeffs: tuple[int, ...]
    const: int = 0

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimensions that occur."""
        return tuple(d for d, c in enumerate(self.coeffs) if c)

    @property
    def single(self) -> int | None:
        """d where the expression is just the index of dimension d, else None."""
        dims = self.dims
        return dims[0] if len(dims) == 1 and self.coeffs[dims[0]] == 1 and self.const == 0 else None


def _affine(expr: Any, rank: int) -> Affine:
    if isinstance(expr, ir.AffineDimExpr):
        position = expr.position
        return Affine(tuple(int(d == position) for d in range(rank)))
    if isinstance(expr, ir.AffineConstantExpr):
        return Affine((0,) * rank, expr.value)
    if isinstance(expr, ir.AffineAddExpr):
        e = expr
        a, b = _affine(e.lhs, rank), _affine(e.rhs, rank)
        return Affine(tuple(x + y for x, y in zip(a.coeffs, b.coeffs, strict=True)), a.const + b.const)
    if isinstance(expr, ir.AffineMulExpr):
        e = expr
        a, b = _affine(e.lhs, rank), _affine(e.rhs, rank)
        if not a.dims:
            a, b = b, a
        if not b.dims:
            return Affine(tuple(x * b.const for x in a.coeffs), a.const * b.const)
    raise UnsupportedError(f"sim_accel has no access of the form {expr}")


_MAPS: dict[str, tuple[int, tuple[Affine, ...]]] = {}


def affine_map(map_: Any) -> tuple[int, tuple[Affine, ...]]:
    """(number of dimensions, results) of an ``ir.AffineMap``."""
    key = str(map_)
    if key not in _MAPS:
        _MAPS[key] = (map_.n_dims, tuple(_affine(e, map_.n_dims) for e in map_.results))
    return _MAPS[key]


@dataclass(eq=False)
class Structured:
    """A `linalg` op.

    inputs, outputs: SSA values; ``maps`` has one access (an `Affine` per dimension) for each, inputs first.
    extents: size of each iteration dimension (None where a type is dynamic).
    body: the block computing scalars; its arguments follow inputs and outputs.
    """

    op: Any
    inputs: list[Any]
    outputs: list[Any]
    maps: list[tuple[Affine, ...]]
    extents: tuple[int, ...]
    body: Any

    @cached_property
    def rank(self) -> int:
        """Number of iteration dimensions."""
        return len(self.extents)

    @cached_property
    def reduction(self) -> tuple[int, ...]:
        """The dimensions that no output has."""
        kept = {d for m in self.maps[len(self.inputs) :] for e in m for d in e.dims}
        return tuple(d for d in range(self.rank) if d not in kept)

    @cached_property
    def body_ops(self) -> list[Any]:
        """The body's operations, the yield last."""
        return [o.operation for o in self.body.operations]

    @cached_property
    def used(self) -> tuple[bool, ...]:
        """Whether each block argument is used by the body."""
        return tuple(any(True for _ in a.uses) for a in self.body.arguments)

    @cached_property
    def product(self) -> tuple[int, int] | None:
        """(lhs, rhs) block arguments where the body is ``out + extend(lhs) * extend(rhs)``, else None."""
        ops = self.body_ops
        if len(self.outputs) != 1 or len(ops) < 3 or not self.reduction:
            return None
        add = ops[-1].operands[0].owner if len(ops[-1].operands) == 1 else None
        if add is None or isinstance(add, ir.Block) or add.name not in ("arith.addf", "arith.addi"):
            return None
        accumulator = self.body.arguments[len(self.inputs)]
        terms = [v for v in add.operands if v != accumulator]
        if (
            len(terms) != 1
            or isinstance(terms[0].owner, ir.Block)
            or terms[0].owner.name not in ("arith.mulf", "arith.muli")
        ):
            return None
        sides = [self._extended(v) for v in terms[0].owner.operands]
        if None in sides or len(sides) != 2 or sides[0] == sides[1]:
            return None
        return (sides[0], sides[1])  # type: ignore[return-value]

    def _extended(self, value: Any) -> int | None:
        while not isinstance(value.owner, ir.Block):
            if value.owner.name not in ("arith.extf", "arith.extsi", "arith.extui"):
                return None
            value = value.owner.operands[0]
        if value.owner != self.body:
            return None
        n = ir.BlockArgument(value).arg_number
        return n if n < len(self.inputs) else None

    @cached_property
    def moved(self) -> int | None:
        """n where the body just yields input n unchanged, else None."""
        ops = self.body_ops
        if len(ops) != 1 or len(ops[0].operands) != 1 or self.reduction:
            return None
        value = ops[0].operands[0]
        if not isinstance(value.owner, ir.Block) or value.owner != self.body:
            return None
        n = ir.BlockArgument(value).arg_number
        return n if n < len(self.inputs) and hasattr(self.inputs[n].type, "shape") else None

    @cached_property
    def extended(self) -> int | None:
        """n where the body yields input n extended to a wider float, else None: the same number."""
        ops = self.body_ops
        if len(ops) != 2 or ops[0].name != "arith.extf" or ops[1].operands[0] != ops[0].results[0] or self.reduction:
            return None
        value = ops[0].operands[0]
        n = ir.BlockArgument(value).arg_number if isinstance(value.owner, ir.Block) else len(self.inputs)
        return n if n < len(self.inputs) and hasattr(self.inputs[n].type, "shape") else None


def is_structured(op: Any) -> bool:
    """Whether an op is one of `linalg`'s computations."""
    return (
        bool(op.name.startswith("linalg.")) and op.name not in ("linalg.yield", "linalg.index") and len(op.regions) == 1
    )


def structured(op: Any) -> Structured:
    """Reads a `linalg` op on tensors or memrefs with static shapes. Raises UnsupportedError for odd accesses."""
    maps_attribute = (
        op.attributes["indexing_maps"] if "indexing_maps" in op.attributes else dialect("linalg").get_indexing_maps(op)
    )
    parsed = [affine_map(ir.AffineMapAttr(a).value) for a in maps_attribute]
    rank = parsed[0][0]
    segments = (
        list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))
        if "operandSegmentSizes" in op.attributes
        else None
    )
    operands = list(op.operands)
    inputs = segments[0] if segments else len(operands) - max(1, len(op.results))
    maps = [m for _, m in parsed]
    extents: list[int | None] = [None] * rank
    for value, accesses in zip(operands, maps, strict=True):
        for size, access in zip(getattr(value.type, "shape", ()), accesses, strict=False):
            if access.single is not None:
                extents[access.single] = size
    if any(e is None for e in extents):
        raise UnsupportedError(f"{op.name}: a loop whose size no operand's shape tells")
    return Structured(op, operands[:inputs], operands[inputs:], maps, tuple(extents), op.regions[0].blocks[0])  # type: ignore[arg-type]
