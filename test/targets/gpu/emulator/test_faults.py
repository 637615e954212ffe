"""Planted faults: each is found, as the kind it is and at its line, and its correct twin gives no finding at all.

A case is the text of a kernel in which ``{{faulty => correct}}`` holds both: the fault, and what mends it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from accelc.targets.gpu.emulator import Emulator, Report, TensorMap
from accelc.targets.gpu.emulator.report import KINDS

# Thread number in %t (and its bytes %t4), shared memory at %s with this thread's word at %own and the next one's at
# %next, global arrays at %in and %out with this thread's words at %src and %dst, and a counter in global memory.
HEAD = """.version 8.6
.target sm_90a
.address_size 64
.global .align 8 .b64 counter = 0;
.visible .entry k(.param .u64 in, .param .u64 out, .param .align 64 .b8 map[128])
{
  .reg .pred %p, %q, %p<8>;
  .reg .b16 %h<8>;
  .reg .b32 %r<32>, %t, %t4, %s, %own, %next, %other, %bar, %last;
  .reg .b64 %rd<16>, %in, %out, %src, %dst, %cnt, %map, %desc, %state;
  .reg .f32 %f<32>;
  .shared .align 1024 .b8 s[8192];
  .shared .align 8 .b64 bar;
  .local .align 8 .b8 loc[16];
  mov.u32 %t, %tid.x;
  shl.b32 %t4, %t, 2;
  mov.u32 %s, s;
  add.u32 %own, %s, %t4;
  add.u32 %next, %own, 4;
  mov.u32 %r0, %ntid.x;
  sub.u32 %last, %r0, 1;
  sub.u32 %r0, %last, %t;
  shl.b32 %r0, %r0, 2;
  add.u32 %other, %s, %r0;
  mov.u32 %bar, bar;
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  cvta.to.global.u64 %in, %in;
  cvta.to.global.u64 %out, %out;
  cvt.u64.u32 %rd0, %t4;
  add.u64 %src, %in, %rd0;
  add.u64 %dst, %out, %rd0;
  mov.u64 %cnt, counter;
  mov.b64 %map, map;
  cvta.param.u64 %map, %map;
  setp.eq.u32 %p, %t, 0;
  setp.lt.u32 %q, %t, 32;
"""

TAIL = "\n  ret;\n}\n"

# Arms an mbarrier for one arrival before everybody goes on.
ARM = """
  @%p mbarrier.init.shared.b64 [%bar], 1;
  @%p fence.mbarrier_init.release.cluster;
  bar.sync 0;
"""
EXPECT = "@%p mbarrier.arrive.expect_tx.shared.b64 _, [%bar], 256;"
BULK = "@%p cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s], [%in], 256, [%bar];"


def wait(label: str, phase: int = 0) -> str:
    """A loop until a phase of the mbarrier is over."""
    return f"{label}: mbarrier.try_wait.parity.shared.b64 %p1, [%bar], {phase}; @!%p1 bra {label};"


@dataclass(frozen=True)
class Fault:
    """A kernel with a fault in it, and how it is launched."""

    kind: str
    name: str
    text: str
    block: int = 64
    grid: int = 1
    cluster: int | None = None
    max_steps: int = 1 << 22

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"


FAULTS = [
    # ---- race
    Fault(
        "race", "neighbour-before-barrier", "st.shared.u32 [%own], %t; {{=> bar.sync 0;}} ld.shared.u32 %r1, [%other];"
    ),
    Fault(
        "race",
        "write-after-read",
        "st.shared.u32 [%own], %t; bar.sync 0; ld.shared.u32 %r1, [%other]; "
        "{{=> bar.sync 0;}} st.shared.u32 [%own], %r1;",
    ),
    Fault("race", "two-writers", "{{=> @%p}} st.shared.u32 [%s], %t;"),
    Fault(
        "race",
        "warp-without-syncwarp",
        "st.shared.u32 [%own], %t; {{=> bar.warp.sync -1;}} ld.shared.u32 %r1, [%other];",
        block=32,
    ),
    Fault(
        "race",
        "barriers-of-other-names",
        "st.shared.u32 [%own], %t; @%q bar.arrive 1, 64; @!%q bar.sync {{2, 32 => 1, 64}}; @%q bra END; "
        "ld.shared.u32 %r1, [%other]; END:",
    ),
    Fault(
        "race",
        "between-blocks",
        "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p1, %r1, 0; {{=> @%p1}} st.global.u32 [%dst], %r1;",
        grid=2,
    ),
    Fault(
        "race",
        "plain-and-atomic",
        "{{st.global.u32 [%cnt], %t => atom.global.add.u32 %r1, [%cnt], 1}}; "
        "{{=> bar.sync 0;}} atom.global.add.u32 %r1, [%cnt], 1;",
    ),
    Fault("race", "atomic-of-narrow-scope", "atom.global.{{cta => gpu}}.add.u32 %r1, [%cnt], 1;", grid=2),
    Fault(
        "race",
        "flag-without-release",
        """
      mov.u32 %r1, %ctaid.x; setp.eq.u32 %p1, %r1, 0; @!%p1 bra READER;
      @%p st.global.u32 [%out], 7;
      @%p {{st.relaxed => st.release}}.gpu.global.u32 [%cnt], 1; bra END;
      READER: @!%p bra END;
      SPIN: ld.acquire.gpu.global.u32 %r2, [%cnt]; setp.eq.u32 %p2, %r2, 0; @%p2 bra SPIN;
      ld.global.u32 %r3, [%out]; END:""",
        grid=2,
    ),
    Fault(
        "race",
        "flag-without-fence",
        """
      mov.u32 %r1, %ctaid.x; setp.eq.u32 %p1, %r1, 0; @!%p1 bra READER;
      @%p st.global.u32 [%out], 7;
      {{=> fence.acq_rel.gpu;}} @%p st.relaxed.gpu.global.u32 [%cnt], 1; bra END;
      READER: @!%p bra END;
      SPIN: ld.relaxed.gpu.global.u32 %r2, [%cnt]; setp.eq.u32 %p2, %r2, 0; @%p2 bra SPIN;
      {{=> fence.acq_rel.gpu;}} ld.global.u32 %r3, [%out]; END:""",
        grid=2,
    ),
    Fault(
        "race",
        "cluster-without-barrier",
        """
      st.shared.u32 [%own], %t; {{=> barrier.cluster.arrive.release; barrier.cluster.wait.acquire;}}
      mov.u32 %r1, %cluster_ctarank; xor.b32 %r1, %r1, 1; mapa.shared::cluster.u32 %r2, %own, %r1;
      ld.shared::cluster.u32 %r3, [%r2]; barrier.cluster.arrive; barrier.cluster.wait;""",
        grid=2,
        cluster=2,
    ),
    # ---- uninitialized
    Fault("uninitialized", "shared", "{{=> st.shared.u32 [%own], %t;}} ld.shared.u32 %r1, [%own];"),
    Fault("uninitialized", "upper-half", "st.shared.{{u16 [%own], %h1 => u32 [%own], %t}}; ld.shared.u32 %r1, [%own];"),
    Fault(
        "uninitialized",
        "one-past-what-was-written",
        "st.shared.u32 [%own], %t; bar.sync 0; ld.shared.u32 %r1, [{{%next => %own}}];",
    ),
    Fault("uninitialized", "guarded-store", "{{@%q => }} st.shared.u32 [%own], %t; ld.shared.u32 %r1, [%own];"),
    Fault("uninitialized", "atomic", "{{=> @%p st.shared.u32 [%s], 0; bar.sync 0;}} atom.shared.add.u32 %r1, [%s], 1;"),
    Fault("uninitialized", "global-buffer", "{{=> st.global.u32 [%dst], %t;}} ld.global.u32 %r1, [%dst];"),
    Fault(
        "uninitialized",
        "ldmatrix",
        "{{=> st.shared.u32 [%own], %t; bar.warp.sync -1;}} ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%s];",
        block=32,
    ),
    # ---- out_of_bounds
    Fault("out_of_bounds", "global-end", "ld.global.u32 %r1, [%src+{{3844 => 3840}}];"),
    Fault("out_of_bounds", "global-begin", "ld.global.u32 %r1, [%src{{-4 => +0}}];"),
    Fault("out_of_bounds", "vector-at-the-end", "@%p ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%in+{{4096 => 4080}}];"),
    Fault("out_of_bounds", "shared-end", "st.shared.u32 [%own+{{8192 => 7936}}], %t;"),
    Fault("out_of_bounds", "null", "{{mov.u64 %rd1, 0 => mov.u64 %rd1, %src}}; ld.global.u32 %r1, [%rd1];"),
    Fault(
        "out_of_bounds",
        "read-only",
        "mov.b64 %rd1, map; cvta.param.u64 %rd2, %rd1; {{st.u32 [%rd2], %t => ld.u32 %r1, [%rd2]}};",
    ),
    Fault(
        "out_of_bounds",
        "local-end",
        "cvt.u64.u32 %rd1, %t; and.b64 %rd1, %rd1, {{60 => 12}}; mov.b64 %rd2, loc; add.u64 %rd1, %rd1, %rd2; "
        "st.local.u32 [%rd1], %t;",
    ),
    Fault("out_of_bounds", "bulk-copy", ARM + EXPECT + BULK.replace("[%in]", "[%in+{{4032 => 3840}}]") + wait("W")),
    Fault("out_of_bounds", "atomic", "atom.global.add.u32 %r1, [%src+{{4096 => 0}}], 1;"),
    # ---- misaligned
    Fault("misaligned", "global-word", "ld.global.u32 %r1, [%src+{{2 => 4}}];"),
    Fault("misaligned", "vector", "@%p ld.global.v2.u32 {%r1, %r2}, [%in+{{4 => 8}}];"),
    Fault("misaligned", "shared-double", "add.u32 %r1, %own, %t4; st.shared.u64 [%r1+{{4 => 8}}], %rd0;"),
    Fault("misaligned", "atomic", "atom.global.add.u64 %rd1, [%in+{{4 => 8}}], 1;"),
    Fault("misaligned", "bulk-copy", ARM + EXPECT + BULK.replace("[%in]", "[%in+{{8 => 16}}]") + wait("W")),
    Fault(
        "misaligned",
        "ldmatrix",
        "st.shared.u32 [%own], %t; st.shared.u32 [%own+128], %t; bar.warp.sync -1; "
        "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%s+{{8 => 16}}];",
        block=32,
    ),
    # ---- async_before_wait
    Fault(
        "async_before_wait",
        "cp-async",
        "cp.async.ca.shared.global [%own], [%src], 4; cp.async.commit_group; "
        "{{=> cp.async.wait_group 0;}} ld.shared.u32 %r1, [%own];",
    ),
    Fault(
        "async_before_wait",
        "cp-async-pending-group",
        "cp.async.ca.shared.global [%own], [%src], 4; cp.async.commit_group; cp.async.wait_group {{1 => 0}}; "
        "ld.shared.u32 %r1, [%own];",
    ),
    Fault(
        "async_before_wait",
        "cp-async-other-thread",
        "cp.async.ca.shared.global [%own], [%src], 4; cp.async.commit_group; "
        "{{=> cp.async.wait_all;}} bar.sync 0; ld.shared.u32 %r1, [%other];",
    ),
    Fault(
        "async_before_wait",
        "cp-async-uncommitted",
        "cp.async.ca.shared.global [%own], [%src], 4; {{cp.async.wait_group 0 => cp.async.wait_all}}; "
        "ld.shared.u32 %r1, [%own];",
    ),
    Fault(
        "async_before_wait", "bulk-copy", ARM + EXPECT + BULK + "{{=> " + wait("W") + "}} ld.shared.u32 %r1, [%own];"
    ),
    Fault(
        "async_before_wait",
        "overwritten-source",
        "@!%p bra END; st.shared.u32 [%s], %t; st.shared.v2.u64 [%s], {%rd0, %rd0}; fence.proxy.async; "
        "cp.async.bulk.global.shared::cta.bulk_group [%out], [%s], 16; cp.async.bulk.commit_group; "
        "{{=> cp.async.bulk.wait_group.read 0;}} st.shared.u32 [%s], %t; END:",
    ),
    Fault(
        "async_before_wait",
        "tensor-copy",
        ARM + "@%p mbarrier.arrive.expect_tx.shared.b64 _, [%bar], 256; "
        "@%p cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%s], [%map, {%r30, %r30}], [%bar]; {{=> " + wait("W") + "}} ld.shared.u32 %r1, [%own];",
    ),
    Fault(
        "async_before_wait",
        "wgmma-registers",
        """
      mov.u32 %r1, 0; FILL: st.shared.u32 [%own], %r1; add.u32 %own, %own, 512; sub.u32 %r2, %own, %s;
      setp.lt.u32 %p1, %r2, 8192; @%p1 bra FILL;
      fence.proxy.async; bar.sync 0;
      shr.u32 %r1, %s, 4; cvt.u64.u32 %desc, %r1; and.b64 %desc, %desc, 16383;
      or.b64 %desc, %desc, 4611686293372403712;
      wgmma.fence.sync.aligned;
      wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %desc, %desc, 0, 1, 1, 0, 0;
      wgmma.commit_group.sync.aligned; {{=> wgmma.wait_group.sync.aligned 0;}} add.f32 %f5, %f0, %f1;
      wgmma.wait_group.sync.aligned 0;""",
        block=128,
    ),
    # ---- missing_proxy_fence
    Fault(
        "missing_proxy_fence",
        "bulk-store",
        "st.shared.u32 [%own], %t; {{=> fence.proxy.async;}} bar.sync 0; "
        "@%p cp.async.bulk.global.shared::cta.bulk_group [%out], [%s], 256; @%p cp.async.bulk.commit_group; "
        "@%p cp.async.bulk.wait_group 0;",
    ),
    Fault(
        "missing_proxy_fence",
        "fence-before-the-write",
        "{{fence.proxy.async; st.shared.u32 [%own], %t => st.shared.u32 [%own], %t; fence.proxy.async}}; "
        "bar.sync 0; @!%p bra END; cp.async.bulk.global.shared::cta.bulk_group [%out], [%s], 256; "
        "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0; END:",
    ),
    Fault(
        "missing_proxy_fence",
        "wgmma-operand",
        """
      mov.u32 %r1, 0; FILL: st.shared.u32 [%own], %r1; add.u32 %own, %own, 512; sub.u32 %r2, %own, %s;
      setp.lt.u32 %p1, %r2, 8192; @%p1 bra FILL;
      {{=> fence.proxy.async;}} bar.sync 0;
      shr.u32 %r1, %s, 4; cvt.u64.u32 %desc, %r1; and.b64 %desc, %desc, 16383;
      or.b64 %desc, %desc, 4611686293372403712;
      wgmma.fence.sync.aligned;
      wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %desc, %desc, 0, 1, 1, 0, 0;
      wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;""",
        block=128,
    ),
    Fault(
        "missing_proxy_fence",
        "tensor-store",
        "st.shared.u32 [%own], %t; {{=> fence.proxy.async.shared::cta;}} bar.sync 0; "
        "@%p cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%map, {%r30, %r30}], [%s]; "
        "@%p cp.async.bulk.commit_group; @%p cp.async.bulk.wait_group 0;",
    ),
    # ---- mbarrier_misuse
    Fault(
        "mbarrier_misuse",
        "never-initialised",
        "{{=> @%p mbarrier.init.shared.b64 [%bar], 1;}} @%p mbarrier.arrive.shared.b64 %state, [%bar];",
    ),
    Fault(
        "mbarrier_misuse",
        "used-after-inval",
        ARM + "@!%p bra END; {{mbarrier.inval.shared.b64 [%bar]; "
        "mbarrier.arrive.shared.b64 %state, [%bar] => mbarrier.arrive.shared.b64 %state, [%bar]; "
        "mbarrier.inval.shared.b64 [%bar]}}; END:",
    ),
    Fault("mbarrier_misuse", "count-zero", "mov.u32 %r1, {{0 => 1}}; @%p mbarrier.init.shared.b64 [%bar], %r1;"),
    Fault(
        "mbarrier_misuse",
        "more-arrivals-than-expected",
        ARM + "@%p mbarrier.arrive.shared.b64 %state, [%bar], {{2 => 1}};",
    ),
    # ---- barrier_divergence
    Fault(
        "barrier_divergence",
        "half-a-warp",
        "and.b32 %r1, %t, 1; setp.eq.u32 %p1, %r1, 0; @%p1 bra ODD; {{bar.sync 0; "
        "=> }} ODD: {{@%p1 bar.sync 0 => bar.sync 0}};",
    ),
    Fault(
        "barrier_divergence",
        "guarded-barrier",
        "{{and.b32 %r1, %t, 1; setp.eq.u32 %p1, %r1, 0; @%p1 bar.sync 0, 32 => bar.sync 0}};",
        block=64,
    ),
    Fault("barrier_divergence", "count-is-no-multiple", "mov.u32 %r1, {{48 => 64}}; bar.sync 0, %r1;"),
    Fault(
        "barrier_divergence",
        "shuffle-of-lanes-elsewhere",
        "and.b32 %r1, %t, 1; setp.eq.u32 %p1, %r1, 0; {{@%p1 bra ODD; shfl.sync.bfly.b32 %r2, %t, 2, 31, -1; "
        "bra END; ODD: shfl.sync.bfly.b32 %r2, %t, 2, 31, -1; END: => shfl.sync.bfly.b32 %r2, %t, 2, 31, -1;}}",
        block=32,
    ),
    # ---- deadlock
    Fault("deadlock", "missing-arrival", "{{@%q bar.sync 1, 96 => bar.sync 1, 64}};"),
    Fault("deadlock", "mbarrier-never-complete", ARM + "{{=> @%p mbarrier.arrive.shared.b64 _, [%bar];}}" + wait("W")),
    Fault("deadlock", "too-few-bytes", ARM + EXPECT.replace("256", "{{512 => 256}}") + BULK + wait("W")),
    Fault(
        "deadlock",
        "two-barriers-crossed",
        "@%q bra FIRST; bar.sync 1, 64; bar.sync 2, 64; bra END; FIRST: {{bar.sync 2, 64; "
        "bar.sync 1, 64 => bar.sync 1, 64; bar.sync 2, 64}}; END:",
    ),
    Fault(
        "deadlock",
        "cluster",
        "mov.u32 %r1, %cluster_ctarank; setp.eq.u32 %p1, %r1, 0; {{@%p1 => }} barrier.cluster.arrive; "
        "{{@%p1 => }} barrier.cluster.wait; {{SPIN: bra.uni NEXT; NEXT: @!%p1 bar.sync 3, 96; => }}",
        grid=2,
        cluster=2,
    ),
    # ---- trap, step_limit
    Fault("trap", "trap", "setp.{{lt => gt}}.u32 %p1, %t, 64; @%p1 trap;"),
    Fault("trap", "indirect-branch", "T: .branchtargets A, B; mov.u32 %r1, {{2 => 1}}; brx.idx %r1, T; A: B:"),
    Fault(
        "step_limit",
        "endless-loop",
        "LOOP: {{=> add.u32 %t, %t, 1; setp.gt.u32 %p1, %t, 100; @%p1 bra END;}} bra LOOP; END:",
        max_steps=20_000,
    ),
    Fault(
        "step_limit",
        "spin-on-a-flag",
        "{{=> @%p st.relaxed.gpu.global.u32 [%cnt], 1;}} SPIN: ld.relaxed.gpu.global.u32 %r1, [%cnt]; "
        "setp.eq.u32 %p1, %r1, 0; @%p1 bra SPIN;",
        max_steps=20_000,
    ),
]


def variants(fault: Fault) -> tuple[str, str, int]:
    """The faulty and the correct text of a kernel, and the line at which the fault's part begins."""

    def chosen(index: int) -> str:
        return re.sub(r"\{\{(.*?)=>(.*?)\}\}", lambda m: m[1 + index].strip(), fault.text, flags=re.DOTALL)

    return HEAD + chosen(0) + TAIL, HEAD + chosen(1) + TAIL, HEAD.count("\n") + 1


def launch(fault: Fault, ptx: str, **options: Any) -> Report:
    """Runs a variant on an array of 1,024 words and an unwritten buffer of as many."""
    emulator = Emulator(ptx)
    data = np.arange(1024, dtype=np.uint32)
    tensor = TensorMap(np.zeros((8, 16), np.float32), box=(16, 4))
    return emulator.launch(
        "k",
        grid=fault.grid,
        block=fault.block,
        cluster=fault.cluster,
        args=[data, emulator.buffer(4096), tensor],
        max_steps=fault.max_steps,
        raise_on_finding=False,
        **options,
    )


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_found(fault: Fault) -> None:
    faulty, _, first_line = variants(fault)
    report = launch(fault, faulty, sanitize=True)
    kinds = [f.kind for f in report.findings]
    assert fault.kind in kinds, kinds
    finding = next(f for f in report.findings if f.kind == fault.kind)
    assert finding.line >= first_line
    assert finding.kernel == "k" and finding.message and len(finding.block) == len(finding.thread) == 3


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_twin_is_clean(fault: Fault) -> None:
    _, correct, _ = variants(fault)
    report = launch(fault, correct, sanitize=True)
    assert report.findings == []


def test_every_kind_is_planted() -> None:
    assert {f.kind for f in FAULTS} == set(KINDS)
    assert len(FAULTS) >= 40
    assert len({str(f) for f in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.kind in ("out_of_bounds", "misaligned", "trap", "deadlock")], ids=str
)
def test_what_a_gpu_would_refuse_is_found_without_the_sanitizer(fault: Fault) -> None:
    report = launch(fault, variants(fault)[0])
    assert fault.kind in [f.kind for f in report.findings]
