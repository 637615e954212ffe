"""Transformers exported by both of torch's exporters: they import statically, and compute what onnxruntime does."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from frontend.onnx_models import run, text

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

LENGTH = 16


def exported(name: str, path: Path, *, dynamo: bool, free: bool) -> onnx.ModelProto:
    """A one-layer BERT or GPT-2; ``free``: batch and length are symbols."""
    from frontend import torch_models

    maker: Any = torch_models.Bert if name == "bert" else torch_models.Gpt2
    model = torch_models.initialize(maker(layers=1, width=32, heads=2, vocabulary=50))
    arguments = tuple(torch.ones(1, LENGTH, dtype=torch.int64) for _ in range(3 if name == "bert" else 1))
    names = [f"in{i}" for i in range(len(arguments))]
    options: dict[str, Any] = {} if dynamo else {"opset_version": 17}
    if free and dynamo:
        sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=LENGTH)}
        options["dynamic_shapes"] = tuple(dict(sizes) for _ in arguments)
    elif free:
        options["dynamic_axes"] = {n: {0: "batch", 1: "length"} for n in names}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, arguments, path, input_names=names, dynamo=dynamo, **options)
    return onnx.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("free", [False, True], ids=["fixed", "free"])
@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_transformers(name: str, dynamo: bool, free: bool, tmp_path: Path) -> None:
    model = exported(name, tmp_path / "m.onnx", dynamo=dynamo, free=free)
    dims = {"batch": 1, "length": LENGTH} if free else {}
    ir_text = text(model, dims)
    assert "?" not in ir_text
    assert "shape_of" not in ir_text
    rng = np.random.default_rng(1)
    inputs = {i.name: rng.integers(0, 2, (1, LENGTH), dtype=np.int64) for i in model.graph.input}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for want, have in zip(session.run(None, inputs), run(model, inputs, dims), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)
