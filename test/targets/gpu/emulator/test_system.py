"""Functions of the system that PTX calls by name: printf against C's, assertions, the device's heap, and refusals."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bodies import findings, launch, source, store
from toolkit import needs_nvcc

from accelc.core.diagnostics import Error
from accelc.targets.gpu.emulator import Emulator

both = pytest.mark.parametrize("sanitize", [False, True])
VPRINTF = ".extern .func (.param .b32 result) vprintf (.param .b64 format, .param .b64 arguments);\n"
CALL = """
    cvta.global.u64 %rd20, {format};
    cvta.local.u64 %rd21, %rd22;
    {{ .param .b64 a; .param .b64 b; .param .b32 r;
       st.param.b64 [a], %rd20; st.param.b64 [b], %rd21;
       call.uni (r), vprintf, (a, b);
       ld.param.b32 %r40, [r]; }}
"""
LOCAL = ".local .align 8 .b8 room[512];"


def string(name: str, text: bytes) -> str:
    data = [*text, 0]
    return f".global .align 1 .b8 {name}[{len(data)}] = {{{', '.join(map(str, data))}}};\n"


def c_printf(text: bytes, *values: object) -> bytes:
    """What this machine's C library prints."""
    size = 1 << 16
    buffer = ctypes.create_string_buffer(size)
    libc = ctypes.CDLL(None)
    libc.snprintf.restype = ctypes.c_int
    length = libc.snprintf(buffer, ctypes.c_size_t(size), text, *values)
    return buffer.raw[:length]


Int, Long, Double = ctypes.c_int, ctypes.c_longlong, ctypes.c_double
INTS = [0, 1, -1, 42, 2**31 - 1, -(2**31), 0x1234ABCD]
LONGS = [0, -1, 2**63 - 1, -(2**63), 0x123456789ABCDEF0]
DOUBLES = [0.0, -0.0, 1.5, -3.25e-7, 1e300, 5e-324, float("inf"), float("-inf"), float("nan"), 123456.789, 2 / 3]


def cases() -> list[tuple[str, list[object]]]:
    rng = np.random.default_rng(8)
    flags = ["", "-", "+", " ", "#", "0", "-+", "+0", "# ", "-#0"]
    widths = ["", "1", "8", "25"]
    precisions = ["", ".", ".0", ".3", ".20"]
    result: list[tuple[str, list[object]]] = []
    for conversion in "dixXou":
        for size, values in (("", INTS), ("h", INTS), ("hh", INTS), ("l", LONGS), ("ll", LONGS), ("z", LONGS)):
            for _ in range(12):
                spec = f"%{rng.choice(flags)}{rng.choice(widths)}{rng.choice(precisions)}{size}{conversion}"
                value = int(rng.choice(np.array(values, object)))
                result.append((spec, [Int(value) if values is INTS else Long(value)]))
    for conversion in "eEfFgGaA":
        for _ in range(30):
            spec = f"%{rng.choice(flags)}{rng.choice(widths)}{rng.choice(precisions)}{conversion}"
            result.append((spec, [Double(float(rng.choice(DOUBLES)))]))
    result += [(spec, [Int(ord("x"))]) for spec in ("%c", "%5c", "%-5c|")]
    for spec in ("%*d|", "%-*d|", "%0*d|"):
        result += [(spec, [Int(width), Int(77)]) for width in (0, 3, 9, -9)]
    result += [("%.*f|", [Int(p), Double(2 / 3)]) for p in (0, 4, -1)]
    result += [("%*.*e|", [Int(20), Int(3), Double(-1e10)])]
    result += [("%p|", [Long(0)]), ("%p|", [Long(0x7F0012345678)]), ("%20p|", [Long(4096)])]
    result += [
        ("100%% of %d%%\n", [Int(5)]),
        ("no conversion\n", []),
        ("%d %lld %f %c%c %x\n", [Int(-5), Long(-6), Double(0.5), Int(65), Int(66), Int(255)]),
    ]
    return result


def arguments(values: list[object]) -> tuple[list[str], int]:
    """Stores of the values into `room`, each aligned to its size."""
    text, at = [], 0
    for value in values:
        if isinstance(value, Int):
            text.append(f"st.local.u32 [room + {at}], {value.value & 0xFFFFFFFF};")
            at += 4
            continue
        at = (at + 7) // 8 * 8
        bits = int(np.float64(value.value).view(np.uint64)) if isinstance(value, Double) else value.value  # type: ignore[attr-defined]
        text.append(f"mov.u64 %rd25, {hex(bits & (2**64 - 1))}; st.local.u64 [room + {at}], %rd25;")
        at += 8
    return text, at


def test_printf_against_c() -> None:
    rows = cases()
    preamble, body, want = VPRINTF, "mov.u64 %rd22, room;\n", b""
    for n, (spec, values) in enumerate(rows):
        preamble += string(f"f{n}", f"{spec}\n".encode())
        body += (
            "\n".join(arguments(values)[0]) + CALL.format(format=f"f{n}") + f"st.global.u32 [%rd0 + {4 * n}], %r40;\n"
        )
        want += c_printf(f"{spec}\n".encode(), *values)
    counts = np.zeros(len(rows), np.uint32)
    report = launch(body, counts, block=1, declarations=LOCAL, preamble=preamble, sanitize=True)
    got = report.output.encode("latin-1") if isinstance(report.output, str) else report.output
    assert got.split(b"\n") == want.split(b"\n")
    np.testing.assert_array_equal(counts, [len(values) for _, values in rows])


@both
def test_printf_of_strings_and_lanes(sanitize: bool) -> None:
    """Lanes in their order; strings in global, shared and local memory; null; a character of the lane's own."""
    preamble = VPRINTF + string("f", b"%d:%s:%-6.3s|%s %s\n") + string("text", b"global text")
    body = (
        """
        mov.u64 %rd22, room;
        rem.u32 %r1, %t, 3;
        setp.eq.u32 %p0, %r1, 1;
        @!%p0 bra END;
        mov.u32 %r2, 0x00636261;
        st.shared.u32 [s], %r2;
        add.u32 %r3, %r2, %t;
        st.local.u32 [room + 256], %r3;
        cvta.global.u64 %rd1, text;
        cvta.shared.u64 %rd2, s;
        add.u64 %rd3, %rd22, 256;
        cvta.local.u64 %rd3, %rd3;
        st.local.u32 [room], %t;
        st.local.u64 [room + 8], %rd3;
        st.local.u64 [room + 16], %rd1;
        st.local.u64 [room + 24], %rd2;
        mov.u64 %rd4, 0;
        st.local.u64 [room + 32], %rd4;
    """
        + CALL.format(format="f")
        + "END:"
    )
    report = launch(body, declarations=LOCAL + ".shared .align 4 .b8 s[8];", preamble=preamble, sanitize=sanitize)
    lines = [f"{t}:{chr(0x61 + t)}bc:glo   |abc (null)\n" for t in range(1, 32, 3)]
    lines[-1] = lines[-1].replace("\x80", "\ufffd")  # it is no UTF-8
    assert report.output == "".join(lines)


def test_printf_oddities() -> None:
    """Formats that C leaves undefined are printed as they stand; no format is -1; no end of it is a fault."""
    preamble = VPRINTF + string("f", b"%y %") + ".global .align 1 .b8 endless[4] = {65, 66, 67, 68};\n"
    out = np.zeros(1, np.uint32)
    assert (
        launch("mov.u64 %rd22, room;" + CALL.format(format="f"), block=1, declarations=LOCAL, preamble=preamble).output
        == "%y %"
    )
    null = CALL.replace("cvta.global.u64 %rd20, {format};", "mov.u64 %rd20, 0;").format()
    report = launch("mov.u64 %rd22, room;" + null + store("%r40"), out, block=1, declarations=LOCAL, preamble=preamble)
    assert (report.output, out[0]) == ("", 0xFFFFFFFF)
    for sanitize in (False, True):
        found = findings(
            "mov.u64 %rd22, room;" + CALL.format(format="endless"),
            block=1,
            declarations=LOCAL,
            preamble=preamble,
            sanitize=sanitize,
        )
        assert [kind for kind, _ in found] == ["out_of_bounds"], found


def test_printf_output_has_a_limit() -> None:
    preamble = VPRINTF + string("f", b"%4000d\n")
    body = (
        """
        mov.u64 %rd22, room;
        st.local.u32 [room], %t;
        mov.u32 %r1, 0;
    L:
    """
        + CALL.format(format="f")
        + "add.u32 %r1, %r1, 1; setp.lt.u32 %p0, %r1, 200; @%p0 bra L;"
    )
    report = launch(body, declarations=LOCAL, preamble=preamble)
    assert len(report.output) == 16 << 20


ASSERT = (
    ".extern .func __assertfail (.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 s)"
    " .noreturn;\n"
)


@both
def test_assert(sanitize: bool) -> None:
    preamble = ASSERT + string("message", b"x > 0") + string("file", b"kernel.cu") + string("name", b"void k(int *)")
    body = """
        mov.u32 %r2, %tid.y;
        setp.ne.u32 %p0, %r2, 1;
        @%p0 bra END;
        setp.lt.u32 %p0, %t, 2;
        @%p0 bra END;
        cvta.global.u64 %rd1, message; cvta.global.u64 %rd2, file; cvta.global.u64 %rd3, name;
        { .param .b64 m; .param .b64 f; .param .b32 l; .param .b64 n; .param .b64 s;
          st.param.b64 [m], %rd1; st.param.b64 [f], %rd2; st.param.b32 [l], 17; st.param.b64 [n], %rd3;
          st.param.b64 [s], 1;
          call.uni __assertfail, (m, f, l, n, s); }
        mov.u32 %r3, 1;
        st.global.u32 [%rd0], %r3;
    END:
    """
    out = np.zeros(1, np.uint32)
    report = launch(body, out, block=(4, 2), preamble=preamble, sanitize=sanitize, raise_on_finding=False)
    assert out[0] == 0
    assert [f.kind for f in report.findings] == ["trap"]
    assert "x > 0" in report.findings[0].message and "kernel.cu:17" in report.findings[0].message
    lines = [
        f"kernel.cu:17: void k(int *): block: [0,0,0], thread: [{x},1,0] Assertion `x > 0` failed." for x in (2, 3)
    ]
    assert report.output.splitlines() == lines


HEAP = ".extern .func (.param .b64 p) malloc (.param .b64 n);\n.extern .func free (.param .b64 p);\n"
MALLOC = (
    "{{ .param .b64 n; .param .b64 p; st.param.b64 [n], {0}; call.uni (p), malloc, (n); ld.param.b64 {1}, [p]; }}\n"
)
FREE = "{{ .param .b64 p; st.param.b64 [p], {0}; call.uni free, (p); }}\n"


@both
@pytest.mark.parametrize("threads", [1, 2])
def test_heap(threads: int, sanitize: bool) -> None:
    """Every thread's block is its own; what was freed is given out again."""
    out = np.zeros((4, 64), np.uint32)
    body = (
        """
        mov.u32 %r1, %ctaid.x;
        mad.lo.u32 %r1, %r1, 64, %t;
        mov.u32 %r2, 0;
        mov.u32 %r9, 0;
    L:  and.b32 %r3, %r1, 7;
        add.u32 %r3, %r3, 1;
        mul.lo.u32 %r3, %r3, 4;
        cvt.u64.u32 %rd1, %r3;
        """
        + MALLOC.format("%rd1", "%rd2")
        + """
        mov.u64 %rd3, %rd2;
        mov.u32 %r4, 0;
    W:  add.u32 %r5, %r1, %r4;
        st.u32 [%rd3], %r5;
        add.u64 %rd3, %rd3, 4;
        add.u32 %r4, %r4, 4;
        setp.lt.u32 %p0, %r4, %r3;
        @%p0 bra W;
        bar.sync 0;
        ld.u32 %r6, [%rd3 + -4];
        add.u32 %r9, %r9, %r6;
        """
        + FREE.format("%rd2")
        + """
        add.u32 %r2, %r2, 1;
        setp.lt.u32 %p0, %r2, 20;
        @%p0 bra L;
        """
        + store("%r9", index="%r1")
    )
    launch(body, out, grid=4, block=64, preamble=HEAP, threads=threads, sanitize=sanitize)
    index = np.arange(256)
    np.testing.assert_array_equal(out.reshape(-1), 20 * (index + index % 8 * 4))


def test_heap_is_finite_and_has_bounds() -> None:
    out = np.zeros(2, np.uint64)
    body = MALLOC.format("%rd9", "%rd2") + "st.global.u64 [%rd0], %rd2;" + FREE.format("0")
    for size, ok in ((9 << 20, False), (8 << 20, True), (0, False), (100, True)):
        launch(f"mov.u64 %rd9, {size};" + body, out, block=1, preamble=HEAP)
        assert bool(out[0]) == ok
    wrong = {
        "out_of_bounds": "st.u8 [%rd2 + 100], %r1;",
        "misaligned": "st.u32 [%rd2 + 1], %r1;",
        "uninitialized": "ld.u32 %r1, [%rd2];",
    }
    for kind, text in wrong.items():
        assert [k for k, _ in findings("mov.u64 %rd9, 100;" + body + text, out, block=1, preamble=HEAP)] == [kind]
    used_after = "mov.u64 %rd9, 100;" + body + FREE.format("%rd2") + "st.u8 [%rd2], %r1;"
    twice = "mov.u64 %rd9, 100;" + body + FREE.format("%rd2") + FREE.format("%rd2")
    for text in (used_after, twice):
        for sanitize in (False, True):
            found = findings(text, out, block=1, preamble=HEAP, sanitize=sanitize)
            assert [k for k, _ in found] == ["out_of_bounds"], found


@pytest.mark.parametrize(
    ("declaration", "call", "word"),
    [
        (
            ".extern .func (.param .b64 r) cudaGetParameterBufferV2 (.param .b64 f);",
            "call (r), cudaGetParameterBufferV2, (n);",
            "launch kernels",
        ),
        (
            ".extern .func (.param .b32 r) cudaLaunchDeviceV2 (.param .b64 f);",
            "call (q), cudaLaunchDeviceV2, (n);",
            "launch kernels",
        ),
        (".extern .func (.param .b64 r) __nv_fast_sin (.param .b64 f);", "call (r), __nv_fast_sin, (n);", "libdevice"),
        (".extern .func (.param .b64 r) elsewhere (.param .b64 f);", "call (r), elsewhere, (n);", "not defined"),
    ],
)
def test_refused(declaration: str, call: str, word: str) -> None:
    body = "{ .param .b64 n; .param .b64 r; .param .b32 q;\n" + call + " }"
    with pytest.raises(Error, match=word):
        Emulator(source(body, preamble=declaration)).launch("k")


def test_another_signature_is_told() -> None:
    declaration = ".extern .func (.param .b64 r) malloc (.param .b32 n);"
    body = "{ .param .b32 n; .param .b64 r; st.param.b32 [n], 4; call (r), malloc, (n); }"
    report = Emulator(source(body, preamble=declaration)).launch("k", raise_on_finding=False)
    assert [f.kind for f in report.findings] == ["trap"]


@needs_nvcc
def test_what_nvcc_makes_of_printf_and_assert(tmp_path: Path) -> None:
    """The front end's own calls, with their parameter buffers."""
    (tmp_path / "k.cu").write_text(
        r"""
        #include <cassert>
        #include <cstdio>
        extern "C" __global__ void k(int *out, int n) {
            int i = threadIdx.x;
            int *block = static_cast<int *>(malloc((i + 1) * sizeof(int)));
            for (int k = 0; k <= i; ++k) block[k] = k * n;
            int sum = 0;
            for (int k = 0; k <= i; ++k) sum += block[k];
            free(block);
            out[i] = printf("%s %d of %u: %lld %5.2f %c\n",
                            i % 2 ? "odd" : "even", i, blockDim.x, (long long)sum << 33, sum / 7.0, 'a' + i);
            assert(sum < 100 * n);
        }"""
    )
    command = ["nvcc", "-arch=sm_90a", "-ptx", "k.cu", "-o", "k.ptx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nvcc does not compile here: {done.stderr[:200]}")
    out = np.zeros(16, np.int32)
    report = Emulator((tmp_path / "k.ptx").read_text()).launch("k", block=16, args=[out, 3], raise_on_finding=False)
    sums = [3 * i * (i + 1) // 2 for i in range(16)]
    lines = [
        f"{'odd' if i % 2 else 'even'} {i} of 16: {s << 33} {s / 7.0:5.2f} {chr(97 + i)}" for i, s in enumerate(sums)
    ]
    printed = report.output.splitlines()
    assert printed[:16] == lines
    np.testing.assert_array_equal(out, 6)
    failed = [i for i, s in enumerate(sums) if s >= 300]
    assert len(printed) == 16 + len(failed)
    assert [f.kind for f in report.findings] == (["trap"] if failed else [])
