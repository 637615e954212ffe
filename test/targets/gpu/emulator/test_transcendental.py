"""Approximate functions of the PTX emulator: within the bounds of PTX's manual, and right at special values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from float_reference import FORMATS, Array, all_codes, instruction_names
from ptx_kernels import Kernel, assemble, run_all
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import native

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of NaN and overflow
mpmath = pytest.importorskip("mpmath")
OPCODES = ("sin", "cos", "ex2", "lg2", "tanh", "rcp", "rsqrt", "sqrt", "div")
TYPES = ("f32", "f64", "f16", "f16x2", "bf16", "bf16x2")
INF, NAN = math.inf, math.nan
LEAST, TINY = 2.0**-126, 2.0**-149


def instructions() -> list[str]:
    names = [name for name, _ in instruction_names(OPCODES, TYPES)]
    return [name for name in names if {"approx", "full"} & set(name.split("."))]


def run(name: str, **arrays: Array) -> Array:
    """An instruction over arrays of its type."""
    kind = name.split(".")[-1]
    text = f"{name} %d, {', '.join(f'%{key}' for key in arrays)};"
    return Kernel(text, dict.fromkeys(arrays, kind), {"d": kind}).run(**arrays)["d"]


@cache
def f32_inputs() -> Array:
    """Dense in the ranges of the manual's bounds, and in exponents; all signs, no specials."""
    rng = np.random.default_rng(5)
    turns = [rng.uniform(-x, x, 40000) for x in (1, 2 * math.pi, 100 * math.pi)]
    wide = np.exp2(rng.uniform(-149, 128, 60000)) * rng.choice([-1, 1], 60000)
    near = 1 + rng.normal(size=40000) * np.exp2(rng.uniform(-24, 0, 40000))
    powers = np.exp2(np.arange(-149, 128))
    x = np.concatenate([*turns, wide, near, rng.uniform(-150, 130, 40000), powers, -powers]).astype(np.float32)
    return x[np.isfinite(x)]


def ulps(got: Array, exact: Array) -> Array:
    """The error in units of f32's last place at the exact value."""
    _, e = np.frexp(exact)
    return np.abs(got.astype(np.float64) - exact) / np.ldexp(1.0, np.maximum(e - 24, -149))


@dataclass(frozen=True)
class Bound:
    """Over which inputs an error is at most what: "absolute", "relative" or in "ulp"."""

    kind: str
    limit: float
    low: float = -INF
    high: float = INF


FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[float], object], list[Bound]]] = {
    "sin": (
        np.sin,
        mpmath.sin,
        [
            Bound("absolute", 2**-20.5, -2 * math.pi, 2 * math.pi),
            Bound("absolute", 2**-14.7, -100 * math.pi, 100 * math.pi),
        ],
    ),
    "cos": (
        np.cos,
        mpmath.cos,
        [
            Bound("absolute", 2**-20.5, -2 * math.pi, 2 * math.pi),
            Bound("absolute", 2**-14.7, -100 * math.pi, 100 * math.pi),
        ],
    ),
    "ex2": (np.exp2, lambda x: mpmath.power(2, x), [Bound("ulp", 2), Bound("relative", 2**-22.5, -126, 127.999)]),
    "lg2": (
        np.log2,
        lambda x: mpmath.log(x, 2),
        [
            Bound("absolute", 2**-22, 0.5, 2),
            Bound("relative", 2**-22.6, 2, INF),
            Bound("relative", 2**-22.6, TINY, 0.5),
        ],
    ),
    "tanh": (np.tanh, mpmath.tanh, [Bound("relative", 2**-11)]),
    "rcp": (np.reciprocal, lambda x: 1 / mpmath.mpf(x), [Bound("ulp", 1)]),
    "rsqrt": (lambda x: 1 / np.sqrt(x), lambda x: 1 / mpmath.sqrt(x), [Bound("relative", 2**-22.9, TINY, INF)]),
    "sqrt": (np.sqrt, mpmath.sqrt, [Bound("relative", 2**-23, LEAST, INF), Bound("ulp", 1, TINY, INF)]),
}


def check_bounds(name: str, x: Array, got: Array, exact: Array, bounds: list[Bound]) -> None:
    for bound in bounds:
        inside = (x >= bound.low) & (x <= bound.high) & np.isfinite(exact) & (np.abs(exact) < FORMATS["f32"].largest)
        if "ftz" in name:  # zeros for what is subnormal are not errors
            inside &= (np.abs(exact) >= LEAST) & (np.abs(x) >= LEAST)
        assert inside.any()
        wanted, had = exact[inside], got[inside].astype(np.float64)
        error = np.abs(had - wanted)
        if bound.kind == "relative":
            error = error / np.abs(wanted)
        elif bound.kind == "ulp":
            error = ulps(had, wanted)
        worst = int(np.nanargmax(np.where(wanted == had, 0, error)))
        assert not np.isnan(had).any(), name
        assert error[worst] <= bound.limit or wanted[worst] == had[worst], (
            f"{name}: the {bound.kind} error at {x[inside][worst]!r} is {error[worst]}, over {bound.limit}"
        )


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("ftz", [False, True])
def test_f32_is_within_the_bounds(function: str, ftz: bool) -> None:
    if function == "tanh" and ftz:
        return
    dense, precise, bounds = FUNCTIONS[function]
    name = f"{function}.approx{'.ftz' if ftz else ''}.f32"
    x = f32_inputs()
    got = run(name, a=x)
    check_bounds(name, x, got, dense(x.astype(np.float64)), bounds)
    # numpy's own doubles are checked by mpmath, on some of them.
    some = np.random.default_rng(6).choice(x.size, 400, replace=False)
    with mpmath.workdps(30):
        kept = [n for n in some if x[n] > 0 or function not in ("lg2", "rsqrt", "sqrt")]
        exact = np.array([float(precise(float(x[n]))) for n in kept])
    check_bounds(name, x[kept], got[kept], exact, bounds)


@pytest.mark.parametrize("name", ["div.approx.f32", "div.approx.ftz.f32", "div.full.f32", "div.full.ftz.f32"])
def test_division_is_within_two_ulps(name: str) -> None:
    rng = np.random.default_rng(7)
    a, b = (rng.permutation(f32_inputs()) for _ in range(2))
    got = run(name, a=a, b=b)
    exact = a.astype(np.float64) / b.astype(np.float64)
    inside = (np.abs(exact) < FORMATS["f32"].largest) & (np.abs(b) >= LEAST)
    if "full" not in name:
        inside &= np.abs(b) <= 2.0**126
    if "ftz" in name:
        inside &= (np.abs(a) >= LEAST) & (np.abs(exact) > LEAST)
    assert np.nanmax(ulps(got, exact)[inside]) <= 2
    if "approx" in name:
        huge = np.array([2.0**127, -(2.0**127)], np.float32)
        np.testing.assert_array_equal(run(name, a=np.float32([INF, INF]), b=huge).view(np.uint32), 0x7FFFFFFF)
        np.testing.assert_array_equal(run(name, a=np.float32([3, 3]), b=huge), np.float32([0, -0.0]))


#: Inputs and results of the manual's tables; s and S are subnormals of either sign, and `ftz` says when only.
S = 2.0**-130
SPECIALS: dict[str, list[tuple[float, float]]] = {
    "sin.approx": [(-INF, NAN), (-0.0, -0.0), (0.0, 0.0), (S, 0.0), (-S, -0.0), (INF, NAN), (NAN, NAN)],
    "cos.approx": [(-INF, NAN), (-0.0, 1), (0.0, 1), (S, 1), (-S, 1), (INF, NAN), (NAN, NAN)],
    "ex2.approx": [(-INF, 0.0), (-0.0, 1), (0.0, 1), (S, 1), (-S, 1), (INF, INF), (NAN, NAN), (-200, 0.0), (128, INF)],
    "lg2.approx": [(-INF, NAN), (-1, NAN), (-0.0, -INF), (0.0, -INF), (INF, INF), (NAN, NAN), (1, 0.0), (8, 3)],
    "lg2.approx.ftz": [(S, -INF), (-S, -INF)],
    "rcp.approx": [(-INF, -0.0), (-0.0, -INF), (0.0, INF), (INF, 0.0), (NAN, NAN), (2.0**125, 2.0**-125)],
    "rcp.approx.ftz": [(S, INF), (-S, -INF), (2.0**127, 0.0), (-(2.0**127), -0.0)],
    "rsqrt.approx": [(-INF, NAN), (-1, NAN), (-0.0, -INF), (0.0, INF), (INF, 0.0), (NAN, NAN), (4, 0.5)],
    "rsqrt.approx.ftz": [(S, INF), (-S, -INF)],
    "sqrt.approx": [(-INF, NAN), (-1, NAN), (-0.0, -0.0), (0.0, 0.0), (INF, INF), (NAN, NAN), (4, 2)],
    "sqrt.approx.ftz": [(S, 0.0), (-S, -0.0)],
    "tanh.approx": [(-INF, -1), (-0.0, -0.0), (0.0, 0.0), (INF, 1), (NAN, NAN), (S, S), (-S, -S)],
}


@pytest.mark.parametrize("name", SPECIALS)
def test_special_values(name: str) -> None:
    rows = np.array(SPECIALS[name], np.float32)
    want = np.where(np.isnan(rows[:, 1]), np.uint32(0x7FFFFFFF), rows[:, 1].copy().view(np.uint32))
    for variant in {f"{name}.f32", f"{name}.ftz.f32"} & set(instructions()):
        got = run(variant, a=rows[:, 0].copy()).view(np.uint32)
        flushed = np.where((want & 0x7F800000) == 0, want & 0x80000000, want) if "ftz" in variant else want
        np.testing.assert_array_equal(got, flushed, err_msg=variant)


HALF_BOUNDS = {
    "ex2.f16": Bound("relative", 2**-9.9),
    "ex2.bf16": Bound("relative", 2**-7),
    "tanh.f16": Bound("absolute", 2**-10.987),
    "tanh.bf16": Bound("absolute", 2**-8),
}


@pytest.mark.parametrize("name", [n for n in instructions() if not n.endswith(("f32", "f64"))])
def test_every_half_is_within_the_bounds(name: str) -> None:
    opcode, kind = name.split(".")[0], name.split(".")[-1].removesuffix("x2")
    to, codes = FORMATS[kind], all_codes()
    x = codes.view(to.dtype).astype(np.float64)
    packed = codes.view(np.uint32) if name.endswith("x2") else codes
    raw = run(name, a=packed).view(np.uint16)
    got = raw.view(to.dtype).astype(np.float64)
    exact = np.exp2(x) if opcode == "ex2" else np.tanh(x)
    np.testing.assert_array_equal(raw[np.isnan(x)], 0x7FFF)
    np.testing.assert_array_equal(got[np.isinf(x)], exact[np.isinf(x)])
    bound = HALF_BOUNDS[f"{opcode}.{kind}"]
    inside = np.isfinite(x) & (np.abs(exact) <= to.largest)
    if opcode == "ex2":  # subnormal results have fewer bits, and none in bf16
        low = inside & (exact < 2.0**to.least)
        assert np.all((got[low] == 0) if kind == "bf16" else np.abs(got - exact)[low] <= 2.0**-25 * 1.01)
        inside &= exact >= 2.0**to.least
    error = np.abs(got - exact)[inside]
    assert np.max(error / np.abs(exact[inside]) if bound.kind == "relative" else error) <= bound.limit


def doubles() -> Array:
    rng = np.random.default_rng(8)
    return np.exp2(rng.uniform(-1021, 1021, 40000)) * rng.uniform(1, 2, 40000) * rng.choice([-1, 1], 40000)


@pytest.mark.parametrize("name", ["rcp.approx.ftz.f64", "rsqrt.approx.ftz.f64", "rsqrt.approx.f64"])
def test_f64(name: str) -> None:
    x = doubles() if name[:3] == "rcp" else np.abs(doubles())
    got = run(name, a=x)
    gross = "ftz" in name
    read = (x.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64) if gross else x
    exact = 1 / read if name[:3] == "rcp" else 1 / np.sqrt(read)
    assert np.max(np.abs(got - exact) / np.abs(exact)) <= (2**-20 if gross else 2**-51)
    if gross:  # upper halves alone are read and given
        assert not np.any(got.view(np.uint64) & np.uint64(0xFFFFFFFF))
    subnormal = 2.0**-1030
    specials = {
        "rcp.approx.ftz.f64": [
            (INF, 0.0),
            (-INF, -0.0),
            (0.0, INF),
            (-0.0, -INF),
            (subnormal, INF),
            (-subnormal, -INF),
        ],
        "rsqrt.approx.ftz.f64": [
            (INF, 0.0),
            (-INF, NAN),
            (-1, NAN),
            (0.0, INF),
            (-0.0, -INF),
            (subnormal, INF),
            (-subnormal, -INF),
        ],
        "rsqrt.approx.f64": [(INF, 0.0), (-INF, NAN), (-1, NAN), (0.0, INF), (-0.0, -INF), (2.0**-1030, 2.0**515)],
    }[name]
    rows = np.array([*specials, (NAN, NAN)])
    np.testing.assert_array_equal(run(name, a=rows[:, 0].copy()), rows[:, 1])
    assert np.array_equal(np.signbit(run(name, a=rows[:2, 0].copy())), np.signbit(rows[:2, 1])) or "rsqrt" in name


def test_every_form_has_a_test() -> None:
    tested = {f"{f}.approx{z}.f32" for f in FUNCTIONS for z in ("", ".ftz")} - {"tanh.approx.ftz.f32"}
    tested |= {f"div.{k}{z}.f32" for k in ("approx", "full") for z in ("", ".ftz")}
    tested |= {"rcp.approx.ftz.f64", "rsqrt.approx.ftz.f64", "rsqrt.approx.f64"}
    tested |= {f"{f}.approx.f16{x}" for f in ("ex2", "tanh") for x in ("", "x2")}
    tested |= {f"ex2.approx.ftz.bf16{x}" for x in ("", "x2")} | {f"tanh.approx.bf16{x}" for x in ("", "x2")}
    assert set(instructions()) == tested


def kernels() -> list[Kernel]:
    result = []
    for name in instructions():
        keys = "ab" if name[:3] == "div" else "a"
        kind = name.split(".")[-1]
        text = f"{name} %d, {', '.join(f'%{key}' for key in keys)};"
        result.append(Kernel(text, dict.fromkeys(keys, kind), {"d": kind}))
    return result


def test_every_build_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    x = {"f32": f32_inputs(), "f64": doubles()}
    cases = []
    for kernel in kernels():
        kind = kernel.outputs["d"]
        a = x.get(kind, all_codes().view(np.uint32) if kind.endswith("x2") else all_codes())
        cases.append((kernel, {key: a if key == "a" else a[::-1].copy() for key in kernel.inputs}))
    results = []
    for module in [native.core(level) for level in native.levels()]:
        monkeypatch.setattr("accelc.targets.gpu.emulator.emulator.core", lambda _=None, module=module: module)
        results.append(run_all(cases))
    first, *others = results
    for other in others:
        for (kernel, _), one, two in zip(cases, first, other, strict=True):
            assert one["d"].tobytes() == two["d"].tobytes(), kernel.text


@needs_ptxas
def test_ptxas_takes_every_form(tmp_path: Path) -> None:
    assemble(kernels(), tmp_path, "sm_90a")
