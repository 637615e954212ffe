"""Elementary functions on f32 as polynomials: a few units in the last place, infinities, NaNs and denormals right.

Each function takes a builder and a value (a scalar or a vector) and returns the result. Nothing here branches or
converts
a NaN to an integer, so that vectors work lane by lane. Comparisons are ordered and select the value itself where they
fail, so that NaN passes through every clamp.

Sources: exp and log follow S. L. Moshier's Cephes library (expf, logf); tanh and erf are the rational minimax
approximations of the Eigen library; expm1 and log1p follow from exp's and log's kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelc.mlir import dialect, ir

_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_TANH_P = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
_TANH_Q = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
_ERF_P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)
# ln 2 in two parts, of which the first has few bits, so that its product with a small integer is exact.
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_LOG2_E = 1.44269504088896341
# Adding 1.5 * 2**23 rounds to an integer, which then stands in the low bits.
_MAGIC, _MAGIC_BITS = 12582912.0, 0x4B400000


class F32Builder:
    """Builds `arith` ops on f32, or on vectors of it, at the current insertion point."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        shaped = isinstance(kind, ir.VectorType)
        i32 = ir.IntegerType.get_signless(32)
        self._integers = ir.VectorType.get(kind.shape, i32) if shaped else i32
        self._shaped = shaped
        self._constants: dict[tuple[float, bool], Any] = {}

    def _constant(self, value: float, integer: bool) -> Any:
        key = (value, integer)
        if key not in self._constants:
            kind = self._integers if integer else self.kind
            element = kind.element_type if self._shaped else kind
            scalar = ir.IntegerAttr.get(element, int(value)) if integer else ir.FloatAttr.get(element, value)
            attribute = ir.DenseElementsAttr.get_splat(kind, scalar) if self._shaped else scalar
            self._constants[key] = dialect("arith").ConstantOp(kind, attribute).result
        return self._constants[key]

    def f(self, value: float | Any) -> Any:
        """A float constant; values stay what they are."""
        return self._constant(value, False) if isinstance(value, float) else value

    def i(self, value: int | Any) -> Any:
        """An integer constant; values stay what they are."""
        return self._constant(value, True) if isinstance(value, int) else value

    def op(self, name: str, *operands: Any, kind: Any = None) -> Any:
        """An op with one result, of the operands' type unless ``kind`` is given."""
        return ir.Operation.create(name, results=[kind or operands[0].type], operands=list(operands)).result

    def add(self, a: Any, b: Any) -> Any:
        """a + b"""
        return self.op("arith.addf", self.f(a), self.f(b))

    def sub(self, a: Any, b: Any) -> Any:
        """a - b"""
        return self.op("arith.subf", self.f(a), self.f(b))

    def mul(self, a: Any, b: Any) -> Any:
        """a * b"""
        return self.op("arith.mulf", self.f(a), self.f(b))

    def div(self, a: Any, b: Any) -> Any:
        """a / b"""
        return self.op("arith.divf", self.f(a), self.f(b))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c, rounded once"""
        return self.op("math.fma", self.f(a), self.f(b), self.f(c))

    def polynomial(self, x: Any, coefficients: tuple[float, ...]) -> Any:
        """Horner's scheme; the highest power first."""
        result = self.f(coefficients[0])
        for c in coefficients[1:]:
            result = self.fma(result, x, c)
        return result

    def select(self, predicate: str, a: Any, b: Any, yes: Any, no: Any) -> Any:
        """``yes`` where ``a predicate b`` holds (ordered: never for NaN), else ``no``."""
        code = {"ogt": 2, "olt": 4, "oeq": 1}[predicate]
        condition = dialect("arith").cmpf(
            ir.IntegerAttr.get(ir.IntegerType.get_signless(64), code), self.f(a), self.f(b)
        )
        return self.op("arith.select", condition, self.f(yes), self.f(no), kind=self.kind)

    def clamp(self, x: Any, low: float, high: float) -> Any:
        """x within [low, high]; NaN stays NaN."""
        return self.select("olt", x, low, low, self.select("ogt", x, high, high, x))

    def bits(self, x: Any) -> Any:
        """The bits of a float as an integer."""
        return self.op("arith.bitcast", x, kind=self._integers)

    def from_bits(self, x: Any) -> Any:
        """The float of some bits."""
        return self.op("arith.bitcast", x, kind=self.kind)

    def integer(self, name: str, a: Any, b: Any) -> Any:
        """An integer op of `arith`."""
        return self.op(f"arith.{name}", self.i(a), self.i(b))

    def to_float(self, x: Any) -> Any:
        """An integer as a float."""
        return self.op("arith.sitofp", x, kind=self.kind)

    def power_of_two(self, n: Any) -> Any:
        """2**n, for integers -126 to 127."""
        return self.from_bits(self.integer("shli", self.integer("addi", n, 127), 23))


def _reduce(b: F32Builder, x: Any) -> tuple[Any, Any]:
    """n and r such that x = n ln 2 + r with |r| <= ln 2 / 2; n as an integer."""
    shifted = b.fma(x, _LOG2_E, _MAGIC)
    n = b.sub(shifted, _MAGIC)
    r = b.fma(n, -_LN2_HIGH, x)
    return b.integer("subi", b.bits(shifted), _MAGIC_BITS), b.fma(n, -_LN2_LOW, r)


def _exp_minus_one_kernel(b: F32Builder, r: Any) -> Any:
    return b.fma(b.polynomial(r, _EXP), b.mul(r, r), r)


def exp(b: F32Builder, x: Any) -> Any:
    """e**x. The power of two is applied in two factors, so that denormal results round once and infinity overflows."""
    n, r = _reduce(b, b.clamp(x, -104.0, 89.0))
    p = b.add(_exp_minus_one_kernel(b, r), 1.0)
    half = b.integer("shrsi", n, 1)
    return b.mul(b.mul(p, b.power_of_two(half)), b.power_of_two(b.integer("subi", n, half)))


def exp2(b: F32Builder, x: Any) -> Any:
    """2**x"""
    x = b.clamp(x, -151.0, 129.0)
    shifted = b.add(x, _MAGIC)
    r = b.mul(b.sub(x, b.sub(shifted, _MAGIC)), 0.69314718055994531)
    n = b.integer("subi", b.bits(shifted), _MAGIC_BITS)
    p = b.add(_exp_minus_one_kernel(b, r), 1.0)
    half = b.integer("shrsi", n, 1)
    return b.mul(b.mul(p, b.power_of_two(half)), b.power_of_two(b.integer("subi", n, half)))


def expm1(b: F32Builder, x: Any) -> Any:
    """e**x - 1, accurate near 0: 2**n (e**r - 1) + (2**n - 1), halved meanwhile so that 2**128 is in range."""
    x = b.clamp(x, -18.0, 89.0)
    n, r = _reduce(b, x)
    power = b.power_of_two(b.integer("subi", n, 1))
    half = b.fma(_exp_minus_one_kernel(b, r), power, b.sub(power, 0.5))
    return b.select("oeq", x, 0.0, x, b.add(half, half))


def log(b: F32Builder, x: Any) -> Any:
    """The natural logarithm: -inf at 0, NaN below."""
    tiny = 1.17549435e-38
    scaled = b.select("olt", x, tiny, b.mul(x, 8388608.0), x)
    bits = b.integer("subi", b.bits(scaled), 0x3F3504F3)  # the bits of sqrt(1/2): mantissas from there to sqrt 2
    exponent = b.integer("shrsi", bits, 23)
    f = b.sub(b.from_bits(b.integer("subi", b.bits(scaled), b.integer("shli", exponent, 23))), 1.0)
    e = b.add(b.to_float(exponent), b.select("olt", x, tiny, -23.0, 0.0))
    z = b.mul(f, f)
    y = b.mul(b.mul(f, z), b.polynomial(f, _LOG))
    y = b.fma(z, -0.5, b.fma(e, _LN2_LOW, y))
    result = b.fma(e, _LN2_HIGH, b.add(f, y))
    infinity = float("inf")
    result = b.select("oeq", x, infinity, infinity, result)
    result = b.select("oeq", x, 0.0, -infinity, result)
    # Below 0 and for NaN: x - x is 0 or NaN, 0 / 0 is NaN.
    result = b.select("olt", x, 0.0, float("nan"), result)
    return b.select("oeq", x, x, result, x)


def log1p(b: F32Builder, x: Any) -> Any:
    """log(1 + x), accurate near 0: log(u) x / (u - 1) with u = 1 + x rounded (Kahan)."""
    u = b.add(x, 1.0)
    ratio = b.div(x, b.sub(u, 1.0))
    logarithm = log(b, u)
    result = b.select("oeq", u, float("inf"), logarithm, b.mul(logarithm, ratio))
    result = b.select("oeq", u, 0.0, float("-inf"), result)
    return b.select("oeq", u, 1.0, x, result)


def log2(b: F32Builder, x: Any) -> Any:
    """The binary logarithm."""
    return b.mul(log(b, x), _LOG2_E)


def log10(b: F32Builder, x: Any) -> Any:
    """The decimal logarithm."""
    return b.mul(log(b, x), 0.43429448190325182)


def tanh(b: F32Builder, x: Any) -> Any:
    """The hyperbolic tangent."""
    clamped = b.clamp(x, -7.99881172180175781, 7.99881172180175781)
    square = b.mul(clamped, clamped)
    p = b.mul(b.polynomial(square, _TANH_P), clamped)
    result = b.div(p, b.polynomial(square, _TANH_Q))
    # Where it would underflow, tanh(x) is x.
    return b.select("olt", b.op("math.absf", x), 4e-4, x, result)


def erf(b: F32Builder, x: Any) -> Any:
    """The error function."""
    clamped = b.clamp(x, -4.0, 4.0)
    square = b.mul(clamped, clamped)
    p = b.mul(b.polynomial(square, _ERF_P), clamped)
    return b.div(p, b.polynomial(square, _ERF_Q))


FUNCTIONS: dict[str, Callable[[F32Builder, Any], Any]] = {
    "math.exp": exp,
    "math.exp2": exp2,
    "math.expm1": expm1,
    "math.log": log,
    "math.log1p": log1p,
    "math.log2": log2,
    "math.log10": log10,
    "math.tanh": tanh,
    "math.erf": erf,
}
