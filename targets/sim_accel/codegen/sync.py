"""Semaphores: ordering between queues, and no more of it than is needed.

Within one queue everything is in order. For each buffer, in the body where it lives, whoever reads waits for the
last writer, whoever writes waits for the readers before, and the first access of a round waits until the round that
used the same copy is done with it (so with two copies, a transfer runs while the copy before is computed on).

That gives more waits than needed: some are implied by others. `prune` drops these: it replays a few rounds of every
loop with vector clocks, as the simulator's checker does, and leaves out what can be left out with all accesses still
ordered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accelc.core.diagnostics import InternalError, UnsupportedError
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


class Trace:
    """The events of a few rounds of every loop, to be replayed with vector clocks as the simulator's checker does.

    Three rounds show all that happens: with two copies of a buffer, the third reuses the first one's.
    """

    ROUNDS = 3

    def __init__(self, root: Body, edges: dict[Body, list[Edge]]) -> None:
        self.edges = [edge for group in edges.values() for edge in group]
        self._number = {edge: i for i, edge in enumerate(self.edges)}
        self._queues: dict[str, int] = {}
        self._places: dict[tuple[Buffer, int], int] = {}
        self._runs: dict[Body, int] = {}
        self._body_of = {buffer: body for body in root.bodies() for buffer in body.buffers}
        self._before: dict[Any, list[Edge]] = {}
        self._after: dict[Any, list[Edge]] = {}
        for edge in self.edges:
            self._before.setdefault(edge.before, []).append(edge)
            self._after.setdefault(edge.after, []).append(edge)
        # (0, queue, reads, writes), (1, queue, edge) a wait, (2, queue, edge) a signal.
        self.events: list[tuple[Any, ...]] = []
        self._body(root)

    def _queue(self, name: str) -> int:
        return self._queues.setdefault(name, len(self._queues))

    def _place(self, buffer: Buffer) -> int:
        body = self._body_of[buffer]
        slot = (self._runs.get(body, 1) - 1) % body.slots
        return self._places.setdefault((buffer, slot), len(self._places))

    def _body(self, body: Body) -> None:
        self._runs[body] = self._runs.get(body, 0) + 1
        for node in body.nodes:
            for edge in self._before.get(node, ()):
                self.events.append((1, self._queue(edge.consumer), self._number[edge]))
            if isinstance(node, Loop):
                for _ in range(min(node.count, self.ROUNDS)):
                    self._body(node.body)
            elif node.queue:
                reads = [self._place(b) for b in node.reads() if b in self._body_of]
                writes = [self._place(b) for b in node.writes() if b in self._body_of]
                self.events.append((0, self._queue(node.queue), reads, writes))
            for edge in self._after.get(node, ()):
                self.events.append((2, self._queue(edge.producer), self._number[edge]))

    def ordered(self, without: set[int]) -> bool:
        """Whether every two conflicting accesses are ordered by the edges that are not in ``without``."""
        queues = range(len(self._queues))
        clocks = [[0] * len(self._queues) for _ in queues]
        tokens: list[list[list[int]]] = [[[0] * len(self._queues)] * edge.tokens for edge in self.edges]
        written: dict[int, tuple[int, int]] = {}
        read: dict[int, dict[int, int]] = {}
        for kind, q, *rest in self.events:
            clock = clocks[q]
            if kind == 0:
                clock[q] += 1
                if not self._access(clock, q, rest[0], rest[1], written, read):
                    return False
            elif rest[0] in without:
                continue
            elif kind == 1:
                seen = tokens[rest[0]].pop(0)
                clocks[q] = [max(a, b) for a, b in zip(clock, seen, strict=True)]
            else:
                tokens[rest[0]].append(list(clock))
        return True

    @staticmethod
    def _access(
        clock: list[int],
        q: int,
        reads: list[int],
        writes: list[int],
        written: dict[int, tuple[int, int]],
        read: dict[int, dict[int, int]],
    ) -> bool:
        for place in reads:
            w, t = written.get(place, (q, 0))
            if clock[w] < t:
                return False
            read.setdefault(place, {})[q] = clock[q]
        for place in writes:
            w, t = written.get(place, (q, 0))
            if clock[w] < t or any(clock[r] < at for r, at in read.get(place, {}).items()):
                return False
            written[place] = (q, clock[q])
        return True


def prune(root: Body, edges: dict[Body, list[Edge]]) -> None:
    """Drops edges one by one while what is left still orders every two conflicting accesses.

    Raises InternalError where even all of them do not.
    """
    trace = Trace(root, edges)
    if not trace.ordered(set()):
        raise InternalError("the waits of a kernel do not order its accesses")
    dropped: set[int] = set()
    for number in range(len(trace.edges)):
        if trace.ordered(dropped | {number}):
            dropped.add(number)
    unneeded = {trace.edges[number] for number in dropped}
    for body in edges:
        edges[body] = [edge for edge in edges[body] if edge not in unneeded]


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
