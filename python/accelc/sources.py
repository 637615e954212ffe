"""What a model can be given as, and how each kind becomes an `nn` module.

A source knows its content's digest before anything is parsed, so that a model that was compiled before is found in the
cache without reading the protobuf.
"""

from __future__ import annotations

import hashlib
import mmap
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelc.core.artifact import is_artifact
from accelc.core.diagnostics import InvalidModelError, UsageError
from accelc.core.store import Store
from accelc.python_models import load_python_model, python_file
from accelc.sizes import bind_sizes


class Source(ABC):
    """A model as the user gave it."""

    def __init__(self, dims: Mapping[str, int]) -> None:
        self.dims = dict(dims)
        self.io_seconds = 0.0

    @abstractmethod
    def digest(self) -> str | None:
        """A hash of the content and of `dims`, or None where only importing it can tell."""

    @abstractmethod
    def import_model(self) -> tuple[Any, Store]:
        """The module at the `nn` stage (in the current context) and its constants."""

    def external_files(self) -> tuple[str, ...]:
        """Paths of further files that hold the model's data, known after `import_model`."""
        return ()

    @property
    def folder(self) -> Path:
        """The folder in which those files lie."""
        return Path()

    def _digest_of(self, *parts: bytes) -> str:
        h = hashlib.sha256(repr(sorted(self.dims.items())).encode())
        for part in parts:
            h.update(hashlib.sha256(part).digest())
        return h.hexdigest()


class OnnxSource(Source):
    """An ONNX model: a path, its bytes, or a ``ModelProto``."""

    def __init__(self, model: Any, dims: Mapping[str, int]) -> None:
        super().__init__(dims)
        self._model = model
        self._external: tuple[str, ...] = ()

    @property
    def path(self) -> Path | None:
        """The file, where the model is one."""
        return Path(self._model) if isinstance(self._model, str | Path) else None

    def digest(self) -> str | None:
        started = time.perf_counter()
        try:
            if self.path is not None:
                return self._digest_of(file_digest(self.path))
            if isinstance(self._model, bytes):
                return self._digest_of(self._model)
            return None
        finally:
            self.io_seconds += time.perf_counter() - started

    def import_model(self) -> tuple[Any, Store]:
        from accelc.frontend.onnx import import_onnx, load

        loaded = load(self._model)
        self.io_seconds += sum(loaded.timings.values())
        imported = import_onnx(loaded, self.dims)
        self._external = tuple(str(p) for p in loaded.external_files)
        return imported.module, imported.store

    def external_files(self) -> tuple[str, ...]:
        return self._external

    @property
    def folder(self) -> Path:
        return self.path.parent if self.path is not None else Path()


class BuiltSource(Source):
    """A model of `accelc.builder`; it carries its own module."""

    def __init__(self, model: Any, dims: Mapping[str, int]) -> None:
        super().__init__(dims)
        self._model = model

    def digest(self) -> str | None:
        return None

    def import_model(self) -> tuple[Any, Store]:
        module, store = self._model.build()
        if self.dims:
            bind_sizes(module, store, self.dims)
        return module, store


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file, read through a map. Raises InvalidModelError if it cannot be read."""
    try:
        with open(path, "rb") as f:
            h = hashlib.sha256()
            if f.seek(0, 2):
                with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as view:
                    h.update(view)
            return h.digest()
    except OSError as error:
        raise InvalidModelError(f"model file '{path}' cannot be read: {error.strerror}") from None


def open_source(model: Any, dims: Mapping[str, int]) -> Source:
    """The source for whatever `accelc.compile` was given. Raises UsageError for anything it does not know."""
    for name, size in dims.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise UsageError(f"the size of dimension '{name}' must be a whole number, not {size!r}")
    if isinstance(model, str | Path) and is_artifact(model):
        raise UsageError(
            f"'{model}' is an artifact, which is compiled already",
            notes=("give the model, or run the artifact: accelc run, accelc.load",),
        )
    if python_file(model) is not None:
        model = load_python_model(model)
    if isinstance(model, str | Path | bytes):
        return OnnxSource(model, dims)
    if hasattr(model, "SerializeToString") and hasattr(model, "opset_import"):
        return OnnxSource(model, dims)
    if hasattr(model, "build") and hasattr(model, "inputs"):
        return BuiltSource(model, dims)
    raise UsageError(
        f"a model cannot be given as {type(model).__module__}.{type(model).__qualname__}",
        notes=("give the path of an ONNX file, its bytes, an onnx.ModelProto, or a model made with accelc.builder",),
    )
