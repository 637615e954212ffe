"""Small ONNX models made by hand, and ways to run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from accelc.core.context import make_context
from accelc.dialects import interpreter
from accelc.frontend.onnx import import_onnx, load

Array = np.ndarray[Any, Any]


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Sequence[int | str | None]]],
    outputs: Sequence[str],
    *,
    constants: Mapping[str, Array] | None = None,
    opset: int = 18,
    domains: Mapping[str, int] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model; inputs are (element type, shape), outputs are not typed."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in (domains or {}).items())]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions)


def node_model(
    op: str, inputs: Mapping[str, Array], constants: Mapping[str, Array], opset: int, outputs: int = 1, **attrs: Any
) -> onnx.ModelProto:
    """A model of one node, called ``the_node``; operands in the order of ``inputs``, then ``constants``."""
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, [*inputs, *constants], names, name="the_node", **attrs)
    types = {n: (helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()}
    return model_of([node], types, names, constants=constants, opset=opset)


def run(model: onnx.ModelProto, inputs: Mapping[str, Array], dims: Mapping[str, int] | None = None) -> list[Array]:
    """Import, verify, interpret."""
    with make_context():
        imported = import_onnx(load(model), dims)
        assert imported.module.operation.verify()
        results = interpreter.run(imported.module, dict(inputs), imported.store)
    return [results[p.name] for p in imported.outputs]


def text(model: onnx.ModelProto, dims: Mapping[str, int] | None = None) -> str:
    """The imported module, with locations."""
    with make_context():
        return str(import_onnx(load(model), dims).module.operation.get_asm(enable_debug_info=True))


def onnxruntime_run(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> list[Array]:
    """What onnxruntime computes."""
    typed = onnx.shape_inference.infer_shapes(model)
    session = onnxruntime.InferenceSession(typed.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(inputs)))
