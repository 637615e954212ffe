"""Kernels whose speed is measured, each with its arguments and what it must compute: for test_speed.py and the bench.

A kernel is plain PTX, so that no compiler is needed. `Work.check` compares its results with numpy's. The peer that the
emulator is measured beside is naive_interpreter.cpp.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

HEADER = ".version 8.0\n.target sm_90a\n.address_size 64\n"


def cpu_seconds() -> float:
    """CPU time of this process and its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def build_peer(folder: Path) -> Path | None:
    """The peer's program; None where there is no g++."""
    if shutil.which("g++") is None:
        return None
    program = folder / "peer"
    source = Path(__file__).parent / "naive_interpreter.cpp"
    subprocess.run(["g++", "-O3", "-march=native", "-std=c++20", "-o", str(program), str(source)], check=True)
    return program


def run_peer(program: Path) -> float:
    """Thread instructions a CPU second of the peer on its copy of the arithmetic kernel."""
    return float(subprocess.run([program], check=True, capture_output=True, text=True).stdout)


@dataclass(frozen=True)
class Work:
    """A kernel, a launch of it, and a check of the results."""

    name: str
    ptx: str
    grid: int
    block: int
    args: list[Any]
    check: Callable[[], bool]
    flops: int = 0  # of matrix instructions, by the shapes; 0 where there are none
    shared_bytes: int = 0


def _entry(name: str, parameters: int, registers: str, body: list[str], shared: str = "") -> str:
    """A kernel `name` whose 64-bit parameters are read into %rd0, %rd1, ... and %n (32 bits) from the last."""
    names = [f".param .u64 p{k}" for k in range(parameters)] + [".param .u32 count"]
    lines = [HEADER, shared, f".visible .entry {name}({', '.join(names)})", "{", registers, ".reg .b32 %n;"]
    lines += [f"ld.param.u64 %rd{k}, [p{k}]; cvta.to.global.u64 %rd{k}, %rd{k};" for k in range(parameters)]
    return "\n".join([*lines, "ld.param.u32 %n, [count];", *body, "ret;", "}", ""])


#: %t: index of the thread in the grid; %x: in the block; %b: the block.
_PLACE = [
    "mov.u32 %x, %tid.x; mov.u32 %b, %ctaid.x; mov.u32 %w, %ntid.x;",
    "mad.lo.u32 %t, %b, %w, %x;",
]
_COMMON = ".reg .b32 %x, %b, %w, %t;\n.reg .b64 %rd<32>;\n.reg .b32 %r<64>;\n.reg .f32 %f<80>;\n.reg .pred %p<8>;"


def arithmetic(blocks: int = 64, loops: int = 400) -> Work:
    """Eight chains of f32 fma, 64 a turn: nothing but arithmetic."""
    out = np.zeros(blocks * 256, np.float32)
    body = [*_PLACE, "cvt.rn.f32.u32 %f8, %x;"]
    body += [f"add.f32 %f{k}, %f8, 0f{np.float32(k).view(np.uint32):08X};" for k in range(8)]
    body += ["mov.u32 %r0, 0;", "LOOP:"]
    body += [f"fma.rn.f32 %f{k % 8}, %f{k % 8}, 0f3F000000, 0f3F800000;" for k in range(64)]
    body += ["add.u32 %r0, %r0, 1;", "setp.lt.u32 %p0, %r0, %n;", "@%p0 bra LOOP;"]
    body += [f"add.f32 %f0, %f0, %f{k};" for k in range(1, 8)]
    body += ["mul.wide.u32 %rd8, %t, 4;", "add.u64 %rd8, %rd0, %rd8;", "st.global.f32 [%rd8], %f0;"]
    # Each chain goes to the fixed point of x / 2 + 1.
    return Work(
        "arithmetic",
        _entry("k", 1, _COMMON, body),
        blocks,
        256,
        [out, loops],
        lambda: bool(np.all(np.abs(out - 16) < 1e-3)),
    )


def integers(blocks: int = 64, loops: int = 300) -> Work:
    """A mix of 32-bit integer instructions: a hash of eight words."""
    out = np.zeros(blocks * 256, np.uint32)
    body = [*_PLACE, *[f"add.u32 %r{k}, %t, {k * 7919};" for k in range(8)], "mov.u32 %r20, 0;", "LOOP:"]
    for k in range(8):
        a, b = k, (k + 1) % 8
        body += [
            f"mad.lo.u32 %r{a}, %r{a}, 1664525, %r{b};",
            f"xor.b32 %r{a}, %r{a}, %r{b};",
            f"shr.u32 %r16, %r{a}, 13;",
            f"lop3.b32 %r{a}, %r{a}, %r16, %r{b}, 0x96;",
            f"shl.b32 %r17, %r{a}, 5;",
            f"add.u32 %r{a}, %r{a}, %r17;",
            f"min.u32 %r18, %r{a}, %r{b};",
            f"sub.u32 %r{a}, %r{a}, %r18;",
        ]
    body += ["add.u32 %r20, %r20, 1;", "setp.lt.u32 %p0, %r20, %n;", "@%p0 bra LOOP;"]
    body += [f"xor.b32 %r0, %r0, %r{k};" for k in range(1, 8)]
    body += ["mul.wide.u32 %rd8, %t, 4;", "add.u64 %rd8, %rd0, %rd8;", "st.global.u32 [%rd8], %r0;"]

    def check() -> bool:
        t = np.arange(out.size, dtype=np.uint32)
        r = [t + np.uint32(k * 7919) for k in range(8)]
        for _ in range(loops):
            for k in range(8):
                a, b = r[k], r[(k + 1) % 8]
                a = (a * np.uint32(1664525) + b) ^ b
                a = a ^ (a >> np.uint32(13)) ^ b
                a = a + (a << np.uint32(5))
                r[k] = a - np.minimum(a, b)
        total = r[0]
        for k in range(1, 8):
            total = total ^ r[k]
        return bool(np.array_equal(total, out))

    return Work("integers", _entry("k", 1, _COMMON, body), blocks, 256, [out, loops], check)


def reduction(blocks: int = 4096) -> Work:
    """The sum of each block's 256 numbers: a tree through shared memory, with a barrier at each level."""
    data = np.random.default_rng(1).integers(0, 1000, blocks * 256).astype(np.float32)
    out = np.zeros(blocks, np.float32)
    body = [*_PLACE, "mul.wide.u32 %rd8, %t, 4;", "add.u64 %rd8, %rd0, %rd8;", "ld.global.f32 %f0, [%rd8];"]
    body += ["mov.u32 %r0, tile;", "shl.b32 %r1, %x, 2;", "add.u32 %r0, %r0, %r1;", "st.shared.f32 [%r0], %f0;"]
    body += ["mov.u32 %r2, 128;", "LOOP:", "bar.sync 0;", "setp.ge.u32 %p0, %x, %r2;", "@%p0 bra SKIP;"]
    body += ["shl.b32 %r3, %r2, 2;", "add.u32 %r3, %r0, %r3;", "ld.shared.f32 %f1, [%r3];", "ld.shared.f32 %f2, [%r0];"]
    body += ["add.f32 %f2, %f2, %f1;", "st.shared.f32 [%r0], %f2;", "SKIP:", "shr.u32 %r4, %r2, 1;"]
    body += ["setp.gt.u32 %p1, %r2, 1;", "mov.u32 %r2, %r4;", "@%p1 bra LOOP;"]
    body += ["setp.ne.u32 %p2, %x, 0;", "@%p2 bra END;", "ld.shared.f32 %f3, [%r0];"]
    body += ["mul.wide.u32 %rd9, %b, 4;", "add.u64 %rd9, %rd1, %rd9;", "st.global.f32 [%rd9], %f3;", "END:"]
    ptx = _entry("k", 2, _COMMON, body, ".shared .align 4 .b8 tile[1024];")

    def check() -> bool:
        return bool(np.array_equal(out, data.reshape(blocks, 256).sum(1)))

    return Work("reduction", ptx, blocks, 256, [data, out, 0], check)


def gemm(tiles: int = 12, side: int = 192) -> Work:
    """C = A B in f32, 16 by 16 tiles in shared memory, one element of C a thread."""
    rng = np.random.default_rng(2)
    n = 16 * tiles
    a, b = (rng.integers(-4, 5, (n, side)).astype(np.float32), rng.integers(-4, 5, (side, n)).astype(np.float32))
    c = np.zeros((n, n), np.float32)
    body = ["mov.u32 %x, %tid.x; mov.u32 %b, %ctaid.x;", "and.b32 %r0, %x, 15;", "shr.u32 %r1, %x, 4;"]
    body += [f"rem.u32 %r2, %b, {tiles};", f"div.u32 %r3, %b, {tiles};"]
    body += ["mad.lo.u32 %r4, %r3, 16, %r1;", "mad.lo.u32 %r5, %r2, 16, %r0;"]  # row, column of C
    body += [f"mad.lo.u32 %r6, %r4, {side}, %r0;", "mul.wide.u32 %rd3, %r6, 4;", "add.u64 %rd3, %rd0, %rd3;"]
    body += [f"mad.lo.u32 %r7, %r1, {n}, %r5;", "mul.wide.u32 %rd4, %r7, 4;", "add.u64 %rd4, %rd1, %rd4;"]
    body += ["mov.u32 %r8, ta;", "mov.u32 %r9, tb;", "shl.b32 %r10, %x, 2;", "add.u32 %r11, %r8, %r10;"]
    body += ["add.u32 %r12, %r9, %r10;", "shl.b32 %r13, %r1, 6;", "add.u32 %r13, %r8, %r13;", "shl.b32 %r14, %r0, 2;"]
    body += ["add.u32 %r14, %r9, %r14;", "mov.f32 %f0, 0f00000000;", "mov.u32 %r15, 0;", "LOOP:"]
    body += ["ld.global.f32 %f1, [%rd3];", "st.shared.f32 [%r11], %f1;", "ld.global.f32 %f2, [%rd4];"]
    body += ["st.shared.f32 [%r12], %f2;", "bar.sync 0;"]
    for k in range(16):
        body += [
            f"ld.shared.f32 %f3, [%r13+{4 * k}];",
            f"ld.shared.f32 %f4, [%r14+{64 * k}];",
            "fma.rn.f32 %f0, %f3, %f4, %f0;",
        ]
    body += ["bar.sync 0;", "add.u64 %rd3, %rd3, 64;", f"add.u64 %rd4, %rd4, {64 * n};", "add.u32 %r15, %r15, 16;"]
    body += ["setp.lt.u32 %p0, %r15, %n;", "@%p0 bra LOOP;"]
    body += [f"mad.lo.u32 %r16, %r4, {n}, %r5;", "mul.wide.u32 %rd5, %r16, 4;", "add.u64 %rd5, %rd2, %rd5;"]
    body += ["st.global.f32 [%rd5], %f0;"]
    ptx = _entry("k", 3, _COMMON, body, ".shared .align 4 .b8 ta[1024];\n.shared .align 4 .b8 tb[1024];")
    return Work("tiled gemm", ptx, tiles * tiles, 256, [a, b, c, side], lambda: bool(np.array_equal(c, a @ b)))


def histogram(blocks: int = 128, each: int = 32) -> Work:
    """256 bins: each block counts bytes of its words in shared memory, then adds its bins to those in global memory."""
    data = np.random.default_rng(3).integers(0, 256, (blocks, each, 256), np.uint32)
    out = np.zeros(256, np.uint32)
    body = [*_PLACE, "mov.u32 %r0, bins;", "shl.b32 %r1, %x, 2;", "add.u32 %r1, %r0, %r1;", "mov.u32 %r2, 0;"]
    body += ["st.shared.u32 [%r1], %r2;", "bar.sync 0;", "mul.lo.u32 %r3, %b, %n;", "shl.b32 %r3, %r3, 8;"]
    body += ["add.u32 %r3, %r3, %x;", "mul.wide.u32 %rd3, %r3, 4;", "add.u64 %rd3, %rd0, %rd3;", "LOOP:"]
    body += [
        "ld.global.u32 %r4, [%rd3];",
        "shl.b32 %r4, %r4, 2;",
        "add.u32 %r4, %r0, %r4;",
        "red.shared.add.u32 [%r4], 1;",
    ]
    body += ["add.u64 %rd3, %rd3, 1024;", "add.u32 %r2, %r2, 1;", "setp.lt.u32 %p0, %r2, %n;", "@%p0 bra LOOP;"]
    body += ["bar.sync 0;", "ld.shared.u32 %r5, [%r1];", "mul.wide.u32 %rd4, %x, 4;", "add.u64 %rd4, %rd1, %rd4;"]
    body += ["red.global.add.u32 [%rd4], %r5;"]
    ptx = _entry("k", 2, _COMMON, body, ".shared .align 4 .b8 bins[1024];")

    def check() -> bool:
        # Repeated launches add up.
        return bool(np.array_equal(out % np.bincount(data.ravel(), minlength=256), np.zeros(256)) and out.all())

    return Work("histogram", ptx, blocks, 256, [data, out, each], check)


def collatz(blocks: int = 128) -> Work:
    """Steps until 3 n + 1 comes to 1: lanes of a warp part at each turn, and leave the loop one after the other."""
    out = np.zeros(blocks * 128, np.uint32)
    body = [*_PLACE, "add.u32 %r0, %t, 1;", "mov.u32 %r1, 0;", "LOOP:", "setp.eq.u32 %p0, %r0, 1;", "@%p0 bra END;"]
    body += ["and.b32 %r2, %r0, 1;", "setp.eq.u32 %p1, %r2, 0;", "@%p1 bra EVEN;", "mad.lo.u32 %r0, %r0, 3, 1;"]
    body += ["bra NEXT;", "EVEN:", "shr.u32 %r0, %r0, 1;", "NEXT:", "add.u32 %r1, %r1, 1;", "bra LOOP;", "END:"]
    body += ["mul.wide.u32 %rd8, %t, 4;", "add.u64 %rd8, %rd0, %rd8;", "st.global.u32 [%rd8], %r1;"]

    def check() -> bool:
        n = np.arange(1, out.size + 1, dtype=np.int64)
        steps = np.zeros(out.size, np.uint32)
        while (n > 1).any():
            steps += n > 1
            n = np.where(n == 1, 1, np.where(n % 2 == 0, n // 2, 3 * n + 1))
        return bool(np.array_equal(steps, out))

    return Work("divergent collatz", _entry("k", 1, _COMMON, body), blocks, 128, [out, 0], check)


def mma_gemm(tiles: int = 6, depth: int = 4096) -> Work:
    """C = A B' in f16 with f32 sums, 64 by 64 tiles, by ldmatrix and mma.sync.m16n8k16; four warps of 32 by 32."""
    rng = np.random.default_rng(4)
    n = 64 * tiles
    a, b = (rng.integers(-3, 4, (n, depth)).astype(np.float16) for _ in "ab")
    c = np.zeros((n, n), np.float32)
    pitch = 80  # bytes of a row of 32 halves in shared memory, padded so that ldmatrix has no conflicts
    body = ["mov.u32 %x, %tid.x; mov.u32 %b, %ctaid.x;", f"rem.u32 %r0, %b, {tiles};", f"div.u32 %r1, %b, {tiles};"]
    # Thread x copies 16 bytes twice of each tile: rows x / 4 and x / 4 + 32, piece x % 4.
    body += ["shr.u32 %r2, %x, 2;", "and.b32 %r3, %x, 3;", "shl.b32 %r3, %r3, 4;"]
    for base, block in ((0, "%r1"), (1, "%r0")):
        body += [f"mad.lo.u32 %r4, {block}, 64, %r2;", f"mul.wide.u32 %rd{4 + base}, %r4, {2 * depth};"]
        body += ["cvt.u64.u32 %rd6, %r3;", f"add.u64 %rd{4 + base}, %rd{4 + base}, %rd6;"]
        body += [f"add.u64 %rd{4 + base}, %rd{base}, %rd{4 + base};"]
    body += ["mov.u32 %r5, ta;", "mov.u32 %r6, tb;", f"mad.lo.u32 %r7, %r2, {pitch}, %r3;", "add.u32 %r8, %r5, %r7;"]
    body += ["add.u32 %r9, %r6, %r7;"]
    # Warps at rows (x / 64) * 32 of A and (x / 32 % 2) * 32 of B; a lane's row of the 8 by 8 matrices.
    body += ["shr.u32 %r10, %x, 6;", "shl.b32 %r10, %r10, 5;", "shr.u32 %r11, %x, 5;", "and.b32 %r11, %r11, 1;"]
    body += ["shl.b32 %r11, %r11, 5;", "and.b32 %r12, %x, 31;", "and.b32 %r13, %r12, 15;", "shr.u32 %r14, %r12, 4;"]
    body += ["shl.b32 %r14, %r14, 4;", "add.u32 %r15, %r10, %r13;", f"mad.lo.u32 %r15, %r15, {pitch}, %r14;"]
    body += ["add.u32 %r15, %r5, %r15;"]
    body += [
        "and.b32 %r16, %r12, 7;",
        "shr.u32 %r17, %r12, 4;",
        "mad.lo.u32 %r16, %r17, 8, %r16;",
        "add.u32 %r16, %r11, %r16;",
    ]
    body += ["shr.u32 %r17, %r12, 3;", "and.b32 %r17, %r17, 1;", "shl.b32 %r17, %r17, 4;"]
    body += [f"mad.lo.u32 %r16, %r16, {pitch}, %r17;", "add.u32 %r16, %r6, %r16;"]
    body += [f"mov.f32 %f{k}, 0f00000000;" for k in range(32)]
    body += ["mov.u32 %r18, 0;", "LOOP:"]
    for half in range(2):
        for base, to in ((4, "%r8"), (5, "%r9")):
            body += [f"ld.global.v4.u32 {{%r40, %r41, %r42, %r43}}, [%rd{base}+{half * 64 * depth}];"]
            body += [f"st.shared.v4.u32 [{to}+{half * 32 * pitch}], {{%r40, %r41, %r42, %r43}};"]
    body += ["bar.sync 0;"]
    for k in range(2):
        for m in range(2):
            body += [
                f"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{{', '.join(f'%r{20 + 4 * m + e}' for e in range(4))}}}, "
                f"[%r15+{m * 16 * pitch + 32 * k}];"
            ]
        for m in range(2):
            body += [
                f"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{{', '.join(f'%r{30 + 4 * m + e}' for e in range(4))}}}, "
                f"[%r16+{m * 16 * pitch + 32 * k}];"
            ]
        for m in range(2):
            for j in range(4):
                d = ", ".join(f"%f{16 * m + 4 * j + e}" for e in range(4))
                left = ", ".join(f"%r{20 + 4 * m + e}" for e in range(4))
                right = f"%r{30 + 2 * j}, %r{31 + 2 * j}"
                body += [
                    f"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {{{d}}}, {{{left}}}, {{{right}}}, {{{d}}};"
                ]
    body += ["bar.sync 0;", "add.u64 %rd4, %rd4, 64;", "add.u64 %rd5, %rd5, 64;", "add.u32 %r18, %r18, 32;"]
    body += ["setp.lt.u32 %p0, %r18, %n;", "@%p0 bra LOOP;"]
    body += ["mad.lo.u32 %r10, %r1, 64, %r10;", "mad.lo.u32 %r11, %r0, 64, %r11;", "shr.u32 %r12, %r12, 2;"]
    body += ["add.u32 %r10, %r10, %r12;", "and.b32 %r13, %x, 3;", "mad.lo.u32 %r11, %r13, 2, %r11;"]
    body += [f"mad.lo.u32 %r10, %r10, {n}, %r11;", "mul.wide.u32 %rd8, %r10, 4;", "add.u64 %rd8, %rd2, %rd8;"]
    for m in range(2):
        for j in range(4):
            f = 16 * m + 4 * j
            body += [f"st.global.v2.f32 [%rd8+{m * 64 * n + 32 * j}], {{%f{f}, %f{f + 1}}};"]
            body += [f"st.global.v2.f32 [%rd8+{m * 64 * n + 32 * n + 32 * j}], {{%f{f + 2}, %f{f + 3}}};"]
    shared = f".shared .align 16 .b8 ta[{64 * pitch}];\n.shared .align 16 .b8 tb[{64 * pitch}];"

    def check() -> bool:
        return bool(np.array_equal(c, a.astype(np.float32) @ b.astype(np.float32).T))

    ptx = _entry("k", 3, _COMMON, body, shared)
    return Work("mma.sync gemm", ptx, tiles * tiles, 128, [a, b, c, depth], check, flops=2 * n * n * depth)


def wgmma_gemm(tiles: int = 8, depth: int = 4096) -> Work:
    """C = A B' in bf16 with f32 sums by wgmma.m64n256k16 from descriptors, tiles 64 deep, swizzled by 128 bytes."""
    rng = np.random.default_rng(5)
    m, n = 64 * tiles, 256
    numbers = [rng.integers(-3, 4, (rows, depth)).astype(np.float32) for rows in (m, n)]
    # Boxes of 64 columns, each row's 16-byte pieces exchanged by its number, as TMA leaves them.
    images = []
    for x in numbers:
        pieces = (x.view(np.uint32) >> 16).astype(np.uint16).reshape(len(x), depth // 64, 8, 8).transpose(1, 0, 2, 3)
        order = np.arange(8) ^ (np.arange(len(x)) % 8)[:, None]
        images.append(np.ascontiguousarray(np.take_along_axis(pieces, order[None, :, :, None], 2)))
    c = np.zeros((m, n), np.float32)
    accumulators = ", ".join(f"%d{k}" for k in range(128))
    registers = _COMMON + "\n.reg .f32 %d<128>;"
    body = [
        "mov.u32 %x, %tid.x; mov.u32 %b, %ctaid.x;",
        "mov.u32 %r0, tile;",
        "shl.b32 %r1, %x, 4;",
        "add.u32 %r1, %r0, %r1;",
    ]
    body += ["mul.wide.u32 %rd3, %x, 16;", "add.u64 %rd5, %rd1, %rd3;", "mul.wide.u32 %rd4, %b, 8192;"]
    body += ["add.u64 %rd3, %rd3, %rd4;", "add.u64 %rd4, %rd0, %rd3;"]
    body += [
        "cvt.u64.u32 %rd6, %r0;",
        "shr.u64 %rd6, %rd6, 4;",
        "or.b64 %rd6, %rd6, 0x4000004000010000;",
        "add.u64 %rd7, %rd6, 512;",
    ]
    body += [f"mov.f32 %d{k}, 0f00000000;" for k in range(128)]
    body += ["mov.u32 %r2, 0;", "LOOP:"]
    for k in range(20):
        source = f"[%rd4+{2048 * k}]" if k < 4 else f"[%rd5+{2048 * (k - 4)}]"
        body += [f"ld.global.v4.u32 {{%r40, %r41, %r42, %r43}}, {source};"]
        body += [f"st.shared.v4.u32 [%r1+{2048 * k}], {{%r40, %r41, %r42, %r43}};"]
    body += ["fence.proxy.async;", "bar.sync 0;", "wgmma.fence.sync.aligned;"]
    for k in range(4):
        body += [f"add.u64 %rd8, %rd6, {2 * k};", f"add.u64 %rd9, %rd7, {2 * k};"]
        body += [
            f"wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {{{accumulators}}}, %rd8, %rd9, 1, 1, 1, 0, 0;"
        ]
    body += ["wgmma.commit_group.sync.aligned;", "wgmma.wait_group.sync.aligned 0;", "bar.sync 0;"]
    body += [f"add.u64 %rd4, %rd4, {8192 * tiles};", "add.u64 %rd5, %rd5, 32768;", "add.u32 %r2, %r2, 64;"]
    body += ["setp.lt.u32 %p0, %r2, %n;", "@%p0 bra LOOP;"]
    body += [
        "shr.u32 %r3, %x, 5;",
        "shl.b32 %r3, %r3, 4;",
        "and.b32 %r4, %x, 31;",
        "shr.u32 %r5, %r4, 2;",
        "add.u32 %r3, %r3, %r5;",
    ]
    body += [
        "mad.lo.u32 %r3, %b, 64, %r3;",
        "and.b32 %r4, %r4, 3;",
        "shl.b32 %r4, %r4, 1;",
        f"mad.lo.u32 %r3, %r3, {n}, %r4;",
    ]
    body += ["mul.wide.u32 %rd10, %r3, 4;", "add.u64 %rd10, %rd2, %rd10;"]
    for j in range(32):
        body += [f"st.global.v2.f32 [%rd10+{32 * j}], {{%d{4 * j}, %d{4 * j + 1}}};"]
        body += [f"st.global.v2.f32 [%rd10+{32 * j + 32 * n}], {{%d{4 * j + 2}, %d{4 * j + 3}}};"]

    def check() -> bool:
        return bool(np.array_equal(c, numbers[0] @ numbers[1].T))

    ptx = _entry("k", 3, registers, body, ".shared .align 1024 .b8 tile[40960];")
    return Work("wgmma gemm", ptx, tiles, 128, [*images, c, depth], check, flops=2 * m * n * depth)
