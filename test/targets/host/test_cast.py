"""nn.cast with saturation as native code: every bound and NaN, against the op's definition in exact arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import accelc
from accelc import builder as ab
from accelc.core.plan import DTYPES

INTEGERS = ("si8", "ui8", "si16", "ui16", "si32", "ui32", "si64", "ui64")
BOUNDS = sorted({b for t in INTEGERS for b in (int(np.iinfo(DTYPES[t]).min), int(np.iinfo(DTYPES[t]).max))})


def native(x: np.ndarray[Any, Any], source: str) -> dict[str, list[int]]:
    """``x`` cast to every integer type in one model."""
    model = ab.trace(
        lambda v: {t: ab.cast(v, t, saturate=True) for t in INTEGERS if t != source},
        ab.Spec(x.shape, source, name="x"),
    )
    return {t: y.tolist() for t, y in accelc.compile(model).run({"x": x}).items()}


def clamped(value: float, target: str) -> int:
    low, high = int(np.iinfo(DTYPES[target]).min), int(np.iinfo(DTYPES[target]).max)
    if np.isnan(value):
        return 0
    return low if value <= low else high if value >= high else int(value)


def test_floats_saturate_and_nan_is_zero() -> None:
    near = [np.float32(b) for b in BOUNDS]
    steps = [np.nextafter(b, np.float32(towards)) for b in near for towards in (-np.inf, np.inf)]
    x = np.array([*near, *steps, 0.9, -0.9, 100.5, np.inf, -np.inf, np.nan], np.float32)
    for target, result in native(x, "f32").items():
        assert result == [clamped(v, target) for v in x.tolist()], target


@pytest.mark.parametrize("source", ["si64", "ui64", "si16"])
def test_integers_saturate(source: str) -> None:
    have = np.iinfo(DTYPES[source])
    edges = {b + d for b in (*BOUNDS, 0) for d in (-1, 0, 1)}
    x = np.array(sorted(e for e in edges if have.min <= e <= have.max), DTYPES[source])
    for target, result in native(x, source).items():
        assert result == [clamped(v, target) for v in x.tolist()], target
