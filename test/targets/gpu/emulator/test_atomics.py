"""Atomics in every form against a model that performs them lane by lane, and between threads of the host."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import memory_kernels as mk
import ml_dtypes
import numpy as np
import pytest
from memory_forms import SIZES, Form, instructions, untested
from numpy.typing import NDArray
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator

RECORD = 16  # bytes of each lane's result
PLACES = 16  # that the lanes' addresses take
AREA = PLACES * 16


def legal(form: Form) -> bool:
    """What ptxas and the emulator refuse though a row's words allow it."""
    return not (form.hinted and form.space.startswith("shared"))


FORMS = list(instructions(legal, "atom", "red"))


@cache
def groups() -> dict[tuple[str, int, str, str], list[Form]]:
    """Forms by (opcode, row, space named, where the addresses lie)."""
    result = defaultdict(list)
    for form in FORMS:
        spaces = ["global", "shared"] if form.space == "" else [form.space.partition("::")[0]]
        for target in spaces:
            if not (target == "shared" and form.elements > 1):
                result[form.opcode, form.row, form.space, target].append(form)
    return dict(result)


# ---- the model -------------------------------------------------------------------------------------------------------


def flush(x: np.float32) -> np.float32:
    """Subnormals to zeros of their sign."""
    return np.float32(np.copysign(0, x)) if abs(x) < np.finfo(np.float32).tiny else x


def bits(value: np.generic, nan: int) -> int:
    """The encoding of a float; `nan` for all NaNs."""
    return nan if np.isnan(value) else int.from_bytes(value.tobytes(), "little")


def real(code: int, dtype: type) -> np.generic:
    """The float of a dtype with an encoding."""
    return np.frombuffer(code.to_bytes(np.dtype(dtype).itemsize, "little"), dtype)[0]


def narrow(operation: str, dtype: type, old: int, b: int) -> int:
    """add, min and max on f16 and bf16 encodings."""
    x, y = real(old, dtype), real(b, dtype)
    if operation == "add":
        return bits(np.dtype(dtype).type(np.float32(x) + np.float32(y)), 0x7FFF)
    if np.isnan(x) or np.isnan(y):
        return 0x7FFF if np.isnan(x) and np.isnan(y) else b if np.isnan(x) else old
    # Zeros by their sign.
    keys = [(float(v), not np.signbit(v)) for v in (x, y)]
    return (max if operation == "max" else min)([(keys[0], old), (keys[1], b)])[1]


def update(form: Form, old: int, b: int, c: int, on_global: bool) -> int:
    """The value in memory behind one element's operation, from encodings to an encoding."""
    operation, kind = form.operation, form.type
    top = 1 << (8 * form.size)
    if kind in ("f16", "bf16"):
        return narrow(operation, np.float16 if kind == "f16" else ml_dtypes.bfloat16, old, b)
    if kind in ("f16x2", "bf16x2"):
        dtype = np.float16 if kind == "f16x2" else ml_dtypes.bfloat16
        halves = [narrow(operation, dtype, old >> s & 0xFFFF, b >> s & 0xFFFF) for s in (0, 16)]
        return halves[0] | halves[1] << 16
    if kind == "f32":
        x, y = real(old, np.float32), real(b, np.float32)
        return bits(flush(flush(x) + flush(y)), 0x7FFFFFFF) if on_global else bits(x + y, 0x7FFFFFFF)
    if kind == "f64":
        return bits(real(old, np.float64) + real(b, np.float64), 0x7FF8 << 48)

    def value(code: int) -> int:
        return code - top if kind[0] == "s" and code >= top // 2 else code

    match operation:
        case "and":
            return old & b
        case "or":
            return old | b
        case "xor":
            return old ^ b
        case "exch":
            return b
        case "cas":
            return c if old == b else old
        case "add":
            return (old + b) % top
        case "inc":
            return 0 if old >= b else old + 1
        case "dec":
            return b if old == 0 or old > b else old - 1
        case "min":
            return min(old, b, key=value)
        case _:
            return max(old, b, key=value)


def codes(kind: str, rng: np.random.Generator, count: int) -> list[int]:
    """Encodings of a type: few small ones, so that comparisons hit, edges, and any."""
    size = SIZES[kind]
    raw = [int.from_bytes(rng.bytes(size), "little") for _ in range(count)]
    small = [int(v) for v in rng.integers(0, 4, count)]
    if kind in ("f16", "bf16", "f16x2", "bf16x2"):
        special = [
            0x0001,
            0x8001,
            0x0000,
            0x8000,
            0x7C00,
            0xFC00,
            0x7F80,
            0xFF80,
            0x7FFF,
            0x3C00,
            0x3F80,
            0x0400,
            0x03FF,
        ]
        edges = [int(v) for v in rng.choice(special, count)]
        if size == 4:
            edges = [e | int(h) << 16 for e, h in zip(edges, rng.choice(special, count), strict=True)]
    elif kind == "f32":
        edges = [int(v) for v in rng.choice([0, 1 << 31, 1, 0x80000001, 0x00800000, 0x80800000, 0x007FFFFF, 0x3F800000,
                                             0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF], count)]  # fmt: skip
    elif kind == "f64":
        edges = [bits(np.float64(v), 0x7FF8 << 48) for v in rng.choice([0.0, -0.0, 5e-324, 1.0, np.inf, 1e308], count)]
    else:
        top = 1 << (8 * size)
        edges = [int(v) for v in rng.choice(np.array([0, 1, top // 2 - 1, top // 2, top - 1], object), count)]
    pick = rng.integers(0, 3, count)
    return [(raw, small, edges)[p][k] for k, p in enumerate(pick)]


def same_nan(form: Form, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Results of f64 sums with one encoding for all NaNs: which one the hardware gives is not documented."""
    if form.type != "f64":
        return data
    values = data.copy().view(np.float64)
    values[np.isnan(values)] = np.nan
    return values.view(np.uint8)


# ---- the kernels -----------------------------------------------------------------------------------------------------


def operands(form: Form) -> str:
    """Of an instruction whose address is [%at] or, in shared memory, [%at32]: results 4 and up, operands 0 and up."""
    width = form.size

    def group(first: int) -> str:
        names = [mk.register(width, first + e) for e in range(form.elements)]
        return names[0] if form.elements == 1 else "{" + ", ".join(names) + "}"

    at = "[%at32]" if form.space.startswith("shared") else "[%at]"
    parts = [group(8)] if form.opcode == "atom" else []
    parts += [at, group(0)]
    if form.operation == "cas":
        parts.append(group(1))
    if form.hinted:
        parts.append("%policy")
    return ", ".join(parts)


def kernel(forms: list[Form], target: str) -> str:
    """Each form on its own areas [block, AREA] of `memory` (through shared memory where the target is that), operands
    from `values` [form, lane, 2, 16 bytes], results to out[form, block, lane]: RECORD bytes of each element."""
    shared = target == "shared"
    generic = forms[0].space == ""
    lines = [
        ".visible .entry k(.param .u64 units, .param .u64 active, .param .u64 data, .param .u64 out,",
        ".param .u64 memory) {",
        mk.REGISTERS,
        ".reg .b16 %h8, %h9, %h10, %h11, %h12, %h13, %h14, %h15;",
        ".reg .b32 %r8, %r9, %r10, %r11, %r12, %r13, %r14, %r15;",
        ".reg .b64 %d8, %d9, %d10, %d11, %d12, %d13, %d14, %d15; .reg .b128 %q8;",
        f".shared .align 16 .b8 area[{AREA}];",
        "mov.u32 %tid, %tid.x; mov.u32 %block, %ctaid.x; mad.lo.u32 %offset, %block, 32, %tid;",
        "mul.wide.u32 %offset64, %offset, 4; mov.u64 %policy, 0;",
        "ld.param.u64 %p, [units]; add.u64 %p, %p, %offset64; ld.global.u32 %unit, [%p];",
        "ld.param.u64 %p, [active]; add.u64 %p, %p, %offset64; ld.global.u32 %mask, [%p];",
        "setp.ne.u32 %active, %mask, 0;",
    ]
    for number, form in enumerate(forms):
        width = form.size
        lines += [
            f"mad.lo.u32 %offset, %block, {AREA}, {number * mk.PATTERNS * AREA}; cvt.u64.u32 %offset64, %offset;",
            "ld.param.u64 %base, [memory]; add.u64 %base, %base, %offset64;",
            f"mad.lo.u32 %offset, %tid, {8 * 16 * 2}, {number * 32 * 8 * 16 * 2}; cvt.u64.u32 %offset64, %offset;",
            "ld.param.u64 %from, [data]; add.u64 %from, %from, %offset64;",
        ]
        for e in range(form.elements + (form.operation == "cas")):
            if width == 16:
                lines += [f"ld.global.b128 %q{e}, [%from+{16 * e}];"]
            else:
                lines += [f"ld.global.b{8 * width} {mk.register(width, e)}, [%from+{16 * e}];"]
        for e in range(form.elements if form.opcode == "atom" else 0):
            if width == 16:
                lines += [f"mov.b64 %low, {0x5A5A}; mov.b128 %q{8 + e}, {{%low, %low}};"]
            else:
                lines += [f"mov.b{8 * width} {mk.register(width, 8 + e)}, {0x5A5A};"]
        if shared:
            # The area is PLACES 16-byte words: lanes 0 to 15 copy one each.
            lines += [
                "mov.u32 %base32, area; and.b32 %at32, %tid, 15; mad.lo.u32 %at32, %at32, 16, %base32;",
                "and.b32 %offset, %tid, 15; mul.wide.u32 %offset64, %offset, 16; add.u64 %record, %base, %offset64;",
                "ld.global.v4.b32 {%c0, %c1, %c2, %c3}, [%record]; bar.warp.sync -1;",
                "st.shared.v4.b32 [%at32], {%c0, %c1, %c2, %c3}; bar.warp.sync -1;",
                f"mad.lo.u32 %at32, %unit, {form.bytes}, %base32; cvt.u64.u32 %at, %at32; cvta.shared.u64 %at, %at;",
            ]
        else:
            lines += [f"mul.wide.u32 %offset64, %unit, {form.bytes}; add.u64 %at, %base, %offset64;"]
        assert generic or shared == form.space.startswith("shared")
        lines += [f"@%active {form.name} {operands(form)};"]
        if shared:
            lines += [
                "bar.warp.sync -1; and.b32 %at32, %tid, 15; mad.lo.u32 %at32, %at32, 16, %base32;",
                "ld.shared.v4.b32 {%c0, %c1, %c2, %c3}, [%at32]; st.global.v4.b32 [%record], {%c0, %c1, %c2, %c3};",
                "bar.warp.sync -1;",
            ]
        lines += [
            f"add.u32 %offset, %block, {number * mk.PATTERNS}; mad.lo.u32 %offset, %offset, 32, %tid;",
            f"mul.wide.u32 %offset64, %offset, {8 * RECORD};",
            "ld.param.u64 %record, [out]; add.u64 %record, %record, %offset64;",
        ]
        for e in range(form.elements if form.opcode == "atom" else 0):
            lines += [f"st.global.b{8 * width} [%record+{RECORD * e}], {mk.register(width, 8 + e)};"]
    return mk.HEADER.format(arch="sm_90a") + "\n".join(lines) + "\nret;\n}\n"


def test_every_word_of_every_row_is_tested() -> None:
    tested = [form for forms in groups().values() for form in forms]
    assert untested(tested, "atom", "red") == []


@needs_ptxas
def test_ptxas_takes_all_of_them(tmp_path: Path) -> None:
    declarations = ".reg .b16 %h8, %h9, %h10, %h11, %h12, %h13, %h14, %h15; .reg .b128 %q8;"
    declarations += ".reg .b32 %r8, %r9, %r10, %r11; .reg .b64 %d8;"
    mk.assemble([f"{form.name} {operands(form)};" for form in FORMS], tmp_path, "sm_90a", declarations)


def ways() -> list[tuple[tuple[str, int, str, str], dict[str, int]]]:
    """Each group as usual, on two threads (which matters to global memory only), and some under the sanitizer."""
    result = [
        (key, {"threads": threads}) for key in groups() for threads in (1, 2) if threads == 1 or key[3] == "global"
    ]
    return result + [(key, {"sanitize": True}) for key in groups() if key[2] == ""]


@dataclass(frozen=True)
class Case:
    """Inputs of a group's kernel, and what the model makes of them."""

    units: NDArray[np.uint32]
    active: NDArray[np.uint32]
    values: NDArray[np.uint8]  # [form, lane, operand, 16]
    memory: NDArray[np.uint8]  # [form, pattern, AREA]
    after: NDArray[np.uint8]  # the same
    results: NDArray[np.uint8]  # [form, pattern, lane, element, RECORD]


@cache
def case(key: tuple[str, int, str, str]) -> Case:
    """Of one group."""
    forms, target = groups()[key], key[3]
    rng = np.random.default_rng(zlib.crc32(repr(key).encode()))
    units, active = mk.patterns(rng)
    units %= PLACES
    memory = np.zeros((len(forms), mk.PATTERNS, AREA), np.uint8)
    values = np.zeros((len(forms), 32, 2 * 8, 16), np.uint8)
    for n, form in enumerate(forms):
        words = codes(form.type, rng, mk.PATTERNS * PLACES * form.elements)
        raw = b"".join(w.to_bytes(form.size, "little") for w in words)
        memory[n, :, : PLACES * form.bytes] = np.frombuffer(raw, np.uint8).reshape(mk.PATTERNS, -1)
        raw = b"".join(w.to_bytes(form.size, "little") for w in codes(form.type, rng, 32 * 16))
        values[n, :, :, : form.size] = np.frombuffer(raw, np.uint8).reshape(32, 16, form.size)
    after = memory.copy()
    results = np.zeros((len(forms), mk.PATTERNS, 32, 8, RECORD), np.uint8)
    with np.errstate(all="ignore"):
        for n, form in enumerate(forms):
            untouched = 0x5A5A | (0x5A5A << 64 if form.size == 16 else 0)
            results[n, ..., : form.elements, : form.size] = list(untouched.to_bytes(16, "little")[: form.size])
            for p in range(mk.PATTERNS):
                for lane in np.flatnonzero(active[p]):
                    for e in range(form.elements):
                        at = int(units[p, lane]) * form.bytes + e * form.size
                        old = int.from_bytes(after[n, p, at : at + form.size].tobytes(), "little")
                        b, c = (int.from_bytes(values[n, lane, k].tobytes(), "little") for k in (e, e + 1))
                        new = update(form, old, b, c, target == "global")
                        after[n, p, at : at + form.size] = list(new.to_bytes(form.size, "little"))
                        results[n, p, lane, e, : form.size] = list(old.to_bytes(form.size, "little"))
    return Case(units, active, values, memory, after, results)


@pytest.mark.parametrize(("key", "options"), ways(), ids=str)
def test_atomic(key: tuple[str, int, str, str], options: dict[str, int]) -> None:
    forms, want = groups()[key], case(key)
    memory, out = want.memory.copy(), np.zeros_like(want.results)
    args = [want.units, want.active, want.values, out, memory]
    Emulator(kernel(forms, key[3])).launch("k", grid=mk.PATTERNS, block=32, args=args, **options)
    for n, form in enumerate(forms):
        for p in range(mk.PATTERNS):
            text = f"{form.name} in {key[3]}, pattern {p}"
            np.testing.assert_array_equal(same_nan(form, memory[n, p]), same_nan(form, want.after[n, p]), text)
            if form.opcode == "atom":
                got, expected = out[n, p].reshape(-1), want.results[n, p].reshape(-1)
                np.testing.assert_array_equal(same_nan(form, got), same_nan(form, expected), f"{text}: results")


# ---- threads of the host ---------------------------------------------------------------------------------------------

BLOCKS, WIDTH = 48, 64
CONTENDED = """.visible .entry {name}(.param .u64 memory, .param .u64 out) {{
    .reg .pred %p; .reg .b16 %h<4>; .reg .b32 %tid, %block, %i, %r<4>; .reg .b64 %memory, %out, %at, %d<4>, %low, %high;
    .reg .b128 %q<4>;
    ld.param.u64 %memory, [memory]; ld.param.u64 %out, [out];
    mov.u32 %tid, %tid.x; mov.u32 %block, %ctaid.x; mad.lo.u32 %i, %block, {width}, %tid;
    mul.wide.u32 %at, %i, 8; add.u64 %out, %out, %at;
    {body}
    st.global.u64 [%out], %d0;
    ret;
}}
"""
COUNTS = {
    "add": "atom.global.add.u32 %r0, [%memory], 1; cvt.u64.u32 %d0, %r0;",
    "inc": "atom.relaxed.gpu.global.inc.u32 %r0, [%memory], 1000000; cvt.u64.u32 %d0, %r0;",
    "cas16": """AGAIN: ld.relaxed.gpu.global.u16 %h0, [%memory]; add.u16 %h1, %h0, 1;
        atom.global.cas.b16 %h2, [%memory], %h0, %h1; setp.ne.u16 %p, %h0, %h2; @%p bra AGAIN; cvt.u64.u16 %d0, %h0;""",
    "cas64": """AGAIN: ld.volatile.global.u64 %d0, [%memory]; add.u64 %d1, %d0, 1;
        atom.acq_rel.gpu.global.cas.b64 %d2, [%memory], %d0, %d1; setp.ne.u64 %p, %d0, %d2; @%p bra AGAIN;""",
    "cas128": """AGAIN: ld.relaxed.gpu.global.b128 %q0, [%memory]; mov.b128 {%d0, %d2}, %q0; add.u64 %d1, %d0, 1;
        mov.b128 %q1, {%d1, %d1}; atom.global.cas.b128 %q2, [%memory], %q0, %q1; mov.b128 {%d2, %d3}, %q2;
        setp.ne.u64 %p, %d0, %d2; @%p bra AGAIN;""",
    "exch": "cvt.u64.u32 %d1, %i; add.u64 %d1, %d1, 1; atom.global.exch.b64 %d0, [%memory], %d1;",
    "exch128": """cvt.u64.u32 %d1, %i; add.u64 %d1, %d1, 1; mov.b128 %q0, {%d1, %d1};
        atom.global.exch.b128 %q1, [%memory], %q0; mov.b128 {%d0, %d2}, %q1;""",
    "float": """atom.global.add.f32 %r0, [%memory], 1.0; cvt.rzi.u64.f32 %d0, %r0;""",
}


@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "unaligned on the host"])
@pytest.mark.parametrize("name", COUNTS)
def test_every_thread_sees_another_value(name: str, aligned: bool) -> None:
    text = mk.HEADER.format(arch="sm_90a") + CONTENDED.format(name="k", width=WIDTH, body=COUNTS[name])
    memory = np.zeros(64, np.uint8)[0 if aligned else 1 :][:32]
    out = np.zeros(BLOCKS * WIDTH, np.uint64)
    Emulator(text).launch("k", grid=BLOCKS, block=WIDTH, args=[memory, out], threads=2)
    n = BLOCKS * WIDTH
    last = memory[:8].copy().view(np.uint64)[0]
    if name.startswith("exch"):
        # A chain: each value but the last is somebody's result, and so is the first, 0.
        np.testing.assert_array_equal(np.sort(np.append(out, last)), np.arange(n + 1))
    else:
        np.testing.assert_array_equal(np.sort(out), np.arange(n))
        assert (memory[:4].copy().view(np.float32)[0] if name == "float" else last) == n


MESSAGES = """.visible .entry k(.param .u64 data, .param .u64 flag, .param .u64 out) {
    .reg .pred %p; .reg .b32 %block, %tid, %r<4>; .reg .b64 %data, %flag, %out, %at;
    ld.param.u64 %data, [data]; ld.param.u64 %flag, [flag]; ld.param.u64 %out, [out];
    mov.u32 %tid, %tid.x; mul.wide.u32 %at, %tid, 4; add.u64 %data, %data, %at; add.u64 %out, %out, %at;
    mov.u32 %block, %ctaid.x; and.b32 %block, %block, 1; setp.eq.u32 %p, %block, 0;
    @%p bra WAITS;
    add.u32 %r0, %tid, 100;
    st.global.u32 [%data], %r0;
    bar.sync 0;
    setp.ne.u32 %p, %tid, 0;
    @%p bra DONE;
    SEND;
    bra DONE;
WAITS:
    RECEIVE;
    setp.eq.u32 %p, %r1, 0;
    @%p bra WAITS;
    ld.global.u32 %r2, [%data];
    st.global.u32 [%out], %r2;
DONE:
    ret;
}
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("send", "receive"),
    [
        ("st.release.gpu.global.u32 [%flag], 1", "ld.acquire.gpu.global.u32 %r1, [%flag]"),
        ("red.release.gpu.global.add.u32 [%flag], 1", "ld.acquire.sys.u32 %r1, [%flag]"),
        ("fence.acq_rel.gpu; st.relaxed.gpu.u32 [%flag], 1", "ld.relaxed.gpu.u32 %r1, [%flag]; fence.acq_rel.gpu"),
        ("membar.gl; st.volatile.global.u32 [%flag], 1", "ld.volatile.global.u32 %r1, [%flag]; membar.gl"),
        ("atom.release.gpu.exch.b32 %r3, [%flag], 1", "atom.acquire.gpu.global.or.b32 %r1, [%flag], 0"),
        ("st.mmio.relaxed.sys.global.u32 [%flag], 1", "ld.mmio.relaxed.sys.global.u32 %r1, [%flag]"),
    ],
)
def test_a_block_waits_for_what_another_releases(send: str, receive: str, threads: int) -> None:
    """Block 0 waits for block 1: it must not wait forever, and sees what was written before the flag."""
    text = mk.HEADER.format(arch="sm_90a") + MESSAGES.replace("SEND", send).replace("RECEIVE", receive)
    data, flag, out = np.zeros(64, np.uint32), np.zeros(1, np.uint32), np.zeros(64, np.uint32)
    Emulator(text).launch("k", grid=2, block=64, args=[data, flag, out], threads=threads)
    np.testing.assert_array_equal(out, np.arange(64) + 100)
