"""What ``make demo`` shows: two models, two targets, right answers, and what they would cost on four machines.

The models are ResNet-50 (from the onnx package's light models, with random weights) and a small transformer written
with `accelc.builder`. Needs a checkout of the repository, whose test models it uses.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

import accelc
from accelc import builder as ab
from accelc import driver
from accelc.core.context import make_context
from accelc.cost import compare
from accelc.mlir import ir
from accelc.reference import float64_outputs, storage_bounds
from accelc.tolerance import F32_BOUND, relative_l2
from accelc.tools.cli_common import console, progress

ROOT = Path(__file__).resolve().parents[1]
RUN_ON = ("host", "sim_accel:cloud")
COMPARE_ON = ("gpu:h200", "sim_accel:cloud", "sim_accel:edge")
LENGTH, WIDTH, HEADS, LAYERS = 64, 256, 4, 4


@dataclass(frozen=True)
class Example:
    """A model, inputs for it, and where the right answers come from."""

    name: str
    model: Any
    inputs: dict[str, np.ndarray[Any, Any]]
    expected: dict[str, np.ndarray[Any, Any]]
    judge: str


def resnet50(folder: Path) -> Example:
    """ResNet-50 as an ONNX file; onnxruntime says what is right."""
    sys.path.insert(0, str(ROOT / "test"))
    from frontend import models  # type: ignore[import-not-found, unused-ignore]

    example = models.benchmark_model("resnet50", folder)
    return Example("ResNet-50", example.path, example.inputs, example.expected(), "onnxruntime")


def transformer() -> Example:
    """A causal transformer encoder, as one writes it in Python; numpy in float64 says what is right."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> Any:
        return ab.parameter(rng.normal(0, 0.05, shape).astype(np.float32), name)

    def layer(i: int) -> dict[str, Any]:
        shapes = {"w_qkv": (1, 3), "w_out": (1, 1), "w_up": (1, 4), "w_down": (4, 1)}
        weights = {name: weight(f"{name}{i}", m * WIDTH, n * WIDTH) for name, (m, n) in shapes.items()}
        return {**weights, "ln1_scale": 1.0, "ln2_scale": 1.0}

    table, layers = weight("table", 1000, WIDTH), [layer(i) for i in range(LAYERS)]

    def encoder(tokens: Any) -> Any:
        x = ab.embedding(tokens, table)
        for weights in layers:
            x = ab.transformer_block(x, weights, HEADS, causal=True)
        return ab.layer_norm(x)

    model = ab.trace(encoder, ab.Spec((1, LENGTH), "si64", name="tokens"))
    inputs = {"tokens": rng.integers(0, 1000, (1, LENGTH))}
    with make_context(), ir.Location.unknown():
        module, store = model.build()
        expected = float64_outputs(module, store, inputs)
    return Example(f"a transformer of {LAYERS} layers", model, inputs, expected, "numpy in float64")


def check(example: Example, target: str, table: Table) -> bool:
    """Compiles and runs one example on one target; adds a row; says whether it is right."""
    started = time.perf_counter()
    exe = accelc.compile(example.model, target=target)
    compiled = time.perf_counter()
    outputs = exe.run(example.inputs)
    ran = time.perf_counter()
    error = max(relative_l2(outputs[name], example.expected[name]) for name in example.expected)
    bound = _bound(example, target)
    cycles = exe.last_run.get("cycles")
    table.add_row(
        example.name,
        target,
        f"{compiled - started:.1f} s",
        f"{ran - compiled:.2f} s" + (f" ({cycles:,} cycles)" if cycles else ""),
        f"{error:.1e}, at most {bound:.1e}",
        Text("right", style="green") if error <= bound else Text("WRONG", style="bold red"),
        example.judge,
    )
    return error <= bound


def _bound(example: Example, target: str) -> float:
    job = driver.resolve(target)
    if job.options.precision in ("strict", "fast"):
        return F32_BOUND
    with make_context(), ir.Location.unknown():
        module, store = driver.lower(example.model, target, stop_after="nn")
        return min(storage_bounds(module, store, example.inputs, job.options.precision).values())


def main() -> int:
    """Runs the demo; exit status 1 if an answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=str(Path(tempfile.gettempdir()) / "accelc-models"), help="for model files")
    folder = Path(parser.parse_args().folder)
    out = console()
    out.print("accelc: one pipeline, several accelerators\n", style="bold")
    with progress("making the models"):
        examples = [resnet50(folder), transformer()]
    table = Table(title="compiled, run, and checked", title_justify="left")
    for column in ("model", "target", "compile", "run", "relative error", "answer", "judged by"):
        table.add_column(column)
    right = True
    for example in examples:
        for target in RUN_ON:
            with progress(f"{example.name} on {target}"):
                right &= check(example, target, table)
    out.print(table)
    for example in examples:
        with progress(f"what {example.name} costs"):
            reports = [driver.cost(example.model, target) for target in COMPARE_ON]
        for part in compare.render(example.name, reports, 5):
            out.print(part)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
