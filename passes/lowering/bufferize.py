"""From a kernel on tensors to one on memrefs: what targets share of bufferization."""

from __future__ import annotations

import math
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import align, entry, name_of, num_outputs, run_pipeline

_BUFFERIZE = "eliminate-empty-tensors,one-shot-bufferize,canonicalize,cse"


def bufferize(kernel: Any) -> int:
    """Turns a kernel module's tensors into memrefs, in place; returns the bytes of its workspace.

    The entry then takes inputs, outputs and the workspace (a memref of bytes), in which all that it allocated lies;
    copies are `linalg.copy`, since a `memref.copy` of strided memrefs calls into a library that is not there.

    Raises UnsupportedError where an argument's shape is not static.
    """
    function = entry(kernel)
    _decompose_concats(function)
    _arguments_to_memrefs(function, name_of(kernel))
    run_pipeline(kernel, _BUFFERIZE)
    function = entry(kernel)
    workspace_bytes = _allocs_to_workspace(function)
    _copies_to_linalg(function)
    return workspace_bytes


def _decompose_concats(function: Any) -> None:
    """Replaces each `tensor.concat` by slices inserted into an empty tensor."""
    tensor = dialect("tensor")
    for op in _ops(function, "tensor.concat"):
        result = op.results[0]
        shape = ir.RankedTensorType(result.type)
        axis = ir.IntegerAttr(op.attributes["dim"]).value
        with ir.InsertionPoint(op):
            value = tensor.empty(shape.shape, shape.element_type)
            at = 0
            for operand in op.operands:
                sizes = list(ir.RankedTensorType(operand.type).shape)
                offsets = [0] * len(sizes)
                offsets[axis] = at
                at += sizes[axis]
                value = tensor.insert_slice(operand, value, [], [], [], offsets, sizes, [1] * len(sizes))
        result.replace_all_uses_with(value)
        op.erase()


def _arguments_to_memrefs(function: Any, name: str) -> None:
    """Turns tensor arguments into memrefs, and results into copies into the output arguments."""
    bufferization = dialect("bufferization")
    block = function.regions[0].blocks[0]
    outputs = num_outputs(function)
    arguments = list(block.arguments)
    terminator = list(block.operations)[-1].operation
    memrefs = []
    with ir.InsertionPoint.at_block_begin(block):
        for i, argument in enumerate(arguments):
            tensor_type = ir.RankedTensorType(argument.type)
            if not tensor_type.has_static_shape:
                raise UnsupportedError(f"kernel '{name}' has an argument of type {tensor_type}; shapes must be static")
            memref = _add_memref(block, ir.MemRefType.get(tensor_type.shape, tensor_type.element_type))
            writable = i >= len(arguments) - outputs
            value = bufferization.to_tensor(argument.type, memref, restrict=True, writable=writable)
            argument.replace_all_uses_with(value)
            memrefs.append(memref)
    with ir.InsertionPoint(terminator):
        for result, memref in zip(terminator.operands, memrefs[len(memrefs) - outputs :], strict=True):
            bufferization.materialize_in_destination(None, result, memref, restrict=True, writable=True)
        dialect("func").ReturnOp([])
    terminator.erase()
    for _ in arguments:
        block.erase_argument(0)
    for attribute in ("arg_attrs", "res_attrs"):
        if attribute in function.attributes:
            del function.attributes[attribute]
    set_argument_types(function)


def _add_memref(block: Any, kind: Any) -> Any:
    """Adds an argument of type ``kind``. An empty one views bytes: MLIR has no bare pointer to an empty memref."""
    location = ir.Location.unknown()
    if math.prod(kind.shape):
        return block.add_argument(kind, location)
    some = block.add_argument(ir.MemRefType.get([1], ir.IntegerType.get_signless(8)), location)
    return dialect("memref").view(kind, some, dialect("arith").constant(ir.IndexType.get(), 0), [])


def set_argument_types(function: Any) -> None:
    """Makes the type of a function without results that of its block's arguments."""
    types = [a.type for a in function.regions[0].blocks[0].arguments]
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, []))


def _allocs_to_workspace(function: Any) -> int:
    """Adds the argument workspace, places every allocation in it, and returns its size in bytes."""
    memref = dialect("memref")
    block = function.regions[0].blocks[0]
    allocs = [(op, ir.MemRefType(op.results[0].type)) for op in _ops(function, "memref.alloc")]
    sizes = [align(math.prod(t.shape) * _element_bytes(t.element_type)) for _, t in allocs]
    # Static, since a bare pointer carries no size; never empty, which no memref of bytes needs to be.
    workspace_type = ir.MemRefType.get([max(sum(sizes), 1)], ir.IntegerType.get_signless(8))
    workspace = block.add_argument(workspace_type, ir.Location.unknown())
    set_argument_types(function)
    at = 0
    with ir.InsertionPoint.at_block_begin(block):
        for (op, shape), size in zip(allocs, sizes, strict=True):
            offset = dialect("arith").constant(ir.IndexType.get(), at)
            plain = ir.MemRefType.get(shape.shape, shape.element_type)
            op.results[0].replace_all_uses_with(memref.view(plain, workspace, offset, []))
            op.erase()
            at += size
    for op in _ops(function, "memref.dealloc"):
        op.erase()
    return at


def _element_bytes(element_type: Any) -> int:
    if isinstance(element_type, ir.IndexType):
        return 8
    if isinstance(element_type, ir.ComplexType):
        return 2 * _element_bytes(element_type.element_type)
    width: int = element_type.width
    return -(-width // 8)


def _copies_to_linalg(function: Any) -> None:
    for op in _ops(function, "memref.copy"):
        with ir.InsertionPoint(op):
            dialect("linalg").copy(op.operands[0], outs=[op.operands[1]])
        op.erase()


def _ops(function: Any, name: str) -> list[Any]:
    """All ops called ``name`` in ``function``, in order, as a list that stays valid while they are erased."""
    found: list[Any] = []

    def visit(op: Any) -> Any:
        if op.name == name:
            found.append(op)
        return ir.WalkResult.ADVANCE

    function.walk(visit)
    return found
