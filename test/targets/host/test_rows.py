"""Row-wise kernels: reductions over trailing axes with elementwise work before and after."""

import numpy as np
import pytest
from host_kernels import run_kernel
from row_kernels import layer_norm_kernel, softmax_kernel

F32 = np.dtype("f")


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 7), (2, 16), (5, 77), (4, 128), (2, 197), (3, 300)])
def test_softmax(rows: int, columns: int) -> None:
    x = (np.random.default_rng(0).standard_normal((rows, columns)) * 4).astype("f")
    (out,) = run_kernel(softmax_kernel(rows, columns), [x], [(x.shape, F32)])
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(out, e / e.sum(1, keepdims=True), rtol=2e-6)


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (2, 64), (4, 100), (2, 768)])
def test_layer_norm(rows: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    x, g, b = (rng.standard_normal(s).astype("f") for s in ((rows, columns), columns, columns))
    (out,) = run_kernel(layer_norm_kernel(rows, columns), [x, g, b], [(x.shape, F32)])
    wide = x.astype(np.float64)
    centred = wide - wide.mean(1, keepdims=True)
    expected = centred / np.sqrt(wide.var(1, keepdims=True) + 1e-5) * g + b
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
