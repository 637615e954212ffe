"""docs/passes.md says what the pass classes say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accelc.passes.docs import page


@pytest.mark.golden
def test_page_is_fresh(golden: Callable[[str, str], None]) -> None:
    """Renew with `make bless`."""
    golden("docs/passes.md", page())
