"""Runs compiled models of the GPU target: here, on the emulator, with the very PTX that a GPU would get.

`last_run` after a run: ``emulated`` (True), ``launches`` (grids), ``warp_instructions``, ``thread_instructions``,
``sim_s`` (seconds that emulating took here), and ``kernels``: a row a launch of the plan: kernel, nodes, counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import ArtifactError, UnsupportedError
from accelc.core.plan import DTYPES, Buffer, Copy, Launch, Plan, check_inputs, find_constant
from accelc.core.target import HostKernels, KernelCode
from accelc.targets.gpu.emulator import Emulator, FindingsError

Array = np.ndarray[Any, Any]


class EmulatedExecutor:
    """A loaded model whose kernels run on the PTX emulator.

    Args:
        plan, code, constants: as `accelc.core.target.ExecutorFactory` says.
        threads: of this machine, for the emulator.
        host: runs kernels that were placed on the host.
        options: ``sanitize`` (True: every race, stray access and the like is an error that names the model's nodes).

    Raises ArtifactError where code or constants do not fit the plan.
    """

    def __init__(
        self,
        plan: Plan,
        code: Mapping[str, KernelCode],
        constants: Mapping[str, Any],
        *,
        threads: int,
        host: HostKernels | None,
        options: Mapping[str, Any],
    ) -> None:
        self.plan = plan
        self.last_run: dict[str, Any] = {}
        self._code, self._host, self._threads = code, host, threads
        self._sanitize = bool(options.get("sanitize", False))
        missing = sorted({s.kernel for s in plan.launches} - set(code))
        if missing:
            raise ArtifactError(f"the plan launches kernel '{missing[0]}', for which there is no code")
        on_device = sorted({s.kernel for s in plan.launches if s.device != "host"})
        for name in on_device:
            _require_sound(name, code[name])
        self._emulators = {name: Emulator(code[name].data.decode()) for name in on_device}
        # Unwritten at first, so that the sanitizer sees who reads what no launch wrote.
        self._workspaces = {
            name: emulator.buffer(max(int(code[name].meta["workspace_bytes"]), 1))
            for name, emulator in self._emulators.items()
        }
        self._arena = np.zeros(plan.arena_bytes, np.uint8)
        self._constants = {b.ref: find_constant(b, constants) for b in plan.buffers if b.kind == "constant"}

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Runs the model on arrays in the order of the plan's inputs; returns fresh arrays.

        Raises UsageError where an input's shape or element type is not the plan's, FindingsError where a kernel
        does what it must not.
        """
        started = time.perf_counter()
        given = check_inputs(self.plan.inputs, inputs)
        outputs = [np.zeros(spec.shape, DTYPES[spec.dtype]) for spec in self.plan.outputs]
        arrays = [self._array(b, given, outputs) for b in self.plan.buffers]
        rows = []
        for step in self.plan.steps:
            if isinstance(step, Copy):
                arrays[step.destination].reshape(-1).view(np.uint8)[...] = (
                    arrays[step.source].reshape(-1).view(np.uint8)
                )
            elif step.device == "host":
                assert self._host is not None
                self._host.launch(step.kernel, [arrays[i] for i in (*step.inputs, *step.outputs)])
            else:
                rows.append(self._launch(step, arrays))
        self.last_run = {
            "emulated": True,
            "launches": sum(row["launches"] for row in rows),
            "warp_instructions": sum(row["warp_instructions"] for row in rows),
            "thread_instructions": sum(row["thread_instructions"] for row in rows),
            "sim_s": time.perf_counter() - started,
            "kernels": rows,
        }
        return list(outputs)

    def _launch(self, step: Launch, arrays: Sequence[Array]) -> dict[str, Any]:
        meta = self._code[step.kernel].meta
        emulator = self._emulators[step.kernel]
        args = [*(arrays[i] for i in (*step.inputs, *step.outputs)), self._workspaces[step.kernel]]
        warps = lanes = 0
        for function, grid, block in meta["launches"]:
            try:
                report = emulator.launch(
                    function, grid=grid, block=block, args=args, sanitize=self._sanitize, threads=self._threads
                )
            except FindingsError as error:
                raise error.at(", ".join(step.provenance) or step.kernel) from None
            warps += report.counters.total.warp_instructions
            lanes += report.counters.total.thread_instructions
        return {
            "kernel": step.kernel,
            "nodes": list(step.provenance),
            "launches": len(meta["launches"]),
            "warp_instructions": warps,
            "thread_instructions": lanes,
        }

    def _array(self, buffer: Buffer, inputs: Sequence[Array], outputs: Sequence[Array]) -> Array:
        dtype = DTYPES[buffer.dtype]
        if buffer.kind == "arena":
            return self._arena[buffer.offset : buffer.offset + buffer.nbytes].view(dtype).reshape(buffer.shape)
        if buffer.kind == "constant":
            return self._constants[buffer.ref].reshape(buffer.shape)
        return (inputs if buffer.kind == "input" else outputs)[buffer.index].reshape(buffer.shape)


def _require_sound(name: str, code: KernelCode) -> None:
    """Raises ArtifactError unless the code is text, and its metadata are what `accelc.targets.gpu.emit` writes."""

    def count(value: Any) -> bool:
        return type(value) is int and 0 <= value < 1 << 40

    launches = code.meta.get("launches")
    sound = isinstance(launches, list | tuple) and all(
        isinstance(launch, list | tuple)
        and len(launch) == 3
        and isinstance(launch[0], str)
        and all(map(count, launch[1:]))
        for launch in launches
    )
    if not sound:
        raise ArtifactError(f"kernel '{name}' does not say what to launch", notes=(f"launches: {launches!r}",))
    if not count(code.meta.get("workspace_bytes")):
        raise ArtifactError(f"kernel '{name}' has no size of its workspace")
    try:
        code.data.decode()
    except UnicodeDecodeError:
        raise ArtifactError(f"the code of kernel '{name}' is not text") from None


def make_executor(
    plan: Plan,
    code: Mapping[str, KernelCode],
    constants: Mapping[str, Any],
    machine: Mapping[str, Any],
    *,
    threads: int,
    host: HostKernels | None,
    options: Mapping[str, Any],
) -> EmulatedExecutor:
    """Makes an executor; see `accelc.core.target.ExecutorFactory`.

    Raises UnsupportedError unless ``options["emulate"]``: launching on a GPU is not there yet.
    """
    if not options.get("emulate"):
        raise UnsupportedError(
            "accelc does not launch on a GPU yet", notes=("with --emulate the same PTX runs on the CPU",)
        )
    return EmulatedExecutor(plan, code, constants, threads=threads, host=host, options=options)
