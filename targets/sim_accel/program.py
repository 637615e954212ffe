"""`Program`: builds a program instruction by instruction, as a code generator does.

Every mnemonic is a method, with `_` for `.`: operands come in the order of the text form (a vector instruction's
compute type first), options by keyword. Numbers among vector operands become immediates::

    p = Program()
    p.vadd("f32", Tile("f32", 0, (1,)), Tile("bf16", 4096, (1,)), 1.5, (1024,))
    p.dma_load("dma0", Tile("f32", 0, (64, 1)), Tile("f32", p.arg(0), (256, 1)), (16, 64))
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from accelc.core.diagnostics import UsageError
from accelc.targets.sim_accel import assembler, encoding, isa
from accelc.targets.sim_accel.isa import Field, Imm, Instruction, Kind, Reg, Spec, Value

#: r0..r31 hold a launch's arguments; `reg` hands out r32..r63 before any of those that `arguments` leaves free.
ARGUMENT_REGISTERS = 32


class Label:
    """A place in a program; branches may name it before `Program.place` puts it."""

    def __init__(self) -> None:
        self.pc: int | None = None


class Program:
    """A program under construction.

    Args:
        arguments: how many of r0, r1, ... hold arguments. `reg` never hands these out.
    """

    def __init__(self, arguments: int = ARGUMENT_REGISTERS) -> None:
        self.instructions: list[Instruction] = []
        self.arguments = arguments
        self._free_regs = [*range(arguments, ARGUMENT_REGISTERS), *range(ARGUMENT_REGISTERS, isa.REGISTERS)]
        self._free_sems = list(range(isa.SEMAPHORES))[::-1]
        self._branches: list[tuple[int, Label]] = []

    # ---- resources ----

    def arg(self, index: int) -> Reg:
        """The register of argument `index`."""
        if not 0 <= index < self.arguments:
            raise UsageError(f"argument {index} of a program with {self.arguments} arguments in registers")
        return Reg(index)

    def reg(self) -> Reg:
        """A free scalar register. Raises UsageError when all are taken."""
        if not self._free_regs:
            raise UsageError("the program needs more scalar registers than there are")
        return Reg(self._free_regs.pop())

    def free(self, *registers: Reg) -> None:
        """Gives registers back."""
        for register in registers:
            if register.index in self._free_regs:
                raise UsageError(f"r{register.index} is given back twice")
            self._free_regs.append(register.index)

    @contextmanager
    def scratch(self, count: int = 1) -> Iterator[tuple[Reg, ...]]:
        """`count` registers for the length of a `with`."""
        registers = tuple(self.reg() for _ in range(count))
        yield registers
        self.free(*registers)

    def sem(self) -> int:
        """A semaphore that nobody else uses. Raises UsageError when all are taken."""
        if not self._free_sems:
            raise UsageError(f"the program needs more than {isa.SEMAPHORES} semaphores")
        return self._free_sems.pop()

    # ---- control ----

    @contextmanager
    def loop(self, count: Value, start: Value = 0, step: Value = 1) -> Iterator[Reg]:
        """A hardware loop; gives the register that counts `start, start + step, ...` in its body."""
        counter = self.reg()
        pc = len(self.instructions)
        self.emit("loop", rd=counter.index, count=count, start=start, inc=step, end=0)
        yield counter
        self.instructions[pc].args["end"] = len(self.instructions) - pc
        self.emit("endloop")
        self.free(counter)

    def place(self, label: Label) -> None:
        """Puts a label before the next instruction."""
        label.pc = len(self.instructions)

    def wait(self, queue: str, sem: int, n: Value = 1) -> None:
        """`queue` waits until semaphore `sem` is at least `n`, then takes `n` from it."""
        self.emit("wait", q=queue, sem=sem, n=n)

    def signal(self, queue: str, sem: int, n: Value = 1) -> None:
        """`queue` adds `n` to semaphore `sem` once all it was given before is complete."""
        self.emit("signal", q=queue, sem=sem, n=n)

    def fence(self, *queues: str) -> None:
        """The sequencer waits until these queues (none given: all) are empty and idle."""
        self.emit("fence", queues=tuple(sorted(map(isa.QUEUES.index, queues or isa.QUEUES))))

    def set(self, rd: Reg, value: Value) -> None:
        """`rd = value`, whatever its size."""
        if isinstance(value, int):
            self.emit("movi", rd=rd.index, imm=value)
        else:
            self.emit("sadd", rd=rd.index, x=value, y=0)

    # ---- any instruction ----

    def emit(self, mnemonic: str, **args: object) -> None:
        """Appends an instruction with its operands by field name, as isa.Instruction holds them."""
        self.instructions.append(Instruction(isa.BY_MNEMONIC[mnemonic], args))

    def __getattr__(self, name: str) -> Callable[..., None]:
        spec = isa.BY_MNEMONIC.get(name.replace("_", "."))
        if spec is None:
            raise AttributeError(f"there is no instruction '{name}'")
        return lambda *operands, **options: self._append(spec, operands, options)

    def _append(self, spec: Spec, operands: tuple[object, ...], options: dict[str, object]) -> None:
        names = [f.name for f in spec.fields if not f.keyword and f.kind not in (Kind.BOUNDED, Kind.END)]
        given = dict(zip(names, operands, strict=False)) | options
        unknown = set(given) - {f.name for f in spec.fields}
        missing = [name for name in names if name not in given]
        if len(operands) > len(names) or unknown or missing:
            wrong = (
                f"missing {', '.join(missing)}" if missing else f"no operand {', '.join(map(str, unknown)) or 'more'}"
            )
            raise UsageError(f"{spec.mnemonic}: {wrong}")
        args: dict[str, object] = {}
        for field in spec.fields:
            if field.kind is Kind.BOUNDED:
                continue
            value = given.get(field.name, field.default)
            if isinstance(value, Label):
                self._branches.append((len(self.instructions), value))
            args[field.name] = _normal(field, value, cast(str, given.get("ct", "")))
        self.instructions.append(Instruction(spec, args))

    # ---- results ----

    def _resolve(self) -> None:
        for pc, label in self._branches:
            if label.pc is None:
                raise UsageError(f"instruction {pc} branches to a label that was never placed")
            self.instructions[pc].args["target"] = label.pc - pc
        self._branches.clear()

    def encode(self) -> bytes:
        """The program as bytes. Raises UsageError naming the first instruction that does not encode."""
        self._resolve()
        return encoding.encode(self.instructions)

    def text(self) -> str:
        """The program as text, for people."""
        self._resolve()
        return assembler.format_program(self.instructions)


def _normal(field: Field, value: object, ctype: str) -> object:
    """An operand as Instruction holds it."""
    if isinstance(value, Reg) and field.kind is Kind.REG:
        if value.offset:
            raise UsageError(f"{field.name} is a register to write; it cannot have an offset")
        return value.index
    if field.kind is Kind.OPERAND and isinstance(value, int | float):
        return immediate(value, ctype)
    if field.kind is Kind.FLAG:
        return int(bool(value))
    if field.kind is Kind.DIMS and isinstance(value, int | tuple | list):
        return tuple(sorted((value,) if isinstance(value, int) else value))
    if field.kind in (Kind.SHAPE, Kind.BOUND) and value is not None:
        return tuple(cast(tuple[Value, ...], value))
    return value


def immediate(value: float, ctype: str) -> Imm:
    """A number as an immediate of an instruction that computes in `ctype`; for f32 it is rounded to f32."""
    if ctype == "f32":
        return Imm(f32_bits(value))
    if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 31:
        raise UsageError(f"the immediate {value} is no 32-bit signed integer")
    return Imm(value & 0xFFFFFFFF)


def f32_bits(value: float) -> int:
    """The bits of a number rounded to f32 (beyond its range: infinity); also for the DMA's `fill` of float types."""
    try:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        return 0x7F800000 if value > 0 else 0xFF800000
