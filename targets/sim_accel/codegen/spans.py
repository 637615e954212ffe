"""Regions of tensors as functions of tile positions and tile sizes.

A nest has dimensions (those of its root op, and those along which a contraction is split). Each has a position, the
first index of the current tile, and a tile size. A `Span` is the range of one tensor dimension that a tile touches:
it starts at ``const + sum(c * position)`` and has ``base + sum(|c| * (size - 1))`` elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.sim_accel.codegen.structured import Affine


@dataclass(frozen=True)
class Span:
    """See the module. coeffs: (dimension, c) pairs, c > 0. step: elements between those that are touched."""

    const: int
    base: int
    coeffs: tuple[tuple[int, int], ...] = ()

    def size(self, tile: Mapping[int, int]) -> int:
        """Number of elements for given tile sizes."""
        return self.base + sum(c * (tile[d] - 1) for d, c in self.coeffs)

    @property
    def dims(self) -> tuple[int, ...]:
        """The nest's dimensions that move it."""
        return tuple(d for d, _ in self.coeffs)

    def shifted(self, by: int) -> Span:
        """The same span ``by`` elements further."""
        return Span(self.const + by, self.base, self.coeffs)


def full(extent: int) -> Span:
    """A whole dimension."""
    return Span(0, extent)


def apply(affine: Affine, spans: Sequence[Span]) -> Span:
    """The range of an access over iteration dimensions with the given ranges. Raises UnsupportedError for c < 0."""
    const, base = affine.const, 1
    coeffs: dict[int, int] = {}
    for c, span in zip(affine.coeffs, spans, strict=True):
        if c < 0:
            raise UnsupportedError("sim_accel has no tiles of a reversed access")
        if c == 0:
            continue
        const += c * span.const
        base += c * (span.base - 1)
        for d, k in span.coeffs:
            coeffs[d] = coeffs.get(d, 0) + c * k
    return Span(const, base, tuple(sorted(coeffs.items())))
