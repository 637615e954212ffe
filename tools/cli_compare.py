"""``accelc compare``: what a model costs on several machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.core.files import atomic_write
from accelc.tools.cli_common import console, parse_dims, print_json, progress, require_model
from accelc.tools.cli_targets import describe_targets


def compare_model(
    model: str,
    targets: Sequence[str],
    html: str | None,
    *,
    dims: Sequence[str] | None,
    precision: str | None,
    top: int,
    as_json: bool,
) -> int:
    """Predicts the cost of ``model`` on each target and sets the reports side by side."""
    sizes = parse_dims(dims)
    require_model(model)
    specs = list(dict.fromkeys(targets)) or _all_machines()
    from accelc import driver
    from accelc.cost import compare

    reports = []
    for spec in specs:
        with progress(f"costing {Path(model).name} on {spec}"):
            reports.append(driver.cost(model, spec, dims=sizes, precision=precision))
    if html is not None:
        with atomic_write(html) as f:
            f.write(_page(Path(model).name, reports).encode())
    if as_json:
        print_json({"model": model, "targets": [report.to_json() for report in reports]})
        return 0
    out = console()
    for part in compare.render(Path(model).name, reports, top):
        out.print(part)
    if html is not None:
        out.print(f"written: {html}")
    return 0


def _page(name: str, reports: list[Any]) -> str:
    from accelc.cost.html import page

    return page(name, reports)


def _all_machines() -> list[str]:
    specs = [f"{t['name']}:{m['name']}" for t in describe_targets() if t["costs"] for m in t["machines"]]
    if not specs:
        raise UsageError("no target has a cost model")
    return specs
