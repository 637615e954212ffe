"""The pass `nn-simplify`: algebra on the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.rewrite import Handler, rewrite_greedily
from accelc.passes.cleanup import clean
from accelc.passes.graph import main_function
from accelc.passes.simplify import arithmetic, contraction, movement


@register_pass
@dataclass(frozen=True)
class NnSimplify(Pass):
    """Removes what does nothing, and moves transposes, broadcasts and pads into the ops that can do them for free.

    Every rewrite is exact, or differs by the rounding of one operation. Handlers by op are in
    `accelc.passes.simplify`.
    """

    name = "nn-simplify"
    summary = "simplify the graph algebraically"
    takes = "nn"
    establishes = frozenset({"simplified"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main`` until nothing changes."""
        main = main_function(module)
        if main is None:
            return
        clean(module)
        with module.context:
            rewrite_greedily(main, HANDLERS)
        clean(module)


HANDLERS: dict[str, Handler] = {
    f"nn.{name}": handler
    for table in (movement.HANDLERS, arithmetic.HANDLERS, contraction.HANDLERS)
    for name, handler in table.items()
}
