"""What the commands of `accelc` share: printing, progress, errors and exit codes, files of arrays."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shlex
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelc.core.diagnostics import Error, InternalError, UnsupportedError, UsageError
from accelc.core.knobs import knobs

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    Array = np.ndarray[Any, Any]

# How long a step runs before the spinner shows: answers that come at once should not flicker.
_QUIET_SECONDS = 1.0
_FILE_WIDTH = 140
_INTERRUPTED = 130  # as shells say it: 128 and the number of SIGINT
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)


def console() -> Console:
    """Standard output, for people."""
    from rich.console import Console

    # Names from models are not markup. In a file or a pipe there is no width to ask for; tables of ours fit into this.
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)


def machine_name(machine: Mapping[str, Any]) -> str:
    """What a resolved machine is called; a host CPU by LLVM's name for it."""
    return str(machine.get("name") or machine.get("cpu") or "?")


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house style; a column whose name starts with ``>`` is right-aligned."""
    from rich import box
    from rich.table import Table

    result = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        result.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    return result


def print_json(value: Any) -> None:
    """One JSON value on standard output. Infinities and NaN, which JSON lacks, become null."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if hasattr(value, "item") and not isinstance(value, str | int | float | bool):
        return _finite(value.item())
    return value


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Shows ``what`` with the time on standard error while the block runs, once it has run for a second.

    Nothing is shown where standard error is not a terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_spin, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _spin(what: str, done: threading.Event) -> None:
    started = time.perf_counter()
    if done.wait(_QUIET_SECONDS):
        return
    for frame in itertools.cycle("|/-\\"):
        sys.stderr.write(f"\r{frame} {what} {time.perf_counter() - started:.0f} s")
        sys.stderr.flush()
        if done.wait(0.2):
            break
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()


def guarded(run: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit code; an error is one clear message on standard error.

    Anything that is not an `accelc.Error` is a fault of accelc: exit code 4, with the traceback in a file.
    ``ACCELC_DEBUG=1`` lets it through with its traceback.
    """
    debug = False
    try:
        debug = knobs.debug
        code = run() or 0
        sys.stdout.flush()
        return code
    except Error as error:
        if isinstance(error, InternalError):
            if debug:
                raise
            if error.reproducer is None:
                error.attach_reproducer(_write_reproducer())
        report(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader went away (`accelc ... | head`): not our fault, nothing to say.
        _forget_output()
        return 0
    except KeyboardInterrupt:
        print("accelc: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        known = _users_trouble(error)
        if known is not None:
            report(known)
            return known.exit_code
        if debug:
            raise
        text = str(error).strip().splitlines()
        internal = InternalError(
            f"{type(error).__name__}: {text[0] if text else 'no message'}",
            notes=("this is a fault of accelc; ACCELC_DEBUG=1 shows the traceback",),
            reproducer=_write_reproducer(),
        )
        report(internal)
        return internal.exit_code


def _users_trouble(error: Exception) -> Error | None:
    """What Python says where the machine has no more room, as an error of ours."""
    if isinstance(error, MemoryError):
        return UnsupportedError("this needs more memory than there is", notes=(str(error),) if str(error) else ())
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        _forget_output()
        return UsageError(f"cannot write {repr(error.filename) if error.filename else 'the output'}: {error.strerror}")
    return None


def _forget_output() -> None:
    """What Python would still try to write when it exits goes nowhere."""
    with suppress(OSError, ValueError):  # in tests it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(error: Error) -> None:
    """Prints an error for a person."""
    kind = "internal error" if isinstance(error, InternalError) else "error"
    print(f"accelc: {kind}: {error.render()}", file=sys.stderr)


def _write_reproducer() -> str | None:
    """Leaves the command line and the traceback of the current exception in a file; its path."""
    try:
        folder = knobs.reproducer_dir or tempfile.gettempdir()
        os.makedirs(folder, exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix="accelc-", suffix=".txt", dir=folder)
        with os.fdopen(descriptor, "w") as f:
            f.write(f"# replay: ACCELC_DEBUG=1 {shlex.join(['accelc', *sys.argv[1:]])}\n")
            f.write(f"# in: {os.getcwd()}\n\n{traceback.format_exc()}")
    except (OSError, Error):
        return None
    return path


def parse_dims(options: Sequence[str] | None) -> dict[str, int]:
    """``["batch=8"]`` as ``{"batch": 8}``. Raises UsageError."""
    dims: dict[str, int] = {}
    for option in options or ():
        name, separator, size = option.partition("=")
        if not separator or not name or not size.isdecimal() or int(size) < 1:
            raise UsageError(f"--dim {option}: write NAME=SIZE, such as batch=8, with a size of at least 1")
        dims[name] = int(size)
    return dims


def require_model(model: str) -> None:
    """Raises UsageError unless ``model`` is a file: an ONNX file, an artifact, or FILE.py[:NAME]."""
    from accelc.python_models import python_file

    require_file(python_file(model) or model, "model")


def require_file(path: str | Path, what: str) -> None:
    """Raises UsageError unless ``path`` is a file."""
    if not os.path.exists(path):
        raise UsageError(f"{what} '{path}' does not exist")
    if os.path.isdir(path):
        raise UsageError(f"{what} '{path}' is a folder, not a file")
    if not os.path.isfile(path):
        # Reading a pipe or a device may never end, and cannot be mapped.
        raise UsageError(f"{what} '{path}' is not a regular file")


def read_arrays(path: str | Path, what: str) -> dict[str, Array]:
    """The arrays of an ``.npz`` file by name; never unpickles. Raises UsageError."""
    import zipfile
    import zlib

    import numpy as np

    require_file(path, what)
    if not zipfile.is_zipfile(path):
        raise UsageError(f"{what} '{path}' is not an .npz file", notes=("make one with numpy.savez(path, name=array)",))
    try:
        with np.load(path, allow_pickle=False) as data:
            if not isinstance(data, np.lib.npyio.NpzFile):
                raise UsageError(f"{what} '{path}' is a single array; an .npz with one array a name is needed")
            arrays = {name: data[name] for name in data.files}
    except MemoryError as error:
        raise UsageError(f"{what} '{path}' holds an array that memory cannot: {error}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{what} '{path}' cannot be read as .npz: {reason}") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise UsageError(f"{what} '{path}': its member '{name}' is not an array")
    return arrays


def restore_types(arrays: Mapping[str, Array], specs: Sequence[Any], what: str) -> dict[str, Array]:
    """Arrays as the model's specs say, where only numpy's file format lost the type.

    ``.npz`` files keep bfloat16 and fp8 as raw bytes (``|V2``); those are taken for what the spec says.

    Raises:
        UsageError: a name, type or shape does not fit; all of them are named.
    """
    from accelc.core.plan import DTYPES

    known = {spec.name: spec for spec in specs}
    problems = [f"'{name}' is missing" for name in known if name not in arrays]
    problems += [f"'{name}' is not one of the model's" for name in arrays if name not in known]
    result: dict[str, Array] = {}
    for name, spec in known.items():
        if name not in arrays:
            continue
        array, wanted = arrays[name], DTYPES[spec.dtype]
        if array.dtype.kind == "V" and array.dtype.itemsize == wanted.itemsize:
            array = array.view(wanted)
        if array.dtype != wanted:
            problems.append(f"'{name}' is {array.dtype}, not {wanted}")
        if array.shape != spec.shape:
            problems.append(f"'{name}' has shape {list(array.shape)}, not {list(spec.shape)}")
        result[name] = array
    if problems:
        described = ", ".join(f"{s.name} {s.dtype}{list(s.shape)}" for s in specs)
        raise UsageError(f"{what} do not fit the model: {'; '.join(problems)}", notes=(f"the model has: {described}",))
    return result


def seconds(value: float | None) -> str:
    """A time as a person reads it."""
    from accelc.core.units import format_quantity

    return "-" if value is None else format_quantity(value, "s")


def count(value: float | None, unit: str = "") -> str:
    """A number with a prefix."""
    from accelc.core.units import format_quantity

    return "-" if value is None else format_quantity(value, unit).rstrip()
