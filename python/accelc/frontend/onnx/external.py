"""External data: weights in files beside the model, memory-mapped, and only inside the model's folder."""

from __future__ import annotations

import mmap
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx

from accelc.core.diagnostics import InvalidModelError
from accelc.core.store import Array
from accelc.frontend.onnx.tensors import from_raw, nn_dtype, tensor_bytes


class ExternalFiles:
    """The data files of one model; each is mapped once.

    folder: where the model file lies; None for a model that came as bytes, which can have no external data.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._maps: dict[Path, memoryview] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that were used, in order of first use."""
        return tuple(self._maps)

    def array(self, tensor: onnx.TensorProto) -> Array:
        """The tensor's data, as a view of its file.

        Raises InvalidModelError, naming tensor and file, where the file is missing, too short or outside the folder.
        """
        what = f"tensor '{tensor.name}'"
        entries = {e.key: e.value for e in tensor.external_data}
        location = entries.get("location", "")
        path = self._resolve(location, what)
        code = int(tensor.data_type)
        nn_dtype(code, what)
        shape = tuple(int(d) for d in tensor.dims)
        offset = _number(entries, "offset", 0, what)
        length = _number(entries, "length", tensor_bytes(code, shape), what)
        view = self._view(path, location, what)
        if offset + length > len(view):
            raise InvalidModelError(
                f"{what} takes bytes {offset} to {offset + length} of its data file '{location}', which has {len(view)}"
            )
        return from_raw(code, shape, view[offset : offset + length], what)

    def _resolve(self, location: str, what: str) -> Path:
        if self.folder is None:
            raise InvalidModelError(
                f"{what} is in the external data file '{location}', but the model was given without a folder",
                notes=("give the model's path instead of its bytes",),
            )
        pure = PurePosixPath(location)
        windows = PureWindowsPath(location)
        if not location.isprintable():
            raise InvalidModelError(f"{what} is in an external data file with the impossible name {location!r}")
        outside = not location or pure.is_absolute() or windows.drive or windows.root or ".." in windows.parts
        if not outside:
            path = self.folder / location
            outside = not path.resolve().is_relative_to(self.folder.resolve())
        if outside or ".." in pure.parts:
            raise InvalidModelError(
                f"{what} has its data in '{location}', outside the model's folder",
                notes=("external data must lie in the folder of the model file, and not behind a link out of it",),
            )
        return path

    def _view(self, path: Path, location: str, what: str) -> memoryview:
        if path not in self._maps:
            try:
                self._maps[path] = map_file(path)
            except OSError as error:
                raise InvalidModelError(
                    f"{what} is in the external data file '{location}', which cannot be read: {error.strerror}"
                ) from None
        return self._maps[path]


def map_file(path: Path) -> memoryview:
    """A read-only map of a file. Raises OSError where it cannot be read."""
    with open(path, "rb") as f:
        if os.fstat(f.fileno()).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))


def _number(entries: dict[str, str], key: str, default: int, what: str) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not text.isdecimal():
        raise InvalidModelError(f"{what} has external data with the {key} '{text}', which is no number of bytes")
    return int(text)
