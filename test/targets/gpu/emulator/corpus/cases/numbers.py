"""Integers, bits, what a warp's lanes say together, and floating point from libdevice and the fast intrinsics."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng
EDGES_64 = [0, 1, -1, 2, 7, 10, (1 << 31) - 1, -(1 << 31), 1 << 32, (1 << 63) - 1, -(1 << 63), -(1 << 63) + 1, 3 << 61]


def wide_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Signed 64-bit pairs of every magnitude, edges with edges, the second never zero."""
    rng = RNG(1)
    a = [x for x in EDGES_64 for _ in EDGES_64] + (
        rng.integers(-(1 << 63), 1 << 63, 300) >> rng.integers(0, 63, 300)
    ).tolist()
    b = [y for _ in EDGES_64 for y in EDGES_64] + (
        rng.integers(-(1 << 63), 1 << 63, 300) >> rng.integers(0, 63, 300)
    ).tolist()
    return np.array(a, np.int64), np.array([y or 5 for y in b], np.int64)


@case("bits.cu")
@case("bits.cu", flags=["-G"], suffix="_debug")
def divide_64(bench: Bench) -> None:
    a, b = wide_pairs()
    # The quotient of the least number and -1 has no value in C.
    b[(a == np.iinfo(np.int64).min) & (b == -1)] = 3
    n = len(a)
    q, r = np.zeros(n, np.int64), np.zeros(n, np.int64)
    uq, ur = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    bench.launch("divide_64", -(-n // 128), 128, a, b, q, r, uq, ur, n)
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    same(q, [abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1) for x, y in pairs])
    same(r, [math.copysign(1, x).__int__() * (abs(x) % abs(y)) for x, y in pairs])
    same(uq, a.view(np.uint64) // b.view(np.uint64))
    same(ur, a.view(np.uint64) % b.view(np.uint64))


@case("bits.cu")
def multiply_wide(bench: Bench) -> None:
    a, b = wide_pairs()
    n = len(a)
    high, uhigh = np.zeros(n, np.int64), np.zeros(n, np.uint64)
    high32, mul24 = np.zeros(n, np.int32), np.zeros(n, np.int32)
    bench.launch("multiply_wide", -(-n // 128), 128, a, b, high, uhigh, high32, mul24, n)
    same(high, [x * y >> 64 for x, y in zip(a.tolist(), b.tolist(), strict=True)])
    same(
        uhigh,
        np.array(
            [x * y >> 64 for x, y in zip(a.view(np.uint64).tolist(), b.view(np.uint64).tolist(), strict=True)],
            np.uint64,
        ),
    )
    low = a.astype(np.int32).astype(np.int64), b.astype(np.int32).astype(np.int64)
    same(high32, low[0] * low[1] >> 32)
    cut = [((v & 0xFFFFFF) ^ 0x800000) - 0x800000 for v in low]
    same(mul24, (cut[0] * cut[1]).astype(np.int32))


@case("bits.cu")
def multiply_128(bench: Bench) -> None:
    a, b = (v.view(np.uint64) for v in wide_pairs())
    n = len(a)
    low, high = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    bench.launch("multiply_128", -(-n // 128), 128, a, b, low, high, n)
    expected = [x * y + (y << 64 | x) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    same(low, np.array([v & (1 << 64) - 1 for v in expected], np.uint64))
    same(high, np.array([v >> 64 & (1 << 64) - 1 for v in expected], np.uint64))


def signed(value: int, bits: int = 32) -> int:
    """The low `bits` of `value` as a signed number."""
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def bit_results(a: int, b: int) -> list[int]:
    """What `bit_tricks` writes for two 32-bit words."""
    wide, mask = a << 32 | b, (1 << 32) - 1
    pool = (b << 32 | a).to_bytes(8, "little")
    picked = bytes(pool[(b >> 4 * i) & 7] for i in range(4))
    halves = [(a >> s & 0xFFFF) + (b >> s & 0xFFFF) & 0xFFFF for s in (0, 16)]
    most = [max(signed(a >> s, 8), signed(b >> s, 8)) & 0xFF for s in (0, 8, 16, 24)]
    turn = b & 31
    both = (b << 32 | a) << turn >> 32
    average = (signed(a) + signed(b) >> 1) ^ (a + b + 1 >> 1)
    results = [
        int(f"{a:032b}"[::-1], 2),
        32 - a.bit_length(),
        a.bit_count(),
        (a & -a).bit_length(),
        int.from_bytes(picked, "little"),
        both,
        (b << 32 | a) >> turn,
        (b << 32 | a) << min(b & 63, 32) >> 32,
        (64 - wide.bit_length()) * 100 + wide.bit_count(),
        int(f"{wide:064b}"[::-1], 2) >> 7,
        abs(signed(a) - signed(b)) + 5,
        halves[0] | halves[1] << 16,
        sum(m << 8 * i for i, m in enumerate(most)),
        average,
    ]
    return [r & mask for r in results]


def words(seed: int, n: int) -> np.ndarray:
    """Random 32-bit words, a fifth of them edges."""
    rng = RNG(seed)
    edges = np.array([0, 1, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x80, 0xFFFF0000], np.uint32)
    return np.where(rng.random(n) < 0.2, rng.choice(edges, n), rng.integers(0, 1 << 32, n)).astype(np.uint32)


@case("bits.cu")
def bit_tricks(bench: Bench) -> None:
    n = 400
    a, b = words(2, n), words(3, n)
    out = np.zeros((n, 14), np.uint32)
    bench.launch("bit_tricks", 4, 128, a, b, out, n)
    same(out, [bit_results(int(x), int(y)) for x, y in zip(a, b, strict=True)])


@case("bits.cu")
def bit_fields(bench: Bench) -> None:
    n = 400
    a, b = words(4, n), words(5, n)
    out = np.zeros((n, 5), np.uint32)
    bench.launch("bit_fields", 4, 128, a, b, out, n)

    def expected(x: int, y: int) -> list[int]:
        at, length = y & 31, y >> 8 & 31
        field = x >> at & (1 << length) - 1
        # The sign comes from the field's last bit, or from the word's where the field reaches beyond it.
        extended = length and x >> min(at + length - 1, 31) & 1
        kept = min(length, max(32 - at, 0))
        filled = field | (0xFFFFFFFF << kept if extended else 0)
        mask = (1 << length) - 1 << at
        top = (~x & 0xFFFFFFFF if x >> 31 else x).bit_length() - 1
        chosen = (x & y) | (~x & field)
        return [v & 0xFFFFFFFF for v in (field, filled, (y & ~mask) | (x << at & mask), top, chosen)]

    same(out, [expected(int(x), int(y)) for x, y in zip(a, b, strict=True)])


@case("bits.cu")
def dot_products(bench: Bench) -> None:
    n = 300
    a, b = words(6, n), words(7, n)
    out = np.zeros((n, 4), np.int32)
    bench.launch("dot_products", 3, 128, a, b, out, n)
    a8, b8 = a.view(np.int8).reshape(n, 4).astype(np.int64), b.view(np.int8).reshape(n, 4).astype(np.int64)
    u8, v8 = a.view(np.uint8).reshape(n, 4).astype(np.int64), b.view(np.uint8).reshape(n, 4).astype(np.int64)
    a16 = a.view(np.int16).reshape(n, 2).astype(np.int64)
    dots = [100 + (a8 * b8).sum(1), 100 + (u8 * v8).sum(1), (a16 * b8[:, :2]).sum(1) - 7, (a16 * b8[:, 2:]).sum(1) - 7]
    same(out, np.stack(dots, 1).astype(np.int32))


@case("bits.cu")
def wide_moves(bench: Bench) -> None:
    n = 200
    x, d = words(8, 4 * n).reshape(n, 4), RNG(9).standard_normal((n, 2))
    out, e = np.zeros_like(x), np.zeros_like(d)
    bench.launch("wide_moves", 2, 128, x, out, d, e, n)
    numbers = [int.from_bytes(row.tobytes(), "little") for row in x]
    sums = [(numbers[i] + numbers[n - 1 - i]) % (1 << 128) for i in range(n)]
    same(out, np.frombuffer(b"".join(s.to_bytes(16, "little") for s in sums), np.uint32).reshape(n, 4))
    same(e, np.stack([d[:, 0] + d[:, 1], d[:, 1] - 1.5], 1))


@case("bits.cu")
def vote_and_match(bench: Bench) -> None:
    x = RNG(10).integers(0, 100, 64).astype(np.int32)
    x[32:] = RNG(11).integers(0, 3, 32) * 2000 + 1
    out = np.zeros((64, 8), np.uint32)
    bench.launch("vote_and_match", 1, 64, x, out)
    for warp in (0, 1):
        v = x[32 * warp : 32 * warp + 32].astype(np.int64)

        def mask(where: np.ndarray) -> int:
            return int(sum(1 << i for i in np.flatnonzero(where)))

        odd = v & 1 == 1
        for lane in range(32):
            thousands = v // 1000
            uniform = bool((thousands == thousands[0]).all())
            expected = [
                mask(odd),
                int((v < 1000).all()) * 2 + int((v > 90).any()),
                mask(v == v[lane]),
                0xFFFFFFFE if uniform else 0,
                int(v.sum()),
                int(v.max()),
                int(np.bitwise_xor.reduce(v)),
            ]
            same(out[32 * warp + lane, :7], [e & 0xFFFFFFFF for e in expected])
            told = v[np.flatnonzero(odd)[0]] + 1000 * int((odd & (v > 50)).sum())
            assert out[32 * warp + lane, 7] == (told if odd[lane] else 0)


@case("bits.cu")
def shuffles(bench: Bench) -> None:
    x, d = RNG(12).integers(0, 1000, 32).astype(np.int32), RNG(13).standard_normal(32)
    out, e = np.zeros((32, 4), np.int32), np.zeros(32)
    bench.launch("shuffles", 1, 32, x, out, d, e)
    lane = np.arange(32)
    same(out[:, 0], x[lane // 8 * 8 + (lane * 7 + 3) % 8])
    same(out[:, 1], x[np.where(lane % 16 >= 3, lane - 3, lane)])
    same(out[:, 2], x[np.where(lane % 8 + 5 < 8, lane + 5, lane)])
    same(out[:, 3], x[lane ^ 9])
    same(e, d[lane ^ 17])


@case("bits.cu")
def clocks(bench: Bench) -> None:
    ticks, ids = np.zeros((128, 2), np.int64), np.zeros((128, 4), np.uint32)
    bench.launch("clocks", 2, 64, ticks, ids)
    assert (ticks[:, 0] > 0).all() and (ticks[:, 1] >= 0).all()
    same(ids[:, 0], np.arange(128) % 32)
    same(ids[:, 1], (1 << (np.arange(128) % 32)) - 1)
    assert (ids[:, 2:] == 1).all()


def reals(seed: int, n: int, kind: type) -> np.ndarray:
    """Numbers of many magnitudes, both signs, and the usual special points."""
    rng = RNG(seed)
    x = rng.standard_normal(n) * 10.0 ** rng.integers(-6, 3, n)
    x[:9] = [0.0, -0.0, 1.0, -1.0, 0.5, math.pi, -math.pi / 2, 100.0, -20.0]
    return x.astype(kind)


def each(function: object, *arrays: np.ndarray) -> np.ndarray:
    """A scalar function of `math` over arrays; what overflows is an infinity."""

    def one(*values: float) -> float:
        try:
            return function(*values)  # type: ignore[operator,no-any-return]
        except OverflowError:
            return math.inf

    return np.array([one(*map(float, values)) for values in zip(*arrays, strict=True)])


@case("math.cu")
@case("math.cu", flags=["--fmad=false"], suffix="_without_fma")
@case("math.cu", arch="sm_80", suffix="_sm_80")
def math_double(bench: Bench) -> None:
    n = 500
    x, y = reals(20, n, np.float64), reals(21, n, np.float64)
    y[y == 0] = 0.25
    out = np.zeros((n, 16))
    bench.launch("math_double", -(-n // 128), 128, x, y, out, n)
    a = np.abs(x)
    expected = [
        np.sin(x),
        np.cos(x),
        np.tan(x),
        each(math.exp, x),
        np.log(a + 1e-300),
        each(math.pow, np.where(a == 0, 1, a), y),
        each(math.erf, x),
        each(math.erfc, x),
        np.sqrt(a),
        x / y,
        np.cbrt(x),
        np.tanh(x),
        np.arctan2(x, y),
        each(math.gamma, np.fmod(a, 20.0) + 0.5),
        np.array([float(Fraction(p) * Fraction(q) + 1) for p, q in zip(x.tolist(), y.tolist(), strict=True)]),
        np.rint(x) + np.floor(y),
    ]
    for i, values in enumerate(expected):
        rows = a > 0 if i == 5 else np.full(n, True)
        # The bound holds libdevice's documented errors (2 ulp; 10 in tgamma) and those of the host's library.
        close(out[rows, i], values[rows], 5e-15, 1e-300)


@case("math.cu")
@case("math.cu", flags=["-use_fast_math"], suffix="_fast")
def math_single(bench: Bench) -> None:
    n = 500
    x, y = reals(22, n, np.float32), reals(23, n, np.float32)
    y[y == 0] = 0.25
    x, y = np.clip(x, -80, 80), np.clip(y, -20, 20)
    out = np.zeros((n, 16), np.float32)
    bench.launch("math_single", -(-n // 128), 128, x, y, out, n)
    p, q = x.astype(np.float64), y.astype(np.float64)
    a = np.abs(p)
    expected = [
        np.sin(p),
        np.cos(p),
        np.tan(p),
        np.exp(p),
        np.log(a + 1e-30),
        np.power(np.where(a == 0, 1, a), q),
        each(math.erf, p),
        np.log1p(a),
        np.sqrt(a),
        p / q,
        1 / np.sqrt(a + 1e-20),
        np.tanh(p),
        np.arctan2(p, q),
        each(math.lgamma, a + 0.5),
        p * q + 1,
        np.fmod(p, q),
    ]
    fast = "ex2.approx.ftz" in bench.ptx and "sin.approx.ftz" in bench.ptx
    for i, values in enumerate(expected):
        rows = (a > 1e-30) & (np.abs(values) < 3e38)
        if not fast:
            close(out[rows, i], values[rows], 2e-6, 4e-7 if i in (4, 13) else 1e-37)
        elif i not in (2, 15):
            # Approximations with absolute errors (sin, cos), or errors that grow with the result's logarithm.
            rows &= (np.abs(values) > 1e-30) & ((np.abs(p) < 6) | (i > 1))
            close(out[rows, i], values[rows], 3e-4 if i in (3, 5, 11) else 1e-4, 1e-5)


@case("math.cu")
def math_fast(bench: Bench) -> None:
    n = 300
    x, y = np.clip(reals(24, n, np.float32), -3, 3), np.clip(reals(25, n, np.float32), -3, 3)
    y[y == 0] = 0.25
    out = np.zeros((n, 10), np.float32)
    bench.launch("math_fast", 3, 128, x, y, out, n)
    p, q = x.astype(np.float64), y.astype(np.float64)
    a = np.abs(p) + 0.1
    expected = [
        np.sin(p),
        np.cos(p),
        np.exp(p),
        np.log(a),
        a**q,
        p / q,
        1 / np.sqrt(a),
        p.clip(0, 1),
        10**p,
        np.tanh(p),
    ]
    for i, values in enumerate(expected):
        close(out[:, i], values, 6e-4 if i == 9 else 5e-6, 1e-6)


def exact(value: float) -> Fraction | None:
    return Fraction(value) if math.isfinite(value) else None


def directed(value: Fraction, kind: type, direction: str) -> float:
    """`value` to float32 or float64: down, up or towards zero. The neighbours are found from the nearest."""
    near = kind(float(value)) if kind is np.float64 else _nearest_single(value)
    up = direction == "up" or (direction == "zero" and value < 0)
    with np.errstate(over="ignore"):
        if up and ((math.isinf(near) and near < 0) or (not math.isinf(near) and Fraction(float(near)) < value)):
            near = np.nextafter(near, kind(np.inf))
        if not up and ((math.isinf(near) and near > 0) or (not math.isinf(near) and Fraction(float(near)) > value)):
            near = np.nextafter(near, kind(-np.inf))
    return float(near)


def _nearest_single(value: Fraction) -> np.float32:
    """A float32 that is within one place of `value`: rounding twice is good enough where a neighbour is taken after."""
    with np.errstate(over="ignore"):
        return np.float32(float(value))


def root(value: Fraction, kind: type) -> float:
    """The square root, rounded up."""
    near = kind(math.sqrt(value))
    while Fraction(float(near)) ** 2 < value:
        near = np.nextafter(near, kind(np.inf))
    while near > 0 and Fraction(float(np.nextafter(near, kind(0)))) ** 2 >= value:
        near = np.nextafter(near, kind(0))
    return float(near)


@case("math.cu")
def roundings(bench: Bench) -> None:
    n = 200
    x, y, d = reals(26, n, np.float32), reals(27, n, np.float32), reals(28, n, np.float64)
    for v in (x, y, d):
        v[v == 0] = 3.0
    out, e = np.zeros((n, 12), np.float32), np.zeros((n, 6))
    bench.launch("roundings", 2, 128, x, y, out, d, e, n)
    for i in range(n):
        a, b = Fraction(float(x[i])), Fraction(float(y[i]))
        f32 = [
            float(x[i] + y[i]),
            directed(a + b, np.float32, "zero"),
            directed(a + b, np.float32, "up"),
            directed(a + b, np.float32, "down"),
            directed(a * b, np.float32, "zero"),
            directed(a * b, np.float32, "up"),
            float(x[i] / y[i]),
            directed(a / b, np.float32, "down"),
            root(abs(a), np.float32),
            directed(a * b + 1, np.float32, "zero"),
            float(np.float32(1) / x[i]),
            directed(a * b + a, np.float32, "down"),
        ]
        same(out[i], np.array(f32, np.float32))
        p, q = Fraction(d[i]), Fraction(d[n - 1 - i])
        f64 = [
            directed(p + q, np.float64, "up"),
            directed(p * q, np.float64, "zero"),
            directed(p / q, np.float64, "down"),
            math.sqrt(abs(p)),
            directed(p * q + 1, np.float64, "up"),
            directed(1 / p, np.float64, "zero"),
        ]
        same(e[i], np.array(f64))


@case("math.cu")
def to_integers(bench: Bench) -> None:
    x = np.concatenate(
        [
            reals(29, 200, np.float32),
            np.array([2.5, -2.5, 0.5, 1e10, -1e10, np.inf, -np.inf, np.nan, 2.0**31, -(2.0**31)], np.float32),
        ]
    )
    d = np.concatenate(
        [reals(30, 200, np.float64), np.array([2.5, -2.5, 1e30, -1e30, np.inf, -np.inf, np.nan, 2.0**63, 4e9, -0.7])]
    )
    n = len(x)
    out, wide = np.zeros((n, 6), np.int32), np.zeros((n, 3), np.int64)
    bench.launch("to_integers", -(-n // 64), 64, x, out, d, wide, n)

    def clamp(value: float, low: int, high: int, nan: int) -> int:
        return nan if math.isnan(value) else low if value <= low else high if value >= high else int(value)

    small, large = (-(1 << 31), (1 << 31) - 1), (-(1 << 63), (1 << 63) - 1)
    lowest = -(1 << 63)
    for i in range(n):
        a, b = x[i], d[i]
        expected = [clamp(f(a), *small, 0) for f in (np.rint, np.trunc, np.ceil, np.floor)]
        unsigned = clamp(np.rint(a), 0, (1 << 32) - 1, 0)
        # A NaN is zero as a 32-bit number and 2^63 as a 64-bit one; f64 to s32 gives the least number.
        nan = np.isnan(b)
        same(out[i, :5], [*expected, signed(unsigned)])
        if not nan:
            assert out[i, 5] == clamp(np.rint(b), *small, 0)
        unsigned_wide = 1 << 63 if nan else clamp(np.trunc(b), 0, (1 << 64) - 1, 0)
        same(
            wide[i],
            [
                lowest if nan else clamp(np.rint(b), *large, 0),
                signed(unsigned_wide, 64),
                lowest if np.isnan(a) else clamp(np.floor(a), *large, 0),
            ],
        )
