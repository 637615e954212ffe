"""The polynomials against libm in double: errors in units in the last place, and special values."""

import math

import numpy as np
import pytest
from host_kernels import elementwise_kernel, run_kernel

F32 = np.dtype("f")
# Function, reference, interval, bound in units in the last place.
CASES = [
    ("exp", math.exp, (-104, 88.7), 2),
    ("exp", math.exp, (-1e-3, 1e-3), 1),
    ("exp2", lambda x: 2.0**x, (-140, 127.9), 2),
    ("expm1", math.expm1, (-20, 88.7), 3),
    ("expm1", math.expm1, (-1e-2, 1e-2), 3),
    ("log", math.log, (1e-42, 1e38), 2),
    ("log", math.log, (0.5, 2), 2),
    ("log1p", math.log1p, (-0.999, 10), 4),
    ("log1p", math.log1p, (-1e-3, 1e-3), 4),
    ("log2", math.log2, (1e-40, 1e38), 4),
    ("log10", math.log10, (1e-40, 1e38), 4),
    ("tanh", math.tanh, (-10, 10), 5),
    ("tanh", math.tanh, (-1e-2, 1e-2), 5),
    ("erf", math.erf, (-5, 5), 8),
    ("erf", math.erf, (-1e-2, 1e-2), 4),
]


def _apply(function: str, x: np.ndarray, machine: str = "native") -> np.ndarray:
    text = elementwise_kernel(
        [("f32", x.shape)], ("f32", x.shape), f"%r = math.{function} %a0 : f32\nlinalg.yield %r : f32"
    )
    return run_kernel(text, [x], [(x.shape, F32)], machine)[0]


@pytest.mark.parametrize("machine", ["native", "x86-64"])
@pytest.mark.parametrize(("function", "reference", "interval", "bound"), CASES)
def test_error_in_ulp(function: str, reference, interval: tuple[float, float], bound: float, machine: str) -> None:
    low, high = interval
    x = np.linspace(low, high, 20011).astype("f")
    if low > 0 and high / low > 100:
        x = np.geomspace(low, high, 20011).astype("f")
    expected = np.array([reference(float(v)) for v in x])
    ulp = np.abs(_apply(function, x, machine) - expected) / np.spacing(np.abs(expected).astype("f"))
    bound += machine == "x86-64"  # without fused multiply-adds
    assert ulp.max() <= bound, f"{ulp.max():.2f} ulp at {x[ulp.argmax()]!r}"


@pytest.mark.parametrize(
    ("function", "points"),
    [
        ("exp", {math.inf: math.inf, -math.inf: 0.0, 1000.0: math.inf, -1000.0: 0.0, 0.0: 1.0}),
        ("exp2", {math.inf: math.inf, -math.inf: 0.0, 1.0: 2.0, -149.0: 2.0**-149}),
        ("expm1", {math.inf: math.inf, -math.inf: -1.0, 0.0: 0.0, -50.0: -1.0}),
        ("log", {math.inf: math.inf, 0.0: -math.inf, -1.0: math.nan, -math.inf: math.nan, 1.0: 0.0}),
        ("log1p", {math.inf: math.inf, -1.0: -math.inf, -2.0: math.nan, 0.0: 0.0}),
        ("tanh", {math.inf: 1.0, -math.inf: -1.0, 0.0: 0.0, 100.0: 1.0}),
        ("erf", {math.inf: 1.0, -math.inf: -1.0, 0.0: 0.0, 6.0: 1.0}),
    ],
)
def test_special_values(function: str, points: dict[float, float]) -> None:
    x = np.array([*points, math.nan], "f")
    expected = np.array([*points.values(), math.nan], "f")
    np.testing.assert_allclose(_apply(function, x), expected, rtol=1e-7)


def test_half_precision_is_computed_in_f32() -> None:
    x = np.linspace(-5, 5, 101).astype(np.float16)
    text = elementwise_kernel([("f16", x.shape)], ("f16", x.shape), "%r = math.tanh %a0 : f16\nlinalg.yield %r : f16")
    (out,) = run_kernel(text, [x], [(x.shape, x.dtype)])
    np.testing.assert_allclose(out.astype("f"), np.tanh(x.astype("f")), rtol=1e-3)
