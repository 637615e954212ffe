"""GPU descriptions: what `[gpu]` holds, and the machines that ship."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from accelc.core.machine import Bytes, MachineFamily, PositiveInt, Schema, Time


class GpuSection(Schema):
    """What only GPUs have.

    arch: the code generator's architecture (``sm_90a``). sms: streaming multiprocessors.
    warp_schedulers, registers (32-bit), max_threads: of one SM. launch_overhead: s from the end of one kernel to the
    start of the next in a stream. gemm_tiles: (m, n) output tiles that one SM computes.
    """

    arch: str = Field(pattern=r"^sm_\d+[af]?$")
    sms: PositiveInt
    warp_schedulers: PositiveInt
    registers: PositiveInt
    max_threads: PositiveInt
    max_threads_per_block: PositiveInt
    max_shared_per_block: Bytes
    launch_overhead: Time
    gemm_tiles: tuple[tuple[PositiveInt, PositiveInt], ...] = Field(min_length=1)

    @property
    def cores(self) -> int:
        """SMs are the cores that core-scope levels belong to."""
        return self.sms


GPUS = MachineFamily("gpu", GpuSection, Path(__file__).parent / "machines")
