"""Whole compiled models in the cache, and the time that their constants take to read and write."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
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

# What an entry's stats say of the files besides the model: hashes by name.
_EXTERNAL = "external_files"


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

    def find(self) -> CompiledModel | None:
        """The model as it was compiled before, or None."""
        if self.cache is None or self._key is None:
            return None
        started = time.perf_counter()
        path = self.cache.find(self._key)
        model = self._open(path) if path is not None else None
        self.hit = model is not None
        self.io_seconds += time.perf_counter() - started
        return model

    def _open(self, path: Path) -> CompiledModel | None:
        """The model in an entry of the cache, where it was made from the same external data.

        A damaged entry is dropped, and means compiling again; one that another process drops meanwhile means that too.
        """
        assert self.cache is not None and self._key is not None
        try:
            model = open_model(path)
        except ArtifactError:
            self.cache.remove(self._key)
            return None
        stats = dict(model.stats)
        files = stats.pop(_EXTERNAL, {})
        same = all(file_digest_hex(self._source.folder / name) == digest for name, digest in files.items())
        return replace(model, stats=stats) if same else None

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
        # By name in the model's folder: a copy elsewhere may have other data.
        folder = self._source.folder
        files = {os.path.relpath(p, folder): file_digest_hex(Path(p)) for p in self._source.external_files()}
        kept = replace(model, stats={**model.stats, _EXTERNAL: files})
        path = self.cache.add(self._key, lambda temporary: save_model(temporary, kept))
        # A cache that is too small, or gone meanwhile, keeps nothing: the model in memory is as good.
        found = self._open(path) if path is not None else None
        self.io_seconds += time.perf_counter() - started
        return found or model


def file_digest_hex(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits; empty if the file is gone."""
    try:
        return file_digest(path).hex()
    except InvalidModelError:
        return ""
