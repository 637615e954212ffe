"""Literals of LLVM 24 as LLVM 22 reads them: random bits of every format go through both, and come out as they were."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelc.core.llvm_literals import decimal_bits, down_convert
from accelc.core.pass_ import PassContext
from accelc.core.target import KernelCode
from accelc.mlir import ir
from accelc.targets.host.cpu import native
from accelc.targets.host.emit import emit
from accelc.targets.host.executor import HostKernelTable
from accelc.targets.host.passes import HostToLLVM

# LLVM's name, MLIR's name, numpy's type, bits.
FORMATS = [
    ("half", "f16", np.dtype(np.float16), 16),
    ("bfloat", "bf16", np.dtype(ml_dtypes.bfloat16), 16),
    ("float", "f32", np.dtype(np.float32), 32),
    ("double", "f64", np.dtype(np.float64), 64),
]


def _stores(element: str, bits: list[int], width: int) -> KernelCode:
    """A kernel that stores constants."""
    lines = []
    for i, value in enumerate(bits):
        lines.append(f"%c{i} = arith.constant 0x{value:0{width // 4}X} : {element}")
        lines.append(f"%i{i} = arith.constant {i} : index")
        lines.append(f"memref.store %c{i}, %out[%i{i}] : memref<{len(bits)}x{element}>")
    text = f"""
    module @kernel attributes {{accelc.tiles = 1 : i64, accelc.workspace_bytes = 0 : i64}} {{
    func.func @entry(%out: memref<{len(bits)}x{element}>, %w: memref<1xi8>, %begin: index, %end: index) {{
      {chr(10).join(lines)}
      return
    }} }}"""
    with ir.Context() as context:
        context.enable_multithreading(False)
        module = ir.Module.parse(text)
        HostToLLVM().run(module, PassContext())
        return emit(module.operation, native())


@pytest.mark.parametrize(("llvm", "element", "dtype", "width"), FORMATS)
def test_random_bits_survive_both_llvms(llvm: str, element: str, dtype: np.dtype, width: int) -> None:
    rng = np.random.default_rng(0)
    bits = [int(b) for b in rng.integers(0, 1 << width, 300, dtype=np.uint64, endpoint=False)]
    exponent = {"half": 0x7C00, "bfloat": 0x7F80, "float": 0x7F800000, "double": 0x7FF0000000000000}[llvm]
    quiet = exponent & -exponent  # the mantissa's highest bit is one below
    bits += [0, 1 << (width - 1), exponent, exponent | 1 << (width - 1), exponent | quiet >> 1, 1, exponent - 1]
    out = np.zeros(len(bits), dtype)
    HostKernelTable({"k": _stores(element, bits, width)}).launch("k", [out])
    got = out.view(f"u{width // 8}").tolist()
    signalling = [b & exponent == exponent and b & (exponent - 1) and not b & quiet >> 1 for b in bits]
    different = [(hex(a), hex(b)) for a, b, s in zip(bits, got, signalling, strict=True) if a != b and not s]
    assert not different


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_decimals_round_as_python_does(value: float) -> None:
    text = f"{value:.17e}"
    assert decimal_bits(text, "double") == int(np.float64(value).view(np.uint64))
    with np.errstate(over="ignore"):
        assert decimal_bits(text, "float") == int(np.array(value).astype(np.float32).view(np.uint32))


def test_names_strings_and_comments_stay() -> None:
    line = '@"float 1.5" = global float 1.500000e+00, section "float 0.1" ; float 0.1'
    assert down_convert(line) == '@"float 1.5" = global float 0x3FF8000000000000, section "float 0.1" ; float 0.1'
