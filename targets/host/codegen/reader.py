"""Reads a kernel on tensors into plain data, so that families look at Python objects and not at IR.

Named linalg ops are generalized before. What has no form here raises `NotTileable`, and the kernel goes the path of
plain loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.mlir import ir
from accelc.targets.host.codegen.linear import Linear


class NotTileable(Exception):
    """The kernel (or a part of it) is none that a family writes; not an error, and never seen by users."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor value: what it is depends on its class. Identity is equality."""

    shape: tuple[int, ...]
    element: str


@dataclass(frozen=True, eq=False)
class Argument(Tensor):
    """An input or output of the kernel, in memory."""

    position: int


@dataclass(frozen=True, eq=False)
class Empty(Tensor):
    """Uninitialized."""


@dataclass(frozen=True, eq=False)
class Splat(Tensor):
    """One constant everywhere; ``value`` as MLIR prints it."""

    value: str


@dataclass(frozen=True, eq=False)
class Reshape(Tensor):
    """The same elements in row-major order under another shape."""

    source: Tensor


@dataclass(frozen=True, eq=False)
class Slice(Tensor):
    """``source[offset + stride * i]``, where dimensions of size 1 may have been dropped (not in ``kept``)."""

    source: Tensor
    offsets: tuple[int, ...]
    strides: tuple[int, ...]
    kept: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Pad(Tensor):
    """``source`` at ``low``, surrounded by ``value``."""

    source: Tensor
    low: tuple[int, ...]
    value: str


@dataclass(frozen=True, eq=False)
class Concat(Tensor):
    """``sources`` one after the other along ``axis``."""

    sources: tuple[Tensor, ...]
    axis: int


@dataclass(frozen=True, eq=False)
class Insert(Tensor):
    """``base`` with ``source[i]`` at ``offsets + strides * i`` (same rank)."""

    source: Tensor
    base: Tensor
    offsets: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Unpack(Tensor):
    """``source`` holds this tensor in panels, dimension ``dim`` cut into tiles: ``[dims in order perm..., tile]``."""

    source: Tensor
    perm: tuple[int, ...]
    dim: int
    tile: int


@dataclass(frozen=True, eq=False)
class WinogradInput(Tensor):
    """`linalg.winograd_input_transform` F(4, 3) of an NHWC ``source``: [6, 6, tile rows, tile columns, N, C]."""

    source: Tensor


@dataclass(frozen=True, eq=False)
class WinogradOutput(Tensor):
    """`linalg.winograd_output_transform` F(4, 3) of ``source``: NHWC, a multiple of 4 high and wide."""

    source: Tensor


@dataclass(frozen=True)
class Instruction:
    """One scalar value of a body.

    kind: ``argument`` (``operands[0]`` is its number), ``constant`` (``text``), ``index`` (``operands[0]`` is the
    dimension), ``extract`` (of ``tensor`` at ``operands``), or ``op``: the op called ``text`` with ``attributes``.
    """

    kind: str
    text: str
    operands: tuple[int, ...]
    element: str
    attributes: str = ""
    tensor: Tensor | None = None


@dataclass(frozen=True)
class Body:
    """A generic's region: instructions in order, and which of them it yields."""

    instructions: tuple[Instruction, ...]
    yields: tuple[int, ...]
    arguments: int

    @property
    def cost(self) -> int:
        """How many ops it computes with."""
        return sum(i.kind == "op" for i in self.instructions)


@dataclass(frozen=True, eq=False)
class GenericOp:
    """A `linalg.generic`: maps as linear expressions of ``d0``, ``d1``, ...; inits after inputs."""

    inputs: tuple[Tensor, ...]
    inits: tuple[Tensor, ...]
    maps: tuple[tuple[Linear, ...], ...]
    parallel: tuple[bool, ...]
    extents: tuple[int, ...]
    body: Body

    @property
    def reductions(self) -> tuple[int, ...]:
        """The reduction dimensions."""
        return tuple(i for i, p in enumerate(self.parallel) if not p)


@dataclass(frozen=True, eq=False)
class Generic(Tensor):
    """A result of a generic."""

    op: GenericOp
    result: int


@dataclass(frozen=True)
class Kernel:
    """A kernel's arguments and what its outputs are."""

    arguments: tuple[Argument, ...]
    outputs: tuple[Tensor, ...]

    @property
    def destinations(self) -> tuple[Argument, ...]:
        """The output arguments."""
        return self.arguments[len(self.arguments) - len(self.outputs) :]


def read(function: Any) -> Kernel:
    """Reads ``@entry``. Raises NotTileable."""
    return _Reader(function).kernel()


class _Reader:
    def __init__(self, function: Any) -> None:
        self._block = function.regions[0].blocks[0]
        self._tensors: dict[Any, Tensor] = {}
        self._scalars: dict[Any, tuple[str, str]] = {}

    def kernel(self) -> Kernel:
        arguments = []
        for i, argument in enumerate(self._block.arguments):
            tensor = Argument(*_type(argument.type), i)
            self._tensors[argument] = tensor
            arguments.append(tensor)
        handlers = {
            "tensor.empty": self._empty,
            "arith.constant": self._constant,
            "linalg.generic": self._generic,
            "tensor.expand_shape": self._reshape,
            "tensor.collapse_shape": self._reshape,
            "tensor.extract_slice": self._slice,
            "tensor.insert_slice": self._insert,
            "tensor.pad": self._pad,
            "tensor.concat": self._concat,
            "linalg.unpack": self._unpack,
            "linalg.winograd_input_transform": self._winograd,
            "linalg.winograd_output_transform": self._winograd,
        }
        for view in self._block.operations:
            op = view.operation
            if op.name == "func.return":
                return Kernel(tuple(arguments), tuple(self._tensors[v] for v in op.operands))
            if op.name not in handlers:
                raise NotTileable(op.name)
            handlers[op.name](op)
        raise NotTileable("no return")

    def _empty(self, op: Any) -> None:
        self._tensors[op.result] = Empty(*_type(op.result.type))

    def _constant(self, op: Any) -> None:
        value = op.attributes["value"]
        if not isinstance(op.result.type, ir.RankedTensorType):
            self._scalars[op.result] = (_literal(value), str(op.result.type))
        elif isinstance(value, ir.DenseElementsAttr) and value.is_splat:
            self._tensors[op.result] = Splat(*_type(op.result.type), _literal(value.get_splat_value()))
        else:
            raise NotTileable("a constant tensor")

    def _reshape(self, op: Any) -> None:
        self._tensors[op.result] = Reshape(*_type(op.result.type), self._tensors[op.operands[0]])

    def _slice(self, op: Any) -> None:
        offsets, sizes, strides = _static_slice(op, 1)
        shape, element = _type(op.result.type)
        kept = _kept_dims(sizes, shape)
        self._tensors[op.result] = Slice(shape, element, self._tensors[op.operands[0]], offsets, strides, kept)

    def _insert(self, op: Any) -> None:
        offsets, sizes, strides = _static_slice(op, 2)
        source = self._tensors[op.operands[0]]
        if source.shape != sizes:
            source = Reshape(sizes, source.element, source)
        shape, element = _type(op.result.type)
        self._tensors[op.result] = Insert(shape, element, source, self._tensors[op.operands[1]], offsets, strides)

    def _pad(self, op: Any) -> None:
        block = op.regions[0].blocks[0]
        (*_, terminator) = block.operations
        padding = terminator.operation.operands[0]
        if len(op.operands) != 1:
            raise NotTileable("a pad of dynamic size")
        self._scan_constants(block)
        if padding not in self._scalars:
            raise NotTileable("a pad whose value is no constant")
        low = tuple(op.attributes["static_low"])
        shape, element = _type(op.result.type)
        self._tensors[op.result] = Pad(shape, element, self._tensors[op.operands[0]], low, self._scalars[padding][0])

    def _concat(self, op: Any) -> None:
        axis = ir.IntegerAttr(op.attributes["dim"]).value
        sources = tuple(self._tensors[v] for v in op.operands)
        self._tensors[op.result] = Concat(*_type(op.result.type), sources, axis)

    def _unpack(self, op: Any) -> None:
        positions, tiles = list(op.attributes["inner_dims_pos"]), list(op.attributes["static_inner_tiles"])
        shape, element = _type(op.result.type)
        perm = tuple(op.attributes["outer_dims_perm"]) or tuple(range(len(shape)))
        if len(positions) != 1:
            raise NotTileable("an unpack of several dimensions")
        source = self._tensors[op.operands[0]]
        self._tensors[op.result] = Unpack(shape, element, source, perm, positions[0], tiles[0])

    def _winograd(self, op: Any) -> None:
        kind = WinogradInput if "input" in op.name else WinogradOutput
        if ir.IntegerAttr(op.attributes["fmr"]).value != 1:  # F_4_3
            raise NotTileable("Winograd transforms other than F(4, 3)")
        self._tensors[op.result] = kind(*_type(op.result.type), self._tensors[op.operands[0]])

    def _scan_constants(self, block: Any) -> None:
        for view in block.operations:
            if view.operation.name == "arith.constant":
                self._constant(view.operation)

    def _generic(self, op: Any) -> None:
        maps = tuple(tuple(_linear(e) for e in m.value.results) for m in ir.ArrayAttr(op.attributes["indexing_maps"]))
        parallel = tuple("parallel" in str(t) for t in ir.ArrayAttr(op.attributes["iterator_types"]))
        count = op.attributes["operandSegmentSizes"][0]
        operands = [self._operand(v) for v in op.operands]
        generic = GenericOp(
            inputs=tuple(operands[:count]),
            inits=tuple(operands[count:]),
            maps=maps,
            parallel=parallel,
            extents=_extents(maps, operands, len(parallel)),
            body=self._body(op.regions[0].blocks[0]),
        )
        for i, result in enumerate(op.results):
            self._tensors[result] = Generic(*_type(result.type), generic, i)

    def _operand(self, value: Any) -> Tensor:
        if value in self._tensors:
            return self._tensors[value]
        literal, element = self._scalars[value]
        return Splat((), element, literal)

    def _body(self, block: Any) -> Body:
        instructions: list[Instruction] = []
        numbers: dict[Any, int] = {}
        for i, argument in enumerate(block.arguments):
            numbers[argument] = len(instructions)
            instructions.append(Instruction("argument", "", (i,), str(argument.type)))

        def number(value: Any) -> int:
            if value not in numbers:  # defined outside
                if value not in self._scalars:
                    raise NotTileable("a scalar computed outside of a body")
                literal, element = self._scalars[value]
                numbers[value] = len(instructions)
                instructions.append(Instruction("constant", literal, (), element))
            return numbers[value]

        for view in block.operations:
            op = view.operation
            if op.name == "linalg.yield":
                # First the yields: a constant from outside becomes an instruction when it is asked for.
                yields = tuple(number(v) for v in op.operands)
                return Body(tuple(instructions), yields, len(block.arguments))
            instruction = self._instruction(op, number)
            numbers[op.result] = len(instructions)
            instructions.append(instruction)
        raise NotTileable("a body without a yield")

    def _instruction(self, op: Any, number: Any) -> Instruction:
        element = str(op.result.type)
        if op.name == "arith.constant":
            return Instruction("constant", _literal(op.attributes["value"]), (), element)
        if op.name == "linalg.index":
            return Instruction("index", "", (ir.IntegerAttr(op.attributes["dim"]).value,), element)
        if op.name == "tensor.extract":
            tensor = self._tensors[op.operands[0]]
            return Instruction("extract", "", tuple(number(v) for v in list(op.operands)[1:]), element, tensor=tensor)
        if op.name.split(".")[0] not in ("arith", "math") or len(op.regions) or len(op.results) != 1:
            raise NotTileable(op.name)
        operands = tuple(number(v) for v in op.operands)
        return Instruction("op", op.name, operands, element, _attributes(op))


_DEFAULTS = ("#arith.fastmath<none>", "#arith.overflow<none>")


def _attributes(op: Any) -> str:
    named = [(a, op.attributes[a]) for a in op.attributes]
    texts = [f"{name} = {value}" for name, value in named if str(value) not in _DEFAULTS]
    return f" {{{', '.join(texts)}}}" if texts else ""


def _literal(attribute: Any) -> str:
    """A constant's value as text, without its type."""
    if isinstance(attribute, ir.BoolAttr):
        return "true" if attribute.value else "false"
    return str(attribute).rpartition(" : ")[0] or str(attribute)


def _type(kind: Any) -> tuple[tuple[int, ...], str]:
    tensor = ir.RankedTensorType(kind)
    if not tensor.has_static_shape:
        raise NotTileable("a dynamic shape")
    return tuple(tensor.shape), str(tensor.element_type)


def _static_slice(op: Any, operands: int) -> tuple[tuple[int, ...], ...]:
    if len(op.operands) != operands:
        raise NotTileable("a slice with dynamic bounds")
    return tuple(tuple(op.attributes[f"static_{name}"]) for name in ("offsets", "sizes", "strides"))


def _kept_dims(sizes: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Which dimensions of a slice of ``sizes`` are dimensions of its rank-reduced ``shape``."""
    kept, at = [], 0
    for i, size in enumerate(sizes):
        if at < len(shape) and size == shape[at]:
            kept.append(i)
            at += 1
        elif size != 1:
            raise NotTileable("a slice that drops a dimension larger than 1")
    if at != len(shape):
        raise NotTileable("a slice whose shape does not follow from its sizes")
    return tuple(kept)


def _linear(expression: Any) -> Linear:
    if isinstance(expression, ir.AffineDimExpr):
        return Linear.var(f"d{expression.position}")
    if isinstance(expression, ir.AffineConstantExpr):
        return Linear(expression.value)
    if isinstance(expression, ir.AffineAddExpr):
        return _linear(expression.lhs) + _linear(expression.rhs)
    if isinstance(expression, ir.AffineMulExpr):
        left, right = _linear(expression.lhs), _linear(expression.rhs)
        if not right.terms:
            return left * right.const
        if not left.terms:
            return right * left.const
    raise NotTileable("an indexing map that is not linear")


def _extents(maps: tuple[tuple[Linear, ...], ...], operands: list[Tensor], count: int) -> tuple[int, ...]:
    """The size of each dimension: of an operand that is indexed by it alone."""
    sizes: dict[str, int] = {}
    for indices, operand in zip(maps, operands, strict=True):
        for index, extent in zip(indices, operand.shape, strict=True):
            if index.const == 0 and len(index.terms) == 1 and index.terms[0][1] == 1:
                sizes.setdefault(index.terms[0][0], extent)
    try:
        return tuple(sizes[f"d{i}"] for i in range(count))
    except KeyError:
        raise NotTileable("a dimension whose size no operand says") from None
