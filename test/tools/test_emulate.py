"""``accelc emulate``: arguments, outputs, exit codes, and one clear message for what does not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from typer.testing import CliRunner

from accelc.tools.accelc import app

HEAD = ".version 8.0\n.target sm_90\n.address_size 64\n"
SCALE = (
    HEAD
    + """
.file 1 "scale.cu"
.visible .entry scale(.param .u64 x, .param .u64 y, .param .f32 a, .param .u32 n)
{
    .reg .pred %p;
    .reg .b32 %i, %n, %t, %c;
    .reg .b64 %x, %y, %o;
    .reg .f32 %v, %a;
    mov.u32 %t, %tid.x;
    mov.u32 %c, %ctaid.x;
    mov.u32 %i, %ntid.x;
    mad.lo.u32 %i, %c, %i, %t;
    ld.param.u32 %n, [n];
    setp.ge.u32 %p, %i, %n;
    @%p bra done;
    ld.param.u64 %x, [x];
    ld.param.u64 %y, [y];
    ld.param.f32 %a, [a];
    mul.wide.u32 %o, %i, 4;
    add.u64 %x, %x, %o;
    add.u64 %y, %y, %o;
    .loc 1 7 3
    ld.global.f32 %v, [%x];
    mul.f32 %v, %v, %a;
    st.global.f32 [%y], %v;
done:
    ret;
}
"""
)
# Writes its parameters, one after the other, to memory as 8 bytes each.
TYPES = ("u8", "s16", "u32", "s64", "f32", "f64", "u64")
ECHO = (
    HEAD
    + ".visible .entry echo(.param .u64 out"
    + "".join(f", .param .{t} p{k}" for k, t in enumerate(TYPES))
    + ", .param .align 4 .b8 st[12]) {\n.reg .b64 %o, %v; .reg .b32 %w; .reg .b16 %h;\nld.param.u64 %o, [out];\n"
    + """
    ld.param.u8 %h, [p0];   cvt.u64.u16 %v, %h;  st.global.u64 [%o], %v;
    ld.param.s16 %h, [p1];  cvt.s64.s16 %v, %h;  st.global.u64 [%o+8], %v;
    ld.param.u32 %w, [p2];  cvt.u64.u32 %v, %w;  st.global.u64 [%o+16], %v;
    ld.param.u64 %v, [p3];  st.global.u64 [%o+24], %v;
    ld.param.u32 %w, [p4];  cvt.u64.u32 %v, %w;  st.global.u64 [%o+32], %v;
    ld.param.u64 %v, [p5];  st.global.u64 [%o+40], %v;
    ld.param.u64 %v, [p6];  st.global.u64 [%o+48], %v;
    ld.param.u32 %w, [st+4]; cvt.u64.u32 %v, %w;  st.global.u64 [%o+56], %v;
    ret;
}
"""
)
SIMPLE = HEAD + ".visible .entry k() { BODY ret; }\n"
RACE = SIMPLE.replace("BODY", ".shared .b32 s; .reg .b32 %t; mov.u32 %t, %tid.x; st.shared.u32 [s], %t;")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("scale", SCALE), ("echo", ECHO), ("race", RACE)):
        Path(f"{name}.ptx").write_text(text)
    Path("two.ptx").write_text(HEAD + ".visible .entry a() { ret; }\n.visible .entry b() { ret; }\n")
    np.save("x.npy", np.arange(100, dtype=np.float32))


def emulate(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["emulate", *args])
    assert "Traceback" not in result.stdout + result.stderr
    return result.exit_code, result.stdout, result.stderr


def scale(*options: str, x: str = "x.npy", y: str = "zeros:f32[100]>y.npy", n: str = "i32:100") -> Any:
    given = [word for a in (x, y, "f32:2", n) for word in ("--arg", a)]
    return emulate("scale.ptx", "--grid", "2", "--block", "64", *given, *options)


# ---- what it does ----


def test_a_kernel_runs_and_its_array_is_saved() -> None:
    code, out, err = scale("--sanitize")
    assert (code, err) == (0, "")
    assert "scale: no findings; 68 warp instructions, 1,824 thread instructions" in out
    assert "saved y.npy" in out
    np.testing.assert_array_equal(np.load("y.npy"), 2 * np.load("x.npy"))
    np.testing.assert_array_equal(np.load("x.npy"), np.arange(100))


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("zeros", np.zeros(100)),
        ("ones", 2 * np.ones(100)),
        ("iota", 2 * np.arange(100)),
        ("random", 2 * np.random.default_rng(0).standard_normal(100).astype(np.float32)),
    ],
)
def test_fills(fill: str, expected: np.ndarray[Any, Any]) -> None:
    assert scale("--sanitize", x=f"{fill}:f32[10,10]", y="empty:f32[4, 25] > y.npy")[0] == 0
    found = np.load("y.npy")
    assert found.shape == (4, 25)
    np.testing.assert_array_equal(found.reshape(-1), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("fill", "dtype"),
    [("f16", np.float16), ("bf16", ml_dtypes.bfloat16), ("f64", np.float64), ("i8", np.int8), ("u16", np.uint16),
     ("u64", np.uint64), ("e4m3", ml_dtypes.float8_e4m3fn), ("e5m2", ml_dtypes.float8_e5m2), ("i64", np.int64)],
)  # fmt: skip
def test_element_types_come_back_as_they_were(fill: str, dtype: Any) -> None:
    assert scale("--arg", f"iota:{fill}[7]>z.npy", n="i32:0")[0] == 2  # one too many
    assert scale(y=f"iota:{fill}[7]>z.npy", n="i32:0")[0] == 0
    np.testing.assert_array_equal(np.load("z.npy").view(dtype), np.arange(7).astype(dtype))


def test_scalars_follow_the_kernels_parameters() -> None:
    values = ("i32:-1", "i16:-7", "u32:0xffffffff", "i64:-5", "f32:0.5", "f32:0.25", "null",
              "bytes:0x000000002a00000000000000")  # fmt: skip
    values = ("u8:255", *values[1:])
    given = [word for a in ("zeros:u64[8]>o.npy", *values) for word in ("--arg", a)]
    code, _, err = emulate("echo.ptx", "--block", "1", *given)
    assert code == 0, err
    bits = [255, 2**64 - 7, 2**32 - 1, 2**64 - 5, int(np.float32(0.5).view(np.uint32)),
            int(np.float64(0.25).view(np.uint64)), 0, 42]  # fmt: skip
    assert np.load("o.npy").tolist() == bits


def test_the_grid_cluster_shared_memory_and_threads_are_the_launches() -> None:
    body = """.reg .b64 %o; .reg .b32 %v, %a; .reg .pred %p; ld.param.u64 %o, [out];
        mov.u32 %v, %ctaid.z; st.global.u32 [%o], %v; mov.u32 %v, %ntid.y; st.global.u32 [%o+4], %v;
        mov.u32 %v, %cluster_nctaid.x; st.global.u32 [%o+8], %v;
        mov.u32 %v, %dynamic_smem_size; st.global.u32 [%o+12], %v;"""
    text = SIMPLE.replace("k()", "k(.param .u64 out)").replace("BODY", body)
    Path("g.ptx").write_text(text)
    code, _, err = emulate("g.ptx", "--grid", "2,1,3", "--block", "4,5", "--cluster", "2", "--shared", "4096",
                           "--threads", "2", "--arg", "zeros:u32[4]>g.npy")  # fmt: skip
    assert code == 0, err
    found = np.load("g.npy").tolist()
    assert found[0] in (0, 1, 2)
    assert found[1:] == [5, 2, 4096]


def test_counters_as_tables_and_json() -> None:
    for by, word in (("opcode", "mul.f32"), ("line", "28"), ("source", "scale.cu:7"), ("space", "global")):
        code, out, _ = scale("--counters", "--by", by)
        assert code == 0
        assert f"scale, by {by}" in out
        assert word in out
    code, out, _ = scale("--json", "--sanitize")
    assert code == 0
    report = json.loads(out)
    assert report["kernel"] == "scale"
    assert report["findings"] == []
    counters = report["counters"]
    assert counters["total"]["thread_instructions"] == 1824
    assert counters["by_space"]["global"]["bytes"] == 800
    assert counters["by_opcode"]["ld.global.f32"]["sectors"] == 13
    for grouped in ("by_opcode", "by_line", "by_source"):
        assert sum(c["warp_instructions"] for c in counters[grouped].values()) == 68


def test_findings_are_told_and_give_one() -> None:
    code, out, _ = emulate("race.ptx", "--block", "64", "--sanitize")
    assert code == 1
    assert "race at k, PTX line 4" in out
    assert "k: 1 finding;" in out
    (finding,) = json.loads(emulate("race.ptx", "--block", "64", "--sanitize", "--json")[1])["findings"]
    assert (finding["kind"], finding["line"]) == ("race", 4)
    assert emulate("race.ptx", "--block", "64")[0] == 0


def test_a_fault_is_told_without_the_sanitizer() -> None:
    code, out, _ = scale(x="zeros:f32[99]", n="u32:100")
    assert code == 1
    assert "out_of_bounds at scale, PTX line" in out
    assert "(scale.cu:7)" in out


def test_endless_kernels_end() -> None:
    Path("loop.ptx").write_text(SIMPLE.replace("BODY", "top: bra top;"))
    code, out, _ = emulate("loop.ptx", "--max-steps", "1000")
    assert code == 1
    assert "step_limit" in out


def test_what_the_kernel_prints_is_shown() -> None:
    Path("p.ptx").write_text(
        HEAD
        + """.extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);
.global .align 1 .b8 text[11] = {104, 105, 32, 37, 100, 10, 0};
.visible .entry k() {
    .local .align 8 .b8 frame[8]; .reg .b64 %f, %a; .reg .b32 %v;
    mov.b32 %v, 7; st.local.u32 [frame], %v;
    mov.u64 %f, text; cvta.global.u64 %f, %f; mov.u64 %a, frame; cvta.local.u64 %a, %a;
    { .param .b64 p0; .param .b64 p1; .param .b32 r0;
      st.param.b64 [p0], %f; st.param.b64 [p1], %a;
      call.uni (r0), vprintf, (p0, p1); ld.param.b32 %v, [r0]; }
    ret;
}
"""
    )
    code, out, err = emulate("p.ptx", "--block", "1")
    assert code == 0, err
    assert out.startswith("hi 7\n")
    assert json.loads(emulate("p.ptx", "--block", "1", "--json")[1])["output"] == "hi 7\n"


# ---- what does not fit ----

GOOD = ("--arg", "x.npy", "--arg", "zeros:f32[100]", "--arg", "f32:2", "--arg", "i32:4")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["none.ptx"], 2, "PTX file 'none.ptx' does not exist"),
        (["."], 2, "is a folder"),
        (["binary.ptx"], 2, "is no text: PTX is wanted, not a cubin"),
        (["empty.ptx"], 2, "line 1"),
        (["prose.ptx"], 2, "line 1"),
        (["cut.ptx"], 2, "line"),
        (["unknown.ptx"], 3, "line 4: frobnicate.u32: unknown instruction"),
        (["texture.ptx"], 3, "tex"),
        (["scale.ptx", "--entry", "scala", *GOOD], 2, "the module has no kernel scala"),
        (["two.ptx"], 2, "the module has 2 kernels; say which by --entry"),
        (["scale.ptx"], 2, "the kernel takes 4 arguments (.u64 x, .u64 y, .f32 a, .u32 n), and 0 are given"),
        (["scale.ptx", *GOOD, "--arg", "i32:1"], 2, "and 5 are given"),
        (["scale.ptx", *GOOD[:6], "--arg", "i64:4294967296"], 2, "does not fit"),
        (["scale.ptx", *GOOD[:6], "--arg", "f64:0.5"], 2, "a float for parameter .u32 n"),
        (["scale.ptx", *GOOD[:6], "--arg", "x.npy"], 2, "an address for parameter .u32 n"),
        (["scale.ptx", *GOOD[:6], "--arg", "bytes:0000"], 2, "2 bytes for parameter .u32 n"),
        (["scale.ptx", "--arg", "bytes:0g"], 2, "'0g' is no bytes"),
        (["scale.ptx", "--arg", "i32:x"], 2, "'x' is no i32"),
        (["scale.ptx", "--arg", "u8:256"], 2, "more than 8 bits"),
        (["scale.ptx", "--arg", "i99:5"], 2, "there is no type 'i99'"),
        (["scale.ptx", "--arg", "zeros:f33[4]"], 2, "there is no type 'f33'"),
        (["scale.ptx", "--arg", "what"], 2, "--arg 'what' is not understood"),
        (["scale.ptx", "--arg", "fill:f32[4]"], 2, "is not understood"),
        (["scale.ptx", "--arg", ""], 2, "is not understood"),
        (["scale.ptx", "--arg", "i32:5>y.npy"], 2, "only an array can be saved"),
        (["scale.ptx", "--arg", "zeros:f32[4,,4]"], 2, "a shape is up to 32 sizes"),
        (["scale.ptx", "--arg", "zeros:f32[" + "1," * 40 + "1]"], 2, "a shape is up to 32 sizes"),
        (["scale.ptx", "--arg", "zeros:f32[999999999999]"], 2, "takes more than 4 GiB"),
        (["scale.ptx", "--arg", "zeros:f32[" + "9" * 5000 + "]"], 2, "a shape is up to 32 sizes"),
        (["scale.ptx", "--arg", "none.npy"], 2, "array 'none.npy' does not exist"),
        (["scale.ptx", "--arg", "text.npy"], 2, "is no .npy file"),
        (["scale.ptx", "--arg", "several.npy"], 2, "it holds several arrays"),
        (["scale.ptx", "--arg", "objects.npy"], 2, "is no .npy file"),
        (["scale.ptx", "--arg", "zeros:f32[4]>"], 2, "behind > stands the file"),
        (["scale.ptx", "--arg", "zeros:f32[4]>no/where.npy"], 2, "'no' is no folder that can be written"),
        (["scale.ptx", "--arg", "zeros:f32[4]>."], 2, "it is a folder"),
        (["scale.ptx", *GOOD, "--grid", "0"], 2, "--grid 0: one to three positive numbers"),
        (["scale.ptx", *GOOD, "--grid", "1,1,1,1"], 2, "--grid 1,1,1,1"),
        (["scale.ptx", *GOOD, "--grid", "x"], 2, "--grid x"),
        (["scale.ptx", *GOOD, "--grid", "9" * 5000], 2, "--grid 999"),
        (["scale.ptx", *GOOD, "--grid", "9999999999"], 2, "grid"),
        (["scale.ptx", *GOOD, "--grid", "1,65536"], 2, "grid"),
        (["scale.ptx", *GOOD, "--block", "1025"], 2, "1025"),
        (["scale.ptx", *GOOD, "--block", "-1"], 2, "--block -1"),
        (["scale.ptx", *GOOD, "--cluster", ""], 2, "--cluster"),
        (["scale.ptx", *GOOD, "--cluster", "3", "--grid", "4"], 2, "cluster"),
        (["scale.ptx", *GOOD, "--shared", "400000"], 2, "shared"),
        (["scale.ptx", *GOOD, "--shared", "-1"], 2, "--shared"),
        (["scale.ptx", *GOOD, "--threads", "100000"], 2, "threads"),
        (["scale.ptx", *GOOD, "--by", "colour"], 2, "--by colour: counters go by opcode, line, source, space"),
        (["scale.ptx", *GOOD, "--max-steps", "0"], 2, "--max-steps"),
    ],
)
def test_bad_input_is_one_clear_message(args: list[str], code: int, message: str) -> None:
    Path("binary.ptx").write_bytes(b"\x7fELF\x02\x01\x80\xff" * 10)
    Path("empty.ptx").write_text("")
    Path("prose.ptx").write_text("hello\n")
    Path("cut.ptx").write_text(SCALE[:500])
    Path("unknown.ptx").write_text(SIMPLE.replace("BODY", "frobnicate.u32 %r1, %r2;"))
    Path("texture.ptx").write_text(
        HEAD + ".global .texref t;\n.visible .entry k() {\n.reg .f32 %f<5>; .reg .b32 %r1;\n"
        "tex.1d.v4.f32.s32 {%f1,%f2,%f3,%f4}, [t, {%r1}];\nret; }\n"
    )
    Path("text.npy").write_text("no array")
    with open("several.npy", "wb") as f:
        np.savez(f, a=np.zeros(1), b=np.zeros(1))
    np.save("objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    before = {path: path.stat().st_mtime_ns for path in Path().iterdir()}
    got, out, err = emulate(*args)
    assert got == code, err
    assert message in re.sub(r"\s*│\s*", " ", err)  # the command line parser's own messages come in a box
    if not err.startswith("Usage"):
        assert err.startswith("accelc: error: ")
        assert len(err.splitlines()) <= 3
    assert out == ""
    assert {path: path.stat().st_mtime_ns for path in Path().iterdir()} == before


def test_nothing_is_saved_where_the_launch_is_refused() -> None:
    code, _, _ = scale("--block", "2000")
    assert code == 2
    assert not Path("y.npy").exists()


def test_kernels_variables_and_results_stay_on_their_streams() -> None:
    code, out, err = scale("--json")
    assert (code, err) == (0, "")
    json.loads(out)
