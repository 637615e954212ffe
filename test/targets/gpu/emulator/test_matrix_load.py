"""ldmatrix, stmatrix and movmatrix: which lane gets which element, by the manual's figures."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matrix_kernels import Array, rows, uncovered
from ptx_kernels import HEADER
from toolkit import assemble_text, needs_ptxas

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.errors import FindingsError

BYTES = 5 * 128  # shared memory of the kernels: 40 rows, of which 32 are picked


def names(opcode: str) -> list[str]:
    """Every instruction that the table's rows allow."""
    choices = [choice for row in rows(opcode) for choice in itertools.product(*row)]
    found = [".".join([opcode, *(w for w in choice if w)]) for choice in choices]
    return list(dict.fromkeys(name for name in found if name.count(".trans") < 2))


def count(name: str) -> int:
    """Matrices."""
    return next(n for n in (1, 2, 4) if f".x{n}" in name)


def kernel(entry: str, name: str) -> str:
    """Global to shared memory, the instruction at each lane's offset, and out again: of ldmatrix the registers."""
    load, n = name.startswith("ldmatrix"), 1 if name.startswith("mov") else count(name)
    vector = "{" + ", ".join(f"%r{i}" for i in range(n)) + "}"
    lines = [
        ".reg .b32 %lane, %offset, %at, %v;",
        ".reg .b64 %p, %q, %wide;",
        f".reg .b32 %r<{n}>;",
        f".shared .align 128 .b8 memory[{BYTES}];",
        "mov.u32 %lane, %tid.x;",
        "ld.param.u64 %p, [data];",
        "mad.wide.u32 %p, %lane, 4, %p;",
    ]
    if name.startswith("mov"):
        lines += ["ld.global.b32 %v, [%p];", f"{name} %r0, %v;"]
    else:
        lines += ["mov.u32 %at, memory;", "mad.lo.u32 %at, %lane, 4, %at;"]
        for i in range(BYTES // 128):
            lines += [f"ld.global.b32 %v, [%p+{i * 128}];", f"st.shared.b32 [%at+{i * 128}], %v;"]
        lines += ["ld.param.u64 %q, [offsets];", "mad.wide.u32 %q, %lane, 4, %q;", "ld.global.b32 %offset, [%q];"]
        lines += ["bar.warp.sync 0xffffffff;", "mov.u32 %at, memory;", "add.u32 %at, %at, %offset;"]
        address = "[%at]"
        if ".shared" not in name:
            lines += ["cvt.u64.u32 %wide, %at;", "cvta.shared.u64 %wide, %wide;"]
            address = "[%wide]"
        if load:
            lines.append(f"{name} {vector}, {address};")
        else:
            lines += ["ld.param.u64 %q, [registers];", "mad.wide.u32 %q, %lane, 4, %q;"]
            lines += [f"ld.global.b32 %r{i}, [%q+{i * 128}];" for i in range(n)]
            lines += [f"{name} {address}, {vector};", "bar.warp.sync 0xffffffff;"]
    if name.startswith("st"):
        lines += ["mov.u32 %at, memory;", "mad.lo.u32 %at, %lane, 4, %at;"]
        for i in range(BYTES // 128):
            lines += [f"ld.shared.b32 %v, [%at+{i * 128}];", f"st.global.b32 [%p+{i * 128}], %v;"]
    else:
        lines += ["ld.param.u64 %q, [registers];", "mad.wide.u32 %q, %lane, 4, %q;"]
        lines += [f"st.global.b32 [%q+{i * 128}], %r{i};" for i in range(n)]
    parameters = ".param .u64 data, .param .u64 offsets, .param .u64 registers"
    return f".visible .entry {entry}({parameters})\n{{\n" + "\n".join(lines) + "\nret;\n}\n"


def fragments(matrices: Array, transposed: bool) -> Array:
    """Registers (n, 32) of matrices (n, 8, 8) uint16: lane 4 r + c holds elements 2 c and 2 c + 1 of row r."""
    if transposed:
        matrices = matrices.transpose(0, 2, 1)
    result = np.zeros((len(matrices), 32), np.uint32)
    for lane in range(32):
        pair = matrices[:, lane // 4, lane % 4 * 2 : lane % 4 * 2 + 2].astype(np.uint32)
        result[:, lane] = pair[:, 0] | pair[:, 1] << 16
    return result


def matrices_of(memory: Array, offsets: Array, n: int) -> Array:
    """The rows at the offsets: lane 8 m + r names row r of matrix m."""
    picked = [memory.view(np.uint8)[o : o + 16].view(np.uint16) for o in offsets[: 8 * n]]
    return np.array(picked).reshape(n, 8, 8)


def arrays(seed: int) -> tuple[Array, Array, Array]:
    """Memory, an offset for each lane (rows apart, in any order) and four registers a lane."""
    rng = np.random.default_rng(seed)
    memory = rng.integers(0, 2**16, BYTES // 2, np.uint16, endpoint=False)
    offsets = (rng.permutation(BYTES // 16)[:32] * 16).astype(np.uint32)
    return memory, offsets, rng.integers(0, 2**32, (4, 32), np.uint32)


def test_all() -> None:
    """Every instruction of the tables."""
    everything = names("ldmatrix") + names("stmatrix") + names("movmatrix")
    emulator = Emulator(HEADER + "".join(kernel(f"k{i}", name) for i, name in enumerate(everything)))
    for i, name in enumerate(everything):
        memory, offsets, registers = arrays(i)
        before, given = memory.copy(), registers.copy()
        report = emulator.launch(f"k{i}", grid=1, block=32, args=[memory, offsets, registers])
        transposed = ".trans" in name
        if name.startswith("movmatrix"):
            words = before.view(np.uint32)[:32]
            source = words.view(np.uint16).reshape(1, 8, 8)
            assert (registers[0] == fragments(source, True)[0]).all(), name
            continue
        n = count(name)
        if name.startswith("ldmatrix"):
            assert (registers[:n] == fragments(matrices_of(before, offsets, n), transposed)).all(), name
        else:
            stored = memory.copy()
            assert (fragments(matrices_of(stored, offsets, n), transposed) == given[:n]).all(), name
            for offset in offsets[: 8 * n]:
                memory.view(np.uint8)[offset : offset + 16] = before.view(np.uint8)[offset : offset + 16]
            assert (memory == before).all(), name  # nothing else was written
        assert report.counters.by_opcode()[name].bytes == n * 128
    missing = [word for opcode in ("ldmatrix", "stmatrix", "movmatrix") for word in uncovered(opcode, everything)]
    assert not missing


@pytest.mark.parametrize("name", [f"{v}matrix.sync.aligned.m8n8.x4.shared.b16" for v in ("ld", "st")])
@pytest.mark.parametrize(("offset", "kind"), [(8, "misaligned"), (1 << 20, "out_of_bounds")])
def test_faults(name: str, offset: int, kind: str) -> None:
    """A lane's address that is not aligned to its 16 bytes, or outside."""
    memory, offsets, registers = arrays(0)
    offsets[5] += offset
    emulator = Emulator(HEADER + kernel("k", name))
    with pytest.raises(FindingsError) as caught:
        emulator.launch("k", grid=1, block=32, args=[memory, offsets, registers], sanitize=True)
    finding = caught.value.report.findings[0]
    assert (finding.kind, finding.thread) == (kind, (5, 0, 0))


def test_only_named_lanes_addresses_count() -> None:
    """x1 takes addresses of lanes 0 to 7; what the others hold does not matter."""
    memory, offsets, registers = arrays(1)
    offsets[8:] = 0x7FFFFFFF
    emulator = Emulator(HEADER + kernel("k", "ldmatrix.sync.aligned.m8n8.x1.shared.b16"))
    emulator.launch("k", grid=1, block=32, args=[memory, offsets, registers], sanitize=True)
    assert (registers[0] == fragments(matrices_of(memory, offsets, 1), False)[0]).all()


@pytest.mark.parametrize(("stride", "conflicts"), [(16, 0), (32, 4), (128, 28), (144, 0)])
def test_bank_conflicts(stride: int, conflicts: int) -> None:
    """Rows of 16 bytes at a stride: eight of them fill the banks where it is 16 or 144 bytes; at 128 they collide."""
    rows_apart = np.array([lane % 8 * stride + lane // 8 * 8 * stride for lane in range(32)], np.uint32)
    text = kernel("k", "ldmatrix.sync.aligned.m8n8.x4.shared.b16").replace(f"memory[{BYTES}]", "memory[16384]")
    memory, _, registers = arrays(2)
    report = Emulator(HEADER + text).launch("k", grid=1, block=32, args=[memory, rows_apart, registers])
    assert report.counters.by_opcode()["ldmatrix.sync.aligned.m8n8.x4.shared.b16"].bank_conflicts == conflicts


@needs_ptxas
def test_ptxas_takes_all(tmp_path: Path) -> None:
    """What the tables allow is PTX."""
    everything = names("ldmatrix") + names("stmatrix") + names("movmatrix")
    assemble_text(HEADER + "".join(kernel(f"k{i}", name) for i, name in enumerate(everything)), tmp_path)
