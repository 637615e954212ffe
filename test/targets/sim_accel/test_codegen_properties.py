"""What compiled kernels owe to the machine: any shape, needed waits, bandwidth, closed forms, scratchpad size."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from codegen_cases import CASES
from codegen_helpers import (
    Compiled,
    build,
    check,
    compile_kernel,
    conv,
    linear,
    machine_named,
    mm,
    random_arrays,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from accelc.core.diagnostics import Error
from accelc.core.plan import DTYPES
from accelc.targets.sim_accel import encoding
from accelc.targets.sim_accel.isa import Instruction
from accelc.targets.sim_accel.simulator import SimulationError, Simulator

QUICK = settings(max_examples=12, deadline=None, derandomize=True)
MACHINES = st.sampled_from(["cloud", "edge"])


# ---- shapes ----


@QUICK
@given(MACHINES, st.integers(1, 70), st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.sampled_from("ntx"))
def test_contractions_of_any_shape(machine: str, m: int, n: int, k: int, batch: int, layout: str) -> None:
    spec, shapes = {
        "n": ("bmk,bkn->bmn", ((batch, m, k), (batch, k, n))),
        "t": ("bmk,bnk->bmn", ((batch, m, k), (batch, n, k))),
        "x": ("mbk,kn->bmn", ((m, batch, k), (k, n))),
    }[layout]
    check([(s, "bf16") for s in shapes], mm(spec), machine, 1e-2)


@QUICK
@given(
    MACHINES,
    st.tuples(st.integers(4, 12), st.integers(4, 12)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
)
def test_convolutions_of_any_shape(
    machine: str, space: tuple[int, int], channels: tuple[int, int], window: int, stride: int, pad: int, dilation: int
) -> None:
    if (window - 1) * dilation + 1 > min(space) + 2 * pad:
        return
    specs = [((1, *space, channels[0]), "bf16"), ((window, window, *channels), "bf16")]
    check(specs, conv(stride, pad, dilation), machine, 1e-2)


@QUICK
@given(MACHINES, st.lists(st.integers(1, 9), min_size=1, max_size=5), st.permutations(range(5)), st.data())
def test_elementwise_of_any_shape(machine: str, shape: list[int], order: list[int], data: Any) -> None:
    rank = len(shape)
    kept = [d for d in range(rank) if data.draw(st.booleans())]
    perm = [d for d in order if d < rank]

    def body(x: Any, y: Any) -> list[Any]:
        z = build.mul(x, build.broadcast(y, shape=shape, dims=kept))
        return [build.transpose(build.relu(z), perm=perm)]

    check([(shape, "f32"), ([shape[d] for d in kept], "f32")], body, machine, 1e-6)


@QUICK
@given(MACHINES, st.lists(st.integers(1, 12), min_size=1, max_size=4), st.data())
def test_reductions_of_any_shape(machine: str, shape: list[int], data: Any) -> None:
    axes = [d for d in range(len(shape)) if data.draw(st.booleans())] or [0]
    kind = data.draw(st.sampled_from(["sum", "max", "min", "mean"]))
    check([(shape, "f32")], lambda x: [build.reduce(build.exp(x), kind=kind, axes=axes)], machine, 1e-5)


# ---- synchronization ----


def without(program: bytes, at: int) -> bytes:
    """A program with one instruction left out, and the loops around it mended."""
    kept: list[Instruction] = []
    for pc, instruction in enumerate(encoding.decode(program)):
        if pc == at:
            continue
        args = dict(instruction.args)
        if instruction.spec.mnemonic == "loop":
            end = args["end"]
            assert isinstance(end, int)
            args["end"] = end - int(pc < at <= pc + end)
        kept.append(Instruction(instruction.spec, args))
    return encoding.encode(kept)


def simulate(compiled: Compiled, arrays: list[np.ndarray], program: bytes) -> Any:
    """A run of a changed program in place of the compiled one."""
    ((name, code),) = compiled.code.items()
    changed = Compiled(compiled.plan, {name: type(code)(code.symbol, program, code.meta)}, compiled.machine)
    return changed.run(arrays)[1]


SYNCHRONIZED = [
    "contraction/large",
    "convolution/residual",
    "rows/layer-norm",
    "pointwise/large",
    "contraction/attention",
]


@pytest.mark.parametrize("machine", ["cloud", "edge"])
@pytest.mark.parametrize("name", SYNCHRONIZED)
def test_every_wait_is_needed(name: str, machine: str) -> None:
    """Without any one wait there is a hazard, or the figures differ: no wait is there for nothing."""
    specs, body, _ = CASES[name]
    arrays = random_arrays(specs)
    compiled = compile_kernel(specs, body, machine)
    figures = compiled.run(arrays)[1]
    waits = [pc for pc, i in enumerate(encoding.decode(compiled.program)) if i.spec.mnemonic == "wait"]
    for pc in random.Random(0).sample(waits, min(20, len(waits))):
        try:
            changed = simulate(compiled, arrays, without(compiled.program, pc))
        except SimulationError:
            continue
        assert changed["hazards"] or changed["cycles"] != figures["cycles"], f"wait {pc} of {len(waits)}"


# ---- the machine's figures matter ----


def test_bandwidth_counts_where_memory_bounds() -> None:
    compiled = compile_kernel([((256, 112, 112), "f32")], lambda x: [build.relu(x)], "cloud")
    cycles = [timed(compiled, dram_bytes_per_cycle=b) for b in (819.0, 409.5)]
    assert cycles[1] > 1.7 * cycles[0]


def test_bandwidth_does_not_count_where_the_array_bounds() -> None:
    specs = [((1, 56, 56, 256), "bf16"), ((3, 3, 256, 256), "bf16")]
    compiled = compile_kernel(specs, conv(1, 1), "cloud")
    cycles = [timed(compiled, dram_bytes_per_cycle=b) for b in (819.0, 409.5)]
    # What cannot overlap is the very first load.
    assert cycles[1] < 1.05 * cycles[0]


def timed(compiled: Compiled, **changes: Any) -> int:
    """Cycles of a timing-only run on a changed machine."""
    arrays = [np.zeros(s.shape, DTYPES[s.dtype]) for s in compiled.plan.inputs]
    return int(compiled.run(arrays, compiled.config(**changes), functional=False, hazards=False)[1]["cycles"])


@pytest.mark.parametrize("machine", ["cloud", "edge"])
def test_a_product_takes_no_less_than_the_closed_form(machine: str) -> None:
    """Weight-stationary: ceil(K/S) ceil(N/S) (M + 3S - 2) - 1, the operands in either role; never under the peak."""
    compiled = compile_kernel([((256, 256), "bf16")] * 2, mm("mk,kn->mn"), machine)
    cycles, side = timed(compiled), compiled.config().array
    assert cycles >= math.ceil(256 / side) ** 2 * (256 + 3 * side - 2) - 1
    assert cycles >= 256**3 / side**2


@pytest.mark.parametrize("case", ["gemm", "conv"])
def test_less_scratchpad_never_moves_fewer_bytes(case: str) -> None:
    specs: Any = {
        "gemm": [((256, 512), "bf16"), ((512, 384), "bf16"), ((384,), "bf16")],
        "conv": [((1, 28, 28, 64), "bf16"), ((3, 3, 64, 64), "bf16")],
    }[case]
    body = linear((256, 384)) if case == "gemm" else conv(1, 1)
    traffic = []
    for size in (1 << 20, 1 << 18, 1 << 16):
        machine = machine_named("edge", scratchpad=float(size))
        compiled = compile_kernel(specs, body, machine)
        figures = compiled.run(random_arrays(specs))[1]
        assert figures["hazards"] == []
        traffic.append(figures["bytes_moved"])
    assert traffic == sorted(traffic)


def test_timing_only_gives_the_same_cycles() -> None:
    specs, body, _ = CASES["contraction/large"]
    compiled = compile_kernel(specs, body, "edge")
    assert compiled.run(random_arrays(specs))[1]["cycles"] == timed(compiled)


def test_the_same_kernel_gives_the_same_bytes() -> None:
    specs, body, _ = CASES["convolution/residual"]
    assert compile_kernel(specs, body, "edge").program == compile_kernel(specs, body, "edge").program


def test_double_buffering_hides_transfers() -> None:
    """A long product keeps the array busy most of the time."""
    specs = [((256, 2048), "bf16"), ((2048, 512), "bf16"), ((512,), "bf16")]
    compiled = compile_kernel(specs, linear((256, 512)), "cloud")
    _, figures = compiled.run(random_arrays(specs))
    row = figures["kernels"][0]
    assert row["busy"]["mxu"] > 0.85 * row["cycles"]


def test_a_corrupt_program_is_refused() -> None:
    specs, body, _ = CASES["pointwise/relu"]
    compiled = compile_kernel(specs, body, "edge")
    program = bytearray(compiled.program)
    program[40] ^= 1
    with pytest.raises(Error):
        Simulator(compiled.config()).run(bytes(program))
