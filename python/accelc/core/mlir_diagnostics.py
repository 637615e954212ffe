"""What MLIR says about IR (errors, warnings, remarks, notes), captured as data and turned into our errors.

A location is reduced to what a user can act on: a position in a file, or the names of model nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from accelc.core.diagnostics import Error, InternalError
from accelc.mlir import ir

# How MLIR names the source of text that was parsed from memory.
MEMORY = "-"


@dataclass(frozen=True)
class Position:
    """A place in a file; lines and columns count from 1, as MLIR prints them."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One message of MLIR. ``severity`` is ``error``, ``warning``, ``remark`` or ``note``.

    ``nodes`` are the names found in the location: for imported models, the model's nodes.
    """

    severity: str
    message: str
    position: Position | None = None
    nodes: tuple[str, ...] = ()
    notes: tuple[Diagnostic, ...] = ()

    def header(self) -> str:
        """``x.mlir:3:4: error: message``, with the node's name where there is no position."""
        where = f"{self.position}: " if self.position else ""
        node = f"node '{self.nodes[0]}': " if self.nodes and not self.position else ""
        return f"{where}{self.severity}: {node}{self.message}"


def position_of(location: Any) -> Position | None:
    """The first position in a file inside an MLIR location, outermost first; None if there is none."""
    for leaf in _leaves(location):
        if isinstance(leaf, ir.FileLineColLoc):
            return Position(leaf.filename, leaf.start_line, leaf.start_col)
    return None


def nodes_of(location: Any) -> tuple[str, ...]:
    """The names inside an MLIR location, each once, in order."""
    return tuple(dict.fromkeys(leaf.name_str for leaf in _leaves(location) if isinstance(leaf, ir.NameLoc)))


def _leaves(location: Any) -> Iterator[Any]:
    yield location
    if isinstance(location, ir.NameLoc):
        yield from _leaves(location.child_loc)
    elif isinstance(location, ir.FusedLoc):
        for child in location.locations:
            yield from _leaves(child)
    elif isinstance(location, ir.CallSiteLoc):
        yield from _leaves(location.callee)
        yield from _leaves(location.caller)


def diagnostic_at(location: Any, severity: str, message: str, notes: tuple[Diagnostic, ...] = ()) -> Diagnostic:
    """A `Diagnostic` at an MLIR location (or None)."""
    if location is None:
        return Diagnostic(severity, message, notes=notes)
    return Diagnostic(severity, message, position_of(location), nodes_of(location), notes)


def from_error(error: Error) -> Diagnostic:
    """One of our errors as a diagnostic, at the op that it concerns if it knows one."""
    notes = tuple(Diagnostic("note", note) for note in error.notes)
    message = f"node '{error.node}': {error.message}" if error.node and error.location is None else error.message
    return diagnostic_at(error.location, "error", message, notes)


def _convert(raw: Any) -> Diagnostic:
    notes = tuple(_convert(note) for note in raw.notes)
    return diagnostic_at(raw.location, raw.severity.name.lower(), raw.message, notes)


@contextmanager
def capture(context: Any) -> Iterator[list[Diagnostic]]:
    """Collects what MLIR reports inside; nothing is printed, and ``MLIRError`` carries no copy of it."""
    found: list[Diagnostic] = []

    def handle(raw: Any) -> bool:
        # Converted at once: a raw diagnostic is gone after the handler returns.
        found.append(_convert(raw))
        return True

    before = context.emit_error_diagnostics
    context.emit_error_diagnostics = True
    handler = context.attach_diagnostic_handler(handle)
    try:
        yield found
    finally:
        handler.detach()
        context.emit_error_diagnostics = before


def summarize(diagnostics: Sequence[Diagnostic]) -> tuple[str, tuple[str, ...]]:
    """The first error as a message, and the rest (with notes) as further lines."""
    errors = [d for d in diagnostics if d.severity == "error"] or list(diagnostics)
    if not errors:
        return "", ()
    first, *rest = errors
    where = f" ({first.position})" if first.position else ""
    lines = [note.message for note in first.notes if not note.message.startswith("see current operation")]
    lines += [d.header() for d in rest[:8]]
    return f"{first.message}{where}", tuple(lines)


def verify(op: Any) -> list[Diagnostic]:
    """Verifies ``op`` and all in it; returns the errors (none if it is valid)."""
    with capture(op.operation.context) as found:
        try:
            valid = op.operation.verify()
        except ir.MLIRError:
            valid = False
        except Exception as error:
            raise InternalError(f"a verifier failed: {type(error).__name__}: {error}") from error
    if valid:
        return []
    return [d for d in found if d.severity == "error"] or [Diagnostic("error", "the IR is invalid")]
