"""The graph pipeline as data: from `nn` to `kernels`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from accelc.core.pass_ import Pass
from accelc.passes.nn_decompose import NnDecompose
from accelc.passes.nn_demote import NnDemote
from accelc.passes.nn_fold import NnFold
from accelc.passes.nn_fold_norms import NnFoldNorms
from accelc.passes.nn_fuse import NnFuse
from accelc.passes.nn_infer_shapes import NnInferShapes
from accelc.passes.nn_layout import NnLayout
from accelc.passes.nn_outline import NnOutline
from accelc.passes.nn_place import NnPlace
from accelc.passes.nn_recognize import NnRecognize
from accelc.passes.nn_simplify import NnSimplify
from accelc.passes.nn_to_linalg import NnToLinalg
from accelc.passes.plan_memory import PlanMemory


@dataclass(frozen=True)
class GraphOptions:
    """What a target asks of the graph passes.

    layout: ``nhwc`` or ``nchw`` for convolutions and pools.
    demote: the format that values between kernels are stored in (``bf16``, ``f16``), or "" for as the model says.
    unsupported: names of `nn` ops (without ``nn.``) that run on the host instead, as of `NnPlace`.
    dims: a size for each symbolic dimension.
    """

    layout: Literal["nhwc", "nchw"] = "nhwc"
    demote: Literal["", "bf16", "f16"] = ""
    unsupported: tuple[str, ...] = ()
    dims: tuple[tuple[str, int], ...] = ()


def graph_passes(options: GraphOptions = GraphOptions()) -> tuple[Pass, ...]:
    """The passes in order. Why each stands where it does is in its ``requires`` and ``establishes``."""
    demotion: tuple[Pass, ...] = (NnDemote(format=options.demote),) if options.demote else ()
    return (
        NnInferShapes(dims=dict(options.dims)),
        NnFold(),
        NnSimplify(),
        NnRecognize(),
        NnFoldNorms(),
        NnLayout(layout=options.layout),
        NnDecompose(),
        NnFold(),
        NnSimplify(),
        NnPlace(unsupported=options.unsupported),
        NnFuse(),
        *demotion,
        NnOutline(),
        NnToLinalg(),
        PlanMemory(),
    )
