"""Epilogues over a shape in which the dimensions of the contraction below are merged, as in a grouped convolution."""

from __future__ import annotations

import numpy as np
import pytest
from host_kernels import run_kernel

from accelc.core.context import make_context
from accelc.mlir import ir
from accelc.passes.kernel_module import entry, kernels, run_pipeline
from accelc.targets.host.codegen.families import write_kernel
from accelc.targets.host.codegen.finer_output import with_finer_output
from accelc.targets.host.codegen.reader import read
from accelc.targets.host.cpu import cpu

F32 = np.dtype("f")


def grouped(m: int, g: int, k: int, n: int, epilogue: str = "relu") -> str:
    """``[m, g, k] x [g, k, n] -> [m, g * n]``, then a bias for each column, a residual, and relu (or an index)."""
    out, fine = f"tensor<{m}x{g * n}xf32>", f"tensor<{m}x{g}x{n}xf32>"
    x, w, b = f"tensor<{m}x{g}x{k}xf32>", f"tensor<{g}x{k}x{n}xf32>", f"tensor<{g * n}xf32>"
    last = "%y = arith.maximumf %s, %z : f32"
    if epilogue == "index":
        last = "%i = linalg.index 1 : index %j = arith.index_cast %i : index to i32 %f = arith.sitofp %j : i32 to f32"
        last += " %y = arith.addf %s, %f : f32"
    return f"""
    #id = affine_map<(i, j) -> (i, j)>
    #column = affine_map<(i, j) -> (j)>
    module @kernel {{
    func.func @entry(%x: {x}, %w: {w}, %b: {b}, %r: {out}, %out: {out}) -> {out}
        attributes {{accelc.num_outputs = 1 : i64}} {{
      %z = arith.constant 0.0 : f32
      %e = tensor.empty() : {fine}
      %o = linalg.fill ins(%z : f32) outs(%e : {fine}) -> {fine}
      %c = linalg.generic {{indexing_maps = [affine_map<(m, g, n, k) -> (m, g, k)>,
            affine_map<(m, g, n, k) -> (g, k, n)>, affine_map<(m, g, n, k) -> (m, g, n)>],
          iterator_types = ["parallel", "parallel", "parallel", "reduction"]}}
          ins(%x, %w : {x}, {w}) outs(%o : {fine}) {{
      ^bb0(%a0: f32, %b0: f32, %acc: f32):
        %p = arith.mulf %a0, %b0 : f32
        %q = arith.addf %acc, %p : f32
        linalg.yield %q : f32
      }} -> {fine}
      %m = tensor.collapse_shape %c [[0], [1, 2]] : {fine} into {out}
      %h = linalg.generic {{indexing_maps = [#id, #column, #id, #id], iterator_types = ["parallel", "parallel"]}}
          ins(%m, %b, %r : {out}, {b}, {out}) outs(%out : {out}) {{
      ^bb0(%c0: f32, %b0: f32, %r0: f32, %acc: f32):
        %t = arith.addf %c0, %b0 : f32
        %s = arith.addf %t, %r0 : f32
        {last}
        linalg.yield %y : f32
      }} -> {out}
      return %h : {out}
    }} }}"""


@pytest.mark.parametrize(("m", "g", "k", "n"), [(8, 4, 16, 16), (5, 3, 7, 1), (9, 6, 4, 5), (3, 2, 5, 33)])
@pytest.mark.parametrize("epilogue", ["relu", "index"])
def test_grouped(m: int, g: int, k: int, n: int, epilogue: str) -> None:
    rng = np.random.default_rng(0)
    shapes = ((m, g, k), (g, k, n), (g * n,), (m, g * n))
    x, w, b, r = (rng.standard_normal(s).astype("f") for s in shapes)
    total = np.einsum("mgk,gkn->mgn", x.astype(np.float64), w).reshape(m, g * n) + b + r
    expected = np.maximum(total, 0) if epilogue == "relu" else total + np.arange(g * n)
    (got,) = run_kernel(grouped(m, g, k, n, epilogue), [x, w, b, r], [(expected.shape, F32)])
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_is_a_contraction() -> None:
    """Not the path of plain loops, which is hundreds of times slower."""
    with make_context(), ir.Location.unknown():
        (kernel,) = kernels(ir.Module.parse(grouped(8, 4, 16, 16)))
        run_pipeline(kernel, "linalg-generalize-named-ops")
        read_kernel = read(entry(kernel))
        finer = with_finer_output(read_kernel)
        assert finer.outputs[0].shape == finer.destinations[0].shape == (8, 4, 16)
        tiled = write_kernel(read_kernel, cpu("x86-64-v3"))
    assert "math.fma" in tiled.text
    assert tiled.workspace_bytes == 0


def test_index_is_left_alone() -> None:
    with make_context(), ir.Location.unknown():
        (kernel,) = kernels(ir.Module.parse(grouped(8, 4, 16, 16, "index")))
        run_pipeline(kernel, "linalg-generalize-named-ops")
        read_kernel = read(entry(kernel))
        assert with_finer_output(read_kernel) is read_kernel
