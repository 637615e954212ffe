"""Computes elements of tensors on demand: what a family calls for inputs, producers and epilogues.

An element is asked for at an index of linear expressions. Where the index mentions `LANE`, a vector of consecutive
elements comes back, else a scalar; so what does not vary along the lanes is computed once. Elementwise generics are
inlined, reductions become loops, and what was computed in a scope is not computed again there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from accelc.targets.host.codegen.linear import LANE, Linear, flatten
from accelc.targets.host.codegen.reader import (
    Generic,
    Instruction,
    NotTileable,
    Pad,
    Reshape,
    Slice,
    Splat,
    Tensor,
)
from accelc.targets.host.codegen.writer import Writer, vector_type

Index = tuple[Linear, ...]


@dataclass(frozen=True)
class Val:
    """An SSA value. lanes: 1 for a scalar. linear: an index value as an expression, where it is one."""

    name: str
    element: str
    lanes: int
    linear: Linear | None = None


@dataclass(frozen=True)
class Memory:
    """A flat memref that holds a tensor in row-major order. ``i1`` lives in bytes."""

    name: str
    size: int
    element: str

    @property
    def stored(self) -> str:
        """The element type in memory."""
        return "i8" if self.element == "i1" else self.element

    @property
    def type(self) -> str:
        """The memref's type."""
        return f"memref<{self.size}x{self.stored}>"


@dataclass
class Spill:
    """A row of a tensor kept in scratch between sweeps; its dimensions from ``prefix`` on are the row.

    touched: whether a sweep stores it; full: whether that sweep has ended.
    """

    memory: Memory
    prefix: int
    touched: bool = False
    full: bool = False


def _integer(value: int, element: str) -> str:
    """A number as MLIR writes it; bits are words."""
    return str(value) if element != "i1" else ("true" if value else "false")


# Combining ops whose lanes may be reduced separately: the kind of `vector.reduction`, and the neutral element.
COMBINERS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "arith.addf": ("add", lambda t: "-0.0"),
    "arith.mulf": ("mul", lambda t: "1.0"),
    "arith.maximumf": ("maximumf", lambda t: float_bits(t, negative=True)),
    "arith.minimumf": ("minimumf", lambda t: float_bits(t, negative=False)),
    "arith.addi": ("add", lambda t: _integer(0, t)),
    "arith.muli": ("mul", lambda t: _integer(1, t)),
    "arith.maxsi": ("maxsi", lambda t: _integer(-(2 ** (int(t[1:]) - 1)), t)),
    "arith.minsi": ("minsi", lambda t: _integer(2 ** (int(t[1:]) - 1) - 1, t)),
    "arith.maxui": ("maxui", lambda t: _integer(0, t)),
    "arith.minui": ("minui", lambda t: _integer(-1, t)),
    "arith.andi": ("and", lambda t: _integer(-1, t)),
    "arith.ori": ("or", lambda t: _integer(0, t)),
    "arith.xori": ("xor", lambda t: _integer(0, t)),
}

_ROUNDINGS = frozenset(
    {"math.roundeven", "math.round", "math.floor", "math.ceil", "math.trunc", "arith.fptosi", "arith.fptoui"}
)

# Windows of up to this many elements are written out.
_UNROLLED = 32

_INFINITY = {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F800000, "f64": 0x7FF0000000000000}


def float_bits(element: str, *, negative: bool) -> str:
    """An infinity, as MLIR writes it."""
    bits = int(element.lstrip("bf"))
    return f"0x{_INFINITY[element] | (1 << (bits - 1) if negative else 0):0{bits // 4}X}"


class Evaluator:
    """Evaluates tensors of one kernel. ``memory`` says which tensors are in memory (arguments, scratch).

    lanes: the vector width in use; mask: the name of a mask over the lanes, or None where all lanes are in bounds.
    """

    def __init__(self, writer: Writer, memory: dict[Tensor, Memory]) -> None:
        self.writer = writer
        self.memory = memory
        self.lanes = 1
        self.mask: str | None = None
        self.bound: dict[Tensor, Callable[[Index], Val]] = {}
        self.spills: dict[Tensor, Spill] = {}
        # The smallest and largest value of loop variables, where known: what makes checks of padding superfluous.
        self.ranges: dict[str, tuple[int, int]] = {}
        self._products: dict[str, tuple[Val, Val]] = {}
        self._known: list[dict[Hashable, Val]] = [{}]
        # Whether what is being computed is rounded to an integer, where one unit in the last place may become 1.
        self._rounds = False

    @contextmanager
    def vectors(self, lanes: int, mask: str | None = None) -> Iterator[None]:
        """Uses another vector width inside."""
        before = self.lanes, self.mask
        self.lanes, self.mask = lanes, mask
        yield
        self.lanes, self.mask = before

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside is forgotten after it; enter one with every loop and branch."""
        self._known.append({})
        yield
        self._known.pop()

    def value(self, tensor: Tensor, index: Index) -> Val:
        """The elements of ``tensor`` at ``index``."""
        if tensor in self.bound:
            return self.bound[tensor](index)
        if isinstance(tensor, Splat):
            return self.constant(tensor.value, tensor.element)
        key = self._key(tensor, index)
        for known in self._known:
            if key in known:
                return known[key]
        value = self._spilled(tensor, index) if tensor in self.spills else self._compute(tensor, index)
        self._known[-1][key] = value
        return value

    def _key(self, tensor: Tensor, index: Index) -> tuple[Tensor, Index, int, str | None]:
        if any(i.coefficient(LANE) for i in index):
            return tensor, index, self.lanes, self.mask
        return tensor, index, 1, None

    def knows(self, tensor: Tensor, index: Index) -> bool:
        """Whether the element was computed in a scope that is still open."""
        key = self._key(tensor, index)
        return any(key in known for known in self._known)

    def remember(self, tensor: Tensor, index: Index, value: Val) -> None:
        """Makes an element known in this scope."""
        self._known[-1][self._key(tensor, index)] = value

    def _spilled(self, tensor: Tensor, index: Index) -> Val:
        spill = self.spills[tensor]
        position = flatten(index[spill.prefix :], tensor.shape[spill.prefix :])
        if spill.full:
            return self.load(spill.memory, position)
        value = self._compute(tensor, index)
        self.store(value, spill.memory, position)
        spill.touched = True
        return value

    def fill_spills(self) -> None:
        """Says that a sweep over the row has ended: what it spilled is complete."""
        for spill in self.spills.values():
            spill.full |= spill.touched

    def _compute(self, tensor: Tensor, index: Index) -> Val:
        place = self.address(tensor, index)
        if place is not None:
            return self.load(*place)
        if isinstance(tensor, Generic):
            if tensor.op.reductions:
                return self.reduce(tensor, index)
            return self._generic(tensor, index)
        if isinstance(tensor, Reshape):
            return self.value(tensor.source, reshaped(tensor, index))
        if isinstance(tensor, Slice):
            return self.value(tensor.source, sliced(tensor, index))
        if isinstance(tensor, Pad):
            return self._padded(tensor, index)
        raise NotTileable(type(tensor).__name__)

    def _padded(self, tensor: Pad, index: Index) -> Val:
        """A padded tensor in place: a load under a mask that is on where the element is not padding."""
        inside = tuple(i + -low for i, low in zip(index, tensor.low, strict=True))
        place = self.address(tensor.source, inside)
        checks = [
            check
            for i, extent, padded in zip(inside, tensor.source.shape, tensor.shape, strict=True)
            if extent != padded and (check := self.within(i, extent)) is not None
        ]
        if place is None:
            raise NotTileable("padding of a tensor that is not in memory")
        if not checks:
            return self.load(*place)
        if False in checks:
            return self.constant(tensor.value, tensor.element)
        memory, position = place
        if position.coefficient(LANE) != 1 or self.lanes == 1 or memory.element == "i1":
            raise NotTileable("padding along other than whole vectors")
        valid = self._all([c for c in checks if isinstance(c, str)])
        w, kind, mask_type = self.writer, vector_type(self.lanes, memory.element), vector_type(self.lanes, "i1")
        mask = self.widen(Val(valid, "i1", 1), self.lanes).name
        if self.mask:
            mask = w.op(f"arith.andi {mask}, {self.mask} : {mask_type}")
        outside = w.constant(f"dense<{tensor.value}>", kind)
        at = f"{memory.name}[{w.index(position.without(LANE))}], {mask}, {outside}"
        name = w.op(f"vector.maskedload {at} : {memory.type}, {mask_type}, {kind} into {kind}")
        return Val(name, memory.element, self.lanes)

    def within(self, index: Linear, extent: int) -> str | bool | None:
        """The condition that ``0 <= index < extent``: None if always, False if never, else an i1."""
        low, high = self._range(index)
        if low >= 0 and high < extent:
            return None
        if high < 0 or low >= extent:
            return False
        if index.coefficient(LANE):
            raise NotTileable("padding along the lanes")
        key = f"within {extent}"
        for known in self._known:
            if (key, index) in known:
                return known[key, index].name
        w = self.writer
        name = w.op(f"arith.cmpi ult, {w.index(index)}, {w.integer(extent)} : index")
        self._known[-1][key, index] = Val(name, "i1", 1)
        return name

    def _range(self, index: Linear) -> tuple[float, float]:
        low = high = float(index.const)
        for name, coefficient in index.terms:
            ends = (0, self.lanes - 1) if name == LANE else self.ranges.get(name, (-math.inf, math.inf))
            values = sorted(coefficient * e for e in ends)
            low, high = low + values[0], high + values[1]
        return low, high

    def _all(self, conditions: list[str]) -> str:
        result = conditions[0]
        for condition in conditions[1:]:
            key = f"and {result} {condition}"
            known = next((k[key, Linear()] for k in self._known if (key, Linear()) in k), None)
            if known is None:
                known = Val(self.writer.op(f"arith.andi {result}, {condition} : i1"), "i1", 1)
                self._known[-1][key, Linear()] = known
            result = known.name
        return result

    def address(self, tensor: Tensor, index: Index) -> tuple[Memory, Linear] | None:
        """Where elements are, if the tensor is in memory or a view of such."""
        if isinstance(tensor, Slice) and tensor not in self.memory:
            return self.address(tensor.source, sliced(tensor, index))
        return self._flat_address(tensor, flatten(index, tensor.shape))

    def _flat_address(self, tensor: Tensor, position: Linear) -> tuple[Memory, Linear] | None:
        if tensor in self.memory:
            return self.memory[tensor], position
        if isinstance(tensor, Reshape):
            return self._flat_address(tensor.source, position)
        return None

    # Memory.

    def load(self, memory: Memory, position: Linear) -> Val:
        """Loads what lies at ``position``: a scalar, consecutive elements, or (slowly) strided ones."""
        w, step = self.writer, position.coefficient(LANE)
        base = position.without(LANE)
        if step == 0 or self.lanes == 1:
            name = w.op(f"memref.load {memory.name}[{w.index(base)}] : {memory.type}")
            return self._from_memory(Val(name, memory.stored, 1), memory)
        kind = vector_type(self.lanes, memory.stored)
        if step == 1 and self.mask:
            zero = w.constant(f"dense<{'0.0' if memory.stored[0] in 'fb' else '0'}>", kind)
            at = f"{memory.name}[{w.index(base)}], {self.mask}, {zero}"
            mask_type = vector_type(self.lanes, "i1")
            name = w.op(f"vector.maskedload {at} : {memory.type}, {mask_type}, {kind} into {kind}")
        elif step == 1:
            name = w.op(f"vector.load {memory.name}[{w.index(base)}] : {memory.type}, {kind}")
        elif self.mask:
            raise NotTileable("a masked strided load")
        else:
            ats = [w.index(base + step * lane) for lane in range(self.lanes)]
            parts = [w.op(f"memref.load {memory.name}[{at}] : {memory.type}") for at in ats]
            name = w.op(f"vector.from_elements {', '.join(parts)} : {kind}")
        return self._from_memory(Val(name, memory.stored, self.lanes), memory)

    def _from_memory(self, value: Val, memory: Memory) -> Val:
        if memory.element != "i1":
            return value
        kind = self._kind(value.lanes, "i8")
        name = self.writer.op(f"arith.trunci {value.name} : {kind} to {self._kind(value.lanes, 'i1')}")
        return Val(name, "i1", value.lanes)

    def store(self, value: Val, memory: Memory, position: Linear) -> None:
        """Stores a value where ``position`` says; a scalar over lanes is broadcast."""
        w, step = self.writer, position.coefficient(LANE)
        base = w.index(position.without(LANE))
        lanes = self.lanes if step else 1
        if step not in (0, 1) and lanes > 1:
            raise NotTileable("a strided store")
        value = self.widen(value, lanes)
        name = value.name
        if memory.element == "i1":
            name = w.op(f"arith.extui {name} : {self._kind(lanes, 'i1')} to {self._kind(lanes, 'i8')}")
        if lanes == 1:
            w.line(f"memref.store {name}, {memory.name}[{base}] : {memory.type}")
            return
        kind = vector_type(lanes, memory.stored)
        if self.mask:
            types = f"{memory.type}, {vector_type(lanes, 'i1')}, {kind}"
            w.line(f"vector.maskedstore {memory.name}[{base}], {self.mask}, {name} : {types}")
        else:
            w.line(f"vector.store {name}, {memory.name}[{base}] : {memory.type}, {kind}")

    # Values.

    def constant(self, literal: str, element: str) -> Val:
        """A scalar constant."""
        linear = Linear(int(literal)) if element == "index" else None
        return Val(self.writer.constant(literal, element), element, 1, linear)

    def widen(self, value: Val, lanes: int) -> Val:
        """A scalar as a vector of equal lanes."""
        if value.lanes == lanes:
            return value
        kind = vector_type(lanes, value.element)
        return Val(self.writer.op(f"vector.broadcast {value.name} : {value.element} to {kind}"), value.element, lanes)

    @staticmethod
    def _kind(lanes: int, element: str) -> str:
        return element if lanes == 1 else vector_type(lanes, element)

    def _generic(self, tensor: Generic, index: Index) -> Val:
        op = tensor.op
        dims = invert(op.maps[len(op.inputs) + tensor.result], index)
        arguments = [self.lazy(t, m, dims) for t, m in zip((*op.inputs, *op.inits), op.maps, strict=True)]
        return self.body(tensor.op.body.instructions, [tensor.op.body.yields[tensor.result]], arguments, dims)[0]

    def lazy(self, tensor: Tensor, indices: Index, dims: Mapping[str, Linear]) -> Callable[[], Val]:
        """An operand of a generic at a point of its domain, computed when asked for."""
        return lambda: self.value(tensor, tuple(i.substitute(dims) for i in indices))

    def body(
        self,
        instructions: tuple[Instruction, ...],
        wanted: list[int],
        arguments: list[Callable[[], Val]],
        dims: Mapping[str, Linear],
    ) -> list[Val]:
        """Emits what ``wanted`` instructions need; ``dims`` are the values of the generic's dimensions."""
        needed = _needed(instructions, wanted)
        values: dict[int, Val] = {}
        before = self._rounds
        self._rounds = before or any(instructions[i].text in _ROUNDINGS for i in needed)
        for i in sorted(needed):
            values[i] = self._instruction(instructions[i], values, arguments, dims)
        self._rounds = before
        return [values[i] for i in wanted]

    def _instruction(
        self,
        instruction: Instruction,
        values: Mapping[int, Val],
        arguments: list[Callable[[], Val]],
        dims: Mapping[str, Linear],
    ) -> Val:
        if instruction.kind == "argument":
            return arguments[instruction.operands[0]]()
        if instruction.kind == "constant":
            return self.constant(instruction.text, instruction.element)
        if instruction.kind == "index":
            return self._index(dims[f"d{instruction.operands[0]}"])
        operands = [values[i] for i in instruction.operands]
        if instruction.kind == "extract":
            assert instruction.tensor is not None
            return self.value(instruction.tensor, tuple(_as_linear(v) for v in operands))
        return self.apply(instruction.text, operands, instruction.element, instruction.attributes)

    def apply(self, op: str, operands: list[Val], element: str, attributes: str = "") -> Val:
        """One `arith` or `math` op, on vectors where an operand is one; adding to a product is fused."""
        lanes = max((v.lanes for v in operands), default=1)
        by_scalar = operands[-1].lanes == 1 < lanes
        if op == "arith.divf" and element == "f32" and by_scalar and not self._rounds:
            return self._divide(operands[0], operands[1])
        linear = _linear_result(op, operands)
        operands = [self.widen(v, lanes) for v in operands]
        if op == "arith.addf" and not attributes:
            for product, other in (operands, operands[::-1]):
                if product.name in self._products:
                    op, operands = "math.fma", [*self._products[product.name], other]
                    break
        types = ", ".join(self._kind(lanes, v.element) for v in operands)
        names = ", ".join(v.name for v in operands)
        name = self.writer.op(f'"{op}"({names}){attributes} : ({types}) -> {self._kind(lanes, element)}')
        if op == "arith.mulf" and element in ("f32", "f64"):
            self._products[name] = (operands[0], operands[1])
        return Val(name, element, lanes, linear)

    def _divide(self, dividend: Val, divisor: Val) -> Val:
        """A vector over a scalar, as two multiplications: a division of vectors takes ten times as long.

        A power of two keeps the reciprocal of very small and very large divisors in range; 0, infinity and NaN give
        what a division gives.
        """
        key = ("reciprocal", divisor.name)
        scale, reciprocal = (next((k[key, i] for k in self._known if (key, i) in k), None) for i in (0, 1))
        if scale is None or reciprocal is None:
            one = self.constant("1.0", "f32")
            size = self.apply("math.absf", [divisor], "f32")
            scale = one
            for predicate, bound, factor in ((4, 2.0**-60, 2.0**64), (2, 2.0**60, 2.0**-64)):  # olt, ogt
                limit, power = (self.constant(f"{x:.17e}", "f32") for x in (bound, factor))
                beyond = self.apply("arith.cmpf", [size, limit], "i1", f" {{predicate = {predicate} : i64}}")
                scale = self.apply("arith.select", [beyond, power, scale], "f32")
            scaled = self.apply("arith.mulf", [divisor, scale], "f32")
            reciprocal = self.apply("arith.divf", [one, scaled], "f32")
            self._known[-1][key, 0], self._known[-1][key, 1] = scale, reciprocal
        return self.apply("arith.mulf", [self.apply("arith.mulf", [dividend, scale], "f32"), reciprocal], "f32")

    def _index(self, expression: Linear) -> Val:
        base = Val(self.writer.index(expression.without(LANE)), "index", 1)
        step = expression.coefficient(LANE)
        if step == 0 or self.lanes == 1:
            return Val(base.name, "index", 1, expression.without(LANE))
        ramp = ", ".join(str(step * i) for i in range(self.lanes))
        kind = vector_type(self.lanes, "index")
        offsets = self.writer.constant(f"dense<[{ramp}]>", kind)
        wide = self.widen(base, self.lanes)
        return Val(self.writer.op(f"arith.addi {wide.name}, {offsets} : {kind}"), "index", self.lanes, expression)

    # Reductions.

    def reduce(self, tensor: Generic, index: Index) -> Val:
        """A reduction as loops; vectorized over the lanes of ``index``, else scalar."""
        op = tensor.op
        if len(op.inits) != 1:
            raise NotTileable("a reduction with several results")
        dims = dict(invert(op.maps[-1], index))
        initial = self.value(op.inits[0], index)
        lanes = self.lanes if any(i.coefficient(LANE) for i in index) else 1
        return self._reduction_loops(op.reductions, tensor, dims, self.widen(initial, lanes))

    def _reduction_loops(
        self, remaining: tuple[int, ...], tensor: Generic, dims: dict[str, Linear], accumulator: Val
    ) -> Val:
        op = tensor.op
        if not remaining:
            arguments = [self.lazy(t, m, dims) for t, m in zip(op.inputs, op.maps, strict=False)]
            body = op.body
            (result,) = self.body(body.instructions, list(body.yields), [*arguments, lambda: accumulator], dims)
            return self.widen(result, accumulator.lanes)
        kind = self._kind(accumulator.lanes, accumulator.element)
        dim, *rest = remaining
        if op.extents[dim] == 1:
            return self._reduction_loops(tuple(rest), tensor, {**dims, f"d{dim}": Linear()}, accumulator)
        if math.prod(op.extents[d] for d in remaining) <= _UNROLLED and accumulator.lanes > 1:
            for i in range(op.extents[dim]):
                accumulator = self._reduction_loops(tuple(rest), tensor, {**dims, f"d{dim}": Linear(i)}, accumulator)
            return accumulator
        with self.writer.loop(0, op.extents[dim], carried=[(accumulator.name, kind)]) as loop, self.scope():
            self.ranges[loop.variable] = (0, op.extents[dim] - 1)
            inner = Val(loop.arguments[0], accumulator.element, accumulator.lanes)
            inside = {**dims, f"d{dim}": Linear.var(loop.variable)}
            loop.yields = [self._reduction_loops(tuple(rest), tensor, inside, inner).name]
        return Val(loop.results[0], accumulator.element, accumulator.lanes)


def invert(results: Index, index: Index) -> dict[str, Linear]:
    """The dimensions at which a result map (a projected permutation) gives ``index``."""
    dims: dict[str, Linear] = {}
    for expression, value in zip(results, index, strict=True):
        if not expression.terms and expression.const == 0:
            continue
        if expression.const or len(expression.terms) != 1 or expression.terms[0][1] != 1:
            raise NotTileable("an output map that is no permutation")
        dims[expression.terms[0][0]] = value
    return dims


def reshaped(tensor: Reshape, index: Index) -> Index:
    """The index into the source of a reshape, where it is linear: each source dimension splits into several."""
    result: list[Linear] = []
    at = 0
    for extent in tensor.source.shape:
        position, size = Linear(), 1
        while size < extent:
            if at == len(tensor.shape):
                raise NotTileable("a reshape that merges dimensions")
            position = position * tensor.shape[at] + index[at]
            size *= tensor.shape[at]
            at += 1
        if size != extent:
            raise NotTileable("a reshape that merges dimensions")
        result.append(position)
    return tuple(result)


def sliced(tensor: Slice, index: Index) -> Index:
    """The index into the source of a slice."""
    result = [Linear(offset) for offset in tensor.offsets]
    for dim, i in zip(tensor.kept, index, strict=True):
        result[dim] = result[dim] + i * tensor.strides[dim]
    return tuple(result)


def _needed(instructions: tuple[Instruction, ...], wanted: list[int]) -> set[int]:
    needed: set[int] = set()
    work = list(wanted)
    while work:
        i = work.pop()
        if i in needed:
            continue
        needed.add(i)
        if instructions[i].kind in ("op", "extract"):
            work.extend(instructions[i].operands)
    return needed


def _as_linear(value: Val) -> Linear:
    if value.linear is not None:
        return value.linear
    if value.lanes != 1:
        raise NotTileable("a gather at unrelated addresses")
    return Linear.var(value.name)


def _linear_result(op: str, operands: list[Val]) -> Linear | None:
    """The result as a linear expression, where it is an index computed from such."""
    if any(v.element != "index" or v.linear is None for v in operands) or len(operands) != 2:
        return None
    left, right = (v.linear for v in operands)
    assert left is not None and right is not None
    if op == "arith.addi":
        return left + right
    if op == "arith.subi":
        return left + right * -1
    if op == "arith.muli" and not right.terms:
        return left * right.const
    if op == "arith.muli" and not left.terms:
        return right * left.const
    return None
