"""Making ops: ``build.<op>(*operands, **attributes)`` at the current insertion point and location.

Result types are inferred; what an op class takes from its result type is given as a keyword (``shape`` with None for an
unknown size, ``dtype``). Every maker raises InvalidModelError, naming the node at the current location, where operands
or attributes do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import InvalidModelError
from accelc.dialects.nn.op import call_infer, check_arity, normalize_attrs, op_class
from accelc.dialects.nn.ops.checks import shape_text
from accelc.dialects.nn.types import Shape, TensorType, is_float, numpy_dtype, tensor_type
from accelc.mlir import ir


def make(name: str, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    """Makes the op called ``name`` (without ``nn.``); returns its result, or a list where the op has several."""
    cls = op_class(name)
    try:
        values = normalize_attrs(cls, attributes)
        types = [tensor_type(v.type) for v in operands]
        check_arity(cls, len(types))
        results = call_infer(cls, types, values)
    except InvalidModelError as error:
        message = error.message if error.message.startswith("nn.") else f"nn.{name} {error.message}"
        raise InvalidModelError(message, node=error.node or current_node(), notes=error.notes) from None
    encoded = {key: kind.encode(values[key]) for key, kind in cls.attribute_kinds.items()}
    return_types = [t.to_mlir() for t in results]
    encoded.update(cls.segments([v.type for v in operands], return_types))
    op = ir.Operation.create(f"nn.{name}", results=return_types, operands=operands, attributes=encoded)
    return op.results[0] if cls.num_results == 1 else list(op.results)


def current_node() -> str | None:
    """The name of the current location, or ``file:line``; None where there is none."""
    try:
        location = ir.Location.current
    except ValueError:
        return None
    return node_of(location)


def node_of(location: Any) -> str | None:
    """A location's name, or what it prints as; None for an unknown location."""
    if location is None or str(location) == "loc(unknown)":
        return None
    if isinstance(location, ir.NameLoc):
        return str(location.name_str)
    return str(location)[4:-1].replace('"', "")


def fusion(operands: Sequence[Any], body: Callable[..., Sequence[Any]]) -> list[Any]:
    """A fusion whose body is made by ``body(*block_arguments)``, which returns what is yielded."""
    scratch = ir.Operation.create("nn.fusion", operands=list(operands), regions=1)
    block = scratch.regions[0].blocks.append(*[v.type for v in operands])
    with ir.InsertionPoint(block):
        yielded = list(body(*block.arguments))
        yield_(*yielded)
    # Result types are known only now, and an op's results are fixed when it is made.
    types = [v.type for v in yielded]
    segments = op_class("fusion").segments([v.type for v in operands], types)
    op = ir.Operation.create("nn.fusion", results=types, operands=list(operands), attributes=segments, regions=1)
    block.append_to(op.regions[0])
    scratch.erase()
    return list(op.results)


def yield_(*values: Any) -> None:
    """Ends the body of a fusion."""
    segments = op_class("yield").segments([v.type for v in values], [])
    ir.Operation.create("nn.yield", operands=list(values), attributes=segments)


def constant(value: Any, dtype: str | None = None) -> Any:
    """A small constant (at most 64 elements) from an array, or from Python numbers with ``dtype``."""
    array = np.asarray(value)
    if dtype is not None:
        array = array.astype(numpy_dtype(dtype))
    return make("constant", (), {"value": array})


def scalar_like(x: Any, value: float | bool) -> Any:
    """A rank-0 constant of x's element type. Raises InvalidModelError where the type cannot hold ``value``."""
    dtype = tensor_type(x).dtype
    if not is_float(dtype):
        held = np.asarray(value).astype(numpy_dtype(dtype))
        if held != value:
            raise InvalidModelError(f"{value} does not fit the element type {dtype}", node=current_node())
    return constant(value, dtype)


def weight(ref: str, type: TensorType) -> Any:  # noqa: A002
    """The constant that the store calls ``ref``, of the static ``type``."""
    return make("weight", (), {"ref": ref, "shape": type.shape, "dtype": type.dtype})


def full_like(x: Any, value: float | bool) -> Any:
    """``value`` in x's element type, repeated to x's shape."""
    return broadcast_like(scalar_like(x, value), x)


def broadcast_like(x: Any, like: Any) -> Any:
    """x repeated to the shape of the value ``like``, as numpy would."""
    return _broadcast(x, tensor_type(like).shape, lambda: make("shape_of", (like,), {}))


def broadcast_to(x: Any, shape: Sequence[int | None], sizes: Any = None) -> Any:
    """x repeated to ``shape`` as numpy would (trailing dimensions match); x itself where nothing changes.

    sizes: a value (si64, one element a dimension) for the sizes that are None in ``shape`` and that x does not say.
    Raises InvalidModelError where the shapes do not fit.
    """
    return _broadcast(x, tuple(shape), lambda: sizes)


def _broadcast(x: Any, shape: Shape, sizes: Callable[[], Any]) -> Any:
    have = tensor_type(x)
    if have.shape == shape:
        return x
    first = len(shape) - have.rank
    if first < 0 or any(
        s not in (1, None, t) and t is not None for s, t in zip(have.shape, shape[first:], strict=True)
    ):
        raise InvalidModelError(f"cannot broadcast {have} to {shape_text(shape)}", node=current_node())
    dims = tuple(range(first, len(shape)))
    said = {first + i for i, s in enumerate(have.shape) if s != 1}
    operands = [x]
    if any(s is None and i not in said for i, s in enumerate(shape)):
        given = sizes()
        operands += [] if given is None else [given]
    return make("broadcast", operands, {"dims": dims, "shape": shape})


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that numpy would broadcast to. Unknown sizes are taken to be equal to each other and to sizes over 1.

    Raises InvalidModelError where the shapes do not fit.
    """
    rank = max((len(s) for s in shapes), default=0)
    result: list[int | None] = []
    for i in range(rank):
        column = [s[i - rank + len(s)] for s in shapes if i - rank + len(s) >= 0]
        known = sorted({s for s in column if s is not None and s != 1})
        if len(known) > 1:
            text = " and ".join(shape_text(s) for s in shapes)
            raise InvalidModelError(f"cannot broadcast {text} together", node=current_node())
        result.append(known[0] if known else None if None in column else 1)
    return tuple(result)


def broadcast_together(*values: Any) -> list[Any]:
    """The values repeated to one shape, as numpy would (see `broadcast_shapes`)."""
    types = [tensor_type(v) for v in values]
    shape = types[0].shape
    if all(t.shape == shape for t in types):
        return list(values)
    shape = broadcast_shapes(*[t.shape for t in types])
    whole = next((v for v, t in zip(values, types, strict=True) if t.shape == shape), None)
    return [_broadcast(v, shape, lambda: _sizes(values, types, shape, whole)) for v in values]


def _sizes(values: Sequence[Any], types: Sequence[TensorType], shape: Shape, whole: Any) -> Any:
    """The sizes of a broadcast shape as a value: of the operand that has them all, else one by one."""
    if whole is not None:
        return make("shape_of", (whole,), {})
    parts = []
    for i, size in enumerate(shape):
        if size is not None:
            parts.append(constant([size], "si64"))
            continue
        for v, t in zip(values, types, strict=True):
            axis = i - len(shape) + t.rank
            if axis >= 0 and t.shape[axis] is None:
                parts.append(make("reshape", (make("dim", (v,), {"axis": axis}),), {"shape": (1,)}))
                break
    return make("concat", parts, {"axis": 0})


def _maker(name: str) -> Callable[..., Any]:
    def build(*operands: Any, **attributes: Any) -> Any:
        return make(name, operands, attributes)

    build.__name__ = name
    build.__doc__ = op_class(name).__doc__
    return build


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        maker = _maker(name)
    except InvalidModelError as error:
        raise AttributeError(error.message) from None
    return globals().setdefault(name, maker)  # type: ignore[no-any-return]
