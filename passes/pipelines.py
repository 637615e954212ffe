"""The graph pipeline as data: from `nn` to `kernels`."""

from __future__ import annotations

from dataclasses import dataclass

from accelc.core.pass_ import Pass
from accelc.passes.nn_decompose import NnDecompose
from accelc.passes.nn_fold import NnFold
from accelc.passes.nn_fuse import NnFuse
from accelc.passes.nn_outline import NnOutline
from accelc.passes.nn_simplify import NnSimplify
from accelc.passes.nn_to_linalg import NnToLinalg
from accelc.passes.plan_memory import PlanMemory


@dataclass(frozen=True)
class GraphOptions:
    """What a target asks of the graph passes.

    layout: ``nhwc`` or ``nchw`` for convolutions and pools.
    demote: the format that values between kernels are stored in (``bf16``, ``f16``), or "" for as the model says.
    unsupported: names of `nn` ops (without ``nn.``) that run on the host instead.
    """

    layout: str = "nhwc"
    demote: str = ""
    unsupported: tuple[str, ...] = ()


def graph_passes(options: GraphOptions = GraphOptions()) -> tuple[Pass, ...]:
    """The passes in order. Why each stands where it does is in its ``requires`` and ``establishes``."""
    return (NnFold(), NnSimplify(), NnDecompose(), NnFold(), NnSimplify(), NnFuse(), NnOutline(), NnToLinalg(), PlanMemory())
