"""Cost reports side by side, as one HTML page that needs no other file and runs no script."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from accelc.core.units import format_quantity
from accelc.cost.compare import BOUNDS, energy_text, headline, nodes_text, ordered_parts, percent, rate_text
from accelc.cost.model import CostReport, KernelCost, kernel_costs

_KERNELS_SHOWN = 25
# Colours that keep apart for colour-blind readers, on light and on dark ground (after Okabe and Ito, 2008).
_COLORS = {"compute": "#0072b2", "memory": "#cc79a7", "latency": "#56b4e9", "launch": "#e69f00", "host": "#d55e00"}
_OTHER = "#888888"
_MEANING = {
    "compute": "arithmetic",
    "memory": "bytes to and from DRAM",
    "latency": "waiting for the first bytes",
    "launch": "starting kernels",
    "host": "work placed on the host",
}

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --ground: #fff; --line: #d9dee3; --track: #eef1f4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #9aa5b0; --ground: #14171a; --line: #333a41; --track: #22272c; }
}
body { margin: 2rem auto; max-width: 72rem; padding: 0 1.5rem; color: var(--ink); background: var(--ground);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
td, th { padding: .35rem .7rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--track); }
th { color: var(--soft); font-weight: 500; border-bottom-color: var(--line); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } .nodes { overflow-wrap: anywhere; }
.bar { display: flex; height: 1.1rem; border-radius: 3px; overflow: hidden; background: var(--track); }
.bar.wide { min-width: 12rem; } .bar.narrow { min-width: 6rem; }
.keys { white-space: nowrap; margin-right: 1rem; }
.keys i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .4rem; }
.chart { display: grid; grid-template-columns: max-content 1fr max-content; gap: .45rem .9rem; align-items: center; }
svg text { fill: var(--soft); font-size: 12px; } svg text.ink { fill: var(--ink); }
"""


def page(name: str, reports: Sequence[CostReport]) -> str:
    """The whole page."""
    sections = [
        f"<h1>{_text(name)}: what it costs</h1>",
        f"<p>{_text(headline(name, reports))}</p>",
        "<h2>Time of one run</h2>",
        '<p class="soft">Each step of the scale is ten times the one before.</p>',
        _times(reports),
        "<h2>Where the time goes</h2>",
        _shares(reports),
        "<h2>All figures</h2>",
        _totals(reports),
        *(_kernels(report) for report in reports),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(name)}: what it costs</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _text(value: str) -> str:
    return html.escape(value)


def _times(reports: Sequence[CostReport]) -> str:
    """Bars on a logarithmic scale, whose decades are ruled and named."""
    times = [r.seconds for r in reports if r.seconds > 0]
    low = math.floor(math.log10(min(times, default=1e-6)) - 0.3)
    high = math.ceil(math.log10(max(times, default=1.0)))
    left, width, row = 190, 700, 30
    height = row * len(reports) + 26

    def x(seconds: float) -> float:
        return left + width * (math.log10(seconds) - low) / max(1, high - low)

    parts = [f'<svg viewBox="0 0 {left + width + 110} {height}" width="100%" role="img" aria-label="Time of one run">']
    for decade in range(low, high + 1):
        at = x(10.0**decade)
        label = format_quantity(10.0**decade, "s")
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height - 22}" stroke="var(--line)"/>')
        parts.append(f'<text x="{at:.1f}" y="{height - 6}" text-anchor="middle">{label}</text>')
    for i, report in enumerate(reports):
        y = row * i + 4
        middle = f'y="{y + row / 2 + 1:.0f}"'
        name = _text(report.target)
        parts.append(f'<text class="ink" x="{left - 10}" {middle} text-anchor="end">{name}</text>')
        if report.seconds > 0:
            end = x(report.seconds)
            shape = f'x="{left}" y="{y}" width="{end - left:.1f}" height="{row - 8}" rx="3"'
            parts.append(f'<rect {shape} fill="{_COLORS.get(report.bound, _OTHER)}"/>')
            parts.append(f'<text class="ink" x="{end + 8:.1f}" {middle}>{format_quantity(report.seconds, "s")}</text>')
    return "".join(parts) + "</svg>"


def _shares(reports: Sequence[CostReport]) -> str:
    used = {bound for r in reports for bound in r.seconds_by_bound()}
    keys = "".join(
        f'<span class="keys"><i style="background:{_COLORS[b]}"></i>{b} '
        f'<span class="soft">({_MEANING[b]})</span></span> '
        for b in BOUNDS
        if b in used
    )
    rows = []
    for report in reports:
        pieces = "".join(
            _piece(s / report.seconds, b, f"{b} {format_quantity(s, 's')}") for b, s in ordered_parts(report).items()
        )
        largest = ordered_parts(report).get(report.bound)
        share = f"{percent(largest / report.seconds)} {report.bound}" if largest else ""
        rows.append(
            f'<div>{_text(report.target)}</div><div class="bar wide">{pieces}</div><div class="n">{share}</div>'
        )
    return f'<div class="chart">{"".join(rows)}</div><p style="margin-top:.8rem">{keys}</p>'


def _piece(share: float, bound: str, title: str) -> str:
    color = _COLORS.get(bound, _OTHER)
    return f'<div style="width:{100 * share:.2f}%;background:{color}" title="{_text(title)}"></div>'


def _totals(reports: Sequence[CostReport]) -> str:
    heads = (
        "target",
        "precision",
        "time",
        "runs/s",
        "energy",
        "DRAM traffic",
        "MACs",
        "of peak MACs",
        "of peak DRAM",
        "from",
    )
    rows = [
        _row(
            (_text(r.target), False),
            (_text(r.precision), False),
            (format_quantity(r.seconds, "s"), True),
            (rate_text(r), True),
            (_text(energy_text(r)), True),
            (format_quantity(r.bytes_moved, "B"), True),
            (format_quantity(r.macs, "").strip(), True),
            (percent(r.utilization), True),
            (percent(r.bandwidth_utilization), True),
            ("simulation" if r.source == "simulated" else "formulas", False),
        )
        for r in reports
    ]
    head = "".join(f'<th class="{"n" if 2 <= i <= 8 else ""}">{h}</th>' for i, h in enumerate(heads))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _row(*cells: tuple[str, bool]) -> str:
    return "<tr>" + "".join(f'<td class="n">{c}</td>' if numeric else f"<td>{c}</td>" for c, numeric in cells) + "</tr>"


def _kernels(report: CostReport) -> str:
    kernels = kernel_costs(report.launches)
    rows = "".join(_kernel(k, report) for k in kernels[:_KERNELS_SHOWN])
    rest = f'<p class="soft">and {len(kernels) - _KERNELS_SHOWN} more</p>' if len(kernels) > _KERNELS_SHOWN else ""
    heads = ("kernel", "kind", "launches", "time", "share", "", "of peak", "bound by", "computes the nodes")
    head = "".join(f'<th class="{"n" if i in (2, 3, 4, 6) else ""}">{h}</th>' for i, h in enumerate(heads))
    return f"<h2>{_text(report.target)}: kernels</h2><table><tr>{head}</tr>{rows}</table>{rest}"


def _kernel(kernel: KernelCost, report: CostReport) -> str:
    share = kernel.seconds / report.seconds if report.seconds else 0.0
    bar = f'<div class="bar narrow">{_piece(share, kernel.bound, "")}</div>'
    nodes = f'<span class="nodes" title="{_text(", ".join(kernel.nodes))}">{_text(nodes_text(kernel))}</span>'
    return _row(
        (_text(kernel.kernel), False),
        (kernel.kind, False),
        (str(kernel.launches), True),
        (format_quantity(kernel.seconds, "s"), True),
        (percent(share), True),
        (bar, False),
        (percent(kernel.utilization), True),
        (kernel.bound, False),
        (nodes, False),
    )
