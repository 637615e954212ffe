"""Checks of a parsed model, node by node: onnx's own checker, and the rules of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx
from onnx import checker, defs

from accelc.core.diagnostics import InvalidModelError, UnsupportedError

# A model without opset imports (IR versions 1 and 2) means this version.
FIRST_OPSET = 1
DEFAULT_DOMAIN = ""


def domain_of(domain: str) -> str:
    """The canonical name of a domain: ``ai.onnx`` is the default one."""
    return DEFAULT_DOMAIN if domain == "ai.onnx" else domain


def opsets_of(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Opset versions by domain."""
    return {domain_of(o.domain): int(o.version) for o in imports}


def node_name(node: onnx.NodeProto, index: int) -> str:
    """What diagnostics and locations call a node: its name, or op and position in its graph."""
    return node.name or f"{node.op_type}_{index}"


def check_model(model: onnx.ModelProto, what: str) -> dict[str, int]:
    """Checks a model and returns its opset versions by domain.

    Raises InvalidModelError or UnsupportedError; the message names the node.
    """
    if not model.HasField("graph") or model.ir_version == 0:
        raise InvalidModelError(f"{what} is not an ONNX model: it has no graph or no IR version")
    if model.ir_version > onnx.IR_VERSION:
        raise UnsupportedError(
            f"{what} has the IR version {model.ir_version}; the installed onnx {onnx.__version__} knows up to "
            f"{onnx.IR_VERSION}"
        )
    opsets = opsets_of(model.opset_import)
    if not opsets:
        if model.ir_version >= 3:
            raise InvalidModelError(f"{what} imports no opset")
        opsets = {DEFAULT_DOMAIN: FIRST_OPSET}
    _check_opsets(opsets, what)
    functions = {(domain_of(f.domain), f.name) for f in model.functions}
    context = _context(model, opsets)
    _check_names(model.graph)
    _check_graph(model.graph, _Scope(opsets, functions, context), set())
    for f in model.functions:
        scope = _Scope(opsets | opsets_of(f.opset_import), functions, _context(model, opsets_of(f.opset_import)))
        _check_nodes(f.node, scope, set(f.input), f"function '{f.name}': ")
    return opsets


def _check_opsets(opsets: Mapping[str, int], what: str) -> None:
    for domain, number in opsets.items():
        _check_text(what, domain)
        if not 0 <= number < 2**31:
            raise InvalidModelError(f"{what} imports version {number} of the domain '{domain}'")
    newest = defs.onnx_opset_version()
    version = opsets.get(DEFAULT_DOMAIN, FIRST_OPSET)
    if not 1 <= version <= newest:
        raise UnsupportedError(
            f"{what} uses opset {version}; the installed onnx {onnx.__version__} knows 1 to {newest}"
        )


def _context(model: onnx.ModelProto, opsets: Mapping[str, int]) -> checker.C.CheckerContext:
    context = checker.C.CheckerContext()
    context.ir_version = max(int(model.ir_version), 3)
    context.opset_imports = dict(opsets)
    return context


class _Scope:
    """What the checks of one graph share."""

    def __init__(
        self, opsets: Mapping[str, int], functions: set[tuple[str, str]], context: checker.C.CheckerContext
    ) -> None:
        self.opsets = opsets
        self.functions = functions
        self.context = context


def _check_text(what: str, *texts: str | bytes) -> None:
    """protobuf gives bytes where text is not UTF-8."""
    for text in texts:
        if not isinstance(text, str):
            raise InvalidModelError(f"{what} holds text that is not UTF-8: {text!r}")


def _check_names(graph: onnx.GraphProto) -> None:
    _check_text("the graph", *(v.name for v in (*graph.input, *graph.output, *graph.initializer)))
    seen: set[str] = set()
    for t in graph.initializer:
        if not t.name:
            raise InvalidModelError("an initializer has no name")
        if t.name in seen:
            raise InvalidModelError(f"two initializers are called '{t.name}'")
        seen.add(t.name)
    inputs = [i.name for i in graph.input]
    for name in inputs:
        if inputs.count(name) > 1:
            raise InvalidModelError(f"two inputs are called '{name}'")


def _check_graph(graph: onnx.GraphProto, scope: _Scope, outer: set[str]) -> None:
    known = set(outer)
    known.update(i.name for i in graph.input)
    known.update(t.name for t in graph.initializer)
    known.update(t.values.name for t in graph.sparse_initializer)
    _check_nodes(graph.node, scope, known, "")
    for o in graph.output:
        if o.name not in known:
            raise InvalidModelError(f"output '{o.name}' of graph '{graph.name}' is computed by no node")


def _check_nodes(nodes: Iterable[onnx.NodeProto], scope: _Scope, known: set[str], where: str) -> None:
    """Checks nodes in order; ``known`` are the names defined so far, and grows."""
    for index, node in enumerate(nodes):
        _check_text(f"{where}node {index}", node.name, node.op_type, node.domain, *node.input, *node.output)
        name = node_name(node, index)
        _check_op(node, name, scope, where)
        for i in node.input:
            if i and i not in known:
                raise InvalidModelError(
                    f"{where}{node.op_type} reads '{i}', which nothing before it defines", node=name
                )
        for a in node.attribute:
            for g in (*((a.g,) if a.HasField("g") else ()), *a.graphs):
                _check_graph(g, scope, known)
        for o in node.output:
            if o and o in known:
                raise InvalidModelError(f"{where}{node.op_type} defines '{o}', which is defined already", node=name)
            known.add(o)


# What would work instead of ops of somebody's own domain.
_DOMAIN_NOTES = {
    "com.microsoft": (
        "ops of com.microsoft are onnxruntime's own: give the model as it was before onnxruntime's optimizer; "
        "quantize with QuantFormat.QDQ",
    )
}


def _check_op(node: onnx.NodeProto, name: str, scope: _Scope, where: str) -> None:
    domain = domain_of(node.domain)
    if (domain, node.op_type) in scope.functions:
        return
    version = scope.opsets.get(domain)
    shown = f"{domain}::{node.op_type}" if domain else node.op_type
    if version is None:
        raise InvalidModelError(f"{where}{shown} is of a domain that the model does not import", node=name)
    if not defs.has(node.op_type, domain=domain, max_inclusive_version=version):
        known = defs.has(node.op_type, domain=domain)
        since = f"; there is one from opset {defs.get_schema(node.op_type, domain).since_version}" if known else ""
        raise UnsupportedError(
            f"{where}the op {shown} is unknown in opset {version} of its domain{since}",
            node=name,
            notes=_DOMAIN_NOTES.get(domain, ()),
        )
    if any(a.HasField("g") or a.graphs for a in node.attribute):
        return  # onnx would check the bodies without the names around them; `_check_graph` does.
    try:
        checker.check_node(node, scope.context)
    except checker.ValidationError as error:
        reason = str(error).split("==> Context")[0].strip().splitlines()[0]
        raise InvalidModelError(f"{where}{shown}: {reason}", node=name) from None
    except UnicodeDecodeError:
        raise InvalidModelError(f"{where}{shown} holds text that is not UTF-8", node=name) from None
