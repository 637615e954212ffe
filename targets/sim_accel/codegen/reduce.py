"""Reductions on the vector unit.

Two ways. Where each reduction dimension is a plain dimension of what is reduced, the summand is computed for the whole
tile and one reducing instruction follows. Windows (and combinations that no reducing instruction has) are unrolled:
one pass over the parallel tile for each point of the reduction space.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import ir
from accelc.targets.sim_accel.codegen.structured import Structured
from accelc.targets.sim_accel.codegen.tiles import Access, Buffer, VectorOp, f32_bits, int_bits
from accelc.targets.sim_accel.codegen.vector import BodyLowering, width_of

# Combiner -> (reducing instruction, elementwise instruction, neutral element).
_COMBINERS: dict[str, tuple[str, str, float]] = {
    "arith.addf": ("vrsum", "vadd", 0.0),
    "arith.mulf": ("vrprod", "vmul", 1.0),
    "arith.maximumf": ("vrmax", "vmax", -math.inf),
    "arith.minimumf": ("vrmin", "vmin", math.inf),
    "arith.maxnumf": ("", "vmaxnum", -math.inf),
    "arith.minnumf": ("", "vminnum", math.inf),
    "arith.addi": ("vrsum", "vadd", 0),
    "arith.muli": ("vrprod", "vmul", 1),
    "arith.maxsi": ("vrmax", "vmax", -math.inf),
    "arith.minsi": ("vrmin", "vmin", math.inf),
    "arith.andi": ("vrmin", "vand", math.inf),
    "arith.ori": ("vrmax", "vor", -math.inf),
}
_UNROLL_LIMIT = 4096


def _outputs(op: Structured) -> list[Any]:
    return list(op.body.arguments)[len(op.inputs) :]


def combiner(op: Structured) -> tuple[Any, Any] | None:
    """(combining op, summand) of a body that ends in ``combine(out, summand)``; None where it has another form."""
    if len(op.outputs) != 1:
        return None
    value = op.body_ops[-1].operands[0]
    out = _outputs(op)[0]
    if isinstance(value.owner, ir.Block) or value.owner.name not in _COMBINERS:
        return None
    others = [v for v in value.owner.operands if v != out]
    if len(others) != 1 or sum(1 for _ in out.uses) != 1:
        return None
    return value.owner, others[0]


def _neutral(name: str, init: float | None, dtype: str) -> bool:
    """Whether the initial value changes nothing."""
    if init is None:
        return False
    neutral = _COMBINERS[name][2]
    if name in ("arith.andi", "arith.ori"):
        return dtype == "bool" and bool(init) == (name == "arith.andi")
    if name in ("arith.maxsi", "arith.minsi"):
        low = {"i8": -(1 << 7), "i32": -(1 << 31), "i64": -(1 << 63), "bool": 0}[dtype]
        return init == (low if name == "arith.maxsi" else -low - 1)
    return init == neutral


def lower_reduction(
    op: Structured,
    shape: tuple[int, ...],
    arguments: Sequence[Access],
    scratch: Buffer,
    outside: Callable[[Any], Any],
    init: float | None,
) -> list[VectorOp]:
    """The instructions of a reduction over tiles.

    arguments: accesses of inputs, then outputs. init: the number that fills the output before, or None where it
    holds data. Raises UnsupportedError for forms that neither way covers.
    """
    if len(op.outputs) == 2:
        return _arg_reduction(op, shape, arguments)
    found = combiner(op)
    if found is not None and _COMBINERS[found[0].name][0] and _plain(op, shape, arguments):
        return _whole(op, shape, arguments, scratch, outside, init, *found)
    return _unrolled(op, shape, arguments, scratch, outside, init)


def _plain(op: Structured, shape: tuple[int, ...], arguments: Sequence[Access]) -> bool:
    """Whether no input dimension mixes a reduction dimension with another (a window)."""
    if op.product is not None and math.prod(shape[d] for d in op.reduction) <= 64:
        # A product of two operands: fused multiply-adds over the parallel tile need no tile of products.
        return math.prod(n for d, n in enumerate(shape) if d not in op.reduction) <= 16
    sizes = [n for d, n in enumerate(shape) if d in op.reduction]
    for number, access in enumerate(op.maps[: len(op.inputs)]):
        if not op.used[number]:
            continue
        for affine in access:
            dims = [d for d in affine.dims if shape[d] > 1]
            if len(dims) > 1 and any(d in op.reduction for d in dims):
                return math.prod(sizes) > _UNROLL_LIMIT
    return True


def _whole(
    op: Structured,
    shape: tuple[int, ...],
    arguments: Sequence[Access],
    scratch: Buffer,
    outside: Callable[[Any], Any],
    init: float | None,
    combine: Any,
    summand: Any,
) -> list[VectorOp]:
    lowering = BodyLowering(op, shape, scratch, outside)
    for argument, access in zip(op.body.arguments, arguments, strict=True):
        lowering.bind(argument, access)
    term = lowering.run_to(summand, combine)
    out = arguments[-1]
    source = term.where
    dims = tuple(d for d in op.reduction)
    reduced = [d for d in dims if shape[d] > 1]
    ctype = width_of(term.dtype)
    mnemonic, elementwise, _ = _COMBINERS[combine.name]
    if not isinstance(source, Access) or any(not source.strides[d] for d in reduced):
        # The summand does not vary along a reduced dimension: a full tile makes it one.
        full = lowering.temporary(term.dtype, tuple(n > 1 for n in shape))
        lowering.emit("vcopy", ctype, [source], full)
        source = full
    keep = not _neutral(combine.name, init, out.dtype)
    if keep and init is not None:
        lowering.emit("vcopy", width_of(out.dtype), [init], out)
    if not reduced:
        sources = [out, source] if keep else [source]
        lowering.emit(elementwise if keep else "vcopy", ctype, sources, out)
        return lowering.code
    fields = {"dims": tuple(reduced), "acc": int(keep)}
    lowering.code.append(VectorOp(mnemonic, ctype, out, [source], shape, fields))
    return lowering.code


def _unrolled(
    op: Structured,
    shape: tuple[int, ...],
    arguments: Sequence[Access],
    scratch: Buffer,
    outside: Callable[[Any], Any],
    init: float | None,
) -> list[VectorOp]:
    sizes = [range(shape[d]) for d in op.reduction]
    if math.prod(map(len, sizes)) > _UNROLL_LIMIT:
        raise UnsupportedError(
            f"a reduction over {math.prod(map(len, sizes))} points that no reducing instruction of sim_accel covers"
        )
    code: list[VectorOp] = []
    found = combiner(op)
    fresh = found is not None and _neutral(found[0].name, init, arguments[-1].dtype)
    if not fresh and init is not None:
        out = arguments[-1]
        value = f32_bits(init) if width_of(out.dtype) == "f32" else int_bits(int(init))
        inner = tuple(1 if d in op.reduction else n for d, n in enumerate(shape))
        code.append(VectorOp("vcopy", width_of(out.dtype), out, [value], inner))
    inner = tuple(1 if d in op.reduction else n for d, n in enumerate(shape))
    for number, point in enumerate(itertools.product(*sizes)):
        accesses = list(arguments)
        for d, at in zip(op.reduction, point, strict=True):
            accesses = [a.fixed(d, at) for a in accesses]
        code += _point(op, inner, accesses, scratch, outside, found if fresh and number == 0 else None)
    return code


def _point(
    op: Structured,
    shape: tuple[int, ...],
    arguments: list[Access],
    scratch: Buffer,
    outside: Callable[[Any], Any],
    first: tuple[Any, Any] | None,
) -> list[VectorOp]:
    out = arguments[-1]
    if op.product is not None:
        a, b = (arguments[n] for n in op.product)
        ctype = width_of(out.dtype)
        if first is not None:
            return [VectorOp("vmul", ctype, out, [a, b], shape)]
        return [VectorOp("vfma", ctype, out, [a, b, out], shape)]
    lowering = BodyLowering(op, shape, scratch, outside)
    for argument, access in zip(op.body.arguments, arguments, strict=True):
        lowering.bind(argument, access)
    if first is None:
        lowering.run([out])
    else:
        lowering.run_to(first[1], first[0], into=out)
    return lowering.code


def _arg_reduction(op: Structured, shape: tuple[int, ...], arguments: Sequence[Access]) -> list[VectorOp]:
    """``argmax`` or ``argmin``: a body that selects value and index by one comparison."""
    names = [o.name for o in op.body_ops]
    value_arg, _ = _outputs(op)
    compares = [o for o in op.body_ops if o.name in ("arith.cmpf", "arith.cmpi") and value_arg in list(o.operands)]
    ordered = [o for o in compares if o.attributes["predicate"].value not in (7, 14)]
    reduced = [d for d in op.reduction if shape[d] > 1]
    if names.count("linalg.index") != 1 or len(ordered) != 1 or len(reduced) > 1:
        raise UnsupportedError("a reduction with two results that is neither argmax nor argmin")
    compare = ordered[0]
    predicate = compare.attributes["predicate"].value
    floating = compare.name == "arith.cmpf"
    greater, equal = (
        (predicate in (2, 3), predicate in (3, 5)) if floating else (predicate in (4, 5), predicate in (3, 5))
    )
    source = next(a for n, a in enumerate(arguments[: len(op.inputs)]) if op.used[n])
    value, index = arguments[-2:]
    ctype = width_of(source.dtype)
    if not reduced:
        return [
            VectorOp("vcopy", ctype, value, [source], shape),
            VectorOp("vcopy", "i64", index, [int_bits(0)], shape),
        ]
    fields = {"b": index, "dims": tuple(reduced), "base": 0, "last": int(equal)}
    return [VectorOp("vargmax" if greater else "vargmin", ctype, value, [source], shape, fields)]
