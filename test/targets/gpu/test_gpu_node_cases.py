"""onnx's node cases by the generic GPU path on the emulator: none is wrong, none crashes, the passing are listed.

A sample always runs: every twenty-fourth case that passes, and some that are refused. The others are marked slow.
`python test/targets/gpu/gpu_node_cases.py --update` renews the list.
"""

from __future__ import annotations

import functools
from typing import Any

import gpu_node_cases
import pytest
from frontend import onnx_node_cases

SHARDS = 16
RENEW = "renew the list with 'python test/targets/gpu/gpu_node_cases.py --update' and review the difference"


@functools.cache
def _split() -> tuple[list[Any], list[Any]]:
    """The sample, and all other cases."""
    listed = onnx_node_cases.listed(gpu_node_cases.GOLDEN)
    cases = onnx_node_cases.cases()
    passing = [c.name for c in cases if c.name in listed][::24]
    known = onnx_node_cases.golden()  # what the importer takes
    refused = [c.name for c in cases if c.name in known and c.name not in listed][::12]
    names = {*passing, *refused}
    return [c for c in cases if c.name in names], [c for c in cases if c.name not in names]


def _hold(cases: list[Any]) -> None:
    onnx_node_cases.hold(gpu_node_cases.runner, cases, gpu_node_cases.GOLDEN, RENEW)


def test_sample_of_node_cases() -> None:
    _hold(_split()[0])


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_other_node_cases(shard: int) -> None:
    _hold(_split()[1][shard::SHARDS])


def test_most_node_cases_pass() -> None:
    assert len(onnx_node_cases.listed(gpu_node_cases.GOLDEN)) >= 1400
