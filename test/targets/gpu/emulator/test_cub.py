"""CUB's kernels, out of nvcc's own headers: their authors did not share this project's reading of the manual."""

from __future__ import annotations

import pytest
from corpus import nvcc
from corpus.cases import cub, cub_passes
from corpus.harness import CASES, Bench, Case

MINE = [case for case in CASES if case.run.__module__ in (cub.__name__, cub_passes.__name__)]
pytestmark = pytest.mark.skipif(nvcc.nvcc() is None, reason="nvcc is not on PATH, and CUB comes with it")


@pytest.mark.parametrize("case", MINE, ids=str)
def test_plain(case: Case) -> None:
    case.run(Bench(nvcc.compile_ptx(case.source, case.arch, case.flags)))


@pytest.mark.parametrize("case", MINE, ids=str)
def test_sanitized(case: Case) -> None:
    case.run(Bench(nvcc.compile_ptx(case.source, case.arch, case.flags), sanitize=True, known=case.known))
