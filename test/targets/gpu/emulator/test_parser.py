"""The PTX parser: what it understands is printed again and read anew, what it refuses names its line.

`dump` prints a parsed module with every word decided (offsets summed, literals in one notation), so most tests compare
printed text. ptxas, where there is one, judges the same texts.
"""

from __future__ import annotations

import math
import random
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from corpus import nvcc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator, UnsupportedPtxError
from accelc.targets.gpu.emulator.native import core

HEADER = ".version 8.7\n.target sm_90a\n.address_size 64\n"
HERE = Path(__file__).parent
BODY = """.reg .pred %p<8>, q; .reg .b16 %h<8>; .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .f32 %f<16>; .reg .f64 %fd<4>;
.reg .v4 .f32 %v; .shared .align 16 .b8 tile[256];
"""


def dump(ptx: str) -> str:
    """The module as the parser understood it. Raises SyntaxError or NotImplementedError with the line in front."""
    return str(core().dump(ptx))


def ptxas(ptx: str, tmp_path: Path, *flags: str) -> str:
    """What ptxas has to say against a text; empty if it takes it."""
    file = tmp_path / "module.ptx"
    file.write_text(ptx)
    command = ["ptxas", "-arch=sm_90a", *flags, str(file), "-o", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def body(text: str) -> str:
    """A kernel with these statements behind a set of registers."""
    return HEADER + ".visible .entry k(.param .u64 a)\n{\n" + BODY + text + "\n}\n"


def statements(text: str) -> list[str]:
    """The statements as printed, without the declarations of `body`."""
    lines = dump(body(text)).splitlines()
    first = next(i for i, line in enumerate(lines) if "tile[256]" in line)
    return lines[first + 1 : -1]


# ---- what is understood ----------------------------------------------------------------------------------------------

OPERANDS = [
    ("mov.u32 %r1, %tid.x;", None),
    ("mov.u32 %r1, %ntid.g;", "mov.u32 %r1, %ntid.y;"),
    ("mov.u32 %r1,WARP_SZ;", "mov.u32 %r1, 32;"),
    ("mov .u32\t%r1 , 0x10 ;", "mov.u32 %r1, 16;"),
    ("mov.u32 %r1, 017;", "mov.u32 %r1, 15;"),
    ("mov.u32 %r1, 0b101;", "mov.u32 %r1, 5;"),
    ("mov.u32 %r1, 4294967295U;", None),
    ("mov.s32 %r1, -0x80000000;", "mov.s32 %r1, -2147483648;"),
    ("mov.s32 %r1, - -1;", "mov.s32 %r1, 1;"),
    ("mov.u64 %rd1, 0xffffffffffffffff;", "mov.u64 %rd1, 18446744073709551615U;"),
    ("mov.s64 %rd1, -9223372036854775808;", None),
    ("mov.b32 %r1, (1+2)*4 - 1;", "mov.b32 %r1, 11;"),
    ("mov.f32 %f1, 0f3F800000;", None),
    ("mov.f32 %f1, 0F3f800000;", "mov.f32 %f1, 0f3F800000;"),
    ("mov.f64 %fd1, 1.5;", "mov.f64 %fd1, 0d3FF8000000000000;"),
    ("mov.f64 %fd1, -1.5e1;", "mov.f64 %fd1, 0dC02E000000000000;"),
    ("mov.f64 %fd1, 0d7ff0000000000000;", "mov.f64 %fd1, 0d7FF0000000000000;"),
    ("mov.b64 %rd1, {%r1,%r2};", "mov.b64 %rd1, {%r1, %r2};"),
    ("mov.b64 {%r1, _}, %rd1;", None),
    ("mov.f32 %f1, %v.x;", None),
    ("add.f32 %v.b, %v.r, %v.a;", "add.f32 %v.z, %v.x, %v.w;"),
    ("mov.u64 %rd1, tile;", None),
    ("mov.u64 %rd1, tile+8;", None),
    ("mov.u64 %rd1, tile-8;", "mov.u64 %rd1, tile+-8;"),
    ("ld.shared.b32 %r1, [tile+4*2+(1<<4)];", "ld.shared.b32 %r1, [tile+24];"),
    ("ld.global.b32 %r1, [%rd1-4];", "ld.global.b32 %r1, [%rd1+-4];"),
    ("ld.global.b32 %r1, [%rd1+-4];", None),
    ("ld.global.b32 %r1, [%rd1+0];", "ld.global.b32 %r1, [%rd1];"),
    ("ld.local.b32 %r1, [64];", None),
    ("ld.global.nc.L1::evict_last.L2::128B.v4.f32 {%f1, %f2, %f3, %f4}, [%rd1+16];", None),
    ("setp.lt.and.s32 %p1|%p2, %r1, -5, !q;", None),
    ("setp.eq.s32 %p1|_, %r1, 0;", None),
    ("shfl.sync.down.b32 %r1|%p1, %r2, 16, 31, -1;", None),
    ("elect.sync _|%p1, -1;", None),
    ("@%p1 bra L;\nL:", None),
    ("@!%p1 add.s32 %r1, %r1, 1;", None),
    ("@ !q exit;", "@!q exit;"),
    ("bar.sync 0, 128;", None),
    ("call (%r1), f, (%r2, -1);", None),
    ("call f;", None),
    ("call.uni f, ();", None),
    ("call (%r1), %rd1, (%r2), proto;", None),
    ("fence.proxy.async.shared::cta;", None),
    ("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [tile], "
     "[%rd1, {%r1, 0}], [%r3];", None),
    ("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [tile], "
     "[%rd1, {%r1, %r2, 0, -1}], [%r3], {%h1, %h2};", None),
    ("tex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [t, s, {%r1}];",
     "tex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [t, {s, %r1}];"),
    ("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2, %f3, %f4}, %rd1, %rd2, q, 1, 1, 0, 0;", None),
    ("/* several */ neg.s32 %r1, %r2; // on\nnot.b32 %r3, /* one\n line */ %r4;",
     "neg.s32 %r1, %r2;\nnot.b32 %r3, %r4;"),
    ("# 12 \"file.cu\" 1\nret;", "ret;"),
    ("@@DWARF .byte 0x1, \"{\nret;", "ret;"),
    (";;ret;;", "ret;"),
    ("p: .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[24]) .noreturn;",
     "p: .callprototype (.param .align 4 .b32 _) _ (.param .align 8 .b64 _, .param .align 8 .b8 _[24]) .noreturn;"),
    ("p : .callprototype _;", "p: .callprototype _ ();"),
    ("t: .calltargets f, g;", None),
    ("A:\nB:\nt: .branchtargets A, B;\nbrx.idx.uni %r1, t;", "A:\nB:\nt: .branchtargets A, B;\nbrx.idx.uni %r1, t;"),
    ("{ .reg .b32 %r<4>, x; { mov.u32 x, %r1; } L: } { L: mov.u32 %r1, 2; }",
     "{\n.reg .b32 %r<4>;\n.reg .b32 x;\n{\nmov.u32 x, %r1;\n}\n}\n{\nL:\nmov.u32 %r1, 2;\n}"),
    (".loc 1 23 5\nadd.s32 %r1, %r1, 1; .loc 2 7 1, function_name $L+4, inlined_at 1 30 9\nret;",
     ".loc 1 23 0\nadd.s32 %r1, %r1, 1;\n.loc 2 7 0\nret;"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "printed"), OPERANDS, ids=[text[:40] for text, _ in OPERANDS])
def test_statement(text: str, printed: str | None) -> None:
    # The last label of a text and prototypes come out where the instructions are: compare lines as a set there.
    wanted = (printed or text).splitlines()
    found = statements(text)
    if any(".branchtargets" in line or line.endswith(":") for line in wanted):
        wanted, found = [w for w in wanted if w != "L:"], [f for f in found if f != "L:"]
    if "{" in text and ".reg" in text:
        found = [line for line in found if line]
    assert sorted(found) == sorted(wanted)


VARIABLES = [
    (".global .u32 m = 077;", ".global .align 4 .u32 m = 63;"),
    (".global .attribute(.managed) .u32 m;", ".global .align 4 .u32 m;"),
    (".visible .global .align 16 .attribute(.unified(1, 2)) .b8 m[7];", ".visible .global .align 16 .b8 m[7];"),
    (".global .v4 .f32 v = {1.0, -2.5, 0f3F800000, .5};",
     ".global .align 16 .v4 .f32 v = {0f3F800000, 0fC0200000, 0f3F800000, 0f3F000000};"),
    (".global .v2 .u8 a[2] = {{1,2},{3,4}};", ".global .align 2 .v2 .u8 a[2] = {{1, 2}, {3, 4}};"),
    (".global .s32 a[2][2][2] = {{{1,2},{3}},{{5}}};", ".global .align 4 .s32 a[8] = {1, 2, 3, 0, 5};"),
    (".global .s32 a[][2] = {{1},{2}};", ".global .align 4 .s32 a[4] = {1, 0, 2};"),
    (".const .s8 c[] = {-1, 255, 256};", ".const .align 1 .s8 c[3] = {255, 255, 0};"),
    (".global .b32 z; .global .u64 p[3] = {generic(z)+4, z+8, 0};",
     ".global .align 4 .b32 z;\n.global .align 8 .u64 p[3] = {generic(z)+4, z+8, 0};"),
    (".global .b32 z; .global .u8 p[4] = {0xff(z), 0xFF00(generic(z)), 0xFF00000000000000(z+4), mask(0xff0000)(z)};",
     ".global .align 4 .b32 z;\n"
     ".global .align 1 .u8 p[4] = {0xFF(z), 0xFF00(generic(z)), 0xFF00000000000000(z+4), 0xFF0000(z)};"),
    (".extern .shared .align 128 .b8 s[]; .extern .shared .align 16 .b8 s[];", ".extern .shared .align 128 .b8 s[];"),
    (".extern .global .u32 e; .visible .global .u32 e = 4;", ".visible .global .align 4 .u32 e = 4;"),
    (".common .global .b32 a, b[2];", ".common .global .align 4 .b32 a;\n.common .global .align 4 .b32 b[2];"),
    (".weak .global .f64 w = 1.5e3;", ".weak .global .align 8 .f64 w = 0d4097700000000000;"),
    (".global .b64 d = 0d3FF0000000000000;", ".global .align 8 .b64 d = 4607182418800017408;"),
    (".global .f32 f = 0d3FF0000000000000;", ".global .align 4 .f32 f = 0f3F800000;"),
    (".global .texref t;", ".global .align 8 .texref t;"),
    (".func (.reg .u32 %res) inc (.reg .u32 %ptr, .reg .u32 %inc);",
     ".func (.reg .u32 %res) inc(.reg .u32 %ptr, .reg .u32 %inc)\n;"),
    (".extern .func f; .func f { exit; }", ".func f()\n;\n.func f()\n{\nexit;\n}"),
    (".weak .func f () .noreturn .abi_preserve 4; ", ".weak .func f()\n.noreturn\n;"),
    (".func (.param .align 16 .b8 r[24]) f (.param .align 8 .b8 x[16]);",
     ".func (.param .align 16 .b8 r[24]) f(.param .align 8 .b8 x[16])\n;"),
    (".func a; .func b; .alias a, b;", ".func a()\n;\n.func b()\n;\n.alias a, b;"),
    (".entry k (.param .u64 .ptr .global .align 16 p, .param .u64 .ptr q, .param .align 64 .b8 m[128]) "
     ".maxntid 128,1 .minnctapersm 2 .maxnreg 64 .reqnctapercluster 2 .explicitcluster .maxclusterrank 8 { ret; }",
     ".entry k(.param .u64 .ptr .global .align 16 p, .param .u64 .ptr q, .param .align 64 .b8 m[128])\n"
     ".maxntid 128, 1, 1\n.reqnctapercluster 2, 1, 1\n.explicitcluster\n"
     ".maxclusterrank 8\n.minnctapersm 2\n.maxnreg 64\n{\nret;\n}"),
    (".section .debug_str { $L: .b8 65,66\n.b64 $L2-$L .b32 .debug_abbrev+4 .b32 -1 }", ""),
    (".file 1 \"a b.cu\", 123, 77", ".file 1 \"a b.cu\""),
    (".pragma \"nounroll\";", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "printed"), VARIABLES, ids=[text[:40] for text, _ in VARIABLES])
def test_declaration(text: str, printed: str | None) -> None:
    found = dump(HEADER + text)
    assert found.removeprefix(HEADER).strip() == (text if printed is None else printed)
    assert dump(found) == found


def corpus() -> list[Path]:
    """The committed PTX of nvcc, Triton and LLVM."""
    return sorted((HERE / "ptx").rglob("*.ptx"))


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_dump_of_a_dump(path: Path) -> None:
    once = dump(path.read_text())
    assert dump(once) == once


@needs_ptxas
@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_ptxas_takes_what_is_printed(path: Path, tmp_path: Path) -> None:
    printed = re.sub(r"^(\.target \w+), debug", r"\1", dump(path.read_text()), flags=re.MULTILINE)
    assert ptxas(printed, tmp_path, "-O0") == ""


@needs_ptxas
@pytest.mark.parametrize(("source", "flags"), [("control.cu", ("-G",)), ("system.cu", ("-lineinfo",)), ("mma.cu", ())])
def test_what_nvcc_makes(source: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    if nvcc.nvcc() is None:
        pytest.skip("nvcc is not on PATH")
    once = dump(nvcc.compile_ptx(source, flags=flags))
    assert dump(once) == once
    assert ptxas(re.sub(r"^(\.target \w+), debug", r"\1", once, flags=re.MULTILINE), tmp_path, "-O0") == ""


@needs_ptxas
def test_ptxas_knows_these_words(tmp_path: Path) -> None:
    # Types and symbols are not the parser's to check, nor is all of its leniency ptxas's: only what parses there.
    for text in [*(body(t) for t, _ in OPERANDS[:30]), *(HEADER + t for t, _ in VARIABLES)]:
        assert "syntax error" not in ptxas(dump(text), tmp_path, "-c"), text


# ---- what is refused -------------------------------------------------------------------------------------------------

# (text, line of the error, a piece of the message); a third of them only the emulator refuses.
ERRORS = [
    ("", 1, "expected '.version'"),
    (".version 8.7", 1, "expected '.target'"),
    (".target sm_90", 1, "expected '.version'"),
    (".version 6.5\n.target sm_90", 1, "PTX version 6.5 is not supported, only 7.0 to 9.4"),
    (".version 9.5\n.target sm_90", 1, "PTX version 9.5"),
    (".version 8.9\n.target sm_90", 1, "PTX version 8.9"),
    (".version eight", 1, "expected a version such as 8.5, found 'eight'"),
    (".version 8.7\n.target compute_90", 2, "'compute_90' is not a target"),
    (".version 8.7\n.target sm_90,\nfast", 3, "expected an option of .target"),
    (HEADER + ".address_size 64", 4, "stands once"),
    (HEADER + "garbage", 4, "expected a directive of the module"),
    (HEADER + "\n\n.global .b32 x", 6, "expected ';' after the declaration, found the end of the text"),
    (HEADER + ".global .b33 x;", 4, "expected a type, found '.b33'"),
    (HEADER + ".global .b32 x;\n.global .b32 x;", 5, "'x' is declared a second time"),
    (HEADER + ".global .b32 x;\n.func x;", 5, "'x' is declared a second time"),
    (HEADER + ".global .b32 x[];", 4, "neither size nor initializer"),
    (HEADER + ".global .b32 x[0];", 4, "an array of no elements"),
    (HEADER + ".global .b32 x[-1];", 4, "the size of an array is -1"),
    (HEADER + ".global .b8 x[1<<41];", 4, "not in 0.."),
    (HEADER + ".global .b8 x[1<<30][1<<30];", 4, "more than 2^40 bytes"),
    (HEADER + ".global .b32 x[2] = {1,2,3};", 4, "more initializers than the 2 elements"),
    (HEADER + ".global .b32 x[2][2] = {1,2};", 4, "expected '{'"),
    (HEADER + ".global .b32 x = {1};", 4, "expected a number"),
    (HEADER + ".global .f32 x = 1;", 4, "an integer cannot initialize"),
    (HEADER + ".global .u32 x = 1.5;", 4, "a floating-point number cannot initialize"),
    (HEADER + ".global .u16 y;\n.global .u16 x = y;", 5, "a symbol's address cannot initialize"),
    (HEADER + ".global .u8 x = 0xf0f(x);", 4, "a mask selects one byte"),
    (HEADER + ".shared .b32 x = 1;", 4, "only .global and .const"),
    (HEADER + ".global .b8 x[2][1<<38] = {{1},{2}};", 4, "too sparse"),
    (HEADER + ".global .align 3 .b32 x;", 4, "not a power of two"),
    (HEADER + ".global .pred x;", 4, "only registers are of type .pred"),
    (HEADER + ".global .u32 x = 1/0;", 4, "divides by zero"),
    (HEADER + ".local .b32 x;", 4, "inside of functions only"),
    (HEADER + ".extern .visible .global .b32 x;", 4, "only one of"),
    (HEADER + ".func f { ret; }\n.func f { ret; }", 5, "'f' is defined a second time"),
    (HEADER + ".func f(.param .b32 a);\n.func f { ret; }", 5, "declared otherwise in line 4"),
    (HEADER + ".func f(.param .b32 a, .param .b32 a);", 4, "declared a second time"),
    (HEADER + ".entry k;", 4, "has no body"),
    (HEADER + ".entry k(.param .b8 x[32765]) { ret; }", 4, "take more than 32764 bytes"),
    (HEADER + ".func f(.param .b8 x[1<<39]) { ret; }", 4, "takes more than 1048576 bytes"),
    (HEADER + ".entry (.param .b32 r) k() { ret; }", 4, "expected the name of a kernel"),
    (HEADER + ".entry k() .maxntid 0 { ret; }", 4, "is 0"),
    (HEADER + ".entry k() {\nret;\n", 6, "which begins in line 4, has no closing '}'"),
    (HEADER + ".entry k() {\nret\n}", 6, "expected an operand, found '}'"),
    (HEADER + ".entry k() {\nadd.s32 %r1, %r2 %r3;\n}", 5,
     "expected ',' or ';' after an operand of 'add', found '%r3'"),
    (HEADER + ".alias a, b;", 4, "no function declared before"),
    (HEADER + ".file one \"x\"", 4, "not an integer constant"),
    (HEADER + ".section .debug_x { .b8 }", 4, "expected a number, a label or a section"),
    (HEADER + "/* open\n\n", 4, "no '*/'"),
    (HEADER + ".file 1 \"open\n", 4, "no closing quote"),
    (HEADER + ".global .b32 x = 18446744073709551616;", 4, "does not fit in 64 bits"),
    (HEADER + ".global .f32 x = 0f3f8;", 4, "needs 8 hexadecimal digits, found 3"),
    (HEADER + ".global .b32 x = 12abc;", 4, "'12abc' is not a number"),
    (HEADER + ".global .b32 \\;", 4, "the character '\\' is not of PTX"),
    (HEADER + "\x01", 4, "the byte 1 is not of PTX"),
    (HEADER + ".global .b32 ü;", 4, "the byte 195 is not of PTX"),
    (body(".reg .b32 x;\n.reg .b32 x;"), 9, "declared a second time"),
    (body(".reg .b32 %r7;"), 8, "declared a second time"),
    (body(".reg .b32 %r1<3>;"), 8, "declares registers a second time"),
    (body("L:\nL: ret;"), 9, "declared a second time"),
    (body(".reg .b32 %n<1048577>;"), 8, "more than 1048576 registers"),
    (body(".reg .b32 n[4];"), 8, "registers do not form arrays"),
    (body(".local .b32 n[];"), 8, "neither size nor initializer"),
    (body("@%p1;"), 8, "expected an instruction"),
    (body("%r1 = 5;"), 8, "expected an instruction, found '%r1'"),
    (body(".branchtargets L;"), 8, "needs a label before it"),
    (body(".maxntid 5;"), 8, "expected a statement"),
    (body("mov.b32 %r1, [%rd1;"), 8, "expected ']' at the end of the address"),
    (body("mov.b32 %r1, {%r1, {%r2}};"), 8, "braces inside of braces"),
    (body("mov.b32 %r1, {};"), 8, "without elements"),
    (body("mov.b32 %r1, ;"), 8, "expected an operand, found ';'"),
    (body("mov.f32 %f1, %v.q;"), 8, "expected a component"),
    (body("mov.b32 %r1, " + "(" * 100000 + "1" + ")" * 100000 + ";"), 8, "nested deeper than 64"),
    (body("mov.b32 %r1, " + "-" * 100000 + "1;"), 8, "nested deeper than 64"),
    (body("mov.b32 %r1, " + "!" * 100000 + "1;"), 8, "nested deeper than 64"),
    (body("mov.b32 %r1, " + "1?" * 100000 + "1;"), 8, "nested deeper than 64"),
    (body("{" * 100000), 8, "nested deeper than 64"),
    (HEADER + ".global .b8 x" + "[1]" * 100 + ";", 4, "more than 64 dimensions"),
]  # fmt: skip
UNSUPPORTED = [
    (".version 8.7\n.target sm_90\n.address_size 32", 3, ".address_size 32"),
    (HEADER + ".tex .u32 t;", 4, "textures"),
    (HEADER + ".global .samplerref s = {0};", 4, "initializers of type .samplerref"),
    (body("vadd.s32.s32.s32 %r1, %r2.b0, %r3.h1;"), 8, "video instructions"),
    (body("ld.shared.b32 %r1, tile[1];"), 8, "indexing 'tile[...]'"),
]


@pytest.mark.parametrize(("text", "line", "message"), ERRORS, ids=[f"{i}-{e[2][:30]}" for i, e in enumerate(ERRORS)])
def test_error(text: str, line: int, message: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        dump(text)
    said = str(caught.value)
    assert said.startswith(f"line {line}: "), said
    assert message in said


@pytest.mark.parametrize(("text", "line", "message"), UNSUPPORTED, ids=[e[2] for e in UNSUPPORTED])
def test_what_is_ptx_but_not_ours(text: str, line: int, message: str) -> None:
    with pytest.raises(NotImplementedError) as caught:
        dump(text)
    assert str(caught.value).startswith(f"line {line}: ")
    assert message in str(caught.value)


def test_grids_counted_in_clusters_are_refused() -> None:
    """The text is understood; to launch it as if it were not there would run another grid."""
    text = HEADER + ".visible .entry k()\n.reqntid 32\n.reqnctapercluster 2\n.blocksareclusters\n{ ret; }\n"
    assert ".blocksareclusters" in dump(text)
    with pytest.raises(UnsupportedPtxError, match=r"line 4: .*blocksareclusters"):
        Emulator(text)


# ---- numbers ---------------------------------------------------------------------------------------------------------

U64 = 1 << 64


def signed(value: int) -> int:
    return (value + (1 << 63)) % U64 - (1 << 63)


def expressions() -> st.SearchStrategy[tuple[str, int]]:
    """(text, value) of signed 64-bit constant expressions, valued by Python's integers."""
    leaf = st.integers(0, (1 << 63) - 1).flatmap(
        lambda n: st.sampled_from([(str(n), n), (hex(n), n), (bin(n).replace("0b", "0b"), n), ("0" + oct(n)[2:], n)])
    )

    def grow(inner: st.SearchStrategy[tuple[str, int]]) -> st.SearchStrategy[tuple[str, int]]:
        def binary(args: tuple[str, tuple[str, int], tuple[str, int]]) -> tuple[str, int]:
            op, (x, a), (y, b) = args
            if op in "/%" and b == 0:
                op = "+"
            if op in ("<<", ">>"):
                y, b = str(b % 64), b % 64
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0
            value = {
                "+": a + b, "-": a - b, "*": a * b, "/": quotient, "%": a - b * quotient, "&": a & b, "|": a | b,
                "^": a ^ b, "<<": a << b if op == "<<" else 0, ">>": a >> b if op == ">>" else 0,
                "<": int(a < b), "<=": int(a <= b), ">": int(a > b), ">=": int(a >= b), "==": int(a == b),
                "!=": int(a != b), "&&": int(bool(a and b)), "||": int(bool(a or b)),
            }[op]  # fmt: skip
            return f"({x}){op} ({y})", signed(value)

        ops = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "<", "<=", ">", ">=", "==", "!=", "&&", "||"]
        unary = st.tuples(st.sampled_from("-+~!"), inner).map(
            lambda t: (
                f"{t[0]}({t[1][0]})",
                signed({"-": -t[1][1], "+": t[1][1], "~": ~t[1][1], "!": int(not t[1][1])}[t[0]]),
            )
        )
        choice = st.tuples(inner, inner, inner).map(
            lambda t: (f"({t[0][0]}) ? ({t[1][0]}) : ({t[2][0]})", t[1][1] if t[0][1] else t[2][1])
        )
        return st.tuples(st.sampled_from(ops), inner, inner).map(binary) | unary | choice

    return st.recursive(leaf, grow, max_leaves=12)


@given(expressions())
@settings(deadline=None)
def test_constant_expressions(case: tuple[str, int]) -> None:
    text, value = case
    assert dump(f"{HEADER}.global .b64 x = {text};").splitlines()[-1].endswith(f" = {value % U64};")


def test_operators_bind_as_in_c() -> None:
    # Without parentheses, where Python's own levels are C's.
    generator = random.Random(3)
    for _ in range(300):
        ops = [generator.choice(["+", "-", "*", "<<", "&", "^", "|"]) for _ in range(6)]
        numbers = [generator.randrange(1, 9) for _ in range(7)]
        text = str(numbers[0]) + "".join(f" {op} {n}" for op, n in zip(ops, numbers[1:], strict=True))
        try:
            value = eval(text)  # Python's +, -, *, <<, &, ^ and | bind as in C
        except ValueError:  # a negative shift, which C leaves open
            continue
        assert dump(f"{HEADER}.global .b64 x = {text};").splitlines()[-1].endswith(f" = {value % U64};"), text


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_decimal_floats(value: float) -> None:
    text = repr(abs(value)) if "." in repr(value) or "e" in repr(value) else f"{abs(value)}.0"
    sign = "-" if math.copysign(1, value) < 0 else ""
    bits = np.float64(value).view(np.uint64)
    assert statements(f"mov.f64 %fd1, {sign}{text};") == [f"mov.f64 %fd1, 0d{bits:016X};"]
    with np.errstate(over="ignore"):
        single = np.float32(value).view(np.uint32)
    assert dump(f"{HEADER}.global .f32 x = {sign}{text};").splitlines()[-1].endswith(f" = 0f{single:08X};")


@given(st.integers(0, (1 << 32) - 1), st.integers(0, U64 - 1))
@settings(deadline=None)
def test_float_bits(single: int, double: int) -> None:
    text = f"mov.f32 %f1, 0f{single:08X};\nmov.f64 %fd1, 0d{double:016X};"
    assert statements(text) == text.splitlines()


# ---- any text at all -------------------------------------------------------------------------------------------------

WORDS = sorted(
    {word for text, _ in OPERANDS + VARIABLES for word in re.findall(r"\.[\w:]+|[%$\w]+|\"[^\"]*\"|\S", text)}
)


def harmless(text: str) -> None:
    """Either it parses, and so does what is printed of it, or the error names a line of the text."""
    try:
        printed = dump(text)
    except (SyntaxError, NotImplementedError) as error:
        line = re.match(r"line (\d+): .", str(error))
        assert line is not None and 1 <= int(line[1]) <= text.count("\n") + 1
    else:
        assert dump(printed) == printed


@given(st.lists(st.sampled_from(WORDS), max_size=40), st.booleans())
@settings(deadline=None, max_examples=300)
def test_words_in_any_order(words: list[str], inside: bool) -> None:
    text = " ".join(words)
    harmless(body(text) if inside else HEADER + text)


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text(text: str) -> None:
    harmless(text)
    harmless(HEADER + text)
    harmless(body(text))


@given(st.sampled_from([t for t, _ in OPERANDS]), st.data())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_shuffled_statements(text: str, data: st.DataObject) -> None:
    words = re.findall(r"\.[\w:]+|[%$\w]+|\"[^\"]*\"|\S", text)
    kind = data.draw(st.sampled_from(["permute", "drop", "double", "replace"]))
    at = data.draw(st.integers(0, len(words) - 1))
    if kind == "permute":
        words = data.draw(st.permutations(words))
    elif kind == "drop":
        del words[at]
    elif kind == "double":
        words.insert(at, words[at])
    else:
        words[at] = data.draw(st.sampled_from(WORDS))
    harmless(body(" ".join(words)))


def test_bytes_changed_anywhere() -> None:
    generator = random.Random(7)
    texts = [body(text) for text, _ in OPERANDS] + [HEADER + text for text, _ in VARIABLES]
    for _ in range(3000):
        text = generator.choice(texts)
        for _ in range(generator.randrange(1, 5)):
            at, gone = generator.randrange(len(text)), generator.randrange(2)
            text = text[:at] + generator.choice([chr(generator.randrange(128)), "é", ""]) + text[at + gone :]
        harmless(text)


@pytest.mark.parametrize(
    "piece",
    ["add.s32 %r1, %r1, 1;\n", "{ .reg .b32 x; }\n", "//\n", ".loc 1 1 1\n", ";", "mov.b32 %r1, 1" + "+1" * 30 + ";\n"],
)
def test_time_is_linear(piece: str) -> None:
    def seconds(characters: int) -> float:
        """The least of three, in processor time: others run beside this."""
        text = body(piece * (characters // len(piece)))
        times = []
        for _ in range(3):
            started = time.process_time()
            dump(text)
            times.append(time.process_time() - started)
        return min(times)

    assert seconds(800_000) < 24 * seconds(100_000)  # 8 times the text; a quadratic one would take 64 times as long
