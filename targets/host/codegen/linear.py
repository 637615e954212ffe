"""Linear expressions over loop variables: how every tensor index and memory address here is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The variable that counts the lanes of a vector: an address with coefficient 1 on it is a vector load.
LANE = "lane"


@dataclass(frozen=True)
class Linear:
    """``const + sum(coefficient * variable)``. Variables are names of SSA values (or dimensions before loops exist)."""

    const: int = 0
    terms: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def var(name: str, coefficient: int = 1) -> Linear:
        """``coefficient * name``"""
        return Linear(0, ((name, coefficient),) if coefficient else ())

    def __add__(self, other: Linear | int) -> Linear:
        if isinstance(other, int):
            return Linear(self.const + other, self.terms)
        if not other.terms:
            return Linear(self.const + other.const, self.terms)
        terms = dict(self.terms)
        for name, coefficient in other.terms:
            terms[name] = terms.get(name, 0) + coefficient
        return Linear(self.const + other.const, tuple((n, c) for n, c in terms.items() if c))

    def __mul__(self, factor: int) -> Linear:
        if factor == 0:
            return Linear()
        return Linear(self.const * factor, tuple((n, c * factor) for n, c in self.terms))

    def coefficient(self, name: str) -> int:
        """The coefficient of a variable, 0 where it does not occur."""
        for n, c in self.terms:
            if n == name:
                return c
        return 0

    def without(self, name: str) -> Linear:
        """The expression with a variable set to 0."""
        return Linear(self.const, tuple((n, c) for n, c in self.terms if n != name))

    def substitute(self, values: Mapping[str, Linear]) -> Linear:
        """The expression with variables replaced; those not in ``values`` stay."""
        result = Linear(self.const)
        for name, coefficient in self.terms:
            result = result + (values[name] if name in values else Linear.var(name)) * coefficient
        return result


def strides(shape: Iterable[int]) -> list[int]:
    """Row-major strides, in elements."""
    result = [1]
    for extent in reversed(list(shape)[1:]):
        result.append(result[-1] * extent)
    return result[::-1]


def flatten(index: Iterable[Linear], shape: tuple[int, ...]) -> Linear:
    """The address of an element of a row-major tensor."""
    result = Linear()
    for i, stride in zip(index, strides(shape), strict=False):
        result = result + i * stride
    return result
