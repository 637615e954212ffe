"""The kernels of a lowered module, as jobs for the worker processes; found in the cache where they were made before."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from typing import Any

from accelc.core.cache import Cache
from accelc.core.knobs import knobs
from accelc.core.target import CompileOptions, KernelCode, Target
from accelc.kernel_compiler import target_named
from accelc.workers import WorkerPool


@dataclass(frozen=True)
class KernelJob:
    """One kernel to compile: its name in the plan, its device, and its text without locations."""

    name: str
    device: str
    text: str


def kernel_jobs(module: Any) -> list[KernelJob]:
    """The kernel modules nested in ``module``, in order."""
    from accelc.passes import kernels_of

    return [
        KernelJob(
            name=name,
            device=kernel.attributes["accelc.device"].value if "accelc.device" in kernel.attributes else "target",
            # Neither locations nor the name: equal kernels of different models share one cache entry.
            text=f"module {{\n{_anonymous(name, kernel)}\n}}\n",
        )
        for name, kernel in kernels_of(module)
    ]


def _anonymous(name: str, kernel: Any) -> str:
    text: str = kernel.get_asm(enable_debug_info=False)
    return text.replace(f"module @{name} ", "module @kernel ", 1)


def compile_kernels(
    pool: WorkerPool,
    jobs: list[KernelJob],
    target: Target,
    machine: str,
    fingerprint: str,
    options: CompileOptions,
    cache: Cache | None,
) -> dict[str, KernelCode]:
    """Compiles all jobs. ``fingerprint`` identifies the machine's content in cache keys.

    Kernels placed on the host go through the host target's pipeline. Raises the first error of any job.
    """
    code: dict[str, KernelCode] = {}
    waiting: list[tuple[KernelJob, str, dict[str, Any]]] = []
    for job in jobs:
        header, identity = _header(job, target, machine, fingerprint, options)
        key = cache.key("kernel", identity, job.text) if cache is not None else ""
        found = cache.get_kernel(key) if cache is not None else None
        if found is not None:
            code[job.name] = found
        else:
            waiting.append((job, key, header))
    requests = [({**header, "reproducer": _reproducer(job)}, job.text) for job, _, header in waiting]
    for i, compiled in pool.compile(requests):
        job, key, _ = waiting[i]
        compiled = replace(compiled, meta={**compiled.meta, "device": job.device})
        if cache is not None:
            cache.put_kernel(key, compiled)
        code[job.name] = compiled
    return {job.name: code[job.name] for job in jobs}


def _header(
    job: KernelJob, target: Target, machine: str, fingerprint: str, options: CompileOptions
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


def _reproducer(job: KernelJob) -> str:
    """The file in which the kernel's IR survives should compiling it crash."""
    folder = knobs.reproducer_dir or tempfile.gettempdir()
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"accelc-{os.getpid()}-{job.name}.mlir")
