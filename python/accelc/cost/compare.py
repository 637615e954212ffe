"""Cost reports side by side, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from accelc.core.units import format_quantity
from accelc.cost.model import CostReport, KernelCost

_BAR_CELLS = 24
# What bounds a launch, and the colour that stands for it in every rendering.
BOUNDS = {"compute": "blue", "memory": "magenta", "latency": "cyan", "launch": "yellow", "host": "red"}
# And the cell, for output without colours.
_CELLS = {"compute": "█", "memory": "▓", "latency": "▒", "launch": "░", "host": "╳"}
_MEANING = {
    "compute": "multiplying and other arithmetic",
    "memory": "moving bytes to and from DRAM",
    "latency": "waiting for the first bytes",
    "launch": "starting kernels",
    "host": "work placed on the host",
}


def render(name: str, reports: Sequence[CostReport], top: int) -> list[Any]:
    """Rich renderables: an answer in words, the table, and each target's ``top`` kernels."""
    parts: list[Any] = [headline(name, reports), "", _totals(reports), _legend(reports)]
    if top:
        parts += [_kernels(report, top) for report in reports]
    return parts


def headline(name: str, reports: Sequence[CostReport]) -> str:
    """One sentence that says which machine is fastest, and by how much."""
    ranked = sorted(reports, key=lambda r: r.seconds)
    first = ranked[0]
    text = f"{name}: {first.target} takes {format_quantity(first.seconds, 's')}"
    if len(ranked) > 1:
        text += ", " + ", ".join(f"{r.target} {ratio(r, first)}" for r in ranked[1:])
    return text + "."


def ratio(report: CostReport, best: CostReport) -> str:
    """How many times longer than ``best`` a report takes."""
    return f"{report.seconds / best.seconds:.3g} times as long" if best.seconds else "-"


def rate_text(report: CostReport) -> str:
    """Runs a second."""
    return f"{1 / report.seconds:,.3g}" if report.seconds > 0 else "-"


def percent(value: float | None) -> str:
    """A fraction as a percentage."""
    return "-" if value is None else f"{100 * value:.3g}%"


def energy_text(report: CostReport) -> str:
    """Joules, or the limit that the machine's power sets."""
    if report.energy is not None:
        return format_quantity(report.energy, "J")
    return "-" if report.energy_limit is None else f"< {format_quantity(report.energy_limit, 'J')}"


def _table(title: str | None = None) -> Any:
    from rich import box
    from rich.table import Table

    return Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)


def _totals(reports: Sequence[CostReport]) -> Any:
    table = _table()
    table.add_column("target", no_wrap=True)
    for column in ("time", "runs/s", "energy", "DRAM traffic", "of peak\nMACs", "of peak\nDRAM"):
        table.add_column(column, justify="right")
    table.add_column("where the time goes", no_wrap=True)
    table.add_column("from")
    for r in reports:
        table.add_row(
            Text.assemble(r.target, "\n  ", (r.precision, "dim")),
            format_quantity(r.seconds, "s"),
            rate_text(r),
            energy_text(r),
            format_quantity(r.bytes_moved, "B"),
            percent(r.utilization),
            percent(r.bandwidth_utilization),
            _bar(r),
            "simulation" if r.source == "simulated" else "formulas",
        )
    return table


def _bar(report: CostReport) -> Text:
    """The parts of the time as a bar of one width (machines differ by orders of magnitude), and the largest part."""
    parts = ordered_parts(report)
    cells, text = 0, Text()
    for i, (bound, seconds) in enumerate(parts.items()):
        n = _BAR_CELLS - cells if i == len(parts) - 1 else round(_BAR_CELLS * seconds / report.seconds)
        n = max(0, min(n, _BAR_CELLS - cells))
        text.append(_CELLS[bound] * n, BOUNDS[bound])
        cells += n
    share = f" {report.bound} {percent(parts[report.bound] / report.seconds)}" if parts else ""
    return text.append(share)


def ordered_parts(report: CostReport) -> dict[str, float]:
    """`CostReport.seconds_by_bound` in the order of `BOUNDS`, the same for every target."""
    parts = report.seconds_by_bound()
    return {bound: parts[bound] for bound in BOUNDS if bound in parts}


def _legend(reports: Sequence[CostReport]) -> Text:
    used = {bound for r in reports for bound in r.seconds_by_bound()}
    text = Text()
    for name in BOUNDS:
        if name in used:
            text.append(_CELLS[name], BOUNDS[name]).append(f" {name}: {_MEANING[name]}  ")
    return text


def _kernels(report: CostReport, top: int) -> Any:
    table = _table(f"{report.target}: the kernels that take the most time")
    for column in ("kernel", "kind", "launches", "time", "share", "of peak", "bound by", "computes the nodes"):
        table.add_column(column, justify="right" if column in ("launches", "time", "share", "of peak") else "left")
    for k in report.top(top):
        table.add_row(
            k.kernel,
            k.kind,
            str(k.launches),
            format_quantity(k.seconds, "s"),
            percent(k.seconds / report.seconds if report.seconds else None),
            percent(k.utilization),
            Text(k.bound, BOUNDS.get(k.bound, "")),
            nodes_text(k),
        )
    return table


def nodes_text(kernel: KernelCost, count: int = 3) -> str:
    """The model's nodes of a kernel, the first few by name."""
    shown = ", ".join(kernel.nodes[:count])
    return shown + (f" and {len(kernel.nodes) - count} more" if len(kernel.nodes) > count else "")
