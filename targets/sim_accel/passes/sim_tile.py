"""The pass `sim-tile`: kernels on tensors become loops over tiles in the scratchpad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.cost.analysis import kernel_work
from accelc.mlir import ir
from accelc.passes.graph import kernels_of
from accelc.targets.sim_accel.codegen.tile_kernel import tile_kernel
from accelc.targets.sim_accel.limits import limits_of


@register_pass
@dataclass(frozen=True)
class SimTile(Pass):
    """Tiles and fuses each kernel for the scratchpad of a machine.

    Each nest computes one result; tile sizes and loop order come from a search over an analytic estimate of cycles.
    What moves is explicit: ``sim_accel.tile_load`` and ``tile_store`` between DRAM memrefs and tiles; tiles are
    computed by `linalg` ops.

    machine: the name of a machine that ships, or the path of its description.
    """

    machine: str = "cloud"

    name = "sim-tile"
    summary = "tile kernels for the scratchpad of a simulated accelerator"
    takes = "kernels"
    requires = frozenset({"linalg"})
    establishes = frozenset({"sim-tiled"})
    invalidates = frozenset({"linalg"})

    def run(self, module: Any, context: PassContext) -> None:
        """Raises UnsupportedError where a kernel cannot be computed on the machine."""
        limits = limits_of(self.machine)
        with module.context, ir.Location.unknown():
            for _, kernel in kernels_of(module):
                if ir.StringAttr(kernel.attributes["accelc.device"]).value == "target":
                    macs = kernel_work(kernel).macs
                    tile_kernel(kernel, limits)
                    count = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), macs)
                    kernel.attributes["sim_accel.macs"] = count
