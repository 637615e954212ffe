"""The host's kernel pipeline: `kernels` to `tiled` to `target`, on one page."""

from __future__ import annotations

from accelc.core.pass_ import Pass
from accelc.targets.host.cpu import Cpu
from accelc.targets.host.passes import HostBufferize, HostToLLVM


def tiling_passes(cpu: Cpu) -> tuple[Pass, ...]:
    """From `kernels` to `tiled`."""
    return (HostBufferize(),)


def kernel_passes(cpu: Cpu) -> tuple[Pass, ...]:
    """From `kernels` to `target`."""
    return (*tiling_passes(cpu), HostToLLVM())
