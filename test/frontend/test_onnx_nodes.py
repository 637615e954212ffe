"""onnx's node cases through the importer and the reference interpreter; the list of passing ones is committed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from frontend import onnx_node_cases


@pytest.mark.slow
@pytest.mark.golden
def test_node_cases(golden: Callable[[str, str], None]) -> None:
    outcomes = list(onnx_node_cases.run_cases(onnx_node_cases.interpret, onnx_node_cases.cases()))
    assert [o for o in outcomes if o.status in ("wrong", "crash")] == []
    golden("test/frontend/onnx_node_cases.txt", onnx_node_cases.passing(outcomes))


def test_unsupported_cases_say_so_by_name() -> None:
    selected = [
        c
        for c in onnx_node_cases.cases()
        if c.name
        in ("test_nonmaxsuppression_two_classes", "test_strnorm_model_nostopwords_nochangecase", "test_det_2d")
    ]
    for outcome in onnx_node_cases.run_cases(onnx_node_cases.interpret, selected):
        assert outcome.status == "unsupported"
        assert "NonMaxSuppression" in outcome.message or "Det" in outcome.message or "STRING" in outcome.message
