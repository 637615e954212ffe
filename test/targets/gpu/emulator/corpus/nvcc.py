"""CUDA C++ to PTX: runs `nvcc -ptx` once for every source and set of flags, and keeps the text under `build/`."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

CORPUS = Path(__file__).parent
COMMITTED = CORPUS.parent / "ptx"
# The sources whose PTX is committed, for machines without nvcc; `make bless` renews it.
CHOSEN = [
    "bits",
    "cluster",
    "control",
    "convert",
    "cp_async",
    "gemm",
    "histogram",
    "hopper_gemm",
    "mma",
    "reduction",
    "scan",
    "system",
    "tma",
    "transpose",
    "wgmma",
]
CACHE = CORPUS.parents[4] / "build" / "emulator-corpus"


def nvcc() -> str | None:
    """The compiler's path, or None where there is no CUDA toolkit."""
    return shutil.which(os.environ.get("NVCC", "nvcc"))


@functools.cache
def version() -> str:
    """What the compiler says it is: another compiler makes other PTX, so this is part of a cache key."""
    compiler = nvcc()
    assert compiler is not None
    return subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True).stdout


def compile_ptx(source: str, arch: str = "sm_90a", flags: Sequence[str] = ()) -> str:
    """The PTX of ``corpus/<source>``, from the cache if neither it, a header of the corpus nor the compiler changed.

    Workers of pytest-xdist share the cache: the first takes a lock, the others wait for its text.
    """
    compiler = nvcc()
    if compiler is None:
        raise FileNotFoundError("nvcc is not on PATH")
    options = ["-ptx", f"-arch={arch}", "-std=c++17", "-O3", "-diag-suppress", "20054", *flags]
    digest = hashlib.sha256("\0".join([version(), source, *options]).encode())
    for file in [CORPUS / source, *sorted(CORPUS.glob("*.cuh"))]:
        digest.update(file.read_bytes())
    CACHE.mkdir(parents=True, exist_ok=True)
    ptx = CACHE / f"{Path(source).stem}-{digest.hexdigest()[:16]}.ptx"
    with ptx.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ptx.exists():
            # From here and by its bare name: an assertion puts the file into the PTX.
            command = [compiler, *options, source, "-o", str(ptx.with_suffix(".tmp"))]
            done = subprocess.run(command, cwd=CORPUS, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
            ptx.with_suffix(".tmp").rename(ptx)
    return ptx.read_text()


def committed(source: str) -> Path:
    """Where the PTX of a chosen source is committed, for machines without nvcc."""
    return COMMITTED / f"{Path(source).stem}.ptx"


def release(text: str) -> str:
    """The compiler's release, out of what it says of itself or out of the head of PTX that it made."""
    found = re.search(r"release ([\d.]+), V([\d.]+)", text)
    return found.group(2) if found else ""
