"""Loading: what is refused, with whose name, and that weights are not copied."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
from frontend.onnx_models import model_of, run
from onnx import TensorProto, helper, numpy_helper

from accelc.core.diagnostics import Error, InvalidModelError, UnsupportedError, UsageError
from accelc.frontend.onnx import load
from accelc.frontend.onnx.wire import split

F32 = TensorProto.FLOAT


def linear(rows: int = 64) -> onnx.ModelProto:
    """``y = x @ w``, with a weight large enough to be cut out of the message."""
    w = np.random.default_rng(0).standard_normal((rows, 32)).astype(np.float32)
    return model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        {"x": (F32, [2, rows])},
        ["y"],
        constants={"w": w},
    )


@pytest.mark.parametrize(
    "data", [b"", b"hello, this is no model", b"\x00" * 100, b"\xff" * 64, b"PK\x03\x04 a zip file"]
)
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidModelError, match="ONNX"):
        load(data)


def test_every_truncation_is_refused() -> None:
    data = linear().SerializeToString()
    for end in [*range(200), *range(200, len(data) - 1, 97)]:
        with pytest.raises(Error):
            load(data[:end])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match=r"no_such\.onnx.*No such file"):
        load(tmp_path / "no_such.onnx")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="cannot be read"):
        load(tmp_path)


def test_other_types_are_refused() -> None:
    with pytest.raises(UsageError, match="not int"):
        load(3)  # type: ignore[arg-type]


def test_a_newer_ir_version_is_unsupported() -> None:
    model = linear()
    model.ir_version = 999
    with pytest.raises(UnsupportedError, match="IR version 999"):
        load(model)


def test_a_newer_opset_is_unsupported() -> None:
    model = linear()
    model.opset_import[0].version = 999
    with pytest.raises(UnsupportedError, match="opset 999"):
        load(model)


def test_an_unknown_op_is_named() -> None:
    model = linear()
    model.graph.node[0].op_type = "MatMool"
    with pytest.raises(UnsupportedError, match=r"node 'product': the op MatMool is unknown in opset 18"):
        load(model)


def test_an_op_of_a_later_opset_is_named() -> None:
    model = model_of([helper.make_node("Gelu", ["x"], ["y"], name="g")], {"x": (F32, [2])}, ["y"], opset=13)
    with pytest.raises(UnsupportedError, match=r"node 'g': the op Gelu is unknown in opset 13.*from opset 20"):
        load(model)


def test_an_unknown_domain_is_named() -> None:
    node = helper.make_node("Foo", ["x"], ["y"], domain="com.example")
    with pytest.raises(
        InvalidModelError, match=r"node 'Foo_0': com\.example::Foo is of a domain that the model does not"
    ):
        load(model_of([node], {"x": (F32, [2])}, ["y"]))
    with pytest.raises(UnsupportedError, match=r"node 'Foo_0': the op com\.example::Foo is unknown in opset 1"):
        load(model_of([node], {"x": (F32, [2])}, ["y"], domains={"com.example": 1}))


def test_onnx_checks_name_the_node() -> None:
    node = helper.make_node("Conv", ["x"], ["y"], name="c")
    with pytest.raises(InvalidModelError, match=r"node 'c': Conv"):
        load(model_of([node], {"x": (F32, [1, 1, 4, 4])}, ["y"]))


def test_undefined_and_redefined_names_are_named() -> None:
    relu = helper.make_node("Relu", ["nowhere"], ["y"], name="r")
    with pytest.raises(InvalidModelError, match=r"node 'r': Relu reads 'nowhere'"):
        load(model_of([relu], {"x": (F32, [2])}, ["y"]))
    twice = [helper.make_node("Relu", ["x"], ["y"], name=n) for n in ("a", "b")]
    with pytest.raises(InvalidModelError, match=r"node 'b': Relu defines 'y'"):
        load(model_of(twice, {"x": (F32, [2])}, ["y"]))
    with pytest.raises(InvalidModelError, match="output 'z'"):
        load(model_of([], {"x": (F32, [2])}, ["z"]))


def test_weights_are_views_of_the_bytes() -> None:
    data = linear().SerializeToString()
    loaded = load(data)
    w = loaded.initializers()["w"]
    base = np.frombuffer(data, np.uint8)
    assert np.shares_memory(w, base)
    assert len(loaded.proto.SerializeToString()) < 400
    assert set(loaded.timings) == {"read_s", "parse_s", "check_s"}


def test_weights_of_a_file_are_views_of_its_map(tmp_path: Path) -> None:
    onnx.save(linear(), tmp_path / "m.onnx")
    loaded = load(tmp_path / "m.onnx")
    w = loaded.initializers()["w"]
    assert not w.flags.owndata
    assert not w.flags.writeable
    np.testing.assert_array_equal(w, numpy_helper.to_array(linear().graph.initializer[0]))


def test_the_skeleton_is_the_model_without_its_data() -> None:
    model = linear()
    parts = split(memoryview(model.SerializeToString()))
    (offset, length) = parts.spans[0]
    assert model.SerializeToString()[offset : offset + length] == model.graph.initializer[0].raw_data
    rest = onnx.ModelProto.FromString(parts.skeleton)
    model.graph.initializer[0].ClearField("raw_data")
    assert rest == model


def test_a_tensor_of_the_wrong_size_is_named() -> None:
    model = linear()
    model.graph.initializer[0].dims[0] = 63
    with pytest.raises(InvalidModelError, match=r"tensor 'w' has 8192 bytes of data; FLOAT\[63, 32\] takes 8064"):
        run(model, {"x": np.zeros((2, 64), np.float32)})


# -- external data --------------------------------------------------------------------------------------------------


def external(folder: Path, location: str = "w.bin") -> Path:
    """`linear` with its weight in a file of its own."""
    model = linear()
    w = model.graph.initializer[0]
    raw = w.raw_data
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "16"), ("length", str(len(raw)))):
        w.external_data.add(key=key, value=value)
    (folder / "w.bin").write_bytes(b"\0" * 16 + raw)
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_is_mapped(tmp_path: Path) -> None:
    loaded = load(external(tmp_path))
    w = loaded.initializers()["w"]
    np.testing.assert_array_equal(w, numpy_helper.to_array(linear().graph.initializer[0]))
    assert not w.flags.owndata
    assert loaded.external_files == (tmp_path / "w.bin",)


def test_missing_external_data_names_tensor_and_file(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(InvalidModelError, match=r"tensor 'w'.*'w\.bin'.*No such file"):
        load(path).initializers()


def test_short_external_data_names_tensor_and_file(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "w.bin").write_bytes(b"\0" * 100)
    with pytest.raises(
        InvalidModelError, match=r"tensor 'w' takes bytes 16 to 8208 of its data file 'w\.bin', which has 100"
    ):
        load(path).initializers()


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "a/../../w.bin", "..\\w.bin", "C:\\w.bin", "", "."])
def test_external_data_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(b"\0" * 10000)
    with pytest.raises(InvalidModelError, match=r"tensor 'w'"):
        load(external(folder, location)).initializers()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    path = external(folder)
    (folder / "w.bin").rename(tmp_path / "w.bin")
    (folder / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(InvalidModelError, match=r"tensor 'w'.*outside the model's folder"):
        load(path).initializers()


def test_external_data_needs_a_folder(tmp_path: Path) -> None:
    data = external(tmp_path).read_bytes()
    with pytest.raises(InvalidModelError, match=r"tensor 'w'.*without a folder"):
        load(data).initializers()


# -- element types --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        c
        for n, c in TensorProto.DataType.items()
        if n
        in (
            "INT4",
            "UINT4",
            "FLOAT4E2M1",
            "BFLOAT16",
            "FLOAT8E4M3FN",
            "FLOAT8E5M2",
            "FLOAT16",
            "BOOL",
            "INT8",
            "UINT64",
        )
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_tensors_of_every_type_are_read_as_onnx_reads_them(code: int, raw: bool) -> None:
    from accelc.frontend.onnx.tensors import to_array

    values = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1]]) * (1 if code == TensorProto.BOOL else 2)
    tensor = helper.make_tensor("t", code, [3, 3], values.reshape(-1).astype(np.float32))
    if raw:
        tensor = numpy_helper.from_array(numpy_helper.to_array(tensor), "t")
    have, want = to_array(tensor), numpy_helper.to_array(tensor)
    assert have.dtype == want.dtype
    np.testing.assert_array_equal(have.astype(np.float32), want.astype(np.float32))


def test_little_endian_floats() -> None:
    from accelc.frontend.onnx.tensors import from_raw

    np.testing.assert_array_equal(from_raw(F32, (2,), struct.pack("<ff", 1.5, -2.0), "t"), [1.5, -2.0])
