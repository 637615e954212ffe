"""Reads a kernel at the `kernels` stage: its values, and what produces each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import ir
from accelc.targets.sim_accel.codegen.gathers import split_gathers
from accelc.targets.sim_accel.codegen.structured import Affine, Structured, is_structured, structured
from accelc.targets.sim_accel.codegen.vector import constant_value


@dataclass(eq=False)
class Val:
    """A tensor of the kernel. ``memref``: where it lies in DRAM, for arguments and what was stored; None otherwise."""

    shape: tuple[int, ...]
    element_type: Any
    producer: Any = None
    memref: Any = None

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)


@dataclass(eq=False)
class Compute:
    """A `linalg` computation. ``inits``: for each output the number it starts from, a `Val`, or None (unused)."""

    op: Structured
    ins: list[Val | None]
    inits: list[Any]
    outs: list[Val] = field(default_factory=list)


@dataclass(eq=False)
class Splat:
    """One number everywhere."""

    number: float | int


@dataclass(eq=False)
class Elements:
    """A small constant, element by element (row-major)."""

    numbers: list[float | int]


@dataclass(eq=False)
class Pad:
    """``source`` with ``low`` elements of ``number`` before it in each dimension (and some after)."""

    source: Val
    low: tuple[int, ...]
    number: float | int


@dataclass(eq=False)
class Slice:
    """Elements ``offsets + i * strides`` of ``source``; ``kept``: the source's dimension of each of the result's."""

    source: Val
    offsets: tuple[int, ...]
    strides: tuple[int, ...]
    kept: tuple[int, ...]


@dataclass(eq=False)
class Insert:
    """``target`` with ``source`` written over it at ``offsets``, ``strides`` apart."""

    source: Val
    target: Val | None
    offsets: tuple[int, ...]
    strides: tuple[int, ...]
    kept: tuple[int, ...]


@dataclass(eq=False)
class Concat:
    """``sources`` one after the other along ``axis``."""

    sources: list[Val]
    axis: int


@dataclass(eq=False)
class Reshape:
    """The same elements in row-major order under another shape."""

    source: Val


@dataclass(eq=False)
class Unfold:
    """``source`` read through ``access`` (an `Affine` per dimension of the source): windows laid out side by side."""

    source: Val
    access: tuple[Affine, ...]


@dataclass(eq=False)
class Gather:
    """Rows of ``table`` (its dimension 0), one for each element of ``rows``."""

    table: Val
    rows: Val


@dataclass
class Kernel:
    """A kernel: its arguments, its results in order, and all values."""

    inputs: list[Val]
    outputs: list[Val]
    results: list[Val]
    function: Any


class GraphReader:
    """Turns the entry function into `Val`s."""

    def __init__(self, function: Any) -> None:
        split_gathers(function)
        block = function.regions[0].blocks[0]
        count = ir.IntegerAttr(function.attributes["accelc.num_outputs"]).value
        self.vals: dict[Any, Val] = {}
        self.scalars: dict[Any, float | int] = {}
        arguments = [self._new(a) for a in block.arguments]
        for val, argument in zip(arguments, block.arguments, strict=True):
            val.memref = argument
        results: list[Val] = []
        for op in block.operations:
            if op.operation.name == "func.return":
                results = [self.val(v) for v in op.operation.operands]
            else:
                self._read(op.operation)
        split = len(arguments) - count
        self.kernel = Kernel(arguments[:split], arguments[split:], results, function)

    def _new(self, value: Any, producer: Any = None) -> Val:
        val = Val(tuple(value.type.shape), value.type.element_type, producer)
        if any(n < 0 for n in val.shape):
            raise UnsupportedError(f"sim_accel kernels have static shapes, not {value.type}")
        self.vals[value] = val
        return val

    def val(self, value: Any) -> Val:
        """The `Val` of an SSA tensor."""
        return self.vals[value]

    def number(self, value: Any) -> float | int:
        """The number of an SSA scalar constant. Raises UnsupportedError where it is none."""
        owner = value.owner
        if isinstance(owner, ir.Block) or owner.name != "arith.constant":
            raise UnsupportedError("a scalar of a kernel that is no constant")
        return constant_value(owner)

    def _read(self, op: Any) -> None:
        name = op.name
        if name == "linalg.fill":
            self._new(op.results[0], Splat(self.number(op.operands[0])))
        elif is_structured(op):
            self._compute(structured(op))
        elif name == "arith.constant":
            if hasattr(op.results[0].type, "shape"):
                self._dense(op)
        elif name == "tensor.empty":
            self._new(op.results[0], Splat(0)).producer = None
        elif name == "tensor.from_elements":
            self._new(op.results[0], Elements([self.number(v) for v in op.operands]))
        elif name == "tensor.pad":
            self._pad(op)
        elif name == "tensor.extract_slice":
            offsets, sizes, strides = _static(op)
            kept = _kept(sizes, list(op.results[0].type.shape))
            self._new(op.results[0], Slice(self.val(op.operands[0]), offsets, strides, kept))
        elif name == "tensor.insert_slice":
            offsets, sizes, strides = _static(op)
            source, target = self.val(op.operands[0]), self.val(op.operands[1])
            kept = _kept(sizes, list(source.shape))
            self._new(op.results[0], Insert(source, self._destination(target), offsets, strides, kept))
        elif name == "tensor.concat":
            axis = ir.IntegerAttr(op.attributes["dim"]).value
            self._new(op.results[0], Concat([self.val(v) for v in op.operands], axis))
        elif name in ("tensor.expand_shape", "tensor.collapse_shape", "tensor.reshape"):
            self._new(op.results[0], Reshape(self.val(op.operands[0])))
        elif name == "tensor.gather":
            rows = self.val(op.operands[1])
            assert isinstance(rows.producer, Reshape)
            self._new(op.results[0], Gather(self.val(op.operands[0]), rows.producer.source))
        elif name == "tensor.splat":
            self._new(op.results[0], Splat(self.number(op.operands[0])))
        else:
            raise UnsupportedError(f"'{name}' cannot be lowered to sim_accel")

    def _destination(self, val: Val) -> Val | None:
        """What an op writes into, or None where its content is undefined."""
        return None if val.producer is None else val

    def _dense(self, op: Any) -> None:
        attribute = op.attributes["value"]
        val = self._new(op.results[0])
        numbers = [x for x in attribute]  # noqa: C416 - attributes have no list conversion of their own
        if attribute.is_splat:
            val.producer = Splat(numbers[0])
        else:
            val.producer = Elements(numbers)

    def _pad(self, op: Any) -> None:
        low = tuple(ir.DenseI64ArrayAttr(op.attributes["static_low"]))
        high = tuple(ir.DenseI64ArrayAttr(op.attributes["static_high"]))
        body = op.regions[0].blocks[0]
        terminator = body.operations[len(body.operations) - 1].operation
        if any(n < 0 for n in (*low, *high)):
            raise UnsupportedError("tensor.pad with dynamic or negative amounts")
        self._new(op.results[0], Pad(self.val(op.operands[0]), low, self.number(terminator.operands[0])))

    def _compute(self, op: Structured) -> None:
        ins: list[Val | None] = []
        for n, value in enumerate(op.inputs):
            tensor = hasattr(value.type, "shape")
            ins.append(self.val(value) if tensor and op.used[n] else None)
        compute = Compute(op, ins, [])
        for n, value in enumerate(op.outputs):
            val = self.val(value)
            used = op.used[len(op.inputs) + n]
            init: Any = None
            if used:
                init = val.producer.number if isinstance(val.producer, Splat) else val
            compute.inits.append(init)
        compute.outs = [self._new(result, compute) for result in op.op.results]


def _static(op: Any) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    arrays = tuple(tuple(ir.DenseI64ArrayAttr(op.attributes[f"static_{k}"])) for k in ("offsets", "sizes", "strides"))
    limit = -(1 << 62)
    if any(n <= limit for a in arrays for n in a):
        raise UnsupportedError(f"{op.name} with dynamic offsets or sizes")
    return arrays  # type: ignore[return-value]


def _kept(sizes: tuple[int, ...], shape: list[int]) -> tuple[int, ...]:
    """Which dimensions of the sliced tensor the (perhaps rank-reduced) slice has."""
    kept: list[int] = []
    at = 0
    for d, size in enumerate(sizes):
        # A unit dimension stays only where the shape still has one in its place.
        remaining = len(sizes) - d
        if at < len(shape) and size == shape[at] and (size != 1 or remaining > 0):
            spare = remaining - (len(shape) - at)
            if size == 1 and spare > 0 and list(sizes[d + 1 :]).count(1) >= shape[at:].count(1):
                continue
            kept.append(d)
            at += 1
    return tuple(kept)
