"""The checked rewriter: the only way in which passes change IR.

The bindings crash, or quietly make wrong IR, when an operation is replaced by the wrong number of values, erased
while something uses it, or touched through a stale handle. `Rewriter` refuses all of that with an `InternalError`
that names the op.

Removed ops are not freed at once: they move to a detached module (the *graveyard*) with their operands cut off, so
that every handle that a pass still holds stays valid to print and compare, uses of live values are exact, and no new op
can take over the address of an old one. The graveyard lives as long as the rewriter.

Patterns are plain functions in a dict by op name. Prefer one walk (`rewrite_once`) to a fixpoint (`rewrite_greedily`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from accelc.core.diagnostics import Error, InternalError
from accelc.mlir import ir

# An op handler: changes IR around `op` through the rewriter. What it returns matters to `rewrite_greedily` only.
Handler = Callable[[Any, "Rewriter"], Any]


def describe(op: Any) -> str:
    """One op in words for messages: its name, result types and location."""
    operation = op.operation
    types = ", ".join(str(r.type) for r in operation.results)
    return f"'{operation.name}'{f' -> {types}' if types else ''} at {operation.location}"


def walk(root: Any, names: Collection[str] | None = None) -> list[Any]:
    """The ops under ``root`` in program order, operands before users, nested ops before their parent.

    The list is a snapshot (as ``ir.OpView``), so the caller may change IR while going through it; ops erased
    meanwhile through a `Rewriter` are to be skipped with `Rewriter.is_erased`. ``names`` keeps only these ops.
    """
    found: list[Any] = []

    def visit(op: Any) -> Any:
        if names is None or op.name in names:
            found.append(op.opview)
        return ir.WalkResult.ADVANCE

    root.operation.walk(visit, ir.WalkOrder.POST_ORDER)
    return found


def is_dead(op: Any) -> bool:
    """Whether nothing uses any result of ``op``."""
    return not any(_has_use(result) for result in op.operation.results)


def _has_use(value: Any) -> bool:
    return next(iter(value.uses), None) is not None


def _owner(value: Any) -> Any:
    """The operation that defines ``value``; None for a block argument."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) else owner.operation


class Rewriter:
    """Changes IR under ``root`` (an op or an ``ir.Module``), checked. Not to be kept beyond a pass."""

    def __init__(self, root: Any) -> None:
        self.root = root.operation
        self.changes = 0
        with self.root.context, ir.Location.unknown():
            self._graveyard = ir.Module.create()
        self._stand_ins: dict[Any, Any] = {}
        self._dead = self._graveyard.operation

    # -- where to insert ------------------------------------------------------------------------------------------

    @contextmanager
    def before(self, op: Any) -> Iterator[None]:
        """Ops built inside go before ``op``, and carry its location."""
        operation = self._live(op)
        with operation.location, ir.InsertionPoint(operation):
            yield

    @contextmanager
    def after(self, op: Any) -> Iterator[None]:
        """Ops built inside go right after ``op``, in order, and carry its location."""
        operation = self._live(op)
        with operation.location, ir.InsertionPoint.after(operation):
            yield

    @contextmanager
    def at_start(self, block: Any, location: Any = None) -> Iterator[None]:
        """Ops built inside go to the beginning of ``block``; their location is that of the block's parent op."""
        with location or block.owner.operation.location, ir.InsertionPoint.at_block_begin(block):
            yield

    @contextmanager
    def at_end(self, block: Any, location: Any = None) -> Iterator[None]:
        """Ops built inside go to the end of ``block``, before its terminator where it has one."""
        terminator = _terminator(block)
        point = ir.InsertionPoint(terminator) if terminator is not None else ir.InsertionPoint(block)
        with location or block.owner.operation.location, point:
            yield

    # -- changes --------------------------------------------------------------------------------------------------

    def replace(self, op: Any, values: Any, *, allow_type_change: bool = False) -> None:
        """Uses of ``op``'s results become uses of ``values`` (a value, an op, or a sequence of them); erases ``op``.

        Raises InternalError when counts or types differ (``allow_type_change`` permits the latter, for passes that
        convert all uses of a type), or when a value comes from an erased op or from ``op`` itself.
        """
        operation = self._live(op)
        new = self._values(values)
        old = list(operation.results)
        if len(new) != len(old):
            raise InternalError(f"replacing {describe(operation)}: it has {len(old)} results, not {len(new)}")
        for i, (before, after) in enumerate(zip(old, new, strict=True)):
            self._check_value(after, "replacing", operation)
            owner = _owner(after)
            if owner is not None and owner == operation:
                raise InternalError(f"replacing {describe(operation)} by its own result")
            if not allow_type_change and before.type != after.type:
                raise InternalError(
                    f"replacing {describe(operation)}: result {i} is {before.type}, its replacement {after.type}"
                )
        for before, after in zip(old, new, strict=True):
            before.replace_all_uses_with(after)
        self.erase(op)

    def erase(self, op: Any) -> None:
        """Removes ``op`` and all in its regions. Raises InternalError if a result is still used."""
        operation = self._live(op)
        if operation == self.root:
            raise InternalError(f"a pass may not erase the op it runs on: {describe(operation)}")
        for result in operation.results:
            use = next(iter(result.uses), None)
            if use is not None:
                raise InternalError(
                    f"erasing {describe(operation)} while {describe(use.owner)} uses it",
                    notes=("replace its uses first, or use replace()",),
                )
        self._bury(operation)
        self.changes += 1

    def erase_dead(self, pure: Callable[[Any], bool]) -> int:
        """Erases the ops under the root that nothing uses and for which ``pure(op)``; returns how many."""
        count = 0
        for op in reversed(walk(self.root)):
            if self.is_erased(op) or op.operation == self.root or not op.operation.results:
                continue
            if is_dead(op) and pure(op):
                self.erase(op)
                count += 1
        return count

    def replace_uses(self, old: Any, new: Any, *, keep: Sequence[Any] = ()) -> None:
        """Uses of value ``old`` become uses of ``new``, except those by the ops in ``keep``. Types must agree."""
        self._check_value(new, "replacing uses")
        if old.type != new.type:
            raise InternalError(f"replacing uses of a {old.type} by a {new.type}")
        if keep:
            old.replace_all_uses_except(new, [self._live(op) for op in keep])
        else:
            old.replace_all_uses_with(new)
        self.changes += 1

    def set_operand(self, op: Any, index: int, value: Any, *, allow_type_change: bool = False) -> None:
        """Makes ``value`` operand ``index`` of ``op``."""
        operation = self._live(op)
        self._check_value(value, f"setting operand {index} of", operation)
        if not 0 <= index < len(operation.operands):
            raise InternalError(f"{describe(operation)} has no operand {index}")
        old = operation.operands[index]
        if old.type != value.type and not allow_type_change:
            raise InternalError(f"operand {index} of {describe(operation)} is {old.type}, not {value.type}")
        operation.operands[index] = value
        self.changes += 1

    def set_type(self, value: Any, new_type: Any) -> None:
        """Changes a value's type in place, e.g. to refine a dynamic size. The caller sees to its uses."""
        value.set_type(new_type)
        self.changes += 1

    def set_attr(self, op: Any, name: str, attribute: Any) -> None:
        """Sets (or with None removes) an attribute."""
        operation = self._live(op)
        if attribute is not None:
            operation.attributes[name] = attribute
        elif name in operation.attributes:
            del operation.attributes[name]
        self.changes += 1

    def move_before(self, op: Any, anchor: Any) -> None:
        """Moves ``op`` to right before ``anchor``, which may be in another block."""
        operation, target = self._live(op), self._live(anchor)
        if operation != target:
            operation.move_before(target)
            self.changes += 1

    def clone(self, op: Any, operands: Sequence[Any] | None = None) -> Any:
        """A copy of ``op`` at the current insertion point, with other operands where given; returns the op."""
        operation = self._live(op)
        copy = operation.clone()
        if operands is not None:
            if len(operands) != len(copy.operands):
                raise InternalError(
                    f"cloning {describe(operation)}: it has {len(copy.operands)} operands, not {len(operands)}"
                )
            for i, value in enumerate(operands):
                self._check_value(value, "cloning", operation)
                copy.operation.operands[i] = value
        self.changes += 1
        return copy.operation.opview

    # -- queries --------------------------------------------------------------------------------------------------

    def is_erased(self, op: Any) -> bool:
        """Whether ``op`` was removed through this rewriter, by itself or with an op around it."""
        return self._buried(op.operation)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _live(self, op: Any) -> Any:
        operation = op.operation
        if self._buried(operation):
            raise InternalError(f"{describe(operation)} was erased before")
        return operation

    def _values(self, values: Any) -> list[Any]:
        if isinstance(values, ir.Value):
            return [values]
        if isinstance(values, (ir.OpView, ir.Operation)):
            return list(values.operation.results)
        return [v for each in values for v in self._values(each)]

    def _check_value(self, value: Any, doing: str, op: Any = None) -> None:
        if not isinstance(value, ir.Value):
            problem = f"{type(value).__name__} is not a value"
        elif (owner := _owner(value)) is not None and self._buried(owner):
            problem = f"the new value's op {describe(owner)} was erased before"
        else:
            return
        raise InternalError(f"{doing}{f' {describe(op)}' if op is not None else ''}: {problem}")

    def _buried(self, operation: Any) -> bool:
        # Handles have no usable identity (equal ops hash differently), so ask where the op is now.
        while operation is not None:
            if operation == self._dead:
                return True
            parent = operation.parent if operation.attached else None
            operation = parent.operation if parent is not None else None
        return False

    def _bury(self, operation: Any) -> None:
        for i, value in enumerate(operation.operands):
            operation.operands[i] = self._stand_in(value.type)
        self._graveyard.body.append(operation)
        if len(operation.regions):
            self._cut_captures(operation)

    def _cut_captures(self, operation: Any) -> None:
        """Replaces, inside a buried op's regions, operands that come from live ops."""
        for op in walk(operation):
            inner = op.operation
            if inner == operation:
                continue
            for i, value in enumerate(inner.operands):
                parent = value.owner.owner if isinstance(value.owner, ir.Block) else value.owner
                if not self._buried(parent.operation):
                    inner.operands[i] = self._stand_in(value.type)

    def _stand_in(self, type_: Any) -> Any:
        value = self._stand_ins.get(type_)
        if value is None:
            value = self._graveyard.body.add_argument(type_, ir.Location.unknown(self.root.context))
            self._stand_ins[type_] = value
        return value


def _terminator(block: Any) -> Any:
    if len(block.operations) == 0:
        return None
    last = block.operations[-1]
    return last if last.operation.has_trait(ir.IsTerminatorTrait) else None


def rewrite_once(root: Any, handlers: Mapping[str, Handler], rewriter: Rewriter | None = None) -> Rewriter:
    """One walk: calls ``handlers[op.name](op, rewriter)`` for each op that was there at the start and still is.

    Ops are visited operands first. Inside a handler, new ops go before ``op`` and carry its location. Ops that
    handlers make are not visited. Returns the rewriter (``.changes`` says whether anything happened).
    """
    rewriter = rewriter or Rewriter(root)
    for op in walk(root, handlers.keys()):
        if not rewriter.is_erased(op):
            apply(handlers[op.operation.name], op, rewriter)
    return rewriter


def rewrite_greedily(
    root: Any, handlers: Mapping[str, Handler], rewriter: Rewriter | None = None, *, max_rounds: int = 64
) -> Rewriter:
    """Walks until no handler changes anything.

    Raises InternalError after ``max_rounds`` walks: a set of patterns then undoes or reproduces its own work.
    """
    rewriter = rewriter or Rewriter(root)
    for _ in range(max_rounds):
        before = rewriter.changes
        last = None
        for op in walk(root, handlers.keys()):
            if rewriter.is_erased(op):
                continue
            seen = rewriter.changes
            apply(handlers[op.operation.name], op, rewriter)
            if rewriter.changes != seen:
                last = op.operation.name
        if rewriter.changes == before:
            return rewriter
    raise InternalError(f"rewriting does not end: patterns still change '{last}' after {max_rounds} walks")


def apply(handler: Handler, op: Any, rewriter: Rewriter) -> None:
    """Calls one handler at ``op``; an `Error` that it raises learns where in the IR it happened."""
    # Taken before: the handler may erase the op.
    location = op.operation.location
    try:
        with rewriter.before(op):
            handler(op, rewriter)
    except Error as error:
        if error.location is None:
            error.location = location
        raise
