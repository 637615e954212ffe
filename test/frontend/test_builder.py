"""The builder against numpy: the same function traced and interpreted, and called on arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import accelc
from accelc import InvalidModelError, UsageError
from accelc import builder as ab
from accelc.core.context import make_context
from accelc.dialects import interpreter
from accelc.frontend.builder.dtypes import promote
from accelc.mlir import ir

Array = np.ndarray[Any, Any]
BATCH = ab.dim("batch")


def run(model: ab.Model, *inputs: Array) -> list[Array]:
    """The model's outputs on arrays in order."""
    with make_context():
        module, store = model.build()
        given = {p.name: a for p, a in zip(model.inputs, inputs, strict=True)}
        return list(interpreter.run(module, given, store).values())


def traced(fn: Callable[..., Any], *inputs: Array) -> Array:
    """``fn`` traced on the arrays' types, then run on the arrays."""
    specs = [ab.Spec(a.shape, ab.f32 if a.dtype == np.float32 else a.dtype) for a in inputs]  # type: ignore[arg-type]
    return run(ab.trace(fn, *specs), *inputs)[0]


def f32(*shape: int) -> Array:
    """Random normal elements."""
    return np.random.default_rng(11).standard_normal(shape).astype(np.float32)


ALIKE: dict[str, tuple[Callable[..., Any], list[Array]]] = {
    "arithmetic": (lambda x, y: (x + y) * 2 - x / (y * y + 1) + 1 - -x, [f32(3, 4), f32(4)]),
    "scalars on the left": (lambda x: 2 / (1 + x * x) - 3, [f32(5)]),
    "powers": (lambda x: x**2 + (x * x) ** 0.5, [f32(5)]),
    "floor division": (lambda x: x // 0.7 + x % 0.7, [f32(20)]),
    "integers": (lambda x: (x // 3) * 3 + x % 3 - (x & 5) + (x | 2) ^ 7, [np.arange(-9, 9, dtype=np.int32)]),
    "comparison": (lambda x, y: (x < y) | (x == x) & ~(y > 0.5), [f32(3, 4), f32(3, 1)]),
    "indexing": (lambda x: x[1, ..., ::-2] + x[0][:, 1:2], [f32(2, 3, 6)]),
    "new axes": (lambda x: x[:, None] * x[None, :, ...], [f32(5)]),
    "one element": (lambda x: x[2, -1], [f32(3, 4)]),
    "rows by number": (lambda x: x[np.array([2, 0, 1])], [f32(3, 4)]),
    "shapes": (lambda x: x.reshape(4, -1).T.reshape((3, 2, 4)).transpose(2, 0, 1), [f32(2, 3, 4)]),
    "swapped axes": (lambda x: x.swapaxes(0, -1), [f32(2, 3, 4)]),
    "sums": (lambda x: x.sum(axis=(0, -1), keepdims=True) + x.mean(axis=1, keepdims=True), [f32(2, 3, 4)]),
    "extremes": (lambda x: x.max(axis=-1) - x.min(axis=-1), [f32(2, 3, 4)]),
    "variance": (lambda x: x.var(axis=0), [f32(7, 4)]),
    "argmax": (lambda x: x.argmax(axis=1), [f32(7, 4)]),
    "matmul": (lambda x, y: x @ y, [f32(5, 2, 3, 4), f32(2, 4, 6)]),
    "matmul by a matrix": (lambda x, y: x @ y, [f32(2, 3, 4), f32(4, 6)]),
    "matmul of vectors": (lambda x, y: x @ y, [f32(4), f32(4)]),
    "matrix by vector": (lambda x, y: x @ y, [f32(3, 4), f32(4)]),
    "vector by matrices": (lambda x, y: x @ y, [f32(4), f32(2, 4, 3)]),
    "array on the left": (lambda x: np.ones((2, 3), np.float32) @ x, [f32(3, 4)]),
    "array added on the left": (lambda x: np.arange(4, dtype=np.float32) + x, [f32(3, 4)]),
}


@pytest.mark.parametrize("name", ALIKE)
def test_operators_follow_numpy(name: str) -> None:
    fn, inputs = ALIKE[name]
    expected = np.asarray(fn(*inputs))
    got = traced(fn, *inputs)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[Array]]] = {
    "exp and log": (lambda x: ab.log(ab.exp(x) + 1), lambda x: np.log(np.exp(x) + 1), [f32(6)]),
    "tanh": (ab.tanh, np.tanh, [f32(6)]),
    "maximum": (
        lambda x, y: ab.maximum(x, ab.minimum(y, 0.1)),
        lambda x, y: np.maximum(x, np.minimum(y, 0.1)),
        [f32(2, 3), f32(3)],
    ),
    "where": (lambda x: ab.where(x > 0, x, -0.5), lambda x: np.where(x > 0, x, np.float32(-0.5)), [f32(6)]),
    "clip": (lambda x: ab.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5), [f32(6)]),
    "einsum": (
        lambda x, y: ab.einsum("bij,bkj->bki", x, y),
        lambda x, y: np.einsum("bij,bkj->bki", x, y),
        [f32(2, 3, 4), f32(2, 5, 4)],
    ),
    "einsum with a lonely sum": (
        lambda x, y: ab.einsum("ij,k->k", x, y),
        lambda x, y: np.einsum("ij,k->k", x, y),
        [f32(3, 4), f32(5)],
    ),
    "concat": (
        lambda x, y: ab.concat([x, y], axis=-1),
        lambda x, y: np.concatenate([x, y], axis=-1),
        [f32(2, 3), f32(2, 1)],
    ),
    "stack": (lambda x, y: ab.stack([x, y], axis=1), lambda x, y: np.stack([x, y], axis=1), [f32(2, 3), f32(2, 3)]),
    "split": (lambda x: ab.split(x, 3, axis=1)[1], lambda x: np.split(x, 3, axis=1)[1], [f32(2, 6)]),
    "take": (
        lambda x: ab.take(x, np.array([[2, 0]]), axis=1),
        lambda x: np.take(x, np.array([[2, 0]]), axis=1),
        [f32(2, 3)],
    ),
    "pad": (
        lambda x: ab.pad(x, [(1, 0), (2, 1)], mode="reflect"),
        lambda x: np.pad(x, [(1, 0), (2, 1)], mode="reflect"),
        [f32(3, 4)],
    ),
    "cumsum": (lambda x: ab.cumsum(x, axis=1), lambda x: np.cumsum(x, axis=1), [f32(3, 4)]),
    "squeeze": (lambda x: ab.squeeze(ab.expand_dims(x, 1)), lambda x: x, [f32(3, 4)]),
    "arange": (lambda x: ab.arange(4) * x, lambda x: (np.arange(4) * x).astype(np.float32), [f32(4)]),
    "softmax": (lambda x: ab.softmax(x, axis=0), lambda x: np.exp(x) / np.exp(x).sum(axis=0), [f32(3, 4)]),
    "layer norm": (
        lambda x: ab.layer_norm(x, epsilon=0.1),
        lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.1),
        [f32(3, 4)],
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_follow_numpy(name: str) -> None:
    ours, numpys, inputs = FUNCTIONS[name]
    expected, got = numpys(*inputs), traced(ours, *inputs)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_convolutional_network_against_torch() -> None:
    torch = pytest.importorskip("torch")
    w1, b1, w2 = f32(8, 3, 3, 3) * 0.2, f32(8), f32(8, 1, 3, 3)
    x = f32(2, 3, 12, 12)

    def ours(x: ab.Tensor) -> ab.Tensor:
        h = ab.relu(ab.conv2d(x, ab.parameter(w1), ab.parameter(b1), stride=2, padding=1))
        h = ab.conv2d(h, ab.parameter(w2), padding=1, groups=8)
        return ab.avg_pool2d(ab.max_pool2d(h, 3, 1, 1), 2)

    f = torch.nn.functional
    h = f.relu(f.conv2d(torch.tensor(x), torch.tensor(w1), torch.tensor(b1), stride=2, padding=1))
    expected = f.avg_pool2d(f.max_pool2d(f.conv2d(h, torch.tensor(w2), padding=1, groups=8), 3, 1, 1), 2)
    np.testing.assert_allclose(traced(ours, x), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_attention_against_torch() -> None:
    torch = pytest.importorskip("torch")
    q, k, v = f32(2, 3, 5, 8), f32(2, 3, 5, 8) + 0.1, f32(2, 3, 5, 8) - 0.1
    got = traced(lambda q, k, v: ab.attention(q, k, v, causal=True), q, k, v)
    tensors = [torch.tensor(t) for t in (q, k, v)]
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, is_causal=True)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-4, atol=1e-5)


def transformer(batch: int | str, length: int | str, width: int = 16, heads: int = 2) -> ab.Model:
    """A small causal language model, in the few lines that a user would write."""
    rng = np.random.default_rng(0)

    def weight(*shape: int) -> ab.Parameter:
        return ab.parameter(rng.standard_normal(shape) / 4)

    table = weight(50, width)
    block = {
        "ln1_scale": weight(width),
        "ln1_bias": weight(width),
        "w_qkv": weight(width, 3 * width),
        "b_qkv": weight(3 * width),
        "w_out": weight(width, width),
        "ln2_scale": weight(width),
        "w_up": weight(width, 4 * width),
        "b_up": weight(4 * width),
        "w_down": weight(4 * width, width),
    }

    def language_model(tokens: ab.Tensor) -> dict[str, ab.Tensor]:
        x = ab.embedding(tokens, table)
        for i in range(2):
            with ab.scope(f"block{i}"):
                x = ab.transformer_block(x, block, heads, causal=True)
        return {"logits": ab.layer_norm(x) @ table.T}

    return ab.trace(language_model, ab.Spec((batch, length), "i64"))


def test_a_transformer_with_symbolic_sizes() -> None:
    tokens = np.random.default_rng(1).integers(0, 50, (3, 7))
    fixed, symbolic = transformer(3, 7), transformer("batch", "length")
    assert symbolic.inputs[0].dims == ("batch", "length")
    assert symbolic.inputs[0].type.shape == (None, None)
    (expected,), (got,) = run(fixed, tokens), run(symbolic, tokens)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    # Causal: what comes later changes nothing before it.
    changed = tokens.copy()
    changed[:, 5:] = 0
    (other,) = run(symbolic, changed)
    np.testing.assert_allclose(other[:, :5], got[:, :5], rtol=1e-5, atol=1e-6)
    assert not np.allclose(other[:, 5:], got[:, 5:])


def test_equal_builds_are_equal() -> None:
    with make_context():
        first, store = transformer(1, 4).build()
        second, again = transformer(1, 4).build()
        assert str(first) == str(second)
        assert list(store) == list(again)
        text = first.operation.get_asm(enable_debug_info=True)
    assert "block1/attention/test_builder.py:" in text
    assert str(accelc.__path__[0]) not in text


def test_parameters_are_shared_and_named() -> None:
    w = ab.parameter(np.ones((3, 3)), name="w")
    assert w.type.dtype == "f32"
    model = ab.trace(lambda x: x @ w + w, ab.Spec((3, 3)))
    with make_context():
        module, store = model.build()
        assert list(store) == ["w"]
        assert str(module).count("nn.weight") == 1


def test_model_decorator_and_ports() -> None:
    @ab.model
    def mlp(x: ab.f32[BATCH, 4], y: ab.bf16[4]) -> Any:  # type: ignore[valid-type]
        return {"sum": x + y, "count": (x > 0).sum()}

    assert mlp.name == "mlp"
    assert [p.name for p in mlp.inputs] == ["x", "y"]
    assert mlp.inputs[0].dims == ("batch", "4")
    assert [(p.name, p.type.dtype) for p in mlp.outputs] == [("sum", "f32"), ("count", "si64")]
    x, y = f32(2, 4), np.ones(4, ml_dtypes.bfloat16)
    total, count = run(mlp, x, y)
    np.testing.assert_array_equal(total, x + 1)
    assert int(count) == int((x > 0).sum())


def test_build_uses_the_current_context() -> None:
    model = ab.trace(lambda x: x + 1, ab.Spec((2,)))
    with make_context() as context:
        module, _ = model.build()
        assert module.context == context
    module, _ = model.build()
    assert module.operation.verify()
    assert ir.Context.current is None


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("f32", "f16", "f32"),
        ("f16", "bf16", "f32"),
        ("si64", "f16", "f16"),
        ("i1", "ui8", "ui8"),
        ("si8", "ui8", "si16"),
        ("ui32", "si32", "si64"),
        ("f8E4M3FN", "f8E5M2", "f16"),
        ("si16", "ui8", "si16"),
    ],
)
def test_promotion(a: str, b: str, expected: str) -> None:
    assert promote(a, b) == promote(b, a) == expected


def test_promotion_without_a_common_type() -> None:
    with pytest.raises(UsageError, match="no integer type holds both"):
        promote("si64", "ui64")


def _branch(x: ab.Tensor) -> ab.Tensor:
    if x.sum() > 0:
        return x
    return -x


WRONG: dict[str, tuple[Callable[..., Any], type[accelc.Error], str]] = {
    "if": (_branch, UsageError, r"(?s)test_builder\.py:\d+.*condition.*ab\.where"),
    "float": (lambda x: float(x[0, 0]), UsageError, r"test_builder\.py:\d+.*float\(\)"),
    "range": (lambda x: range(x.sum()), UsageError, "index or a range"),
    "array": (lambda x: np.asarray(x), UsageError, "numpy function"),
    "shapes": (lambda x: x @ x, InvalidModelError, r"test_builder\.py:\d+.*nn\.contract.*'k'"),
    "broadcast": (lambda x: x + np.ones(5, np.float32), InvalidModelError, r"test_builder\.py:\d+.*cannot broadcast"),
    "reshape": (lambda x: x.reshape(5, 2), InvalidModelError, "6 elements"),
    "index": (lambda x: x[0, 3], UsageError, "index 3 is out of range along axis 1"),
    "axis": (lambda x: x.sum(axis=2), UsageError, "no axis 2"),
    "number": (lambda x: x.astype("ui8") + 300, UsageError, "300 does not fit"),
    "split": (lambda x: ab.split(x, 2, axis=1), UsageError, "into 2 equal parts"),
    "object": (lambda x: x + "one", UsageError, "got str"),
    "dtype": (lambda x: x.astype("complex64"), UsageError, "no element type"),
    "mask": (lambda x: x[x > 0], UsageError, r"(?s)test_builder\.py:\d+.*must be integers.*ab\.where"),
    "list": (lambda x: x[[0, 2]], UsageError, "index 2 is out of range along axis 0"),
    "tensors": (lambda x: (x, [x, x + 1]), UsageError, "got a list of tensors"),
    "nothing": (lambda x: None, UsageError, "returns no tensor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_user_s_line(name: str) -> None:
    fn, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        ab.trace(fn, ab.Spec((2, 3)))


def test_tensors_exist_only_while_tracing() -> None:
    with pytest.raises(UsageError, match="only while a function is traced"):
        ab.parameter(np.ones(3)) + 1


def test_tensors_of_another_trace_are_refused() -> None:
    kept: list[ab.Tensor] = []
    ab.trace(lambda x: kept.append(x + 1) or x, ab.Spec(("n", 3)))
    assert kept[0].type.shape == (None, 3)
    for use in (lambda x: kept[0] + x, lambda x: kept[0], lambda x: ab.broadcast_to(x, kept[0].shape)):
        with pytest.raises(UsageError, match=r"test_builder\.py:\d+.*of another trace"):
            ab.trace(use, ab.Spec((2, 3)))
    with pytest.raises(UsageError, match="only while a function is traced"):
        kept[0].sum()


def test_known_indices_count_from_the_back_too() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    model = ab.trace(lambda x: ab.take(x[[-1, 0]], np.array([[-1], [1]]), axis=1), ab.Spec((2, 3)))
    np.testing.assert_array_equal(run(model, x)[0], np.take(x[[-1, 0]], [[-1], [1]], axis=1))


def test_two_parameters_of_one_name() -> None:
    a, b = ab.parameter(np.ones(3), name="w"), ab.parameter(np.zeros(3), name="w")
    with pytest.raises(UsageError, match="two parameters are called 'w'"):
        ab.trace(lambda x: x + a + b, ab.Spec((3,)))
