"""Which constant operand of a kernel should come in panels, and what those look like."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from accelc.targets.host.codegen.contraction import ContractionWriter
from accelc.targets.host.codegen.contraction_shape import (
    contraction,
    find_core,
    is_contraction,
    operands_to_place,
)
from accelc.targets.host.codegen.evaluate import Memory
from accelc.targets.host.codegen.kernel_writer import KernelWriter
from accelc.targets.host.codegen.reader import Argument, Kernel, NotTileable
from accelc.targets.host.cpu import Cpu


@dataclass(frozen=True)
class Panels:
    """Argument ``argument`` cut along ``dim`` into tiles; outer dimensions in the order ``perm``, the tile innermost.

    shape: the argument's shape before.
    """

    argument: int
    shape: tuple[int, ...]
    perm: tuple[int, ...]
    dim: int
    tile: int

    @property
    def packed_shape(self) -> tuple[int, ...]:
        """The shape of the packed argument: panels are padded with zeros."""
        outer = [-(-self.shape[d] // self.tile) if d == self.dim else self.shape[d] for d in self.perm]
        return (*outer, self.tile)


def panels_for(kernel: Kernel, constants: Collection[int], cpu: Cpu) -> Panels | None:
    """The layout for the constant operand of the kernel's contraction, or None where there is none.

    constants: the arguments that are constants at every launch.
    """
    if any(math.prod(a.shape) == 0 for a in kernel.arguments):
        return None
    try:
        kw = KernelWriter(kernel, cpu)
        core, _, _ = find_core(kernel, kw.evaluator)
        if not is_contraction(core):
            return None
        for tensor in operands_to_place(core, kw.evaluator):
            kw.evaluator.memory[tensor] = Memory("", math.prod(tensor.shape), tensor.element)
        return _panels(ContractionWriter(kw, contraction(kernel, kw.evaluator)), constants)
    except NotTileable:
        return None


def _panels(writer: ContractionWriter, constants: Collection[int]) -> Panels | None:
    shape = writer.shape
    tensor = shape.core.op.inputs[shape.b]
    if not isinstance(tensor, Argument) or tensor.position not in constants:
        return None
    names = [e.terms[0][0] if e.terms else "" for e in shape.core.op.maps[shape.b]]
    if any(len(e.terms) > 1 or e.const for e in shape.core.op.maps[shape.b]):
        return None
    column = shape.columns[-1].name
    perm = (*_of(names, [d.name for d in shape.batch]), *_of(names, [d.name for d in shape.columns]))
    rest = tuple(d for d in range(len(names)) if d not in perm)
    return Panels(tensor.position, tensor.shape, (*perm, *rest), names.index(column), writer.tile.columns)


def _of(names: list[str], wanted: list[str]) -> list[int]:
    return [names.index(n) for n in wanted if n in names]
