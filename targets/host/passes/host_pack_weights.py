"""host-pack-weights: constants take the layout in which the kernels' register tiles read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import accelc.targets.host.packing  # noqa: F401  (registers the store functions)
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.plan import DTYPES
from accelc.core.store import Store
from accelc.dialects.plan import ops as plan
from accelc.mlir import ir
from accelc.passes.kernel_module import entry, kernels, name_of, run_pipeline
from accelc.targets.host.codegen.panels import Panels, panels_for
from accelc.targets.host.codegen.reader import NotTileable, read
from accelc.targets.host.codegen.winograd import write_winograd
from accelc.targets.host.codegen.winograd_form import rewrite, unpack, winograd_convolution
from accelc.targets.host.cpu import Cpu, cpu


@register_pass
@dataclass(frozen=True)
class HostPackWeights(Pass):
    """Packs the constant operand of each contraction into panels of the register tile's width.

    The kernel's argument becomes the packed tensor, which a `linalg.unpack` at its beginning turns back (so the IR says
    what the bytes mean, and `host-tile` reads panels instead); the plan's constants become derived ones.

    machine: the CPU whose tiles count, as written after ``host:``.
    winograd: whether 3x3 convolutions may become `linalg.winograd_*` (their rounding errors are some ten times larger).
    """

    name: ClassVar[str] = "host-pack-weights"
    summary: ClassVar[str] = "lay constant operands of contractions out in panels"

    machine: str = "native"
    winograd: bool = True

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites kernels of ``module``, their launches, and the store's constants that these name."""
        with module.operation.context, ir.Location.unknown():
            launches = _launches(module.operation)
            for kernel in kernels(module):
                packing = _pack(kernel, cpu(self.machine), self.winograd)
                if packing is None:
                    continue
                for launch in launches.get(name_of(kernel), []):
                    _rewrite_launch(launch, packing, context.store)
            _erase_unused(module.operation)


def _launches(module: Any) -> dict[str, list[Any]]:
    """The launches of each kernel, by its name."""
    found: dict[str, list[Any]] = {}

    def visit(op: Any) -> Any:
        if op.name == "plan.launch":
            found.setdefault(op.attributes["kernel"].value[0], []).append(op)
        return ir.WalkResult.ADVANCE

    module.walk(visit)
    return found


@dataclass(frozen=True)
class Packing:
    """What became of a kernel's constant. winograd_shape: of the filters before their transform, if they had one."""

    panels: Panels
    winograd_shape: tuple[int, ...] = ()


def _pack(kernel: Any, machine: Cpu, winograd: bool) -> Packing | None:
    """Rewrites the kernel for its best layout; None where nothing is packed."""
    constants = set(_constants(entry(kernel)))
    if not constants:
        return None
    if winograd and winograd_convolution(kernel, constants, machine) is not None:
        copy = kernel.clone()
        _to_winograd(copy, constants, machine)
        if _is_written(copy, machine):  # or else the epilogue is one that the family does not take
            return _to_winograd(kernel, constants, machine)
    panels = _panels(kernel, constants, machine)
    if panels is None:
        return None
    _rewrite_kernel(kernel, panels)
    return Packing(panels)


def _to_winograd(kernel: Any, constants: set[int], machine: Cpu) -> Packing:
    convolution = winograd_convolution(kernel, constants, machine)
    assert convolution is not None
    function = entry(kernel)
    argument = function.regions[0].blocks[0].arguments[convolution.argument]
    shape = tuple(ir.RankedTensorType(argument.type).shape)
    _set_argument(function, convolution.panels)
    rewrite(convolution)
    return Packing(convolution.panels, shape)


def _is_written(copy: Any, machine: Cpu) -> bool:
    run_pipeline(copy, "canonicalize,linalg-generalize-named-ops")
    try:
        write_winograd(read(entry(copy)), machine)
    except NotTileable:
        return False
    return True


def _panels(kernel: Any, constants: set[int], machine: Cpu) -> Panels | None:
    copy = kernel.clone()  # the analysis reads generalized ops; the kernel keeps its named ones
    run_pipeline(copy, "linalg-generalize-named-ops")
    try:
        return panels_for(read(entry(copy)), constants, machine)
    except NotTileable:
        return None


def _constants(function: Any) -> Iterator[int]:
    if "arg_attrs" in function.attributes:
        for i, attributes in enumerate(ir.ArrayAttr(function.attributes["arg_attrs"])):
            if "accelc.constant" in attributes:
                yield i


def _set_argument(function: Any, panels: Panels) -> Any:
    """Gives the argument its packed type."""
    argument = function.regions[0].blocks[0].arguments[panels.argument]
    packed = ir.RankedTensorType.get(panels.packed_shape, ir.RankedTensorType(argument.type).element_type)
    argument.set_type(packed)
    signature = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    inputs = [packed if i == panels.argument else t for i, t in enumerate(signature.inputs)]
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(inputs, signature.results))
    return argument


def _rewrite_kernel(kernel: Any, panels: Panels) -> None:
    """Packs the argument, and unpacks it where the kernel begins."""
    argument = _set_argument(entry(kernel), panels)
    with ir.InsertionPoint.at_block_begin(argument.owner):
        unpacked = unpack(argument, panels, ir.RankedTensorType(argument.type).element_type)
    argument.replace_all_uses_except(unpacked, unpacked.owner.operation)


def _rewrite_launch(launch: Any, packing: Packing, store: Store) -> None:
    panels = packing.panels
    operands = list(launch.operands)
    operand = operands[panels.argument]
    source = operand
    while source.owner.name == "plan.view":
        source = source.owner.operands[0]
    ref = ir.StringAttr(source.owner.attributes["ref"]).value
    element = ir.MemRefType(operand.type).element_type
    if packing.winograd_shape:
        ref = store.derive(
            "host-winograd-filters", [ref], panels.shape, np.dtype(np.float32), shape=list(packing.winograd_shape)
        )
    packed = store.derive(
        "host-pack-panels",
        [ref],
        panels.packed_shape,
        DTYPES[str(element)],
        shape=list(panels.shape),
        perm=list(panels.perm),
        dim=panels.dim,
        tile=panels.tile,
    )
    with ir.InsertionPoint(source.owner), source.owner.location:
        constant = ir.Operation.create(
            "plan.constant",
            results=[ir.MemRefType.get(panels.packed_shape, element)],
            attributes={"ref": ir.StringAttr.get(packed)},
        )
    operands[panels.argument] = constant.result
    plan.LaunchOp.set_operands(launch.opview, operands)


def _erase_unused(module: Any) -> None:
    """Erases views and constants that no launch reads any more."""
    unused: list[Any] = []

    def visit(op: Any) -> Any:
        if op.name in ("plan.constant", "plan.view"):
            unused.append(op)
        return ir.WalkResult.ADVANCE

    module.walk(visit)
    for op in reversed(unused):
        if not list(op.result.uses):
            op.erase()
