"""Programs as bytes: `encode` and `decode`, exact inverses of each other (docs/sim_accel_isa.md, section 3).

`encode` raises UsageError for an instruction that the format cannot hold; `decode` raises ArtifactError naming
the instruction and word of anything malformed. The C++ simulator decodes and checks the same bytes itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import cast

from accelc.core.diagnostics import ArtifactError, UsageError
from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.isa import Field, Imm, Instruction, Kind, Reg, Spec, Tile, Value

_HEADER = struct.Struct("<4sHHIIII")
_TILE_SLOTS = {Kind.VECTOR: 1, Kind.CELL: 0}


def header_layout(spec: Spec) -> dict[str, tuple[int, int]]:
    """(low bit, width) in the header word of each field that has bits there."""
    layout, low = {}, 8
    for field in spec.fields:
        width = isa.HEADER_BITS.get(field.kind, 0)
        if width:
            layout[field.name] = (low, width)
            low += width
    if low > 64:
        raise AssertionError(f"{spec.mnemonic}: header of {low} bits")
    return layout


# ---- structural rules beyond field ranges (the C++ decoder holds the same) ----


def validate(inst: Instruction) -> str | None:
    """What is wrong with the combination of fields, or None. Field ranges are checked by encode and decode."""
    spec, args = inst.spec, inst.args
    name = spec.mnemonic
    if spec.unit is isa.Unit.DMA:
        if not str(args["q"]).startswith("dma"):
            return f"queue {args['q']} is not a DMA queue"
        dst, src = _dtype(args["dst"]), _dtype(args["a"])
        if dst != src and (dst, src) not in isa.DMA_CONVERSIONS:
            return f"the DMA does not convert {src} to {dst}"
        if "b" in args and args.get("pos") is None:
            return f"{name} needs pos, size and step"
    if name in ("dma.gather", "dma.scatter") and _dtype(args["b"]) not in ("i32", "i64"):
        return "the index must be i32 or i64"
    if name == "mm.load" and _dtype(args["a"]) not in MATRIX_DTYPES:
        return f"{_dtype(args['a'])} is not a matrix format"
    if name == "mm.mul":
        act = _dtype(args["a"])
        if act not in MATRIX_DTYPES:
            return f"{act} is not a matrix format"
        if _dtype(args["dst"]) != ("i32" if act in ("i8", "u8") else "f32"):
            return f"a {_dtype(args['dst'])} accumulator for {act} activations"
        if inst.rank > 4:
            return "the shape has more than 4 dimensions"
    if name == "sload" and _dtype(args["a"]) in isa.FLOAT_DTYPES:
        return "sload reads integers"
    if name == "vgather":
        if _dtype(args["a"]) not in ("i32", "i64"):
            return "the index must be i32 or i64"
        if _dtype(args["dst"]) != _dtype(args["b"]):
            return "dst and table have different types"
    if name in ("vargmax", "vargmin") and _dtype(args["b"]) not in ("i32", "i64"):
        return "the index must be i32 or i64"
    if "ct" in args and args["ct"] not in spec.ctypes:
        return f"{name} does not compute in {args['ct']}"
    if "dim" in args and not 0 <= cast(int, args["dim"]) < inst.rank:
        return "dim is outside the shape"
    if "dims" in args:
        dims = cast(tuple[int, ...], args["dims"])
        if not dims or max(dims) >= inst.rank:
            return "dims is empty or outside the shape"
    return None


MATRIX_DTYPES = frozenset(("f32", "bf16", "f16", "e4m3", "e5m2", "i8", "u8"))


def _dtype(tile: object) -> str:
    return cast(Tile, tile).dtype


# ---- encode ----


def encode_value(value: Value) -> int:
    """The 32 bits of a value. Raises UsageError where it does not fit."""
    if isinstance(value, Reg):
        if not 0 <= value.index < isa.REGISTERS:
            raise UsageError(f"there is no register r{value.index}")
        if not -(1 << 24) <= value.offset < 1 << 24:
            raise UsageError(f"the offset {value.offset} of r{value.index} does not fit 25 bits; add it in a register")
        return 1 << 31 | (value.offset & 0x1FFFFFF) << 6 | value.index
    if not -(1 << 30) <= value < 1 << 30:
        raise UsageError(f"the immediate {value} does not fit 31 bits; put it in a register with movi")
    return value & 0x7FFFFFFF


def _tile(tile: object, strides: int, field: Field) -> tuple[int, list[int]]:
    if not isinstance(tile, Tile) or tile.dtype not in isa.DTYPES:
        raise UsageError(f"operand {field.name} must be a tile of a known type, not {tile!r}")
    if len(tile.strides) != strides:
        raise UsageError(f"operand {field.name} has {len(tile.strides)} strides where {strides} are needed")
    return isa.DTYPES.index(tile.dtype), [encode_value(tile.addr), *map(encode_value, tile.strides)]


def _unsigned(value: object, bits: int, field: Field) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise UsageError(f"{field.name} = {value!r} does not fit {bits} bits")
    return value


def _signed(value: object, bits: int, field: Field) -> int:
    if not isinstance(value, int) or not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise UsageError(f"{field.name} = {value!r} does not fit {bits} signed bits")
    return value & ((1 << bits) - 1)


def _choice(value: object, choices: Sequence[str], field: Field) -> int:
    if value not in choices:
        raise UsageError(f"{field.name} = {value!r} is not one of {', '.join(choices)}")
    return choices.index(cast(str, value))


def _mask(value: object, limit: int, field: Field) -> int:
    mask = 0
    for item in cast(tuple[int, ...], value):
        if not 0 <= item < limit:
            raise UsageError(f"{field.name} has {item}, not below {limit}")
        mask |= 1 << item
    return mask


def _encode_field(field: Field, inst: Instruction) -> tuple[int, list[int]]:
    """(header bits, slots) of one field."""
    kind, value = field.kind, inst.args.get(field.name, field.default)
    if kind in (Kind.REG, Kind.SEM, Kind.FLAG, Kind.DIM):
        return _unsigned(value, isa.HEADER_BITS[kind], field), []
    if kind is Kind.QUEUE:
        return _choice(value, isa.QUEUES, field), []
    if kind is Kind.CTYPE:
        return _choice(value, isa.CTYPES, field), []
    if kind is Kind.DIMS:
        return _mask(value, isa.MAX_RANK, field), []
    if kind is Kind.QUEUES:
        return _mask(value, len(isa.QUEUES), field), []
    if kind is Kind.SHAPE:
        if not 1 <= inst.rank <= isa.MAX_RANK:
            raise UsageError(f"a shape of rank {inst.rank}; 1 to {isa.MAX_RANK} are possible")
        return inst.rank, [encode_value(v) for v in cast(tuple[Value, ...], value)]
    if kind in (Kind.TILE, Kind.VECTOR, Kind.CELL):
        return _tile(value, _TILE_SLOTS.get(kind, inst.rank), field)
    if kind is Kind.OPERAND:
        if isinstance(value, Imm):
            return 1 << 4, [_unsigned(value.bits, 32, field)]
        if isinstance(value, Reg):
            return 2 << 4, [encode_value(value)]
        return _tile(value, inst.rank, field)
    if kind is Kind.VALUE:
        return 0, [encode_value(cast(Value, value))]
    if kind is Kind.I64:
        bits = _signed(value, 64, field)
        return 0, [bits & 0xFFFFFFFF, bits >> 32]
    if kind is Kind.U32:
        return 0, [_unsigned(value, 32, field)]
    if kind in (Kind.TARGET, Kind.END):
        return 0, [_signed(value, 32, field)]
    bounded = inst.args.get("pos") is not None
    if kind is Kind.BOUNDED:
        return int(bounded), []
    if kind is Kind.FILL:
        bits = _unsigned(value, 32, field)
        if bits and not bounded:
            raise UsageError("fill without pos, size and step")
        return 0, [bits] if bounded else []
    if not bounded:
        return 0, []
    bound = cast(tuple[Value, ...], value)
    if bound is None or len(bound) != inst.rank:
        raise UsageError(f"{field.name} must have {inst.rank} values")
    return 0, [encode_value(v) for v in bound]


def encode_instruction(inst: Instruction) -> list[int]:
    """The 64-bit words of one instruction. Raises UsageError."""
    spec = inst.spec
    try:
        layout, header, slots = header_layout(spec), spec.opcode, list[int]()
        for field in spec.fields:
            bits, more = _encode_field(field, inst)
            if field.name in layout:
                header |= bits << layout[field.name][0]
            slots += more
        problem = validate(inst)
    except UsageError as error:
        raise UsageError(f"{spec.mnemonic}: {error.message}") from None
    if problem:
        raise UsageError(f"{spec.mnemonic}: {problem}")
    slots += [0] * (len(slots) % 2)
    return [header, *(slots[i] | slots[i + 1] << 32 for i in range(0, len(slots), 2))]


def encode(instructions: Sequence[Instruction]) -> bytes:
    """The program as bytes, header and checksum included. Raises UsageError."""
    check_flow(instructions, lambda text, pc: UsageError(f"instruction {pc}: {text}"))
    words: list[int] = []
    for pc, inst in enumerate(instructions):
        try:
            words += encode_instruction(inst)
        except UsageError as error:
            raise UsageError(f"instruction {pc}: {error.message}") from None
    payload = struct.pack(f"<{len(words)}Q", *words)
    return _HEADER.pack(isa.MAGIC, isa.VERSION, 0, len(words), len(instructions), zlib.crc32(payload), 0) + payload


def check_flow(instructions: Sequence[Instruction], error: Callable[[str, int], Exception]) -> None:
    """Loops balance, `end` points at the endloop, branches stay inside the program and their loop."""
    open_loops: list[int] = []
    region: list[int] = []  # the innermost loop that each pc is in; an endloop belongs to its loop's body
    for pc, inst in enumerate(instructions):
        region.append(open_loops[-1] if open_loops else -1)
        if inst.spec.mnemonic == "loop":
            open_loops.append(pc)
            if len(open_loops) > isa.MAX_LOOP_DEPTH:
                raise error(f"loops nest deeper than {isa.MAX_LOOP_DEPTH}", pc)
        elif inst.spec.mnemonic == "endloop":
            if not open_loops:
                raise error("endloop without a loop", pc)
            start = open_loops.pop()
            if instructions[start].args["end"] != pc - start:
                raise error(
                    f"the loop's end is {instructions[start].args['end']}, its endloop is at {pc - start}", start
                )
    if open_loops:
        raise error("loop without an endloop", open_loops[-1])
    for pc, inst in enumerate(instructions):
        if "target" in inst.args:
            target = pc + cast(int, inst.args["target"])
            if not 0 <= target < len(instructions):
                raise error(f"branch to {target}, outside the program", pc)
            if region[target] != region[pc]:
                raise error(f"branch to {target} crosses the boundary of a loop", pc)


# ---- decode ----


def decode_value(bits: int) -> Value:
    """The value that 32 bits stand for; every pattern is one."""
    if bits >> 31:
        offset = bits >> 6 & 0x1FFFFFF
        return Reg(bits & 63, offset - (1 << 25) if offset >> 24 else offset)
    return bits - (1 << 31) if bits >> 30 else bits


class _Reader:
    """Reads one instruction's words; `bad` makes the error that names the word."""

    def __init__(self, words: Sequence[int], word: int, pc: int) -> None:
        self.words, self.start, self.pc = words, word, pc
        self.slot = 0

    def bad(self, text: str, word: int | None = None) -> ArtifactError:
        at = self.start if word is None else word
        return ArtifactError(f"program word {at} (instruction {self.pc}): {text}")

    def take(self) -> int:
        word = self.start + 1 + self.slot // 2
        if word >= len(self.words):
            raise self.bad("the program ends inside this instruction", len(self.words) - 1)
        bits = self.words[word] >> 32 * (self.slot % 2) & 0xFFFFFFFF
        self.slot += 1
        return bits

    def values(self, count: int) -> tuple[Value, ...]:
        return tuple(decode_value(self.take()) for _ in range(count))


def _decode_field(field: Field, bits: int, rank: int, bounded: bool, reader: _Reader) -> object:
    kind = field.kind

    def dtype(code: int) -> str:
        if code >= len(isa.DTYPES):
            raise reader.bad(f"{field.name} has the unknown type code {code}")
        return isa.DTYPES[code]

    if kind in (Kind.REG, Kind.SEM, Kind.FLAG, Kind.DIM):
        return bits
    if kind in (Kind.QUEUE, Kind.CTYPE):
        names = isa.QUEUES if kind is Kind.QUEUE else isa.CTYPES
        if bits >= len(names):
            raise reader.bad(f"{field.name} has the unknown code {bits}")
        return names[bits]
    if kind in (Kind.DIMS, Kind.QUEUES):
        return tuple(i for i in range(HEADER_MASK_BITS) if bits >> i & 1)
    if kind is Kind.SHAPE:
        return reader.values(rank)
    if kind in (Kind.TILE, Kind.VECTOR, Kind.CELL):
        addr, *strides = reader.values(1 + _TILE_SLOTS.get(kind, rank))
        return Tile(dtype(bits), addr, tuple(strides))
    if kind is Kind.OPERAND:
        what, code = bits >> 4, bits & 15
        if what == 0:
            addr, *strides = reader.values(1 + rank)
            return Tile(dtype(code), addr, tuple(strides))
        if what == 3 or code:
            raise reader.bad(f"operand {field.name} has the malformed kind {bits:#x}")
        return Imm(reader.take()) if what == 1 else _register(decode_value(reader.take()), field, reader)
    if kind is Kind.VALUE:
        return decode_value(reader.take())
    if kind is Kind.I64:
        low = reader.take()
        return struct.unpack("<q", struct.pack("<Q", low | reader.take() << 32))[0]
    if kind is Kind.U32:
        return reader.take()
    if kind in (Kind.TARGET, Kind.END):
        return struct.unpack("<i", struct.pack("<I", reader.take()))[0]
    if kind is Kind.BOUND:
        return reader.values(rank) if bounded else None
    return reader.take() if bounded else 0  # FILL


HEADER_MASK_BITS = len(isa.QUEUES)


def _register(value: Value, field: Field, reader: _Reader) -> Reg:
    if not isinstance(value, Reg):
        raise reader.bad(f"operand {field.name} must name a register")
    return value


def _decode_instruction(words: Sequence[int], at: int, pc: int) -> tuple[Instruction, int]:
    """The instruction at word `at`, and how many words it has."""
    reader, header = _Reader(words, at, pc), words[at]
    spec = isa.BY_OPCODE.get(header & 255)
    if spec is None:
        raise reader.bad(f"unknown opcode {header & 255:#04x}")
    layout = header_layout(spec)
    parts = {name: header >> low & ((1 << width) - 1) for name, (low, width) in layout.items()}
    used = max((low + width for low, width in layout.values()), default=8)
    if header >> used:
        raise reader.bad(f"unused header bits are not zero ({header:#018x})")
    rank, bounded = parts.get("shape", 0), bool(parts.get("bounded", 0))
    if "shape" in parts and not 1 <= rank <= isa.MAX_RANK:
        raise reader.bad(f"a shape of rank {rank}")
    args: dict[str, object] = {}
    for field in spec.fields:
        if field.kind is not Kind.BOUNDED:
            args[field.name] = _decode_field(field, parts.get(field.name, 0), rank, bounded, reader)
    if reader.slot % 2 and reader.take():
        raise reader.bad("the unused last half is not zero", at + reader.slot // 2)
    inst = Instruction(spec, args)
    problem = validate(inst)
    if problem:
        raise reader.bad(f"{spec.mnemonic}: {problem}")
    return inst, 1 + reader.slot // 2


def decode(program: bytes) -> list[Instruction]:
    """The instructions of an encoded program. Raises ArtifactError for anything malformed."""
    if len(program) < isa.HEADER_BYTES:
        raise ArtifactError(f"a program of {len(program)} bytes is shorter than its header of {isa.HEADER_BYTES}")
    magic, version, zero16, n_words, n_instructions, crc, zero32 = _HEADER.unpack_from(program)
    if magic != isa.MAGIC:
        raise ArtifactError(f"not a sim_accel program: it starts with {magic!r}, not {isa.MAGIC!r}")
    if version != isa.VERSION:
        raise ArtifactError(f"a sim_accel program of version {version}; this accelc reads version {isa.VERSION}")
    if zero16 or zero32:
        raise ArtifactError("reserved fields of the program's header are not zero")
    if len(program) != isa.HEADER_BYTES + 8 * n_words:
        raise ArtifactError(f"a program of {len(program)} bytes whose header announces {n_words} words")
    payload = program[isa.HEADER_BYTES :]
    if zlib.crc32(payload) != crc:
        raise ArtifactError("the program's checksum does not match: it is corrupt")
    words = struct.unpack(f"<{n_words}Q", payload)
    instructions: list[Instruction] = []
    at = 0
    while at < n_words:
        inst, count = _decode_instruction(words, at, len(instructions))
        instructions.append(inst)
        at += count
    if len(instructions) != n_instructions:
        raise ArtifactError(f"a program of {len(instructions)} instructions whose header announces {n_instructions}")
    check_flow(instructions, lambda text, pc: ArtifactError(f"instruction {pc}: {text}"))
    return instructions
