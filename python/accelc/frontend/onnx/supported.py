"""The table of ONNX ops in docs/onnx.md, from the handlers themselves.

python -m accelc.frontend.onnx.supported > docs/onnx.md
"""

from __future__ import annotations

import functools
import inspect
from types import ModuleType

from onnx import defs

from accelc.frontend.onnx.ops import GROUPS, HANDLERS
from accelc.frontend.onnx.registry import Registered

INTRODUCTION = """# ONNX

`accelc` imports ONNX models of every opset that the installed `onnx` knows (1 to {newest}), from a file (external data
included, inside the model's folder), from bytes, or from a `ModelProto`. Versions, broadcasting and functions are
settled on import; shapes computed from constants and from sizes are folded. A symbolic dimension is fixed with
`--dim NAME=SIZE`; one without a name is called `INPUT.AXIS`.

What an op needs when the model is compiled (axes, shapes, pads, repeats, k) must be a constant of the model, or
computed from constants and sizes. Element types: f32, f64, f16, bf16, fp8 (E4M3FN, E5M2), f4 (E2M1), integers of 4, 8,
16, 32 and 64 bits, bool. Inputs and outputs are tensors; sequences and optionals exist inside a model only. What is not
in the tables below is refused with the node's name (exit code 3); so are strings, complex numbers, integers of 2 bits,
the FNUZ and E8M0 kinds of fp8, and random numbers.

Which of onnx's own node cases pass stands in `test/frontend/onnx_node_cases.txt` (the reference interpreter) and
`test/targets/host/onnx_node_cases.txt` (native code); the others are refused for the reasons on this page.

This page is made by `python -m accelc.frontend.onnx.supported`.
"""


def table() -> str:
    """The page."""
    lines = [INTRODUCTION.format(newest=defs.onnx_opset_version())]
    for title, module in GROUPS.items():
        lines += [f"## {title}", "", "| op | versions | what it is | limits |", "|---|---|---|---|"]
        lines += [_row(domain, op, found) for (domain, op), found in sorted(_of(module).items())]
        lines.append("")
    lines += ["## Expanded by ONNX's own definition", "", _wrapped(_expanded()), ""]
    lines += ["## Not supported", "", _wrapped(_missing()), ""]
    return "\n".join(lines)


def _of(module: ModuleType) -> dict[tuple[str, str], Registered]:
    return {key: found for key, found in HANDLERS.items() if found.function.__module__ == module.__name__}


def _row(domain: str, op: str, found: Registered) -> str:
    summary = (inspect.getdoc(found.function) or "").splitlines()[0].replace("|", "\\|")
    versions = ", ".join(str(v) for v in _versions(domain, op))
    shown = f"{domain}::{op}" if domain else op
    return f"| {shown} | {versions} | {summary} | {found.limits} |"


def _versions(domain: str, op: str) -> list[int]:
    return sorted(s.since_version for s in _history() if s.name == op and s.domain == domain)


@functools.cache
def _history() -> list[defs.OpSchema]:
    return list(defs.get_all_schemas_with_history())


def _default_domain() -> list[defs.OpSchema]:
    latest = [s for s in defs.get_all_schemas() if s.domain == "" and ("", s.name) not in HANDLERS]
    return sorted(latest, key=lambda s: s.name)


def _is_function(schema: defs.OpSchema) -> bool:
    return bool(schema.has_function or schema.has_context_dependent_function)


def _expanded() -> list[str]:
    return [s.name for s in _default_domain() if _is_function(s)]


def _missing() -> list[str]:
    return [s.name for s in _default_domain() if not _is_function(s)]


def _wrapped(names: list[str]) -> str:
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > 110:
            lines.append(line.rstrip())
            line = ""
        line += f"`{name}` "
    return "\n".join([*lines, line.rstrip()])


if __name__ == "__main__":
    print(table(), end="")
