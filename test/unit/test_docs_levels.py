"""docs/levels.md is what the compiler prints today."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accelc.tools import levels


@pytest.mark.golden
def test_the_page_is_fresh(golden: Callable[[str, str], None]) -> None:
    golden("docs/levels.md", levels.page())
