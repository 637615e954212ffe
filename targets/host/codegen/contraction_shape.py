"""Recognizes a contraction (matrix products, attention, convolutions) in a kernel, whatever order its dimensions have.

A contraction multiplies an element of A with one of B and adds up; every operand's address is linear in the
dimensions. A convolution is one too: its output position and its window position both move A's address.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelc.targets.host.codegen.analysis import Uses, uses
from accelc.targets.host.codegen.evaluate import Evaluator, Index, invert
from accelc.targets.host.codegen.linear import Linear, flatten
from accelc.targets.host.codegen.reader import (
    Body,
    Generic,
    Kernel,
    NotTileable,
    Pad,
    Reshape,
    Slice,
    Tensor,
    Unpack,
)
from accelc.targets.host.codegen.rows import depends


@dataclass(frozen=True)
class Dim:
    """A dimension: its name, extent, and its coefficient in the addresses of A, B and the output."""

    name: str
    extent: int
    a: int
    b: int
    c: int


@dataclass(frozen=True)
class Multiply:
    """The body: which instructions are A's and B's factor, and whether numbers are floats."""

    a: int
    b: int
    is_float: bool


@dataclass
class Contraction:
    """A contraction with its epilogue.

    core: the contraction. value: the output, elementwise in core. index: core's output index in dimensions of
    ``value``.
    a, b: operands in core's inputs by number. batch, rows, columns, sums: its dimensions; the last of ``columns`` is
    consecutive in the output. panels: B's layout, if its columns come in panels (an `Unpack`).
    """

    core: Generic
    value: Tensor
    index: Index
    multiply: Multiply
    a: int
    b: int
    batch: list[Dim]
    rows: list[Dim]
    columns: list[Dim]
    sums: list[Dim]
    panels: Unpack | None
    epilogue: Uses


def multiply_of(body: Body) -> Multiply | None:
    """The factors of a body ``acc + f(a) * g(b)`` over two inputs, or None."""
    if body.arguments != 3 or len(body.yields) != 1:
        return None
    last = body.instructions[body.yields[0]]
    if last.kind != "op" or last.text not in ("arith.addf", "arith.addi"):
        return None
    accumulators = [
        body.instructions[o].kind == "argument" and body.instructions[o].operands[0] == 2 for o in last.operands
    ]
    if sum(accumulators) != 1:
        return None
    product = body.instructions[last.operands[accumulators.index(False)]]
    if product.kind != "op" or product.text not in ("arith.mulf", "arith.muli"):
        return None
    left, right = product.operands
    uses_a, uses_b = ([depends(body, o, i) for i in range(3)] for o in (left, right))
    if uses_a == [True, False, False] and uses_b == [False, True, False]:
        return Multiply(left, right, last.text == "arith.addf")
    if uses_a == [False, True, False] and uses_b == [True, False, False]:
        return Multiply(right, left, last.text == "arith.addf")
    return None


def find_core(kernel: Kernel, ev: Evaluator) -> tuple[Generic, Index, Uses]:
    """The only reduction that the kernel's output needs. Raises NotTileable where there is none or several."""
    if len(kernel.outputs) != 1:
        raise NotTileable("several outputs")
    value = kernel.outputs[0]
    index = tuple(Linear.var(f"o{i}") for i in range(len(value.shape)))
    found = uses(value, index, ev.memory)
    if found.blocked or found.opaque or len(found.reductions) != 1:
        raise NotTileable("not one reduction with an epilogue")
    ((core, at),) = found.reductions
    return core, at, found


def is_contraction(core: Generic) -> bool:
    """Whether a generic multiplies two inputs and adds up."""
    return len(core.op.inputs) == 2 and len(core.op.inits) == 1 and multiply_of(core.op.body) is not None


def operand_source(tensor: Tensor) -> Tensor:
    """What an operand is a view of."""
    while isinstance(tensor, Reshape | Slice):
        tensor = tensor.source
    return tensor


def contraction(kernel: Kernel, ev: Evaluator) -> Contraction:
    """Analyses a kernel whose operands are in memory (see `operands_to_place`). Raises NotTileable."""
    core, at, epilogue = find_core(kernel, ev)
    multiply = multiply_of(core.op.body)
    if multiply is None or len(core.op.inputs) != 2:
        raise NotTileable("no contraction")
    addresses = [_address(ev, core, i) for i in (0, 1)]
    output = kernel.outputs[0]
    position = flatten((Linear.var(f"o{i}") for i in range(len(output.shape))), output.shape)
    places = _output_dims(core, at, output, position)
    dims = [
        Dim(f"d{i}", n, addresses[0].coefficient(f"d{i}"), addresses[1].coefficient(f"d{i}"), places.get(f"d{i}", 0))
        for i, n in enumerate(core.op.extents)
    ]
    panels = [i for i in (0, 1) if isinstance(core.op.inputs[i], Unpack)]
    for b in panels or (1, 0):
        found = _classified(core, multiply, kernel, at, epilogue, dims, b)
        if found is not None:
            return found
    raise NotTileable("an output whose consecutive elements share no column")


def _classified(
    core: Generic, multiply: Multiply, kernel: Kernel, at: Index, epilogue: Uses, dims: list[Dim], b: int
) -> Contraction | None:
    if b == 0:
        dims = [Dim(d.name, d.extent, d.b, d.a, d.c) for d in dims]
        multiply = Multiply(multiply.b, multiply.a, multiply.is_float)
    batch, rows, columns, sums = [], [], [], []
    parallel = {f"d{i}" for i, p in enumerate(core.op.parallel) if p}
    for d in dims:
        if d.extent == 1:
            continue
        if d.name not in parallel:
            sums.append(d)
        elif d.a and d.b:
            batch.append(d)
        elif d.a:
            rows.append(d)
        elif d.b:
            columns.append(d)
        else:
            raise NotTileable("a dimension that no operand has")
    if any(not (d.a and d.b) for d in sums):
        raise NotTileable("a sum over one operand alone")
    columns.sort(key=lambda d: -d.c)
    if not columns or columns[-1].c != 1:
        return None
    source = core.op.inputs[b]
    panels = source if isinstance(source, Unpack) else None
    return Contraction(core, kernel.outputs[0], at, multiply, 1 - b, b, batch, rows, columns, sums, panels, epilogue)


def _address(ev: Evaluator, core: Generic, operand: int) -> Linear:
    tensor = core.op.inputs[operand]
    index = core.op.maps[operand]
    if isinstance(tensor, Unpack):
        return _panel_address(ev, tensor, index)
    place = ev.address(tensor, index)
    if place is None:
        raise NotTileable("an operand that is not in memory")
    return place[1]


def _panel_address(ev: Evaluator, tensor: Unpack, index: Index) -> Linear:
    """The address as if the tile's dimension moved by panels: its coefficient is the distance between panels."""
    if tensor.source not in ev.memory:
        raise NotTileable("panels that are not in memory")
    outer = tuple(index[d] for d in tensor.perm)
    return flatten((*outer, Linear()), tensor.source.shape)


def _output_dims(core: Generic, at: Index, output: Tensor, position: Linear) -> dict[str, int]:
    """The coefficient of each of core's parallel dimensions in the output's address."""
    places: dict[str, int] = {}
    for name, expression in invert(core.op.maps[-1], at).items():
        if expression.const or len(expression.terms) > 1 or any(c != 1 for _, c in expression.terms):
            raise NotTileable("an epilogue that does not go element by element")
        for variable, _ in expression.terms:
            places[name] = position.coefficient(variable)
    used = {v for e in at for v, _ in e.terms}
    if any(n > 1 and f"o{i}" not in used for i, n in enumerate(output.shape)):
        raise NotTileable("an epilogue that repeats elements")
    return places


def operands_to_place(core: Generic, ev: Evaluator) -> list[Tensor]:
    """Operands that must be written to the workspace before a contraction can read them."""
    result: list[Tensor] = []
    for tensor, index in zip(core.op.inputs, core.op.maps, strict=False):
        if isinstance(tensor, Unpack) or ev.address(tensor, index) is not None:
            continue
        source = tensor if isinstance(tensor, Pad) else operand_source(tensor)
        result.append(source)
    return result
