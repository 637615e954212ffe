"""Every graph pass keeps what a model computes: the interpreter's outputs before and after it agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pytest
from unit import passes_models

from accelc.core.context import make_context
from accelc.core.pass_ import PassContext
from accelc.core.pipeline import Stage, Upstream
from accelc.dialects import interpreter
from accelc.mlir import ir
from accelc.passes.pipelines import GraphOptions, graph_passes

OPTIONS = {
    "nhwc": GraphOptions(layout="nhwc"),
    "nchw": GraphOptions(layout="nchw"),
    "host": GraphOptions(layout="nhwc", unsupported=("softmax", "layer_norm", "pool", "gather")),
}


def _outputs(model: passes_models.Model) -> list[np.ndarray[Any, Any]]:
    inputs = {f"in{i}": a for i, a in enumerate(model.inputs)}
    return list(interpreter.run(model.module, inputs, model.store).values())


def _close(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], rel: float) -> bool:
    if a.dtype.kind not in "f":
        return bool(np.array_equal(a, b))
    error = np.linalg.norm((a.astype(np.float64) - b).ravel())
    return bool(error <= rel * max(np.linalg.norm(b.ravel()), 1e-3))


def run_pipeline(model: passes_models.Model, options: GraphOptions, rel: float) -> None:
    """Runs the graph pipeline pass by pass, and compares after each with what was computed first."""
    context = PassContext(store=model.store)
    expected = _outputs(model)
    for element in graph_passes(options):
        if isinstance(element, Stage | Upstream):
            continue
        element.run(model.module.operation, context)
        assert model.module.operation.verify(), element.name
        for i, (got, want) in enumerate(zip(_outputs(model), expected, strict=True)):
            assert got.shape == want.shape and got.dtype == want.dtype, f"{element.name}, output {i}"
            assert _close(got, want, rel), f"{element.name} changed output {i}\n{model.module}"


@pytest.mark.parametrize("options", sorted(OPTIONS))
@pytest.mark.parametrize("name", sorted(passes_models.MODELS))
def test_pipeline_keeps_results(name: str, options: str) -> None:
    """The default pipeline, pass by pass, within f32 rounding."""
    with make_context(), ir.Location.unknown():
        run_pipeline(passes_models.make(name), OPTIONS[options], 2e-5)


@pytest.mark.parametrize("name", ["mlp", "residual", "transformer", "pooling"])
def test_demotion_stays_close(name: str) -> None:
    """Values between kernels in bf16: within what eight bits of mantissa allow."""
    with make_context(), ir.Location.unknown():
        run_pipeline(passes_models.make(name), GraphOptions(demote="bf16"), 3e-2)
