"""host-pack-weights: constants take the layout in which the kernels' register tiles read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import accelc.targets.host.packing  # noqa: F401  (registers the store functions)
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.plan import DTYPES
from accelc.core.store import Store
from accelc.dialects.plan import ops as plan
from accelc.mlir import dialect, ir
from accelc.targets.host.codegen.panels import Panels, panels_for
from accelc.targets.host.codegen.reader import NotTileable, read
from accelc.targets.host.cpu import Cpu, cpu
from accelc.targets.host.kernel_module import entry, kernels, name_of, run_pipeline


@register_pass
@dataclass(frozen=True)
class HostPackWeights(Pass):
    """Packs the constant operand of each contraction into panels of the register tile's width.

    The kernel's argument becomes the packed tensor, which a `linalg.unpack` at its beginning turns back (so the IR says
    what the bytes mean, and `host-tile` reads panels instead); the plan's constants become derived ones.

    machine: the CPU whose tiles count, as written after ``host:``.
    """

    name: ClassVar[str] = "host-pack-weights"
    summary: ClassVar[str] = "lay constant operands of contractions out in panels"

    machine: str = "native"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites kernels of ``module``, their launches, and the store's constants that these name."""
        with module.operation.context, ir.Location.unknown():
            launches = _launches(module.operation)
            for kernel in kernels(module):
                panels = _panels(kernel, cpu(self.machine))
                if panels is None:
                    continue
                _rewrite_kernel(kernel, panels)
                for launch in launches.get(name_of(kernel), []):
                    _rewrite_launch(launch, panels, context.store)
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


def _panels(kernel: Any, machine: Cpu) -> Panels | None:
    constants = set(_constants(entry(kernel)))
    if not constants:
        return None
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


def _rewrite_kernel(kernel: Any, panels: Panels) -> None:
    """Gives the argument its packed type, and unpacks it where the kernel begins."""
    function = entry(kernel)
    block = function.regions[0].blocks[0]
    argument = block.arguments[panels.argument]
    tensor_type = ir.RankedTensorType(argument.type)
    packed = ir.RankedTensorType.get(panels.packed_shape, tensor_type.element_type)
    with ir.InsertionPoint.at_block_begin(block):
        empty = dialect("tensor").empty(tensor_type.shape, tensor_type.element_type)
        unpacked = dialect("linalg").unpack(
            argument, empty, inner_dims_pos=[panels.dim], inner_tiles=[panels.tile], outer_dims_perm=list(panels.perm)
        )
    argument.replace_all_uses_except(unpacked, unpacked.owner.operation)
    argument.set_type(packed)
    signature = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    inputs = [packed if i == panels.argument else t for i, t in enumerate(signature.inputs)]
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(inputs, signature.results))


def _rewrite_launch(launch: Any, panels: Panels, store: Store) -> None:
    operands = list(launch.operands)
    operand = operands[panels.argument]
    source = operand
    while source.owner.name == "plan.view":
        source = source.owner.operands[0]
    ref = ir.StringAttr(source.owner.attributes["ref"]).value
    element = ir.MemRefType(operand.type).element_type
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
