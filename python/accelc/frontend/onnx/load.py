"""Reading an ONNX model: parse, check, and views of its weights.

A model is checked node by node, so that an error can name the node, and so that nothing serializes the weights again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from accelc.core.diagnostics import InvalidModelError, UnsupportedError, UsageError
from accelc.core.store import Array
from accelc.frontend.onnx.check import check_model
from accelc.frontend.onnx.external import ExternalFiles, map_file
from accelc.frontend.onnx.tensors import from_raw, from_sparse, to_array
from accelc.frontend.onnx.wire import split


@dataclass
class LoadedModel:
    """A parsed and checked model.

    proto: the model without the data of its large initializers. opsets: domain -> version (the default domain is "").
    path: where it was read from, if from a file. timings: seconds by phase (``read_s`` mapping or serializing,
    ``parse_s`` protobuf, ``check_s``).
    """

    proto: onnx.ModelProto
    opsets: Mapping[str, int]
    path: Path | None
    timings: dict[str, float]
    _data: memoryview
    _spans: dict[str, tuple[int, int]]
    _external: ExternalFiles
    _arrays: dict[str, Array] = field(default_factory=dict)

    @property
    def external_files(self) -> tuple[Path, ...]:
        """The external data files read so far."""
        return self._external.paths

    def array(self, tensor: onnx.TensorProto) -> Array:
        """The data of an initializer of the main graph: a view of the model's or an external file where possible.

        Raises InvalidModelError or UnsupportedError naming the tensor.
        """
        found = self._arrays.get(tensor.name)
        if found is None:
            found = self._arrays[tensor.name] = self._read(tensor)
        return found

    def _read(self, tensor: onnx.TensorProto) -> Array:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return self._external.array(tensor)
        span = self._spans.get(tensor.name)
        if span is None:
            return to_array(tensor)
        raw = self._data[span[0] : span[0] + span[1]]
        return from_raw(int(tensor.data_type), tuple(tensor.dims), raw, f"tensor '{tensor.name}'")

    def initializers(self) -> dict[str, Array]:
        """All constants of the main graph by name, in the model's order. Raises as `array`."""
        graph = self.proto.graph
        dense = {t.name: self.array(t) for t in graph.initializer}
        return dense | {t.values.name: from_sparse(t) for t in graph.sparse_initializer}


def load(source: str | Path | bytes | onnx.ModelProto) -> LoadedModel:
    """Reads and checks a model.

    Args:
        source: path of an ``.onnx`` file (memory-mapped; external data is found beside it), its bytes, or the message.

    Raises:
        InvalidModelError: no ONNX model, truncated, or inconsistent; the message names the node or tensor.
        UnsupportedError: a version, domain or op that this accelc does not know.
        UsageError: ``source`` is something else.
    """
    started = time.perf_counter()
    data, path = _read(source)
    read = time.perf_counter()
    try:
        parts = split(data)
        proto = onnx.ModelProto.FromString(parts.skeleton)
    except DecodeError:
        raise InvalidModelError(f"{_what(path)} is not an ONNX model, or it is truncated") from None
    except InvalidModelError as error:
        raise InvalidModelError(f"{_what(path)}: {error.message}") from None
    parsed = time.perf_counter()
    opsets = check_model(proto, _what(path))
    names = [t.name for t in proto.graph.initializer]
    timings = {"read_s": read - started, "parse_s": parsed - read, "check_s": time.perf_counter() - parsed}
    spans = {names[index]: span for index, span in parts.spans.items()}
    return LoadedModel(proto, opsets, path, timings, data, spans, ExternalFiles(path.parent if path else None))


def _what(path: Path | None) -> str:
    return f"'{path}'" if path else "the model"


def _read(source: Any) -> tuple[memoryview, Path | None]:
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            return map_file(path), path
        except OSError as error:
            raise InvalidModelError(f"model file '{path}' cannot be read: {error.strerror}") from None
    if isinstance(source, bytes):
        return memoryview(source), None
    if isinstance(source, onnx.ModelProto):
        try:
            return memoryview(source.SerializeToString()), None
        except Exception as error:  # protobuf's classes for "over 2 GiB" differ between its implementations
            raise UnsupportedError(
                f"the model cannot be serialized: {error}", notes=("save it with external data and give its path",)
            ) from None
    raise UsageError(f"an ONNX model is given as a path, bytes or ModelProto, not {type(source).__name__}")
