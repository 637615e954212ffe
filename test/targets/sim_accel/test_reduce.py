"""Reductions in their declared order, against a plain reading of docs/sim_accel_isa.md."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_helpers import NUMPY, dtype_name, run_on_scratchpad, same_bits

from accelc.targets.sim_accel.isa import Tile
from accelc.targets.sim_accel.program import Program

RNG = np.random.default_rng(5)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def tree(values: np.ndarray, combine: np.ufunc) -> np.generic:
    """16 partial results, then halves onto halves."""
    partial = [None] * 16
    for r, v in enumerate(values):
        partial[r % 16] = v if partial[r % 16] is None else combine(partial[r % 16], v)
    for half in (8, 4, 2, 1):
        for j in range(half):
            if partial[j + half] is not None:
                partial[j] = combine(partial[j], partial[j + half])
    return partial[0]


def reduced(x: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
    """Kept dimensions first, then all the reduced ones as the last."""
    kept = [d for d in range(x.ndim) if d not in dims]
    return x.transpose(*kept, *dims).reshape(*[x.shape[d] for d in kept], -1)


def output_strides(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, ...]:
    kept = [d for d in range(len(shape)) if d not in dims]
    return tuple(0 if d in dims else math.prod(shape[e] for e in kept if e > d) for d in range(len(shape)))


def reduce(name: str, ctype: str, x: np.ndarray, dims: tuple[int, ...], start: np.ndarray | None) -> np.ndarray:
    shape = tuple(x.shape[d] for d in range(x.ndim) if d not in dims)

    def body(p: Program, at: list[int], to: int) -> None:
        source = Tile(dtype_name(x), at[0], tuple(s // x.itemsize for s in x.strides))
        target = Tile(ctype, to, output_strides(x.shape, dims))
        getattr(p, name)(ctype, target, source, x.shape, dims=dims, acc=start is not None)

    out = np.zeros(shape, NUMPY[ctype]) if start is None else start
    return run_on_scratchpad(body, [x], out)[0]


UFUNC = {"vrsum": np.add, "vrprod": np.multiply, "vrmax": np.maximum, "vrmin": np.minimum}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_reductions(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 4))
    shape = tuple(data.draw(st.integers(1, 7) if d else st.integers(1, 90)) for d in range(rank))
    dims = tuple(sorted(data.draw(st.sets(st.integers(0, rank - 1), min_size=1))))
    name, ctype = data.draw(st.sampled_from(sorted(UFUNC))), data.draw(st.sampled_from(["f32", "i32", "i64"]))
    x = (RNG.standard_normal(shape) * (1 if name == "vrprod" else 1000)).astype(NUMPY[ctype])
    flat = reduced(x, dims)
    start = (RNG.standard_normal(flat.shape[:-1]) * 100).astype(NUMPY[ctype]) if data.draw(st.booleans()) else None
    expect = np.zeros(flat.shape[:-1], x.dtype)
    for index in np.ndindex(*expect.shape):
        expect[index] = tree(flat[index], UFUNC[name])
        if start is not None:
            expect[index] = UFUNC[name](start[index], expect[index])
    assert same_bits(reduce(name, ctype, x, dims, start), expect)


def test_long_rows_and_columns() -> None:
    x = RNG.standard_normal((3, 5000)).astype("f")
    rows = np.array([tree(row, np.add) for row in x], "f")
    assert same_bits(reduce("vrsum", "f32", x, (1,), None), rows)
    assert same_bits(reduce("vrsum", "f32", np.ascontiguousarray(x.T), (0,), None), rows)
    wide = RNG.standard_normal((40, 300)).astype(NUMPY["bf16"])
    columns = np.array([tree(column.astype("f"), np.add) for column in wide.T], "f")
    assert same_bits(reduce("vrsum", "f32", wide, (0,), None), columns)


def test_nan_wins_in_max() -> None:
    x = np.array([[1, np.nan, 3], [-0.0, 0.0, -0.0]], "f")
    np.testing.assert_array_equal(reduce("vrmax", "f32", x, (1,), None), np.array([np.nan, 0], "f"))
    assert not np.signbit(reduce("vrmax", "f32", x, (1,), None))[1]


@pytest.mark.parametrize("name", ["vargmax", "vargmin"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("index_type", ["i32", "i64"])
def test_arg(name: str, last: bool, index_type: str) -> None:
    x = RNG.integers(-3, 4, (6, 5, 4)).astype("f")
    x[0, 0, 0] = np.nan
    flat = reduced(x, (0, 2))
    best = np.argmax if name == "vargmax" else np.argmin
    expect = best(flat, 1) if not last else flat.shape[1] - 1 - best(flat[:, ::-1], 1)

    def body(p: Program, at: list[int], to: int) -> None:
        strides = output_strides(x.shape, (0, 2))
        values, halves = Tile("f32", at[1], strides), [slice(0, 3), slice(3, 6)]
        for n, half in enumerate(halves):  # in two parts: the second competes with the first
            part = Tile("f32", at[0] + half.start * 80, (20, 4, 1))
            getattr(p, name)(
                "f32",
                values,
                Tile(index_type, to, strides),
                part,
                half.start * 4,
                (3, 5, 4),
                dims=(0, 2),
                acc=n > 0,
                last=last,
            )

    got, _ = run_on_scratchpad(body, [x, np.zeros(5, "f")], np.zeros(5, NUMPY[index_type]))
    assert got.tolist() == expect.tolist()
