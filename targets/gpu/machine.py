"""GPU descriptions: what `[gpu]` holds, and the machines that ship."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from accelc.core.machine import Bytes, MachineFamily, PositiveInt, Schema, Time

# The architectures that code can be generated for, and the PTX version that is written for each: 8.6, which drivers
# since CUDA 12.7 take, or the first that has the architecture.
PTX_VERSIONS: Mapping[str, int] = {
    **dict.fromkeys(("sm_70", "sm_72", "sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a"), 86),
    **dict.fromkeys(("sm_100", "sm_100a", "sm_101", "sm_101a"), 86),
    **dict.fromkeys(("sm_120", "sm_120a"), 87),
    **dict.fromkeys(("sm_100f", "sm_101f", "sm_103", "sm_103a", "sm_103f", "sm_120f"), 88),
    **dict.fromkeys(("sm_121", "sm_121a", "sm_121f"), 88),
    **dict.fromkeys(("sm_88", "sm_110", "sm_110a", "sm_110f"), 90),
}


def _arch(value: str) -> str:
    if value not in PTX_VERSIONS:
        near = difflib.get_close_matches(value, PTX_VERSIONS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(PTX_VERSIONS)}"
        raise ValueError(f"'{value}' is not an architecture that code is generated for{hint}")
    return value


class GpuSection(Schema):
    """What only GPUs have.

    arch: the code generator's architecture (``sm_90a``), one of `PTX_VERSIONS`. sms: streaming multiprocessors.
    warp_schedulers, registers (32-bit), max_threads: of one SM. launch_overhead: s from the end of one kernel to the
    start of the next in a stream. gemm_tiles: (m, n) output tiles that one SM computes.
    """

    arch: Annotated[str, AfterValidator(_arch)]
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
