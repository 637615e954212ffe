"""Which line of a TOML file a key stands on, so that an error in a description can point at it."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ASSIGN = re.compile(rf"\s*({_DOTTED})\s*=\s*")
_INLINE_KEY = re.compile(rf"[{{,]\s*({_DOTTED})\s*=")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'')


def line_of(text: str, path: Path) -> int | None:
    """The 1-based line of the key at ``path`` (list elements by index), or of its nearest ancestor that has one."""
    lines = key_lines(text)
    for n in range(len(path), 0, -1):
        for known in (path[:n], (*path[:n], 0)):
            if known in lines:
                return lines[known]
    return None


def key_lines(text: str) -> dict[Path, int]:
    """Key path -> line for every key of a TOML text that parses. Elements of arrays of tables count from 0."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    current: Path = ()
    depth = 0  # of brackets left open by an array or inline table that spans lines
    triple = ""  # the delimiter of an open multi-line string
    for number, line in enumerate(text.splitlines(), 1):
        if triple:
            triple = "" if triple in line else triple
            continue
        if depth == 0:
            if header := _HEADER.match(line):
                table = _enter(_split(header[2]), header[1] == "[[", counts)
                lines.setdefault(table, number)
                continue
            if assign := _ASSIGN.match(line):
                current = (*table, *_split(assign[1]))
                lines.setdefault(current, number)
                line = line[assign.end() :]
        triple = next((d for d in ('"""', "'''") if line.count(d) % 2), "")
        bare = _STRING.sub('""', line).partition("#")[0]
        for inner in _INLINE_KEY.finditer("," + line if depth else line):
            lines.setdefault((*current, *_split(inner[1])), number)
        depth = max(0, depth + sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}"))
    return lines


def _enter(keys: Path, is_array: bool, counts: dict[Path, int]) -> Path:
    # A header below an array of tables belongs to the array's last element so far.
    path: Path = ()
    for i, key in enumerate(keys):
        path = (*path, key)
        if is_array and i == len(keys) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _split(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))
