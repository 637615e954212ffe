"""Reproducers: a file that replays a failure. Its first line is the `accelc-opt` command, the rest is the IR.

::

    // accelc-opt --pass-pipeline='builtin.module(nn-fold,canonicalize)'
    module { ... }

`accelc-opt --run-reproducer FILE` reads the words after ``accelc-opt`` as its own.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.core.knobs import knobs
from accelc.core.pipeline import Pipeline

PREFIX = "// accelc-opt "


@dataclass(frozen=True)
class Replay:
    """How a failure of a pipeline is to be replayed.

    path: the file to write; by default one in the reproducers' folder, named after its content.
    instead: words that stand for the pipeline, where its text would not do (``--target=... --start-at=...``).
    also: further words, e.g. ``--store=weights.npz``.
    """

    path: str | None = None
    instead: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


def write_reproducer(original: Any, pipeline: Pipeline, replay: Replay, verify_each: bool) -> str | None:
    """Writes the IR before a pipeline ran, and the command that replays it; returns the path.

    Args:
        original: the op as it was before the first pass.

    Returns None when the file cannot be written: the failure itself must still be reported.
    """
    words = [*(replay.instead or (f"--pass-pipeline={pipeline}",)), *replay.also]
    if not verify_each:
        words.append("--verify-each=0")
    ir_text = original.operation.get_asm(enable_debug_info=True)
    return store_text(f"{PREFIX}{shlex.join(words)}\n{ir_text}", replay.path)


def store_text(text: str, path: str | None = None) -> str | None:
    """Writes a reproducer's text to ``path`` or to the reproducers' folder; the path, or None if that fails."""
    if path is None:
        folder = knobs.reproducer_dir or tempfile.gettempdir()
        path = os.path.join(folder, f"accelc-reproducer-{hashlib.sha256(text.encode()).hexdigest()[:12]}.mlir")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    except OSError:
        return None
    return path


def read_command(text: str, path: str) -> list[str]:
    """The words of a reproducer's first line. Raises UsageError if the file is not a reproducer."""
    first = text.partition("\n")[0]
    if not first.startswith(PREFIX):
        raise UsageError(f"{path} is not a reproducer: its first line does not begin with '{PREFIX.strip()}'")
    try:
        return shlex.split(first[len(PREFIX) :])
    except ValueError as error:
        raise UsageError(f"{path}: the command in the first line cannot be read: {error}") from None
