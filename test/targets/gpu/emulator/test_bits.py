"""Bit instructions of the PTX emulator against Python's integers: every instruction, type and mode."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ptx_kernels import Case, Coverage, Kernel, assemble, check, dtype, edge_grid, integers, size
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import native

RANDOM = 1500
Function = Callable[..., int]


def wrap(value: int, kind: str) -> int:
    """The value of a type that has the low bits of `value`."""
    width = 8 * size(kind)
    value &= (1 << width) - 1
    return value - (1 << width) if kind[0] == "s" and value >> (width - 1) else value


def by_int(function: Function, kind: str, **arrays: np.ndarray) -> np.ndarray:
    """`function` of Python integers for each element, wrapped to a type."""
    rows = zip(*(array.tolist() for array in arrays.values()), strict=True)
    return np.array([wrap(function(*row), kind) for row in rows], dtype(kind))


def amounts(count: int, rng: np.random.Generator) -> np.ndarray:
    """Shift amounts, positions and lengths: mostly small, with some of the rest, bytes that wrap among them."""
    small = rng.integers(0, 70, count, dtype=np.uint32)
    odd = rng.choice(np.array([31, 32, 33, 63, 64, 65, 128, 255, 256, 257, 2**31, 2**32 - 1], np.uint32), count)
    return np.where(rng.random(count) < 0.75, small, odd)


def case(text: str, kinds: str, function: Function, rng: np.random.Generator) -> Case:
    """A case of ``text d, a, b...``; kinds are the operands' types, destination first, ``n`` an amount.

    `text` is the instruction's name, or a whole statement.
    """
    to, *sources = kinds.split()
    names = "abce"[: len(sources)]
    types = {n: "u32" if k == "n" else k for n, k in zip(names, sources, strict=True)}
    if len(sources) <= 2 and "n" not in sources:
        edges = edge_grid(*types.values())
        arrays = [np.concatenate([e, integers(k, RANDOM, rng)]) for e, k in zip(edges, types.values(), strict=True)]
    else:
        count = 2 * RANDOM
        arrays = [amounts(count, rng) if k == "n" else integers(k, count, rng) for k in sources]
    if ";" not in text:
        text = f"{text} %d, {', '.join('%' + n for n in names)};"
    return Case(Kernel(text, types, {"d": to}), dict(zip(names, arrays, strict=True)), partial(by_int, function, to))


def logic_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    binary: dict[str, Function] = {"and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b}
    for t in ("b16", "b32", "b64"):
        cases += [case(f"{name}.{t}", f"{t} {t} {t}", function, rng) for name, function in binary.items()]
        cases.append(case(f"not.{t}", f"{t} {t}", lambda a: ~a, rng))
        cases.append(case(f"cnot.{t}", f"{t} {t}", lambda a: int(a == 0), rng))
    a, b = (rng.random(3000) < 0.5 for _ in range(2))
    arrays = {"a": a, "b": b}
    two, one = {"a": "pred", "b": "pred"}, {"p": "pred"}
    for name, f in {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}.items():
        for na, nb in itertools.product((False, True), repeat=2):
            text = f"{name}.pred %p, {'!' * na}%a, {'!' * nb}%b;"
            cases.append(Case(Kernel(text, two, one), arrays, lambda a, b, f=f, na=na, nb=nb: f(a ^ na, b ^ nb)))
    cases.append(Case(Kernel("and.pred %p, %a, 1;", {"a": "pred"}, one), {"a": a}, lambda a: a))
    cases.append(Case(Kernel("not.pred %p, %a;", {"a": "pred"}, one), {"a": a}, lambda a: ~a))
    cases.append(Case(Kernel("not.pred %p, !%a;", {"a": "pred"}, one), {"a": a}, lambda a: a))
    return cases


def shift_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for width in (16, 32, 64):
        cases.append(case(f"shl.b{width}", f"b{width} b{width} n", lambda a, n: a << min(n, 64), rng))
        types = (f"{kind}{width}" for kind in "bus")
        cases += [case(f"shr.{t}", f"{t} {t} n", lambda a, n: a >> min(n, 64), rng) for t in types]
    for mode in ("clamp", "wrap"):

        def by(n: int, mode: str = mode) -> int:
            return min(n, 32) if mode == "clamp" else n & 31

        cases += [
            case(f"shf.l.{mode}.b32", "b32 b32 b32 n", lambda a, b, n, by=by: (b << 32 | a) << by(n) >> 32, rng),
            case(f"shf.r.{mode}.b32", "b32 b32 b32 n", lambda a, b, n, by=by: (b << 32 | a) >> by(n), rng),
        ]
    cases.append(case("shl.b32 %d, %a, 33;", "b32 b32", lambda a: 0, rng))
    cases.append(case("shr.s32 %d, %a, 40;", "s32 s32", lambda a: a >> 31, rng))
    return cases


def highest(value: int, width: int, kind: str, amount: bool) -> int:
    """bfind, from the definition: the first bit from the top that is not like the sign."""
    sign = value < 0
    for at in range(width - 1, -1, -1):
        if (value >> at & 1) != sign:
            return width - 1 - at if amount else at
    return -1


def count_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for width in (32, 64):
        t = f"b{width}"
        cases += [
            case(f"popc.{t}", f"u32 {t}", lambda a: a.bit_count(), rng),
            case(f"clz.{t}", f"u32 {t}", lambda a, w=width: w - a.bit_length(), rng),
            case(f"brev.{t}", f"{t} {t}", lambda a, w=width: int(f"{a:0{w}b}"[::-1], 2), rng),
        ]
        for kind in "us":
            for shiftamt in (False, True):
                name = f"bfind{'.shiftamt' * shiftamt}.{kind}{width}"
                f = partial(highest, width=width, kind=kind, amount=shiftamt)
                cases.append(case(name, f"u32 {kind}{width}", lambda a, f=f: f(a), rng))
    return cases


def extract(a: int, position: int, length: int, kind: str) -> int:
    """bfe, bit by bit as the manual has it."""
    top = 8 * size(kind) - 1
    position, length = position & 0xFF, length & 0xFF
    signed = kind[0] == "s" and length > 0
    sign = a >> min(position + length - 1, top) & 1 if signed else 0
    return sum(((a >> (position + i) & 1) if i < length and position + i <= top else sign) << i for i in range(top + 1))


def insert(a: int, b: int, position: int, length: int, top: int) -> int:
    """bfi, bit by bit."""
    position, length = position & 0xFF, length & 0xFF
    for i in range(length):
        if position + i > top:
            break
        b = (b & ~(1 << (position + i))) | (a >> i & 1) << (position + i)
    return b


def mask(a: int, b: int, mode: str) -> int:
    """bmsk: ones from bit a on, b of them, what is past bit 31 left out."""
    if mode == "wrap":
        a, b = a & 31, b & 31
    return sum(1 << i for i in range(32) if a <= i < a + b)


def extend(a: int, n: int, mode: str, kind: str) -> int:
    """szext: the low n bits of a as a number of the type's signedness."""
    n = min(n, 32) if mode == "clamp" else n & 31
    value = a & ((1 << n) - 1)
    return value - (1 << n) if kind[0] == "s" and n and value >> (n - 1) else value


def nth_set(bits: int, base: int, offset: int) -> int:
    """fns: positions of ones from `base` on in the direction of `offset`, and the |offset|-th of them."""
    if offset == 0:
        return base if bits >> base & 1 else -1
    ones = [i for i in range(32) if bits >> i & 1]
    found = [i for i in ones if i >= base] if offset > 0 else [i for i in reversed(ones) if i <= base]
    return found[abs(offset) - 1] if abs(offset) <= len(found) else -1


def field_cases(rng: np.random.Generator) -> list[Case]:
    types = ("u32", "u64", "s32", "s64")
    cases = [case(f"bfe.{t}", f"{t} {t} n n", partial(extract, kind=t), rng) for t in types]
    for width in (32, 64):
        t = f"b{width}"
        cases.append(case(f"bfi.{t}", f"{t} {t} {t} n n", partial(insert, top=width - 1), rng))
    for mode in ("clamp", "wrap"):
        cases.append(case(f"bmsk.{mode}.b32", "b32 n n", partial(mask, mode=mode), rng))
        extended = partial(extend, mode=mode)
        cases += [case(f"szext.{mode}.{t}", f"{t} {t} n", partial(extended, kind=t), rng) for t in ("u32", "s32")]
    fns = case("fns.b32", "b32 b32 b32 s32", nth_set, rng)
    count = len(fns.arrays["a"])
    base = rng.integers(0, 32, count, dtype=np.uint32)
    offset = rng.integers(-40, 40, count, dtype=np.int32, endpoint=True)
    offset[:4] = [2**31 - 1, -(2**31), -(2**31) + 1, 0]
    cases.append(Case(fns.kernel, {"a": fns.arrays["a"], "b": base, "c": offset}, fns.answer))
    return cases


def lop3(table: int, a: int, b: int, c: int) -> int:
    """Any function of three bits, by its table of eight."""
    result = 0
    for index in range(8):
        if table >> index & 1:
            result |= (a if index & 4 else ~a) & (b if index & 2 else ~b) & (c if index & 1 else ~c)
    return result


def lop3_cases(rng: np.random.Generator) -> list[Case]:
    names = {"a": "b32", "b": "b32", "c": "b32"}
    count = 320
    cases = []
    for table in range(256):
        arrays = {n: integers("b32", count, rng) for n in names}
        kernel = Kernel(f"lop3.b32 %d, %a, %b, %c, {table:#x};", names, {"d": "b32"})
        cases.append(Case(kernel, arrays, partial(by_int, partial(lop3, table), "b32")))
    for operation, negated, kept in itertools.product(("or", "and"), (False, True), (False, True)):

        def both(
            a: np.ndarray, b: np.ndarray, c: np.ndarray, q: np.ndarray, op: str = operation, no: bool = negated
        ) -> dict[str, np.ndarray]:
            d = by_int(partial(lop3, 0x80), "b32", a=a, b=b, c=c)
            return {"d": d, "p": (d != 0) | (q ^ no) if op == "or" else (d != 0) & (q ^ no)}

        # Three operands and-ed are 0 often enough.
        arrays = {n: integers("b32", 2000, rng) & integers("b32", 2000, rng) for n in names}
        arrays["q"] = rng.random(2000) < 0.5
        to = "%d" if kept else "_"
        text = f"lop3.{operation}.b32 {to}|%p, %a, %b, %c, 0x80, {'!' * negated}%q;"
        outputs = {"d": "b32", "p": "pred"} if kept else {"p": "pred"}
        answer = both if kept else lambda both=both, **arrays: {"p": both(**arrays)["p"]}
        cases.append(Case(Kernel(text, {**names, "q": "pred"}, outputs), arrays, answer))
    return cases


def permute(selectors: Callable[[int], list[int]], a: int, b: int, c: int) -> int:
    """prmt: byte by byte; a selector's high bit takes the sign of the byte."""
    data = [(b << 32 | a) >> (8 * k) & 0xFF for k in range(8)]
    result = 0
    for k, s in enumerate(selectors(c)):
        byte = data[s & 7]
        result |= (byte if s < 8 else 0xFF * (byte >> 7)) << (8 * k)
    return result


#: What each mode selects for the low bits n of c, byte 0 first: by what it is meant for.
PRMT_MODES: dict[str, Callable[[int], list[int]]] = {
    "f4e": lambda n: [n, n + 1, n + 2, n + 3],
    "b4e": lambda n: [n, (n - 1) & 7, (n - 2) & 7, (n - 3) & 7],
    "rc8": lambda n: [n] * 4,
    "ecl": lambda n: [max(n, k) for k in range(4)],
    "ecr": lambda n: [min(n, k) for k in range(4)],
    "rc16": lambda n: [2 * (n & 1), 2 * (n & 1) + 1] * 2,
}


def prmt_cases(rng: np.random.Generator) -> list[Case]:
    plain = partial(permute, lambda c: [c >> (4 * k) & 15 for k in range(4)])
    cases = [case("prmt.b32", "b32 b32 b32 b32", plain, rng)]
    for constant in (0x5410, 0x7632, 0x0123, 0xBA98, 0x12345):
        text = f"prmt.b32 %d, %a, %b, {constant:#x};"
        cases.append(case(text, "b32 b32 b32", lambda a, b, c=constant: plain(a, b, c), rng))
    for mode, selectors in PRMT_MODES.items():
        function = partial(permute, lambda c, s=selectors: s(c & 3))
        cases.append(case(f"prmt.b32.{mode}", "b32 b32 b32 b32", function, rng))
    return cases


GROUPS = {
    "logic": logic_cases,
    "shifts": shift_cases,
    "counts": count_cases,
    "fields": field_cases,
    "lop3": lop3_cases,
    "prmt": prmt_cases,
}
OPCODES = "and or xor not cnot shl shr shf popc clz brev bfind bfe bfi bmsk szext fns lop3 prmt"


@pytest.mark.parametrize("level", native.levels())
@pytest.mark.parametrize("group", GROUPS)
def test_results(group: str, level: str) -> None:
    rng = np.random.default_rng(3000)
    check(GROUPS[group](rng), rng, level=level)


def test_every_form_is_tested() -> None:
    coverage = Coverage()
    rng = np.random.default_rng(0)
    for make in GROUPS.values():
        for c in make(rng):
            coverage.add(c.kernel)
    assert coverage.missing(native.core().forms(), OPCODES.split()) == []


@needs_ptxas
def test_ptxas_takes_every_instruction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    assemble([c.kernel for make in GROUPS.values() for c in make(rng)], tmp_path)
