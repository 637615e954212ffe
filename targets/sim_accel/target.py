"""The manifest of the simulated accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from accelc.core.machine import Machine
from accelc.core.pipeline import Pipeline, Stage, Upstream
from accelc.core.target import CompileOptions, Target
from accelc.passes.pipelines import GraphOptions, graph_passes
from accelc.targets.sim_accel.cost import cost
from accelc.targets.sim_accel.dialect import evaluators as evaluators
from accelc.targets.sim_accel.emit import disassemble, emit
from accelc.targets.sim_accel.limits import limits_of
from accelc.targets.sim_accel.machine import MACHINES
from accelc.targets.sim_accel.passes.sim_lower import SimLower
from accelc.targets.sim_accel.passes.sim_tile import SimTile

# Storage formats from the preferred one on, as `nn` calls them and as the ISA does.
_STORAGE = ("bf16", "f16")


def precisions(machine: Machine) -> tuple[str, ...]:
    """What may be asked for: storage formats that the matrix unit multiplies, and ``strict`` (f32) where it has f32."""
    rates = limits_of(machine).rates
    found = tuple(f for f in _STORAGE if f in rates)
    return (*found, "strict") if "f32" in rates or not found else found


def graph_pipeline(machine: Machine, options: CompileOptions) -> Pipeline:
    """`nn` to `kernels`: NHWC, values between kernels in the storage format, what the machine cannot do on the host."""
    demote: Literal["", "bf16", "f16"] = ""
    if options.precision in _STORAGE:
        demote = cast(Literal["bf16", "f16"], options.precision)
    graph = GraphOptions(layout="nhwc", demote=demote, unsupported=tuple(sorted(unsupported(machine))))
    return Pipeline((*graph_passes(graph), Stage("kernels")))


def kernel_pipeline(machine: Machine, options: CompileOptions) -> Pipeline:
    """`kernels` to the `sim_accel` dialect."""
    name = shipped_name(machine)
    return Pipeline((SimTile(name), Upstream("cse"), Stage("tiled"), SimLower(name), Stage("target")))


def shipped_name(machine: Machine) -> Any:
    """The name of a machine that ships, which pipelines can say as text; the description itself for any other."""
    if machine.name in MACHINES.names() and MACHINES.load(machine.name) == machine:
        return machine.name
    return machine


def unsupported(machine: Machine) -> Mapping[str, str]:
    """`nn` ops that run on the host, and why."""
    return dict(_UNSUPPORTED)


_ORDER = "needs sorting or data-dependent order, which the vector unit does not have"
_SCATTER = "writes at computed places, which may collide"
_SERIAL = "each element depends on the one before"
_FUNCTION = "the vector unit does not have this function"
_UNSUPPORTED = {
    "topk": _ORDER,
    "scatter_elements": _SCATTER,
    "scatter_nd": _SCATTER,
    "cumsum": _SERIAL,
    "asin": _FUNCTION,
    "acos": _FUNCTION,
    "atan": _FUNCTION,
    "asinh": _FUNCTION,
    "acosh": _FUNCTION,
    "atanh": _FUNCTION,
}

TARGET = Target(
    name="sim_accel",
    summary="a simulated accelerator, described in one file: results, cycles, traffic and energy from one run",
    default_machine="cloud",
    machines=MACHINES.names,
    load_machine=MACHINES.load,
    default_precision=lambda machine: precisions(machine)[0],
    precisions=precisions,
    graph_pipeline=graph_pipeline,
    kernel_pipeline=kernel_pipeline,
    emit=emit,
    cost=cost,
    unsupported=unsupported,
    disassemble=disassemble,
    executor_options=("functional", "hazards"),
)
