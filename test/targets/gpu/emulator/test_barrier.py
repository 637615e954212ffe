"""Barriers of blocks and clusters, and fences: what they order, what they count, who exits, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bodies import assemble_texts, covers, findings, launch, source, store
from ptx_kernels import Coverage, expand
from toolkit import needs_ptxas

from accelc.core.diagnostics import Error
from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.native import core

coverage = Coverage()
both = pytest.mark.parametrize("sanitize", [False, True])
SHARED = ".shared .align 8 .b8 s[4096];"

# s[tid] = value; then, behind `sync`, out[tid] = s[(tid + n / 2) % n].
EXCHANGE = """
    mov.u32 %r20, %ntid.x;
    shl.b32 %r1, %t, 2;
    mov.u32 %r2, s;
    add.u32 %r2, %r2, %r1;
    mul.lo.u32 %r3, %t, 7;
    st.shared.u32 [%r2], %r3;
    {sync}
    shr.u32 %r4, %r20, 1;
    add.u32 %r4, %r4, %t;
    rem.u32 %r4, %r4, %r20;
    shl.b32 %r4, %r4, 2;
    mov.u32 %r5, s;
    add.u32 %r5, %r5, %r4;
    ld.shared.u32 %r6, [%r5];
""" + store("%r6")


def exchanged(n: int) -> np.ndarray:
    return (np.arange(n) + n // 2) % n * 7


SYNCS = [
    f"{name} {operands};"
    for name in (
        "bar.sync",
        "bar.cta.sync",
        "barrier.sync",
        "barrier.cta.sync",
        "barrier.sync.aligned",
        "barrier.cta.sync.aligned",
    )
    for operands in ("0", "15", "%r30", "3, 128", "%r30, %r31", "2, 0")
]


@both
@pytest.mark.parametrize("sync", SYNCS)
def test_sync(sync: str, sanitize: bool) -> None:
    covers(coverage, sync)
    out = np.zeros(128, np.uint32)
    body = "mov.u32 %r30, 5; mov.u32 %r31, 128;" + EXCHANGE.format(sync=sync)
    launch(body, out, block=128, declarations=SHARED, sanitize=sanitize)
    np.testing.assert_array_equal(out, exchanged(128))


@both
@pytest.mark.parametrize("block", [1, 7, 31, 33, 100, 1000])
@pytest.mark.parametrize(
    "sync",
    [
        "bar.sync 0;",
        "barrier.sync 0;",
        "mov.u32 %r31, %ntid.x; add.u32 %r31, %r31, 31; and.b32 %r31, %r31, -32; bar.sync 0, %r31;",
    ],
)
def test_blocks_that_are_no_multiple_of_a_warp(sync: str, block: int, sanitize: bool) -> None:
    out = np.zeros(block, np.uint32)
    launch(EXCHANGE.format(sync=sync), out, block=block, declarations=SHARED, sanitize=sanitize)
    np.testing.assert_array_equal(out, exchanged(block))


def test_without_a_barrier_it_is_a_race() -> None:
    found = findings(EXCHANGE.format(sync=""), np.zeros(128, np.uint32), block=128, declarations=SHARED)
    assert {kind for kind, _ in found} & {"race", "uninitialized"}


@both
def test_many_phases(sanitize: bool) -> None:
    """A rotation through shared memory, 50 steps, two barriers each; barriers 0 to 15 in turn."""
    out = np.zeros(96, np.uint32)
    launch(
        """
        shl.b32 %r1, %t, 2;
        mov.u32 %r2, s;
        add.u32 %r3, %r2, %r1;
        mov.u32 %r5, %t;
        add.u32 %r6, %t, 1;
        rem.u32 %r6, %r6, 96;
        shl.b32 %r6, %r6, 2;
        add.u32 %r6, %r2, %r6;
        mov.u32 %r7, 0;
    L:  st.shared.u32 [%r3], %r5;
        and.b32 %r8, %r7, 15;
        bar.sync %r8;
        ld.shared.u32 %r5, [%r6];
        xor.b32 %r8, %r8, 1;
        bar.sync %r8, 96;
        add.u32 %r7, %r7, 1;
        setp.lt.u32 %p0, %r7, 50;
        @%p0 bra L;
        """
        + store("%r5"),
        out,
        block=96,
        declarations=SHARED,
        sanitize=sanitize,
    )
    np.testing.assert_array_equal(out, (np.arange(96) + 50) % 96)


@both
@pytest.mark.parametrize("word", ["bar", "bar.cta", "barrier", "barrier.cta", "barrier aligned", "barrier.cta aligned"])
@pytest.mark.parametrize("count", ["", "128, "])
def test_red(word: str, count: str, sanitize: bool) -> None:
    word, _, aligned = word.partition(" ")
    aligned = aligned and "." + aligned
    rng = np.random.default_rng(7)
    flags = (rng.random((5, 128)) < np.array([[0], [0.02], [0.5], [0.98], [1]])).astype(np.uint32)
    out = np.zeros((5, 128, 4), np.uint32)
    body = (
        """
        mov.u32 %r10, 0;
    L:  mad.lo.u32 %r1, %r10, 128, %t;
        mad.wide.u32 %rd2, %r1, 4, %rd0;
        ld.global.u32 %r2, [%rd2];
        setp.ne.u32 %p0, %r2, 0;
        """
        + covers(
            coverage,
            f"""
        {word}.red.popc{aligned}.u32 %r3, 1, {count}%p0;
        {word}.red.and{aligned}.pred %p1, 1, {count}%p0;
        {word}.red.or{aligned}.pred %p2, 2, {count}%p0;
        {word}.red.popc{aligned}.u32 %r4, 3, {count}!%p0;
        """,
        )
        + """
        selp.u32 %r5, 1, 0, %p1;
        selp.u32 %r6, 1, 0, %p2;
        mad.wide.u32 %rd3, %r1, 16, %rd1;
        st.global.v4.u32 [%rd3], {%r3, %r5, %r6, %r4};
        add.u32 %r10, %r10, 1;
        setp.lt.u32 %p3, %r10, 5;
        @%p3 bra L;
    """
    )
    launch(body, flags, out, block=128, sanitize=sanitize)
    n = flags.sum(1)
    want = np.stack([n, n == 128, n > 0, 128 - n], 1)
    np.testing.assert_array_equal(out, np.broadcast_to(want[:, None], out.shape))


@both
@pytest.mark.parametrize(
    "words",
    [
        ("bar.arrive", "bar.sync"),
        ("bar.cta.arrive", "bar.cta.sync"),
        ("barrier.arrive", "barrier.sync"),
        ("barrier.cta.arrive", "barrier.cta.sync"),
        ("barrier.arrive.aligned", "barrier.sync.aligned"),
        ("barrier.cta.arrive.aligned", "barrier.cta.sync.aligned"),
    ],
)
def test_producer_and_consumer(words: tuple[str, str], sanitize: bool) -> None:
    """The manual's: warp 0 fills two buffers in turn, warp 1 empties them; barriers 1, 2 say full and 3, 4 empty."""
    arrive, sync = words
    out = np.zeros((20, 32), np.uint32)
    body = (
        covers(coverage, f"{arrive} 1, 64; {sync} 1, 64;")
        and f"""
        mov.u32 %r1, 0;
        mov.u32 %r2, s;
        mad.lo.u32 %r2, %t, 4, %r2;
        setp.ge.u32 %p0, %t, 32;
        @%p0 bra CONSUMER;
    P:  and.b32 %r3, %r1, 1;
        add.u32 %r4, %r3, 3;
        setp.lt.u32 %p1, %r1, 2;
        @%p1 bra FIRST;
        {sync} %r4, 64;
    FIRST:
        shl.b32 %r5, %r3, 7;
        add.u32 %r5, %r5, %r2;
        mad.lo.u32 %r6, %r1, 1000, %t;
        st.shared.u32 [%r5], %r6;
        add.u32 %r4, %r3, 1;
        {arrive} %r4, 64;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, 20;
        @%p1 bra P;
        bra END;
    CONSUMER:
        sub.u32 %r2, %r2, 128;
    C:  and.b32 %r3, %r1, 1;
        add.u32 %r4, %r3, 1;
        {sync} %r4, 64;
        shl.b32 %r5, %r3, 7;
        add.u32 %r5, %r5, %r2;
        ld.shared.u32 %r6, [%r5];
        setp.ge.u32 %p1, %r1, 18;
        @%p1 bra LAST;
        add.u32 %r4, %r3, 3;
        {arrive} %r4, 64;
    LAST:
        mad.lo.u32 %r7, %r1, 32, %t;
        sub.u32 %r7, %r7, 32;
        mad.wide.u32 %rd1, %r7, 4, %rd0;
        st.global.u32 [%rd1], %r6;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, 20;
        @%p1 bra C;
    END:
    """
    )
    launch(body, out, block=64, declarations=SHARED, sanitize=sanitize)
    np.testing.assert_array_equal(out, np.arange(20)[:, None] * 1000 + np.arange(32))


@both
@pytest.mark.parametrize("sync", ["bar.sync 0;", "barrier.sync 0;", "bar.red.popc.u32 %r9, 0, 1;"])
@pytest.mark.parametrize("gone", ["setp.ge.u32 %p0, %t, 40;", "and.b32 %r1, %t, 5; setp.eq.u32 %p0, %r1, 5;"])
@pytest.mark.parametrize("late", ["", "nanosleep.u32 50; nanosleep.u32 50;"])
def test_exits_before_a_barrier(sync: str, gone: str, late: str, sanitize: bool) -> None:
    """Whole warps and single lanes end, before or after the others wait: the rest goes on."""
    out = np.zeros(96, np.uint32)
    body = f"""
        {gone}
        mov.u32 %r9, 0;
        @!%p0 bra STAY;
        {late}
        exit;
    STAY:
        {sync}
        add.u32 %r9, %r9, 1000;
    """ + store("%r9")
    launch(body, out, block=96, sanitize=sanitize)
    tid = np.arange(96)
    stay = tid < 40 if "40" in gone else tid & 5 != 5
    want = 1000 + (stay.sum() if "popc" in sync else 0)
    np.testing.assert_array_equal(out, np.where(stay, want, 0))


@both
def test_unaligned_barriers_in_divergent_code(sanitize: bool) -> None:
    """barrier.sync counts threads: lanes of a warp come from different places, and wait for others of it."""
    out = np.zeros(64, np.uint32)
    body = (
        """
        and.b32 %r1, %t, 1;
        setp.eq.u32 %p0, %r1, 0;
        mov.u32 %r2, s;
        mad.lo.u32 %r2, %t, 4, %r2;
        mov.u32 %r4, 0;
    L:  @%p0 bra A;
        mad.lo.u32 %r5, %r4, 100, %t;
        st.shared.u32 [%r2], %r5;
        barrier.sync 0;
        barrier.sync 1, 64;
        bra N;
    A:  barrier.sync 0;
        ld.shared.u32 %r3, [%r2 + 4];
        barrier.sync 1, 64;
    N:  add.u32 %r4, %r4, 1;
        setp.lt.u32 %p1, %r4, 3;
        @%p1 bra L;
        @!%p0 bra END;
    """
        + store("%r3")
        + "END:"
    )
    launch(body, out, block=64, declarations=SHARED, sanitize=sanitize)
    tid = np.arange(64)
    np.testing.assert_array_equal(out, np.where(tid % 2 == 0, 200 + tid + 1, 0))


@both
def test_guarded_barrier(sanitize: bool) -> None:
    """Whole warps are kept out by the guard; the lanes of a warp agree."""
    out = np.zeros(128, np.uint32)
    body = """
        setp.lt.u32 %p0, %t, 64;
        mov.u32 %r1, 0;
        @%p0 bar.red.popc.u32 %r1, 4, 64, %p0;
    """ + store("%r1")
    launch(body, out, block=128, sanitize=sanitize)
    np.testing.assert_array_equal(out, np.where(np.arange(128) < 64, 64, 0))


# ---- clusters --------------------------------------------------------------------------------------------------------

CLUSTER = """
    mov.u32 %r1, %cluster_ctarank;
    mov.u32 %r2, s;
    mad.lo.u32 %r3, %r1, 1000, %t;
    mad.lo.u32 %r4, %t, 4, %r2;
    mov.u32 %r10, 0;
    mov.u32 %r9, 0;
L:  add.u32 %r5, %r3, %r10;
    st.shared.u32 [%r4], %r5;
    {arrive}
    {wait}
    add.u32 %r6, %r1, 1;
    and.b32 %r6, %r6, 3;
    mapa.shared::cluster.u32 %r7, %r4, %r6;
    ld.shared::cluster.u32 %r8, [%r7];
    add.u32 %r9, %r9, %r8;
    {arrive}
    {wait}
    add.u32 %r10, %r10, 1;
    setp.lt.u32 %p0, %r10, 4;
    @%p0 bra L;
    mov.u32 %r11, %ctaid.x;
    mad.lo.u32 %r11, %r11, 64, %t;
""" + store("%r9", index="%r11")

ARRIVES = [f"barrier.cluster.arrive{order}{aligned};" for order in ("", ".release") for aligned in ("", ".aligned")]
WAITS = [f"barrier.cluster.wait{order}{aligned};" for order in ("", ".acquire") for aligned in ("", ".aligned")]


@both
@pytest.mark.parametrize(("arrive", "wait"), list(zip(ARRIVES, WAITS, strict=True)))
def test_cluster(arrive: str, wait: str, sanitize: bool) -> None:
    out = np.zeros((8, 64), np.uint32)
    body = CLUSTER.format(arrive=covers(coverage, arrive), wait=covers(coverage, wait))
    launch(body, out, grid=8, cluster=4, block=64, declarations=SHARED, sanitize=sanitize)
    rank = (np.arange(8) % 4 + 1) % 4
    np.testing.assert_array_equal(out, 4 * (rank[:, None] * 1000 + np.arange(64)) + 6)


@pytest.mark.parametrize("aligned", ["", ".aligned"])
def test_cluster_relaxed(aligned: str) -> None:
    """A relaxed arrival orders nothing: with a fence before it is right, without it a race."""
    arrive = covers(coverage, f"barrier.cluster.arrive.relaxed{aligned};")
    fenced = CLUSTER.format(
        arrive="fence.acq_rel.cluster; " + arrive, wait="barrier.cluster.wait; fence.acq_rel.cluster;"
    )
    out = np.zeros((4, 64), np.uint32)
    launch(fenced, out, grid=4, cluster=4, block=64, declarations=SHARED)
    np.testing.assert_array_equal(out, 4 * ((np.arange(4)[:, None] + 1) % 4 * 1000 + np.arange(64)) + 6)
    bare = CLUSTER.format(arrive=arrive, wait="barrier.cluster.wait;")
    found = findings(bare, out, grid=4, cluster=4, block=64, declarations=SHARED)
    assert {kind for kind, _ in found} & {"race", "uninitialized"}


@both
def test_cluster_split_arrive_and_wait_with_exits(sanitize: bool) -> None:
    """Threads that end do not hold the others up, whether they arrived or not."""
    out = np.zeros((2, 64), np.uint32)
    body = """
        mov.u32 %r1, %cluster_ctarank;
        and.b32 %r2, %t, 3;
        setp.eq.u32 %p0, %r2, 0;
        @%p0 exit;
        barrier.cluster.arrive;
        setp.eq.u32 %p0, %r2, 1;
        @%p0 exit;
        mov.u32 %r3, 5;
        barrier.cluster.wait;
        mad.lo.u32 %r4, %r1, 64, %t;
    """ + store("%r3", index="%r4")
    launch(body, out, grid=2, cluster=2, block=64, sanitize=sanitize)
    np.testing.assert_array_equal(out, np.where(np.arange(64) % 4 > 1, 5, 0) * np.ones((2, 1)))


def test_a_launch_without_clusters_is_a_cluster_of_one() -> None:
    out = np.zeros(64, np.uint32)
    body = EXCHANGE.format(sync="barrier.cluster.arrive; barrier.cluster.wait;")
    launch(body, out, block=64, declarations=SHARED)
    np.testing.assert_array_equal(out, exchanged(64))


# ---- fences ----------------------------------------------------------------------------------------------------------

FENCES = [
    *(f"membar.{level};" for level in ("cta", "gl", "sys")),
    *(
        f"fence{order}.{scope};"
        for order in ("", ".sc", ".acq_rel", ".acquire", ".release")
        for scope in ("cta", "cluster", "gpu", "sys")
    ),
    "fence.acquire.sync_restrict::shared::cluster.cluster;",
    "fence.release.sync_restrict::shared::cta.cluster;",
    "fence.mbarrier_init.release.cluster;",
    "fence.proxy.alias;",
    "membar.proxy.alias;",
    *(f"fence.proxy.async{space};" for space in ("", ".global", ".shared::cta", ".shared::cluster")),
    "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster;",
    "fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster;",
    *(f"fence.proxy.tensormap::generic.release.{scope};" for scope in ("cta", "cluster", "gpu", "sys")),
    *(f"fence.proxy.tensormap::generic.acquire.{scope} [%rd20], 128;" for scope in ("cta", "cluster", "gpu", "sys")),
]
PACING = [
    "nanosleep.u32 20;",
    "nanosleep.u32 %t;",
    "griddepcontrol.wait;",
    "griddepcontrol.launch_dependents;",
    "setmaxnreg.inc.sync.aligned.u32 240;",
    "setmaxnreg.dec.sync.aligned.u32 24;",
]
MAP = ".global .align 128 .b8 map[256];"


@both
def test_fences_and_pacing_go_on(sanitize: bool) -> None:
    out = np.zeros(64, np.uint32)
    words = [covers(coverage, word) for word in FENCES + PACING]
    body = "mov.u64 %rd20, map;" + "".join(f"add.u32 %r1, %r1, 1; {word}\n" for word in words) + store("%r1")
    launch("mov.u32 %r1, 0;" + body, out, block=64, preamble=MAP, sanitize=sanitize)
    np.testing.assert_array_equal(out, len(words))


def test_tensormap_fence_wants_128_aligned_bytes() -> None:
    body = "mov.u64 %rd20, map; fence.proxy.tensormap::generic.acquire.gpu [%rd20 + {0}], 128;"
    assert findings(body.format(128), preamble=MAP) == []
    assert findings(body.format(64), preamble=MAP)[0][0] == "misaligned"
    assert findings(body.format(256), preamble=MAP)[0][0] == "out_of_bounds"


@both
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("publish", "observe"),
    [
        (
            "st.global.u32 [%rd2], %r3; fence.acq_rel.gpu; st.relaxed.gpu.global.u32 [%rd3], 1;",
            "ld.relaxed.gpu.global.u32 %r5, [%rd3]; fence.acq_rel.gpu;",
        ),
        (
            "st.global.u32 [%rd2], %r3; membar.gl; st.volatile.global.u32 [%rd3], 1;",
            "ld.volatile.global.u32 %r5, [%rd3]; membar.gl;",
        ),
        (
            "st.global.u32 [%rd2], %r3; fence.sc.sys; atom.relaxed.gpu.global.exch.b32 %r9, [%rd3], 1;",
            "nanosleep.u32 5; ld.relaxed.gpu.global.u32 %r5, [%rd3]; fence.acquire.gpu;",
        ),
    ],
)
def test_fences_order_between_blocks(publish: str, observe: str, threads: int, sanitize: bool) -> None:
    """Block n waits for block n - 1, adds to its value and passes it on."""
    data, flags = np.zeros(16, np.uint32), np.zeros(16, np.uint32)
    body = f"""
        setp.ne.u32 %p0, %t, 0;
        @%p0 exit;
        mov.u32 %r1, %ctaid.x;
        mov.u32 %r3, 1;
        setp.eq.u32 %p1, %r1, 0;
        @%p1 bra GO;
        sub.u32 %r2, %r1, 1;
        mad.wide.u32 %rd2, %r2, 4, %rd0;
        mad.wide.u32 %rd3, %r2, 4, %rd1;
    W:  {observe}
        setp.eq.u32 %p2, %r5, 0;
        @%p2 bra W;
        ld.global.u32 %r4, [%rd2];
        mad.lo.u32 %r3, %r4, 3, %r1;
    GO: mad.wide.u32 %rd2, %r1, 4, %rd0;
        mad.wide.u32 %rd3, %r1, 4, %rd1;
        {publish}
    """
    launch(body, data, flags, grid=16, sanitize=sanitize, threads=threads)
    want = [1]
    for n in range(1, 16):
        want.append((want[-1] * 3 + n) % 2**32)
    np.testing.assert_array_equal(data, want)


# ---- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "block", "word"),
    [
        ("and.b32 %r1, %t, 1; setp.eq.u32 %p0, %r1, 0; @%p0 bar.sync 0;", 32, "guard"),
        ("setp.lt.u32 %p0, %t, 8; @%p0 bra A; bar.sync 0; bra B; A: bar.sync 0; B:", 32, "elsewhere"),
        ("setp.lt.u32 %p0, %t, 32; selp.u32 %r1, 64, 96, %p0; bar.sync 1, %r1;", 96, "where those before waited for"),
        (
            "setp.lt.u32 %p0, %t, 32; @%p0 bra A; bar.arrive 1, 96; bar.arrive 1, 96; bra B; A: bar.sync 1, 96; B:",
            96,
            "arrive twice",
        ),
        (
            "setp.lt.u32 %p0, %t, 32; @%p0 bra A; bar.sync 0; bra B; A: bar.red.popc.u32 %r1, 0, %p0; B:",
            64,
            "reduction",
        ),
        ("bar.sync 1, %r9;", 64, "multiple of 32"),
        ("mov.u32 %r9, 16; bar.sync %r9;", 64, "0 to 15"),
        ("bar.sync %t;", 32, "different barriers"),
        ("mov.u32 %r8, 0; bar.arrive 1, %r8;", 32, "needs a thread count"),
        (
            "setmaxnreg.inc.sync.aligned.u32 64; setp.lt.u32 %p0, %t, 3; @%p0 setmaxnreg.dec.sync.aligned.u32 24;",
            32,
            "guard",
        ),
        ("barrier.cluster.wait;", 32, "without having arrived"),
        ("barrier.cluster.arrive; barrier.cluster.arrive; barrier.cluster.wait;", 32, "arrives again"),
        (
            "setp.lt.u32 %p0, %t, 3; @%p0 barrier.cluster.arrive.aligned; @!%p0 barrier.cluster.arrive;",
            32,
            "guard",
        ),
    ],
)
def test_barrier_divergence(body: str, block: int, word: str) -> None:
    found = findings("mov.u32 %r9, 33;" + body, block=block)
    assert found and found[0][0] == "barrier_divergence", found
    assert any(word in message for _, message in found), found


@pytest.mark.parametrize("sanitize", [False, True])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "setp.lt.u32 %p0, %t, 96; @%p0 bar.sync 0;  @!%p0 bar.sync 1;",
            ["barrier 0 of block (0,0,0)", "96 of 128", "barrier 1", "32 of 128"],
        ),
        ("setp.lt.u32 %p0, %t, 32; @%p0 bar.sync 3, 64;", ["barrier 3", "32 of 64"]),
        ("bar.sync 2, 256;", ["barrier 2", "128 of 256"]),
        (
            "setp.lt.u32 %p0, %t, 64; @%p0 barrier.cluster.arrive; @!%p0 bar.sync 0; @%p0 barrier.cluster.wait;",
            ["cluster (0,0,0)", "64 of 128", "warps 2, 3"],
        ),
    ],
)
def test_deadlock(body: str, words: list[str], sanitize: bool) -> None:
    found = findings(body, block=128, sanitize=sanitize)
    messages = [message for kind, message in found if kind == "deadlock"]
    assert messages, found
    for word in words:
        assert any(word in message for message in messages), messages


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("bar.sync 16;", "0 to 15"),
        ("bar.sync 0, 33;", "multiple of 32"),
        ("bar.arrive 0;", "operands"),
        ("bar.arrive 0, 0;", "thread count"),
        ("setmaxnreg.inc.sync.aligned.u32 23;", "multiple of 8"),
        ("setmaxnreg.dec.sync.aligned.u32 264;", "multiple of 8"),
        ("fence.acquire.sync_restrict::shared::cta.cluster;", "no such form"),
        ("fence.mbarrier_init.release.gpu;", "no such form"),
        ("barrier.cluster.wait.release;", "no such form"),
        ("fence.proxy.tensormap::generic.acquire.gpu [%rd0], 64;", "128"),
    ],
)
def test_refused(body: str, word: str) -> None:
    with pytest.raises(Error, match="line 9") as error:
        Emulator(source(body))
    assert word in str(error.value)


# ---- coverage --------------------------------------------------------------------------------------------------------

OPCODES = {"bar", "barrier", "membar", "fence", "nanosleep", "griddepcontrol", "setmaxnreg"}


def test_every_form_is_tested() -> None:
    forms = [f for f in core().forms() if f[0] in OPCODES and not f[1].startswith("warp")]
    assert sum(len(expand(f[0], f[1])) for f in forms) > 70
    assert coverage.missing(forms) == []


@needs_ptxas
def test_ptxas_takes_it(tmp_path: Path) -> None:
    reductions = [
        f"{word}.red.popc{aligned}.u32 %r3, 1, 64, !%p0; {word}.red.and{aligned}.pred %p1, 1, %p0;"
        f"{word}.red.or{aligned}.pred %p1, %r1, %r2, %p0;"
        for word, aligned in [("bar", ""), ("bar.cta", ""), ("barrier", ".aligned"), ("barrier.cta", "")]
    ]
    words = SYNCS + reductions + ARRIVES + WAITS + FENCES + PACING
    assemble_texts([source("\n".join(words), preamble=MAP)], tmp_path)
