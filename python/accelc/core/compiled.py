"""A compiled model in memory: what the driver makes, the artifact stores, and the runtime runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accelc.core.plan import Plan
from accelc.core.target import KernelCode


@dataclass(frozen=True)
class CompiledModel:
    """A model compiled for one target.

    machine: the resolved machine description as JSON.
    code: kernels by name, the host's among them where work was placed there (`meta["device"] == "host"`).
    constants: arrays by the names that the plan's buffers use.
    stats: figures of the compilation, such as ``compile_s`` (seconds) or ``native_mac_fraction``.
    """

    target: str
    machine: Mapping[str, Any]
    options: Mapping[str, Any]
    plan: Plan
    code: Mapping[str, KernelCode]
    constants: Mapping[str, np.ndarray[Any, Any]]
    stats: Mapping[str, Any] = field(default_factory=dict)
