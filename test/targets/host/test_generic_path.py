"""Any kernel compiles and is right through the path of plain loops."""

import ml_dtypes
import numpy as np
import pytest
from host_kernels import elementwise_kernel, run_kernel


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_float_types(dtype: str) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((5, 7)).astype(dtype) for _ in range(2))
    mlir = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}[dtype]
    text = elementwise_kernel(
        [(mlir, (5, 7))] * 2,
        (mlir, (5, 7)),
        f"%s = arith.addf %a0, %a1 : {mlir}\n%r = math.exp %s : {mlir}\nlinalg.yield %r : {mlir}",
    )
    (out,) = run_kernel(text, [a, b], [((5, 7), np.dtype(dtype))])
    wide = np.exp((a + b).astype(np.float64))
    np.testing.assert_allclose(out.astype(np.float64), wide, rtol=4 * float(ml_dtypes.finfo(dtype).eps))


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integer_types(bits: int) -> None:
    a = np.arange(-6, 6, dtype=f"int{bits}").reshape(3, 4)
    text = elementwise_kernel(
        [(f"i{bits}", (3, 4))] * 2,
        ("i1", (3, 4)),
        f"%s = arith.muli %a0, %a1 : i{bits}\n%r = arith.cmpi sgt, %s, %a0 : i{bits}\nlinalg.yield %r : i1",
    )
    (out,) = run_kernel(text, [a, a], [((3, 4), np.dtype(np.bool_))])
    np.testing.assert_array_equal(out, a * a > a)


def test_concat_pad_and_slice() -> None:
    text = """
    func.func @entry(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %out: tensor<7x4xf32>) -> tensor<7x4xf32>
        attributes {accelc.num_outputs = 1 : i64} {
      %z = arith.constant 2.5 : f32
      %c = tensor.concat dim(0) %a, %b : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<6x3xf32>
      %p = tensor.pad %c low[1, 0] high[0, 1] {
      ^bb0(%i: index, %j: index):
        tensor.yield %z : f32
      } : tensor<6x3xf32> to tensor<7x4xf32>
      return %p : tensor<7x4xf32>
    }"""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3)).astype("f"), rng.standard_normal((4, 3)).astype("f")
    (out,) = run_kernel(text, [a, b], [((7, 4), np.dtype("f"))])
    np.testing.assert_array_equal(out, np.pad(np.concatenate([a, b]), ((1, 0), (0, 1)), constant_values=2.5))


def test_several_outputs() -> None:
    text = """
    func.func @entry(%a: tensor<6xf32>, %o0: tensor<6xf32>, %o1: tensor<6xi32>) -> (tensor<6xf32>, tensor<6xi32>)
        attributes {accelc.num_outputs = 2 : i64} {
      %r:2 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
          iterator_types = ["parallel"]} ins(%a : tensor<6xf32>) outs(%o0, %o1 : tensor<6xf32>, tensor<6xi32>) {
      ^bb0(%x: f32, %p: f32, %q: i32):
        %n = arith.negf %x : f32
        %i = arith.fptosi %x : f32 to i32
        linalg.yield %n, %i : f32, i32
      } -> (tensor<6xf32>, tensor<6xi32>)
      return %r#0, %r#1 : tensor<6xf32>, tensor<6xi32>
    }"""
    a = np.array([-2.5, -1, 0, 1, 2.5, 99], "f")
    negated, truncated = run_kernel(text, [a], [((6,), np.dtype("f")), ((6,), np.dtype("i4"))])
    np.testing.assert_array_equal(negated, -a)
    np.testing.assert_array_equal(truncated, a.astype("i4"))
