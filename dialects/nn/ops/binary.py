"""Elementwise ops of two and three operands, comparison and selection. Operands have equal shapes."""

from __future__ import annotations

from accelc.dialects.nn.fields import Flag, Float, Out, Str, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import (
    fail,
    need_bool,
    need_integer,
    need_number,
    need_one_of,
    need_same_dtype,
    same_shape,
)
from accelc.dialects.nn.types import TensorType

PREDICATES = ("eq", "ne", "lt", "le", "gt", "ge")


class Binary(NNOp):
    """``a`` and ``b`` of one shape and one number type; so is the result.

    f16, bf16 and fp8 are computed in f32 and rounded once; integers wrap around at their own width.
    """

    a: Tensor
    b: Tensor
    result: Out

    @staticmethod
    def infer(a: TensorType, b: TensorType) -> TensorType:
        """Result types."""
        need_same_dtype(a, b)
        need_number(a)
        return a if a == b else TensorType(same_shape(a, b), a.dtype)


class LogicalBinary(Binary):
    """``a`` and ``b`` of one shape, bools (i1); so is the result."""

    @staticmethod
    def infer(a: TensorType, b: TensorType) -> TensorType:
        """Result types."""
        need_bool(a, b)
        return TensorType(same_shape(a, b), "i1")


class IntegerBinary(Binary):
    """``a`` and ``b`` of one shape and one integer type; so is the result."""

    @staticmethod
    def infer(a: TensorType, b: TensorType) -> TensorType:
        """Result types."""
        need_same_dtype(a, b)
        need_integer(a, b)
        return TensorType(same_shape(a, b), a.dtype)


class Add(Binary, name="add"):
    """``a + b``. ONNX: Add. linalg: add."""


class Sub(Binary, name="sub"):
    """``a - b``. ONNX: Sub. linalg: sub."""


class Mul(Binary, name="mul"):
    """``a * b``. ONNX: Mul. linalg: mul."""


class Div(Binary, name="div"):
    """``a / b``; integers truncate toward zero, and by zero are unspecified (0 here). ONNX: Div. linalg: div."""


class Mod(NNOp, name="mod"):
    """Remainder: of the sign of ``b`` (``a - b * floor(a / b)``), or with ``fmod`` of the sign of ``a`` (C's fmod).

    By zero: NaN for floats, an unspecified value for integers (0 here). ONNX: Mod.
    """

    a: Tensor
    b: Tensor
    result: Out
    fmod: Flag

    @staticmethod
    def infer(a: TensorType, b: TensorType, *, fmod: bool) -> TensorType:
        """Result types."""
        return Binary.infer(a, b)


class Pow(Binary, name="pow"):
    """``a`` to the power ``b`` (C's pow); integers wrap, and a negative exponent truncates ``1 / a^-b``. ONNX: Pow."""


class Maximum(Binary, name="maximum"):
    """The larger; NaN if either is NaN. ONNX: Max of two. linalg: max. arith: maximumf."""


class Minimum(Binary, name="minimum"):
    """The smaller; NaN if either is NaN. ONNX: Min of two. linalg: min. arith: minimumf."""


class LogicalAnd(LogicalBinary, name="logical_and"):
    """Both. ONNX: And."""


class LogicalOr(LogicalBinary, name="logical_or"):
    """Either. ONNX: Or."""


class LogicalXor(LogicalBinary, name="logical_xor"):
    """One, not both. ONNX: Xor."""


class BitwiseAnd(IntegerBinary, name="bitwise_and"):
    """Bits set in both. ONNX: BitwiseAnd. arith: andi."""


class BitwiseOr(IntegerBinary, name="bitwise_or"):
    """Bits set in either. ONNX: BitwiseOr. arith: ori."""


class BitwiseXor(IntegerBinary, name="bitwise_xor"):
    """Bits set in one, not both. ONNX: BitwiseXor. arith: xori."""


class ShiftLeft(IntegerBinary, name="shift_left"):
    """``a << b``; 0 where b is at least the width. ONNX: BitShift LEFT."""


class ShiftRight(IntegerBinary, name="shift_right"):
    """``a >> b``, filled with the sign (0 if unsigned), also where b is at least the width. ONNX: BitShift RIGHT."""


class Compare(NNOp, name="compare"):
    """``a <predicate> b`` with predicate eq, ne, lt, le, gt or ge: i1 of the operands' shape.

    Operands of one element type (bools: false < true). With NaN only ``ne`` holds. ONNX: Equal, Less, Greater, ...
    """

    a: Tensor
    b: Tensor
    result: Out
    predicate: Str

    @staticmethod
    def infer(a: TensorType, b: TensorType, *, predicate: str) -> TensorType:
        """Result types."""
        need_same_dtype(a, b)
        need_one_of(predicate, PREDICATES, "predicate")
        return TensorType(same_shape(a, b), "i1")


class Select(NNOp, name="select"):
    """``cond ? a : b`` elementwise: ``cond`` i1, all of one shape, a and b of one element type. ONNX: Where."""

    cond: Tensor
    a: Tensor
    b: Tensor
    result: Out

    @staticmethod
    def infer(cond: TensorType, a: TensorType, b: TensorType) -> TensorType:
        """Result types."""
        need_bool(cond)
        need_same_dtype(a, b)
        return TensorType(same_shape(cond, a, b), a.dtype)


class Clamp(NNOp, name="clamp"):
    """``minimum(maximum(x, min), max)``; NaN passes through; ``max`` wins where ``min > max``.

    ``min`` and ``max`` are f64, infinite where there is no bound; they are rounded to x's type, for integers up and
    down respectively, within its range. ONNX: Clip with constant bounds.
    """

    x: Tensor
    result: Out
    min: Float
    max: Float

    @staticmethod
    def infer(x: TensorType, *, min: float, max: float) -> TensorType:  # noqa: A002
        """Result types."""
        need_number(x)
        if min != min or max != max:
            fail("needs bounds that are not NaN")
        return x
