"""cvt of the PTX emulator: every pair of types, rounding mode and flag, over all values of short types and over random
and edge values of long ones, against numpy and ml_dtypes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from float_reference import (
    F16,
    F32,
    FORMATS,
    MODES,
    NARROW,
    Array,
    Format,
    all_codes,
    encoded,
    floats,
    flushed,
    instruction_names,
    relu,
    rounded,
    same_bits,
    saturated,
)
from ptx_kernels import Kernel, assemble, integers, run_all
from toolkit import needs_ptxas

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of NaN and overflow
COUNT = 3000
INTEGERS = {f"{sign}{bits}": np.dtype(f"{'u' * (sign == 'u')}int{bits}") for sign in "us" for bits in (8, 16, 32, 64)}
WHOLE: dict[str, Callable[[Array], Array]] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}
NUMBERS = {*INTEGERS, *FORMATS}
TF32 = Format(11, -126, (2 - 2.0**-10) * 2.0**127, np.float32, F32.nan)
SM_100 = ("e2m1x2", "e2m3x2", "e3m2x2", "ue8m0x2")
Case = tuple[Kernel, dict[str, Array], Array]


@cache
def long_floats(kind: str) -> Array:
    """f32 or f64: random bits, and what lies at the edges of integers and of shorter floats."""
    rng = np.random.default_rng(9)
    dtype = FORMATS[kind].dtype
    powers = [2.0**n for n in (7, 8, 15, 16, 23, 24, 31, 32, 52, 53, 63, 64)]
    edges = np.array(
        [0.5, 1.5, 2.5, 0.25, 65504, 65519.9, 65520, 448, 464, 57344, 61440, 6, 7, 28, 30, 7.5, 7.75, *powers]
    )
    edges = np.concatenate([edges, edges - 1, edges + 1, edges - 0.5, np.arange(300)]).astype(dtype)
    edges = np.concatenate([edges, np.nextafter(edges, dtype(0)), np.nextafter(edges, dtype(np.inf))])
    spread = np.exp2(rng.uniform(-40, 66, COUNT)) * rng.choice([-1, 1], COUNT)
    # Halfway between numbers of 16 and 8 bits, subnormal ones too, and their neighbours.
    halves = rng.integers(0, 1 << 16, COUNT, dtype=np.uint16)
    middle = [
        (halves.view(FORMATS[k].dtype).astype(np.float64) * (1 + 2.0**-bits)) for k, bits in (("f16", 11), ("bf16", 8))
    ]
    tiny = (rng.integers(0, 1 << 12, COUNT) + 0.5) * np.exp2(rng.choice([-24.0, -133.0, -17.0, -10.0], COUNT))
    middle = [np.concatenate([*middle, tiny]).astype(dtype)]
    middle += [np.nextafter(middle[0], dtype(0)), np.nextafter(middle[0], dtype(9))]
    return np.concatenate([floats(kind, COUNT, rng), edges, -edges, spread.astype(dtype), *middle])


@cache
def source(kind: str) -> tuple[str, Array]:
    """The register that a type is read from, and what it holds; 8-bit types are in wider registers, all bits used."""
    if kind in ("u8", "s8", "u16", "s16", "f16", "bf16"):
        return "b16", all_codes()
    if kind in INTEGERS:
        return kind, integers(kind, COUNT, np.random.default_rng(10))
    return kind, long_floats(kind)


def numbers(kind: str) -> Array:
    """The values in `source`: integers of 64 bits, or doubles (longdouble where doubles do not hold them)."""
    _register, raw = source(kind)
    if kind in INTEGERS:
        return raw.astype(INTEGERS[kind])
    return raw.view(FORMATS[kind].dtype).astype(np.float64)


def to_integer(x: Array, kind: str, nan: int) -> Array:
    dtype = INTEGERS[kind]
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    inside = (x >= low) & (x < float(high + 1))
    result = np.where(inside, x, 0).astype(dtype)
    result = np.where(~inside & (x > 0), dtype.type(high), np.where(~inside & (x < 0), dtype.type(low), result))
    return np.where(np.isnan(x), np.array(nan, np.uint64).astype(dtype), result)


def clamped(x: Array, kind: str) -> Array:
    dtype = INTEGERS[kind]
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    result = x.astype(dtype)
    if int(np.iinfo(x.dtype).max) > high:
        result = np.where(x > x.dtype.type(high), dtype.type(high), result)
    if int(np.iinfo(x.dtype).min) < low:
        result = np.where(x < x.dtype.type(low), dtype.type(low), result)
    return result


def float_codes(x: Array, to: str, of: str) -> Array:
    """Codes of a float result, its NaNs those of the destination."""
    codes = encoded(x, FORMATS[to])
    if to != "f64" or of in INTEGERS:
        return codes
    # f64 keeps what NaNs say, made quiet; those of halves come as f32's 0x7fffffff.
    _, raw = source(of)
    quiet = {
        "f64": lambda: raw.view(np.uint64),
        "f32": lambda: (
            ((raw.view(np.uint32).astype(np.uint64) & 0x7FFFFF) << np.uint64(29))
            | ((raw.view(np.uint32).astype(np.uint64) >> np.uint64(31)) << np.uint64(63))
            | np.uint64(0x7FF0000000000000)
        ),
    }.get(of, lambda: np.full(raw.size, 0x7FFFFFFFE0000000, np.uint64))() | np.uint64(1 << 51)
    return np.where(np.isnan(x), quiet, codes)


def number_case(name: str, words: list[str]) -> Case:
    """A conversion between integers and floats."""
    to, of = words[-2:]
    register, raw = source(of)
    x = numbers(of)
    flags = set(words)
    mode = next((w for w in words if w in MODES), "rn")
    whole = next((WHOLE[w] for w in words if w in WHOLE), None)
    if of == "f32" and "ftz" in flags:
        x = flushed(x, F32)
    want: Array
    if to in INTEGERS and of in INTEGERS:
        want = clamped(x, to) if "sat" in flags else x.astype(INTEGERS[to])
    elif to in INTEGERS:
        assert whole is not None
        width = 8 * INTEGERS[to].itemsize
        want = to_integer(whole(x), to, 1 << (width - 1) if of == "f64" or width == 64 else 0)
    elif of == "bf16" and to == "f32" and "ftz" not in flags:
        want = raw.astype(np.uint32) << np.uint32(16)
    elif of == to and whole is None and not flags & {"sat", "ftz"}:
        want = raw
    else:
        y = x.astype(np.longdouble) if of in INTEGERS else x if whole is None else whole(x)
        y = saturated(y) if "sat" in flags else y
        y = rounded(y, FORMATS[to], mode)
        if "sat" in flags:
            y = np.where(np.isnan(x), 0.0, y) if of in FORMATS else y
        if to == "f32" and "ftz" in flags:
            y = flushed(y, F32)
        want = float_codes(y, to, of)
    if to in ("u8", "s8"):  # in a register of 16 bits
        return (
            Kernel(f"{name} %d, %a;", {"a": register}, {"d": "b16"}),
            {"a": raw},
            want.astype(np.int16).view(np.uint16),
        )
    return Kernel(f"{name} %d, %a;", {"a": register}, {"d": to}), {"a": raw}, want


def shaped(x: Array, to: Format, words: list[str]) -> Array:
    """Rounded as the words rn, rz, relu and satfinite say, to codes."""
    mode = next((w for w in words if w in (*MODES, "rna")), "rn")
    y = relu(x) if "relu" in words else x
    return encoded(rounded(y, to, mode, "satfinite" in words), to)


def two_floats() -> tuple[Array, Array]:
    a = long_floats("f32")
    return a, np.random.default_rng(11).permutation(a)


def half_case(name: str, words: list[str]) -> Case:
    to, pair = FORMATS[words[-2].removesuffix("x2")], words[-2].endswith("x2")
    a, b = two_floats()
    high = shaped(a.astype(np.float64), to, words)
    if not pair:
        return Kernel(f"{name} %d, %a;", {"a": "f32"}, {"d": words[-2]}), {"a": a}, high
    want = high.astype(np.uint32) << np.uint32(16) | shaped(b.astype(np.float64), to, words)
    return Kernel(f"{name} %d, %a, %b;", {"a": "f32", "b": "f32"}, {"d": words[-2]}), {"a": a, "b": b}, want


def tf32_case(name: str, words: list[str]) -> Case:
    a = long_floats("f32")
    want = shaped(a.astype(np.float64), TF32, words)
    if "rna" in words:  # ptxas cuts NaNs' low bits off, which may leave an infinity; satfinite steps back from both
        cut = a.view(np.uint32) & np.uint32(0xFFFFE000)
        step = np.uint32(0x2000 if "satfinite" in words else 0)
        want = np.where(np.isnan(a), cut - step, want)
    return Kernel(f"{name} %d, %a;", {"a": "f32"}, {"d": "b32"}), {"a": a}, want


def scale_codes(x: Array, words: list[str]) -> Array:
    """ue8m0: the exponent of |x| rounded down or up."""
    magnitude = np.abs(x)
    fraction, e = np.frexp(magnitude)
    e = np.where((fraction == 0.5) | ("rz" in words), e - 1, e)
    top = 254 if "satfinite" in words else 255
    codes = np.clip(np.where(magnitude == 0, -127, e) + 127, 0, top)
    codes = np.where(np.isinf(magnitude), top, codes)
    return np.where(np.isnan(x), 255, codes).astype(np.uint8)


def narrow_case(name: str, words: list[str]) -> Case:
    to, of = words[-2:]
    if of == "f32":
        a, b = two_floats()
        arrays = {"a": a, "b": b}
        high, low = a.astype(np.float64), b.astype(np.float64)
    else:
        packed = all_codes().astype(np.uint32) << np.uint32(16) | np.random.default_rng(12).permutation(all_codes())
        arrays = {"a": packed}
        halves = packed.view(np.uint16).view(FORMATS[of[:-2]].dtype).astype(np.float64)
        low, high = halves[::2], halves[1::2]

    def codes(x: Array) -> Array:
        return scale_codes(x, words) if to == "ue8m0x2" else shaped(x, NARROW[to[:-2]], words)

    keys = ", ".join(f"%{key}" for key in arrays)
    if to == "e2m1x2":
        want = codes(high) << np.uint8(4) | codes(low)
        return Kernel(f"{name} %d, {keys};", dict.fromkeys(arrays, of), {"d": "b8"}), arrays, want
    want = codes(high).astype(np.uint16) << np.uint16(8) | codes(low)
    return Kernel(f"{name} %d, {keys};", dict.fromkeys(arrays, of), {"d": "b16"}), arrays, want


def widen_case(name: str, words: list[str]) -> Case:
    to, of = words[-2:]
    if of == "e2m1x2":
        raw = all_codes(8)
        low, high = raw & np.uint8(15), raw >> np.uint8(4)
    else:
        raw = all_codes() & np.uint16(0x3F3F if of in ("e2m3x2", "e3m2x2") else 0xFFFF)
        low, high = (half.astype(np.uint8) for half in (raw & np.uint16(255), raw >> np.uint16(8)))

    def codes(x: Array) -> Array:
        if of == "ue8m0x2":
            values = np.where(x == 255, np.nan, np.exp2(x.astype(np.float64) - 127))
            return encoded(values, FORMATS["bf16"])
        values = x.view(NARROW[of[:-2]].dtype).astype(np.float64)
        return encoded(relu(values) if "relu" in words else values, F16)

    want = codes(high).astype(np.uint32) << np.uint32(16) | codes(low)
    return Kernel(f"{name} %d, %a;", {"a": "b8" if of == "e2m1x2" else "b16"}, {"d": to}), {"a": raw}, want


def pack_case(name: str, words: list[str]) -> Case:
    to = words[3]
    bits, signed = int(to[1:]), to[0] == "s"
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    rng = np.random.default_rng(13)
    arrays = {"a": integers("s32", COUNT, rng), "b": integers("s32", COUNT, rng)}
    arrays = {
        key: np.where(rng.random(COUNT) < 0.5, rng.integers(-300, 300, COUNT), x).astype(np.int32)
        for key, x in arrays.items()
    }
    parts = [np.clip(arrays[key], low, high).view(np.uint32) & np.uint32((1 << bits) - 1) for key in "ab"]
    want = parts[0] << np.uint32(bits) | parts[1]
    types = {"a": "s32", "b": "s32"}
    if "b32" in words:
        arrays["c"] = integers("b32", COUNT, rng)
        types["c"] = "b32"
        want |= arrays["c"] << np.uint32(2 * bits)
    return Kernel(f"{name} %d, {', '.join(f'%{key}' for key in arrays)};", types, {"d": "b32"}), arrays, want


def case(name: str) -> Case:
    words = name.split(".")
    if words[1] == "pack":
        return pack_case(name, words)
    to, of = words[-2:]
    if to == "tf32":
        return tf32_case(name, words)
    if to[:-2] in NARROW or to == "ue8m0x2":
        return narrow_case(name, words)
    if of[:-2] in NARROW or of == "ue8m0x2":
        return widen_case(name, words)
    if to.endswith("x2") or {"relu", "satfinite"} & set(words):
        return half_case(name, words)
    return number_case(name, words)


@cache
def cases() -> list[Case]:
    every = [*NUMBERS, *(f"{n}x2" for n in ("f16", "bf16", *NARROW, "ue8m0")), "tf32", "u4", "s4", "u2", "s2"]
    return [case(name) for name in dict.fromkeys(name for name, _ in instruction_names(["cvt"], every))]


def test_every_form_is_exact() -> None:
    assert len(cases()) > 850
    results = run_all([(kernel, arrays) for kernel, arrays, _ in cases()])
    for (kernel, arrays, want), result in zip(cases(), results, strict=True):
        same_bits(result["d"], want, kernel.text, **arrays)


def test_the_tables_have_what_compilers_emit() -> None:
    names = {kernel.text.split()[0] for kernel, _, _ in cases()}
    for integer in INTEGERS:
        assert {f"cvt.rzi.sat.{integer}.f64", f"cvt.rn.f32.{integer}", f"cvt.rpi.ftz.{integer}.f32"} <= names
    assert {
        "cvt.rn.f16x2.f32",
        "cvt.rna.tf32.f32",
        "cvt.rn.satfinite.relu.e4m3x2.f32",
        "cvt.rn.relu.f16x2.e5m2x2",
    } <= names
    assert {"cvt.rzi.ftz.sat.f32.f32", "cvt.rn.bf16.f64", "cvt.sat.u8.s32", "cvt.pack.sat.u8.s32.b32"} <= names


WIDE = [
    ("cvt.u8.u32", "b32", "b16", lambda x: (x & 0xFF).astype(np.uint16)),
    ("cvt.s8.s32", "b64", "b32", lambda x: x.astype(np.int8).astype(np.int32).view(np.uint32)),
    ("cvt.u16.u32", "b64", "b64", lambda x: x & 0xFFFF),
    ("cvt.s16.s64", "b64", "b64", lambda x: x.astype(np.int16).astype(np.int64).view(np.uint64)),
    ("cvt.sat.s8.u16", "b32", "b64", lambda x: np.minimum(x & 0xFFFF, 127).astype(np.uint64)),
    ("cvt.rn.f32.s16", "b64", "f32", lambda x: x.astype(np.int16).astype(np.float32)),
    ("cvt.rn.f32.s32", "b64", "b64", lambda x: x.astype(np.int32).astype(np.float32).view(np.uint32).astype(np.uint64)),
    ("cvt.rzi.s8.f32", "b64", "b16", None),
    ("cvt.f32.f16", "b32", "f32", None),
    ("cvt.rn.f16.f32", "f32", "b32", None),
    ("cvt.rn.f32.f64", "b64", "b64", None),
]


@pytest.mark.parametrize(("name", "of", "to", "want"), WIDE, ids=[row[0] for row in WIDE])
def test_registers_wider_than_the_types(name: str, of: str, to: str, want: Callable[[Array], Array] | None) -> None:
    """The low bits count, and results are extended by their sign or by zeros."""
    rng = np.random.default_rng(14)
    raw = long_floats("f32") if of == "f32" else integers(of, COUNT, rng)
    kernel = Kernel(f"{name} %d, %a;", {"a": of}, {"d": to})
    got = kernel.run(a=raw)["d"]
    if want is not None:
        np.testing.assert_array_equal(got, want(raw))
        return
    # The same instruction between registers of its own types.
    own_to, own_of = name.split(".")[-2:]
    own = "b16" if own_to == "s8" else own_to
    low = np.ascontiguousarray(raw).view(np.uint8).reshape(raw.size, -1)[:, : FORMATS[own_of].bits.itemsize]
    narrow = np.ascontiguousarray(low).view(FORMATS[own_of].bits).reshape(-1)
    base = Kernel(f"{name} %d, %a;", {"a": own_of}, {"d": own}).run(a=narrow)["d"]
    wide = base.view(f"uint{8 * base.itemsize}")
    np.testing.assert_array_equal(got.view(f"uint{8 * got.itemsize}"), wide.astype(f"uint{8 * got.itemsize}"))


def test_eight_bit_registers_and_literals() -> None:
    raw = all_codes(8)
    got = Kernel("cvt.s32.s8 %d, %a;", {"a": "s8"}, {"d": "s32"}).run(a=raw)["d"]
    np.testing.assert_array_equal(got, raw.view(np.int8).astype(np.int32))
    got = Kernel("cvt.u8.u32 %d, %a;", {"a": "u32"}, {"d": "u8"}).run(a=raw.astype(np.uint32) + 512)["d"]
    np.testing.assert_array_equal(got, raw)
    text = "cvt.rn.f32.s32 %d, -5; cvt.rzi.s32.f32 %e, 0fC0200000; cvt.rn.f16x2.f32 %f, 0f3F800000, %a;"
    kernel = Kernel(text, {"a": "f32"}, {"d": "f32", "e": "s32", "f": "b32"})
    out = kernel.run(a=np.float32([2, 3]))
    assert out["d"].tolist() == [-5, -5]
    assert out["e"].tolist() == [-2, -2]
    assert [hex(x) for x in out["f"].tolist()] == ["0x3c004000", "0x3c004200"]


@needs_ptxas
@pytest.mark.parametrize("arch", ["sm_90a", "sm_100a"])
def test_ptxas_takes_every_form(tmp_path: Path, arch: str) -> None:
    kernels = []
    for kernel, _, _ in cases():
        words = set(kernel.text.split()[0].split("."))
        later = bool(words & set(SM_100)) or ({"tf32", "satfinite"} <= words and "rna" not in words)
        if later == (arch == "sm_100a"):
            kernels.append(kernel)
    if arch == "sm_90a":
        kernels += [Kernel(f"{name} %d, %a;", {"a": of}, {"d": to}) for name, of, to, _ in WIDE]
    assert kernels
    assemble(kernels, tmp_path, arch)
