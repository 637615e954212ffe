"""The emulator's core, in the build that this machine's instruction set can run."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from accelc.core.diagnostics import InternalError

if TYPE_CHECKING:
    from accelc.targets.gpu.emulator import _core

#: The builds of the core, the best first.
LEVELS: tuple[str, ...] = ("avx512", "avx2", "baseline")
#: What the x86-64 psABI's levels 4 and 3 ask for, as Linux names it.
_NEEDS = {
    "avx512": {
        "avx512f",
        "avx512bw",
        "avx512cd",
        "avx512dq",
        "avx512vl",
        "avx2",
        "fma",
        "bmi1",
        "bmi2",
        "f16c",
        "movbe",
        "abm",
    },
    "avx2": {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"},
    "baseline": set[str](),
}


class Core(Protocol):
    """The native module, of any level. What its classes take and give is in `_core.pyi`, which is generated."""

    @property
    def Module(self) -> type[_core.Module]: ...

    @property
    def Region(self) -> type[_core.Region]: ...

    @property
    def LaunchError(self) -> type[_core.LaunchError]: ...

    def forms(self) -> list[Any]: ...
    def refused(self) -> list[Any]: ...
    def dump(self, ptx: str) -> str: ...


def _flags() -> set[str]:
    """The processor's features by Linux's names; none where they cannot be read."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    for line in text.splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def levels() -> list[str]:
    """The levels that are built and that this machine can run, the best first."""
    flags = _flags()
    return [
        level
        for level in LEVELS
        if _NEEDS[level] <= flags and importlib.util.find_spec(f"accelc.targets.gpu.emulator._core_{level}") is not None
    ]


@cache
def core(level: str | None = None) -> Core:
    """The native module of a level ("avx512", "avx2", "baseline"); by default the best that runs here.

    Raises:
        InternalError: no such level is built, or the machine cannot run it.
    """
    runnable = levels()
    chosen = level or (runnable[0] if runnable else None)
    if chosen not in runnable:
        raise InternalError(
            f"the PTX emulator is not built for {chosen or 'this machine'}; here run: {', '.join(runnable) or 'none'}",
            notes=("build it with: make build",),
        )
    return cast(Core, importlib.import_module(f"accelc.targets.gpu.emulator._core_{chosen}"))
