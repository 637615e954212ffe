"""A PTX emulator: the kernels that a GPU would run, on a CPU, with exact results, a sanitizer and counters."""

from accelc.targets.gpu.emulator.emulator import Emulator
from accelc.targets.gpu.emulator.errors import FindingsError, LaunchError, PtxError, UnsupportedPtxError
from accelc.targets.gpu.emulator.memory import Buffer, Region, Symbol
from accelc.targets.gpu.emulator.report import Finding, Report
from accelc.targets.gpu.emulator.tensor_map import TensorMap

__all__ = [
    "Buffer",
    "Emulator",
    "Finding",
    "FindingsError",
    "LaunchError",
    "PtxError",
    "Region",
    "Report",
    "Symbol",
    "TensorMap",
    "UnsupportedPtxError",
]
