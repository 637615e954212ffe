"""Runs a plan: binds its buffers once, then each run is a walk over the native core's table of steps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import ArtifactError, UsageError
from accelc.core.plan import DTYPES, Buffer, Copy, Launch, Plan, check_inputs, find_constant
from accelc.core.target import HostKernels, KernelCode
from accelc.targets.host._host import Program
from accelc.targets.host.loader import LoadedCode

Array = np.ndarray[Any, Any]

# Buffers start on cache lines, and tensors of the arena on what the planner aligned them to.
ALIGNMENT = 64


class HostExecutor:
    """A loaded model: `run` it as often as you like, from one thread at a time.

    Args:
        plan: what to do; code: a `KernelCode` for each kernel the plan launches, by name; constants: an array for
        each constant the plan names (kept by reference, so a memory map stays one); threads: how many threads run it.
    Raises ArtifactError where code or constants do not fit the plan, or this CPU.
    """

    def __init__(
        self, plan: Plan, code: Mapping[str, KernelCode], constants: Mapping[str, Any], *, threads: int = 1
    ) -> None:
        if threads < 1:
            raise UsageError(f"a model cannot run on {threads} threads")
        self.plan = plan
        self.last_run: dict[str, Any] = {}
        missing = sorted({s.kernel for s in plan.launches} - set(code))
        if missing:
            raise ArtifactError(f"the plan launches kernel '{missing[0]}', for which there is no code")
        self._code = LoadedCode(code)
        sizes = sorted({plan.buffers[s.source].nbytes for s in plan.steps if isinstance(s, Copy)})
        size_index = {size: len(plan.buffers) + i for i, size in enumerate(sizes)}
        self._program = Program(threads, len(plan.buffers) + len(sizes))
        for size, index in size_index.items():
            self._program.bind(index, size)
        self._arena = aligned_empty(plan.arena_bytes)
        self._constants = [self._bind(i, b, constants) for i, b in enumerate(plan.buffers)]
        self._add_steps(code, size_index)
        workspace = max((int(code[s.kernel].meta["workspace_bytes"]) for s in plan.launches), default=0)
        self._workspaces = [aligned_empty(workspace) for _ in range(threads)]
        for thread, buffer in enumerate(self._workspaces):
            self._program.bind_workspace(thread, buffer.ctypes.data)
        self._of_kind = {
            kind: [(i, b.index) for i, b in enumerate(plan.buffers) if b.kind == kind] for kind in ("input", "output")
        }

    def _bind(self, index: int, buffer: Buffer, constants: Mapping[str, Any]) -> Array | None:
        """Binds what stays where it is; returns the array to keep alive."""
        if buffer.kind == "arena":
            self._program.bind(index, self._arena.ctypes.data + buffer.offset)
        if buffer.kind != "constant":
            return None
        array = find_constant(buffer, constants)
        self._program.bind(index, array.ctypes.data)
        return array

    def _add_steps(self, code: Mapping[str, KernelCode], size_index: Mapping[int, int]) -> None:
        for step in self.plan.steps:
            if isinstance(step, Launch):
                tiles = int(code[step.kernel].meta["tiles"])
                self._program.add_step(self._code.addresses[step.kernel], tiles, [*step.inputs, *step.outputs])
            else:
                size = size_index[self.plan.buffers[step.source].nbytes]
                self._program.add_copy(step.source, step.destination, size)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Runs the model on ``inputs``, arrays in the order of the plan's inputs; returns fresh arrays.

        Raises UsageError where an input's shape or element type is not the plan's.
        """
        return self._run(inputs, timed=False)

    def profile(self, inputs: Sequence[Any]) -> list[Any]:
        """As `run`, and ``last_run["step_s"]`` then holds the seconds of each step of the plan."""
        return self._run(inputs, timed=True)

    def _run(self, inputs: Sequence[Any], *, timed: bool) -> list[Any]:
        arrays = check_inputs(self.plan.inputs, inputs)
        outputs = [np.empty(spec.shape, DTYPES[spec.dtype]) for spec in self.plan.outputs]
        for buffer, index in self._of_kind["input"]:
            self._program.bind(buffer, arrays[index].ctypes.data)
        for buffer, index in self._of_kind["output"]:
            self._program.bind(buffer, outputs[index].ctypes.data)
        start = time.perf_counter()
        self.last_run = {}
        if timed:
            self.last_run["step_s"] = self._program.run_timed()
        else:
            self._program.run()
        self.last_run["run_s"] = time.perf_counter() - start
        return list(outputs)


class HostKernelTable:
    """Runs single kernels on arrays, on one thread: what other targets use for work placed on the host."""

    def __init__(self, code: Mapping[str, KernelCode]) -> None:
        self._code = dict(code)
        self._loaded = LoadedCode(code)
        self._workspace = aligned_empty(max((int(c.meta["workspace_bytes"]) for c in code.values()), default=0))

    def launch(self, kernel: str, arrays: Sequence[Any]) -> None:
        """Runs ``kernel`` on contiguous arrays, inputs then outputs; outputs are written in place."""
        program = Program(1, len(arrays))
        for i, array in enumerate(arrays):
            if not array.flags.c_contiguous:
                raise UsageError(f"argument {i} of kernel '{kernel}' is not contiguous")
            program.bind(i, array.ctypes.data)
        program.bind_workspace(0, self._workspace.ctypes.data)
        program.add_step(
            self._loaded.addresses[kernel], int(self._code[kernel].meta["tiles"]), list(range(len(arrays)))
        )
        program.run()


def make_executor(
    plan: Plan,
    code: Mapping[str, KernelCode],
    constants: Mapping[str, Any],
    machine: Mapping[str, Any],
    *,
    threads: int,
    host: HostKernels | None,
    options: Mapping[str, Any],
) -> HostExecutor:
    """Makes a `HostExecutor`; see `accelc.core.target.ExecutorFactory`."""
    return HostExecutor(plan, code, constants, threads=threads)


def aligned_empty(size: int) -> Array:
    """``size`` uninitialized bytes on a cache line."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]
