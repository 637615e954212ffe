"""The kinds of fields an op class may declare, and how attributes map between Python and MLIR.

Attribute kinds derive from ``ir.Attribute`` with the name of the builtin attribute that encodes them, because that is
what the bindings ask of a field's type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import InvalidModelError
from accelc.dialects.nn.types import TensorType, dtype_of_array, numpy_dtype, tensor_type
from accelc.mlir import ir


class Tensor:
    """Operand: one tensor."""


class Tensors:
    """Operand: any number of tensors; the last operand field of its op."""


class OptionalTensor:
    """Operand: a tensor that may be left out; the last operand field of its op."""


class Out:
    """Result: one tensor."""


class Outs:
    """Result: any number of tensors."""


class Body:
    """A region of one block."""


class AttributeKind(ir.Attribute):
    """Base of the attribute kinds: `normalize` checks a Python value, `encode` and `decode` map it to MLIR and back."""

    expects = ""

    @staticmethod
    def normalize(value: Any) -> Any:
        """The canonical Python value. Raises TypeError, ValueError or OverflowError where ``value`` does not fit."""
        raise NotImplementedError

    @staticmethod
    def encode(value: Any) -> Any:
        """The MLIR attribute of a normalized value."""
        raise NotImplementedError

    @staticmethod
    def decode(attr: Any) -> Any:
        """The Python value of an MLIR attribute. Raises TypeError where the encoding is another."""
        raise NotImplementedError


def _int(value: Any) -> int:
    if isinstance(value, bool | np.bool_):
        raise TypeError("a bool is no integer")
    result = value.__index__()
    if not -(2**63) <= result < 2**63:
        raise OverflowError("does not fit 64 bits")
    return int(result)


def _expect(attr: Any, cls: Any) -> Any:
    if type(attr) is not cls:
        raise TypeError(str(attr))
    return attr


class Int(AttributeKind):
    """An integer: i64 ``IntegerAttr``."""

    attr_name = "builtin.integer"
    expects = "an integer (i64)"

    normalize = staticmethod(_int)

    @staticmethod
    def encode(value: int) -> Any:
        """As documented in the class."""
        return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)

    @staticmethod
    def decode(attr: Any) -> int:
        """As documented in the class."""
        _expect(attr, ir.IntegerAttr)
        if not isinstance(attr.type, ir.IntegerType) or attr.type.width != 64 or not attr.type.is_signless:
            raise TypeError(str(attr))
        return int(attr.value)


class Ints(AttributeKind):
    """A list of integers: ``DenseI64ArrayAttr``; a tuple in Python."""

    attr_name = "builtin.dense_array"
    expects = "a list of integers (array<i64: ...>)"

    @staticmethod
    def normalize(value: Sequence[int]) -> tuple[int, ...]:
        """As documented in the class."""
        return tuple([_int(v) for v in value])

    @staticmethod
    def encode(value: tuple[int, ...]) -> Any:
        """As documented in the class."""
        return ir.DenseI64ArrayAttr.get(value)

    @staticmethod
    def decode(attr: Any) -> tuple[int, ...]:
        """As documented in the class."""
        return tuple(_expect(attr, ir.DenseI64ArrayAttr))


class Float(AttributeKind):
    """A float: f64 ``FloatAttr``."""

    attr_name = "builtin.float"
    expects = "a float (f64)"

    @staticmethod
    def normalize(value: float) -> float:
        """As documented in the class."""
        if isinstance(value, str):
            raise TypeError("a string is no float")
        return float(value)

    @staticmethod
    def encode(value: float) -> Any:
        """As documented in the class."""
        return ir.FloatAttr.get_f64(value)

    @staticmethod
    def decode(attr: Any) -> float:
        """As documented in the class."""
        _expect(attr, ir.FloatAttr)
        if not isinstance(attr.type, ir.F64Type):
            raise TypeError(str(attr))
        return float(attr.value)


class Floats(AttributeKind):
    """A list of floats: ``DenseF64ArrayAttr``; a tuple in Python."""

    attr_name = "builtin.dense_array"
    expects = "a list of floats (array<f64: ...>)"

    @staticmethod
    def normalize(value: Sequence[float]) -> tuple[float, ...]:
        """As documented in the class."""
        if isinstance(value, str):
            raise TypeError("a string is no list of floats")
        return tuple([float(v) for v in value])

    @staticmethod
    def encode(value: tuple[float, ...]) -> Any:
        """As documented in the class."""
        return ir.DenseF64ArrayAttr.get(value)

    @staticmethod
    def decode(attr: Any) -> tuple[float, ...]:
        """As documented in the class."""
        return tuple(_expect(attr, ir.DenseF64ArrayAttr))


class Flag(AttributeKind):
    """A flag: ``BoolAttr``."""

    attr_name = "builtin.integer"
    expects = "true or false"

    @staticmethod
    def normalize(value: bool) -> bool:
        """As documented in the class."""
        if not isinstance(value, bool | np.bool_):
            raise TypeError("not a bool")
        return bool(value)

    @staticmethod
    def encode(value: bool) -> Any:
        """As documented in the class."""
        return ir.BoolAttr.get(value)

    @staticmethod
    def decode(attr: Any) -> bool:
        """As documented in the class."""
        return bool(_expect(attr, ir.BoolAttr).value)


class Str(AttributeKind):
    """A string: ``StringAttr``."""

    attr_name = "builtin.string"
    expects = "a string"

    @staticmethod
    def normalize(value: str) -> str:
        """As documented in the class."""
        if not isinstance(value, str):
            raise TypeError("not a string")
        return value

    @staticmethod
    def encode(value: str) -> Any:
        """As documented in the class."""
        return ir.StringAttr.get(value)

    @staticmethod
    def decode(attr: Any) -> str:
        """As documented in the class."""
        return str(_expect(attr, ir.StringAttr).value)


class Array(AttributeKind):
    """The elements of a small constant: ``DenseElementsAttr`` of a static tensor type; a numpy array in Python."""

    expects = "dense<...> elements"

    @staticmethod
    def normalize(value: Any) -> np.ndarray[Any, Any]:
        """As documented in the class."""
        return np.asarray(value)

    @staticmethod
    def encode(value: np.ndarray[Any, Any]) -> Any:
        """As documented in the class."""
        mlir_type = TensorType(value.shape, dtype_of_array(value)).to_mlir()
        return ir.DenseElementsAttr.get(np.ascontiguousarray(value).reshape(value.shape), type=mlir_type)

    @staticmethod
    def decode(attr: Any) -> np.ndarray[Any, Any]:
        """As documented in the class."""
        if not isinstance(attr, ir.DenseElementsAttr):
            raise TypeError(str(attr))
        declared = tensor_type(attr.type)
        dtype = numpy_dtype(declared.dtype)
        if dtype.kind in "fiub" and dtype.isbuiltin == 1:
            return np.array(attr)
        return _parse_elements(attr, declared)


def _parse_elements(attr: Any, declared: TensorType) -> np.ndarray[Any, Any]:
    """Elements of the types that the bindings do not map to numpy (bf16, fp8, 4-bit), from the printed form."""
    dtype = numpy_dtype(declared.dtype)
    shape = tuple(int(s or 0) for s in declared.shape)
    text = str(attr)
    text = text[text.index("<") + 1 : text.rindex("> : tensor<")]
    if text.startswith('"0x'):
        raise InvalidModelError(f"nn.constant holds at most 64 elements, got {declared}", notes=("use nn.weight",))
    # NaN and infinities print as hexadecimal bits.
    tokens = re.findall(r"[^\[\],\s]+", text)
    uint = np.dtype(f"u{dtype.itemsize}")
    values = [
        np.array(int(t, 16), uint).view(dtype) if t.startswith("0x") else np.array(float(t)).astype(dtype)
        for t in tokens
    ]
    if len(values) == 1:
        return np.full(shape, values[0], dtype)
    return np.array(values, dtype).reshape(shape)
