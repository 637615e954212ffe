"""What a target must give: its manifest, and the table in which the driver looks it up.

A target is one folder and one line in `accelc.targets.TARGETS` (or a Python entry point in the group
``accelc.targets`` of another package). The driver and the tools know targets only through this manifest.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from accelc.core.diagnostics import MachineError, UsageError
from accelc.core.plan import Plan


@dataclass(frozen=True)
class CompileOptions:
    """What the user decides about a compilation; part of every cache key.

    precision: ``strict``, ``fast``, or a number format such as ``bf16`` (the numerics policy).
    """

    precision: str

    def to_json(self) -> dict[str, Any]:
        """A JSON value, stable across processes."""
        return {"precision": self.precision}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> CompileOptions:
        """The inverse of `to_json`."""
        return CompileOptions(precision=str(data["precision"]))


@dataclass(frozen=True)
class KernelCode:
    """One compiled kernel.

    data: object code, PTX, or an encoded program.
    meta: JSON values that the target's runtime needs (say, how many tiles) or that `inspect` shows.
    """

    symbol: str
    data: bytes
    meta: Mapping[str, Any] = field(default_factory=dict)


class Executor(Protocol):
    """A loaded model of one target. `last_run` holds figures of the last run (see each target's docs)."""

    last_run: Mapping[str, Any]

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Runs the plan on arrays in the order of the plan's inputs; returns its outputs."""
        ...


class HostKernels(Protocol):
    """Runs single kernels on the host: what a target uses for work that was placed there."""

    def launch(self, kernel: str, arrays: Sequence[Any]) -> None:
        """Runs ``kernel`` on numpy arrays, inputs then outputs, written in place."""
        ...


class ExecutorFactory(Protocol):
    """Makes an `Executor`; the runtime finds it by the target's name."""

    def __call__(
        self,
        plan: Plan,
        code: Mapping[str, KernelCode],
        constants: Mapping[str, Any],
        machine: Mapping[str, Any],
        *,
        threads: int,
        host: HostKernels | None,
        options: Mapping[str, Any],
    ) -> Executor: ...


@dataclass(frozen=True)
class Target:
    """A target's manifest.

    name: as written before the colon in ``backend:machine``.
    default_machine: the machine meant when none is written; ``machines`` lists those that ship.
    load_machine: from a machine's name or the path of a TOML file to its resolved description.
    graph_pipeline: from `nn` to `kernels`, for a whole module.
    kernel_pipeline: from `kernels` to `target`, for a module of kernels; each is compiled alone.
    emit: from a lowered kernel module to code; None for a target that is only costed.
    default_precision / precisions: the numerics policy's default and what may be asked for.
    cost: predicts what a module at the `kernels` stage costs on the machine.
    unsupported: the `nn` ops (without ``nn.``) that the machine cannot do and the host does instead, with the reason.
    disassemble: a kernel's code as text, for ``accelc inspect``.
    executor_options: names of the options that its executor takes, besides threads.
    """

    name: str
    summary: str
    default_machine: str
    machines: Callable[[], Mapping[str, str]]
    load_machine: Callable[[str], Any]
    default_precision: Callable[[Any], str]
    precisions: Callable[[Any], tuple[str, ...]]
    graph_pipeline: Callable[[Any, CompileOptions], Any]
    kernel_pipeline: Callable[[Any, CompileOptions], Any] | None
    emit: Callable[[Any, Any, CompileOptions], KernelCode] | None
    cost: Callable[..., Any] | None = None
    unsupported: Callable[[Any], Mapping[str, str]] = lambda machine: {}
    disassemble: Callable[[KernelCode], str] | None = None
    executor_options: tuple[str, ...] = ()


def target_names(table: Mapping[str, str]) -> tuple[str, ...]:
    """The targets there are: those of ``table``, then those that installed packages name as entry points."""
    others = {point.name for point in importlib.metadata.entry_points(group="accelc.targets")}
    return (*table, *sorted(others - table.keys()))


def parse_target(spec: str, backends: Sequence[str]) -> tuple[str, str | None]:
    """``backend:machine`` as (backend, machine or None); a path of a TOML file names its own, one of ``backends``."""
    if spec.endswith(".toml") and ":" not in spec:
        return backend_of_file(spec, backends), spec
    backend, _, machine = spec.partition(":")
    return backend, machine or None


def backend_of_file(path: str, backends: Sequence[str]) -> str:
    """Which of ``backends`` a machine file is for: the one whose section it holds.

    Raises UsageError if the file cannot be read, MachineError if it is no TOML or has no backend's section.
    """
    try:
        with open(path, "rb") as f:
            data = tomllib.load(f)
    except OSError as error:
        raise UsageError(f"machine file '{path}' cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MachineError(f"{path}: not valid TOML: {error}") from None
    # Every description has [host], the computer around the machine: it does not say what the machine is.
    described = [name for name in backends if name != "host"]
    for backend in described:
        if backend in data:
            return backend
    sections = ", ".join(f"[{name}]" for name in described)
    raise MachineError(f"{path}: has no section that names its backend; it must have one of {sections}")


def load_target(name: str, table: Mapping[str, str]) -> Target:
    """The target called ``name``: from ``table`` (name to ``module:attribute``), else from an entry point.

    Raises UsageError if there is none.
    """
    target = find_entry(name, table, "accelc.targets")
    if target is None:
        names = ", ".join(sorted(target_names(table)))
        raise UsageError(f"there is no target '{name}'", notes=(f"targets: {names}", "run: accelc targets"))
    assert isinstance(target, Target)
    return target


def find_entry(name: str, table: Mapping[str, str], group: str) -> Any | None:
    """The object that ``table`` or an entry point of ``group`` names, or None."""
    entry = table.get(name)
    if entry is None:
        for point in importlib.metadata.entry_points(group=group, name=name):
            entry = point.value
    if entry is None:
        return None
    module, _, attribute = entry.partition(":")
    return getattr(importlib.import_module(module), attribute)
