"""The GPU manifest: machines, a cost model, and a generic path to PTX."""

from __future__ import annotations

from typing import Any, Literal, cast

from accelc.core.machine import Machine
from accelc.core.target import CompileOptions, KernelCode, Target
from accelc.targets.gpu.machine import GPUS


def _graph_pipeline(machine: Machine, options: CompileOptions) -> Any:
    from accelc.core.pipeline import Pipeline, Stage
    from accelc.passes.pipelines import GraphOptions, graph_passes

    stored_as: Literal["", "bf16", "f16"] = ""
    if options.precision in ("bf16", "f16"):
        stored_as = cast(Literal["bf16", "f16"], options.precision)
    return Pipeline((*graph_passes(GraphOptions(layout="nhwc", demote=stored_as)), Stage("kernels")))


def _kernel_pipeline(machine: Machine, options: CompileOptions) -> Any:
    from accelc.targets.gpu.pipeline import kernel_pipeline

    return kernel_pipeline()


def _emit(module: Any, machine: Machine, options: CompileOptions) -> KernelCode:
    from accelc.passes.kernel_module import kernels
    from accelc.targets.gpu.emit import emit

    (kernel,) = kernels(module)
    return emit(kernel, machine.section.arch)


def _cost(module: Any, machine: Machine, options: CompileOptions) -> Any:
    from accelc.targets.gpu.cost import cost

    return cost(module, machine, options)


def _precisions(machine: Machine) -> tuple[str, ...]:
    # "fast" multiplies f32 in tf32; "strict" keeps to the vector units.
    stored = [f for f in ("bf16", "f16") if machine.best_rate("matrix", f)]
    return (*stored, "fast", "strict")


TARGET = Target(
    name="gpu",
    summary="NVIDIA GPUs: costs, and PTX by a generic path, run on the emulator",
    default_machine="h200",
    machines=GPUS.names,
    load_machine=GPUS.load,
    default_precision=lambda machine: _precisions(machine)[0],
    precisions=_precisions,
    graph_pipeline=_graph_pipeline,
    kernel_pipeline=_kernel_pipeline,
    emit=_emit,
    cost=_cost,
    disassemble=lambda code: code.data.decode(),
    executor_options=("emulate", "sanitize"),
)
