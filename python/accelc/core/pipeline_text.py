"""Textual pipelines: ``builtin.module(nn-fold,nn-to-linalg{a=1},canonicalize,func.func(cse),stage=kernels)``.

Passes of ours stand at the top level, since they work on a whole module; upstream's may be nested in any op.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from accelc.core.diagnostics import UsageError
from accelc.core.options import parse_options, split
from accelc.core.pass_ import Pass, find_pass, pass_names
from accelc.core.pipeline import Element, Pipeline, Stage, Upstream
from accelc.core.upstream_passes import UPSTREAM_PASSES
from accelc.mlir import PassManager

_ANCHORED = re.compile(r"^([A-Za-z_][\w.]*)\((.*)\)$", re.DOTALL)
_PASS = re.compile(r"^([a-z][\w-]*)(?:\{(.*)\})?$", re.DOTALL)


@dataclass(frozen=True)
class Leaf:
    """One pass inside a textual upstream pipeline. ``text`` has the anchors around it: ``func.func(cse)``."""

    name: str
    text: str


def parse_pipeline(text: str) -> Pipeline:
    """Parses a textual pipeline; the outer ``builtin.module(...)`` may be left out.

    A context must be current. Raises UsageError naming the pass or option that is wrong.
    """
    text = text.strip()
    anchored = _ANCHORED.match(text)
    if anchored and anchored[1] == "builtin.module" and len(_split(text, text)) == 1:
        text = anchored[2]
    return Pipeline(_parse_element(item, text) for item in _split(text, text))


def pass_from_flag(name: str, options: str | None) -> Element:
    """The element that a flag ``--name=options`` stands for; upstream's passes are nested where they have to be."""
    cls = find_pass(name)
    if cls is not None:
        return _configure(cls, options or "")
    if name not in UPSTREAM_PASSES:
        raise _unknown(name)
    text = f"{name}{{{options}}}" if options else name
    anchor = UPSTREAM_PASSES[name]
    return _checked_upstream(f"{anchor}({text})" if anchor else text)


def leaves(text: str) -> list[Leaf]:
    """The passes inside an upstream pipeline, one by one, in the order in which they are written."""
    found = []
    for item in split(text, ","):
        anchored = _ANCHORED.match(item)
        if anchored:
            found += [Leaf(leaf.name, f"{anchored[1]}({leaf.text})") for leaf in leaves(anchored[2])]
        else:
            found.append(Leaf(item.partition("{")[0], item))
    return found


def _split(text: str, whole: str) -> list[str]:
    try:
        return split(text, ",")
    except ValueError as error:
        raise UsageError(f"the pipeline cannot be read: {error}", notes=(f"pipeline: {whole}",)) from None


def _parse_element(item: str, whole: str) -> Element:
    if item.startswith("stage="):
        return Stage(item.removeprefix("stage="))
    if _ANCHORED.match(item):
        _refuse_nested(item)
        return _checked_upstream(item)
    matched = _PASS.match(item)
    if not matched:
        raise UsageError(f"'{item}' is not a pass", notes=(f"pipeline: {whole}",))
    cls = find_pass(matched[1])
    if cls is not None:
        return _configure(cls, matched[2] or "")
    if matched[1] not in UPSTREAM_PASSES:
        raise _unknown(matched[1])
    return _checked_upstream(item)


def _refuse_nested(item: str) -> None:
    for leaf in leaves(item):
        if find_pass(leaf.name) is not None:
            raise UsageError(f"pass '{leaf.name}' works on a whole module and cannot be nested in '{item}'")
        if leaf.name not in UPSTREAM_PASSES:
            raise _unknown(leaf.name)


def _configure(cls: type[Pass], options: str) -> Pass:
    try:
        return parse_options(cls, options, f"pass '{cls.name}'")
    except ValueError as error:
        raise UsageError(f"the options of pass '{cls.name}' cannot be read: {error}") from None


def _checked_upstream(text: str) -> Upstream:
    try:
        PassManager.parse(f"builtin.module({text})")
    except ValueError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UsageError(f"MLIR refuses '{text}': {'; '.join(lines)}") from None
    return Upstream(text)


def _unknown(name: str) -> UsageError:
    close = difflib.get_close_matches(name, [*pass_names(), *UPSTREAM_PASSES], n=3)
    notes = (f"did you mean {' or '.join(close)}?",) if close else ("accelc-opt --list-passes lists all",)
    return UsageError(f"there is no pass '{name}'", notes=notes)
