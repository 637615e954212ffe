"""Models written in a Python file: ``mlp.py`` or ``mlp.py:mlp``, where the name is a model of `accelc.builder`."""

from __future__ import annotations

import re
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelc.core.diagnostics import Error, UsageError

_SPEC = re.compile(r"^(?P<path>.+\.py)(?::(?P<name>[A-Za-z_]\w*))?$", re.DOTALL)


def python_file(model: Any) -> str | None:
    """The path of the Python file that ``model`` names, or None if it names none."""
    found = _SPEC.match(model) if isinstance(model, str) else None
    return found["path"] if found else None


def load_python_model(spec: str) -> Any:
    """Runs the file and returns its builder model: the one named behind the colon, or the only one.

    Raises:
        UsageError: the file cannot be read, fails (the message names its line), or holds no such model.
    """
    found = _SPEC.match(spec)
    assert found is not None
    path, name = found["path"], found["name"]
    try:
        with _beside(path):
            names = runpy.run_path(path, run_name="accelc_model")
    except Error:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"model file '{path}'{_line_of(error, path)}: {_told(error)}") from None
    from accelc.frontend.builder import Model

    models = {key: value for key, value in names.items() if isinstance(value, Model)}
    if name is None and len({id(model) for model in models.values()}) == 1:
        return next(iter(models.values()))
    if name in models:
        return models[name]
    known = ", ".join(models) or "none (make one with accelc.builder.trace)"
    wanted = f"no model '{name}'" if name else "no single model to take" if models else "no model"
    raise UsageError(f"'{path}' holds {wanted}", notes=(f"models: {known}", f"write: {path}:NAME"))


@contextmanager
def _beside(path: str) -> Iterator[None]:
    """Lets the file import its neighbours, as `python FILE.py` would."""
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:  # the file may have changed it
            sys.path.remove(folder)


def _line_of(error: BaseException, path: str) -> str:
    if isinstance(error, SyntaxError) and error.filename == path:
        return f", line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f", line {frames[-1].lineno}" if frames else ""


def _told(error: BaseException) -> str:
    """The error in one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    first = text.strip().splitlines()[0] if text.strip() else "no message"
    return f"{type(error).__name__}: {first}"
