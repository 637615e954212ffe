"""What a number format costs a model: the same graph in numpy, stored in that format, beside float64.

This is the yardstick for targets that do not compute in f32, and for models that name narrower formats themselves (see
`accelc.tolerance`): it knows nothing of fusion, tiling or any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from accelc.core.plan import DTYPES
from accelc.core.store import Store
from accelc.dialects import nn
from accelc.tolerance import CEILING, F32_BOUND, FACTOR, relative_l2

Array = np.ndarray[Any, Any]
# Applied to a value and the element type that the model gives it.
Policy = Callable[[Array, str], Array]
_WIDE = np.dtype(np.float64)


def storage_bounds(module: Any, store: Store, inputs: Mapping[str, Array], storage: str) -> dict[str, float]:
    """The relative L2 error that each output may have on a target that stores values as ``storage``.

    Args:
        module: a module at the `nn` stage, with static shapes.
        inputs: arrays by input name.

    Returns:
        by output name: `FACTOR` times the error of the reference, at most `CEILING`; and at least as much for one
        rounding, for in an output of few elements the reference's errors may cancel by luck.
    """
    narrow = evaluate(module, store, inputs, _stored_as(DTYPES[storage]))
    wide = evaluate(module, store, inputs, _float64)
    least = [_rounding(storage) if nn.is_float(dtype) else 0.0 for dtype in _output_types(module)]
    return _bounds(narrow, wide, least)


def own_bounds(module: Any, store: Store, inputs: Mapping[str, Array]) -> dict[str, float]:
    """The relative L2 error that the formats which a model names itself (f16, bf16, f8E4M3FN) allow its outputs.

    Args:
        module: a module at the `nn` stage, with static shapes.
        inputs: arrays by input name.

    Returns:
        by output name: `FACTOR` times what rounding each value to its own type changes in float64, at least
        `F32_BOUND` and a rounding of the output, and at most `CEILING`. An empty dict where the model names no such
        format.
    """
    if not any(nn.is_float(t) and t not in ("f32", "f64") for t in _element_types(module)):
        return {}
    narrow = evaluate(module, store, inputs, _as_its_own)
    wide = evaluate(module, store, inputs, _float64)
    least = [max(F32_BOUND / FACTOR, _rounding(t) if nn.is_float(t) else 0.0) for t in _output_types(module)]
    return _bounds(narrow, wide, least)


def float64_outputs(module: Any, store: Store, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of an `nn` module computed in float64 throughout, by name."""
    return evaluate(module, store, inputs, _float64)


def evaluate(module: Any, store: Store, inputs: Mapping[str, Array], policy: Policy) -> dict[str, Array]:
    """Runs an `nn` module op by op; ``policy`` is applied to every value (inputs, weights, results) of floating type.

    The policy's dtype is the one that each op computes and returns.
    """
    from accelc.passes.graph import body_of, main_function

    computed = {"float64": "f64", "float32": "f32"}[policy(np.zeros((), np.float32), "f32").dtype.name]
    main = main_function(module.operation)
    values: dict[Any, Array] = {}
    names = _names(main, "arg_attrs", "input", len(list(body_of(main).arguments)))
    for argument, name in zip(body_of(main).arguments, names, strict=True):
        values[argument] = _apply(policy, argument, inputs[name])
    for op in body_of(main).operations:
        operation = op.operation
        if operation.name == "func.return":
            outputs = [values[v] for v in operation.operands]
            return dict(zip(_names(main, "res_attrs", "output", len(outputs)), outputs, strict=True))
        if operation.name == "nn.weight":
            results = [store.array(op.ref)]
        else:
            arrays = [values[v] for v in operation.operands]
            results = _evaluate(operation, arrays, computed)
        for value, array in zip(operation.results, results, strict=True):
            values[value] = _apply(policy, value, array)
    raise AssertionError("a function without a return")


def _evaluate(operation: Any, arrays: list[Array], computed: str) -> list[Array]:
    """One op, with the floating type ``computed`` in the place of every floating type that it names.

    A constant keeps its own: its attribute holds the values, and the policy is applied to them afterwards.
    """
    name, attrs = operation.name.removeprefix("nn."), nn.attrs(operation)
    types = [nn.tensor_type(v.type) for v in operation.results]
    if name != "constant":
        types = [nn.TensorType(t.shape, computed) if nn.is_float(t.dtype) else t for t in types]
        if "dtype" in attrs and nn.is_float(attrs["dtype"]):
            attrs = {**attrs, "dtype": computed}
    results: list[Array] = nn.evaluate(name, arrays, attrs, types)
    return results


def _bounds(narrow: Mapping[str, Array], wide: Mapping[str, Array], least: list[float]) -> dict[str, float]:
    errors = {name: relative_l2(narrow[name], wide[name]) for name in wide}
    return {
        name: min(CEILING, FACTOR * max(error, floor))
        for (name, error), floor in zip(errors.items(), least, strict=True)
    }


def _rounding(dtype: str) -> float:
    return float(ml_dtypes.finfo(nn.numpy_dtype(dtype)).eps) / 2


def _apply(policy: Policy, value: Any, array: Array) -> Array:
    floating = array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float"))
    return policy(array, nn.tensor_type(value.type).dtype) if floating else array


def _float64(array: Array, dtype: str) -> Array:
    return array.astype(_WIDE)


def _as_its_own(array: Array, dtype: str) -> Array:
    return array.astype(nn.numpy_dtype(dtype)).astype(_WIDE)


def _stored_as(storage: np.dtype[Any]) -> Policy:
    def rounded(array: Array, dtype: str) -> Array:
        return array.astype(np.float32).astype(storage).astype(np.float32)

    return rounded


def _element_types(module: Any) -> set[str]:
    body = _body(module)
    values = [*body.arguments, *(v for op in body.operations for v in op.operation.results)]
    return {nn.tensor_type(v.type).dtype for v in values}


def _output_types(module: Any) -> list[str]:
    *_, returned = _body(module).operations
    return [nn.tensor_type(v.type).dtype for v in returned.operation.operands]


def _body(module: Any) -> Any:
    from accelc.passes.graph import body_of, main_function

    return body_of(main_function(module.operation))


def _names(main: Any, attribute: str, kind: str, count: int) -> list[str]:
    attributes = main.operation.attributes
    if attribute not in attributes:
        return [f"{kind}{i}" for i in range(count)]
    return [a["nn.name"].value if "nn.name" in a else f"{kind}{i}" for i, a in enumerate(attributes[attribute])]
