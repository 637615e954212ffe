"""mbarriers used wrongly: what is found, what is refused, and who waits for ever."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import findings, launch, source, store

from accelc.core.diagnostics import Error
from accelc.targets.gpu.emulator import Emulator

both = pytest.mark.parametrize("sanitize", [False, True])
SHARED = ".shared .align 8 .b64 m[8]; .shared .align 16 .b8 s[2048];"

ONE = "setp.ne.u32 %p0, %t, 0; @%p0 exit;"
INIT = ONE + "mbarrier.init.shared.b64 [m], 2;"
MISUSE = [
    ("used before init", ONE + "mbarrier.arrive.shared.b64 _, [m];", "before mbarrier.init"),
    ("waited for before init", ONE + "mbarrier.test_wait.parity.shared.b64 %p1, [m], 0;", "before mbarrier.init"),
    (
        "used after inval",
        INIT + "mbarrier.inval.shared.b64 [m]; mbarrier.arrive.shared.b64 _, [m];",
        "after mbarrier.inval",
    ),
    ("inval of nothing", ONE + "mbarrier.inval.shared.b64 [m];", "where there is none"),
    ("count of 0", ONE + "mov.u32 %r1, 0; mbarrier.init.shared.b64 [m], %r1;", "not in 1"),
    ("count too large", ONE + "mov.u32 %r1, 1048576; mbarrier.init.shared.b64 [m], %r1;", "not in 1"),
    ("arrive by 0", INIT + "mov.u32 %r1, 0; mbarrier.arrive.shared.b64 _, [m], %r1;", "not in 1"),
    (
        "too many arrivals",
        INIT + "mbarrier.arrive.shared.b64 _, [m]; mbarrier.arrive.shared.b64 _, [m], 2;",
        "more arrivals",
    ),
    (
        "after all dropped",
        INIT + "mbarrier.arrive_drop.shared.b64 _, [m], 2; mbarrier.arrive.shared.b64 _, [m];",
        "more arrivals",
    ),
    (
        "tx too large",
        INIT + "mov.u32 %r1, 1048575; mbarrier.expect_tx.shared.b64 [m], %r1; mbarrier.expect_tx.shared.b64 [m], 1;",
        "leaves the range",
    ),
    (
        "tx too small",
        INIT
        + "mov.u32 %r1, 1048575; mbarrier.complete_tx.shared.b64 [m], %r1; mbarrier.complete_tx.shared.b64 [m], 1;",
        "leaves the range",
    ),
    ("tx not a count", INIT + "mov.u32 %r1, 1048576; mbarrier.expect_tx.shared.b64 [m], %r1;", "not in 0"),
    ("no state", INIT + "mov.u64 %rd1, 7; mbarrier.test_wait.shared.b64 %p1, [m], %rd1;", "no state"),
    ("in global memory", ONE + "mbarrier.init.b64 [%rd0], 1;", "shared memory"),
]
# The first warp acts while the second waits for the running phase.
UNDER_WAITERS = """
    setp.eq.u32 %p0, %t, 0;
    @%p0 mbarrier.init.shared.b64 [m], 1;
    bar.sync 0;
    setp.ge.u32 %p1, %t, 32;
    @%p1 bra WAIT;
    nanosleep.u32 1; nanosleep.u32 1; nanosleep.u32 1;
    {}
    bra END;
WAIT:
    mbarrier.try_wait.parity.shared.b64 %p2, [m], 0;
END:
"""
SUSPECT = [
    (
        "init in a phase",
        INIT + "mbarrier.arrive.shared.b64 _, [m]; mbarrier.init.shared.b64 [m], 2;",
        "middle of a phase",
    ),
    ("no parity", INIT + "mov.u32 %r1, 2; mbarrier.test_wait.parity.shared.b64 %p1, [m], %r1;", "0 or 1"),
    ("ends the phase", INIT + "mbarrier.arrive.noComplete.shared.b64 _, [m], 2;", "noComplete"),
    (
        "an old state",
        INIT
        + "mbarrier.arrive.shared.b64 %rd1, [m], 2; mbarrier.arrive.shared.b64 %rd2, [m], 2;"
        + "mbarrier.test_wait.shared.b64 %p1, [m], %rd1;",
        "must be this one or the one before",
    ),
    (
        "a phase too far",
        UNDER_WAITERS.format("@%p0 mbarrier.arrive.shared.b64 _, [m]; @%p0 mbarrier.arrive.shared.b64 _, [m];"),
        "has seen the end of the one before",
    ),
    (
        "inval under waiters",
        UNDER_WAITERS.format("@%p0 mbarrier.inval.shared.b64 [m];"),
        "while threads wait",
    ),
    (
        "init under waiters",
        UNDER_WAITERS.format("@%p0 mbarrier.init.shared.b64 [m], 2;"),
        "while threads wait",
    ),
]


@both
@pytest.mark.parametrize(("body", "word"), [case[1:] for case in MISUSE], ids=[case[0] for case in MISUSE])
def test_misuse(body: str, word: str, sanitize: bool) -> None:
    found = findings(body, np.zeros(4, np.uint32), block=64, declarations=SHARED, sanitize=sanitize)
    assert any(kind == "mbarrier_misuse" and word in message for kind, message in found), found


@pytest.mark.parametrize(("body", "word"), [case[1:] for case in SUSPECT], ids=[case[0] for case in SUSPECT])
def test_suspect(body: str, word: str) -> None:
    """What may go well without the sanitizer."""
    found = findings(body, np.zeros(4, np.uint32), block=64, declarations=SHARED)
    assert any(kind == "mbarrier_misuse" and word in message for kind, message in found), found


@both
def test_misaligned_and_foreign(sanitize: bool) -> None:
    found = findings(ONE + "mbarrier.init.shared.b64 [m + 4], 1;", declarations=SHARED, sanitize=sanitize)
    assert found[0][0] == "misaligned"
    remote = """
        mov.u32 %r1, m;
        mov.u32 %r2, 1;
        mapa.shared::cluster.u32 %r3, %r1, %r2;
        cvt.u64.u32 %rd1, %r3;
        cvta.shared.u64 %rd1, %rd1;
        mbarrier.init.shared.b64 [m], 32;
        barrier.cluster.arrive;
        barrier.cluster.wait;
        mov.u32 %r4, %cluster_ctarank;
        setp.ne.u32 %p0, %r4, 0;
        @%p0 bra END;
        {0}
    END:
        barrier.cluster.arrive;
        barrier.cluster.wait;
    """
    for text, word in [
        ("mbarrier.arrive.b64 %rd2, [%rd1];", "returns no state"),
        ("mbarrier.test_wait.parity.b64 %p1, [%rd1], 0;", "another block"),
        ("mbarrier.inval.b64 [%rd1];", "another block"),
    ]:
        found = findings(remote.format(text), block=1, grid=2, cluster=2, declarations=SHARED, sanitize=sanitize)
        assert any(kind == "mbarrier_misuse" and word in message for kind, message in found), found


def test_arrival_at_a_block_that_has_ended() -> None:
    body = """
        mov.u32 %r1, m;
        mov.u32 %r2, 1;
        mapa.shared::cluster.u32 %r3, %r1, %r2;
        mbarrier.init.shared.b64 [m], 32;
        fence.mbarrier_init.release.cluster;
        barrier.cluster.arrive;
        barrier.cluster.wait;
        mov.u32 %r4, %cluster_ctarank;
        setp.ne.u32 %p0, %r4, 0;
        @%p0 exit;
        nanosleep.u32 1; nanosleep.u32 1; nanosleep.u32 1;
        mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r3];
    """
    found = findings(body, block=1, grid=2, cluster=2, declarations=SHARED)
    assert [kind for kind, message in found if "its block has ended" in message] == ["mbarrier_misuse"]


def test_init_must_be_seen_by_who_arrives() -> None:
    body = "setp.eq.u32 %p0, %t, 0; @%p0 mbarrier.init.shared.b64 [m], 64; {0} mbarrier.arrive.shared.b64 _, [m];"
    assert findings(body.format("bar.sync 0;"), block=64, declarations=SHARED) == []
    assert {kind for kind, _ in findings(body.format(""), block=64, declarations=SHARED)} == {"race"}


@both
@pytest.mark.parametrize("wait", ["test_wait", "try_wait"])
def test_deadlock(wait: str, sanitize: bool) -> None:
    """A missing arrival: who waits where, and for what. Spinning without an end meets the limit of steps."""
    body = f"""
        setp.eq.u32 %p0, %t, 0;
        @%p0 mbarrier.init.shared.b64 [m], 64;
        bar.sync 0;
        setp.ne.u32 %p0, %t, 5;
        @%p0 mbarrier.arrive.shared.b64 _, [m];
    A:  mbarrier.{wait}.parity.shared.b64 %p1, [m], 0;
        @!%p1 bra A;
    """
    found = findings(body, block=64, declarations=SHARED, sanitize=sanitize, max_steps=1 << 20)
    kinds = {kind for kind, _ in found}
    assert kinds == ({"deadlock"} if wait == "try_wait" else {"step_limit"}), found
    if wait == "try_wait":
        assert "mbarrier 0x400 of block (0,0,0), the phase of parity 0: 1 of 64 arrivals are missing" in found[0][1]


def test_try_wait_gives_up() -> None:
    """A kernel may count its failures: it is told no after a while."""
    out = np.zeros(32, np.uint32)
    body = """
        setp.eq.u32 %p0, %t, 0;
        @%p0 mbarrier.init.shared.b64 [m], 2;
        bar.sync 0;
        mov.u32 %r1, 0;
    A:  mbarrier.try_wait.parity.shared.b64 %p1, [m], 0, 50;
        @%p1 bra B;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p2, %r1, 10;
        @%p2 bra A;
    B:
    """ + store("%r1")
    launch(body, out, declarations=SHARED, sanitize=True)
    np.testing.assert_array_equal(out, 10)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("mbarrier.init.shared.b64 [m], 0;", "1 .. 1048575"),
        ("mbarrier.init.shared::cluster.b64 [m], 1;", "no such form"),
        ("mbarrier.arrive.shared::cluster.b64 %rd1, [m];", "must be _"),
        ("mbarrier.arrive.release.shared.b64 %rd1, [m];", "no such form"),
        ("mbarrier.arrive.noComplete.b64 %rd1, [m];", "operands"),
        ("mbarrier.arrive.expect_tx.b64 %rd1, [m];", "operands"),
        ("mbarrier.test_wait.parity.b64 %p1, [m], 2;", "0 or 1"),
        ("mbarrier.test_wait.b64 %p1, [m], %rd1, 100;", "operands"),
        ("mbarrier.test_wait.shared::cluster.b64 %p1, [m], %rd1;", "no such form"),
    ],
)
def test_refused(body: str, word: str) -> None:
    with pytest.raises(Error, match="line 9") as error:
        Emulator(source(body, declarations=SHARED))
    assert word in str(error.value)
