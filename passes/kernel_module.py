"""What every pass on kernels needs of a kernel module: finding kernels, their entry, and their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelc.core.diagnostics import InternalError, InvalidIRError
from accelc.mlir import PassManager, ir

ENTRY = "entry"
TILES = "accelc.tiles"
WORKSPACE_BYTES = "accelc.workspace_bytes"
# Set on kernels whose code LLVM need not vectorize.
VECTORIZED = "host.vectorized"
ALIGNMENT = 64


def kernels(module: Any) -> Iterator[Any]:
    """The kernel modules in ``module`` that run on the target: itself if it holds ``@entry``, else those nested in it.

    Kernels with ``accelc.device = "host"`` in another target's module count too, since then this target compiles them.
    """
    operation = module.operation
    if entry_of(operation) is not None:
        yield operation
        return
    for op in list(operation.regions[0].blocks[0].operations):
        if op.operation.name == "builtin.module" and entry_of(op.operation) is not None:
            yield op.operation


def entry_of(kernel: Any) -> Any | None:
    """The function ``@entry`` of a kernel module (``func.func`` or ``llvm.func``), or None."""
    for op in kernel.regions[0].blocks[0].operations:
        attributes = op.operation.attributes
        if "sym_name" in attributes and ir.StringAttr(attributes["sym_name"]).value == ENTRY:
            return op.operation
    return None


def entry(kernel: Any) -> Any:
    """The function ``@entry``. Raises InvalidIRError where the kernel module has none."""
    found = entry_of(kernel)
    if found is None:
        raise InvalidIRError("a kernel module holds no function @entry")
    return found


def name_of(kernel: Any) -> str:
    """The kernel's name, for messages."""
    attributes = kernel.attributes
    return ir.StringAttr(attributes["sym_name"]).value if "sym_name" in attributes else ENTRY


def num_outputs(function: Any) -> int:
    """How many of the entry's last arguments are outputs."""
    return int(ir.IntegerAttr(function.attributes["accelc.num_outputs"]).value)


def set_launch(kernel: Any, tiles: int, workspace_bytes: int) -> None:
    """Records how a lowered kernel is launched."""
    i64 = ir.IntegerType.get_signless(64)
    kernel.attributes[TILES] = ir.IntegerAttr.get(i64, tiles)
    kernel.attributes[WORKSPACE_BYTES] = ir.IntegerAttr.get(i64, workspace_bytes)


def is_lowered(kernel: Any) -> bool:
    """Whether the kernel is at the `tiled` stage or below already."""
    return TILES in kernel.attributes


def run_pipeline(kernel: Any, pipeline: str) -> None:
    """Runs upstream passes on a kernel module, which is verified once all of ours are done.

    Raises InternalError with the diagnostics where one fails.
    """
    try:
        manager = PassManager.parse(f"builtin.module({pipeline})", kernel.context)
        manager.enable_verifier(False)
        manager.run(kernel)
    except ir.MLIRError as error:
        raise InternalError(f"kernel '{name_of(kernel)}' cannot be lowered: {error}") from None


def align(size: int) -> int:
    """``size`` rounded up to the alignment of buffers."""
    return -(-size // ALIGNMENT) * ALIGNMENT
