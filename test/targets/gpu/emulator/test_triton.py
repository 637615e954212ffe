"""Kernels that Triton compiles for sm_90a, where it is installed: another compiler's PTX, up to TMA and wgmma."""

from __future__ import annotations

import inspect

import pytest
from corpus import triton_compile

pytestmark = pytest.mark.skipif(not triton_compile.available(), reason="triton is not installed")

from corpus.cases.triton import CASES, Kernel  # noqa: E402


@pytest.mark.parametrize("sanitize", [False, True], ids=["plain", "sanitized"])
@pytest.mark.parametrize("name", CASES)
def test_triton(name: str, sanitize: bool) -> None:
    kernel, run = Kernel(name, sanitize), CASES[name]
    if len(inspect.signature(run).parameters) == 2:
        run(kernel, name)
    else:
        run(kernel)
