"""Barriers, pipelines and groups as libcu++ and cooperative groups make them, compiled by nvcc."""

from __future__ import annotations

import numpy as np
import pytest
from corpus import nvcc

from accelc.targets.gpu.emulator import Emulator

pytestmark = pytest.mark.skipif(nvcc.nvcc() is None, reason="nvcc is not on PATH")
both = pytest.mark.parametrize("sanitize", [False, True])


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return Emulator(nvcc.compile_ptx("synchronization.cu"))


@both
@pytest.mark.parametrize("n", [1, 2, 9])
def test_producer_consumer(emulator: Emulator, n: int, sanitize: bool) -> None:
    out = np.zeros(128, np.int32)
    emulator.launch("producer_consumer", block=128, args=[out, n], sanitize=sanitize)
    np.testing.assert_array_equal(out[64:], n * (n - 1) // 2 * 1000 + n * (63 - np.arange(64)))


@both
def test_two_stages(emulator: Emulator, sanitize: bool) -> None:
    data = np.random.default_rng(0).integers(-1000, 1000, (11, 128)).astype(np.int32)
    out = np.zeros(128, np.int32)
    emulator.launch("two_stages", block=128, args=[out, data, 11], sanitize=sanitize)
    np.testing.assert_array_equal(out, data.sum(0)[::-1])


@both
def test_large_tile(emulator: Emulator, sanitize: bool) -> None:
    """The header hands a value on by shfl, which the memory model does not let order memory: the sanitizer says so."""
    out = np.zeros(256, np.int32)
    report = emulator.launch("large_tile", block=256, args=[out], sanitize=sanitize, raise_on_finding=False)
    np.testing.assert_array_equal(out, np.repeat(np.arange(256).reshape(2, 128).sum(1), 128))
    assert {f.kind for f in report.findings} <= ({"race"} if sanitize else set())


@both
def test_whoever_is_active(emulator: Emulator, sanitize: bool) -> None:
    out = np.zeros(64, np.int32)
    emulator.launch("whoever_is_active", block=64, args=[out], sanitize=sanitize)
    x = np.arange(64)
    odd = np.where(x < 32, x[x < 32][1::2].sum(), x[x >= 32][1::2].sum())
    first = np.where(x < 32, 1, 33)
    value = np.where(x % 2 == 1, odd + np.where(x % 4 == 1, first, 0), (x % 5) * (x % 5 - 1) // 2)
    np.testing.assert_array_equal(out, value + int((value % 2).sum()) * 100000)
