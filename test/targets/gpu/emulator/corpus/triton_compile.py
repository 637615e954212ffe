"""Triton's PTX: all of `triton_kernels.py` compiled once, in a process of its own, and kept under `build/`."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from corpus.nvcc import CACHE, CORPUS

SOURCE = CORPUS / "triton_kernels.py"


def available() -> bool:
    """Is Triton installed here?"""
    return importlib.util.find_spec("triton") is not None


@functools.cache
def folder() -> Path:
    """Where the PTX of this version of the source and of Triton lies; made if it is not there yet."""
    key = hashlib.sha256(SOURCE.read_bytes() + importlib.metadata.version("triton").encode()).hexdigest()[:16]
    done = CACHE / f"triton-{key}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"triton-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            work = CACHE / f"triton-{key}.part"
            work.mkdir(exist_ok=True)
            # Whether a multiplication and an addition become one is said here, so that no default moves the results.
            environment = {**os.environ, "TRITON_CACHE_DIR": str(CACHE / "triton"), "TRITON_DEFAULT_FP_FUSION": "1"}
            run = subprocess.run(
                [sys.executable, str(SOURCE), str(work)], capture_output=True, text=True, env=environment
            )
            if run.returncode:
                raise RuntimeError(f"{SOURCE}: {run.stderr[-4000:]}")
            work.rename(done)
    return done


def compiled(name: str) -> tuple[str, dict[str, Any]]:
    """The PTX of a kernel, and what Triton tells of it."""
    return (folder() / f"{name}.ptx").read_text(), json.loads((folder() / f"{name}.json").read_text())
