"""f16 and bf16 arithmetic of the PTX emulator, alone and in pairs, against exact results rounded once."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from float_reference import (
    FORMATS,
    Array,
    all_codes,
    encoded,
    exact_in_modes,
    flushed,
    instruction_names,
    relu,
    rounded,
    same_bits,
    saturated,
)
from ptx_kernels import Kernel, assemble, run_all
from toolkit import needs_ptxas

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of NaN and overflow
OPCODES = ("add", "sub", "mul", "fma", "min", "max", "abs", "neg")
TYPES = ("f16", "f16x2", "bf16", "bf16x2")
FMA_COUNT = 8192


def instructions() -> list[str]:
    """The instructions of the tables on halves, but for those that mix them with f32."""
    return [name for name, _ in instruction_names(OPCODES, TYPES) if "f32" not in name.split(".")]


@cache
def inputs(kind: str) -> tuple[Array, Array, Array]:
    """Codes of three operands: every value, and others beside it, often near it, its negative or an edge."""
    rng = np.random.default_rng(3)
    a = rng.permutation(all_codes())
    other = rng.integers(0, 1 << 16, a.size, dtype=np.uint16)
    near = a + rng.integers(-3, 4, a.size).astype(np.uint16)
    infinity = 0x7C00 if kind == "f16" else 0x7F80
    edges = np.array([0, 1, 2, infinity - 1, infinity, infinity + 1, 0x7FFF, 0x3C00, 0x3F80, 0x0400, 0x03FF], np.uint16)
    edges = np.concatenate([edges, edges | np.uint16(0x8000)])
    choice = rng.integers(0, 8, a.size)
    b = np.select(
        [choice < 5, choice == 5, choice == 6], [other, near, near ^ np.uint16(0x8000)], rng.choice(edges, a.size)
    )
    return a, b.astype(np.uint16), rng.permutation(b).astype(np.uint16)


def values(codes: Array, kind: str, ftz: bool) -> Array:
    x = codes.view(FORMATS[kind].dtype).astype(np.float64)
    return flushed(x, FORMATS[kind]) if ftz else x


@cache
def fma_inputs(kind: str) -> tuple[Array, Array, Array]:
    """Fewer operands, c often what cancels the product, or a small part of it."""
    rng = np.random.default_rng(4)
    a, b, c = (x[:FMA_COUNT].copy() for x in inputs(kind))
    product = values(a, kind, False) * values(b, kind, False)
    scale = np.where(rng.random(FMA_COUNT) < 0.5, -1.0, 2.0 ** rng.integers(-14, 14, FMA_COUNT))
    with np.errstate(all="ignore"):
        close = (product * scale).astype(FORMATS[kind].dtype).view(np.uint16)
    return a, b, np.where(rng.random(FMA_COUNT) < 0.6, close, c)


@cache
def fma(kind: str, ftz: bool) -> Array:
    to = FORMATS[kind]
    result = []
    for a, b, c in zip(*(values(x, kind, ftz).tolist() for x in fma_inputs(kind)), strict=True):
        if not all(map(math.isfinite, (a, b, c))):
            result.append(float(np.float64(a) * np.float64(b) + np.float64(c)))
        elif exact := Fraction(a) * Fraction(b) + Fraction(c):
            result.append(exact_in_modes(exact, to)["rn"])
        else:
            result.append(a * b + c)  # exact zeros: of the terms' sign, or +0
    return np.array(result)


def select(words: list[str], a: Array, b: Array) -> Array:
    xor = np.signbit(a) ^ np.signbit(b)
    if "xorsign" in words:
        a, b = np.abs(a), np.abs(b)
    first = (a < b) | ((a == b) & np.signbit(a)) if words[0] == "min" else (a > b) | ((a == b) & ~np.signbit(a))
    chosen = np.where(np.isnan(a), b, np.where(np.isnan(b), a, np.where(first, a, b)))
    if "xorsign" in words:
        chosen = np.copysign(chosen, np.where(xor, -1.0, 1.0))
    return np.where(np.isnan(a) | np.isnan(b), np.nan, chosen) if "NaN" in words else chosen


def case(name: str) -> tuple[Kernel, dict[str, Array], Array]:
    """The kernel of an instruction, its arrays, and the codes that it must give."""
    words = name.split(".")
    kind, ftz = words[-1].removesuffix("x2"), "ftz" in words
    to = FORMATS[kind]
    keys = "abc"[: {"fma": 3, "abs": 1, "neg": 1}.get(words[0], 2)]
    operands = fma_inputs(kind) if words[0] == "fma" else inputs(kind)
    a, b, _ = (values(x, kind, ftz) for x in operands)
    if words[0] == "fma":
        result = fma(kind, ftz)
    elif words[0] in ("min", "max"):
        result = select(words, a, b)
    else:
        result = {"add": a + b, "sub": a - b, "mul": a * b, "abs": np.abs(a), "neg": -a}[words[0]]
    result = saturated(result) if "sat" in words else relu(result) if "relu" in words else result
    result = rounded(result, to)
    want = encoded(flushed(result, to) if ftz else result, to)
    pair = words[-1].endswith("x2")
    arrays = {key: x.view(np.uint32) if pair else x for key, x in zip(keys, operands, strict=False)}
    text = f"{name} %d, {', '.join(f'%{key}' for key in keys)};"
    return Kernel(text, dict.fromkeys(keys, words[-1]), {"d": words[-1]}), arrays, want


@cache
def cases() -> list[tuple[Kernel, dict[str, Array], Array]]:
    return [case(name) for name in instructions()]


def test_every_form_is_exact() -> None:
    assert len(cases()) > 110
    results = run_all([(kernel, arrays) for kernel, arrays, _ in cases()])
    for (kernel, arrays, want), result in zip(cases(), results, strict=True):
        halves = {key: x.view(np.uint16) for key, x in arrays.items()}
        same_bits(result["d"].view(np.uint16), want, kernel.text, **halves)


def test_the_tables_have_what_compilers_emit() -> None:
    names = set(instructions())
    for opcode in ("add", "sub", "mul"):
        assert {f"{opcode}.{m}" for m in ("f16", "rn.f16", "rn.ftz.sat.f16x2", "bf16", "rn.bf16x2")} <= names
    assert {f"fma.rn.{m}" for m in ("f16", "ftz.relu.f16x2", "sat.f16x2", "bf16", "relu.bf16x2")} <= names
    assert {"min.NaN.xorsign.abs.bf16x2", "max.ftz.f16", "neg.bf16x2", "abs.ftz.f16x2"} <= names


def test_registers_of_other_kinds_and_partial_warps() -> None:
    """A pair in a .b32 register, and lanes that do not take part keep theirs."""
    kernel = Kernel("add.f16x2 %d, %a, %a;", {"a": "b32"}, {"d": "b32"}, guarded=True)
    a = np.full(64, 0x3C003800, np.uint32)
    guard = np.arange(64) % 5 == 0
    got = kernel.run(a=a, guard=guard, initial_d=np.full(64, 9, np.uint32))["d"]
    np.testing.assert_array_equal(got, np.where(guard, 0x40003C00, 9))


@needs_ptxas
def test_ptxas_takes_every_form(tmp_path: Path) -> None:
    assemble([kernel for kernel, _, _ in cases()], tmp_path, "sm_90a")
