"""Import: what the IR looks like, what is folded, what is refused and with whose name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from frontend.onnx_models import model_of, onnxruntime_run, run, text
from onnx import TensorProto, helper

from accelc.core.context import make_context
from accelc.core.diagnostics import InvalidModelError, UnsupportedError, UsageError
from accelc.frontend.onnx import NeedsConstantError, import_onnx, load

F32, I64 = TensorProto.FLOAT, TensorProto.INT64
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def f32(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Random normal elements."""
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def mlp() -> onnx.ModelProto:
    """Two layers with a symbolic batch."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="first", transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"], name="second"),
    ]
    constants = {"w": f32(16, 8), "b": f32(16), "v": f32(16, 8)}
    return model_of(nodes, {"x": (F32, ["batch", 8])}, ["y"], constants=constants)


def test_locations_names_and_weights() -> None:
    ir_text = text(mlp(), {"batch": 2})
    for name in ("first", "Relu_1", "second"):
        assert f'loc("{name}")' in ir_text
    assert 'nn.name = "x"' in ir_text
    assert 'nn.name = "y"' in ir_text
    assert 'ref = "w"' in ir_text
    assert 'ref = "v"' in ir_text
    # 16 elements stand in the IR.
    assert 'ref = "b"' not in ir_text


def test_symbols_of_free_dimensions() -> None:
    ir_text = text(mlp())
    assert 'nn.dims = ["batch", "8"]' in ir_text
    assert "tensor<?x8xf32>" in ir_text
    for batch in (1, 5):
        x = f32(batch, 8)
        np.testing.assert_allclose(run(mlp(), {"x": x})[0], onnxruntime_run(mlp(), {"x": x})[0], rtol=1e-5, atol=1e-6)


def test_dims_are_checked() -> None:
    with pytest.raises(UsageError, match="no dimension 'bach'"):
        text(mlp(), {"bach": 2})
    with pytest.raises(UsageError, match="cannot be -1"):
        text(mlp(), {"batch": -1})


def test_dimensions_without_a_name_are_called_after_the_input() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (F32, [None, 3])}, ["y"])
    assert 'nn.dims = ["x.0", "3"]' in text(model)
    assert "tensor<7x3xf32>" in text(model, {"x.0": 7})


def test_the_same_model_gives_the_same_text() -> None:
    path = LIGHT / "light_squeezenet.onnx"
    texts = set()
    for _ in range(2):
        with make_context():
            texts.add(str(import_onnx(load(path)).module.operation.get_asm(enable_debug_info=True)))
    assert len(texts) == 1


@pytest.mark.parametrize("path", sorted(LIGHT.glob("*.onnx")), ids=lambda p: p.stem)
def test_light_models_import_statically(path: Path) -> None:
    with make_context():
        imported = import_onnx(load(path))
        assert imported.module.operation.verify()
        assert "?" not in str(imported.module)


def test_shapes_computed_from_sizes_fold() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "zero1"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    constants = {"zero": np.array(0), "zero1": np.array([0]), "rest": np.array([2, 6])}
    model = model_of(nodes, {"x": (F32, ["n", 4, 3])}, ["y"], constants=constants)
    static = text(model, {"n": 5})
    assert "tensor<5x2x6xf32>" in static
    assert "shape_of" not in static
    # With a free batch one size stays unknown, and a plain reshape says so.
    free = text(model)
    assert "nn.reshape" in free
    assert "dynamic_reshape" not in free
    x = f32(5, 4, 3)
    np.testing.assert_array_equal(run(model, {"x": x})[0], x.reshape(5, 2, 6))


def test_inputs_with_initializers_are_constants() -> None:
    model = mlp()
    model.graph.input.append(helper.make_tensor_value_info("w", F32, [16, 8]))
    assert 'nn.name = "w"' not in text(model)


def test_unused_work_is_dropped() -> None:
    nodes = [helper.make_node("Exp", ["x"], ["unused"]), helper.make_node("Relu", ["x"], ["y"])]
    assert "nn.exp" not in text(model_of(nodes, {"x": (F32, [2])}, ["y"]))


def test_inconsistent_shapes_name_the_node_and_both_shapes() -> None:
    model = model_of(
        [helper.make_node("MatMul", ["a", "b"], ["y"], name="mm")], {"a": (F32, [2, 3]), "b": (F32, [4, 5])}, ["y"]
    )
    with pytest.raises(InvalidModelError, match=r"node 'mm'.*tensor<2x3xf32>.*tensor<4x5xf32>"):
        text(model)
    model = model_of(
        [helper.make_node("Add", ["a", "b"], ["y"], name="sum")], {"a": (F32, [2, 3]), "b": (F32, [4])}, ["y"]
    )
    with pytest.raises(InvalidModelError, match=r"node 'sum': cannot broadcast \[2, 3\] and \[4\] together"):
        text(model)
    conv = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    model = model_of([conv], {"x": (F32, [1, 3, 8, 8]), "w": (F32, [4, 2, 3, 3])}, ["y"])
    with pytest.raises(InvalidModelError, match=r"node 'conv'"):
        text(model)


def test_a_declared_output_that_is_not_computed_is_refused() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (F32, [2, 3])}, ["y"])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", F32, [3, 2]))
    with pytest.raises(InvalidModelError, match=r"output 'y' is declared tensor<3x2xf32>, but .* tensor<2x3xf32>"):
        text(model)


def test_element_types_that_do_not_fit_name_the_node() -> None:
    model = model_of(
        [helper.make_node("Add", ["a", "b"], ["y"], name="sum")], {"a": (F32, [2]), "b": (I64, [2])}, ["y"]
    )
    with pytest.raises(InvalidModelError, match=r"node 'sum'.*tensor<2xf32>.*tensor<2xsi64>"):
        text(model)


def test_what_must_be_constant_names_the_input() -> None:
    model = model_of(
        [helper.make_node("Reshape", ["x", "shape"], ["y"], name="r")], {"x": (F32, [4]), "shape": (I64, [2])}, ["y"]
    )
    with pytest.raises(NeedsConstantError, match=r"node 'r': the shape of Reshape.*'shape'") as caught:
        text(model)
    assert caught.value.inputs == ("shape",)
    assert caught.value.exit_code == 3


def test_binding_an_input_makes_it_constant() -> None:
    model = model_of(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])], {"x": (F32, [4]), "shape": (I64, [2])}, ["y"]
    )
    with make_context():
        imported = import_onnx(load(model), bind={"shape": np.array([2, 2])})
    assert [p.name for p in imported.inputs] == ["x"]
    assert imported.outputs[0].type.shape == (2, 2)
    with make_context(), pytest.raises(UsageError, match="no input 'shap'"):
        import_onnx(load(model), bind={"shap": np.array([2, 2])})
    with make_context(), pytest.raises(UsageError, match="takes int64"):
        import_onnx(load(model), bind={"shape": np.array([2.0, 2.0])})


def test_inputs_of_other_kinds_are_unsupported_by_name() -> None:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": (TensorProto.STRING, [2])}, ["y"])
    with pytest.raises(UnsupportedError, match="input 'x' has the element type STRING"):
        text(model)
    sequence = helper.make_tensor_sequence_value_info("x", F32, [2])
    model.graph.input[0].CopyFrom(sequence)
    with pytest.raises(UnsupportedError, match="input 'x' is of the kind sequence"):
        text(model)


def test_an_unsupported_op_names_node_and_op() -> None:
    model = model_of([helper.make_node("Det", ["x"], ["y"], name="d")], {"x": (F32, [3, 3])}, ["y"])
    with pytest.raises(UnsupportedError, match=r"node 'd': the op Det \(opset 18\) is not supported"):
        text(model)


def branch(name: str, op: str) -> onnx.GraphProto:
    """A branch that applies ``op`` to the outer x."""
    out = helper.make_tensor_value_info(f"{name}_out", F32, None)
    return helper.make_graph([helper.make_node(op, ["x"], [f"{name}_out"], name=f"{name}_node")], name, [], [out])


def test_a_constant_condition_is_settled() -> None:
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("a", "Exp"), else_branch=branch("b", "Neg"))
    model = model_of([node], {"x": (F32, [3])}, ["y"], constants={"c": np.array(False)})
    assert "nn.neg" in text(model)
    assert "nn.exp" not in text(model)
    free = model_of([node], {"x": (F32, [3]), "c": (TensorProto.BOOL, [])}, ["y"])
    with pytest.raises(NeedsConstantError, match=r"the condition of If.*'c'"):
        text(free)


def test_functions_of_the_model_are_inlined() -> None:
    scaled = helper.make_node("Mul", ["a", "b"], ["c"], name="inner")
    function = helper.make_function("local", "Scale", ["a", "b"], ["c"], [scaled], [helper.make_opsetid("", 18)])
    node = helper.make_node("Scale", ["x", "x"], ["y"], name="outer", domain="local")
    model = model_of([node], {"x": (F32, [3])}, ["y"], domains={"local": 1}, functions=[function])
    x = f32(3)
    np.testing.assert_array_equal(run(model, {"x": x})[0], x * x)
    assert 'loc("outer/inner")' in text(model)


def test_onnx_functions_are_expanded_under_the_node_s_name() -> None:
    node = helper.make_node("MeanVarianceNormalization", ["x"], ["y"], name="mvn")
    model = model_of([node], {"x": (F32, [2, 3, 4, 5])}, ["y"])
    assert 'loc("mvn")' in text(model)
    x = f32(2, 3, 4, 5)
    np.testing.assert_allclose(run(model, {"x": x})[0], onnxruntime_run(model, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_a_function_that_calls_itself_is_refused() -> None:
    call = helper.make_node("F", ["a"], ["b"], domain="local")
    function = helper.make_function("local", "F", ["a"], ["b"], [call], [helper.make_opsetid("local", 1)])
    node = helper.make_node("F", ["x"], ["y"], domain="local")
    model = model_of([node], {"x": (F32, [3])}, ["y"], domains={"local": 1}, functions=[function])
    with pytest.raises(UnsupportedError, match="functions deep"):
        text(model)


def test_a_long_loop_is_refused() -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_out"]), helper.make_node("Exp", ["v"], ["v_out"])],
        "body",
        [
            helper.make_tensor_value_info("i", I64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", F32, [2]),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v_out", F32, [2]),
        ],
    )
    node = helper.make_node("Loop", ["m", "", "x"], ["y"], body=body, name="forever")
    model = model_of([node], {"x": (F32, [2])}, ["y"], constants={"m": np.array(10**9)})
    with pytest.raises(UnsupportedError, match=r"node 'forever': Loop of .* steps"):
        text(model)
    short = model_of([node], {"x": (F32, [2])}, ["y"], constants={"m": np.array(2)})
    np.testing.assert_allclose(run(short, {"x": np.zeros(2, np.float32)})[0], np.full(2, np.e), rtol=1e-6)
