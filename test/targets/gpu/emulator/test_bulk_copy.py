"""cp.async.bulk, cp.reduce.async.bulk and their groups, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from async_kernels import UNWRITTEN, Case, Copy, assemble, instructions, module, run, untested
from ptx_kernels import expand
from reduction_models import DTYPES, operands, reduced, same
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator, FindingsError
from accelc.targets.gpu.emulator.native import core

LOAD = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
DONE = "cp.async.bulk.commit_group;\n    cp.async.bulk.wait_group 0;"


def is_bulk(opcode: str, modifiers: str) -> bool:
    words = modifiers.split()
    return opcode == "cp" and "bulk" in words and "tensor" not in words


def names(*wanted: str) -> list[str]:
    """The bulk instructions whose modifiers include all of `wanted`."""
    rows = [(opcode, modifiers) for opcode, modifiers, _ in core().forms() if is_bulk(opcode, modifiers)]
    return [n for row in rows for n in expand(*row) if set(wanted) <= set(n.split("."))]


def raw(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, count, dtype=np.uint8)


def policy(name: str) -> str:
    return ", %d0" if "L2::cache_hint" in name else ""


def to_shared(name: str, rng: np.random.Generator, cluster: int = 1, mask: int = 1) -> Case:
    """Global memory to shared memory, to all blocks of `mask` in a multicast."""
    size, skip = 16 * int(rng.integers(1, 40)), 16 * int(rng.integers(0, 8))
    offset = 16 * int(rng.integers(0, 8))
    src = raw(skip + size, rng)
    total = 1024
    copied = np.full((cluster, total), UNWRITTEN, np.uint8)
    ctas = ""
    if "multicast::cluster" in name:
        ctas = ", %h0"
    for rank in range(cluster):
        if mask >> rank & 1:
            copied[rank, offset : offset + size] = src[skip:]
    out = np.zeros_like(copied)
    text = (
        f"mov.b64 %d0, 0; add.s64 %d1, %src, {skip}; add.u32 %r1, %data, {offset}; mov.b16 %h0, {mask};\n"
        f"    {name} [%r1], [%d1], {size}, [%bar]{ctas}{policy(name)};"
    )
    setup = f"mov.u32 %r7, {mask}; shr.u32 %r7, %r7, %rank; and.b32 %r7, %r7, 1; mul.lo.u32 %r7, %r7, {size};"
    copy = Copy(text, ["src:ptr", "out:ptr"], total, expected="%r7", setup=setup, cluster=cluster)
    return Case(copy, [src, out], [(out, copied)], label=f"{name} mask {mask:#x} of {cluster}")


def across(name: str, rng: np.random.Generator) -> Case:
    """Shared memory of rank 0 to that of rank 1, or added to it."""
    total = 1024
    size, source, target = 16 * int(rng.integers(1, 32)), 16 * int(rng.integers(0, 32)), 16 * int(rng.integers(0, 32))
    words = name.split(".")
    reduces = words[1] == "reduce"
    kind = words[-1] if reduces else "u32"
    initial = operands(kind, 2 * total // np.dtype(DTYPES[kind]).itemsize, rng).reshape(2, -1)
    wanted = initial.copy()
    element = initial.itemsize
    old = initial[1, target // element : (target + size) // element]
    new = initial[0, source // element : (source + size) // element]
    wanted[1, target // element : (target + size) // element] = reduced(words[-2], kind, old, new) if reduces else new
    out = np.zeros_like(initial)
    text = (
        f"add.u32 %r3, %data, {source}; add.u32 %r4, %data, {target};\n"
        "    mapa.shared::cluster.u32 %r1, %r4, 1; mapa.shared::cluster.u32 %r2, %bar, 1;\n"
        f"    {name} [%r1], [%r3], {size}, [%r2];"
    )
    copy = Copy(
        text,
        ["initial:ptr", "out:ptr"],
        total,
        expected="%r7",
        setup=f"mul.lo.u32 %r7, %rank, {size};",
        cluster=2,
    )
    return Case(copy, [initial, out], [(out, wanted)], label=name)


def to_global(name: str, rng: np.random.Generator, wait: str = DONE) -> Case:
    """Shared memory to global memory, or reduced into it."""
    total = 1024
    words = name.split(".")
    reduces = words[1] == "reduce"
    kind = words[-1] if reduces else "u32"
    dtype = np.dtype(DTYPES[kind])
    size, source, target = 16 * int(rng.integers(1, 32)), 16 * int(rng.integers(0, 32)), 16 * int(rng.integers(0, 32))
    initial, dst = operands(kind, total // dtype.itemsize, rng), operands(kind, total // dtype.itemsize, rng)
    place = slice(target // dtype.itemsize, (target + size) // dtype.itemsize)
    new = initial[source // dtype.itemsize : (source + size) // dtype.itemsize]
    wanted = dst.copy()
    mask, byte_mask = "", int(rng.integers(1, 1 << 16))
    if reduces:
        op = "add" if "noftz" in words else words[-2]
        wanted[place] = reduced(op, kind, dst[place], new, flush=True)
    elif "cp_mask" in words:
        mask = ", %h1"
        chosen = np.resize(np.array([byte_mask >> k & 1 for k in range(16)], bool), size)
        wanted.view(np.uint8)[target : target + size][chosen] = initial.view(np.uint8)[source : source + size][chosen]
    else:
        wanted[place] = new
    text = (
        f"mov.b64 %d0, 0; mov.b16 %h1, {byte_mask}; add.u32 %r1, %data, {source}; add.s64 %d1, %dst, {target};\n"
        f"    {name} [%d1], [%r1], {size}{policy(name)}{mask};\n    {wait}"
    )
    return Case(Copy(text, ["initial:ptr", "dst:ptr"], total, loads=False), [initial, dst], [(dst, wanted)], label=name)


def prefetch(name: str, rng: np.random.Generator) -> Case:
    src = raw(256, rng)
    text = f"mov.b64 %d0, 0; {name} [%src], 256{policy(name)};"
    return Case(Copy(text, ["src:ptr"], 16, loads=False), [src], [(src, src.copy())], label=name)


def cases() -> list[Case]:
    rng = np.random.default_rng(1)
    result = []
    for n in names("global", "mbarrier::complete_tx::bytes"):
        result += [to_shared(n, rng) for _ in range(4)]
    for size in (2, 4):
        for n in names("multicast::cluster"):
            result += [to_shared(n, rng, size, mask) for mask in range(1, 1 << size)]
    result += [across(n, rng) for n in names("shared::cta", "mbarrier::complete_tx::bytes") if "global" not in n]
    for n in names("shared::cta", "bulk_group"):
        result += [to_global(n, rng) for _ in range(2)]
    plain = "cp.async.bulk.global.shared::cta.bulk_group"
    result.append(to_global(plain, rng, wait="cp.async.bulk.commit_group;\n    cp.async.bulk.wait_group.read 0;"))
    result += [prefetch(n, rng) for n in names("prefetch")]
    return result


def floats(case: Case) -> bool:
    return any(w in ("f16", "bf16", "f32", "f64") for w in case.label.split("."))


def test_every_form_copies_as_numpy_does() -> None:
    """Also random sizes and places, and every multicast mask of clusters of 2 and 4."""
    exact = [case for case in cases() if not floats(case)]
    run(exact)


def test_float_reductions() -> None:
    inexact = [case for case in cases() if floats(case)]
    for case in inexact:
        ((got, wanted),) = case.expect
        case.expect = []
        run([case])
        assert same(got, wanted).all(), case.label


def test_every_form_has_a_case() -> None:
    assert untested(instructions(cases()), is_bulk) == []


@needs_ptxas
def test_ptxas_takes_every_form(tmp_path: Path) -> None:
    assemble([case for case in cases() if "cp_mask" not in case.label], tmp_path)  # cp_mask is of sm_100


def test_sanitizer_finds_nothing_in_right_kernels() -> None:
    exact = [case for case in cases() if not floats(case)]
    for report in run(exact, sanitize=True):
        assert report.findings == []


def test_threads_of_the_host_reduce_atomically() -> None:
    name = "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32"
    initial, dst = np.ones(64, np.uint32), np.zeros(64, np.uint32)
    copy = Copy(f"{name} [%dst], [%data], 256;\n    {DONE}", ["initial:ptr", "dst:ptr"], 256, loads=False)
    emulator = Emulator(module([Case(copy, [])]))
    emulator.launch("k0", grid=200, block=32, args=[initial, dst], shared_bytes=2048, threads=2)
    assert (dst == 200).all()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"{LOAD} [%data], [%src], 24, [%bar];", "misaligned"),
        (f"add.u32 %r1, %data, 8; {LOAD} [%r1], [%src], 32, [%bar];", "misaligned"),
        (f"add.s64 %d1, %src, 4; {LOAD} [%data], [%d1], 32, [%bar];", "misaligned"),
        (f"{LOAD} [%data], [%src], 272, [%bar];", "out_of_bounds"),
        ("cp.async.bulk.global.shared::cta.bulk_group [%src], [%data], 4096;", "out_of_bounds"),
        (f"add.u32 %r1, %bar, 4; {LOAD} [%data], [%src], 16, [%r1];", "misaligned"),
        ("cp.async.bulk.prefetch.L2.global [%src], 8;", "misaligned"),
        (f"add.u32 %r1, %data, 0x1000000; {LOAD} [%r1], [%src], 16, [%bar];", "out_of_bounds"),
    ],
)
def test_faults(text: str, kind: str) -> None:
    copy = Copy(text, ["src:ptr", "out:ptr"], 512, loads=False)
    with pytest.raises(FindingsError) as caught:
        run([Case(copy, [np.zeros(256, np.uint8), np.zeros(512, np.uint8)])])
    assert caught.value.report.findings[0].kind == kind


def test_a_barrier_in_another_block_is_misuse() -> None:
    text = f"mapa.shared::cluster.u32 %r1, %data, 1;\n    {LOAD} [%r1], [%src], 16, [%bar];"
    copy = Copy(text, ["src:ptr", "out:ptr"], 64, loads=False, cluster=2)
    with pytest.raises(FindingsError) as caught:
        run([Case(copy, [np.zeros(256, np.uint8), np.zeros(512, np.uint8)])])
    assert caught.value.report.findings[0].kind == "mbarrier_misuse"


def test_counters_have_bytes_and_sectors() -> None:
    src, out = np.zeros(1024, np.uint8), np.zeros(512, np.uint8)
    text = f"add.s64 %d1, %src, 16; {LOAD} [%data], [%d1], 512, [%bar];"
    copy = Copy(text, ["src:ptr", "out:ptr"], 512, expected=512)
    (report,) = run([Case(copy, [src, out])])
    count = report.counters.by_opcode()[LOAD]
    assert (count.requests, count.bytes, count.sectors) == (1, 512, 17)
