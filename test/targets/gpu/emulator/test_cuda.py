"""Kernels in CUDA C++, compiled by nvcc, against answers that know nothing of PTX; each plain and with the sanitizer.

Where nvcc is missing, the sources whose PTX is committed in `ptx/` run from there, and the others are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from corpus import cases, nvcc
from corpus.harness import CASES, Bench, Case

MINE = [case for case in CASES if case.run.__module__ in {f"{cases.__name__}.{name}" for name in cases.__all__}]


def ptx_of(case: Case) -> str:
    """The case's PTX, from nvcc or, where that is missing and the case is an ordinary one, from the repository."""
    if nvcc.nvcc() is not None:
        return nvcc.compile_ptx(case.source, case.arch, case.flags)
    kept = nvcc.committed(case.source)
    if not kept.exists() or case.arch != "sm_90a" or case.flags:
        pytest.skip("nvcc is not on PATH, and this source's PTX is not in the repository")
    return kept.read_text()


@pytest.mark.parametrize("case", MINE, ids=str)
def test_plain(case: Case) -> None:
    case.run(Bench(ptx_of(case)))


@pytest.mark.parametrize("case", [case for case in MINE if case.sanitize], ids=str)
def test_sanitized(case: Case) -> None:
    case.run(Bench(ptx_of(case), sanitize=True, known=case.known))


@pytest.mark.golden
@pytest.mark.parametrize("source", nvcc.CHOSEN)
def test_committed_ptx_is_fresh(
    source: str, golden: Callable[[str, str], None], root: Path, request: pytest.FixtureRequest
) -> None:
    if nvcc.nvcc() is None:
        pytest.skip("nvcc is not on PATH")
    kept = nvcc.committed(source)
    if not request.config.getoption("--bless") and nvcc.release(nvcc.version()) != nvcc.release(kept.read_text()):
        pytest.skip("another release of nvcc made the committed PTX")
    golden(str(kept.relative_to(root)), nvcc.compile_ptx(f"{source}.cu"))


@pytest.mark.parametrize("case", [c for c in MINE if c.sanitize and not c.flags and c.source != "convert.cu"], ids=str)
def test_two_threads(case: Case) -> None:
    case.run(Bench(ptx_of(case), threads=2))
