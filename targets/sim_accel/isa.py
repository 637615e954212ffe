"""The instruction set of the simulated accelerator, every instruction once, as data.

From the table here derive the encoder and decoder (`encoding`), the text form (`assembler`), the builder
(`program`), the table of docs/sim_accel_isa.md and the C++ header sim/isa_table.h:

    python -m accelc.targets.sim_accel.isa          # rewrites both generated pieces
    python -m accelc.targets.sim_accel.isa --check  # exit 1 if either is stale
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

MAGIC = b"ASIM"
VERSION = 1
HEADER_BYTES = 24
REGISTERS = 64
SEMAPHORES = 64
MAX_RANK = 5
MAX_LOOP_DEPTH = 16
MAX_DMA_QUEUES = 8

#: Queue names by number. A machine has `dma_queues` of the DMA queues.
QUEUES = ("seq", "mxu", "vec", *(f"dma{i}" for i in range(MAX_DMA_QUEUES)))

#: Element types by code, and their sizes in bytes.
DTYPES = ("f32", "bf16", "f16", "e4m3", "e5m2", "i8", "u8", "i32", "i64", "bool")
DTYPE_BYTES = {"f32": 4, "bf16": 2, "f16": 2, "e4m3": 1, "e5m2": 1, "i8": 1, "u8": 1, "i32": 4, "i64": 8, "bool": 1}
FLOAT_DTYPES = frozenset(("f32", "bf16", "f16", "e4m3", "e5m2"))

#: Types that a vector instruction may compute in, by code.
CTYPES = ("f32", "i32", "i64")


@dataclass(frozen=True)
class Reg:
    """A scalar register, with a constant that is added when it is read: `Reg(3) + 64`."""

    index: int
    offset: int = 0

    def __add__(self, other: int) -> Reg:
        return Reg(self.index, self.offset + other)

    def __sub__(self, other: int) -> Reg:
        return Reg(self.index, self.offset - other)


#: What an address, size, stride or count may be: an immediate, or a register plus a constant.
Value = int | Reg


@dataclass(frozen=True)
class Tile:
    """A strided tile: dtype name, byte address, strides in elements (one per dimension of the shape)."""

    dtype: str
    addr: Value
    strides: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Imm:
    """32 immediate bits of a vector operand: an f32's, or a signed integer's."""

    bits: int


#: What a vector instruction reads: a tile, immediate bits, or a register.
Operand = Tile | Imm | Reg


class Kind(enum.Enum):
    """What a field is, and so how it is stored and printed. The comments give (header bits; slots)."""

    REG = "reg"  # 6; 0
    QUEUE = "queue"  # 4; 0
    SEM = "sem"  # 6; 0
    FLAG = "flag"  # 1; 0
    DIM = "dim"  # 3; 0
    DIMS = "dims"  # 5; 0: a set of dimensions
    QUEUES = "queues"  # 11; 0: a set of queues
    CTYPE = "ctype"  # 2; 0: the mnemonic's suffix
    SHAPE = "shape"  # 3 (rank); rank
    TILE = "tile"  # 4 (dtype); 1 + rank
    VECTOR = "vector"  # 4 (dtype); 2: a tile with one stride, whatever the shape
    CELL = "cell"  # 4 (dtype); 1: a tile with no stride
    OPERAND = "operand"  # 4 + 2 (dtype, what); 1 + rank, or 1
    VALUE = "value"  # 0; 1
    I64 = "i64"  # 0; 2
    U32 = "u32"  # 0; 1
    TARGET = "target"  # 0; 1
    END = "end"  # 0; 1: distance to the loop's endloop; not in the text
    BOUNDED = "bounded"  # 1; 0: whether pos, size, step and fill are there; not in the text
    BOUND = "bound"  # 0; rank if bounded, else 0
    FILL = "fill"  # 0; 1 if bounded, else 0


#: Width in bits of what each kind puts in the header word.
HEADER_BITS = {
    Kind.REG: 6,
    Kind.QUEUE: 4,
    Kind.SEM: 6,
    Kind.FLAG: 1,
    Kind.DIM: 3,
    Kind.DIMS: 5,
    Kind.QUEUES: 11,
    Kind.CTYPE: 2,
    Kind.SHAPE: 3,
    Kind.TILE: 4,
    Kind.VECTOR: 4,
    Kind.CELL: 4,
    Kind.OPERAND: 6,
    Kind.BOUNDED: 1,
}


@dataclass(frozen=True)
class Field:
    """One operand. With a `default` it is a `name=value` keyword in the text, and left out where it is the default."""

    name: str
    kind: Kind
    default: object = None

    @property
    def keyword(self) -> bool:
        return self.default is not None or self.kind in (Kind.BOUND, Kind.DIMS)


class Unit(enum.Enum):
    """Who executes an instruction. DMA instructions and wait/signal name their queue in field `q`."""

    SEQ = "seq"
    MXU = "mxu"
    VEC = "vec"
    DMA = "dma"
    SYNC = "sync"


@dataclass(frozen=True)
class Spec:
    """One instruction. `cost` is the vector unit's cost class; `ctypes` the compute types that it has."""

    mnemonic: str
    opcode: int
    unit: Unit
    fields: tuple[Field, ...]
    doc: str
    cost: str = ""
    ctypes: tuple[str, ...] = ()

    @property
    def cname(self) -> str:
        """The enumerator in the C++ header."""
        return "OP_" + self.mnemonic.replace(".", "_").upper()

    def field(self, name: str) -> Field | None:
        """The field called `name`, or None."""
        return next((f for f in self.fields if f.name == name), None)


def _f(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind) for name in names)


_RD = Field("rd", Kind.REG)
_XY = _f(Kind.VALUE, "x", "y")
_Q = Field("q", Kind.QUEUE)
_SHAPE = Field("shape", Kind.SHAPE)
_DST = Field("dst", Kind.TILE)
_CT = Field("ct", Kind.CTYPE)
_ACC = Field("acc", Kind.FLAG, 0)
_SAT = Field("sat", Kind.FLAG, 0)
_DIMS = Field("dims", Kind.DIMS)
_TARGET = Field("target", Kind.TARGET)
_BOUNDS = (Field("bounded", Kind.BOUNDED), *_f(Kind.BOUND, "pos", "size", "step"))
_FILL = Field("fill", Kind.FILL, 0)
_ALL = CTYPES
_FLT = ("f32",)
_INT = ("i32", "i64")


def _sequencer() -> list[Spec]:
    def seq(mnemonic: str, opcode: int, fields: tuple[Field, ...], doc: str) -> Spec:
        return Spec(mnemonic, opcode, Unit.SEQ, fields, doc)

    alu = (
        ("sadd", "x + y"),
        ("ssub", "x - y"),
        ("smul", "x * y"),
        ("sdiv", "x / y, truncated"),
        ("srem", "remainder of sdiv"),
        ("smin", "smaller"),
        ("smax", "larger"),
        ("sand", "bitwise and"),
        ("sor", "bitwise or"),
        ("sxor", "bitwise xor"),
        ("sshl", "shift left"),
        ("sshr", "arithmetic shift right"),
        ("slt", "x < y"),
        ("sle", "x <= y"),
        ("seq", "x == y"),
        ("sne", "x != y"),
    )
    return [
        seq("halt", 0x01, (), "end of the program; waits for all queues"),
        seq("nop", 0x02, (), "nothing, in one cycle"),
        seq("mark", 0x03, _f(Kind.U32, "id"), "provenance id of the instructions that follow"),
        seq("movi", 0x04, (_RD, *_f(Kind.I64, "imm")), "rd = imm"),
        seq(
            "loop",
            0x05,
            (
                _RD,
                Field("count", Kind.VALUE),
                Field("end", Kind.END),
                Field("start", Kind.VALUE, 0),
                Field("inc", Kind.VALUE, 1),
            ),
            "run the body count times, rd = start, start + inc, ...",
        ),
        seq("endloop", 0x06, (), "end of a loop's body"),
        seq("jmp", 0x07, (_TARGET,), "go to target"),
        seq("beq", 0x08, (*_XY, _TARGET), "go to target if x == y"),
        seq("bne", 0x09, (*_XY, _TARGET), "go to target if x != y"),
        seq("blt", 0x0A, (*_XY, _TARGET), "go to target if x < y"),
        seq("bge", 0x0B, (*_XY, _TARGET), "go to target if x >= y"),
        seq("sload", 0x0C, (_RD, *_f(Kind.CELL, "a")), "rd = an integer of the scratchpad"),
        seq("fence", 0x0D, _f(Kind.QUEUES, "queues"), "wait until the queues are empty and idle"),
        Spec(
            "wait",
            0x0E,
            Unit.SYNC,
            (_Q, *_f(Kind.SEM, "sem"), *_f(Kind.VALUE, "n")),
            "the queue waits for sem >= n, then sem -= n",
        ),
        Spec(
            "signal",
            0x0F,
            Unit.SYNC,
            (_Q, *_f(Kind.SEM, "sem"), *_f(Kind.VALUE, "n")),
            "sem += n when what precedes is complete",
        ),
        *(seq(name, 0x10 + i, (_RD, *_XY), "rd = " + doc) for i, (name, doc) in enumerate(alu)),
    ]


def _dma() -> list[Spec]:
    src, index = Field("a", Kind.TILE), Field("b", Kind.VECTOR)

    def dma(name: str, opcode: int, fields: tuple[Field, ...], doc: str) -> Spec:
        return Spec(name, opcode, Unit.DMA, (_Q, _DST, src, _SHAPE, *fields), doc)

    return [
        dma("dma.load", 0x20, (*_BOUNDS, _FILL), "DRAM tile a to scratchpad tile dst"),
        dma("dma.store", 0x21, _BOUNDS, "scratchpad tile a to DRAM tile dst"),
        dma("dma.gather", 0x22, (index, *_BOUNDS, _FILL), "dma.load with coordinate 0 taken through index vector b"),
        dma("dma.scatter", 0x23, (index, *_BOUNDS), "dma.store with coordinate 0 taken through index vector b"),
    ]


def _matrix() -> list[Spec]:
    trans = Field("trans", Kind.FLAG, 0)
    return [
        Spec(
            "mm.load",
            0x28,
            Unit.MXU,
            (Field("a", Kind.VECTOR), *_f(Kind.VALUE, "k", "n"), trans),
            "load the k x n weight tile",
        ),
        Spec(
            "mm.mul",
            0x29,
            Unit.MXU,
            (_DST, Field("a", Kind.TILE), Field("kstride", Kind.VALUE), _SHAPE, _ACC),
            "rows of a times the weights into dst",
        ),
    ]


def _vector() -> list[Spec]:
    a, b, c = _f(Kind.OPERAND, "a", "b", "c")
    specs: list[Spec] = []

    def vec(opcode: int, names: str, operands: tuple[Field, ...], ctypes: tuple[str, ...], cost: str, doc: str) -> None:
        for i, name in enumerate(names.split()):
            fields = (_CT, _DST, *operands, _SHAPE, _SAT)
            specs.append(Spec(name, opcode + i, Unit.VEC, fields, doc.format(name[1:]), cost, ctypes))

    vec(0x30, "vadd vsub vmul", (a, b), _ALL, "simple", "dst = {}(a, b)")
    vec(0x33, "vmin vmax", (a, b), _ALL, "simple", "dst = {}(a, b); a NaN wins, -0 < +0")
    vec(0x35, "vminnum vmaxnum", (a, b), _FLT, "simple", "dst = {}(a, b); a number wins over a NaN")
    vec(0x37, "vdiv vrem", (a, b), _ALL, "div", "dst = {}(a, b)")
    vec(0x39, "vpow", (a, b), _FLT, "pow", "dst = a to the power b")
    vec(0x3A, "vceq vcne vclt vcle vcgt vcge", (a, b), _ALL, "simple", "dst = {}(a, b): 1 or 0")
    vec(0x40, "vand vor vxor vshl vshr vshrl", (a, b), _INT, "simple", "dst = bitwise {}(a, b)")
    vec(0x46, "vfma", (a, b, c), _ALL, "simple", "dst = a * b + c, rounded once")
    vec(0x47, "vselect", (a, b, c), _ALL, "simple", "dst = c != 0 ? a : b")
    vec(0x48, "vcopy vneg vabs", (a,), _ALL, "simple", "dst = {}(a)")
    vec(0x4B, "vnot", (a,), _INT, "simple", "dst = bitwise complement of a")
    vec(0x4C, "vfloor vceil vrint vtrunc", (a,), _FLT, "simple", "dst = {}(a)")
    vec(0x50, "vsqrt vrsqrt vrecip", (a,), _FLT, "div", "dst = {}(a)")
    vec(0x53, "vexp vlog vtanh verf vsigmoid vsin vcos", (a,), _FLT, "func", "dst = {}(a)")

    iota = (_CT, _DST, Field("dim", Kind.DIM), *_f(Kind.VALUE, "start", "inc"), _SHAPE, _SAT)
    specs.append(Spec("viota", 0x60, Unit.VEC, iota, "dst = start + inc * (index along dim)", "simple", ("i64",)))
    gather = (_DST, Field("a", Kind.TILE), Field("b", Kind.VECTOR), Field("count", Kind.VALUE), _SHAPE)
    specs.append(Spec("vgather", 0x61, Unit.VEC, gather, "dst = b at the indices a; 0 outside [0, count)", "gather"))

    src = Field("a", Kind.TILE)
    for i, name in enumerate(["vrsum", "vrprod", "vrmax", "vrmin"]):
        fields = (_CT, _DST, src, _DIMS, _SHAPE, _ACC, _SAT)
        specs.append(Spec(name, 0x68 + i, Unit.VEC, fields, f"dst = {name[2:]} of a over dims", "simple", _ALL))
    base, last = Field("base", Kind.VALUE), Field("last", Kind.FLAG, 0)
    for i, name in enumerate(["vargmax", "vargmin"]):
        arg = (_CT, _DST, Field("b", Kind.TILE), src, _DIMS, base, _SHAPE, _ACC, last)
        doc = f"dst, b = value and index of the {name[4:]} of a over dims"
        specs.append(Spec(name, 0x6C + i, Unit.VEC, arg, doc, "simple", _ALL))
    return specs


#: Every instruction, in opcode order.
INSTRUCTIONS: tuple[Spec, ...] = tuple(_sequencer() + _dma() + _matrix() + _vector())
BY_OPCODE: dict[int, Spec] = {spec.opcode: spec for spec in INSTRUCTIONS}
BY_MNEMONIC: dict[str, Spec] = {spec.mnemonic: spec for spec in INSTRUCTIONS}

#: Types that the DMA converts between on the way (besides equal ones).
DMA_CONVERSIONS = frozenset((("f32", "bf16"), ("bf16", "f32"), ("f32", "f16"), ("f16", "f32")))


@dataclass(frozen=True)
class Instruction:
    """One instruction with its operands by field name.

    Values by kind: REG, SEM, FLAG, DIM, I64, U32, FILL, TARGET, END: int; QUEUE, CTYPE: name; DIMS, QUEUES: sorted
    tuple; SHAPE: tuple of Value; BOUND: tuple of Value, or None where not bounded; TILE, VECTOR, CELL: Tile;
    OPERAND: Operand; VALUE: Value. BOUNDED is not stored: it is whether `pos` is not None.
    """

    spec: Spec
    args: dict[str, object] = dataclasses.field(default_factory=dict)

    @property
    def rank(self) -> int:
        """Rank of the instruction's shape; 0 if it has none."""
        shape = self.args.get("shape")
        return len(shape) if isinstance(shape, tuple) else 0


if __name__ == "__main__":
    import sys

    from accelc.targets.sim_accel.isa_gen import main

    sys.exit(main(sys.argv[1:]))
