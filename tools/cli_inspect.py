"""``accelc inspect``: what is in a compiled file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelc.core.artifact import open_model, read_manifest
from accelc.core.diagnostics import UnsupportedError, UsageError
from accelc.core.plan import Launch
from accelc.tools.cli_common import console, count, machine_name, print_json, require_file, table
from accelc.tools.cli_compile import spec_json, spec_text

_BAR_CELLS = 48


def inspect_artifact(path: str, *, kernel: str | None, disassemble: bool, plan: bool, as_json: bool) -> int:
    """Shows an artifact, after checking all of its hashes."""
    require_file(path, "artifact")
    model = open_model(path)
    if kernel is not None and kernel not in model.code:
        raise UsageError(f"there is no kernel '{kernel}'", notes=(f"kernels: {', '.join(model.code)}",))
    wanted = [kernel] if kernel is not None else list(model.code) if disassemble else []
    listings = {name: listing(model, name) for name in wanted}
    if as_json:
        print_json({**describe(path, model), "disassembly": listings})
        return 0
    out = console()
    for name, text in listings.items():
        out.print(name, style="bold")
        out.print(text)
    if listings:
        return 0
    summary = describe(path, model)
    out.print(_summary_table(summary))
    out.print(_kernel_table(summary))
    out.print(_memory_table(summary))
    if plan:
        out.print(_plan_table(model))
    return 0


def describe(path: str, model: Any) -> dict[str, Any]:
    """An artifact's content as JSON values, code and constants left out."""
    manifest = read_manifest(path)
    return {
        "file": path,
        "file_bytes": Path(path).stat().st_size,
        "format": manifest["format"],
        "accelc": manifest["accelc"],
        "target": model.target,
        "machine": model.machine,
        "options": model.options,
        "stats": model.stats,
        "inputs": [spec_json(s) for s in model.plan.inputs],
        "outputs": [spec_json(s) for s in model.plan.outputs],
        "kernels": [_kernel(model, name) for name in model.code],
        "memory": {
            "arena_bytes": model.plan.arena_bytes,
            "unshared_bytes": sum(b.nbytes for b in model.plan.buffers if b.kind == "arena"),
            "buffers": live_ranges(model.plan),
        },
        "constants": {
            name: {"dtype": str(a.dtype), "shape": list(a.shape), "bytes": a.nbytes}
            for name, a in model.constants.items()
        },
    }


def _kernel(model: Any, name: str) -> dict[str, Any]:
    code = model.code[name]
    launches = [s for s in model.plan.launches if s.kernel == name]
    nodes = list(dict.fromkeys(node for launch in launches for node in launch.provenance))
    return {
        "name": name,
        "device": launches[0].device if launches else str(code.meta.get("device", "target")),
        "launches": len(launches),
        "code_bytes": len(code.data),
        "symbol": code.symbol,
        "meta": dict(code.meta),
        "nodes": nodes,
    }


def live_ranges(plan: Any) -> list[dict[str, Any]]:
    """The arena's buffers by address: offset, size, and the first and last step that touches each."""
    uses: dict[int, list[int]] = {}
    for i, step in enumerate(plan.steps):
        buffers = (*step.inputs, *step.outputs) if isinstance(step, Launch) else (step.source, step.destination)
        for b in buffers:
            uses.setdefault(b, []).append(i)
    ranges = [
        {
            "buffer": i,
            "offset": b.offset,
            "bytes": b.nbytes,
            "dtype": b.dtype,
            "shape": list(b.shape),
            "first": min(uses[i]),
            "last": max(uses[i]),
        }
        for i, b in enumerate(plan.buffers)
        if b.kind == "arena" and i in uses
    ]
    return sorted(ranges, key=lambda r: (r["offset"], r["first"], r["buffer"]))


def listing(model: Any, name: str) -> str:
    """A kernel's code as text. Raises UnsupportedError where its target has no disassembler."""
    from accelc.core.target import load_target
    from accelc.targets import TARGETS

    code = model.code[name]
    target = "host" if code.meta.get("device") == "host" else model.target
    disassembler = load_target(target, TARGETS).disassemble
    if disassembler is None:
        raise UnsupportedError(f"target '{target}' has no disassembler")
    return str(disassembler(code))


def _summary_table(summary: dict[str, Any]) -> Any:
    t = table("", "", title=summary["file"])
    t.show_header = False
    options = ", ".join(f"{k} {v}" for k, v in summary["options"].items())
    t.add_row("made for", f"{summary['target']}:{machine_name(summary['machine'])} ({options})")
    t.add_row("made by", f"accelc {summary['accelc']}, format {summary['format']}")
    t.add_row("inputs", "\n".join(spec_text(s) for s in summary["inputs"]))
    t.add_row("outputs", "\n".join(spec_text(s) for s in summary["outputs"]))
    constants = summary["constants"].values()
    t.add_row("constants", f"{len(constants)}, {count(sum(c['bytes'] for c in constants), 'B')}")
    t.add_row("file", f"{count(summary['file_bytes'], 'B')}, all hashes right")
    return t


def _kernel_table(summary: dict[str, Any]) -> Any:
    t = table("kernel", "device", ">launches", ">code", "for the nodes", title="Kernels")
    for kernel in summary["kernels"]:
        nodes = kernel["nodes"]
        shown = ", ".join(nodes[:4]) + (f", and {len(nodes) - 4} more" if len(nodes) > 4 else "")
        t.add_row(kernel["name"], kernel["device"], str(kernel["launches"]), count(kernel["code_bytes"], "B"), shown)
    return t


def _memory_table(summary: dict[str, Any]) -> Any:
    memory = summary["memory"]
    title = f"Memory: {count(memory['arena_bytes'], 'B')} arena; without reuse {count(memory['unshared_bytes'], 'B')}"
    t = table(">offset", ">bytes", "tensor", "lives in steps", "", title=title)
    steps = max((r["last"] for r in memory["buffers"]), default=0) + 1
    for r in memory["buffers"]:
        tensor = f"{r['dtype']}{r['shape']}"
        t.add_row(f"{r['offset']:,}", f"{r['bytes']:,}", tensor, f"{r['first']}-{r['last']}", _bar(r, steps))
    return t


def _bar(r: dict[str, Any], steps: int) -> str:
    first: int = r["first"] * _BAR_CELLS // steps
    last: int = max(first + 1, -(-(r["last"] + 1) * _BAR_CELLS // steps))
    return " " * first + "━" * (last - first)


def _plan_table(model: Any) -> Any:
    t = table(">step", "does", "reads", "writes", "for the nodes", title="Plan")
    for i, step in enumerate(model.plan.steps):
        if isinstance(step, Launch):
            reads, writes = _buffers(model, step.inputs), _buffers(model, step.outputs)
            where = " on the host" if step.device == "host" and model.target != "host" else ""
            t.add_row(str(i), f"launch {step.kernel}{where}", reads, writes, ", ".join(step.provenance))
        else:
            t.add_row(str(i), "copy", _buffers(model, [step.source]), _buffers(model, [step.destination]), "")
    return t


def _buffers(model: Any, indices: Sequence[int]) -> str:
    names = []
    for i in indices:
        b = model.plan.buffers[i]
        specs = {"input": model.plan.inputs, "output": model.plan.outputs}.get(b.kind)
        names.append(specs[b.index].name if specs else b.ref if b.kind == "constant" else f"@{b.offset:,}")
    return "\n".join(names)
