"""The cache of compiled kernels and whole models: one file an entry, named by a hash of all that made it.

Processes share it without locks: an entry appears by a rename, is never changed, and may vanish at any time (a reader
that has it open or mapped keeps it). An entry that is damaged, or a folder that cannot be written, only means
compiling again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.core.knobs import knobs
from accelc.core.target import KernelCode

# Part of the folder's name: entries of other layouts are never read.
_LAYOUT = "v1"
_HEADER = struct.Struct("<32sI")
_STALE_SECONDS = 3600
_KEPT_FRACTION = 0.8
_PUTS_BETWEEN_EVICTIONS = 256
# What takes part in making code, besides accelc itself. The GPU tools are optional.
_TOOLS = ("torch-mlir", "mlir-python-bindings", "llvmlite", "onnx", "ml_dtypes", "numpy", "nvidia-cuda-nvcc")


class Cache:
    """Entries in a folder, at most ``limit_bytes`` of them; what was used longest ago is dropped first."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root / _LAYOUT
        self.limit_bytes = limit_bytes
        self._puts = 0

    def key(self, kind: str, identity: Mapping[str, Any], text: str) -> str:
        """The name of an entry: ``kind``, what it is made for (JSON values) and from, and the compiler's version."""
        parts = [kind, compiler_fingerprint(), identity, text]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def find(self, key: str) -> Path | None:
        """The file of an entry, marked as just used, or None."""
        path = self._path(key)
        try:
            os.utime(path)
        except OSError:
            return None
        return path

    def add(self, key: str, write: Callable[[Path], None]) -> Path | None:
        """Makes an entry with ``write(path)``; its path, or None where the cache cannot keep it."""
        path = self._path(key)
        temporary: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A folder, so that whatever `write` puts beside its file is cleaned up with it.
            temporary = tempfile.mkdtemp(prefix="tmp-", dir=self.root)
            file = Path(temporary) / "entry"
            write(file)
            size = file.stat().st_size
            if size > self.limit_bytes:
                return None
            file.replace(path)
        except (OSError, UsageError):
            return None
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)
        self._puts += 1
        if self._puts % _PUTS_BETWEEN_EVICTIONS == 1 or size > self.limit_bytes // 64:
            self.evict(keep=path)
        return path

    def remove(self, key: str) -> None:
        """Drops an entry, if it is there."""
        with suppress(OSError):
            self._path(key).unlink()

    def get_kernel(self, key: str) -> KernelCode | None:
        """The kernel kept under ``key``, or None."""
        path = self.find(key)
        if path is None:
            return None
        try:
            return _decode(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            self.remove(key)
            return None

    def put_kernel(self, key: str, code: KernelCode) -> None:
        """Keeps a kernel."""
        encoded = _encode(code)
        self.add(key, lambda path: _write(path, encoded))

    def evict(self, keep: Path | None = None) -> None:
        """Drops what was used longest ago until the entries fit, and what broken processes left; never ``keep``."""
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        if total <= self.limit_bytes:
            return
        # Down to less than the limit, or every further entry would scan the folder again.
        for _, size, path in entries:
            if total <= self.limit_bytes * _KEPT_FRACTION:
                return
            if path == keep:
                continue
            with suppress(OSError):
                path.unlink()
            total -= size

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        # Other processes delete at the same time: whatever is gone is not an entry.
        with suppress(OSError):
            for folder in os.scandir(self.root):
                if folder.name.startswith("tmp-"):
                    with suppress(OSError):
                        if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                            shutil.rmtree(folder.path, ignore_errors=True)
                    continue
                with suppress(OSError):
                    for entry in os.scandir(folder.path):
                        with suppress(OSError):
                            stat = entry.stat()
                            yield stat.st_mtime, stat.st_size, Path(entry.path)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / key[2:]


def open_cache() -> Cache | None:
    """The cache that the environment asks for, or None where it is off."""
    if not knobs.cache:
        return None
    if knobs.cache_dir is not None:
        root = Path(knobs.cache_dir)
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        if base.startswith("~"):
            return None  # a user without a home
        root = Path(base) / "accelc"
    return Cache(root, knobs.cache_limit_mib << 20)


@functools.cache
def compiler_fingerprint() -> str:
    """Identifies the compiler: versions of what makes code, and accelc's own files by path, size and time.

    So an edit in an editable install is another compiler. Computed once a process, in a few milliseconds.
    """
    h = hashlib.sha256(f"python {sys.version_info[:2]}".encode())
    for tool in _TOOLS:
        with suppress(importlib.metadata.PackageNotFoundError):
            h.update(f"{tool} {importlib.metadata.version(tool)}\n".encode())
    import accelc

    h.update(source_state(Path(accelc.__file__).parent).encode())
    return h.hexdigest()


def source_state(root: Path) -> str:
    """A hash of paths, sizes and times of the code and tables below ``root``; the files are not read."""
    h = hashlib.sha256()
    # The top-level packages are reached through symlinks.
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = sorted(d for d in subfolders if d != "__pycache__")
        for name in sorted(files):
            if name.endswith((".py", ".so", ".toml")):
                with suppress(OSError):  # an editor may be replacing it
                    stat = os.stat(os.path.join(folder, name))
                    h.update(f"{os.path.relpath(folder, root)}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return h.hexdigest()


def _encode(code: KernelCode) -> bytes:
    header = json.dumps({"symbol": code.symbol, "meta": dict(code.meta)}, sort_keys=True).encode()
    body = header + code.data
    return _HEADER.pack(hashlib.sha256(body).digest(), len(header)) + body


def _decode(data: bytes) -> KernelCode:
    digest, header_length = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("damaged entry")
    header = json.loads(body[:header_length])
    return KernelCode(header["symbol"], body[header_length:], header["meta"])


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
