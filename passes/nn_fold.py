"""The pass `nn-fold`: constant subexpressions move into the constant store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.rewrite import Rewriter
from accelc.dialects import nn
from accelc.passes.cleanup import clean
from accelc.passes.constants import FOLDABLE, INLINE_ELEMENTS, Constants
from accelc.passes.graph import body_of, main_function, name_of

# A folded constant may be larger than what it is computed from, up to this many elements (a mask, a range).
GROWTH_ELEMENTS = 1 << 16

# Stored constants up to this size are looked at for repetition.
MAX_REPEATED_ELEMENTS = 1 << 18

# Ops that only repeat or count: folding one alone would trade a loop for memory traffic.
REPEATING = frozenset({"broadcast", "iota"})


@register_pass
@dataclass(frozen=True)
class NnFold(Pass):
    """Replaces ops on constants by ``nn.weight``, as lazy expressions that are evaluated when the artifact is written.

    Results of at most 64 elements are computed now and become ``nn.constant``. Sizes of static shapes are constants.
    What would only blow up data (a broadcast scalar, a long range) stays in the graph, and a stored constant that
    repeats a smaller one becomes a broadcast of it.
    """

    name = "nn-fold"
    summary = "fold constant subexpressions into the store"
    takes = "nn"
    establishes = frozenset({"folded"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main``."""
        main = main_function(module)
        if main is None:
            return
        fold(body_of(main), context)
        clean(module)


def fold(block: Any, context: PassContext) -> None:
    """Folds in one walk over ``block``."""
    constants = Constants(context.store)
    rewriter = Rewriter(block.owner)
    known: dict[Any, str] = {}
    for op in list(block.operations):
        name = name_of(op)
        if name == "weight" and op.ref in context.store:
            with rewriter.before(op):
                _unrepeat(op, known, constants, rewriter)
        if rewriter.is_erased(op):
            continue
        if name == "constant" or (name == "weight" and op.ref in context.store):
            known[op.operation.results[0]] = ""
        elif op.operation.name.startswith("nn."):
            with rewriter.before(op):
                _visit(op, name, known, constants, rewriter)


def _unrepeat(op: Any, known: dict[Any, str], constants: Constants, rewriter: Rewriter) -> None:
    """A stored constant that only repeats a smaller one becomes a broadcast of it, which other passes see through."""
    entry = constants.store.entry(op.ref)
    shape = entry.shape
    size = constants.type(op.ref).num_elements
    if entry.load is None or not 0 < size <= MAX_REPEATED_ELEMENTS:
        return
    array = constants.store.array(op.ref)
    repeated = [d for d, n in enumerate(shape) if n > 1 and _repeats(array, d)]
    if not repeated:
        return
    kept = tuple(d for d, n in enumerate(shape) if d not in repeated and n > 1)
    small = array[tuple(slice(None) if d in kept else 0 for d in range(len(shape)))]
    value = constants.value(constants.add(small))
    known[value] = ""
    new = nn.build.broadcast(value, dims=kept, shape=shape)
    known[new] = constants.derive("broadcast", [constants.add(small)], dims=kept, shape=shape)
    rewriter.replace(op, new)


def _repeats(array: Any, axis: int) -> bool:
    """Whether all slices along ``axis`` are equal; the first and the last tell most arrays apart."""
    first = array[(slice(None),) * axis + (slice(0, 1),)]
    last = array[(slice(None),) * axis + (slice(-1, None),)]
    return bool((first == last).all()) and bool((array == first).all())


def _visit(op: Any, name: str, known: dict[Any, str], constants: Constants, rewriter: Rewriter) -> None:
    operation = op.operation
    if name in ("shape_of", "dim"):
        operand = operation.operands[0].type
        if operand.has_static_shape:
            attrs = nn.attrs(op)
            sizes = operand.shape[attrs["axis"]] if name == "dim" else list(operand.shape)
            new = nn.build.constant(sizes, "si64")
            known[new] = ""
            rewriter.replace(op, new)
        return
    operands = list(operation.operands)
    if len(operation.results) != 1 or any(v not in known for v in operands) or name not in FOLDABLE:
        return
    result = operation.results[0]
    if not result.type.has_static_shape:
        return
    refs = []
    for value in operands:
        if not known[value]:
            ref = constants.ref(value)
            assert ref is not None
            known[value] = ref
        refs.append(known[value])
    ref = constants.derive(name, refs, **nn.attrs(op))
    known[result] = ref
    number = _splat_number(constants, ref, name)
    if number is not None:
        new = nn.build.broadcast(nn.build.constant(number), dims=(), shape=tuple(result.type.shape))
        known[new] = ref
        rewriter.replace(op, new)
    elif _worth(constants, ref, name):
        new = constants.value(ref)
        known[new] = ref
        rewriter.replace(op, new)


def _splat_number(constants: Constants, ref: str, name: str) -> Any:
    """The number that an entry repeats, if it is computed from scalars alone and larger than a constant may be."""
    size = constants.type(ref).num_elements
    if name in REPEATING or not INLINE_ELEMENTS < size <= GROWTH_ELEMENTS or constants.leaf_elements(ref) > 8:
        return None
    array = constants.store.array(ref)
    first = array.reshape(-1)[:1]
    return first.reshape(()) if (array == first).all() else None


def _worth(constants: Constants, ref: str, name: str) -> bool:
    """Whether the constant is better than the op that computes it."""
    size = constants.type(ref).num_elements
    if size <= INLINE_ELEMENTS:
        return name not in REPEATING or constants.leaf_elements(ref) > 1 or size == 1
    if size <= constants.leaf_elements(ref):
        return name not in REPEATING
    return name not in REPEATING and size <= GROWTH_ELEMENTS
