"""Rewrites a 3x3 convolution in a kernel to Winograd transforms and a contraction, where that pays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import entry
from accelc.targets.host.codegen.panels import Panels
from accelc.targets.host.codegen.tiles import register_tile
from accelc.targets.host.codegen.winograd import PIECE, WINDOW
from accelc.targets.host.cpu import Cpu

# Fewer pieces than this cannot pay for reading filters that are four times larger.
_FEWEST_PIECES = 8
# Fewer channels than this do too little between the transforms.
_FEWEST_CHANNELS = 16


@dataclass(frozen=True)
class WinogradConvolution:
    """A convolution that is to become one. argument: of its filters. panels: their layout after the transform."""

    op: Any
    argument: int
    rows: int
    columns: int
    panels: Panels


def winograd_convolution(kernel: Any, constants: Collection[int], cpu: Cpu) -> WinogradConvolution | None:
    """The kernel's only convolution, if it is 3x3 with stride 1 on f32 and constant filters, and large enough."""
    function = entry(kernel)
    block = function.regions[0].blocks[0]
    found = [op.operation for op in block.operations if op.operation.name == "linalg.conv_2d_nhwc_hwcf"]
    if len(found) != 1:
        return None
    (op,) = found
    if any(set(op.attributes[a]) != {1} for a in ("strides", "dilations")):
        return None
    (_, _, channels, features), out = (ir.RankedTensorType(v.type).shape for v in (op.operands[1], op.result))
    filters = [i for i, a in enumerate(block.arguments) if a == op.operands[1]]
    if not filters or filters[0] not in constants or list(ir.RankedTensorType(op.operands[1].type).shape[:2]) != [3, 3]:
        return None
    if len(list(op.operands[1].uses)) != 1:
        return None
    if any(not isinstance(ir.RankedTensorType(v.type).element_type, ir.F32Type) for v in op.operands):
        return None
    rows, columns = -(-out[1] // PIECE), -(-out[2] // PIECE)
    if min(channels, features) < _FEWEST_CHANNELS or out[0] * rows * columns < _FEWEST_PIECES:
        return None
    tile = register_tile(rows * columns, features, 4, cpu).columns
    panels = Panels(filters[0], (WINDOW, WINDOW, channels, features), (0, 1, 3, 2), 3, tile)
    return WinogradConvolution(op, filters[0], rows, columns, panels)


def rewrite(convolution: WinogradConvolution) -> None:
    """Replaces the convolution; its filters argument must have the packed type already."""
    op = convolution.op
    linalg, tensor = dialect("linalg"), dialect("tensor")
    image, filters, init = op.operands
    f32 = ir.F32Type.get()
    batch, height, width, features = ir.RankedTensorType(op.result.type).shape
    channels = ir.RankedTensorType(image.type).shape[3]
    rows, columns = convolution.rows, convolution.columns
    with ir.InsertionPoint(op), op.location:
        image = _grown(image, rows * PIECE + 2, columns * PIECE + 2)
        pieces = tensor.empty([WINDOW, WINDOW, rows, columns, batch, channels], f32)
        transformed = _transform("linalg.winograd_input_transform", image, pieces)
        spread = unpack(filters, convolution.panels, f32)
        products = tensor.empty([WINDOW, WINDOW, rows, columns, batch, features], f32)
        zero = init.owner.operands[0]
        products = linalg.fill(zero, outs=[products])
        maps = [_map(d) for d in ((0, 1, 2, 3, 4, 6), (0, 1, 6, 5), (0, 1, 2, 3, 4, 5))]
        products = linalg.contract(transformed, spread, outs=[products], indexing_maps=maps)
        whole = tensor.empty([batch, rows * PIECE, columns * PIECE, features], f32)
        whole = _transform("linalg.winograd_output_transform", products, whole)
        result = whole
        if (rows * PIECE, columns * PIECE) != (height, width):
            kind = ir.RankedTensorType.get([batch, height, width, features], f32)
            sizes = [batch, height, width, features]
            result = tensor.extract_slice(kind, whole, [], [], [], [0] * 4, sizes, [1] * 4)
    op.result.replace_all_uses_with(result)
    op.erase()


def unpack(argument: Any, panels: Panels, element: Any) -> Any:
    """What a packed argument means, at the current insertion point."""
    empty = dialect("tensor").empty(list(panels.shape), element)
    return dialect("linalg").unpack(
        argument, empty, inner_dims_pos=[panels.dim], inner_tiles=[panels.tile], outer_dims_perm=list(panels.perm)
    )


def _map(dims: tuple[int, ...]) -> Any:
    return ir.AffineMap.get(7, 0, [ir.AffineDimExpr.get(d) for d in dims])


def _transform(name: str, source: Any, to: Any) -> Any:
    fmr = ir.IntegerAttr.get(ir.IntegerType.get_signless(32), 1)  # F_4_3
    return ir.Operation.create(name, results=[to.type], operands=[source, to], attributes={"fmr": fmr}).result


def _grown(image: Any, height: int, width: int) -> Any:
    """The image padded on to whole pieces: the pad that stands there grows, or one is made."""
    shape = list(ir.RankedTensorType(image.type).shape)
    if shape[1:3] == [height, width]:
        return image
    more = [0, height - shape[1], width - shape[2], 0]
    low, source = [0] * 4, image
    value = ir.FloatAttr.get(ir.F32Type.get(), 0.0)
    owner = image.owner
    if not isinstance(owner, ir.Block) and owner.name == "tensor.pad" and len(owner.operands) == 1:
        low = list(owner.attributes["static_low"])
        more = [m + h for m, h in zip(more, owner.attributes["static_high"], strict=True)]
        source = owner.operands[0]
        (*_, terminator) = owner.regions[0].blocks[0].operations
        value = terminator.operation.operands[0].owner.attributes["value"]
    kind = ir.RankedTensorType.get([shape[0], height, width, shape[3]], ir.F32Type.get())
    pad = ir.Operation.create(
        "tensor.pad",
        results=[kind],
        operands=[source],
        attributes={
            "static_low": ir.DenseI64ArrayAttr.get(low),
            "static_high": ir.DenseI64ArrayAttr.get(more),
            "operandSegmentSizes": ir.DenseI32ArrayAttr.get([1, 0, 0]),
        },
        regions=1,
    )
    block = pad.regions[0].blocks.append(*[ir.IndexType.get()] * 4)
    with ir.InsertionPoint(block):
        zero = dialect("arith").ConstantOp(ir.F32Type.get(), value).result
        dialect("tensor").YieldOp(zero)
    return pad.result
