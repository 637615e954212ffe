"""``accelc run``: runs a model, and says whether its answers are right."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelc.core.artifact import is_artifact
from accelc.core.diagnostics import UsageError
from accelc.core.files import atomic_write
from accelc.python_models import python_file
from accelc.tools.cli_common import (
    console,
    count,
    machine_name,
    parse_dims,
    print_json,
    progress,
    read_arrays,
    require_model,
    restore_types,
    seconds,
    table,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_DEFAULT_REPEATS = 5
_SLOW_RUN_SECONDS = 0.5
# What each target's executor reports of its last run, and the JSON object repeats.
_RUN_FIGURES = ("cycles", "bytes_moved", "utilization", "thread_instructions", "sim_s")


@dataclass(frozen=True)
class RunRequest:
    """The command's arguments, as given."""

    model: str
    target: str | None = None
    inputs: str | None = None
    expect: str | None = None
    output: str | None = None
    check: bool = False
    rel_l2: float | None = None
    rtol: float | None = None
    atol: float | None = None
    dims: tuple[str, ...] = ()
    precision: str | None = None
    threads: int = 1
    repeat: int | None = None
    stage: str | None = None
    emulate: bool = False
    sanitize: bool = False


@dataclass
class _Loaded:
    """Something that runs: a compiled model, or a stage on the interpreter."""

    target: str
    precision: str
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    run: Callable[[Mapping[str, Array]], dict[str, Array]]
    stats: Mapping[str, Any] = field(default_factory=dict)
    last_run: Callable[[], Mapping[str, Any]] = dict


def run_model(request: RunRequest, *, as_json: bool) -> int:
    """Runs what ``request`` asks for; 0 if the answers are right or nothing was expected, 1 if they are wrong."""
    dims = parse_dims(request.dims)
    require_model(request.model)
    if request.expect and request.check:
        raise UsageError("--expect and --check both say what to expect; give one")
    given = read_arrays(request.inputs, "inputs") if request.inputs else None
    expected = read_arrays(request.expect, "expected outputs") if request.expect else None
    loaded = _load(request, dims)
    arrays = restore_types(given, loaded.inputs, "the inputs") if given is not None else random_inputs(loaded.inputs)
    if expected is not None:
        expected = restore_types(expected, loaded.outputs, "the expected outputs")
    outputs, run_s = _time(request, loaded, arrays)
    if request.output:
        _save(request.output, outputs)
    reference = request.expect
    if request.check:
        with progress("asking the reference"):
            expected, reference = _reference(request, dims, arrays, loaded)
    report = _report(request, dims, loaded, arrays, outputs, expected)
    report["reference"] = reference
    report["run_s"] = run_s
    print_json(report) if as_json else _show(request, report, expected is not None)
    return 0 if report["ok"] else 1


def _load(request: RunRequest, dims: dict[str, int]) -> _Loaded:
    from accelc import driver

    if is_artifact(request.model):
        if request.stage or request.precision or dims:
            raise UsageError("an artifact is compiled already: --stage, --precision and --dim need a model")
        with progress(f"opening {request.model}"):
            executable = driver.load(request.model, threads=request.threads, **_executor_options(request))
        made_for = f"{executable.model.target}:{machine_name(executable.model.machine)}"
        if request.target and request.target not in (made_for, executable.model.target):
            raise UsageError(f"artifact '{request.model}' was compiled for {made_for}, not {request.target}")
        return _compiled(executable, made_for)
    target = request.target or "host"
    if request.stage and request.stage != "artifact":
        return _staged(request, target, dims)
    with progress(f"compiling {Path(request.model).name} for {target}"):
        executable = driver.compile(
            request.model,
            target,
            dims=dims,
            precision=request.precision,
            threads=request.threads,
            **_executor_options(request),
        )
    return _compiled(executable, target)


def _executor_options(request: RunRequest) -> dict[str, bool]:
    """What was asked of the target's executor; a target that does not know an option says so."""
    return {name: True for name in ("emulate", "sanitize") if getattr(request, name)}


def _compiled(executable: Any, target: str) -> _Loaded:
    return _Loaded(
        target=target,
        precision=str(executable.model.options.get("precision", "")),
        inputs=tuple(executable.inputs),
        outputs=tuple(executable.outputs),
        run=executable.run,
        stats=executable.stats,
        last_run=lambda: executable.last_run,
    )


def _staged(request: RunRequest, target: str, dims: dict[str, int]) -> _Loaded:
    from accelc import driver

    started = time.perf_counter()
    job = driver.resolve(target, request.precision)
    inputs, outputs = interface(request.model, dims)
    stage = str(request.stage)

    def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
        return driver.run_stage(
            request.model, dict(arrays), target, stage=stage, dims=dims, precision=request.precision
        )

    elapsed = time.perf_counter() - started
    return _Loaded(target, job.options.precision, inputs, outputs, run, {"compile_s": elapsed})


def interface(model: str, dims: dict[str, int]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Input and output specs of a model, read off its `nn` module."""
    from accelc import driver
    from accelc.core.context import make_context
    from accelc.mlir import ir
    from accelc.passes.graph import graph_of

    with make_context(), ir.Location.unknown():
        module, _ = driver.lower(model, "host", stop_after="nn", dims=dims)
        main = graph_of(module.operation).owner.operation
        signature = main.attributes["function_type"].value
        sides = (("arg_attrs", "input", signature.inputs), ("res_attrs", "output", signature.results))
        inputs, outputs = (
            tuple(_spec(main, attribute, kind, i, t) for i, t in enumerate(types)) for attribute, kind, types in sides
        )
        return inputs, outputs


def _spec(main: Any, attribute: str, kind: str, index: int, tensor_type: Any) -> Any:
    from accelc.core.plan import TensorSpec

    attributes = main.attributes[attribute][index] if attribute in main.attributes else {}
    name = attributes["nn.name"].value if "nn.name" in attributes else f"{kind}{index}"
    if not tensor_type.has_static_shape:
        dims = ", ".join(d.value for d in attributes["nn.dims"]) if "nn.dims" in attributes else str(tensor_type)
        raise UsageError(f"{kind} '{name}' has dynamic sizes ({dims})", notes=("fix them with --dim NAME=SIZE",))
    return TensorSpec(name, str(tensor_type.element_type), tuple(tensor_type.shape))


def random_inputs(specs: tuple[Any, ...], seed: int = 0) -> dict[str, Array]:
    """Seeded arrays for a model's inputs: normal for floats, 0 or 1 for integers (valid indices almost anywhere)."""
    import numpy as np

    from accelc.core.plan import DTYPES

    rng = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for spec in specs:
        dtype = DTYPES[spec.dtype]
        is_float = spec.dtype.startswith(("f", "bf"))
        values: Any = rng.standard_normal(spec.shape) if is_float else rng.integers(0, 2, spec.shape)
        arrays[spec.name] = np.asarray(values).astype(dtype)
    return arrays


def _time(request: RunRequest, loaded: _Loaded, arrays: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """The outputs, and seconds a run: the median, the first run left out where there are more."""

    def once() -> tuple[dict[str, Array], float]:
        started = time.perf_counter()
        outputs = loaded.run(arrays)
        return outputs, time.perf_counter() - started

    with progress(f"running on {loaded.target}"):
        outputs, first = once()
        repeats = request.repeat
        if repeats is None:
            repeats = _DEFAULT_REPEATS if first < _SLOW_RUN_SECONDS else 0
        times = [once()[1] for _ in range(repeats)]
    return outputs, statistics.median(times) if times else first


def _reference(
    request: RunRequest, dims: dict[str, int], arrays: Mapping[str, Array], loaded: _Loaded
) -> tuple[dict[str, Array], str]:
    """What the model should answer, and who says so.

    It is onnxruntime's word; where that is not installed or refuses the model, numpy's in float64, op by op.
    """
    if is_artifact(request.model):
        raise UsageError("--check needs the model; an artifact no longer has it", notes=("use --expect OUT.npz",))
    names = [spec.name for spec in loaded.outputs]
    try:
        if python_file(request.model) is not None:
            raise UsageError("the model is no ONNX file")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # The model as written: its own rewrites of quantized graphs round elsewhere than the model says.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        for name, size in dims.items():
            options.add_free_dimension_override_by_name(name, size)
        session = onnxruntime.InferenceSession(request.model, options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(names, dict(arrays)), strict=True)), "onnxruntime"
    except ImportError:
        why = "onnxruntime is not installed"
    except UsageError as error:
        why = error.message
    except Exception as error:  # its errors share no class of their own
        why = f"onnxruntime refuses the model: ...{str(error).splitlines()[0][-80:]}"
    from accelc import driver
    from accelc.core.context import make_context
    from accelc.mlir import ir
    from accelc.reference import float64_outputs

    with make_context(), ir.Location.unknown():
        module, store = driver.lower(request.model, "host", stop_after="nn", dims=dims)
        return float64_outputs(module, store, arrays), f"numpy in float64 ({why})"


def _report(
    request: RunRequest,
    dims: dict[str, int],
    loaded: _Loaded,
    arrays: Mapping[str, Array],
    outputs: Mapping[str, Array],
    expected: Mapping[str, Array] | None,
) -> dict[str, Any]:
    from accelc.tolerance import max_abs_error, relative_l2

    errors: dict[str, dict[str, Any]] = {}
    ok = True
    if expected is not None:
        bounds = _bounds(request, dims, loaded, arrays)
        for name, value in outputs.items():
            l2 = relative_l2(value, expected[name])
            right = l2 <= bounds[name] and _elements_close(request, value, expected[name])
            errors[name] = {
                "rel_l2": l2,
                "max_abs_err": max_abs_error(value, expected[name]),
                "bound": bounds[name],
                "ok": right,
            }
            ok = ok and right
    else:
        errors = {name: {"rel_l2": None, "max_abs_err": None} for name in outputs}
    stats, last = loaded.stats, loaded.last_run()
    report: dict[str, Any] = {
        "ok": ok,
        "outputs": errors,
        "max_abs_err": max((e["max_abs_err"] for e in errors.values()), default=0.0) if expected is not None else None,
        "target": loaded.target,
        "precision": loaded.precision,
    }
    keys = ("compile_s", "const_io_s", "native_mac_fraction", "native_byte_fraction", "cached")
    report.update({key: stats.get(key) for key in keys})
    report.update({key: last[key] for key in _RUN_FIGURES if key in last})
    if request.stage:
        report["stage"] = request.stage
    return report


def _bounds(
    request: RunRequest, dims: dict[str, int], loaded: _Loaded, arrays: Mapping[str, Array]
) -> dict[str, float]:
    """The relative L2 error that each output may have."""
    from accelc import tolerance

    names = [spec.name for spec in loaded.outputs]
    if request.rel_l2 is not None:
        return dict.fromkeys(names, request.rel_l2)
    storage = tolerance.storage_format(loaded.precision)
    exact = dict.fromkeys(names, tolerance.F32_BOUND)
    if is_artifact(request.model):
        return exact if storage == "f32" else dict.fromkeys(names, tolerance.CEILING)
    from accelc import driver
    from accelc.core.context import make_context
    from accelc.mlir import ir
    from accelc.reference import own_bounds, storage_bounds

    with progress(f"measuring what {storage} costs in itself"), make_context(), ir.Location.unknown():
        module, store = driver.lower(request.model, "host", stop_after="nn", dims=dims)
        if storage == "f32":
            return own_bounds(module, store, arrays) or exact
        return storage_bounds(module, store, arrays, storage)


def _elements_close(request: RunRequest, actual: Array, expected: Array) -> bool:
    import numpy as np

    if request.rtol is None and request.atol is None:
        return True
    a, e = np.asarray(actual).astype(np.float64), np.asarray(expected).astype(np.float64)
    return bool(np.allclose(a, e, rtol=request.rtol or 0.0, atol=request.atol or 0.0, equal_nan=True))


def _save(path: str, outputs: Mapping[str, Array]) -> None:
    import numpy as np

    if not path.endswith(".npz"):
        raise UsageError(f"--output '{path}': the file holds several arrays; call it .npz")
    with atomic_write(path) as f:
        np.savez(f, **dict(outputs))  # type: ignore[arg-type]


def _show(request: RunRequest, report: dict[str, Any], compared: bool) -> None:
    from rich.text import Text

    out = console()
    if compared:
        t = table("output", ">relative L2", ">bound", ">max abs error", "")
        for name, e in report["outputs"].items():
            verdict = Text("ok", "green") if e["ok"] else Text("wrong", "bold red")
            t.add_row(name, f"{e['rel_l2']:.2e}", f"{e['bound']:.2e}", f"{e['max_abs_err']:.2e}", verdict)
        out.print(t)
    parts = [f"{Path(request.model).name} on {report['target']}, precision {report['precision']}"]
    if report["compile_s"] is not None:
        cached = ", from the cache" if report["cached"] else ""
        parts.append(
            f"compiled in {seconds(report['compile_s'])} ({seconds(report['const_io_s'])} on constants{cached})"
        )
    parts.append(f"run {seconds(report['run_s'])}")
    if "cycles" in report:
        parts.append(
            f"{report['cycles']:,} cycles, {count(report.get('bytes_moved'), 'B')} of DRAM traffic, "
            f"{100 * (report.get('utilization') or 0):.1f}% of the peak"
        )
    if report["native_mac_fraction"] is not None and report["native_mac_fraction"] < 1:
        parts.append(f"{100 * report['native_mac_fraction']:.2f}% of the MACs on the target, the rest on the host")
    if compared:
        parts.append(f"expected: {report['reference']}")
    out.print("\n".join(parts))
    if compared:
        out.print(Text("ok", "bold green") if report["ok"] else Text("wrong result", "bold red"))
