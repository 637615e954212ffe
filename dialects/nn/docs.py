"""Writes docs/nn.md from the op classes: ``python -m accelc.dialects.nn.docs > docs/nn.md``."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

from accelc.dialects.nn.op import NNOp, op_classes
from accelc.dialects.nn.ops import GROUPS
from accelc.dialects.nn.types import DTYPES

_KINDS = {
    "Int": "integer",
    "Ints": "list of integers",
    "Float": "float",
    "Floats": "list of floats",
    "Flag": "flag",
    "Str": "string",
    "Array": "elements",
}

_HEAD = """# The `nn` dialect

This page is generated from the op classes in `dialects/nn/ops` (`python -m accelc.dialects.nn.docs > docs/nn.md`).

Every operand and result is a ranked tensor; ops have no side effects. Nothing is broadcast implicitly. A size may be
`?`. Element types: {dtypes}; `i1` is a bool.
Attributes are all required in the IR; the makers in `accelc.dialects.nn.build` fill in the defaults shown here.
*From the result type* are what `build` takes as a keyword and the IR says in the result's type.
"""


def render() -> str:
    """The page, as Markdown."""
    parts = [_HEAD.format(dtypes=", ".join(f"`{d}`" for d in DTYPES))]
    for group, module in GROUPS.items():
        parts.append(f"## {group.capitalize()}\n")
        if module.__doc__:
            parts.append(inspect.cleandoc(module.__doc__).split("\n\n")[0] + "\n")
        parts.extend(_op(name, cls) for name, cls in op_classes() if _belongs(cls, module))
    return "\n".join(parts)


def _belongs(cls: type[NNOp], module: ModuleType) -> bool:
    return cls.__module__ == module.__name__


def _op(name: str, cls: type[NNOp]) -> str:
    operands = ", ".join(cls.operand_names) + cls.variadic
    lines = [f"### `nn.{name}({operands})`\n", inspect.cleandoc(cls.__doc__ or ""), ""]
    family = next((b for b in cls.__mro__[1:] if b.__doc__ and b.__module__ == cls.__module__), None)
    if family is not None:
        lines += [inspect.cleandoc(family.__doc__ or "").replace("\n\n", " "), ""]
    for attribute, kind in cls.attribute_kinds.items():
        default = f", default `{cls.defaults[attribute]}`" if attribute in cls.defaults else ""
        lines.append(f"* `{attribute}`: {_KINDS[kind.__name__]}{default}")
    if cls.FROM_RESULT:
        lines.append(f"* from the result type: {', '.join(f'`{p}`' for p in cls.FROM_RESULT)}")
    if cls.attribute_kinds or cls.FROM_RESULT:
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(render())
