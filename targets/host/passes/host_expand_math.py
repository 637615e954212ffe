"""host-expand-math: elementary functions become polynomials that vectorize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.kernel_module import kernels
from accelc.passes.lowering.expand_math import expand_math


@register_pass
@dataclass(frozen=True)
class HostExpandMath(Pass):
    """Expands `math` ops on f32, scalars or vectors, into arithmetic; on f16 and bf16 they are computed in f32.

    Wider types, and functions without a polynomial here (`sin`, `powf`, ...), stay for libm.
    """

    name: ClassVar[str] = "host-expand-math"
    summary: ClassVar[str] = "expand exp, log, tanh, erf and their kin on f32 into polynomials"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module``."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                expand_math(kernel)
