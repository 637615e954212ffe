"""The pass `sim-lower`: tiled kernels become programs of the `sim_accel` dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import dialect, ir
from accelc.passes.graph import kernels_of
from accelc.targets.sim_accel.codegen.memory import place
from accelc.targets.sim_accel.codegen.queues import assign_queues
from accelc.targets.sim_accel.codegen.read_tiled import Reader
from accelc.targets.sim_accel.codegen.select import Selector
from accelc.targets.sim_accel.codegen.sync import synchronize
from accelc.targets.sim_accel.dialect.builder import Builder
from accelc.targets.sim_accel.dialect.syntax import Scalar
from accelc.targets.sim_accel.limits import Limits, limits_of

func = dialect("func")


@register_pass
@dataclass(frozen=True)
class SimLower(Pass):
    """Selects instructions, gives tiles addresses (two copies where a queue runs ahead), and orders the queues.

    machine: the name of a machine that ships, or the path of its description.
    """

    machine: str = "cloud"

    name = "sim-lower"
    summary = "lower tiled kernels to the sim_accel dialect"
    requires = frozenset({"sim-tiled"})
    establishes = frozenset({"sim-program"})

    def run(self, module: Any, context: PassContext) -> None:
        """Raises UnsupportedError where a kernel does not fit the machine."""
        limits = limits_of(self.machine)
        with module.context, ir.Location.unknown():
            for _, kernel in kernels_of(module):
                if ir.StringAttr(kernel.attributes["accelc.device"]).value == "target":
                    lower_kernel(kernel, limits)


def schedule(function: Any, limits: Limits) -> Reader:
    """The schedule of a tiled function, queues assigned and buffers placed. Raises ScratchpadOverflow."""
    reader = Reader(function, limits)
    for segment in reader.segments:
        assign_queues(segment, limits)
        place(segment, limits.config.sp_bytes)
    return reader


def lower_kernel(kernel: Any, limits: Limits) -> None:
    """Replaces a tiled ``@entry`` by its program; notes workspace and matrix format as attributes."""
    old = next(op for op in kernel.regions[0].blocks[0].operations if op.operation.name == "func.func")
    reader = schedule(old.operation, limits)
    arguments = list(old.regions[0].blocks[0].arguments)
    i64 = ir.IntegerType.get_signless(64)
    with ir.InsertionPoint(old):
        new = func.FuncOp("entry", ([i64] * (len(arguments) + bool(reader.workspace)), []))
    block = new.add_entry_block()
    with ir.InsertionPoint(block):
        builder = Builder()
        registers = {a: Scalar(r) for a, r in zip(arguments, block.arguments, strict=False)}
        workspace = Scalar(block.arguments[len(arguments)]) if reader.workspace else 0
        selector = Selector(builder, registers, workspace, limits.side)
        for segment in reader.segments:
            synchronize(segment, last=segment is reader.segments[-1])
            selector.segment(segment)
        builder.op("halt")
        func.ReturnOp([])
    old.operation.erase()
    _note(kernel, reader)


def _note(kernel: Any, reader: Reader) -> None:
    i64 = ir.IntegerType.get_signless(64)
    kernel.attributes["sim_accel.workspace_bytes"] = ir.IntegerAttr.get(i64, reader.workspace)
    if reader.formats:
        kernel.attributes["sim_accel.format"] = ir.StringAttr.get(
            max(sorted(reader.formats), key=reader.formats.__getitem__)
        )
