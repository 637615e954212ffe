"""The cost hook: compiles a module's kernels and simulates their timing; no data is computed."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import Error
from accelc.core.machine import Machine
from accelc.core.plan import Launch, Plan
from accelc.core.target import CompileOptions, KernelCode
from accelc.cost.analysis import kernel_works
from accelc.cost.model import Bound, CostReport, LaunchCost
from accelc.targets.sim_accel.config import SimConfig
from accelc.targets.sim_accel.emit import emit
from accelc.targets.sim_accel.executor import SimExecutor
from accelc.targets.sim_accel.machine import sim_config


def cost(module: Any, machine: Machine, options: CompileOptions) -> CostReport:
    """What a module at the `kernels` stage costs on a machine: simulated, timing only. The module is not changed."""
    from accelc.dialects import plan as plan_dialect

    works = kernel_works(module)
    config = sim_config(machine)
    plan = plan_dialect.export(module)
    code = compile_all(module, machine, options, plan)
    executor = SimExecutor(plan, code, _Zeros(), config, machine.host.model_dump(), options={"functional": False})
    figures = executor.figures()
    # Energy is told only where every part of it is described: without DRAM's it would be far too small.
    with_energy = machine.memory.energy is not None
    launches = []
    for step, row in zip(plan.steps, figures["kernels"], strict=True):
        work = works[step.kernel] if isinstance(step, Launch) else None
        launches.append(
            LaunchCost(
                kernel=row["kernel"],
                kind=work.kind if work else "copy",
                nodes=step.provenance if isinstance(step, Launch) else (),
                seconds=row["cycles"] / config.clock_hz,
                bound=_bound(row, config),
                macs=work.macs if work else 0,
                bytes_moved=row["bytes_moved"],
                device=row["device"],
                peak_macs_s=row["peak_macs_per_cycle"] * config.clock_hz,
                energy={part: pj * 1e-12 for part, pj in row["energy_pj"].items()} if with_energy else {},
            )
        )
    return CostReport(
        target=f"sim_accel:{machine.name}",
        precision=options.precision,
        source="simulated",
        launches=tuple(launches),
        clock=config.clock_hz,
        peak_bandwidth=machine.memory.bandwidth,
        extra={"cycles": figures["cycles"], "utilization": figures["utilization"]},
    )


class _Zeros(dict[str, Any]):
    """Constants of a timing-only run: nothing reads them."""


def compile_all(module: Any, machine: Machine, options: CompileOptions, plan: Plan) -> dict[str, KernelCode]:
    """The code of every kernel of a module that runs on the device; ``plan`` names the nodes in errors."""
    from accelc.mlir import ir
    from accelc.passes.kernel_texts import kernel_texts
    from accelc.targets.sim_accel.target import kernel_pipeline

    code: dict[str, KernelCode] = {}
    pipeline = kernel_pipeline(machine, options)
    for job in kernel_texts(module):
        if job.device == "host":
            code[job.name] = KernelCode(job.name, b"", {"device": "host"})
            continue
        with module.context, ir.Location.unknown():
            kernel = ir.Module.parse(job.text)
            try:
                pipeline.run(kernel)
                code[job.name] = emit(kernel, machine, options)
            except Error as error:
                raise error.at(plan.nodes_of(job.name)) from None
    return code


def _bound(row: dict[str, Any], config: SimConfig) -> Bound:
    """What a launch is bound by: the kind of unit that is busy longest; latency where none is busy half of the time."""
    if row["device"] == "host":
        return "host"
    busy: dict[str, int] = row["busy"]
    compute = max(busy.get("mxu", 0), busy.get("vec", 0))
    memory = row["bytes_moved"] / config.dram_bytes_per_cycle
    if max(compute, memory) < row["cycles"] / 2:
        return "latency"
    return "compute" if compute >= memory else "memory"
