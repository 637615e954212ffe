"""Integer arithmetic of the PTX emulator against Python's integers: every instruction, type and modifier."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ptx_kernels import Case, Coverage, Kernel, assemble, check, dtype, edge_grid, integers
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import native

TYPES = ("u16", "u32", "u64", "s16", "s32", "s64")
SIGNED = ("s16", "s32", "s64")
CARRIED = ("u32", "s32", "u64", "s64")
WIDER = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}
RANDOM = 1500

Function = Callable[..., int]


def bits(kind: str) -> int:
    return int(kind[1:])


def wrap(value: int, kind: str) -> int:
    """The value of a type that has the low bits of `value`."""
    value &= (1 << bits(kind)) - 1
    return value - (1 << bits(kind)) if kind[0] == "s" and value >> (bits(kind) - 1) else value


def saturate(value: int) -> int:
    return min(max(value, -(2**31)), 2**31 - 1)


def quotient(a: int, b: int) -> int:
    if b == 0:
        return -1
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def remainder(a: int, b: int) -> int:
    return a - b * quotient(a, b) if b else -1


def bits24(value: int, kind: str) -> int:
    value &= 0xFFFFFF
    return value - (1 << 24) if kind[0] == "s" and value >> 23 else value


def by_int(function: Function, kind: str, **arrays: np.ndarray) -> np.ndarray:
    """`function` of Python integers for each element, wrapped to a type."""
    rows = zip(*(array.tolist() for array in arrays.values()), strict=True)
    return np.array([wrap(function(*row), kind) for row in rows], dtype(kind))


def case(name: str, kinds: str, function: Function, rng: np.random.Generator) -> Case:
    """A case of ``name d, a, b...``; `kinds` are the operands' types, destination first."""
    to, *sources = kinds.split()
    names = "abce"[: len(sources)]
    if len(sources) == 1:
        arrays = [np.concatenate([edge_grid(sources[0])[0], integers(sources[0], RANDOM, rng)])]
    elif len(sources) == 2:
        edges = edge_grid(*sources)
        arrays = [np.concatenate([e, integers(k, RANDOM, rng)]) for e, k in zip(edges, sources, strict=True)]
    else:
        arrays = [integers(k, 2 * RANDOM, rng) for k in sources]
    text = f"{name} %d, {', '.join('%' + n for n in names)};"
    kernel = Kernel(text, dict(zip(names, sources, strict=True)), {"d": to})
    return Case(kernel, dict(zip(names, arrays, strict=True)), partial(by_int, function, to))


def halves(function: Function, kind: str) -> Function:
    """`function` on the 16-bit halves of 32 bits, of type `kind`."""

    def both(a: int, b: int) -> int:
        low = function(wrap(a, kind), wrap(b, kind)) & 0xFFFF
        return low | (function(wrap(a >> 16, kind), wrap(b >> 16, kind)) & 0xFFFF) << 16

    return both


def basic_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for t in TYPES:
        n = bits(t)
        cases += [
            case(f"add.{t}", f"{t} {t} {t}", lambda a, b: a + b, rng),
            case(f"sub.{t}", f"{t} {t} {t}", lambda a, b: a - b, rng),
            case(f"mul.lo.{t}", f"{t} {t} {t}", lambda a, b: a * b, rng),
            case(f"mul.hi.{t}", f"{t} {t} {t}", lambda a, b, n=n: a * b >> n, rng),
            case(f"mad.lo.{t}", f"{t} {t} {t} {t}", lambda a, b, c: a * b + c, rng),
            case(f"mad.hi.{t}", f"{t} {t} {t} {t}", lambda a, b, c, n=n: (a * b >> n) + c, rng),
            case(f"div.{t}", f"{t} {t} {t}", quotient, rng),
            case(f"rem.{t}", f"{t} {t} {t}", remainder, rng),
            case(f"sad.{t}", f"{t} {t} {t} {t}", lambda a, b, c: c + abs(a - b), rng),
            case(f"min.{t}", f"{t} {t} {t}", min, rng),
            case(f"max.{t}", f"{t} {t} {t}", max, rng),
        ]
        if t in WIDER:
            w = WIDER[t]
            cases.append(case(f"mul.wide.{t}", f"{w} {t} {t}", lambda a, b: a * b, rng))
            cases.append(case(f"mad.wide.{t}", f"{w} {t} {t} {w}", lambda a, b, c: a * b + c, rng))
        if t in SIGNED:
            cases.append(case(f"abs.{t}", f"{t} {t}", abs, rng))
            cases.append(case(f"neg.{t}", f"{t} {t}", lambda a: -a, rng))
    return cases


def special_cases(rng: np.random.Generator) -> list[Case]:
    s2, s3 = "s32 s32 s32", "s32 s32 s32 s32"
    cases = [
        case("add.sat.s32", s2, lambda a, b: saturate(a + b), rng),
        case("sub.sat.s32", s2, lambda a, b: saturate(a - b), rng),
        case("mad.hi.sat.s32", s3, lambda a, b, c: saturate((a * b >> 32) + c), rng),
        case("min.relu.s32", s2, lambda a, b: max(min(a, b), 0), rng),
        case("max.relu.s32", s2, lambda a, b: max(a, b, 0), rng),
        case("mad24.hi.sat.s32", s3, lambda a, b, c: saturate((bits24(a, "s") * bits24(b, "s") >> 16) + c), rng),
    ]
    for t in ("u32", "s32"):

        def product(a: int, b: int, t: str = t) -> int:
            return bits24(a, t) * bits24(b, t)

        cases += [
            case(f"mul24.lo.{t}", f"{t} {t} {t}", product, rng),
            case(f"mul24.hi.{t}", f"{t} {t} {t}", lambda a, b, p=product: p(a, b) >> 16, rng),
            case(f"mad24.lo.{t}", f"{t} {t} {t} {t}", lambda a, b, c, p=product: p(a, b) + c, rng),
            case(f"mad24.hi.{t}", f"{t} {t} {t} {t}", lambda a, b, c, p=product: (wrap(p(a, b) >> 16, "u32")) + c, rng),
        ]
    for t in ("u16", "s16"):
        for name, function in {"add": lambda a, b: a + b, "min": min, "max": max}.items():
            cases.append(case(f"{name}.{t}x2", "b32 b32 b32", halves(function, t), rng))
    for name, function in {"min": lambda a, b: max(min(a, b), 0), "max": lambda a, b: max(a, b, 0)}.items():
        cases.append(case(f"{name}.relu.s16x2", "b32 b32 b32", halves(function, "s16"), rng))
    return cases


def dot_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for ta, tb in itertools.product(("u32", "s32"), repeat=2):
        to = "u32" if ta == tb == "u32" else "s32"

        def field(value: int, at: int, width: int, kind: str) -> int:
            return wrap(value >> at, f"{kind[0]}{width}")

        def dp4a(a: int, b: int, c: int, ta: str = ta, tb: str = tb) -> int:
            return c + sum(field(a, k, 8, ta) * field(b, k, 8, tb) for k in (0, 8, 16, 24))

        def dp2a(low: int, a: int, b: int, c: int, ta: str = ta, tb: str = tb) -> int:
            return c + sum(field(a, 16 * k, 16, ta) * field(b, low + 8 * k, 8, tb) for k in (0, 1))

        kinds = f"{to} {ta} {tb} {to}"
        cases.append(case(f"dp4a.{ta}.{tb}", kinds, dp4a, rng))
        cases.append(case(f"dp2a.lo.{ta}.{tb}", kinds, partial(dp2a, 0), rng))
        cases.append(case(f"dp2a.hi.{ta}.{tb}", kinds, partial(dp2a, 16), rng))
    return cases


def carry_cases(rng: np.random.Generator) -> list[Case]:
    """Numbers of three words: the first instruction makes the carry, the second passes it on, the third uses it up."""
    cases = []
    words = "lmh"
    for t in CARRIED:

        def read(kind: str, prefix: str, arrays: dict[str, np.ndarray]) -> list[int]:
            """The numbers of three words each, all unsigned."""
            mask = (1 << bits(kind)) - 1
            columns = [arrays[prefix + w].tolist() for w in words]
            return [
                sum((v & mask) << (bits(kind) * k) for k, v in enumerate(row)) for row in zip(*columns, strict=True)
            ]

        def written(kind: str, numbers: list[int]) -> dict[str, np.ndarray]:
            return {
                f"d{w}": np.array([wrap(v >> (bits(kind) * k), kind) for v in numbers], dtype(kind))
                for k, w in enumerate(words)
            }

        def run(kind: str, sign: int, **arrays: np.ndarray) -> dict[str, np.ndarray]:
            a, b = read(kind, "a", arrays), read(kind, "b", arrays)
            return written(kind, [x + sign * y for x, y in zip(a, b, strict=True)])

        names = {f"{p}{w}": t for p in "ab" for w in words}
        outputs = {f"d{w}": t for w in words}
        for name, sign in (("add", 1), ("sub", -1)):
            text = f"{name}.cc.{t} %dl, %al, %bl; {name}c.cc.{t} %dm, %am, %bm; {name}c.{t} %dh, %ah, %bh;"
            arrays = {k: integers(t, RANDOM, rng) for k in names}
            cases.append(Case(Kernel(text, names, outputs), arrays, partial(run, t, sign)))

        def multiply_add(kind: str, half: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
            """c + the low or high halves of three products, as one number of three words."""
            width = bits(kind)
            rows = zip(*(arrays[p + w].tolist() for p in "ab" for w in words), strict=True)
            products = []
            for row in rows:
                parts = [row[k] * row[k + 3] >> (width if half == "hi" else 0) for k in range(3)]
                products.append(sum((part & ((1 << width) - 1)) << (width * k) for k, part in enumerate(parts)))
            return written(kind, [p + c for p, c in zip(products, read(kind, "c", arrays), strict=True)])

        names = {f"{p}{w}": t for p in "abc" for w in words}
        for half in ("lo", "hi"):
            text = (
                f"mad.{half}.cc.{t} %dl, %al, %bl, %cl; madc.{half}.cc.{t} %dm, %am, %bm, %cm; "
                f"madc.{half}.{t} %dh, %ah, %bh, %ch;"
            )
            arrays = {k: integers(t, RANDOM, rng) for k in names}
            cases.append(Case(Kernel(text, names, outputs), arrays, partial(multiply_add, t, half)))
    return cases


def immediate_cases(rng: np.random.Generator) -> list[Case]:
    """Literals as every operand that can be one, and destinations that are sources."""
    a = {"a": integers("s32", 500, rng)}
    one: dict[str, Any] = {"inputs": {"a": "s32"}, "outputs": {"d": "s32"}}
    plain = {
        "add.s32 %d, %a, -7;": lambda a: a - 7,
        "add.s32 %d, 5, %a;": lambda a: 5 + a,
        "sub.s32 %d, 0xffffffff, %a;": lambda a: -1 - a,
        "mad.lo.s32 %d, %a, 3, 4;": lambda a: 3 * a + 4,
        "min.s32 %d, %a, 2147483647;": lambda a: a,
        "mul.lo.s32 %d, %a, (1 << 4) + 1;": lambda a: 17 * a,
        "neg.s32 %d, -2147483648;": lambda a: 2**31,
        "add.s32 %d, %a, WARP_SZ;": lambda a: a + 32,
        "mov.s32 %d, %a; add.s32 %d, %d, %d;": lambda a: 2 * a,
    }
    cases = [Case(Kernel(text, **one), a, partial(by_int, f, "s32")) for text, f in plain.items()]
    in_place = Kernel("mad.lo.u32 %a, %a, %a, %a;", {"a": "u32"}, {"a": "u32"})
    cases.append(Case(in_place, {"a": integers("u32", 500, rng)}, partial(by_int, lambda a: a * a + a, "u32")))
    return cases


GROUPS = {
    "basic": basic_cases,
    "special": special_cases,
    "dot": dot_cases,
    "immediate": immediate_cases,
}
OPCODES = "add addc sub subc mul mad madc mul24 mad24 div rem abs neg min max sad dp4a dp2a"


@pytest.mark.parametrize("level", native.levels())
@pytest.mark.parametrize("group", GROUPS)
def test_results(group: str, level: str) -> None:
    rng = np.random.default_rng(2000)
    # Several statements cannot stand under one guard.
    check([c for c in GROUPS[group](rng) if c.kernel.text.count(";") == 1], rng, level=level)


def test_chains_of_carries() -> None:
    rng = np.random.default_rng(2001)
    cases = carry_cases(rng) + [c for c in immediate_cases(rng) if c.kernel.text.count(";") > 1]
    check(cases, rng, guarded=False)


def test_a_guarded_carry_belongs_to_its_thread() -> None:
    """A thread that leaves out an instruction keeps the flag of the one before."""
    rng = np.random.default_rng(2002)
    count = 2000
    kernel = Kernel(
        "add.cc.u32 %x, %a, %b; @%p add.cc.u32 %x, %c, %c; addc.u32 %d, 0, 0;",
        {"a": "u32", "b": "u32", "c": "u32", "p": "pred"},
        {"d": "u32"},
        declarations=".reg .u32 %x;",
    )
    a, b, c = (integers("u32", count, rng).astype(np.uint64) for _ in range(3))
    p = rng.random(count) < 0.5
    arrays = {"a": a.astype(np.uint32), "b": b.astype(np.uint32), "c": c.astype(np.uint32), "p": p}
    expected = np.where(p, c + c, a + b) >> np.uint64(32)
    np.testing.assert_array_equal(kernel.run(**arrays)["d"], expected)


def test_the_flag_after_a_subtraction_is_a_carry() -> None:
    """What is left to the machine where additions and subtractions mix: it holds where nothing was borrowed."""
    rng = np.random.default_rng(2003)
    a, b = (integers("u32", 2000, rng) for _ in range(2))
    inputs, outputs = {"a": "u32", "b": "u32"}, {"d": "u32"}
    registers = ".reg .u32 %x;"
    after = Kernel("sub.cc.u32 %x, %a, %b; addc.u32 %d, 0, 0;", inputs, outputs, declarations=registers)
    np.testing.assert_array_equal(after.run(a=a, b=b)["d"], a >= b)
    before = Kernel("add.cc.u32 %x, %a, %b; subc.u32 %d, 1, 0;", inputs, outputs, declarations=registers)
    np.testing.assert_array_equal(before.run(a=a, b=b)["d"], a.astype(np.uint64) + b >= 2**32)


def all_cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [c for make in (*GROUPS.values(), carry_cases) for c in make(rng)]


def test_every_form_is_tested() -> None:
    coverage = Coverage()
    for c in all_cases():
        coverage.add(c.kernel)
    missing = coverage.missing(native.core().forms(), OPCODES.split())
    floating = ("f16", "bf16", "f32", "f64", "f16x2", "bf16x2", "f32x2")
    assert [name for name in missing if name.rpartition(".")[2] not in floating] == []


@needs_ptxas
def test_ptxas_takes_every_instruction(tmp_path: Path) -> None:
    assemble([c.kernel for c in all_cases()], tmp_path)
