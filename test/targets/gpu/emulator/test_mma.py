"""mma and mma.sp: every shape, type and layout against numpy, with the fragments built by the manual's formulas."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matrix_kernels import (
    BITS,
    Array,
    Fragment,
    accumulate,
    dimensions,
    expected_codes,
    fragment,
    fragment_a,
    fragment_b,
    fragment_c,
    random_codes,
    rows,
    uncovered,
    values,
)
from ptx_kernels import HEADER
from toolkit import assemble_text, needs_ptxas

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.errors import PtxError
from accelc.targets.gpu.emulator.native import levels

WARPS = 6  # matrices of each case: random ones, then edges


def kernel(entry: str, instruction: str, registers: tuple[int, ...], widths: tuple[int, ...], tail: str = "") -> str:
    """Loads operands a, b, c (and e) of `registers` registers from arrays [warp][register][lane], and stores d, which
    has as many as the first count says."""
    names = ["d", "a", "b", "c", "e"][: len(registers)]
    lines = []
    operands = []
    for name, count, width in zip(names, registers, widths, strict=True):
        lines.append(f".reg .b{width} %{name}<{count}>;")
        vector = ", ".join(f"%{name}{i}" for i in range(count))
        operands.append(f"%{name}0" if name == "e" else f"{{{vector}}}")
    lines += [".reg .b64 %p, %at;", ".reg .b32 %lane, %warp;", "mov.u32 %lane, %tid.x;", "mov.u32 %warp, %ctaid.x;"]
    for name, count, width in [*zip(names, registers, widths, strict=True)][1:]:
        lines += [f"ld.param.u64 %p, [{name}];", f"mad.wide.u32 %at, %warp, {count * 32 * width // 8}, %p;"]
        lines.append(f"mad.wide.u32 %at, %lane, {width // 8}, %at;")
        lines += [f"ld.global.b{width} %{name}{i}, [%at+{i * 32 * width // 8}];" for i in range(count)]
    lines.append(f"{instruction} {', '.join(operands)}{tail};")
    width = widths[0]
    lines += ["ld.param.u64 %p, [d];", f"mad.wide.u32 %at, %warp, {registers[0] * 32 * width // 8}, %p;"]
    lines.append(f"mad.wide.u32 %at, %lane, {width // 8}, %at;")
    lines += [f"st.global.b{width} [%at+{i * 32 * width // 8}], %d{i};" for i in range(registers[0])]
    parameters = ", ".join(f".param .u64 {name}" for name in names)
    return f".visible .entry {entry}({parameters})\n{{\n" + "\n".join(lines) + "\nret;\n}\n"


def names() -> list[str]:
    """Every instruction that the table's rows allow."""
    return [".".join(["mma", *(w for w in choice if w)]) for row in rows("mma") for choice in itertools.product(*row)]


class Case:
    """One instruction: its shape, types and fragments."""

    def __init__(self, name: str) -> None:
        self.name = name
        words = name.split(".")[1:]
        self.sparse = words[0].startswith("sp")
        self.shape = next(w for w in words if w.startswith("m") and w[1].isdigit())
        self.m, _, self.k = dimensions(self.shape)
        types = [w for w in words if w in BITS]
        self.d, self.a, self.b, self.c = types
        self.saturate = "satfinite" in words
        self.rounding = next((w for w in words if w in ("rn", "rz", "rm", "rp")), "rn")
        self.operation = next((w for w in words if w in ("xor", "and")), "")
        self.volta = self.shape == "m8n8k4" and self.a == "f16"
        self.layout = [w for w in words if w in ("row", "col")]
        stored = f"m{self.m}n8k{self.k // 2}" if self.sparse else self.shape
        if self.volta:
            quads = [volta(self.layout[0] == "row", "a"), volta(self.layout[1] == "row", "b")]
            self.fa, self.fb = quads
            self.fc, self.fd = (volta(kind == "f16", "c", BITS[kind]) for kind in (self.c, self.d))
        else:
            self.fa, self.fb = fragment_a(stored, self.a), fragment_b(self.k, self.b)
            self.fc, self.fd = fragment_c(self.m, self.c), fragment_c(self.m, self.d)

    @property
    def legal(self) -> bool:
        """f16 and f32 accumulators do not mix, but in m8n8k4, where c may be f16 for a result in f32."""
        return self.c == self.d or (self.volta and self.d == "f32")

    def selectors(self) -> int:
        """How many sparsity selectors there are."""
        if BITS[self.a] >= 16:
            return 4 if self.k == 256 // BITS[self.a] else 2
        return 2 if self.k == 256 // BITS[self.a] else 1

    def ptx(self, entry: str, selector: int = 0) -> str:
        """A kernel that runs it."""
        fragments = [self.fd, self.fa, self.fb, self.fc]
        counts = [f.registers for f in fragments] + ([1] if self.sparse else [])
        widths = [64 if f.bits == 64 else 32 for f in fragments] + ([32] if self.sparse else [])
        return kernel(entry, self.name, tuple(counts), tuple(widths), f", {selector}" if self.sparse else "")


def volta(first: bool, part: str, bits: int = 16) -> Fragment:
    """m8n8k4 of f16: the quarters' matrices are stacked below one another. `first`: A and B by rows, sums in f16."""

    def place(lane: int, i: int) -> tuple[int, int]:
        quarter, x, upper = lane % 16 // 4, lane % 4, lane >= 16
        high = 4 if upper else 0
        if part == "a":
            row, column = (x + high, i) if first else (i + high, x)
            return 8 * quarter + row, column
        if part == "b":
            row, column = (x, i + high) if first else (i, x + high)
            return 4 * quarter + row, column
        if first:
            return 8 * quarter + x + high, i
        return 8 * quarter + (lane & 1) + (i & 2) + high, (i & 4) + (lane & 2) + (i & 1)

    return fragment(8 if part == "c" else 4, lambda g, t, i: place(4 * g + t, i), bits)


def operands(case: Case, rng: np.random.Generator, edges: bool) -> tuple[Array, Array, Array]:
    """Matrices of codes a (n, m, k), b (n, k, 8) and c (n, m, 8)."""
    quarters = 4 if case.volta else 1
    shapes = [(WARPS, quarters * case.m, case.k), (WARPS, quarters * case.k, 8), (WARPS, quarters * case.m, 8)]
    a, b, c = (random_codes(kind, s, rng, edges) for kind, s in zip((case.a, case.b, case.c), shapes, strict=True))
    return a, b, c


def reference(case: Case, a: Array, b: Array, c: Array, keep: Array | None = None) -> Array:
    """The result's codes."""
    if case.a == "b1":
        counts = (a[:, :, :, None] & b[:, None]).sum(2)
        if case.operation == "xor":
            counts = (a[:, :, :, None] ^ b[:, None]).sum(2)
        return (c + counts) & np.uint64(0xFFFFFFFF)
    if case.a == "f64":
        return f64_reference(case, a, b, c)
    kinds = (case.a, case.b, case.c, case.d)
    if case.volta:
        parts = [
            expected_codes(a[:, 8 * q : 8 * q + 8], b[:, 4 * q : 4 * q + 4], c[:, 8 * q : 8 * q + 8], kinds)
            for q in range(4)
        ]
        return np.concatenate(parts, 1)
    return expected_codes(a, b, c, kinds, case.saturate, keep)


def f64_reference(case: Case, a: Array, b: Array, c: Array) -> Array:
    """By exact fractions, rounded once an fma."""
    x, y, total = (values(m, "f64") for m in (a, b, c))
    result = np.zeros(total.shape)
    for n, i, j in np.ndindex(*total.shape):
        s = float(total[n, i, j])
        for k in range(case.k):
            s = fma64(float(x[n, i, k]), float(y[n, k, j]), s, case.rounding)
        result[n, i, j] = s
    return np.where(np.isnan(result), np.uint64(0xFFF8000000000000), result.view(np.uint64))


def fma64(a: float, b: float, c: float, rounding: str) -> float:
    """One fma of f64 by exact fractions."""
    if not np.isfinite([a, b, c]).all():
        with np.errstate(all="ignore"):  # infinities and NaN do not depend on the rounding
            return float(np.float64(a) * np.float64(b) + np.float64(c))
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        product_negative = np.signbit(a) != np.signbit(b)
        if (a == 0 or b == 0) and c == 0 and product_negative == np.signbit(c):
            return c
        return -0.0 if rounding == "rm" else 0.0
    largest = float(np.finfo(np.float64).max)
    try:
        near = float(exact)
    except OverflowError:
        near = np.inf if exact > 0 else -np.inf
    if rounding == "rn" or (np.isfinite(near) and Fraction(near) == exact):
        return near
    above = near > 0 if np.isinf(near) else Fraction(near) > exact
    outward = {"rp": not above, "rm": above, "rz": above == (exact > 0)}[rounding]  # near must go the other way
    if not outward:
        return near
    if np.isinf(near):
        return largest if above else -largest
    return float(np.nextafter(near, -np.inf if above else np.inf))


def run(
    emulator: Emulator, entry: str, case: Case, a: Array, b: Array, c: Array, metadata: Array | None = None
) -> Array:
    """The result's codes (n, m, 8), A as stored."""
    packed = [case.fa.pack(a), case.fb.pack(b), case.fc.pack(c)]
    if metadata is not None:
        packed.append(np.ascontiguousarray(metadata.astype(np.uint32)))
    d = np.zeros((len(a), case.fd.registers, 32), np.uint64 if case.d == "f64" else np.uint32)
    report = emulator.launch(entry, grid=len(a), block=32, args=[d, *packed])
    assert report.counters.total.flops == 2 * len(a) * case.m * 8 * case.k * (4 if case.volta else 1)
    return case.fd.unpack(d, c.shape[1], 8)


def compare(case: Case, got: Array, want: Array) -> None:
    """Bit for bit."""
    bad = np.argwhere(got != want)
    first = tuple(bad[0]) if len(bad) else (0, 0, 0)
    assert len(bad) == 0, f"{case.name}: {len(bad)} differ, first {first}: {got[first]:#x}, not {want[first]:#x}"


DENSE = [n for n in names() if ".sp" not in n]
SPARSE = [n for n in names() if ".sp" in n]


def test_dense() -> None:
    """Every instruction on random and edge matrices: the declared order to the bit."""
    rng = np.random.default_rng(1)
    cases = [c for c in map(Case, DENSE) if c.legal]
    emulator = Emulator(HEADER + "".join(c.ptx(f"k{i}") for i, c in enumerate(cases)))
    for i, case in enumerate(cases):
        for edges in (False, True):
            if case.a == "f64" and case.layout == ["row", "col"] and edges and case.k > 8:
                continue  # fractions are slow
            a, b, c = operands(case, rng, edges)
            if case.a == "f64":
                a, b, c = a[:2], b[:2], c[:2]
            compare(case, run(emulator, f"k{i}", case, a, b, c), reference(case, a, b, c))
    assert not uncovered("mma", [c.name for c in cases] + SPARSE)


def sparse_operands(case: Case, rng: np.random.Generator, edges: bool) -> tuple[Array, Array, Array]:
    """A as stored (n, m, k / 2), the dense A with zeros, and which of its elements are there; metadata separately."""
    dense = random_codes(case.a, (WARPS, case.m, case.k), rng, edges)
    keep = np.zeros(dense.shape, bool)
    unit = 2 if BITS[case.a] == 4 else 1  # elements that are kept together
    if case.a == "tf32":
        choice = rng.integers(0, 2, (WARPS, case.m, case.k // 2))
        keep.reshape(WARPS, case.m, -1, 2)[...] = np.arange(2) == choice[..., None]
    else:
        order = rng.random((WARPS, case.m, case.k // (4 * unit), 4)).argsort(-1) < 2
        keep[...] = np.repeat(order.reshape(WARPS, case.m, -1), unit, -1)
    stored = dense[keep].reshape(WARPS, case.m, case.k // 2)
    return stored, np.where(keep, dense, 0), keep


def sparse_metadata(case: Case, keep: Array, selector: int) -> Array:
    """The metadata registers (n, 1, 32): by the manual's figures, which lane holds which bits of which row."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, (len(keep), 1, 32), np.uint64)  # lanes that do not contribute hold anything
    bits = BITS[case.a]
    if case.a == "tf32":
        nibbles = np.where(keep.reshape(len(keep), case.m, -1, 2)[..., 0], 0b0100, 0b1110)
    else:
        unit = 2 if bits == 4 else 1
        places = np.argsort(~keep.reshape(len(keep), case.m, -1, 4, unit)[..., 0], -1, kind="stable")[..., :2]
        nibbles = places[..., 0] | places[..., 1] << 2
    groups = nibbles.shape[2]
    for row in range(16):
        for group in range(groups):
            if bits >= 16:  # 16 bits of a row: four groups
                lane = selector if groups == 4 else 2 * selector + group // 4
                shift = (16 if row >= 8 else 0) + 4 * (group % 4)
            elif groups == 8:  # a lane for row g, the next for row g + 8
                lane, shift = 2 * selector + (row >= 8), 4 * group
            else:
                lane, shift = 2 * (group // 8) + (row >= 8), 4 * (group % 8)
            lane = 4 * (row % 8) + int(lane)
            nibble = nibbles[:, row, group].astype(np.uint64) << np.uint64(shift)
            words[:, 0, lane] = words[:, 0, lane] & ~np.uint64(15 << shift) | nibble
    return words


def test_sparse() -> None:
    """Every sparse instruction with every selector, against the dense product with the zeros put back. Elements of B
    that no element of A meets do not count, be they infinite."""
    rng = np.random.default_rng(2)
    cases = [c for c in map(Case, SPARSE) if c.legal]
    pairs = [(c, s) for c in cases for s in range(c.selectors())]
    emulator = Emulator(HEADER + "".join(c.ptx(f"k{i}", s) for i, (c, s) in enumerate(pairs)))
    for i, (case, selector) in enumerate(pairs):
        for edges in (False, True):
            _, b, c = operands(case, rng, edges)
            stored, dense, keep = sparse_operands(case, rng, edges)
            got = run(emulator, f"k{i}", case, stored, b, c, sparse_metadata(case, keep, selector))
            compare(case, got, reference(case, dense, b, c, keep))


def test_order_of_accumulation_by_fractions() -> None:
    """The helper that the other tests compare with, against exact arithmetic."""
    rng = np.random.default_rng(3)
    a, b = (values(random_codes("bf16", s, rng, True), "bf16") for s in ((1, 8, 12), (1, 12, 8)))
    a, b = np.where(np.isfinite(a) & (abs(a) < 1e30), a, 1), np.where(np.isfinite(b) & (abs(b) < 1e30), b, 2)
    c = rng.standard_normal((1, 8, 8)) * 2.0 ** rng.integers(-130, 20, (1, 8, 8))
    c = c.astype(np.float32).astype(np.float64)
    got = accumulate(a, b, c)
    for i, j in np.ndindex(8, 8):
        total = Fraction(float(c[0, i, j]))
        for k in range(12):
            total = round32(total + Fraction(float(a[0, i, k])) * Fraction(float(b[0, k, j])))
        assert Fraction(float(got[0, i, j])) == total


def round32(x: Fraction) -> Fraction:
    """To the nearest f32, ties to even, subnormals too; no overflow."""
    if x == 0:
        return x
    exponent = abs(x).numerator.bit_length() - abs(x).denominator.bit_length()
    exponent = exponent if abs(x) >= Fraction(2) ** exponent else exponent - 1
    ulp = Fraction(2) ** (max(exponent, -126) - 23)
    return round(x / ulp) * ulp


@pytest.mark.parametrize("kind", ["f16", "bf16", "tf32", "e4m3", "e5m2"])
def test_error_bound(kind: str) -> None:
    """Within k + 1 roundings of the exact result, in f64."""
    case = Case(next(n for n in DENSE if f".f32.{kind}.{kind}.f32" in n and "m16" in n))
    rng = np.random.default_rng(4)
    a, b, c = operands(case, rng, False)
    got = values(run(Emulator(HEADER + case.ptx("k")), "k", case, a, b, c), "f32")
    x, y, z = values(a, kind), values(b, kind), values(c, "f32")
    assert (abs(got - (x @ y + z)) <= (case.k + 1) * 2.0**-24 * (abs(x) @ abs(y) + abs(z))).all()


def test_mixed_accumulators_are_refused() -> None:
    """What ptxas refuses, too."""
    for case in map(Case, DENSE + SPARSE):
        if not case.legal:
            with pytest.raises(PtxError):
                Emulator(HEADER + case.ptx("k"))


@pytest.mark.parametrize("selector", [-1, 2, 4])
def test_selector_out_of_range(selector: int) -> None:
    """m16n8k32 of f16 has selectors 0 and 1."""
    case = Case("mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32")
    with pytest.raises(PtxError, match="selector"):
        Emulator(HEADER + case.ptx("k", selector))


def test_wrong_number_of_registers() -> None:
    """A's four registers are two."""
    text = Case("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32").ptx("k")
    with pytest.raises(PtxError, match="2 registers, not 4"):
        Emulator(HEADER + text.replace("{%a0, %a1, %a2, %a3}", "{%a0, %a1}"))


def test_guarded_off() -> None:
    """A false guard leaves the result as it was."""
    case = Case("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32")
    text = case.ptx("k").replace("mma.sync", "setp.ne.u32 %off, %warp, %warp;\nmov.b32 %d0, 7;\n@%off mma.sync")
    text = text.replace(".reg .b64 %p, %at;", ".reg .b64 %p, %at;\n.reg .pred %off;")
    a, b, c = operands(case, np.random.default_rng(5), False)
    d = np.zeros((1, 4, 32), np.uint32)
    inputs = [case.fa.pack(a[:1]), case.fb.pack(b[:1]), case.fc.pack(c[:1])]
    Emulator(HEADER + text).launch("k", grid=1, block=32, args=[d, *inputs])
    assert (d[0, 0] == 7).all()


@pytest.mark.parametrize("kind", ["f16.f16.f16.f16", "f32.bf16.bf16.f32", "f64.f64.f64.f64", "s32.u8.s8.s32"])
def test_registers_in_any_order(kind: str) -> None:
    """Results over the operands' registers, the accumulator's the other way round: all is read before it is written."""
    case = Case(next(n for n in DENSE if n.endswith(f"m16n8k16.row.col.{kind}")))
    a, b, c = operands(case, np.random.default_rng(6), False)
    n = case.fd.registers
    turned = ", ".join(f"%c{n - 1 - i}" for i in range(n))
    text = case.ptx("k").replace(f"{{{', '.join(f'%d{i}' for i in range(n))}}}", f"{{{turned}}}", 1)
    width = 64 if case.d == "f64" else 32
    for i in range(n):
        text = text.replace(f"], %d{i};", f"], %c{n - 1 - i};")
    compare(case, run(Emulator(HEADER + text), "k", case, a, b, c), reference(case, a, b, c))
    over = case.ptx("k").replace("%d", "%a") if case.fa.registers >= n else ""
    if over:
        over = over.replace(f".reg .b{width} %a<{n}>;\n", "", 1)
        compare(case, run(Emulator(HEADER + over), "k", case, a, b, c), reference(case, a, b, c))


def test_levels_agree() -> None:
    """Builds for other instruction sets give the same bits, where there are such."""
    rng = np.random.default_rng(7)
    cases = [Case(name) for name in DENSE[:: len(DENSE) // 24]]
    cases = [case for case in cases if case.legal]
    text = HEADER + "".join(case.ptx(f"k{i}") for i, case in enumerate(cases))
    emulators = [Emulator(text, level=level) for level in levels()]
    for i, case in enumerate(cases):
        a, b, c = operands(case, rng, True)
        results = [run(emulator, f"k{i}", case, a, b, c) for emulator in emulators]
        assert all((result == results[0]).all() for result in results), case.name


@needs_ptxas
def test_ptxas_takes_all(tmp_path: Path) -> None:
    """What the tables allow and the decoder takes is PTX."""
    cases = [c for c in map(Case, DENSE + SPARSE) if c.legal]
    assemble_text(HEADER + "".join(c.ptx(f"k{i}") for i, c in enumerate(cases)), tmp_path)
