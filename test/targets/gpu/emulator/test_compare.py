"""Comparison and selection of the PTX emulator against numpy: every comparison, combination and pair of types."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ptx_kernels import Case, Coverage, Kernel, assemble, check, dtype, integers, size
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import native

COUNT = 384
EQUAL = ("eq", "ne")
SIGNED = (*EQUAL, "lt", "le", "gt", "ge")
UNSIGNED = (*SIGNED, "lo", "ls", "hi", "hs")
FLOAT = (*SIGNED, "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")
COMPARISONS = {"b": EQUAL, "s": SIGNED, "u": UNSIGNED}
INTEGERS = tuple(f"{kind}{width}" for kind in "bsu" for width in (16, 32, 64))
FLOATS = ("f32", "f64", "f16", "bf16")
PACKED = {"f16x2": "f16", "bf16x2": "bf16"}
SELECTED = (*INTEGERS, "f32", "f64")

#: Bits of the mantissa: the smallest normal number of a type has the bit above them.
MANTISSA = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}

Array = np.ndarray
BOOLEAN: dict[str, Callable[[Array, Array], Array]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def floats(kind: str, count: int, rng: np.random.Generator) -> Array:
    """Numbers of all magnitudes, and edges: zeros, subnormals, infinities and several NaN of both signs."""
    width = 8 * size(kind)
    unsigned = np.dtype(f"uint{width}")
    normal = 1 << MANTISSA[kind]
    infinity = ((1 << (width - 1)) - 1) ^ (normal - 1)
    one = int(np.array(1, dtype(kind)).view(unsigned))
    near = [0, 1, normal - 1, normal, normal + 1, one, one + 1, infinity - 1, infinity, infinity + 1]
    edges = [*near, infinity | normal >> 1, (1 << (width - 1)) - 1]
    signed = np.array(edges + [e | 1 << (width - 1) for e in edges], unsigned)
    bits = rng.integers(0, 2**width - 1, count, dtype=unsigned, endpoint=True)
    return np.where(rng.random(count) < 0.6, rng.choice(signed, count), bits).view(dtype(kind))


def values(kind: str, count: int, rng: np.random.Generator) -> Array:
    """Elements of any type."""
    if kind == "pred":
        return rng.random(count) < 0.5
    if kind in PACKED:
        return floats(PACKED[kind], 2 * count, rng).view(np.uint32)
    return floats(kind, count, rng) if kind in FLOATS else integers(kind, count, rng)


def pair(kind: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two arrays whose elements are often the same."""
    a, b = values(kind, COUNT, rng), values(kind, COUNT, rng)
    return a, np.where(rng.random(COUNT) < 0.3, a, b)


def compare(name: str, a: Array, b: Array, ftz: bool = False) -> Array:
    """The comparison that a name stands for; of floats those without u hold for no NaN, those with u for every NaN."""
    if a.dtype.kind not in "iu":
        least = np.array(1 << MANTISSA[{2: "f16", 4: "f32", 8: "f64"}[a.dtype.itemsize]], f"uint{8 * a.dtype.itemsize}")
        if a.dtype == dtype("bf16"):
            least = np.array(1 << MANTISSA["bf16"], np.uint16)
        normal = least.view(a.dtype).astype(np.float64)
        a, b = a.astype(np.float64), b.astype(np.float64)
        if ftz:
            a, b = (np.where(np.abs(v) < normal, 0.0, v) for v in (a, b))
    unordered = np.isnan(a) | np.isnan(b) if a.dtype.kind == "f" else np.zeros(len(a), bool)
    plain: dict[str, Callable[[Array, Array], Array]] = {
        "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
        "ge": np.greater_equal, "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
    }  # fmt: skip
    if name == "num":
        return ~unordered
    if name == "nan":
        return unordered
    if name in plain:
        return plain[name](a, b) & ~unordered
    return plain[name.removesuffix("u")](a, b) | unordered


def names_of(kind: str) -> tuple[str, ...]:
    return COMPARISONS[kind[0]] if kind in INTEGERS else FLOAT


def flushes(kind: str, to: str = "") -> tuple[bool, ...]:
    """Whether .ftz may be written: for f32 and f16, unless the result is a bf16."""
    return (False, True) if kind in ("f32", "f16", "f16x2") and to != "bf16" else (False,)


def variants(kind: str, to: str = "") -> Iterator[tuple[str, str, bool, bool]]:
    """Comparison, combination ("": none), whether the predicate is negated, and .ftz: all but few negations."""
    every = itertools.product(names_of(kind), ("", *BOOLEAN), flushes(kind, to))
    for n, (name, boolean, ftz) in enumerate(every):
        yield name, boolean, bool(boolean) and n % 2 == 1, ftz


def parts(kind: str, array: Array) -> list[Array]:
    """The numbers that are compared: of packed types the low and the high halves."""
    if kind not in PACKED:
        return [array]
    return [array.view(dtype(PACKED[kind]))[k::2] for k in (0, 1)]


def setp_cases(kind: str, rng: np.random.Generator) -> list[Case]:
    cases = []
    for name, boolean, negated, ftz in variants(kind):
        instruction = ".".join(filter(None, ["setp", name, boolean, "ftz" * ftz, kind]))

        def answer(
            a: Array, b: Array, c: Array | None = None, name: str = name, boolean: str = boolean, no: bool = negated,
            ftz: bool = ftz,
        ) -> dict[str, Array]:  # fmt: skip
            holds = [compare(name, x, y, ftz) for x, y in zip(parts(kind, a), parts(kind, b), strict=True)]
            results = [holds[0], holds[1] if kind in PACKED else ~holds[0]]
            if c is not None:
                results = [BOOLEAN[boolean](r, c ^ no) for r in results]
            return dict(zip("pq", results, strict=True))

        a, b = pair(kind, rng)
        arrays = {"a": a, "b": b, **({"c": values("pred", COUNT, rng)} if boolean else {})}
        inputs = {"a": kind, "b": kind, **({"c": "pred"} if boolean else {})}
        tail = f", {'!' * negated}%c" if boolean else ""
        destinations = [("%p", {"p": "pred"})]
        if kind not in ("f16", "bf16"):
            destinations.append(("%p|%q", {"p": "pred", "q": "pred"}))
        if name == "ne" and kind in ("b32", "f16x2"):
            destinations += [("_|%q", {"q": "pred"}), ("%p|_", {"p": "pred"})]
        for to, outputs in destinations[-1:] if boolean else destinations:
            kernel = Kernel(f"{instruction} {to}, %a, %b{tail};", inputs, outputs)
            cases.append(Case(kernel, arrays, answer))
    return cases


def truth(to: str, packed: bool, holds: Array) -> Array:
    """What set writes: ones in an integer, 1.0 in a float."""
    if to in ("u16", "s16", "u32", "s32"):
        ones = np.where(holds, -1, 0).astype(np.int16 if packed else np.int32)
        return ones.astype(np.int16) if to.endswith("16") else ones
    return holds.astype(dtype(PACKED.get(to, to)))


def destinations_of(kind: str) -> tuple[str, ...]:
    if kind in PACKED:
        return (kind, "u32", "s32")
    if kind == "f16":
        return ("u16", "s16", "u32", "s32", "f16", "bf16")
    if kind == "bf16":
        return ("u16", "s16", "u32", "s32", "bf16")
    return ("u32", "s32", "f32", "f16", "bf16")


def set_cases(kind: str, rng: np.random.Generator) -> list[Case]:
    cases = []
    for to in destinations_of(kind):
        for name, boolean, negated, ftz in variants(kind, to):
            instruction = ".".join(filter(None, ["set", name, boolean, "ftz" * ftz, to, kind]))

            def answer(
                a: Array, b: Array, c: Array | None = None, name: str = name, boolean: str = boolean,
                no: bool = negated, ftz: bool = ftz, to: str = to,
            ) -> Array:  # fmt: skip
                holds = [compare(name, x, y, ftz) for x, y in zip(parts(kind, a), parts(kind, b), strict=True)]
                if c is not None:
                    holds = [BOOLEAN[boolean](h, c ^ no) for h in holds]
                written = [truth(to, kind in PACKED, h) for h in holds]
                if kind in PACKED:
                    return np.stack(written, axis=1).reshape(-1).view(np.uint32)
                return written[0]

            a, b = pair(kind, rng)
            arrays = {"a": a, "b": b, **({"c": values("pred", COUNT, rng)} if boolean else {})}
            inputs = {"a": kind, "b": kind, **({"c": "pred"} if boolean else {})}
            tail = f", {'!' * negated}%c" if boolean else ""
            kernel = Kernel(f"{instruction} %d, %a, %b{tail};", inputs, {"d": to})
            cases.append(Case(kernel, arrays, answer))
    return cases


def select_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for kind in SELECTED:
        arrays = {"a": values(kind, 1500, rng), "b": values(kind, 1500, rng)}
        predicate = {"c": values("pred", 1500, rng)}
        for no in (False, True):
            kernel = Kernel(f"selp.{kind} %d, %a, %b, {'!' * no}%c;", {"a": kind, "b": kind, "c": "pred"}, {"d": kind})
            cases.append(Case(kernel, arrays | predicate, lambda a, b, c, no=no: np.where(c ^ no, a, b)))
        for chooser, ftz in (("s32", False), ("f32", False), ("f32", True)):

            def answer(a: Array, b: Array, c: Array, ftz: bool = ftz) -> Array:
                # A subnormal that counts as zero is not negative; NaN chooses b.
                least = np.finfo(np.float32).smallest_normal
                return np.where((c >= 0) | (ftz & (np.abs(c) < least) if c.dtype == np.float32 else False), a, b)

            name = f"slct.{'ftz.' * ftz}{kind}.{chooser}"
            kernel = Kernel(f"{name} %d, %a, %b, %c;", {"a": kind, "b": kind, "c": chooser}, {"d": kind})
            cases.append(Case(kernel, arrays | {"c": values(chooser, 1500, rng)}, answer))
    immediate: dict[str, Any] = {"inputs": {"c": "pred"}, "arrays": {"c": values("pred", 500, rng)}}
    for text, kind, yes, no_value in (
        ("selp.b32 %d, 1, 0, %c;", "b32", 1, 0),
        ("selp.f32 %d, 0f3F800000, 0fC0000000, %c;", "f32", 1.0, -2.0),
        ("selp.f64 %d, 0d3FF8000000000000, 2.5, %c;", "f64", 1.5, 2.5),
        ("selp.u16 %d, 65535, 1, %c;", "u16", 65535, 1),
        ("selp.s64 %d, -1, 1, %c;", "s64", -1, 1),
    ):
        kernel = Kernel(text, immediate["inputs"], {"d": kind})

        def constants(c: Array, kind: str = kind, yes: float = yes, no: float = no_value) -> Array:
            return np.where(c, np.array(yes, dtype(kind)), np.array(no, dtype(kind)))

        cases.append(Case(kernel, immediate["arrays"], constants))
    return cases


def property_cases(rng: np.random.Generator) -> list[Case]:
    def normal(a: Array) -> Array:
        return np.isfinite(a) & ((np.abs(a) >= np.finfo(a.dtype).smallest_normal) | (a == 0))

    answers: dict[str, Callable[[Array], Array]] = {
        "finite": np.isfinite,
        "infinite": np.isinf,
        "number": lambda a: ~np.isnan(a),
        "notanumber": np.isnan,
        "normal": normal,
        "subnormal": lambda a: np.isfinite(a) & ~normal(a),
    }
    return [
        Case(
            Kernel(f"testp.{name}.{kind} %p, %a;", {"a": kind}, {"p": "pred"}),
            {"a": floats(kind, 2000, rng)},
            lambda a, f=answer: f(a),
        )
        for kind in ("f32", "f64")
        for name, answer in answers.items()
    ]


def immediate_cases(rng: np.random.Generator) -> list[Case]:
    """Literals and predicates that are constants."""
    a, f = integers("s32", 500, rng), floats("f32", 500, rng)
    one, p = {"a": "s32"}, {"p": "pred"}
    return [
        Case(Kernel("setp.lt.s32 %p, %a, -5;", one, p), {"a": a}, lambda a: a < -5),
        Case(Kernel("setp.gt.s32 %p, 100, %a;", one, p), {"a": a}, lambda a: a < 100),
        Case(Kernel("setp.eq.and.s32 %p, %a, 0, 1;", one, p), {"a": a}, lambda a: a == 0),
        Case(Kernel("setp.gt.f32 %p, %a, 0f3F000000;", {"a": "f32"}, p), {"a": f}, lambda a: a > 0.5),
        Case(Kernel("setp.neu.f32 %p, %a, 0.25;", {"a": "f32"}, p), {"a": f}, lambda a: a != 0.25),
        Case(
            Kernel("setp.lt.and.s32 %p|%q, %a, 0, %p;", {"a": "s32", "p": "pred"}, {"p": "pred", "q": "pred"}),
            {"a": a, "p": values("pred", 500, rng)},
            lambda a, p: {"p": (a < 0) & p, "q": (a >= 0) & p},
        ),
    ]


KINDS = (*INTEGERS, *FLOATS, *PACKED)
GROUPS: dict[str, Callable[[np.random.Generator], list[Case]]] = {
    **{f"setp {kind}": (lambda rng, kind=kind: setp_cases(kind, rng)) for kind in KINDS},
    **{f"set {kind}": (lambda rng, kind=kind: set_cases(kind, rng)) for kind in KINDS},
    "selp slct": select_cases,
    "testp": property_cases,
    "immediate": immediate_cases,
}


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("level", native.levels())
@pytest.mark.parametrize("group", GROUPS)
def test_results(group: str, level: str) -> None:
    rng = np.random.default_rng(4000)
    check(GROUPS[group](rng), rng, level=level)


def test_every_form_is_tested() -> None:
    rng = np.random.default_rng(0)
    coverage = Coverage()
    for make in GROUPS.values():
        for case in make(rng):
            coverage.add(case.kernel)
    assert coverage.missing(native.core().forms(), ["setp", "set", "selp", "slct", "testp"]) == []


@needs_ptxas
def test_ptxas_takes_every_instruction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    assemble([case.kernel for make in GROUPS.values() for case in make(rng)], tmp_path)
