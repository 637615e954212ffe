"""The twelve models on every target that runs them: errors, bounds, native fractions, cycles and times, as one table.

    python test/bench/twelve_models.py FOLDER [--only resnet50 ...] [--targets host sim_accel:cloud ...]

FOLDER keeps the models, which are made there the first time (2.4 GB). Each line is one `accelc run --json` in a
process of its own, with a cache of its own, so ``compile_s`` is cold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from frontend.models import NAMES, benchmark_model

# Target, precision, and the models that are run there (all where it says None).
RUNS: tuple[tuple[str, str | None, tuple[str, ...] | None], ...] = (
    ("host", None, None),
    ("sim_accel:cloud", None, None),
    ("sim_accel:cloud", "strict", None),
    ("sim_accel:edge", None, ("squeezenet", "mobilenetv2")),
)
COLUMNS = (
    ("rel_l2", "{:.1e}"),
    ("bound", "{:.1e}"),
    ("native_mac_fraction", "{:.4f}"),
    ("native_byte_fraction", "{:.4f}"),
    ("cycles", "{:,}"),
    ("utilization", "{:.3f}"),
    ("sim_s", "{:.1f}"),
    ("run_s", "{:.3f}"),
    ("compile_s", "{:.1f}"),
    ("const_io_s", "{:.1f}"),
)


def run(name: str, folder: Path, target: str, precision: str | None) -> dict[str, Any]:
    """What `accelc run --json` says; ``failure`` holds the message where it fails."""
    model = benchmark_model(name, folder)
    with tempfile.TemporaryDirectory() as scratch:
        inputs, expected = Path(scratch) / "in.npz", Path(scratch) / "out.npz"
        np.savez(inputs, **model.inputs)  # type: ignore[arg-type]
        np.savez(expected, **model.expected())  # type: ignore[arg-type]
        command = [sys.executable, "-m", "accelc.tools.accelc", "run", str(model.path), "-t", target, "--json"]
        command += ["--inputs", str(inputs), "--expect", str(expected)]
        command += ["--precision", precision] if precision else []
        environment = {**os.environ, "ACCELC_CACHE_DIR": str(Path(scratch) / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode not in (0, 1):
        return {"ok": False, "failure": f"exit code {done.returncode}: {done.stderr.strip()}"}
    report: dict[str, Any] = json.loads(done.stdout)
    outputs = report["outputs"].values()
    # The output that is nearest to its bound stands for all.
    worst = max(outputs, key=lambda o: float("inf") if o["rel_l2"] is None else o["rel_l2"] / o["bound"])
    return {**report, "rel_l2": worst["rel_l2"], "bound": worst["bound"]}


def main() -> int:
    """Prints a line a model and target; 1 if any is wrong or fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--targets", nargs="+", default=[target for target, _, _ in RUNS])
    arguments = parser.parse_args()
    wrong = 0
    print(f"{'model':13} {'target':16} {'precision':9} {'':5} " + " ".join(f"{c:>20}" for c, _ in COLUMNS))
    for target, precision, models in RUNS:
        for name in arguments.only:
            if target not in arguments.targets or (models is not None and name not in models):
                continue
            report = run(name, arguments.folder, target, precision)
            wrong += not report["ok"]
            cells = [form.format(report[c]) if report.get(c) is not None else "-" for c, form in COLUMNS]
            verdict = "ok" if report["ok"] else "WRONG"
            line = f"{name:13} {target:16} {precision or 'default':9} {verdict:5} "
            print(line + (report.get("failure") or " ".join(f"{c:>20}" for c in cells)), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
