"""A pytest plugin that keeps every PTX text that the tests load: the corpus of the fuzz campaign (`make fuzz`).

python -m pytest -p keep_ptx --keep-ptx FOLDER test/targets/gpu/emulator
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-ptx", type=Path, help="folder for every PTX text that the tests load")


def pytest_configure(config: pytest.Config) -> None:
    folder: Path | None = config.getoption("--keep-ptx")
    if folder is None:
        return
    from accelc.targets.gpu.emulator.native import core

    folder.mkdir(parents=True, exist_ok=True)
    native: Any = core()
    module = native.Module

    def keep(ptx: str) -> Any:
        loaded = module(ptx)  # texts that are none are made by mutation, in plenty
        name = hashlib.sha256(ptx.encode()).hexdigest()[:20]
        (folder / f"{name}.ptx").write_text(ptx)
        return loaded

    native.Module = keep
