"""host-tile: kernels of linalg on tensors become `vector` code over flat memrefs, tiled for the CPU's registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.diagnostics import InternalError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.kernel_module import (
    VECTORIZED,
    entry,
    is_lowered,
    kernels,
    name_of,
    run_pipeline,
    set_launch,
)
from accelc.targets.host.codegen.families import write_kernel
from accelc.targets.host.codegen.kernel_writer import Tiled
from accelc.targets.host.codegen.reader import NotTileable, read
from accelc.targets.host.cpu import cpu


@register_pass
@dataclass(frozen=True)
class HostTile(Pass):
    """Tiles and vectorizes kernels, with everything between a kernel's loads and stores in registers or the workspace.

    The entry's arguments become flat memrefs (``i1`` as bytes), then the workspace and the range of tiles to compute.
    A kernel that no family writes stays on tensors, for `host-bufferize`. On a CPU without fused multiply-adds, those
    become a multiplication and an addition (as `math` ops they would be a library call an element).

    machine: the CPU that tiles are for, as written after ``host:``.
    """

    name: ClassVar[str] = "host-tile"
    summary: ClassVar[str] = "tile and vectorize kernels: linalg on tensors to vector code over flat memrefs"

    machine: str = "native"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module`` that a family can write."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                if not is_lowered(kernel):
                    self._tile(kernel)
                    if not cpu(self.machine).fuses:
                        _split_fmas(kernel)

    def _tile(self, kernel: Any) -> None:
        run_pipeline(kernel, "linalg-generalize-named-ops")
        try:
            tiled = write_kernel(read(entry(kernel)), cpu(self.machine))
        except NotTileable:
            return
        _replace(kernel, tiled)


def _replace(kernel: Any, tiled: Tiled) -> None:
    function = entry(kernel)
    try:
        written = ir.Module.parse(tiled.text)
    except ir.MLIRError as error:
        raise InternalError(f"kernel '{name_of(kernel)}' was tiled into invalid code: {error}") from None
    written.body.operations[0].operation.clone(ip=ir.InsertionPoint(function))
    function.erase()
    kernel.attributes[VECTORIZED] = ir.UnitAttr.get()
    set_launch(kernel, tiled.tiles, tiled.workspace_bytes)


def _split_fmas(kernel: Any) -> None:
    found: list[Any] = []

    def visit(op: Any) -> Any:
        if op.name == "math.fma":
            found.append(op)
        return ir.WalkResult.ADVANCE

    kernel.walk(visit)
    for op in found:
        a, b, c = op.operands
        with ir.InsertionPoint(op):
            product = ir.Operation.create("arith.mulf", results=[a.type], operands=[a, b]).result
            total = ir.Operation.create("arith.addf", results=[a.type], operands=[product, c]).result
        op.result.replace_all_uses_with(total)
        op.erase()
