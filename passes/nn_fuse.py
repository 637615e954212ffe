"""The pass `nn-fuse`: groups ops into `nn.fusion` regions, each of which becomes one kernel."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.dialects import nn
from accelc.dialects.nn.op import op_class
from accelc.dialects.runs import GROUPS
from accelc.mlir import ir
from accelc.passes.cleanup import clean
from accelc.passes.graph import body_of, device_of, main_function, name_of, provenance
from accelc.passes.op_kinds import CONSTANTS, CONTRACTIONS, ELEMENTWISE, ROWWISE, VIEWS, WINDOWS

Value = Any
Operation = Any

# Ops that cost nothing inside a kernel: each fusion that reads one gets its own copy.
COPIED = frozenset({"broadcast", "iota", "constant"})


@dataclass(eq=False)
class Node:
    """An op of the graph that does work. ``sources``: the values it reads, seen through ops that are copied."""

    index: int
    op: Operation
    name: str
    shape: tuple[int, ...]
    sources: list[Value]
    group: Group

    @property
    def key(self) -> Value:
        """What identifies the op: its first result, since handles of one op differ in their hash."""
        return self.op.operation.results[0]


@dataclass(eq=False)
class Group:
    """Nodes that become one kernel.

    kind: ``contraction``, ``window``, ``row``, ``pointwise`` or ``other``.
    shape: of the elementwise ops in it. axes and reduced: of a row-wise group, what it reduces and what is left.
    """

    kind: str
    shape: tuple[int, ...]
    device: str
    nodes: list[Node] = field(default_factory=list)
    axes: tuple[int, ...] | None = None
    reduced: tuple[int, ...] | None = None

    @property
    def first(self) -> int:
        """Where its first node stands in the graph."""
        return self.nodes[0].index

    @property
    def last(self) -> int:
        """Where its last node stands in the graph."""
        return max(n.index for n in self.nodes)


@register_pass
@dataclass(frozen=True)
class NnFuse(Pass):
    """Groups every op that does work into a fusion, in one walk.

    A contraction, convolution or pool takes the elementwise ops after it (bias, activation, residual sums); a row-wise
    op (softmax, norms, reductions) takes elementwise ops on either side; elementwise ops of one shape join each other.
    No op is computed twice, but for broadcasts and constants; no cycle arises; contractions keep one output.

    Options:
        max_ops: the most ops in a fusion.
        max_inputs: the most values that a fusion reads.
        max_outputs: the most values that a fusion without a contraction gives.
    """

    max_ops: int = 64
    max_inputs: int = 16
    max_outputs: int = 4

    name = "nn-fuse"
    summary = "group ops into fusions, one kernel each"
    takes = "nn"
    requires = frozenset({"placed"})
    establishes = frozenset({"fused"})

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites ``@main``."""
        main = main_function(module)
        if main is not None:
            clean(module)
            _Fuser(body_of(main), self).run()


class _Fuser:
    def __init__(self, block: Any, options: NnFuse) -> None:
        self.block = block
        self.options = options
        self.nodes: list[Node] = []
        self.producer: dict[Value, Node] = {}
        # Views pass dependence on: result -> operand.
        self.view_of: dict[Value, Value] = {}

    def run(self) -> None:
        for index, op in enumerate(list(self.block.operations)):
            self._visit(index, op)
        groups = list(dict.fromkeys(n.group for n in self.nodes))
        groups = [part for group in groups for part in self._limited(group)]
        _rebuild(self.block, self._ordered(groups))

    # Grouping ----------------------------------------------------------------------------------------------------

    def _visit(self, index: int, op: Operation) -> None:
        name = name_of(op)
        if name in CONSTANTS or name == "func.return" or name == "fusion":
            return
        results = list(op.operation.results)
        if name in VIEWS:
            self.view_of[results[0]] = op.operation.operands[0]
            return
        if name in COPIED and _only_fusible_users(op):
            return
        shape = tuple(results[0].type.shape)
        sources = list(dict.fromkeys(_sources(op)))
        node = Node(index, op, name, shape, sources, None)  # type: ignore[arg-type]
        node.group = self._choose(node) or self._new_group(node)
        node.group.nodes.append(node)
        self.nodes.append(node)
        for value in results:
            self.producer[value] = node

    def _new_group(self, node: Node) -> Group:
        name, device = node.name, device_of(node.op)
        if name in CONTRACTIONS:
            return Group("contraction", node.shape, device)
        if name in WINDOWS:
            return Group("window", node.shape, device)
        if name in ROWWISE:
            full, axes, reduced = _row_shapes(node)
            return Group("row", full, device, axes=axes, reduced=reduced)
        if name in ELEMENTWISE or name in COPIED:
            return Group("pointwise", node.shape, device)
        return Group("other", node.shape, device)

    def _choose(self, node: Node) -> Group | None:
        """The group that ``node`` joins: of those that it reads from, the last one that may take it."""
        if node.name not in ELEMENTWISE and node.name not in ROWWISE:
            return None
        candidates = {p.group: None for v in node.sources if (p := self.producer.get(v)) is not None}
        for group in sorted(candidates, key=lambda g: (g.kind == "contraction", g.last), reverse=True):
            if self._fits(group, node) and not self._depends(node, group):
                if node.name in ROWWISE:
                    group.kind = "row"
                    _, group.axes, group.reduced = _row_shapes(node)
                self._absorb_pointwise(group, node)
                return group
        return None

    def _fits(self, group: Group, node: Node) -> bool:
        if group.kind == "other" or group.device != device_of(node.op):
            return False
        if len(group.nodes) >= self.options.max_ops:
            return False
        if node.name in ROWWISE:
            full, axes, _ = _row_shapes(node)
            mergeable = group.kind == "pointwise" or (group.kind == "row" and group.axes == axes)
            if not mergeable or full != group.shape or node.name == "group_norm":
                return False
        elif node.shape != group.shape and (group.kind != "row" or node.shape != group.reduced):
            return False
        inputs = {v for n in [*group.nodes, node] for v in n.sources if self._group_of(v) is not group}
        return len(inputs) <= self.options.max_inputs

    def _group_of(self, value: Value) -> Group | None:
        node = self.producer.get(value)
        return None if node is None else node.group

    def _depends(self, node: Node, group: Group) -> bool:
        """Whether ``node`` reads something that depends on ``group`` by a way around it."""
        seen: set[Group] = set()
        stack = [g for v in node.sources if (g := self._origin(v, group)) is not None]
        while stack:
            current = stack.pop()
            if current is group:
                return True
            if current in seen or current.last < group.first:
                continue
            seen.add(current)
            stack += [
                g for n in current.nodes for v in n.sources if (g := self._behind(v)) is not None and g is not current
            ]
        return False

    def _origin(self, value: Value, group: Group) -> Group | None:
        """The group behind a value that a node reads; None where it reads ``group`` itself, directly."""
        node = self.producer.get(value)
        return None if node is not None and node.group is group else self._behind(value)

    def _behind(self, value: Value) -> Group | None:
        while (source := self.view_of.get(value)) is not None:
            value = source
        node = self.producer.get(value)
        return None if node is None else node.group

    def _absorb_pointwise(self, group: Group, node: Node) -> None:
        """Pointwise groups of the same shape that only ``node`` and ``group`` read from join ``group`` as well."""
        for value in node.sources:
            other = self._group_of(value)
            if other is None or other is group or other.kind != "pointwise" or other.shape != group.shape:
                continue
            if other.device != group.device or len(group.nodes) + len(other.nodes) > self.options.max_ops:
                continue
            readers = {u for n in other.nodes for v in n.op.operation.results for u in _readers(v)}
            inside = {n.key for n in (*group.nodes, *other.nodes, node)}
            inputs = {v for n in (*group.nodes, *other.nodes, node) for v in n.sources}
            if not readers <= inside or len(inputs) > self.options.max_inputs:
                continue
            if any(self._depends(n, group) for n in other.nodes):
                continue
            for n in other.nodes:
                n.group = group
            group.nodes = sorted([*group.nodes, *other.nodes], key=lambda n: n.index)
            other.nodes = []

    # Outputs -------------------------------------------------------------------------------------------------------

    def _limited(self, group: Group) -> list[Group]:
        """Splits a group that has more outputs than it may: a contraction or a window after its first output, another
        in the middle."""
        if not group.nodes:
            return []
        group.nodes.sort(key=lambda n: n.index)
        members = {n.key for n in group.nodes}
        escaping = [n for n in group.nodes if _escapes(n, members)]
        anchored = group.kind in ("contraction", "window")
        if len(escaping) <= (1 if anchored else self.options.max_outputs):
            return [group]
        if anchored:
            kept = _needed_for(escaping[0], group, self.producer)
            rest = Group("pointwise", group.shape, group.device, [n for n in group.nodes if n not in kept])
        else:
            kept = set(group.nodes[: len(group.nodes) // 2])
            rest = Group(group.kind, group.shape, group.device, group.nodes[len(kept) :], group.axes, group.reduced)
        group.nodes = [n for n in group.nodes if n in kept]
        for n in rest.nodes:
            n.group = rest
        return [*self._limited(group), *self._limited(rest)]

    def _ordered(self, groups: list[Group]) -> list[Group]:
        """The groups so that each comes after those it reads from; among those that can go, by first op."""
        users: dict[Group, list[Group]] = {g: [] for g in groups}
        missing = {}
        for group in groups:
            reads = {g for n in group.nodes for v in n.sources if (g := self._behind(v)) is not None and g is not group}
            missing[group] = len(reads)
            for other in sorted(reads, key=lambda g: g.first):
                users[other].append(group)
        ready = [(g.first, i, g) for i, g in enumerate(groups) if missing[g] == 0]
        heapq.heapify(ready)
        order = []
        while ready:
            _, _, group = heapq.heappop(ready)
            order.append(group)
            for user in users[group]:
                missing[user] -= 1
                if missing[user] == 0:
                    heapq.heappush(ready, (user.first, len(groups) + len(order), user))
        assert len(order) == len(groups), "fusion made a cycle"
        return order


def _escapes(node: Node, members: set[Value]) -> bool:
    """Whether something outside of ``members`` reads a result of ``node``."""
    return any(reader not in members for v in node.op.operation.results for reader in _readers(v))


def _needed_for(node: Node, group: Group, producer: dict[Value, Node]) -> set[Node]:
    """``node`` and what it needs inside the group; the group's anchor (its first node) is always among it."""
    kept = {group.nodes[0]}
    stack = [node]
    while stack:
        current = stack.pop()
        kept.add(current)
        stack += [
            p for v in current.sources if (p := producer.get(v)) is not None and p.group is group and p not in kept
        ]
    return kept


def _sources(op: Operation) -> Iterator[Value]:
    """The values that ``op`` reads, seen through broadcasts; constants and iotas are left out."""
    for value in op.operation.operands:
        owner = value.owner
        if isinstance(owner, ir.Block):
            yield value
        elif (name := owner.operation.name.removeprefix("nn.")) == "constant" and _is_splat(owner):
            continue
        elif name in COPIED and name != "constant" and _only_fusible_users(owner):
            yield from _sources(owner)
        else:
            yield value


def _is_splat(op: Operation) -> bool:
    return bool(op.operation.attributes["value"].is_splat)


def _only_fusible_users(op: Operation) -> bool:
    """Whether every user can have its own copy of this op inside its fusion."""
    for use in op.operation.results[0].uses:
        name = use.owner.operation.name.removeprefix("nn.")
        if name in COPIED:
            if not _only_fusible_users(use.owner):
                return False
        elif name not in ELEMENTWISE and name not in ROWWISE:
            return False
    return True


def _readers(value: Value) -> Iterator[Value | None]:
    """What reads ``value``, by first result (None for a return), seen through broadcasts that are copied."""
    for use in value.uses:
        owner = use.owner.operation
        if owner.name.removeprefix("nn.") in COPIED and _only_fusible_users(owner):
            yield from _readers(owner.results[0])
        else:
            yield _key(owner)


def _key(operation: Any) -> Value | None:
    return operation.results[0] if len(operation.results) else None


def _row_shapes(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Of a row-wise op: the shape it reads, the axes it reduces, and the shape that is left."""
    full = tuple(node.op.operation.operands[0].type.shape)
    attrs = nn.attrs(node.op)
    if node.name == "reduce":
        axes = tuple(attrs["axes"])
    elif node.name in ("softmax", "log_softmax"):
        axes = (attrs["axis"],)
    elif node.name == "group_norm":
        axes = tuple(range(1, len(full)))
    else:
        axes = tuple(range(attrs["axis"], len(full)))
    return full, axes, tuple(s for i, s in enumerate(full) if i not in axes)


# Rewriting -----------------------------------------------------------------------------------------------------------


def _rebuild(block: Any, groups: list[Group]) -> None:
    """Puts each group into a fusion, in order; views follow what they show."""
    terminator = block.operations[len(block.operations) - 1]
    for group in groups:
        fusion = _fusion(group, terminator)
        for value in fusion.operation.results:
            _move_views(value, terminator)
    for op in reversed(list(block.operations)):
        operation = op.operation
        if name_of(op) in COPIED and not any(True for _ in operation.results[0].uses):
            operation.erase()


def _move_views(value: Value, terminator: Operation) -> None:
    """Moves the views of ``value`` (and copied ops that stay in the graph) behind its definition."""
    for use in list(value.uses):
        owner = use.owner.operation
        if owner.name.removeprefix("nn.") in VIEWS and owner.block == terminator.operation.block:
            owner.move_before(terminator.operation)
            _move_views(owner.results[0], terminator)


def _fusion(group: Group, terminator: Operation) -> Operation:
    members = {n.key for n in group.nodes}
    outputs = [v for n in group.nodes for v in n.op.operation.results if any(u not in members for u in _readers(v))]
    inputs = list(dict.fromkeys(v for n in group.nodes for v in _sources(n.op) if _defined_outside(v, members)))
    if len(inputs) > GROUPS:  # an op holds a limited number of runs of one type
        inputs.sort(key=lambda v: str(v.type))
    types = [v.type for v in outputs]
    attributes = op_class("fusion").segments([v.type for v in inputs], types)
    if group.device != "target":
        attributes["device"] = ir.StringAttr.get(group.device)
    with _location(group), ir.InsertionPoint(terminator):
        fusion = ir.Operation.create("nn.fusion", results=types, operands=inputs, attributes=attributes, regions=1)
        block = fusion.regions[0].blocks.append(*(v.type for v in inputs))
    inner = dict(zip(inputs, block.arguments, strict=True))
    with ir.InsertionPoint(block):
        for node in group.nodes:
            operation = node.op.operation
            for i, value in enumerate(operation.operands):
                operation.operands[i] = _inside(value, inner, members)
            operation.detach_from_parent()
            block.append(operation)
        for old, new in zip(outputs, fusion.results, strict=True):
            for use in list(old.uses):
                if use.owner.operation.block != block:
                    use.owner.operation.operands[use.operand_number] = new
        with fusion.location:
            nn.build.yield_(*outputs)
    return fusion


def _defined_outside(value: Value, members: set[Any]) -> bool:
    return isinstance(value.owner, ir.Block) or value.owner.operation.results[0] not in members


def _inside(value: Value, inner: dict[Value, Value], members: set[Any]) -> Value:
    """What stands for ``value`` inside the fusion: itself, an argument, or a copy of the op that makes it."""
    if value in inner:
        return inner[value]
    if not _defined_outside(value, members):
        return value
    operands = [_inside(operand, inner, members) for operand in value.owner.operation.operands]
    copy = value.owner.operation.clone().operation
    for i, operand in enumerate(operands):
        copy.operands[i] = operand
    inner[value] = copy.results[0]
    return copy.results[0]


def _location(group: Group) -> Any:
    names = dict.fromkeys(name for n in group.nodes for name in provenance(n.op.operation.location))
    parts = [ir.Location.name(n, context=group.nodes[0].op.operation.context) for n in names]
    if not parts:
        return group.nodes[0].op.operation.location
    return parts[0] if len(parts) == 1 else ir.Location.fused(parts, context=group.nodes[0].op.operation.context)
