"""Reading a serialized ``ModelProto`` without copying its weights.

protobuf copies a tensor's ``raw_data`` when it parses, and again whenever Python reads the field. So the large ones
are cut out of the message first: `split` walks the wire format (https://protobuf.dev/programming-guides/encoding) down
to ``ModelProto.graph.initializer[].raw_data``, returns the bytes of the model without them, and where they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accelc.core.diagnostics import InvalidModelError

# Field numbers of onnx.proto.
MODEL_GRAPH = 7
GRAPH_INITIALIZER = 5
TENSOR_RAW_DATA = 9

# Below this many bytes a copy costs less than the bookkeeping.
LARGE = 4096

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Field:
    """One field of a message: the tag at ``start``, its payload (of a length-delimited field) in [begin, end)."""

    number: int
    wire_type: int
    start: int
    begin: int
    end: int


@dataclass(frozen=True)
class Split:
    """A model without its large initializers' bytes, and where in the file those are.

    skeleton: a serialized ``ModelProto``. spans: index of the initializer -> (offset, length) of its raw data.
    """

    skeleton: bytes
    spans: dict[int, tuple[int, int]]


def split(data: memoryview) -> Split:
    """Cuts the large initializers' raw data out of a serialized model.

    Raises InvalidModelError where the bytes are no protobuf message, or end in the middle of one.
    """
    model = list(fields(data, 0, len(data)))
    graphs = [f for f in model if f.number == MODEL_GRAPH and f.wire_type == _BYTES]
    if len(graphs) != 1:
        return Split(bytes(data), {})
    graph = graphs[0]
    spans: dict[int, tuple[int, int]] = {}
    parts: list[bytes] = []
    copied = graph.begin
    index = 0
    for f in fields(data, graph.begin, graph.end):
        if f.number != GRAPH_INITIALIZER or f.wire_type != _BYTES:
            continue
        raw = _raw_data(data, f)
        if raw is not None:
            message = bytes(data[f.begin : raw.start]) + bytes(data[raw.end : f.end])
            parts += [bytes(data[copied : f.start]), _delimited(GRAPH_INITIALIZER, message)]
            copied = f.end
            spans[index] = (raw.begin, raw.end - raw.begin)
        index += 1
    if not spans:
        return Split(bytes(data), {})
    parts.append(bytes(data[copied : graph.end]))
    skeleton = b"".join(
        [bytes(data[: graph.start]), _delimited(MODEL_GRAPH, b"".join(parts)), bytes(data[graph.end :])]
    )
    return Split(skeleton, spans)


def _raw_data(data: memoryview, tensor: Field) -> Field | None:
    if tensor.end - tensor.begin < LARGE:
        return None
    found = [f for f in fields(data, tensor.begin, tensor.end) if f.number == TENSOR_RAW_DATA and f.wire_type == _BYTES]
    # A field given twice is legal and the last one counts; leave such an oddity to protobuf.
    return found[0] if len(found) == 1 and found[0].end - found[0].begin >= LARGE else None


def fields(data: memoryview, begin: int, end: int) -> Iterator[Field]:
    """The fields of the message in ``data[begin:end]``. Raises InvalidModelError where it is malformed."""
    position = begin
    while position < end:
        start = position
        tag, position = _varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise InvalidModelError(f"not an ONNX model: byte {start} starts no protobuf field")
        if wire_type == _BYTES:
            length, position = _varint(data, position, end)
            stop = position + length
        elif wire_type == _VARINT:
            _, stop = _varint(data, position, end)
        elif wire_type in (_FIXED32, _FIXED64):
            stop = position + (4 if wire_type == _FIXED32 else 8)
        else:
            raise InvalidModelError(f"not an ONNX model: byte {start} starts no protobuf field")
        if stop > end:
            raise _truncated(stop, end)
        yield Field(number, wire_type, start, position, stop)
        position = stop


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= end:
            raise _truncated(position + 1, end)
        if shift > 63:
            raise InvalidModelError(f"not an ONNX model: byte {position} is in no protobuf field")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position


def _truncated(needs: int, has: int) -> InvalidModelError:
    return InvalidModelError(
        f"the model is truncated, or not ONNX: a field ends at byte {needs}, what holds it at byte {has}"
    )


def _delimited(number: int, message: bytes) -> bytes:
    return _encode(number << 3 | _BYTES) + _encode(len(message)) + message


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
