"""host-expand-conversions: element types and conversions that the CPU lacks, by integer arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.kernel_module import entry, kernels, name_of, run_pipeline
from accelc.targets.host.codegen.narrow_floats import FORMATS, ScalarBuilder, f64_to_odd_f32, from_f32, to_f32

_NARROW = frozenset({*FORMATS, "i4"})
_NUMPY = {
    "f8E4M3FN": ml_dtypes.float8_e4m3fn,
    "f8E5M2": ml_dtypes.float8_e5m2,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn,
}
# Ops that read an operand as a signed number.
_SIGNED = frozenset(
    f"arith.{name}" for name in ("extsi", "sitofp", "divsi", "remsi", "maxsi", "minsi", "shrsi", "index_cast")
)
_SIGNED_PREDICATES = (2, 3, 4, 5)


@register_pass
@dataclass(frozen=True)
class HostExpandConversions(Pass):
    """Stores fp8 and 4-bit elements as ``i8``, one a byte, and converts them by integer arithmetic; rounds f64 to f16
    and bf16 once, through f32.

    A 4-bit integer has zeros in the upper half of its byte, as in numpy. Raises UnsupportedError for arithmetic on
    narrow floats other than conversions: kernels compute in f32.
    """

    name: ClassVar[str] = "host-expand-conversions"
    summary: ClassVar[str] = "store fp8 and 4-bit types in bytes; conversions without an instruction as integer ops"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module`` that uses such types."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                _round_doubles(kernel)
                if _uses_narrow(kernel):
                    run_pipeline(kernel, "linalg-generalize-named-ops")
                    _Narrow(kernel).run()


def _ops(kernel: Any) -> list[Any]:
    found: list[Any] = []

    def visit(op: Any) -> Any:
        found.append(op)
        return ir.WalkResult.ADVANCE

    kernel.walk(visit)
    return found


def _round_doubles(kernel: Any) -> None:
    """f64 to f16, bf16 and narrower: through f32 rounded to odd."""
    for op in _ops(kernel):
        if op.name == "arith.truncf" and str(op.operands[0].type) == "f64" and str(op.result.type) != "f32":
            with ir.InsertionPoint(op):
                op.operands[0] = f64_to_odd_f32(ScalarBuilder(), op.operands[0])


def _element(kind: Any) -> str:
    return str(kind.element_type if isinstance(kind, ir.ShapedType) else kind)


def _values(ops: list[Any]) -> Iterator[Any]:
    for op in ops:
        yield from op.results
        for region in op.regions:
            for block in region.blocks:
                yield from block.arguments


def _uses_narrow(kernel: Any) -> bool:
    return any(_element(v.type) in _NARROW for v in _values(_ops(kernel)))


class _Narrow:
    """Gives a kernel's narrow values the type ``i8``, and its ops on them their meaning in bytes."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.b = ScalarBuilder()

    def run(self) -> None:
        ops = _ops(self.kernel)
        arith = [
            (op, [_element(v.type) for v in op.operands], [_element(v.type) for v in op.results])
            for op in ops
            if op.name.startswith(("arith.", "math."))
        ]
        arith = [entry for entry in arith if _NARROW & {*entry[1], *entry[2]}]
        for value in list(_values(ops)):
            if _element(value.type) in _NARROW:
                value.set_type(self._bytes(value.type))
        for op, operands, results in arith:
            with ir.InsertionPoint(op):
                self._rewrite(op, operands, results)
        function = entry(self.kernel)
        (block,) = function.regions[0].blocks
        results = [v.type for v in block.operations[len(block.operations) - 1].operation.operands]
        signature = ir.FunctionType.get([a.type for a in block.arguments], results)
        function.attributes["function_type"] = ir.TypeAttr.get(signature)

    def _bytes(self, kind: Any) -> Any:
        return ir.RankedTensorType.get(kind.shape, self.b.i8) if isinstance(kind, ir.RankedTensorType) else self.b.i8

    def _rewrite(self, op: Any, operands: list[str], results: list[str]) -> None:
        if op.name == "arith.constant":
            op.attributes["value"] = self._constant(op, results[0])
        elif op.name == "arith.select":
            pass
        elif op.name == "arith.bitcast" and {*operands, *results} <= {*_NARROW, "i8"}:
            self._replace(op, op.operands[0])
        elif op.name in ("arith.extf", "arith.truncf"):
            self._replace(op, self._convert(op, operands[0], results[0]))
        elif "i4" in (*operands, *results) and not {*operands, *results} & {*FORMATS}:
            self._integer(op, operands, results)
        else:
            narrow = next(t for t in (*operands, *results) if t in _NARROW)
            raise UnsupportedError(f"'{op.name}' on {narrow} has no native code on the host", node=name_of(self.kernel))

    @staticmethod
    def _replace(op: Any, value: Any) -> None:
        op.result.replace_all_uses_with(value)
        op.erase()

    def _constant(self, op: Any, element: str) -> Any:
        value, kind = op.attributes["value"], op.result.type
        if not isinstance(value, ir.DenseElementsAttr):
            return ir.IntegerAttr.get(self.b.i8, self._bits(value, element))
        if not value.is_splat:
            raise UnsupportedError(f"a constant tensor of {element} inside of a kernel", node=name_of(self.kernel))
        bits = self._bits(value.get_splat_value(), element)
        return ir.DenseElementsAttr.get_splat(kind, ir.IntegerAttr.get(self.b.i8, bits))

    @staticmethod
    def _bits(attribute: Any, element: str) -> int:
        """A scalar's bits, as the signed number that an i8 attribute takes."""
        if element == "i4":
            return int(ir.IntegerAttr(attribute).value) & 15
        number = np.array(ir.FloatAttr(attribute).value, np.float32).astype(_NUMPY[element])
        return int(number.view(np.int8))

    def _convert(self, op: Any, source: str, target: str) -> Any:
        b, value = self.b, op.operands[0]
        if source in FORMATS:
            value = to_f32(b, value, FORMATS[source])
        elif source != "f32":
            value = b.op("extf", value, kind=b.f32)
        if target in FORMATS:
            return from_f32(b, value, FORMATS[target])
        if target == "f32":
            return value
        return b.op("extf" if target == "f64" else "truncf", value, kind=op.result.type)

    def _integer(self, op: Any, operands: list[str], results: list[str]) -> None:
        """An op on 4-bit integers: on bytes, signs extended where it looks at them, the upper half cleared after."""
        b = self.b
        signed = op.name in _SIGNED or (
            op.name == "arith.cmpi" and ir.IntegerAttr(op.attributes["predicate"]).value in _SIGNED_PREDICATES
        )
        if signed:
            for i, element in enumerate(operands):
                if element == "i4":
                    op.operands[i] = b.binary("shrsi", b.binary("shli", op.operands[i], 4), 4)
        first = op.operands[0]
        if op.name in ("arith.extsi", "arith.extui", "arith.trunci") and first.type == op.result.type:
            value = first if results[0] != "i4" else b.binary("andi", first, 15)
            self._replace(op, value)
        elif results[0] == "i4":
            with ir.InsertionPoint.after(op):
                mask = b.integer(15, b.i8)
                cleared = b.op("andi", op.result, mask)
            op.result.replace_all_uses_except(cleared, cleared.owner.operation)
