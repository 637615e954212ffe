"""The host target's manifest."""

from __future__ import annotations

from typing import Any

from accelc.core.pipeline import Pipeline, Stage
from accelc.core.target import CompileOptions, KernelCode, Target
from accelc.targets.host.cpu import MACHINES, Cpu, cpu

# Both compute f32 in f32. `fast` also takes Winograd's form of convolutions: rounding errors some ten times larger.
_PRECISIONS = ("fast", "strict")


# What follows imports MLIR when it is called: a model that is found in the cache needs none of it.
def _graph_pipeline(machine: Cpu, options: CompileOptions) -> Pipeline:
    from accelc.passes.pipelines import GraphOptions, graph_passes
    from accelc.targets.host.passes import HostPackWeights

    packing = HostPackWeights(machine.machine, winograd=options.precision == "fast")
    return Pipeline((*graph_passes(GraphOptions(layout="nhwc")), packing, Stage("kernels")))


def _kernel_pipeline(machine: Cpu, options: CompileOptions) -> Pipeline:
    from accelc.targets.host.pipeline import kernel_pipeline

    return kernel_pipeline(machine.machine)


def _emit(module: Any, machine: Cpu, options: CompileOptions) -> KernelCode:
    from accelc.passes.kernel_module import kernels
    from accelc.targets.host.emit import emit

    (kernel,) = kernels(module)
    return emit(kernel, machine)


TARGET = Target(
    name="host",
    summary="this computer's CPU, through LLVM",
    default_machine="native",
    machines=lambda: MACHINES,
    load_machine=cpu,
    default_precision=lambda machine: "fast",
    precisions=lambda machine: _PRECISIONS,
    graph_pipeline=_graph_pipeline,
    kernel_pipeline=_kernel_pipeline,
    emit=_emit,
)
