"""Whole compiled models in the cache, and the time that their constants take to read and write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from accelc.core.artifact import open_model, save_model
from accelc.core.cache import Cache
from accelc.core.compiled import CompiledModel
from accelc.core.diagnostics import ArtifactError, InvalidModelError
from accelc.core.plan import Plan
from accelc.core.store import Store
from accelc.sources import Source, file_digest

Array = np.ndarray[Any, Any]


class ModelCache:
    """Finds and keeps the compiled form of one source for one job. Without a cache it does neither.

    io_seconds: time spent so far on reading, transforming and writing constants.
    hit: whether `find` found the model.
    """

    def __init__(self, cache: Cache | None, source: Source, identity: Mapping[str, Any]) -> None:
        self.cache = cache
        self.io_seconds = 0.0
        self.hit = False
        self._source = source
        digest = source.digest() if cache is not None else None
        self._key = cache.key("model", {**identity, "source": digest}, "") if cache is not None and digest else None
        self._found: CompiledModel | None = None

    def find(self) -> CompiledModel | None:
        """The model as it was compiled before, or None."""
        if self.cache is None or self._key is None:
            return None
        started = time.perf_counter()
        path = self.cache.find(self._key)
        model = self._open(path) if path is not None else None
        if model is not None and not self._same_external_files(model.stats.get("external_files", {})):
            model = None
        self.hit = model is not None
        self.io_seconds += time.perf_counter() - started
        return model

    def _open(self, path: Path) -> CompiledModel | None:
        """The model in an entry of the cache; a damaged entry is dropped, and means compiling again."""
        assert self.cache is not None and self._key is not None
        try:
            return open_model(path)
        except ArtifactError:
            self.cache.remove(self._key)
            return None

    def evaluate(self, store: Store, plan: Plan) -> dict[str, Array]:
        """The constants that the plan uses, evaluated."""
        started = time.perf_counter()
        refs = dict.fromkeys(b.ref for b in plan.buffers if b.kind == "constant")
        # Mapped from a model file, an array may lie at any byte; kernels take aligned ones.
        arrays = {ref: np.require(store.array(ref), requirements=["C", "A"]) for ref in refs}
        self.io_seconds += time.perf_counter() - started
        return arrays

    def keep(self, model: CompiledModel) -> CompiledModel:
        """Stores the model; the one returned has its constants mapped from the cache."""
        if self.cache is None or self._key is None:
            return model
        started = time.perf_counter()
        files = {path: file_digest_hex(path) for path in self._source.external_files()}
        kept = CompiledModel(**{**model.__dict__, "stats": {**model.stats, "external_files": files}})
        path = self.cache.add(self._key, lambda temporary: save_model(temporary, kept))
        self.io_seconds += time.perf_counter() - started
        # A cache that is too small, or gone meanwhile, keeps nothing: the model in memory is as good.
        return open_model(path) if path is not None else model

    def _same_external_files(self, files: Mapping[str, str]) -> bool:
        return all(file_digest_hex(path) == digest for path, digest in files.items())


def file_digest_hex(path: str) -> str:
    """SHA-256 of a file as hexadecimal digits; empty if the file is gone."""
    try:
        return file_digest(Path(path)).hex()
    except InvalidModelError:
        return ""
