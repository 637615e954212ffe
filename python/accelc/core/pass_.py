"""Passes: what one is, and the registry that gives it a name on the command line.

A pass is a frozen dataclass: its fields are its options, in Python, in textual pipelines
(``nn-fuse{max-ops=8}``) and as `accelc-opt` flags. It lives in a file named as the pass, and works on a
``builtin.module``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from accelc.core.diagnostics import InternalError
from accelc.core.store import Store


@dataclass
class PassContext:
    """What a pass may use besides the IR.

    store: the constants that the module's ``nn.weight`` and ``plan.constant`` ops name.
    facts: facts about the module established so far (see `Pass.establishes`).
    diagnostics: what MLIR said while passes ran (`accelc.core.mlir_diagnostics.Diagnostic`), in order.
    """

    store: Store = field(default_factory=Store)
    facts: set[str] = field(default_factory=set)
    diagnostics: list[Any] = field(default_factory=list)


class Pass(ABC):
    """One transformation of a module.

    name: the CLI name, e.g. ``nn-to-linalg``; the file is ``nn_to_linalg.py``.
    summary: one line for ``--list-passes``.
    requires / establishes / invalidates: facts that order passes. A pipeline is refused when a pass requires
    a fact that nothing before it established, or that something in between invalidated.
    takes: the stage that the module must be at; IR and pipelines that a user wrote are held to it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    establishes: ClassVar[frozenset[str]] = frozenset()
    invalidates: ClassVar[frozenset[str]] = frozenset()
    takes: ClassVar[str | None] = None

    @abstractmethod
    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``module`` (an ``ir.Module``'s operation) in place, or raises `accelc.Error`."""


P = TypeVar("P", bound=type[Pass])

_PASSES: dict[str, type[Pass]] = {}


def register_pass(cls: P) -> P:
    """Class decorator: makes the pass known by its name."""
    if cls.name in _PASSES:
        raise InternalError(f"pass '{cls.name}' is registered twice")
    _PASSES[cls.name] = cls
    return cls


def registered_passes() -> dict[str, type[Pass]]:
    """The passes registered so far, by name; `load_passes` first, to have all."""
    return dict(sorted(_PASSES.items()))


def find_pass(name: str) -> type[Pass] | None:
    """The pass called ``name``, importing the file that is named as the pass; None if there is none."""
    if name not in _PASSES:
        module = _pass_modules().get(name.replace("-", "_"))
        if module is not None:
            importlib.import_module(module)
    return _PASSES.get(name)


def load_passes() -> dict[str, type[Pass]]:
    """Imports every pass of accelc and of the targets that other packages bring; returns all by name."""
    for module in _pass_modules().values():
        importlib.import_module(module)
    for point in importlib.metadata.entry_points(group="accelc.targets"):
        point.load()
    return registered_passes()


def pass_names() -> list[str]:
    """The names of all passes, without importing them."""
    return sorted({*_PASSES, *(name.replace("_", "-") for name in _pass_modules())})


@cache
def _pass_modules() -> dict[str, str]:
    """File name to module, for the passes in `accelc.passes` and in the folder ``passes`` of each target.

    Found by looking, not by importing: to run one pass, only its file is needed.
    """
    found = {}
    for base, pattern in (("accelc.passes", "*.py"), ("accelc.targets", "*/passes/*.py")):
        if importlib.util.find_spec(base) is None:
            continue
        for location in importlib.import_module(base).__path__:
            for path in sorted(Path(location).glob(pattern)):
                relative = path.relative_to(location).with_suffix("")
                if "@register_pass" in path.read_text():
                    found[relative.name] = ".".join((base, *relative.parts))
    return found
