"""Conversions that no instruction of the CPU does, as integer arithmetic on single numbers.

Formats: Micikevicius et al., "FP8 Formats for Deep Learning" (f8E4M3FN, f8E5M2) and the OCP Microscaling specification
(f4E2M1FN). A narrow float lies in the low bits of an ``i8``. Rounding is to nearest, ties to even.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.mlir import ir

_CMPI = {"eq": 0, "ult": 6, "ugt": 8, "uge": 9}
_CMPF = {"oeq": 1, "ogt": 2, "uno": 14}
_SIGN, _MAGNITUDE = -0x80000000, 0x7FFFFFFF
_F32_INFINITY, _F32_NAN = 0x7F800000, 0x7FC00000


@dataclass(frozen=True)
class Format:
    """A narrow float: a sign, ``exponent`` bits with ``bias``, ``mantissa`` bits.

    overflow: the magnitude that too large numbers become. nan: the magnitude of NaN; None where there is none, and NaN
    becomes a zero of the other sign (as ml_dtypes has it). infinity: the magnitude of infinity, if there is one.
    """

    exponent: int
    mantissa: int
    bias: int
    overflow: int
    nan: int | None
    infinity: int | None = None

    @property
    def sign(self) -> int:
        """The sign bit's position."""
        return self.exponent + self.mantissa


FORMATS = {
    "f8E4M3FN": Format(4, 3, 7, overflow=0x7F, nan=0x7F),
    "f8E5M2": Format(5, 2, 15, overflow=0x7C, nan=0x7E, infinity=0x7C),
    "f4E2M1FN": Format(2, 1, 1, overflow=0x7, nan=None),
}


class ScalarBuilder:
    """Builds `arith` ops on scalars at the current insertion point."""

    def __init__(self) -> None:
        self.i8, self.i32, self.f32 = ir.IntegerType.get_signless(8), ir.IntegerType.get_signless(32), ir.F32Type.get()

    def op(self, name: str, *operands: Any, kind: Any = None, **attributes: Any) -> Any:
        """An op with one result, of the first operand's type unless ``kind`` is given."""
        return ir.Operation.create(
            f"arith.{name}", results=[kind or operands[0].type], operands=list(operands), attributes=attributes
        ).result

    def integer(self, value: int, kind: Any = None) -> Any:
        """A constant, i32 unless ``kind`` is given."""
        kind = kind or self.i32
        return self.op("constant", kind=kind, value=ir.IntegerAttr.get(kind, value))

    def float(self, value: float) -> Any:
        """A constant in f32."""
        return self.op("constant", kind=self.f32, value=ir.FloatAttr.get(self.f32, value))

    def binary(self, name: str, a: Any, b: int) -> Any:
        """An integer op with a constant."""
        return self.op(name, a, self.integer(b, a.type))

    def compare(self, predicate: str, a: Any, b: Any) -> Any:
        """A comparison of integers or floats."""
        name, code = ("cmpi", _CMPI[predicate]) if predicate in _CMPI else ("cmpf", _CMPF[predicate])
        b = self.integer(b, a.type) if isinstance(b, int) else b
        i1, i64 = ir.IntegerType.get_signless(1), ir.IntegerType.get_signless(64)
        return self.op(name, a, b, kind=i1, predicate=ir.IntegerAttr.get(i64, code))

    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        """One of two values."""
        return self.op("select", condition, yes, no, kind=yes.type)


def to_f32(b: ScalarBuilder, value: Any, form: Format) -> Any:
    """The f32 that a narrow float in an i8 stands for: exact."""
    wide = b.op("extui", value, kind=b.i32)
    magnitude = b.binary("andi", wide, (1 << form.sign) - 1)
    shift = 23 - form.mantissa
    normal = b.binary("addi", b.binary("shli", magnitude, shift), (127 - form.bias) << 23)
    step = 2.0 ** (1 - form.bias - form.mantissa)
    denormal = b.op("mulf", b.op("uitofp", magnitude, kind=b.f32), b.float(step))
    is_denormal = b.compare("ult", magnitude, 1 << form.mantissa)
    bits = b.select(is_denormal, b.op("bitcast", denormal, kind=b.i32), normal)
    if form.infinity is not None:
        special = b.binary("ori", b.binary("shli", magnitude, shift), _F32_INFINITY)
        bits = b.select(b.compare("uge", magnitude, form.infinity), special, bits)
    elif form.nan is not None:
        bits = b.select(b.compare("eq", magnitude, form.nan), b.integer(_F32_NAN), bits)
    sign = b.binary("shli", b.binary("shrui", wide, form.sign), 31)
    return b.op("bitcast", b.op("ori", bits, sign), kind=b.f32)


def from_f32(b: ScalarBuilder, value: Any, form: Format) -> Any:
    """An f32 rounded to a narrow float in an i8."""
    bits = b.op("bitcast", value, kind=b.i32)
    magnitude = b.binary("andi", bits, _MAGNITUDE)
    shift = 23 - form.mantissa
    # Half a unit, less one where the last bit that stays is even: ties go down to even, all above goes up.
    odd = b.binary("andi", b.binary("shrui", magnitude, shift), 1)
    rounded = b.op("addi", b.binary("addi", magnitude, (1 << (shift - 1)) - 1), odd)
    normal = b.binary("subi", b.binary("shrui", rounded, shift), (127 - form.bias) << form.mantissa)
    # A denormal is a multiple of one step: what adding 2**23 steps rounds to.
    magic = 2.0 ** (24 - form.bias - form.mantissa)
    shifted = b.op("addf", b.op("bitcast", magnitude, kind=b.f32), b.float(magic))
    denormal = b.op("subi", b.op("bitcast", shifted, kind=b.i32), b.op("bitcast", b.float(magic), kind=b.i32))
    result = b.select(b.compare("ult", magnitude, (128 - form.bias) << 23), denormal, normal)
    result = b.op("minui", result, b.integer(form.overflow))
    sign = b.binary("shli", b.binary("shrui", bits, 31), form.sign)
    is_nan = b.compare("ugt", magnitude, _F32_INFINITY)
    if form.nan is None:
        result = b.select(is_nan, b.integer(1 << form.sign), result)
        return b.op("trunci", b.op("xori", result, sign), kind=b.i8)
    result = b.select(is_nan, b.integer(form.nan), result)
    return b.op("trunci", b.op("ori", result, sign), kind=b.i8)


def f64_to_odd_f32(b: ScalarBuilder, value: Any) -> Any:
    """An f64 as the f32 that rounding to odd gives, which a second rounding to fewer bits takes as if it were exact.

    Source: S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
    odd", IEEE Trans. Computers 57(4), 2008.
    """
    f64 = value.type
    nearest = b.op("truncf", value, kind=b.f32)
    back = b.op("extf", nearest, kind=f64)
    bits = b.op("bitcast", nearest, kind=b.i32)
    # By magnitude: one unit back where the nearest lies beyond the value, then the last bit says "inexact".
    i64 = ir.IntegerType.get_signless(64)
    back_size, size = (b.binary("andi", b.op("bitcast", x, kind=i64), 0x7FFFFFFFFFFFFFFF) for x in (back, value))
    toward_zero = b.select(b.compare("ugt", back_size, size), b.binary("subi", bits, 1), bits)
    odd = b.op("bitcast", b.binary("ori", toward_zero, 1), kind=b.f32)
    exact = b.compare("oeq", back, value)
    is_nan = b.compare("uno", value, value)
    return b.select(b.op("ori", exact, is_nan), nearest, odd)
