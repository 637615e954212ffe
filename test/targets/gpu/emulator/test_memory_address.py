"""What names memory without moving data, parameters of device functions, the dynamic stack, and stores of one
instruction that overlap."""

from __future__ import annotations

from pathlib import Path

import memory_kernels as mk
import numpy as np
import pytest
from memory_forms import Form, instructions, untested
from test_memory import FORMS, is_function_parameter
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.errors import FindingsError, PtxError, UnsupportedPtxError

OTHERS = ("isspacep", "mapa", "getctarank", "prefetch", "prefetchu", "applypriority", "discard", "createpolicy")
STACK = ("alloca", "stacksave", "stackrestore")


def module(body: str, declarations: str = "", preamble: str = "") -> str:
    """A kernel k(out) with %p the address of out's element of 8 bytes for the thread."""
    return mk.HEADER.format(arch="sm_90a") + (
        f"{preamble}\n.const .align 128 .b8 constants[256];\n.global .align 128 .b8 globals[256];\n"
        f".visible .entry k(.param .u64 out, .param .align 128 .b8 struct[128]) {{{mk.REGISTERS}\n"
        f".reg .pred %x; .reg .f32 %f<2>; .shared .align 128 .b8 area[256]; .local .align 128 .b8 lane[256];\n"
        f"{declarations}\nld.param.u64 %p, [out]; mov.u32 %tid, %tid.x; mul.wide.u32 %offset64, %tid, 8;\n"
        f"add.u64 %p, %p, %offset64;\n{body}\nst.global.u64 [%p], %d0;\nret;\n}}\n"
    )


def run(body: str, threads: int = 1, declarations: str = "", preamble: str = "", **options: int) -> np.ndarray:
    """What the threads of one block leave in %d0: uint64 [threads]."""
    out = np.zeros(threads, np.uint64)
    emulator = Emulator(module(body, declarations, preamble))
    emulator.launch("k", block=threads, args=[out, bytes(128)], **options)
    return out


# ---- isspacep --------------------------------------------------------------------------------------------------------

ADDRESSES = {
    "const": "mov.u64 %at, constants; cvta.const.u64 %at, %at;",
    "global": "mov.u64 %at, globals; cvta.global.u64 %at, %at;",
    "local": "mov.u64 %at, lane; cvta.local.u64 %at, %at;",
    "shared": "mov.u64 %at, area; cvta.shared.u64 %at, %at;",
    "param": "mov.b64 %at, struct; cvta.param.u64 %at, %at;",
}


@pytest.mark.parametrize("form", list(instructions(lambda _: True, "isspacep")), ids=lambda f: f.name)
@pytest.mark.parametrize("where", ADDRESSES)
def test_isspacep(form: Form, where: str) -> None:
    body = f"{ADDRESSES[where]} add.u64 %at, %at, 127; {form.name} %x, %at; selp.u64 %d0, 1, 0, %x;"
    assert run(body)[0] == (form.space.partition("::")[0] == where)


def test_isspacep_of_a_cluster() -> None:
    """Another block's shared memory is .shared::cluster and not .shared::cta; a rank that is not there is neither."""
    body = "mov.u32 %r0, %cluster_ctarank; mul.wide.u32 %offset64, %r0, 8; add.u64 %p, %p, %offset64;\n"
    body += "mov.u64 %at, area; cvta.shared.u64 %at, %at; mov.u64 %d0, 0;\n"
    for rank in (0, 1, 2):
        for bit, name in enumerate(("shared", "shared::cta", "shared::cluster")):
            body += (
                f"mapa.u64 %d1, %at, {rank}; isspacep.{name} %x, %d1; selp.u64 %d2, {1 << (3 * rank + bit)}, 0, %x;\n"
            )
            body += "or.b64 %d0, %d0, %d2;\n"
    out = np.zeros(2, np.uint64)
    Emulator(module(body)).launch("k", grid=2, cluster=2, args=[out, bytes(128)])
    np.testing.assert_array_equal(out, [0b000_100_111, 0b000_111_100])


# ---- mapa, getctarank ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["%at32", "area", "area+4"])
def test_mapa_and_getctarank_of_shared_addresses(source: str) -> None:
    body = f"mov.u32 %at32, area; mapa.shared::cluster.u32 %r0, {source}, 3; getctarank.shared::cluster.u32 %r1, %r0;"
    body += "sub.u32 %r2, %r0, %at32; mov.b64 %d0, {%r2, %r1};"
    assert int(run(body)[0]) == 3 << 32 | (3 << 24) + (4 if source == "area+4" else 0)


def test_mapa_and_getctarank_of_wide_and_generic_addresses() -> None:
    lines = [
        "mov.u64 %at, area; mapa.shared::cluster.u64 %d1, %at, 2; getctarank.shared::cluster.u64 %r0, %d1;",
        "cvta.shared.u64 %at, %at; mov.u32 %r3, 5; mapa.u64 %d2, %at, %r3; getctarank.u64 %r1, %d2;",
        "mov.u32 %at32, area; mapa.u32 %r2, %at32, 7; getctarank.u32 %r2, %r2;",
        "getctarank.shared::cluster.u32 %r4, area;",
        "mad.lo.u32 %r0, %r0, 16, %r1; mad.lo.u32 %r0, %r0, 16, %r2; mad.lo.u32 %r0, %r0, 16, %r4;",
        "cvt.u64.u32 %d0, %r0;",
    ]
    assert int(run("\n".join(lines))[0]) == 0x2570


# ---- hints -----------------------------------------------------------------------------------------------------------


def hint_text(form: Form) -> str:
    """The instruction with operands: addresses from %at, for spaces other than global from their variables."""
    spot = {"local": "lane", "const": "constants", "param": "struct"}.get(form.space, "%at")
    if form.opcode in ("applypriority", "discard"):
        return f"{form.name} [%at], 128;"
    if form.opcode == "createpolicy":
        operands = {"fractional": "%d1, 0.5", "range": "%d1, [%at], 64, 128", "cvt": "%d1, %d2"}[form.words[0]]
        return f"{form.name} {operands};"
    return f"{form.name} [{spot}];"


HINTS = list(instructions(lambda _: True, *OTHERS[3:]))


@pytest.mark.parametrize("form", HINTS, ids=lambda f: f.name)
def test_hints_change_nothing(form: Form) -> None:
    body = f"mov.u64 %at, globals; mov.u64 %d2, 9; mov.u64 %d0, 5; st.global.u64 [%at], %d0; {hint_text(form)}"
    body += "ld.global.u64 %d0, [%at];"
    if form.opcode == "createpolicy":
        body += "ld.global.L2::cache_hint.u64 %d0, [%at], %d1;"
    assert run(body)[0] == 5


def test_a_line_is_128_bytes_that_exist() -> None:
    for opcode in ("applypriority.global.L2::evict_normal", "discard.global.L2"):
        with pytest.raises(FindingsError, match="misaligned"):
            run(f"mov.u64 %at, globals; {opcode} [%at+64], 128;")
        with pytest.raises(FindingsError, match="out_of_bounds"):
            run(f"mov.u64 %at, globals; {opcode} [%at+256], 128;")
        with pytest.raises((PtxError, UnsupportedPtxError), match="must be 128"):
            run(f"mov.u64 %at, globals; {opcode} [%at], 64;")


# ---- the dynamic stack -----------------------------------------------------------------------------------------------


def stack_text(form: Form) -> list[str]:
    """The instruction in its forms of operands."""
    register = "%d1" if form.type == "u64" else "%r1"
    other = "%d2" if form.type == "u64" else "%r2"
    if form.opcode == "alloca":
        return [f"{form.name} {register}, {size};" for size in (other, f"{other}, 16", "64", "64, 128")]
    return [f"{form.name} {register};"]


@pytest.mark.parametrize("form", list(instructions(lambda _: True, "alloca")), ids=lambda f: f.name)
@pytest.mark.parametrize("align", [8, 64, 256])
def test_alloca(form: Form, align: int) -> None:
    """Each thread's memory is its own, as long as asked for, aligned, and ends with stackrestore."""
    wide = form.type == "u64"
    a, b, size, saved = ("%d1", "%d2", "%d3", "%d4") if wide else ("%r1", "%r2", "%r3", "%r4")
    kind = form.type
    lines = [
        f"mul.lo.u32 %r3, %tid, 24; add.u32 %r3, %r3, 40; {'cvt.u64.u32 %d3, %r3;' if wide else ''}",
        f"stacksave.{kind} {saved}; alloca.{kind} {a}, {size}, {align}; alloca.{kind} {b}, 16;",
        # The last 8 bytes of the first, the second's, and a local variable are three places.
        f"add.{kind} {size}, {size}, {a}; cvt.u64.u32 %d5, %tid;",
        f"st.local.u64 [{size}+-8], %d5; st.local.u64 [{b}], 1000;",
        f"st.local.u64 [lane], 77; st.local.u64 [{b}+8], 2000;",
        f"ld.local.u64 %d0, [{size}+-8]; ld.local.u64 %d6, [{b}]; add.u64 %d0, %d0, %d6;",
        f"rem.{kind} {a}, {a}, {align}; setp.ne.{kind} %x, {a}, 0; @%x add.u64 %d0, %d0, 5000;",
        f"stackrestore.{kind} {saved}; stacksave.{kind} {b}; setp.ne.{kind} %x, {b}, {saved};",
        "@%x add.u64 %d0, %d0, 9000;",
    ]
    np.testing.assert_array_equal(run("\n".join(lines), threads=32), np.arange(32) + 1000)


FUNCTION = """
.func (.reg .u64 result) f(.reg .u64 bytes) {
    .reg .u64 %a; alloca.u64 %a, bytes; st.local.u64 [%a], bytes; ld.local.u64 result, [%a]; ret;
}
"""


def test_alloca_ends_with_its_function() -> None:
    """A thousand calls of a function that takes 1 KiB each fit a stack of 16 KiB."""
    body = """mov.u64 %d0, 0; mov.u32 %r0, 0;
    AGAIN: call (%d1), f, (1024); add.u64 %d0, %d0, %d1;
    add.u32 %r0, %r0, 1; setp.lt.u32 %x, %r0, 1000; @%x bra AGAIN;"""
    assert run(body, preamble=FUNCTION)[0] == 1024 * 1000


@pytest.mark.parametrize("size", ["20000", "0x7fffffffffffffff", "0xffffffffffffffff"])
def test_alloca_of_too_much(size: str) -> None:
    with pytest.raises(FindingsError, match="alloca of"):
        run(f"mov.u64 %d2, {size}; alloca.u64 %d1, %d2; mov.u64 %d0, %d1;")
    with pytest.raises(FindingsError, match="no stacksave"):
        run(f"mov.u64 %d2, {size}; stackrestore.u64 %d2; mov.u64 %d0, %d2;")


# ---- parameters of device functions ----------------------------------------------------------------------------------

COPY = """
.func (.param .align 32 .b8 result[32]) copy(.param .align 32 .b8 given[32]) {
    .reg .b64 %a<4>;
    ld.param.v2.b64 {%a0, %a1}, [given]; ld.param.v2.b64 {%a2, %a3}, [given+16];
    st.param.v2.b64 [result], {%a0, %a1}; st.param.v2.b64 [result+16], {%a2, %a3};
    ret;
}
"""


def call_text(store: str, load: str) -> str:
    """A call of copy, with what stands between the declarations of its parameters and behind it."""
    return (
        "{ .param .align 32 .b8 given[32]; .param .align 32 .b8 result[32];\n"
        f"{store}\ncall (result), copy, (given);\n{load}\n}}"
    )


@pytest.mark.parametrize("opcode", ["st", "ld"])
def test_parameters_of_functions(opcode: str) -> None:
    """Each form through one call: numbers that fill the registers come back, sign-extended where the form does that."""
    forms = [f for f in FORMS if is_function_parameter(f) and f.opcode == opcode and f.bytes <= 16]
    assert len(forms) > 40
    rng = np.random.default_rng(3)
    data = rng.integers(0, 256, 32 * mk.RECORD, dtype=np.uint8)
    lines = ["ld.param.u64 %from, [data]; mov.u32 %tid, %tid.x; ld.param.u64 %record, [out];"]
    lines += [
        f"mul.wide.u32 %offset64, %tid, {mk.RECORD}; add.u64 %from, %from, %offset64;",
        "add.u64 %record, %record, %offset64;",
    ]
    for number, form in enumerate(forms):
        width = mk.load_width(form, number)
        pieces = []
        for e in range(form.elements):
            if width == 16:
                pieces += ["ld.global.b128 %q0, [%from];"]
            else:
                pieces += [f"ld.global.b{8 * width} {mk.register(width, e)}, [%from+{e * width}];"]
        target = f"%record+{number * 32 * mk.RECORD}"
        if opcode == "st":
            lines += pieces
            load = f"ld.param.v2.b64 {{%low, %high}}, [result]; st.global.v2.b64 [{target}], {{%low, %high}};"
            lines.append(call_text(f"{form.name} [given], {mk.operand(form, width)};", load))
        else:
            store = "ld.global.v2.b64 {%low, %high}, [%from]; st.param.v2.b64 [given], {%low, %high};"
            lines.append(call_text(store, f"{form.name} {mk.operand(form, width)}, [result];"))
            for e in range(form.elements):
                if width == 16:
                    lines.append(f"st.global.b128 [{target}], %q0;")
                else:
                    lines.append(f"st.global.b{8 * width} [{target}+{e * width}], {mk.register(width, e)};")
    text = mk.HEADER.format(arch="sm_90a") + COPY
    text += f".visible .entry k(.param .u64 data, .param .u64 out) {{{mk.REGISTERS}" + "\n".join(lines) + "\nret;\n}\n"
    out = np.zeros((len(forms), 32, mk.RECORD), np.uint8)
    Emulator(text).launch("k", block=32, args=[data, out])
    lanes = data.reshape(32, mk.RECORD)
    for number, form in enumerate(forms):
        width = mk.load_width(form, number)
        if opcode == "st":
            want = lanes[:, : form.elements * width].reshape(32, form.elements, width)[..., : form.size].reshape(32, -1)
        else:
            raw = lanes[:, : form.bytes].reshape(32, form.elements, form.size)
            wide = np.zeros((32, form.elements, width), np.uint8)
            wide[..., : form.size] = raw
            if form.type[0] == "s":
                wide[..., form.size :] = np.where(raw[..., -1:] >> 7, 0xFF, 0)
            want = wide.reshape(32, -1)
        np.testing.assert_array_equal(out[number, :, : want.shape[1]], want, form.name)


# ---- stores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("value", [0, 1, 255, -1, 1 << 40])
def test_literals_are_stored(size: int, value: int) -> None:
    body = f"mov.u64 %at, globals; mov.u64 %d0, 0; st.global.u64 [%at], %d0; st.global.u{8 * size} [%at], {value};"
    assert int(run(body + "ld.global.u64 %d0, [%at];")[0]) == value % (1 << (8 * size))


def test_float_literals_and_vectors_of_literals_are_stored() -> None:
    body = "mov.u64 %at, globals; st.global.v2.f32 [%at], {1.5, 0f3F800000}; ld.global.u64 %d0, [%at];"
    assert run(body)[0] == 0x3F800000_3FC00000


@pytest.mark.parametrize("space", ["global", "shared"])
def test_of_lanes_that_overlap_the_highest_stays(space: str) -> None:
    """Lanes store 8 bytes at 4 bytes' distance from each other, in two elements: each byte is the highest lane's."""
    spot = {"global": "globals", "shared": "area"}[space]
    body = f"""mov.u64 %at, {spot}; shr.u32 %r0, %tid, 1; mul.wide.u32 %d1, %r0, 8; add.u64 %at, %at, %d1;
    add.u32 %r1, %tid, 1; add.u32 %r2, %tid, 101; st.{space}.v2.u32 [%at], {{%r1, %r2}}; bar.warp.sync -1;
    ld.{space}.v2.u32 {{%r1, %r2}}, [%at]; mov.b64 %d0, {{%r1, %r2}};"""
    high = np.arange(32, dtype=np.uint64) | np.uint64(1)
    np.testing.assert_array_equal(
        run(body, threads=32), (high + np.uint64(1)) | (high + np.uint64(101)) << np.uint64(32)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("st.param.u32 [struct], %r0;", "parameters cannot be written"),
        ("ld.global.v2.b128 {%q0, %q1}, [%at];", "too long"),
        ("ld.shared.v4.b64 {%d0, %d1, %d2, %d3}, [%at];", "global memory only"),
        ("ld.global.L2::evict_last.b32 %r0, [%at];", "32 bytes only"),
        ("ld.shared.L2::cache_hint.b32 %r0, [%at], %policy;", "global memory only"),
        ("ld.local.L2::128B.b32 %r0, [%at];", "global memory only"),
        ("ldu.global.v4.b64 {%d0, %d1, %d2, %d3}, [%at];", "16 bytes at most"),
        ("ld.global.v2.b32 {%r0, %r1, %r2}, [%at];", "3 elements, the instruction 2"),
        ("st.global.v4.b32 [%at], {%r0, %r1};", "2 elements, the instruction 4"),
        ("ld.global.b64 %r0, [%at];", "b32 register"),
        ("ld.relaxed.b32 %r0, [%at];", "relaxed"),
        ("atom.global.add.u64 %d0, [%at], %r0;", "u64 is wanted"),
        ("atom.shared.add.L2::cache_hint.u32 %r0, [%at], %r1, %policy;", "global memory only"),
        ("red.global.add.v2.f32 [%at], {%r0};", "1 elements, the instruction 2"),
        ("alloca.u64 %d0, 8, 3;", "power of two"),
        ("ld.global.b32 %r0, [area];", "does not lie in the space"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises((PtxError, UnsupportedPtxError), match=message):
        Emulator(module(text))


# ---- all of them -----------------------------------------------------------------------------------------------------


def test_every_word_of_every_row_is_tested() -> None:
    assert untested(list(instructions(lambda _: True, *OTHERS, *STACK)), *OTHERS, *STACK) == []


@needs_ptxas
def test_ptxas_takes_all_of_them(tmp_path: Path) -> None:
    texts = [hint_text(f) for f in HINTS]
    texts += [f"{f.name} %active, %at;" for f in instructions(lambda _: True, "isspacep")]
    for form in instructions(lambda _: True, "mapa", "getctarank"):
        a, b = ("%r0", "%r1") if form.type == "u32" else ("%d0", "%d1")
        texts += [f"{form.name} {a}, {b}, 1;" if form.opcode == "mapa" else f"{form.name} %r2, {b};"]
    texts += [text for form in instructions(lambda _: True, *STACK) for text in stack_text(form)]
    mk.assemble(texts, tmp_path, "sm_90a")
