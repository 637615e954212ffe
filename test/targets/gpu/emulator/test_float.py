"""f32 and f64 arithmetic of the PTX emulator against exact fractions: every instruction, rounding mode, ftz and sat."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from float_reference import (
    F32,
    F64,
    FORMATS,
    MODES,
    Array,
    exact_in_modes,
    floats,
    flushed,
    instruction_names,
    same_bits,
    saturated,
    sqrt_in_modes,
)
from ptx_kernels import Kernel, assemble, run_all
from toolkit import needs_ptxas

COUNT = 2000
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of NaN and overflow
OPCODES = ("add", "sub", "mul", "fma", "mad", "div", "rcp", "sqrt", "min", "max", "abs", "neg", "copysign")
SOURCES = {"fma": 3, "mad": 3, "rcp": 1, "sqrt": 1, "abs": 1, "neg": 1}


def instructions() -> list[str]:
    """The f32 and f64 instructions of the tables, but for the approximations, which have a file of their own."""
    names = [name for name, _ in instruction_names(OPCODES, ("f32", "f64", "f32x2"))]
    return [name for name in names if not {"approx", "full"} & set(name.split("."))]


@cache
def inputs(kind: str) -> tuple[Array, Array, Array]:
    """Three operands, many of them near cancellation, overflow and underflow."""
    rng = np.random.default_rng(1)
    dtype = FORMATS[kind].dtype
    a, b, c = (floats(kind, COUNT, rng) for _ in range(3))
    with np.errstate(all="ignore"):
        kept = rng.random(COUNT)
        b = np.where(kept < 0.1, -a, np.where(kept < 0.2, np.nextafter(-a, dtype(0)), b))
        product = (a * b).astype(dtype)
        c = np.where(kept > 0.8, -product, np.where(kept > 0.7, product * dtype(2.0**-24), c))
    return a.astype(dtype), b.astype(dtype), c.astype(dtype)


@cache
def pairs(kind: str) -> tuple[Array, Array, Array]:
    """The operands as 64-bit registers of two."""
    return tuple(np.ascontiguousarray(x).view(np.uint64) for x in inputs(kind))  # type: ignore[return-value]


def in_modes(op: str, row: tuple[float, ...], to: Any) -> dict[str, float]:
    """One result in every mode. NaN says no more than that it is one."""
    if not all(map(math.isfinite, row)) or (op == "div" and 0 in row) or (op == "sqrt" and row[0] <= 0):
        with np.errstate(all="ignore"):
            v = [to.dtype(x) for x in row]
            special = {
                "add": lambda: v[0] + v[1],
                "mul": lambda: v[0] * v[1],
                "fma": lambda: v[0] * v[1] + v[2] if not all(map(math.isfinite, row[:2])) else v[2],
                "div": lambda: v[0] / v[1],
                "sqrt": lambda: np.sqrt(v[0]),
            }[op]()
        return dict.fromkeys(MODES, float(special))
    exact = [Fraction(x) for x in row]
    if op == "sqrt":
        return sqrt_in_modes(exact[0], to)
    value = {
        "add": lambda: exact[0] + exact[1],
        "mul": lambda: exact[0] * exact[1],
        "fma": lambda: exact[0] * exact[1] + exact[2],
        "div": lambda: exact[0] / exact[1],
    }[op]()
    if value:
        return exact_in_modes(value, to)
    signs = [math.copysign(1, x) for x in row]
    terms = [signs[0] * signs[1]] if op in ("mul", "div") else signs if op == "add" else [signs[0] * signs[1], signs[2]]
    if min(terms) == max(terms):
        return dict.fromkeys(MODES, math.copysign(0.0, terms[0]))
    return {mode: -0.0 if mode == "rm" else 0.0 for mode in MODES}


@cache
def table(op: str, kind: str, ftz: bool) -> dict[str, Array]:
    """The results for `inputs`, subnormal operands flushed with `ftz`; by mode."""
    to = FORMATS[kind]
    arrays = [flushed(x, to) if ftz else x for x in inputs(kind)]
    negated = [arrays[0], -arrays[1]]
    ones = np.ones_like(arrays[0])
    operands = {"sub": negated, "rcp": [ones, arrays[0]], "sqrt": arrays[:1], "fma": arrays, "mad": arrays}
    plain = {"sub": "add", "rcp": "div", "mad": "fma"}.get(op, op)
    rows = zip(*(x.astype(np.float64).tolist() for x in operands.get(op, arrays[:2])), strict=True)
    results = [in_modes(plain, row, to) for row in rows]
    return {mode: np.array([r[mode] for r in results]) for mode in MODES}


def with_nan(result: Array, sources: list[Array]) -> Array:
    """Codes of a result (float64), with the NaN that the emulator documents."""
    if result.dtype == np.float32:
        return np.where(np.isnan(result), np.uint32(F32.nan), result.view(np.uint32))
    codes = np.where(np.isnan(result), np.uint64(F64.nan), result.view(np.uint64))
    for x in reversed(sources):
        codes = np.where(np.isnan(result) & np.isnan(x), x.view(np.uint64) | np.uint64(1 << 51), codes)
    return codes


def arithmetic(words: list[str], kind: str) -> Array:
    """What an instruction with a rounding mode gives for `inputs`."""
    mode = next((w for w in words if w in MODES), "rn")
    ftz, to = "ftz" in words, FORMATS[kind]
    result = table(words[0], kind, ftz)[mode]
    if "sat" in words:
        result = saturated(result)
    if ftz:
        result = flushed(result, to)
    return with_nan(result.astype(to.dtype), list(inputs(kind))[: SOURCES.get(words[0], 2)])


def select(words: list[str], a: Array, b: Array) -> Array:
    """min and max; NaN results are quiet NaNs of no certain bits."""
    first = (a < b) | ((a == b) & np.signbit(a))
    if words[0] == "max":
        first = (a > b) | ((a == b) & ~np.signbit(a))
    chosen = np.where(np.isnan(a), b, np.where(np.isnan(b), a, np.where(first, a, b)))
    return np.where(np.isnan(a) | np.isnan(b), a + b, chosen) if "NaN" in words else chosen


def selection(words: list[str], kind: str, sources: int) -> Array:
    to = FORMATS[kind]
    operands = [flushed(x, to) if "ftz" in words else x for x in inputs(kind)[:sources]]
    a, b = operands[:2]
    magnitudes = [np.abs(x) for x in operands]
    if "xorsign" in words:
        result = select(words, *magnitudes)
        result = np.where(np.isnan(result), result, np.copysign(result, np.where(np.signbit(a) ^ np.signbit(b), -1, 1)))
    else:
        operands = magnitudes if "abs" in words else operands
        result = select(words, *operands[:2])
        result = select(words, result, operands[2]) if sources == 3 else result
    result = result.astype(to.dtype)
    if kind == "f64":
        # Of two NaNs the second, made quiet.
        quiet = b.view(np.uint64) | np.uint64(1 << 51)
        return np.where(np.isnan(a) & np.isnan(b), quiet, result.view(np.uint64))
    return with_nan(result, [])


def sign(words: list[str], kind: str) -> Array:
    to = FORMATS[kind]
    a, b, _ = inputs(kind)
    top = to.bits.type(1 << (8 * to.bits.itemsize - 1))
    if words[0] == "copysign":
        return (a.view(to.bits) & top) | (b.view(to.bits) & ~top)
    x = flushed(a, to) if "ftz" in words else a
    result = (-x if words[0] == "neg" else np.abs(x)).astype(to.dtype)
    return with_nan(result, [result])


def mixed(words: list[str]) -> tuple[dict[str, Array], Array]:
    """f32 with f16 or bf16 factors: the same as f32 on what they stand for."""
    rng = np.random.default_rng(2)
    dtype = np.float16 if words[-1] == "f16" else ml_dtypes.bfloat16
    halves = [rng.integers(0, 1 << 16, COUNT, dtype=np.uint16) for _ in range(2)]
    c = inputs("f32")[2]
    a, b = (h.view(dtype).astype(np.float64) for h in halves)
    kept = rng.random(COUNT) < 0.2
    with np.errstate(all="ignore"):
        c = np.where(kept, (-a * (b if words[0] == "fma" else 1)).astype(np.float32), c)
    last = -c if words[0] == "sub" else c
    rows = zip(*(x.tolist() for x in ([a, b, last] if words[0] == "fma" else [a, last])), strict=True)
    mode = next((w for w in words if w in MODES), "rn")
    op = "fma" if words[0] == "fma" else "add"
    result = np.array([in_modes(op, tuple(map(float, row)), F32)[mode] for row in rows])
    result = saturated(result) if "sat" in words else result
    arrays = {"a": halves[0], "c": c.astype(np.float32)}
    if words[0] == "fma":
        arrays = {"a": halves[0], "b": halves[1], "c": c.astype(np.float32)}
    return arrays, with_nan(result.astype(np.float32), [])


def case(name: str, operands: str) -> tuple[Kernel, dict[str, Array], Array]:
    """The kernel of an instruction, its arrays, and the codes that it must give."""
    words = name.split(".")
    kind = words[-1]
    if kind in ("f16", "bf16"):
        arrays, want = mixed(words)
        types = {key: "f32" if key == "c" else kind for key in arrays}
        return Kernel(f"{name} %d, {', '.join(f'%{k}' for k in arrays)};", types, {"d": "f32"}), arrays, want
    sources = len(operands.split(",")) - 1
    keys = "abc"[:sources]
    base = "f32" if kind == "f32x2" else kind
    if words[0] in ("min", "max"):
        want = selection(words, base, sources)
    elif words[0] in ("abs", "neg", "copysign"):
        want = sign(words, base)
    else:
        want = arithmetic(words, base)
    values = pairs(base) if kind == "f32x2" else inputs(base)
    kernel = Kernel(f"{name} %d, {', '.join(f'%{k}' for k in keys)};", dict.fromkeys(keys, kind), {"d": kind})
    return kernel, dict(zip(keys, values, strict=False)), want


@cache
def cases() -> list[tuple[Kernel, dict[str, Array], Array]]:
    result = []
    for name, operands in instruction_names(OPCODES, ("f32", "f64", "f32x2")):
        if {"approx", "full"} & set(name.split(".")):
            continue
        shapes = ["d, a, b", "d, a, b, c"] if "[" in operands else [operands]
        result += [case(name, shape) for shape in shapes]
    return result


def test_every_form_is_exact() -> None:
    everything = cases()
    assert len(everything) > 250
    results = run_all([(kernel, arrays) for kernel, arrays, _ in everything])
    for (kernel, arrays, want), result in zip(everything, results, strict=True):
        got = result["d"].view(want.dtype)
        given = arrays if got.size == len(next(iter(arrays.values()))) else {}
        same_bits(got, want, kernel.text, **given)


def test_the_tables_have_what_compilers_emit() -> None:
    names = set(instructions())
    for opcode in ("add", "sub", "mul", "fma"):
        for mode in MODES:
            assert {f"{opcode}.{mode}.ftz.sat.f32", f"{opcode}.{mode}.f64", f"{opcode}.{mode}.ftz.f32x2"} <= names
    assert {f"{op}.{mode}.ftz.f32" for op in ("div", "rcp", "sqrt") for mode in MODES} <= names
    assert {
        "add.f32",
        "add.f64",
        "mad.rn.f32",
        "min.ftz.NaN.xorsign.abs.f32",
        "copysign.f64",
        "fma.rn.f32.bf16",
    } <= names


def test_literals_and_partial_warps() -> None:
    kernel = Kernel("fma.rn.f32 %d, %a, 0f40000000, 0fBF800000;", {"a": "f32"}, {"d": "f32"}, guarded=True)
    a = np.arange(100, dtype=np.float32)
    guard = np.arange(100) % 3 == 0
    before = np.full(100, 7, np.float32)
    got = kernel.run(a=a, guard=guard, initial_d=before)["d"]
    np.testing.assert_array_equal(got, np.where(guard, 2 * a - 1, before))


@needs_ptxas
@pytest.mark.parametrize("arch", ["sm_90a", "sm_100a"])
def test_ptxas_takes_every_form(tmp_path: Path, arch: str) -> None:
    kernels = []
    for kernel, _, _ in cases():
        name = kernel.text.split()[0]
        words = name.split(".")
        three = words[1:] and words[0] in ("min", "max") and "%c" in kernel.text
        later = three or words[-1] == "f32x2" or words[-1] in ("f16", "bf16")
        if later == (arch == "sm_100a"):
            kernels.append(kernel)
    assert kernels
    assemble(kernels, tmp_path, arch)
