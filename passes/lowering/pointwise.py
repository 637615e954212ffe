"""Constants, broadcasts and transposes: values that are expressions until a tensor is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect
from accelc.passes.lowering.dtypes import constant, is_float, tensor_of
from accelc.passes.lowering.expr import Apply, Expr, Iota, Splat
from accelc.passes.lowering.kernel import Kernel, shape_and_dtype
from accelc.passes.lowering.registry import lowers
from accelc.passes.lowering.scalar import scalar

arith = dialect("arith")
tensor = dialect("tensor")


@lowers("constant")
def lower_constant(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A splat is a scalar constant; other small constants are built with ``tensor.from_elements``."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    array = np.asarray(attrs["value"])
    numbers = [float(x) if is_float(dtype) else int(x) for x in array.reshape(-1)]
    if numbers and all(n == numbers[0] or (n != n and numbers[0] != numbers[0]) for n in numbers):
        k.define(result, Splat(shape, dtype, None, numbers[0]))
        return
    elements = [constant(dtype, n) for n in numbers]
    k.define(result, tensor.FromElementsOp(tensor_of(shape, dtype), elements).result)


@lowers("iota")
def lower_iota(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """The index along an axis: ``linalg.index``."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    k.define(result, Iota(shape, dtype, None, attrs["axis"]))


@lowers("broadcast")
def lower_broadcast(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A projected map."""
    [operand], [result] = op.operation.operands, op.operation.results
    k.define(result, k.broadcast(k.expr(operand), shape_and_dtype(result)[0], tuple(attrs["dims"])))


@lowers("transpose")
def lower_transpose(k: Kernel, op: Any, attrs: Mapping[str, Any]) -> None:
    """A permuted map: result dimension i is operand dimension ``perm[i]``."""
    [operand], [result] = op.operation.operands, op.operation.results
    perm = attrs["perm"]
    dims = tuple(perm.index(i) for i in range(len(perm)))
    k.define(result, k.broadcast(k.expr(operand), shape_and_dtype(result)[0], dims))


def along_axis(k: Kernel, expr: Expr, shape: tuple[int, ...], axis: int) -> Expr:
    """A scalar, or a vector along ``axis``, broadcast to ``shape``."""
    if len(expr.shape) == 0:
        return k.broadcast(expr, shape, ())
    if len(expr.shape) == 1:
        return k.broadcast(expr, shape, (axis,))
    if expr.shape == shape:
        return expr
    if len(expr.shape) == len(shape):
        return _blocks(k, expr, shape, axis)
    raise UnsupportedError(f"a parameter of shape {list(expr.shape)} for a value of shape {list(shape)}")


def _blocks(k: Kernel, expr: Expr, shape: tuple[int, ...], axis: int) -> Expr:
    """A parameter with one entry for each block of elements along ``axis``."""
    block = -(-shape[axis] // expr.shape[axis])
    source = k.materialize(expr)
    positions = k.positions(shape)

    def body(at: Sequence[Any]) -> Any:
        return tensor.extract(
            source, [arith.divui(i, constant("index", block)) if d == axis else i for d, i in enumerate(at)]
        )

    return Apply(shape, expr.dtype, None, positions, body=body)


def lower_elementwise(k: Kernel, op: Any, name: str, attrs: Mapping[str, Any]) -> bool:
    """Defines the result of an elementwise op; False if ``name`` is no such op."""
    result = op.operation.results[0]
    shape, dtype = shape_and_dtype(result)
    operands = [k.expr(v) for v in op.operation.operands]
    body = scalar(name, attrs, [e.dtype for e in operands], dtype)
    if body is None:
        return False
    if name in ("quantize", "dequantize"):
        axis = attrs["axis"] % max(len(shape), 1)
        operands = [operands[0], *(along_axis(k, e, shape, axis) for e in operands[1:])]
    k.define(result, Apply(shape, dtype, None, tuple(operands), body=body))
    return True
