"""The GPU's passes, in the order of its generic pipeline."""

from __future__ import annotations

from accelc.targets.gpu.passes.gpu_bufferize import GpuBufferize
from accelc.targets.gpu.passes.gpu_lower_to_nvvm import GpuLowerToNvvm
from accelc.targets.gpu.passes.gpu_split_launches import GpuSplitLaunches

__all__ = ["GpuBufferize", "GpuLowerToNvvm", "GpuSplitLaunches"]
