"""``--target T --start-at S --stop-after S``: a part of a target's own pipeline."""

from __future__ import annotations

from accelc.core.diagnostics import UnsupportedError, UsageError
from accelc.core.pipeline import Pipeline
from accelc.driver import STAGES, Job, resolve


def target_pipeline(
    spec: str, start_at: str | None, stop_after: str | None, precision: str | None
) -> tuple[Pipeline, tuple[str, ...]]:
    """The passes from one stage to another, and the words that ask for the same again.

    Args:
        spec: ``backend``, ``backend:machine`` or the path of a machine file.

    Raises UsageError for stages that are not there or in the wrong order, UnsupportedError where a target has none.
    """
    start, stop = start_at or STAGES[0], stop_after or STAGES[-1]
    for stage in (start, stop):
        if stage not in STAGES:
            raise UsageError(f"there is no stage '{stage}'", notes=(f"stages: {', '.join(STAGES)}",))
    if STAGES.index(stop) < STAGES.index(start):
        raise UsageError(f"stage '{stop}' comes before stage '{start}'")
    job = resolve(spec, precision)
    elements = Pipeline(())
    if start == "nn" and stop != "nn":
        elements += job.target.graph_pipeline(job.machine, job.options)
    if stop in ("tiled", "target"):
        elements += _kernel_pipeline(job, stop).part(start_at=start, stop_after=stop)
    words = [f"--target={spec}", f"--start-at={start}", f"--stop-after={stop}"]
    return elements, tuple(words + ([f"--precision={precision}"] if precision else []))


def _kernel_pipeline(job: Job, stop: str) -> Pipeline:
    if job.target.kernel_pipeline is None:
        raise UnsupportedError(f"target '{job.spec}' has no stage '{stop}'")
    pipeline = job.target.kernel_pipeline(job.machine, job.options)
    assert isinstance(pipeline, Pipeline)
    return pipeline
