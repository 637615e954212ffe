"""Accesses that must not be: beyond the edges of each region, misaligned, to memory that cannot be written. Each is
found, named, and leaves memory as it was."""

from __future__ import annotations

import memory_kernels as mk
import numpy as np
import pytest

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.errors import FindingsError
from accelc.targets.gpu.emulator.report import Finding

TYPES = {1: "b8", 2: "b16", 4: "b32", 8: "b64", 16: "v2.b64", 32: "v4.b64"}
REGISTERS = {1: "%h0", 2: "%h0", 4: "%r0", 8: "%d0", 16: "{%d0, %d1}", 32: "{%d0, %d1, %d2, %d3}"}
BYTES = 320  # of each region, but the parameters
SPACES = ("global", "shared", "local", "const", "param")
NAMES = {
    "global": "argument 0",
    "shared": "the block's shared memory",
    "local": "the thread's local memory",
    "const": "variable constants",
    "param": "the kernel's parameters",
}


def kernel(operation: str, space: str, generic: bool, nbytes: int) -> str:
    """One access of lane 5 (of 32, block 1) at `offset` from the start of the space's region."""
    base = {"global": "ld.param.u64 %base, [data];", "shared": "mov.u64 %base, area;", "local": "mov.u64 %base, lane;"}
    base |= {"const": "mov.u64 %base, constants;", "param": "mov.u64 %base, data;"}
    suffix = TYPES[nbytes]
    name = "" if generic else f".{space}"
    access = {
        "ld": f"ld{name}.{suffix} {REGISTERS[nbytes]}, [%at]",
        "st": f"st{name}.{suffix} [%at], {REGISTERS[nbytes]}",
        "atom": f"atom{name}.exch.b{8 * nbytes} {REGISTERS[nbytes]}, [%at], {REGISTERS[nbytes]}",
        "red": f"red{name}.add.u{8 * nbytes} [%at], {REGISTERS[nbytes]}",
    }[operation]
    to_generic = f"cvta.{space}.u64 %base, %base;" if generic else ""
    return mk.HEADER.format(arch="sm_90a") + (
        f".const .align 32 .b8 constants[{BYTES}] = {{1, 2, 3}};\n"
        ".visible .entry k(.param .u64 data, .param .u64 offset) {\n"
        f"{mk.REGISTERS} .shared .align 32 .b8 area[{BYTES}]; .local .align 32 .b8 lane[{BYTES}];\n"
        "mov.u64 %d0, area; mov.u64 %d1, lane; mov.u64 %d0, 0; mov.u64 %d1, 0; mov.u32 %r0, 7; mov.u16 %h0, 7;\n"
        f"{base[space]}\n{to_generic}\nld.param.u64 %at, [offset];\nadd.u64 %at, %at, %base;\n"
        "mov.u32 %tid, %tid.x; mov.u32 %block, %ctaid.x; mad.lo.u32 %tid, %block, 32, %tid;\n"
        f"setp.eq.u32 %active, %tid, 37;\n@%active {access};\nret;\n}}\n"
    )


def run(emulator: Emulator, offset: int, data: np.ndarray) -> list[Finding]:
    """The findings of one launch."""
    report = emulator.launch("k", grid=2, block=32, args=[data, offset % (1 << 64)], raise_on_finding=False)
    return report.findings


def accesses() -> list[tuple[str, str, bool, int]]:
    """(operation, space, generic, bytes) of every kind of access to every space."""
    result = []
    for generic in (False, True):
        for space in SPACES:
            for nbytes in (1, 2, 4, 8, 16, *((32,) if space == "global" else ())):
                result += [("ld", space, generic, nbytes)]
                if space in ("global", "shared", "local"):
                    result += [("st", space, generic, nbytes)]
                if space in ("global", "shared") and nbytes in (4, 8):
                    result += [("atom", space, generic, nbytes)]
                    result += [("red", space, generic, nbytes)]
    return result


@pytest.mark.parametrize(("operation", "space", "generic", "nbytes"), accesses())
def test_edges_and_alignment(operation: str, space: str, generic: bool, nbytes: int) -> None:
    text = kernel(operation, space, generic, nbytes)
    line = next(n for n, code in enumerate(text.splitlines(), 1) if code.startswith("@%active"))
    emulator = Emulator(text)
    size = 16 if space == "param" else BYTES
    verb = "read" if operation == "ld" else "write"
    count = "1 byte" if nbytes == 1 else f"{nbytes} bytes"
    for offset in range(-2 * nbytes, size + 2 * nbytes + 1):
        data = np.arange(BYTES, dtype=np.uint16).astype(np.uint8)
        before = data.copy()
        findings = run(emulator, offset, data)
        inside = 0 <= offset <= size - nbytes
        if inside and offset % nbytes == 0:
            assert findings == [], offset
            continue
        assert len(findings) == 1
        finding = findings[0]
        assert finding.kind == ("misaligned" if inside else "out_of_bounds"), offset
        assert (finding.line, finding.block, finding.thread) == (line, (1, 0, 0), (5, 0, 0))
        assert finding.message.startswith(f"{verb} of {count} at ")
        if inside:
            assert finding.message.endswith(f"past a multiple of {nbytes}")
        elif space != "shared" or offset > -(0x400):
            past = offset - size
            if past > 0:
                assert f"{past} byte" in finding.message and "past the end of" in finding.message
            elif past == 0:
                assert "right behind the end of" in finding.message
            elif offset < 0 and space not in ("local", "param"):
                assert f"{-offset} byte" in finding.message and "before the beginning of" in finding.message
            if offset >= 0 or space in ("global", "const"):
                assert f"{NAMES[space]} ({size} bytes)" in finding.message
        np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("operation", ["ld", "st"])
def test_null_and_wild_addresses(operation: str, generic: bool) -> None:
    emulator = Emulator(kernel(operation, "global", generic, 4))
    data = np.zeros(BYTES, np.uint8)
    for address, text in (
        (0, "a null pointer"),
        (16, "a null pointer"),
        (1 << 40, "shared memory"),
        (1 << 63, ""),
        (-4, ""),
    ):
        if "shared" in text and not generic:
            text = "before the beginning of"
        findings = emulator.launch(
            "k", grid=2, block=32, args=[None, address % (1 << 64)], raise_on_finding=False
        ).findings
        assert len(findings) == 1 and findings[0].kind == "out_of_bounds", address
        assert text in findings[0].message, findings[0].message
        assert findings[0].address == address % (1 << 64)
    assert not data.any()


def test_regions_of_a_buffer_have_edges_of_their_own() -> None:
    emulator = Emulator(kernel("ld", "global", False, 4))
    buffer = emulator.buffer(4096)
    first, second = buffer.region(256, 64), buffer.region(320, 64)
    buffer.write(np.zeros(4096, np.uint8))
    assert emulator.launch("k", grid=2, block=32, args=[first, 60]).findings == []
    # The next region begins right behind the first: its bytes are memory, too.
    assert emulator.launch("k", grid=2, block=32, args=[first, 64]).findings == []
    for region, offset, text in ((first, -4, "4 bytes before the beginning of buffer 0[256:320] (64 bytes)"),
                                 (second, 64, "right behind the end of buffer 0[320:384] (64 bytes)"),
                                 (second, 76, "12 bytes past the end of buffer 0[320:384] (64 bytes)")):  # fmt: skip
        with pytest.raises(FindingsError) as error:
            emulator.launch("k", grid=2, block=32, args=[region, offset % (1 << 64)])
        assert text in str(error.value)


def test_constants_cannot_be_written() -> None:
    text = kernel("st", "global", False, 4).replace("ld.param.u64 %base, [data];", "mov.u64 %base, constants;")
    emulator = Emulator(text.replace("cvta", "//cvta"))
    with pytest.raises(FindingsError, match="cannot be written"):
        emulator.launch("k", grid=2, block=32, args=[None, 0])
    assert emulator.symbol("constants").read(4) == bytes([1, 2, 3, 0])


GATHER = """.visible .entry k(.param .u64 at, .param .u64 out) {
    .reg .b32 %tid, %r0; .reg .b64 %at, %out, %offset, %p;
    ld.param.u64 %at, [at]; ld.param.u64 %out, [out];
    mov.u32 %tid, %tid.x; mul.wide.u32 %offset, %tid, 8; add.u64 %at, %at, %offset;
    mul.wide.u32 %offset, %tid, 4; add.u64 %out, %out, %offset;
    mov.u32 %r0, 99;
    ld.global.u64 %p, [%at];
    ld.global.u32 %r0, [%p];
    st.global.u32 [%out], %r0;
    ret;
}
"""


def test_only_the_lanes_that_fail_are_left_out_when_sanitizing() -> None:
    """The launch goes on under the sanitizer; one finding a kind names the first lane and counts."""
    emulator = Emulator(mk.HEADER.format(arch="sm_90a") + GATHER)
    buffers = [emulator.buffer(4) for _ in range(32)]
    for n, buffer in enumerate(buffers):
        buffer.write(np.uint32(n).tobytes())
    at = np.array([b.address for b in buffers], np.uint64)
    out = np.zeros(32, np.uint32)
    assert emulator.launch("k", block=32, args=[at, out]).findings == []
    np.testing.assert_array_equal(out, np.arange(32))
    at[[3, 9]] += np.uint64(4)
    at[20] += np.uint64(2)
    findings = emulator.launch("k", block=32, args=[at, out], sanitize=True, raise_on_finding=False).findings
    assert {(f.kind, f.thread[0], f.count) for f in findings} == {
        ("out_of_bounds", 3, 2),
        ("out_of_bounds", 20, 1),
    } or {(f.kind, f.count) for f in findings} == {("out_of_bounds", 3)}
    np.testing.assert_array_equal(np.delete(out, [3, 9, 20]), np.delete(np.arange(32), [3, 9, 20]))


def test_other_blocks_shared_memory() -> None:
    """.shared::cta and plain .shared mean the own block; .shared::cluster and generic addresses reach the cluster's."""
    lines = [
        ".visible .entry k(.param .u64 out) {",
        mk.REGISTERS + ".shared .align 16 .b8 area[64]; .reg .b32 %peer;",
        "mov.u32 %block, %cluster_ctarank; mov.u32 %base32, area; ld.param.u64 %p, [out];",
        "st.shared.u32 [%base32], %block; barrier.cluster.arrive; barrier.cluster.wait;",
        "xor.b32 %peer, %block, 1; mapa.shared::cluster.u32 %at32, %base32, %peer;",
        "ACCESS",
        "mul.wide.u32 %offset64, %block, 4; add.u64 %p, %p, %offset64; st.global.u32 [%p], %r0;",
        "barrier.cluster.arrive; barrier.cluster.wait; ret; }",
    ]
    text = mk.HEADER.format(arch="sm_90a") + "\n".join(lines)
    out = np.zeros(2, np.uint32)
    for access in (
        "ld.shared::cluster.u32 %r0, [%at32];",
        "atom.shared::cluster.add.u32 %r0, [%at32], 0;",
        "cvt.u64.u32 %at, %at32; cvta.shared.u64 %at, %at; ld.u32 %r0, [%at];",
        "cvta.shared.u64 %at, area; mapa.u64 %at, %at, %peer; ld.u32 %r0, [%at];",
    ):
        Emulator(text.replace("ACCESS", access)).launch("k", grid=2, block=1, cluster=2, args=[out])
        np.testing.assert_array_equal(out, [1, 0], access)
    for access in ("ld.shared.u32 %r0, [%at32];", "ld.shared::cta.u32 %r0, [%at32];"):
        with pytest.raises(FindingsError, match=r"belongs to rank [01] of the cluster, not to this block"):
            Emulator(text.replace("ACCESS", access)).launch("k", grid=2, block=1, cluster=2, args=[out])
    wild = "mapa.shared::cluster.u32 %at32, %base32, 7; ld.shared::cluster.u32 %r0, [%at32];"
    with pytest.raises(FindingsError, match="rank 7 of the cluster; there are 2"):
        Emulator(text.replace("ACCESS", wild)).launch("k", grid=2, block=1, cluster=2, args=[out])
