"""The command line: what each command prints, its JSON, and the exit code and message of every kind of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from accelc.core.diagnostics import InternalError, UsageError
from accelc.tools import cli_common
from accelc.tools.accelc import app

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(16, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("ACCELC_REPRODUCER_DIR", str(tmp_path / "reproducers"))
    monkeypatch.delenv("ACCELC_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="project"),
        helper.make_node("Relu", ["h"], ["y"], name="[bold]clip"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8])
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(WEIGHT, "w")])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(proto, tmp_path / "m.onnx")
    return "m.onnx"


@pytest.fixture
def arrays(tmp_path: Path) -> tuple[str, str]:
    x = RNG.normal(size=(4, 16)).astype(np.float32)
    np.savez(tmp_path / "in.npz", x=x)
    np.savez(tmp_path / "out.npz", y=np.maximum(x @ WEIGHT, 0))
    return "in.npz", "out.npz"


def accelc(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(args))
    return result.exit_code, result.stdout, result.stderr


def as_json(*args: str) -> Any:
    code, out, err = accelc(*args, "--json")
    assert code in (0, 1), err
    return json.loads(out)


RUN = ("--dim", "batch=4", "--inputs", "in.npz", "--expect", "out.npz")


def test_help_answers_at_once() -> None:
    """In less than twice the time that importing numpy alone takes: nothing heavy is loaded for it."""
    times: dict[str, list[float]] = {"help": [], "numpy": []}
    for _ in range(3):
        for what, command in (("numpy", ["-c", "import numpy"]), ("help", ["-m", "accelc.tools.accelc", "--help"])):
            started = time.perf_counter()
            result = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
            times[what].append(time.perf_counter() - started)
    assert all(command in result.stdout for command in ("compile", "run", "compare", "check", "inspect", "targets"))
    assert min(times["help"]) < 2 * min(times["numpy"])


def test_run_says_what_the_contract_says(model: str, arrays: tuple[str, str]) -> None:
    report = as_json("run", model, "-t", "host", *RUN, "--repeat", "2")
    assert report["ok"] is True
    assert report["outputs"]["y"]["rel_l2"] < 1e-4
    assert report["outputs"]["y"]["max_abs_err"] == report["max_abs_err"] < 1e-4
    for key in ("compile_s", "const_io_s", "run_s"):
        assert report[key] >= 0
    assert report["native_mac_fraction"] == report["native_byte_fraction"] == 1
    code, out, _ = accelc("run", model, *RUN)
    assert code == 0
    assert "ok" in out


def test_a_wrong_result_is_1(model: str, arrays: tuple[str, str], tmp_path: Path) -> None:
    y = np.load(tmp_path / "out.npz")["y"]
    np.savez(tmp_path / "out.npz", y=y * 1.01)
    assert accelc("run", model, *RUN)[0] == 1
    assert as_json("run", model, *RUN)["ok"] is False
    assert accelc("run", model, *RUN, "--rel-l2", "0.1")[0] == 0
    assert accelc("run", model, *RUN, "--rel-l2", "0.1", "--rtol", "1e-4")[0] == 1
    assert accelc("run", model, *RUN, "--rel-l2", "0.1", "--rtol", "0.02", "--atol", "1e-6")[0] == 0
    np.savez(tmp_path / "out.npz", y=np.full_like(y, np.nan))
    assert as_json("run", model, *RUN)["outputs"]["y"]["rel_l2"] is None


def test_check_asks_onnxruntime(model: str) -> None:
    report = as_json("run", model, "--dim", "batch=3", "--check")
    assert report["ok"]
    assert report["reference"] == "onnxruntime"


def test_check_allows_what_the_models_own_formats_cost(tmp_path: Path) -> None:
    """numpy's float64 knows nothing of the f16 that a model names, and a scalar's error in bf16 may be none by luck."""
    (tmp_path / "formats.py").write_text(
        "from accelc import builder as ab\n"
        "half = ab.trace(lambda x: ab.cast(ab.sin(x), ab.f16), ab.Spec((9,), 'f32', name='x'))\n"
        "scalar = ab.trace(lambda x: ab.sum(x * x), ab.Spec((), 'f32', name='x'))\n"
        "whole = ab.trace(lambda x: ab.cast(x * 9.0, ab.i32), ab.Spec((9,), 'f32', name='x'))\n"
    )
    (half,) = as_json("run", "formats.py:half", "--precision", "strict", "--check")["outputs"].values()
    assert half["ok"]
    assert 1e-5 < half["rel_l2"] <= half["bound"] < 1e-2
    (scalar,) = as_json("run", "formats.py:scalar", "-t", "sim_accel:cloud", "--check")["outputs"].values()
    assert scalar["bound"] >= 2**-7
    (whole,) = as_json("run", "formats.py:whole", "--precision", "strict", "--check")["outputs"].values()
    assert whole["ok"] and whole["bound"] == 1e-4


def test_check_takes_a_quantized_model_as_it_is_written(tmp_path: Path) -> None:
    """onnxruntime's own rewrites of such a model round some values to another step."""
    rng = np.random.default_rng(0)
    constants = {
        "s": np.float32(0.03), "z": np.uint8(128), "w": rng.integers(-127, 127, (64, 64)).astype(np.int8),
        "ws": np.float32(0.01), "wz": np.int8(0), "ys": np.float32(0.06),
    }  # fmt: skip
    nodes = [
        helper.make_node(op, inputs.split(), [output])
        for op, inputs, output in (
            ("QuantizeLinear", "x s z", "q"),
            ("DequantizeLinear", "q s z", "d"),
            ("DequantizeLinear", "w ws wz", "wd"),
            ("MatMul", "d wd", "m"),
            ("QuantizeLinear", "m ys z", "mq"),
            ("DequantizeLinear", "mq ys z", "y"),
        )
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [16, 64]) for name in "xy")
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    made = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], stored), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    path = str(tmp_path / "quantized.onnx")
    onnx.save(made, path)
    assert as_json("run", path, "--check", "--repeat", "0")["ok"]


def test_compile_inspect_run(model: str, arrays: tuple[str, str], tmp_path: Path) -> None:
    summary = as_json("compile", model, "--dim", "batch=4", "-o", "m.accelc")
    assert summary["file_bytes"] == (tmp_path / "m.accelc").stat().st_size
    assert summary["inputs"] == [{"name": "x", "dtype": "f32", "shape": [4, 16]}]
    report = as_json("run", "m.accelc", "--inputs", "in.npz", "--expect", "out.npz")
    assert report["ok"]
    assert report["compile_s"] is None
    content = as_json("inspect", "m.accelc")
    assert {node for kernel in content["kernels"] for node in kernel["nodes"]} == {"project", "[bold]clip"}
    code, out, _ = accelc("inspect", "m.accelc", "--plan")
    assert code == 0
    assert "[bold]clip" in out
    code, _, err = accelc("run", "m.accelc", "-t", "sim_accel:edge")
    assert (code, "was compiled for host" in err) == (2, True)
    code, _, err = accelc("run", "m.accelc", "--precision", "fast")
    assert (code, "compiled already" in err) == (2, True)
    code, _, err = accelc("inspect", "m.accelc", "--kernel", "nope")
    assert (code, "there is no kernel 'nope'" in err) == (2, True)


def test_a_corrupt_artifact_is_2(model: str, tmp_path: Path) -> None:
    accelc("compile", model, "--dim", "batch=4", "-o", "m.accelc")
    data = (tmp_path / "m.accelc").read_bytes()
    at = data.index(WEIGHT.tobytes()[:16]) if WEIGHT.tobytes()[:16] in data else len(data) // 2
    (tmp_path / "flipped.accelc").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    (tmp_path / "cut.accelc").write_bytes(data[:-100])
    for name in ("flipped.accelc", "cut.accelc"):
        for command in ("run", "inspect"):
            code, _, err = accelc(command, name)
            assert code == 2, err
            assert name in err
            assert "Traceback" not in err


def test_outputs_are_written_whole_or_not_at_all(model: str, arrays: tuple[str, str], tmp_path: Path) -> None:
    assert accelc("run", model, *RUN, "-o", "y.npz")[0] == 0
    assert np.load(tmp_path / "y.npz")["y"].shape == (4, 8)
    before = sorted(p.name for p in tmp_path.iterdir())
    assert accelc("compile", model, "--dim", "batch=4", "-o", "no/such/m.accelc")[0] == 2
    assert accelc("run", model, *RUN, "-o", "no/y.npz")[0] == 2
    assert accelc("run", model, *RUN, "-o", "y.txt")[0] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "'x' is missing"),
        ({"z": np.zeros((4, 16), np.float32)}, "'x' is missing; 'z' is not one of the model's"),
        ({"x": np.zeros((4, 17), np.float32)}, "'x' has shape [4, 17], not [4, 16]"),
        ({"x": np.zeros((4, 16), np.float64)}, "'x' is float64, not float32"),
    ],
)
def test_wrong_inputs_are_named(model: str, tmp_path: Path, inputs: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "bad.npz", **inputs)
    code, _, err = accelc("run", model, "--dim", "batch=4", "--inputs", "bad.npz")
    assert code == 2
    assert message in err
    assert "x f32[4, 16]" in err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["run", "nope.onnx"], 2, "model 'nope.onnx' does not exist"),
        (["run", "."], 2, "is a folder"),
        (["run", "m.onnx", "--dim", "batch"], 2, "write NAME=SIZE"),
        (["run", "m.onnx", "--dim", "batch=0"], 2, "write NAME=SIZE"),
        (["run", "m.onnx", "--inputs", "m.onnx"], 2, "is not an .npz file"),
        (["run", "m.onnx", "--inputs", "no.npz"], 2, "inputs 'no.npz' does not exist"),
        (["run", "m.onnx", "-t", "nope"], 2, "there is no target 'nope'"),
        (["run", "m.onnx", "-t", "gpu:h201"], 2, "did you mean 'h200'?"),
        (["run", "m.onnx", "-t", "gpu:h200", "--dim", "batch=4"], 3, "with --emulate the same PTX runs on the CPU"),
        (["run", "m.onnx", "--precision", "f7"], 2, "has no precision 'f7'"),
        (["run", "m.onnx", "--stage", "nope", "--dim", "batch=4"], 2, "there is no stage 'nope'"),
        (["run", "m.onnx", "--check", "--expect", "out.npz"], 2, "give one"),
        (["run", "m.onnx", "--repeat", "-1"], 2, "--repeat"),
        (["run", "m.onnx", "--bogus"], 2, "--bogus"),
        (["run"], 2, "Missing argument"),
        (["nope"], 2, "nope"),
        (["inspect", "m.onnx"], 2, "not an artifact"),
        (["compare", "m.onnx", "-t", "my.toml"], 2, "my.toml"),
        (["check", "m.onnx", "-t", "bad.toml"], 2, "bad.toml:3: gpu.sms: 0 is impossible"),
        (["run", "text.onnx"], 2, "text.onnx"),
        (["run", "cut.onnx"], 2, "cut.onnx"),
    ],
)
def test_bad_input_is_one_clear_message(model: str, tmp_path: Path, args: list[str], code: int, message: str) -> None:
    (tmp_path / "bad.toml").write_text("schema = 1\n[gpu]\nsms = 0\n")
    (tmp_path / "text.onnx").write_text("hello\n" * 20)
    (tmp_path / "cut.onnx").write_bytes((tmp_path / "m.onnx").read_bytes()[:-40])
    got, out, err = accelc(*args)
    assert got == code, err
    assert message in err
    assert "Traceback" not in err + out
    assert out == ""


def test_an_internal_error_leaves_a_reproducer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken() -> int:
        raise KeyError("oops")

    assert cli_common.guarded(broken) == InternalError.exit_code
    err = capsys.readouterr().err
    assert "internal error: KeyError: 'oops'" in err
    assert "Traceback" not in err
    (reproducer,) = (tmp_path / "reproducers").iterdir()
    assert str(reproducer) in err
    assert "KeyError" in reproducer.read_text()
    monkeypatch.setenv("ACCELC_DEBUG", "1")
    with pytest.raises(KeyError):
        cli_common.guarded(broken)
    monkeypatch.setenv("ACCELC_DEBUG", "yes")
    assert cli_common.guarded(broken) == UsageError.exit_code


def test_compare_and_its_page(model: str, tmp_path: Path) -> None:
    args = ("compare", model, "-t", "gpu:h200", "-t", "gpu:a100", "--dim", "batch=4")
    reports = as_json(*args)["targets"]
    assert [r["target"] for r in reports] == ["gpu:h200", "gpu:a100"]
    for report in reports:
        assert report["seconds"] > 0
        assert report["bound"] in ("compute", "memory", "latency", "launch")
        assert report["macs"] == 4 * 16 * 8
    code, out, _ = accelc(*args, "--html", "r.html")
    assert code == 0
    assert "[bold]clip" in out
    assert "gpu:h200" in (tmp_path / "r.html").read_text()
    assert accelc(*args, "--html", "no/r.html")[0] == 2


def test_compare_takes_a_machine_file(model: str, tmp_path: Path) -> None:
    import accelc.targets.gpu.machine as machine

    text = (machine.GPUS.folder / "h100.toml").read_text()
    (tmp_path / "mine.toml").write_text(
        text.replace('name = "h100"', 'name = "mine"').replace("3.35 TB/s", "33.5 TB/s")
    )
    (report,) = as_json("compare", model, "-t", "mine.toml", "--dim", "batch=4")["targets"]
    assert report["target"] == "gpu:mine"


def test_check_names_the_numerics(model: str) -> None:
    found = as_json("check", model, "-t", "gpu:h200", "--dim", "batch=4")
    assert found["ok"]
    assert (found["precision"], found["default_precision"], found["compiles"]) == ("bf16", "bf16", True)
    code, out, _ = accelc("check", model, "--dim", "batch=4")
    assert code == 0
    assert "precision: " in out


def test_targets() -> None:
    found = {t["name"]: t for t in as_json("targets")}
    assert {m["name"] for m in found["gpu"]["machines"]} == {"a100", "b200", "h100", "h200"}
    assert found["host"]["runs"] and not found["host"]["emulated"]
    assert found["gpu"]["runs"] and found["gpu"]["emulated"]
    code, out, _ = accelc("targets")
    assert code == 0
    assert "h200 *" in out


def test_the_script_is_installed() -> None:
    script = Path(sys.executable).parent / "accelc"
    result = subprocess.run([script, "--version"], capture_output=True, text=True, env={**os.environ})
    assert result.returncode == 0
    assert result.stdout.startswith("accelc ")
