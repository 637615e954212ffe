"""``expected-error {{...}}`` comments: what a test input says MLIR will report, as mlir-opt reads them.

::

    // expected-error @below {{shapes differ}}
    // expected-note@-2 {{here}}       expected-warning-re {{got {{[0-9]+}} elements}}

``@above`` and ``@below`` mean the nearest line without such a comment; ``@unknown`` a message without a position.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from accelc.core.mlir_diagnostics import Diagnostic

_COMMENT = re.compile(
    r"expected-(?P<kind>error|warning|remark|note)(?P<re>-re)?\s*"
    r"(?P<at>@(?:[+-]\d+|above|below|unknown))?\s*\{\{(?P<text>.*)\}\}\s*$"
)


@dataclass
class Expected:
    """One comment. ``line`` is where the message belongs (None: nowhere), ``written`` where the comment stands."""

    kind: str
    text: str
    line: int | None
    written: int
    pattern: re.Pattern[str]
    met: bool = field(default=False)


def parse_expected(text: str) -> list[Expected]:
    """The comments in ``text``; lines count from 1."""
    lines = text.split("\n")
    matches = [_COMMENT.search(line) if "expected-" in line else None for line in lines]
    found = []
    for index, match in enumerate(matches):
        if match:
            line = _line(match["at"], index, matches)
            found.append(
                Expected(match["kind"], match["text"], line, index + 1, _pattern(match["text"], bool(match["re"])))
            )
    return found


def _line(at: str | None, index: int, matches: Sequence[re.Match[str] | None]) -> int | None:
    if at is None:
        return index + 1
    if at == "@unknown":
        return None
    if at in ("@above", "@below"):
        step = -1 if at == "@above" else 1
        line = index + step
        while 0 <= line < len(matches) and matches[line]:
            line += step
        return line + 1
    return index + 1 + int(at[1:])


def _pattern(text: str, is_regex: bool) -> re.Pattern[str]:
    if not is_regex:
        return re.compile(re.escape(text))
    parts = re.split(r"\{\{(.*?)\}\}", text)
    return re.compile("".join(part if i % 2 else re.escape(part) for i, part in enumerate(parts)))


def compare(expected: list[Expected], diagnostics: Iterable[Diagnostic], name: str) -> list[str]:
    """Problems, one line each: messages that no comment expects, and comments that no message meets."""
    problems = []
    for diagnostic in _flatten(diagnostics):
        line = diagnostic.position.line if diagnostic.position else None
        match = next((e for e in expected if not e.met and _meets(diagnostic, line, e)), None)
        if match is None:
            where = f"{name}:{line}" if line else name
            problems.append(f"{where}: error: unexpected {diagnostic.severity}: {diagnostic.message}")
        else:
            match.met = True
    missing = [e for e in expected if not e.met]
    return problems + [f'{name}:{e.written}: error: expected {e.kind} "{e.text}" was not produced' for e in missing]


def _meets(diagnostic: Diagnostic, line: int | None, e: Expected) -> bool:
    return e.kind == diagnostic.severity and e.line == line and e.pattern.search(diagnostic.message) is not None


def _flatten(diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    for diagnostic in diagnostics:
        yield diagnostic
        # The printed op depends on the printer, not on the check: mlir-opt does not ask for it either.
        yield from (n for n in diagnostic.notes if not n.message.startswith("see current operation"))
