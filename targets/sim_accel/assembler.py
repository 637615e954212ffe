"""Text form of programs: `assemble(text) -> bytes`, `disassemble(bytes) -> text`.

Both are exact: `assemble(disassemble(b)) == b`, and `disassemble` of assembled canonical text gives that text.
Malformed text raises UsageError naming the line.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import cast

from accelc.core.diagnostics import UsageError
from accelc.targets.sim_accel import encoding, isa
from accelc.targets.sim_accel.isa import Field, Imm, Instruction, Kind, Reg, Spec, Tile, Value

# ---- printing ----


def format_value(value: Value) -> str:
    """`12`, `r3` or `r3+8`."""
    if isinstance(value, Reg):
        return f"r{value.index}" + (f"{value.offset:+d}" if value.offset else "")
    return str(value)


def _list(values: Sequence[Value]) -> str:
    return ", ".join(map(format_value, values))


def format_tile(tile: Tile) -> str:
    """`f32[r1+64 : 16, 1]`."""
    return f"{tile.dtype}[{format_value(tile.addr)}" + (f" : {_list(tile.strides)}]" if tile.strides else "]")


def _format_imm(imm: Imm, ctype: str) -> str:
    if ctype != "f32":
        return f"#{imm.bits - (1 << 32) if imm.bits >> 31 else imm.bits}"
    (value,) = struct.unpack("<f", struct.pack("<I", imm.bits))
    if value != value or value in (float("inf"), float("-inf")):
        return f"#{imm.bits:#010x}"
    return "#" + _shortest_f32(value)


def _shortest_f32(value: float) -> str:
    """The shortest decimal text with a point or exponent that reads back as the same f32."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            break
    return text if re.search(r"[.e]", text) else text + ".0"


def _format_field(field: Field, inst: Instruction, labels: dict[int, str], pc: int) -> str:
    kind, value = field.kind, inst.args.get(field.name, field.default)
    if kind is Kind.REG:
        return f"r{value}"
    if kind is Kind.SEM:
        return f"s{value}"
    if kind is Kind.DIMS:
        return "|".join(map(str, cast(tuple[int, ...], value)))
    if kind is Kind.QUEUES:
        queues = cast(tuple[int, ...], value)
        return "all" if len(queues) == len(isa.QUEUES) else "|".join(isa.QUEUES[q] for q in queues) or "none"
    if kind in (Kind.SHAPE, Kind.BOUND):
        return f"<{_list(cast(tuple[Value, ...], value))}>"
    if isinstance(value, Tile):
        return format_tile(value)
    if isinstance(value, Imm):
        return _format_imm(value, cast(str, inst.args["ct"]))
    if kind is Kind.FILL:
        return f"{value:#010x}"
    if kind is Kind.TARGET:
        return labels.get(pc + cast(int, value), f"{value:+d}")
    if isinstance(value, str):
        return value
    return format_value(cast(Value, value))


def format_instruction(inst: Instruction, labels: dict[int, str] | None = None, pc: int = 0) -> str:
    """One line of text, without indentation. Branches print their label, or the distance where there is none."""
    name, positional, keywords = inst.spec.mnemonic, list[str](), list[str]()
    for field in inst.spec.fields:
        if field.kind is Kind.CTYPE:
            name += f".{inst.args[field.name]}"
            continue
        value = inst.args.get(field.name, field.default)
        if field.kind in (Kind.BOUNDED, Kind.END) or (field.keyword and value == field.default):
            continue
        text = _format_field(field, inst, labels or {}, pc)
        if field.keyword:
            keywords.append(f"{field.name}={text}")
        else:
            positional.append(text)
    return f"{name} {', '.join(positional + keywords)}".rstrip()


def disassemble(program: bytes) -> str:
    """The text of an encoded program. Raises ArtifactError where it is malformed."""
    return format_program(encoding.decode(program))


def format_program(instructions: Sequence[Instruction]) -> str:
    """The text of a program: labels at branch targets, loop bodies indented."""
    targets = sorted({pc + cast(int, i.args["target"]) for pc, i in enumerate(instructions) if "target" in i.args})
    labels = {pc: f"L{number}" for number, pc in enumerate(targets)}
    lines, depth = list[str](), 1
    for pc, inst in enumerate(instructions):
        if pc in labels:
            lines.append(f"{labels[pc]}:")
        depth -= inst.spec.mnemonic == "endloop"
        lines.append("  " * depth + format_instruction(inst, labels, pc))
        depth += inst.spec.mnemonic == "loop"
    return "\n".join(lines) + "\n"


# ---- parsing ----

_TOKEN_SPLIT = re.compile(r",(?![^<\[]*[>\]])")
_VALUE = re.compile(r"r(\d+)\s*(?:([+-])\s*(\d+))?$")
_TILE = re.compile(r"(\w+)\s*\[([^:\]]*)(?::([^\]]*))?\]$")
_KEYWORD = re.compile(r"([a-z]\w*)\s*=\s*(.*)$")
_LABEL = re.compile(r"([A-Za-z_]\w*):$")


class _Bad(Exception):
    """What is wrong with a line; `assemble` adds where."""


def parse_value(text: str) -> Value:
    """The value written `12`, `r3` or `r3+8`. Raises ValueError."""
    text = text.strip()
    match = _VALUE.match(text)
    if match:
        index, sign, offset = match.groups()
        return Reg(int(index), int(f"{sign}{offset}") if offset else 0)
    return int(text, 0)


def _parse_list(text: str) -> tuple[Value, ...]:
    return tuple(parse_value(part) for part in text.split(",")) if text.strip() else ()


def _parse_tile(text: str) -> Tile:
    match = _TILE.match(text)
    if not match:
        raise _Bad(f"expected a tile such as f32[r1+64 : 16, 1], not '{text}'")
    dtype, addr, strides = match.groups()
    return Tile(dtype, parse_value(addr), _parse_list(strides or ""))


def _parse_imm(text: str, ctype: str) -> Imm:
    if text.startswith("0x"):
        return Imm(int(text, 16))
    if ctype == "f32":
        return Imm(struct.unpack("<I", struct.pack("<f", float(text)))[0])
    return Imm(int(text) & 0xFFFFFFFF if -(1 << 31) <= int(text) < 1 << 32 else -1)


def _prefixed(text: str, prefix: str) -> int:
    if not re.fullmatch(prefix + r"\d+", text):
        raise _Bad(f"expected {prefix}0, {prefix}1, ..., not '{text}'")
    return int(text[1:])


def _parse_field(field: Field, text: str, ctype: str) -> object:
    kind = field.kind
    if kind is Kind.REG:
        return _prefixed(text, "r")
    if kind is Kind.SEM:
        return _prefixed(text, "s")
    if kind is Kind.DIMS:
        return tuple(sorted({int(part) for part in text.split("|")}))
    if kind is Kind.QUEUES:
        if text == "all":
            return tuple(range(len(isa.QUEUES)))
        return tuple(sorted(isa.QUEUES.index(part.strip()) for part in text.split("|"))) if text != "none" else ()
    if kind in (Kind.SHAPE, Kind.BOUND):
        if not (text.startswith("<") and text.endswith(">")):
            raise _Bad(f"expected a list such as <16, r3>, not '{text}'")
        return _parse_list(text[1:-1])
    if kind in (Kind.TILE, Kind.VECTOR, Kind.CELL):
        return _parse_tile(text)
    if kind is Kind.OPERAND:
        if text.startswith("#"):
            return _parse_imm(text[1:], ctype)
        return _parse_tile(text) if "[" in text else parse_value(text)
    if kind is Kind.VALUE:
        return parse_value(text)
    if kind is Kind.QUEUE or (kind is Kind.TARGET and re.match(r"[A-Za-z_]", text)):
        return text
    return int(text, 0)


def _parse_instruction(text: str) -> Instruction:
    head, _, rest = text.partition(" ")
    spec, ctype = _lookup(head)
    args: dict[str, object] = {}
    if ctype:
        args["ct"] = ctype
    parts = [part.strip() for part in _TOKEN_SPLIT.split(rest)] if rest.strip() else []
    positional = [f for f in spec.fields if not f.keyword and f.kind not in (Kind.CTYPE, Kind.BOUNDED, Kind.END)]
    keywords = {f.name: f for f in spec.fields if f.keyword}
    for part in parts:
        match = _KEYWORD.match(part)
        if match:
            field = keywords.pop(match[1], None)
            if field is None:
                raise _Bad(f"{head} has no '{match[1]}' (or it is given twice)")
            part = match[2]
        elif positional:
            field = positional.pop(0)
        else:
            raise _Bad(f"one operand too many: '{part}'")
        try:
            args[field.name] = _parse_field(field, part, ctype)
        except (ValueError, OverflowError):
            raise _Bad(f"'{part}' is no {field.kind.value} for operand {field.name}") from None
    if positional or "dims" in keywords:
        missing = [f.name for f in positional] + [name for name in keywords if name == "dims"]
        raise _Bad(f"missing {', '.join(missing)}")
    for name, field in keywords.items():
        args[name] = field.default
    return Instruction(spec, args)


def _lookup(head: str) -> tuple[Spec, str]:
    spec = isa.BY_MNEMONIC.get(head)
    if spec is not None and spec.field("ct") is None:
        return spec, ""
    base, _, ctype = head.rpartition(".")
    spec = isa.BY_MNEMONIC.get(base)
    if spec is None or spec.field("ct") is None:
        raise _Bad(f"unknown instruction '{head}'")
    return spec, ctype


def parse_program(text: str) -> list[Instruction]:
    """The instructions that a text stands for, labels and loops resolved. Raises UsageError naming the line."""
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    lines: list[int] = []
    loops: list[int] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition(";")[0].strip()
        label = _LABEL.match(line)
        if label:
            if label[1] in labels:
                raise UsageError(f"line {number}: label '{label[1]}' is defined twice")
            labels[label[1]] = len(instructions)
            continue
        if not line:
            continue
        try:
            inst = _parse_instruction(line)
        except _Bad as error:
            raise UsageError(f"line {number}: {error}") from None
        if inst.spec.mnemonic == "loop":
            loops.append(len(instructions))
        elif inst.spec.mnemonic == "endloop" and loops:
            start = loops.pop()
            instructions[start].args["end"] = len(instructions) - start
        instructions.append(inst)
        lines.append(number)
    for start in loops:
        raise UsageError(f"line {lines[start]}: loop without an endloop")
    for pc, inst in enumerate(instructions):
        target = inst.args.get("target")
        if isinstance(target, str):
            if target not in labels:
                raise UsageError(f"line {lines[pc]}: there is no label '{target}'")
            inst.args["target"] = labels[target] - pc
    return instructions


def assemble(text: str) -> bytes:
    """The encoded program that a text stands for. Raises UsageError."""
    return encoding.encode(parse_program(text))
