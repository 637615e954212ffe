"""What evaluating a tensor touches, found without writing anything."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from accelc.targets.host.codegen.evaluate import Index, invert, reshaped, sliced
from accelc.targets.host.codegen.linear import Linear, flatten
from accelc.targets.host.codegen.reader import (
    Body,
    Empty,
    Generic,
    NotTileable,
    Pad,
    Reshape,
    Slice,
    Splat,
    Tensor,
)

# Ops that take tens of instructions or a library call: worth computing once.
_EXPENSIVE = frozenset({"arith.divf", "arith.remf"})
_CHEAP_MATH = frozenset(
    {"math.absf", "math.absi", "math.ceil", "math.floor", "math.fma", "math.roundeven", "math.trunc"}
)


@dataclass
class Uses:
    """loads: positions in memory. reductions: which, and at which index. opaque: whether positions matter beyond memory
    (`linalg.index`, gathers), so that dimensions cannot be merged. generics: the elementwise ones inlined.
    """

    loads: list[Linear] = field(default_factory=list)
    reductions: list[tuple[Generic, Index]] = field(default_factory=list)
    generics: list[tuple[Generic, Index]] = field(default_factory=list)
    opaque: bool = False
    blocked: list[Tensor] = field(default_factory=list)


def uses(tensor: Tensor, index: Index, memory: Container[Tensor], found: Uses | None = None) -> Uses:
    """What `Evaluator.value(tensor, index)` would touch; ``blocked`` are tensors it cannot inline."""
    found = found or Uses()
    _visit(tensor, index, memory, found, set())
    return found


def _visit(tensor: Tensor, index: Index, memory: Container[Tensor], found: Uses, seen: set[tuple[int, Index]]) -> None:
    if (id(tensor), index) in seen or isinstance(tensor, Splat | Empty):
        return
    seen.add((id(tensor), index))
    position = _position(tensor, index, memory)
    if position is not None:
        found.loads.append(position)
        return
    try:
        if isinstance(tensor, Generic):
            if tensor.op.reductions:
                found.reductions.append((tensor, index))
                return
            dims = invert(tensor.op.maps[len(tensor.op.inputs) + tensor.result], index)
            found.generics.append((tensor, index))
            visit_operands(tensor, dims, memory, found, seen)
        elif isinstance(tensor, Reshape):
            _visit(tensor.source, reshaped(tensor, index), memory, found, seen)
        elif isinstance(tensor, Slice):
            _visit(tensor.source, sliced(tensor, index), memory, found, seen)
        elif isinstance(tensor, Pad) and tensor.low[-1] == 0 and tensor.shape[-1] == tensor.source.shape[-1] > 1:
            found.opaque = True  # which elements are padding depends on each dimension by itself
            inside = tuple(i + -low for i, low in zip(index, tensor.low, strict=True))
            if _position(tensor.source, inside, memory) is None:
                found.blocked.append(tensor.source)
            _visit(tensor.source, inside, memory, found, seen)
        else:
            found.blocked.append(tensor)
    except NotTileable:
        found.blocked.append(tensor.source if isinstance(tensor, Reshape) else tensor)


def visit_operands(
    tensor: Generic,
    dims: dict[str, Linear],
    memory: Container[Tensor],
    found: Uses,
    seen: set[tuple[int, Index]] | None = None,
) -> None:
    """As `uses`, of the operands of a generic at a point of its domain."""
    op = tensor.op
    used = used_arguments(op.body)
    for i, (operand, indices) in enumerate(zip((*op.inputs, *op.inits), op.maps, strict=True)):
        if i in used and not (op.reductions and i >= len(op.inputs)):
            at = tuple(e.substitute(dims) for e in indices)
            _visit(operand, at, memory, found, set() if seen is None else seen)
    for instruction in op.body.instructions:
        if instruction.kind == "index":
            found.opaque = True
        if instruction.kind == "extract":
            found.opaque = True
            assert instruction.tensor is not None
            if _position(instruction.tensor, (Linear(),) * len(instruction.tensor.shape), memory) is None:
                found.blocked.append(instruction.tensor)


def used_arguments(body: Body) -> set[int]:
    """The block arguments that a body uses."""
    used: set[int] = set()
    work = list(body.yields)
    seen: set[int] = set()
    while work:
        i = work.pop()
        if i in seen:
            continue
        seen.add(i)
        instruction = body.instructions[i]
        if instruction.kind == "argument":
            used.add(instruction.operands[0])
        elif instruction.kind in ("op", "extract"):
            work.extend(instruction.operands)
    return used


def is_expensive(body: Body) -> bool:
    """Whether a body costs tens of cycles an element."""
    ops = [i.text for i in body.instructions if i.kind == "op"]
    return len(ops) > 8 or any(op in _EXPENSIVE or (op.startswith("math.") and op not in _CHEAP_MATH) for op in ops)


def _position(tensor: Tensor, index: Index, memory: Container[Tensor]) -> Linear | None:
    if tensor in memory:
        return flatten(index, tensor.shape)
    if isinstance(tensor, Reshape):
        return _flat(tensor.source, flatten(index, tensor.shape), memory)
    if isinstance(tensor, Slice):
        return _position(tensor.source, sliced(tensor, index), memory)
    return None


def _flat(tensor: Tensor, position: Linear, memory: Container[Tensor]) -> Linear | None:
    if tensor in memory:
        return position
    if isinstance(tensor, Reshape):
        return _flat(tensor.source, position, memory)
    return None
