"""The targets: one folder and one line each."""

from __future__ import annotations

if __name__ != "accelc.targets":
    raise ImportError("import accelc.targets, not targets: two copies of a dialect class break MLIR's registration")

TARGETS = {
    "host": "accelc.targets.host.target:TARGET",
    "sim_accel": "accelc.targets.sim_accel.target:TARGET",
    "gpu": "accelc.targets.gpu.target:TARGET",
}
