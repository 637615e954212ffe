"""Loads and stores in every form, against numpy on bytes; what else names memory."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import memory_kernels as mk
import numpy as np
import pytest
from memory_forms import Form, instructions, untested
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator


def legal(form: Form) -> bool:
    """What ptxas and the emulator refuse though a row's words allow it."""
    on_global = form.space in ("", "global")
    wide = form.bytes == 32 and form.size in (4, 8) and on_global and form.opcode != "ldu"
    if form.bytes > 16 and not wide:
        return False
    if any(w.startswith("L2::evict") for w in form.words) and not wide:
        return False
    return on_global or not any(w.startswith(("L1::", "L2::")) for w in form.words)


FORMS = list(instructions(legal, "ld", "ldu", "st"))


def targets(form: Form) -> list[str]:
    """Where the addresses of an instruction may lie."""
    if form.space == "":
        return (
            ["global"]
            if form.opcode == "ldu" or "mmio" in form.words
            else ["global", "shared", "local"]
            + (["const", "param"] if form.opcode == "ld" and "weak" in form.words else [])
        )
    return [form.space.partition("::")[0]]


@cache
def groups(opcodes: tuple[str, ...]) -> dict[tuple[int, str, str], list[Form]]:
    """Forms by (row, space named, where the addresses lie); parameters of device functions aside."""
    result = defaultdict(list)
    for form in FORMS:
        if form.opcode in opcodes and not is_function_parameter(form):
            for target in targets(form):
                if target in ("const", "param", "local", "shared") and form.bytes > 16:
                    continue
                result[form.row, form.space, target].append(form)
    return result


def is_function_parameter(form: Form) -> bool:
    """Is it about parameters of device functions?"""
    return form.space == "param::func" or (form.opcode == "st" and form.space == "param")


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    """Of all random inputs of this file."""
    return np.random.default_rng(7)


def test_every_word_of_every_row_is_tested() -> None:
    tested = [f for group in (groups(("ld", "ldu")), groups(("st",))) for forms in group.values() for f in forms]
    tested += [f for f in FORMS if is_function_parameter(f)]
    # These words are legal only with 32 bytes, which the same rows have.
    assert untested(tested, "ld", "ldu", "st") == []


@needs_ptxas
@pytest.mark.parametrize("arch", ["sm_90a", "sm_100a"])
def test_ptxas_takes_all_of_them(arch: str, tmp_path: Path) -> None:
    wide = arch == "sm_100a"
    texts = []
    for number, form in enumerate(FORMS):
        # ptxas 13.0 crashes over loads of eight 8 or 16-bit elements.
        if (form.bytes > 16) != wide or (form.elements == 8 and form.size < 4) or is_function_parameter(form):
            continue
        data = mk.operand(form, mk.load_width(form, number))
        address = {"const": "constants", "local": "lane", "shared": "area", "param": "struct"}.get(
            form.space.partition("::")[0], "%at"
        )
        operands = f"[{address}], {data}" if form.opcode == "st" else f"{data}, [{address}]"
        texts.append(f"{form.name} {operands}{', %policy' if form.hinted else ''};")
    assert len(texts) > (5 if wide else 500)
    mk.assemble(texts, tmp_path, arch)


def run_group(kind: str, forms: list[Form], target: str, rng: np.random.Generator, **options: object) -> None:
    data = rng.integers(0, 256, 32 * mk.LANE_AREA, dtype=np.uint8)
    units, active = mk.patterns(rng)
    make = mk.load_kernel if kind == "load" else mk.store_kernel
    text = mk.HEADER.format(arch="sm_90a") + f".const .align 16 .b8 constants[{mk.AREA}];\n" + make("k", forms, target)
    emulator = Emulator(text)
    emulator.symbol("constants").write(data[: mk.AREA])
    area = 32 * mk.LANE_AREA if target == "local" else mk.AREA
    shape = (len(forms), mk.PATTERNS, 32, mk.RECORD) if kind == "load" else (len(forms), mk.PATTERNS, area)
    out = rng.integers(0, 256, shape, dtype=np.uint8)
    before = out.copy()
    args = [units, active, data, out]
    if target == "param":
        args.append(data[: mk.AREA].tobytes())
    emulator.launch("k", grid=mk.PATTERNS, block=32, args=args, **options)
    for number, form in enumerate(forms):
        width = mk.load_width(form, number)
        if kind == "load":
            want = mk.loaded(form, width, data, target, units, active)
            got = out[number, :, :, : want.shape[-1]]
        else:
            # Global memory is written in place, other areas are filled with data before.
            for p in range(mk.PATTERNS):
                old = before[number, p] if target == "global" else data[:area]
                want = mk.stored(form, width, data, target, units, active, old)[p]
                np.testing.assert_array_equal(out[number, p], want, f"{form.name} in {target}, pattern {p}")
            continue
        np.testing.assert_array_equal(got, want, f"{form.name} from {target}, registers of {width} bytes")


@pytest.mark.parametrize("key", groups(("ld", "ldu")), ids=str)
def test_load(key: tuple[int, str, str], rng: np.random.Generator) -> None:
    run_group("load", groups(("ld", "ldu"))[key], key[2], rng)


@pytest.mark.parametrize("key", groups(("st",)), ids=str)
def test_store(key: tuple[int, str, str], rng: np.random.Generator) -> None:
    run_group("store", groups(("st",))[key], key[2], rng)


def some_groups(opcodes: tuple[str, ...]) -> list[tuple[int, str, str]]:
    """The first group of each row and target."""
    return list({(row, target): (row, space, target) for row, space, target in reversed(groups(opcodes))}.values())


@pytest.mark.parametrize("options", [{"sanitize": True}, {"threads": 2}], ids=str)
@pytest.mark.parametrize("key", some_groups(("ld", "ldu", "st")), ids=str)
def test_other_ways_of_running(key: tuple[int, str, str], options: dict[str, int], rng: np.random.Generator) -> None:
    """The sanitizer's way and that of several threads give the same, and no findings."""
    forms = groups(("ld", "ldu", "st"))[key]
    run_group("store" if forms[0].opcode == "st" else "load", forms, key[2], rng, **options)
