"""The pass `nn-layout`: convolutions and pools in the layout that the target wants, transposes moved out of the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.passes.cleanup import clean
from accelc.passes.graph import main_function
from accelc.passes.layout.propagate import propagate


@register_pass
@dataclass(frozen=True)
class NnLayout(Pass):
    """Makes transposes lazy: an op that can work on the permuted value does; only where one cannot is a transpose made.

    With ``layout=nhwc``, convolutions, pools, resampling and normalization work channels-last, and filters become HWIO
    in the store. Elementwise ops, concat, pad, slice, reduce and softmax follow their operands; a reshape follows where
    it splits or merges dimensions that lie next to each other; a contraction takes the permutation into its spec. The
    model's inputs and outputs keep their layout.

    Options:
        layout: ``nhwc``, or ``nchw`` to move the transposes of the model only.
    """

    layout: Literal["nhwc", "nchw"] = "nhwc"

    name = "nn-layout"
    summary = "channels last, and transposes moved and cancelled"
    takes = "nn"
    requires = frozenset({"simplified"})
    establishes = frozenset({"layout"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main``."""
        main = main_function(module)
        if main is not None:
            propagate(main, context.store, channels_last=self.layout == "nhwc")
            clean(module)
