"""What programs of others found (CUTLASS, thrust, samples), cut down to the instructions at fault."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import findings, launch, store

MAP = ".global .align 128 .b8 map[128];"


@pytest.mark.parametrize("sanitize", [False, True])
def test_tensormap_fence_at_a_null_pointer(sanitize: bool) -> None:
    """CUTLASS's grouped GEMM fences the map of an operand that it has not got."""
    out = np.zeros(32, np.uint32)
    fence = "mov.u64 %rd20, 0; fence.proxy.tensormap::generic.acquire.gpu [%rd20], 128;"
    launch(fence + store("%t"), out, preamble=MAP, sanitize=sanitize)
    np.testing.assert_array_equal(out, np.arange(32))


# Block 0 writes, all of it fences, and its thread 0 raises the flag; thread 0 of block 1 sees it, and block 1 reads.
PUBLISH = """
    mov.u32 %r0, %ctaid.x;
    setp.ne.u32 %p0, %r0, 0;
    setp.ne.u32 %p1, %t, 0;
    xor.b32 %r1, %t, 33;
    mad.wide.u32 %rd3, %t, 4, %rd0;
    mad.wide.u32 %rd4, %r1, 4, %rd0;
    mad.wide.u32 %rd5, %t, 4, %rd2;
    @%p0 bra READ;
    st.global.u32 [%rd3], %t;
    {fence}
    {barrier}
    @%p1 bra DONE;
    {raise}
    bra DONE;
READ:
    @%p1 bra TOGETHER;
SPIN:
    {see}
    setp.eq.u32 %p2, %r2, 0;
    @%p2 bra SPIN;
    {after}
TOGETHER:
    bar.sync 0;
    ld.global.u32 %r3, [%rd4];
    st.global.u32 [%rd5], %r3;
DONE:
"""
WAYS = {
    "fence": "membar.gl;",
    "barrier": "bar.sync 0;",
    "raise": "st.volatile.global.u32 [%rd1], 1;",
    "see": "ld.volatile.global.u32 %r2, [%rd1];",
    "after": "membar.gl;",
}


@pytest.mark.parametrize("fence", ["membar.gl;", "membar.sys;", "fence.sc.gpu;", "membar.gl; bar.sync 0;"])
@pytest.mark.parametrize("raised", [WAYS["raise"], "atom.global.add.u32 %r4, [%rd1], 1;"])
def test_fences_sc_go_through_a_barrier(fence: str, raised: str) -> None:
    """__threadfence() of all, __syncthreads(), and one thread's flag."""
    data, flag, out = np.zeros(64, np.uint32), np.zeros(1, np.uint32), np.zeros(64, np.uint32)
    body = PUBLISH.format(**{**WAYS, "fence": fence, "raise": raised})
    assert findings(body, data, flag, out, grid=2, block=64, threads=1) == []
    np.testing.assert_array_equal(out, np.arange(64) ^ 33)


@pytest.mark.parametrize(
    "fault",
    [
        {"fence": ""},
        {"fence": "membar.cta;"},
        {"fence": "fence.acq_rel.gpu;"},
        {"fence": "bar.sync 0; @%p1 membar.gl;", "barrier": ""},
        {"after": ""},
        {"raise": "st.global.u32 [%rd1], 1;"},
    ],
)
def test_what_is_no_such_order_is_found(fault: dict[str, str]) -> None:
    data, flag, out = np.zeros(64, np.uint32), np.zeros(1, np.uint32), np.zeros(64, np.uint32)
    found = findings(PUBLISH.format(**{**WAYS, **fault}), data, flag, out, grid=2, block=64)
    assert "race" in {kind for kind, _ in found}


BULK = """
    mov.u32 %r0, s;
    mad.lo.u32 %r1, %t, 4, %r0;
    st.shared.u32 [%r1], %t;
    fence.proxy.async.shared::cta;
    bar.sync 0;
    cp.async.bulk.global.shared::cta.bulk_group [%rd0], [%r0], 128;
    cp.async.bulk.commit_group;
    {wait}
    {again}
    cp.async.bulk.wait_group 0;
"""
AGAIN = """
    cp.async.bulk.global.shared::cta.bulk_group [%rd0], [%r0], 128;
    cp.async.bulk.commit_group;
"""


def test_a_whole_warp_may_issue_one_bulk_store() -> None:
    """CUTLASS's epilogues do not elect a thread for it; an earlier copy to the same place is still found."""
    shared = ".shared .align 128 .b8 s[128];"
    out = np.zeros(32, np.uint32)
    assert findings(BULK.format(wait="", again=""), out, preamble=shared) == []
    np.testing.assert_array_equal(out, np.arange(32))
    waited = BULK.format(wait="cp.async.bulk.wait_group 0; bar.warp.sync -1;", again=AGAIN)
    assert findings(waited, out, preamble=shared) == []
    assert findings(BULK.format(wait="", again=AGAIN), out, preamble=shared)[0][0] == "async_before_wait"
