"""The host's kernel pipeline: `kernels` to `tiled` to `target`, on one page."""

from __future__ import annotations

from accelc.core.pipeline import Pipeline, Stage
from accelc.targets.host.passes import HostBufferize, HostExpandConversions, HostExpandMath, HostTile, HostToLLVM


def kernel_pipeline(machine: str) -> Pipeline:
    """From `kernels` to `target`, for the machine written after ``host:``."""
    return Pipeline(
        (
            HostExpandConversions(),
            HostExpandMath(),
            HostTile(machine),
            HostBufferize(),
            Stage("tiled"),
            HostToLLVM(),
            Stage("target"),
        )
    )
