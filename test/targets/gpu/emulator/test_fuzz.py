"""Mutants of kernels through the normal build of the emulator: an error or a result, never a crash or a hang.

The campaign under AddressSanitizer and UndefinedBehaviorSanitizer is `make fuzz`; this is its short companion, in a
process of its own, so that a crash is a failed test.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CASES = 300
HERE = Path(__file__).parent
SEEDS = (
    """.version 8.7
.target sm_90a
.address_size 64
.shared .align 16 .b8 tile[1024];
.const .align 4 .b32 table[4] = {1, 2, 3, 4};
.func (.param .b32 r) twice(.param .b32 x)
{
.reg .b32 %r<3>;
ld.param.b32 %r1, [x];
add.s32 %r2, %r1, %r1;
st.param.b32 [r], %r2;
ret;
}
.visible .entry loop(.param .u64 p, .param .u32 n)
{
.reg .pred %p<4>;
.reg .b32 %r<12>;
.reg .b64 %rd<6>;
ld.param.u64 %rd1, [p];
ld.param.u32 %r1, [n];
mov.u32 %r2, %tid.x;
mul.wide.u32 %rd2, %r2, 4;
add.s64 %rd3, %rd1, %rd2;
ld.global.u32 %r3, [%rd3];
mov.u32 %r4, 0;
$L_top:
setp.ge.u32 %p1, %r4, %r1;
@%p1 bra $L_end;
and.b32 %r5, %r3, 1;
setp.eq.b32 %p2, %r5, 1;
@%p2 bra $L_odd;
shr.u32 %r3, %r3, 1;
bra.uni $L_next;
$L_odd:
mad.lo.s32 %r3, %r3, 3, 1;
$L_next:
add.u32 %r4, %r4, 1;
bra $L_top;
$L_end:
{
.param .b32 a;
.param .b32 b;
st.param.b32 [a], %r3;
call (b), twice, (a);
ld.param.b32 %r3, [b];
}
ld.const.b32 %r6, [table+4];
add.u32 %r3, %r3, %r6;
st.global.u32 [%rd3], %r3;
ret;
}
""",
    """.version 8.7
.target sm_90a
.address_size 64
.visible .entry exchange(.param .u64 p, .param .u32 n)
.maxntid 128, 1, 1
{
.reg .pred %p<4>;
.reg .b16 %rs<4>;
.reg .b32 %r<16>;
.reg .f32 %f<8>;
.reg .b64 %rd<8>;
.reg .f64 %fd<4>;
.shared .align 16 .b8 tile[1024];
.shared .align 8 .b64 bar;
ld.param.u64 %rd1, [p];
mov.u32 %r1, %tid.x;
mov.u32 %r2, tile;
shl.b32 %r3, %r1, 2;
add.u32 %r4, %r2, %r3;
setp.eq.u32 %p1, %r1, 0;
@%p1 mbarrier.init.shared.b64 [bar], 1;
bar.sync 0;
cvt.u64.u32 %rd2, %r3;
add.s64 %rd3, %rd1, %rd2;
ld.global.f32 %f1, [%rd3];
fma.rn.ftz.f32 %f2, %f1, %f1, 0f3F800000;
ex2.approx.f32 %f3, %f2;
cvt.rn.f16.f32 %rs1, %f3;
mov.b32 %r5, {%rs1, %rs1};
st.shared.b32 [%r4], %r5;
@%p1 mbarrier.arrive.expect_tx.shared.b64 %rd4, [bar], 64;
@%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [tile], [%rd1], 64, [bar];
$L_wait:
mbarrier.try_wait.parity.shared.b64 %p2, [bar], 0;
@!%p2 bra $L_wait;
bar.sync 0;
ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r6, %r7}, [%r2];
shfl.sync.bfly.b32 %r8|%p3, %r6, 1, 31, -1;
mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%r9, %r10}, {%r6, %r7}, {%r8}, {%r5, %r5};
atom.global.add.u32 %r11, [%rd1], %r9;
red.shared.max.s32 [tile+8], %r11;
cvt.f64.f32 %fd1, %f3;
sqrt.rn.f64 %fd2, %fd1;
cvt.rn.f32.f64 %f4, %fd2;
lop3.b32 %r12, %r9, %r10, %r11, 0x96;
st.global.v2.b32 [%rd3], {%r12, %r12};
ret;
}
""",
)


def campaign() -> None:
    """Runs the mutants; prints how far they came. The process that calls it is the test's own."""
    import random
    import re

    import numpy as np

    from accelc.core.diagnostics import Error
    from accelc.targets.gpu.emulator import Emulator

    generator = random.Random(11)
    words = re.compile(r"[.%$]?[\w:$]+|\s+|.")
    vocabulary = sorted({word for seed in SEEDS for word in words.findall(seed) if not word.isspace()})
    vocabulary += ["0", "-1", "4096", "0xffffffff", "0x7fffffffffffffff", "0f7F800000", ".v4", ".u8", ".b128", "{", "_"]
    loaded = launched = 0
    for case in range(CASES):
        lines = generator.choice(SEEDS).splitlines()
        for _ in range(generator.randrange(1, 4)):
            at = generator.randrange(3, len(lines))
            pieces = words.findall(lines[at]) or [";"]
            which = generator.randrange(len(pieces))
            choice = generator.randrange(6)
            if choice == 0:
                lines[at] = ""
            elif choice == 1:
                lines.insert(generator.randrange(3, len(lines)), lines[at])
            elif choice == 2:
                del pieces[which]
                lines[at] = "".join(pieces)
            else:
                kind = re.sub(r"\d+$", "", pieces[which])  # %r of %r5, nothing of a number
                like = [word for word in vocabulary if re.sub(r"\d+$", "", word) == kind] or vocabulary
                pieces[which] = generator.choice(like if generator.randrange(6) else vocabulary)
                lines[at] = "".join(pieces)
        try:
            emulator = Emulator("\n".join(lines))
            loaded += 1
            for kernel in emulator.kernels:
                data = np.arange(1024, dtype=np.uint32)
                options = {"sanitize": case % 3 == 0, "threads": 1 + case % 2, "max_steps": 2000}
                grid, block = 1 + case % 2, (32, 128)[case % 2]
                emulator.launch(kernel, grid=grid, block=block, args=[data, 9], raise_on_finding=False, **options)
                launched += 1
        except Error:
            continue
    print(loaded, launched)


def test_mutants_give_an_error_or_a_result() -> None:
    script = f"import sys; sys.path.insert(0, {str(HERE)!r}); import test_fuzz; test_fuzz.campaign()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded, launched = map(int, done.stdout.split())
    assert loaded >= CASES // 4  # the mutations leave much that is PTX
    assert launched >= CASES // 6
