"""`nn`: every op through its reference function; weights from the store; fusions as their body."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import InvalidModelError
from accelc.dialects import nn
from accelc.dialects.interpreter import Call, Code, evaluator


@evaluator("nn.")
def nn_op(op: Any, code: Code) -> Call:
    """Any op that has a reference function."""
    name = op.name.removeprefix("nn.")
    attrs = nn.attrs(op)
    types = [nn.tensor_type(v) for v in op.results]
    single = len(types) == 1

    def call(*operands: Any) -> Any:
        results = nn.evaluate(name, operands, attrs, types)
        return results[0] if single else results

    return call


@evaluator("nn.weight")
def weight(op: Any, code: Code) -> Call:
    """The store's array; it must be of the declared type."""
    attrs = nn.attrs(op)
    ref, store = attrs["ref"], code.session.store
    declared = nn.tensor_type(op.results[0])

    def call() -> Any:
        array = store.array(ref)
        if array.shape != declared.shape or array.dtype != nn.numpy_dtype(declared.dtype):
            raise InvalidModelError(f"the constant '{ref}' is {array.dtype}{list(array.shape)}, declared {declared}")
        return array

    return call


@evaluator("nn.fusion")
def fusion(op: Any, code: Code) -> Call:
    """Its body."""
    body = code.region(op)
    if len(op.results) == 1:
        return lambda *operands: body(*operands)[0]
    return body
