"""The page `docs/passes.md`, made from the pass classes.

python -m accelc.passes.docs > docs/passes.md
"""

from __future__ import annotations

import inspect

from accelc.core.options import describe_options
from accelc.core.pass_ import Pass, registered_passes
from accelc.passes import PASS_MODULES, register_all
from accelc.passes.pipelines import GraphOptions, graph_passes

HEAD = """# The graph passes

<!-- Generated from the pass classes: python -m accelc.passes.docs > docs/passes.md -->

From the imported `nn` graph to kernels and a plan. Each pass is one file of `passes/`, named as the pass, and works
with `accelc-opt` (`accelc-opt --nn-fuse x.mlir`). What stands before what is said by facts: a pass *needs* those
that passes before it *leave*, and a pipeline that breaks this is refused.
"""


def page() -> str:
    """The text of the page."""
    register_all()
    passes = registered_passes()
    names = [module.replace("_", "-") for module in PASS_MODULES]
    order = ", ".join(f"`{p.name}`" for p in graph_passes(GraphOptions(demote="bf16")))
    parts = [HEAD, f"The default pipeline (`accelc.passes.pipelines`; `nn-demote` only where asked for): {order}.\n"]
    parts += [_section(passes[name]) for name in names]
    return "\n".join(parts)


def _section(cls: type[Pass]) -> str:
    text, _, _ = (inspect.getdoc(cls) or "").partition("\nOptions:")
    lines = [f"## {cls.name}\n", f"*{cls.summary}*\n", f"{text.strip()}\n"]
    options = describe_options(cls)
    if options:
        lines += ["| option | type | default | |", "|---|---|---|---|"]
        meanings = _option_texts(cls)
        lines += [f"| `{n}` | {_cell(kind)} | `{default}` | {meanings.get(n, '')} |" for n, kind, default in options]
        lines.append("")
    facts = [("Needs", cls.requires), ("Leaves", cls.establishes), ("Undoes", cls.invalidates)]
    shown = [f"{label}: {', '.join(f'`{f}`' for f in sorted(names))}." for label, names in facts if names]
    return "\n".join([*lines, " ".join(shown), ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _option_texts(cls: type[Pass]) -> dict[str, str]:
    """What each option means, from the docstring's ``Options:``."""
    _, _, text = (inspect.getdoc(cls) or "").partition("\nOptions:")
    meanings: dict[str, str] = {}
    name = ""
    for line in text.strip("\n").splitlines():
        if line.startswith("    ") and not line.startswith("     "):
            name, _, rest = line.strip().partition(":")
            name = name.replace("_", "-")
            meanings[name] = rest.strip()
        elif name:
            meanings[name] += f" {line.strip()}"
    return meanings


if __name__ == "__main__":
    print(page(), end="")
