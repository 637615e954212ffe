"""Runs compiled models on the simulator: results and figures from one walk over the plan.

`last_run` after a run:

* ``cycles``; ``seconds`` at the machine's clock; ``sim_s``, how long simulating took here;
* ``bytes_moved``: DRAM bytes read and written, bursts included; over the link for kernels placed on the host;
* ``macs``, ``utilization``: MACs over cycles times the array's peak in the formats used;
* ``energy_j`` and ``energy_parts_j``; ``hazards``: texts, where ``options["hazards"]`` asks for the check;
* ``kernels``: a row a launch, with kernel, device, nodes, cycles, bytes, macs, utilization, energy.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import ArtifactError
from accelc.core.plan import DTYPES, Buffer, Copy, Launch, Plan, check_inputs, find_constant
from accelc.core.target import HostKernels, KernelCode
from accelc.targets.sim_accel.config import SimConfig
from accelc.targets.sim_accel.pricing import copy_cycles, host_cycles, host_energy
from accelc.targets.sim_accel.simulator import SimReport, Simulator

Array = np.ndarray[Any, Any]

# Buffers start on pages; the first page stays unmapped, so that an address of 0 is a fault.
_PAGE = 4096


class SimExecutor:
    """A loaded model on a simulated machine.

    Args:
        plan, code, constants: as `accelc.core.target.ExecutorFactory` says; constants are used in place.
        host: runs kernels that were placed on the host.
        options: ``functional`` (False: figures only, outputs are zeros), ``hazards`` (True: check ordering).
    """

    def __init__(
        self,
        plan: Plan,
        code: Mapping[str, KernelCode],
        constants: Mapping[str, Any],
        config: SimConfig,
        host_section: Mapping[str, Any],
        *,
        host: HostKernels | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        options = options or {}
        self.plan = plan
        self.config = config
        self.last_run: dict[str, Any] = {}
        self._host_section = host_section
        self._host = host
        self._code = code
        self._functional = bool(options.get("functional", True))
        self._hazards = bool(options.get("hazards", False))
        self._simulator = Simulator(config)
        self._timed: dict[str, SimReport] = {}
        missing = sorted({s.kernel for s in plan.launches} - set(code))
        if missing:
            raise ArtifactError(f"the plan launches kernel '{missing[0]}', for which there is no code")
        self._arena = np.zeros(plan.arena_bytes if self._functional else 0, np.uint8)
        sizes = [int(c.meta.get("workspace_bytes", 0)) for c in code.values() if c.meta.get("device") != "host"]
        self._workspace = np.zeros(max(sizes, default=0) if self._functional else 0, np.uint8)
        self._workspace_bytes = max(sizes, default=0)
        refs = [b for b in plan.buffers if b.kind == "constant" and self._functional]
        self._constants = {b.ref: find_constant(b, constants) for b in refs}
        self._addresses = self._layout()

    # ---- memory ----

    def _layout(self) -> dict[Any, int]:
        """The DRAM address of each storage: arena, workspace, constants, inputs, outputs."""
        addresses: dict[Any, int] = {}
        at = _PAGE
        sizes: dict[Any, int] = {"arena": self.plan.arena_bytes, "workspace": self._workspace_bytes}
        for buffer in self.plan.buffers:
            if buffer.kind != "arena":
                key = _storage(buffer)
                sizes[key] = max(sizes.get(key, 0), buffer.nbytes)
        for key, size in sizes.items():
            addresses[key] = at
            at += -(-max(size, 1) // _PAGE) * _PAGE
        # Where only time is told, one array stands for all of DRAM: nothing touches it, so it takes no memory.
        self._untouched = np.zeros(0 if self._functional else at - _PAGE, np.uint8)
        return addresses

    def _address(self, buffer: Buffer) -> int:
        return self._addresses[_storage(buffer)] + (buffer.offset if buffer.kind == "arena" else 0)

    # ---- running ----

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Runs the model on arrays in the order of the plan's inputs; returns fresh arrays."""
        started = time.perf_counter()
        arrays = check_inputs(self.plan.inputs, inputs)
        outputs = [np.zeros(spec.shape, DTYPES[spec.dtype]) for spec in self.plan.outputs]
        rows = []
        for step in self.plan.steps:
            if isinstance(step, Copy):
                rows.append(self._copy(step, arrays, outputs))
            elif step.device == "host":
                rows.append(self._on_host(step, arrays, outputs))
            else:
                rows.append(self._launch(step, arrays, outputs))
        self.last_run = summary(rows, self.config, time.perf_counter() - started)
        return outputs

    def figures(self) -> dict[str, Any]:
        """`last_run` of a run without data. Needs ``functional`` to be False."""
        self.run([np.zeros(spec.shape, DTYPES[spec.dtype]) for spec in self.plan.inputs])
        return self.last_run

    def _launch(self, step: Launch, inputs: list[Array], outputs: list[Array]) -> dict[str, Any]:
        code = self._code[step.kernel]
        buffers = [self.plan.buffers[b] for b in (*step.inputs, *step.outputs)]
        report = self._timed.get(step.kernel) if not self._functional else None
        if report is None:
            registers = {i: self._address(b) for i, b in enumerate(buffers)}
            if code.meta.get("workspace_bytes"):
                registers[len(buffers)] = self._addresses["workspace"]
            report = self._simulator.run(
                code.data,
                dram=self._segments(step, inputs, outputs) if self._functional else [(_PAGE, self._untouched, True)],
                regs=registers,
                functional=self._functional,
                check_hazards=self._hazards,
            )
            self._timed[step.kernel] = report
        return row(step, code, report, self.config)

    def _segments(self, step: Launch, inputs: list[Array], outputs: list[Array]) -> list[tuple[int, Array, bool]]:
        """The arrays that a launch may touch: each storage once, writable where an output lies in it."""
        writable = {_storage(self.plan.buffers[b]) for b in step.outputs} | {"workspace"}
        segments: dict[Any, Array] = {}
        for b in (*step.inputs, *step.outputs):
            buffer = self.plan.buffers[b]
            segments[_storage(buffer)] = self._storage_array(buffer, inputs, outputs)
        if self._code[step.kernel].meta.get("workspace_bytes"):
            segments["workspace"] = self._workspace
        return [(self._addresses[key], array, key in writable) for key, array in segments.items()]

    def _storage_array(self, buffer: Buffer, inputs: list[Array], outputs: list[Array]) -> Array:
        if buffer.kind == "arena":
            return self._arena
        if buffer.kind == "constant":
            return self._constants[buffer.ref]
        return (inputs if buffer.kind == "input" else outputs)[buffer.index]

    def _view(self, buffer: Buffer, inputs: list[Array], outputs: list[Array]) -> Array:
        """A buffer as an array of its own type and shape."""
        raw = self._storage_array(buffer, inputs, outputs).reshape(-1).view(np.uint8)
        start = buffer.offset if buffer.kind == "arena" else 0
        return raw[start : start + buffer.nbytes].view(DTYPES[buffer.dtype]).reshape(buffer.shape)

    def _copy(self, step: Copy, inputs: list[Array], outputs: list[Array]) -> dict[str, Any]:
        source, target = self.plan.buffers[step.source], self.plan.buffers[step.destination]
        if self._functional:
            array = self._view(source, inputs, outputs).reshape(-1).view(np.uint8)
            self._view(target, inputs, outputs).reshape(-1).view(np.uint8)[...] = array
        moved = 2 * source.nbytes
        cycles = copy_cycles(self.config, source.nbytes)
        energy = {"dram": moved * self.config.pj_dram_byte, "static": cycles * self.config.pj_static_cycle}
        return _plain_row("copy", "target", (), cycles, moved, energy)

    def _on_host(self, step: Launch, inputs: list[Array], outputs: list[Array]) -> dict[str, Any]:
        buffers = [self.plan.buffers[b] for b in (*step.inputs, *step.outputs)]
        if self._functional:
            if self._host is None:
                raise ArtifactError(f"kernel '{step.kernel}' was placed on the host, which is not there to run it")
            self._host.launch(step.kernel, [self._view(b, inputs, outputs) for b in buffers])
        into, out = (sum(self.plan.buffers[b].nbytes for b in part) for part in (step.inputs, step.outputs))
        elements = sum(int(np.prod(self.plan.buffers[b].shape)) for b in step.outputs)
        cycles = host_cycles(self._host_section, self.config, into, out, elements)
        # What crosses the link is read from this machine's DRAM or written to it, and the machine waits meanwhile.
        energy = {
            "link": host_energy(self._host_section, into + out),
            "dram": (into + out) * self.config.pj_dram_byte,
            "static": cycles * self.config.pj_static_cycle,
        }
        return _plain_row(step.kernel, "host", step.provenance, cycles, into + out, energy)


def _storage(buffer: Buffer) -> Any:
    if buffer.kind == "arena":
        return "arena"
    return (buffer.kind, buffer.ref if buffer.kind == "constant" else buffer.index)


def peak_macs_per_cycle(config: SimConfig, number_format: str) -> float:
    """MACs a cycle at the array's peak in a format; that of the fastest format where it has not this one."""
    rows = config.row_cycles.get(number_format) or min(config.row_cycles.values())
    return float(config.array**2 / rows)


def row(step: Launch, code: KernelCode, report: SimReport, config: SimConfig) -> dict[str, Any]:
    """The figures of one launch."""
    macs = int(code.meta.get("macs", 0))
    peak = peak_macs_per_cycle(config, str(code.meta.get("format", "")))
    return {
        "kernel": step.kernel,
        "device": "target",
        "nodes": list(step.provenance),
        "cycles": report.cycles,
        "bytes_moved": report.dram_bus_read + report.dram_bus_written,
        "macs": macs,
        "peak_macs_per_cycle": peak if macs else 0.0,
        "utilization": macs / (report.cycles * peak) if macs and report.cycles else 0.0,
        "busy": {q: r.busy for q, r in report.queues.items()},
        "energy_pj": dict(report.energy_pj),
        "hazards": [str(h) for h in report.hazards],
    }


def _plain_row(
    kernel: str, device: str, nodes: tuple[str, ...], cycles: int, moved: int, energy: dict[str, float]
) -> dict[str, Any]:
    return {
        "kernel": kernel, "device": device, "nodes": list(nodes), "cycles": cycles, "bytes_moved": moved, "macs": 0,
        "peak_macs_per_cycle": 0.0, "utilization": 0.0, "busy": {}, "energy_pj": energy, "hazards": [],
    }  # fmt: skip


def summary(rows: Sequence[Mapping[str, Any]], config: SimConfig, sim_s: float) -> dict[str, Any]:
    """The figures of a run from those of its launches."""
    cycles = sum(r["cycles"] for r in rows)
    ideal = sum(r["macs"] / r["peak_macs_per_cycle"] for r in rows if r["peak_macs_per_cycle"])
    parts: dict[str, float] = {}
    for r in rows:
        for part, value in r["energy_pj"].items():
            parts[part] = parts.get(part, 0.0) + value * 1e-12
    return {
        "cycles": cycles,
        "seconds": cycles / config.clock_hz,
        "sim_s": sim_s,
        "bytes_moved": sum(r["bytes_moved"] for r in rows),
        "macs": sum(r["macs"] for r in rows),
        "utilization": ideal / cycles if cycles else 0.0,
        "energy_j": sum(parts.values()),
        "energy_parts_j": dict(sorted(parts.items())),
        "hazards": [h for r in rows for h in r["hazards"]],
        "kernels": list(rows),
    }


def make_executor(
    plan: Plan,
    code: Mapping[str, KernelCode],
    constants: Mapping[str, Any],
    machine: Mapping[str, Any],
    *,
    threads: int,
    host: HostKernels | None,
    options: Mapping[str, Any],
) -> SimExecutor:
    """Makes a `SimExecutor`; see `accelc.core.target.ExecutorFactory`. The simulator uses one thread."""
    from accelc.targets.sim_accel.machine import MACHINES, sim_config

    description = MACHINES.from_json(machine)
    section = machine["host"]
    return SimExecutor(plan, code, constants, sim_config(description), section, host=host, options=options)
