"""What every Python test may rely on: folders of its own, and golden files that one command renews."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# For `from frontend import ...`: the test models are shared.
sys.path.insert(0, str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="renew golden files instead of comparing (make bless)")


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


@pytest.fixture
def golden(root: Path, request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden("docs/x.md", text)`` holds a committed file to ``text``; with ``--bless`` it writes it.

    Mark tests that use it with ``@pytest.mark.golden``, so that `make bless` finds them.
    """

    def compare(path: str, text: str) -> None:
        file = root / path
        if request.config.getoption("--bless"):
            file.write_text(text)
        assert file.exists(), f"{path} is missing: run 'make bless'"
        assert file.read_text() == text, f"{path} is out of date: run 'make bless' and review the difference"

    return compare
