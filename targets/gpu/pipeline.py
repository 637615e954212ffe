"""The GPU's generic kernel pipeline: `kernels` to `tiled` to `target`, for any kernel, at no great speed."""

from __future__ import annotations

from accelc.core.pipeline import Pipeline, Stage
from accelc.targets.gpu.passes import GpuBufferize, GpuLowerToNvvm, GpuSplitLaunches


def kernel_pipeline() -> Pipeline:
    """From `kernels` to `target`."""
    return Pipeline((GpuBufferize(), GpuSplitLaunches(), Stage("tiled"), GpuLowerToNvvm(), Stage("target")))
