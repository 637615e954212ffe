"""The CUDA toolkit as the judge of syntax: what ptxas says of a text, and the marks of tests that need the tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

needs_ptxas = pytest.mark.skipif(shutil.which("ptxas") is None, reason="ptxas is not on PATH")
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not on PATH")


def assemble_text(text: str, folder: Path, arch: str = "sm_90a") -> None:
    """Has ptxas assemble a module; its complaints, each with the line that it is about, are an AssertionError."""
    source = folder / "module.ptx"
    source.write_text(text)
    command = ["ptxas", f"-arch={arch}", "-O0", str(source), "-o", str(folder / "module.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = text.splitlines()
    complaints = []
    for complaint in done.stderr.splitlines()[:20]:
        number = re.search(r"line (\d+)", complaint)
        complaints.append(complaint + (f"\n    {lines[int(number[1]) - 1]}" if number else ""))
    assert done.returncode == 0, "\n".join(complaints) or f"ptxas ended with {done.returncode}"
