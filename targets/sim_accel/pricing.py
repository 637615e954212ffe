"""What happens around kernels, in cycles: launches placed on the host, and copies between buffers.

Both come from the machine's description, never from the computer that simulates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelc.targets.sim_accel.config import SimConfig


def host_cycles(host: Mapping[str, Any], config: SimConfig, nbytes_in: int, nbytes_out: int, operations: int) -> int:
    """Cycles of a kernel on the host: data over the link and back, then the slower of computing and memory.

    host: the ``[host]`` section, in base units. operations: a lower bound of what the kernel does.
    """
    moved = nbytes_in + nbytes_out
    link = 2 * host["link_latency"] + moved / host["link_bandwidth"]
    work = max(operations / host["rate"], moved / host["memory_bandwidth"])
    seconds: float = link + work
    return round(seconds * config.clock_hz)


def host_energy(host: Mapping[str, Any], moved: int) -> float:
    """Energy in pJ of the bytes over the link; the host's own is not the device's."""
    return (host.get("link_energy") or 0.0) * moved * 1e12


def copy_cycles(config: SimConfig, nbytes: int) -> int:
    """Cycles of a copy in DRAM: every byte is read and written."""
    return round(config.dma_startup + config.dram_latency + 2 * nbytes / config.dram_bytes_per_cycle)
