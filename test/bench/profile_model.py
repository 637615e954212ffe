"""Where compiling a model and running it spend their time on the host.

    python test/bench/profile_model.py MODEL [--target host] [--calls] [--run] [--folder DIR]

Compile times are CPU seconds of this process (so that other processes matter little), a line a graph pass and a table
of the slowest kernels by step; ``--calls`` adds Python's profile of the kernels, ``--run`` the model's steps by time.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from rich.console import Console
from rich.table import Table

Seconds = dict[str, float]


@contextmanager
def timed(into: Seconds, name: str) -> Iterator[None]:
    """Adds the CPU time of the block to ``into[name]``."""
    started = time.process_time()
    yield
    into[name] = into.get(name, 0.0) + time.process_time() - started


class StepTimes:
    """A hook that sums what each pass takes, verification aside."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}
        self._started = 0.0

    def before(self, name: str, module: Any) -> None:
        """A pass begins."""
        self._started = time.process_time()

    def after(self, name: str, module: Any, seconds: float) -> None:
        """A pass has ended."""
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - self._started

    def failed(self, name: str, module: Any) -> None:
        """A pass has failed."""

    def finished(self, module: Any) -> None:
        """The run has ended."""


def graph_times(path: Path, target: str) -> tuple[Seconds, list[Any], Any]:
    """CPU seconds of the import and of each graph pass; the kernels; the resolved job."""
    from accelc import driver
    from accelc.core.context import make_context
    from accelc.core.pass_ import PassContext
    from accelc.mlir import ir
    from accelc.passes.kernel_texts import kernel_texts
    from accelc.sources import open_source

    seconds: Seconds = {}
    with timed(seconds, "(resolve)"):
        job = driver.resolve(target)
    with timed(seconds, "(context)"):
        context = make_context()
    with context, ir.Location.unknown():
        with timed(seconds, "(import)"):
            module, store = open_source(path, {}).import_model()
        hook, total = StepTimes(), {}
        with timed(total, "run"):
            pipeline = job.target.graph_pipeline(job.machine, job.options)
            pipeline.run(module, PassContext(store=store), hooks=(hook,))
        seconds.update(hook.seconds)
        seconds["(verify, legality)"] = total["run"] - sum(hook.seconds.values())
        with timed(seconds, "(print kernels)"):
            jobs = kernel_texts(module.operation)
    return seconds, jobs, job


def kernel_times(text: str, job: Any) -> Seconds:
    """CPU seconds of each step of one kernel's compilation."""
    from accelc.kernel_compiler import shared_context
    from accelc.mlir import ir

    seconds: Seconds = {}
    hook, total = StepTimes(), {}
    with shared_context(), ir.Location.unknown():
        with timed(seconds, "parse"):
            module = ir.Module.parse(text)
        with timed(total, "run"):
            pipeline = job.target.kernel_pipeline(job.machine, job.options)
            pipeline.run(module, hooks=(hook,))
        seconds.update(hook.seconds)
        seconds["checks"] = total["run"] - sum(hook.seconds.values())
        with timed(seconds, "emit"):
            job.target.emit(module, job.machine, job.options)
    return seconds


def run_steps(path: Path, name: str, folder: Path, top: int) -> Table:
    """The model's kernels by the time that they take in a run."""
    from frontend import models

    import accelc

    model = models.benchmark_model(name, folder)
    exe = accelc.compile(path)
    exe.run(model.inputs)
    arrays = [model.inputs[s.name] for s in exe.inputs]
    best: Any = None
    for _ in range(7):
        exe._executor.profile(arrays)
        step_s = np.array(exe._executor.last_run["step_s"])
        best = step_s if best is None else np.minimum(best, step_s)
    kernels: dict[str, list[float]] = defaultdict(list)
    shapes: dict[str, str] = {}
    for step, seconds in zip(exe.model.plan.steps, best, strict=True):
        kernel = getattr(step, "kernel", "(copy)")
        kernels[kernel].append(seconds)
        if hasattr(step, "kernel"):
            buffers = [exe.model.plan.buffers[b].shape for b in (*step.inputs, *step.outputs)]
            shapes[kernel] = " ".join("x".join(map(str, s)) for s in buffers)
    table = Table(title=f"run: best of 7, {best.sum() * 1e3:.2f} ms in all")
    for column in ("kernel", "ms", "launches", "shapes"):
        table.add_column(column)
    for kernel, times in sorted(kernels.items(), key=lambda item: -sum(item[1]))[:top]:
        table.add_row(kernel, f"{sum(times) * 1e3:.3f}", str(len(times)), shapes.get(kernel, ""))
    return table


def main() -> None:
    """Parses arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="bert, gpt2, resnet50, ...: NAME.onnx in the folder")
    parser.add_argument("--target", default="host")
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--top", type=int, default=12)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "accelc-models"))
    args = parser.parse_args()
    console, path = Console(width=170), Path(args.folder) / f"{args.model}.onnx"
    seconds, jobs, job = graph_times(path, args.target)
    for name, value in seconds.items():
        console.print(f"{value * 1e3:8.0f} ms  {name}")
    console.print(f"{sum(seconds.values()) * 1e3:8.0f} ms  before kernels")
    profile = cProfile.Profile()
    rows = []
    kernel_times(jobs[0].text, job)  # imports
    for kernel in jobs:
        if args.calls:
            profile.enable()
        rows.append((kernel.name, kernel_times(kernel.text, job)))
        profile.disable()
    table = Table(title=f"{len(rows)} kernels: CPU ms")
    steps = list(dict.fromkeys(step for _, times in rows for step in times))
    for column in ("kernel", *steps, "all"):
        table.add_column(column, justify="right")
    rows.sort(key=lambda row: -sum(row[1].values()))
    everything = ("sum", {step: sum(times.get(step, 0.0) for _, times in rows) for step in steps})
    for name, times in [everything, *rows[: args.top]]:
        numbers = [*(times.get(step, 0.0) for step in steps), sum(times.values())]
        table.add_row(name, *(f"{n * 1e3:.0f}" for n in numbers))
    console.print(table)
    if args.calls:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    if args.run:
        console.print(run_steps(path, args.model, Path(args.folder), args.top))


if __name__ == "__main__":
    main()
