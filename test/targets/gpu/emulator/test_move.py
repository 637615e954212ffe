"""Moves of the PTX emulator: registers, literals, vectors, addresses of all spaces, and special registers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ptx_kernels import HEADER, Case, Coverage, Kernel, assemble, check, dtype, size
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator, PtxError, native

COUNT = 700
SCALARS = ("b16", "b32", "b64", "b128", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64")
Array = np.ndarray


def random(kind: str, count: int, rng: np.random.Generator) -> Array:
    """Random bits as elements of a type."""
    if kind == "pred":
        return rng.random(count) < 0.5
    raw = rng.integers(0, 255, count * size(kind), np.uint8, endpoint=True).view(dtype(kind))
    return raw.reshape(-1, 2) if kind == "b128" else raw


def scalar_cases(rng: np.random.Generator) -> list[Case]:
    cases = [
        Case(Kernel(f"mov.{t} %d, %a;", {"a": t}, {"d": t}), {"a": random(t, COUNT, rng)}, lambda a: a)
        for t in (*SCALARS, "pred")
    ]
    p = {"a": random("pred", COUNT, rng)}
    cases.append(Case(Kernel("mov.pred %d, !%a;", {"a": "pred"}, {"d": "pred"}), p, lambda a: ~a))
    cases.append(
        Case(Kernel("mov.b32 %a, %a;", {"a": "b32"}, {"a": "b32"}), {"a": random("b32", 99, rng)}, lambda a: a)
    )
    literals: list[tuple[str, str, Any]] = [
        ("mov.pred %d, 1;", "pred", True),
        ("mov.b16 %d, -1;", "b16", 0xFFFF),
        ("mov.u16 %d, 0x1234;", "u16", 0x1234),
        ("mov.b32 %d, 0f3F800000;", "b32", 0x3F800000),
        ("mov.u32 %d, 4294967295U;", "u32", 0xFFFFFFFF),
        ("mov.s32 %d, -2147483648;", "s32", -(2**31)),
        ("mov.f32 %d, 0fBF800000;", "f32", -1.0),
        ("mov.f32 %d, 0.1;", "f32", np.float32(0.1)),
        ("mov.f64 %d, 0d4000000000000000;", "f64", 2.0),
        ("mov.f64 %d, 0.1;", "f64", 0.1),
        ("mov.b64 %d, -5;", "b64", 2**64 - 5),
        ("mov.u64 %d, 0xFFFFFFFFFFFFFFFF;", "u64", 2**64 - 1),
        ("mov.u32 %d, WARP_SZ;", "u32", 32),
        ("mov.s64 %d, (3 + 4) * 5 - 1;", "s64", 34),
    ]
    for text, kind, value in literals:
        constant = np.full(COUNT, value, dtype(kind))
        # A kernel without inputs has one block of threads; the unused one gives it more.
        kernel = Kernel(text, {"unused": "b16"}, {"d": kind})
        cases.append(Case(kernel, {"unused": np.zeros(COUNT, np.uint16)}, lambda unused, c=constant: c))
    return cases


#: A whole and its parts: bits, number and type of them.
SHAPES = [
    ("b16", 2, "b8"), ("b32", 2, "b16"), ("b32", 4, "b8"), ("b64", 2, "b32"), ("b64", 2, "f32"), ("b64", 4, "b16"),
    ("b128", 2, "b64"), ("b128", 2, "f64"), ("b128", 4, "b32"), ("b128", 4, "f32"), ("f64", 2, "b32"),
]  # fmt: skip


def join(whole: str, parts: list[Array]) -> Array:
    columns = np.stack(parts, axis=1)
    joined = columns.reshape(-1).view(dtype(whole))
    return joined.reshape(-1, 2) if whole == "b128" else joined


def split(whole: Array, count: int, part: str) -> list[Array]:
    table = np.ascontiguousarray(whole).reshape(-1).view(dtype(part)).reshape(-1, count)
    return [np.ascontiguousarray(table[:, k]) for k in range(count)]


def vector_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for whole, count, part in SHAPES:
        names = [f"x{k}" for k in range(count)]
        instruction = f"mov.b{8 * size(whole)}"
        parts = dict.fromkeys(names, part)
        braces = "{" + ", ".join(f"%{n}" for n in names) + "}"

        def packed(whole: str = whole, **arrays: Array) -> Array:
            return join(whole, list(arrays.values()))

        arrays = {n: random(part, COUNT, rng) for n in names}
        cases.append(Case(Kernel(f"{instruction} %d, {braces};", parts, {"d": whole}), arrays, packed))

        def unpacked(a: Array, names: list[str] = names, part: str = part) -> dict[str, Array]:
            return dict(zip(names, split(a, len(names), part), strict=True))

        inputs = {"a": random(whole, COUNT, rng)}
        cases.append(Case(Kernel(f"{instruction} {braces}, %a;", {"a": whole}, parts), inputs, unpacked))
        last = "{" + ", ".join(["_"] * (count - 1) + [f"%{names[-1]}"]) + "}"
        cases.append(Case(Kernel(f"{instruction} {last}, %a;", {"a": whole}, {names[-1]: part}), inputs, unpacked))
        first = "{" + ", ".join([f"%{names[0]}"] + ["_"] * (count - 1)) + "}"
        cases.append(Case(Kernel(f"{instruction} {first}, %a;", {"a": whole}, {names[0]: part}), inputs, unpacked))
    literal = Kernel("mov.b64 %d, {%a, 7};", {"a": "b32"}, {"d": "b64"})
    low = random("b32", COUNT, rng)
    cases.append(Case(literal, {"a": low}, lambda a: a.astype(np.uint64) | np.uint64(7 << 32)))
    byte = Kernel("mov.b32 %d, {%a, 7, 255, %a};", {"a": "b8"}, {"d": "b32"})
    bytes_ = {"a": random("b8", COUNT, rng)}
    cases.append(Case(byte, bytes_, lambda a: a.astype(np.uint32) * np.uint32(0x01000001) | np.uint32(0xFF0700)))
    swap = Kernel("mov.b32 {%a, %b}, %c;", {"a": "b16", "b": "b16", "c": "b32"}, {"a": "b16", "b": "b16"})
    three = {n: random(k, COUNT, rng) for n, k in swap.inputs.items()}
    cases.append(Case(swap, three, lambda a, b, c: {"a": c.astype(np.uint16), "b": (c >> 16).astype(np.uint16)}))
    return cases


def element_cases(rng: np.random.Generator) -> list[Case]:
    """mov.v2 and mov.v4, whose elements all are read before any is written."""
    cases = []
    for kind in SCALARS:
        for count in (2, 4):
            if kind == "b128" or size(kind) * count > 16:
                continue
            names = "abcd"[:count]
            types = dict.fromkeys(names, kind)
            arrays = {n: random(kind, COUNT, rng) for n in names}
            to, source = ("{" + ", ".join(f"%{n}" for n in order) + "}" for order in (names, names[::-1]))

            def turned(names: str = names, **arrays: Array) -> dict[str, Array]:
                return {n: arrays[m] for n, m in zip(names, names[::-1], strict=True)}

            cases.append(Case(Kernel(f"mov.v{count}.{kind} {to}, {source};", types, types), arrays, turned))
    return cases


def vector_register_cases(rng: np.random.Generator) -> list[Case]:
    """Vector registers stand for their components in braces."""
    a, b = random("b32", COUNT, rng), random("b32", COUNT, rng)
    declarations = ".reg .v2 .b32 %v, %w;"
    two, whole = {"a": "b32", "b": "b32"}, {"d": "b64"}
    arrays = {"a": a, "b": b}

    def joined(a: Array, b: Array) -> Array:
        return join("b64", [a, b])

    return [
        Case(Kernel(text, two, whole, declarations=declarations), arrays, joined)
        for text in (
            "mov.v2.b32 %v, {%a, %b}; mov.b64 %d, %v;",
            "mov.b32 %v.x, %a; mov.b32 %v.y, %b; mov.b64 %d, {%v.x, %v.y};",
            "mov.b64 %v, {%a, %b}; mov.v2.b32 %w, %v; mov.b64 %d, %w;".replace("mov.b64 %v,", "mov.v2.b32 %v,"),
        )
    ]


GROUPS: dict[str, Callable[[np.random.Generator], list[Case]]] = {
    "scalars": scalar_cases,
    "vectors": vector_cases,
    "elements": element_cases,
}

# ---- addresses -------------------------------------------------------------------------------------------------------

_ADDRESSES = {
    # Each stores 4 bytes through one address of a variable, and reads them through another.
    "shared, 32 bits": "mov.u32 %r, s+8; st.shared.u32 [%r], %a; ld.shared.u32 %d, [s+8];",
    "shared, 64 bits": "mov.u64 %x, s; st.shared.u32 [s+4], %a; ld.shared.u32 %d, [%x+4];",
    "shared, generic": "cvta.shared.u64 %x, s+4; st.u32 [%x], %a; ld.shared.u32 %d, [s+4];",
    "shared, by a register": "mov.u64 %x, s; cvta.shared.u64 %x, %x; st.u32 [%x], %a; ld.shared.u32 %d, [s];",
    "shared, and back": "cvta.shared.u64 %x, s; cvta.to.shared.u64 %y, %x; st.shared.u32 [%y], %a; ld.u32 %d, [%x];",
    "shared::cta": "cvta.shared::cta.u64 %x, s; cvta.to.shared::cta.u64 %y, %x; "
    "st.shared.u32 [%y], %a; ld.u32 %d, [%x];",
    "shared::cluster": "cvta.shared::cluster.u64 %x, s; cvta.to.shared::cluster.u64 %y, %x; "
    "st.shared.u32 [%y], %a; ld.u32 %d, [%x];",
    "local, 32 bits": "mov.u32 %r, l+4; st.local.u32 [%r], %a; ld.local.u32 %d, [l+4];",
    "local, 64 bits": "mov.b64 %x, l; st.local.u32 [%x+4], %a; ld.local.u32 %d, [l+4];",
    "local, generic": "cvta.local.u64 %x, l; st.u32 [%x], %a; cvta.to.local.u64 %y, %x; ld.local.u32 %d, [%y];",
    "local, by a register": "mov.u64 %x, l; cvta.local.u64 %x, %x; st.u32 [%x], %a; ld.local.u32 %d, [l];",
    "global": "mov.u64 %x, g; mul.wide.u32 %y, %index, 4; add.u64 %x, %x, %y; st.global.u32 [%x], %a; "
    "ld.global.u32 %d, [%x];",
    "global, generic": "cvta.global.u64 %x, g; mul.wide.u32 %y, %index, 4; add.u64 %x, %x, %y; st.u32 [%x], %a; "
    "cvta.to.global.u64 %x, %x; ld.global.u32 %d, [%x];",
}


def address_kernels() -> dict[str, Kernel]:
    declarations = ".reg .b64 %x, %y; .reg .b32 %r; .shared .align 8 .b8 s[16]; .local .align 8 .b8 l[16];"  # fmt: skip
    return {
        name: Kernel(text, {"a": "u32"}, {"d": "u32"}, declarations=declarations, preamble=f".global .b32 g[{COUNT}];")
        for name, text in _ADDRESSES.items()
    }


@pytest.mark.parametrize("name", _ADDRESSES)
def test_addresses(name: str) -> None:
    kernel = address_kernels()[name]
    rng = np.random.default_rng(5001)
    # In shared memory all threads of a block meet: they write the same.
    a = random("u32", COUNT, rng) if "shared" not in name else np.repeat(random("u32", 6, rng), 128)[:COUNT]
    np.testing.assert_array_equal(kernel.run(a=a)["d"], a)


_CONSTANTS = {
    "const": "mov.u64 %x, c+4; ld.const.u32 %d, [%x];",
    "const, generic": "cvta.const.u64 %x, c+4; ld.u32 %d, [%x];",
    "const, and back": "cvta.const.u64 %x, c; cvta.to.const.u64 %x, %x; ld.const.u32 %d, [%x+4];",
    "param": "mov.u64 %x, count; ld.param.u32 %d, [%x];",
    "param, generic": "cvta.param.u64 %x, count; ld.u32 %d, [%x];",
    "param, by a register": "mov.b64 %x, count; cvta.param::entry.u64 %x, %x; ld.u32 %d, [%x];",
    "param, and back": "cvta.param.u64 %x, count; cvta.to.param.u64 %x, %x; ld.param.u32 %d, [%x];",
    "param::entry, and back": "cvta.param::entry.u64 %x, count; cvta.to.param::entry.u64 %x, %x; "
    "ld.param.u32 %d, [%x];",
}


def constant_kernels() -> dict[str, Kernel]:
    return {
        name: Kernel(
            text, {"a": "u32"}, {"d": "u32"}, declarations=".reg .b64 %x;", preamble=".const .b32 c[2] = {5, 99};"
        )
        for name, text in _CONSTANTS.items()
    }


@pytest.mark.parametrize("name", _CONSTANTS)
def test_addresses_of_what_is_only_read(name: str) -> None:
    result = constant_kernels()[name].run(a=np.zeros(99, np.uint32))["d"]
    assert (result == 99).all()


def test_spaces_are_apart() -> None:
    """Generic addresses tell the spaces, and those of one variable are all the same."""
    kernel = Kernel(
        "cvta.shared.u64 %s, v; cvta.local.u64 %l, w; cvta.global.u64 %g, x; cvta.const.u64 %c, y; mov.u64 %m, x;",
        {"unused": "b16"},
        dict.fromkeys("slgcm", "u64"),
        declarations=".shared .b32 v; .local .b32 w;",
        preamble=".global .b32 x; .const .b32 y;",
    )
    found = kernel.run(unused=np.zeros(64, np.uint16))
    values = [set(found[name].tolist()) for name in "slgc"]
    assert all(len(v) == 1 for v in values)
    assert len(set.union(*values)) == 4
    np.testing.assert_array_equal(found["m"], found["g"])


_REFUSED = {
    "a label": "L: mov.u64 %x, L;",
    "eight elements": "mov.b64 %x, {%b, %b, %b, %b, %b, %b, %b, %b};",
    "a vector of a number": "mov.u64 %x, {%r, %r};",
    "an address as a float": "mov.f64 %f, g;",
    "an address in 16 bits": "mov.u16 %h, g;",
    "the space of another": "cvta.shared.u64 %x, g;",
    "64 bits in 32": "mov.u32 %r, %clock64;",
    "32 bits in 64": "mov.u64 %x, %tid.x;",
    "a predicate as a number": "mov.u32 %r, %is_explicit_cluster;",
    "an unknown register": "mov.u32 %r, %no_such_register;",
    "an unknown number": "mov.u32 %r, %envreg32;",
}


@pytest.mark.parametrize("name", _REFUSED)
def test_refused(name: str) -> None:
    registers = ".reg .b64 %x; .reg .b32 %r; .reg .b16 %h; .reg .b8 %b; .reg .f64 %f;"
    ptx = HEADER + f".global .b32 g;\n.entry k() {{ {registers}\n {_REFUSED[name]} ret; }}"
    with pytest.raises(PtxError, match=r"line \d+: (mov|cvta)"):
        Emulator(ptx)


def test_addresses_of_functions() -> None:
    """A function's address, from mov, is what an indirect call takes."""
    preamble = """
.func (.param .b32 r) twice(.param .b32 x) {
    .reg .b32 %v; ld.param.b32 %v, [x]; add.u32 %v, %v, %v; st.param.b32 [r], %v; ret;
}
.func (.param .b32 r) negative(.param .b32 x) {
    .reg .b32 %v; ld.param.b32 %v, [x]; neg.s32 %v, %v; st.param.b32 [r], %v; ret;
}"""
    text = """
    mov.u64 %f, twice; mov.u64 %g, negative; selp.b64 %f, %f, %g, %p;
    { .param .b32 x; .param .b32 r; st.param.b32 [x], %a;
      proto: .callprototype (.param .b32 _) _ (.param .b32 _);
      call (r), %f, (x), proto; ld.param.b32 %d, [r]; }"""
    kernel = Kernel(text, {"a": "s32", "p": "pred"}, {"d": "s32"}, declarations=".reg .b64 %f, %g;", preamble=preamble)
    rng = np.random.default_rng(5004)
    a, p = random("s32", COUNT, rng), random("pred", COUNT, rng)
    np.testing.assert_array_equal(kernel.run(a=a, p=p)["d"], np.where(p, a + a, -a))


# ---- special registers -----------------------------------------------------------------------------------------------

GRID, BLOCK, CLUSTER = (4, 2, 6), (5, 3, 4), (2, 1, 3)
SHARED_STATIC, SHARED_DYNAMIC = 100, 500


class Threads:
    """All threads of the launch, in the order of their numbers: coordinates as arrays."""

    def __init__(self, cluster: tuple[int, int, int]) -> None:
        block, thread = np.divmod(np.arange(np.prod(GRID) * np.prod(BLOCK)), np.prod(BLOCK))
        self.thread = thread
        self.tid = self._unravel(thread, BLOCK)
        self.ctaid = self._unravel(block, GRID)
        self.block = block
        self.cluster_ctaid = [c % n for c, n in zip(self.ctaid, cluster, strict=True)]
        self.clusterid = [c // n for c, n in zip(self.ctaid, cluster, strict=True)]
        x, y, z = self.cluster_ctaid
        self.rank = x + cluster[0] * (y + cluster[1] * z)
        self.lane = thread % 32

    @staticmethod
    def _unravel(index: Array, extent: tuple[int, int, int]) -> list[Array]:
        return [index % extent[0], index // extent[0] % extent[1], index // (extent[0] * extent[1])]


def special_values(cluster: tuple[int, int, int]) -> dict[str, Any]:
    """What each special register of 32 bits holds, by thread or for all."""
    t = Threads(cluster)
    one = np.int64(1)
    values: dict[str, Any] = {
        "%laneid": t.lane,
        "%warpid": t.thread // 32,
        "%lanemask_eq": one << t.lane,
        "%lanemask_lt": (one << t.lane) - 1,
        "%lanemask_le": (one << t.lane + 1) - 1,
        "%lanemask_gt": 2**32 - (one << t.lane + 1),
        "%lanemask_ge": 2**32 - (one << t.lane),
        "%cluster_ctarank": t.rank,
        "%cluster_nctarank": int(np.prod(cluster)),
        "%dynamic_smem_size": SHARED_DYNAMIC,
        "%total_smem_size": 640,
        "%aggr_smem_size": 640 + 1024,
        "%reserved_smem_offset_begin": 0,
        "%reserved_smem_offset_end": 1024,
        "%reserved_smem_offset_cap": 1024,
        "%clock_hi": 0,
        "%globaltimer_hi": 0,
        "%gridid": 1,
        **{f"%pm{k}": 0 for k in range(8)},
        **{f"%envreg{k}": 0 for k in range(32)},
        "%tid.w": 0, "%ntid.w": 1, "%ctaid.w": 0, "%nctaid.w": 1,
    }  # fmt: skip
    vectors: dict[str, Any] = {
        "%tid": t.tid, "%ntid": BLOCK, "%ctaid": t.ctaid, "%nctaid": GRID, "%clusterid": t.clusterid,
        "%nclusterid": [g // c for g, c in zip(GRID, cluster, strict=True)], "%cluster_ctaid": t.cluster_ctaid,
        "%cluster_nctaid": cluster,
    }  # fmt: skip
    for name, components in vectors.items():
        values.update({f"{name}.{c}": v for c, v in zip("xyz", components, strict=True)})
    return values


def special_kernel(names: list[str], cluster: tuple[int, int, int], kind: str = "u32") -> str:
    """A kernel that stores special registers, each in a row of an array of all threads."""
    total = int(np.prod(GRID) * np.prod(BLOCK))
    width = size(kind)
    rows = "\n".join(
        f"    mov.{kind} %v, {name};\n    st.global.{kind} [%at + {row * total * width}], %v;"
        for row, name in enumerate(names)
    )
    directive = f".reqnctapercluster {cluster[0]}, {cluster[1]}, {cluster[2]}" if cluster != (1, 1, 1) else ""
    # The thread's number in the grid is worked out from what the test knows of the launch.
    return f"""{HEADER}
.visible .entry k(.param .u64 out) {directive}
{{
    .reg .b64 %at, %offset;
    .reg .b32 %x, %y, %z, %n;
    .reg .{kind} %v;
    .shared .b8 room[{SHARED_STATIC}];
    mov.u32 %x, %ctaid.x; mov.u32 %y, %ctaid.y; mov.u32 %z, %ctaid.z;
    mad.lo.u32 %y, %z, {GRID[1]}, %y; mad.lo.u32 %n, %y, {GRID[0]}, %x;
    mov.u32 %x, %tid.x; mov.u32 %y, %tid.y; mov.u32 %z, %tid.z;
    mad.lo.u32 %y, %z, {BLOCK[1]}, %y; mad.lo.u32 %y, %y, {BLOCK[0]}, %x;
    mad.lo.u32 %n, %n, {int(np.prod(BLOCK))}, %y;
    ld.param.u64 %at, [out];
    cvta.to.global.u64 %at, %at;
    mad.wide.u32 %at, %n, {width}, %at;
    st.shared.u8 [room], 0;
{rows}
    ret;
}}
"""


def read_specials(names: list[str], cluster: tuple[int, int, int], kind: str = "u32") -> dict[str, Array]:
    out = np.zeros((len(names), int(np.prod(GRID) * np.prod(BLOCK))), dtype(kind))
    emulator = Emulator(special_kernel(names, cluster, kind))
    emulator.launch("k", grid=GRID, block=BLOCK, args=[out], shared_bytes=SHARED_DYNAMIC)
    return dict(zip(names, out, strict=True))


@pytest.mark.parametrize("cluster", [(1, 1, 1), CLUSTER])
def test_special_registers(cluster: tuple[int, int, int]) -> None:
    values = special_values(cluster)
    found = read_specials(list(values), cluster)
    for name, expected in values.items():
        np.testing.assert_array_equal(found[name], np.broadcast_to(expected, found[name].shape), err_msg=name)


def test_special_registers_in_16_bits() -> None:
    """As old code reads them."""
    values = special_values((1, 1, 1))
    names = [f"{name}.{c}" for name in ("%tid", "%ntid", "%ctaid", "%nctaid") for c in "xyz"]
    for name, found in read_specials(names, (1, 1, 1), "u16").items():
        np.testing.assert_array_equal(found, np.broadcast_to(values[name], found.shape), err_msg=name)


def test_special_registers_of_64_bits() -> None:
    names = ["%gridid", "%current_graph_exec", *(f"%pm{k}_64" for k in range(8))]
    for name, found in read_specials(names, (1, 1, 1), "u64").items():
        assert (found == (name == "%gridid")).all(), name


def test_multiprocessors() -> None:
    found = read_specials(["%smid", "%nsmid", "%nwarpid"], (1, 1, 1))
    assert (found["%smid"] < found["%nsmid"]).all()
    assert (found["%nwarpid"] == 64).all()


def test_clocks_go_forward() -> None:
    names = ["%clock64", "%globaltimer", "%clock64", "%globaltimer"]
    out = read_specials_in_order(names)
    assert (out[2] > out[0]).all()
    assert (out[3] > out[1]).all()


def read_specials_in_order(names: list[str]) -> Array:
    out = np.zeros((len(names), int(np.prod(GRID) * np.prod(BLOCK))), np.uint64)
    Emulator(special_kernel(names, (1, 1, 1), "u64")).launch("k", grid=GRID, block=BLOCK, args=[out])
    return out


@pytest.mark.parametrize("cluster", [(1, 1, 1), CLUSTER])
def test_is_explicit_cluster(cluster: tuple[int, int, int]) -> None:
    kernel = special_kernel([], cluster).replace(
        "    ret;",
        ".reg .pred %p; mov.pred %p, %is_explicit_cluster; selp.u32 %n, 7, 3, %p; st.global.u32 [%at], %n; ret;",
    )
    out = np.zeros(int(np.prod(GRID) * np.prod(BLOCK)), np.uint32)
    Emulator(kernel).launch("k", grid=GRID, block=BLOCK, args=[out])
    assert (out == (3 if cluster == (1, 1, 1) else 7)).all()


def test_special_registers_as_operands_of_cvt() -> None:
    kernel = Kernel(
        "cvt.u64.u32 %d, %tid.x; cvt.u16.u32 %e, %ntid.x; cvt.rn.f32.u32 %f, %laneid;",
        {"unused": "b16"},
        {"d": "u64", "e": "u16", "f": "f32"},
    )
    found = kernel.run(unused=np.zeros(128, np.uint16))
    np.testing.assert_array_equal(found["d"], np.arange(128))
    np.testing.assert_array_equal(found["e"], np.full(128, 128))
    np.testing.assert_array_equal(found["f"], np.arange(128) % 32)


def test_guarded_reads_keep_other_lanes() -> None:
    kernel = Kernel(
        "@%p mov.u32 %d, %laneid; @%p mov.u32 %e, %ntid.x;",
        {"p": "pred", "d": "u32", "e": "u32"},
        {"d": "u32", "e": "u32"},
    )
    rng = np.random.default_rng(5002)
    p, d, e = rng.random(COUNT) < 0.5, random("u32", COUNT, rng), random("u32", COUNT, rng)
    found = kernel.run(p=p, d=d, e=e)
    np.testing.assert_array_equal(found["d"], np.where(p, np.arange(COUNT) % 32, d))
    np.testing.assert_array_equal(found["e"], np.where(p, 128, e))


def test_vectors_of_special_registers() -> None:
    kernel = Kernel(
        "mov.v4.u32 {%a, %b, %c, %d}, %tid;", {"unused": "b16"}, {"a": "u32", "b": "u32", "c": "u32", "d": "u32"}
    )
    found = kernel.run(unused=np.zeros(128, np.uint16))
    np.testing.assert_array_equal(found["a"], np.arange(128))
    assert not any(found[name].any() for name in "bcd")


# ---- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", native.levels())
@pytest.mark.parametrize("group", GROUPS)
def test_results(group: str, level: str) -> None:
    rng = np.random.default_rng(5000)
    check(GROUPS[group](rng), rng, level=level)


def test_vector_registers() -> None:
    rng = np.random.default_rng(5003)
    check(vector_register_cases(rng), rng, guarded=False)


def all_kernels() -> list[Kernel]:
    rng = np.random.default_rng(0)
    cases = [case for make in (*GROUPS.values(), vector_register_cases) for case in make(rng)]
    return [*(case.kernel for case in cases), *address_kernels().values(), *constant_kernels().values()]


def test_every_form_is_tested() -> None:
    coverage = Coverage()
    for kernel in all_kernels():
        coverage.add(kernel)
    assert coverage.missing(native.core().forms(), ["mov", "cvta"]) == []


@needs_ptxas
def test_ptxas_takes_every_instruction(tmp_path: Path) -> None:
    kernels = [k for k in all_kernels() if not any(word in k.text for word in ("%index", "count"))]
    assemble(kernels, tmp_path)


@needs_ptxas
def test_ptxas_takes_every_special_register(tmp_path: Path) -> None:
    reads = [f"mov.u32 %d, {name};" for name in special_values(CLUSTER)]
    assemble([Kernel(text, {}, {"d": "u32"}) for text in reads], tmp_path)
