"""Small variants of the test models: the same architectures, in sizes that a test compiles in seconds."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from frontend import torch_models
from frontend.models import TestModel, inputs_of

LENGTH = 16

Maker = tuple[Callable[[], Any], tuple[Any, ...], list[str], list[str]]


class SmallMobileNetV2(torch_models.MobileNetV2):
    """MobileNetV2 with one block a stage."""

    PLAN = ((1, 16, 1, 1), (6, 24, 1, 2), (6, 32, 2, 2), (6, 64, 1, 2), (6, 96, 1, 1))


def _ids() -> Any:
    return torch.ones(1, LENGTH, dtype=torch.int64)


MAKERS: dict[str, Maker] = {
    "small_bert": (
        lambda: torch_models.Bert(layers=2, width=64, heads=4, inner=128, vocabulary=1000),
        (_ids(), _ids(), _ids()),
        ["input_ids", "attention_mask", "token_type_ids"],
        ["last_hidden_state", "pooler_output"],
    ),
    "small_gpt2": (
        lambda: torch_models.Gpt2(layers=2, width=64, heads=4, vocabulary=1000, length=LENGTH),
        (_ids(),),
        ["input_ids"],
        ["logits"],
    ),
    "small_mobilenetv2": (lambda: SmallMobileNetV2(classes=10), (torch.zeros(1, 3, 64, 64),), ["image"], ["logits"]),
}


def small_model(name: str, folder: Path, dynamic: bool = False) -> TestModel:
    """A model of `MAKERS`, made in ``folder`` unless it is there already.

    dynamic: whether the first dimension of every input and output is the symbol ``batch``. Inputs have batch 1 anyway.
    """
    maker, arguments, inputs, outputs = MAKERS[name]
    path = folder / f"{name}{'_dynamic' if dynamic else ''}.onnx"
    if not path.exists():
        axes = {port: {0: "batch"} for port in (*inputs, *outputs)} if dynamic else None
        model = torch_models.initialize(maker())
        temporary = path.with_suffix(".tmp.onnx")
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, arguments, temporary, input_names=inputs, output_names=outputs, dynamic_axes=axes,
                dynamo=False, opset_version=17,
            )  # fmt: skip
        os.replace(temporary, path)
    return TestModel(name, path, {} if dynamic else inputs_of(path))
