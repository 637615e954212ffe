"""Reshapes of values whose dimensions lie in another order."""

from __future__ import annotations

Shape = tuple[int, ...]
Perm = tuple[int, ...]


def groups_of(source: Shape, target: Shape) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of dimensions of ``source`` and ``target`` that hold the same elements, in order."""
    groups = []
    i = j = 0
    while i < len(source) or j < len(target):
        left: list[int] = []
        right: list[int] = []
        a = b = 1
        while not (left or right) or a != b:
            # One of each to begin with, so that dimensions of size 1 meet those at the same place.
            if i < len(source) and (not left or a < b or j == len(target)):
                a *= source[i]
                left.append(i)
                i += 1
            if j < len(target) and (not right or b < a or i == len(source)):
                b *= target[j]
                right.append(j)
                j += 1
        groups.append((left, right))
    return groups


def regroup(source: Shape, target: Shape, order: Perm) -> tuple[Perm, Shape, Perm]:
    """How a value of shape ``source`` that lies in ``order`` is reshaped to ``target``.

    Gives the order that it must lie in, the shape to reshape that to, and the order in which the result then lies.
    """
    groups = groups_of(source, target) if 0 not in source else [(list(range(len(source))), list(range(len(target))))]
    position = {d: i for i, d in enumerate(order)}

    def place(group: tuple[list[int], list[int]]) -> tuple[int, int]:
        """A group stands where the last of its dimensions that are more than 1 does."""
        real = [position[d] for d in group[0] if source[d] != 1] or [position[d] for d in group[0]] or [len(order)]
        return max(real), (group[0] or group[1])[0]

    sequence = sorted(groups, key=place)
    wanted = [d for left, _ in sequence for d in left]
    result_dims = [d for _, right in sequence for d in right]
    real = [d for d in wanted if source[d] != 1]
    # Dimensions of size 1 may lie anywhere: the reshape moves them for free.
    before = order if real == [d for d in order if source[d] != 1] else tuple(wanted)
    return before, tuple(target[d] for d in result_dims), tuple(result_dims)
