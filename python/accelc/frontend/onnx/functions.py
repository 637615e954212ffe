"""Ops that are defined by other ops: ONNX's own definitions, and a model's functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import checker, defs, shape_inference

from accelc.frontend.onnx.tensors import NN_DTYPES
from accelc.frontend.onnx.values import AnyValue, Value

_ONNX_DTYPES = {name: code for code, name in NN_DTYPES.items()}


def function_of(
    node: onnx.NodeProto,
    domain: str,
    version: int,
    inputs: Sequence[AnyValue | None],
    env: Mapping[str, onnx.AttributeProto],
) -> onnx.FunctionProto | None:
    """The function by which ONNX defines an op in this opset, given the types of its inputs; None if there is none."""
    schema = defs.get_schema(node.op_type, version, domain)
    if schema.has_function:
        body = schema.get_function_with_opset_version(_newest(schema.function_opset_versions, version))
        return onnx.FunctionProto.FromString(body)
    if schema.has_context_dependent_function:
        chosen = _newest(schema.context_dependent_function_opset_versions, version)
        types = [_type_proto(v).SerializeToString() for v in inputs]
        body = schema.get_context_dependent_function_with_opset_version(
            chosen, _resolved(node, env).SerializeToString(), types
        )
        function = onnx.FunctionProto.FromString(body)
        return function if function.node else None
    return None


def _newest(versions: Sequence[int], version: int) -> int:
    """The newest definition that the model's opset may use; the oldest where all are newer."""
    fitting = [v for v in versions if v <= version]
    return max(fitting) if fitting else min(versions)


def _resolved(node: onnx.NodeProto, env: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """The node with attributes of the function around it put in."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    copy.attribute.extend(_attributes(node, env).values())
    return copy


def _attributes(node: onnx.NodeProto, env: Mapping[str, onnx.AttributeProto]) -> dict[str, onnx.AttributeProto]:
    found: dict[str, onnx.AttributeProto] = {}
    for a in node.attribute:
        proto = env.get(a.ref_attr_name) if a.ref_attr_name else a
        if proto is not None:
            copy = onnx.AttributeProto()
            copy.CopyFrom(proto)
            copy.name = a.name
            found[a.name] = copy
    return found


def bind_attributes(
    function: onnx.FunctionProto,
    node: onnx.NodeProto,
    env: Mapping[str, onnx.AttributeProto],
    schema: defs.OpSchema | None = None,
) -> dict[str, onnx.AttributeProto]:
    """What a function's attribute references stand for in a call: given, or the default of function or schema."""
    bound = {a.name: a for a in function.attribute_proto}
    if schema is not None:
        bound |= {n: a.default_value for n, a in schema.attributes.items() if a.default_value.type}
    return bound | _attributes(node, env)


def _type_proto(value: AnyValue | None) -> onnx.TypeProto:
    if not isinstance(value, Value):
        return onnx.TypeProto()
    return onnx.helper.make_tensor_type_proto(_ONNX_DTYPES[value.dtype], list(value.shape))


def objection_to(
    node: onnx.NodeProto, domain: str, opsets: Mapping[str, int], inputs: Sequence[AnyValue | None]
) -> str | None:
    """What onnx's own shape inference has against a node; None where it has nothing, or nothing to say about it."""
    try:
        schema = defs.get_schema(node.op_type, opsets[domain], domain)
        types = {name: _type_proto(v) for name, v in zip(node.input, inputs, strict=True) if isinstance(v, Value)}
        shape_inference.infer_node_outputs(schema, node, types)
    except (shape_inference.InferenceError, checker.ValidationError) as error:
        return str(error).strip().splitlines()[0]
    except (KeyError, ValueError, TypeError, RuntimeError, defs.SchemaError):
        return None
    return None
