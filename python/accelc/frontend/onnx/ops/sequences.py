"""Sequences and optionals: they exist during import only, where their length and what they hold is known."""

from __future__ import annotations

from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import nn_dtype
from accelc.frontend.onnx.values import AnyValue, Optional, Sequence, Value


@handler("SequenceEmpty")
def sequence_empty(n: Node) -> Sequence:
    """A sequence of nothing."""
    nn_dtype(n.integer("dtype", 1), "SequenceEmpty")
    return Sequence(())


@handler("SequenceConstruct")
def sequence_construct(n: Node) -> Sequence:
    """A sequence of the inputs."""
    return Sequence(tuple(n.x(i) for i in range(len(n.inputs))))


def _position(n: Node, i: int, length: int, default: int) -> int:
    """A position counted from the front; ``length`` positions are allowed."""
    if not n.has(i):
        return default
    position = n.constant_ints(i, "the position")[0]
    if not -length <= position < length:
        raise n.invalid(f"has position {position} in a sequence of {length}")
    return position % length


@handler("SequenceAt", limits="the position must be constant")
def sequence_at(n: Node) -> AnyValue:
    """One element."""
    items = n.sequence().items
    return items[_position(n, 1, len(items), 0)]


@handler("SequenceInsert", limits="the position must be constant")
def sequence_insert(n: Node) -> Sequence:
    """One element more; at the end by default."""
    items = list(n.sequence().items)
    position = n.constant_ints(2, "the position")[0] if n.has(2) else len(items)
    if not -len(items) <= position <= len(items):
        raise n.invalid(f"has position {position} in a sequence of {len(items)}")
    items.insert(position, n.x(1))
    return Sequence(tuple(items))


@handler("SequenceErase", limits="the position must be constant")
def sequence_erase(n: Node) -> Sequence:
    """One element less; the last by default."""
    items = list(n.sequence().items)
    del items[_position(n, 1, len(items), len(items) - 1)]
    return Sequence(tuple(items))


@handler("SequenceLength")
def sequence_length(n: Node) -> Value:
    """How many elements there are."""
    return n.b.const(len(n.sequence().items), "si64")


@handler("ConcatFromSequence")
def concat_from_sequence(n: Node) -> Value:
    """The elements joined along an axis, or stacked along a new one."""
    items = [v for v in n.sequence().items if isinstance(v, Value)]
    if not items:
        raise n.invalid("has a sequence of nothing")
    if not n.flag("new_axis"):
        return n.b.concat(items, n.axis(items[0].rank))
    axis = n.axis(items[0].rank + 1)
    return n.b.concat([n.b.expand_dims(v, [axis]) for v in items], axis)


@handler("SplitToSequence", limits="sizes must be constant")
def split_to_sequence(n: Node) -> Sequence:
    """A tensor cut along an axis: into slices of one, of a given size, or of given sizes."""
    x = n.x()
    axis = n.axis(x.rank, 0)
    total = n.static(x)[axis]
    if not n.has(1):
        parts = [n.b.slice_axis(x, axis, i, 1) for i in range(total)]
        return Sequence(tuple(parts if n.flag("keepdims", True) else [n.b.squeeze(p, [axis]) for p in parts]))
    given = n.constant(1, "the sizes")
    sizes = [int(s) for s in given.reshape(-1)]
    if given.ndim == 0:
        size = sizes[0]
        if size < 1:
            raise n.invalid(f"cuts into slices of {size}")
        sizes = [min(size, total - start) for start in range(0, total, size)]
    if sum(sizes) != total or min(sizes, default=0) < 0:
        raise n.invalid(f"cuts {x.type} into {sizes} along axis {axis}")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return Sequence(tuple(n.b.slice_axis(x, axis, a, s) for a, s in zip(starts, sizes, strict=True)))


@handler("Optional")
def optional(n: Node) -> Optional:
    """An optional that holds the input, or nothing."""
    return Optional(n.value(0) if n.has(0) else None)


@handler("OptionalHasElement")
def optional_has_element(n: Node) -> Value:
    """Whether there is something."""
    held = n.value(0) if n.has(0) else None
    return n.b.const(held.item is not None if isinstance(held, Optional) else held is not None)


@handler("OptionalGetElement")
def optional_get_element(n: Node) -> AnyValue:
    """What an optional holds."""
    held = n.value(0)
    if not isinstance(held, Optional):
        return held
    if held.item is None:
        raise n.invalid("has an optional that holds nothing")
    return held.item
