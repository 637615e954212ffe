"""Errors that a user sees, and the exit code each one means.

Every tool ends with one of these codes: 0 ok, 1 wrong result, 2 bad input or usage, 3 unsupported,
4 internal. An `Error` carries one clear message; `notes` hold what would make it work.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Error(Exception):
    """Base of all errors that accelc raises on purpose.

    Args:
        message: one sentence naming the model node or field, the op, and the types concerned.
        node: the model's node (an ONNX node name or a Python line), if there is one.
        notes: further lines, typically what would make it work.

    `location` is the MLIR location of the op concerned, where the rewriter knows it.
    """

    exit_code: ClassVar[int] = 4
    location: Any = None

    def __init__(self, message: str, *, node: str | None = None, notes: tuple[str, ...] = ()) -> None:
        self.message = message
        self.node = node
        self.notes = tuple(notes)
        super().__init__(self.render())

    def at(self, node: str | None) -> Error:
        """This error, naming ``node`` where it names none yet."""
        if self.node is None and node is not None:
            self.node = node
            self.args = (self.render(),)
        return self

    def render(self) -> str:
        """The message as shown to a user, without a prefix."""
        text = f"node '{self.node}': {self.message}" if self.node else self.message
        return "\n".join([text, *(f"  note: {note}" for note in self.notes)])


class WrongResultError(Error):
    """The compiled model ran, and its answer is outside the bound."""

    exit_code = 1


class UsageError(Error):
    """The caller's arguments, options or inputs do not fit."""

    exit_code = 2


class InvalidModelError(Error):
    """The model file is not a valid model: truncated, inconsistent, or with missing data."""

    exit_code = 2


class InvalidIRError(Error):
    """IR given to a tool does not parse or does not verify."""

    exit_code = 2


class MachineError(Error):
    """A machine description is missing, malformed, or describes something impossible."""

    exit_code = 2


class ArtifactError(Error):
    """A compiled artifact is corrupt, of another version, or made for another machine."""

    exit_code = 2


class UnsupportedError(Error):
    """The input is valid, but accelc (or this target) cannot do it."""

    exit_code = 3


class InternalError(Error):
    """A fault of accelc itself. `reproducer` is the path of a file that replays it, if one was written."""

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        node: str | None = None,
        notes: tuple[str, ...] = (),
        reproducer: str | None = None,
    ) -> None:
        self.reproducer = reproducer
        if reproducer:
            notes = (*notes, f"reproducer: {reproducer}")
        super().__init__(message, node=node, notes=notes)

    def attach_reproducer(self, path: str | None) -> None:
        """Says where the file is that replays the failure; None, for one that could not be written, changes nothing."""
        if path is not None:
            self.reproducer = path
            self.notes = (*self.notes, f"reproducer: {path}")
            self.args = (self.render(),)
