"""Kernels around loads and stores: one warp a block, each block with its own pattern of addresses and active lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from memory_forms import Form
from numpy.typing import NDArray
from toolkit import assemble_text

HEADER = ".version 9.0\n.target {arch}\n.address_size 64\n"
UNITS = 64  # places an address may take: this many times an access's size
AREA = UNITS * 32  # bytes that a block's accesses lie in
LANE_AREA = AREA // 8  # of local memory: units 0 to 7
RECORD = 64  # bytes a lane of registers loaded or stored
PATTERNS = 7
CANARY = 0x5A

REGISTERS = """
    .reg .pred %active;
    .reg .b16 %h<8>;
    .reg .b32 %unit, %tid, %block, %mask, %offset, %base32, %at32, %r<8>;
    .reg .b64 %p, %base, %at, %record, %offset64, %from, %policy, %d<8>, %low, %high;
    .reg .b128 %q<8>;
    .reg .b32 %c<4>;
"""


def patterns(rng: np.random.Generator) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """(units, active): uint32 [PATTERNS, 32]. In turn: consecutive and full, consecutive in part, consecutive without
    gaps in part, uniform, uniform in part, random with repeats, random in part."""
    lanes = np.arange(32, dtype=np.uint32)
    units = np.stack([lanes + 5, lanes, lanes + 32, lanes * 0 + 7, lanes * 0 + 3, *rng.integers(0, UNITS, (2, 32))])
    active = np.ones((PATTERNS, 32), np.uint32)
    active[1] = rng.random(32) < 0.5
    active[2] = (lanes >= 3) & (lanes < 29)
    active[4] = rng.random(32) < 0.3
    active[6] = rng.random(32) < 0.7
    return units.astype(np.uint32), active


def units_of(target: str, units: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What the kernels make of the units in a space: local memory is smaller."""
    return units & 7 if target == "local" else units


def register(width: int, element: int) -> str:
    """The register of an element, `width` bytes."""
    return f"%{ {2: 'h', 4: 'r', 8: 'd', 16: 'q'}[width] }{element}"


def widths(form: Form) -> list[int]:
    """Sizes in bytes of registers that a load or store of the form may use."""
    low = max(2, form.size)
    return [w for w in (2, 4, 8) if w >= low] + ([16] if form.type in ("b64", "b128") and form.elements == 1 else [])


def _prologue(target: str) -> str:
    lines = [
        "mov.u32 %tid, %tid.x;",
        "mov.u32 %block, %ctaid.x;",
        "mad.lo.u32 %offset, %block, 32, %tid;",
        "mul.wide.u32 %offset64, %offset, 4;",
        "ld.param.u64 %p, [units];",
        "add.u64 %p, %p, %offset64;",
        "ld.global.u32 %unit, [%p];",
        "ld.param.u64 %p, [active];",
        "add.u64 %p, %p, %offset64;",
        "ld.global.u32 %mask, [%p];",
        "setp.ne.u32 %active, %mask, 0;",
        "mov.u64 %policy, 0;",
    ]
    if target == "local":
        lines.append("and.b32 %unit, %unit, 7;")
    return "\n    ".join(lines)


def _copy(to: str, to_base: str, from_: str, from_base: str, nbytes: int) -> list[str]:
    lines = []
    for at in range(0, nbytes, 16):
        lines.append(f"ld.{from_}.v4.b32 {{%c0, %c1, %c2, %c3}}, [{from_base}+{at}];")
        lines.append(f"st.{to}.v4.b32 [{to_base}+{at}], {{%c0, %c1, %c2, %c3}};")
    return lines


def _fill(target: str) -> list[str]:
    """Fills the block's area of shared or local memory from `data`, and sets %base (generic where `target` is)."""
    if target == "shared":
        return [
            "ld.param.u64 %from, [data];",
            "mul.wide.u32 %offset64, %tid, 64;",
            "add.u64 %from, %from, %offset64;",
            "mov.u32 %base32, area;",
            "mad.lo.u32 %at32, %tid, 64, %base32;",
            *_copy("shared", "%at32", "global", "%from", 64),
            "bar.warp.sync -1;",
        ]
    return [
        "ld.param.u64 %from, [data];",
        f"mul.wide.u32 %offset64, %tid, {LANE_AREA};",
        "add.u64 %from, %from, %offset64;",
        *_copy("local", "lane", "global", "%from", LANE_AREA),
        "mov.u64 %base, lane;",
    ]


def _base(target: str, generic: bool) -> list[str]:
    """Sets %base, or %base32 for shared memory by its own addresses."""
    if target == "global":
        return ["ld.param.u64 %base, [data];"]
    if target == "const":
        return ["mov.u64 %base, constants;"] + (["cvta.const.u64 %base, %base;"] if generic else [])
    if target == "param":
        return ["mov.u64 %base, struct;"] + (["cvta.param.u64 %base, %base;"] if generic else [])
    lines = _fill(target)
    if target == "shared" and generic:
        lines += ["cvt.u64.u32 %base, %base32;", "cvta.shared.u64 %base, %base;"]
    if target == "local" and generic:
        lines += ["cvta.local.u64 %base, %base;"]
    return lines


def _address(form: Form, target: str, generic: bool) -> tuple[list[str], str]:
    if target == "shared" and not generic:
        return [f"mad.lo.u32 %at32, %unit, {form.bytes}, %base32;"], "[%at32]"
    return [f"mul.wide.u32 %offset64, %unit, {form.bytes};", "add.u64 %at, %base, %offset64;"], "[%at]"


def _declarations(name: str, target: str) -> str:
    struct = f", .param .align 16 .b8 struct[{AREA}]" if target == "param" else ""
    text = f".visible .entry {name}(.param .u64 units, .param .u64 active, .param .u64 data, .param .u64 out{struct})"
    text += f" {{{REGISTERS}"
    if target == "shared":
        text += f"    .shared .align 16 .b8 area[{AREA}];\n"
    if target == "local":
        text += f"    .local .align 16 .b8 lane[{LANE_AREA}];\n"
    return text


def operand(form: Form, width: int) -> str:
    """The data operand: a register, or a vector of them."""
    names = [register(width, e) for e in range(form.elements)]
    return names[0] if form.elements == 1 else "{" + ", ".join(names) + "}"


def _save(form: Form, width: int) -> list[str]:
    lines = []
    for e in range(form.elements):
        if width == 16:
            lines.append(f"mov.b128 {{%low, %high}}, {register(width, e)};")
            lines.append("st.global.v2.b64 [%record], {%low, %high};")
        else:
            lines.append(f"st.global.b{8 * width} [%record+{e * width}], {register(width, e)};")
    return lines


def load_kernel(name: str, forms: Sequence[Form], target: str) -> str:
    """Loads by each form from `target`, into registers of every width in turn, that are stored to
    out[form, block, lane]: RECORD bytes. Lanes that are not active keep CANARY in each byte."""
    generic = forms[0].space == ""
    lines = [*_base(target, generic)]
    canary = {w: int.from_bytes(bytes([CANARY] * w), "little") for w in (2, 4, 8)}
    for number, form in enumerate(forms):
        width = load_width(form, number)
        for e in range(form.elements):
            value = canary[min(width, 8)]
            if width == 16:
                lines += [f"mov.b64 %low, {value};", f"mov.b128 {register(16, e)}, {{%low, %low}};"]
            else:
                lines.append(f"mov.b{8 * width} {register(width, e)}, {value};")
        setup, at = _address(form, target, generic)
        lines += setup
        lines.append(f"@%active {form.name} {operand(form, width)}, {at}{', %policy' if form.hinted else ''};")
        lines += _record(number)
        lines += _save(form, width)
    return _kernel(name, target, lines)


def load_width(form: Form, number: int) -> int:
    """Bytes of the registers that the form with this number in its kernel uses."""
    options = widths(form)
    return options[number % len(options)]


def _record(number: int) -> list[str]:
    return [
        "ld.param.u64 %record, [out];",
        f"add.u32 %offset, %block, {number * PATTERNS};",
        "mad.lo.u32 %offset, %offset, 32, %tid;",
        f"mul.wide.u32 %offset64, %offset, {RECORD};",
        "add.u64 %record, %record, %offset64;",
    ]


def _kernel(name: str, target: str, lines: Iterable[str]) -> str:
    body = "\n    ".join(lines)
    return f"{_declarations(name, target)}\n    {_prologue(target)}\n    {body}\n    ret;\n}}\n"


def loaded(form: Form, width: int, data: NDArray[np.uint8], target: str, units: NDArray[np.uint32],
           active: NDArray[np.uint32]) -> NDArray[np.uint8]:  # fmt: skip
    """What load_kernel stores of one form: uint8 [PATTERNS, 32, elements * width]."""
    at = units_of(target, units).astype(np.int64) * form.bytes
    if target == "local":
        at += np.arange(32) * LANE_AREA
    raw = data[at[..., None] + np.arange(form.bytes)].reshape(PATTERNS, 32, form.elements, form.size)
    wide = np.zeros((PATTERNS, 32, form.elements, width), np.uint8)
    wide[..., : form.size] = raw
    if form.type[0] == "s":
        wide[..., form.size :] = np.where(raw[..., -1:] >> 7, 0xFF, 0)
    wide[active == 0] = CANARY
    return wide.reshape(PATTERNS, 32, -1)


def store_kernel(name: str, forms: Sequence[Form], target: str) -> str:
    """Stores by each form into `target` from registers of every width in turn (their bytes are data's, RECORD a lane).
    What was written is in out[form, block]: the area of AREA bytes, or the lanes' areas of LANE_AREA each."""
    generic = forms[0].space == ""
    lines: list[str] = []
    size = PATTERNS * (32 * LANE_AREA if target == "local" else AREA)
    for number, form in enumerate(forms):
        width = load_width(form, number)
        place = [
            "ld.param.u64 %record, [out];",
            f"mul.wide.u32 %offset64, %block, {size // PATTERNS};",
            "add.u64 %record, %record, %offset64;",
            f"add.u64 %record, %record, {number * size};",
        ]
        if target == "global":
            lines += [*place, "mov.u64 %base, %record;"]
        else:
            lines += _base(target, generic)
        lines += ["ld.param.u64 %from, [data];", f"mul.wide.u32 %offset64, %tid, {RECORD};"]
        lines += ["add.u64 %from, %from, %offset64;"]
        for e in range(form.elements):
            if width == 16:
                lines += ["ld.global.v2.b64 {%low, %high}, [%from];", f"mov.b128 {register(16, e)}, {{%low, %high}};"]
            else:
                lines.append(f"ld.global.b{8 * width} {register(width, e)}, [%from+{e * width}];")
        setup, at = _address(form, target, generic)
        lines += setup
        lines.append(f"@%active {form.name} {at}, {operand(form, width)}{', %policy' if form.hinted else ''};")
        if target == "shared":
            lines += ["bar.warp.sync -1;", *place]
            lines += ["mul.wide.u32 %offset64, %tid, 64;", "add.u64 %record, %record, %offset64;"]
            lines += ["mad.lo.u32 %at32, %tid, 64, %base32;", *_copy("global", "%record", "shared", "%at32", 64)]
            lines += ["bar.warp.sync -1;"]
        elif target == "local":
            lines += [*place, f"mul.wide.u32 %offset64, %tid, {LANE_AREA};", "add.u64 %record, %record, %offset64;"]
            lines += _copy("global", "%record", "local", "lane", LANE_AREA)
    return _kernel(name, target, lines)


def stored(form: Form, width: int, data: NDArray[np.uint8], target: str, units: NDArray[np.uint32],
           active: NDArray[np.uint32], before: NDArray[np.uint8]) -> NDArray[np.uint8]:  # fmt: skip
    """What store_kernel leaves of one form: uint8 [PATTERNS, bytes of the area]; `before` is the area as it was."""
    area = np.stack([before] * PATTERNS)
    at = units_of(target, units).astype(np.int64) * form.bytes
    if target == "local":
        at += np.arange(32) * LANE_AREA
    sources = data[: 32 * RECORD].reshape(32, RECORD)[:, : form.elements * width].reshape(32, form.elements, width)
    for p in range(PATTERNS):
        for lane in range(32):  # in order: the highest lane's bytes stay
            if active[p, lane]:
                area[p, at[p, lane] : at[p, lane] + form.bytes] = sources[lane, :, : form.size].reshape(-1)
    return area


def assemble(texts: Iterable[str], folder: Path, arch: str, declarations: str = "") -> None:
    """Has ptxas judge single instructions, all in one kernel. AssertionError with its complaints."""
    body = "\n".join(texts)
    text = (
        HEADER.format(arch=arch)
        + ".const .align 16 .b8 constants[64];\n"
        + f".visible .entry k(.param .u64 p0, .param .align 16 .b8 struct[64]) {{{REGISTERS}"
        + ".shared .align 16 .b8 area[64]; .local .align 16 .b8 lane[64];\n"
        + f"{declarations}\n{body}\nret;\n}}\n"
    )
    assemble_text(text, folder, arch)
