"""``accelc emulate``: runs a kernel's PTX on the CPU."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelc.core.diagnostics import UsageError
from accelc.core.files import atomic_write
from accelc.tools.cli_common import console, print_json, progress, require_file, table

if TYPE_CHECKING:
    import numpy as np

    from accelc.targets.gpu.emulator import Emulator, Report

    Array = np.ndarray[Any, Any]

_SCALAR = re.compile(r"^(?P<type>[a-z]\w*):(?P<value>[^\[\]]+)$")
_FILLED = re.compile(r"^(?P<fill>zeros|empty|random|ones|iota):(?P<type>\w+)\[(?P<shape>[\d, ]*)\]$")
_EXTENT = re.compile(r"^ *0*[1-9]\d{0,9} *$", re.ASCII)
_KEYS = ("opcode", "line", "source", "space")
#: An array on the command line takes this many bytes at most, and has this many dimensions.
_MOST_BYTES = 1 << 32
_MOST_DIMENSIONS = 32
_HELP = (
    "an argument is TYPE:VALUE (i32:5, f32:0.5), null, bytes:HEX, FILE.npy, or FILL:TYPE[SHAPE] (zeros:f32[1024]); "
    "FILL is zeros, ones, iota, random or empty",
)


@dataclass(frozen=True)
class EmulateRequest:
    """The command's arguments, as given."""

    ptx: str
    entry: str | None = None
    grid: str = "1"
    block: str = "32"
    cluster: str | None = None
    args: tuple[str, ...] = ()
    shared: int = 0
    sanitize: bool = False
    counters: bool = False
    by: str = "opcode"
    threads: int = 1
    cooperative: bool = False
    max_steps: int = 1 << 30


@dataclass
class _Argument:
    """A value for the launch, and the file that takes the array afterwards."""

    value: Any
    save: str | None = None
    array: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


def emulate(request: EmulateRequest, *, as_json: bool) -> int:
    """Runs what ``request`` asks for; 0 for a clean launch, 1 if there are findings."""
    from accelc.targets.gpu.emulator import Emulator

    if request.by not in _KEYS:
        raise UsageError(f"--by {request.by}: counters go by {', '.join(_KEYS)}")
    require_file(request.ptx, "PTX file")
    grid, block = _extent("--grid", request.grid), _extent("--block", request.block)
    cluster = _extent("--cluster", request.cluster) if request.cluster is not None else None
    emulator = Emulator(_text(request.ptx))
    entry = _entry(emulator, request.entry)
    arguments = [_argument(emulator, text) for text in request.args]
    with progress(f"emulating {entry}"):
        report = emulator.launch(
            entry,
            grid=grid,
            block=block,
            cluster=cluster,
            args=[a.value for a in arguments],
            shared_bytes=request.shared,
            sanitize=request.sanitize,
            threads=request.threads,
            cooperative=request.cooperative,
            max_steps=request.max_steps,
            raise_on_finding=False,
        )
    for argument in arguments:
        if argument.save is not None:
            _save(argument)
    if as_json:
        print_json(_json(report))
    else:
        _show(request, report, arguments)
    return 1 if report.findings else 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"'{path}' is no text: PTX is wanted, not a cubin") from None
    except OSError as error:
        raise UsageError(f"PTX file '{path}' cannot be read: {error.strerror}") from None


def _entry(emulator: Emulator, wanted: str | None) -> str:
    if wanted is not None:
        return wanted
    names: list[str] = list(emulator.kernels)
    if len(names) != 1:
        raise UsageError(
            f"the module has {len(names)} kernels; say which by --entry",
            notes=(f"kernels: {', '.join(names) or 'none'}",),
        )
    return names[0]


def _extent(option: str, text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if not 1 <= len(parts) <= 3 or not all(_EXTENT.match(p) for p in parts):
        raise UsageError(f"{option} {text[:40]}: one to three positive numbers are wanted, such as 16,16,1")
    x, y, z = ([int(p) for p in parts] + [1, 1])[:3]
    return x, y, z


def _dtype(name: str) -> np.dtype[Any]:
    from accelc.core.plan import DTYPES

    plain = {
        "u8": "ui8",
        "u16": "ui16",
        "u32": "ui32",
        "u64": "ui64",
        "e4m3": "f8E4M3FN",
        "e5m2": "f8E5M2",
        "bool": "i1",
    }
    key = plain.get(name, name)
    if key not in DTYPES:
        raise UsageError(
            f"there is no type '{name}'", notes=("types: i8 to i64, u8 to u64, f16, bf16, f32, f64, e4m3, e5m2",)
        )
    return DTYPES[key]


def _argument(emulator: Emulator, text: str) -> _Argument:
    body, arrow, save = text.partition(">")
    body, out = body.strip(), save.strip() if arrow else None
    if out is not None:
        _require_writable(text, out)
    filled = _FILLED.match(body)
    if filled is not None:
        return _filled(emulator, filled["fill"], _dtype(filled["type"]), _shape(text, filled["shape"]), out)
    if body.endswith(".npy"):
        array = _load(body)
        return _Argument(array, out, array)
    if out is not None:
        raise UsageError(f"--arg '{text}': only an array can be saved", notes=_HELP)
    if body == "null":
        return _Argument(None)
    scalar = _SCALAR.match(body)
    if scalar is None:
        raise UsageError(f"--arg '{text}' is not understood", notes=_HELP)
    return _Argument(_scalar(text, scalar["type"], scalar["value"]))


def _require_writable(text: str, path: str) -> None:
    """Refuses before the launch what could not be saved after it."""
    folder = Path(path).parent
    if not path:
        raise UsageError(f"--arg '{text}': behind > stands the file to save the array in")
    if Path(path).is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "it is a folder" if Path(path).is_dir() else f"'{folder}' is no folder that can be written"
        raise UsageError(f"--arg '{text}': cannot write '{path}': {why}")


def _shape(text: str, sizes: str) -> tuple[int, ...]:
    parts = [part.strip() for part in sizes.split(",")] if sizes.strip() else []
    if len(parts) > _MOST_DIMENSIONS or not all(re.fullmatch(r"\d{1,18}", part, re.ASCII) for part in parts):
        raise UsageError(f"--arg '{text[:60]}': a shape is up to {_MOST_DIMENSIONS} sizes, such as 16,16")
    return tuple(int(part) for part in parts)


def _scalar(text: str, kind: str, value: str) -> Any:
    try:
        if kind == "bytes":
            return bytes.fromhex(value.removeprefix("0x"))
        dtype = _dtype(kind)
        if dtype.kind in "iub":
            number = int(value, 0)
            bits = 8 * dtype.itemsize
            if not -(1 << (bits - 1)) <= number < 1 << bits:
                raise UsageError(f"--arg '{text}': the number has more than {bits} bits")
            return dtype.type(number & ((1 << bits) - 1) if dtype.kind == "u" else _signed(number, bits))
        return dtype.type(float(value))
    except ValueError:
        raise UsageError(f"--arg '{text}': '{value}' is no {kind}", notes=_HELP) from None


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >= 1 << (bits - 1) else number


def _filled(emulator: Emulator, fill: str, dtype: np.dtype[Any], shape: tuple[int, ...], out: str | None) -> _Argument:
    import numpy as np

    if math.prod(shape) * dtype.itemsize > _MOST_BYTES:
        raise UsageError(f"an array of shape {list(shape)} takes more than {_MOST_BYTES >> 30} GiB")
    if fill == "empty":
        buffer = emulator.buffer(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        return _Argument(buffer, out, None, {"dtype": dtype, "shape": shape})
    if fill == "random":
        # The same numbers every time: a run can be repeated.
        draws = np.random.default_rng(0)
        values = draws.standard_normal(shape) if dtype.kind not in "iub" else draws.integers(0, 100, shape)
        array = np.asarray(values).astype(dtype)
    elif fill == "iota":
        array = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)
    else:
        array = np.zeros(shape, dtype) if fill == "zeros" else np.ones(shape, dtype)
    return _Argument(array, out, array)


def _load(path: str) -> Array:
    import numpy as np

    require_file(path, "array")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"array '{path}' is no .npy file: {str(error).splitlines()[0]}") from None
    if not isinstance(array, np.ndarray):
        raise UsageError(f"array '{path}' is no .npy file: it holds several arrays")
    return np.array(array, order="C")


def _save(argument: _Argument) -> None:
    import numpy as np

    assert argument.save is not None
    array = argument.array
    if array is None:
        array = argument.value.array(argument.options["dtype"], argument.options["shape"])
    if array.dtype.isbuiltin != 1:  # bfloat16 and its kin: numpy's files know their bytes only
        array = array.view(f"V{array.dtype.itemsize}")
    with atomic_write(argument.save) as f:
        np.save(f, array)


def _json(report: Report) -> dict[str, Any]:
    return {
        "kernel": report.kernel,
        "findings": [asdict(f) for f in report.findings],
        "output": report.output,
        "counters": {
            "total": asdict(report.counters.total),
            "barriers": report.counters.barriers,
            "by_opcode": {k: asdict(v) for k, v in report.counters.by_opcode().items()},
            "by_line": {str(k): asdict(v) for k, v in report.counters.by_line().items()},
            "by_source": {k: asdict(v) for k, v in report.counters.by_source().items()},
            "by_space": {k: asdict(v) for k, v in report.counters.by_space().items()},
        },
    }


def _show(request: EmulateRequest, report: Report, arguments: list[_Argument]) -> None:
    out = console()
    if report.output:
        out.print(report.output, end="", markup=False, highlight=False, soft_wrap=True)
    for finding in report.findings:
        out.print(str(finding), style="red", markup=False, highlight=False, soft_wrap=True)
    total = report.counters.total
    many = f"{len(report.findings)} finding{'s' if len(report.findings) > 1 else ''}"
    verdict = many if report.findings else "no findings" if request.sanitize else "done"
    counts = f"{total.warp_instructions:,} warp instructions, {total.thread_instructions:,} thread instructions"
    out.print(f"{report.kernel}: {verdict}; {counts}", soft_wrap=True)
    for argument in arguments:
        if argument.save is not None:
            out.print(f"saved {argument.save}", soft_wrap=True)
    if request.counters or request.by != "opcode":
        if request.by == "opcode":
            out.print(report.counters.table(f"{report.kernel}, by opcode"))
        else:
            out.print(_counter_table(report, request.by))


def _counter_table(report: Report, by: str) -> Any:
    counters = report.counters
    groups: dict[str, Mapping[Any, Any]] = {
        "line": counters.by_line(),
        "source": counters.by_source(),
        "space": counters.by_space(),
    }
    rows = table(
        by, ">warp instr", ">thread instr", ">bytes", ">sectors", ">bank conflicts", title=f"{report.kernel}, by {by}"
    )
    for key, c in groups[by].items():
        rows.add_row(
            str(key),
            f"{c.warp_instructions:,}",
            f"{c.thread_instructions:,}",
            f"{c.bytes:,}",
            f"{c.sectors:,}",
            f"{c.bank_conflicts:,}",
        )
    return rows
