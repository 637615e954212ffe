"""Reductions over given axes."""

from __future__ import annotations

from collections.abc import Sequence

from accelc.dialects.nn.fields import Ints, Out, Str, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import fail, need_axes, need_one_of
from accelc.dialects.nn.types import TensorType

KINDS = ("sum", "mean", "max", "min", "prod")


class Reduce(NNOp, name="reduce"):
    """Combines all elements along ``axes`` (increasing), which are removed: kind sum, mean, max, min or prod.

    f16, bf16 and fp8 accumulate in f32 and round once; integers wrap, and their mean truncates toward zero. NaN wins
    in max and min. Over no elements: 0, NaN, the lowest and the highest value of the type, 1. Bools (i1) have max and
    min only. ONNX: ReduceSum, ReduceMean, ... linalg: reduce.
    """

    x: Tensor
    result: Out
    kind: Str
    axes: Ints

    @staticmethod
    def infer(x: TensorType, *, kind: str, axes: Sequence[int]) -> TensorType:
        """Result types."""
        need_one_of(kind, KINDS, "kind")
        need_axes(axes, x.rank)
        if x.dtype == "i1" and kind not in ("max", "min"):
            fail(f"has no {kind} of bools: {x}")
        return TensorType(tuple([s for i, s in enumerate(x.shape) if i not in axes]), x.dtype)
