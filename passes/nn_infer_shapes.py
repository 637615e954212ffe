"""The pass `nn-infer-shapes`: symbolic sizes get values, and every type follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.rewrite import Rewriter
from accelc.dialects import nn
from accelc.dialects.nn import TensorType
from accelc.mlir import ir
from accelc.passes.cleanup import clean
from accelc.passes.graph import body_of, main_function, name_of

Value = Any
Array = np.ndarray[Any, Any]

# Sizes are computed by small integer tensors; larger ones are data.
SIZE_ELEMENTS = 64


@register_pass
@dataclass(frozen=True)
class NnInferShapes(Pass):
    """Replaces symbols of ``nn.dims`` by sizes and refines the types of all that depends on them.

    Small integer tensors are evaluated on the way, so that shapes that the model computes become static as well.

    Options:
        dims: a size for each symbol, e.g. ``dims=batch:8,seq:128``.
    """

    dims: Mapping[str, int] = field(default_factory=dict)

    name = "nn-infer-shapes"
    summary = "give symbolic sizes values and refine types"
    takes = "nn"
    establishes = frozenset({"shapes-inferred", "static-shapes"})

    def run(self, module: Any, context: PassContext) -> None:
        """Raises UsageError for a symbol that the model does not have, or a size below 1."""
        main = main_function(module)
        if main is None:
            return
        self._check(main)
        self._refine_arguments(main)
        _Refiner(main).run()
        _update_function_type(main)
        clean(module)

    def _check(self, main: Any) -> None:
        known = {s for names in _symbols(main) for s in names if not s.isdigit()}
        for name, size in self.dims.items():
            if name not in known:
                notes = (f"symbols: {', '.join(sorted(known)) or 'none'}",)
                raise UsageError(f"the model has no symbolic size '{name}'", notes=notes)
            if size < 1:
                raise UsageError(f"the size of '{name}' must be at least 1, got {size}")

    def _refine_arguments(self, main: Any) -> None:
        for argument, names in zip(body_of(main).arguments, _symbols(main), strict=True):
            if not names:
                continue
            kind = nn.tensor_type(argument.type)
            shape = tuple(self.dims.get(n) if s is None else s for s, n in zip(kind.shape, names, strict=True))
            if shape != kind.shape:
                with argument.type.context:
                    argument.set_type(TensorType(shape, kind.dtype).to_mlir())


def _symbols(main: Any) -> list[list[str]]:
    """``nn.dims`` of each argument; empty where it has none."""
    if "arg_attrs" not in main.operation.attributes:
        return [[] for _ in body_of(main).arguments]
    return [
        [d.value for d in attrs["nn.dims"]] if "nn.dims" in attrs else []
        for attrs in main.operation.attributes["arg_attrs"]
    ]


def _update_function_type(main: Any) -> None:
    block = body_of(main)
    terminator = block.operations[len(block.operations) - 1].operation
    with main.operation.context:
        kind = ir.FunctionType.get([a.type for a in block.arguments], [v.type for v in terminator.operands])
        main.operation.attributes["function_type"] = ir.TypeAttr.get(kind)


class _Refiner:
    def __init__(self, main: Any) -> None:
        self.main = main
        self.rewriter = Rewriter(main)
        self.known: dict[Value, Array] = {}

    def run(self) -> None:
        """One walk: every op is made again where its operands know more than before."""
        for op in list(body_of(self.main).operations):
            name = name_of(op)
            if not op.operation.name.startswith("nn.") or name in ("weight", "fusion"):
                continue
            with self.rewriter.before(op):
                self._visit(op, name)

    def _visit(self, op: Any, name: str) -> None:
        operands = list(op.operation.operands)
        attrs = nn.attrs(op)
        if "shape" in attrs and name != "constant":
            attrs["shape"] = self._shape(name, operands, attrs["shape"])
            if name in ("iota", "broadcast") and None not in attrs["shape"]:
                operands = operands[: 0 if name == "iota" else 1]
        if name == "dynamic_reshape" and None not in attrs["shape"]:
            name, operands = "reshape", operands[:1]
        if name == "assume_dim" and nn.tensor_type(operands[0].type).is_static:
            self.rewriter.replace(op, operands[0], allow_type_change=True)
            return
        types = [nn.tensor_type(v.type) for v in operands]
        results = nn.infer(name, types, attrs)
        declared = [nn.tensor_type(v.type) for v in op.operation.results]
        changed = name != name_of(op) or len(operands) != len(op.operation.operands) or results != declared
        if changed:
            made = nn.build.make(name, operands, attrs)
            values = made if isinstance(made, list) else [made]
            self.rewriter.replace(op, values, allow_type_change=True)
        else:
            values = list(op.operation.results)
        self._evaluate(name, operands, types, attrs, values, results)

    def _shape(self, name: str, operands: list[Value], shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """A result's shape, completed by the sizes operand where that is known."""
        position = {"dynamic_reshape": 1, "broadcast": 1, "iota": 0}.get(name)
        if None not in shape or position is None or position >= len(operands):
            return shape
        sizes = self.known.get(operands[position])
        if sizes is None:
            return shape
        resolved = [int(s) for s in sizes]
        if -1 in resolved:
            kind = nn.tensor_type(operands[0].type)
            if not kind.is_static:
                return shape
            rest = int(np.prod([s for s in resolved if s != -1], dtype=np.int64))
            resolved[resolved.index(-1)] = kind.num_elements // rest if rest else 0
        return tuple(resolved)

    def _evaluate(
        self,
        name: str,
        operands: list[Value],
        types: list[TensorType],
        attrs: dict[str, Any],
        values: list[Value],
        results: list[TensorType],
    ) -> None:
        """Notes the result of a small integer op whose operands are known."""
        if len(results) != 1 or not results[0].is_static or results[0].num_elements > SIZE_ELEMENTS:
            return
        if name == "constant":
            self.known[values[0]] = attrs["value"]
        elif name == "shape_of" and types[0].is_static:
            self.known[values[0]] = np.array(types[0].shape, np.int64)
        elif name == "dim" and types[0].shape[attrs["axis"]] is not None:
            self.known[values[0]] = np.array(types[0].shape[attrs["axis"]], np.int64)
        elif name not in ("shape_of", "dim") and operands and all(v in self.known for v in operands):
            arrays = [self.known[v] for v in operands]
            self.known[values[0]] = nn.evaluate(name, arrays, attrs, results)[0]
