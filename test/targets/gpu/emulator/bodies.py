"""Kernels written as a body of PTX text, for the tests of instructions that need more than one thread of thought.

The body finds %tid.x in ``%t``, the addresses of the arrays it is launched with in ``%rd0``, ``%rd1``, ..., and has
registers ``%r0`` to ``%r63`` (.b32), ``%rd0`` to ``%rd31`` (.b64), ``%p0`` to ``%p15`` (.pred).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ptx_kernels import HEADER, Coverage, Kernel
from toolkit import assemble_text

from accelc.targets.gpu.emulator import Emulator, Report


def source(body: str, arrays: int = 0, declarations: str = "", preamble: str = "", name: str = "k") -> str:
    """The module's text; its kernel takes the addresses of so many arrays."""
    parameters = ", ".join(f".param .u64 p{n}" for n in range(arrays))
    loads = "".join(
        f"    ld.param.u64 %rd{n}, [p{n}];\n    cvta.to.global.u64 %rd{n}, %rd{n};\n" for n in range(arrays)
    )
    return (
        f"{HEADER}{preamble}\n.visible .entry {name}({parameters}) {{\n"
        f"    .reg .b32 %r<64>, %t; .reg .b64 %rd<32>; .reg .pred %p<16>;\n    {declarations}\n"
        f"    mov.u32 %t, %tid.x;\n{loads}{body}\n    ret;\n}}\n"
    )


def launch(body: str, *arrays: np.ndarray, declarations: str = "", preamble: str = "", **options: Any) -> Report:
    """Runs a body; `options` go to ``Emulator.launch``."""
    text = source(body, len(arrays), declarations, preamble)
    return Emulator(text).launch("k", args=list(arrays), **{"block": 32, **options})


def findings(body: str, *arrays: np.ndarray, **options: Any) -> list[tuple[str, str]]:
    """Kind and message of what the sanitizer says about a body."""
    report = launch(body, *arrays, **{"sanitize": True, "raise_on_finding": False, **options})
    return [(f.kind, f.message) for f in report.findings]


def store(register: str, array: str = "%rd0", index: str = "%t") -> str:
    """Text that stores a .b32 register at array[index]."""
    return f"mad.wide.u32 %rd30, {index}, 4, {array};\nst.global.u32 [%rd30], {register};\n"


def covers(coverage: Coverage, text: str) -> str:
    """Counts the instructions of a text as tested, and returns it."""
    coverage.add(Kernel(text, {}, {}))
    return text


def assemble_texts(texts: Sequence[str], folder: Path, arch: str = "sm_90a") -> None:
    """Has ptxas assemble every module; its complaints are an AssertionError."""
    for text in texts:
        assemble_text(text.replace("sm_90a", arch), folder, arch)
