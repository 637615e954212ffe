"""`nn.contract` to ``linalg.contract``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelc.mlir import dialect
from accelc.passes.lowering.convert import cast
from accelc.passes.lowering.dtypes import UNSIGNED, bits, is_float
from accelc.passes.lowering.expr import Expr
from accelc.passes.lowering.kernel import PARALLEL, REDUCTION, Kernel, emit_generic, projection, shape_and_dtype
from accelc.passes.lowering.registry import lowers
from accelc.passes.lowering.scalar import add, mul

linalg = dialect("linalg")


def accumulator(*dtypes: str) -> str:
    """The type in which products of ``dtypes`` are summed: f32, f64 for f64, si32 for 8-bit integers."""
    if any(is_float(t) for t in dtypes):
        return "f64" if "f64" in dtypes else "f32"
    return "si32" if max(bits(t) for t in dtypes) <= 8 else max(dtypes, key=bits)


def parse_spec(spec: str) -> tuple[str, str, str]:
    """``"mk,kn->mn"`` as ("mk", "kn", "mn")."""
    operands, _, out = spec.partition("->")
    a, _, b = operands.partition(",")
    return a, b, out


@lowers("contract")
def lower_contract(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """Fill and ``linalg.contract`` in the accumulator's type; the conversion to the result's is left to an epilogue.

    Without a summed letter it is a product, thus elementwise.
    """
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    lhs, rhs = (k.expr(v) for v in op.operation.operands)
    a, b, out = parse_spec(attrs["spec"])
    summed = [c for c in a if c not in out]
    acc = accumulator(lhs.dtype, rhs.dtype)
    if not summed:
        sides = [
            k.cast(k.broadcast(e, shape, tuple(out.index(c) for c in letters)), acc)
            for e, letters in ((lhs, a), (rhs, b))
        ]
        product = k.apply(acc, lambda x, y: mul(acc, x, y), *sides)
        k.define(result, k.cast(product, dtype))
        return
    letters = [*out, *summed]
    maps = [projection(len(letters), [letters.index(c) for c in side]) for side in (a, b, out)]
    init = k.filled(shape, acc, 0)
    operands = [k.materialize(lhs), k.materialize(rhs)]
    if lhs.dtype in UNSIGNED or rhs.dtype in UNSIGNED or not same_family(lhs.dtype, rhs.dtype):
        kinds = [PARALLEL] * len(out) + [REDUCTION] * len(summed)
        [total] = emit_generic(operands, [init], maps, kinds, multiply_accumulate(lhs.dtype, rhs.dtype, acc))
    else:
        total = linalg.contract(*operands, outs=[init], indexing_maps=maps)
    k.define(result, k.cast(Expr(shape, acc, total), dtype))


def same_family(a: str, b: str) -> bool:
    """Whether both types are floats, or neither is."""
    return is_float(a) == is_float(b)


def multiply_accumulate(a: str, b: str, acc: str) -> Any:
    """A multiply-accumulate body that extends each operand with its own sign."""
    return lambda s: [add(acc, s[2], mul(acc, cast(s[0], a, acc), cast(s[1], b, acc)))]
