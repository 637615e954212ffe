"""Conversions between scalar types, with the sign that `nn` gave them."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.mlir import dialect
from accelc.passes.lowering.dtypes import FLOAT_MAX, bits, constant, int_range, is_float, is_signed, signless

arith = dialect("arith")
math = dialect("math")

# arith's predicates: ordered greater-than, unordered, unordered not-equal.
_OGT, _UNO, _UNE = 2, 14, 13


def cast(value: Any, source: str, target: str, *, saturate: bool = False) -> Any:
    """``value`` of type ``source`` as ``target``.

    Floats round to nearest even; float to integer truncates toward zero and wraps to narrow types; anything to ``i1``
    is "is not zero". ``saturate`` clamps to the largest finite value (fp8) or to the integer's range, and NaN is then
    the integer 0.
    """
    if source == target:
        return value
    if target == "i1":
        return _to_bool(value, source)
    if is_float(source):
        return _from_float(value, source, target, saturate)
    return _from_int(_clamp_int(value, source, target) if saturate else value, source, target)


def bitcast(value: Any, source: str, target: str) -> Any:
    """The same bits as another type of the same width."""
    return value if signless(source) == signless(target) else arith.bitcast(signless(target), value)


def _to_bool(value: Any, source: str) -> Any:
    if is_float(source):
        wide = cast(value, source, "f32") if bits(source) < 32 else value
        return arith.cmpf(_UNE, wide, constant("f32" if bits(source) < 32 else source, 0))
    return arith.cmpi(1, value, constant(source, 0))


def _from_float(value: Any, source: str, target: str, saturate: bool) -> Any:
    if is_float(target):
        return _float_to_float(value, source, target, saturate)
    if bits(source) < 32:
        value, source = arith.extf(signless("f32"), value), "f32"
    if saturate:
        return _float_to_int_saturated(value, source, target)
    return _float_to_int(value, target)


def _float_to_int_saturated(value: Any, source: str, target: str) -> Any:
    low, high = int_range(target)
    # The largest float that the integer type holds: 2**31 - 1 itself is no f32.
    scalar = np.float64 if source == "f64" else np.float32
    top = float(scalar(high))
    if top > high:
        top = float(np.nextafter(scalar(high), scalar(0)))
    inside = arith.minimumf(arith.maximumf(value, constant(source, low)), constant(source, top))
    nan = arith.cmpf(_UNO, value, value)
    whole = _float_to_int(arith.select(nan, constant(source, 0), inside), target)
    if top == high:
        return whole
    return arith.select(arith.cmpf(_OGT, value, constant(source, top)), constant(target, high), whole)


def _float_to_int(value: Any, target: str) -> Any:
    if target == "ui64":
        return arith.fptoui(signless(target), value)
    # Through a wide signed integer: what narrow and unsigned types do with a value out of range is to wrap.
    wide = "si64" if bits(target) > 16 and target != "si32" else "si32"
    whole = arith.fptosi(signless(wide), value)
    return whole if bits(target) == bits(wide) else arith.trunci(signless(target), whole)


def _float_to_float(value: Any, source: str, target: str, saturate: bool) -> Any:
    if bits(target) > bits(source):
        if bits(source) <= 8 and target == "f64":
            value = arith.extf(signless("f32"), value)
        return arith.extf(signless(target), value)
    if bits(target) == bits(source) or (bits(target) <= 8 and bits(source) < 32):
        # No direct way between f16 and bf16, nor from them to narrower types; f32 holds them all.
        return _float_to_float(arith.extf(signless("f32"), value), "f32", target, saturate)
    if saturate and target in FLOAT_MAX:
        limit = FLOAT_MAX[target]
        value = arith.minimumf(arith.maximumf(value, constant(source, -limit)), constant(source, limit))
    return arith.truncf(signless(target), value)


def _clamp_int(value: Any, source: str, target: str) -> Any:
    """An integer moved into the range of an integer type, in its own type."""
    if is_float(target) or source == "i1":
        return value
    (have_low, have_high), (low, high) = int_range(source), int_range(target)
    smaller, larger = (arith.minsi, arith.maxsi) if is_signed(source) else (arith.minui, arith.maxui)
    if high < have_high:
        value = smaller(value, constant(source, high))
    if low > have_low:
        value = larger(value, constant(source, low))
    return value


def _from_int(value: Any, source: str, target: str) -> Any:
    if is_float(target):
        if bits(target) <= 8:
            wide = (arith.sitofp if is_signed(source) else arith.uitofp)(signless("f32"), value)
            return _float_to_float(wide, "f32", target, True)
        return (arith.sitofp if is_signed(source) else arith.uitofp)(signless(target), value)
    if bits(target) == bits(source):
        return value
    if bits(target) < bits(source):
        return arith.trunci(signless(target), value)
    return (arith.extsi if is_signed(source) else arith.extui)(signless(target), value)
