"""mbarriers: a model in Python against random programs, rings of several phases, clusters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from bodies import assemble_texts, covers, findings, launch, source, store
from ptx_kernels import Coverage, expand
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator.native import core

coverage = Coverage()
both = pytest.mark.parametrize("sanitize", [False, True])
SHARED = ".shared .align 8 .b64 m[8]; .shared .align 16 .b8 s[2048];"
SPACES = ("", ".shared", ".shared::cta")
LIMIT = 2**20 - 1


# ---- against a model -------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """An mbarrier as the manual tells it."""

    expected: int
    pending: int
    tx: int = 0
    phase: int = 0

    def settle(self) -> None:
        if self.pending == 0 and self.tx == 0:
            self.phase += 1
            self.pending = self.expected

    def add_tx(self, n: int) -> None:
        self.tx += n
        self.settle()

    def arrive(self, n: int, drop: bool = False) -> int:
        before = self.pending
        self.pending -= n
        self.expected -= n if drop else 0
        self.settle()
        return before


class Program:
    """A random straight line of mbarrier instructions for one thread, and what the model says about it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        count = int(rng.integers(1, 6))
        self.model = Model(count, count)
        self.lines = [f"mbarrier.init{self.space()}.b64 [m], {count};"]
        self.want: list[int] = []
        self.states: list[int] = []  # the phase of each state, kept in %rd10 and up
        for _ in range(40):
            self.step()

    def space(self, cluster: bool = False) -> str:
        return str(self.rng.choice([*SPACES, *([".shared::cluster"] if cluster else [])]))

    def number(self, n: int) -> str:
        """A count as a literal or in a register."""
        if self.rng.random() < 0.5:
            return str(n)
        self.lines.append(f"mov.u32 %r1, {n};")
        return "%r1"

    def record(self, text: str, value: int) -> None:
        self.lines += [text, f"st.global.u32 [%rd0 + {4 * len(self.want)}], %r2;"]
        self.want.append(value)

    def arrive(self) -> None:
        m, rng = self.model, self.rng
        drop = rng.random() < 0.1 and m.expected > 1
        count = int(rng.integers(1, m.pending + 1)) if not drop else 1
        order = str(rng.choice(["", ".release.cta", ".relaxed.cta", ".release.cluster", ".relaxed.cluster"]))
        kind = "arrive_drop" if drop else "arrive"
        form = rng.integers(4)
        if form == 0 and count < m.pending:
            order = str(rng.choice(["", ".release.cta"]))
            name = f"mbarrier.{kind}.noComplete{order}{self.space()}.b64"
            if order and rng.random() < 0.5:
                name = f"mbarrier.{kind}.release.cta.noComplete{self.space()}.b64"
            operands = f", {self.number(count)}"
        elif form == 1:
            tx, count = int(rng.integers(0, 5)), 1
            if abs(m.tx + tx) > LIMIT:
                return
            name = f"mbarrier.{kind}.expect_tx{order}{self.space()}.b64"
            operands = f", {self.number(tx)}"
            m.tx += tx
        else:
            name = f"mbarrier.{kind}{order}{self.space()}.b64"
            operands = "" if count == 1 and form == 2 else f", {self.number(count)}"
        if rng.random() < 0.3:
            if ".noComplete" not in name and rng.random() < 0.5:
                name = name.replace(".shared::cta", "").replace(".shared", "").replace(".b64", ".shared::cluster.b64")
            self.lines.append(f"{name} _, [m]{operands};")
            m.arrive(count, drop)
            return
        slot = len(self.states) % 10 + 10
        self.lines.append(f"{name} %rd{slot}, [m]{operands};")
        phase = m.phase
        before = m.arrive(count, drop)
        self.states.append(phase)
        self.record(f"mbarrier.pending_count.b64 %r2, %rd{slot};", before)

    def step(self) -> None:
        m, rng = self.model, self.rng
        kind = rng.integers(5)
        if kind <= 1 and m.pending > 0 and m.expected > 0:
            self.arrive()
        elif kind == 2:
            order = str(rng.choice(["", ".relaxed.cta", ".relaxed.cluster"]))
            down = rng.random() < 0.6 if m.tx >= 0 else rng.random() < 0.3
            n = int(m.tx if m.tx > 0 and rng.random() < 0.5 else rng.integers(0, 6))
            word = "complete_tx" if down else "expect_tx"
            self.lines.append(f"mbarrier.{word}{order}{self.space(cluster=True)}.b64 [m], {self.number(n)};")
            m.add_tx(-n if down else n)
        elif kind == 3:
            order = str(rng.choice(["", ".acquire.cta", ".relaxed.cta", ".acquire.cluster", ".relaxed.cluster"]))
            word = str(rng.choice(["test_wait", "try_wait"]))
            hint = str(rng.choice(["", ", 100"])) if word == "try_wait" else ""
            parity = int(rng.integers(2))
            self.record(
                f"mbarrier.{word}.parity{order}{self.space()}.b64 %p1, [m], {self.number(parity)}{hint};"
                "selp.u32 %r2, 1, 0, %p1;",
                int(m.phase % 2 != parity),
            )
        elif self.states and m.phase - self.states[-1] <= 1:
            order = str(rng.choice(["", ".acquire.cta", ".relaxed.cta", ".acquire.cluster", ".relaxed.cluster"]))
            word = str(rng.choice(["test_wait", "try_wait"]))
            hint = str(rng.choice(["", ", %r1"])) if word == "try_wait" else ""
            slot = (len(self.states) - 1) % 10 + 10
            self.record(
                f"mbarrier.{word}{order}{self.space()}.b64 %p1, [m], %rd{slot}{hint}; selp.u32 %r2, 1, 0, %p1;",
                int(m.phase != self.states[-1]),
            )


PROGRAMS = [Program(np.random.default_rng(seed)) for seed in range(120)]


@both
def test_random_programs_against_the_model(sanitize: bool) -> None:
    assert max(p.model.phase for p in PROGRAMS) > 5
    for program in PROGRAMS:
        out = np.zeros(len(program.want) + 1, np.uint32)
        body = "setp.ne.u32 %p0, %t, 0; @%p0 exit; mov.u32 %r1, 0;\n" + "\n".join(program.lines)
        covers(coverage, "\n".join(program.lines))
        launch(body, out, declarations=SHARED, sanitize=sanitize)
        np.testing.assert_array_equal(out[:-1], program.want)


# ---- rings -----------------------------------------------------------------------------------------------------------

# Warp 0 fills a ring of 4 slots of 128 bytes, the other warps read each; `full` is m[slot], `empty` m[4 + slot].
RING = """
    mov.u32 %r1, m;
    mov.u32 %r2, s;
    setp.ne.u32 %p0, %t, 0;
    @%p0 bra READY;
    mov.u32 %r3, 0;
INIT:
    mad.lo.u32 %r4, %r3, 8, %r1;
    mbarrier.init.shared::cta.b64 [%r4], {full};
    mbarrier.init.shared::cta.b64 [%r4 + 32], 2;
    add.u32 %r3, %r3, 1;
    setp.lt.u32 %p1, %r3, 4;
    @%p1 bra INIT;
READY:
    bar.sync 0;
    mov.u32 %r3, 0;
    mov.u32 %r20, 0;
    and.b32 %r21, %t, 31;
    setp.ge.u32 %p0, %t, 32;
LOOP:
    and.b32 %r5, %r3, 3;
    shr.u32 %r6, %r3, 2;
    and.b32 %r6, %r6, 1;
    mad.lo.u32 %r7, %r5, 8, %r1;
    shl.b32 %r8, %r5, 7;
    add.u32 %r8, %r8, %r2;
    mad.lo.u32 %r8, %r21, 4, %r8;
    @%p0 bra CONSUMER;
    xor.b32 %r9, %r6, 1;
WE: mbarrier.{wait}.parity{acquire}.shared::cta.b64 %p2, [%r7 + 32], %r9;
    @!%p2 bra WE;
    mad.lo.u32 %r10, %r3, 100, %r21;
    st.shared.u32 [%r8], %r10;
    {arrive}
    bra NEXT;
CONSUMER:
WF: mbarrier.{wait}.parity{acquire}.shared::cta.b64 %p2, [%r7], %r6;
    @!%p2 bra WF;
    sub.u32 %r11, %r8, %r21;
    ld.shared.u32 %r12, [%r8];
    add.u32 %r20, %r20, %r12;
    bar.warp.sync -1;
    setp.ne.u32 %p3, %r21, 0;
    @!%p3 mbarrier.arrive.shared::cta.b64 _, [%r7 + 32];
NEXT:
    add.u32 %r3, %r3, 1;
    setp.lt.u32 %p1, %r3, 50;
    @%p1 bra LOOP;
""" + store("%r20")

ARRIVALS = {
    "one by one": (32, "mbarrier.arrive.shared::cta.b64 _, [%r7];"),
    "one lane": (
        1,
        "bar.warp.sync -1; setp.ne.u32 %p3, %r21, 0; @!%p3 mbarrier.arrive.release.cta.shared::cta.b64 _, [%r7];",
    ),
    "counted": (32, "bar.warp.sync -1; setp.ne.u32 %p3, %r21, 0; @!%p3 mbarrier.arrive.shared::cta.b64 _, [%r7], 32;"),
    "bytes": (
        1,
        "setp.ne.u32 %p3, %r21, 0; @!%p3 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r7], 128; bar.warp.sync -1;"
        "fence.acq_rel.cta; mbarrier.complete_tx.shared::cta.b64 [%r7], 4;",
    ),
}


@both
@pytest.mark.parametrize("wait", ["test_wait", "try_wait"])
@pytest.mark.parametrize("arrival", ["one by one", "one lane", "counted"])
def test_ring(arrival: str, wait: str, sanitize: bool) -> None:
    full, arrive = ARRIVALS[arrival]
    out = np.zeros((3, 32), np.uint32)
    launch(
        RING.format(full=full, arrive=arrive, wait=wait, acquire=""),
        out,
        block=96,
        declarations=SHARED,
        sanitize=sanitize,
    )
    np.testing.assert_array_equal(out[1:], np.tile(50 * 49 // 2 * 100 + 50 * np.arange(32), (2, 1)))


def test_ring_with_transactions() -> None:
    """complete_tx does not release: the values are there, and the sanitizer has a race to tell."""
    full, arrive = ARRIVALS["bytes"]
    out = np.zeros((3, 32), np.uint32)
    body = RING.format(full=full, arrive=arrive, wait="try_wait", acquire=".acquire.cta")
    launch(body, out, block=96, declarations=SHARED)
    np.testing.assert_array_equal(out[1:], np.tile(50 * 49 // 2 * 100 + 50 * np.arange(32), (2, 1)))


@pytest.mark.parametrize(("arrive", "acquire"), [(".relaxed.cta", ""), ("", ".relaxed.cta"), ("", "")])
def test_relaxed_orders_nothing(arrive: str, acquire: str) -> None:
    body = RING.format(
        full=32, arrive=f"mbarrier.arrive{arrive}.shared::cta.b64 _, [%r7];", wait="try_wait", acquire=acquire
    )
    found = findings(body, np.zeros((3, 32), np.uint32), block=96, declarations=SHARED)
    assert {kind for kind, _ in found} == ({"race"} if arrive or acquire else set())


@both
def test_arrival_states_and_waits_of_all_threads(sanitize: bool) -> None:
    """A block barrier made of an mbarrier: every thread arrives, keeps its state and waits with it, 6 times over."""
    out = np.zeros(128, np.uint32)
    body = """
        mov.u32 %r1, s;
        mad.lo.u32 %r2, %t, 4, %r1;
        xor.b32 %r3, %t, 127;
        mad.lo.u32 %r3, %r3, 4, %r1;
        setp.eq.u32 %p0, %t, 0;
        @%p0 mbarrier.init.shared::cta.b64 [m], 128;
        bar.sync 0;
        mov.u32 %r4, 0;
        mov.u32 %r5, %t;
    L:  st.shared.u32 [%r2], %r5;
        mbarrier.arrive.b64 %rd1, [m];
    A:  mbarrier.try_wait.b64 %p1, [m], %rd1;
        @!%p1 bra A;
        ld.shared.u32 %r5, [%r3];
        add.u32 %r5, %r5, 1;
        mbarrier.arrive.shared.b64 %rd1, [m];
    B:  mbarrier.test_wait.shared.b64 %p1, [m], %rd1;
        @!%p1 bra B;
        add.u32 %r4, %r4, 1;
        setp.lt.u32 %p1, %r4, 6;
        @%p1 bra L;
        bar.sync 0;
        @%p0 mbarrier.inval.shared::cta.b64 [m];
    """ + store("%r5")
    covers(coverage, body)
    launch(body, out, block=128, declarations=SHARED, sanitize=sanitize)
    np.testing.assert_array_equal(out, np.arange(128) + 6)


@both
def test_drop_and_generic_addresses(sanitize: bool) -> None:
    """Warp 1 drops out of a barrier of 64 after its first phase; addresses are generic."""
    out = np.zeros(64, np.uint32)
    body = """
        cvta.shared.u64 %rd1, m;
        setp.eq.u32 %p0, %t, 0;
        @%p0 mbarrier.init.b64 [%rd1], 64;
        bar.sync 0;
        setp.lt.u32 %p1, %t, 32;
        @%p1 mbarrier.arrive.b64 %rd2, [%rd1];
        mov.u32 %r1, 1;
        @!%p1 mbarrier.arrive_drop.b64 %rd2, [%rd1];
        @!%p1 bra END;
    A:  mbarrier.try_wait.b64 %p2, [%rd1], %rd2;
        @!%p2 bra A;
        mov.u32 %r3, 1;
    L:  mbarrier.arrive.b64 _, [%rd1];
    B:  mbarrier.try_wait.parity.b64 %p2, [%rd1], %r3;
        @!%p2 bra B;
        xor.b32 %r3, %r3, 1;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p2, %r1, 5;
        @%p2 bra L;
    END:
        bar.sync 0;
        @%p0 mbarrier.inval.b64 [%rd1];
    """ + store("%r1")
    covers(coverage, body)
    launch(body, out, block=64, declarations=SHARED, sanitize=sanitize)
    np.testing.assert_array_equal(out, np.where(np.arange(64) < 32, 5, 1))


@both
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("noinc", ["", ".noinc"])
def test_cp_async_arrive(noinc: str, space: str, sanitize: bool) -> None:
    """With .noinc the arrivals of copies are among those expected; else they come on top of a plain arrival."""
    data = np.arange(256, dtype=np.uint32) * 3
    out = np.zeros(64, np.uint32)
    body = (
        """
        setp.eq.u32 %p0, %t, 0;
        @%p0 mbarrier.init.shared.b64 [m], 64;
        bar.sync 0;
        mov.u32 %r1, s;
        mad.lo.u32 %r2, %t, 16, %r1;
        mad.wide.u32 %rd2, %t, 16, %rd0;
        cp.async.cg.shared.global [%r2], [%rd2], 16;
        """
        + covers(coverage, f"cp.async.mbarrier.arrive{noinc}{space}.b64 [m];")
        + ("" if noinc else "mbarrier.arrive.shared.b64 _, [m];")
        + """
    A:  mbarrier.try_wait.parity.shared.b64 %p1, [m], 0;
        @!%p1 bra A;
        xor.b32 %r3, %t, 63;
        mad.lo.u32 %r3, %r3, 16, %r1;
        ld.shared.u32 %r4, [%r3 + 4];
    """
        + store("%r4", "%rd1")
    )
    launch(body, data, out, block=64, declarations=SHARED, sanitize=sanitize)
    np.testing.assert_array_equal(out, ((63 - np.arange(64)) * 4 + 1) * 3)


# ---- clusters --------------------------------------------------------------------------------------------------------

# Each block waits until all four have written into its shared memory and said so on its mbarrier.
REMOTE = """
    mov.u32 %r1, %cluster_ctarank;
    mov.u32 %r2, s;
    mov.u32 %r3, m;
    setp.eq.u32 %p0, %t, 0;
    @%p0 mbarrier.init.shared::cta.b64 [m], {count};
    fence.mbarrier_init.release.cluster;
    barrier.cluster.arrive;
    barrier.cluster.wait;
    mov.u32 %r4, 0;
L:  mapa.shared::cluster.u32 %r5, %r2, %r4;
    mapa.shared::cluster.u32 %r6, %r3, %r4;
    mad.lo.u32 %r7, %r1, 128, %r5;
    mad.lo.u32 %r7, %t, 4, %r7;
    mad.lo.u32 %r8, %r1, 1000, %r4;
    mad.lo.u32 %r8, %t, 10, %r8;
    st.shared::cluster.u32 [%r7], %r8;
    {arrive}
    add.u32 %r4, %r4, 1;
    setp.lt.u32 %p1, %r4, 4;
    @%p1 bra L;
W:  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [m], 0;
    @!%p1 bra W;
    mov.u32 %r10, 0;
    mov.u32 %r4, 0;
S:  mad.lo.u32 %r7, %r4, 128, %r2;
    mad.lo.u32 %r7, %t, 4, %r7;
    ld.shared.u32 %r8, [%r7];
    mad.lo.u32 %r10, %r10, 3, %r8;
    add.u32 %r4, %r4, 1;
    setp.lt.u32 %p1, %r4, 4;
    @%p1 bra S;
    mad.lo.u32 %r11, %r1, 32, %t;
    barrier.cluster.arrive;
    barrier.cluster.wait;
""" + store("%r10", index="%r11")


@both
@pytest.mark.parametrize(
    ("count", "arrive"),
    [
        (128, "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r6];"),
        (
            4,
            "bar.warp.sync -1; @%p0 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r6];",
        ),
        (128, "cvt.u64.u32 %rd1, %r6; cvta.shared.u64 %rd1, %rd1; mbarrier.arrive.release.cluster.b64 _, [%rd1];"),
    ],
)
def test_remote_arrivals(count: int, arrive: str, sanitize: bool) -> None:
    out = np.zeros((4, 32), np.uint32)
    launch(REMOTE.format(count=count, arrive=arrive), out, grid=4, cluster=4, declarations=SHARED, sanitize=sanitize)
    lane, rank = np.arange(32), np.arange(4)[:, None]
    want = np.zeros((4, 32), int)
    for source_rank in range(4):
        want = want * 3 + source_rank * 1000 + rank + lane * 10
    np.testing.assert_array_equal(out, want)


def test_remote_arrivals_must_release() -> None:
    arrive = "mbarrier.arrive.relaxed.cluster.shared::cluster.b64 _, [%r6];"
    found = findings(
        REMOTE.format(count=128, arrive=arrive), np.zeros(128, np.uint32), grid=4, cluster=4, declarations=SHARED
    )
    assert {kind for kind, _ in found} & {"race", "uninitialized"}


# ---- coverage --------------------------------------------------------------------------------------------------------


def test_every_form_is_tested() -> None:
    """The random programs alone use nearly all; what chance left out is run here."""
    forms = [f for f in core().forms() if f[0] == "mbarrier" or (f[0] == "cp" and f[1].startswith("async mbarrier"))]
    names = [name for f in forms for name in expand(f[0], f[1])]
    assert len(names) > 150
    for name in coverage.missing(forms):
        covers(coverage, alone(name))
        launch(
            "mbarrier.init.b64 [m], 100; mbarrier.arrive.b64 %rd1, [m];" + alone(name),
            block=1,
            declarations=SHARED,
            sanitize=True,
        )
    assert coverage.missing(forms) == []


def alone(name: str) -> str:
    """The instruction on a live mbarrier, with a state of it in %rd1."""
    word = name.split(".")[1]
    if word == "init":
        return f"mbarrier.inval.b64 [m]; {name} [m], 1;"
    if word == "inval":
        return f"{name} [m];"
    if word in ("expect_tx", "complete_tx"):
        return f"{name} [m], 1;"
    if word.startswith("arrive"):
        return f"{name} _, [m], 1;"
    if word == "pending_count":
        return f"{name} %r1, %rd1;"
    if name.startswith("cp."):
        return f"{name} [m];"
    return f"{name} %p1, [m], {'1' if 'parity' in name else '%rd1'};"


@needs_ptxas
def test_ptxas_takes_it(tmp_path: Path) -> None:
    forms = [f for f in core().forms() if f[0] == "mbarrier" or (f[0] == "cp" and f[1].startswith("async mbarrier"))]
    every = "\n".join(alone(name) for f in forms for name in expand(f[0], f[1]))
    texts = [source("\n".join(p.lines), 1, SHARED) for p in PROGRAMS[:10]]
    assemble_texts([*texts, source(every, declarations=SHARED)], tmp_path)
