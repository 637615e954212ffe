"""host-bufferize: any kernel still on tensors becomes loops over memrefs: the path that takes everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.kernel_module import entry, is_lowered, kernels, run_pipeline, set_launch
from accelc.passes.lowering.bufferize import bufferize, set_argument_types

_LOOPS = "convert-linalg-to-loops,canonicalize,cse"


@register_pass
@dataclass(frozen=True)
class HostBufferize(Pass):
    """Bufferizes the kernels that no earlier pass tiled, and turns their ops into plain loops (one tile each).

    Buffers between ops live in the workspace: `memref.alloc` becomes a view of it.
    """

    name: ClassVar[str] = "host-bufferize"
    summary: ClassVar[str] = "lower the kernels that are still on tensors to loops over memrefs"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module`` that holds no `accelc.tiles` yet."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                if not is_lowered(kernel):
                    _bufferize(kernel)


def _bufferize(kernel: Any) -> None:
    workspace_bytes = bufferize(kernel)
    function = entry(kernel)
    block, index = function.regions[0].blocks[0], ir.IndexType.get()
    block.add_argument(index, ir.Location.unknown())  # begin
    block.add_argument(index, ir.Location.unknown())  # end
    set_argument_types(function)
    run_pipeline(kernel, _LOOPS)
    set_launch(kernel, 1, workspace_bytes)
