"""How wrong an answer may be, and how wrong it is.

The relative L2 error of an output decides. A target that computes in f32 must stay under a fixed bound. One that
stores values in a narrower format is judged against what that format costs in itself: twice the error of a numpy
reference that runs the same graph with every value stored in the format and accumulated in f32, both against float64,
never less than twice a rounding and never more than `CEILING`. What narrower formats cost that a model itself names is
measured in the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.core.plan import DTYPES

Array = np.ndarray[Any, Any]

F32_BOUND = 1e-4
CEILING = 6e-2
FACTOR = 2.0


def relative_l2(actual: Array, expected: Array) -> float:
    """``|actual - expected| / |expected|`` over all elements in float64; equal elements (infinities too) count 0."""
    a, e = (np.asarray(x).astype(np.float64).ravel() for x in (actual, expected))
    if a.size != e.size:
        return float("inf")
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    difference = np.where(same, 0.0, a - np.where(same, a, e))
    if not np.all(np.isfinite(difference)):
        return float("inf")
    norm = float(np.linalg.norm(e[np.isfinite(e)]))
    error = float(np.linalg.norm(difference))
    return error / norm if norm > 0 else error


def max_abs_error(actual: Array, expected: Array) -> float:
    """The largest absolute difference in float64; equal elements (infinities and NaN too) count 0."""
    a, e = (np.asarray(x).astype(np.float64).ravel() for x in (actual, expected))
    if a.size != e.size:
        return float("inf")
    if a.size == 0:
        return 0.0
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    difference = np.abs(np.where(same, 0.0, a - np.where(same, a, e)))
    return float("inf") if np.any(np.isnan(difference)) else float(difference.max())


def storage_format(precision: str, default: str = "f32") -> str:
    """The number format in which a precision policy stores values: itself where it names one, else ``default``."""
    return precision if precision in DTYPES else default
