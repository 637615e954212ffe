"""What a number format costs a model: the same graph in numpy, stored in that format, beside float64.

This is the yardstick for targets that do not compute in f32 (see `accelc.tolerance`): it knows nothing of fusion,
tiling or any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from accelc.core.plan import DTYPES
from accelc.core.store import Store
from accelc.tolerance import CEILING, FACTOR, relative_l2

Array = np.ndarray[Any, Any]
_WIDE = np.dtype(np.float64)


def storage_bounds(module: Any, store: Store, inputs: Mapping[str, Array], storage: str) -> dict[str, float]:
    """The relative L2 error that each output may have on a target that stores values as ``storage``.

    Args:
        module: a module at the `nn` stage, with static shapes.
        inputs: arrays by input name.

    Returns:
        by output name: `FACTOR` times the error of the reference, at most `CEILING`.
    """
    narrow = evaluate(module, store, inputs, _stored_as(DTYPES[storage]))
    wide = evaluate(module, store, inputs, _float64)
    return {name: min(CEILING, FACTOR * relative_l2(narrow[name], wide[name])) for name in wide}


def float64_outputs(module: Any, store: Store, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of an `nn` module computed in float64 throughout, by name."""
    return evaluate(module, store, inputs, _float64)


def evaluate(
    module: Any, store: Store, inputs: Mapping[str, Array], policy: Callable[[Array], Array]
) -> dict[str, Array]:
    """Runs an `nn` module op by op; ``policy`` is applied to every value (inputs, weights, results) of floating type.

    The policy's dtype is the one that each op computes and returns.
    """
    from accelc.passes.graph import body_of, main_function

    computed = {"float64": "f64", "float32": "f32"}[policy(np.zeros((), np.float32)).dtype.name]
    main = main_function(module.operation)
    values: dict[Any, Array] = {}
    names = _names(main, "arg_attrs", "input", len(list(body_of(main).arguments)))
    for argument, name in zip(body_of(main).arguments, names, strict=True):
        values[argument] = _apply(policy, inputs[name])
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
            values[value] = _apply(policy, array)
    raise AssertionError("a function without a return")


def _evaluate(operation: Any, arrays: list[Array], computed: str) -> list[Array]:
    """One op, with the floating type ``computed`` in the place of every floating type that it names.

    A constant keeps its own: its attribute holds the values, and the policy is applied to them afterwards.
    """
    from accelc.dialects import nn

    name, attrs = operation.name.removeprefix("nn."), nn.attrs(operation)
    types = [nn.tensor_type(v.type) for v in operation.results]
    if name != "constant":
        types = [nn.TensorType(t.shape, computed) if nn.is_float(t.dtype) else t for t in types]
        if "dtype" in attrs and nn.is_float(attrs["dtype"]):
            attrs = {**attrs, "dtype": computed}
    results: list[Array] = nn.evaluate(name, arrays, attrs, types)
    return results


def _apply(policy: Callable[[Array], Array], array: Array) -> Array:
    floating = array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float"))
    return policy(array) if floating else array


def _float64(array: Array) -> Array:
    return array.astype(_WIDE)


def _stored_as(dtype: np.dtype[Any]) -> Callable[[Array], Array]:
    def rounded(array: Array) -> Array:
        return array.astype(np.float32).astype(dtype).astype(np.float32)

    return rounded


def _names(main: Any, attribute: str, kind: str, count: int) -> list[str]:
    attributes = main.operation.attributes
    if attribute not in attributes:
        return [f"{kind}{i}" for i in range(count)]
    return [a["nn.name"].value if "nn.name" in a else f"{kind}{i}" for i, a in enumerate(attributes[attribute])]
