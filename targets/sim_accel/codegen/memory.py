"""Places buffers in the scratchpad.

A buffer that several queues touch gets a copy per slot of its body: copies lie `frame_bytes` apart, so that one
register per loop level selects between them. A buffer of the vector unit alone needs one copy, and shares its place
with others that live at other times, because the vector queue runs in order.
"""

from __future__ import annotations

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel.codegen.schedule import Body, Loop, Vector
from accelc.targets.sim_accel.codegen.tiles import Buffer

ALIGNMENT = 64


class ScratchpadOverflow(UnsupportedError):
    """The chosen tiles do not fit the scratchpad."""


def _aligned(n: int) -> int:
    return -(-n // ALIGNMENT) * ALIGNMENT


def users(segment: Body) -> dict[Buffer, set[str]]:
    """Which queues touch each buffer."""
    found: dict[Buffer, set[str]] = {}
    for work in segment.walk():
        for buffer in (*work.reads(), *work.writes()):
            found.setdefault(buffer, set()).add(work.queue)
    return found


def rounds(body: Body) -> int:
    """How often a body runs."""
    total = 1
    while body.parent is not None:
        total *= body.parent.count
        body = body.parent.outer
    return total


def place(segment: Body, capacity: int) -> int:
    """Gives every buffer of a segment its address; returns the bytes used.

    Raises ScratchpadOverflow where ``capacity`` does not suffice.
    """
    queues = users(segment)
    cursor = 0
    for body in segment.bodies():
        shared = [b for b in body.buffers if len(queues.get(b, ())) > 1]
        body.slots = 2 if shared and rounds(body) > 1 else 1
        at = 0
        for buffer in shared:
            buffer.address, buffer.frame = at, body
            at += _aligned(buffer.nbytes)
        body.frame_bytes, body.frame_address = at, cursor
        for buffer in shared:
            buffer.address += cursor
        cursor += at * body.slots
    used = _pack(_lifetimes(segment, queues), cursor)
    if used > capacity:
        raise ScratchpadOverflow(f"the tiles of a kernel need {used} bytes of scratchpad; there are {capacity}")
    return used


def _lifetimes(segment: Body, queues: dict[Buffer, set[str]]) -> list[tuple[int, int, Buffer]]:
    """(first, last, buffer) of each buffer that one queue alone uses, in steps of program order."""
    clock = 0
    lifetimes: list[tuple[int, int, Buffer]] = []

    def walk(body: Body) -> None:
        nonlocal clock
        touched: dict[Buffer, tuple[int, int]] = {}
        for node in body.nodes:
            start = clock
            if isinstance(node, Loop):
                walk(node.body)
                works = list(node.body.walk())
            else:
                clock += 1
                works = [node]
            for work in works:
                extra = [work.scratch] if isinstance(work, Vector) and work.scratch is not None else []
                for buffer in (*work.reads(), *work.writes(), *extra):
                    first, _ = touched.get(buffer, (start, clock))
                    touched[buffer] = (first, clock)
        own = set(body.buffers)
        lifetimes.extend(
            (first, last, b) for b, (first, last) in touched.items() if b in own and len(queues.get(b, ())) <= 1
        )

    walk(segment)
    return lifetimes


def _pack(lifetimes: list[tuple[int, int, Buffer]], base: int) -> int:
    """First fit, largest first; returns the end of the used space."""
    placed: list[tuple[int, int, int, int]] = []
    end = base
    for first, last, buffer in sorted(lifetimes, key=lambda x: (-x[2].nbytes, x[0])):
        at = base
        size = _aligned(buffer.nbytes)
        for start, stop, f, n in sorted(placed):
            if n <= first or last <= f:
                continue
            if at + size <= start:
                break
            at = max(at, stop)
        buffer.address, buffer.frame = at, None
        placed.append((at, at + size, first, last))
        end = max(end, at + size)
    return end
