"""The transcendental functions: errors in ulp against binary64, special values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_helpers import elementwise

BOUND = 0.52  # ulp, as docs/sim_accel_isa.md says
RNG = np.random.default_rng(2)
ANY = RNG.integers(0, 2**32, 60_000, np.uint32).view("f")
ANY = ANY[np.isfinite(ANY)]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def erf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(v) for v in x.tolist()])


FUNCTIONS = {
    "vexp": (np.exp, (-110, 95)),
    "vlog": (np.log, (0, 4)),
    "vtanh": (np.tanh, (-10, 10)),
    "verf": (erf, (-5, 5)),
    "vsigmoid": (lambda x: 1 / (1 + np.exp(-x)), (-110, 30)),
    "vsin": (np.sin, (-100, 100)),
    "vcos": (np.cos, (-100, 100)),
    "vrsqrt": (lambda x: 1 / np.sqrt(x), (0, 4)),
}


def ulps(got: np.ndarray, exact: np.ndarray) -> float:
    """The largest error in units of f32's last place."""
    with np.errstate(over="ignore"):
        rounded = exact.astype("f")
    finite = np.isfinite(rounded)
    assert (got[~finite].view("u4") == rounded[~finite].view("u4"))[~np.isnan(rounded[~finite])].all()
    assert np.isnan(got[np.isnan(exact)]).all()
    unit = np.spacing(np.abs(rounded[finite])).astype(np.float64)
    return float(np.max(np.abs(got[finite].astype(np.float64) - exact[finite]) / unit))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_bound(name: str) -> None:
    function, (low, high) = FUNCTIONS[name]
    x = np.concatenate([ANY, RNG.uniform(low, high, 100_000).astype("f"), np.linspace(low, high, 20_001).astype("f")])
    assert ulps(elementwise(name, "f32", "f32", x), function(x.astype(np.float64))) <= BOUND


def test_log_near_one_and_sin_near_pi() -> None:
    x = np.float32(1) + np.arange(-3000, 3000).astype("f") * np.float32(2**-24)
    assert ulps(elementwise("vlog", "f32", "f32", x), np.log(x.astype(np.float64))) <= BOUND
    x = (np.arange(1, 50_000) * np.pi).astype("f")
    assert ulps(elementwise("vsin", "f32", "f32", x), np.sin(x.astype(np.float64))) <= BOUND


def test_pow() -> None:
    x = np.concatenate([np.exp(RNG.uniform(-5, 5, 50_000)), RNG.uniform(0.99, 1.01, 50_000)]).astype("f")
    y = np.concatenate([RNG.uniform(-15, 15, 50_000), RNG.uniform(-5000, 5000, 50_000)]).astype("f")
    assert ulps(elementwise("vpow", "f32", "f32", x, y), x.astype(np.float64) ** y) <= BOUND
    base = np.array([0, -0.0, 1, -1, 2, -2, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e-40], "f")
    exponent = np.array(
        [0, -0.0, 1, -1, 2, 3, -3, 0.5, -0.5, 2.0**24, 2.0**24 + 2, np.inf, -np.inf, np.nan, 1e30, 1e-45], "f"
    )
    a, b = np.repeat(base, len(exponent)), np.tile(exponent, len(base))
    got, expect = (
        elementwise("vpow", "f32", "f32", a, b),
        np.power(a.astype(np.float64), b.astype(np.float64)).astype("f"),
    )
    assert ((got == expect) & (np.signbit(got) == np.signbit(expect)) | np.isnan(got) & np.isnan(expect)).all()


def test_special_values() -> None:
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan], "f")
    expect = {
        "vexp": [1, 1, np.inf, 0, np.nan],
        "vlog": [-np.inf, -np.inf, np.inf, np.nan, np.nan],
        "vtanh": [0, -0.0, 1, -1, np.nan],
        "verf": [0, -0.0, 1, -1, np.nan],
        "vsigmoid": [0.5, 0.5, 1, 0, np.nan],
        "vsin": [0, -0.0, np.nan, np.nan, np.nan],
        "vcos": [1, 1, np.nan, np.nan, np.nan],
        "vrsqrt": [np.inf, -np.inf, 0, np.nan, np.nan],
    }
    for name, values in expect.items():
        np.testing.assert_array_equal(elementwise(name, "f32", "f32", x), np.array(values, "f"), err_msg=name)
