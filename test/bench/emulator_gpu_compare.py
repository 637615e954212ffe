"""The emulator against a GPU: the same PTX on both, compared.

    python test/bench/emulator_gpu_compare.py [--elements 65536] [--programs] [--with-itself] [PATTERN]

Prints a table for docs/emulator.md. Integer, bit, comparison, IEEE and conversion instructions must give the same bits
(NaN for NaN: GPUs differ in the NaNs that f64 keeps), approximations twice their bound of the manual (each side may use
it once), matrix products 2^-18 of the sum of the products' magnitudes. With --programs the corpus of CUDA programs runs
on the GPU too, and their own checks decide. Exit status: 0 if all agree, 1 if not, 3 without a GPU.

--with-itself compares the emulator's plain x86-64 build with its best one: a test of this script. It has not been run
on a GPU yet.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "targets/gpu/emulator"))

import cuda_driver
from ptx_kernels import BLOCK, Kernel, dtype, module, size

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.gpu.emulator import Emulator

Array = np.ndarray[Any, Any]
SPECIAL = {
    "f32": [0, 1, 0x007FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000],
    "f64": [0, 1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x3FF0000000000000, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000,
            0x7FF8000000000000],
    "f16": [0, 1, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0x7C00, 0x7E00],
    "bf16": [0, 1, 0x007F, 0x0080, 0x3F80, 0x7F7F, 0x7F80, 0x7FC0],
}  # fmt: skip


@dataclass(frozen=True)
class Test:
    """One instruction: its kernel, and by how much its results may differ.

    bound: None for the same bits; ("ulp", n), ("absolute", e) or ("relative", e), of f32 results; ("matrix", e): e
    times the sum of the products' magnitudes, which `magnitude`, the masks of the operands' sign bits, makes.
    low, high: f32 inputs lie between them.
    """

    group: str
    kernel: Kernel
    bound: tuple[str, float] | None = None
    low: float | None = None
    high: float | None = None
    normal: str = ""  # operands are numbers near 1 of this type
    magnitude: Mapping[str, int] | None = None


def simple(group: str, names: str, kinds: str, operands: int, **options: Any) -> Iterator[Test]:
    """Tests of ``name.kind %d, %a, ...`` for every name and kind."""
    letters = "abc"[:operands]
    for name in names.split():
        for kind in kinds.split():
            text = f"{name}.{kind} %d, " + ", ".join(f"%{x}" for x in letters) + ";"
            yield Test(group, Kernel(text, dict.fromkeys(letters, kind), {"d": kind}), **options)


def tests() -> Iterator[Test]:
    """All single instructions that are compared."""
    yield from simple("integer", "add sub mul.lo mul.hi min max", "u16 s16 u32 s32 u64 s64", 2)
    yield from simple("integer", "div rem", "u16 s16 u32 s32 u64 s64", 2)
    yield from simple("integer", "mad.lo mad.hi sad", "u32 s32", 3)
    yield from simple("integer", "mul24.lo mul24.hi", "u32 s32", 2)
    yield from simple("integer", "add.sat sub.sat", "s32", 2)
    yield from simple("integer", "mad.hi.sat", "s32", 3)
    yield from simple("integer", "abs neg", "s16 s32 s64", 1)
    for kinds in ("u32 u32", "s32 s32", "u32 s32", "s32 u32"):
        a, b = kinds.split()
        result = "u32" if a == b == "u32" else "s32"
        inputs = {"a": "b32", "b": "b32", "c": result}
        yield Test("integer", Kernel(f"dp4a.{a}.{b} %d, %a, %b, %c;", inputs, {"d": result}))
    yield from simple("bits", "and or xor", "b16 b32 b64", 2)
    yield from simple("bits", "not cnot brev", "b32 b64", 1)
    for name in ("popc", "clz"):
        for kind in ("b32", "b64"):
            yield Test("bits", Kernel(f"{name}.{kind} %d, %a;", {"a": kind}, {"d": "u32"}))
    for name, kind in (("shl", "b32"), ("shr", "s32"), ("shr", "u32"), ("shl", "b64"), ("shr", "s64")):
        yield Test("bits", Kernel(f"{name}.{kind} %d, %a, %b;", {"a": kind, "b": "u32"}, {"d": kind}))
    three = dict.fromkeys("abc", "b32")
    for name in ("shf.l.clamp", "shf.l.wrap", "shf.r.clamp", "shf.r.wrap", "prmt", "prmt.f4e", "prmt.ecl"):
        mode = name.replace("prmt.", "prmt.b32.") if "." in name and name.startswith("prmt") else f"{name}.b32"
        yield Test("bits", Kernel(f"{mode} %d, %a, %b, %c;", three, {"d": "b32"}))
    for table in (0x1B, 0x96, 0xE8):
        yield Test("bits", Kernel(f"lop3.b32 %d, %a, %b, %c, {table};", three, {"d": "b32"}))
    for kind in ("u32", "s32"):
        yield Test("bits", Kernel(f"bfe.{kind} %d, %a, %b, %c;", {"a": kind, "b": "u32", "c": "u32"}, {"d": kind}))
        yield Test("bits", Kernel(f"bfind.{kind} %d, %a;", {"a": kind}, {"d": "u32"}))
    for comparison in ("eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"):
        for kind in ("f32", "f64"):
            text = f"setp.{comparison}.{kind} %d, %a, %b;"
            yield Test("comparison", Kernel(text, {"a": kind, "b": kind}, {"d": "pred"}))
    yield from simple("f32, IEEE", "add sub mul add.rz mul.rz add.rm mul.rp add.ftz mul.ftz mul.sat min max", "f32", 2)
    yield from simple("f32, IEEE", "fma.rn fma.rz fma.rm fma.rp fma.rn.ftz fma.rn.sat", "f32", 3)
    yield from simple("f32, IEEE", "div.rn div.rz div.rm div.rp", "f32", 2)
    yield from simple("f32, IEEE", "rcp.rn rcp.rz sqrt.rn sqrt.rm sqrt.rp.ftz abs neg", "f32", 1)
    yield from simple("f64, IEEE", "add sub mul add.rz mul.rp div.rn div.rz min max", "f64", 2)
    yield from simple("f64, IEEE", "fma.rn fma.rz fma.rm", "f64", 3)
    yield from simple("f64, IEEE", "rcp.rn sqrt.rn sqrt.rz", "f64", 1)
    yield from simple("halves", "add sub mul min max add.ftz mul.sat", "f16 f16x2", 2)
    yield from simple("halves", "add sub mul min max", "bf16 bf16x2", 2)
    yield from simple("halves", "fma.rn fma.rn.relu", "f16 f16x2 bf16 bf16x2", 3)
    yield from conversions()
    yield from approximations()
    yield from matrices()


def conversions() -> Iterator[Test]:
    """cvt in its common forms."""
    floats, integers = ("f16", "f32", "f64"), ("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64")

    def register(kind: str) -> str:
        return {"u8": "u16", "s8": "s16"}.get(kind, kind)

    def test(text: str, source: str, to: str) -> Test:
        return Test("conversions", Kernel(f"cvt.{text}.{to}.{source} %d, %a;", {"a": register(source)},
                                          {"d": register(to)}))  # fmt: skip

    for source in floats:
        for to in integers:
            for mode in ("rni", "rzi", "rmi", "rpi"):
                yield test(mode, source, to)
                yield test(f"{mode}.ftz", source, to) if source == "f32" else test(f"{mode}.sat", source, to)
    for source in integers:
        for to in floats:
            for mode in ("rn", "rz", "rm", "rp"):
                yield test(mode, source, to)
    for mode in ("rn", "rz", "rm", "rp"):
        yield test(mode, "f64", "f32")
        yield test(mode, "f64", "f16")
    for mode in ("rn", "rz"):
        yield test(mode, "f32", "f16")
        yield test(mode, "f32", "bf16")
        for to in ("f16x2", "bf16x2"):
            text = f"cvt.{mode}.{to}.f32 %d, %a, %b;"
            yield Test("conversions", Kernel(text, {"a": "f32", "b": "f32"}, {"d": "b32"}))
    for to in ("e4m3x2", "e5m2x2"):
        pair = {"a": "f32", "b": "f32"}
        yield Test("conversions", Kernel(f"cvt.rn.satfinite.{to}.f32 %d, %a, %b;", pair, {"d": "b16"}))
        yield Test("conversions", Kernel(f"cvt.rn.satfinite.{to}.f16x2 %d, %a;", {"a": "b32"}, {"d": "b16"}))
        yield Test("conversions", Kernel(f"cvt.rn.f16x2.{to} %d, %a;", {"a": "b16"}, {"d": "b32"}))
    yield Test("conversions", Kernel("cvt.rna.tf32.f32 %d, %a;", {"a": "f32"}, {"d": "b32"}))


def approximations() -> Iterator[Test]:
    """The approximate functions, each within twice its bound."""
    group, tau = "approximations", 2 * np.pi
    for ftz in ("", ".ftz"):
        yield from simple(group, f"sin.approx{ftz} cos.approx{ftz}", "f32", 1, bound=("absolute", 2**-20.5), low=-tau,
                          high=tau)  # fmt: skip
        yield from simple(group, f"ex2.approx{ftz}", "f32", 1, bound=("ulp", 2), low=-125.0, high=127.0)
        yield from simple(group, f"lg2.approx{ftz}", "f32", 1, bound=("absolute", 2**-22), low=0.5, high=2.0)
        yield from simple(group, f"lg2.approx{ftz}", "f32", 1, bound=("relative", 2**-22.6), low=2.0, high=1e38)
        yield from simple(group, f"rcp.approx{ftz}", "f32", 1, bound=("ulp", 1), low=1e-37, high=1e37)
        yield from simple(group, f"rsqrt.approx{ftz}", "f32", 1, bound=("relative", 2**-22.9), low=1e-37, high=1e38)
        yield from simple(group, f"sqrt.approx{ftz}", "f32", 1, bound=("relative", 2**-23), low=1e-37, high=1e38)
        yield from simple(group, f"div.approx{ftz} div.full{ftz}", "f32", 2, bound=("ulp", 2), low=1e-18, high=1e18)
    yield from simple(group, "tanh.approx", "f32", 1, bound=("relative", 2**-11), low=-20.0, high=20.0)


def matrices() -> Iterator[Test]:
    """mma on random fragments: each warp of a block multiplies its own."""
    rows = (
        ("m16n8k16", "f16", "f32", 4, 2, 0x7FFF7FFF),
        ("m16n8k16", "bf16", "f32", 4, 2, 0x7FFF7FFF),
        ("m16n8k8", "tf32", "f32", 4, 2, 0x7FFFFFFF),
        ("m16n8k32", "e4m3", "f32", 4, 2, 0x7F7F7F7F),
        ("m16n8k32", "s8", "s32", 4, 2, 0),
        ("m16n8k32", "u8", "s32", 4, 2, 0),
        ("m16n8k64", "s4", "s32", 4, 2, 0),
    )
    for shape, kind, sum_kind, a, b, mask in rows:
        names = {"a": [f"a{n}" for n in range(a)], "b": [f"b{n}" for n in range(b)], "c": [f"c{n}" for n in range(4)]}
        inputs = dict.fromkeys((*names["a"], *names["b"]), "b32") | dict.fromkeys(names["c"], sum_kind)
        lists = {k: "{" + ", ".join(f"%{n}" for n in v) + "}" for k, v in names.items()}
        result = "{" + ", ".join(f"%d{n}" for n in range(4)) + "}"
        text = (f"mma.sync.aligned.{shape}.row.col.{sum_kind}.{kind}.{kind}.{sum_kind} {result}, {lists['a']}, "
                f"{lists['b']}, {lists['c']};")  # fmt: skip
        kernel = Kernel(text, inputs, {f"d{n}": sum_kind for n in range(4)})
        masks = dict.fromkeys((*names["a"], *names["b"]), mask) | dict.fromkeys(names["c"], 0x7FFFFFFF)
        exact = sum_kind == "s32"
        yield Test("matrices", kernel, None if exact else ("matrix", 2.0**-18), normal=kind,
                   magnitude=None if exact else masks)  # fmt: skip


# ---- inputs ----------------------------------------------------------------------------------------------------------


def draw(test: Test, kind: str, count: int, rng: np.random.Generator) -> Array:
    """Inputs of a register's type: in the test's range, near 1, or random bits among which are the special values."""
    import ml_dtypes

    if test.low is not None and kind == "f32":
        assert test.high is not None
        if test.low > 0:  # all exponents alike
            return np.exp2(rng.uniform(np.log2(test.low), np.log2(test.high), count)).astype(np.float32)
        return rng.uniform(test.low, test.high, count).astype(np.float32)
    narrow = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn, "tf32": np.float32}
    if test.normal in narrow:
        if kind == "f32":
            return rng.standard_normal(count).astype(np.float32)
        each = np.dtype(narrow[test.normal])
        return rng.standard_normal(count * 4 // each.itemsize).astype(each).view(np.uint32)
    raw = rng.integers(0, 256, count * size(kind), np.uint8).view(f"u{size(kind)}")
    special = SPECIAL.get(kind.removesuffix("x2"))
    if special is None or kind.endswith("x2"):
        special = [0, 1, (1 << 8 * size(kind)) - 1, 1 << (8 * size(kind) - 1), (1 << (8 * size(kind) - 1)) - 1]
    sign = 1 << (8 * size(kind) - 1)
    edges = np.array([*special, *(s | sign for s in special)], raw.dtype)
    return np.where(rng.random(count) < 0.3, rng.choice(edges, count), raw)


# ---- runs and comparisons --------------------------------------------------------------------------------------------


def run(make: Callable[[str], Any], kernel: Kernel, arrays: Mapping[str, Array], count: int) -> dict[str, Array]:
    """Outputs of a kernel over arrays on a device."""
    outputs = {name: np.zeros(count * size(kind), np.uint8) for name, kind in kernel.outputs.items()}
    given = [np.ascontiguousarray(arrays[name]).view(np.uint8) for name in kernel.inputs]
    make(module([kernel])).launch(
        "k0", grid=(-(-count // BLOCK), 1, 1), block=(BLOCK, 1, 1), args=[*given, *outputs.values(), count]
    )
    return {name: raw.view(dtype(kernel.outputs[name])) for name, raw in outputs.items()}


def differing(test: Test, kind: str, x: Array, y: Array, scale: Array | None) -> Array:
    """Where two results differ by more than they may."""
    unlike = x.view(f"u{x.dtype.itemsize}") != y.view(f"u{y.dtype.itemsize}")
    if x.dtype.kind != "f" and kind not in ("bf16",):
        return unlike
    p, q = x.astype(np.float64), y.astype(np.float64)
    unlike &= ~(np.isnan(p) & np.isnan(q))
    if test.bound is None:
        return unlike
    how, limit = test.bound
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(p - q)
        if how == "matrix":
            assert scale is not None
            return unlike & ~(error <= limit * scale)
        allowed = {
            "absolute": np.full_like(error, 2 * limit),
            "relative": 2 * limit * np.abs(q),
            "ulp": 2 * limit * np.spacing(np.abs(y)).astype(np.float64),
        }[how]
    return unlike & ~(error <= allowed)


def compare(test: Test, first: Any, second: Any, count: int) -> tuple[int, int, str]:
    """Results compared, how many differ by more than they may, and the first of these."""
    rng = np.random.default_rng(0)
    arrays = {name: draw(test, kind, count, rng) for name, kind in test.kernel.inputs.items()}
    x, y = (run(make, test.kernel, arrays, count) for make in (first, second))
    scales: dict[str, Array] = {}
    if test.magnitude is not None:
        large = {n: a.view(np.uint32) & np.uint32(test.magnitude[n]) for n, a in arrays.items()}
        scales = {n: a.astype(np.float64) for n, a in run(first, test.kernel, large, count).items()}
    bad, example = 0, ""
    for name, kind in test.kernel.outputs.items():
        unlike = differing(test, kind, x[name], y[name], scales.get(name))
        bad += int(unlike.sum())
        if unlike.any() and not example:
            at = int(unlike.argmax())
            inputs = ", ".join(f"{n} = {a[at]!r}" for n, a in arrays.items())
            example = f"{test.kernel.text} with {inputs}: {x[name][at]!r} here, {y[name][at]!r} there"
    return count * len(test.kernel.outputs), bad, example


def programs(make: Callable[[str], Any]) -> Iterator[tuple[str, str]]:
    """The corpus of CUDA programs on a device: a name, and "" or what its own checks say."""
    from corpus import cases, nvcc
    from corpus.harness import CASES, Bench

    class Other(Bench):
        def __init__(self, ptx: str) -> None:
            self.ptx, self.emulator, self.sanitize, self.threads, self.known = ptx, make(ptx), False, 1, ()

    for case in CASES:
        if case.run.__module__ not in {f"{cases.__name__}.{name}" for name in cases.__all__}:
            continue
        kept = nvcc.committed(case.source)
        if not case.sanitize or case.arch != "sm_90a" or case.flags or not kept.exists():
            continue  # those that are meant to trap, and those whose PTX is not at hand
        try:
            case.run(Other(kept.read_text()))
        except (AssertionError, cuda_driver.GpuError) as error:
            yield str(case), str(error).strip().splitlines()[0]
        else:
            yield str(case), ""


def main(argv: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only instructions that match this expression")
    parser.add_argument("--elements", type=int, default=65536, help="results of each instruction, a multiple of 32")
    parser.add_argument("--programs", action="store_true", help="also run the corpus of CUDA programs on the GPU")
    parser.add_argument("--with-itself", action="store_true", help="compare two builds of the emulator instead")
    options = parser.parse_args(argv)
    second: Callable[[str], Any] = cuda_driver.Gpu
    name = "the emulator itself"
    if options.with_itself:
        from accelc.targets.gpu.emulator.native import levels

        second = lambda ptx: Emulator(ptx, level=levels()[-1])
    else:
        try:
            name = cuda_driver.device_name()
        except UnsupportedError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    groups: dict[str, list[int]] = {}
    failures = []
    for test in tests():
        if not re.search(options.pattern, test.kernel.text) or not legal(test):
            continue
        compared, bad, example = compare(test, Emulator, second, options.elements // 32 * 32)
        row = groups.setdefault(test.group, [0, 0, 0])
        for k, more in enumerate((1, compared, bad)):
            row[k] += more
        failures += [example] if example else []
    print(f"The emulator against {name}:\n\n| group | instructions | results | differ |\n|---|---|---|---|")
    for group, (instructions, compared, bad) in groups.items():
        print(f"| {group} | {instructions} | {compared:,} | {bad:,} |")
    if options.programs:
        outcomes = list(programs(second))
        wrong = [f"{case}: {why}" for case, why in outcomes if why]
        print(f"| programs | {len(outcomes)} | their own checks | {len(wrong)} |")
        failures += wrong
    for failure in failures:
        print(f"\ndiffers: {failure}")
    return 1 if failures else 0


def legal(test: Test) -> bool:
    """Whether the instruction exists: names and types above are combined freely."""
    from accelc.targets.gpu.emulator import PtxError, UnsupportedPtxError

    try:
        Emulator(module([test.kernel]))
    except (PtxError, UnsupportedPtxError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
