"""``accelc compile``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.tools.cli_common import (
    console,
    count,
    machine_name,
    parse_dims,
    print_json,
    progress,
    require_model,
    seconds,
    table,
)


def compile_model(
    model: str,
    target: str,
    output: str | None,
    *,
    dims: Sequence[str] | None,
    precision: str | None,
    threads: int,
    as_json: bool,
) -> int:
    """Compiles ``model`` to a file and says what came out."""
    sizes = parse_dims(dims)
    require_model(model)
    path = Path(output) if output is not None else Path(Path(model).stem + ".accelc")
    if not path.absolute().parent.is_dir():
        # Said before the work, not after it.
        raise UsageError(f"cannot write '{path}': there is no folder '{path.parent}'")
    from accelc import driver

    with progress(f"compiling {Path(model).name} for {target}"):
        executable = driver.compile(model, target, dims=sizes, precision=precision, threads=threads)
    with progress(f"writing {path}"):
        executable.save(path)
    summary = describe(executable)
    summary["output"] = str(path)
    summary["file_bytes"] = path.stat().st_size
    if as_json:
        print_json(summary)
        return 0
    t = table("", "", title=f"{Path(model).name} for {target}")
    t.show_header = False
    for name, value in _rows(summary):
        t.add_row(name, value)
    console().print(t)
    return 0


def describe(executable: Any) -> dict[str, Any]:
    """What is worth knowing about a compiled model, as JSON values."""
    model = executable.model
    launches = model.plan.launches
    return {
        "target": model.target,
        "machine": machine_name(model.machine),
        "precision": model.options.get("precision"),
        "inputs": [spec_json(spec) for spec in executable.inputs],
        "outputs": [spec_json(spec) for spec in executable.outputs],
        "kernels": len(model.code),
        "launches": len(launches),
        "launches_on_host": sum(launch.device == "host" for launch in launches) if model.target != "host" else 0,
        "arena_bytes": model.plan.arena_bytes,
        "constant_bytes": sum(buffer_sizes(model).values()),
        "code_bytes": sum(len(code.data) for code in model.code.values()),
        **{key: executable.stats[key] for key in sorted(executable.stats) if _is_number(executable.stats[key])},
    }


def buffer_sizes(model: Any) -> dict[str, int]:
    """Bytes of each constant that the plan uses, by name."""
    return {b.ref: b.nbytes for b in model.plan.buffers if b.kind == "constant"}


def spec_json(spec: Any) -> dict[str, Any]:
    """A tensor's name, type and shape as JSON values."""
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def spec_text(spec: dict[str, Any]) -> str:
    """The same for a person: ``x f32[1, 3]``."""
    return f"{spec['name']} {spec['dtype']}{spec['shape']}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | bool)


def _rows(summary: dict[str, Any]) -> list[tuple[str, str]]:

    on_host = f", {summary['launches_on_host']} of them placed on the host" if summary["launches_on_host"] else ""
    rows = [
        ("machine", f"{summary['target']}:{summary['machine']}, precision {summary['precision']}"),
        ("inputs", "\n".join(spec_text(s) for s in summary["inputs"])),
        ("outputs", "\n".join(spec_text(s) for s in summary["outputs"])),
        ("kernels", f"{summary['kernels']}, launched {summary['launches']} times{on_host}"),
        ("memory", f"{count(summary['arena_bytes'], 'B')} arena, {count(summary['constant_bytes'], 'B')} constants"),
    ]
    if "compile_s" in summary:
        cached = " (from the cache)" if summary.get("cached") else ""
        rows.append(
            (
                "time",
                f"{seconds(summary['compile_s'])}, of it {seconds(summary.get('const_io_s'))} on constants{cached}",
            )
        )
    rows.append(("written", f"{summary['output']}, {count(summary['file_bytes'], 'B')}"))
    return rows
