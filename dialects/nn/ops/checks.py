"""What inference checks again and again, each with one clear message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from accelc.core.diagnostics import InvalidModelError
from accelc.dialects.nn.types import FLOATS, INTEGERS, Dim, Shape, TensorType, dims_agree, merge_shapes, shapes_agree


def fail(message: str) -> NoReturn:
    """Raises InvalidModelError; whoever called inference puts the op's name before ``message``."""
    raise InvalidModelError(message)


def need_float(*types: TensorType) -> None:
    """All must be floating point."""
    for t in types:
        if t.dtype not in FLOATS:
            fail(f"needs floating-point elements, got {t}")


def need_integer(*types: TensorType) -> None:
    """All must be integers with a sign (``i1`` is none)."""
    for t in types:
        if t.dtype not in INTEGERS:
            fail(f"needs integer elements, got {t}")


def need_number(*types: TensorType) -> None:
    """All must be floats or integers, not bools."""
    for t in types:
        if t.dtype == "i1":
            fail(f"needs numbers, got bools: {t}")


def need_bool(*types: TensorType) -> None:
    """All must be ``i1``."""
    for t in types:
        if t.dtype != "i1":
            fail(f"needs bools (i1), got {t}")


def need_same_dtype(*types: TensorType) -> None:
    """All must have one element type."""
    for t in types[1:]:
        if t.dtype != types[0].dtype:
            fail(f"needs operands of one element type, got {', '.join(map(str, types))}")


def need_shape(t: TensorType, shape: Shape, what: str) -> None:
    """``t`` must have ``shape``."""
    if not shapes_agree(t.shape, shape):
        fail(f"needs {what} of shape {shape_text(shape)}, got {t}")


def need_axis(axis: int, rank: int) -> int:
    """``axis`` must lie in [0, rank)."""
    if not 0 <= axis < rank:
        fail(f"has no axis {axis} in a tensor of rank {rank}")
    return axis


def need_axes(axes: Sequence[int], rank: int, what: str = "axes") -> None:
    """``axes`` must be strictly increasing and in [0, rank)."""
    for i, axis in enumerate(axes):
        if not 0 <= axis < rank or (i and axes[i - 1] >= axis):
            fail(f"needs {what} that increase within [0, {rank}), got {list(axes)}")


def need_length(values: Sequence[object], length: int, what: str) -> None:
    """``values`` must have one entry a dimension."""
    if len(values) != length:
        fail(f"needs {length} {what}, got {len(values)}: {list(values)}")


def need_one_of(value: str, choices: Sequence[str], what: str) -> None:
    """``value`` must be one of ``choices``."""
    if value not in choices:
        fail(f"has no {what} '{value}'; there are: {', '.join(choices)}")


def need_positive(values: Sequence[int], what: str) -> None:
    """All values must be at least 1."""
    if any(v < 1 for v in values):
        fail(f"needs positive {what}, got {list(values)}")


def same_shape(*types: TensorType) -> Shape:
    """The one shape of all (nothing is broadcast implicitly), as well known as any of them knows it."""
    first = types[0].shape
    for t in types[1:]:
        if not shapes_agree(t.shape, first):
            fail(f"needs operands of equal shapes, got {', '.join(map(str, types))}; nn.broadcast makes them equal")
    return merge_shapes([t.shape for t in types])


def merge_dim(a: Dim, b: Dim, what: str) -> Dim:
    """One size from two that must agree."""
    if not dims_agree(a, b):
        fail(f"needs equal {what}, got {a} and {b}")
    return b if a is None else a


def shape_text(shape: Sequence[Dim]) -> str:
    """A shape as text: ``[2, ?, 4]``."""
    return f"[{', '.join('?' if s is None else str(s) for s in shape)}]"
