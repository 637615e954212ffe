"""Instructions across a warp, against models in numpy: random operands, member masks, divergence, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bodies import assemble_texts, findings, launch, store
from ptx_kernels import Coverage, Kernel, assemble, expand, guards, integers, module, run_all
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator.native import core

WARPS = 64
COUNT = WARPS * 32
LANE = np.arange(COUNT) % 32
OPCODES = {"shfl", "vote", "match", "redux", "activemask", "elect"}
coverage = Coverage()


def kernel(text: str, inputs: dict[str, str], outputs: dict[str, str], guarded: bool = False) -> Kernel:
    result = Kernel(text, inputs, outputs, guarded=guarded)
    coverage.add(result)
    return result


def masks(active: np.ndarray) -> np.ndarray:
    """The mask of each lane's warp, for every lane: shape and dtype (n,), uint32."""
    bits = (active.reshape(-1, 32).astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(1)
    return np.repeat(bits.astype(np.uint32), 32)


def groups(rng: np.random.Generator) -> np.ndarray:
    """Member masks that split every warp into up to four groups; each lane holds its own group's."""
    group = rng.integers(0, rng.integers(1, 5, (WARPS, 1)), (WARPS, 32)).reshape(-1)
    result = np.zeros(COUNT, np.uint32)
    for g in range(4):
        result = np.where(group == g, masks(group == g), result)
    return result


def members(mask: np.uint32) -> list[int]:
    return [lane for lane in range(32) if int(mask) >> lane & 1]


def by_group(mask: np.ndarray, model: Callable[[np.ndarray], object], dtype: type) -> np.ndarray:
    """model(indices of a group's elements) for each group of `mask`, to all its lanes."""
    result = np.zeros(COUNT, dtype)
    for warp in range(WARPS):
        for m in np.unique(mask[32 * warp : 32 * warp + 32]):
            lanes = np.array([lane for lane in members(m) if mask[32 * warp + lane] == m], int) + 32 * warp
            if len(lanes):
                result[lanes] = model(lanes)
    return result


def shfl(
    mode: str, a: np.ndarray, b: np.ndarray, c: np.ndarray, active: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The manual's pseudo code; a source that does not execute it leaves a lane its own value."""
    bval, cval, segment = b & 31, c & 31, c >> 8 & 31
    last, first = (LANE & segment) | (cval & ~segment), LANE & segment
    j = {
        "up": LANE - bval.astype(int),
        "down": LANE + bval.astype(int),
        "bfly": LANE ^ bval,
        "idx": first | (bval & ~segment),
    }[mode].astype(int)
    ok = j >= last.astype(int) if mode == "up" else j <= last.astype(int)
    source = np.where(ok, j, LANE) + np.arange(COUNT) // 32 * 32
    if active is not None:
        source = np.where(active[source], source, np.arange(COUNT))
    return a[source], ok


@pytest.mark.parametrize("mode", ["up", "down", "bfly", "idx"])
def test_shfl(mode: str) -> None:
    rng = np.random.default_rng(1)
    a = integers("b32", COUNT, rng)
    b = np.where(rng.random(COUNT) < 0.8, rng.integers(0, 33, COUNT), integers("b32", COUNT, rng)).astype(np.uint32)
    # Whole warps, segments of CUDA's widths, and anything.
    width = 2 ** rng.integers(0, 6, COUNT)
    usual = ((32 - width) << 8) | (0 if mode == "up" else 31)
    c = np.where(rng.random(COUNT) < 0.7, usual, integers("b32", COUNT, rng)).astype(np.uint32)
    active = guards(COUNT, rng)
    full = np.full(COUNT, 0xFFFFFFFF, np.uint32)
    initial = integers("b32", COUNT, rng)
    initial_p = rng.random(COUNT) < 0.5
    three = {"a": "b32", "b": "b32", "c": "b32"}
    both = {"d": "b32", "p": "pred"}
    clamp = 0 if mode == "up" else 0x1F
    cases = [
        (kernel(f"shfl.sync.{mode}.b32 %d|%p, %a, %b, %c, -1;", three, both), {"a": a, "b": b, "c": c}),
        (kernel(f"shfl.{mode}.b32 %d|%p, %a, %b, %c;", three, both), {"a": a, "b": b, "c": c}),
        (
            kernel(f"shfl.sync.{mode}.b32 %d, %a, %b, %c, %m;", {**three, "m": "b32"}, {"d": "b32"}),
            {"a": a, "b": b, "c": c, "m": full},
        ),
        (
            kernel(f"shfl.sync.{mode}.b32 %d|%p, %a, %b, %c, %m;", {**three, "m": "b32"}, both, guarded=True),
            {"a": a, "b": b, "c": c, "m": masks(active), "guard": active, "initial_d": initial, "initial_p": initial_p},
        ),
        *(
            (
                kernel(f"shfl.sync.{mode}.b32 %d|%p, %a, {n}, {clamp | segment << 8}, 0xffffffff;", {"a": "b32"}, both),
                {"a": a},
            )
            for n, segment in [(0, 0), (1, 0), (5, 0x18), (16, 0), (31, 0), (7, 0x10)]
        ),
        (kernel(f"shfl.{mode}.sync.b32 %a, %a, 1, {clamp}, -1;", {"a": "b32"}, {"a": "b32"}), {"a": a}),
    ]
    results = run_all(cases)
    d, p = shfl(mode, a, b, c)
    for result in results[:2]:
        np.testing.assert_array_equal(result["d"], d)
        np.testing.assert_array_equal(result["p"], p)
    np.testing.assert_array_equal(results[2]["d"], d)
    d, p = shfl(mode, a, b, c, active)
    np.testing.assert_array_equal(results[3]["d"], np.where(active, d, initial))
    np.testing.assert_array_equal(results[3]["p"], np.where(active, p, initial_p))
    for result, (n, segment) in zip(
        results[4:-1], [(0, 0), (1, 0), (5, 0x18), (16, 0), (31, 0), (7, 0x10)], strict=True
    ):
        d, p = shfl(mode, a, np.full(COUNT, n), np.full(COUNT, clamp | segment << 8))
        np.testing.assert_array_equal(result["d"], d)
        np.testing.assert_array_equal(result["p"], p)
    np.testing.assert_array_equal(results[-1]["a"], shfl(mode, a, np.full(COUNT, 1), np.full(COUNT, clamp))[0])


VOTES: dict[str, Callable[[np.ndarray], bool]] = {
    "all": lambda p: bool(p.all()),
    "any": lambda p: bool(p.any()),
    "uni": lambda p: bool(p.all() or not p.any()),
}


@pytest.mark.parametrize("mode", ["all", "any", "uni", "ballot"])
def test_vote(mode: str) -> None:
    rng = np.random.default_rng(2)
    p = rng.random(COUNT) < np.repeat(rng.choice([0, 0.1, 0.5, 0.97, 1], WARPS), 32)
    active, m = guards(COUNT, rng), groups(rng)
    full = np.full(COUNT, 0xFFFFFFFF, np.uint32)
    kind = "b32" if mode == "ballot" else "pred"
    initial = integers("b32", COUNT, rng) if mode == "ballot" else rng.random(COUNT) < 0.5
    one, two, out = {"a": "pred"}, {"a": "pred", "m": "b32"}, {"d": kind}
    guard = {"guard": active, "initial_d": initial}
    cases = [
        (kernel(f"vote.sync.{mode}.{kind} %d, %a, -1;", one, out), {"a": p}),
        (kernel(f"vote.{mode}.{kind} %d, %a;", one, out), {"a": p}),
        (kernel(f"vote.sync.{mode}.{kind} %d, !%a, %m;", two, out), {"a": p, "m": full}),
        (kernel(f"vote.sync.{mode}.{kind} %d, %a, %m;", two, out), {"a": p, "m": m}),
        (kernel(f"vote.sync.{mode}.{kind} %d, %a, %m;", two, out, guarded=True), {"a": p, "m": masks(active), **guard}),
        (kernel(f"vote.{mode}.{kind} %d, !%a;", one, out, guarded=True), {"a": p, **guard}),
        (kernel(f"vote.{mode}.sync.{kind} %d, %a, -1;", one, out), {"a": p}),
    ]
    results = [r["d"] for r in run_all(cases)]

    def expected(predicate: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if mode == "ballot":
            return masks(predicate) & mask
        return by_group(mask, lambda lanes: VOTES[mode](predicate[lanes]), bool)

    for result in results[:2]:
        np.testing.assert_array_equal(result, expected(p, full))
    np.testing.assert_array_equal(results[2], expected(~p, full))
    np.testing.assert_array_equal(results[3], expected(p, m))
    np.testing.assert_array_equal(results[4], np.where(active, expected(p, masks(active)), initial))
    np.testing.assert_array_equal(results[5], np.where(active, expected(~p, masks(active)), initial))
    np.testing.assert_array_equal(results[6], results[0])


@pytest.mark.parametrize("kind", ["b32", "b64"])
def test_match(kind: str) -> None:
    rng = np.random.default_rng(3)
    few = integers(kind, 4, rng)
    if kind == "b64":
        few = np.concatenate([few, few ^ np.uint64(1 << 32)])  # the same low halves
    spread = np.repeat(rng.integers(1, len(few) + 1, WARPS), 32)
    a = few[rng.integers(0, spread)]
    m, full = groups(rng), np.full(COUNT, 0xFFFFFFFF, np.uint32)
    cases = [
        (kernel(f"match.any.sync.{kind} %d, %a, %m;", {"a": kind, "m": "b32"}, {"d": "b32"}), {"a": a, "m": mask})
        for mask in (full, m)
    ] + [
        (
            kernel(f"match.all.sync.{kind} %d|%p, %a, %m;", {"a": kind, "m": "b32"}, {"d": "b32", "p": "pred"}),
            {"a": a, "m": mask},
        )
        for mask in (full, m)
    ]
    cases.append((kernel(f"match.all.sync.{kind} %d, %a, -1;", {"a": kind}, {"d": "b32"}), {"a": a}))
    results = run_all(cases)
    for result, mask in zip(results[:2], (full, m), strict=True):
        same = by_group(
            mask, lambda lanes: [sum(1 << int(k % 32) for k in lanes if a[k] == a[own]) for own in lanes], np.uint32
        )
        np.testing.assert_array_equal(result["d"], same)
    for result, mask in zip(results[2:4], (full, m), strict=True):
        agree = by_group(mask, lambda lanes: len(set(a[lanes])) == 1, bool)
        assert 0 < agree.sum() < COUNT
        np.testing.assert_array_equal(result["p"], agree)
        np.testing.assert_array_equal(result["d"], np.where(agree, mask, 0))
    np.testing.assert_array_equal(results[4]["d"], results[2]["d"])


REDUCTIONS: dict[str, Callable[[np.ndarray], object]] = {
    "add": lambda v: v.sum(dtype=v.dtype),
    "min": lambda v: v.min(),
    "max": lambda v: v.max(),
    "and": np.bitwise_and.reduce,
    "or": np.bitwise_or.reduce,
    "xor": np.bitwise_xor.reduce,
}


def test_redux() -> None:
    rng = np.random.default_rng(4)
    m, full = groups(rng), np.full(COUNT, 0xFFFFFFFF, np.uint32)
    rows = [(op, kind) for op in ("add", "min", "max") for kind in ("u32", "s32")] + [
        (op, "b32") for op in ("and", "or", "xor")
    ]
    cases, expected = [], []
    for op, kind in rows:
        for mask in (full, m):
            a = integers(kind, COUNT, rng)
            cases.append(
                (
                    kernel(f"redux.sync.{op}.{kind} %d, %a, %m;", {"a": kind, "m": "b32"}, {"d": kind}),
                    {"a": a, "m": mask},
                )
            )
            expected.append(by_group(mask, lambda lanes, a=a, op=op: REDUCTIONS[op](a[lanes]), a.dtype.type))
    for result, want in zip(run_all(cases), expected, strict=True):
        np.testing.assert_array_equal(result["d"], want)


def test_redux_f32() -> None:
    rng = np.random.default_rng(5)
    special = np.array([0x7FC00001, 0xFF800001, 0x7F800000, 0xFF800000, 0, 0x80000000, 1, 0x80000001], np.uint32)
    normal = rng.standard_normal(COUNT).astype(np.float32).view(np.uint32)
    chance = np.repeat(rng.choice([0, 0.05, 1], WARPS), 32)
    bits = np.where(rng.random(COUNT) < chance, rng.choice(special, COUNT), normal)
    a = bits.view(np.float32)
    m = groups(rng)
    words = [(op, absolute, nan) for op in ("min", "max") for absolute in ("", ".abs") for nan in ("", ".NaN")]
    cases = [
        (
            kernel(f"redux.sync.{op}{absolute}{nan}.f32 %d, %a, %m;", {"a": "f32", "m": "b32"}, {"d": "f32"}),
            {"a": a, "m": m},
        )
        for op, absolute, nan in words
    ]
    for result, (op, absolute, nan) in zip(run_all(cases), words, strict=True):
        # Ordered as integers, -0 lies below +0.
        value = bits & 0x7FFFFFFF if absolute else bits
        key = np.where(value >> 31, -(value & 0x7FFFFFFF).astype(np.int64) - 1, value.astype(np.int64))

        def model(
            lanes: np.ndarray, value: np.ndarray = value, key: np.ndarray = key, op: str = op, nan: str = nan
        ) -> int:
            numbers = [k for k in lanes if not np.isnan(a[k])]
            if not numbers or (nan and len(numbers) < len(lanes)):
                return 0x7FFFFFFF
            return int(value[(min if op == "min" else max)(numbers, key=lambda k: key[k])])

        np.testing.assert_array_equal(result["d"].view(np.uint32), by_group(m, model, np.uint32))


def test_elect_and_activemask() -> None:
    rng = np.random.default_rng(6)
    m, active = groups(rng), guards(COUNT, rng)
    initial = integers("b32", COUNT, rng)
    results = run_all(
        [
            (kernel("elect.sync %d|%p, %m;", {"m": "b32"}, {"d": "b32", "p": "pred"}), {"m": m}),
            (kernel("elect.sync _|%p, -1;", {}, {"p": "pred"}), {}),
            (kernel("activemask.b32 %d;", {}, {"d": "b32"}, guarded=True), {"guard": active, "initial_d": initial}),
        ]
    )
    leader = np.array([members(x)[0] for x in m])
    np.testing.assert_array_equal(results[0]["d"], leader)
    np.testing.assert_array_equal(results[0]["p"], leader == LANE)
    np.testing.assert_array_equal(results[1]["p"], np.arange(128) % 32 == 0)
    np.testing.assert_array_equal(results[2]["d"], np.where(active, masks(active), initial))


# ---- divergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sanitize", [False, True])
def test_lanes_meet_after_divergence(sanitize: bool) -> None:
    out = np.zeros(32, np.uint32)
    launch(
        """
        mov.u32 %r1, %t;
        setp.lt.u32 %p0, %t, 11;
        @%p0 bra A;
        mul.lo.u32 %r1, %r1, 3;
        bra B;
    A:  add.u32 %r1, %r1, 1000;
    B:  shfl.sync.bfly.b32 %r2, %r1, 15, 31, -1;
        """
        + store("%r2"),
        out,
        sanitize=sanitize,
    )
    lane = np.arange(32)
    value = np.where(lane < 11, lane + 1000, lane * 3)
    np.testing.assert_array_equal(out, value[lane ^ 15])


@pytest.mark.parametrize("sanitize", [False, True])
def test_member_masks_in_a_divergent_loop(sanitize: bool) -> None:
    """Lane l loops l % 7 + 1 times; those who still loop sum their lanes, by a mask from the ballot before."""
    out = np.zeros(32, np.uint32)
    launch(
        """
        rem.u32 %r1, %t, 7;
        add.u32 %r1, %r1, 1;
        mov.u32 %r2, 0;
        mov.u32 %r3, 0;
        mov.u32 %r4, -1;
    L:  redux.sync.add.u32 %r5, %t, %r4;
        add.u32 %r3, %r3, %r5;
        add.u32 %r2, %r2, 1;
        setp.lt.u32 %p0, %r2, %r1;
        vote.sync.ballot.b32 %r4, %p0, %r4;
        @%p0 bra L;
        """
        + store("%r3"),
        out,
        sanitize=sanitize,
    )
    lane = np.arange(32)
    want = [sum(int(lane[lane % 7 + 1 > turn].sum()) for turn in range(one % 7 + 1)) for one in lane]
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("sanitize", [False, True])
def test_exited_members_do_not_count(sanitize: bool) -> None:
    out = np.zeros(32, np.uint32)
    launch(
        """
        and.b32 %r1, %t, 3;
        setp.eq.u32 %p0, %r1, 2;
        @%p0 exit;
        setp.ne.u32 %p1, %r1, 4;
        vote.sync.ballot.b32 %r2, %p1, -1;
        shfl.sync.down.b32 %r3, %t, 1, 31, -1;
        bar.warp.sync -1;
        xor.b32 %r2, %r2, %r3;
        """
        + store("%r2"),
        out,
        sanitize=sanitize,
    )
    lane = np.arange(32)
    live = lane % 4 != 2
    ballot = sum(1 << int(k) for k in lane[live])
    source = np.where((lane < 31) & live[np.minimum(lane + 1, 31)], np.minimum(lane + 1, 31), lane)
    np.testing.assert_array_equal(out, np.where(live, ballot ^ source, 0))


WARP_SYNC = """
    shl.b32 %r1, %t, 2;
    mov.u32 %r2, s;
    add.u32 %r2, %r2, %r1;
    setp.lt.u32 %p0, %t, 13;
    @%p0 bra A;
    st.shared.u32 [%r2], %t;
    {sync}
    bra B;
A:  mul.lo.u32 %r3, %t, 100;
    st.shared.u32 [%r2], %r3;
    {sync}
    xor.b32 %r4, %r1, 124;
    mov.u32 %r5, s;
    add.u32 %r5, %r5, %r4;
    ld.shared.u32 %r6, [%r5];
    mad.wide.u32 %rd10, %t, 4, %rd0;
    st.global.u32 [%rd10], %r6;
B:
"""


@pytest.mark.parametrize("sanitize", [False, True])
@pytest.mark.parametrize("members", ["-1", "%r9"])
def test_warp_sync_meets_across_places(members: str, sanitize: bool) -> None:
    coverage.names.add("bar.warp.sync")
    out = np.zeros(32, np.uint32)
    body = "mov.u32 %r9, 0xffffffff;" + WARP_SYNC.format(sync=f"bar.warp.sync {members};")
    launch(body, out, declarations=".shared .align 4 .b8 s[128];", sanitize=sanitize)
    lane = np.arange(32)
    np.testing.assert_array_equal(out, np.where(lane < 13, 31 - lane, 0))


def test_without_warp_sync_it_is_a_race() -> None:
    out = np.zeros(32, np.uint32)
    declarations = ".shared .align 4 .b8 s[128];"
    found = findings(WARP_SYNC.format(sync=""), out, declarations=declarations)
    assert {kind for kind, _ in found} & {"race", "uninitialized"}


@pytest.mark.parametrize("sanitize", [False, True])
def test_warp_sync_of_halves(sanitize: bool) -> None:
    """Each half has its own mask, in one instruction and at different times."""
    out = np.zeros(32, np.uint32)
    launch(
        """
        setp.lt.u32 %p0, %t, 16;
        selp.b32 %r9, 0x0000ffff, 0xffff0000, %p0;
        and.b32 %r7, %t, 15;
        mov.u32 %r8, 0;
        mov.u32 %r2, s;
        shl.b32 %r1, %t, 2;
        add.u32 %r2, %r2, %r1;
    L:  st.shared.u32 [%r2], %r8;
        bar.warp.sync %r9;
        mov.u32 %r4, s;
        xor.b32 %r5, %r1, 60;
        add.u32 %r4, %r4, %r5;
        ld.shared.u32 %r6, [%r4];
        add.u32 %r8, %r6, %r7;
        bar.warp.sync %r9;
        setp.lt.u32 %p1, %r8, 60;
        vote.sync.any.pred %p1, %p1, %r9;
        @%p1 bra L;
        """
        + store("%r8"),
        out,
        declarations=".shared .align 4 .b8 s[128];",
        sanitize=sanitize,
    )
    want = np.zeros(16, int)
    while True:
        want = want[15 - np.arange(16)] + np.arange(16)
        if (want >= 60).all():
            break
    np.testing.assert_array_equal(out, np.concatenate([want, want]))


def test_warp_sync_releases_when_the_rest_exits() -> None:
    out = np.zeros(32, np.uint32)
    launch(
        """
        setp.lt.u32 %p0, %t, 5;
        @%p0 bra A;
        bar.warp.sync -1;
        bra B;
    A:  nanosleep.u32 100;
        exit;
    B:
        """
        + store("1"),
        out,
        sanitize=True,
    )
    np.testing.assert_array_equal(out, np.arange(32) >= 5)


# ---- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("setp.lt.u32 %p0, %t, 4; @%p0 shfl.sync.bfly.b32 %r1, %t, 1, 31, 0xff;", "guard"),
        ("shfl.sync.bfly.b32 %r1, %t, 1, 31, 0xffff;", "leaves it out"),
        ("vote.sync.ballot.b32 %r1, 1, 0x7fffffff;", "leaves it out"),
        ("bar.warp.sync 0xfffe;", "leaves it out"),
        # The others wait for a barrier that needs this warp's lanes, too: they cannot come.
        (
            "setp.lt.u32 %p0, %t, 4; @%p0 bra A; bar.sync 0; bra B; A: vote.sync.all.pred %p1, 1, -1; bar.sync 0; B:",
            "elsewhere",
        ),
    ],
)
def test_wrong_members(body: str, word: str) -> None:
    found = findings(body)
    assert found and found[0][0] == "barrier_divergence", found
    assert word in found[0][1]


def test_members_that_never_come_are_a_deadlock() -> None:
    found = findings(
        """
        setp.eq.u32 %p0, %t, 0;
        @%p0 bra A;
        bar.warp.sync 0xffffffff;
    A:  bar.warp.sync 0x1;
        setp.eq.u32 %p0, %t, 0;
        @%p0 bar.sync 1, 64;
        """
    )
    deadlock = [message for kind, message in found if kind == "deadlock"]
    assert deadlock and "bar.warp.sync" in deadlock[0], found


# ---- coverage --------------------------------------------------------------------------------------------------------


def test_every_form_is_tested() -> None:
    forms = [f for f in core().forms() if f[0] in OPCODES or (f[0] == "bar" and f[1].startswith("warp"))]
    assert sum(len(expand(f[0], f[1])) for f in forms) > 30
    assert coverage.missing(forms) == []


@needs_ptxas
def test_ptxas_takes_it(tmp_path: Path) -> None:
    abc = {"a": "b32", "b": "b32", "c": "b32", "m": "b32"}
    kernels = [
        Kernel(f"shfl.sync.{mode}.b32 %d|%p, %a, %b, %c, %m;", abc, {"d": "b32", "p": "pred"})
        for mode in ("up", "down", "bfly", "idx")
    ]
    kernels += [
        Kernel(f"vote.sync.{mode}.pred %d, !%a, %m;", {"a": "pred", "m": "b32"}, {"d": "pred"}) for mode in VOTES
    ]
    kernels += [
        Kernel(f"match.all.sync.{k} %d|%p, %a, %m;", {"a": k, "m": "b32"}, {"d": "b32", "p": "pred"})
        for k in ("b32", "b64")
    ]
    kernels += [
        Kernel("elect.sync _|%p, -1;", {}, {"p": "pred"}),
        Kernel("activemask.b32 %d; bar.warp.sync %d;", {}, {"d": "b32"}),
    ]
    assemble(kernels, tmp_path)
    words = [
        f"redux.sync.{op}{a}{n}.f32 %d, %a, -1;" for op in ("min", "max") for a in ("", ".abs") for n in ("", ".NaN")
    ]
    assemble_texts([module([Kernel(word, {"a": "f32"}, {"d": "f32"}) for word in words])], tmp_path, "sm_100a")
