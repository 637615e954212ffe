"""Every pair of accesses, at every distance, in every kind of order: what the sanitizer must say is worked out here.

A case is two accesses X and Y of the same memory by two actors, X's first in the text, with an ordering between them.
The verdict comes from a model of a few lines (`expected`), which knows nothing of how the sanitizer works:

* X and Y conflict if one writes, unless both are strong, of one proxy, and each in the other's scope;
* they are ordered if X is over (an asynchronous one: was waited for) and the ordering reaches from X's actor to Y's;
* an ordinary write that is ordered before an access of the asynchronous proxy needs a proxy fence as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from accelc.targets.gpu.emulator import Emulator

HEADER = ".version 8.6\n.target sm_90a\n.address_size 64\n"
SCOPES = ("cta", "cluster", "gpu", "sys")
#: Where Y's actor stands, as seen from X's: thread 0 of block 0.
PLACES = {"self": (0, 0), "warp": (0, 1), "block": (0, 32), "cluster": (1, 0), "grid": (1, 0)}


@dataclass(frozen=True)
class Op:
    """An access. `text` has {m} for its address with its space, {s} for the space's name, {scope}."""

    name: str
    text: str
    read: bool = False
    write: bool = False
    scope: str = ""  # of a strong one
    ends: str = ""  # how an asynchronous one is waited for
    proxy: bool = False  # of the asynchronous one
    spaces: tuple[str, ...] = ("shared", "remote", "global")
    warp: bool = False  # all lanes of a warp do it together
    first: bool = True  # can be X where the memory is another block's

    def __str__(self) -> str:
        return self.name + (f".{self.scope}" if self.scope else "")


LD = Op("ld", "ld.{s}.u32 %v, [{m}];", read=True)
ST = Op("st", "st.{s}.u32 [{m}], 1;", write=True)
STRONG = (
    Op("ld.relaxed", "ld.relaxed.{scope}.{s}.u32 %v, [{m}];", read=True, scope="gpu"),
    Op("st.relaxed", "st.relaxed.{scope}.{s}.u32 [{m}], 1;", write=True, scope="gpu"),
    Op("atom", "atom.relaxed.{scope}.{s}.add.u32 %v, [{m}], 1;", read=True, write=True, scope="gpu"),
    Op("red", "red.relaxed.{scope}.{s}.add.u32 [{m}], 1;", read=True, write=True, scope="gpu"),
)
WIDE = (
    Op("ld.u8", "ld.{s}.u8 %h, [{m}+1];", read=True),
    Op("st.u8", "st.{s}.u8 [{m}+2], 1;", write=True),
    Op("ld.u16", "ld.{s}.u16 %h, [{m}];", read=True),
    Op("st.v4", "st.{s}.v4.u32 [{m}], {{1, 2, 3, 4}};", write=True),
)
MATRIX = (
    Op("ldmatrix", "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {{%v}}, [{m}];", read=True, spaces=("shared",), warp=True),
    Op(
        "stmatrix",
        "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%mrow], {{%v}};",
        write=True,
        spaces=("shared",),
        warp=True,
    ),
)
CP_WAIT, BULK_WAIT = "cp.async.wait_all;", "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;"
READ_WAIT = "cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;"
EXPECT = "mbarrier.arrive.expect_tx.shared.b64 _, [{mb}], 16;"
MB_WAIT = "W{n}: mbarrier.try_wait.parity.shared.b64 %q, [{mb}], 0; @!%q bra W{n};"
LOAD = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
ASYNC = (
    Op("cp.async>", "cp.async.ca.shared.global [{m}], [{src}], 16;", write=True, ends=CP_WAIT, spaces=("shared",)),
    Op("cp.async<", "cp.async.ca.shared.global [{sd}], [{m}], 16;", read=True, ends=CP_WAIT, spaces=("global",)),
    Op(
        "bulk-load>",
        f"{EXPECT} {LOAD} [{{m}}], [{{src}}], 16, [{{mb}}];",
        write=True,
        ends=MB_WAIT,
        proxy=True,
        spaces=("shared",),
    ),
    Op(
        "bulk-load<",
        f"{EXPECT} {LOAD} [{{sd}}], [{{m}}], 16, [{{mb}}];",
        read=True,
        ends=MB_WAIT,
        proxy=True,
        spaces=("global",),
    ),
    Op(
        "bulk-store<",
        "cp.async.bulk.global.shared::cta.bulk_group [{src}], [{m}], 16;",
        read=True,
        ends=READ_WAIT,
        proxy=True,
        spaces=("shared",),
    ),
    Op(
        "bulk-store>",
        "cp.async.bulk.global.shared::cta.bulk_group [{m}], [{sd}], 16;",
        write=True,
        ends=BULK_WAIT,
        proxy=True,
        spaces=("global",),
    ),
    Op(
        "bulk-reduce>",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [{m}], [{sd}], 16;",
        read=True,
        write=True,
        scope="gpu",
        ends=BULK_WAIT,
        proxy=True,
        spaces=("global",),
    ),
)
OPS = (LD, ST, *STRONG, *WIDE, *MATRIX, *ASYNC)


@dataclass(frozen=True)
class Order:
    """What X's actor does behind X (`release`) and Y's before Y (`acquire`), or all threads between them (`all`)."""

    name: str
    release: str = ""
    acquire: str = ""
    everyone: str = ""
    reach: str = ""  # the furthest place that it orders; "": none
    nearest: str = "warp"

    def orders(self, place: str) -> bool:
        names = list(PLACES)
        return bool(self.reach) and names.index(self.nearest) <= names.index(place) <= names.index(self.reach)


def flag(name: str, store: str, load: str, reach: str, before: str = "", behind: str = "") -> Order:
    """Through a word of global memory that starts as zero."""
    spin = f"F{{n}}: {load} %v, [%flag]; setp.eq.u32 %q, %v, 0; @%q bra F{{n}};"
    return Order(name, f"{before} {store} [%flag], 1;", f"{spin} {behind}", reach=reach)


REACH = {"cta": "block", "cluster": "cluster", "gpu": "grid", "sys": "grid"}
NONE = Order("none")
BARRIER = Order("bar.sync", everyone="bar.sync 0;", reach="block")
CLUSTER = Order("barrier.cluster", everyone="barrier.cluster.arrive; barrier.cluster.wait;", reach="cluster")
FLAGS = [
    flag(
        f"release.{a}-acquire.{b}",
        f"st.release.{a}.global.u32",
        f"ld.acquire.{b}.global.u32",
        REACH[min(a, b, key=SCOPES.index)],
    )
    for a in SCOPES
    for b in SCOPES
]
FENCES = [
    flag(
        f"fence.{s}",
        f"st.relaxed.{s}.global.u32",
        f"ld.relaxed.{s}.global.u32",
        REACH[s],
        f"fence.acq_rel.{s};",
        f"fence.acq_rel.{s};",
    )
    for s in SCOPES
]
GPU = FLAGS[SCOPES.index("gpu") * 4 + SCOPES.index("gpu")]
RELAXED = ("st.relaxed.gpu.global.u32", "ld.relaxed.gpu.global.u32")
SPIN = "mbarrier.try_wait.parity{how}.shared::cta.b64 %q, [%mo], {parity}; @!%q bra"
ARRIVE = "mbarrier.arrive{how}.shared::cluster.b64 _, [%far];"


def mbarrier(
    name: str, arrive: str, wait: str = "", parity: int = 0, reach: str = "cluster", around: tuple[str, str] = ("", "")
) -> Order:
    """Through an mbarrier of Y's block."""
    spin = SPIN.format(how=wait, parity=parity)
    return Order(name, f"{around[0]} {ARRIVE.format(how=arrive)}", f"M{{n}}: {spin} M{{n}}; {around[1]}", reach=reach)


ORDERS = [
    NONE,
    Order("bar.warp.sync", everyone="bar.warp.sync 0xffffffff;", reach="warp"),
    BARRIER,
    Order("bar.arrive-sync", "", "", "@%wa bar.arrive 1, 64; @%wb bar.sync 1, 64;", reach="block", nearest="block"),
    Order("bar.other-names", "", "", "@%wa bar.sync 1, 32; @%wb bar.sync 2, 32;"),
    Order("bar.red", everyone="barrier.cta.red.popc.aligned.u32 %v, 3, %q;", reach="block"),
    CLUSTER,
    Order("cluster.relaxed", everyone="barrier.cluster.arrive.relaxed; barrier.cluster.wait;"),
    Order(
        "cluster.relaxed-fenced",
        everyone="fence.acq_rel.cluster; barrier.cluster.arrive.relaxed; barrier.cluster.wait;",
        reach="cluster",
    ),
    *FLAGS,
    *FENCES,
    flag("relaxed", *RELAXED, ""),
    flag("fence-writer-only", *RELAXED, "", before="fence.acq_rel.gpu;"),
    flag("fence-reader-only", *RELAXED, "", behind="fence.acq_rel.gpu;"),
    flag(
        "fence-behind-the-flag",
        f"{RELAXED[0]} [%flag+32], 0; {RELAXED[0]}",
        RELAXED[1],
        "",
        behind="fence.acq_rel.gpu;",
    ),
    flag("membar", "st.volatile.global.u32", "ld.volatile.global.u32", "grid", "membar.gl;", "membar.gl;"),
    flag("volatile-only", "st.volatile.global.u32", "ld.volatile.global.u32", ""),
    flag(
        "release-then-relaxed",
        "st.release.gpu.global.u32 [%flag], 0; st.relaxed.gpu.global.u32",
        "ld.acquire.gpu.global.u32",
        "grid",
    ),
    Order(
        "atom.acq_rel",
        "atom.acq_rel.gpu.global.add.u32 %v, [%flag], 1;",
        "F{n}: atom.acq_rel.gpu.global.add.u32 %v, [%flag], 0; setp.eq.u32 %q, %v, 0; @%q bra F{n};",
        reach="grid",
    ),
    Order(
        "atom.relaxed",
        "atom.relaxed.gpu.global.add.u32 %v, [%flag], 1;",
        "F{n}: atom.relaxed.gpu.global.add.u32 %v, [%flag], 0; setp.eq.u32 %q, %v, 0; @%q bra F{n};",
    ),
    # A third thread (63 of block 0) hands the flag on.
    Order(
        "third-acq_rel",
        "st.release.gpu.global.u32 [%flag], 1;",
        "G{n}: ld.acquire.gpu.global.u32 %v, [%flag+64]; setp.eq.u32 %q, %v, 0; @%q bra G{n};",
        "@!%third bra T{n}; F{n}: ld.acquire.gpu.global.u32 %v, [%flag]; setp.eq.u32 %q, %v, 0; @%q bra F{n}; "
        "st.release.gpu.global.u32 [%flag+64], 1; T{n}:",
        reach="grid",
    ),
    Order(
        "third-relaxed",
        "st.release.gpu.global.u32 [%flag], 1;",
        "G{n}: ld.acquire.gpu.global.u32 %v, [%flag+64]; setp.eq.u32 %q, %v, 0; @%q bra G{n};",
        "@!%third bra T{n}; F{n}: ld.relaxed.gpu.global.u32 %v, [%flag]; setp.eq.u32 %q, %v, 0; @%q bra F{n}; "
        "st.release.gpu.global.u32 [%flag+64], 1; T{n}:",
    ),
    # Its read-modify-write continues the release sequence.
    Order(
        "third-carries-on",
        "st.release.gpu.global.u32 [%flag], 1;",
        "G{n}: ld.acquire.gpu.global.u32 %v, [%flag]; setp.lt.u32 %q, %v, 2; @%q bra G{n};",
        "@!%third bra T{n}; F{n}: ld.relaxed.gpu.global.u32 %v, [%flag]; setp.eq.u32 %q, %v, 0; @%q bra F{n}; "
        "red.relaxed.gpu.global.add.u32 [%flag], 1; T{n}:",
        reach="grid",
    ),
    mbarrier("mbarrier", ".release.cluster", ".acquire.cluster"),
    mbarrier("mbarrier-parity", ".release.cluster", parity=1, reach=""),
    mbarrier("mbarrier-arrive.relaxed", ".relaxed.cluster", reach=""),
    mbarrier("mbarrier-wait.relaxed", ".release.cluster", ".relaxed.cluster", reach=""),
    mbarrier("mbarrier-fenced", ".relaxed.cluster", ".relaxed.cluster", around=("fence.acq_rel.cluster;",) * 2),
]
#: Orderings that need a cluster, or its mbarrier, or a whole warp for each actor.
NOT_IN = {
    "bar.warp.sync": (),
    "mbarrier": ("grid",),
    "bar.arrive-sync": ("self", "warp", "cluster", "grid"),
    "bar.other-names": ("self", "warp", "cluster", "grid"),
}


@dataclass(frozen=True)
class Case:
    """X, then the ordering, then Y. `waited`: X was waited for; `fenced`: a proxy fence stands behind X."""

    x: Op
    y: Op
    place: str
    order: Order
    waited: bool = True
    fenced: bool = False

    @property
    def space(self) -> str:
        return "global" if self.place == "grid" or {"global"} in ({*self.x.spaces}, {*self.y.spaces}) else "shared"

    def __str__(self) -> str:
        end = ("waited" if self.waited else "unwaited") + "-fenced" * self.fenced
        return f"{self.x}-{self.y}-{self.place}-{self.order.name}-{end}"


def includes(scope: str, place: str) -> bool:
    """The scope of one actor has the other in it."""
    return list(PLACES).index(place) <= list(PLACES).index(REACH[scope])


def expected(case: Case) -> str:
    """clean, fence, or race: what is unordered, asynchronous or not."""
    x, y = case.x, case.y
    ordered = case.place == "self" or case.order.orders(case.place)
    if x.ends and not case.waited:
        ordered = False
    overlap = not ({x.name, y.name} == {"ld.u8", "st.u8"} or {x.name, y.name} == {"ld.u16", "st.u8"})
    strong = (
        x.scope and y.scope and x.proxy == y.proxy and includes(x.scope, case.place) and includes(y.scope, case.place)
    )
    if not overlap or not (x.write or y.write):
        return "clean"
    if not ordered:
        return "clean" if strong else "race"
    if x.write and not x.proxy and y.proxy and not case.fenced:
        return "fence"
    return "clean"


def fits(op: Op, space: str, place: str, second: bool) -> bool:
    """The op can be there: X's is thread 0's of block 0, where shared memory is."""
    if op.warp and place in {"self", "warp"}:
        return False
    return ("remote" if space == "shared" and second and place == "cluster" else space) in op.spaces


def pairs() -> list[Case]:
    """All pairs, unordered and ordered as is usual for the place; asynchronous ones waited for or not."""
    usual = {"self": NONE, "warp": ORDERS[1], "block": BARRIER, "cluster": CLUSTER, "grid": GPU}
    cases = []
    for place, order in usual.items():
        for space in ("shared", "global"):
            for x in OPS:
                for y in OPS:
                    if not fits(x, space, place, False) or not fits(y, space, place, True):
                        continue
                    for between in {NONE, order}:
                        case = Case(x, y, place, between)
                        if case.space != space:
                            continue
                        cases += [case] + [replace(case, waited=False)] * bool(x.ends)
                        if y.proxy and x.write and not x.proxy and not x.warp:
                            cases.append(replace(case, fenced=True))
    return cases


def orders() -> list[Case]:
    """All orderings at all distances, for an ordinary pair of each direction."""
    cases = []
    for order in ORDERS:
        skipped = next((places for name, places in NOT_IN.items() if order.name.startswith(name)), ())
        for place in PLACES:
            if place == "self" or place in skipped:
                continue
            for x, y in ((ST, LD), (LD, ST), (ST, ST), (ST, STRONG[2])):
                cases.append(Case(x, y, place, order))
    return cases


def scopes() -> list[Case]:
    """Strong accesses by scope: in each other's, or a race."""
    return [
        Case(replace(x, scope=a), replace(y, scope=b), place, NONE)
        for place in ("block", "cluster", "grid")
        for x in STRONG
        for y in STRONG
        for a in SCOPES
        for b in SCOPES
        if (x.write or y.write) and (a == "gpu" or x is STRONG[2] or y is STRONG[2])
    ]


CASES = sorted({str(c): c for c in [*pairs(), *orders(), *scopes()]}.values(), key=str)


def kernel(n: int, case: Case) -> str:
    """The case as an entry k<n>(global memory)."""
    block, thread = PLACES[case.place]
    shared = case.space == "shared"
    near = "%m" if shared else "%g"
    far = ("%mf" if case.place == "cluster" else "%m") if shared else "%g"

    def text(op: Op, m: str, remote: bool, who: int) -> str:
        space = "global" if not shared else "shared::cluster" if remote else "shared"
        scratch = {"src": f"%src+{64 * who}", "sd": f"%sd+{32 * who}", "mb": f"%mb+{8 * who}"}
        return op.text.format(m=m, s=space, scope=op.scope, **scratch)

    def act(op: Op, who: str, body: str, label: str) -> str:
        if not body.strip():
            return ""
        return f"@!{'%w' if op.warp else '%p'}{who} bra {label}{n}; {body} {label}{n}:"

    ends = case.x.ends.format(n=f"x{n}", mb="%mb") if case.waited else ""
    fence = "fence.proxy.async;" if case.fenced else ""
    final = "barrier.cluster.arrive; barrier.cluster.wait;" if case.place == "cluster" else ""
    begin = "barrier.cluster.arrive; barrier.cluster.wait;" if case.place == "cluster" else "bar.sync 0;"
    o = case.order
    return f""".visible .entry k{n}(.param .u64 memory) {{
  .reg .pred %pa, %pb, %wa, %wb, %t0, %q, %r, %third;
  .reg .b16 %h;
  .reg .b32 %t, %c, %m, %mf, %mrow, %sd, %mb, %mo, %far, %v;
  .reg .b64 %g, %src, %flag;
  .shared .align 128 .b8 s[1024];
  .shared .align 8 .b8 bar[16];
  .shared .align 8 .b64 other;
  mov.u32 %t, %tid.x; mov.u32 %c, %ctaid.x; mov.u32 %m, s; add.u32 %sd, %m, 512; mov.u32 %mb, bar; mov.u32 %mo, other;
  ld.param.u64 %g, [memory]; add.u64 %src, %g, 256; mad.wide.u32 %src, %c, 256, %src; add.u64 %flag, %g, 1024;
  shl.b32 %mrow, %t, 4; and.b32 %mrow, %mrow, 127; add.u32 %mrow, %mrow, %m;
  setp.eq.u32 %pa, %t, 0; setp.eq.and.u32 %pa, %c, 0, %pa;
  setp.eq.u32 %pb, %t, {thread}; setp.eq.and.u32 %pb, %c, {block}, %pb;
  setp.lt.u32 %wa, %t, 32; setp.eq.and.u32 %wa, %c, 0, %wa;
  setp.ge.u32 %wb, %t, 32; setp.eq.and.u32 %wb, %c, 0, %wb;
  setp.eq.u32 %third, %t, 63; setp.eq.and.u32 %third, %c, 0, %third; setp.eq.u32 %t0, %t, 0; setp.ne.u32 %q, %t, %t;
  mov.u32 %v, 0; mapa.shared::cluster.u32 %mf, %m, 0;
  mapa.shared::cluster.u32 %far, %mo, {block if case.place == "cluster" else 0};
  @!%t0 bra S{n};
  {" ".join(f"st.shared.v4.u32 [%m+{k}], {{0, 0, 0, 0}};" for k in [*range(0, 128, 16), 512, 544])}
  mbarrier.init.shared.b64 [%mb], 1; mbarrier.init.shared.b64 [%mb+8], 1; mbarrier.init.shared.b64 [%mo], 1;
  fence.mbarrier_init.release.cluster; fence.proxy.async;
  S{n}: {begin}
  {act(case.x, "a", f"{text(case.x, near, False, 0)} {ends}", "X")}
  {act(NONE_OP, "a", f"{fence} {o.release.format(n=n)}", "R")}
  {o.everyone.format(n=n)}
  {act(NONE_OP, "b", o.acquire.format(n=n), "A")}
  {act(case.y, "b", text(case.y, far, far == "%mf", 1), "Y")}
  {final}
  ret;
}}
"""


NONE_OP = Op("none", "")


@cache
def module() -> Emulator:
    return Emulator(HEADER + "".join(kernel(n, case) for n, case in enumerate(CASES)))


def verdict(n: int, case: Case) -> tuple[str, list[str]]:
    blocks = 2 if case.place in {"cluster", "grid"} else 1
    report = module().launch(
        f"k{n}",
        grid=blocks,
        block=64,
        cluster=2 if case.place == "cluster" else None,
        args=[np.zeros(512, np.uint32)],
        sanitize=True,
        raise_on_finding=False,
        max_steps=1 << 16,
    )
    kinds = {finding.kind for finding in report.findings}
    if case.order.name == "mbarrier-parity" and kinds == {"deadlock"}:
        kinds = {"race"}  # it waits for the phase behind the one that it should
    texts = [str(finding) for finding in report.findings]
    if not kinds:
        return "clean", texts
    if kinds & {"race", "async_before_wait"} and kinds <= {"race", "async_before_wait", "missing_proxy_fence"}:
        return "race", texts
    return ("fence" if kinds == {"missing_proxy_fence"} else ",".join(sorted(kinds))), texts


@pytest.mark.parametrize("place", PLACES)
def test_matrix(place: str) -> None:
    wrong = []
    for n, case in enumerate(CASES):
        if case.place != place:
            continue
        found, texts = verdict(n, case)
        if found != expected(case):
            wrong.append(f"{case}: {found}, not {expected(case)}: {texts}")
    assert not wrong, f"{len(wrong)} of the place's cases\n" + "\n".join(wrong[:40])


def kinds(body: str, **options: object) -> list[str]:
    """The findings' kinds of a text in which {n} threads' parts are labelled; %t is the thread, %g global memory."""
    text = f"""{HEADER}.visible .entry k(.param .u64 memory) {{
  .reg .pred %p<4>; .reg .b32 %t, %c, %r<8>, %m; .reg .b64 %g, %b; .shared .align 16 .b8 s[64];
  mov.u32 %t, %tid.x; mov.u32 %c, %ctaid.x; mov.u32 %m, s; ld.param.u64 %g, [memory];
  {body}
  ret;
}}"""
    launch = {"block": 64, "args": [np.zeros(62, np.uint8)], "sanitize": True, "raise_on_finding": False, **options}
    return [f.kind for f in Emulator(text).launch("k", **launch).findings]  # type: ignore[arg-type]


def test_a_strong_write_hides_no_weak_one() -> None:
    """Threads 0 to 2: a plain write; a barrier for thread 1 only, and its atomic; thread 2's atomic is in no order."""
    first = "setp.eq.u32 %p0, %t, 0; @%p0 st.global.u32 [%g], 1; bar.warp.sync 3;"
    text = "setp.gt.u32 %p1, %t, 1; @%p1 bra OTHERS; {first} setp.eq.u32 %p2, %t, 1; @%p2 {atom} bra END; OTHERS: "
    text += "setp.eq.u32 %p3, %t, 63; @%p3 {atom} END:"
    assert kinds(text.format(first=first, atom="red.relaxed.gpu.global.add.u32 [%g], 1;")) == ["race"]
    assert kinds(text.format(first="", atom="red.relaxed.gpu.global.add.u32 [%g], 1;")) == []


def test_a_later_strong_read_hides_no_weak_one() -> None:
    """A thread reads plainly, then strongly: an atomic of another is a race with the first."""
    text = "setp.eq.u32 %p0, %t, 0; setp.eq.u32 %p1, %t, 32; {plain} @%p0 ld.relaxed.gpu.global.u32 %r0, [%g]; "
    text += "@%p1 red.relaxed.gpu.global.add.u32 [%g], 1;"
    assert kinds(text.format(plain="@%p0 ld.global.u32 %r0, [%g];")) == ["race"]
    assert kinds(text.format(plain="")) == []


@pytest.mark.parametrize("order", [(60, 61), (61, 60)])
def test_bytes_at_the_end_of_a_buffer(order: tuple[int, int]) -> None:
    """The last two bytes of 62 are two threads', whoever comes first."""
    text = (
        "setp.eq.u32 %p0, %t, 0; setp.eq.u32 %p1, %t, 32; @%p0 st.global.u8 [%g+{}], 1; @%p1 st.global.u8 [%g+{}], 1;"
    )
    assert kinds(text.format(*order)) == []
    assert kinds(text.format(60, 60)) == ["race"]


def test_shared_memory_ends_with_its_block() -> None:
    text = "st.shared.u32 [%m], 1; barrier.cluster.arrive; barrier.cluster.wait; mapa.shared::cluster.u32 %r0, %m, 0; "
    text = text.replace("st.", "setp.eq.u32 %p0, %t, 0; @%p0 st.", 1)
    text += "setp.eq.u32 %p1, %c, 1; @%p1 ld.shared::cluster.u32 %r1, [%r0];"
    found = {*kinds(text, grid=2, cluster=2)}  # the access comes too late, or might have
    assert found and found <= {"race", "out_of_bounds"}
    assert kinds(f"{text} barrier.cluster.arrive; barrier.cluster.wait;", grid=2, cluster=2) == []


def test_an_address_is_the_instructions_own() -> None:
    """A generic address of shared memory is told as such, one of another block's with its rank."""
    emulator = Emulator(
        f"""{HEADER}.visible .entry k(.param .u64 memory) {{
  .reg .b64 %b; .reg .b32 %v; .shared .align 16 .b8 s[64];
  mov.u64 %b, s; cvta.shared.u64 %b, %b; ld.u32 %v, [%b+8];
  ret;
}}"""
    )
    report = emulator.launch("k", block=1, args=[np.zeros(4)], sanitize=True, raise_on_finding=False)
    assert [(f.kind, f.address >> 32 != 0) for f in report.findings] == [("uninitialized", True)]
