"""Watching a pipeline run: printing IR before and after passes, dumping it into a folder, and timing."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from accelc.core.diagnostics import UsageError

_RUNS = itertools.count(1)


def print_ir(op: Any, *, elide_above: int | None = None, debug_info: bool = False, generic: bool = False) -> str:
    """The text of ``op``. ``elide_above``: constants of more elements are shown as ``dense_resource<__elided__>``."""
    text = op.operation.get_asm(
        large_elements_limit=elide_above, enable_debug_info=debug_info, print_generic_op_form=generic
    )
    assert isinstance(text, str)
    return text.rstrip("\n") + "\n"


class IRPrinter:
    """Prints IR around passes, in the form of mlir-opt.

    before / after: names of passes; None means every pass.
    only_changes: after a pass, print only if the IR is another.
    """

    def __init__(
        self,
        before: frozenset[str] | None = frozenset(),
        after: frozenset[str] | None = frozenset(),
        *,
        only_changes: bool = False,
        after_failure: bool = False,
        options: Mapping[str, Any] | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._before = before
        self._after = after
        self._only_changes = only_changes
        self._after_failure = after_failure
        self._options = dict(options or {})
        self._stream = stream or sys.stderr
        self._text = ""

    def before(self, name: str, module: Any) -> None:
        if self._before is None or name in self._before:
            self._print(f"Before {name}", module)
        if self._only_changes:
            self._text = print_ir(module, debug_info=True)

    def after(self, name: str, module: Any, seconds: float) -> None:
        if self._after is not None and name not in self._after:
            return
        if self._only_changes and print_ir(module, debug_info=True) == self._text:
            return
        self._print(f"After {name}", module)

    def failed(self, name: str, module: Any) -> None:
        if self._after_failure or self._after is None or name in self._after:
            self._print(f"After {name} Failed", module)

    def finished(self, module: Any) -> None:
        self._stream.flush()

    def _print(self, what: str, module: Any) -> None:
        self._stream.write(f"// -----// IR Dump {what} //----- //\n{print_ir(module, **self._options)}\n")


class TreeDump:
    """Writes the IR after each pass to ``<folder>/<number>_<pass>.mlir``, and what came in to ``0_input.mlir``."""

    def __init__(self, folder: str, options: Mapping[str, Any] | None = None) -> None:
        self._folder = Path(folder)
        self._options = dict(options or {})
        self._count = 0

    @classmethod
    def numbered(cls, folder: str) -> TreeDump:
        """A dump into a subfolder of its own for this run of this process."""
        return cls(os.path.join(folder, f"{os.getpid()}_{next(_RUNS)}"), {"elide_above": 64})

    def before(self, name: str, module: Any) -> None:
        if self._count == 0:
            self._write("0_input.mlir", module)

    def after(self, name: str, module: Any, seconds: float) -> None:
        self._count += 1
        self._write(f"{self._count}_{name}.mlir", module)

    def failed(self, name: str, module: Any) -> None:
        self._count += 1
        self._write(f"{self._count}_{name}_failed.mlir", module)

    def finished(self, module: Any) -> None:
        pass

    def _write(self, name: str, module: Any) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_text(print_ir(module, **self._options))
        except OSError as error:
            raise UsageError(f"IR cannot be dumped to '{self._folder}': {error.strerror}") from None


class Timing:
    """Measures the wall time of each pass; verification of the IR after it included."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.rows: list[tuple[str, float]] = []

    def before(self, name: str, module: Any) -> None:
        pass

    def after(self, name: str, module: Any, seconds: float) -> None:
        self.rows.append((name, seconds))

    def failed(self, name: str, module: Any) -> None:
        pass

    def finished(self, module: Any) -> None:
        pass

    def report(self, others: Mapping[str, float]) -> None:
        """Prints the table; ``others`` are further rows, such as parsing, in seconds."""
        rows = [*self.rows, *others.items()]
        total = sum(seconds for _, seconds in rows) or 1e-12
        lines = [f"  {seconds:9.4f} s ({100 * seconds / total:5.1f}%)  {name}" for name, seconds in rows]
        title = "===- accelc-opt: wall time by pass -==="
        self._stream.write("\n".join([title, *lines, f"  {total:9.4f} s (100.0%)  total", ""]))
