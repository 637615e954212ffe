"""The emulator's speed, as ratios to what runs beside it in the same minute: times themselves say little on a machine
that others use. test/bench/emulator_speed.py has the figures."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import speed_kernels
from speed_kernels import Work, build_peer, cpu_seconds, run_peer

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.native import levels

RUNS = 3  # the best of these counts

vectors = pytest.mark.skipif(levels()[:1] == ["baseline"], reason="measured with vectors of 256 bits or more")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = build_peer(tmp_path_factory.mktemp("peer"))
    if program is None:
        pytest.skip("no g++")
    return program


def best_rates(work: Work, *between: Callable[[], Any], **options: Any) -> tuple[float, float]:
    """Thread instructions and matrix FLOPs a CPU second, of the best run; `between` is called between the runs."""
    emulator = Emulator(work.ptx)
    best = (0.0, 0.0)
    for _ in range(RUNS):
        start = cpu_seconds()
        report = emulator.launch("k", grid=work.grid, block=work.block, args=work.args, **options)
        seconds = cpu_seconds() - start
        total = report.counters.total
        best = max(best, (total.thread_instructions / seconds, total.flops / seconds))
        for f in between:
            f()
    assert work.check()
    return best


@vectors
def test_arithmetic_beside_a_naive_interpreter(peer: Path) -> None:
    naive: list[float] = []
    rate, _ = best_rates(speed_kernels.arithmetic(blocks=16), lambda: naive.append(run_peer(peer)))
    assert rate > 2 * max(naive)


@vectors
def test_matrix_instructions_beside_a_naive_interpreter(peer: Path) -> None:
    # The peer's fma is two operations. Fragments come by ldmatrix, or by descriptors.
    for work, factor in ((speed_kernels.mma_gemm(tiles=3, depth=2048), 4), (speed_kernels.wgmma_gemm(depth=1024), 6)):
        naive: list[float] = []
        _, flops = best_rates(work, lambda naive=naive: naive.append(run_peer(peer)))  # type: ignore[misc]
        assert flops > factor * 2 * max(naive), work.name


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda: speed_kernels.arithmetic(blocks=16), 1.5),
        (lambda: speed_kernels.reduction(blocks=1024), 20),
        (lambda: speed_kernels.gemm(tiles=6), 20),
    ],
    ids=["arithmetic", "reduction", "gemm"],
)
def test_the_sanitizer_costs_a_bounded_factor(make: Callable[[], Work], limit: float) -> None:
    plain, _ = best_rates(make())
    sanitized, _ = best_rates(make(), sanitize=True)
    assert plain < limit * sanitized


def test_two_threads_do_not_get_in_each_others_way() -> None:
    # CPU time: others on the machine change it little, though two threads of one core's share its units.
    work = speed_kernels.reduction(blocks=2048)
    assert best_rates(work, threads=2)[0] > 0.4 * best_rates(work)[0]


def test_two_threads_are_nearly_twice_as_fast(peer: Path) -> None:
    def seconds(f: Callable[[], Any]) -> float:
        start = time.perf_counter()
        f()
        return time.perf_counter() - start

    def gain_of_two_processes() -> float:
        """What two processes that share nothing gain at the moment: 2 where two processors are free."""

        def together() -> None:
            for process in [subprocess.Popen([peer], stdout=subprocess.DEVNULL) for _ in range(2)]:
                process.wait()

        return 2 * seconds(lambda: run_peer(peer)) / seconds(together)

    work = speed_kernels.arithmetic(blocks=64)
    emulator = Emulator(work.ptx)

    def launch(threads: int) -> None:
        emulator.launch("k", grid=work.grid, block=work.block, args=work.args, threads=threads)

    launch(1)
    gains = []
    for _ in range(3):
        before = gain_of_two_processes()
        gain = seconds(lambda: launch(1)) / seconds(lambda: launch(2))
        if min(before, gain_of_two_processes()) > 1.7:
            gains.append(gain)
    if not gains:
        pytest.skip("no two processors were free at any time")
    assert max(gains) > 1.5
