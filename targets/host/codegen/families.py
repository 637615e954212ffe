"""The families, in the order in which they are asked whether a kernel is theirs."""

from __future__ import annotations

from collections.abc import Callable

from accelc.targets.host.codegen.contraction import write_contraction
from accelc.targets.host.codegen.finer_output import with_finer_output
from accelc.targets.host.codegen.kernel_writer import Tiled
from accelc.targets.host.codegen.loops import write_loops
from accelc.targets.host.codegen.reader import Kernel, NotTileable
from accelc.targets.host.codegen.winograd import write_winograd
from accelc.targets.host.cpu import Cpu

_FAMILIES: tuple[Callable[[Kernel, Cpu], Tiled], ...] = (write_winograd, write_contraction, write_loops)


def write_kernel(kernel: Kernel, cpu: Cpu) -> Tiled:
    """The kernel as the first family that takes it writes it. Raises NotTileable where none does."""
    kernel = with_finer_output(kernel)
    for write in _FAMILIES:
        try:
            return write(kernel, cpu)
        except NotTileable:
            continue
    raise NotTileable("no family takes the kernel")
