"""The pass `nn-place`: what the target cannot do runs on the host, and says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.graph import body_of, main_function, name_of
from accelc.passes.op_kinds import CONSTANTS, VIEWS


@register_pass
@dataclass(frozen=True)
class NnPlace(Pass):
    """Sets ``device = "host"`` on ops that the target does not support.

    Options:
        unsupported: names of ops (``topk``), with an element type of an operand or result if only that is unsupported
            (``contract:f64``), or an element type for any op (``*:f64``).
    """

    unsupported: tuple[str, ...] = ()

    name = "nn-place"
    summary = "place on the host what the target cannot do"
    takes = "nn"
    establishes = frozenset({"placed"})
    invalidates = frozenset({"fused"})

    def run(self, module: Any, context: PassContext) -> None:
        """Marks the ops of ``@main``."""
        main = main_function(module)
        if main is None or not self.unsupported:
            return
        names = frozenset(self.unsupported)
        host = ir.StringAttr.get("host", context=module.context)
        for op in body_of(main).operations:
            name = name_of(op)
            if name in CONSTANTS or name in VIEWS or not op.operation.name.startswith("nn."):
                continue
            if name in names or not names.isdisjoint(_typed_names(op, name)):
                op.operation.attributes["device"] = host


def _typed_names(op: Any, name: str) -> set[str]:
    values = [*op.operation.operands, *op.operation.results]
    types = {str(v.type.element_type) for v in values}
    return {f"{who}:{t}" for t in types for who in (name, "*")}
