"""The host target: kernels become native code for a CPU, run by a small pool of threads.

`accelc.targets.host.executor` runs compiled models with numpy and llvmlite alone; everything else here needs MLIR.
"""

from __future__ import annotations

if __name__ != "accelc.targets.host":
    raise ImportError("import accelc.targets.host, not targets.host: two copies of a pass cannot be registered")
