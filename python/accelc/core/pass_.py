"""Passes: what one is, and the registry that gives it a name on the command line.

A pass is a frozen dataclass: its fields are its options, in Python, in textual pipelines
(``nn-fuse{max-ops=8}``) and as `accelc-opt` flags. It lives in a file named as the pass, and works on a
``builtin.module``.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
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
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    establishes: ClassVar[frozenset[str]] = frozenset()
    invalidates: ClassVar[frozenset[str]] = frozenset()

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


def load_passes(targets: Iterable[str] = ()) -> dict[str, type[Pass]]:
    """Imports every module of `accelc.passes`, and of ``passes`` in each target's package; returns all passes.

    Args:
        targets: the packages of targets, e.g. ``accelc.targets.host``; the lowest layer does not know their table.
    """
    for package in ("accelc.passes", *(f"{target}.passes" for target in targets)):
        if importlib.util.find_spec(package) is None:
            continue
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            importlib.import_module(found.name)
    return registered_passes()
