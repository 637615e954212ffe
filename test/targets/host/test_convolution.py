"""Convolutions and pools against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from convolution_kernels import Conv, pool_kernel
from host_kernels import run_kernel

F32 = np.dtype("f")

CONVS = [
    Conv(3, 20, 15, 7, 2, 3),
    Conv(16, 32, 9, 1),
    Conv(16, 33, 9, 1, 2),
    Conv(8, 40, 10, 3, 1, 1, residual=True),
    Conv(8, 16, 11, 3, 2, 1),
    Conv(4, 16, 12, 3, 1, 2, 2),
    Conv(5, 7, 8, 3, 1, 0),
    Conv(24, 24, 10, 3, 1, 1, depthwise=True),
    Conv(24, 24, 11, 3, 2, 1, depthwise=True),
    Conv(5, 5, 7, 5, 1, 2, depthwise=True),
]


@pytest.mark.parametrize("conv", CONVS, ids=str)
def test_convolution(conv: Conv) -> None:
    rng = np.random.default_rng(0)
    *inputs, _ = (rng.standard_normal(s).astype("f") for s in conv.shapes)
    (got,) = run_kernel(conv.text(), inputs, [(conv.shapes[-1], F32)])
    np.testing.assert_allclose(got, conv.reference(*inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["max", "sum"])
@pytest.mark.parametrize(
    ("channels", "size", "kernel", "stride", "pad"), [(20, 9, 3, 2, 1), (3, 6, 2, 2, 0), (40, 7, 7, 1, 0)]
)
def test_pool(kind: str, channels: int, size: int, kernel: int, stride: int, pad: int) -> None:
    x = np.random.default_rng(0).standard_normal((1, size, size, channels)).astype("f")
    value = -np.inf if kind == "max" else 0
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=value)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (1, 2))[:, ::stride, ::stride]
    expected = windows.max((-1, -2)) if kind == "max" else windows.sum((-1, -2))
    (got,) = run_kernel(pool_kernel(kind, channels, size, kernel, stride, pad), [x], [(expected.shape, F32)])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
