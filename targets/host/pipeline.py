"""The host's pipelines, whole on one page: `nn` to `kernels`, and each kernel to `tiled` and `target`."""

from __future__ import annotations

from accelc.core.pass_ import Pass
from accelc.core.pipeline import Pipeline, Stage
from accelc.passes.pipelines import GraphOptions, graph_passes
from accelc.targets.host.passes import HostBufferize, HostExpandMath, HostTile, HostToLLVM


def graph_pipeline(machine: str) -> Pipeline:
    """From `nn` to `kernels`, for a whole module, for the machine written after ``host:``."""
    return Pipeline((*graph_passes(GraphOptions(layout="nhwc")), Stage("kernels")))


def kernel_passes(machine: str) -> tuple[Pass, ...]:
    """From `kernels` to `target`, for the machine written after ``host:``."""
    return (*_tiling_passes(machine), HostToLLVM())


def kernel_pipeline(machine: str) -> Pipeline:
    """`kernel_passes` with its stages marked."""
    return Pipeline((*_tiling_passes(machine), Stage("tiled"), HostToLLVM(), Stage("target")))


def _tiling_passes(machine: str) -> tuple[Pass, ...]:
    return (HostExpandMath(), HostTile(machine), HostBufferize())
