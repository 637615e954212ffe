"""ONNX element types and tensors as numpy arrays; nothing is copied that need not be."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import onnx

from accelc.core.diagnostics import InvalidModelError, UnsupportedError
from accelc.core.store import Array

_T = onnx.TensorProto

# ONNX element type -> its name in nn.
NN_DTYPES: dict[int, str] = {
    _T.FLOAT: "f32",
    _T.UINT8: "ui8",
    _T.INT8: "si8",
    _T.UINT16: "ui16",
    _T.INT16: "si16",
    _T.INT32: "si32",
    _T.INT64: "si64",
    _T.BOOL: "i1",
    _T.FLOAT16: "f16",
    _T.DOUBLE: "f64",
    _T.UINT32: "ui32",
    _T.UINT64: "ui64",
    _T.BFLOAT16: "bf16",
    _T.FLOAT8E4M3FN: "f8E4M3FN",
    _T.FLOAT8E5M2: "f8E5M2",
    _T.FLOAT4E2M1: "f4E2M1FN",
    _T.INT4: "si4",
    _T.UINT4: "ui4",
}

_NUMPY: dict[int, np.dtype[Any]] = {
    code: np.dtype(scalar)
    for code, scalar in {
        _T.FLOAT: np.float32,
        _T.UINT8: np.uint8,
        _T.INT8: np.int8,
        _T.UINT16: np.uint16,
        _T.INT16: np.int16,
        _T.INT32: np.int32,
        _T.INT64: np.int64,
        _T.BOOL: np.bool_,
        _T.FLOAT16: np.float16,
        _T.DOUBLE: np.float64,
        _T.UINT32: np.uint32,
        _T.UINT64: np.uint64,
        _T.BFLOAT16: ml_dtypes.bfloat16,
        _T.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn,
        _T.FLOAT8E5M2: ml_dtypes.float8_e5m2,
        _T.FLOAT4E2M1: ml_dtypes.float4_e2m1fn,
        _T.INT4: ml_dtypes.int4,
        _T.UINT4: ml_dtypes.uint4,
    }.items()
}
_PACKED = {_T.FLOAT4E2M1, _T.INT4, _T.UINT4}


def type_name(code: int) -> str:
    """ONNX's name of an element type, also of codes that this onnx does not know."""
    return str(_T.DataType.Name(code)) if code in _T.DataType.values() else f"type {code}"


def nn_dtype(code: int, what: str) -> str:
    """The nn element type of an ONNX one. Raises UnsupportedError, naming ``what``, where nn has none."""
    try:
        return NN_DTYPES[code]
    except KeyError:
        raise UnsupportedError(
            f"{what} has the element type {type_name(code)}",
            notes=(f"supported: {', '.join(type_name(c) for c in NN_DTYPES)}",),
        ) from None


def tensor_bytes(code: int, shape: tuple[int, ...]) -> int:
    """Bytes that the raw data of a tensor takes."""
    count = math.prod(shape)
    return (count + 1) // 2 if code in _PACKED else count * _NUMPY[code].itemsize


def from_raw(code: int, shape: tuple[int, ...], raw: Any, what: str) -> Array:
    """An array over a buffer of little-endian raw data (a copy only of 4-bit types and bools, which are unpacked).

    Raises InvalidModelError, naming ``what``, where the size is not what type and shape say.
    """
    nn_dtype(code, what)
    need = tensor_bytes(code, shape)
    if len(raw) != need:
        raise InvalidModelError(f"{what} has {len(raw)} bytes of data; {type_name(code)}{list(shape)} takes {need}")
    dtype = _NUMPY[code]
    if code in _PACKED:
        packed = np.frombuffer(raw, np.uint8)
        nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[: math.prod(shape)]
        return _from_bits(nibbles, code).reshape(shape)
    if code == _T.BOOL:
        return np.not_equal(np.frombuffer(raw, np.uint8), 0).reshape(shape)
    return np.frombuffer(raw, dtype).reshape(shape)


def _from_bits(nibbles: Array, code: int) -> Array:
    if code == _T.INT4:
        return ((nibbles.astype(np.int8) ^ 8) - 8).astype(_NUMPY[code])
    if code == _T.UINT4:
        return nibbles.astype(_NUMPY[code])
    return nibbles.astype(np.uint8).view(_NUMPY[code])


def to_array(tensor: onnx.TensorProto, what: str | None = None) -> Array:
    """The array of a ``TensorProto`` that holds its own data (raw or in typed fields).

    Raises InvalidModelError or UnsupportedError naming the tensor.
    """
    what = what or f"tensor '{tensor.name}'"
    code = int(tensor.data_type)
    nn_dtype(code, what)
    shape = tuple(int(d) for d in tensor.dims)
    if any(d < 0 for d in shape):
        raise InvalidModelError(f"{what} has the negative size {list(shape)}")
    if tensor.HasField("raw_data"):
        return from_raw(code, shape, tensor.raw_data, what)
    count = math.prod(shape)
    dtype = _NUMPY[code]
    values, stored = _typed_field(tensor, code)
    need = (count + 1) // 2 if code in _PACKED else count
    if len(values) != need:
        raise InvalidModelError(
            f"{what} has {len(values)} elements of data; {type_name(code)}{list(shape)} takes {need}"
        )
    flat = np.array(values, stored)
    if code in _PACKED:
        return from_raw(code, shape, flat.astype(np.uint8).tobytes(), what)
    # 8- and 16-bit floats are stored as their bits in int32_data.
    bits_only = code in (_T.FLOAT16, _T.BFLOAT16, _T.FLOAT8E4M3FN, _T.FLOAT8E5M2)
    flat = flat.astype(f"u{dtype.itemsize}").view(dtype) if bits_only else flat.astype(dtype)
    return flat.reshape(shape)


def _typed_field(tensor: onnx.TensorProto, code: int) -> tuple[Any, Any]:
    if code == _T.FLOAT:
        return tensor.float_data, np.float32
    if code == _T.DOUBLE:
        return tensor.double_data, np.float64
    if code == _T.INT64:
        return tensor.int64_data, np.int64
    if code in (_T.UINT32, _T.UINT64):
        return tensor.uint64_data, np.uint64
    return tensor.int32_data, np.int64


def from_sparse(tensor: onnx.SparseTensorProto) -> Array:
    """The dense array of a sparse tensor. Raises InvalidModelError where its indices do not fit."""
    name = tensor.values.name
    values = to_array(tensor.values)
    indices = to_array(tensor.indices, f"the indices of sparse tensor '{name}'")
    shape = tuple(int(d) for d in tensor.dims)
    if indices.ndim == 2:
        indices = np.array([int(np.ravel_multi_index(tuple(i), shape, mode="wrap")) for i in indices], np.int64)
    dense = np.zeros(math.prod(shape), values.dtype)
    if len(indices) != len(values) or (len(indices) and not 0 <= indices.min() <= indices.max() < dense.size):
        raise InvalidModelError(f"sparse tensor '{name}' has indices that do not fit its values or shape {list(shape)}")
    dense[indices] = values
    return dense.reshape(shape)
