"""The targets: one folder each, one line a table.

A target of another package names itself in the entry point groups ``accelc.targets`` and ``accelc.executors``.
"""

from __future__ import annotations

if __name__ != "accelc.targets":
    raise ImportError("import accelc.targets, not targets: two copies of a dialect class break MLIR's registration")

# Manifests: `accelc.core.target.Target`.
TARGETS = {
    "host": "accelc.targets.host.target:TARGET",
    "sim_accel": "accelc.targets.sim_accel.target:TARGET",
    "gpu": "accelc.targets.gpu.target:TARGET",
}

# What runs compiled models: `accelc.core.target.ExecutorFactory`. Apart, since running needs no MLIR and manifests may.
EXECUTORS = {
    "host": "accelc.targets.host.executor:make_executor",
    "sim_accel": "accelc.targets.sim_accel.executor:make_executor",
    "gpu": "accelc.targets.gpu.executor:make_executor",
}
