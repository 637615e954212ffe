"""Unary elementwise ops. One operand, a result of its shape; element types as each op's base class says."""

from __future__ import annotations

from accelc.dialects.nn.fields import Flag, Out, Str, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import need_bool, need_float, need_integer, need_number, need_one_of
from accelc.dialects.nn.types import TensorType


class Unary(NNOp):
    """``x`` of any number type; the result has x's type."""

    x: Tensor
    result: Out

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        """Result types."""
        need_number(x)
        return x


class FloatUnary(Unary):
    """``x`` of a floating-point type; the result has x's type.

    f16, bf16 and fp8 are computed in f32 and rounded once, to nearest even.
    """

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        """Result types."""
        need_float(x)
        return x


class Abs(Unary, name="abs"):
    """``|x|``; the lowest signed integer wraps to itself. ONNX: Abs. linalg: abs."""


class Neg(Unary, name="neg"):
    """``-x``; integers wrap. ONNX: Neg. linalg: negf."""


class Sign(Unary, name="sign"):
    """-1, 0 or 1; keeps NaN, and the sign of zero is not kept (0). ONNX: Sign."""


class Relu(Unary, name="relu"):
    """``max(x, 0)``; NaN stays NaN. ONNX: Relu."""


class Exp(FloatUnary, name="exp"):
    """e to the power x. ONNX: Exp. linalg: exp."""


class Log(FloatUnary, name="log"):
    """Natural logarithm: -inf at 0, NaN below. ONNX: Log. linalg: log."""


class Sqrt(FloatUnary, name="sqrt"):
    """Square root: NaN below 0. ONNX: Sqrt. linalg: sqrt."""


class Rsqrt(FloatUnary, name="rsqrt"):
    """``1 / sqrt(x)``: inf at 0. ONNX: Reciprocal of Sqrt. linalg: rsqrt."""


class Reciprocal(FloatUnary, name="reciprocal"):
    """``1 / x``. ONNX: Reciprocal. linalg: reciprocal."""


class Sin(FloatUnary, name="sin"):
    """Sine of radians. ONNX: Sin. math: sin."""


class Cos(FloatUnary, name="cos"):
    """Cosine of radians. ONNX: Cos. math: cos."""


class Tan(FloatUnary, name="tan"):
    """Tangent of radians. ONNX: Tan. math: tan."""


class Asin(FloatUnary, name="asin"):
    """Inverse sine, in radians. ONNX: Asin. math: asin."""


class Acos(FloatUnary, name="acos"):
    """Inverse cosine, in radians. ONNX: Acos. math: acos."""


class Atan(FloatUnary, name="atan"):
    """Inverse tangent, in radians. ONNX: Atan. math: atan."""


class Sinh(FloatUnary, name="sinh"):
    """Hyperbolic sine. ONNX: Sinh. math: sinh."""


class Cosh(FloatUnary, name="cosh"):
    """Hyperbolic cosine. ONNX: Cosh. math: cosh."""


class Asinh(FloatUnary, name="asinh"):
    """Inverse hyperbolic sine. ONNX: Asinh. math: asinh."""


class Acosh(FloatUnary, name="acosh"):
    """Inverse hyperbolic cosine: NaN below 1. ONNX: Acosh. math: acosh."""


class Atanh(FloatUnary, name="atanh"):
    """Inverse hyperbolic tangent. ONNX: Atanh. math: atanh."""


class Tanh(FloatUnary, name="tanh"):
    """Hyperbolic tangent. ONNX: Tanh. linalg: tanh."""


class Erf(FloatUnary, name="erf"):
    """Error function. ONNX: Erf. linalg: erf."""


class Sigmoid(FloatUnary, name="sigmoid"):
    """``1 / (1 + exp(-x))``, without overflow. ONNX: Sigmoid."""


class Silu(FloatUnary, name="silu"):
    """``x * sigmoid(x)``. ONNX: Swish with alpha 1 (opset 24)."""


class Gelu(NNOp, name="gelu"):
    """Gaussian error linear unit.

    ``approximate = "none"``: ``x/2 * (1 + erf(x / sqrt 2))``; ``"tanh"``:
    ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`` (Hendrycks and Gimpel, 2016). ONNX: Gelu.
    """

    x: Tensor
    result: Out
    approximate: Str

    @staticmethod
    def infer(x: TensorType, *, approximate: str) -> TensorType:
        """Result types."""
        need_float(x)
        need_one_of(approximate, ("none", "tanh"), "approximation")
        return x


class Floor(FloatUnary, name="floor"):
    """Largest integer not above x. ONNX: Floor. linalg: floor."""


class Ceil(FloatUnary, name="ceil"):
    """Smallest integer not below x. ONNX: Ceil. linalg: ceil."""


class Round(FloatUnary, name="round"):
    """Nearest integer, halves to even. ONNX: Round. math: roundeven."""


class LogicalNot(NNOp, name="logical_not"):
    """``not x`` of bools (i1). ONNX: Not."""

    x: Tensor
    result: Out

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        """Result types."""
        need_bool(x)
        return x


class BitwiseNot(NNOp, name="bitwise_not"):
    """All bits of an integer flipped. ONNX: BitwiseNot."""

    x: Tensor
    result: Out

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        """Result types."""
        need_integer(x)
        return x


class IsNan(NNOp, name="isnan"):
    """Whether x is NaN: i1 of x's shape. ONNX: IsNaN."""

    x: Tensor
    result: Out

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        """Result types."""
        need_float(x)
        return TensorType(x.shape, "i1")


class IsInf(NNOp, name="isinf"):
    """Whether x is infinite, of the signs that ``positive`` and ``negative`` allow: i1 of x's shape. ONNX: IsInf."""

    x: Tensor
    result: Out
    positive: Flag
    negative: Flag

    @staticmethod
    def infer(x: TensorType, *, positive: bool, negative: bool) -> TensorType:
        """Result types."""
        need_float(x)
        return TensorType(x.shape, "i1")
