"""Models in Python files: found by name, and one clear message for what is none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import accelc
from accelc.core.diagnostics import Error, UsageError
from accelc.python_models import load_python_model, python_file

ONE = """
from accelc import builder
model = builder.trace(lambda x: builder.relu(x), builder.Spec((4,), "f32", name="x"))
"""
TWO = ONE + 'other = builder.trace(lambda x: x + x, builder.Spec((4,), "f32", name="x"))\n'


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("spec", "path"),
    [("m.py", "m.py"), ("a/m.py:model", "a/m.py"), ("m.onnx", None), ("m.py:1x", None), (".py", None), (3, None)],
)
def test_what_names_a_python_file(spec: object, path: str | None) -> None:
    assert python_file(spec) == path


def test_the_only_model_is_taken() -> None:
    Path("m.py").write_text(ONE)
    x = np.array([-1, 0, 1, 2], np.float32)
    np.testing.assert_array_equal(accelc.compile("m.py", target="host")(x), np.maximum(x, 0))
    Path("same.py").write_text(ONE + "also = model\n")
    assert load_python_model("same.py") is not None


def test_a_model_is_taken_by_name() -> None:
    Path("m.py").write_text(TWO)
    x = np.array([-1, 0, 1, 2], np.float32)
    np.testing.assert_array_equal(accelc.compile("m.py:other", target="host")(x), x + x)
    with pytest.raises(UsageError, match=r"'m\.py' holds no single model to take") as caught:
        load_python_model("m.py")
    assert caught.value.notes == ("models: model, other", "write: m.py:NAME")
    with pytest.raises(UsageError, match=r"'m\.py' holds no model 'third'"):
        load_python_model("m.py:third")


def test_a_file_may_import_its_neighbours() -> None:
    Path("sub").mkdir()
    Path("sub/shared_sizes.py").write_text("N = 4\n")
    Path("sub/m.py").write_text("from shared_sizes import N\n" + ONE.replace("(4,)", "(N,)"))
    before = list(sys.path)
    assert load_python_model("sub/m.py") is not None
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'m.py' holds no model"),
        ("x = 1\n", "models: none (make one with accelc.builder.trace)"),
        ("def f(:\n", "model file 'm.py', line 1: SyntaxError: "),
        ("\n\n1 / 0\n", "model file 'm.py', line 3: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", "model file 'm.py', line 2: SystemExit: 3"),
        ("raise ValueError\n", "model file 'm.py', line 1: ValueError: no message"),
        ("raise ValueError('one\\ntwo')\n", "ValueError: one"),
        ("open('weights.npy')\n", "model file 'm.py', line 1: FileNotFoundError: "),
        ("import not_there_at_all\n", "line 1: ModuleNotFoundError: "),
    ],
)
def test_files_that_hold_no_model(text: str, message: str) -> None:
    Path("m.py").write_text(text)
    with pytest.raises(Error) as caught:
        load_python_model("m.py")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_cannot_be_read() -> None:
    Path("binary.py").write_bytes(b"\x7fELF\x00\xff\xfe")
    for path in ("none.py", "binary.py"):
        with pytest.raises(UsageError, match=f"model file '{path}'"):
            load_python_model(path)


def test_errors_of_accelc_keep_their_own_words() -> None:
    Path("m.py").write_text(ONE.replace('"f32"', '"f33"'))
    with pytest.raises(Error) as caught:
        load_python_model("m.py")
    assert "f33" in str(caught.value)
