"""What a kernel has to do, read off its `linalg` ops: multiply-accumulates, elementwise operations, bytes.

This is the part of costing that no machine changes. How long the work takes is for each target's model to say.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accelc.core.diagnostics import InternalError
from accelc.mlir import ir

# Bytes of an element type where it is not its width in bits over 8, rounded up.
_BYTES = {"index": 8, "i1": 1}
# MLIR's type of an operand -> the number format in machine descriptions.
_FORMATS = {"f64": "f64", "f32": "f32", "f16": "f16", "bf16": "bf16", "f8E4M3FN": "f8E4M3FN", "f8E5M2": "f8E5M2"}
_FORMATS |= {"i8": "i8", "i16": "i16", "i32": "i32", "i64": "i32"}
# Structure, not work.
# They say how an operand lies in memory; no bytes are moved for them. Winograd's transforms are small beside products.
_LAYOUTS = (
    "linalg.pack",
    "linalg.unpack",
    "linalg.winograd_input_transform",
    "linalg.winograd_output_transform",
)
_FREE = frozenset(("linalg.yield", "linalg.index", "arith.constant", "tensor.extract", "arith.index_cast"))


@dataclass(frozen=True)
class Gemm:
    """A contraction as ``batch`` products of an (m, k) with a (k, n) matrix; convolutions are written so too.

    format: of the operands. source_elements: distinct elements of the first operand (fewer than m * k in a
    convolution, whose windows overlap).
    """

    batch: int
    m: int
    n: int
    k: int
    format: str
    source_elements: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.batch * self.m * self.n * self.k


@dataclass(frozen=True)
class Operand:
    """An argument of a kernel. ``touched``: the bytes that are read or written, where not all of it is (a gather)."""

    nbytes: int
    touched: int
    constant: bool = False


@dataclass(frozen=True)
class KernelWork:
    """What one launch of a kernel does.

    kind: ``contraction``, ``convolution``, ``reduction``, ``pointwise`` or ``movement``.
    ops: how often each scalar operation is executed, by its MLIR name, outside contractions.
    scratch: bytes of the intermediate tensors between its ops.
    """

    name: str
    kind: str
    gemms: tuple[Gemm, ...]
    ops: Mapping[str, int]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    scratch: int = 0
    device: str = "target"

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all contractions."""
        return sum(g.macs for g in self.gemms)

    @property
    def macs_by_format(self) -> dict[str, int]:
        """Multiply-accumulates by the operands' number format."""
        counts: Counter[str] = Counter()
        for g in self.gemms:
            counts[g.format] += g.macs
        return dict(sorted(counts.items()))

    @property
    def bytes_in(self) -> int:
        """Bytes read from the kernel's inputs."""
        return sum(o.touched for o in self.inputs)

    @property
    def bytes_out(self) -> int:
        """Bytes written to its outputs."""
        return sum(o.touched for o in self.outputs)

    def count(self, is_counted: Callable[[str], bool]) -> int:
        """How many scalar operations have a name that ``is_counted``."""
        return sum(n for name, n in self.ops.items() if is_counted(name))

    @property
    def special_ops(self) -> int:
        """Transcendental functions, roots and divisions (`math.*` and float division)."""
        return self.count(is_special)

    @property
    def vector_ops(self) -> int:
        """All other scalar operations."""
        return self.count(lambda name: not is_special(name))

    @property
    def flops(self) -> int:
        """Operations of all kinds; a MAC counts as two."""
        return 2 * self.macs + sum(self.ops.values())


_SIMPLE_MATH = frozenset(
    ("math.absf", "math.absi", "math.fma", "math.floor", "math.ceil", "math.roundeven", "math.trunc", "math.copysign")
)


def is_special(name: str) -> bool:
    """Whether an operation goes to a special function unit."""
    return (name.startswith("math.") and name not in _SIMPLE_MATH) or name in ("arith.divf", "arith.remf")


def kernel_works(module: Any) -> dict[str, KernelWork]:
    """The work of every kernel nested in a module at the `kernels` stage, by the kernel's name."""
    works = (kernel_work(op) for op in _body(module) if op.operation.name == "builtin.module")
    return {work.name: work for work in works}


def kernel_work(kernel: Any) -> KernelWork:
    """The work of one kernel: a ``builtin.module`` with a function ``@entry``."""
    attributes = kernel.operation.attributes
    name = attributes["sym_name"].value if "sym_name" in attributes else "kernel"
    entries = [op for op in _body(kernel) if op.operation.name == "func.func"]
    if len(entries) != 1:
        raise InternalError(f"kernel @{name} has {len(entries)} functions, not one")
    scan = _Scan()
    block = entries[0].regions[0].blocks[0]
    scan.block(block)
    function = entries[0].operation
    outputs = function.attributes["accelc.num_outputs"].value if "accelc.num_outputs" in function.attributes else 1
    arguments = list(block.arguments)
    constants = _constant_arguments(function, len(arguments))
    operands = [
        Operand(_nbytes(a.type), _touched(a, is_output=i >= len(arguments) - outputs), constants[i])
        for i, a in enumerate(arguments)
    ]
    return KernelWork(
        name=name,
        kind=scan.kind(),
        gemms=tuple(scan.gemms),
        ops=dict(sorted(scan.ops.items())),
        inputs=tuple(operands[: len(operands) - outputs]),
        outputs=tuple(operands[len(operands) - outputs :]),
        scratch=scan.scratch,
        device=attributes["accelc.device"].value if "accelc.device" in attributes else "target",
    )


@dataclass
class _Scan:
    gemms: list[Gemm] = field(default_factory=list)
    ops: Counter[str] = field(default_factory=Counter)
    scratch: int = 0
    convolutions: int = 0
    reductions: int = 0

    def block(self, block: Any) -> None:
        for op in block.operations:
            o = op.operation
            if o.name.startswith("linalg."):
                self._linalg(o)
            elif o.name.startswith(("scf.", "nn.")):
                for region in o.regions:
                    for inner in region.blocks:
                        self.block(inner)
            if o.name.startswith("linalg.") and o.name not in ("linalg.fill", *_LAYOUTS):
                self.scratch += sum(_nbytes(r.type) for r in o.results if not _is_returned(r))

    def kind(self) -> str:
        if self.gemms:
            return "convolution" if self.convolutions else "contraction"
        if self.reductions:
            return "reduction"
        return "pointwise" if self.ops else "movement"

    def _linalg(self, o: Any) -> None:
        if o.name in ("linalg.fill", "linalg.copy", "linalg.transpose", "linalg.broadcast", *_LAYOUTS):
            return
        shapes = [_shape(v.type) for v in o.operands]
        if o.name in _CONVOLUTIONS:
            self.gemms.append(_CONVOLUTIONS[o.name](shapes, _format(o.operands[0].type)))
            self.convolutions += 1
            return
        maps = _maps(o)
        sizes = _domain(maps, shapes)
        outputs = len(o.results) or 1
        out_dims = _dims(maps[-outputs:])
        reduced = [d for d in range(len(sizes)) if d not in out_dims]
        body = _body_counts(o)
        if len(shapes) >= 3 and _is_contraction(o.name, body, reduced, maps, outputs):
            self.gemms.append(_gemm(maps, sizes, shapes, _format(o.operands[0].type)))
            self.convolutions += any(not _is_projection(m) for m in maps)
            return
        self.reductions += bool(reduced)
        domain = math.prod(sizes)
        for name, n in body.items():
            self.ops[name] += n * domain


def _is_contraction(name: str, body: Counter[str], reduced: list[int], maps: list[Any], outputs: int) -> bool:
    if name in ("linalg.contract", "linalg.matmul", "linalg.batch_matmul"):
        return True
    arithmetic = {op: n for op, n in body.items() if not op.startswith(("arith.ext", "arith.trunc"))}
    is_multiply_add = arithmetic in ({"arith.mulf": 1, "arith.addf": 1}, {"arith.muli": 1, "arith.addi": 1})
    return bool(reduced) and is_multiply_add and len(maps) == 3 and outputs == 1


def _gemm(maps: list[Any], sizes: list[int], shapes: list[tuple[int, ...]], number_format: str) -> Gemm:
    a, b, out = (_dims([m]) for m in maps)

    def size(dims: set[int]) -> int:
        return math.prod(sizes[d] for d in sorted(dims))

    # Dimensions of one operand that are summed belong to k: they are reduced before or while multiplying.
    return Gemm(
        batch=size(a & b & out),
        m=size((a & out) - b),
        n=size((b & out) - a),
        k=size(set(range(len(sizes))) - out),
        format=number_format,
        source_elements=math.prod(shapes[0]),
    )


def _conv_2d(shapes: list[tuple[int, ...]], number_format: str) -> Gemm:
    source, (kh, kw, c, f), (n, oh, ow, _) = shapes
    return Gemm(1, n * oh * ow, f, kh * kw * c, number_format, math.prod(source))


def _depthwise(shapes: list[tuple[int, ...]], number_format: str) -> Gemm:
    source, (kh, kw, c), (n, oh, ow, _) = shapes
    return Gemm(c, n * oh * ow, 1, kh * kw, number_format, math.prod(source))


_CONVOLUTIONS: dict[str, Callable[[list[tuple[int, ...]], str], Gemm]] = {
    "linalg.conv_2d_nhwc_hwcf": _conv_2d,
    "linalg.depthwise_conv_2d_nhwc_hwc": _depthwise,
}


def _maps(o: Any) -> list[Any]:
    if "indexing_maps" not in o.attributes:
        raise InternalError(f"{o.name} has no indexing maps, so its work is not known")
    return [a.value for a in o.attributes["indexing_maps"]]


def _domain(maps: list[Any], shapes: list[tuple[int, ...]]) -> list[int]:
    """The sizes of the loops: of each, from a tensor dimension that it alone indexes."""
    sizes: list[int | None] = [None] * maps[0].n_dims
    for m, shape in zip(maps, shapes, strict=True):
        for expression, extent in zip(m.results, shape, strict=True):
            if isinstance(expression, ir.AffineDimExpr):
                sizes[expression.position] = extent
    return [1 if s is None else s for s in sizes]


def _dims(maps: list[Any]) -> set[int]:
    dims: set[int] = set()
    for m in maps:
        for expression in m.results:
            dims |= _dims_of(expression)
    return dims


def _dims_of(expression: Any) -> set[int]:
    if isinstance(expression, ir.AffineDimExpr):
        return {expression.position}
    if isinstance(expression, ir.AffineBinaryExpr):
        return _dims_of(expression.lhs) | _dims_of(expression.rhs)
    return set()


def _is_projection(m: Any) -> bool:
    return all(isinstance(e, ir.AffineDimExpr) for e in m.results)


def _body_counts(o: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    for region in o.regions:
        for block in region.blocks:
            counts.update(op.operation.name for op in block.operations if op.operation.name not in _FREE)
    return counts


def _touched(argument: Any, *, is_output: bool) -> int:
    """Bytes of an argument that the kernel touches: less than all where it takes slices or gathers elements."""
    whole = _nbytes(argument.type)
    if is_output:
        return whole
    touched = 0
    for use in argument.uses:
        o = use.owner.operation
        if o.name == "tensor.extract_slice":
            touched += _nbytes(o.results[0].type)
        elif o.name == "tensor.extract":
            times = _times(o)
            if times is None:
                return whole
            touched += times * _element_bytes(argument.type)
        else:
            return whole
    return min(whole, touched)


def _times(o: Any) -> int | None:
    """How often an op runs in its kernel, by the generics and ``scf.for`` around it; None where data decides."""
    times = 1
    parent = o.parent
    while parent is not None and parent.name != "func.func":
        if parent.name == "linalg.generic":
            times *= math.prod(_domain(_maps(parent), [_shape(v.type) for v in parent.operands]))
        elif parent.name == "scf.for":
            bounds = [b for b in map(_constant_index, list(parent.operands)[:3]) if b is not None]
            if len(bounds) != 3:
                return None
            times *= len(range(*bounds))
        else:
            return None
        parent = parent.parent
    return times


def _constant_index(value: Any) -> int | None:
    owner = value.owner
    if not isinstance(owner, ir.OpView | ir.Operation) or owner.operation.name != "arith.constant":
        return None
    return int(ir.IntegerAttr(owner.operation.attributes["value"]).value)


def _is_returned(value: Any) -> bool:
    return any(use.owner.operation.name == "func.return" for use in value.uses)


def _constant_arguments(function: Any, count: int) -> list[bool]:
    if "arg_attrs" not in function.attributes:
        return [False] * count
    return ["accelc.constant" in ir.DictAttr(a) for a in ir.ArrayAttr(function.attributes["arg_attrs"])]


def _body(module: Any) -> list[Any]:
    operation = module.operation
    return list(operation.regions[0].blocks[0].operations)


def _shape(t: Any) -> tuple[int, ...]:
    return tuple(t.shape) if isinstance(t, ir.ShapedType) else ()


def _element(t: Any) -> str:
    return str(t.element_type) if isinstance(t, ir.ShapedType) else str(t)


def _element_bytes(t: Any) -> int:
    element = _element(t)
    if element in _BYTES:
        return _BYTES[element]
    bits = re.fullmatch(r"[a-z]+(\d+).*", element)
    if bits is None:
        raise InternalError(f"element type {element} has no known size")
    return -(-int(bits[1]) // 8)


def _nbytes(t: Any) -> int:
    return math.prod(_shape(t)) * _element_bytes(t)


def _format(t: Any) -> str:
    return _FORMATS.get(_element(t), "f32")
