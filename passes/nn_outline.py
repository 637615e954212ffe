"""The pass `nn-outline`: fusions become kernel modules, ``@main`` becomes a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.store import Store
from accelc.dialects import nn, plan
from accelc.mlir import dialect, ir
from accelc.passes.graph import body_of, defining, device_of, main_function, node_of, provenance

func = dialect("func")

Value = Any
Operation = Any

# Ops that only name the same bytes with another shape.
VIEWS = frozenset({"nn.reshape", "nn.assume_dim"})


@register_pass
@dataclass(frozen=True)
class NnOutline(Pass):
    """Cuts every `nn.fusion`, and every op outside of one, into a kernel module of its own; equal kernels become one.

    What is left of ``@main`` is a plan over memrefs: constants, allocations, views and launches. Kernels still hold
    `nn` ops, in destination-passing style: inputs, then an argument for each output.
    """

    name = "nn-outline"
    summary = "cut the graph into kernel modules and a plan"
    takes = "nn"
    requires = frozenset({"static-shapes"})
    establishes = frozenset({"kernels-outlined"})

    def run(self, module: Any, context: PassContext) -> None:
        """Raises UnsupportedError for shapes that are still dynamic."""
        main = main_function(module)
        if main is not None:
            with module.context, ir.Location.unknown():
                _Outliner(module, main, context.store).run()


class _Outliner:
    def __init__(self, module: Operation, main: Operation, store: Store) -> None:
        self.main = main
        self.store = store
        self.buffers: dict[Value, Value] = {}
        self.kernels: dict[str, tuple[str, Operation]] = {}
        # For each kernel, whether each input was a constant in every launch so far.
        self.constant_inputs: dict[str, list[bool]] = {}
        with module.context:
            self.symbols = _taken_symbols(module)

    def run(self) -> None:
        """Builds the new main, then drops the old one."""
        returned = list(_terminator(body_of(self.main)).operation.operands)
        _check_static(self.main, returned)
        with self.main.context, self.main.operation.location, ir.InsertionPoint(self.main):
            self.new = self._new_main(returned)
        block = body_of(self.new)
        with ir.InsertionPoint(block):
            direct = self._bind_outputs(returned, list(block.arguments)[-len(returned) :] if returned else [])
            for op in list(body_of(self.main).operations):
                with op.operation.location:
                    self._visit(op)
            for value, destination in direct:
                plan.CopyOp(self.buffers[value], destination)
            func.ReturnOp([])
        self.main.operation.erase()
        self._mark_constants()

    # main ------------------------------------------------------------------------------------------------------

    def _new_main(self, returned: Sequence[Value]) -> Operation:
        arguments = list(body_of(self.main).arguments)
        types = [plan.memref_of(v.type) for v in [*arguments, *returned]]
        attributes = self.main.operation.attributes
        new = func.FuncOp(attributes["sym_name"].value, (types, []))
        new.attributes["plan.num_outputs"] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), len(returned))
        none = ir.DictAttr.get({})
        ins = list(self.main.arg_attrs) if "arg_attrs" in attributes else [none] * len(arguments)
        outs = list(attributes["res_attrs"]) if "res_attrs" in attributes else [none] * len(returned)
        new.arg_attrs = [*ins, *outs]
        block = new.add_entry_block()
        for old, buffer in zip(arguments, block.arguments, strict=False):
            self.buffers[old] = buffer
        return new

    def _bind_outputs(self, returned: Sequence[Value], outputs: Sequence[Value]) -> list[tuple[Value, Value]]:
        """Lets kernels write model outputs in place; returns those that need a copy instead."""
        copies = []
        for value, output in zip(returned, outputs, strict=True):
            root = value
            while (op := defining(root)) is not None and op.operation.name in VIEWS:
                root = op.operation.operands[0]
            op = defining(root, "constant", "weight")
            if isinstance(root.owner, ir.Block) or op is not None or root in self.buffers:
                copies.append((value, output))
            else:
                self.buffers[root] = _view(output, plan.memref_of(root.type))
        return copies

    def _visit(self, op: Operation) -> None:
        name = op.operation.name
        if name == "func.return":
            return
        results = list(op.operation.results)
        if name == "nn.weight":
            self.buffers[results[0]] = _constant(results[0].type, op.ref)
        elif name == "nn.constant":
            # Scalars and splats are part of the kernels that use them; `_Kernel` clones them.
            if any(not _takes_constants(use.owner) or not _is_splat(op) for use in results[0].uses):
                self.buffers[results[0]] = _constant(results[0].type, self._stored(op))
        elif name in VIEWS:
            source = self.buffers[op.operation.operands[0]]
            self.buffers[results[0]] = _view(source, plan.memref_of(results[0].type))
        else:
            self._launch(op, results)

    def _stored(self, op: Operation) -> str:
        array = nn.attrs(op)["value"]
        digest = hashlib.sha256(repr((array.shape, str(array.dtype))).encode() + array.tobytes()).hexdigest()[:16]
        name = f"nn.constant.{digest}"
        return name if name in self.store else self.store.add(name, np.ascontiguousarray(array))

    # kernels -----------------------------------------------------------------------------------------------------

    def _launch(self, op: Operation, results: Sequence[Value]) -> None:
        for value in results:
            if value not in self.buffers:
                self.buffers[value] = plan.AllocOp(plan.memref_of(value.type)).buffer
        location = _provenance_of(op)
        outs = [self.buffers[v] for v in results]
        kernel, operands = _make_kernel(op, self.new)
        ins = [self.buffers[v] for v in operands]
        symbol = self._intern(kernel)
        with location:
            plan.LaunchOp.make(ins, outs, ir.SymbolRefAttr.get([symbol, "entry"]))
        flags = [defining_constant(v) for v in ins]
        known = self.constant_inputs.get(symbol)
        self.constant_inputs[symbol] = flags if known is None else [a and b for a, b in zip(known, flags, strict=True)]

    def _intern(self, kernel: Operation) -> str:
        """The symbol of the kernel: that of an equal one if there is one, else a new one."""
        entry = kernel.regions[0].blocks[0].operations[0]
        text = kernel.attributes["accelc.device"].value + entry.operation.get_asm(
            print_generic_op_form=True, assume_verified=True, use_local_scope=True
        )
        key = hashlib.sha256(text.encode()).hexdigest()
        if key in self.kernels:
            kernel.erase()
            return self.kernels[key][0]
        symbol: str = next(self.symbols)
        kernel.attributes["sym_name"] = ir.StringAttr.get(symbol)
        self.kernels[key] = (symbol, kernel)
        return symbol

    def _mark_constants(self) -> None:
        for symbol, kernel in self.kernels.values():
            entry = kernel.regions[0].blocks[0].operations[0]
            attrs: list[dict[str, Any]] = [{} for _ in entry.arguments]
            with kernel.context:
                for i, is_constant in enumerate(self.constant_inputs[symbol]):
                    if is_constant:
                        attrs[i] = {"accelc.constant": ir.UnitAttr.get()}
                entry.arg_attrs = [ir.DictAttr.get(a) for a in attrs]


def _make_kernel(op: Operation, anchor: Operation) -> tuple[Operation, list[Value]]:
    """A kernel module (not named yet) that computes ``op``, placed before ``anchor``; and the values it reads.

    The op's region, if it is a fusion, moves into the kernel.
    """
    operands = list(op.operation.operands)
    distinct = list(dict.fromkeys(v for v in operands if splat_constant(v) is None))
    results = [v.type for v in op.operation.results]
    with ir.InsertionPoint(anchor):
        kernel = ir.Operation.create("builtin.module", regions=1)
    kernel.attributes["accelc.device"] = ir.StringAttr.get(device_of(op))
    with ir.InsertionPoint(kernel.regions[0].blocks.append()):
        entry = func.FuncOp("entry", ([v.type for v in distinct] + results, results))
    entry.attributes["accelc.num_outputs"] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), len(results))
    if op.operation.name == "nn.fusion":
        body_of(op).append_to(entry.regions[0])
        block = body_of(entry)
    else:
        block = entry.regions[0].blocks.append(*(v.type for v in operands))
        with ir.InsertionPoint(block):
            inner = op.operation.clone()
            for i, argument in enumerate(block.arguments):
                inner.operation.operands[i] = argument
            func.ReturnOp(list(inner.operation.results))
    _settle_arguments(block, operands, distinct, results)
    last = _terminator(block)
    if last.operation.name == "nn.yield":
        with ir.InsertionPoint(last):
            func.ReturnOp(list(last.operation.operands))
        last.operation.erase()
    return kernel, distinct


def _settle_arguments(block: Any, operands: list[Value], distinct: list[Value], results: list[Any]) -> None:
    """Block arguments: one a distinct operand, none for splats (they are cloned inside), one an output."""
    arguments = list(block.arguments)
    first: dict[Value, Value] = {}
    for operand, argument in zip(operands, arguments, strict=True):
        constant = splat_constant(operand)
        if constant is not None:
            with ir.InsertionPoint.at_block_begin(block):
                argument.replace_all_uses_with(constant.operation.clone().operation.results[0])
        elif operand in first:
            argument.replace_all_uses_with(first[operand])
        else:
            first[operand] = argument
    kept = set(first.values())
    for i in reversed(range(len(arguments))):
        if arguments[i] not in kept:
            block.erase_argument(i)
    assert [v.type for v in block.arguments] == [v.type for v in distinct]
    for kind in results:
        block.add_argument(kind, ir.Location.unknown())


def splat_constant(value: Value) -> Operation | None:
    """The ``nn.constant`` behind ``value`` if all its elements are one number."""
    op = defining(value, "constant")
    return op if op is not None and _is_splat(op) else None


def _is_splat(op: Operation) -> bool:
    attribute = op.operation.attributes["value"]
    return bool(attribute.is_splat)


def _takes_constants(op: Operation) -> bool:
    return op.operation.name != "func.return" and op.operation.name not in VIEWS


def defining_constant(buffer: Value) -> bool:
    """Whether a buffer of the plan is a constant, perhaps seen through a view."""
    owner = buffer.owner
    while not isinstance(owner, ir.Block) and owner.operation.name == "plan.view":
        owner = owner.operation.operands[0].owner
    return not isinstance(owner, ir.Block) and owner.operation.name == "plan.constant"


def _constant(tensor_type: Any, ref: str) -> Value:
    return plan.ConstantOp(plan.memref_of(tensor_type), ir.StringAttr.get(ref)).buffer


def _view(buffer: Value, kind: Any) -> Value:
    return buffer if buffer.type == kind else plan.ViewOp(buffer, kind).buffer


def _terminator(block: Any) -> Operation:
    return block.operations[len(block.operations) - 1]


def _provenance_of(op: Operation) -> Any:
    """The location that names every model node of ``op``, those of a fusion's body included."""
    names = dict.fromkeys(provenance(op.operation.location))
    if op.operation.name == "nn.fusion":
        for inner in body_of(op).operations:
            if inner.operation.name not in ("nn.constant", "nn.yield"):
                names.update(dict.fromkeys(provenance(inner.operation.location)))
    parts = [ir.Location.name(n) for n in names]
    if not parts:
        return op.operation.location
    return parts[0] if len(parts) == 1 else ir.Location.fused(parts)


def _taken_symbols(module: Operation) -> Any:
    taken = {
        op.operation.attributes["sym_name"].value
        for op in module.regions[0].blocks[0].operations
        if "sym_name" in op.operation.attributes
    }
    return (f"k{i}" for i in range(len(taken) + 10**9) if f"k{i}" not in taken)


def _check_static(main: Operation, returned: Sequence[Value]) -> None:
    for op in body_of(main).operations:
        for value in op.operation.results:
            if not value.type.has_static_shape:
                raise UnsupportedError(
                    f"'{op.operation.name}' has the dynamic shape {value.type}",
                    node=node_of(op),
                    notes=("give every symbolic size a value: --dim NAME=SIZE",),
                )
    for value in [*body_of(main).arguments, *returned]:
        if not value.type.has_static_shape:
            raise UnsupportedError(
                f"the model's input or output {value.type} has a dynamic shape",
                notes=("give every symbolic size a value: --dim NAME=SIZE",),
            )
