"""gpu-bufferize: a kernel on tensors becomes parallel loops over memrefs: the path that takes any linalg op."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.kernel_module import is_lowered, kernels, run_pipeline, set_launch
from accelc.passes.lowering.bufferize import bufferize
from accelc.passes.lowering.expand_math import expand_math

_LOOPS = "convert-linalg-to-parallel-loops,canonicalize,cse"


@register_pass
@dataclass(frozen=True)
class GpuBufferize(Pass):
    """Bufferizes kernels, and turns their ops into `scf.parallel` nests, reductions being loops inside.

    A kernel then takes its inputs, its outputs, and a workspace in device memory.
    """

    name: ClassVar[str] = "gpu-bufferize"
    summary: ClassVar[str] = "lower kernels on tensors to parallel loops over memrefs"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module`` that is still on tensors."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                if not is_lowered(kernel):
                    expand_math(kernel)
                    workspace_bytes = bufferize(kernel)
                    run_pipeline(kernel, _LOOPS)
                    set_launch(kernel, 1, workspace_bytes)
