"""Kernels around one asynchronous copy: shared memory filled before it and written out after it, with barriers between.

A kernel's dynamic shared memory holds an mbarrier at 0 and the `bytes` under test from 1024 on. Thread 0 of the block,
or of each block of a cluster whose bit is set in `issuers`, runs the text of the copy; in it

=========  ==========================================================================
``%data``  the shared address of the bytes under test, ``%bar`` of the mbarrier
``%NAME``  a parameter: an address in global memory, a tensor map's address, or an int
``%rank``  the rank of the block in its cluster
``%r<8>``  and ``%d<8>``, ``%h<8>``, ``%p<8>``: free registers of 32, 64, 16 bits and predicates
=========  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from toolkit import assemble_text

HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 smem[];\n"
THREADS = 32
DATA = 1024
UNWRITTEN = 0xA5


@dataclass(frozen=True)
class Copy:
    """One kernel. With `loads` it waits on the mbarrier for `expected` bytes and writes shared memory to the array
    ``out``, each block of a cluster behind the one before; else the text waits for its own groups. Shared memory holds
    what the array ``initial`` does, if there is such a parameter, else bytes `UNWRITTEN`.
    """

    text: str
    parameters: Sequence[str]  # "out:ptr", "map:map", "n:u32", in the order of the arguments
    bytes: int
    loads: bool = True
    expected: int | str = 0  # bytes, or a register that holds them
    cluster: int = 1
    issuers: int = 1
    all_threads: bool = False  # run the text in every thread
    setup: str = ""  # text of thread 0 before the mbarrier expects its bytes

    def ptx(self, name: str) -> str:
        """The entry."""
        heads, loads = [], []
        for parameter in self.parameters:
            word, _, kind = parameter.partition(":")
            if kind == "map":
                heads.append(f".param .align 64 .b8 {name}_{word}[128]")
                loads += [f"mov.b64 %{word}, {name}_{word};", f"cvta.param.u64 %{word}, %{word};"]
            else:
                size = "u32" if kind == "u32" else "u64"
                heads.append(f".param .{size} {name}_{word}")
                loads.append(f"ld.param.{size} %{word}, [{name}_{word}];")
                if kind == "ptr":
                    loads.append(f"cvta.to.global.u64 %{word}, %{word};")
        declared = [
            f".reg .{'b32' if p.endswith(':u32') else 'b64'} %{p.partition(':')[0]};" for p in self.parameters
        ]
        body = [
            *declared,
            ".reg .pred %p<8>, %done, %others, %more;",
            ".reg .b16 %h<8>;",
            ".reg .b32 %r<8>, %data, %bar, %rank, %at, %word, %thread, %local;",
            ".reg .b64 %d<8>, %to, %wide;",
            ".reg .f32 %f<4>; .reg .f64 %fd<4>;",
            *loads,
            "mov.u32 %thread, %tid.x;",
            "mov.u32 %rank, %cluster_ctarank;",
            "mov.u32 %bar, smem;",
            f"add.u32 %data, %bar, {DATA};",
            "setp.ne.u32 %others, %thread, 0;",
            *self._walk("FILL", self._fill()),
            "@%others bra START;",
            "mbarrier.init.shared::cta.b64 [%bar], 1;",
            "fence.mbarrier_init.release.cluster;",
            "START:",
            "fence.proxy.async;",
            *self._barrier(),
        ]
        if self.loads:
            expect = f"mbarrier.arrive.expect_tx.shared::cta.b64 _, [%bar], {self.expected};"
            body += ["@%others bra ISSUE;", self.setup, expect, "ISSUE:"]
            if self.cluster > 1:
                body += self._barrier()
        if not self.all_threads:
            body.append("@%others bra WAIT;")
        if self.cluster > 1:
            body += [f"mov.u32 %r0, {self.issuers};", "shr.u32 %r0, %r0, %rank;", "and.b32 %r0, %r0, 1;"]
            body += ["setp.eq.u32 %p0, %r0, 0;", "@%p0 bra WAIT;"]
        body += [self.text, "WAIT:"]
        if self.loads:
            body += ["mbarrier.try_wait.parity.shared::cta.b64 %done, [%bar], 0;", "@!%done bra WAIT;"]
            body += [f"mul.wide.u32 %wide, %rank, {self.bytes};", "add.s64 %to, %out, %wide;"]
            dump = ["ld.shared.u32 %word, [%local];", "cvt.u64.u32 %wide, %at;", "add.s64 %wide, %to, %wide;"]
            body += self._walk("DUMP", [*dump, "st.global.u32 [%wide], %word;"])
        body += self._barrier()
        body.append("ret;")
        shape = f".explicitcluster\n.reqnctapercluster {self.cluster}\n" if self.cluster > 1 else ""
        joined = "\n    ".join(line for line in body if line)
        return f".visible .entry {name}(\n    " + ",\n    ".join(heads) + f"\n)\n{shape}{{\n    {joined}\n}}\n"

    def _fill(self) -> list[str]:
        if "initial:ptr" not in self.parameters:
            return [f"st.shared.u32 [%local], {UNWRITTEN * 0x01010101};"]
        return [
            "cvt.u64.u32 %wide, %at;",
            f"mad.wide.u32 %wide, %rank, {self.bytes}, %wide;",
            "add.s64 %wide, %initial, %wide;",
            "ld.global.u32 %word, [%wide];",
            "st.shared.u32 [%local], %word;",
        ]

    def _walk(self, label: str, lines: list[str]) -> list[str]:
        """`lines` for each word of the bytes under test, all threads in turn."""
        return [
            "shl.b32 %at, %thread, 2;",
            f"{label}:",
            f"setp.lt.u32 %more, %at, {self.bytes};",
            f"@!%more bra {label}_END;",
            "add.u32 %local, %data, %at;",
            *lines,
            f"add.u32 %at, %at, {4 * THREADS};",
            f"bra {label};",
            f"{label}_END:",
        ]

    def _barrier(self) -> list[str]:
        if self.cluster > 1:
            return ["barrier.cluster.arrive.aligned;", "barrier.cluster.wait.aligned;"]
        return ["bar.sync 0;"]


@dataclass
class Case:
    """A kernel, its arguments, and what they must hold afterwards: pairs of an array and its expected value."""

    copy: Copy
    args: list[Any]
    expect: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    label: str = ""


def module(cases: Sequence[Case]) -> str:
    """All kernels, named ``k0``, ``k1``, ... Labels are each function's own."""
    return HEADER + "".join(case.copy.ptx(f"k{n}") for n, case in enumerate(cases))


def run(cases: Sequence[Case], *, sanitize: bool = False, **options: Any) -> list[Any]:
    """Runs each case once and checks what it must give; the reports."""
    from accelc.targets.gpu.emulator import Emulator

    emulator = Emulator(module(cases))
    reports = []
    for n, case in enumerate(cases):
        copy = case.copy
        reports.append(
            emulator.launch(
                f"k{n}",
                grid=(copy.cluster, 1, 1),
                block=(THREADS, 1, 1),
                args=case.args,
                shared_bytes=DATA + copy.bytes,
                sanitize=sanitize,
                **options,
            )
        )
        for got, wanted in case.expect:
            assert got.tobytes() == wanted.tobytes(), f"{case.label or copy.text}: " + difference(got, wanted)
    return reports


def difference(got: np.ndarray, wanted: np.ndarray) -> str:
    """Where two arrays' bytes first differ."""
    a, b = (np.frombuffer(x.tobytes(), np.uint8) for x in (got, wanted))
    if a.size != b.size:
        return f"{a.size} bytes, not {b.size}"
    at = np.flatnonzero(a != b)
    first = slice(at[0], at[0] + 8)
    return f"{at.size} of {a.size} bytes differ, first at {at[0]}: {a[first].tolist()}, not {b[first].tolist()}"


def assemble(cases: Sequence[Case], folder: Path) -> None:
    """Has ptxas read all kernels: it is the judge of syntax. Its complaints are an AssertionError."""
    assemble_text(module(cases), folder)


def instructions(cases: Sequence[Case]) -> set[str]:
    """The names of the instructions in the texts of the copies."""
    names = set()
    for case in cases:
        for statement in re.split(r"[;\n]", case.copy.text):
            words = [w for w in statement.split() if not w.startswith("@")]
            if words:
                names.add(words[0])
    return names


def untested(names: set[str], selected: Any) -> list[str]:
    """The instructions of forms, of those for which ``selected(opcode, modifiers)``, that are not in `names`."""
    from ptx_kernels import expand

    from accelc.targets.gpu.emulator.native import core

    rows = [(opcode, modifiers) for opcode, modifiers, _ in core().forms() if selected(opcode, modifiers)]
    return [n for n in dict.fromkeys(n for row in rows for n in expand(*row)) if n not in names]


def swizzled(box: np.ndarray, mode: str, address: int) -> np.ndarray:
    """The bytes of a box as a swizzle leaves them in shared memory from `address` (a multiple of 128) on.

    By rows and columns rather than address bits: memory is lines of eight 16-byte chunks, and within each group of 2, 4
    or 8 chunks of line n a chunk goes to its number xor n.
    """
    width = {"none": 1, "32B": 2, "64B": 4, "128B": 8}[mode]
    raw = np.frombuffer(box.tobytes(), np.uint8)
    padded = np.full(-(-raw.size // 128) * 128, UNWRITTEN, np.uint8)
    padded[: raw.size] = raw
    lines = padded.reshape(-1, 8, 16)
    number = (np.arange(lines.shape[0]) + address // 128) % width
    chunk = np.arange(8)[None, :] ^ number[:, None]
    result = np.empty_like(lines)
    np.put_along_axis(result, np.broadcast_to(chunk[:, :, None], lines.shape), lines, axis=1)
    return result.reshape(-1)


def pick(mapping: Mapping[str, Any], name: str) -> Any:
    """The value of the one key that is a modifier of an instruction's name."""
    (key,) = [k for k in mapping if k in name.split(".")]
    return mapping[key]
