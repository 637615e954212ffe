"""``accelc-opt --list-passes`` and ``--show-dialects``."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import groupby

from accelc.core.context import DIALECTS, make_context
from accelc.core.mlir_diagnostics import capture
from accelc.core.options import describe_options
from accelc.core.pass_ import load_passes
from accelc.core.upstream_passes import UPSTREAM_PASSES
from accelc.mlir import ir


def list_passes() -> str:
    """Our passes with summaries and options, then the names of upstream's by the op they run on."""
    lines = ["Passes of accelc (on builtin.module):"]
    for name, cls in load_passes().items():
        lines.append(f"  --{name:<28} {cls.summary}")
        lines += [f"      {option}={default:<12} {kind}" for option, kind, default in describe_options(cls)]
    for anchor, names in groupby(sorted(UPSTREAM_PASSES, key=_anchor_and_name), lambda name: UPSTREAM_PASSES[name]):
        lines.append(f"Passes of MLIR (on {anchor or 'any op'}):")
        lines += [f"  --{name}" for name in names]
    return "\n".join(lines) + "\n"


def _anchor_and_name(name: str) -> tuple[str, str]:
    return UPSTREAM_PASSES[name], name


def show_dialects() -> str:
    """The names of all dialects, ours marked."""
    return "".join(f"{name}{' (accelc)' if name in DIALECTS else ''}\n" for name in dialects())


def dialects() -> list[str]:
    """The names of all dialects of a context; the bindings list them only in an error message."""
    with make_context() as context, ir.Location.unknown(), capture(context) as found, suppress(ir.MLIRError):
        ir.Module.parse("no_such_dialect.op")
    text = " ".join(note.message for d in found for note in d.notes)
    listed = re.search(r"Available dialects: ([\w, (*)]+?)(?: \(\* |;|$)", text)
    names = listed[1].split(", ") if listed else []
    return sorted({name.removesuffix(" (*)").strip() for name in names} | set(DIALECTS))
