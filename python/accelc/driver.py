"""From a model to an executable: frontend, graph pipeline, kernels in worker processes, and an artifact.

Read `compile` top to bottom: it is the way of a model. Nothing here asks which target it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelc.core.cache import open_cache
from accelc.core.compiled import CompiledModel
from accelc.core.diagnostics import UnsupportedError, UsageError
from accelc.core.knobs import knobs
from accelc.core.pass_ import PassContext
from accelc.core.plan import Plan
from accelc.core.store import Store
from accelc.core.target import CompileOptions, Target, parse_target, target_names
from accelc.kernel_compiler import target_named
from accelc.kernel_jobs import compile_kernels
from accelc.model_cache import ModelCache
from accelc.runtime import Executable, load
from accelc.sizes import require_memory, require_sizes
from accelc.sources import Source, open_source
from accelc.targets import TARGETS
from accelc.workers import WorkerPool

__all__ = ["Job", "compile", "cost", "load", "lower", "lower_module", "resolve", "run_stage"]

STAGES = ("nn", "kernels", "tiled", "target")


@dataclass(frozen=True)
class Job:
    """A target, a machine and options, resolved: what a model is compiled for."""

    target: Target
    machine_name: str
    machine: Any
    options: CompileOptions

    @property
    def spec(self) -> str:
        """As a user writes it: ``backend:machine``."""
        return f"{self.target.name}:{self.machine_name}"


def resolve(target: str, precision: str | None = None) -> Job:
    """Resolves ``backend:machine`` (or a machine file's path) and the numerics policy.

    Raises UsageError for an unknown target or precision, MachineError for a machine that is missing or malformed.
    """
    backend, machine_name = parse_target(target, target_names(TARGETS))
    manifest = target_named(backend)
    machine_name = machine_name or manifest.default_machine
    machine = manifest.load_machine(machine_name)
    allowed = manifest.precisions(machine)
    precision = precision or manifest.default_precision(machine)
    if precision not in allowed:
        raise UsageError(
            f"target {backend}:{machine_name} has no precision '{precision}'", notes=(f"it has: {', '.join(allowed)}",)
        )
    return Job(manifest, machine_name, machine, CompileOptions(precision))


def compile(  # noqa: A001 - the name that users know
    model: Any,
    target: str = "host",
    *,
    dims: Mapping[str, int] | None = None,
    precision: str | None = None,
    threads: int = 1,
    **executor_options: Any,
) -> Executable:
    """Compiles a model for a target.

    Args:
        model: path of an ONNX file, its bytes, a ``ModelProto``, or a model of `accelc.builder`.
        target: ``backend:machine``, a backend (its default machine is meant), or the path of a machine file.
        dims: sizes of symbolic dimensions by name.
        precision: the numerics policy: ``strict``, ``fast`` or a format; each target has its default.
        threads: threads that the executable uses where it runs on the host.
        executor_options: what the target's executor takes, such as ``hazards=True`` of `sim_accel`.

    Raises:
        accelc.Error: see `accelc.core.diagnostics` for the kinds and their exit codes.
    """
    started = time.perf_counter()
    job = resolve(target, precision)
    if job.target.emit is None:
        raise UnsupportedError(
            f"models cannot be compiled for '{job.spec}' yet; its costs can be predicted",
            notes=("use: accelc compare",),
        )
    unknown = sorted(set(executor_options) - set(job.target.executor_options))
    if unknown:
        options = ", ".join(("dims", "precision", "threads", *job.target.executor_options))
        raise UsageError(f"there is no option '{unknown[0]}' for target '{job.spec}'", notes=(f"options: {options}",))
    source = open_source(model, dims or {})
    models = ModelCache(open_cache(), source, _identity(job))
    compiled = models.find() or models.keep(_compile(source, job, models))
    executable = Executable(compiled, threads=threads, **executor_options)
    executable.stats.update(
        compile_s=time.perf_counter() - started,
        const_io_s=source.io_seconds + models.io_seconds,
        cached=models.hit,
    )
    return executable


def _compile(source: Source, job: Job, models: ModelCache) -> CompiledModel:
    """Import, graph pipeline, kernels. What it imports is loaded here: a model found in the cache needs no MLIR."""
    with WorkerPool(worker_count(), job.target.name) as pool:
        from accelc.core.context import make_context
        from accelc.dialects import plan as plan_dialect
        from accelc.mlir import ir
        from accelc.passes.kernel_texts import kernel_texts

        with make_context(), ir.Location.unknown():
            module, store = source.import_model()
            require_sizes(module)
            # Verified at the end alone: a pass that leaves something invalid is found by replaying with accelc-opt.
            pipeline = job.target.graph_pipeline(job.machine, job.options)
            pipeline.run(module, PassContext(store=store), verify_each=False)
            plan = plan_dialect.export(module.operation)
            require_memory(plan, job.machine)
            texts = kernel_texts(module.operation)
            code = compile_kernels(
                pool, texts, job.target, job.machine_name, _fingerprint(job), job.options, models.cache, plan
            )
            stats = native_fractions(module.operation, plan)
    constants = models.evaluate(store, plan)
    return CompiledModel(job.target.name, job.machine.to_json(), job.options.to_json(), plan, code, constants, stats)


def worker_count() -> int:
    """How many worker processes compile kernels: the knob's value, or one a core."""
    return knobs.workers if knobs.workers is not None else len(os.sched_getaffinity(0))


def _fingerprint(job: Job) -> str:
    """Identifies the content of the machine description, whatever file it came from."""
    return hashlib.sha256(json.dumps(job.machine.to_json(), sort_keys=True).encode()).hexdigest()


def _identity(job: Job) -> dict[str, Any]:
    return {"target": job.target.name, "machine": _fingerprint(job), "options": job.options.to_json()}


def native_fractions(module: Any, plan: Plan) -> dict[str, float]:
    """Which part of a model's MACs and of its kernels' bytes runs on the target itself, not placed on the host."""
    from accelc.cost.analysis import kernel_works

    works = kernel_works(module)
    macs = {"target": 0, "host": 0}
    moved = {"target": 0, "host": 0}
    for launch in plan.launches:
        macs[launch.device] += works[launch.kernel].macs
        moved[launch.device] += sum(plan.buffers[b].nbytes for b in (*launch.inputs, *launch.outputs))
    return {
        "native_mac_fraction": _fraction(macs),
        "native_byte_fraction": _fraction(moved),
    }


def _fraction(parts: Mapping[str, int]) -> float:
    total = sum(parts.values())
    return parts["target"] / total if total else 1.0


def lower(
    model: Any,
    target: str = "host",
    *,
    stop_after: str = "kernels",
    dims: Mapping[str, int] | None = None,
    precision: str | None = None,
) -> tuple[Any, Store]:
    """The module of a model at a stage (``nn``, ``kernels``, ``tiled`` or ``target``), and its constants.

    Must be called inside a context (``with accelc.core.context.make_context(): ...``), which owns the module.
    """
    if stop_after not in STAGES:
        raise UsageError(f"there is no stage '{stop_after}'", notes=(f"stages: {', '.join(STAGES)}",))
    job = resolve(target, precision)
    module, store = open_source(model, dims or {}).import_model()
    lower_module(module, store, job, stop_after)
    return module, store


def lower_module(module: Any, store: Store, job: Job, stop_after: str) -> None:
    """Lowers an `nn` module in place to a later stage."""
    if stop_after == "nn":
        return
    require_sizes(module)
    context = PassContext(store=store)
    job.target.graph_pipeline(job.machine, job.options).run(module, context)
    if stop_after == "kernels":
        return
    if job.target.kernel_pipeline is None:
        raise UnsupportedError(f"target '{job.spec}' has no stage '{stop_after}' yet")
    job.target.kernel_pipeline(job.machine, job.options).run(module, context, stop_after=stop_after)


def run_stage(
    model: Any,
    inputs: Mapping[str, np.ndarray[Any, Any]],
    target: str = "host",
    *,
    stage: str = "nn",
    dims: Mapping[str, int] | None = None,
    precision: str | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Runs a model at a stage on the reference interpreter."""
    from accelc.core.context import make_context
    from accelc.dialects import interpreter
    from accelc.mlir import ir

    with make_context(), ir.Location.unknown():
        module, store = lower(model, target, stop_after=stage, dims=dims, precision=precision)
        outputs: dict[str, np.ndarray[Any, Any]] = interpreter.run(module, dict(inputs), store)
    return outputs


def cost(model: Any, target: str, *, dims: Mapping[str, int] | None = None, precision: str | None = None) -> Any:
    """What the target's cost model says of a model: an `accelc.cost.model.CostReport`."""
    from accelc.core.context import make_context
    from accelc.dialects import plan as plan_dialect
    from accelc.mlir import ir

    job = resolve(target, precision)
    if job.target.cost is None:
        raise UnsupportedError(
            f"target '{job.target.name}' has no cost model", notes=("which targets have one: accelc targets",)
        )
    with make_context(), ir.Location.unknown():
        module, store = open_source(model, dims or {}).import_model()
        lower_module(module, store, job, "kernels")
        require_memory(plan_dialect.export(module.operation), job.machine)
        return job.target.cost(module.operation, job.machine, job.options)
