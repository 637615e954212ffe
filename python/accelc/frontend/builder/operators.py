"""Operators, indexing and methods of `Tensor`; importing this module gives them to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.frontend.builder import functions as f
from accelc.frontend.builder.tensor import Tensor, build, caller, normalize_axis, traced


def _ops() -> dict[str, Callable[..., Any]]:
    pairs: dict[str, Callable[[Any, Any], Tensor]] = {
        "add": lambda a, b: f.binary("add", a, b),
        "sub": lambda a, b: f.binary("sub", a, b),
        "mul": lambda a, b: f.binary("mul", a, b),
        "truediv": f.divide,
        "floordiv": f.floor_divide,
        "mod": lambda a, b: f.binary("mod", a, b, fmod=False),
        "pow": f.power,
        "matmul": f.matmul,
        "and": lambda a, b: f.bitwise("and", a, b),
        "or": lambda a, b: f.bitwise("or", a, b),
        "xor": lambda a, b: f.bitwise("xor", a, b),
        "lshift": lambda a, b: f.binary("shift_left", a, b),
        "rshift": lambda a, b: f.binary("shift_right", a, b),
    }
    table: dict[str, Callable[..., Any]] = {}
    for name, fn in pairs.items():
        table[f"__{name}__"] = fn
        table[f"__r{name}__"] = lambda a, b, fn=fn: fn(b, a)
    for predicate in ("eq", "ne", "lt", "le", "gt", "ge"):
        table[f"__{predicate}__"] = lambda a, b, p=predicate: f.compare(p, a, b)
    return table


@traced
def negative(x: Tensor) -> Tensor:
    """-x."""
    return Tensor(build.neg(x.value))


@traced
def invert(x: Tensor) -> Tensor:
    """not x for bools, all bits flipped for integers."""
    if x.type.dtype == "i1":
        return Tensor(build.logical_not(x.value))
    return Tensor(build.bitwise_not(x.value))


@traced
def get_item(x: Tensor, key: Any) -> Tensor:
    """Indexing with integers, slices, None and ``...``; or with one integer tensor or array, along the first axis."""
    if isinstance(key, Tensor | np.ndarray | list):
        return f.take(x, key)
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = _without_ellipsis(keys, x)
    shape = x.type.shape
    starts, sizes, strides, result = [], [], [], list[Any]()
    axis = 0
    for k in keys:
        if k is None:
            result.append(1)
            continue
        start, size, stride = _select(k, shape[axis], axis, x)
        starts.append(start)
        sizes.append(size)
        strides.append(stride)
        if isinstance(k, slice):
            result.append(x.shape[axis] if size == -1 and start == 0 and stride == 1 else size)
        axis += 1
    full = all(
        s == 0 and n in (-1, have) and d == 1 for s, n, d, have in zip(starts, sizes, strides, shape, strict=True)
    )
    value = x.value if full else build.slice(x.value, starts=starts, sizes=sizes, strides=strides)
    if len(result) == len(shape) and not any(k is None for k in keys):
        return Tensor(value)
    return f.reshape(Tensor(value), result) if result else Tensor(build.reshape(value, shape=()))


def _without_ellipsis(keys: list[Any], x: Tensor) -> list[Any]:
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > x.ndim:
        raise UsageError(f"too many indices for {x.type}", node=caller())
    rest = [slice(None)] * (x.ndim - used)
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), len(keys))
    expanded = [*keys[:at], *rest, *keys[at + 1 :]]
    if any(k is Ellipsis for k in expanded):
        raise UsageError("an index may hold '...' once", node=caller())
    return expanded


def _select(k: Any, have: int | None, axis: int, x: Tensor) -> tuple[int, int, int]:
    """Start, size and stride of one index; size -1 is all there is."""
    if isinstance(k, slice):
        if have is not None:
            start, stop, stride = k.indices(have)
            count = len(range(start, stop, stride))
            return (start if count else 0), count, stride
        start, stride = k.start or 0, 1 if k.step is None else k.step
        if start >= 0 and stride > 0 and k.stop is None:
            return start, -1, stride
        raise UsageError(f"axis {axis} of {x.type} has an unknown size: slice it as [start::step] only", node=caller())
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise UsageError(f"cannot index {x.type} with {type(k).__name__}; use ab.take", node=caller())
    if have is None and k < 0:
        raise UsageError(f"axis {axis} of {x.type} has an unknown size: index it from the front", node=caller())
    return (int(k) if have is None else normalize_axis_index(int(k), have, axis, x)), 1, 1


def normalize_axis_index(index: int, have: int, axis: int, x: Tensor) -> int:
    """An index counted from the front. Raises UsageError where it is out of range."""
    if not -have <= index < have:
        raise UsageError(f"index {index} is out of range along axis {axis} of {x.type}", node=caller())
    return index % have


def swap_axes(x: Tensor, a: int, b: int) -> Tensor:
    """Two dimensions exchanged."""
    order = list(range(x.ndim))
    first, second = normalize_axis(a, x.ndim), normalize_axis(b, x.ndim)
    order[first], order[second] = order[second], order[first]
    return f.transpose(x, order)


_METHODS: dict[str, Callable[..., Any]] = {
    **_ops(),
    "__neg__": negative,
    "__pos__": lambda x: x,
    "__invert__": invert,
    "__abs__": f.abs,
    "__getitem__": get_item,
    "swapaxes": swap_axes,
    "astype": f.cast,
    **{
        name: getattr(f, name)
        for name in (
            "reshape", "transpose", "flatten", "squeeze", "sum", "mean", "max", "min", "prod", "var", "argmax",
            "argmin", "cumsum", "clip", "exp", "log", "sqrt", "tanh", "relu",
        )
    },
}  # fmt: skip

for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
