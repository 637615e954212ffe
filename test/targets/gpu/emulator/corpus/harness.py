"""What a case is: a function that launches kernels of one source and compares with an answer of its own.

A case gets a `Bench`, never an emulator, so that one text runs plain, with the sanitizer and on several threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelc.targets.gpu.emulator import Emulator

Extent = int | Sequence[int]


def extent(value: Extent) -> tuple[int, int, int]:
    """``5`` or ``(5,)`` or ``(5, 2)`` as x, y, z."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in values + [1] * (3 - len(values)))  # type: ignore[return-value]


class FoundError(AssertionError):
    """The emulator found something wrong with a kernel that is meant to be right."""


class Bench:
    """One module, loaded, and how its kernels are to be run."""

    def __init__(self, ptx: str, sanitize: bool = False, threads: int = 1, known: Sequence[str] = ()) -> None:
        """`known`: patterns of findings that are right, and are the headers' own."""
        self.ptx, self.emulator = ptx, Emulator(ptx)
        self.sanitize, self.threads, self.known = sanitize, threads, known

    def launch(self, entry: str, grid: Extent, block: Extent, *args: Any, **options: Any) -> Any:
        """Launches `entry`; numpy scalars become Python's. With the sanitizer a finding raises.

        Returns the emulator's report.
        """
        plain = [a.item() if isinstance(a, np.generic) else a for a in args]
        options = {"sanitize": self.sanitize, "threads": self.threads, "max_steps": 2_000_000_000, **options}
        report = self.emulator.launch(
            entry, grid=extent(grid), block=extent(block), args=plain, raise_on_finding=False, **options
        )
        for finding in report.findings:
            text = str(finding)
            if not any(re.search(known, text) for known in self.known):
                raise FoundError(text)
        return report

    def kernel(self, *parts: str) -> str:
        """The one entry whose mangled name holds all of `parts`: templates of headers have long names."""
        names = [name for name in self.emulator.kernels if all(part in name for part in parts)]
        assert len(names) == 1, f"{parts}: {names or list(self.emulator.kernels)}"
        return names[0]

    def buffer(self, data: Any) -> Any:
        """A device buffer that holds the array (or that many bytes of zeros, for an int)."""
        raw = bytes(data) if isinstance(data, int) else np.ascontiguousarray(data).tobytes()
        made = self.emulator.buffer(max(len(raw), 1))
        made.write(raw)
        return made


@dataclass(frozen=True)
class Case:
    """A source, how it is compiled, and what is done with it. `run` raises AssertionError on a wrong answer."""

    name: str
    source: str
    arch: str
    flags: tuple[str, ...]
    run: Callable[[Bench], None]
    sanitize: bool
    known: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


CASES: list[Case] = []


def case(
    source: str,
    arch: str = "sm_90a",
    flags: Sequence[str] = (),
    suffix: str = "",
    sanitize: bool = True,
    known: Sequence[str] = (),
) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Registers a function as a case of `source`; several may be put on one function, each with a `suffix`.

    `sanitize=False` is for kernels that are meant to end in a trap; `known` are patterns of findings that are right,
    but in code that is not ours.
    """

    def register(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
        name = function.__name__ + suffix
        CASES.append(Case(name, source, arch, tuple(flags), function, sanitize, tuple(known)))
        return function

    return register


def close(actual: np.ndarray, expected: np.ndarray, relative: float, absolute: float = 0.0) -> None:
    """Holds `actual` to `expected`, both taken to float64, within the relative or the absolute bound."""
    np.testing.assert_allclose(
        np.asarray(actual).astype(np.float64), np.asarray(expected).astype(np.float64), rtol=relative, atol=absolute
    )


def same(actual: np.ndarray, expected: np.ndarray) -> None:
    """Holds the two to each other bit for bit."""
    np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))
