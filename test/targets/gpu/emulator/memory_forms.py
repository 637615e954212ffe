"""The rows of the emulator's form tables as instructions to test: every word of every row, and every combination of
space, vector, operation and type."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from accelc.targets.gpu.emulator.native import core

_BY_SIZE = {
    1: ("b8", "u8", "s8"),
    2: ("b16", "u16", "s16", "f16", "bf16"),
    4: ("b32", "u32", "s32", "f32", "f16x2", "bf16x2"),
    8: ("b64", "u64", "s64", "f64"),
    16: ("b128",),
}
SIZES = {name: size for size, names in _BY_SIZE.items() for name in names}
SPACES = ("const", "global", "local", "param", "param::entry", "param::func")
SPACES += ("shared", "shared::cta", "shared::cluster")
OPERATIONS = ("and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max")
VECTORS = {"v2": 2, "v4": 4, "v8": 8}


@dataclass(frozen=True)
class Form:
    """An instruction without its operands: what a row allows, with a word or "" chosen at each place."""

    row: int
    opcode: str
    words: tuple[str, ...]

    @cached_property
    def name(self) -> str:
        """As PTX writes it."""
        return ".".join([self.opcode, *(w for w in self.words if w)])

    @cached_property
    def type(self) -> str:
        """The type of an element."""
        return next(w for w in self.words if w in SIZES)

    @cached_property
    def size(self) -> int:
        """Bytes of an element."""
        return SIZES[self.type]

    @cached_property
    def elements(self) -> int:
        """Elements of the vector; 1 for scalars."""
        return next((VECTORS[w] for w in self.words if w in VECTORS), 1)

    @cached_property
    def bytes(self) -> int:
        """Bytes that a lane accesses."""
        return self.size * self.elements

    @cached_property
    def space(self) -> str:
        """The state space named; "" for generic addresses."""
        return next((w for w in self.words if w in SPACES), "")

    @cached_property
    def operation(self) -> str:
        """Of atomics."""
        return next(w for w in self.words if w in OPERATIONS)

    @cached_property
    def hinted(self) -> bool:
        """Is there a cache policy among the operands?"""
        return "L2::cache_hint" in self.words


def rows(*opcodes: str) -> list[tuple[str, list[list[str]]]]:
    """The rows of some opcodes but their asynchronous ones: (opcode, the alternatives at each place, "" for none)."""
    result = []
    for opcode, modifiers, _ in core().forms():
        if opcode in opcodes and "async" not in modifiers.split():
            places = []
            for word in modifiers.split():
                alternatives = word.strip("[]").split("|")
                places.append((["", *alternatives]) if word.startswith("[") else alternatives)
            result.append((opcode, places))
    return result


def instructions(legal: Callable[[Form], bool], *opcodes: str) -> Iterator[Form]:
    """Instructions of all rows: every combination of space, vector, operation and type, the other places in turn, so
    that each of their words occurs. `legal` says what the emulator refuses though a row allows it."""
    core_words = {*SPACES, *VECTORS, *OPERATIONS, *SIZES}
    for number, (opcode, places) in enumerate(rows(*opcodes)):
        essential = [bool(core_words & set(place)) for place in places]
        others = [place for place, is_essential in zip(places, essential, strict=True) if not is_essential]
        choices = list(itertools.product(*others))
        combinations = list(itertools.product(*(p for p, e in zip(places, essential, strict=True) if e)))
        unused = {(at, word) for at, place in enumerate(others) for word in place}
        for turn in itertools.count():
            # At least once through the combinations, and on until every other word occurred where one may.
            if turn >= len(combinations) and (not unused or turn >= 40 * len(combinations)):
                break
            for attempt in range(len(choices)):
                # A stride prime to most counts, so that neighbours differ in all places.
                choice = choices[(turn * 37 + attempt) % len(choices)]
                fresh = {(at, word) for at, word in enumerate(choice) if (at, word) in unused}
                rest, fixed = iter(choice), iter(combinations[turn % len(combinations)])
                form = Form(number, opcode, tuple(next(fixed) if e else next(rest) for e in essential))
                if (turn < len(combinations) or fresh) and legal(form):
                    unused -= fresh
                    yield form
                    break


def untested(forms: list[Form], *opcodes: str) -> list[str]:
    """The words of rows that no instruction among `forms` uses at their place: "ld row 3: volatile"."""
    missing = []
    for number, (opcode, places) in enumerate(rows(*opcodes)):
        used = [form.words for form in forms if form.row == number]
        for at, place in enumerate(places):
            unused = [word for word in place if all(words[at] != word for words in used)]
            missing += [f"{opcode} row {number}: {word or 'none'}" for word in unused]
    return missing
