"""`accelc.compile`, `accelc.load` and what they return: sizes, determinism, cache, processes, what users do wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import accelc
from accelc import builder as ab
from accelc.core.diagnostics import InternalError, InvalidModelError, UnsupportedError, UsageError
from accelc.driver import run_stage
from accelc.sizes import require_memory
from accelc.workers import WorkerPool

RNG = np.random.default_rng(0)
W1, W2 = RNG.normal(size=(16, 32)).astype(np.float32), RNG.normal(size=(32, 8)).astype(np.float32)
X = RNG.normal(size=(4, 16)).astype(np.float32)


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_REPRODUCER_DIR", str(tmp_path / "reproducers"))
    monkeypatch.setenv("ACCELC_WORKERS", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCELC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def exe() -> Any:
    return accelc.compile(mlp())


def mlp(batch: int | str = 4, w1: np.ndarray[Any, Any] = W1) -> onnx.ModelProto:
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], name="up"),
        helper.make_node("Relu", ["a"], ["h"], name="clip"),
        helper.make_node("MatMul", ["h", "w2"], ["b"], name="down"),
        helper.make_node("Softmax", ["b"], ["y"], name="normalize"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 8])
    weights = [numpy_helper.from_array(w1, "w1"), numpy_helper.from_array(W2, "w2")]
    graph = helper.make_graph(nodes, "mlp", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def expected(x: np.ndarray[Any, Any], w1: np.ndarray[Any, Any] = W1) -> np.ndarray[Any, Any]:
    logits = np.maximum(x.astype(np.float64) @ w1, 0) @ W2
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment)


def built(batch: int | str) -> Any:
    def function(x: Any) -> Any:
        hidden = ab.relu(x @ ab.parameter(W1, "w1"))
        return ab.softmax(hidden @ ab.parameter(W2, "w2"))

    return ab.trace(function, ab.Spec((batch, 16), "f32", name="x"))


# ---- what a model can be given as, and how it runs ----


def test_every_kind_of_source_runs(tmp_path: Path) -> None:
    onnx.save(mlp(), tmp_path / "m.onnx")
    for source in (str(tmp_path / "m.onnx"), tmp_path / "m.onnx", mlp().SerializeToString(), mlp(), built(4)):
        exe = accelc.compile(source)
        np.testing.assert_allclose(exe(X), expected(X), rtol=1e-4, atol=1e-6)
        (output,) = exe.run({"x": X}).values()
        np.testing.assert_array_equal(output, exe(X))


@pytest.mark.parametrize(("target", "make"), [("host", mlp), ("host", built), ("sim_accel:edge", built)])
def test_symbolic_dimensions(target: str, make: Any) -> None:
    for batch in (1, 4):
        exe = accelc.compile(make("batch"), target, dims={"batch": batch})
        assert (exe.inputs[0].shape, exe.outputs[0].shape) == ((batch, 16), (batch, 8))
        np.testing.assert_allclose(exe(X[:batch]), expected(X[:batch]), atol=1e-5 if target == "host" else 0.05)


@pytest.mark.parametrize("make", [mlp, built])
def test_a_dimension_without_a_size_is_named(make: Any) -> None:
    for call in (lambda: accelc.compile(make("batch")), lambda: accelc.compile(make("batch"), "sim_accel:edge")):
        with pytest.raises(UsageError, match=r"size of 'batch' must be known.*'x' \[batch, 16\]") as error:
            call()
        assert "--dim batch=SIZE" in str(error.value)
    for wrong in ({"bach": 3}, {"batch": -1}, {"batch": "4"}, {"batch": True}):
        with pytest.raises(UsageError, match=r"dimension|symbolic size"):
            accelc.compile(make("batch"), dims=wrong)  # type: ignore[arg-type]


def test_threads_give_the_same_answer(exe: Any) -> None:
    np.testing.assert_array_equal(accelc.compile(mlp(), threads=2)(X), exe(X))


def test_last_run_of_the_simulator() -> None:
    exe = accelc.compile(mlp(), "sim_accel:edge")
    assert not exe.last_run
    exe(X)
    assert exe.last_run["cycles"] > 0
    assert exe.last_run["bytes_moved"] > X.nbytes
    assert 0 < exe.last_run["utilization"] <= 1


@pytest.mark.parametrize("target", ["host", "sim_accel:edge"])
def test_every_stage_runs_on_the_interpreter(target: str) -> None:
    for stage in ("nn", "kernels", "tiled"):
        (y,) = run_stage(mlp("batch"), {"x": X}, target, stage=stage, dims={"batch": 4}).values()
        exact = target == "host" or stage == "nn"
        np.testing.assert_allclose(y, expected(X), atol=1e-5 if exact else 0.05)


# ---- what users do wrong ----


@pytest.mark.parametrize("inputs", [(), (X, X), (X[:2],), (X.astype(np.float64),), (None,), (X.tolist(),)])
def test_wrong_arrays_are_refused(exe: Any, inputs: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="input"):
        exe(*inputs)


@pytest.mark.parametrize("inputs", [{}, {"x": X, "z": X}, {"z": X}, None, [X], X])
def test_wrong_names_are_refused(exe: Any, inputs: Any) -> None:
    with pytest.raises(UsageError, match="inputs"):
        exe.run(inputs)


def test_any_layout_of_an_input_will_do(exe: Any) -> None:
    for x in (np.asfortranarray(X), np.ascontiguousarray(X[:, ::-1])[:, ::-1], np.repeat(X, 2, axis=0)[::2]):
        np.testing.assert_array_equal(exe(x), exe(X))


@pytest.mark.parametrize("model", [None, 3, [], object()])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(UsageError, match="a model cannot be given as"):
        accelc.compile(model)


@pytest.mark.parametrize("model", [b"", b"abc", "nope.onnx", Path("nope.onnx"), "."])
def test_what_holds_no_model_is_refused(model: Any) -> None:
    with pytest.raises(InvalidModelError):
        accelc.compile(model)


def test_options_are_checked() -> None:
    for options, message in (
        ({"threads": 0}, "threads must be 1 to"),
        ({"threads": 10**6}, "threads must be 1 to"),
        ({"precision": "f7"}, "has no precision 'f7'"),
        ({"presicion": "strict"}, "there is no option 'presicion'"),
        ({"hazards": True}, "there is no option 'hazards' for target 'host"),
    ):
        with pytest.raises(UsageError, match=message):
            accelc.compile(mlp(), **options)  # type: ignore[arg-type]
    assert accelc.compile(mlp(), "sim_accel:edge", hazards=True)(X).shape == (4, 8)


def test_a_model_larger_than_the_memory_is_refused(exe: Any) -> None:
    with pytest.raises(UnsupportedError, match="TB of memory; the machine has"):
        accelc.compile(mlp("batch"), dims={"batch": 10**11})
    with pytest.raises(UnsupportedError, match="GB of memory; the machine has"):
        accelc.compile(mlp("batch"), "sim_accel:cloud", dims={"batch": 10**9})
    require_memory(exe.model.plan, object())


# ---- determinism ----


COMPILE = "import accelc; accelc.compile('m.onnx', {target!r}).save({output!r})"


@pytest.mark.parametrize("target", ["host", "sim_accel:edge"])
@pytest.mark.usefixtures("own_cache")
def test_same_model_same_bytes(target: str, tmp_path: Path) -> None:
    onnx.save(mlp(), tmp_path / "m.onnx")
    variants = (
        {"ACCELC_CACHE": "0", "ACCELC_WORKERS": "1", "PYTHONHASHSEED": "1"},
        {"ACCELC_CACHE": "0", "ACCELC_WORKERS": "2", "PYTHONHASHSEED": "2"},
        {"ACCELC_CACHE": "1", "ACCELC_WORKERS": "1", "PYTHONHASHSEED": "3"},  # cold
        {"ACCELC_CACHE": "1", "ACCELC_WORKERS": "1", "PYTHONHASHSEED": "4"},  # warm
    )
    contents = []
    for i, environment in enumerate(variants):
        output = f"{i}.accelc"
        done = python(COMPILE.format(target=target, output=output), **environment)
        assert done.returncode == 0, done.stderr
        contents.append((tmp_path / output).read_bytes())
    assert all(content == contents[0] for content in contents[1:])


# ---- artifacts ----


RUN_ALONE = """
import json, sys
for name in ("torch_mlir", "mlir", "onnx", "torch", "accelc.driver", "accelc.passes", "accelc.dialects"):
    sys.modules[name] = None
import numpy as np
import accelc
exe = accelc.load("m.accelc")
x = np.load("x.npy")
np.save("y.npy", exe(x))
print(json.dumps([exe.inputs[0].name, list(exe.outputs[0].shape)]))
"""


@pytest.mark.parametrize("target", ["host", "sim_accel:edge"])
def test_an_artifact_runs_without_the_compiler(target: str, tmp_path: Path) -> None:
    exe = accelc.compile(mlp(), target)
    exe.save("m.accelc")
    np.save("x.npy", X)
    done = python(RUN_ALONE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["x", [4, 8]]
    np.testing.assert_array_equal(np.load("y.npy"), exe(X))
    np.testing.assert_array_equal(accelc.load("m.accelc", threads=2)(X), exe(X))


# ---- the cache ----


@pytest.mark.usefixtures("own_cache")
def test_a_warm_cache_needs_no_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(mlp(), tmp_path / "m.onnx")
    first = accelc.compile("m.onnx")

    def never(*_: Any) -> None:
        raise AssertionError("the model is imported, or a worker started")

    monkeypatch.setattr("accelc.sources.OnnxSource.import_model", never)
    monkeypatch.setattr(WorkerPool, "start", never)
    second = accelc.compile("m.onnx")
    assert (first.stats["cached"], second.stats["cached"]) == (False, True)
    assert second.stats["compile_s"] - second.stats["const_io_s"] < 1
    np.testing.assert_array_equal(second(X), first(X))
    monkeypatch.undo()


@pytest.mark.usefixtures("own_cache")
def test_another_job_is_another_entry(tmp_path: Path) -> None:
    onnx.save(mlp("batch"), tmp_path / "m.onnx")
    for target, options in (("host", {"batch": 2}), ("host", {"batch": 3}), ("sim_accel:edge", {"batch": 2})):
        assert not accelc.compile("m.onnx", target, dims=options).stats["cached"]
        assert accelc.compile("m.onnx", target, dims=options).stats["cached"]


@pytest.mark.usefixtures("own_cache")
def test_external_data_belongs_to_the_model_beside_it(tmp_path: Path) -> None:
    for folder, w1 in (("a", W1), ("b", -W1)):
        (tmp_path / folder).mkdir()
        onnx.save(mlp(w1=w1), f"{folder}/m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert Path("a/m.onnx").read_bytes() == Path("b/m.onnx").read_bytes()
    np.testing.assert_allclose(accelc.compile("a/m.onnx")(X), expected(X), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(accelc.compile("b/m.onnx")(X), expected(X, -W1), rtol=1e-4, atol=1e-6)
    assert accelc.compile("b/m.onnx").stats["cached"]
    shutil.copy("a/w.bin", "b/w.bin")
    np.testing.assert_allclose(accelc.compile("b/m.onnx")(X), expected(X), rtol=1e-4, atol=1e-6)


def test_two_processes_share_a_cache(own_cache: Path, tmp_path: Path) -> None:
    onnx.save(mlp(), tmp_path / "m.onnx")
    commands = [[sys.executable, "-c", COMPILE.format(target="sim_accel:edge", output=f"{i}.accelc")] for i in range(2)]
    running = [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]
    assert [(p.communicate()[1], p.returncode) for p in running] == [("", 0), ("", 0)]
    assert Path("0.accelc").read_bytes() == Path("1.accelc").read_bytes()
    assert not list(own_cache.rglob("tmp-*"))
    warm = "import accelc; print(accelc.compile('m.onnx', 'sim_accel:edge').stats['cached'])"
    assert python(warm).stdout == "True\n"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", Path("/proc/nope")):
        monkeypatch.setenv("ACCELC_CACHE_DIR", str(folder))
        exe = accelc.compile(mlp().SerializeToString())
        assert not exe.stats["cached"]
        np.testing.assert_allclose(exe(X), expected(X), rtol=1e-4, atol=1e-6)


# ---- workers ----


@pytest.mark.usefixtures("own_cache")
def test_a_worker_that_dies_leaves_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    start = WorkerPool.start

    def start_and_kill(self: WorkerPool) -> None:
        start(self)
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()

    monkeypatch.setattr(WorkerPool, "start", start_and_kill)
    with pytest.raises(InternalError, match=r"a compiler process ended unexpectedly \(by SIGKILL\)") as error:
        accelc.compile(mlp())
    assert error.value.exit_code == 4
    assert error.value.reproducer is not None
    text = Path(error.value.reproducer).read_text()
    assert text.startswith("// accelc-opt --target host:native --start-at kernels")
    assert "func.func @entry" in text
    monkeypatch.undo()


def test_a_dead_worker_without_room_for_a_reproducer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_REPRODUCER_DIR", "/proc/nope")
    with WorkerPool(1, "host") as pool:
        pool._workers[0].process.kill()
        with pytest.raises(InternalError, match="by SIGKILL") as error:
            list(pool.compile([({"target": "host", "machine": "native", "options": {}}, "module {}")]))
    assert error.value.reproducer is None
