"""From a loaded ONNX model to a module of `nn`.

One walk over the nodes: each is handed to its handler, with inputs that are known arrays or MLIR values. Functions
(the model's own, and those that ONNX defines ops by) are walked in place; nothing of ONNX is left after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import defs

from accelc.core.diagnostics import Error, InternalError, InvalidModelError, UnsupportedError, UsageError
from accelc.core.store import Array, Store
from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.check import domain_of, node_name, opsets_of
from accelc.frontend.onnx.functions import bind_attributes, function_of, objection_to
from accelc.frontend.onnx.load import LoadedModel
from accelc.frontend.onnx.ops import HANDLERS
from accelc.frontend.onnx.registry import EXPAND, Node, decode_attributes
from accelc.frontend.onnx.tensors import from_sparse, nn_dtype, to_array
from accelc.frontend.onnx.values import AnyValue, Value, known
from accelc.mlir import dialect, ir

func: Any = dialect("func")

# What a handler may raise besides `accelc.Error`, where a model is malformed in a way that it does not check for.
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, AssertionError, ir.MLIRError)

# A tensor of so many elements is no model's.
MAX_ELEMENTS = 1 << 48

# Functions nest; a model that nests deeper than this calls itself.
MAX_CALL_DEPTH = 64


@dataclass(frozen=True)
class Port:
    """An input or output of the model: name, type, and one symbol or number a dimension."""

    name: str
    type: TensorType
    dims: tuple[str, ...]


@dataclass(frozen=True)
class ImportedModel:
    """A model at the `nn` stage: ``@main`` in ``module``, its constants in ``store``, and its interface."""

    module: Any
    store: Store
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class Scope:
    """Names of values in a graph, and the graph around it."""

    def __init__(self, parent: Scope | None = None) -> None:
        self.values: dict[str, AnyValue] = {}
        self.parent = parent

    def __getitem__(self, name: str) -> AnyValue:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        raise InvalidModelError(f"reads '{name}', which nothing before it defines")


@dataclass(frozen=True)
class Frame:
    """Where nodes stand: names, opsets, the attributes of the function around, and how inner nodes are called."""

    scope: Scope
    opsets: Mapping[str, int]
    attributes: Mapping[str, onnx.AttributeProto]
    caller: str = ""
    named: bool = True
    depth: int = 0

    def name_of(self, node: onnx.NodeProto, index: int) -> str:
        """The name that diagnostics and locations use: of the model's node, for the inside of an op's definition."""
        if not self.named:
            return self.caller
        name = node_name(node, index)
        return f"{self.caller}/{name}" if self.caller else name


class GraphImporter:
    """Imports the nodes of one model into the current insertion point."""

    def __init__(self, builder: Builder, functions: Mapping[tuple[str, str], onnx.FunctionProto]) -> None:
        self.builder = builder
        self.functions = functions
        self._frame: Frame | None = None

    def nodes(self, nodes: Iterable[onnx.NodeProto], frame: Frame) -> None:
        """Imports nodes in order; their outputs are added to the frame's scope. Errors name the node."""
        around, self._frame = self._frame, frame
        for index, node in enumerate(nodes):
            name = frame.name_of(node, index)
            self.builder.at(name)
            with ir.Location.name(name):
                try:
                    results = self._node(node, name, frame)
                except Error as error:
                    raise _named(error, name) from None
                except MemoryError:
                    raise UnsupportedError(f"{node.op_type} needs more memory than there is", node=name) from None
                except _FAULTS as error:
                    raise self._fault(node, name, frame, error) from error
            self._define(node, name, results, frame)
        self._frame = around

    def _fault(self, node: onnx.NodeProto, name: str, frame: Frame, error: Exception) -> Error:
        """What to say when a handler stumbles: onnx's objection to the node, else that it is our fault."""
        inputs = [frame.scope[i] if i else None for i in node.input]
        objection = objection_to(node, domain_of(node.domain), frame.opsets, inputs)
        if objection is not None:
            return InvalidModelError(f"{node.op_type}: {objection}", node=name)
        return InternalError(f"importing {node.op_type} failed: {type(error).__name__}: {error}", node=name)

    def _define(self, node: onnx.NodeProto, name: str, results: list[AnyValue | None], frame: Frame) -> None:
        for i, output in enumerate(node.output):
            if not output:
                continue
            result = results[i] if i < len(results) else None
            if result is None:
                raise UnsupportedError(f"output {i} ('{output}') of {node.op_type} is not supported", node=name)
            frame.scope.values[output] = result

    def _node(self, node: onnx.NodeProto, name: str, frame: Frame) -> list[AnyValue | None]:
        inputs = [frame.scope[i] if i else None for i in node.input]
        domain = domain_of(node.domain)
        local = self.functions.get((domain, node.op_type))
        if local is not None:
            attributes = bind_attributes(local, node, frame.attributes)
            return self._call(local, inputs, attributes, frame, name, named=True)
        version = frame.opsets.get(domain)
        if version is None:
            raise InvalidModelError(f"{node.op_type} is of the domain '{domain}', which is not imported")
        registered = HANDLERS.get((domain, node.op_type))
        if registered is not None:
            wanted = [bool(o) for o in node.output]
            attributes = decode_attributes(node, frame.attributes)
            seen = Node(node.op_type, name, version, inputs, attributes, wanted, self.builder, self)
            results = registered.function(seen)
            if results is not EXPAND:
                return list(results) if isinstance(results, list | tuple) else [results]
        function = function_of(node, domain, version, inputs, frame.attributes)
        if function is None:
            shown = f"{domain}::{node.op_type}" if domain else node.op_type
            raise UnsupportedError(f"the op {shown} (opset {version}) is not supported")
        attributes = bind_attributes(function, node, frame.attributes, defs.get_schema(node.op_type, version, domain))
        return self._call(function, inputs, attributes, frame, name, named=False)

    def _call(
        self,
        function: onnx.FunctionProto,
        inputs: list[AnyValue | None],
        attributes: Mapping[str, onnx.AttributeProto],
        frame: Frame,
        name: str,
        named: bool,
    ) -> list[AnyValue | None]:
        if frame.depth >= MAX_CALL_DEPTH:
            raise UnsupportedError(f"function '{function.name}' is called from {frame.depth} functions deep")
        scope = Scope()
        for parameter, value in zip(function.input, inputs, strict=False):
            if value is not None:
                scope.values[parameter] = value
        nodes = [_without_absent(n, set(scope.values), set(function.input)) for n in function.node]
        opsets = {**frame.opsets, **opsets_of(function.opset_import)}
        self.nodes(nodes, Frame(scope, opsets, attributes, name, named and frame.named, frame.depth + 1))
        self.builder.at(name)
        return [scope.values.get(o) for o in function.output]

    def graph(self, graph: onnx.GraphProto, inputs: list[AnyValue]) -> list[AnyValue]:
        """Imports a graph attribute (a branch, a loop's body) in place, and gives its outputs."""
        around = self._frame
        assert around is not None
        scope = Scope(around.scope)
        for t in graph.initializer:
            scope.values[t.name] = known(to_array(t))
        for s in graph.sparse_initializer:
            scope.values[s.values.name] = known(from_sparse(s))
        if len(inputs) > len(graph.input):
            raise InvalidModelError(f"graph '{graph.name}' takes {len(graph.input)} inputs, given {len(inputs)}")
        for port, value in zip(graph.input, inputs, strict=False):
            scope.values[port.name] = value
        frame = Frame(scope, around.opsets, around.attributes, around.caller, around.named, around.depth + 1)
        self.nodes(graph.node, frame)
        return [scope[o.name] for o in graph.output]


def _without_absent(node: onnx.NodeProto, given: set[str], parameters: set[str]) -> onnx.NodeProto:
    """A function's node without the optional inputs that the caller did not give."""
    absent = [i for i in node.input if i in parameters and i not in given]
    if not absent:
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = ["" if i in absent else i for i in node.input]
    return copy


def _named(error: Error, name: str) -> Error:
    """The error with the node's name, if it has none yet."""
    if error.node is None:
        error.node = name
        error.args = (error.render(),)
    return error


def import_onnx(
    loaded: LoadedModel, dims: Mapping[str, int] | None = None, *, bind: Mapping[str, Array] | None = None
) -> ImportedModel:
    """Imports a model into the current MLIR context.

    Args:
        loaded: what `load` returned.
        dims: sizes of symbolic dimensions by name; a dimension without a name is called ``INPUT.AXIS``.
        bind: inputs that become constants (they are no inputs of the result then).

    Raises:
        InvalidModelError: the model is inconsistent; the message names the node and the shapes.
        NeedsConstantError: an op needs a value at compile time that is computed from the model's inputs.
        UnsupportedError: a node, an element type or an input that accelc cannot do, by name.
        UsageError: ``dims`` or ``bind`` name something that the model does not have.
    """
    dims, bind = dict(dims or {}), dict(bind or {})
    graph = loaded.proto.graph
    store = Store()
    constants = {name: known(array, name) for name, array in loaded.initializers().items()}
    inputs = [i for i in graph.input if i.name not in constants]
    ports = [_port(i, dims) for i in inputs if i.name not in bind]
    _check_names(inputs, dims, bind)
    for i in inputs:
        if i.name in bind:
            constants[i.name] = known(_bound(i, bind[i.name]), i.name)

    with ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            main = func.FuncOp("main", ([p.type.to_mlir() for p in ports], []))
            locations = [ir.Location.name(p.name) for p in ports]
            block = main.add_entry_block(locations)
        main.arg_attrs = ir.ArrayAttr.get([_port_attributes(p) for p in ports])
    scope = Scope()
    scope.values.update(constants)
    for port, argument in zip(ports, block.arguments, strict=True):
        scope.values[port.name] = Value(port.type, handle=argument)
    builder = Builder(store, ir.Location.name)
    functions = {(domain_of(f.domain), f.name): f for f in loaded.proto.functions}
    with ir.InsertionPoint(block):
        GraphImporter(builder, functions).nodes(graph.node, Frame(scope, loaded.opsets, {}))
        outputs = _finish(main, graph, scope, builder, dims)
    _drop_dead(block)
    return ImportedModel(module, store, tuple(ports), tuple(outputs))


def _check_names(inputs: list[onnx.ValueInfoProto], dims: Mapping[str, int], bind: Mapping[str, Array]) -> None:
    names = {i.name for i in inputs}
    for name in bind:
        if name not in names:
            raise UsageError(f"the model has no input '{name}'", notes=(f"inputs: {', '.join(sorted(names))}",))
    symbols = {s for i in inputs for s in _symbols(i) if not s.isdecimal()}
    for name, size in dims.items():
        if name not in symbols:
            has = f"it has: {', '.join(sorted(symbols))}" if symbols else "all its dimensions are fixed"
            raise UsageError(f"the model has no dimension '{name}'", notes=(has,))
        if size < 0:
            raise UsageError(f"dimension '{name}' cannot be {size}")


def _symbols(port: onnx.ValueInfoProto) -> list[str]:
    found = []
    for axis, d in enumerate(port.type.tensor_type.shape.dim):
        if d.HasField("dim_value") and d.dim_value >= 0:
            found.append(str(d.dim_value))
        else:
            found.append(d.dim_param if d.dim_param and not d.dim_param.isdecimal() else f"{port.name}.{axis}")
    return found


def _port(port: onnx.ValueInfoProto, dims: Mapping[str, int]) -> Port:
    kind = port.type.WhichOneof("value")
    if kind != "tensor_type":
        shown = (kind or "type that is not given").replace("_type", "")
        raise UnsupportedError(f"input '{port.name}' is of the kind {shown}; only tensors can be inputs")
    tensor = port.type.tensor_type
    dtype = nn_dtype(tensor.elem_type, f"input '{port.name}'")
    if not tensor.HasField("shape"):
        raise UnsupportedError(f"input '{port.name}' has no rank")
    symbols = [str(dims.get(s, s)) for s in _symbols(port)]
    shape = tuple(int(s) if s.isdecimal() else None for s in symbols)
    if math.prod(s for s in shape if s is not None) > MAX_ELEMENTS:
        raise InvalidModelError(f"input '{port.name}' has the shape {list(shape)}")
    return Port(port.name, TensorType(shape, dtype), tuple(symbols))


def _bound(port: onnx.ValueInfoProto, array: Array) -> Array:
    dtype = nn.numpy_dtype(nn_dtype(port.type.tensor_type.elem_type, f"input '{port.name}'"))
    array = np.asarray(array)
    if array.dtype != dtype:
        raise UsageError(f"input '{port.name}' is bound to {array.dtype}, and takes {dtype}")
    return array


def _port_attributes(port: Port) -> Any:
    dims = ir.ArrayAttr.get([ir.StringAttr.get(d) for d in port.dims])
    return ir.DictAttr.get({"nn.name": ir.StringAttr.get(port.name), "nn.dims": dims})


def _finish(main: Any, graph: onnx.GraphProto, scope: Scope, builder: Builder, dims: Mapping[str, int]) -> list[Port]:
    """Returns the outputs from ``main``, and sets its type."""
    ports, handles = [], []
    for o in graph.output:
        value = scope[o.name]
        if not isinstance(value, Value):
            raise UnsupportedError(f"output '{o.name}' is no tensor; only tensors can be outputs")
        _check_output(o, value.type, dims)
        symbols = tuple("?" if s is None else str(s) for s in value.shape)
        ports.append(Port(o.name, value.type, symbols))
        builder.at(o.name)
        with ir.Location.name(o.name):
            handles.append(builder.handle(value))
    with ir.Location.unknown():
        func.ReturnOp(handles)
        results = [h.type for h in handles]
        main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(main.type.inputs, results))
        names = [ir.DictAttr.get({"nn.name": ir.StringAttr.get(p.name)}) for p in ports]
        main.attributes["res_attrs"] = ir.ArrayAttr.get(names)
    return ports


def _check_output(port: onnx.ValueInfoProto, have: TensorType, dims: Mapping[str, int]) -> None:
    tensor = port.type.tensor_type
    if port.type.WhichOneof("value") != "tensor_type" or tensor.elem_type == 0:
        return
    dtype = nn_dtype(tensor.elem_type, f"output '{port.name}'")
    declared = TensorType(have.shape, dtype)
    if tensor.HasField("shape"):
        symbols = [str(dims.get(s, s)) for s in _symbols(port)]
        declared = TensorType(tuple(int(s) if s.isdecimal() else None for s in symbols), dtype)
    agree = len(declared.shape) == len(have.shape) and all(
        a is None or b is None or a == b for a, b in zip(declared.shape, have.shape, strict=True)
    )
    if not agree or declared.dtype != have.dtype:
        raise InvalidModelError(f"output '{port.name}' is declared {declared}, but the graph computes {have}")


def _drop_dead(block: Any) -> None:
    """Erases ops that nothing uses: what was made for a shape, or for an output that nobody reads."""
    for op in reversed(list(block.operations)):
        operation = op.operation
        if operation.name.startswith("nn.") and all(not list(r.uses) for r in operation.results):
            operation.erase()
