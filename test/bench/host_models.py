"""Whole models on the host beside onnxruntime and IREE, in one run.

    python test/bench/host_models.py [--models bert,gpt2,resnet50,mobilenetv2] [--threads 1,2] [--json out.json]

Every figure is a median over interleaved rounds, so that a change of the machine's speed meets all peers alike.
`compile` is cold, from the file to something that runs; `const_io` is the part of ours spent on reading, packing and
writing weights.
"""

from __future__ import annotations

import argparse
import functools
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


# Compiles in a process of its own, as IREE's tools do, so that start-up counts and no model pays for another's imports.
_COMPILE = """
import json, sys, time
started = time.perf_counter()
import accelc
exe = accelc.compile(sys.argv[1], target="host", threads=int(sys.argv[2]))
print(json.dumps({"seconds": time.perf_counter() - started, "const_io": exe.stats["const_io_s"]}))
"""


def ours(path: Path, inputs: dict[str, Any], threads: int) -> tuple[Run, dict[str, float]]:
    """Compiles with accelc, with an empty cache and then from it."""
    import accelc

    command = [sys.executable, "-c", _COMPILE, str(path), str(threads)]
    cold, warm = (json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(2))
    exe = accelc.compile(path, target="host", threads=threads)
    seconds = {
        "compile": cold["seconds"],
        "const_io": cold["const_io"],
        "warm": warm["seconds"],
        "warm_const_io": warm["const_io"],
    }
    return lambda: exe.run(inputs), seconds


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


@functools.cache
def iree_compiled(path: Path) -> tuple[Path, float]:
    """IREE's compiled module for this CPU, and the seconds that importing and compiling took."""
    folder = Path(tempfile.mkdtemp())
    bin_dir = Path(sys.executable).parent
    source = _for_iree(path, folder)
    started = time.perf_counter()
    _tool(bin_dir / "iree-import-onnx", source, "-o", folder / "m.mlir")
    _tool(
        bin_dir / "iree-compile",
        folder / "m.mlir",
        "-o",
        folder / "m.vmfb",
        "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu",
        "--iree-llvmcpu-target-cpu=host",
    )
    return folder / "m.vmfb", time.perf_counter() - started


def iree_peer(path: Path, inputs: dict[str, Any], threads: int) -> tuple[Run, dict[str, float]]:
    """IREE's llvm-cpu backend with the host's features."""
    import iree.runtime as rt

    compiled, seconds = iree_compiled(path)
    if threads == 1:
        config = rt.Config("local-sync")
    else:
        rt.flags.parse_flags(f"--task_topology_group_count={threads}")
        config = rt.Config("local-task")
    module = rt.load_vm_module(rt.VmModule.mmap(config.vm_instance, str(compiled)), config)
    entry = next(n for n in module.vm_module.function_names if not n.startswith("__") and not n.endswith("$async"))
    device_inputs = [rt.asdevicearray(config.device, a) for a in inputs.values()]
    function = getattr(module, entry)

    def run() -> Any:
        result = function(*device_inputs)
        return [r.to_host() for r in (result if isinstance(result, tuple | list) else [result])]

    return run, {"compile": seconds}


def _tool(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")


def _for_iree(path: Path, folder: Path) -> Path:
    """The model in opset 17, the oldest that IREE takes; not counted as its time.

    Its importer can convert too, but not models whose initializers are no inputs, as ONNX's IR version 3 wanted.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    if all(o.domain or o.version >= 17 for o in model.opset_import):
        return path
    known = {i.name for i in model.graph.input}
    tensors = [t for t in model.graph.initializer if t.name not in known]
    model.graph.input.extend(onnx.helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in tensors)
    converted = onnx.version_converter.convert_version(model, 17)
    kept = [i for i in converted.graph.input if i.name in known]
    del converted.graph.input[:]
    converted.graph.input.extend(kept)
    converted.ir_version = 8
    onnx.save(converted, folder / "m.onnx")
    return folder / "m.onnx"


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


def run_table(rows: list[dict[str, Any]], peers: list[str]) -> Table:
    """Run times, with ratios to the peers (less than 1: accelc is faster)."""
    t = Table(title="run: median ms")
    for column in ("model", "threads", *peers, "vs onnxruntime", "vs iree", "rel L2"):
        t.add_column(column, justify="right")
    for r in rows:
        run = r["run_s"]
        ratios = _ratio(run, "onnxruntime"), _ratio(run, "iree")
        times = [f"{run[p] * 1e3:.1f}" for p in peers]
        t.add_row(r["model"], str(r["threads"]), *times, *ratios, f"{r.get('rel_l2', math.nan):.1e}")
    return t


def compile_table(rows: list[dict[str, Any]]) -> Table:
    """Compile times; ours without `const_io` beside all of IREE's."""
    t = Table(title="compile: s; cold and warm are without const_io")
    for column in ("model", "cold", "const_io", "warm", "const_io", "iree", "cold / iree"):
        t.add_column(column, justify="right")
    for r in rows:
        own, iree = r["compile_s"]["accelc"], r["compile_s"].get("iree", {}).get("compile")
        cold, warm = own["compile"] - own["const_io"], own["warm"] - own["warm_const_io"]
        seconds = [f"{s:.2f}" for s in (cold, own["const_io"], warm, own["warm_const_io"])]
        t.add_row(r["model"], *seconds, *((f"{iree:.1f}", f"{cold / iree:.2f}") if iree else ("-", "-")))
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
    console.print(run_table(rows, peers))
    if "accelc" in peers:
        console.print(compile_table(rows))
    if "onnxruntime" in peers:
        for threads in {r["threads"]: None for r in rows}:
            ratios = [r["run_s"]["accelc"] / r["run_s"]["onnxruntime"] for r in rows if r["threads"] == threads]
            console.print(f"threads {threads}: geomean of accelc / onnxruntime {statistics.geometric_mean(ratios):.2f}")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
