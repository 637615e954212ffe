"""docs/onnx.md is made from the handlers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accelc.frontend.onnx.ops import GROUPS, HANDLERS
from accelc.frontend.onnx.supported import table


@pytest.mark.golden
def test_the_page_is_fresh(golden: Callable[[str, str], None]) -> None:
    golden("docs/onnx.md", table())


def test_every_handler_is_in_a_group_and_documented() -> None:
    modules = {m.__name__ for m in GROUPS.values()}
    for (_, op), found in HANDLERS.items():
        assert found.function.__module__ in modules, op
        assert found.function.__doc__, op
