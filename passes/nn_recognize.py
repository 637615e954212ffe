"""The pass `nn-recognize`: decomposed softmax, norms, activations and attention become one op again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.rewrite import Handler, rewrite_once
from accelc.passes.cleanup import clean
from accelc.passes.constants import Constants
from accelc.passes.graph import main_function
from accelc.passes.recognize.activations import match_product, match_sigmoid
from accelc.passes.recognize.attention import match_attention
from accelc.passes.recognize.norms import match_log_softmax, match_norm, match_softmax


@register_pass
@dataclass(frozen=True)
class NnRecognize(Pass):
    """Finds what exporters take apart: softmax, log_softmax, layer_norm, rms_norm, gelu (both forms), silu, sigmoid,
    attention.

    Patterns are those of torch's exporters after `nn-simplify`.
    """

    name = "nn-recognize"
    summary = "recognize decomposed softmax, norms, activations and attention"
    takes = "nn"
    requires = frozenset({"simplified"})
    establishes = frozenset({"recognized"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main``."""
        main = main_function(module)
        if main is None:
            return
        constants = Constants(context.store)
        norm: Handler = lambda op, rw: match_norm(op, rw, constants)  # noqa: E731
        rewrite_once(main, {"nn.div": match_sigmoid, "nn.reciprocal": match_sigmoid})
        rewrite_once(main, {"nn.div": lambda op, rw: match_softmax(op, rw) or norm(op, rw), "nn.mul": norm})
        rewrite_once(main, {"nn.mul": match_product, "nn.log": match_log_softmax})
        rewrite_once(main, {"nn.contract": lambda op, rw: match_attention(op, rw, constants)})
        clean(module)
