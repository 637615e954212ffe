"""Element types, specifications of inputs, symbolic sizes, and the rule of promotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.dialects import nn
from accelc.dialects.nn.types import BITS, INTEGER_BITS


@dataclass(frozen=True)
class Dim:
    """A symbolic size: equal names are equal sizes; it becomes a number when the model is compiled with one."""

    name: str

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise UsageError(f"'{self.name}' is no name for a dimension; use an identifier such as 'batch'")


def dim(name: str) -> Dim:
    """The symbolic size called ``name``."""
    return Dim(name)


@dataclass(frozen=True)
class DType:
    """An element type; ``f32["batch", 64]`` is the `Spec` of an input of that shape and type."""

    name: str

    def __getitem__(self, shape: Any) -> Spec:
        return Spec(shape if isinstance(shape, tuple) else (shape,), self)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Spec:
    """An input: shape (numbers, or symbols as `Dim` or string), element type; ``name`` overrides the argument's."""

    shape: Sequence[int | str | Dim]
    dtype: DType | str = "f32"
    name: str | None = None

    @property
    def dims(self) -> tuple[int | Dim, ...]:
        """The shape, symbols as `Dim`. Raises UsageError for anything else."""
        result: list[int | Dim] = []
        for size in self.shape:
            if isinstance(size, str):
                result.append(Dim(size))
            elif isinstance(size, Dim):
                result.append(size)
            elif isinstance(size, int | np.integer) and not isinstance(size, bool) and size >= 0:
                result.append(int(size))
            else:
                raise UsageError(f"{size!r} is no size; use a number that is not negative, or a name")
        return tuple(result)

    @property
    def type(self) -> nn.TensorType:
        """The type in `nn`: symbols are unknown sizes."""
        return nn.TensorType(tuple(None if isinstance(d, Dim) else d for d in self.dims), dtype_name(self.dtype))


f16, bf16, f32, f64 = DType("f16"), DType("bf16"), DType("f32"), DType("f64")
f8e4m3, f8e5m2 = DType("f8E4M3FN"), DType("f8E5M2")
i8, i16, i32, i64 = DType("si8"), DType("si16"), DType("si32"), DType("si64")
u8, u16, u32, u64 = DType("ui8"), DType("ui16"), DType("ui32"), DType("ui64")
bool_ = DType("i1")

_ALIASES = {
    **{name: name for name in nn.DTYPES},
    **{f"{short}{b}": f"{long}{b}" for short, long in (("i", "si"), ("u", "ui")) for b in (4, 8, 16, 32, 64)},
    **{f"{short}{b}": f"{long}{b}" for short, long in (("int", "si"), ("uint", "ui")) for b in (4, 8, 16, 32, 64)},
    **{f"float{b}": f"f{b}" for b in (16, 32, 64)},
    "bfloat16": "bf16",
    "bool": "i1",
}


def dtype_name(dtype: DType | str | Any) -> str:
    """The name in `nn` of an element type given as `DType`, as name, or as numpy dtype. Raises UsageError otherwise."""
    if isinstance(dtype, DType):
        return dtype.name
    if isinstance(dtype, str):
        if dtype in _ALIASES:
            return _ALIASES[dtype]
    else:
        try:
            found = np.dtype(dtype)
        except TypeError:
            found = None
        for name, known in nn.DTYPES.items():
            if found is not None and known == found:
                return name
    raise UsageError(f"{dtype!r} is no element type", notes=(f"element types: {', '.join(sorted(_ALIASES))}",))


def promote(a: str, b: str) -> str:
    """The element type that two tensors are brought to (see the package's page). Raises UsageError if there is none."""
    if a == b or b == "i1":
        return a
    if a == "i1":
        return b
    if nn.is_float(a) or nn.is_float(b):
        if not nn.is_float(a):
            return b
        if not nn.is_float(b):
            return a
        if BITS[a] == BITS[b]:
            return {16: "f32"}.get(BITS[a], "f16")
        return a if BITS[a] > BITS[b] else b
    signed = [t for t in (a, b) if t.startswith("si")]
    if len(signed) != 1:
        return a if INTEGER_BITS[a] > INTEGER_BITS[b] else b
    unsigned = b if signed[0] == a else a
    width = INTEGER_BITS[signed[0]]
    if width <= INTEGER_BITS[unsigned]:
        width = 2 * INTEGER_BITS[unsigned]
    if width > 64:
        raise UsageError(f"no integer type holds both {a} and {b}", notes=("cast one of them",))
    return f"si{width}"


def promote_scalar(dtype: str, value: bool | int | float) -> str:
    """The element type of a tensor of ``dtype`` with a Python number, which is weak."""
    if isinstance(value, float) and not nn.is_float(dtype):
        return "f32"
    if dtype == "i1" and not isinstance(value, bool):
        return "si64"
    return dtype
