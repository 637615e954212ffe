"""Constants: `constant`, `weight`, `iota`."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.dialects.nn.fields import Array, Int, OptionalTensor, Out, Str
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import fail, need_axis, need_number, need_shape
from accelc.dialects.nn.types import Shape, TensorType, dtype_of_array

MAX_CONSTANT_ELEMENTS = 64


class Constant(NNOp, name="constant"):
    """A small constant: ``value`` is its elements, at most 64 of them; larger ones are `weight`.

    The result has the shape and element type of ``value``. ONNX: Constant. linalg: ``arith.constant dense<..>``.
    """

    result: Out
    value: Array

    @staticmethod
    def infer(*, value: np.ndarray[Any, Any]) -> TensorType:
        """Result types."""
        if value.size > MAX_CONSTANT_ELEMENTS:
            fail(f"holds at most {MAX_CONSTANT_ELEMENTS} elements, got {value.size}; nn.weight names larger constants")
        return TensorType(value.shape, dtype_of_array(value))


class Weight(NNOp, name="weight"):
    """The constant that the store calls ``ref``; the result type is static and says its shape and element type.

    ONNX: an initializer. Below nn: ``plan.constant``.
    """

    result: Out
    ref: Str
    FROM_RESULT = ("shape", "dtype")

    @staticmethod
    def infer(*, ref: str, shape: Shape, dtype: str) -> TensorType:
        """Result types."""
        if not ref:
            fail("needs a name in 'ref'")
        if None in shape:
            fail("needs a static result type")
        return TensorType(tuple(shape), dtype)


class Iota(NNOp, name="iota"):
    """Counts along ``axis``: element ``[i0, i1, ..]`` is ``i_axis``, in any number type.

    The result type gives the shape; where it holds a ``?``, the operand ``sizes`` (si64, one element a dimension) says
    the sizes when the model runs. ONNX: Range (with mul and add). linalg: ``generic`` with ``linalg.index``.
    """

    sizes: OptionalTensor
    result: Out
    axis: Int
    FROM_RESULT = ("shape", "dtype")

    @staticmethod
    def infer(*sizes: TensorType, axis: int, shape: Shape, dtype: str) -> TensorType:
        """Result types."""
        result = TensorType(tuple(shape), dtype)
        need_number(result)
        need_axis(axis, len(shape))
        check_sizes(result.shape, sizes)
        return result


def check_sizes(shape: Shape, sizes: tuple[TensorType, ...]) -> None:
    """A result shape with unknown sizes needs the operand that says them when the model runs."""
    for t in sizes:
        if t.dtype != "si64":
            fail(f"needs sizes of element type si64, got {t}")
        need_shape(t, (len(shape),), "sizes")
    if not sizes and None in shape:
        fail("needs the operand 'sizes' where a size of the result is unknown")
