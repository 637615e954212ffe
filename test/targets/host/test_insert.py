"""Strided insertions: what a transposed convolution spreads its input with."""

from __future__ import annotations

import numpy as np
import pytest
from host_kernels import run_kernel, tensor

from accelc.core.context import make_context
from accelc.mlir import ir
from accelc.passes.kernel_module import entry, kernels, run_pipeline
from accelc.targets.host.codegen.families import write_kernel
from accelc.targets.host.codegen.reader import read
from accelc.targets.host.cpu import cpu

F32 = np.dtype("f")


def spread(rows: int, columns: int, strides: tuple[int, int], offsets: tuple[int, int], pad: int) -> str:
    """``x`` on a grid of 7s, and that surrounded by ``pad`` 7s."""
    size = [(n - 1) * s + 1 + o for n, s, o in zip((rows, columns), strides, offsets, strict=True)]
    x, grid, out = (tensor(s, "f32") for s in ([rows, columns], size, [n + 2 * pad for n in size]))
    at = f"[{offsets[0]}, {offsets[1]}] [{rows}, {columns}] [{strides[0]}, {strides[1]}]"
    return f"""
    module @kernel {{
    func.func @entry(%x: {x}, %out: {out}) -> {out} attributes {{accelc.num_outputs = 1 : i64}} {{
      %z = arith.constant 7.0 : f32
      %e = tensor.empty() : {grid}
      %f = linalg.fill ins(%z : f32) outs(%e : {grid}) -> {grid}
      %g = tensor.insert_slice %x into %f{at} : {x} into {grid}
      %p = tensor.pad %g low[{pad}, {pad}] high[{pad}, {pad}] {{
      ^bb0(%i: index, %j: index):
        tensor.yield %z : f32
      }} : {grid} to {out}
      %c = linalg.copy ins(%p : {out}) outs(%out : {out}) -> {out}
      return %c : {out}
    }} }}"""


CASES = [
    (5, 7, (1, 1), (0, 0), 0),
    (5, 7, (2, 3), (0, 0), 2),
    (9, 33, (3, 1), (1, 4), 1),
    (4, 1, (2, 2), (0, 1), 0),
    (1, 40, (1, 2), (3, 0), 3),
]


@pytest.mark.parametrize(("rows", "columns", "strides", "offsets", "pad"), CASES)
def test_spread(rows: int, columns: int, strides: tuple[int, int], offsets: tuple[int, int], pad: int) -> None:
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype("f")
    size = [(n - 1) * s + 1 + o for n, s, o in zip((rows, columns), strides, offsets, strict=True)]
    expected = np.full(size, 7, "f")
    expected[offsets[0] :: strides[0], offsets[1] :: strides[1]] = x
    expected = np.pad(expected, pad, constant_values=7)
    (got,) = run_kernel(spread(rows, columns, strides, offsets, pad), [x], [(expected.shape, F32)])
    np.testing.assert_array_equal(got, expected)


def test_is_tiled() -> None:
    """One strided insertion does not send a kernel down the path of plain loops."""
    with make_context(), ir.Location.unknown():
        (kernel,) = kernels(ir.Module.parse(spread(5, 7, (2, 3), (0, 0), 2)))
        run_pipeline(kernel, "linalg-generalize-named-ops")
        write_kernel(read(entry(kernel)), cpu("x86-64-v3"))
