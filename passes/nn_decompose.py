"""The pass `nn-decompose`: ops without a kernel of their own become smaller ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.rewrite import Rewriter, rewrite_once
from accelc.passes.constants import Constants
from accelc.passes.decompose.attention import decompose_attention
from accelc.passes.decompose.resize import decompose_resize
from accelc.passes.graph import main_function, name_of

Decomposition = Callable[[Any, Constants], Any]

DECOMPOSITIONS: dict[str, Decomposition] = {"attention": decompose_attention, "resize": decompose_resize}


@register_pass
@dataclass(frozen=True)
class NnDecompose(Pass):
    """`attention` becomes contraction, softmax, contraction; `resize` becomes gathers and contractions.

    Options:
        keep: names of ops that the target has a kernel for, which stay.
    """

    keep: tuple[str, ...] = ()

    name = "nn-decompose"
    summary = "express ops without a kernel of their own by smaller ones"
    takes = "nn"
    establishes = frozenset({"decomposed"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main``; ops of dynamic shape stay."""
        main = main_function(module)
        if main is None:
            return
        constants = Constants(context.store)

        def handler(op: Any, rw: Rewriter) -> None:
            values = [*op.operation.operands, *op.operation.results]
            if all(v.type.has_static_shape for v in values):
                rw.replace(op, DECOMPOSITIONS[name_of(op)](op, constants))

        rewrite_once(main, {f"nn.{name}": handler for name in DECOMPOSITIONS if name not in self.keep})
