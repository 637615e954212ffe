"""Element types of `nn` (which carry signs) and of `kernels` (which do not)."""

from __future__ import annotations

from functools import cache
from typing import Any

from accelc.mlir import dialect, ir

arith = dialect("arith")

FLOATS = ("f16", "bf16", "f32", "f64", "f8E4M3FN", "f8E5M2", "f4E2M1FN")
SIGNED = ("si4", "si8", "si16", "si32", "si64")
UNSIGNED = ("ui4", "ui8", "ui16", "ui32", "ui64")
# Largest finite values of the float types, for saturation and for the neutral elements of max and min.
FLOAT_MAX = {"f8E4M3FN": 448.0, "f8E5M2": 57344.0, "f4E2M1FN": 6.0}


def is_float(dtype: str) -> bool:
    """Whether ``dtype`` is a floating-point type."""
    return dtype in FLOATS


def is_signed(dtype: str) -> bool:
    """Whether integer comparison, division and extension of ``dtype`` are signed (``i1`` is not)."""
    return dtype in SIGNED


@cache
def bits(dtype: str) -> int:
    """Width in bits."""
    if dtype.startswith("f8"):
        return 8
    if dtype == "f4E2M1FN":
        return 4
    if dtype == "index":
        return 64
    return int(dtype.lstrip("bfsui"))


def int_range(dtype: str) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    n = bits(dtype)
    return (-(1 << (n - 1)), (1 << (n - 1)) - 1) if is_signed(dtype) else (0, (1 << n) - 1)


def signless(dtype: str) -> Any:
    """The MLIR type that holds ``dtype`` in a kernel: ``si8`` and ``ui8`` are both ``i8``."""
    return ir.Type.parse(dtype) if is_float(dtype) or dtype == "index" else ir.IntegerType.get_signless(bits(dtype))


def tensor_of(shape: tuple[int, ...], dtype: str) -> Any:
    """The kernel's tensor type for an `nn` tensor."""
    return ir.RankedTensorType.get(list(shape), signless(dtype))


def compute_type(dtype: str) -> str:
    """Where arithmetic on ``dtype`` happens: f32 for the narrow floats, else the type itself."""
    return "f32" if is_float(dtype) and bits(dtype) < 32 else dtype


def constant(dtype: str, value: float | int | bool) -> Any:
    """An ``arith.constant`` of ``dtype``; integers wrap to the signless representation."""
    kind = signless(dtype)
    if is_float(dtype):
        return arith.constant(kind, float(value))
    if dtype == "index":
        return arith.constant(kind, int(value))
    n = bits(dtype)
    wrapped = int(value) & ((1 << n) - 1)
    if n > 1 and wrapped >= 1 << (n - 1):
        wrapped -= 1 << n
    return arith.ConstantOp(kind, ir.IntegerAttr.get(kind, -wrapped if n == 1 else wrapped)).result
