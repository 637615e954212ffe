"""The interpreter against LLVM: the same functions, interpreted and compiled by MLIR's own lowering and JIT."""

# MLIR is written as it is printed, in long lines.
# ruff: noqa: E501

from __future__ import annotations

import ctypes
import importlib
import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from accelc import InvalidIRError, UnsupportedError, UsageError
from accelc.core.context import make_context
from accelc.core.store import Store
from accelc.dialects import interpreter
from accelc.dialects.runs import GROUPS
from accelc.mlir import PROVIDER, PassManager, ir

Array = np.ndarray[Any, Any]

LOWERING = (
    "builtin.module(one-shot-bufferize{allow-unknown-ops},convert-bufferization-to-memref,convert-linalg-to-loops,"
    "func.func(lower-vector-mask,lower-vector-multi-reduction),convert-vector-to-scf,scf-forall-to-for,lower-affine,convert-scf-to-cf,"
    "expand-strided-metadata,lower-affine,convert-vector-to-llvm,convert-ub-to-llvm,convert-math-to-llvm,"
    "convert-math-to-libm,arith-expand{include-bf16=true},convert-arith-to-llvm,convert-index-to-llvm,"
    "finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)"
)


class Unranked(ctypes.Structure):
    """A memref whose rank is known at run time only, as MLIR's runtime passes it."""

    _fields_ = (("rank", ctypes.c_int64), ("descriptor", ctypes.POINTER(ctypes.c_int64)))


@ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.POINTER(Unranked), ctypes.POINTER(Unranked))
def _MEMREF_COPY(size: int, source: Any, target: Any) -> None:
    """What lowered ``memref.copy`` of strided memory calls; no runtime library ships with the bindings."""
    views = []
    for memref in (source.contents, target.contents):
        # Allocated pointer, aligned pointer, offset, sizes, strides.
        fields = memref.descriptor[: 3 + 2 * memref.rank]
        shape, strides = fields[3 : 3 + memref.rank], [s * size for s in fields[3 + memref.rank :]]
        extent = size + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        memory = (ctypes.c_char * extent).from_address(fields[1] + fields[2] * size)
        views.append(np.ndarray(shape, f"V{size}", memory, 0, strides))
    views[1][...] = views[0]


def compile_and_run(text: str, arrays: list[Array]) -> None:
    """Runs @main natively on ``arrays``, which it writes."""
    engine_module = importlib.import_module(f"{PROVIDER}.execution_engine")
    runtime = importlib.import_module(f"{PROVIDER}.runtime")
    with make_context():
        module = ir.Module.parse(text.replace("attributes {", "attributes {llvm.emit_c_interface, "))
        PassManager.parse(LOWERING).run(module.operation)
        engine = engine_module.ExecutionEngine(module)
        engine.raw_register_runtime("memrefCopy", ctypes.cast(_MEMREF_COPY, ctypes.c_void_p))
        pointers = []
        for a in arrays:
            raw = a.view(np.uint8) if a.dtype == np.bool_ else a
            raw = raw.view(np.int16) if a.dtype == ml_dtypes.bfloat16 else raw
            pointers.append(ctypes.pointer(ctypes.pointer(runtime.get_ranked_memref_descriptor(raw))))
        engine.invoke("main", *pointers)


def both(text: str, *inputs: Array, out: Array) -> tuple[Array, Array]:
    """The output as interpreted, and as computed natively."""
    with make_context():
        module = ir.Module.parse(text)
        before = str(module)
        given = {f"input{i}": a for i, a in enumerate(inputs)}
        interpreted = interpreter.run(module, given)["output0"]
        assert str(module) == before, "interpreting a module must not change it"
    native = out.copy()
    compile_and_run(text, [*[a.copy() for a in inputs], native])
    return interpreted, native


def rng() -> np.random.Generator:
    """The same numbers in every test."""
    return np.random.default_rng(3)


def f32(*shape: int) -> Array:
    """Random normal elements."""
    return rng().standard_normal(shape).astype(np.float32)


SPECIAL_INTEGERS = [0, 1, -1, 2, 7, -8, 100, -128, 127]
INTEGER_OPS = [
    "addi",
    "subi",
    "muli",
    "andi",
    "ori",
    "xori",
    "maxsi",
    "minsi",
    "maxui",
    "minui",
    "divsi",
    "divui",
    "remsi",
    "remui",
    "ceildivsi",
    "ceildivui",
    "floordivsi",
    "shli",
    "shrsi",
    "shrui",
]


def elementwise(ops: dict[str, str], a: Array, b: Array, dtype: str, result: str) -> tuple[Array, Array]:
    """Each of ``ops`` (assembly with %x and %y, giving %z) on all pairs of elements, a row of the results each."""
    n, rows = len(a), len(ops)
    loops = "\n".join(
        f"""linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>,
          affine_map<(d0) -> ({row}, d0)>], iterator_types = ["parallel"]}}
          ins(%a, %b : memref<{n}x{dtype}>, memref<{n}x{dtype}>) outs(%o : memref<{rows}x{n}x{result}>) {{
        ^bb0(%x: {dtype}, %y: {dtype}, %old: {result}):
          {op}
          linalg.yield %z : {result}
        }}"""
        for row, op in enumerate(ops.values())
    )
    text = f"""
    func.func @main(%a: memref<{n}x{dtype}>, %b: memref<{n}x{dtype}>, %o: memref<{rows}x{n}x{result}>)
        attributes {{accelc.num_outputs = 1 : i64}} {{
      {loops}
      return
    }}"""
    return both(text, a, b, out=np.zeros((rows, n), f"{result[0]}{int(result[1:]) // 8}"))


@pytest.mark.parametrize("bits", [8, 32])
@pytest.mark.parametrize("group", ["", "divide", "shift"])
def test_integer_arithmetic(bits: int, group: str) -> None:
    kinds = {"divide": ("div", "rem"), "shift": ("sh",)}
    special = tuple(itertools.chain(*kinds.values()))
    pairs = list(itertools.product(SPECIAL_INTEGERS, repeat=2))
    ops = [
        op for op in INTEGER_OPS if (any(k in op for k in kinds[group]) if group else not any(k in op for k in special))
    ]
    if group == "divide":
        pairs = [(a, b) for a, b in pairs if b != 0 and (a, b) != (-(1 << bits - 1), -1)]
    elif group == "shift":
        pairs = [(a, b) for a, b in pairs if 0 <= b < bits]
    a, b = (np.array([p[i] for p in pairs]).astype(f"i{bits // 8}") for i in (0, 1))
    table = {op: f"%z = arith.{op} %x, %y : i{bits}" for op in ops}
    got, expected = elementwise(table, a, b, f"i{bits}", f"i{bits}")
    for row, op in enumerate(ops):
        np.testing.assert_array_equal(got[row], expected[row], err_msg=op)


SPECIAL_FLOATS = [0.0, -0.0, 1.0, -1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-40, 3.4e38, 0.1]
FLOAT_OPS = ["addf", "subf", "mulf", "divf", "remf", "maximumf", "minimumf", "maxnumf", "minnumf"]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_float_arithmetic(dtype: str) -> None:
    # Which of two zeros is the larger is not the same everywhere.
    pairs = [(a, b) for a, b in itertools.product(SPECIAL_FLOATS, repeat=2) if not (a == b == 0 and a is not b)]
    a, b = (np.array([p[i] for p in pairs]).astype(f"f{int(dtype[1:]) // 8}") for i in (0, 1))
    table = {op: f"%z = arith.{op} %x, %y : {dtype}" for op in FLOAT_OPS}
    got, expected = elementwise(table, a, b, dtype, dtype)
    for row, op in enumerate(FLOAT_OPS):
        np.testing.assert_array_equal(got[row], expected[row], err_msg=op)
        same = ~np.isnan(expected[row])
        np.testing.assert_array_equal(np.signbit(got[row][same]), np.signbit(expected[row][same]), err_msg=op)


def test_comparisons() -> None:
    pairs = list(itertools.product([0.0, -0.0, 1.0, np.nan, np.inf], repeat=2))
    a, b = (np.array([p[i] for p in pairs], np.float32) for i in (0, 1))
    predicates = ["oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"]
    table = {p: f"%c = arith.cmpf {p}, %x, %y : f32\n%z = arith.extsi %c : i1 to i32" for p in predicates}
    got, expected = elementwise(table, a, b, "f32", "i32")
    for row, p in enumerate(predicates):
        np.testing.assert_array_equal(got[row], expected[row], err_msg=p)
    pairs = list(itertools.product(SPECIAL_INTEGERS, repeat=2))
    c, d = (np.array([p[i] for p in pairs]).astype(np.int8) for i in (0, 1))
    predicates = ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
    table = {p: f"%c = arith.cmpi {p}, %x, %y : i8\n%z = arith.extui %c : i1 to i8" for p in predicates}
    got, expected = elementwise(table, c, d, "i8", "i8")
    for row, p in enumerate(predicates):
        np.testing.assert_array_equal(got[row], expected[row], err_msg=p)


CONVERSIONS = [
    ("arith.fptosi %x : f32 to i32", "f32", "i32", np.array([0.5, -2.7, 100.9, -1e6], np.float32)),
    ("arith.fptoui %x : f32 to i8", "f32", "i8", np.array([0.5, 2.7, 200.9], np.float32)),
    ("arith.sitofp %x : i32 to f32", "i32", "f32", np.array([-5, 2**30 + 1, -(2**31)], np.int32)),
    ("arith.uitofp %x : i8 to f32", "i8", "f32", np.array([-5, 3, -128], np.int8)),
    ("arith.extsi %x : i8 to i32", "i8", "i32", np.array([-5, 3, -128], np.int8)),
    ("arith.extui %x : i8 to i32", "i8", "i32", np.array([-5, 3, -128], np.int8)),
    ("arith.trunci %x : i32 to i8", "i32", "i8", np.array([300, -300, 127, 128], np.int32)),
    ("arith.truncf %x : f64 to f32", "f64", "f32", np.array([0.1, 1e300, 1e-46, np.nan])),
    ("arith.bitcast %x : f32 to i32", "f32", "i32", np.array([0.1, -0.0, np.inf], np.float32)),
    ("math.ctpop %x : i32", "i32", "i32", np.array([0, -1, 12345], np.int32)),
    ("math.ctlz %x : i32", "i32", "i32", np.array([0, -1, 12345], np.int32)),
    ("math.cttz %x : i32", "i32", "i32", np.array([0, -1, 12344], np.int32)),
    ("math.roundeven %x : f32", "f32", "f32", np.array([0.5, 1.5, -2.5, 8388609.0], np.float32)),
    ("math.round %x : f32", "f32", "f32", np.array([0.5, 0.49999997, -2.5, 8388609.0], np.float32)),
]


@pytest.mark.parametrize(("op", "source", "target", "values"), CONVERSIONS, ids=[c[0] for c in CONVERSIONS])
def test_conversions(op: str, source: str, target: str, values: Array) -> None:
    n = len(values)
    text = f"""
    func.func @main(%a: memref<{n}x{source}>, %o: memref<{n}x{target}>) attributes {{accelc.num_outputs = 1 : i64}} {{
      linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}}
        ins(%a : memref<{n}x{source}>) outs(%o : memref<{n}x{target}>) {{
      ^bb0(%x: {source}, %old: {target}):
        %z = {op}
        linalg.yield %z : {target}
      }}
      return
    }}"""
    got, expected = both(text, values, out=np.zeros(n, f"{target[0]}{int(target[1:]) // 8}"))
    np.testing.assert_array_equal(got, expected)


def test_fused_multiply_add_rounds_once() -> None:
    a = (1 + rng().random(4000) * 2.0**-10).astype(np.float32)
    b = (1 + np.random.default_rng(5).random(4000) * 2.0**-10).astype(np.float32)
    c = (-a.astype(np.float64) * b + 2.0**-30 * (rng().random(4000) - 0.5)).astype(np.float32)
    text = """
    func.func @main(%a: memref<4000xf32>, %b: memref<4000xf32>, %c: memref<4000xf32>, %o: memref<4000xf32>) attributes {accelc.num_outputs = 1 : i64} {
      %i0 = arith.constant 0 : index
      %x = vector.load %a[%i0] : memref<4000xf32>, vector<4000xf32>
      %y = vector.load %b[%i0] : memref<4000xf32>, vector<4000xf32>
      %z = vector.load %c[%i0] : memref<4000xf32>, vector<4000xf32>
      %r = vector.fma %x, %y, %z : vector<4000xf32>
      vector.store %r, %o[%i0] : memref<4000xf32>, vector<4000xf32>
      return
    }"""
    with make_context():
        module = ir.Module.parse(text)
        got = interpreter.run(module, {"input0": a, "input1": b, "input2": c})["output0"]
    exact = np.array(
        [np.float32(float(x) * float(y) + float(z)) for x, y, z in zip(a, b, c, strict=True)]
    )  # cancellation makes the f64 sum exact here
    np.testing.assert_array_equal(got, exact)


KERNELS: dict[str, tuple[str, list[tuple[str, tuple[int, ...]]], tuple[int, ...]]] = {
    "matmul": (
        """%r = linalg.matmul ins(%0, %1 : tensor<5x7xf32>, tensor<7x6xf32>) outs(%out : tensor<5x6xf32>) -> tensor<5x6xf32>""",
        [("f32", (5, 7)), ("f32", (7, 6))],
        (5, 6),
    ),
    "contract": (
        """%r = linalg.contract indexing_maps = [affine_map<(b, m, n, k) -> (k, b, m)>, affine_map<(b, m, n, k) -> (n, k, b)>,
          affine_map<(b, m, n, k) -> (m, b, n)>] ins(%0, %1 : tensor<7x2x5xf32>, tensor<6x7x2xf32>) outs(%out : tensor<5x2x6xf32>) -> tensor<5x2x6xf32>""",
        [("f32", (7, 2, 5)), ("f32", (6, 7, 2))],
        (5, 2, 6),
    ),
    "conv": (
        """%r = linalg.conv_2d_nhwc_hwcf {strides = dense<[2, 1]> : tensor<2xi64>, dilations = dense<[1, 2]> : tensor<2xi64>}
          ins(%0, %1 : tensor<2x9x8x3xf32>, tensor<3x2x3x4xf32>) outs(%out : tensor<2x4x6x4xf32>) -> tensor<2x4x6x4xf32>""",
        [("f32", (2, 9, 8, 3)), ("f32", (3, 2, 3, 4))],
        (2, 4, 6, 4),
    ),
    "depthwise": (
        """%r = linalg.depthwise_conv_2d_nhwc_hwc {strides = dense<2> : tensor<2xi64>}
          ins(%0, %1 : tensor<1x7x7x3xf32>, tensor<3x3x3xf32>) outs(%out : tensor<1x3x3x3xf32>) -> tensor<1x3x3x3xf32>""",
        [("f32", (1, 7, 7, 3)), ("f32", (3, 3, 3))],
        (1, 3, 3, 3),
    ),
    "max pool": (
        """%w = tensor.empty() : tensor<3x3xf32>
        %r = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>} ins(%0, %w : tensor<1x7x7x3xf32>, tensor<3x3xf32>)
          outs(%out : tensor<1x3x3x3xf32>) -> tensor<1x3x3x3xf32>""",
        [("f32", (1, 7, 7, 3))],
        (1, 3, 3, 3),
    ),
    "row sums of squares": (
        """%r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
          ins(%0 : tensor<6x9xf32>) outs(%out : tensor<6xf32>) {
        ^bb0(%x: f32, %acc: f32):
          %y = arith.mulf %x, %x : f32
          %z = arith.addf %acc, %y : f32
          linalg.yield %z : f32
        } -> tensor<6xf32>""",
        [("f32", (6, 9))],
        (6,),
    ),
    "a reduction of no known kind": (
        """%r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
          ins(%0 : tensor<9x6xf32>) outs(%out : tensor<6xf32>) {
        ^bb0(%x: f32, %acc: f32):
          %half = arith.constant 0.5 : f32
          %y = arith.mulf %acc, %half : f32
          %z = arith.addf %y, %x : f32
          linalg.yield %z : f32
        } -> tensor<6xf32>""",
        [("f32", (9, 6))],
        (6,),
    ),
    "gather with an index": (
        """%r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%1 : tensor<3xi64>) outs(%out : tensor<3x4xf32>) {
        ^bb0(%k: i64, %old: f32):
          %row = arith.index_cast %k : i64 to index
          %col = linalg.index 1 : index
          %x = tensor.extract %0[%row, %col] : tensor<5x4xf32>
          linalg.yield %x : f32
        } -> tensor<3x4xf32>""",
        [("f32", (5, 4)), ("i64", (3,))],
        (3, 4),
    ),
    "strided slices and pads": (
        """%zero = arith.constant 2.5 : f32
        %s = tensor.extract_slice %0[1, 0] [3, 4] [2, 1] : tensor<7x4xf32> to tensor<3x4xf32>
        %p = tensor.pad %s low[1, 0] high[0, 2] {
        ^bb0(%i: index, %j: index):
          tensor.yield %zero : f32
        } : tensor<3x4xf32> to tensor<4x6xf32>
        %r = tensor.insert_slice %p into %out[0, 1] [4, 6] [1, 1] : tensor<4x6xf32> into tensor<4x8xf32>""",
        [("f32", (7, 4))],
        (4, 8),
    ),
    "reshapes": (
        """%c = tensor.collapse_shape %0 [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
        %e = tensor.expand_shape %c [[0], [1, 2]] output_shape [6, 2, 2] : tensor<6x4xf32> into tensor<6x2x2xf32>
        %r = linalg.transpose ins(%e : tensor<6x2x2xf32>) outs(%out : tensor<2x6x2xf32>) permutation = [1, 0, 2]""",
        [("f32", (2, 3, 4))],
        (2, 6, 2),
    ),
    "a loop over tiles": (
        """%c0 = arith.constant 0 : index
        %c3 = arith.constant 3 : index
        %c9 = arith.constant 9 : index
        %r = scf.for %i = %c0 to %c9 step %c3 iter_args(%t = %out) -> (tensor<9x4xf32>) {
          %n = affine.min affine_map<(d0) -> (3, 9 - d0)>(%i)
          %a = tensor.extract_slice %0[%i, 0] [3, 4] [1, 1] : tensor<9x4xf32> to tensor<3x4xf32>
          %b = tensor.extract_slice %t[%i, 0] [3, 4] [1, 1] : tensor<9x4xf32> to tensor<3x4xf32>
          %e = linalg.exp ins(%a : tensor<3x4xf32>) outs(%b : tensor<3x4xf32>) -> tensor<3x4xf32>
          %u = tensor.insert_slice %e into %t[%i, 0] [3, 4] [1, 1] : tensor<3x4xf32> into tensor<9x4xf32>
          scf.yield %u : tensor<9x4xf32>
        }""",
        [("f32", (9, 4))],
        (9, 4),
    ),
    "a forall": (
        """%r = scf.forall (%i, %j) in (3, 2) shared_outs(%t = %out) -> (tensor<9x4xf32>) {
          %x = affine.apply affine_map<(d0) -> (d0 * 3)>(%i)
          %y = affine.apply affine_map<(d0) -> (d0 * 2)>(%j)
          %a = tensor.extract_slice %0[%x, %y] [3, 2] [1, 1] : tensor<9x4xf32> to tensor<3x2xf32>
          %b = tensor.extract_slice %t[%x, %y] [3, 2] [1, 1] : tensor<9x4xf32> to tensor<3x2xf32>
          %e = linalg.negf ins(%a : tensor<3x2xf32>) outs(%b : tensor<3x2xf32>) -> tensor<3x2xf32>
          scf.forall.in_parallel {
            tensor.parallel_insert_slice %e into %t[%x, %y] [3, 2] [1, 1] : tensor<3x2xf32> into tensor<9x4xf32>
          }
        }""",
        [("f32", (9, 4))],
        (9, 4),
    ),
    "a masked transfer": (
        """%c0 = arith.constant 0 : index
        %c2 = arith.constant 2 : index
        %c3 = arith.constant 3 : index
        %pad = arith.constant 7.0 : f32
        %m = vector.create_mask %c2, %c3 : vector<4x8xi1>
        %v = vector.transfer_read %0[%c0, %c0], %pad, %m {in_bounds = [true, false]} : tensor<4x5xf32>, vector<4x8xf32>
        %w = vector.transpose %v, [1, 0] : vector<4x8xf32> to vector<8x4xf32>
        %r = vector.transfer_write %w, %out[%c0, %c0] {in_bounds = [true, true]} : vector<8x4xf32>, tensor<8x4xf32>""",
        [("f32", (4, 5))],
        (8, 4),
    ),
    "vectors": (
        """%c0 = arith.constant 0 : index
        %pad = arith.constant 0.0 : f32
        %a = vector.transfer_read %0[%c0, %c0], %pad {in_bounds = [true, true]} : tensor<4x5xf32>, vector<4x5xf32>
        %b = vector.transfer_read %1[%c0, %c0], %pad {in_bounds = [true, true]} : tensor<5x3xf32>, vector<5x3xf32>
        %z = arith.constant dense<1.0> : vector<4x3xf32>
        %c = vector.contract {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
          iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %a, %b, %z : vector<4x5xf32>, vector<5x3xf32> into vector<4x3xf32>
        %row = vector.extract %c[1] : vector<3xf32> from vector<4x3xf32>
        %col = vector.extract %b[2] : vector<3xf32> from vector<5x3xf32>
        %o = vector.outerproduct %row, %col : vector<3xf32>, vector<3xf32>
        %s = vector.shuffle %row, %col [0, 5, 1, 4] : vector<3xf32>, vector<3xf32>
        %e = vector.extract_strided_slice %o {offsets = [1], sizes = [2], strides = [1]} : vector<3x3xf32> to vector<2x3xf32>
        %red = vector.multi_reduction <maximumf>, %e, %row [0] : vector<2x3xf32> to vector<3xf32>
        %sum = vector.reduction <add>, %s : vector<4xf32> into f32
        %all = vector.broadcast %sum : f32 to vector<3xf32>
        %f = vector.fma %red, %col, %all : vector<3xf32>
        %sc = vector.shape_cast %f : vector<3xf32> to vector<1x3xf32>
        %r = vector.transfer_write %sc, %out[%c0, %c0] {in_bounds = [true, true]} : vector<1x3xf32>, tensor<1x3xf32>""",
        [("f32", (4, 5)), ("f32", (5, 3))],
        (1, 3),
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels(name: str) -> None:
    body, inputs, out_shape = KERNELS[name]
    arrays = [f32(*s) if d == "f32" else rng().integers(0, 4, s) for d, s in inputs]
    out = np.full(out_shape, 0.25, np.float32)

    def memref(dtype: str, shape: tuple[int, ...]) -> str:
        return f"memref<{''.join(f'{n}x' for n in shape)}{dtype}>"

    args = ", ".join(f"%m{i}: {memref(d, s)}" for i, (d, s) in enumerate(inputs))
    tensors = "\n".join(
        f"%{i} = bufferization.to_tensor %m{i} restrict : {memref(d, s)} to {memref(d, s).replace('memref', 'tensor')}"
        for i, (d, s) in enumerate(inputs)
    )
    o, t = memref("f32", out_shape), memref("f32", out_shape).replace("memref", "tensor")
    text = f"""
    func.func @main({args}, %mo: {o}) attributes {{accelc.num_outputs = 1 : i64}} {{
      {tensors}
      %quarter = arith.constant 0.25 : f32
      %e = tensor.empty() : {t}
      %out = linalg.fill ins(%quarter : f32) outs(%e : {t}) -> {t}
      {body.replace("%e ", "%e_ ").replace("%e,", "%e_,").replace("%e:", "%e_:")}
      bufferization.materialize_in_destination %r in restrict writable %mo : ({t}, {o}) -> ()
      return
    }}"""
    got, expected = both(text, *arrays, out=out)
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)


def test_memory_views() -> None:
    text = """
    func.func @main(%a: memref<6x8xf32>, %o: memref<6x8xf32>) attributes {accelc.num_outputs = 1 : i64} {
      %c1 = arith.constant 1 : index
      memref.copy %a, %o : memref<6x8xf32> to memref<6x8xf32>
      %s = memref.subview %o[%c1, 2] [2, 3] [2, 2] : memref<6x8xf32> to memref<2x3xf32, strided<[16, 2], offset: ?>>
      %x = arith.constant 9.0 : f32
      linalg.fill ins(%x : f32) outs(%s : memref<2x3xf32, strided<[16, 2], offset: ?>>)
      %flat = memref.collapse_shape %o [[0, 1]] : memref<6x8xf32> into memref<48xf32>
      %row = memref.reinterpret_cast %flat to offset: [40], sizes: [4], strides: [2] : memref<48xf32> to memref<4xf32, strided<[2], offset: 40>>
      %y = arith.constant -1.0 : f32
      linalg.fill ins(%y : f32) outs(%row : memref<4xf32, strided<[2], offset: 40>>)
      return
    }"""
    got, expected = both(text, f32(6, 8), out=np.zeros((6, 8), np.float32))
    np.testing.assert_array_equal(got, expected)


def test_a_load_outside_of_memory_is_an_error() -> None:
    text = """
    func.func @main(%a: memref<4xf32>, %o: memref<1xf32>) attributes {accelc.num_outputs = 1 : i64} {
      %c0 = arith.constant 0 : index
      %c4 = arith.constant 4 : index
      %x = memref.load %a[%c4] : memref<4xf32>
      memref.store %x, %o[%c0] : memref<1xf32>
      return
    }"""
    with make_context(), pytest.raises(InvalidIRError, match=r"'memref.load'.*outside of \[0, 4\)"):
        interpreter.run(ir.Module.parse(text), {"input0": f32(4)})


def test_memory_that_nobody_wrote_is_nan() -> None:
    text = """
    func.func @main(%o: memref<2xf32>) attributes {accelc.num_outputs = 1 : i64} {
      %a = memref.alloc() : memref<2xf32>
      memref.copy %a, %o : memref<2xf32> to memref<2xf32>
      return
    }"""
    with make_context():
        assert np.isnan(interpreter.run(ir.Module.parse(text), {})["output0"]).all()


def test_an_op_without_an_evaluator_is_named() -> None:
    text = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> { gpu.barrier\n return %x : tensor<2xf32> }"
    with make_context(), pytest.raises(UnsupportedError, match=r"gpu\.barrier"):
        interpreter.run(ir.Module.parse(text), {"input0": f32(2)})


def test_inputs_that_do_not_fit() -> None:
    text = 'func.func @main(%x: tensor<?x2xf32> {nn.name = "x"}) -> tensor<?x2xf32> { return %x : tensor<?x2xf32> }'
    with make_context():
        module = ir.Module.parse(text)
        assert interpreter.run(module, {"x": f32(3, 2)})["output0"].shape == (3, 2)
        for given, message in (
            ({}, "'x' is missing"),
            ({"x": f32(3, 2), "y": f32(1)}, "no input 'y'"),
            ({"x": f32(3, 3)}, "has shape"),
            ({"x": np.zeros((3, 2))}, "has elements of float64"),
        ):
            with pytest.raises(UsageError, match=message):
                interpreter.run(module, given)


def test_plan_arena_shows_wrong_memory_plans() -> None:
    """Two live buffers at one offset: the second launch overwrites what the third reads."""
    kernel = """module @k0 { func.func @entry(%x: tensor<4xf32>, %o: tensor<4xf32>) -> tensor<4xf32> attributes {accelc.num_outputs = 1 : i64} {
      %r = linalg.exp ins(%x : tensor<4xf32>) outs(%o : tensor<4xf32>) -> tensor<4xf32>
      return %r : tensor<4xf32> } }"""
    x = f32(4)
    for second, right in ((64, True), (0, False)):
        text = f"""module {{ {kernel}
        func.func @main(%x: memref<4xf32>, %o: memref<4xf32>) attributes {{plan.num_outputs = 1 : i64, plan.arena_bytes = 128 : i64}} {{
          %a = "plan.alloc"() {{offset = 0 : i64}} : () -> memref<4xf32>
          %b = "plan.alloc"() {{offset = {second} : i64}} : () -> memref<4xf32>
          {launch("%x", "%a")}
          {launch("%a", "%b")}
          {launch("%a", "%o")}
          return }} }}"""
        with make_context():
            got = interpreter.run(ir.Module.parse(text), {"input0": x}, Store())["output0"]
        assert np.allclose(got, np.exp(np.exp(x))) == right


def launch(source: str, target: str) -> str:
    """A ``plan.launch`` of @k0 with one input and one output."""
    sizes = f"array<i32: 2, {', '.join(['0'] * (GROUPS - 1))}>"
    attributes = f"kernel = @k0::@entry, num_outputs = 1 : i64, operandSegmentSizes = {sizes}"
    return f'"plan.launch"({source}, {target}) {{{attributes}}} : (memref<4xf32>, memref<4xf32>) -> ()'
