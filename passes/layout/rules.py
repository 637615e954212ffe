"""How each op works on permuted values. A rule gives False where it cannot; then its operands are made plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelc.dialects import nn
from accelc.passes.graph import name_of
from accelc.passes.layout.propagate import Lazy, Perm, channels_last, inverse
from accelc.passes.layout.regroup import regroup

Value = Any
Rule = Callable[[Lazy, Any], bool]

SPATIAL = frozenset({"conv", "pool", "resize", "lrn", "batch_norm"})


def spatial(lazy: Lazy, op: Any, name: str) -> bool:
    """Convolutions, pools, resampling and normalization, channels last."""
    attrs = nn.attrs(op)
    operands = list(op.operation.operands)
    rank = len(operands[0].type.shape)
    if rank < 3 or attrs.get("layout", "nchw") != "nchw":
        return False
    if name == "batch_norm" and (attrs["axis"] != 1 or lazy.order_of(operands[0]) is None):
        return False
    if name == "resize" and lazy.order_of(operands[0]) is None:
        return False
    order = channels_last(rank)
    x = lazy.ordered(operands[0], order)
    rest = operands[1:]
    if name == "conv":
        attrs["layout"] = "nhwc"
        rest = [lazy.ordered(rest[0], (*range(2, rank), 1, 0))]
    elif name == "batch_norm":
        attrs["axis"] = rank - 1
        rest = [lazy.plain(v) for v in rest]
    elif name == "resize":
        _permute_resize(attrs, order)
    else:
        attrs["layout"] = "nhwc"
    lazy.define(op, nn.build.make(name, [x, *rest], attrs), order)
    return True


def _permute_resize(attrs: dict[str, Any], order: Perm) -> None:
    rank = len(order)
    for key in ("scales", "shape"):
        attrs[key] = tuple(attrs[key][o] for o in order)
    roi = attrs["roi"]
    if roi:
        attrs["roi"] = (*(roi[o] for o in order), *(roi[rank + o] for o in order))


def _first_order(lazy: Lazy, op: Any) -> Perm | None:
    """The order of the first lazy operand."""
    for value in op.operation.operands:
        order = lazy.order_of(value)
        if order is not None:
            return order
    return None


def elementwise(lazy: Lazy, op: Any) -> bool:
    """All operands in the order of the first lazy one."""
    order = _first_order(lazy, op)
    if order is None:
        return False
    operands = [lazy.ordered(v, order) for v in op.operation.operands]
    lazy.define(op, nn.build.make(name_of(op), operands, _with_shape(op, order)), order)
    return True


def _with_shape(op: Any, order: Perm) -> dict[str, Any]:
    attrs = nn.attrs(op)
    if "shape" in attrs:
        attrs["shape"] = tuple(attrs["shape"][o] for o in order)
    return attrs


def transpose(lazy: Lazy, op: Any) -> bool:
    """Only noted."""
    value = op.operation.operands[0]
    perm = nn.attrs(op)["perm"]
    base, first = lazy.base.get(value, (value, tuple(range(len(perm)))))
    lazy.define(op, base, inverse(tuple(first[p] for p in perm)))
    return True


def _per_dimension(*keys: str) -> Rule:
    """Ops whose attributes have an entry for each dimension, which are permuted."""

    def rule(lazy: Lazy, op: Any) -> bool:
        value, *rest = op.operation.operands
        order = lazy.order_of(value)
        if order is None:
            return False
        attrs = nn.attrs(op)
        for key in keys:
            attrs[key] = tuple(attrs[key][o] for o in order)
        lazy.define(op, nn.build.make(name_of(op), [lazy.ordered(value, order), *rest], attrs), order)
        return True

    return rule


def along_axis(lazy: Lazy, op: Any) -> bool:
    """Ops along one axis (concat, softmax, cumsum): all operands in one order, the axis renamed."""
    order = _first_order(lazy, op)
    if order is None:
        return False
    attrs = nn.attrs(op)
    attrs["axis"] = order.index(attrs["axis"])
    operands = [lazy.ordered(v, order) for v in op.operation.operands]
    lazy.define(op, nn.build.make(name_of(op), operands, attrs), order)
    return True


def reduce(lazy: Lazy, op: Any) -> bool:
    """The axes renamed; what is left keeps its order."""
    value = op.operation.operands[0]
    order = lazy.order_of(value)
    if order is None:
        return False
    attrs = nn.attrs(op)
    axes = set(attrs["axes"])
    attrs["axes"] = tuple(sorted(order.index(a) for a in axes))
    kept = sorted(d for d in order if d not in axes)
    new_order = tuple(kept.index(d) for d in order if d not in axes)
    lazy.define(op, nn.build.make("reduce", [lazy.ordered(value, order)], attrs), new_order)
    return True


def norm(lazy: Lazy, op: Any) -> bool:
    """Norms over trailing axes, where those lie last in their order."""
    value, *rest = op.operation.operands
    order = lazy.order_of(value)
    axis = nn.attrs(op)["axis"]
    if order is None or order[axis:] != tuple(range(axis, len(order))):
        return False
    parameters = [lazy.plain(v) for v in rest]
    lazy.define(op, nn.build.make(name_of(op), [lazy.ordered(value, order), *parameters], nn.attrs(op)), order)
    return True


def contract(lazy: Lazy, op: Any) -> bool:
    """Permuted operands permute their letters."""
    operands = list(op.operation.operands)
    if all(lazy.order_of(v) is None for v in operands):
        return False
    attrs = nn.attrs(op)
    sides, out = attrs["spec"].split("->")
    letters = sides.split(",")
    for i, value in enumerate(operands):
        order = lazy.order_of(value)
        if order is not None:
            letters[i] = "".join(letters[i][o] for o in order)
            operands[i] = lazy.ordered(value, order)
    attrs["spec"] = f"{letters[0]},{letters[1]}->{out}"
    lazy.define(op, nn.build.make("contract", operands, attrs), tuple(range(len(out))))
    return True


def reshape(lazy: Lazy, op: Any) -> bool:
    """Splits and merges of neighbours follow the order; others are moved together first."""
    value = op.operation.operands[0]
    order = lazy.order_of(value)
    if order is None:
        return False
    result = op.operation.results[0]
    before, after, new_order = regroup(tuple(value.type.shape), tuple(result.type.shape), order)
    base = lazy.ordered(value, before)
    lazy.define(op, nn.build.reshape(base, shape=after), new_order)
    return True


RULES: dict[str, Rule] = {
    "transpose": transpose,
    "reshape": reshape,
    "concat": along_axis,
    "softmax": along_axis,
    "log_softmax": along_axis,
    "cumsum": along_axis,
    "slice": _per_dimension("starts", "sizes", "strides"),
    "pad": _per_dimension("low", "high"),
    "pad_mode": _per_dimension("low", "high"),
    "reduce": reduce,
    "layer_norm": norm,
    "rms_norm": norm,
    "contract": contract,
}
