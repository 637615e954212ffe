"""onnx's node cases as native code: none is wrong, none crashes, and those that pass are the committed list.

A sample always runs: every twelfth case that passes, and one of each op. The others are marked slow, in shards that
pytest-xdist spreads over processes. `python test/targets/host/onnx_node_cases.py --update` renews the list.
"""

from __future__ import annotations

import functools
from typing import Any

import onnx_node_cases as host
import pytest
from frontend import onnx_node_cases

SHARDS = 16
RENEW = "renew the list with 'python test/targets/host/onnx_node_cases.py --update' and review the difference"


@functools.cache
def _split() -> tuple[list[Any], list[Any]]:
    """The sample, and all other cases."""
    listed = onnx_node_cases.listed(host.GOLDEN)
    passing = [c for c in onnx_node_cases.cases() if c.name in listed]
    ops = {(c.model.graph.node[0].domain, c.model.graph.node[0].op_type): c.name for c in reversed(passing)}
    names = {*(c.name for c in passing[::12]), *ops.values()}
    cases = onnx_node_cases.cases()
    return [c for c in cases if c.name in names], [c for c in cases if c.name not in names]


def _hold(cases: list[Any]) -> None:
    onnx_node_cases.hold(host.host_runner, cases, host.GOLDEN, RENEW)


def test_sample_of_node_cases() -> None:
    _hold(_split()[0])


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_other_node_cases(shard: int) -> None:
    _hold(_split()[1][shard::SHARDS])


def test_most_node_cases_pass() -> None:
    assert len(onnx_node_cases.listed(host.GOLDEN)) >= 1700
