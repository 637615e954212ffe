"""Which CPU code is made for: its name, its features, and what follows for tiles.

A machine is written ``host`` or ``host:native`` (the CPU that compiles), ``host:x86-64``, ``host:x86-64-v3`` (AVX2) or
``host:x86-64-v4`` (AVX-512). LLVM's names and features are recorded with the code and checked when it is loaded.
"""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

from accelc.core.diagnostics import ArtifactError, UsageError

# The x86-64 psABI's feature levels, as LLVM spells the features that matter to generated code.
_V2 = ("cx16", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
_V4 = (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
MACHINES = {
    "native": "the CPU that compiles",
    "x86-64": "any x86-64 CPU (SSE2)",
    "x86-64-v2": "x86-64 with SSE4.2",
    "x86-64-v3": "x86-64 with AVX2 and FMA",
    "x86-64-v4": "x86-64 with AVX-512",
}
_LEVELS = {"x86-64": (), "x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}


@dataclass(frozen=True)
class Cpu:
    """A CPU as LLVM knows it.

    machine: what is written after ``host:``. triple: the target triple. name: LLVM's CPU name. features: the features
    that are on, sorted.
    """

    machine: str
    triple: str
    name: str
    features: tuple[str, ...]

    @property
    def vector_bytes(self) -> int:
        """The width in bytes of the widest vector registers that code may use."""
        if "avx512f" in self.features:
            return 64
        return 32 if "avx2" in self.features else 16

    @property
    def vector_registers(self) -> int:
        """How many vector registers there are."""
        return 32 if "avx512f" in self.features or not self.triple.startswith("x86_64") else 16

    @property
    def fuses(self) -> bool:
        """Whether there are instructions that multiply and add with one rounding."""
        return "fma" in self.features or not self.triple.startswith("x86_64")

    @property
    def feature_string(self) -> str:
        """The features as LLVM's target machine takes them."""
        return ",".join(f"+{f}" for f in self.features)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that identifies the CPU."""
        return {"triple": self.triple, "cpu": self.name, "features": list(self.features)}


@functools.cache
def native() -> Cpu:
    """The CPU of this process."""
    _initialize()
    features = tuple(sorted(name for name, on in llvm.get_host_cpu_features().items() if on))
    return Cpu("native", llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def cpu(machine: str) -> Cpu:
    """The CPU that ``machine`` (the part after ``host:``) means. Raises UsageError for an unknown one."""
    if machine in ("", "native", "host"):
        return native()
    if machine in _LEVELS and platform.machine() == "x86_64":
        return Cpu(machine, native().triple, machine, _LEVELS[machine])
    raise UsageError(f"there is no host machine '{machine}'", notes=(f"machines: {', '.join(MACHINES)}",))


def check_runs_here(triple: str, features: tuple[str, ...]) -> None:
    """Raises ArtifactError where this process cannot run code made for ``triple`` with ``features``."""
    here = native()
    if triple.split("-")[0] != here.triple.split("-")[0]:
        raise ArtifactError(f"the code was compiled for {triple}, and this machine is {here.triple}")
    missing = sorted(set(features) - set(here.features))
    if missing:
        raise ArtifactError(
            f"the code was compiled for a CPU with {', '.join(missing)}, which this CPU ({here.name}) lacks",
            notes=("compile again here, or for an older CPU, say -t host:x86-64-v3",),
        )


@functools.cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@functools.cache
def target_machine(cpu: Cpu) -> llvm.TargetMachine:
    """LLVM's code generator for ``cpu``: position independent, full optimization."""
    _initialize()
    target = llvm.Target.from_triple(cpu.triple)
    return target.create_target_machine(
        cpu=cpu.name, features=cpu.feature_string, opt=3, reloc="pic", codemodel="small", jit=True
    )
