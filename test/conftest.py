"""What every Python test may rely on: a cache and reproducers of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps tests from reading the user's cache, and from leaving files in the system's folders."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ACCELC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("ACCELC_REPRODUCER_DIR", str(tmp_path_factory.mktemp("reproducers")))
    for knob in ("ACCELC_CACHE", "ACCELC_WORKERS", "ACCELC_DUMP", "ACCELC_DEBUG"):
        patch.delenv(knob, raising=False)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]
