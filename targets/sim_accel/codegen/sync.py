"""Semaphores: ordering between queues, and no more of it than is needed.

Within one queue everything is in order. For each buffer, in the body where it lives, whoever reads waits for the
last writer, whoever writes waits for the readers before, and the first access of a round waits until the round that
used the same copy is done with it (so with two copies, a transfer runs while the copy before is computed on).

That gives more waits than needed: some are implied by others. `prune` removes these, by running the program of waits
and signals for a few rounds with vector clocks, as the simulator's checker does: a wait whose signal is known already
each time is redundant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.codegen.schedule import Body, Fence, Loop, Signal, Wait
from accelc.targets.sim_accel.codegen.tiles import Buffer


@dataclass(eq=False)
class Edge:
    """``producer`` queue signals after node ``after``; ``consumer`` waits before node ``before`` of the same body.

    tokens: how many rounds ahead the consumer may be (signalled at the start).
    """

    producer: str
    after: Any
    consumer: str
    before: Any
    tokens: int = 0
    sem: int = -1


@dataclass
class _Accesses:
    """Which queues read and write a buffer within one node."""

    readers: set[str] = field(default_factory=set)
    writers: set[str] = field(default_factory=set)

    @property
    def queues(self) -> list[str]:
        """All queues, in a fixed order."""
        return sorted(self.readers | self.writers)


def _summary(node: Any) -> dict[Buffer, _Accesses]:
    found: dict[Buffer, _Accesses] = {}
    works = node.body.walk() if isinstance(node, Loop) else [node]
    for work in works:
        for buffer in work.reads():
            found.setdefault(buffer, _Accesses()).readers.add(work.queue)
        for buffer in work.writes():
            found.setdefault(buffer, _Accesses()).writers.add(work.queue)
    return found


def body_edges(body: Body) -> list[Edge]:
    """The orderings that the buffers of one body need."""
    summaries = [(node, _summary(node)) for node in body.nodes]
    edges: list[Edge] = []
    for buffer in body.buffers:
        accesses = [(node, s[buffer]) for node, s in summaries if buffer in s]
        if len({q for _, a in accesses for q in a.queues}) > 1:
            edges += _buffer_edges(buffer, accesses, body.slots if body.parent is not None else 0)
    return edges


def _buffer_edges(buffer: Buffer, accesses: list[tuple[Any, _Accesses]], slots: int) -> list[Edge]:
    edges: list[Edge] = []
    writer: tuple[str, Any] | None = None
    readers: dict[str, Any] = {}
    knows: set[str] = set()
    for node, access in accesses:
        if len(access.queues) > 1 and access.writers:
            raise UnsupportedError(f"{buffer.name} is written and used by several queues inside one loop")
        for q in access.queues:
            if q in access.writers:
                for reader, last in readers.items():
                    if reader != q:
                        edges.append(Edge(reader, last, q, node))
                if writer is not None and writer[0] != q and not readers:
                    edges.append(Edge(writer[0], writer[1], q, node))
                writer, knows = (q, node), {q}
                readers = {q: node} if q in access.readers else {}
            else:
                if writer is not None and q not in knows:
                    edges.append(Edge(writer[0], writer[1], q, node))
                    knows.add(q)
                readers[q] = node
    if slots:
        first = accesses[0][0]
        starters = accesses[0][1].queues
        last = dict(readers)
        if writer is not None and (not last or (writer[0] in last and len(last) == 1) or writer[0] not in last):
            last.setdefault(writer[0], writer[1])
        for q, node in sorted(last.items()):
            edges += [Edge(q, node, s, first, tokens=slots) for s in starters if s != q]
    return edges


class Clocks:
    """Runs waits and signals for up to three rounds of each loop; finds edges whose waits never add an ordering."""

    def __init__(self, root: Body, edges: dict[Body, list[Edge]]) -> None:
        self.clocks: dict[str, dict[str, int]] = {}
        self.tokens: dict[Edge, list[dict[str, int]]] = {}
        self.useful: set[Edge] = set()
        self.before: dict[Any, list[Edge]] = {}
        self.after: dict[Any, list[Edge]] = {}
        for group in edges.values():
            for edge in group:
                self.before.setdefault(edge.before, []).append(edge)
                self.after.setdefault(edge.after, []).append(edge)
                self.tokens[edge] = [{} for _ in range(edge.tokens)]
        self._body(root)

    def _clock(self, queue: str) -> dict[str, int]:
        return self.clocks.setdefault(queue, {queue: 0})

    def _body(self, body: Body) -> None:
        for node in body.nodes:
            for edge in self.before.get(node, ()):
                seen, own = self.tokens[edge].pop(0), self._clock(edge.consumer)
                if any(own.get(q, 0) < t for q, t in seen.items()):
                    self.useful.add(edge)
                    for q, t in seen.items():
                        own[q] = max(own.get(q, 0), t)
            if isinstance(node, Loop):
                for _ in range(min(node.count, 4)):
                    self._body(node.body)
            elif node.queue:
                self._clock(node.queue)[node.queue] += 1
            for edge in self.after.get(node, ()):
                self.tokens[edge].append(dict(self._clock(edge.producer)))


def prune(root: Body, edges: dict[Body, list[Edge]]) -> None:
    """Drops edges that the others imply, latest first."""
    while True:
        useful = Clocks(root, edges).useful
        useless = [(body, e) for body, group in edges.items() for e in group if e not in useful]
        if not useless:
            break
        body, edge = useless[-1]
        edges[body].remove(edge)
    # What is left of each is needed while all others stand; one more look at each alone.
    for body, group in edges.items():
        for edge in list(group):
            group.remove(edge)
            if not _implied(root, edges, edge, body):
                group.append(edge)


def _implied(root: Body, edges: dict[Body, list[Edge]], edge: Edge, body: Body) -> bool:
    """Whether ``edge`` adds nothing when it comes after all others at its place."""
    edges[body].append(edge)
    useful = edge in Clocks(root, edges).useful
    edges[body].remove(edge)
    return not useful


def synchronize(root: Body, *, last: bool) -> int:
    """Inserts waits and signals for all buffers under ``root``; returns the number of semaphores used.

    Unless it is the ``last`` segment, all queues run empty at its end, and the semaphores are 0 again.

    Raises UnsupportedError where the semaphores do not suffice.
    """
    edges = {body: body_edges(body) for body in root.bodies()}
    prune(root, edges)
    sem = 0
    initial: list[Signal] = []
    final: list[Wait] = []
    for body, group in edges.items():
        for edge in group:
            if sem >= isa.SEMAPHORES:
                raise UnsupportedError(f"the kernel needs more than {isa.SEMAPHORES} semaphores")
            edge.sem, sem = sem, sem + 1
            if edge.tokens:
                initial.append(Signal("seq", edge.sem, edge.tokens))
                final.append(Wait("seq", edge.sem, edge.tokens))
        _insert(body, group)
    root.nodes[:0] = initial
    if not last:
        root.nodes += [Fence(), *final]
    return sem


def _insert(body: Body, group: list[Edge]) -> None:
    nodes: list[Any] = []
    for node in body.nodes:
        nodes += [Wait(e.consumer, e.sem) for e in group if e.before is node]
        nodes.append(node)
        nodes += [Signal(e.producer, e.sem) for e in group if e.after is node]
    body.nodes = nodes


__all__ = ["Clocks", "Edge", "Fence", "body_edges", "prune", "synchronize"]
