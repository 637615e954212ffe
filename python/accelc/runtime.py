"""Runs compiled models. Imports numpy, `core` and the executor of one target; no MLIR, no compiler.

    exe = accelc.load("model.accelc")
    y = exe(x)
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accelc.core.compiled import CompiledModel
from accelc.core.diagnostics import UnsupportedError, UsageError
from accelc.core.plan import TensorSpec, check_inputs, describe_specs
from accelc.core.target import Executor, ExecutorFactory, HostKernels, find_entry

Array = np.ndarray[Any, Any]

# More than any machine has use for; processes may not have many thousands.
MAX_THREADS = 512

class Executable:
    """A compiled model that runs.

    ``exe(*arrays)`` takes inputs in the model's order and returns the output (a tuple if there are several);
    ``exe.run({name: array})`` returns ``{name: array}``.
    """

    def __init__(self, model: CompiledModel, *, threads: int = 1, **executor_options: Any) -> None:
        if not 1 <= threads <= MAX_THREADS:
            raise UsageError(f"threads must be 1 to {MAX_THREADS}, not {threads}")
        self.model = model
        self.stats: dict[str, Any] = dict(model.stats)
        self._threads = threads
        self._executor_options = executor_options
        self._executor: Executor | None = None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Names, element types and shapes of the inputs, in order."""
        return self.model.plan.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Names, element types and shapes of the outputs, in order."""
        return self.model.plan.outputs

    @property
    def last_run(self) -> Mapping[str, Any]:
        """Figures of the last run: for `sim_accel` cycles, bytes moved, utilization and more."""
        return self._executor.last_run if self._executor is not None else {}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Runs the model on arrays by input name. Raises UsageError where names, shapes or types do not fit."""
        if not isinstance(inputs, Mapping):
            raise UsageError(f"the inputs are given as a mapping of arrays by name, not {type(inputs).__name__}")
        names = [spec.name for spec in self.inputs]
        missing = [n for n in names if n not in inputs]
        unknown = [n for n in inputs if n not in names]
        if missing or unknown:
            parts = [f"missing: {', '.join(missing)}"] if missing else []
            parts += [f"unknown: {', '.join(unknown)}"] if unknown else []
            raise UsageError(
                f"the inputs do not fit the model ({'; '.join(parts)})",
                notes=(f"it takes: {describe_specs(self.inputs)}",),
            )
        results = self._run([inputs[n] for n in names])
        return {spec.name: array for spec, array in zip(self.outputs, results, strict=True)}

    def __call__(self, *arrays: Any) -> Any:
        """Runs the model on arrays in the order of its inputs."""
        results = self._run(arrays)
        return results[0] if len(results) == 1 else tuple(results)

    def save(self, path: str | Path) -> None:
        """Writes the model as one artifact file (to a temporary file first, then renamed)."""
        from accelc.core.artifact import save_model

        save_model(path, self.model)

    def _run(self, arrays: Sequence[Any]) -> list[Array]:
        checked = check_inputs(self.inputs, arrays)  # before loading: what does not fit is told at once
        try:
            return self._load().run(checked)
        except MemoryError as error:
            needed = self.model.plan.arena_bytes
            raise UnsupportedError(
                f"running the model needs more memory than there is ({needed} bytes for its values): {error}"
            ) from None

    def _load(self) -> Executor:
        if self._executor is None:
            model = self.model
            # By name from a table: what an artifact says must never choose the code that is imported.
            table = importlib.import_module("accelc.targets").EXECUTORS
            make_executor: ExecutorFactory | None = find_entry(model.target, table, "accelc.executors")
            if make_executor is None:
                raise UnsupportedError(
                    f"a model compiled for '{model.target}' cannot be run here",
                    notes=(f"targets that run: {', '.join(sorted(table))}",),
                )
            self._executor = make_executor(
                model.plan,
                model.code,
                model.constants,
                model.machine,
                threads=self._threads,
                host=self._host_kernels(),
                options={**model.options, **self._executor_options},
            )
        return self._executor

    def _host_kernels(self) -> HostKernels | None:
        placed = {name: code for name, code in self.model.code.items() if code.meta.get("device") == "host"}
        if self.model.target == "host" or not placed:
            return None
        table: HostKernels = importlib.import_module("accelc.targets.host.executor").HostKernelTable(placed)
        return table


def load(path: str | Path, *, threads: int = 1, **executor_options: Any) -> Executable:
    """Opens an artifact; constants are mapped, not read. Raises ArtifactError if the file is not sound."""
    from accelc.core.artifact import open_model

    return Executable(open_model(path), threads=threads, **executor_options)
