"""Prints docs/emulator_instructions.md: every form of every instruction that the decoder takes.

python -m accelc.targets.gpu.emulator.docs > docs/emulator_instructions.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from accelc.targets.gpu.emulator.native import core

_SHAPE = re.compile(r"^(m\d+n)(\d+)(k\d+)$")
#: Alternatives up to which each is written out.
_MOST = 6

_INTRODUCTION = """\
# Instructions of the PTX emulator

Generated from the decoder's own tables by `make bless` (`python -m accelc.targets.gpu.emulator.docs`); a test keeps it
fresh. [emulator.md](emulator.md) says what they do where PTX leaves a choice.

A form is the modifiers behind the opcode's name, and its operands. `a|b` is one of several, `[a]` may be left out, and
`x ... y (32 shapes)` are all the shapes that PTX has between the two. An instruction that matches no form is an error
with its line; nothing is skipped. There are {forms} forms of {opcodes} opcodes.
"""


def page() -> str:
    """The text of docs/emulator_instructions.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    rows = sorted(((str(o), str(m), str(a)) for o, m, a in core().forms()), key=lambda row: row[0])
    by_opcode = {name: [row[1:] for row in group] for name, group in groupby(rows, key=lambda row: row[0])}
    yield _INTRODUCTION.format(forms=len(rows), opcodes=len(by_opcode))
    yield "| opcode | modifiers | operands |"
    yield "|---|---|---|"
    for opcode, forms in by_opcode.items():
        for number, (modifiers, operands) in enumerate(forms):
            name = f"`{opcode}`" if number == 0 else ""
            yield f"| {name} | {_code(shorter(modifiers))} | {_code(operands)} |"
    yield ""
    yield "## Known, and refused by name"
    yield ""
    yield "These end in exit status 3, with the line and the reason."
    yield ""
    yield "| opcode | why |"
    yield "|---|---|"
    for opcode, reason in core().refused():
        yield f"| `{opcode}` | {reason} |"


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if text else ""


def shorter(modifiers: str) -> str:
    """The modifiers of a form, its long lists of matrix shapes as a range: "m64n8k16 ... m64n256k16 (32 shapes)"."""
    return " ".join(_shorter_list(word.split("|")) for word in modifiers.split())


def _shorter_list(words: Iterable[str]) -> str:
    words = list(words)
    shapes = [_SHAPE.match(word) for word in words]
    if len(words) <= _MOST or not all(shapes):
        return "|".join(words)
    ordered = sorted(words, key=lambda word: int(_SHAPE.sub(r"\2", word)))
    return f"{ordered[0]} ... {ordered[-1]} ({len(words)} shapes)"


if __name__ == "__main__":
    print(page(), end="")
