"""What the graph pipeline as a whole promises: facts in order, legal kernels, determinism, plans that export."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
from unit import passes_models

from accelc.core.context import make_context
from accelc.core.diagnostics import InternalError, UnsupportedError
from accelc.core.pass_ import PassContext
from accelc.core.pipeline import Pipeline, Stage
from accelc.dialects import plan
from accelc.dialects.nn import TensorType
from accelc.mlir import ir
from accelc.passes import PASS_MODULES, kernels_of, legality
from accelc.passes.layout.propagate import inverse
from accelc.passes.layout.regroup import regroup
from accelc.passes.nn_outline import NnOutline
from accelc.passes.nn_to_linalg import NnToLinalg
from accelc.passes.pipelines import GraphOptions, graph_passes


def compile_to_kernels(model: passes_models.Model, options: GraphOptions | None = None) -> None:
    """Runs the default graph pipeline, with all of its checks."""
    pipeline = Pipeline((*graph_passes(options or GraphOptions()), Stage("kernels")))
    pipeline.run(model.module, PassContext(store=model.store), assume=frozenset())


def test_order_is_checked() -> None:
    """The default order satisfies the facts; kernels before they are outlined do not."""
    Pipeline(graph_passes(GraphOptions(demote="bf16"))).check()
    with pytest.raises(InternalError, match="nn-to-linalg"):
        Pipeline((NnToLinalg(), NnOutline())).check()


def test_every_pass_is_in_the_pipeline() -> None:
    """No pass is listed that nobody runs."""
    names = {p.name.replace("-", "_") for p in graph_passes(GraphOptions(demote="bf16"))}
    assert names == set(PASS_MODULES)


@pytest.mark.parametrize("name", ["mlp", "shuffle", "transformer"])
def test_deterministic_and_exportable(name: str) -> None:
    """The same model gives the same text twice; the plan names every node that does work, and survives JSON."""
    texts = []
    for _ in range(2):
        with make_context(), ir.Location.unknown():
            model = passes_models.make(name)
            compile_to_kernels(model)
            texts.append(str(model.module))
            exported = plan.export(model.module.operation)
            assert type(exported).from_json(exported.to_json()) == exported
            assert all(launch.provenance for launch in exported.launches)
            assert all(c.ref in model.store for c in exported.buffers if c.kind == "constant")
    assert texts[0] == texts[1]


def test_equal_kernels_are_one() -> None:
    """Three projections of one shape share a kernel."""
    with make_context(), ir.Location.unknown():
        model = passes_models.make("transformer")
        compile_to_kernels(model)
        exported = plan.export(model.module.operation)
        assert len(list(kernels_of(model.module.operation))) < len(exported.launches)


def test_host_placement_reaches_the_plan() -> None:
    """What is unsupported is launched on the host, and nothing else."""
    with make_context(), ir.Location.unknown():
        model = passes_models.make("mlp")
        compile_to_kernels(model, GraphOptions(unsupported=("softmax",)))
        devices = [launch.device for launch in plan.export(model.module.operation).launches]
        assert devices == ["target", "target", "host"]


def test_dynamic_shapes_are_refused_with_a_hint() -> None:
    """A kernel needs static shapes; the message says how to get them."""
    with make_context(), ir.Location.unknown():
        model = passes_models.build([TensorType((2, 3), "f32")], lambda b, x: passes_models.B.relu(x))
        text = str(model.module).replace("2x3", "?x3")
        module = ir.Module.parse(text)
        with pytest.raises(UnsupportedError, match="--dim"):
            NnOutline().run(module.operation, PassContext())


def test_legality_names_the_op() -> None:
    """An op of nn in a kernel is illegal at the stage kernels."""
    with make_context(), ir.Location.unknown():
        model = passes_models.make("mlp")
        with pytest.raises(InternalError, match=r"nn\.weight"):
            legality.check("kernels", model.module)


def test_regroup_against_numpy() -> None:
    """A reshape of a permuted value, done on the permuted data, gives the same elements."""
    import itertools

    import numpy as np

    shapes = [(24,), (4, 6), (2, 3, 4), (1, 4, 6, 1), (2, 1, 12), (3, 2, 4)]
    for source, target in itertools.product(shapes, shapes):
        value = np.arange(24).reshape(source)
        for order in itertools.permutations(range(len(source))):
            before, shape, after = regroup(source, target, order)
            got = value.transpose(before).reshape(shape).transpose(inverse(after))
            assert np.array_equal(got, value.reshape(target))
