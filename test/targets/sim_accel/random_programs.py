"""A hypothesis strategy of instructions."""

from __future__ import annotations

from hypothesis import strategies as st

from accelc.targets.sim_accel import encoding, isa
from accelc.targets.sim_accel.isa import Imm, Instruction, Kind, Reg, Tile, Value

VALUES = st.one_of(
    st.integers(-(1 << 30), (1 << 30) - 1),
    st.builds(Reg, st.integers(0, 63), st.integers(-(1 << 24), (1 << 24) - 1)),
)
STRAIGHT = [
    s for s in isa.INSTRUCTIONS if not {"target", "end"} & {f.name for f in s.fields} and s.mnemonic != "endloop"
]


def tiles(values: st.SearchStrategy[Value], rank: int) -> st.SearchStrategy[Tile]:
    return st.builds(Tile, st.sampled_from(isa.DTYPES), values, st.tuples(*[values] * rank))


@st.composite
def instructions(draw: st.DrawFn, values: st.SearchStrategy[Value]) -> Instruction:
    """Any instruction that encodes, without a branch; its addresses, sizes and strides are drawn from `values`."""
    spec = draw(st.sampled_from(STRAIGHT))
    rank = draw(st.integers(1, 4 if spec.mnemonic == "mm.mul" else 5))
    bounded = draw(st.booleans()) or "b" in {f.name for f in spec.fields}
    simple = {
        Kind.REG: st.integers(0, 63),
        Kind.SEM: st.integers(0, 63),
        Kind.FLAG: st.integers(0, 1),
        Kind.DIM: st.integers(0, rank - 1),
        Kind.QUEUE: st.sampled_from(isa.QUEUES[3:] if spec.unit is isa.Unit.DMA else isa.QUEUES),
        Kind.DIMS: st.sets(st.integers(0, rank - 1), min_size=1).map(lambda s: tuple(sorted(s))),
        Kind.QUEUES: st.sets(st.integers(0, 10)).map(lambda s: tuple(sorted(s))),
        Kind.CTYPE: st.sampled_from(spec.ctypes or ("f32",)),
        Kind.SHAPE: st.tuples(*[values] * rank),
        Kind.TILE: tiles(values, rank),
        Kind.VECTOR: tiles(values, 1),
        Kind.CELL: tiles(values, 0),
        Kind.OPERAND: st.one_of(
            tiles(values, rank),
            st.builds(Imm, st.integers(0, 2**32 - 1)),
            st.builds(Reg, st.integers(0, 63), st.integers(-9, 9)),
        ),
        Kind.VALUE: values,
        Kind.I64: st.integers(-(1 << 63), (1 << 63) - 1),
        Kind.U32: st.integers(0, 2**32 - 1),
        Kind.BOUND: st.tuples(*[values] * rank) if bounded else st.none(),
        Kind.FILL: st.integers(0, 2**32 - 1) if bounded else st.just(0),
    }
    args = {f.name: draw(simple[f.kind]) for f in spec.fields if f.kind is not Kind.BOUNDED}
    inst = Instruction(spec, args)
    if encoding.validate(inst):  # wrong types for this instruction: take ones that fit
        wanted = {
            "sload": {"a": "i32"},
            "mm.load": {"a": "bf16"},
            "mm.mul": {"dst": "f32", "a": "bf16"},
            "vgather": {"dst": "f16", "a": "i64", "b": "f16"},
        }
        types = wanted.get(spec.mnemonic, {"dst": "f32", "a": "bf16", "b": "i32"})
        for name, dtype in types.items():
            if name in args:
                args[name] = Tile(dtype, args[name].addr, args[name].strides)
    return inst
