"""Whole models on the host beside onnxruntime and IREE, in one run.

    python test/bench/host_models.py [--models bert,gpt2,resnet50,mobilenetv2] [--threads 1,2] [--json out.json]

Every figure is a median over interleaved rounds, so that a change of the machine's speed meets all peers alike.
`compile` is cold, from the file to something that runs; `const_io` is the part of ours spent on reading, packing and
writing weights.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from frontend import models as test_models
from rich.console import Console
from rich.table import Table

NAMES = ("bert", "gpt2", "resnet50", "mobilenetv2")
Run = Callable[[], Any]


def ours(path: Path, inputs: dict[str, Any], threads: int) -> tuple[Run, dict[str, float]]:
    """Compiles with accelc, with an empty cache."""
    import accelc

    started = time.perf_counter()
    exe = accelc.compile(path, target="host", threads=threads)
    seconds = time.perf_counter() - started
    return lambda: exe.run(inputs), {"compile": seconds, "const_io": exe.stats["const_io_s"]}


def onnxruntime_peer(path: Path, inputs: dict[str, Any], threads: int) -> tuple[Run, dict[str, float]]:
    """An onnxruntime session with all of its optimisations."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    started = time.perf_counter()
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    seconds = time.perf_counter() - started
    return lambda: session.run(None, inputs), {"compile": seconds}


def iree_peer(path: Path, inputs: dict[str, Any], threads: int) -> tuple[Run, dict[str, float]]:
    """IREE's llvm-cpu backend with the host's features."""
    import iree.runtime as rt

    folder = Path(tempfile.mkdtemp())
    bin_dir = Path(sys.executable).parent
    started = time.perf_counter()
    subprocess.run(
        [bin_dir / "iree-import-onnx", path, "-o", folder / "m.mlir", "--opset-version", "17"],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        [
            bin_dir / "iree-compile",
            folder / "m.mlir",
            "-o",
            folder / "m.vmfb",
            "--iree-hal-target-device=local",
            "--iree-hal-local-target-device-backends=llvm-cpu",
            "--iree-llvmcpu-target-cpu=host",
            "--iree-opt-level=O3",
        ],
        check=True,
        capture_output=True,
    )
    seconds = time.perf_counter() - started
    if threads == 1:
        config = rt.Config("local-sync")
    else:
        rt.flags.parse_flags(f"--task_topology_group_count={threads}")
        config = rt.Config("local-task")
    module = rt.load_vm_module(rt.VmModule.mmap(config.vm_instance, str(folder / "m.vmfb")), config)
    entry = next(n for n in module.vm_module.function_names if not n.startswith("__") and not n.endswith("$async"))
    device_inputs = [rt.asdevicearray(config.device, a) for a in inputs.values()]
    function = getattr(module, entry)

    def run() -> Any:
        result = function(*device_inputs)
        return [r.to_host() for r in (result if isinstance(result, tuple | list) else [result])]

    return run, {"compile": seconds}


PEERS = {"accelc": ours, "onnxruntime": onnxruntime_peer, "iree": iree_peer}


def measure(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Median seconds of each, rounds interleaved; the first call of each is left out."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(t) for name, t in times.items()}


def bench(name: str, threads: int, peers: list[str], rounds: int, folder: Path) -> dict[str, Any]:
    """One model: times, compile times and the largest relative L2 difference from onnxruntime."""
    model = test_models.benchmark_model(name, folder)
    runs: dict[str, Run] = {}
    compile_s: dict[str, dict[str, float]] = {}
    for peer in peers:
        os.environ["ACCELC_CACHE_DIR"] = tempfile.mkdtemp()
        runs[peer], compile_s[peer] = PEERS[peer](model.path, model.inputs, threads)
    row = {"model": name, "threads": threads, "run_s": measure(runs, rounds), "compile_s": compile_s}
    if "onnxruntime" in runs and "accelc" in runs:
        row["rel_l2"] = max(
            float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b))
            for a, b in zip(runs["accelc"]().values(), runs["onnxruntime"](), strict=True)
        )
    return row


def table(rows: list[dict[str, Any]], peers: list[str]) -> Table:
    """The rows as a table, with ratios to onnxruntime."""
    t = Table(title="run: median ms; compile: s, cold")
    for column in (
        "model",
        "threads",
        *peers,
        "vs onnxruntime",
        "vs iree",
        "compile",
        "const_io",
        "iree compile",
        "rel L2",
    ):
        t.add_column(column, justify="right")
    for r in rows:
        run, comp = r["run_s"], r["compile_s"]
        t.add_row(
            r["model"],
            str(r["threads"]),
            *(f"{run[p] * 1e3:.1f}" for p in peers),
            _ratio(run, "onnxruntime"),
            _ratio(run, "iree"),
            f"{comp['accelc']['compile']:.2f}",
            f"{comp['accelc']['const_io']:.2f}",
            f"{comp['iree']['compile']:.1f}" if "iree" in comp else "-",
            f"{r.get('rel_l2', math.nan):.1e}",
        )
    return t


def _ratio(run: dict[str, float], peer: str) -> str:
    return f"{run['accelc'] / run[peer]:.2f}" if peer in run else "-"


def main() -> None:
    """Parses arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(NAMES))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--peers", default="accelc,onnxruntime,iree")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "accelc-models"))
    parser.add_argument("--json")
    args = parser.parse_args()
    peers = args.peers.split(",")
    rows = [
        bench(name, int(threads), peers, args.rounds, Path(args.folder))
        for threads in args.threads.split(",")
        for name in args.models.split(",")
    ]
    console = Console(width=160)
    console.print(table(rows, peers))
    if "onnxruntime" in peers:
        for threads in {r["threads"]: None for r in rows}:
            ratios = [r["run_s"]["accelc"] / r["run_s"]["onnxruntime"] for r in rows if r["threads"] == threads]
            console.print(f"threads {threads}: geomean of accelc / onnxruntime {statistics.geometric_mean(ratios):.2f}")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
