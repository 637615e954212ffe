"""Encoding, assembler, decoder: exact inverses, and nothing malformed is accepted."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import VALUES, instructions

from accelc.core.diagnostics import ArtifactError, UsageError
from accelc.targets.sim_accel import _sim, encoding, isa, isa_gen
from accelc.targets.sim_accel.assembler import assemble, disassemble
from accelc.targets.sim_accel.isa import Imm, Instruction, Tile
from accelc.targets.sim_accel.program import Label, Program

PROGRAMS = st.lists(instructions(VALUES), min_size=1, max_size=12).map(encoding.encode)


def with_crc(program: bytes) -> bytes:
    return program[:16] + struct.pack("<I", zlib.crc32(program[24:])) + program[20:]


@given(PROGRAMS)
def test_text_and_bytes_are_inverses(program: bytes) -> None:
    text = disassemble(program)
    assert assemble(text) == program
    assert disassemble(assemble(text)) == text
    assert _sim.decode(program) == len(encoding.decode(program))


@settings(max_examples=300)
@given(PROGRAMS, st.data())
def test_a_flipped_bit_is_refused_or_is_another_program(program: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(24 * 8, len(program) * 8 - 1))
    flipped = bytearray(program)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ArtifactError, match="checksum"):
        encoding.decode(bytes(flipped))
    corrupt = with_crc(bytes(flipped))
    try:
        decoded = encoding.decode(corrupt)
    except ArtifactError:
        with pytest.raises(_sim.FormatError):
            _sim.decode(corrupt)
        return
    # Both decoders accept it, every bit of it means something, and so it is another text.
    assert _sim.decode(corrupt) == len(decoded)
    assert encoding.encode(decoded) == corrupt
    assert disassemble(corrupt) != disassemble(program)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_random_words_never_crash_a_decoder(payload: bytes) -> None:
    payload = payload[: len(payload) // 8 * 8]
    header = struct.pack("<4sHHIIII", b"ASIM", 1, 0, len(payload) // 8, 1, zlib.crc32(payload), 0)
    accepted = []
    for decode, error in ((encoding.decode, ArtifactError), (_sim.decode, _sim.FormatError)):
        try:
            decode(header + payload)
            accepted.append(True)
        except error:
            accepted.append(False)
    assert accepted[0] == accepted[1]


HALT = assemble("halt\n")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"", "shorter"),
        (b"JUNK" + HALT[4:], "not a sim_accel program"),
        (HALT[:4] + b"\x02" + HALT[5:], "version 2"),
        (HALT[:6] + b"\x01" + HALT[7:], "reserved"),
        (HALT + b"\0" * 8, "words"),
        (HALT[:12] + b"\x02" + HALT[13:], "announces"),
    ],
)
def test_bad_headers(program: bytes, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        encoding.decode(program)
    with pytest.raises(_sim.FormatError):
        _sim.decode(program)


CONTROL = """\
  movi r40, -9223372036854775808
  loop r41, r1+4, start=-3, inc=256
    beq r41, 7, L0
    mark 4294967295
L0:
  endloop
L1:
  bge r40, -12, L2
  jmp L1
L2:
  fence vec|dma0
  halt
"""


def test_control_flow_text() -> None:
    assert disassemble(assemble(CONTROL)) == CONTROL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frob r1", "line 1: unknown instruction 'frob'"),
        ("nop\nsadd r1, r2", "line 2: missing y"),
        ("sadd r1, r2, 3, 4", "one operand too many"),
        ("movi r64, 1", "rd = 64"),
        ("jmp L", "no label 'L'"),
        ("loop r1, 2\nnop", "loop without an endloop"),
        ("endloop", "endloop without a loop"),
        ("loop r1, 2\njmp L\nendloop\nL:\nhalt", "crosses the boundary"),
        ("sadd r1, 1073741824, 0", "31 bits"),
        ("vadd.f32 f32[0 : 1], f32[0 : 1, 1], #1.0, <4>", "2 strides"),
        ("vand.f32 i32[0 : 1], i32[0 : 1], #1.0, <4>", "does not compute in f32"),
        ("vrsum.f32 f32[0 : 0], f32[0 : 1], <4>, dims=1", "outside the shape"),
        ("dma.load vec, f32[0 : 1], f32[0 : 1], <4>", "not a DMA queue"),
        ("dma.load dma0, f32[0 : 1], i32[0 : 1], <4>", "does not convert"),
        ("dma.load dma0, f32[0 : 1], f32[0 : 1], <4>, pos=<0>", "size must have"),
    ],
)
def test_text_errors(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assemble(text)


def test_builder_labels_and_text() -> None:
    p = Program(arguments=1)
    top, out = Label(), Label()
    r = p.reg()
    p.set(r, 0)
    p.place(top)
    p.bge(r, 5, out)
    p.sadd(r, r, 1)
    p.jmp(top)
    p.place(out)
    p.halt()
    assert assemble(p.text()) == p.encode()
    with pytest.raises(UsageError, match="missing b"):
        p.vadd("f32", Tile("f32", 0, (1,)), Tile("f32", 0, (1,)))
    with pytest.raises(AttributeError):
        p.vfrobnicate()


def test_generated_files_are_fresh() -> None:
    assert isa_gen.main(["--check"]) == 0, "run: python -m accelc.targets.sim_accel.isa"


def test_f32_immediates_print_exactly() -> None:
    rng = np.random.default_rng(0)
    for bits in [0, 0x80000000, 1, 0x7F800000, 0x7FC00001, *rng.integers(0, 2**32, 500).tolist()]:
        inst = Instruction(
            isa.BY_MNEMONIC["vcopy"],
            {"ct": "f32", "dst": Tile("f32", 0, (1,)), "a": Imm(bits), "shape": (1,), "sat": 0},
        )
        program = encoding.encode([inst])
        assert assemble(disassemble(program)) == program


def test_stub_is_fresh() -> None:
    stubgen = pytest.importorskip("nanobind.stubgen")
    generator = stubgen.StubGen(_sim)
    generator.put(_sim)
    committed = (isa_gen.HEADER_PATH.parents[1] / "_sim.pyi").read_text()
    assert committed == generator.get(), "run: python -m nanobind.stubgen -m accelc.targets.sim_accel._sim"
