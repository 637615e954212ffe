"""Kernels as jobs for the worker processes, found in the cache where they were compiled before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from accelc.core.cache import Cache
from accelc.core.plan import Plan
from accelc.core.target import CompileOptions, KernelCode, Target
from accelc.kernel_compiler import target_named
from accelc.workers import WorkerPool

if TYPE_CHECKING:
    # Not at run time: a model found in the cache needs no MLIR.
    from accelc.passes.kernel_texts import KernelText


def compile_kernels(
    pool: WorkerPool,
    jobs: list[KernelText],
    target: Target,
    machine: str,
    fingerprint: str,
    options: CompileOptions,
    cache: Cache | None,
    plan: Plan,
) -> dict[str, KernelCode]:
    """Compiles all jobs. ``fingerprint`` identifies the machine in cache keys; ``plan`` names nodes in errors.

    Kernels placed on the host go through the host target's pipeline. Raises the first error of any job.
    """
    code: dict[str, KernelCode] = {}
    waiting: list[tuple[KernelText, str, dict[str, Any]]] = []
    for job in jobs:
        header, identity = _header(job, target, machine, fingerprint, options)
        key = cache.key("kernel", identity, job.text) if cache is not None else ""
        found = cache.get_kernel(key) if cache is not None else None
        if found is not None:
            code[job.name] = found
        else:
            waiting.append((job, key, header))
    requests = [({**header, "node": plan.nodes_of(job.name)}, job.text) for job, _, header in waiting]
    for i, compiled in pool.compile(requests):
        job, key, _ = waiting[i]
        compiled = replace(compiled, meta={**compiled.meta, "device": job.device})
        if cache is not None:
            cache.put_kernel(key, compiled)
        code[job.name] = compiled
    return {job.name: code[job.name] for job in jobs}


def _header(
    job: KernelText, target: Target, machine: str, fingerprint: str, options: CompileOptions
) -> tuple[dict[str, Any], dict[str, Any]]:
    if job.device == "host" and target.name != "host":
        host = target_named("host")
        host_machine = host.default_machine
        placed = CompileOptions(host.default_precision(host.load_machine(host_machine)))
        return _describe("host", host_machine, "", placed)
    return _describe(target.name, machine, fingerprint, options)


def _describe(
    target: str, machine: str, fingerprint: str, options: CompileOptions
) -> tuple[dict[str, Any], dict[str, Any]]:
    header = {"target": target, "machine": machine, "options": options.to_json()}
    return header, {**header, "fingerprint": fingerprint}
