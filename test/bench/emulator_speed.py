"""How fast the PTX emulator is: thread instructions and matrix FLOPs a second, plain, sanitized, and with two threads.

    python test/bench/emulator_speed.py [--only reduction ...] [--level avx2] [--runs 5] [--json]

Columns, of the best run each (other programs can only make a run slower), runs interleaved:

``plain``      million thread instructions a CPU second, one thread of the host
``sanitized``  the same with ``sanitize=True``
``GFLOP/s``    of matrix instructions, plain
``slower``     sanitized time over plain time
``2 threads``  wall time of one thread over that of two; ``cpu`` beside it is the CPU time of one over that of two,
               which other programs do not change much: 1.0 means that the two do not get in each other's way
``peer``       million thread instructions a CPU second of the peer (naive_interpreter.cpp beside the tests): a
               loop over instructions with a switch on the opcode for each lane, compiled by g++ -O3; arithmetic only

The peer is measured in the same run, its runs between the emulator's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would run beside ours
sys.path.insert(0, str(Path(__file__).parents[1] / "targets" / "gpu" / "emulator"))

import speed_kernels
from speed_kernels import Work, build_peer, cpu_seconds, run_peer

from accelc.targets.gpu.emulator import Emulator
from accelc.targets.gpu.emulator.native import levels

KERNELS: dict[str, Callable[[], Work]] = {
    "arithmetic": speed_kernels.arithmetic,
    "integers": speed_kernels.integers,
    "reduction": speed_kernels.reduction,
    "histogram": speed_kernels.histogram,
    "gemm": speed_kernels.gemm,
    "mma": speed_kernels.mma_gemm,
    "wgmma": speed_kernels.wgmma_gemm,
    "collatz": speed_kernels.collatz,
}


def measure(work: Work, level: str | None, runs: int, peer: Path | None) -> dict[str, Any]:
    """All that is reported of one kernel; rates are a second's."""
    emulator = Emulator(work.ptx, level=level)
    modes: dict[str, dict[str, Any]] = {"plain": {}, "sanitized": {"sanitize": True}, "threads": {"threads": 2}}
    cpu = dict.fromkeys(modes, float("inf"))
    wall = dict.fromkeys(modes, float("inf"))
    naive = 0.0
    instructions = flops = 0
    for _ in range(runs):
        for mode, options in modes.items():
            start, start_cpu = time.perf_counter(), cpu_seconds()
            report = emulator.launch("k", grid=work.grid, block=work.block, args=work.args, **options)
            wall[mode] = min(wall[mode], time.perf_counter() - start)
            cpu[mode] = min(cpu[mode], cpu_seconds() - start_cpu)
            instructions, flops = report.counters.total.thread_instructions, report.counters.total.flops
        if peer is not None:
            naive = max(naive, run_peer(peer))
    if not work.check():
        raise SystemExit(f"{work.name}: wrong results")
    return {
        "kernel": work.name,
        "instructions": instructions,
        "plain": instructions / cpu["plain"],
        "sanitized": instructions / cpu["sanitized"],
        "slower": cpu["sanitized"] / cpu["plain"],
        "flops": flops / cpu["plain"],
        "two_threads": wall["plain"] / wall["threads"],
        "two_threads_cpu": cpu["plain"] / cpu["threads"],
        "peer": naive or None,
    }


def main() -> int:
    """Measures, and prints a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KERNELS, default=list(KERNELS))
    parser.add_argument("--level", choices=levels(), help="which build of the core")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peer = build_peer(Path(folder)) if "arithmetic" in options.only else None
        rows = [
            measure(KERNELS[name](), options.level, options.runs, peer if name == "arithmetic" else None)
            for name in options.only
        ]
    if options.json:
        print(json.dumps({"level": options.level or levels()[0], "kernels": rows}, indent=1))
        return 0
    print(f"level {options.level or levels()[0]}; best of {options.runs} interleaved runs; M = million a CPU second")
    header = ("kernel", "plain M", "sanitized M", "slower", "GFLOP/s", "2 threads", "cpu", "peer M", "of peer")
    print("{:18} {:>8} {:>12} {:>7} {:>8} {:>10} {:>5} {:>7} {:>8}".format(*header))
    for r in rows:
        flops = f"{r['flops'] / 1e9:.1f}" if r["flops"] else ""
        peer_text = (f"{r['peer'] / 1e6:.0f}", f"{r['plain'] / r['peer']:.1f} x") if r["peer"] else ("", "")
        print(
            f"{r['kernel']:18} {r['plain'] / 1e6:8.0f} {r['sanitized'] / 1e6:12.0f} {r['slower']:6.1f}x {flops:>8}"
            f" {r['two_threads']:10.2f} {r['two_threads_cpu']:5.2f} {peer_text[0]:>7} {peer_text[1]:>8}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
