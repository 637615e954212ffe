"""The thin GPU line: models become PTX by the generic path, and the emulator runs it right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

import accelc
from accelc import builder
from accelc.core.diagnostics import ArtifactError
from accelc.core.target import KernelCode
from accelc.targets.gpu.emit import ptx
from accelc.targets.gpu.emulator import Emulator, FindingsError
from accelc.targets.gpu.executor import make_executor
from accelc.targets.gpu.machine import GPUS, PTX_VERSIONS
from accelc.tools.accelc import app

RNG = np.random.default_rng(0)
W1, B1, W2 = (RNG.normal(0, 0.3, shape).astype(np.float32) for shape in ((16, 24), (24,), (24, 5)))
X = RNG.normal(size=(3, 16)).astype(np.float32)
MLP = """
import numpy as np
from accelc import builder
rng = np.random.default_rng(0)
w1, b1, w2 = (rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((16, 24), (24,), (24, 5)))
mlp = builder.trace(
    lambda x: builder.softmax(
        builder.relu(x @ builder.parameter(w1, "w1") + builder.parameter(b1, "b1")) @ builder.parameter(w2, "w2")
    ),
    builder.Spec((3, 16), "f32", name="x"),
)
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACCELC_WORKERS", "1")
    Path("mlp.py").write_text(MLP)


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(args))
    assert "Traceback" not in result.stdout + result.stderr
    return result.exit_code, result.stdout, result.stderr


def mlp() -> Any:
    def forward(x: Any) -> Any:
        hidden = builder.relu(x @ builder.parameter(W1, "w1") + builder.parameter(B1, "b1"))
        return builder.softmax(hidden @ builder.parameter(W2, "w2"))

    return builder.trace(forward, builder.Spec((3, 16), "f32", name="x"))


def expected_mlp() -> np.ndarray[Any, Any]:
    hidden = np.maximum(X.astype(np.float64) @ W1 + B1, 0) @ W2
    e = np.exp(hidden - hidden.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("sanitize", [False, True])
@pytest.mark.parametrize(("precision", "bound"), [("strict", 1e-6), ("fast", 1e-6), ("bf16", 8e-3), ("f16", 1e-3)])
def test_the_builders_mlp_is_right(precision: str, bound: float, sanitize: bool) -> None:
    compiled = accelc.compile(mlp(), target="gpu:h200", precision=precision, emulate=True, sanitize=sanitize)
    assert np.abs(compiled(X).astype(np.float64) - expected_mlp()).max() <= bound
    last = compiled.last_run
    assert last["emulated"]
    assert last["launches"] >= len(last["kernels"]) > 0
    assert last["thread_instructions"] >= last["warp_instructions"] > 0
    assert all(row["nodes"] for row in last["kernels"])


def test_runs_repeat_bit_for_bit_and_with_threads() -> None:
    one = accelc.compile(mlp(), target="gpu:h200", emulate=True)
    two = accelc.compile(mlp(), target="gpu:h200", emulate=True, threads=2)
    first = one(X)
    np.testing.assert_array_equal(first, one(X))
    np.testing.assert_array_equal(first, two(X))


@pytest.mark.parametrize("machine", ["a100", "h100", "h200"])
def test_the_ptx_is_of_the_machines_architecture(machine: str) -> None:
    compiled = accelc.compile(mlp(), target=f"gpu:{machine}", emulate=True)
    arch = {"a100": "sm_80", "h100": "sm_90a", "h200": "sm_90a"}[machine]
    for code in compiled.model.code.values():
        assert f".target {arch}" in code.data.decode()
    assert np.abs(compiled(X) - expected_mlp()).max() < 8e-3


def test_ptx_can_be_made_for_every_architecture_that_a_machine_file_may_name() -> None:
    for arch, version in PTX_VERSIONS.items():
        text = ptx("define ptx_kernel void @k(ptr %p) {\nstore float 1.0, ptr %p\nret void\n}", arch, "k")
        assert f".version {version // 10}.{version % 10}" in text
        assert f".target {arch}\n" in text
        y = np.zeros(1, np.float32)
        Emulator(text).launch("k", grid=1, block=1, args=[y])
        assert y[0] == 1


def test_a_machine_of_ones_own_runs_and_a_wrong_architecture_is_told() -> None:
    h200 = (GPUS.folder / "h200.toml").read_text().replace('"h200"', '"mine"')
    for arch, code, said in (("sm_120", 0, "ok"), ("sm_12", 2, "'sm_12' is not an architecture that code is generated"),
                             ("sm_91a", 2, "did you mean"), ("gfx90a", 2, "gpu.arch")):  # fmt: skip
        Path("mine.toml").write_text(h200.replace("sm_90a", arch))
        found, out, err = run("run", "mlp.py", "-t", "mine.toml", "--emulate", "--check", "--repeat", "0")
        assert (found, said in out + err) == (code, True), out + err


# ---- ONNX ----


def save(nodes: Sequence[onnx.NodeProto], inputs: Any, outputs: Any, **weights: np.ndarray[Any, Any]) -> str:
    """Writes m.onnx. inputs, outputs: {name: (type, shape)}."""
    sides = [[helper.make_tensor_value_info(n, *of) for n, of in side.items()] for side in (inputs, outputs)]
    held = [numpy_helper.from_array(w, n) for n, w in weights.items()]
    graph = helper.make_graph(nodes, "g", *sides, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), "m.onnx")
    return "m.onnx"


def squeezenet() -> str:
    """A stem, one fire module and a classifier: what SqueezeNet is made of."""
    shapes = {"stem": (8, 3, 3, 3), "squeeze": (4, 8, 1, 1), "left": (8, 4, 1, 1), "right": (8, 4, 3, 3),
              "last": (6, 16, 1, 1)}  # fmt: skip
    weights = {n: RNG.normal(0, 1 / np.sqrt(np.prod(s[1:])), s).astype(np.float32) for n, s in shapes.items()}
    f = TensorProto.FLOAT

    def conv(x: str, w: str, y: str, **options: Any) -> list[onnx.NodeProto]:
        return [helper.make_node("Conv", [x, w], [y + "0"], name=y, **options),
                helper.make_node("Relu", [y + "0"], [y])]  # fmt: skip

    nodes = [
        *conv("x", "stem", "a", strides=[2, 2]),
        helper.make_node("MaxPool", ["a"], ["p"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        *conv("p", "squeeze", "s"),
        *conv("s", "left", "l"),
        *conv("s", "right", "r", pads=[1, 1, 1, 1]),
        helper.make_node("Concat", ["l", "r"], ["c"], axis=1),
        *conv("c", "last", "o"),
        helper.make_node("GlobalAveragePool", ["o"], ["g"]),
        helper.make_node("Flatten", ["g"], ["t"]),
        helper.make_node("Softmax", ["t"], ["y"], axis=1),
    ]
    return save(nodes, {"x": (f, [1, 3, 19, 19])}, {"y": (f, [1, 6])}, **weights)


def mixed_types() -> str:
    """float64, integers, bool, gather, scatter, top-k, pad and concat."""
    f64, i64, b = TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=1),
        helper.make_node("Gather", ["x", "at"], ["g"], axis=0),
        helper.make_node("ScatterND", ["x", "where", "v1"], ["z"]),
        helper.make_node("Pad", ["z", "pads"], ["p"]),
        helper.make_node("Concat", ["p", "p"], ["c"], axis=0),
        helper.make_node("Greater", ["x", "zero"], ["m"]),
        helper.make_node("Not", ["m"], ["n"]),
        helper.make_node("Div", ["i", "two"], ["h"]),
        helper.make_node("CumSum", ["x", "axis"], ["u"]),
    ]
    outputs = {"v": (f64, [4, 2]), "i": (i64, [4, 2]), "g": (f64, [2, 5]), "c": (f64, [12, 5]), "n": (b, [4, 5]),
               "h": (i64, [4, 2]), "u": (f64, [4, 5])}  # fmt: skip
    return save(nodes, {"x": (f64, [4, 5])}, outputs, k=np.array([2]), at=np.array([3, 1]),
                where=np.array([[2]]), v1=np.ones((1, 5)), pads=np.array([1, 0, 1, 0]), zero=np.array(0.0),
                two=np.array(2), axis=np.array(0))  # fmt: skip


@pytest.mark.parametrize("model", [squeezenet, mixed_types])
def test_onnx_models_are_right(model: Any) -> None:
    for options in (("--precision", "strict", "--sanitize"), ()):
        code, out, err = run("run", model(), "-t", "gpu:h200", "--emulate", "--check", "--json", *options)
        assert code == 0, err
        assert json.loads(out)["ok"]


@pytest.mark.parametrize(
    ("op", "kind", "what"),
    [
        ("Sin", TensorProto.FLOAT, "'sin' has no code on the GPU yet"),
        ("Exp", TensorProto.DOUBLE, "'exp' has no code on the GPU yet"),
        ("Atanh", TensorProto.FLOAT, "'math.atanh' has no code on the GPU yet"),
    ],
)
def test_what_the_path_does_not_take_is_refused_by_name(op: str, kind: int, what: str) -> None:
    node = helper.make_node(op, ["x"], ["y"], name="the_node")
    model = save([node], {"x": (kind, [4])}, {"y": (kind, [4])})
    for command in (("run", "--emulate"), ("compile", "-o", "m.accelc")):
        code, _, err = run(command[0], model, "-t", "gpu:h200", *command[1:])
        assert code == 3
        assert what in err
        assert "the_node" in err
    assert not Path("m.accelc").exists()


def test_narrow_floats_are_refused_by_name() -> None:
    nodes = [helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT8E4M3FN, name="narrow"),
             helper.make_node("Cast", ["h"], ["y"], to=TensorProto.FLOAT, name="wide")]  # fmt: skip
    sides = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, [4])] for n in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", *sides), opset_imports=[helper.make_opsetid("", 19)])
    onnx.save(model, "m.onnx")
    code, _, err = run("run", "m.onnx", "-t", "gpu:h200", "--emulate")
    assert code == 3
    assert "f8E4M3FN" in err
    assert "narrow" in err


# ---- the command line ----


def test_an_artifact_runs_by_emulation_only() -> None:
    assert run("compile", "mlp.py", "-t", "gpu:h200", "-o", "mlp.accelc")[0] == 0
    np.savez("x.npz", x=X)
    code, out, err = run("run", "mlp.accelc", "--emulate", "--sanitize", "--inputs", "x.npz", "--output", "y.npz")
    assert code == 0, err
    assert "gpu:h200" in out
    (value,) = np.load("y.npz").values()
    assert np.abs(value - expected_mlp()).max() < 8e-3
    code, _, err = run("run", "mlp.accelc")
    assert code == 3
    assert "accelc does not launch on a GPU yet" in err
    assert "--emulate" in err
    code, out, _ = run("inspect", "mlp.accelc", "--disassemble")
    assert code == 0
    assert ".visible .entry entry(" in out
    assert ".target sm_90a" in out
    for kernel in json.loads(run("inspect", "mlp.accelc", "--json")[1])["kernels"]:
        assert kernel["meta"]["launches"]
        assert kernel["meta"]["arch"] == "sm_90a"


@pytest.mark.parametrize(
    "changes",
    [{"data": b"\xff\xfe"}, {"launches": None}, {"launches": [["entry"]]}, {"launches": [["entry", "a", 32]]},
     {"workspace_bytes": None}, {"workspace_bytes": -1}, {"workspace_bytes": 1 << 60}],
)  # fmt: skip
def test_code_that_the_compiler_never_wrote_is_refused(changes: dict[str, Any]) -> None:
    model = accelc.compile(mlp(), target="gpu:h200", emulate=True).model
    name, good = next(iter(model.code.items()))
    meta = {**good.meta, **{key: value for key, value in changes.items() if key != "data"}}
    bad = KernelCode(good.symbol, changes.get("data", good.data), meta)
    options = {"emulate": True}
    with pytest.raises(ArtifactError, match=f"kernel '{name}'"):
        make_executor(model.plan, {**model.code, name: bad}, model.constants, {}, threads=1, host=None, options=options)


def test_run_of_a_python_file() -> None:
    for spec in ("mlp.py", "mlp.py:mlp"):
        code, out, err = run("run", spec, "-t", "gpu:h200", "--emulate", "--check")
        assert code == 0, err
        assert "ok" in out
    code, _, err = run("run", "mlp.py", "-t", "gpu:h200")
    assert code == 3
    assert "with --emulate the same PTX runs on the CPU" in err


def test_other_targets_have_nothing_to_emulate() -> None:
    code, _, err = run("run", "mlp.py", "-t", "host", "--emulate")
    assert code == 2
    assert "emulate" in err


def test_targets_and_check_tell_what_the_gpu_can_do() -> None:
    gpu = {t["name"]: t for t in json.loads(run("targets", "--json")[1])}["gpu"]
    assert (gpu["runs"], gpu["emulated"], gpu["costs"]) == (True, True, True)
    assert "runs by emulation" in " ".join(run("targets")[1].split())
    found = json.loads(run("check", "mlp.py", "-t", "gpu:h200", "--json")[1])
    assert found["ok"]
    assert found["compiles"]


def test_a_finding_names_the_models_node() -> None:
    compiled = accelc.compile(mlp(), target="gpu:h200", emulate=True, sanitize=True)
    compiled(X)
    executor: Any = compiled._executor
    name = executor.plan.launches[0].kernel
    executor._emulators[name] = broken = Emulator(
        ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry entry("
        + ", ".join(f".param .u64 p{k}" for k in range(len(executor._emulators[name].kernels["entry"])))
        + ") { .reg .b64 %a; .reg .b32 %v; ld.param.u64 %a, [p0]; ld.global.u32 %v, [%a+1048576]; ret; }"
    )
    executor._workspaces[name] = broken.buffer(1)
    with pytest.raises(FindingsError, match="out_of_bounds") as caught:
        compiled(X)
    assert caught.value.node == executor.plan.launches[0].provenance[0]
    assert "test_gpu_line.py" in str(caught.value)
