"""The `sim_accel` dialect: the ISA's instructions as ops, and tile transfers for the `tiled` stage."""

from __future__ import annotations

from typing import Any

from accelc.targets.sim_accel.dialect import transfers as transfers
from accelc.targets.sim_accel.dialect.instructions import BY_NAME as BY_NAME
from accelc.targets.sim_accel.dialect.instructions import SimAccel


def register(context: Any) -> None:
    """Loads the dialect into ``context``."""
    with context:
        SimAccel.load()
