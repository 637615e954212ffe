"""Puts this folder's helpers on the path, and keeps files together whose last test asks what the others have run.

``pytest test/targets/gpu/emulator --emulator-level avx2`` tests that build of the emulator's core.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Each ends in a test that every form of its table was met; workers of pytest-xdist share no memory.
WHOLE = {"test_barrier.py", "test_mbarrier.py", "test_warp_level.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--emulator-level", help="the build of the emulator's core to test: avx512, avx2 or baseline")


def pytest_configure(config: pytest.Config) -> None:
    level = config.getoption("--emulator-level", default=None)
    if level is not None:
        from accelc.targets.gpu.emulator import native

        native.LEVELS = (level,)
        native.core.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """For `--dist loadgroup`, as `make test` has it. A wrapper, so that it comes before pytest-xdist's own hook."""
    for item in items:
        if item.path.name in WHOLE and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    return (yield)
