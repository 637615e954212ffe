"""Contractions of all layouts and odd sizes against numpy's einsum."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from contraction_kernels import GELU, RELU, contraction_kernel
from host_kernels import compiled, run_kernel
from hypothesis import given, settings
from hypothesis import strategies as st

F32 = np.dtype("f")


def check(spec: str, sizes: dict[str, int], epilogue: str = "", machine: str = "native") -> None:
    rng = np.random.default_rng(0)
    a, b, out = spec.replace("->", ",").split(",")
    x, y = (rng.standard_normal([sizes[i] for i in s]).astype("f") for s in (a, b))
    expected = np.einsum(spec, x.astype(np.float64), y)
    inputs = [x, y]
    if epilogue:
        bias = rng.standard_normal(sizes[out[-1]]).astype("f")
        inputs.append(bias)
        expected = expected + bias
        if epilogue == RELU:
            expected = np.maximum(expected, 0)
        else:
            expected = expected * 0.5 * (1 + np.vectorize(math.erf)(expected / math.sqrt(2)))
    (got,) = run_kernel(contraction_kernel(spec, sizes, epilogue=epilogue), inputs, [(expected.shape, F32)], machine)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        ("mk,kn->mn", {"m": 8, "k": 16, "n": 32}),
        ("mk,kn->mn", {"m": 17, "k": 5, "n": 77}),
        ("mk,kn->mn", {"m": 1, "k": 33, "n": 300}),
        ("mk,kn->mn", {"m": 3, "k": 1, "n": 3}),
        ("mk,nk->mn", {"m": 21, "k": 37, "n": 45}),
        ("km,kn->mn", {"m": 19, "k": 12, "n": 33}),
        ("mk,kn->nm", {"m": 19, "k": 12, "n": 33}),
        ("bmk,bkn->bmn", {"b": 3, "m": 9, "k": 7, "n": 20}),
        ("bmhk,bnhk->bhmn", {"b": 2, "h": 3, "m": 10, "n": 18, "k": 24}),
        ("bhmn,bnhd->bmhd", {"b": 2, "h": 3, "m": 10, "n": 18, "d": 24}),
        ("amk,kn->amn", {"a": 2, "m": 5, "k": 6, "n": 40}),
        ("mk,khd->mhd", {"m": 5, "k": 6, "h": 3, "d": 20}),
        ("mk,k->m", {"m": 37, "k": 50}),
        ("k,kn->n", {"k": 37, "n": 50}),
        ("k,k->", {"k": 37}),
    ],
)
def test_layouts(spec: str, sizes: dict[str, int]) -> None:
    check(spec, sizes)


@pytest.mark.parametrize("epilogue", [RELU, GELU])
def test_epilogues(epilogue: str) -> None:
    check("mk,kn->mn", {"m": 17, "k": 20, "n": 45}, epilogue)


@pytest.mark.parametrize("machine", ["x86-64", "x86-64-v3"])
def test_other_instruction_sets(machine: str) -> None:
    sizes = {"m": 17, "k": 20, "n": 45}
    check("mk,kn->mn", sizes, RELU, machine)
    code = compiled(contraction_kernel("mk,kn->mn", sizes, epilogue=RELU), machine)
    assert "fmaf" not in code.meta["symbols"]


@settings(max_examples=15, deadline=None)
@given(
    m=st.integers(1, 40), k=st.integers(1, 40), n=st.integers(1, 90), spec=st.sampled_from(["mk,kn->mn", "mk,nk->mn"])
)
def test_any_size(m: int, k: int, n: int, spec: str) -> None:
    check(spec, {"m": m, "k": k, "n": n})


def test_bfloat16_operands_accumulate_in_f32() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(s).astype(ml_dtypes.bfloat16) for s in ((9, 20), (20, 40)))
    text = contraction_kernel("mk,kn->mn", {"m": 9, "k": 20, "n": 40}, element="bf16")
    (got,) = run_kernel(text, [x, y], [((9, 40), F32)])
    np.testing.assert_allclose(got, x.astype("f") @ y.astype("f"), rtol=1e-4, atol=1e-4)


def test_bytes_accumulate_in_i32() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-128, 127, s, dtype=np.int8) for s in ((9, 20), (20, 40)))
    text = contraction_kernel("mk,kn->mn", {"m": 9, "k": 20, "n": 40}, element="i8", accumulator="i32")
    (got,) = run_kernel(text, [x, y], [((9, 40), np.dtype("i4"))])
    np.testing.assert_array_equal(got, x.astype("i4") @ y.astype("i4"))
