"""cp.async with its groups, st.async and red.async, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from async_kernels import THREADS, UNWRITTEN, Case, Copy, assemble, instructions, run, untested
from ptx_kernels import expand
from reduction_models import DTYPES, operands, reduced
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import FindingsError, PtxError, UnsupportedPtxError
from accelc.targets.gpu.emulator.native import core

WAITS = ["cp.async.wait_all;", "cp.async.commit_group;\n    cp.async.wait_group 0;"]


def is_async(opcode: str, modifiers: str) -> bool:
    words = modifiers.split()
    if opcode in ("st", "red"):
        return words[:1] == ["async"]
    return opcode == "cp" and words[0] == "async" and not {"bulk", "mbarrier"} & set(words)


def names(opcode: str, *wanted: str) -> list[str]:
    rows = [(o, modifiers) for o, modifiers, _ in core().forms() if is_async(o, modifiers) and o == opcode]
    return [n for row in rows for n in expand(*row) if set(wanted) <= set(n.split("."))]


def cp_case(name: str, size: int, source: str, rng: np.random.Generator, wait: str) -> Case:
    """Each thread copies `size` bytes from a place of its own to another; `source`: what the optional operand is."""
    place = rng.permutation(THREADS)
    src = rng.integers(0, 256, THREADS * size, dtype=np.uint8)
    out = np.zeros(THREADS * size, np.uint8)
    wanted = np.zeros((THREADS, size), np.uint8)
    read = np.full(THREADS, size)
    operand, before = "", "mov.b64 %d0, 0;"
    if source == "literal":
        read[:] = int(rng.integers(0, size + 1))
        operand = f", {read[0]}"
    elif source == "register":
        read = np.arange(THREADS) * 5 % (size + 1)
        before += f" mul.lo.u32 %r3, %thread, 5; rem.u32 %r3, %r3, {size + 1};"
        operand = ", %r3"
    elif source in ("predicate", "negated"):
        skipped = np.arange(THREADS) % 3 == 1
        read[~skipped if source == "negated" else skipped] = 0
        before += " rem.u32 %r3, %thread, 3; setp.eq.u32 %p3, %r3, 1;"
        operand = ", !%p3" if source == "negated" else ", %p3"
    for lane in range(THREADS):
        row = src.reshape(THREADS, size)[lane, : read[lane]]
        wanted[place[lane], : read[lane]] = row
    order = place.astype(np.uint32)
    policy = ", %d0" if "L2::cache_hint" in name else ""
    text = (
        f"{before} mul.wide.u32 %d1, %thread, 4; add.s64 %d1, %order, %d1; ld.global.u32 %r1, [%d1];\n"
        f"    mad.lo.u32 %r1, %r1, {size}, %data; mad.wide.u32 %d2, %thread, {size}, %src;\n"
        f"    {name} [%r1], [%d2], {size}{operand}{policy};\n    {wait}\n    bar.sync 0;"
    )
    copy = Copy(text, ["src:ptr", "order:ptr", "out:ptr"], THREADS * size, all_threads=True)
    return Case(copy, [src, order, out], [(out, wanted)], label=f"{name} {size} {source}")


def async_case(name: str, rng: np.random.Generator) -> Case:
    """Every thread of rank 0 stores to, or reduces into, memory of rank 1, and counts its bytes on rank 1's barrier."""
    words = name.split(".")
    kind = words[-1]
    dtype = np.dtype(DTYPES.get(kind, f"u{int(kind[1:]) // 8}"))
    vector = next((int(w[1]) for w in words if w in ("v2", "v4")), 1)
    values = operands(kind if kind in DTYPES else f"u{kind[1:]}", THREADS * vector, rng).view(dtype)
    count = THREADS * vector
    initial = operands(kind if kind in DTYPES else f"u{kind[1:]}", 2 * count, rng).view(dtype).reshape(2, count)
    wanted = initial.copy()
    if words[0] == "red":  # all threads into 4 elements
        for lane in range(THREADS):
            at = slice(lane % 4, lane % 4 + 1)
            wanted[1, at] = reduced(words[-2], kind, wanted[1, at], values[lane : lane + 1])
        spread = "and.b32 %r3, %thread, 3;"
    else:
        wanted[1] = values
        spread = "mov.u32 %r3, %thread;"
    size = dtype.itemsize * vector
    out = np.zeros_like(initial)
    prefix, first, width = {"f32": ("f", 0, "f32"), "f64": ("fd", 0, "f64")}.get(
        kind, ("r", 4, "b32") if dtype.itemsize == 4 else ("d", 4, "b64")
    )
    registers = [f"%{prefix}{first + n}" for n in range(vector)]
    operand = "{" + ", ".join(registers) + "}" if vector > 1 else registers[0]
    form = f".v{vector}" if vector > 1 else ""
    to, barrier, lift = "%r1", "%r2", ""
    if "shared::cluster" not in name:  # generic addresses
        to, barrier = "%d1", "%d2"
        lift = "".join(f"cvt.u64.u32 %d{n}, %r{n}; cvta.shared::cluster.u64 %d{n}, %d{n};" for n in (1, 2))
    text = (
        f"{spread} mad.lo.u32 %r3, %r3, {size}, %data; mapa.shared::cluster.u32 %r1, %r3, 1;\n"
        f"    mapa.shared::cluster.u32 %r2, %bar, 1; mad.wide.u32 %d3, %thread, {size}, %values;\n"
        f"    ld.global{form}.{width} {operand}, [%d3]; {lift}\n"
        f"    {name} [{to}], {operand}, [{barrier}];"
    )
    copy = Copy(
        text,
        ["initial:ptr", "values:ptr", "out:ptr"],
        count * dtype.itemsize,
        expected="%r7",
        setup=f"mul.lo.u32 %r7, %rank, {THREADS * size};",
        cluster=2,
        all_threads=True,
    )
    return Case(copy, [initial, values, out], [(out, wanted)], label=name)


def cases() -> list[Case]:
    rng = np.random.default_rng(2)
    result = []
    for k, name in enumerate(names("cp", "global")):
        for size in (16,) if ".cg." in name else (4, 8, 16):
            sources = ["none", "literal", "register", "predicate", "negated"]
            chosen = sources if k % 4 == 0 else [str(rng.choice(sources))]
            result += [cp_case(name, size, source, rng, WAITS[k % 2]) for source in chosen]
    result += [async_case(name, rng) for name in names("st") + names("red")]
    return result


def test_every_form_copies_as_numpy_does() -> None:
    run(cases())


def test_every_form_has_a_case() -> None:
    assert untested(instructions(cases()), is_async) == []


@needs_ptxas
def test_ptxas_takes_every_form(tmp_path: Path) -> None:
    assemble(cases(), tmp_path)


def test_sanitizer_finds_nothing_in_right_kernels() -> None:
    for report in run(cases(), sanitize=True):
        assert report.findings == []


def test_no_source_is_read_that_is_not_there() -> None:
    """A source beyond the array counts only where its bytes are read."""
    name = "cp.async.cg.shared.global"
    src, out = np.arange(16, dtype=np.uint8), np.zeros(16, np.uint8)
    far = "add.s64 %d1, %src, 4096;"
    blank = np.zeros(16, np.uint8)
    for text, wanted in [
        (f"{far} {name} [%data], [%d1], 16, 0; cp.async.wait_all;", blank),
        (f"{name} [%data], [%src], 16, 3; cp.async.wait_all;", np.r_[src[:3], blank[3:]]),
    ]:
        run([Case(Copy(text, ["src:ptr", "out:ptr"], 16), [src, out], [(out, wanted)])])
    with pytest.raises(FindingsError) as caught:
        run([Case(Copy(f"{far} {name} [%data], [%d1], 16, 1;", ["src:ptr", "out:ptr"], 16), [src, out])])
    assert caught.value.report.findings[0].kind == "out_of_bounds"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("add.u32 %r1, %data, 4; cp.async.cg.shared.global [%r1], [%src], 16;", "misaligned"),
        ("add.s64 %d1, %src, 4; cp.async.ca.shared.global [%data], [%d1], 8;", "misaligned"),
        ("add.u32 %r1, %data, 4096; cp.async.cg.shared.global [%r1], [%src], 16;", "out_of_bounds"),
        (
            "add.u32 %r1, %data, 4;"
            " st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [%r1], %d0, [%bar];",
            "misaligned",
        ),
        ("st.async.mbarrier::complete_tx::bytes.b32 [%src], %r0, [%src];", "mbarrier_misuse"),
    ],
)
def test_faults(text: str, kind: str) -> None:
    copy = Copy(text, ["src:ptr", "out:ptr"], 64, loads=False)
    with pytest.raises(FindingsError) as caught:
        run([Case(copy, [np.zeros(64, np.uint8), np.zeros(64, np.uint8)])])
    assert caught.value.report.findings[0].kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "cp.async.cg.shared.global [%data], [%src], 8;",
        "cp.async.ca.shared.global [%data], [%src], 12;",
        "cp.async.ca.shared.global [%data], [%src], %r1;",
        "cp.async.wait_group %r1;",
        "cp.async.wait_group;",
        "cp.async.cg.shared::cluster.global [%data], [%src], 16;",
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%data], %r1, [%bar];",
    ],
)
def test_what_is_no_instruction_is_refused(text: str) -> None:
    with pytest.raises((PtxError, UnsupportedPtxError), match="line"):
        run([Case(Copy(text, ["src:ptr", "out:ptr"], 64), [])])


def test_a_pipeline_of_groups() -> None:
    """Three stages, copies two tiles ahead: the sum of all tiles."""
    tiles = 20
    src = np.random.default_rng(0).integers(0, 1000, (tiles, THREADS), dtype=np.uint32)
    out = np.zeros(THREADS, np.uint32)
    issue = "cp.async.ca.shared.global [%r1], [%d1], 4;"
    text = f"""
    mad.wide.u32 %d1, %thread, 4, %src; mov.u32 %r5, 0; mov.u32 %r6, 0;
    shl.b32 %r4, %thread, 2; add.u32 %r1, %data, %r4; {issue} cp.async.commit_group;
    add.s64 %d1, %d1, {4 * THREADS}; add.u32 %r1, %r1, {4 * THREADS}; {issue} cp.async.commit_group;
    LOOP:
    cp.async.wait_group 1; bar.sync 0;
    rem.u32 %r2, %r5, 3; mad.lo.u32 %r2, %r2, {4 * THREADS}, %data; add.u32 %r2, %r2, %r4;
    ld.shared.u32 %r3, [%r2]; add.u32 %r6, %r6, %r3;
    add.u32 %r2, %r5, 2; setp.lt.u32 %p1, %r2, {tiles};
    rem.u32 %r2, %r2, 3; mad.lo.u32 %r1, %r2, {4 * THREADS}, %data; add.u32 %r1, %r1, %r4;
    add.s64 %d1, %d1, {4 * THREADS};
    @%p1 {issue}
    cp.async.commit_group;
    add.u32 %r5, %r5, 1; setp.lt.u32 %p1, %r5, {tiles}; @%p1 bra LOOP;
    mad.wide.u32 %d1, %thread, 4, %out; st.global.u32 [%d1], %r6;"""
    copy = Copy(text, ["src:ptr", "out:ptr"], 3 * 4 * THREADS, loads=False, all_threads=True)
    run([Case(copy, [src, out], [(out, src.sum(axis=0, dtype=np.uint32))])], sanitize=True)


def test_counters() -> None:
    src, out = np.zeros(512, np.uint8), np.zeros(512, np.uint8)
    name = "cp.async.cg.shared.global"
    text = f"mad.wide.u32 %d1, %thread, 16, %src; mad.lo.u32 %r1, %thread, 16, %data; {name} [%r1], [%d1], 16;"
    copy = Copy(text, ["src:ptr", "out:ptr"], 512, all_threads=True)
    (report,) = run([Case(copy, [src, out])])
    count = report.counters.by_opcode()[name]
    assert (count.requests, count.bytes, count.sectors, count.wavefronts, count.ideal_wavefronts) == (1, 512, 16, 4, 4)


def test_all_bytes_of_shared_memory_but_the_copied_stay() -> None:
    src, out = np.arange(16, dtype=np.uint8), np.zeros(64, np.uint8)
    wanted = np.full(64, UNWRITTEN, np.uint8)
    wanted[16:32] = src
    text = "add.u32 %r1, %data, 16; cp.async.cg.shared.global [%r1], [%src], 16; cp.async.wait_all;"
    run([Case(Copy(text, ["src:ptr", "out:ptr"], 64), [src, out], [(out, wanted)])])
