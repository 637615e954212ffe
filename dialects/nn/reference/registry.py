"""The table of reference functions, and `evaluate`, which calls one and checks what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import InternalError, UnsupportedError
from accelc.dialects.nn.types import TensorType, numpy_dtype, shapes_agree

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

FUNCTIONS: dict[str, Function] = {}


def reference(name: str) -> Callable[[Function], Function]:
    """Registers ``fn(*operands, **attributes)`` as the meaning of the op called ``name``.

    Attributes include what the op takes from its result type (``shape``, ``dtype``).
    """

    def register(fn: Function) -> Function:
        FUNCTIONS[name] = fn
        return fn

    return register


def evaluate(
    name: str, arrays: Sequence[Array], attrs: Mapping[str, Any], result_types: Sequence[TensorType]
) -> list[Array]:
    """Computes one op: ``attrs`` as of `nn.attrs`, ``result_types`` as declared (their ``?`` agree with any size).

    Raises UnsupportedError for an op without a value of its own (``weight``, ``fusion``), UsageError where an index is
    out of range, InternalError where a result is not of its declared type.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise UnsupportedError(f"nn.{name} has no reference function")
    with np.errstate(all="ignore"):
        value = function(*arrays, **attrs)
    results = list(value) if isinstance(value, list | tuple) else [value]
    for result, declared in zip(results, result_types, strict=True):
        if result.dtype != numpy_dtype(declared.dtype) or not shapes_agree(result.shape, declared.shape):
            raise InternalError(f"nn.{name} gave {result.dtype}{list(result.shape)} where {declared} is declared")
    return results
