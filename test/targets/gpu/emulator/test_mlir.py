"""Kernels out of MLIR, by the project's own bindings and LLVM: linalg under a schedule, and Hopper's dialects."""

from __future__ import annotations

import functools

import pytest
from corpus.cases.mlir import CASES
from corpus.harness import Bench
from corpus.mlir_kernels import KERNELS


@functools.cache
def ptx_of(name: str) -> str:
    return KERNELS[name]()


@pytest.mark.parametrize("sanitize", [False, True], ids=["plain", "sanitized"])
@pytest.mark.parametrize("name", KERNELS)
def test_mlir(name: str, sanitize: bool) -> None:
    CASES[name](Bench(ptx_of(name), sanitize=sanitize))
