"""Tensor types of `nn` outside MLIR: cheap values that inference computes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from accelc.core.diagnostics import InvalidModelError
from accelc.core.plan import DTYPES as BUFFER_DTYPES
from accelc.mlir import ir

Dim = int | None
Shape = tuple[Dim, ...]

# Element types by name, with the numpy scalar that holds one. A bool is `i1`; integers carry their sign.
DTYPES: dict[str, np.dtype[Any]] = {
    name: dtype for name, dtype in BUFFER_DTYPES.items() if name not in ("i4", "i8", "i16", "i32", "i64", "index")
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}

FLOATS = frozenset({"f16", "bf16", "f32", "f64", "f8E4M3FN", "f8E5M2", "f4E2M1FN"})
INTEGERS = frozenset(name for name in DTYPES if name.startswith(("si", "ui")))
INTEGER_BITS = {name: int(name[2:]) for name in INTEGERS}
BITS = {name: int(name.lstrip("bfsui").split("E")[0]) for name in DTYPES}

_ELEMENT_TYPES: dict[str, Callable[[], Any]] = {
    "f16": ir.F16Type.get,
    "bf16": ir.BF16Type.get,
    "f32": ir.F32Type.get,
    "f64": ir.F64Type.get,
    "f8E4M3FN": ir.Float8E4M3FNType.get,
    "f8E5M2": ir.Float8E5M2Type.get,
    "f4E2M1FN": ir.Float4E2M1FNType.get,
    "i1": lambda: ir.IntegerType.get_signless(1),
    **{f"si{b}": (lambda b=b: ir.IntegerType.get_signed(b)) for b in (4, 8, 16, 32, 64)},  # type: ignore[misc]
    **{f"ui{b}": (lambda b=b: ir.IntegerType.get_unsigned(b)) for b in (4, 8, 16, 32, 64)},  # type: ignore[misc]
}
_FLOAT_CLASSES: dict[type, str] = {
    ir.F16Type: "f16",
    ir.BF16Type: "bf16",
    ir.F32Type: "f32",
    ir.F64Type: "f64",
    ir.Float8E4M3FNType: "f8E4M3FN",
    ir.Float8E5M2Type: "f8E5M2",
    ir.Float4E2M1FNType: "f4E2M1FN",
}
_DYNAMIC: int = ir.ShapedType.get_dynamic_size()


class TensorType(NamedTuple):
    """A ranked tensor type: ``shape`` with None for an unknown size (``?``), and the element type's name."""

    shape: Shape
    dtype: str

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every size is known."""
        return None not in self.shape

    @property
    def num_elements(self) -> int:
        """Product of the sizes. Raises ValueError where one is unknown."""
        n = 1
        for size in self.shape:
            if size is None:
                raise ValueError(f"{self} has an unknown size")
            n *= size
        return n

    def to_mlir(self) -> Any:
        """The ``RankedTensorType`` in the current context."""
        shape = [_DYNAMIC if size is None else size for size in self.shape]
        return ir.RankedTensorType.get(shape, element_type(self.dtype))

    def __str__(self) -> str:
        return f"tensor<{''.join('?x' if s is None else f'{s}x' for s in self.shape)}{self.dtype}>"


def element_type(dtype: str) -> Any:
    """The MLIR element type called ``dtype`` in the current context. Raises InvalidModelError if there is none."""
    get = _ELEMENT_TYPES.get(dtype)
    if get is None:
        raise InvalidModelError(f"'{dtype}' is no element type of nn", notes=(f"element types: {', '.join(DTYPES)}",))
    return get()


def dtype_of_element(element: Any) -> str:
    """The name of an MLIR element type. Raises InvalidModelError where nn has no such type."""
    name = _FLOAT_CLASSES.get(type(element))
    if name is not None:
        return name
    if isinstance(element, ir.IntegerType):
        width = element.width
        if element.is_signless:
            name = "i1" if width == 1 else None
        else:
            name = f"{'si' if element.is_signed else 'ui'}{width}"
        if name in DTYPES:
            return name
    raise InvalidModelError(f"nn has no element type {element}", notes=(f"element types: {', '.join(DTYPES)}",))


def tensor_type(type_or_value: Any) -> TensorType:
    """The `TensorType` of an MLIR type or value. Raises InvalidModelError for what nn does not have."""
    mlir_type = type_or_value if isinstance(type_or_value, ir.Type) else type_or_value.type
    if not isinstance(mlir_type, ir.RankedTensorType):
        raise InvalidModelError(f"expected a ranked tensor, got {mlir_type}")
    shape = tuple([None if size == _DYNAMIC else size for size in mlir_type.shape])
    return TensorType(shape, dtype_of_element(mlir_type.element_type))


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy (or ml_dtypes) dtype that holds elements of ``dtype``."""
    return DTYPES[dtype]


def dtype_of_array(array: np.ndarray[Any, Any]) -> str:
    """The element type's name of an array. Raises InvalidModelError where nn has none for its dtype."""
    name = _NAMES.get(array.dtype)
    if name is None:
        raise InvalidModelError(f"nn has no element type for numpy dtype '{array.dtype}'")
    return name


def is_float(dtype: str) -> bool:
    """Whether ``dtype`` is a floating-point type."""
    return dtype in FLOATS


def is_integer(dtype: str) -> bool:
    """Whether ``dtype`` is an integer type (``i1`` is not)."""
    return dtype in INTEGERS


def dims_agree(a: Dim, b: Dim) -> bool:
    """Whether two sizes can be equal: unknown agrees with everything."""
    return a is None or b is None or a == b


def shapes_agree(a: Shape, b: Shape) -> bool:
    """Whether two shapes have one rank and sizes that can be equal."""
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def merge_shapes(shapes: list[Shape]) -> Shape:
    """Equal shapes made one: a size is known where any of them knows it. The caller has checked that they agree."""
    first = shapes[0]
    if None not in first:
        return first
    return tuple(next((s for s in sizes if s is not None), None) for sizes in zip(*shapes, strict=True))
