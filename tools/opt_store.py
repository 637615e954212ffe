"""``--store``: constants from a file, named as `nn.weight` and `plan.constant` name them."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.core.store import Store


def load_store(path: str) -> Store:
    """The arrays of a ``.npz`` or ``.safetensors`` file by name. Raises UsageError if the file is neither."""
    store = Store()
    try:
        arrays = _safetensors(path) if path.endswith(".safetensors") else _npz(path)
    except OSError as error:
        raise UsageError(f"--store {path}: {error.strerror or error}") from None
    for name, array in arrays.items():
        store.add(name, array)
    return store


def _npz(path: str) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not hasattr(file, "files"):
                raise UsageError(f"--store {path}: expected named arrays (.npz), not a single one")
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"--store {path}: not a .npz file: {error}") from None


def _safetensors(path: str) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise UsageError(f"--store {path}: not a safetensors file: {error}") from None
    except (KeyError, TypeError) as error:
        raise UsageError(f"--store {path}: holds a type that numpy cannot read: {error}") from None
