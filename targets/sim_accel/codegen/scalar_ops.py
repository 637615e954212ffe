"""Which vector instructions compute each scalar operation of `arith` and `math`.

An entry of `OPERATIONS` is a list of steps ``(mnemonic, ctype, operands...)``: an operand is ``a0``, ``a1``, .. for
the operation's operands, ``t0``, ``t1``, .. for the results of earlier steps, or a number. The last step is the result.
``ctype`` "f" is f32, "n" the integer type of the operation's width.
"""

from __future__ import annotations

import math

Step = tuple[str | float, ...]

_BINARY_FLOAT = {
    "arith.addf": "vadd", "arith.subf": "vsub", "arith.mulf": "vmul", "arith.divf": "vdiv", "arith.remf": "vrem",
    "arith.maximumf": "vmax", "arith.minimumf": "vmin", "arith.maxnumf": "vmaxnum", "arith.minnumf": "vminnum",
    "math.powf": "vpow",
}  # fmt: skip
_UNARY_FLOAT = {
    "arith.negf": "vneg", "math.absf": "vabs", "math.floor": "vfloor", "math.ceil": "vceil", "math.roundeven": "vrint",
    "math.trunc": "vtrunc", "math.sqrt": "vsqrt", "math.rsqrt": "vrsqrt", "math.exp": "vexp", "math.log": "vlog",
    "math.tanh": "vtanh", "math.erf": "verf", "math.sin": "vsin", "math.cos": "vcos",
}  # fmt: skip
# Unsigned division, remainder and right shift are exact for the non-negative values that index arithmetic has.
_BINARY_INT = {
    "arith.addi": "vadd", "arith.subi": "vsub", "arith.muli": "vmul", "arith.divsi": "vdiv", "arith.remsi": "vrem",
    "arith.maxsi": "vmax", "arith.minsi": "vmin", "arith.andi": "vand", "arith.ori": "vor", "arith.xori": "vxor",
    "arith.shli": "vshl", "arith.shrsi": "vshr", "arith.shrui": "vshrl",
}  # fmt: skip

OPERATIONS: dict[str, list[Step]] = {
    **{name: [(op, "f", "a0", "a1")] for name, op in _BINARY_FLOAT.items()},
    **{name: [(op, "f", "a0")] for name, op in _UNARY_FLOAT.items()},
    **{name: [(op, "n", "a0", "a1")] for name, op in _BINARY_INT.items()},
    "math.absi": [("vabs", "n", "a0")],
    "math.fma": [("vfma", "f", "a0", "a1", "a2")],
    "math.exp2": [("vpow", "f", 2.0, "a0")],
    "math.expm1": [("vexp", "f", "a0"), ("vsub", "f", "t0", 1.0)],
    "math.log1p": [("vadd", "f", "a0", 1.0), ("vlog", "f", "t0")],
    "math.log2": [("vlog", "f", "a0"), ("vmul", "f", "t0", 1.0 / math.log(2.0))],
    "math.log10": [("vlog", "f", "a0"), ("vmul", "f", "t0", 1.0 / math.log(10.0))],
    "math.tan": [("vsin", "f", "a0"), ("vcos", "f", "a0"), ("vdiv", "f", "t0", "t1")],
    # sinh and cosh from exp: exact enough away from 0; near 0 sinh loses bits that the bound of bf16 does not see.
    "math.sinh": [
        ("vexp", "f", "a0"), ("vrecip", "f", "t0"), ("vsub", "f", "t0", "t1"), ("vmul", "f", "t2", 0.5),
    ],
    "math.cosh": [
        ("vexp", "f", "a0"), ("vrecip", "f", "t0"), ("vadd", "f", "t0", "t1"), ("vmul", "f", "t2", 0.5),
    ],
    # Half away from zero: truncate |x| + 1/2, and give it x's sign back (|x| of 2^23 and more is whole already).
    "math.round": [
        ("vtrunc", "f", "a0"), ("vsub", "f", "a0", "t0"), ("vabs", "f", "t1"), ("vcge", "f", "t2", 0.5),
        ("vclt", "f", "a0", 0.0), ("vmul", "f", "t4", -2.0), ("vadd", "f", "t5", 1.0), ("vmul", "f", "t3", "t6"),
        ("vadd", "f", "t0", "t7"),
    ],
    "arith.divui": [("vdiv", "n", "a0", "a1")],
    "arith.remui": [("vrem", "n", "a0", "a1")],
    # Truncating division corrected where signs differ and a remainder is left.
    "arith.floordivsi": [
        ("vdiv", "n", "a0", "a1"), ("vrem", "n", "a0", "a1"), ("vcne", "n", "t1", 0), ("vxor", "n", "a0", "a1"),
        ("vclt", "n", "t3", 0), ("vand", "n", "t2", "t4"), ("vsub", "n", "t0", "t5"),
    ],
    "arith.ceildivsi": [
        ("vdiv", "n", "a0", "a1"), ("vrem", "n", "a0", "a1"), ("vcne", "n", "t1", 0), ("vxor", "n", "a0", "a1"),
        ("vcge", "n", "t3", 0), ("vand", "n", "t2", "t4"), ("vadd", "n", "t0", "t5"),
    ],
}  # fmt: skip

_NAN: list[Step] = [("vcne", "f", "a0", "a0"), ("vcne", "f", "a1", "a1"), ("vor", "i32", "t0", "t1")]
COMPARE_FLOAT: dict[str, list[Step]] = {
    "oeq": [("vceq", "f", "a0", "a1")],
    "ogt": [("vcgt", "f", "a0", "a1")],
    "oge": [("vcge", "f", "a0", "a1")],
    "olt": [("vclt", "f", "a0", "a1")],
    "ole": [("vcle", "f", "a0", "a1")],
    "une": [("vcne", "f", "a0", "a1")],
    "one": [("vclt", "f", "a0", "a1"), ("vcgt", "f", "a0", "a1"), ("vor", "i32", "t0", "t1")],
    "ueq": [("vclt", "f", "a0", "a1"), ("vcgt", "f", "a0", "a1"), ("vor", "i32", "t0", "t1"), ("vceq", "i32", "t2", 0)],
    "ugt": [("vcle", "f", "a0", "a1"), ("vceq", "i32", "t0", 0)],
    "uge": [("vclt", "f", "a0", "a1"), ("vceq", "i32", "t0", 0)],
    "ult": [("vcge", "f", "a0", "a1"), ("vceq", "i32", "t0", 0)],
    "ule": [("vcgt", "f", "a0", "a1"), ("vceq", "i32", "t0", 0)],
    "uno": _NAN,
    "ord": [*_NAN, ("vceq", "i32", "t2", 0)],
}
#: `arith.cmpf`'s predicates by number.
FLOAT_PREDICATES = (
    "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true",
)  # fmt: skip
#: `arith.cmpi`'s predicates by number; the unsigned ones compare like the signed ones after the sign bits are flipped.
INTEGER_PREDICATES = ("vceq", "vcne", "vclt", "vcle", "vcgt", "vcge", "vclt", "vcle", "vcgt", "vcge")
