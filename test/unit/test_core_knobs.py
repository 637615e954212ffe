"""Environment knobs: typed, read late, and documented on a page that is fresh."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from accelc.core.diagnostics import UsageError
from accelc.core.knobs import Knobs, knobs, markdown

ROOT = Path(__file__).parents[2]


def test_defaults_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ACCELC_CACHE", "ACCELC_WORKERS", "ACCELC_DUMP"):
        monkeypatch.delenv(variable, raising=False)
    assert (knobs.cache, knobs.workers, knobs.dump) == (True, None, None)
    monkeypatch.setenv("ACCELC_CACHE", "0")
    monkeypatch.setenv("ACCELC_WORKERS", "3")
    monkeypatch.setenv("ACCELC_DUMP", "")
    assert (knobs.cache, knobs.workers, knobs.dump) == (False, 3, None)


@pytest.mark.parametrize(
    ("variable", "attribute", "text"),
    [("ACCELC_CACHE", "cache", "no"), ("ACCELC_WORKERS", "workers", "0"), ("ACCELC_WORKERS", "workers", "two")],
)
def test_wrong_values_are_usage_errors(
    monkeypatch: pytest.MonkeyPatch, variable: str, attribute: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(UsageError, match=f"{variable}={text}: expected"):
        getattr(knobs, attribute)


@pytest.mark.golden
def test_page_is_fresh(golden: Callable[[str, str], None]) -> None:
    golden("docs/knobs.md", markdown())


def test_no_other_file_reads_the_environment_for_accelc() -> None:
    variables = {knob.variable for knob in vars(Knobs).values() if hasattr(knob, "variable")}
    for folder in ("python/accelc", "dialects", "passes", "targets", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"ACCELC_[A-Z_]+", path.read_text()):
                assert name in variables, f"{path}: {name} is not a knob of core/knobs.py"
