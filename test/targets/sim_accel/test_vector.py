"""Vector instructions against numpy and ml_dtypes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_helpers import NUMPY, elementwise, run_on_scratchpad, same_bits

from accelc.targets.sim_accel import _sim
from accelc.targets.sim_accel.isa import Tile
from accelc.targets.sim_accel.program import Program

RNG = np.random.default_rng(1)
SPECIAL = np.array(
    [
        0,
        -0.0,
        1,
        -1,
        0.5,
        1.5,
        2.5,
        -2.5,
        np.inf,
        -np.inf,
        np.nan,
        1e-40,
        -1e-45,
        3e38,
        255,
        256,
        -129,
        2**31,
        -(2.0**31),
        2**63,
        65520,
    ],
    "f",
)
FLOATS = np.concatenate(
    [SPECIAL, RNG.standard_normal(300).astype("f"), RNG.integers(0, 2**32, 700, np.uint32).view("f")]
)
LEFT, RIGHT = np.repeat(SPECIAL, len(SPECIAL)), np.tile(SPECIAL, len(SPECIAL))
LEFT, RIGHT = np.concatenate([LEFT, FLOATS]), np.concatenate([RIGHT, RNG.permutation(FLOATS)])
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def numpy_min(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(a == b, np.where(np.signbit(a), a, b), np.minimum(a, b))


BINARY = {
    "vadd": np.add,
    "vsub": np.subtract,
    "vmul": np.multiply,
    "vdiv": np.divide,
    "vrem": np.fmod,
    "vmin": numpy_min,
    "vmax": lambda a, b: -numpy_min(-a, -b),
    "vminnum": lambda a, b: np.where(a != a, b, np.where(b != b, a, numpy_min(a, b))),
    "vmaxnum": lambda a, b: -np.where(a != a, -b, np.where(b != b, -a, numpy_min(-a, -b))),
}
COMPARE = {
    "vceq": np.equal,
    "vcne": np.not_equal,
    "vclt": np.less,
    "vcle": np.less_equal,
    "vcgt": np.greater,
    "vcge": np.greater_equal,
}
UNARY = {
    "vcopy": np.positive,
    "vneg": np.negative,
    "vabs": np.abs,
    "vfloor": np.floor,
    "vceil": np.ceil,
    "vrint": np.rint,
    "vtrunc": np.trunc,
    "vsqrt": np.sqrt,
    "vrecip": lambda a: np.float32(1) / a,
}
INTEGER = {
    "vadd": np.add,
    "vsub": np.subtract,
    "vmul": np.multiply,
    "vmin": np.minimum,
    "vmax": np.maximum,
    "vand": np.bitwise_and,
    "vor": np.bitwise_or,
    "vxor": np.bitwise_xor,
}


@pytest.mark.parametrize("name", BINARY)
def test_binary_f32(name: str) -> None:
    assert same_bits(elementwise(name, "f32", "f32", LEFT, RIGHT), BINARY[name](LEFT, RIGHT).astype("f"))


@pytest.mark.parametrize("name", COMPARE)
@pytest.mark.parametrize("ctype", ["f32", "i32", "i64"])
def test_compare(name: str, ctype: str) -> None:
    a, b = (LEFT, RIGHT) if ctype == "f32" else (RNG.integers(-3, 3, 200).astype(NUMPY[ctype]) for _ in range(2))
    assert same_bits(elementwise(name, ctype, "bool", a, b), COMPARE[name](a, b))


@pytest.mark.parametrize("name", UNARY)
def test_unary_f32(name: str) -> None:
    assert same_bits(elementwise(name, "f32", "f32", FLOATS), UNARY[name](FLOATS))


def integers(t: str) -> tuple[np.ndarray, np.ndarray]:
    info = np.iinfo(t)
    edges = np.array([info.min, info.min + 1, -1, 0, 1, 7, info.max], t)
    a, b = np.repeat(edges, len(edges)), np.tile(edges, len(edges))
    more = RNG.integers(info.min, info.max, (2, 500), t, endpoint=True)
    return np.concatenate([a, more[0]]), np.concatenate([b, more[1]])


@pytest.mark.parametrize("ctype", ["i32", "i64"])
@pytest.mark.parametrize("name", INTEGER)
def test_integer(name: str, ctype: str) -> None:
    a, b = integers(NUMPY[ctype]().dtype.name)
    assert same_bits(elementwise(name, ctype, ctype, a, b), INTEGER[name](a, b))


@pytest.mark.parametrize("ctype", ["i32", "i64"])
def test_integer_division_and_shifts(ctype: str) -> None:
    a, b = integers(NUMPY[ctype]().dtype.name)
    bits = a.itemsize * 8

    def wrap(v: int) -> int:
        return (v + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)

    def quotient(x: int, y: int) -> int:
        return -1 if y == 0 else wrap((abs(x) // abs(y)) * (1 if (x < 0) == (y < 0) else -1))

    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    expect = {
        "vdiv": [quotient(x, y) for x, y in pairs],
        "vrem": [x if y == 0 else wrap(x - quotient(x, y) * y) for x, y in pairs],
        "vshl": [wrap(x << (y % bits)) for x, y in pairs],
        "vshr": [x >> (y % bits) for x, y in pairs],
        "vshrl": [wrap((x % (1 << bits)) >> (y % bits)) for x, y in pairs],
    }
    for name, values in expect.items():
        assert same_bits(elementwise(name, ctype, ctype, a, b), np.array(values, NUMPY[ctype])), name
    assert same_bits(elementwise("vabs", ctype, ctype, a), np.abs(a))
    assert same_bits(elementwise("vneg", ctype, ctype, a), -a)
    assert same_bits(elementwise("vnot", ctype, ctype, a), ~a)
    assert same_bits(elementwise("vfma", ctype, ctype, a, b, a), a * b + a)


def test_select_and_fma() -> None:
    condition = RNG.integers(0, 2, len(LEFT)).astype(bool)
    assert same_bits(elementwise("vselect", "f32", "f32", LEFT, RIGHT, condition), np.where(condition, LEFT, RIGHT))
    x, y, z = (RNG.standard_normal(1000).astype("f") for _ in range(3))
    exact = x.astype(np.float64) * y + z  # not exact, but its rounding to f32 differs from the fused one only at ties
    assert np.mean(elementwise("vfma", "f32", "f32", x, y, z) == exact.astype("f")) > 0.999
    one = np.float32(1 + 2**-12)  # 1 + 2^-11 + 2^-24: the last term survives only in a fused operation
    fused = elementwise("vfma", "f32", "f32", np.full(1, one), np.full(1, one), np.full(1, -1 - 2.0**-11, "f"))
    assert fused[0] == np.float32(2**-24)


def test_immediates_and_registers() -> None:
    assert same_bits(elementwise("vadd", "f32", "f32", FLOATS, 0.1), FLOATS + np.float32(0.1))
    assert same_bits(elementwise("vsub", "f32", "f32", 1.0, FLOATS), 1 - FLOATS)
    assert same_bits(elementwise("vadd", "i64", "i64", np.arange(9), -7), np.arange(9) - 7)

    def body(p: Program, at: list[int], to: int) -> None:
        p.vmul("f32", Tile("f32", to, (1,)), Tile("f32", at[0], (1,)), p.arg(3), (len(FLOATS),))

    bits = int(np.float32(1.25).view(np.uint32))
    assert same_bits(run_on_scratchpad(body, [FLOATS], FLOATS, regs={3: bits})[0], FLOATS * np.float32(1.25))


@pytest.mark.parametrize("source", ["f32", "bf16", "f16", "e4m3", "e5m2"])
@pytest.mark.parametrize("target", ["f32", "bf16", "f16", "e4m3", "e5m2"])
def test_float_conversions(source: str, target: str) -> None:
    x = FLOATS.astype(NUMPY[source])
    if source != "f32":
        size = x.itemsize * 8
        x = np.arange(1 << size, dtype=f"u{x.itemsize}").view(NUMPY[source])
    assert same_bits(elementwise("vcopy", "f32", target, x), x.astype("f").astype(NUMPY[target]))


@pytest.mark.parametrize("target", ["f16", "e4m3", "e5m2"])
def test_saturating_floats(target: str) -> None:
    import ml_dtypes

    largest = float(ml_dtypes.finfo(NUMPY[target]).max)
    got = elementwise("vcopy", "f32", target, FLOATS, sat=True)
    assert same_bits(got, np.clip(FLOATS, -largest, largest).astype(NUMPY[target]))


@pytest.mark.parametrize("target", ["i8", "u8", "i32", "i64"])
def test_float_to_integer_saturates(target: str) -> None:
    info = np.iinfo(NUMPY[target])
    expect = [
        0 if x != x else info.min if x < info.min else info.max if x > info.max else int(x) for x in FLOATS.tolist()
    ]
    assert elementwise("vcopy", "f32", target, FLOATS).tolist() == expect


@pytest.mark.parametrize("target", ["f32", "bf16", "f16", "e4m3", "e5m2", "i8", "u8", "i32", "i64", "bool"])
@pytest.mark.parametrize("ctype", ["i32", "i64"])
def test_integer_conversions(ctype: str, target: str) -> None:
    a, _ = integers(NUMPY[ctype]().dtype.name)
    a = np.concatenate([a, np.arange(-300, 300, dtype=a.dtype), 257 * (1 << np.arange(20, dtype=a.dtype)) + 1])
    if target in ("bf16", "e4m3", "e5m2"):  # via exact rationals: ml_dtypes rounds twice
        nearest = [_round(int(v), target) for v in a.tolist()]
        assert same_bits(elementwise("vcopy", ctype, target, a), np.array(nearest, NUMPY[target]))
    else:
        assert same_bits(elementwise("vcopy", ctype, target, a), a.astype(NUMPY[target]))
    if target in ("i8", "u8", "i32"):
        info = np.iinfo(NUMPY[target])
        assert same_bits(
            elementwise("vcopy", ctype, target, a, sat=True), np.clip(a, info.min, info.max).astype(NUMPY[target])
        )


def _round(v: int, target: str) -> float:
    """An integer rounded to `digits` bits, half to even, as the target's own rounding then keeps it."""
    digits = {"bf16": 8, "e4m3": 4, "e5m2": 3}[target]
    drop = max(0, abs(v).bit_length() - digits)
    kept, rest = abs(v) >> drop, abs(v) & ((1 << drop) - 1)
    half = 1 << drop - 1 if drop else 0
    kept += rest > half or (drop > 0 and rest == half and kept & 1)
    return float((kept << drop) * (1 if v >= 0 else -1))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_strided_broadcast_tiles(data: st.DataObject) -> None:
    """Any rank, any permutation and broadcast: the same as numpy on the same views."""
    rank = data.draw(st.integers(1, 5))
    shape = tuple(data.draw(st.integers(1, 5)) for _ in range(rank))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))

    def operand() -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
        order = data.draw(st.permutations(range(rank)))
        kept = [data.draw(st.booleans()) for _ in range(rank)]
        stored = [shape[d] if kept[d] else 1 for d in order]
        array = rng.standard_normal(stored).astype("f")
        view = array.transpose(np.argsort(order))
        strides = tuple(s // 4 if k else 0 for s, k in zip(view.strides, kept, strict=True))
        return array, strides, np.broadcast_to(view, shape)

    (a, sa, va), (b, sb, vb) = operand(), operand()
    order = data.draw(st.permutations(range(rank)))
    out = np.zeros([shape[d] for d in order], "f")
    view = out.transpose(np.argsort(order))

    def body(p: Program, at: list[int], to: int) -> None:
        strides = tuple(s // 4 for s in view.strides)
        p.vsub("f32", Tile("f32", to, strides), Tile("f32", at[0], sa), Tile("f32", at[1], sb), shape)

    got, _ = run_on_scratchpad(body, [a, b], out)
    assert same_bits(got.transpose(np.argsort(order)), va - vb)


def test_iota_and_gather() -> None:
    def iota(p: Program, at: list[int], to: int) -> None:
        p.viota("i64", Tile("i32", to, (6, 1)), 1, -5, 3, (4, 6))

    got, _ = run_on_scratchpad(iota, [], np.zeros((4, 6), np.int32))
    assert (got == np.broadcast_to(-5 + 3 * np.arange(6), (4, 6))).all()
    table, index = RNG.standard_normal(50).astype("f"), RNG.integers(-5, 30, (7, 3))

    def gather(p: Program, at: list[int], to: int) -> None:
        p.vgather(Tile("f32", to, (3, 1)), Tile("i64", at[1], (3, 1)), Tile("f32", at[0], (2,)), 25, (7, 3))

    got, _ = run_on_scratchpad(gather, [table, index], np.zeros((7, 3), "f"))
    inside = (index >= 0) & (index < 25)
    assert same_bits(got, np.where(inside, table[2 * np.clip(index, 0, 24)], np.float32(0)))


def test_variants_agree() -> None:
    names = [*BINARY, "vpow", *COMPARE]
    for variant in _sim.variants()[1:]:
        for name in names:
            assert same_bits(
                elementwise(name, "f32", "f32", LEFT, RIGHT),
                elementwise(name, "f32", "f32", LEFT, RIGHT, variant=variant),
            ), name
        for name in [*UNARY, "vrsqrt", "vexp", "vlog", "vtanh", "verf", "vsigmoid", "vsin", "vcos"]:
            assert same_bits(
                elementwise(name, "f32", "f32", FLOATS), elementwise(name, "f32", "f32", FLOATS, variant=variant)
            ), name
