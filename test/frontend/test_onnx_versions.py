"""Ops whose meaning or form changed between opsets: against onnxruntime, and numpy where that is too young."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from frontend.onnx_models import node_model, onnxruntime_run, run

from accelc.core.diagnostics import Error

Array = np.ndarray[Any, Any]


def f32(*shape: int, seed: int = 5) -> Array:
    """Random normal elements."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def i64(*values: int) -> Array:
    """A vector of integers."""
    return np.array(values, np.int64)


# op, opset, inputs, constants, attributes: onnxruntime says what comes out.
AGAINST_ONNXRUNTIME: list[tuple[str, int, dict[str, Array], dict[str, Array], dict[str, Any]]] = [
    ("Squeeze", 11, {"x": f32(2, 1, 3)}, {}, {"axes": [1]}),
    ("Squeeze", 13, {"x": f32(2, 1, 3)}, {"axes": i64(-2)}, {}),
    ("Squeeze", 13, {"x": f32(2, 1, 3, 1)}, {}, {}),
    ("Unsqueeze", 11, {"x": f32(2, 3)}, {}, {"axes": [0, 3]}),
    ("Unsqueeze", 13, {"x": f32(2, 3)}, {"axes": i64(0, -1)}, {}),
    ("ReduceSum", 11, {"x": f32(2, 3, 4)}, {}, {"axes": [1], "keepdims": 0}),
    ("ReduceSum", 13, {"x": f32(2, 3, 4)}, {"axes": i64(1)}, {"keepdims": 0}),
    ("ReduceSum", 13, {"x": f32(2, 3, 4)}, {}, {"noop_with_empty_axes": 1}),
    ("ReduceMean", 13, {"x": f32(2, 3, 4)}, {}, {"axes": [-1]}),
    ("ReduceMean", 18, {"x": f32(2, 3, 4)}, {"axes": i64(-1, 0)}, {}),
    ("ReduceMax", 18, {"x": f32(2, 3, 4)}, {}, {}),
    ("ReduceLogSumExp", 18, {"x": f32(2, 3, 4) * 50}, {"axes": i64(1)}, {}),
    ("Clip", 7, {"x": f32(8)}, {}, {"min": -0.5, "max": 0.5}),
    ("Clip", 11, {"x": f32(8)}, {"lo": np.float32(-0.5)}, {}),
    ("Clip", 13, {"x": f32(8), "lo": np.array(-0.5, np.float32), "hi": np.array(0.3, np.float32)}, {}, {}),
    ("Slice", 7, {"x": f32(6, 5)}, {}, {"starts": [1, -3], "ends": [100, -1], "axes": [0, 1]}),
    ("Slice", 13, {"x": f32(6, 5)}, {"s": i64(4, -1), "e": i64(0, -100), "a": i64(0, 1), "t": i64(-2, -1)}, {}),
    ("Pad", 7, {"x": f32(2, 3)}, {}, {"pads": [1, 0, 0, 2], "value": 1.5}),
    ("Pad", 13, {"x": f32(4, 5)}, {"p": i64(1, -1, 0, 2)}, {"mode": "constant"}),
    ("Pad", 13, {"x": f32(4, 5)}, {"p": i64(1, 2, 0, 2)}, {"mode": "reflect"}),
    ("Pad", 18, {"x": f32(4, 5)}, {"p": i64(2, 1), "v": np.float32(3), "a": i64(-1)}, {}),
    ("Softmax", 9, {"x": f32(2, 3, 4)}, {}, {}),
    ("Softmax", 11, {"x": f32(2, 3, 4)}, {}, {"axis": 0}),
    ("Softmax", 13, {"x": f32(2, 3, 4)}, {}, {"axis": 1}),
    ("LogSoftmax", 11, {"x": f32(2, 3, 4)}, {}, {"axis": 1}),
    ("Hardmax", 11, {"x": f32(2, 3, 4)}, {}, {"axis": 1}),
    ("Hardmax", 13, {"x": f32(2, 3, 4)}, {}, {"axis": 1}),
    ("Dropout", 7, {"x": f32(3)}, {}, {"ratio": 0.3}),
    ("Dropout", 10, {"x": f32(3)}, {}, {"ratio": 0.3}),
    ("Dropout", 13, {"x": f32(3)}, {"r": np.float32(0.7)}, {}),
    ("Upsample", 9, {"x": f32(1, 1, 2, 3)}, {"s": np.array([1, 1, 2, 3], np.float32)}, {"mode": "nearest"}),
    ("Upsample", 7, {"x": f32(1, 1, 2, 3)}, {}, {"mode": "linear", "scales": [1.0, 1.0, 2.0, 2.0]}),
    ("Resize", 10, {"x": f32(1, 1, 4, 4)}, {"s": np.array([1, 1, 1.5, 2], np.float32)}, {"mode": "linear"}),
    ("BatchNormalization", 7, {"x": f32(2, 3, 4)}, {k: np.abs(f32(3, seed=i)) + 0.5 for i, k in enumerate("abcd")}, {}),
    (
        "BatchNormalization",
        15,
        {"x": f32(2, 3, 4)},
        {k: np.abs(f32(3, seed=i)) + 0.5 for i, k in enumerate("abcd")},
        {"epsilon": 0.1},
    ),
    ("Flatten", 9, {"x": f32(2, 3, 4)}, {}, {"axis": 2}),
    ("Flatten", 13, {"x": f32(2, 3, 4)}, {}, {"axis": -2}),
    (
        "Gemm",
        9,
        {"a": f32(3, 2), "b": f32(4, 3), "c": f32(4)},
        {},
        {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
    ),
    ("Gemm", 11, {"a": f32(2, 3), "b": f32(3, 4)}, {}, {}),
    ("ArgMax", 11, {"x": f32(3, 4)}, {}, {"axis": 1, "keepdims": 0}),
    ("ArgMin", 13, {"x": np.array([[1, 2, 1], [3, 3, 3]], np.float32)}, {}, {"axis": 1, "select_last_index": 1}),
    ("Cast", 9, {"x": f32(5) * 10}, {}, {"to": 7}),
    ("Mod", 13, {"x": f32(6), "y": f32(6, seed=6)}, {}, {"fmod": 1}),
    ("Expand", 13, {"x": f32(3, 1)}, {"s": i64(2, 1, 4)}, {}),
    ("Tile", 13, {"x": f32(2, 3)}, {"r": i64(2, 3)}, {}),
    ("OneHot", 11, {"i": i64(1, -1, 7)}, {"d": np.array(4, np.int64), "v": np.array([0, 5], np.float32)}, {"axis": 0}),
    (
        "AveragePool",
        10,
        {"x": f32(1, 2, 7, 7)},
        {},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 0, 0]},
    ),
    (
        "AveragePool",
        19,
        {"x": f32(1, 2, 7, 7)},
        {},
        {"kernel_shape": [3, 3], "strides": [2, 2], "count_include_pad": 1, "pads": [1, 1, 1, 1]},
    ),
    (
        "MaxPool",
        12,
        {"x": f32(1, 2, 8, 8)},
        {},
        {"kernel_shape": [2, 3], "strides": [2, 1], "auto_pad": "SAME_LOWER"},
    ),
    (
        "ConvTranspose",
        11,
        {"x": f32(1, 2, 4, 4), "w": f32(2, 3, 3, 3)},
        {},
        {"strides": [2, 2], "output_shape": [9, 9]},
    ),
    (
        "ConvTranspose",
        11,
        {"x": f32(1, 2, 4, 4), "w": f32(2, 3, 3, 3)},
        {},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ),
    (
        "Conv",
        11,
        {"x": f32(1, 4, 9, 9), "w": f32(6, 2, 3, 3), "b": f32(6)},
        {},
        {"group": 2, "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ),
    ("MatMul", 13, {"a": f32(5, 1, 2, 3), "b": f32(4, 3, 2)}, {}, {}),
    ("MatMul", 13, {"a": f32(3), "b": f32(4, 3, 2)}, {}, {}),
    ("MatMul", 13, {"a": f32(4, 2, 3), "b": f32(3)}, {}, {}),
    ("Einsum", 12, {"a": f32(2, 3, 4), "b": f32(4, 5), "c": f32(5)}, {}, {"equation": "...ij,jk,k->...i"}),
    ("LRN", 13, {"x": f32(1, 6, 2, 2)}, {}, {"size": 3, "alpha": 0.1, "beta": 0.5, "bias": 2.0}),
    ("PRelu", 9, {"x": f32(2, 3, 4), "s": f32(3, 1)}, {}, {}),
    ("InstanceNormalization", 6, {"x": f32(2, 3, 5)}, {"s": f32(3), "b": f32(3)}, {}),
]


@pytest.mark.parametrize("case", AGAINST_ONNXRUNTIME, ids=lambda c: f"{c[0]}-{c[1]}")
def test_as_onnxruntime(case: tuple[str, int, dict[str, Array], dict[str, Array], dict[str, Any]]) -> None:
    op, opset, inputs, constants, attrs = case
    model = node_model(op, inputs, constants, opset, **attrs)
    (want,), (have,) = onnxruntime_run(model, inputs), run(model, inputs)
    assert have.dtype == want.dtype
    assert have.shape == want.shape
    np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("outputs", [("TopK", 9, {}, {"k": 2}), ("TopK", 11, {"k": i64(2)}, {"largest": 0, "axis": 0})])
def test_topk(outputs: tuple[str, int, dict[str, Array], dict[str, Any]]) -> None:
    op, opset, constants, attrs = outputs
    inputs = {"x": f32(4, 5)}
    model = node_model(op, inputs, constants, opset, 2, **attrs)
    for want, have in zip(onnxruntime_run(model, inputs), run(model, inputs), strict=True):
        np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize(
    ("opset", "constants", "attrs"),
    [(11, {}, {"split": [1, 3]}), (13, {"s": i64(1, 3)}, {}), (13, {}, {}), (18, {}, {"num_outputs": 2})],
)
def test_split(opset: int, constants: dict[str, Array], attrs: dict[str, Any]) -> None:
    inputs = {"x": f32(4, 5)}
    model = node_model("Split", inputs, constants, opset, 2, **attrs)
    for want, have in zip(onnxruntime_run(model, inputs), run(model, inputs), strict=True):
        np.testing.assert_array_equal(have, want)


# Opsets older than onnxruntime knows: numpy says what comes out.
AGAINST_NUMPY: list[tuple[str, int, dict[str, Array], dict[str, Any], Callable[..., Array]]] = [
    ("Add", 6, {"a": f32(2, 3, 4), "b": f32(3)}, {"broadcast": 1, "axis": 1}, lambda a, b: a + b[:, None]),
    ("Mul", 6, {"a": f32(2, 3, 4), "b": f32(3, 4)}, {"broadcast": 1}, lambda a, b: a * b),
    ("Sub", 1, {"a": f32(2, 3), "b": f32(1)}, {"broadcast": 1, "consumed_inputs": [0, 0]}, lambda a, b: a - b),
    ("Div", 6, {"a": f32(2, 3), "b": f32(2, 3)}, {}, lambda a, b: a / b),
    ("Greater", 1, {"a": f32(2, 3), "b": f32(2)}, {"broadcast": 1, "axis": 0}, lambda a, b: a > b[:, None]),
    ("Pow", 1, {"a": np.abs(f32(2, 3)), "b": f32(3)}, {"broadcast": 1}, lambda a, b: a**b),
    ("Reshape", 1, {"x": f32(2, 6)}, {"shape": [3, -1]}, lambda x: x.reshape(3, 4)),
    (
        "Pad",
        1,
        {"x": f32(2, 3)},
        {"paddings": [0, 1, 0, 2], "value": 2.0},
        lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=2),
    ),
    ("Clip", 6, {"x": f32(6)}, {"max": 0.25}, lambda x: np.minimum(x, np.float32(0.25))),
    ("Cast", 1, {"x": f32(4) * 9}, {"to": "INT32"}, lambda x: x.astype(np.int32)),
    ("Concat", 1, {"a": f32(2, 3), "b": f32(2, 1)}, {}, lambda a, b: np.concatenate([a, b], 1)),
    ("Dropout", 1, {"x": f32(3)}, {"consumed_inputs": [0], "is_test": 1}, lambda x: x),
    ("PRelu", 6, {"x": f32(2, 3, 4), "s": f32(3)}, {}, lambda x, s: np.where(x < 0, x * s[:, None], x)),
    (
        "Upsample",
        1,
        {"x": f32(1, 1, 2, 2)},
        {"height_scale": 2.0, "width_scale": 3.0},
        lambda x: x.repeat(2, 2).repeat(3, 3),
    ),
    ("Sum", 6, {"a": f32(3), "b": f32(3), "c": f32(3)}, {}, lambda a, b, c: a + b + c),
    ("Selu", 1, {"x": f32(5)}, {}, lambda x: 1.0507 * np.where(x < 0, 1.6732 * (np.exp(x) - 1), x)),
    ("TopK", 1, {"x": np.array([[3, 1, 2]], np.float32)}, {"k": 1}, lambda x: x[:, :1]),
]


@pytest.mark.parametrize("case", AGAINST_NUMPY, ids=lambda c: f"{c[0]}-{c[1]}")
def test_as_numpy(case: tuple[str, int, dict[str, Array], dict[str, Any], Callable[..., Array]]) -> None:
    op, opset, inputs, attrs, function = case
    model = node_model(op, inputs, {}, opset, 2 if op == "TopK" else 1, **attrs)
    have = run(model, inputs)[0]
    want = function(*inputs.values())
    assert have.shape == want.shape
    np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6)


def test_batch_normalization_of_opset_6_with_spatial_0() -> None:
    stats = [np.abs(f32(3, 2, seed=i)) + 0.5 for i in range(4)]
    x = f32(4, 3, 2)
    names = ("scale", "bias", "mean", "var")
    model = node_model("BatchNormalization", {"x": x}, dict(zip(names, stats, strict=True)), 6, is_test=1, spatial=0)
    scale, bias, mean, var = stats
    np.testing.assert_allclose(
        run(model, {"x": x})[0], (x - mean) / np.sqrt(var + 1e-5) * scale + bias, rtol=1e-4, atol=1e-5
    )


def test_operands_do_not_broadcast_by_themselves_before_opset_7() -> None:
    model = node_model("Add", {"a": f32(2, 3), "b": f32(3)}, {}, 6)
    with pytest.raises(Error, match=r"node 'the_node'.*no attribute 'broadcast'"):
        run(model, {"a": f32(2, 3), "b": f32(3)})
