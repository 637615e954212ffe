"""``accelc check``: what a target cannot do or does slowly, before anything is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.tools.cli_common import console, parse_dims, print_json, progress, report, require_model, seconds, table

# A kernel is worth a word if it takes this part of the time and reaches less than this part of the peak.
_SHARE = 0.02
_UTILIZATION = 0.10
_ADVICE = {
    "memory": "moves more bytes than its arithmetic can hide",
    "latency": "is too small to hide the memory's latency",
    "launch": "is so small that starting it takes most of its time",
    "host": "runs on the host, since the target cannot do it",
    "compute": "does not fill the matrix unit",
}


def check_model(model: str, target: str, *, dims: Sequence[str] | None, precision: str | None, as_json: bool) -> int:
    """Reports what is unsupported, placed on the host, or slow; 3 if the model cannot be compiled at all."""
    sizes = parse_dims(dims)
    require_model(model)
    with progress(f"checking {Path(model).name} for {target}"):
        found = examine(model, target, sizes, precision)
    if as_json:
        print_json(found)
    else:
        _show(model, found)
    return 0 if found["ok"] else UnsupportedError.exit_code


def examine(model: str, target: str, dims: dict[str, int], precision: str | None) -> dict[str, Any]:
    """What `check_model` reports, as JSON values."""
    from accelc import driver

    job = driver.resolve(target, precision)
    default = job.target.default_precision(job.machine)
    found: dict[str, Any] = {
        "model": model,
        "target": job.spec,
        "precision": job.options.precision,
        "default_precision": default,
        "precisions": list(job.target.precisions(job.machine)),
        "compiles": job.target.emit is not None,
        "ok": True,
        "unsupported": [],
        "host": [],
        "slow": [],
    }
    try:
        found["host"] = _placed_on_host(model, job, dims)
        if job.target.cost is not None:
            found["slow"] = _slow(driver.cost(model, target, dims=dims, precision=precision))
    except UnsupportedError as error:
        found["ok"] = False
        found["unsupported"] = [{"node": error.node, "reason": error.message, "notes": list(error.notes)}]
    return found


def _placed_on_host(model: str, job: Any, dims: dict[str, int]) -> list[dict[str, Any]]:
    """The launches that an explicit pass placed on the host, with why the target does not do them."""
    from accelc import driver
    from accelc.core.context import make_context
    from accelc.cost.analysis import kernel_works
    from accelc.dialects import plan as plan_dialect
    from accelc.mlir import ir

    with make_context(), ir.Location.unknown():
        module, store = driver.lower(model, job.spec, stop_after="nn", dims=dims, precision=job.options.precision)
        ops = _ops_of_nodes(module)
        driver.lower_module(module, store, job, "kernels")
        works, plan = kernel_works(module), plan_dialect.export(module.operation)
    reasons = dict(job.target.unsupported(job.machine))
    placed = [launch for launch in plan.launches if launch.device == "host" and job.target.name != "host"]
    return [
        {
            "kernel": launch.kernel,
            "nodes": list(launch.provenance),
            "macs": works[launch.kernel].macs,
            "reason": _reason(launch.provenance, ops, reasons),
        }
        for launch in placed
    ]


def _ops_of_nodes(module: Any) -> dict[str, set[str]]:
    """The `nn` ops that each of the model's nodes became."""
    from accelc.core.mlir_diagnostics import nodes_of
    from accelc.passes.graph import graph_of

    ops: dict[str, set[str]] = {}
    for op in graph_of(module.operation).operations:
        for name in nodes_of(op.operation.location):
            ops.setdefault(name, set()).add(op.operation.name.removeprefix("nn."))
    return ops


def _reason(nodes: Sequence[str], ops: dict[str, set[str]], reasons: dict[str, str]) -> str:
    concerned = sorted({op for node in nodes for op in ops.get(node, ()) if op in reasons})
    return "; ".join(f"{op}: {reasons[op]}" for op in concerned) or "it goes with work that the target cannot do"


def _slow(cost: Any) -> list[dict[str, Any]]:
    slow = []
    for kernel in cost.top(len(cost.launches)):
        share = kernel.seconds / cost.seconds if cost.seconds else 0.0
        is_slow = kernel.bound != "compute" or (kernel.utilization or 1.0) < _UTILIZATION
        if share >= _SHARE and is_slow:
            slow.append(
                {
                    "kernel": kernel.kernel,
                    "nodes": list(kernel.nodes),
                    "seconds": kernel.seconds,
                    "share": share,
                    "bound": kernel.bound,
                    "why": _ADVICE[kernel.bound],
                }
            )
    return slow


def _show(model: str, found: dict[str, Any]) -> None:
    out = console()
    name, target = Path(model).name, found["target"]
    if not found["ok"]:
        for problem in found["unsupported"]:
            report(UnsupportedError(problem["reason"], node=problem["node"], notes=tuple(problem["notes"])))
        return
    can = "compiles" if found["compiles"] else "can be costed, but not compiled yet,"
    out.print(f"{name} {can} for {target}")
    chosen = (
        "the default"
        if found["precision"] == found["default_precision"]
        else f"the default is {found['default_precision']}"
    )
    out.print(f"precision: {found['precision']} ({chosen}; it has {', '.join(found['precisions'])})")
    if found["host"]:
        t = table("kernel", "nodes", "why", title="Placed on the host")
        for item in found["host"]:
            t.add_row(item["kernel"], ", ".join(item["nodes"]), item["reason"])
        out.print(t)
    elif target.partition(":")[0] != "host":
        out.print("nothing is placed on the host")
    if found["slow"]:
        t = table("kernel", ">time", ">share", "why", "nodes", title="Slower than the machine's peak")
        for item in found["slow"]:
            why = f"{item['why']} ({item['bound']})"
            nodes = ", ".join(item["nodes"][:3]) + (" ..." if len(item["nodes"]) > 3 else "")
            t.add_row(item["kernel"], seconds(item["seconds"]), f"{100 * item['share']:.1f}%", why, nodes)
        out.print(t)
