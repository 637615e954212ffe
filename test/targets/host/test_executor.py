"""Plans on the step table: buffers of every kind, threads, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contraction_kernels import RELU, contraction_kernel
from host_kernels import compiled, elementwise_kernel

from accelc.core.diagnostics import ArtifactError, UsageError
from accelc.core.plan import Buffer, Copy, Launch, Plan, TensorSpec
from accelc.targets.host.elf import undefined_symbols
from accelc.targets.host.executor import HostExecutor

M, K, N = 37, 40, 90
CODE = {
    "gemm": compiled(contraction_kernel("mk,kn->mn", {"m": M, "k": K, "n": N}, epilogue=RELU)),
    "neg": compiled(
        elementwise_kernel([("f32", (M, N))], ("f32", (M, N)), "%r = arith.negf %a0 : f32\nlinalg.yield %r : f32")
    ),
}
PLAN = Plan(
    inputs=(TensorSpec("x", "f32", (M, K)),),
    outputs=(TensorSpec("y", "f32", (M, N)), TensorSpec("z", "f32", (M, N))),
    buffers=(
        Buffer("input", "f32", (M, K), index=0),
        Buffer("constant", "f32", (K, N), ref="w"),
        Buffer("constant", "f32", (N,), ref="b"),
        Buffer("arena", "f32", (M, N), offset=64),
        Buffer("output", "f32", (M, N), index=0),
        Buffer("output", "f32", (M, N), index=1),
    ),
    steps=(Launch("gemm", (0, 1, 2), (3,)), Launch("neg", (3,), (4,)), Copy(3, 5)),
    arena_bytes=64 + M * N * 4,
)
RNG = np.random.default_rng(0)
CONSTANTS = {"w": RNG.standard_normal((K, N)).astype("f"), "b": RNG.standard_normal(N).astype("f")}


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_plan_runs(threads: int) -> None:
    executor = HostExecutor(PLAN, CODE, CONSTANTS, threads=threads)
    first = None
    for seed in range(20):
        x = np.random.default_rng(seed % 2).standard_normal((M, K)).astype("f")
        y, z = executor.run([x])
        np.testing.assert_allclose(z, np.maximum(x @ CONSTANTS["w"] + CONSTANTS["b"], 0), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(y, -z)
        first = z if first is None else first
    assert executor.last_run["run_s"] > 0


def test_threads_do_not_change_the_bits() -> None:
    x = RNG.standard_normal((M, K)).astype("f")
    one, two = (HostExecutor(PLAN, CODE, CONSTANTS, threads=t).run([x])[1] for t in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_profile_times_each_step() -> None:
    executor = HostExecutor(PLAN, CODE, CONSTANTS)
    executor.profile([np.zeros((M, K), "f")])
    assert len(executor.last_run["step_s"]) == 3


@pytest.mark.parametrize(
    "inputs", [[], [np.zeros((M, K + 1), "f")], [np.zeros((M, K), "d")], [np.zeros((M, K), "f")] * 2]
)
def test_wrong_inputs_are_refused(inputs: list[np.ndarray]) -> None:
    with pytest.raises(UsageError):
        HostExecutor(PLAN, CODE, CONSTANTS).run(inputs)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArtifactError, match="neg"):
        HostExecutor(PLAN, {"gemm": CODE["gemm"]}, CONSTANTS)
    with pytest.raises(ArtifactError, match="'b'"):
        HostExecutor(PLAN, CODE, {"w": CONSTANTS["w"]})
    with pytest.raises(ArtifactError, match="'w'"):
        HostExecutor(PLAN, CODE, {**CONSTANTS, "w": np.zeros((K, N + 1), "f")})
    with pytest.raises(UsageError, match="threads"):
        HostExecutor(PLAN, CODE, CONSTANTS, threads=0)


def test_code_for_another_cpu_is_refused() -> None:
    neg = CODE["neg"]
    other = replace(neg, meta={**neg.meta, "features": ["avx1024"]})
    with pytest.raises(ArtifactError, match="avx1024"):
        HostExecutor(PLAN, {**CODE, "neg": other}, CONSTANTS)
    foreign = replace(neg, meta={**neg.meta, "triple": "riscv64-unknown-linux-gnu"})
    with pytest.raises(ArtifactError, match="riscv64"):
        HostExecutor(PLAN, {**CODE, "neg": foreign}, CONSTANTS)


def test_unknown_symbols_and_broken_code_are_refused() -> None:
    neg = CODE["neg"]
    calling = replace(neg, meta={**neg.meta, "symbols": ["no_such_function"]})
    with pytest.raises(ArtifactError, match="no_such_function"):
        HostExecutor(PLAN, {**CODE, "neg": calling}, CONSTANTS)
    with pytest.raises(ArtifactError):
        HostExecutor(PLAN, {**CODE, "neg": replace(neg, data=b"nothing")}, CONSTANTS)


def test_libm_functions_are_listed() -> None:
    text = elementwise_kernel([("f64", (8,))], ("f64", (8,)), "%r = math.tanh %a0 : f64\nlinalg.yield %r : f64")
    code = compiled(text)
    assert code.meta["symbols"] == ["tanh"]
    assert undefined_symbols(code.data) == ("tanh",)
    with pytest.raises(ValueError):
        undefined_symbols(b"nothing")
