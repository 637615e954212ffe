"""nn.evaluate against onnxruntime, or onnx's reference where that has no kernel, on the ops with intricate rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.dialects.nn.types import dtype_of_array

Array = np.ndarray[Any, Any]


def onnx_node(
    op: str,
    inputs: dict[str, Array],
    attrs: dict[str, Any],
    *,
    opset: int = 19,
    reference: bool = False,
    outputs: int = 1,
) -> list[Array]:
    """Runs one ONNX node; inputs named "" are left out."""
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, [n if n[0] != "_" else "" for n in inputs], names, **attrs)
    given = {n: a for n, a in inputs.items() if n[0] != "_"}
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items()],
        [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    if reference:
        return list(ReferenceEvaluator(model).run(None, given))
    session = onnxruntime.InferenceSession(
        onnx.shape_inference.infer_shapes(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, given))


def evaluate(name: str, arrays: Sequence[Array], **attrs: Any) -> list[Array]:
    """Infers, then computes."""
    types = [TensorType(a.shape, dtype_of_array(a)) for a in arrays]
    attrs = {**nn.op_class(name).defaults, **attrs}
    return nn.evaluate(name, arrays, attrs, nn.infer(name, types, attrs))


def rng() -> np.random.Generator:
    """The same numbers in every test."""
    return np.random.default_rng(7)


def f32(*shape: int) -> Array:
    """Random normal elements."""
    return rng().standard_normal(shape).astype(np.float32)


COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]


@pytest.mark.parametrize("coordinate", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("scale", [(2.0, 3.0), (0.6, 0.5), (1.3, 1.0)])
def test_resize(coordinate: str, mode: str, scale: tuple[float, float]) -> None:
    x = f32(1, 2, 5, 6)
    scales = np.array([1, 1, *scale], np.float32)
    shape = tuple(int(np.floor(n * float(s))) for n, s in zip(x.shape, scales, strict=True))
    attrs = {"mode": mode, "coordinate_transformation_mode": coordinate}
    (expected,) = onnx_node("Resize", {"x": x, "_roi": x, "scales": scales}, attrs)
    (got,) = evaluate(
        "resize",
        [x],
        mode=mode,
        coordinate=coordinate,
        nearest="round_prefer_floor",
        scales=tuple(map(float, scales)),
        shape=shape,
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_resize_nearest(nearest: str) -> None:
    x = f32(1, 1, 4, 4)
    scales = np.array([1, 1, 1.5, 2.5], np.float32)
    attrs = {"mode": "nearest", "nearest_mode": nearest, "coordinate_transformation_mode": "asymmetric"}
    (expected,) = onnx_node("Resize", {"x": x, "_roi": x, "scales": scales}, attrs)
    (got,) = evaluate(
        "resize",
        [x],
        mode="nearest",
        coordinate="asymmetric",
        nearest=nearest,
        scales=tuple(map(float, scales)),
        shape=expected.shape,
    )
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("options", [{"antialias": True}, {"exclude_outside": True}])
def test_resize_filters(mode: str, options: dict[str, bool]) -> None:
    if mode == "linear" and "exclude_outside" in options:
        pytest.skip("ONNX has it for cubic")
    x = f32(1, 1, 7, 8)
    scales = np.array([1, 1, 0.5, 0.7], np.float32)
    attrs = {"mode": mode, **{k: int(v) for k, v in options.items()}}
    (expected,) = onnx_node("Resize", {"x": x, "_roi": x, "scales": scales}, attrs, reference=True)
    (got,) = evaluate(
        "resize",
        [x],
        mode=mode,
        coordinate="half_pixel",
        scales=tuple(map(float, scales)),
        shape=expected.shape,
        **options,
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_resize_crop() -> None:
    x = f32(1, 1, 4, 4)
    roi = np.array([0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7], np.float32)
    attrs = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 10.0}
    sizes = np.array([1, 1, 3, 3], np.int64)
    (expected,) = onnx_node("Resize", {"x": x, "roi": roi, "_scales": x, "sizes": sizes}, attrs)
    (got,) = evaluate(
        "resize",
        [x],
        mode="linear",
        coordinate="tf_crop_and_resize",
        scales=(1.0, 1.0, 0.75, 0.75),
        roi=tuple(map(float, roi)),
        extrapolation=10.0,
        shape=(1, 1, 3, 3),
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5)


CONV = [
    ((2, 4, 9, 8), (6, 4, 3, 3), {}),
    ((1, 4, 9, 8), (6, 2, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 3], "dilations": [1, 2], "group": 2}),
    ((1, 4, 9, 8), (8, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    ((1, 3, 11), (5, 3, 4), {"strides": [3]}),
    ((1, 2, 5, 6, 7), (3, 2, 2, 3, 1), {"pads": [1, 0, 0, 0, 1, 2]}),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "attrs"), CONV)
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_conv(x_shape: tuple[int, ...], w_shape: tuple[int, ...], attrs: dict[str, Any], layout: str) -> None:
    x, w = f32(*x_shape), f32(*w_shape)
    (expected,) = onnx_node("Conv", {"x": x, "w": w}, attrs)
    rank = len(x_shape) - 2
    pads = attrs.get("pads", [0] * 2 * rank)
    if layout == "nhwc":
        x, w = np.moveaxis(x, 1, -1), np.moveaxis(w, (0, 1), (-1, -2))
    (got,) = evaluate(
        "conv",
        [x, w],
        strides=attrs.get("strides", [1] * rank),
        pads_low=pads[:rank],
        pads_high=pads[rank:],
        dilations=attrs.get("dilations", [1] * rank),
        groups=attrs.get("group", 1),
        layout=layout,
        dtype="f32",
    )
    np.testing.assert_allclose(got if layout == "nchw" else np.moveaxis(got, -1, 1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "attrs"),
    [
        ((1, 4, 5, 6), (4, 3, 3, 3), {}),
        ((1, 4, 5, 6), (4, 3, 3, 2), {"strides": [2, 3], "pads": [1, 0, 0, 1], "group": 2, "output_padding": [1, 2]}),
        ((2, 3, 7), (3, 2, 4), {"strides": [2], "dilations": [3], "pads": [2, 1]}),
    ],
)
def test_conv_transpose(x_shape: tuple[int, ...], w_shape: tuple[int, ...], attrs: dict[str, Any]) -> None:
    x, w = f32(*x_shape), f32(*w_shape)
    (expected,) = onnx_node("ConvTranspose", {"x": x, "w": w}, attrs)
    rank = len(x_shape) - 2
    pads = attrs.get("pads", [0] * 2 * rank)
    (got,) = evaluate(
        "conv_transpose",
        [x, w],
        strides=attrs.get("strides", [1] * rank),
        pads_low=pads[:rank],
        pads_high=pads[rank:],
        dilations=attrs.get("dilations", [1] * rank),
        output_pads=attrs.get("output_padding", [0] * rank),
        groups=attrs.get("group", 1),
        dtype="f32",
    )
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize(("kind", "op"), [("max", "MaxPool"), ("average", "AveragePool"), ("lp", "LpPool")])
def test_pool(kind: str, op: str, include: bool) -> None:
    x = f32(2, 3, 9, 10)
    attrs: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 2, 1]}
    if kind == "average":
        attrs["count_include_pad"] = int(include)
    elif include:
        pytest.skip("of averages only")
    if kind == "max":
        attrs["dilations"] = [2, 1]
    (expected,) = onnx_node(op, {"x": x}, {**attrs, **({"p": 3} if kind == "lp" else {})})
    (got,) = evaluate(
        "pool",
        [x],
        kind=kind,
        kernel=(3, 2),
        strides=(2, 1),
        pads_low=(1, 0),
        pads_high=(2, 1),
        dilations=attrs.get("dilations", (1, 1)),
        count_include_pad=include,
        p=3,
        layout="nchw",
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_integer_max_pool() -> None:
    x = rng().integers(-128, 128, (1, 2, 6, 6)).astype(np.int8)
    (expected,) = onnx_node("MaxPool", {"x": x}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})
    (got,) = evaluate(
        "pool", [x], kind="max", kernel=(3, 3), strides=(1, 1), pads_low=(1, 1), pads_high=(1, 1), dilations=(1, 1)
        , count_include_pad=False, p=2, layout="nchw",
    )  # fmt: skip
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_lrn(size: int) -> None:
    x = f32(2, 6, 3, 3)
    attrs = {"size": size, "alpha": 0.3, "beta": 0.6, "bias": 1.5}
    (expected,) = onnx_node("LRN", {"x": x}, attrs)
    (got,) = evaluate("lrn", [x], **attrs, layout="nchw")
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize(("batch_dims", "index_shape"), [(0, (4, 2)), (0, (2, 3, 1)), (1, (2, 5, 2)), (1, (2, 1))])
def test_gather_nd(batch_dims: int, index_shape: tuple[int, ...]) -> None:
    x = f32(2, 3, 4)
    idx = rng().integers(0, 2, index_shape)
    (expected,) = onnx_node("GatherND", {"x": x, "idx": idx}, {"batch_dims": batch_dims})
    (got,) = evaluate("gather_nd", [x, idx], batch_dims=batch_dims)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "min", "max"])
def test_scatter(reduction: str) -> None:
    x = f32(4, 5)
    idx = rng().integers(0, 4, (3, 5)) if reduction != "none" else np.argsort(rng().random((4, 5)), axis=0)[:3]
    upd = f32(3, 5) + 1
    (expected,) = onnx_node(
        "ScatterElements", {"x": x, "idx": idx, "upd": upd}, {"axis": 0, "reduction": reduction}, opset=18
    )
    (got,) = evaluate("scatter_elements", [x, idx, upd], axis=0, reduction=reduction)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    rows = np.array([[3], [0], [2]])
    (expected,) = onnx_node("ScatterND", {"x": x, "idx": rows, "upd": upd}, {"reduction": reduction}, opset=18)
    (got,) = evaluate("scatter_nd", [x, rows, upd], reduction=reduction)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("axis", [0, 1])
def test_topk(largest: bool, axis: int) -> None:
    # Few distinct values: ties must keep their order.
    x = rng().integers(0, 4, (6, 7)).astype(np.float32)
    expected = onnx_node(
        "TopK", {"x": x, "k": np.array([4])}, {"axis": axis, "largest": int(largest)}, outputs=2, opset=11
    )
    got = evaluate("topk", [x], k=4, axis=axis, largest=largest)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", ["max", "min"])
def test_argreduce(kind: str, last: bool) -> None:
    x = rng().integers(0, 3, (5, 6)).astype(np.float32)
    attrs = {"axis": 1, "keepdims": 0, "select_last_index": int(last)}
    (expected,) = onnx_node(f"Arg{kind.capitalize()}", {"x": x}, attrs, opset=13)
    (got,) = evaluate("argreduce", [x], axis=1, kind=kind, last=last)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("exclusive", "reverse"), [(False, False), (True, False), (False, True), (True, True)])
def test_cumsum(exclusive: bool, reverse: bool) -> None:
    x = f32(3, 5)
    attrs = {"exclusive": int(exclusive), "reverse": int(reverse)}
    (expected,) = onnx_node("CumSum", {"x": x, "axis": np.array(1)}, attrs, opset=14)
    (got,) = evaluate("cumsum", [x], axis=1, exclusive=exclusive, reverse=reverse)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("scales", ["one", "axis", "block"])
def test_quantize(dtype: Any, scales: str) -> None:
    # Quarters over quarters: many values fall exactly between two integers.
    x = (rng().integers(-40, 40, (4, 6)) / 4).astype(np.float32)
    shape: tuple[int, ...] = {"one": (), "axis": (4,), "block": (2, 6)}[scales]
    scale = np.full(shape, 0.5, np.float32)
    zero = rng().integers(0, 9, shape).astype(dtype) if shape else np.array(3, dtype)
    attrs = {"axis": 0, **({"block_size": 2} if scales == "block" else {})}
    (expected,) = onnx_node("QuantizeLinear", {"x": x, "s": scale, "z": zero}, attrs, opset=21)
    (got,) = evaluate("quantize", [x, scale, zero], axis=0)
    np.testing.assert_array_equal(got, expected)
    (back,) = onnx_node("DequantizeLinear", {"x": expected, "s": scale, "z": zero}, attrs, opset=21)
    (ours,) = evaluate("dequantize", [got, scale, zero], axis=0)
    np.testing.assert_array_equal(ours, back)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(2, 1, 1, 3), (0, 3, 2, -1)])
def test_pad(mode: str, pads: tuple[int, ...]) -> None:
    if mode == "wrap" and min(pads) < 0:
        pytest.skip("ONNX does not say whether cropping comes first; here it comes last")
    x = f32(4, 5)
    given = {"x": x, "p": np.array(pads), "v": np.array(1.5, np.float32)}
    (expected,) = onnx_node("Pad", given, {"mode": mode}, opset=19, reference=min(pads) >= 0 and mode == "wrap")
    low, high = pads[:2], pads[2:]
    if mode == "constant":
        (got,) = evaluate("pad", [x, given["v"]], low=low, high=high)
    else:
        (got,) = evaluate("pad_mode", [x], low=low, high=high, mode=mode)
    np.testing.assert_array_equal(got, expected)


def test_norms() -> None:
    x, scale, bias = f32(2, 6, 4), f32(6), f32(6) + 1
    (expected,) = onnx_node(
        "GroupNormalization", {"x": x, "s": scale, "b": bias}, {"num_groups": 3}, opset=21, reference=True
    )
    (got,) = evaluate("group_norm", [x, scale, bias], groups=3, epsilon=1e-5)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    s, b = f32(4), f32(4)
    (expected,) = onnx_node("LayerNormalization", {"x": x, "s": s, "b": b}, {"axis": -1}, opset=17)
    (got,) = evaluate("layer_norm", [x, s, b], axis=2, epsilon=1e-5)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal: bool) -> None:
    q, k, v = f32(2, 3, 4, 8), f32(2, 3, 6, 8) + 0.1, f32(2, 3, 6, 5) - 0.1
    mask = np.where(rng().random((1, 1, 4, 6)) < 0.8, 0, -5).astype(np.float32)
    mask[..., 0] = 0
    given = {"q": q, "k": k, "v": v, "m": mask}
    (expected,) = onnx_node("Attention", given, {"is_causal": int(causal)}, opset=23, reference=True)
    (got,) = evaluate("attention", [q, k, v, mask], scale=8**-0.5, causal=causal)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
