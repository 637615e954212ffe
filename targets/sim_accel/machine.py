"""Machine descriptions of the simulated accelerator: the [sim_accel] section, and how all of it becomes a SimConfig."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import Field

from accelc.core.diagnostics import MachineError
from accelc.core.machine import Bandwidth, Bytes, Energy, Level, Machine, MachineFamily, PositiveInt, Schema, Time
from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.config import VECTOR_CLASSES, SimConfig

#: Number formats of descriptions, as the instruction set calls them.
FORMATS: Mapping[str, tuple[str, ...]] = {
    "f32": ("f32",),
    "bf16": ("bf16",),
    "f16": ("f16",),
    "f8E4M3FN": ("e4m3",),
    "f8E5M2": ("e5m2",),
    "i8": ("i8", "u8"),
    "i32": ("i32",),
}
_NOT_MATRIX = frozenset(("i32",))


class VectorCycles(Schema):
    """Cycles that a row of lanes takes, by cost class (docs/sim_accel_isa.md, section 5)."""

    simple: PositiveInt = 1
    div: PositiveInt = 4
    func: PositiveInt = 8
    pow: PositiveInt = 16
    gather: PositiveInt = 4


class SimSection(Schema):
    """What only a simulated machine says; docs/sim_accel_isa.md, section 5 tells what each figure does.

    array: side of the matrix array. weight_buffers: 2 if weights are double-buffered. burst: bytes a contiguous
    run in DRAM is rounded up to. word: scratchpad bytes that a strided access takes. dma_bandwidth: of one DMA
    queue. instruction_energy: of the sequencer.
    """

    array: PositiveInt
    weight_buffers: Literal[1, 2] = 1
    dma_queues: int = Field(ge=1, le=isa.MAX_DMA_QUEUES)
    queue_depth: PositiveInt = 16
    dma_startup: Time
    dma_bandwidth: Bandwidth
    burst: Bytes = 64.0
    word: Bytes = 32.0
    vector_startup: Time
    vector_cycles: VectorCycles = VectorCycles()
    instruction_energy: Energy = 0.0


MACHINES = MachineFamily("sim_accel", SimSection, Path(__file__).parent / "machines")


def scratchpad(machine: Machine) -> Level:
    """The level that is the scratchpad: the only explicit one of scope ``core``."""
    found = [level for level in machine.levels if level.scope == "core" and level.kind == "explicit"]
    if len(found) != 1:
        raise MachineError(
            f"machine '{machine.name}': sim_accel needs exactly one level of scope 'core' and kind 'explicit', "
            "the scratchpad"
        )
    return found[0]


def _row_cycles(machine: Machine, array: int) -> tuple[dict[str, Fraction], dict[str, float]]:
    """Cycles a row and pJ a MAC, by type."""
    full = 2.0 * array * array * machine.clock
    rows: dict[str, Fraction] = {}
    energy: dict[str, float] = {}
    for engine in machine.engines_of("matrix"):
        for number_format, rate in engine.rates.items():
            if number_format not in FORMATS or number_format in _NOT_MATRIX:
                known = ", ".join(f for f in FORMATS if f not in _NOT_MATRIX)
                raise MachineError(
                    f"machine '{machine.name}': the matrix unit of sim_accel has no format {number_format}",
                    notes=(f"formats: {known}",),
                )
            cycles = Fraction(full / rate).limit_denominator(64)
            if not cycles or abs(float(cycles) * rate - full) > 1e-6 * full:
                raise MachineError(
                    f"machine '{machine.name}': {number_format} at {rate:.6g} op/s is no simple fraction "
                    f"of the array's {full:.6g} op/s",
                    notes=(
                        f"a {array}x{array} array does {array * array} MAC/cycle at full rate; "
                        f"write {array * array // 4} MAC/cycle for a quarter",
                    ),
                )
            for name in FORMATS[number_format]:
                rows[name] = cycles
                energy[name] = engine.energy.get(number_format, 0.0) * 2e12
    if not rows:
        raise MachineError(f"machine '{machine.name}': sim_accel needs an engine of kind 'matrix'")
    return rows, energy


def _lanes(machine: Machine) -> tuple[dict[str, int], float]:
    """Vector lanes by type, and pJ an element operation. Types not listed have f32's lanes, i64 half of them."""
    engines = machine.engines_of("vector")
    if len(engines) != 1 or "f32" not in engines[0].rates:
        raise MachineError(
            f"machine '{machine.name}': sim_accel needs one engine of kind 'vector', with a rate for f32"
        )
    rates, f32 = engines[0].rates, round(engines[0].rates["f32"] / machine.clock)
    lanes = {t: max(1, f32 // 2 if t == "i64" else f32) for t in isa.DTYPES}
    for number_format, names in FORMATS.items():
        for name in names:
            if number_format in rates:
                lanes[name] = max(1, round(rates[number_format] / machine.clock))
    if "i8" in rates:
        lanes["bool"] = lanes["i8"]
    return lanes, engines[0].energy.get("f32", 0.0) * 1e12


def sim_config(machine: Machine) -> SimConfig:
    """The simulator's view of a described machine. Raises MachineError for what the simulator cannot be."""
    section, clock = machine.section, machine.clock
    if not isinstance(section, SimSection):
        raise MachineError(f"machine '{machine.name}' has no [sim_accel] section")
    rows, pj_mac = _row_cycles(machine, section.array)
    lanes, pj_vec_op = _lanes(machine)
    local, dram = scratchpad(machine), machine.memory
    pico = 1e12
    return SimConfig(
        name=machine.name,
        clock_hz=clock,
        array=section.array,
        row_cycles=rows,
        weight_buffers=section.weight_buffers,
        sp_bytes=int(local.capacity),
        sp_bytes_per_cycle=local.bandwidth / clock,
        sp_word_bytes=int(section.word),
        dram_bytes_per_cycle=dram.bandwidth * dram.achievable / clock,
        dram_latency=round(dram.latency * clock),
        burst_bytes=int(section.burst),
        dma_queues=section.dma_queues,
        dma_startup=round(section.dma_startup * clock),
        dma_bytes_per_cycle=section.dma_bandwidth / clock,
        queue_depth=section.queue_depth,
        vec_startup=round(section.vector_startup * clock),
        lanes=lanes,
        vec_cycles={name: getattr(section.vector_cycles, name) for name in VECTOR_CLASSES},
        pj_mac=pj_mac,
        pj_sp_byte=(local.energy or 0.0) * pico,
        pj_dram_byte=(dram.energy or 0.0) * pico,
        pj_vec_op=pj_vec_op,
        pj_instr=section.instruction_energy * pico,
        pj_static_cycle=(machine.static_power or 0.0) / clock * pico,
    )


def load_config(name_or_path: str | Path) -> SimConfig:
    """The SimConfig of a machine that ships (``edge``, ``cloud``) or of a TOML file."""
    return sim_config(MACHINES.load(name_or_path))
