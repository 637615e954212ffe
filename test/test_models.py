"""Whole models, from an ONNX file to answers: both targets, every precision, within the contract's bounds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from frontend.models import TestModel, benchmark_model
from frontend.small_models import MAKERS, small_model
from typer.testing import CliRunner

from accelc.tools.accelc import app

NAMES = ("squeezenet", "shufflenet", *MAKERS)
TARGETS = (("host", None), ("sim_accel:cloud", None), ("sim_accel:cloud", "strict"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def _model(name: str, folder: Path) -> TestModel:
    return small_model(name, folder) if name in MAKERS else benchmark_model(name, folder)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("target", "precision"), TARGETS)
def test_model(name: str, target: str, precision: str | None, folder: Path, tmp_path: Path) -> None:
    model = _model(name, folder)
    np.savez(tmp_path / "in.npz", **model.inputs)  # type: ignore[arg-type]
    np.savez(tmp_path / "out.npz", **model.expected())  # type: ignore[arg-type]
    arguments = ["run", str(model.path), "-t", target, "--repeat", "0", "--json"]
    arguments += ["--inputs", str(tmp_path / "in.npz"), "--expect", str(tmp_path / "out.npz")]
    result = CliRunner().invoke(app, [*arguments, *(("--precision", precision) if precision else ())])
    assert result.exit_code == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    exact = target == "host" or precision == "strict"
    for output in report["outputs"].values():
        assert output["rel_l2"] <= output["bound"]
        assert output["bound"] == 1e-4 if exact else 1e-4 < output["bound"] <= 6e-2
    for key in ("compile_s", "const_io_s", "run_s"):
        assert 0 <= report[key] < 600
    assert report["max_abs_err"] == max(o["max_abs_err"] for o in report["outputs"].values())
    if target != "host":
        assert report["cycles"] > 0
        assert report["bytes_moved"] > 0
        assert 0 < report["utilization"] <= 1
        assert 0 < report["sim_s"] <= 60
    assert report["native_mac_fraction"] >= 0.999
    assert report["native_byte_fraction"] >= 0.98
