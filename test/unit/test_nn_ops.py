"""Every op of nn: makers, inference, verifiers, reference functions and the page agree with each other."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelc import InvalidModelError
from accelc.core.context import make_context
from accelc.dialects import interpreter, nn
from accelc.dialects.nn import TensorType
from accelc.dialects.nn.docs import render
from accelc.dialects.nn.types import shapes_agree
from accelc.mlir import dialect, ir

_SPEC = importlib.util.spec_from_file_location("nn_examples", Path(__file__).with_name("nn_examples.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
nn_examples = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(nn_examples)
EXAMPLES = nn_examples.EXAMPLES
func = dialect("func")

SIZE_OPERANDS = {"iota": (5, 3), "broadcast": (2, 3), "dynamic_reshape": (3, 4)}


def array_of(t: TensorType, rng: np.random.Generator, name: str) -> np.ndarray[Any, Any]:
    """Random elements: indices are small, everything else is positive where that matters to nobody."""
    shape = [2 if s is None else s for s in t.shape]
    dtype = nn.numpy_dtype(t.dtype)
    if name in SIZE_OPERANDS and t.dtype == "si64":
        return np.array(SIZE_OPERANDS[name])
    if t.dtype == "i1":
        return rng.random(shape) < 0.5
    if nn.is_float(t.dtype):
        return (rng.random(shape) + 0.1).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)


def make_module(name: str, types: list[TensorType], attrs: dict[str, Any]) -> Any:
    """A module whose @main is one op."""
    with ir.Location.name("the node"):
        module = ir.Module.create()
        inputs = [t.to_mlir() for t in types]
        with ir.InsertionPoint(module.body):
            main = func.FuncOp("main", ir.FunctionType.get(inputs, []))
        block = main.add_entry_block()
        with ir.InsertionPoint(block):
            made = nn.build.make(name, list(block.arguments), attrs)
            results = made if isinstance(made, list) else [made]
            func.ReturnOp(results)
        kind = ir.FunctionType.get(inputs, [v.type for v in results])
        main.attributes["function_type"] = ir.TypeAttr.get(kind)
        return module


def test_every_op_has_an_example() -> None:
    assert {name for name, _, _ in EXAMPLES} | {"weight", "fusion", "yield"} == {name for name, _ in nn.op_classes()}


def test_every_op_is_documented() -> None:
    for name, cls in nn.op_classes():
        own = cls.__dict__.get("__doc__")
        assert own, name
        assert "ONNX" in own or name in ("assume_dim", "fusion", "yield"), name


@pytest.mark.golden
def test_the_page_is_fresh(golden: Callable[[str, str], None]) -> None:
    golden("docs/nn.md", render())


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{i}-{e[0]}" for i, e in enumerate(EXAMPLES)])
def test_made_verified_printed_read_and_run(example: tuple[str, list[TensorType], dict[str, Any]]) -> None:
    name, types, attrs = example
    arrays = [array_of(t, np.random.default_rng(0), name) for t in types]
    inferred = nn.infer(name, types, attrs)
    with make_context():
        module = make_module(name, types, attrs)
        assert module.operation.verify()
        text = str(module)
        again = ir.Module.parse(text)
        assert str(again) == text
        op = again.body.operations[0].body.blocks[0].operations[0]
        assert [nn.tensor_type(v) for v in op.results] == inferred
        read = nn.attrs(op)
        assert nn.infer(name, types, read) == inferred
        outputs = interpreter.run(again, {f"input{i}": a for i, a in enumerate(arrays)})
    direct = nn.evaluate(name, arrays, read, inferred)
    for result, expected, t in zip(outputs.values(), direct, inferred, strict=True):
        np.testing.assert_array_equal(result, expected)
        assert result.dtype == nn.numpy_dtype(t.dtype)
        assert shapes_agree(result.shape, t.shape)


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{i}-{e[0]}" for i, e in enumerate(EXAMPLES)])
def test_unknown_sizes_are_inferred_to_agree(example: tuple[str, list[TensorType], dict[str, Any]]) -> None:
    """With every size of the operands unknown, what is inferred must still allow what is inferred from known sizes."""
    name, types, attrs = example
    if name in ("gather_nd", "scatter_nd", "broadcast"):
        pytest.skip("the length of an index tuple, or what is repeated, must be known")
    unknown = [TensorType((None,) * t.rank, t.dtype) for t in types]
    for vague, exact in zip(nn.infer(name, unknown, attrs), nn.infer(name, types, attrs), strict=True):
        assert vague.dtype == exact.dtype
        assert shapes_agree(vague.shape, exact.shape)


def test_messages_name_the_node_and_the_shapes() -> None:
    with make_context(), ir.Location.name("Add_17"):
        module = ir.Module.parse("func.func @f(%a: tensor<2x3xf32>, %b: tensor<3xf32>) { return }")
        block = module.body.operations[0].body.blocks[0]
        with ir.InsertionPoint(block.operations[0]), pytest.raises(InvalidModelError) as caught:
            nn.build.add(*block.arguments)
        assert "Add_17" in str(caught.value)
        assert "tensor<2x3xf32>, tensor<3xf32>" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "attrs", "message"),
    [
        ("softmax", {}, "nn.softmax needs axis"),
        ("softmax", {"axis": 1, "beta": 2}, "nn.softmax has no attribute beta"),
        ("softmax", {"axis": "1"}, "nn.softmax expects an integer"),
        ("softmax", {"axis": True}, "nn.softmax expects an integer"),
        ("transpose", {"perm": (0, 0)}, "needs a permutation of 2 dimensions"),
        ("nonsense", {}, "nn has no op 'nonsense'"),
    ],
)
def test_wrong_attributes(name: str, attrs: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidModelError, match=message):
        nn.infer(name, [TensorType((2, 3), "f32")], attrs)


def test_verifier_names_the_location() -> None:
    text = """func.func @f(%a: tensor<2xf32>) {
      %0 = "nn.relu"(%a) : (tensor<2xf32>) -> tensor<3xf32> loc("Relu_3")
      return }"""
    with make_context(), pytest.raises(ir.MLIRError) as caught:
        ir.Module.parse(text)
    assert "Relu_3" in str(caught.value)
    assert "is declared tensor<3xf32>" in str(caught.value)


def test_small_constants_of_every_type_survive() -> None:
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        for name, dtype in nn.DTYPES.items():
            for values in (np.array(1), np.array([0, 1, 1]), np.array([[1, 0], [1, 1]]), np.ones((0, 2))):
                array = values.astype(dtype)
                with ir.InsertionPoint(module.body):
                    value = nn.build.constant(array)
                read = nn.attrs(value.owner)["value"]
                assert read.dtype == dtype, name
                assert read.shape == array.shape
                assert np.array_equal(read, array), name


@pytest.mark.parametrize("dtype", ["bf16", "f8E5M2", "f16", "f32"])
def test_special_constants_survive(dtype: str) -> None:
    array = np.array([np.nan, np.inf, -np.inf, -0.0, 1.5]).astype(nn.numpy_dtype(dtype))
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            value = nn.build.constant(array)
        again = ir.Module.parse(str(module))
        read = nn.attrs(again.body.operations[0])["value"]
        assert nn.attrs(value.owner)["value"].shape == (5,)
    np.testing.assert_array_equal(read.astype(np.float64), array.astype(np.float64))
    assert np.signbit(read.astype(np.float64))[3]


_SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(_SHAPES, _SHAPES)
def test_broadcasting_follows_numpy(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(InvalidModelError):
            nn.build.broadcast_shapes(a, b)
        return
    assert nn.build.broadcast_shapes(a, b) == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_slice_follows_numpy(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    slices = [
        slice(
            data.draw(st.integers(-8, 8) | st.none()),
            data.draw(st.integers(-8, 8) | st.none()),
            data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3])),
        )
        for _ in shape
    ]
    x = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    resolved = [s.indices(n) for s, n in zip(slices, shape, strict=True)]
    sizes = [len(range(*r)) for r in resolved]
    attrs = {
        "starts": tuple(r[0] if n else 0 for r, n in zip(resolved, sizes, strict=True)),
        "sizes": tuple(sizes),
        "strides": tuple(r[2] for r in resolved),
    }
    (inferred,) = nn.infer("slice", [TensorType(tuple(shape), "si64")], attrs)
    (result,) = nn.evaluate("slice", [x], attrs, [inferred])
    np.testing.assert_array_equal(result, x[tuple(slices)])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_contract_follows_einsum(data: st.DataObject) -> None:
    letters = "abcde"
    sizes = {c: data.draw(st.integers(0, 3)) for c in letters}
    a = "".join(data.draw(st.permutations(letters)))[: data.draw(st.integers(0, 4))]
    b = "".join(data.draw(st.permutations(letters)))[: data.draw(st.integers(0, 4))]
    must = [c for c in dict.fromkeys(a + b) if not (c in a and c in b)]
    may = [c for c in a if c in b and data.draw(st.booleans())]
    out = "".join(data.draw(st.permutations(must + may)))
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-4, 5, [sizes[c] for c in term]).astype(np.float32) for term in (a, b))
    spec = f"{a},{b}->{out}"
    types = [TensorType(x.shape, "f32"), TensorType(y.shape, "f32")]
    inferred = nn.infer("contract", types, {"spec": spec})
    (result,) = nn.evaluate("contract", [x, y], {"spec": spec, "dtype": "f32"}, inferred)
    np.testing.assert_array_equal(result, np.einsum(spec, x, y))


_DIMS = st.integers(0, 5) | st.none()
_TYPES = st.builds(
    TensorType, st.lists(_DIMS, max_size=5).map(tuple), st.sampled_from(["f32", "bf16", "si64", "si8", "ui8", "i1"])
)
_INT = st.integers(-3, 6) | st.sampled_from([2**62, -(2**62)])
_VALUES = {
    "Int": _INT,
    "Ints": st.lists(_INT, max_size=5).map(tuple),
    "Float": st.floats(),
    "Floats": st.lists(st.floats(), max_size=5).map(tuple),
    "Flag": st.booleans(),
    "Str": st.sampled_from(
        ["", "sum", "max", "nchw", "nhwc", "linear", "half_pixel", "none", "ab,bc->ac", "a,->", "é"]
    ),
    "Array": st.just(np.zeros((2, 3), np.float32)),
    "shape": st.lists(_DIMS, max_size=5).map(tuple),
    "dtype": st.sampled_from(["f32", "si64", "f8E5M2", "nonsense"]),
}


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_inference_never_fails_otherwise(data: st.DataObject) -> None:
    """Whatever the types and attributes: result types, or InvalidModelError."""
    name, cls = data.draw(st.sampled_from([c for c in nn.op_classes() if c[0] != "fusion"]))
    attrs = {k: data.draw(_VALUES[kind.__name__]) for k, kind in cls.attribute_kinds.items()}
    attrs |= {k: data.draw(_VALUES[k]) for k in cls.FROM_RESULT}
    count = len(cls.operand_names) - data.draw(st.integers(0, 1) if cls.variadic else st.just(0))
    types = data.draw(st.lists(_TYPES, min_size=count, max_size=count))
    if data.draw(st.booleans()):
        # Most ops want operands that fit each other.
        types = types[:1] * count
    try:
        results = nn.infer(name, types, attrs)
    except InvalidModelError:
        return
    for t in results:
        assert all(s is None or s >= 0 for s in t.shape), (name, types, attrs, t)


def test_makers_are_cheap() -> None:
    """Inference and attributes take no more than thirty times what the bindings take to make the op (seen: seven)."""
    import timeit

    with make_context(), ir.Location.name("n"):
        module = ir.Module.parse("func.func @f(%a: tensor<2x3xf32>) { return }")
        block = module.body.operations[0].body.blocks[0]
        x = block.arguments[0]

        def bare() -> object:
            return ir.Operation.create("nn.add", results=[x.type], operands=[x, x])

        with ir.InsertionPoint(block.operations[0]):
            made = min(timeit.repeat(lambda: nn.build.add(x, x), number=200, repeat=5))
            assert made < 30 * min(timeit.repeat(bare, number=200, repeat=5))


def test_the_bare_name_is_refused(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import dialects"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].startswith("ImportError: import accelc.dialects, not dialects")
