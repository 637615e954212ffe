"""The pass `nn-fold-norms`: normalization with given statistics, and scales by channel, go into weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.rewrite import Rewriter, rewrite_greedily
from accelc.dialects import nn
from accelc.passes.cleanup import clean
from accelc.passes.constants import Constants
from accelc.passes.graph import defining, has_one_use, main_function

Value = Any


@register_pass
@dataclass(frozen=True)
class NnFoldNorms(Pass):
    """Batch norm becomes a product and a sum by channel; the product goes into the filter of a convolution or the
    constant operand of a contraction before it, and the sum stays as a bias (which fuses into its kernel).

    The new weights are expressions in the store. They differ from the model's arithmetic by rounding only.
    """

    name = "nn-fold-norms"
    summary = "fold batch norm and scales by channel into weights"
    takes = "nn"
    requires = frozenset({"folded"})
    establishes = frozenset({"norms-folded"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main`` until nothing changes."""
        main = main_function(module)
        if main is None:
            return
        folder = _Folder(Constants(context.store))
        rewrite_greedily(
            main, {"nn.batch_norm": folder.batch_norm, "nn.mul": folder.scale, "nn.add": folder.merge_biases}
        )
        clean(module)


class _Folder:
    def __init__(self, constants: Constants) -> None:
        self.constants = constants

    def batch_norm(self, op: Any, rw: Rewriter) -> None:
        """``x * s + t`` with s = scale / sqrt(var + epsilon), t = bias - mean * s."""
        x, *parameters = op.operation.operands
        refs = [self.constants.ref(v) for v in parameters]
        if any(r is None for r in refs) or not x.type.has_static_shape:
            return
        attrs, c = nn.attrs(op), self.constants
        dtype = str(x.type.element_type)
        wide = "f64" if dtype == "f64" else "f32"
        scale, bias, mean, var = (c.cast(r, wide) for r in refs if r is not None)
        epsilon = c.broadcast(c.scalar(attrs["epsilon"], wide), c.shape(var), ())
        factor = c.binary("mul", scale, c.derive("rsqrt", [c.binary("add", var, epsilon)]))
        shift = c.binary("sub", bias, c.binary("mul", mean, factor))
        shape, dims = tuple(x.type.shape), (attrs["axis"],)
        spread = [nn.build.broadcast(c.value(c.cast(r, dtype)), dims=dims, shape=shape) for r in (factor, shift)]
        rw.replace(op, nn.build.add(nn.build.mul(x, spread[0]), spread[1]))

    def scale(self, op: Any, rw: Rewriter) -> None:
        """A product by a constant along one dimension, after a convolution, a contraction, or either with a bias."""
        for x, other in _both_ways(op):
            constant = self._by_channel(other)
            if constant is None or not has_one_use(x):
                continue
            ref, dims = constant
            inner = defining(x)
            if inner is None:
                continue
            if inner.operation.name == "nn.add" and (new := self._through_bias(inner, ref, dims)) is not None:
                rw.replace(op, new)
                return
            if (new := self._into_weights(inner, ref, dims)) is not None:
                rw.replace(op, new)
                return

    def merge_biases(self, op: Any, rw: Rewriter) -> None:
        """``(x + a) + b`` with constants along the same dimension."""
        for x, other in _both_ways(op):
            outer = self._by_channel(other)
            inner = defining(x, "add")
            if outer is None or inner is None or not has_one_use(x):
                continue
            for y, first in _both_ways(inner):
                known = self._by_channel(first)
                if known is not None and known[1] == outer[1]:
                    total = self.constants.binary("add", known[0], outer[0])
                    rw.replace(op, nn.build.add(y, self._spread(total, outer[1], op.operation.results[0])))
                    return

    def _by_channel(self, value: Value) -> tuple[str, tuple[int, ...]] | None:
        """The store's name and the dimension of a constant that varies along at most one dimension."""
        op = defining(value, "broadcast")
        if op is None or len(op.operation.operands) != 1:
            return None
        source = op.operation.operands[0]
        ref = self.constants.ref(source)
        if ref is None or len(source.type.shape) > 1 or not op.operation.results[0].type.has_static_shape:
            return None
        return ref, nn.attrs(op)["dims"]

    def _spread(self, ref: str, dims: tuple[int, ...], like: Value) -> Value:
        return nn.build.broadcast(self.constants.value(ref), dims=dims, shape=tuple(like.type.shape))

    def _through_bias(self, inner: Any, ref: str, dims: tuple[int, ...]) -> Value | None:
        """``(y + b) * s`` is ``y * s + b * s``, where y is a product of weights."""
        for y, other in _both_ways(inner):
            bias = self._by_channel(other)
            producer = defining(y)
            if bias is None or producer is None or not has_one_use(y):
                continue
            if bias[1] != dims and dims and bias[1]:
                continue
            scaled = self._into_weights(producer, ref, dims)
            if scaled is None:
                continue
            along = dims or bias[1]
            shape = self.constants.shape(ref if dims else bias[0])
            sides = [self.constants.broadcast(r, shape, tuple(range(len(d)))) for r, d in (bias, (ref, dims))]
            product = self.constants.binary("mul", sides[0], sides[1])
            return nn.build.add(scaled, self._spread(product, along, scaled))
        return None

    def _into_weights(self, producer: Any, ref: str, dims: tuple[int, ...]) -> Value | None:
        """The op again with its weights scaled; None where it has no constant weights along that dimension."""
        match producer.operation.name:
            case "nn.conv":
                return self._scaled_conv(producer, ref, dims)
            case "nn.contract":
                return self._scaled_contract(producer, ref, dims)
        return None

    def _scaled_conv(self, op: Any, ref: str, dims: tuple[int, ...]) -> Value | None:
        x, w = op.operation.operands
        weights = self.constants.ref(w)
        attrs = nn.attrs(op)
        rank = len(x.type.shape)
        nchw = attrs["layout"] == "nchw"
        if weights is None or dims not in ((), (1 if nchw else rank - 1,)):
            return None
        along = () if not dims else (0,) if nchw else (rank - 1,)
        return nn.build.conv(x, self._scaled(weights, ref, along), **attrs)

    def _scaled_contract(self, op: Any, ref: str, dims: tuple[int, ...]) -> Value | None:
        attrs = nn.attrs(op)
        sides, out = attrs["spec"].split("->")
        letters = sides.split(",")
        operands = list(op.operation.operands)
        for i, side in enumerate(letters):
            weights = self.constants.ref(operands[i])
            if weights is None or (dims and out[dims[0]] not in side):
                continue
            along = (side.index(out[dims[0]]),) if dims else ()
            operands[i] = self._scaled(weights, ref, along)
            return nn.build.contract(*operands, **attrs)
        return None

    def _scaled(self, weights: str, ref: str, along: tuple[int, ...]) -> Value:
        c = self.constants
        factor = c.broadcast(c.cast(ref, c.type(weights).dtype), c.shape(weights), along)
        return c.value(c.binary("mul", weights, factor))


def _both_ways(op: Any) -> list[tuple[Value, Value]]:
    a, b = op.operation.operands
    return [(a, b), (b, a)]
