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


def test_division_of_a_row_by_extreme_scalars() -> None:
    """A row over one number: the reciprocal must neither overflow nor lose its bits."""
    divisors = np.array([1e-40, 3e38, 0.0, np.inf, np.nan, -7.0, 1e-30, 1e30], "f")
    x = np.array([1e-38, 1.5, 0.0, -3.0, np.inf, 2e-20, 3e10, 7.0] * 4, "f")
    rows, columns = len(divisors), len(x)
    text = f"""
    module @kernel {{
    func.func @entry(%x: tensor<{columns}xf32>, %d: tensor<{rows}xf32>, %out: tensor<{rows}x{columns}xf32>)
        -> tensor<{rows}x{columns}xf32> attributes {{accelc.num_outputs = 1 : i64}} {{
      %r = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>,
          affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}}
          ins(%x, %d : tensor<{columns}xf32>, tensor<{rows}xf32>) outs(%out : tensor<{rows}x{columns}xf32>) {{
      ^bb0(%a: f32, %b: f32, %o: f32):
        %q = arith.divf %a, %b : f32
        linalg.yield %q : f32
      }} -> tensor<{rows}x{columns}xf32>
      return %r : tensor<{rows}x{columns}xf32>
    }} }}"""
    (got,) = run_kernel(text, [x, divisors], [((rows, columns), F32)])
    with np.errstate(all="ignore"):
        expected = x[None] / divisors[:, None]
    normal = (np.abs(expected) > 1e-37) | ~np.isfinite(expected)
    np.testing.assert_allclose(got[normal], expected[normal], rtol=4e-7)
    np.testing.assert_allclose(got[~normal], expected[~normal], atol=1e-37)
