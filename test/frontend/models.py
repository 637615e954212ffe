"""Models for tests, benchmarks and the demo, with inputs and onnxruntime's answers; files are cached in a folder.

The light models of the onnx wheel have the architectures of well-known networks but constant weights, which test
nothing:
here seeded random weights stand in their place, and a final softmax is cut.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

LIGHT_NAMES = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)
TORCH_NAMES = ("bert", "gpt2", "mobilenetv2")
NAMES = (*LIGHT_NAMES, *TORCH_NAMES)
LENGTH = 128


@dataclass(frozen=True)
class TestModel:
    """An ONNX file and arrays for its inputs."""

    __test__ = False  # pytest would take the name for a test's

    name: str
    path: Path
    inputs: dict[str, np.ndarray[Any, Any]]

    def expected(self) -> dict[str, np.ndarray[Any, Any]]:
        """What onnxruntime computes on one thread, by output name; cached beside the file."""
        cached = self.path.with_suffix(".expected.npz")
        if not cached.exists():
            np.savez(cached.with_suffix(".tmp.npz"), **_onnxruntime(self.path, self.inputs))  # type: ignore[arg-type]
            os.replace(cached.with_suffix(".tmp.npz"), cached)
        with np.load(cached) as arrays:
            return dict(arrays)


def benchmark_model(name: str, folder: Path) -> TestModel:
    """A model by name (see `NAMES`), made in ``folder`` unless it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    if not path.exists():
        temporary = path.with_suffix(".tmp.onnx")
        (light_model if name in LIGHT_NAMES else torch_model)(name, temporary)
        os.replace(temporary, path)
    return TestModel(name, path, inputs_of(path))


def light_model(name: str, path: Path) -> None:
    """Writes one of the onnx wheel's light models with random weights to ``path``."""
    source = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    model = onnx.load(source)
    randomize(model, seed=len(name))
    cut_final_softmax(model)
    onnx.save(model, path)


def randomize(model: onnx.ModelProto, seed: int) -> None:
    """Replaces every ConstantOfShape of a light model by an initializer with seeded random values.

    Scales follow the use: He-normal filters and matrices, small biases, batch norms near the identity.
    """
    rng = np.random.default_rng(seed)
    graph = model.graph
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    uses = {name: (node.op_type, i) for node in graph.node for i, name in enumerate(node.input)}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(d) for d in shapes[node.input[0]])
        op, operand = uses.get(node.output[0], ("", 0))
        array = _weights(rng, shape, op, operand).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)
    for value in [v for v in graph.input if v.name not in used or v.name in {t.name for t in graph.initializer}]:
        graph.input.remove(value)


def _weights(rng: np.random.Generator, shape: tuple[int, ...], op: str, operand: int) -> np.ndarray[Any, Any]:
    if op == "BatchNormalization":
        if operand in (1, 4):
            return rng.uniform(0.8, 1.2, shape)
        return rng.normal(0, 0.1, shape)
    if len(shape) >= 2:
        fan_in = int(np.prod(shape[1:]))
        return rng.normal(0, np.sqrt(2 / fan_in), shape)
    if op == "Mul":
        return rng.uniform(0.8, 1.2, shape)
    return rng.normal(0, 0.05, shape)


def cut_final_softmax(model: onnx.ModelProto) -> None:
    """Makes the final Softmax's input the graph's output, where there is one."""
    graph = model.graph
    for node in list(graph.node):
        if node.op_type == "Softmax" and node.output[0] == graph.output[0].name:
            graph.node.remove(node)
            graph.output[0].name = node.input[0]
            graph.output[0].type.tensor_type.ClearField("shape")


def torch_model(name: str, path: Path) -> None:
    """Exports BERT-base, GPT-2 small or MobileNetV2 with random weights to ``path``."""
    import torch
    from frontend import torch_models

    makers: dict[str, tuple[Callable[[], Any], tuple[Any, ...], list[str], list[str]]] = {
        "bert": (
            torch_models.Bert,
            tuple(torch.ones(1, LENGTH, dtype=torch.int64) for _ in range(3)),
            ["input_ids", "attention_mask", "token_type_ids"],
            ["last_hidden_state", "pooler_output"],
        ),
        "gpt2": (torch_models.Gpt2, (torch.ones(1, LENGTH, dtype=torch.int64),), ["input_ids"], ["logits"]),
        "mobilenetv2": (torch_models.MobileNetV2, (torch.zeros(1, 3, 224, 224),), ["image"], ["logits"]),
    }
    maker, arguments, inputs, outputs = makers[name]
    torch.manual_seed(0)
    model = torch_models.initialize(maker())
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, arguments, path, input_names=inputs, output_names=outputs, dynamo=False, opset_version=17
        )


def inputs_of(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Seeded arrays for a model's inputs: images are normal, ids are below 1000, masks hide the last quarter."""
    model = onnx.load(path, load_external_data=False)
    initialized = {t.name for t in model.graph.initializer}
    rng = np.random.default_rng(7)
    arrays = {}
    for value in model.graph.input:
        if value.name in initialized:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            arrays[value.name] = rng.standard_normal(shape).astype(np.float32)
        elif "mask" in value.name:
            arrays[value.name] = np.broadcast_to(np.arange(shape[-1]) < shape[-1] * 3 // 4, shape).astype(np.int64)
        else:
            arrays[value.name] = rng.integers(0, 2 if "type" in value.name else 1000, shape, dtype=np.int64)
    return arrays


def _onnxruntime(path: Path, inputs: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))
