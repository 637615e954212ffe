"""wgmma: every family, swizzle, major and source of A against numpy. The matrices lie in shared memory as TMA would put
them, by a model of its swizzle that knows rows of a box and nothing of descriptors."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from matrix_kernels import (
    BITS,
    Array,
    dimensions,
    expected_codes,
    fragment_a,
    fragment_c,
    random_codes,
    uncovered,
    values,
)
from ptx_kernels import HEADER
from test_mma import Case as Mma
from test_mma import sparse_metadata
from toolkit import assemble_text, needs_ptxas

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.errors import FindingsError, PtxError, UnsupportedPtxError

ROOM = 96 * 1024  # shared memory of the kernels, without which no matrix here fits
SWIZZLES = {"none": 16, "32": 32, "64": 64, "128": 128}
MODE = {"none": 0, "128": 1, "64": 2, "32": 3}


# ---- shared memory ---------------------------------------------------------------------------------------------------


def box(rows: Array, swizzle: str) -> Array:
    """What a TMA load of a box leaves: rows (n, bytes of the swizzle) of uint8, the 16-byte pieces of each exchanged by
    the number of its 128-byte line."""
    width = SWIZZLES[swizzle]
    assert rows.shape[1] == width
    pieces = rows.reshape(len(rows), width // 16, 16)
    result = np.empty_like(pieces)
    for r in range(len(rows)):
        line = r * width // 128
        for c in range(width // 16):
            result[r, c ^ (line % (width // 16)) if swizzle != "none" else c] = pieces[r, c]
    return result.reshape(-1)


def bytes_of(codes: Array, kind: str) -> Array:
    """Rows of codes as bytes, uint8 (rows, bytes)."""
    bits = codes[..., None] >> np.arange(BITS[kind], dtype=np.uint64) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8).reshape(len(codes), -1), axis=1, bitorder="little")


@dataclass(frozen=True)
class Matrix:
    """A matrix in shared memory: its bytes, and the descriptor's fields but for the start."""

    image: Array
    leading: int
    stride: int
    swizzle: str
    step: int  # bytes from the descriptor of one instruction's k to the next one's

    def descriptor(self, start: int, base: int = 0) -> int:
        """As the manual lays it out; `start` in bytes from the base of the kernel's memory, which the kernel adds."""
        fields = (start >> 4) | (self.leading >> 4) << 16 | (self.stride >> 4) << 32 | base << 49
        return fields | MODE[self.swizzle] << 62


def store(codes: Array, kind: str, swizzle: str, mn_major: bool) -> Matrix:
    """codes (mn, k) by boxes as wide as the swizzle: along k, or (mn_major) along mn."""
    data = bytes_of(codes.T if mn_major else codes, kind)  # rows: k if mn_major
    width = SWIZZLES[swizzle]
    boxes = [data[:, i : i + width] for i in range(0, data.shape[1], width)]
    if data.shape[1] % width:  # the box is wider than what is used
        boxes[-1] = np.pad(boxes[-1], ((0, 0), (0, width - boxes[-1].shape[1])), constant_values=0xFF)
    image = np.concatenate([box(b, swizzle) for b in boxes])
    rows = len(data)
    if not mn_major:
        # A box holds all rows: its next 8 rows follow at 8 * width, the next width of k behind all rows.
        return Matrix(image, rows * width, 8 * width, swizzle, 2 * rows * width if swizzle == "none" else 32)
    # A box holds all k. Without a swizzle the strides are named the other way round.
    across, along = rows * width, 8 * width
    leading, stride = (along, across) if swizzle == "none" else (across, along)
    return Matrix(image, leading, stride, swizzle, 16 * width)


# ---- kernels ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One wgmma.mma_async."""

    name: str
    a_registers: bool = False
    scale_a: int = 1
    scale_b: int = 1
    a_mn: bool = False
    b_mn: bool = False
    selector: int = 0

    @property
    def words(self) -> list[str]:
        return self.name.split(".")[1:]

    @property
    def shape(self) -> str:
        return next(w for w in self.words if w.startswith("m64"))

    @property
    def n(self) -> int:
        return dimensions(self.shape)[1]

    @property
    def k(self) -> int:
        return dimensions(self.shape)[2]

    @property
    def kinds(self) -> tuple[str, str, str, str]:
        """Of a, b, c and d."""
        d, a, b = (w for w in self.words if w in BITS)
        return a, b, d, d

    @property
    def sparse(self) -> bool:
        return "sp" in self.words

    @property
    def sums(self) -> int:
        """Registers of the accumulator."""
        return self.n // (4 if self.kinds[3] == "f16" else 2)

    @property
    def a_shape(self) -> str:
        """Of mma, whose A lies alike in the registers of a warp."""
        return f"m16n8k{self.k // 2 if self.sparse else self.k}"

    def statement(self) -> str:
        """With the kernel's registers."""
        d = ", ".join(f"%d{i}" for i in range(self.sums))
        a = "{%a0, %a1, %a2, %a3}" if self.a_registers else "%da"
        operands = [f"{{{d}}}", a, "%db"]
        if self.sparse:
            operands += ["%meta", str(self.selector)]
        operands.append("%scale")
        if self.kinds[0] not in ("s8", "u8", "b1"):
            operands += [str(self.scale_a), str(self.scale_b)]
        if self.kinds[0] in ("f16", "bf16"):
            operands += [] if self.a_registers else [str(int(self.a_mn))]
            operands.append(str(int(self.b_mn)))
        return f"{self.name} {', '.join(operands)};"

    def ptx(self, entry: str, proxy_fence: bool = True, wait: bool = True, count: int = 1) -> str:
        """Copies the image to shared memory, loads accumulators and A, multiplies `count` times (descriptors move by
        parameters), and stores."""
        lines = [
            ".reg .b64 %da, %db, %p, %base, %step;",
            ".reg .b32 %thread, %v, %i, %at, %meta, %which, %start;",
            ".reg .pred %more, %scale;",
            f".reg .b32 %d<{self.sums}>;",
            ".reg .b32 %a<4>;",
            f".shared .align 1024 .b8 memory[{ROOM}];",
            "mov.u32 %thread, %tid.x;",
            "shl.b32 %i, %thread, 2;",
            "ld.param.u32 %which, [bytes];",
            "mov.u32 %start, memory;",
            "COPY:",
            "setp.ge.u32 %more, %i, %which;",
            "@%more bra COPIED;",
            "ld.param.u64 %p, [image];",
            "cvt.u64.u32 %step, %i;",
            "add.u64 %p, %p, %step;",
            "ld.global.b32 %v, [%p];",
            "add.u32 %at, %start, %i;",
            "st.shared.b32 [%at], %v;",
            "add.u32 %i, %i, 512;",
            "bra COPY;",
            "COPIED:",
            "fence.proxy.async.shared::cta;" if proxy_fence else "",
            "bar.sync 0;",
            "shr.u32 %v, %start, 4;",
            "cvt.u64.u32 %base, %v;",
        ]
        for name in ("da", "db"):
            lines += [f"ld.param.u64 %{name}, [{name}];", f"add.u64 %{name}, %{name}, %base;"]
        lines += ["ld.param.u32 %v, [scale];", "setp.ne.u32 %scale, %v, 0;"]
        # Arrays [warp][register][lane].
        lines += ["and.b32 %v, %thread, 31;", "shr.u32 %i, %thread, 5;"]
        lines += ["ld.param.u64 %p, [metadata];", "mad.wide.u32 %p, %thread, 4, %p;", "ld.global.b32 %meta, [%p];"]
        for name, registers in (("a", 4), ("d", self.sums)):
            lines += [f"ld.param.u64 %p, [{name}];", f"mad.wide.u32 %p, %i, {128 * registers}, %p;"]
            lines.append("mad.wide.u32 %p, %v, 4, %p;")
            lines += [f"ld.global.b32 %{name}{r}, [%p+{r * 128}];" for r in range(registers)]
        lines.append("wgmma.fence.sync.aligned;")
        for i in range(count):
            lines.append(self.statement())
            if i + 1 < count:
                for name in ("da", "db"):
                    lines += [f"ld.param.u64 %step, [{name}_step];", f"add.u64 %{name}, %{name}, %step;"]
        lines.append("wgmma.commit_group.sync.aligned;")
        lines.append("wgmma.wait_group.sync.aligned 0;" if wait else "")
        lines += [f"st.global.b32 [%p+{r * 128}], %d{r};" for r in range(self.sums)]
        wide = ("d", "a", "metadata", "image", "da", "db", "da_step", "db_step")
        parameters = ", ".join([*(f".param .u64 {p}" for p in wide), ".param .u32 bytes", ".param .u32 scale"])
        body = "\n".join(line for line in lines if line)
        return f".visible .entry {entry}({parameters})\n{{\n{body}\nret;\n}}\n"


def pack_sums(case: Case, codes: Array) -> Array:
    """Registers (4, registers, 32) of the accumulator's codes (64, n): warp w has rows 16 w to 16 w + 15."""
    place = fragment_c(16, case.kinds[3])
    blocks = codes.reshape(4, 16, case.n // 8, 8).transpose(0, 2, 1, 3)
    return np.stack([place.pack(b).reshape(-1, 32) for b in blocks])


def unpack_sums(case: Case, registers: Array) -> Array:
    """The codes again."""
    place = fragment_c(16, case.kinds[3])
    blocks = [place.unpack(r.reshape(case.n // 8, -1, 32), 16, 8) for r in registers]
    return np.stack(blocks).transpose(0, 2, 1, 3).reshape(64, case.n)


@dataclass
class Given:
    """Codes: A dense (64, k), as stored and where it is, B (n, k), C (64, n)."""

    a: Array
    stored: Array
    keep: Array | None
    b: Array
    c: Array


def matrices(case: Case, rng: np.random.Generator, edges: bool, count: int = 1) -> Given:
    """Of `count` times k."""
    kind_a, kind_b, kind_c, _ = case.kinds
    k = case.k * count
    b = random_codes(kind_b, (case.n, k), rng, edges)
    c = random_codes(kind_c, (64, case.n), rng, edges)
    a = random_codes(kind_a, (64, k), rng, edges)
    if not case.sparse:
        return Given(a, a, None, b, c)
    keep = np.zeros(a.shape, bool)
    if kind_a == "tf32":
        keep.reshape(64, -1, 2)[...] = np.arange(2) == rng.integers(0, 2, (64, k // 2, 1))
    else:
        keep.reshape(64, -1, 4)[...] = rng.random((64, k // 4, 4)).argsort(-1) < 2
    return Given(np.where(keep, a, 0), a[keep].reshape(64, -1), keep, b, c)


def reference(case: Case, given: Given, scale_d: bool) -> Array:
    """The result's codes (64, n)."""
    a, b = given.a, given.b.T
    c = given.c if scale_d else np.zeros_like(given.c)
    if case.kinds[0] == "b1":
        return (c + a @ b) & np.uint64(0xFFFFFFFF)
    if case.scale_a != case.scale_b:
        a = a ^ np.uint64(1 << (BITS[case.kinds[0]] - 1))
    keep = None if given.keep is None else given.keep[None]
    return expected_codes(a[None], b[None], c[None], case.kinds, "satfinite" in case.name, keep)[0]


def run(
    emulator: Emulator,
    entry: str,
    case: Case,
    given: Given,
    swizzles: tuple[str, str],
    scale_d: bool = True,
    count: int = 1,
    shift: int = 0,
    base: int = 0,
    stride: int | None = None,
    **options: bool,
) -> Array:
    """The result's codes. `shift`: bytes by which the matrices lie behind a multiple of 1024; `stride`: A's instead."""
    a = store(given.stored, case.kinds[0], swizzles[0], case.a_mn)
    a = dataclasses.replace(a, stride=a.stride if stride is None else stride)
    b = store(given.b, case.kinds[1], swizzles[1], case.b_mn)
    at_b = shift + -(-len(a.image) // 1024) * 1024
    image = np.full(at_b + -(-len(b.image) // 1024) * 1024, 0xFF, np.uint8)
    image[shift : shift + len(a.image)] = a.image
    image[at_b : at_b + len(b.image)] = b.image
    assert len(image) <= ROOM
    first = given.stored[:, : case.k // (2 if case.sparse else 1)].reshape(4, 16, -1)
    in_registers = fragment_a(case.a_shape, case.kinds[0]).pack(first)
    metadata = np.zeros((4, 32), np.uint32)
    if given.keep is not None:
        like = Mma(f"mma.sp.sync.aligned.m16n8k{case.k}.row.col.f32.{case.kinds[0]}.{case.kinds[1]}.f32")
        metadata = sparse_metadata(like, given.keep.reshape(4, 16, -1), case.selector)[:, 0].astype(np.uint32)
    d = pack_sums(case, given.c)
    descriptors = (a.descriptor(shift, base), b.descriptor(at_b, base), a.step >> 4, b.step >> 4)
    args = [d, in_registers, np.ascontiguousarray(metadata), image, *descriptors, len(image), int(scale_d)]
    report = emulator.launch(entry, block=128, args=args, **options)
    assert report.counters.total.flops == 2 * 64 * case.n * case.k * count
    return unpack_sums(case, d)


def check(case: Case, got: Array, want: Array, *what: object) -> None:
    """Bit for bit."""
    bad = np.argwhere(got != want)
    first = tuple(bad[0]) if len(bad) else (0, 0)
    assert len(bad) == 0, (case, what, len(bad), first, hex(got[first]), hex(want[first]))


# ---- tests -----------------------------------------------------------------------------------------------------------

EVERY_N = [*range(8, 257, 8)]
SOME_N = [8, 16, 24, *range(32, 257, 16)]


def families() -> list[Case]:
    """Every combination of types, with n going around so that each appears; A in memory, K-major."""
    found: list[Case] = []

    def add(sizes: list[int], k: int, types: str, sparse: bool = False, more: int = 1) -> None:
        for _ in range(more):
            n = sizes[len(found) * 7 % len(sizes)]
            found.append(Case(f"wgmma.mma_async.{'sp.' if sparse else ''}sync.aligned.m64n{n}k{k}.{types}"))

    for sparse in (False, True):
        f = 2 if sparse else 1
        for types in ("f32.f16.f16", "f16.f16.f16", "f32.bf16.bf16"):
            add(EVERY_N, 16 * f, types, sparse, 2)
        add(EVERY_N, 8 * f, "f32.tf32.tf32", sparse, 2)
        for d, x, y in itertools.product(("f32", "f16"), ("e4m3", "e5m2"), ("e4m3", "e5m2")):
            add(EVERY_N, 32 * f, f"{d}.{x}.{y}", sparse)
        for x, y in itertools.product(("s8", "u8"), repeat=2):
            for types in (f"s32.{x}.{y}", f"satfinite.s32.{x}.{y}", f"s32.{x}.{y}.satfinite"):
                add(SOME_N, 32 * f, types, sparse)
    add(SOME_N, 256, "s32.b1.b1.and.popc", False, 2)
    return found


def variants(case: Case, index: int) -> list[Case]:
    """A in memory and in registers; signs; majors; the selector."""
    half = case.kinds[0] in ("f16", "bf16")
    signs = case.kinds[0] not in ("s8", "u8", "b1")
    selector = index % 2 if case.sparse and BITS[case.kinds[0]] >= 16 else 0
    scales = ((1, 1), (-1, 1), (1, -1), (-1, -1))[index % 4] if signs else (1, 1)
    first = dataclasses.replace(case, scale_a=scales[0], scale_b=scales[1], selector=selector)
    second = dataclasses.replace(first, a_registers=True, b_mn=half, scale_a=1)
    third = [dataclasses.replace(first, a_mn=True, b_mn=index % 2 == 0)] if half else []
    return [first, second, *third]


def test_every_family() -> None:
    """All types, with A from memory and registers, signs, majors and swizzles by turns; random and edge matrices."""
    rng = np.random.default_rng(1)
    cases = [v for i, case in enumerate(families()) for v in variants(case, i)]
    emulator = Emulator(HEADER + "".join(case.ptx(f"k{i}") for i, case in enumerate(cases)))
    swizzles = [*SWIZZLES]
    for i, case in enumerate(cases):
        for edges in (False, True):
            given = matrices(case, rng, edges)
            pair = (swizzles[(i + edges) % 4], swizzles[(i // 4 + 2 * edges) % 4])
            scale_d = (i + edges) % 5 != 0
            got = run(emulator, f"k{i}", case, given, pair, scale_d)
            check(case, got, reference(case, given, scale_d), pair, edges)
    names = [case.name for case in cases]
    names += [f"wgmma.{w}.sync.aligned" for w in ("fence", "commit_group", "wait_group")]
    shapes = {f"m64n{n}k" for n in EVERY_N}
    assert not [m for m in uncovered("wgmma", names) if m.rpartition(": ")[2].rpartition("k")[0] + "k" not in shapes]


@pytest.mark.parametrize("n", [8, 40, 64, 256])
@pytest.mark.parametrize("a_mn", [False, True])
@pytest.mark.parametrize("b_mn", [False, True])
def test_layouts(n: int, a_mn: bool, b_mn: bool) -> None:
    """Every pair of swizzles and majors, four instructions along k: descriptors step as programs do."""
    case = Case(f"wgmma.mma_async.sync.aligned.m64n{n}k16.f32.f16.f16", a_mn=a_mn, b_mn=b_mn)
    rng = np.random.default_rng(n)
    emulator = Emulator(HEADER + case.ptx("k", count=4))
    for pair in itertools.product(SWIZZLES, repeat=2):
        if (pair[0] in ("32", "64") and not a_mn) or (pair[1] in ("32", "64") and not b_mn):
            continue  # an atom of k is one or two instructions: below
        given = matrices(case, rng, False, 4)
        check(case, run(emulator, "k", case, given, pair, count=4), reference(case, given, True), pair)


@pytest.mark.parametrize(("kind", "k"), [("bf16", 16), ("tf32", 8), ("e4m3", 32), ("s8", 32)])
def test_two_steps_in_an_atom_of_64_bytes(kind: str, k: int) -> None:
    """K-major with the 64-byte swizzle."""
    types = "s32.s8.s8" if kind == "s8" else f"f32.{kind}.{kind}"
    case = Case(f"wgmma.mma_async.sync.aligned.m64n96k{k}.{types}")
    given = matrices(case, np.random.default_rng(2), False, 2)
    emulator = Emulator(HEADER + case.ptx("k", count=2))
    check(case, run(emulator, "k", case, given, ("64", "64"), count=2), reference(case, given, True))


@pytest.mark.parametrize("swizzle", ["32", "64", "128"])
@pytest.mark.parametrize("lines", [1, 3, 6])
def test_base_offset(swizzle: str, lines: int) -> None:
    """Matrices whose swizzle pattern does not begin at its own alignment say so in the base offset. The kernel's memory
    is aligned to 1024 bytes, so `lines` of 128 bytes are what the field must hold."""
    case = Case("wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16")
    given = matrices(case, np.random.default_rng(lines), False)
    got = run(Emulator(HEADER + case.ptx("k")), "k", case, given, (swizzle, swizzle), shift=128 * lines, base=lines)
    check(case, got, reference(case, given, True))


@pytest.mark.parametrize("a_registers", [False, True])
def test_sanitizer_is_content(a_registers: bool) -> None:
    """Fences, commit and wait in place: no finding."""
    case = Case("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16", a_registers=a_registers)
    given = matrices(case, np.random.default_rng(3), False)
    got = run(Emulator(HEADER + case.ptx("k")), "k", case, given, ("128", "128"), sanitize=True)
    check(case, got, reference(case, given, True))


@pytest.mark.parametrize(
    ("fence", "wait", "kind"), [(False, True, "missing_proxy_fence"), (True, False, "async_before_wait")]
)
def test_planted_faults(fence: bool, wait: bool, kind: str) -> None:
    """Without the proxy fence after the generic stores, and with the result used before the wait."""
    case = Case("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16")
    given = matrices(case, np.random.default_rng(4), False)
    emulator = Emulator(HEADER + case.ptx("k", fence, wait))
    with pytest.raises(FindingsError) as caught:
        run(emulator, "k", case, given, ("128", "128"), sanitize=True)
    assert {f.kind for f in caught.value.report.findings} == {kind}


def test_matrix_outside_of_shared_memory() -> None:
    """A stride that leaves it."""
    case = Case("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16")
    given = matrices(case, np.random.default_rng(5), False)
    with pytest.raises(FindingsError) as caught:
        run(Emulator(HEADER + case.ptx("k")), "k", case, given, ("128", "128"), stride=1 << 16)
    assert caught.value.report.findings[0].kind == "out_of_bounds"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", 1, 1, 0, 0;", ", 2, 1, 0, 0;", "imm-scale-a"),
        (", 1, 1, 0, 0;", ", 1, 0, 0, 0;", "imm-scale-b"),
        (", 1, 1, 0, 0;", ", 1, 1, 2, 0;", "imm-trans-a"),
        (", 1, 1, 0, 0;", ", 1, 1, 0;", "operands"),
        ("{%d0, %d1, ", "{%d0, ", "registers"),
    ],
)
def test_refused(old: str, new: str, message: str) -> None:
    """What the manual forbids is an error that says what."""
    text = Case("wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16").ptx("k")
    assert old in text
    with pytest.raises(PtxError, match=message):
        Emulator(HEADER + text.replace(old, new))


def test_no_such_shape() -> None:
    """n goes by 8, and for integers above 32 by 16."""
    for name in ("m64n12k16.f32.f16.f16", "m64n264k16.f32.f16.f16", "m64n40k32.s32.s8.s8"):
        with pytest.raises(UnsupportedPtxError, match="no such form"):
            Emulator(HEADER + Case(f"wgmma.mma_async.sync.aligned.{name}").ptx("k"))


def test_error_bound() -> None:
    """Far from the declared order: within k + 1 roundings of the exact product."""
    case = Case("wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16")
    given = matrices(case, np.random.default_rng(6), False)
    got = values(run(Emulator(HEADER + case.ptx("k")), "k", case, given, ("128", "128")), "f32")
    a, b, c = values(given.a, "f16"), values(given.b, "f16").T, values(given.c, "f32")
    assert (abs(got - (a @ b + c)) <= (case.k + 1) * 2.0**-24 * (abs(a) @ abs(b) + abs(c))).all()


@needs_ptxas
def test_ptxas_takes_all(tmp_path: Path) -> None:
    """What is tested here is PTX."""
    cases = [v for i, case in enumerate(families()) for v in variants(case, i)]
    assemble_text(HEADER + "".join(case.ptx(f"k{i}") for i, case in enumerate(cases)), tmp_path)
