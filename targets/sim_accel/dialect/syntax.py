"""The text of instruction operands in the `sim_accel` dialect.

It is the assembly syntax of docs/sim_accel_isa.md, except that a register is written ``$n``: the n-th SSA operand of
the op. So ``bf16[$0+128 : 64, 1]`` is a tile whose address is operand 0 plus 128.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.isa import DTYPES, Imm, Kind, Tile


@dataclass(frozen=True)
class Scalar:
    """A scalar register during code generation: an SSA value plus a constant, as `isa.Reg` is a register plus one."""

    value: Any
    offset: int = 0

    def __add__(self, other: int) -> Scalar:
        return Scalar(self.value, self.offset + other)


#: What an address, size, stride or count may be, before registers are allocated.
Value = int | Scalar


def tile(dtype: str, address: Value, strides: tuple[int, ...] = ()) -> Tile:
    """A tile whose address is a value of code generation; it stands for the register that it will get."""
    return Tile(dtype, cast(isa.Value, address), strides)


#: Kinds stored as an integer attribute; all others are strings.
INTEGER_KINDS = frozenset((Kind.SEM, Kind.FLAG, Kind.DIM, Kind.I64, Kind.U32, Kind.FILL))
#: Kinds that have no attribute: results, and what the encoder derives.
IMPLIED_KINDS = frozenset((Kind.REG, Kind.END, Kind.BOUNDED, Kind.TARGET))


class Operands:
    """Collects the SSA operands of one op while its attributes are formatted."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def value(self, v: Any) -> str:
        """The text of a value."""
        if not isinstance(v, Scalar):
            return str(v)
        if v.value not in self.values:
            self.values.append(v.value)
        text = f"${self.values.index(v.value)}"
        return f"{text}{v.offset:+d}" if v.offset else text

    def field(self, kind: Kind, v: Any) -> str:
        """The text of a field of a string kind."""
        if kind in (Kind.SHAPE, Kind.BOUND):
            return f"<{', '.join(map(self.value, v))}>"
        if isinstance(v, Tile):
            strides = ", ".join(map(self.value, v.strides))
            return f"{v.dtype}[{self.value(v.addr)}{' : ' + strides if v.strides else ''}]"
        if isinstance(v, Imm):
            return f"#0x{v.bits:08x}"
        if kind in (Kind.DIMS, Kind.QUEUES):
            return "|".join(map(str, v))
        if kind in (Kind.QUEUE, Kind.CTYPE):
            return str(v)
        return self.value(v)


_VALUE = re.compile(r"(-?\d+)|\$(\d+)([+-]\d+)?")
_TILE = re.compile(r"([a-z]\w*)\[([^:\]]+?)(?: : ([^\]]*))?\]")


def parse_value(text: str, register: Callable[[int, int], Any]) -> Any:
    """A value; ``register(n, offset)`` stands for ``$n+offset``. Raises ValueError."""
    m = _VALUE.fullmatch(text.strip())
    if m is None:
        raise ValueError(f"'{text}' is neither an integer nor $operand+offset")
    return int(m[1]) if m[1] else register(int(m[2]), int(m[3] or 0))


def parse_field(kind: Kind, text: str, register: Callable[[int, int], Any]) -> Any:
    """What `Operands.field` wrote. Raises ValueError naming what is wrong."""
    if kind in (Kind.SHAPE, Kind.BOUND):
        if not (text.startswith("<") and text.endswith(">")):
            raise ValueError(f"'{text}' is not of the form <a, b>")
        return tuple(parse_value(t, register) for t in text[1:-1].split(","))
    if kind in (Kind.QUEUE, Kind.CTYPE):
        return text
    if kind is Kind.DIMS:
        return tuple(int(t) for t in text.split("|"))
    if kind is Kind.QUEUES:
        return tuple(int(t) for t in text.split("|"))
    if kind is Kind.OPERAND and text.startswith("#"):
        return Imm(int(text[1:], 16))
    if "[" not in text:
        return parse_value(text, register)
    m = _TILE.fullmatch(text)
    if m is None or m[1] not in DTYPES:
        raise ValueError(f"'{text}' is not a tile of the form dtype[address : strides]")
    strides = tuple(parse_value(t, register) for t in m[3].split(",")) if m[3] else ()
    return Tile(m[1], parse_value(m[2], register), strides)
