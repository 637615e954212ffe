"""Control flow that is settled at import: branches by a known condition, loops of a known number of steps, unrolled."""

from __future__ import annotations

from typing import Any

import onnx

from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import nn_dtype
from accelc.frontend.onnx.values import AnyValue, Value

# A loop is unrolled up to so many nodes altogether.
MAX_UNROLLED_NODES = 20_000
_UNKNOWN = 1 << 62


@handler("If", limits="the condition must be constant")
def if_op(n: Node) -> list[AnyValue | None]:
    """The branch that the condition chooses."""
    chosen = bool(n.constant(0, "the condition").reshape(-1)[0])
    branch = n.attributes.get("then_branch" if chosen else "else_branch")
    if branch is None:
        raise n.invalid("has no branch for its condition")
    return list(n.importer.graph(branch, []))


def _body(n: Node) -> onnx.GraphProto:
    body = n.attributes.get("body")
    if not isinstance(body, onnx.GraphProto):
        raise n.invalid("has no body")
    return body


def _check_size(n: Node, body: onnx.GraphProto, steps: int) -> None:
    if steps * max(len(body.node), 1) > MAX_UNROLLED_NODES:
        raise n.unsupported(f"of {steps} steps of {len(body.node)} nodes", "loops are unrolled, and this one is large")


@handler("Loop", limits="trip count and condition must be constant; unrolled")
def loop(n: Node) -> list[AnyValue | None]:
    """Steps with carried values; further outputs are stacked."""
    body = _body(n)
    trips = int(n.constant(0, "the trip count").reshape(-1)[0]) if n.has(0) else _UNKNOWN
    going = bool(n.constant(1, "the condition").reshape(-1)[0]) if n.has(1) else True
    carried = [n.value(i) for i in range(2, len(n.inputs))]
    collected: list[list[Value]] = [[] for _ in body.output[1 + len(carried) :]]
    condition: AnyValue = n.b.const(True)
    step = 0
    while going and step < trips:
        _check_size(n, body, step + 1)
        results = n.importer.graph(body, [n.b.const(step, "si64"), condition, *carried])
        condition, carried = results[0], results[1 : 1 + len(carried)]
        for stack, item in zip(collected, results[1 + len(carried) :], strict=True):
            stack.append(_tensor(n, item))
        going = _known_flag(n, condition)
        step += 1
    ports = body.output[1 + len(carried) :]
    return [*carried, *(_stacked(n, items, port, 0) for items, port in zip(collected, ports, strict=True))]


def _known_flag(n: Node, condition: AnyValue) -> bool:
    array = n.b.array(_tensor(n, condition), "the condition of Loop")
    return bool(array.reshape(-1)[0])


def _tensor(n: Node, value: AnyValue) -> Value:
    if not isinstance(value, Value):
        raise n.unsupported("of sequences, other than as carried values,")
    return value


def _stacked(n: Node, items: list[Value], port: Any, axis: int) -> Value:
    """Items along a new axis; for none, an empty tensor of the type that the body declares."""
    if items:
        return n.b.concat([n.b.expand_dims(v, [axis]) for v in items], axis)
    tensor = port.type.tensor_type
    shape = [int(d.dim_value) for d in tensor.shape.dim]
    shape.insert(axis, 0)
    return n.b.full(0, shape, nn_dtype(tensor.elem_type, f"output '{port.name}' of the body"))


@handler("Scan", limits="unrolled over a static number of steps")
def scan(n: Node) -> list[AnyValue | None]:
    """Steps over slices of the inputs; further outputs are stacked."""
    body = _body(n)
    count = n.integer("num_scan_inputs")
    if n.version < 9:
        return _batched_scan(n, body, count)
    inputs = [n.x(i) for i in range(len(n.inputs))]
    return list(_scan(n, body, inputs[:-count], inputs[-count:]))


def _batched_scan(n: Node, body: onnx.GraphProto, count: int) -> list[AnyValue | None]:
    """Opset 8: each example of the batch (axis 0) is scanned by itself."""
    if n.has(0):
        raise n.unsupported("with sequence_lens (opset 8)")
    inputs = [n.x(i) for i in range(1, len(n.inputs))]
    batch = n.static(inputs[0])[0]
    examples = []
    for i in range(batch):
        mine = [n.b.squeeze(n.b.slice_axis(v, 0, i, 1), [0]) for v in inputs]
        examples.append(_scan(n, body, mine[:-count], mine[-count:]))
    return [n.b.concat([n.b.expand_dims(v, [0]) for v in column], 0) for column in zip(*examples, strict=True)]


def _scan(n: Node, body: onnx.GraphProto, state: list[Value], xs: list[Value]) -> list[Value]:
    axes = n.maybe_ints("scan_input_axes") or [0] * len(xs)
    axes = [n.resolve(a, x.rank) for a, x in zip(axes, xs, strict=True)]
    backward = n.maybe_ints("scan_input_directions") or n.maybe_ints("directions") or [0] * len(xs)
    steps = {n.static(x)[a] for x, a in zip(xs, axes, strict=True)}
    if len(steps) != 1:
        raise n.invalid(f"scans inputs of lengths {sorted(steps)}")
    length = steps.pop()
    _check_size(n, body, length)
    collected: list[list[Value]] = [[] for _ in body.output[len(state) :]]
    for step in range(length):
        slices = [
            n.b.squeeze(n.b.slice_axis(x, a, length - 1 - step if back else step, 1), [a])
            for x, a, back in zip(xs, axes, backward, strict=True)
        ]
        results = [_tensor(n, v) for v in n.importer.graph(body, [*state, *slices])]
        state = results[: len(state)]
        for stack, item in zip(collected, results[len(state) :], strict=True):
            stack.append(item)
    return [*state, *_scan_outputs(n, body.output[len(state) :], collected)]


def _scan_outputs(n: Node, ports: Any, collected: list[list[Value]]) -> list[Value]:
    axes = n.maybe_ints("scan_output_axes") or [0] * len(collected)
    reverse = n.maybe_ints("scan_output_directions") or [0] * len(collected)
    outputs = []
    for items, port, axis, back in zip(collected, ports, axes, reverse, strict=True):
        rank = items[0].rank + 1 if items else len(port.type.tensor_type.shape.dim) + 1
        outputs.append(_stacked(n, items[::-1] if back else items, port, n.resolve(axis, rank)))
    return outputs
