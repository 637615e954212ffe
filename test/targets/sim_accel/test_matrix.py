"""The matrix unit: formats, order of accumulation, implicit convolution; and the double-buffered GEMM."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from gemm_program import gemm
from sim_helpers import MACHINE, NUMPY, SMALL, bytes_of, dtype_name, run_on_scratchpad, same_bits

from accelc.targets.sim_accel import _sim
from accelc.targets.sim_accel.isa import Tile
from accelc.targets.sim_accel.program import Program
from accelc.targets.sim_accel.simulator import SimulationError, Simulator

RNG = np.random.default_rng(3)


def values(t: str, *shape: int) -> np.ndarray:
    if t in ("i8", "u8"):
        info = np.iinfo(NUMPY[t])
        return RNG.integers(info.min, info.max, shape, NUMPY[t], endpoint=True)
    return (RNG.standard_normal(shape) * 10.0 ** RNG.integers(-2, 2, shape)).astype(NUMPY[t])


def nearest_f32(exact: Fraction) -> np.float32:
    """An exact number rounded to f32, half to even."""
    guess = np.float32(float(exact))
    candidates = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - exact), int(c.view(np.uint32)) & 1))


def sequential(a: np.ndarray, w: np.ndarray, start: np.ndarray) -> np.ndarray:
    """One fused multiply-add after the other along k."""
    out = start.copy()
    for i, j in np.ndindex(out.shape):
        total = start[i, j]
        for k in range(a.shape[1]):
            total = nearest_f32(Fraction(float(a[i, k])) * Fraction(float(w[k, j])) + Fraction(float(total)))
        out[i, j] = total
    return out


def multiply(
    a: np.ndarray, w: np.ndarray, start: np.ndarray | None, *, trans: bool = False, variant: str = ""
) -> np.ndarray:
    (m, k), n = a.shape, w.shape[0] if trans else w.shape[1]
    acc = "i32" if a.dtype in (np.int8, np.uint8) else "f32"

    def body(p: Program, at: list[int], to: int) -> None:
        p.mm_load(Tile(dtype_name(w), at[1], (w.shape[1],)), k, n, trans=trans)
        p.mm_mul(Tile(acc, to, (n,)), Tile(dtype_name(a), at[0], (k,)), 1, (m,), acc=start is not None)

    out = np.zeros((m, n), NUMPY[acc]) if start is None else start
    return run_on_scratchpad(body, [a, w], out, variant=variant)[0]


@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize(
    ("left", "right"), [(t, t) for t in ("f32", "bf16", "f16", "e4m3", "e5m2")] + [("e4m3", "e5m2")]
)
def test_float_formats_are_exact_and_sequential(left: str, right: str, trans: bool) -> None:
    a, w, start = values(left, 3, 11), values(right, 11, 5), values("f32", 3, 5)
    given = np.ascontiguousarray(w.T) if trans else w
    assert same_bits(multiply(a, given, None, trans=trans), sequential(a, w, np.zeros((3, 5), "f")))
    assert same_bits(multiply(a, given, start, trans=trans), sequential(a, w, start))


@pytest.mark.parametrize(("left", "right"), [("i8", "i8"), ("u8", "i8"), ("u8", "u8")])
def test_integer_formats(left: str, right: str) -> None:
    a, w = values(left, 20, 16), values(right, 16, 16)
    start = RNG.integers(-(2**31), 2**31, (20, 16)).astype(np.int32)
    with np.errstate(over="ignore"):
        assert (multiply(a, w, start) == a.astype(np.int32) @ w.astype(np.int32) + start).all()


def test_infinities_and_nans() -> None:
    a = np.array([[np.inf, 1], [np.nan, 0], [3e38, 3e38], [1, 1]], "f")
    w = np.array([[1, 0], [1, 2]], "f")
    expect = np.array([[np.inf, np.nan], [np.nan, np.nan], [np.inf, np.inf], [2, 2]], "f")
    np.testing.assert_array_equal(multiply(a, w, None), expect)


def test_implicit_convolution() -> None:
    """A 3x3 convolution with stride 2 over NHWC: rows are (oh, ow), one accumulation for each tap."""
    h, w, c, f, kh, kw, stride = 9, 11, 4, 6, 3, 3, 2
    oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1
    x, weights = (
        RNG.integers(-4, 4, (h, w, c)).astype(NUMPY["bf16"]),
        RNG.integers(-4, 4, (kh, kw, c, f)).astype(NUMPY["bf16"]),
    )

    def body(p: Program, at: list[int], to: int) -> None:
        for i, j in np.ndindex(kh, kw):
            p.mm_load(Tile("bf16", at[1] + (i * kw + j) * c * f * 2, (f,)), c, f)
            source = Tile("bf16", at[0] + (i * w + j) * c * 2, (stride * w * c, stride * c))
            p.mm_mul(Tile("f32", to, (ow * f, f)), source, 1, (oh, ow), acc=(i, j) != (0, 0))

    got, _ = run_on_scratchpad(body, [x, weights], np.zeros((oh, ow, f), "f"))
    windows = np.lib.stride_tricks.sliding_window_view(x.astype("f"), (kh, kw), axis=(0, 1))[::stride, ::stride]
    assert (got == np.einsum("hwcij,ijcf->hwf", windows, weights.astype("f"))).all()


def test_strided_k() -> None:
    a, w = values("bf16", 8, 6), values("bf16", 8, 4)  # activations are stored K-major

    def body(p: Program, at: list[int], to: int) -> None:
        p.mm_load(Tile("bf16", at[1], (4,)), 8, 4)
        p.mm_mul(Tile("f32", to, (4,)), Tile("bf16", at[0], (1,)), 6, (6,))

    assert same_bits(
        run_on_scratchpad(body, [a, w], np.zeros((6, 4), "f"))[0], multiply(np.ascontiguousarray(a.T), w, None)
    )


def test_variants_agree() -> None:
    a, w, start = values("bf16", 100, 16), values("bf16", 16, 13), values("f32", 100, 13)
    results = [multiply(a, w, start, variant=v) for v in _sim.variants()]
    assert all(same_bits(r, results[0]) for r in results)


@pytest.mark.parametrize(
    ("m", "n", "k", "side", "tile_m", "t"),
    [(8, 8, 8, 4, 4, "bf16"), (12, 4, 16, 4, 6, "f32"), (32, 32, 64, 16, 16, "i8")],
)
def test_double_buffered_gemm(m: int, n: int, k: int, side: int, tile_m: int, t: str) -> None:
    a, b = values(t, m, k), values(t, k, n)
    out = np.zeros((m, n), np.int32 if t == "i8" else np.float32)
    program = gemm(m, n, k, side, t, tile_m).encode()
    config = SMALL if side == 4 else MACHINE
    report = Simulator(config).run(
        program,
        [(0, bytes_of(a), False), (1 << 20, bytes_of(b), False), (2 << 20, out, True)],
        {1: 1 << 20, 2: 2 << 20},
    )
    assert not report.hazards
    if t == "i8":
        assert (out == a.astype(np.int32) @ b.astype(np.int32)).all()
    else:
        assert same_bits(out, sequential(a, b, np.zeros((m, n), "f")))
    assert report.macs == {t: m * n * k}


def test_faults_name_the_instruction() -> None:
    def fault(text_body: object, message: str) -> None:
        p = Program(arguments=0)
        text_body(p)  # type: ignore[operator]
        p.halt()
        with pytest.raises(SimulationError, match=message) as caught:
            Simulator(SMALL).run(p.encode())
        assert caught.value.reason == "fault"
        assert caught.value.instruction.startswith("mm.")

    fault(lambda p: p.mm_load(Tile("bf16", 0, (4,)), 5, 4), "k is 5, not in 0..4")
    fault(lambda p: p.mm_load(Tile("bf16", 1, (4,)), 4, 4), "not aligned")
    fault(lambda p: p.mm_load(Tile("bf16", SMALL.sp_bytes - 8, (4,)), 4, 4), "covers scratchpad bytes")
    fault(lambda p: p.mm_mul(Tile("f32", 0, (4,)), Tile("bf16", 0, (4,)), 1, (4,)), "without an mm.load")

    def mixed(p: Program) -> None:
        p.mm_load(Tile("bf16", 0, (4,)), 4, 4)
        p.mm_mul(Tile("f32", 0, (4,)), Tile("f16", 0, (4,)), 1, (4,))

    fault(mixed, "activations of f16 with weights of bf16")
