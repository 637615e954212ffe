"""`plan-memory`: nothing that lives at the same time overlaps, and reuse is close to the bound that liveness gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accelc.passes.plan_memory import Lifetime, place

LIFETIMES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 10), st.integers(0, 8)).map(
        lambda t: Lifetime(t[0], t[0] + t[1], t[2] * 64)
    ),
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(LIFETIMES)
def test_no_overlap(lifetimes: list[Lifetime]) -> None:
    """Buffers alive at once have disjoint, aligned ranges."""
    offsets = place(lifetimes)
    for i, (a, x) in enumerate(zip(lifetimes, offsets, strict=True)):
        assert x % 64 == 0
        for b, y in list(zip(lifetimes, offsets, strict=True))[:i]:
            alive_together = a.first <= b.last and b.first <= a.last
            assert not alive_together or x + a.size <= y or y + b.size <= x


@settings(max_examples=200, deadline=None)
@given(LIFETIMES)
def test_between_the_bounds(lifetimes: list[Lifetime]) -> None:
    """The peak is at least what is alive at the busiest step, and at most the sum."""
    offsets = place(lifetimes)
    peak = max((o + t.size for o, t in zip(offsets, lifetimes, strict=True)), default=0)
    busiest = max((sum(t.size for t in lifetimes if t.first <= s <= t.last) for s in range(42)), default=0)
    assert busiest <= peak <= sum(t.size for t in lifetimes)


def test_a_chain_needs_two_buffers() -> None:
    """In a chain of equal buffers only two are alive at once."""
    lifetimes = [Lifetime(i, i + 1, 64) for i in range(10)]
    assert max(place(lifetimes)) == 64
