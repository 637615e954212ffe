"""The host's passes, in the order of its pipeline."""

from __future__ import annotations

from accelc.targets.host.passes.host_bufferize import HostBufferize
from accelc.targets.host.passes.host_expand_conversions import HostExpandConversions
from accelc.targets.host.passes.host_expand_math import HostExpandMath
from accelc.targets.host.passes.host_pack_weights import HostPackWeights
from accelc.targets.host.passes.host_tile import HostTile
from accelc.targets.host.passes.host_to_llvm import HostToLLVM

__all__ = ["HostBufferize", "HostExpandConversions", "HostExpandMath", "HostPackWeights", "HostTile", "HostToLLVM"]
