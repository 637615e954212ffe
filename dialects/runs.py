"""Variadic operands and results of different types in dialects defined from Python.

IRDL binds one type to all values of a variadic group. An op that takes values of several types therefore declares
`GROUPS` groups, and each holds a run of neighbours of one type; the runs' lengths are what MLIR calls segment sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ext, ir

GROUPS = 24


def segment_sizes(types: Sequence[Any], what: str, *, singles: int = 0) -> Any:
    """The segment sizes of ``singles`` plain values followed by runs of equal ``types``.

    Raises UnsupportedError where there are more than `GROUPS` runs.
    """
    runs: list[int] = []
    for i, kind in enumerate(types[singles:]):
        if runs and kind == types[singles + i - 1]:
            runs[-1] += 1
        else:
            runs.append(1)
    if len(runs) > GROUPS:
        raise UnsupportedError(f"{what} with {len(types)} values of {len(runs)} alternating types; at most {GROUPS}")
    return ir.DenseI32ArrayAttr.get([1] * singles + runs + [0] * (GROUPS - len(runs)))


def declare_values(kind: str, singles: Sequence[str], group: str | None) -> None:
    """Emits ``irdl.operands`` or ``irdl.results`` (``kind``): single values, then the groups of ``group``, if any."""
    irdl = dialect("irdl")
    names = [*singles, *(f"{group}_{i}" for i in range(GROUPS) if group is not None)]
    if not names:
        return
    variadic = [ext.Variadicity.single] * len(singles) + [ext.Variadicity.variadic] * (len(names) - len(singles))
    emit = {"operands": irdl.operands_, "results": irdl.results_}[kind]
    emit([irdl.any() for _ in names], names, variadic)
