"""The host's manifest: the CPU that runs accelc, or an older one of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelc.core.target import CompileOptions, KernelCode, Target
from accelc.targets.host.cpu import Cpu, cpu

_MACHINES = {
    "native": "the CPU that compiles, with all of its features",
    "x86-64-v4": "any x86-64 with AVX-512",
    "x86-64-v3": "any x86-64 with AVX2 and FMA",
    "x86-64-v2": "any x86-64 with SSE4.2",
    "x86-64": "any x86-64",
}


@dataclass(frozen=True)
class HostMachine:
    """A host CPU: what code is made for."""

    name: str
    cpu: Cpu

    def to_json(self) -> dict[str, Any]:
        """A JSON value that identifies the CPU and its features."""
        return {"name": self.name, **self.cpu.to_json()}


def _machine(name: str) -> HostMachine:
    return HostMachine(name, cpu(name))


def _graph_pipeline(machine: HostMachine, options: CompileOptions) -> Any:
    from accelc.targets.host.pipeline import graph_pipeline

    return graph_pipeline(machine.name)


def _kernel_pipeline(machine: HostMachine, options: CompileOptions) -> Any:
    from accelc.targets.host.pipeline import kernel_pipeline

    return kernel_pipeline(machine.name)


def _emit(module: Any, machine: HostMachine, options: CompileOptions) -> KernelCode:
    from accelc.targets.host.emit import emit
    from accelc.targets.host.kernel_module import kernels

    (kernel,) = kernels(module)
    return emit(kernel, machine.cpu)


def _machines() -> Mapping[str, str]:
    return _MACHINES


TARGET = Target(
    name="host",
    summary="native code for this CPU, through LLVM",
    default_machine="native",
    machines=_machines,
    load_machine=_machine,
    default_precision=lambda machine: "fast",
    precisions=lambda machine: ("fast", "strict"),
    graph_pipeline=_graph_pipeline,
    kernel_pipeline=_kernel_pipeline,
    emit=_emit,
)
