"""wmma: loads, products and stores of every shape, type, layout and space against numpy, and programs that nvcc makes
of nvcuda::wmma."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matrix_kernels import BITS, Array, dimensions, expected_codes, f32_codes, random_codes, rows, uncovered, values
from ptx_kernels import HEADER
from toolkit import assemble_text, needs_ptxas

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.errors import FindingsError, PtxError

SPACES = ("", ".global", ".shared", ".shared::cta")


def registers(part: str, shape: str, kind: str) -> int:
    """How many a fragment has, by the manual's table."""
    m, n, k = dimensions(shape)
    if part in "cd":
        return m * n // (64 if kind == "f16" else 32)
    if kind == "f16":
        return 8
    elements = m * k if part == "a" else k * n
    return max(elements * BITS[kind] // (32 * (64 if kind == "f64" else 32)), 1)


class Case:
    """One wmma.mma with its loads and store, all in one space with one stride more than needed or none."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        words = name.split(".")[1:]
        self.shape = next(w for w in words if w.startswith("m") and w[1].isdigit())
        self.m, self.n, self.k = dimensions(self.shape)
        types = [w for w in words if w in BITS]
        self.d, self.a, self.b, self.c = types if len(types) == 4 else (types[0], "f16", "f16", types[1])
        layouts = [w for w in words if w in ("row", "col")]
        # Layouts of c and d, the space and whether there are strides go by turns.
        self.layout = {"a": layouts[0], "b": layouts[1], "c": ("row", "col")[number % 2]}
        self.layout["d"] = ("row", "col")[number // 2 % 2]
        self.space = SPACES[number % 4]
        self.strided = number % 3 != 0
        self.saturate = "satfinite" in words
        self.xor = "xor" in words
        self.rounding = next((w for w in words if w in ("rn", "rz", "rm", "rp")), "rn")
        self.extents = {"a": (self.m, self.k), "b": (self.k, self.n), "c": (self.m, self.n), "d": (self.m, self.n)}

    @property
    def legal(self) -> bool:
        """Types of a and b do not mix."""
        return self.a == self.b

    def kind(self, part: str) -> str:
        """The element type of a matrix."""
        return {"a": self.a, "b": self.b, "c": self.c, "d": self.d}[part]

    def lines(self, part: str) -> tuple[int, int, int]:
        """Lines in memory, elements of each, elements from one to the next."""
        r, c = self.extents[part]
        count, length = (r, c) if self.layout[part] == "row" else (c, r)
        return count, length, length + (256 // BITS[self.kind(part)] if self.strided else 0)

    def bytes(self, part: str) -> int:
        """Of the matrix in memory."""
        count, _, stride = self.lines(part)
        return count * stride * BITS[self.kind(part)] // 8

    def to_memory(self, part: str, codes: Array) -> Array:
        """A matrix of codes as bytes, what lies between its lines all ones."""
        count, length, stride = self.lines(part)
        lines = codes if self.layout[part] == "row" else codes.T
        padded = np.full((count, stride), (1 << BITS[self.kind(part)]) - 1, np.uint64)
        padded[:, :length] = lines
        bits = padded.reshape(-1)[:, None] >> np.arange(BITS[self.kind(part)], dtype=np.uint64) & np.uint64(1)
        return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little")

    def from_memory(self, part: str, memory: Array) -> Array:
        """The codes again."""
        count, length, stride = self.lines(part)
        unsigned = {16: np.uint16, 32: np.uint32, 64: np.uint64}[BITS[self.kind(part)]]
        lines = memory.view(unsigned).reshape(count, stride)[:, :length].astype(np.uint64)
        return lines if self.layout[part] == "row" else lines.T

    def instructions(self) -> dict[str, str]:
        """Names of the four others."""
        result = {}
        for part in "abcd":
            verb = "store" if part == "d" else "load"
            place = f"{self.layout[part]}.{self.shape}{self.space}"
            result[part] = f"wmma.{verb}.{part}.sync.aligned.{place}.{self.kind(part)}"
        return result

    def ptx(self, entry: str) -> str:
        """Copies a, b and c to shared memory where that is the space; loads, multiplies, stores."""
        lines = [".reg .b32 %lane, %v, %i, %s;", ".reg .pred %more;", ".reg .b64 %g, %at, %to;"]
        lines.append("mov.u32 %lane, %tid.x;")
        vectors = {}
        for part in "dabc":
            width = 64 if self.kind(part) == "f64" else 32
            n = registers(part, self.shape, self.kind(part))
            lines.append(f".reg .b{width} %{part}<{n}>;")
            vectors[part] = "{" + ", ".join(f"%{part}{i}" for i in range(n)) + "}"
        shared = "shared" in self.space
        offsets = {}
        if shared:
            total = 0
            for part in "abcd":
                offsets[part] = total
                total += -(-self.bytes(part) // 128) * 128
            lines.append(f".shared .align 128 .b8 memory[{total}];")
            for part in "abcd":
                lines += self._copy(part, offsets[part], True)
            lines.append("bar.warp.sync 0xffffffff;")
        instructions = self.instructions()
        for part in "abcd":
            _, _, stride = self.lines(part)
            if part == "d":
                lines.append(f"{self.name} {vectors['d']}, {vectors['a']}, {vectors['b']}, {vectors['c']};")
            if shared:
                lines += [f"mov.u64 %at, memory+{offsets[part]};"]
            else:
                lines += [f"ld.param.u64 %at, [{part}];"]
            tail = ""
            if self.strided:
                lines.append(f"mov.u32 %s, {stride};")
                tail = ", %s" if part in "ac" else f", {stride}"
            both = ("[%at]", vectors[part]) if part == "d" else (vectors[part], "[%at]")
            lines.append(f"{instructions[part]} {both[0]}, {both[1]}{tail};")
        if shared:
            lines.append("bar.warp.sync 0xffffffff;")
            lines += self._copy("d", offsets["d"], False)
        parameters = ", ".join(f".param .u64 {part}" for part in "abcd")
        return f".visible .entry {entry}({parameters})\n{{\n" + "\n".join(lines) + "\nret;\n}\n"

    def _copy(self, part: str, offset: int, into: bool) -> list[str]:
        label = f"L{part}{int(into)}"
        there, here = ("global", "%at"), ("shared", "%to")
        source, target = (there, here) if into else (here, there)
        return [
            "shl.b32 %i, %lane, 2;",
            f"{label}:",
            f"setp.ge.u32 %more, %i, {self.bytes(part)};",
            f"@%more bra {label}E;",
            f"ld.param.u64 %at, [{part}];",
            f"mov.u64 %to, memory+{offset};",
            "cvt.u64.u32 %g, %i;",
            "add.u64 %at, %at, %g;",
            "add.u64 %to, %to, %g;",
            f"ld.{source[0]}.b32 %v, [{source[1]}];",
            f"st.{target[0]}.b32 [{target[1]}], %v;",
            "add.u32 %i, %i, 128;",
            f"bra {label};",
            f"{label}E:",
        ]

    def reference(self, a: Array, b: Array, c: Array) -> Array:
        """The result's codes."""
        if self.a == "b1":
            pairs = a[:, :, None] ^ b[None] if self.xor else a[:, :, None] & b[None]
            return (c + pairs.sum(1)) & np.uint64(0xFFFFFFFF)
        if self.a == "f64":
            total = values(c, "f64")
            for k in range(self.k):  # numbers are small integers: any rounding is exact
                total = total + values(a, "f64")[:, k, None] * values(b, "f64")[None, k]
            return total.view(np.uint64)
        # With accumulators of two types what is rounded is the end.
        kinds = (self.a, self.b, self.c, self.d)
        return expected_codes(a[None], b[None], c[None], kinds, self.saturate)[0]


def cases() -> list[Case]:
    """Every wmma.mma of the tables."""
    choices = [choice for row in rows("wmma") for choice in itertools.product(*row) if choice[0] == "mma"]
    found = [".".join(["wmma", *(w for w in choice if w)]) for choice in choices]
    return [Case(name, i) for i, name in enumerate(dict.fromkeys(found))]


def matrices(case: Case, rng: np.random.Generator, edges: bool) -> dict[str, Array]:
    """Codes of a, b and c."""
    result = {}
    for part in "abc":
        kind = case.kind(part)
        if kind == "f64":
            result[part] = rng.integers(-999, 999, case.extents[part]).astype(np.float64).view(np.uint64)
        else:
            result[part] = random_codes(kind, case.extents[part], rng, edges)
    return result


def test_all() -> None:
    """Loads, product and store of every wmma.mma, to the bit."""
    rng = np.random.default_rng(1)
    chosen = [case for case in cases() if case.legal]
    emulator = Emulator(HEADER + "".join(case.ptx(f"k{i}") for i, case in enumerate(chosen)))
    used = []
    for i, case in enumerate(chosen):
        used += [case.name, *case.instructions().values()]
        for edges in (False, True):
            given = matrices(case, rng, edges)
            memory = {part: case.to_memory(part, codes) for part, codes in given.items()}
            memory["d"] = case.to_memory("d", np.zeros(case.extents["d"], np.uint64))
            untouched = memory["d"].copy()
            report = emulator.launch(f"k{i}", grid=1, block=32, args=[memory[part] for part in "abcd"])
            assert report.counters.total.flops == 2 * case.m * case.n * case.k
            got, want = case.from_memory("d", memory["d"]), case.reference(given["a"], given["b"], given["c"])
            assert (got == want).all(), (case.name, case.layout, case.space, case.strided, np.argwhere(got != want)[:3])
            assert (case.to_memory("d", np.zeros_like(got)) == untouched).all()
    missing = uncovered("wmma", used)
    assert not missing


def test_memory_between_lines_is_not_touched() -> None:
    """A store with a stride leaves what lies between."""
    case = next(c for c in cases() if c.strided and c.d == "f32")
    given = matrices(case, np.random.default_rng(2), False)
    memory = {part: case.to_memory(part, codes) for part, codes in given.items()}
    d = case.to_memory("d", np.zeros(case.extents["d"], np.uint64))
    Emulator(HEADER + case.ptx("k")).launch("k", grid=1, block=32, args=[memory["a"], memory["b"], memory["c"], d])
    count, length, stride = case.lines("d")
    assert (d.view(np.uint32).reshape(count, stride)[:, length:] == 0xFFFFFFFF).all()


def test_types_of_a_and_b_must_agree() -> None:
    """As ptxas wants."""
    for case in cases():
        if not case.legal:
            with pytest.raises(PtxError, match="the same"):
                Emulator(HEADER + case.ptx("k"))


def test_findings() -> None:
    """A matrix that begins at an odd address, and one that ends outside of its array."""
    case = next(c for c in cases() if c.a == "f16" and c.space == ".global" and not c.strided)
    given = matrices(case, np.random.default_rng(3), False)
    memory = {part: case.to_memory(part, codes) for part, codes in given.items()}
    memory["d"] = case.to_memory("d", np.zeros(case.extents["d"], np.uint64))
    emulator = Emulator(HEADER + case.ptx("k"))
    emulator.launch("k", grid=1, block=32, args=[memory[part] for part in "abcd"], sanitize=True)
    short = {**memory, "b": memory["b"][:-32].copy()}
    with pytest.raises(FindingsError) as caught:
        emulator.launch("k", grid=1, block=32, args=[short[part] for part in "abcd"])
    assert caught.value.report.findings[0].kind == "out_of_bounds"
    buffer = emulator.buffer(memory["a"].nbytes + 16)
    buffer.write(np.zeros(memory["a"].nbytes + 16, np.uint8))
    region = buffer.region(8, memory["a"].nbytes)
    with pytest.raises(FindingsError) as caught:
        emulator.launch("k", grid=1, block=32, args=[region, *(memory[part] for part in "bcd")], sanitize=True)
    assert caught.value.report.findings[0].kind == "misaligned"


@needs_ptxas
def test_ptxas_takes_all(tmp_path: Path) -> None:
    """What the tables allow and the decoder takes is PTX."""
    assemble_text(HEADER + "".join(case.ptx(f"k{i}") for i, case in enumerate(c for c in cases() if c.legal)), tmp_path)


# ---- what nvcc makes of nvcuda::wmma ---------------------------------------------------------------------------------

PROGRAM = """
#include <mma.h>
#include <cuda_fp16.h>
using namespace nvcuda::wmma;

// D = 2 A B + C by 16 x 16 tiles, each of one warp; elements of the fragments are scaled in place.
extern "C" __global__ void gemm_f16(const __half* a, const __half* b, float* c, int n, int k) {
    const int row = blockIdx.y * 16, column = blockIdx.x * 16;
    fragment<matrix_a, 16, 16, 16, __half, row_major> fa;
    fragment<matrix_b, 16, 16, 16, __half, row_major> fb;
    fragment<accumulator, 16, 16, 16, float> sum, old;
    fill_fragment(sum, 0.0f);
    for (int i = 0; i < k; i += 16) {
        load_matrix_sync(fa, a + row * k + i, k);
        load_matrix_sync(fb, b + i * n + column, n);
        for (int e = 0; e < fa.num_elements; ++e) fa.x[e] = __hmul(fa.x[e], __float2half(2.0f));
        mma_sync(sum, fa, fb, sum);
    }
    load_matrix_sync(old, c + row * n + column, n, mem_row_major);
    for (int e = 0; e < sum.num_elements; ++e) sum.x[e] += old.x[e];
    store_matrix_sync(c + row * n + column, sum, n, mem_row_major);
}

extern "C" __global__ void gemm_s8(const signed char* a, const signed char* b, int* c, int n, int k) {
    __shared__ signed char tile[32 * 16];
    const int row = blockIdx.y * 32, column = blockIdx.x * 8;
    fragment<matrix_a, 32, 8, 16, signed char, col_major> fa;
    fragment<matrix_b, 32, 8, 16, signed char, col_major> fb;
    fragment<accumulator, 32, 8, 16, int> sum;
    fill_fragment(sum, 0);
    for (int i = 0; i < k; i += 16) {
        for (int e = threadIdx.x; e < 512; e += 32) tile[e % 16 * 32 + e / 16] = a[(row + e / 16) * k + i + e % 16];
        __syncwarp();
        load_matrix_sync(fa, tile, 32);
        load_matrix_sync(fb, b + column * k + i, k);
        mma_sync(sum, fa, fb, sum);
        __syncwarp();
    }
    store_matrix_sync(c + row * n + column, sum, n, mem_row_major);
}

extern "C" __global__ void gemm_tf32(const float* a, const float* b, float* c, int n, int k) {
    const int row = blockIdx.y * 16, column = blockIdx.x * 16;
    fragment<matrix_a, 16, 16, 8, precision::tf32, row_major> fa;
    fragment<matrix_b, 16, 16, 8, precision::tf32, col_major> fb;
    fragment<accumulator, 16, 16, 8, float> sum;
    fill_fragment(sum, 0.0f);
    for (int i = 0; i < k; i += 8) {
        load_matrix_sync(fa, a + row * k + i, k);
        load_matrix_sync(fb, b + column * k + i, k);
        for (int e = 0; e < fa.num_elements; ++e) fa.x[e] = __float_to_tf32(fa.x[e]);
        for (int e = 0; e < fb.num_elements; ++e) fb.x[e] = __float_to_tf32(fb.x[e]);
        mma_sync(sum, fa, fb, sum);
    }
    store_matrix_sync(c + row * n + column, sum, n, mem_col_major);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    """The program above, as nvcc compiles it."""
    if shutil.which("nvcc") is None:
        pytest.skip("needs nvcc")
    folder = tmp_path_factory.mktemp("wmma")
    (folder / "gemm.cu").write_text(PROGRAM)
    command = ["nvcc", "-arch=sm_80", "-ptx", str(folder / "gemm.cu"), "-o", str(folder / "gemm.ptx")]
    subprocess.run(command, check=True, capture_output=True)
    return Emulator((folder / "gemm.ptx").read_text())


def test_nvcc_f16(program: Emulator) -> None:
    """Small integers: every order of accumulation gives the same."""
    rng = np.random.default_rng(5)
    a, b = rng.integers(-8, 9, (32, 48)).astype(np.float16), rng.integers(-8, 9, (48, 32)).astype(np.float16)
    c = rng.integers(-99, 99, (32, 32)).astype(np.float32)
    want = 2 * a.astype(np.float64) @ b.astype(np.float64) + c
    program.launch("gemm_f16", grid=(2, 2), block=32, args=[a, b, c, 32, 48], sanitize=True)
    assert (c == want).all()


def test_nvcc_s8(program: Emulator) -> None:
    """m32n8k16, A by columns from shared memory."""
    rng = np.random.default_rng(6)
    a, b = (rng.integers(-128, 128, shape, np.int8) for shape in ((64, 32), (16, 32)))
    c = np.zeros((64, 16), np.int32)
    program.launch("gemm_s8", grid=(2, 2), block=32, args=[a, b, c, 16, 32], sanitize=True)
    assert (c == a.astype(np.int32) @ b.T.astype(np.int32)).all()


def test_nvcc_tf32(program: Emulator) -> None:
    """Elements rounded to tf32 in the fragments; the store by columns."""
    rng = np.random.default_rng(7)
    a, b = (rng.standard_normal((16, 24)).astype(np.float32) for _ in range(2))
    c = np.zeros((16, 16), np.float32)
    program.launch("gemm_tf32", grid=(1, 1), block=32, args=[a, b, c, 16, 24], sanitize=True)
    bound = 2.0**-10 * abs(a.astype(np.float64)) @ abs(b.T.astype(np.float64))
    assert (abs(c.T - a.astype(np.float64) @ b.T.astype(np.float64)) <= bound).all()
    assert f32_codes(c).any()
