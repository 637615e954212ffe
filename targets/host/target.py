"""The host target's manifest."""

from __future__ import annotations

from typing import Any

from accelc.core.pipeline import Pipeline, Stage
from accelc.core.target import CompileOptions, KernelCode, Target
from accelc.targets.host.cpu import MACHINES, Cpu, cpu
from accelc.targets.host.emit import emit
from accelc.targets.host.kernel_module import kernels
from accelc.targets.host.passes import HostPackWeights
from accelc.targets.host.pipeline import kernel_pipeline

# f32 stays f32; products may be fused into additions and sums reassociated.
_PRECISIONS = ("strict",)


def _graph_pipeline(machine: Cpu, options: CompileOptions) -> Pipeline:
    from accelc.passes.pipelines import GraphOptions, graph_passes  # workers, which start in a hurry, never need them

    return Pipeline((*graph_passes(GraphOptions(layout="nhwc")), HostPackWeights(machine.machine), Stage("kernels")))


def _kernel_pipeline(machine: Cpu, options: CompileOptions) -> Pipeline:
    return kernel_pipeline(machine.machine)


def _emit(module: Any, machine: Cpu, options: CompileOptions) -> KernelCode:
    (kernel,) = kernels(module)
    return emit(kernel, machine)


TARGET = Target(
    name="host",
    summary="this computer's CPU, through LLVM",
    default_machine="native",
    machines=lambda: MACHINES,
    load_machine=cpu,
    default_precision=lambda machine: "strict",
    precisions=lambda machine: _PRECISIONS,
    graph_pipeline=_graph_pipeline,
    kernel_pipeline=_kernel_pipeline,
    emit=_emit,
)
