"""The host's kernel pipeline: `kernels` to `tiled` to `target`, on one page."""

from __future__ import annotations

from accelc.core.pass_ import Pass
from accelc.targets.host.passes import HostBufferize, HostTile, HostToLLVM


def kernel_passes(machine: str) -> tuple[Pass, ...]:
    """From `kernels` to `target`, for the machine written after ``host:``."""
    return (HostTile(machine), HostBufferize(), HostToLLVM())
