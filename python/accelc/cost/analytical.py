"""The analytical cost model: a roofline for each launch, with what keeps real kernels below it.

A launch takes its overhead, the latency of the first bytes, and the longer of computing and moving bytes. A machine's
family refines how long contractions take (`ContractionModel`): tiles and waves on a GPU. `docs/cost.md` has the
formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accelc.core.machine import Machine
from accelc.core.plan import Copy, Launch, Plan
from accelc.cost.analysis import Gemm, KernelWork, kernel_works
from accelc.cost.model import Bound, CostReport, LaunchCost
from accelc.cost.traffic import CacheModel, gemm_reads, on_chip_bytes

# A rate in FLOP/s counts a fused multiply-add twice; a lone operation uses the same issue slot.
_LONE_OPERATION = 2.0
# Polynomials and range reduction around a special function.
_VECTOR_OPS_PER_SPECIAL = 4

ContractionModel = Callable[[Machine, Gemm, str], float]


@dataclass(frozen=True)
class KernelTime:
    """Where a launch's time goes, in seconds; `total` is what it takes."""

    compute: float
    memory: float
    latency: float
    overhead: float

    @property
    def total(self) -> float:
        """Overhead and latency, then computing and moving bytes at the same time."""
        return self.overhead + self.latency + max(self.compute, self.memory)

    @property
    def bound(self) -> Bound:
        """The largest part."""
        parts: dict[Bound, float] = {
            "compute": self.compute,
            "memory": self.memory,
            "latency": self.latency,
            "launch": self.overhead,
        }
        return max(parts, key=lambda name: parts[name])


def matrix_format(machine: Machine, number_format: str, precision: str) -> str:
    """The format in which a contraction's products are made: tf32 for f32 where the policy allows and there is one."""
    if number_format == "f32" and precision != "strict" and machine.best_rate("matrix", "tf32"):
        return "tf32"
    return number_format


def peak_rate(machine: Machine, number_format: str) -> float:
    """The highest rate in operations/s for contractions in a format, on any engine.

    Where no engine has the format, the vector unit works in f32.
    """
    rates = [machine.best_rate(kind, number_format) for kind in ("matrix", "vector")]
    fallback = max((e.rates.get("f32", 0.0) for e in machine.engines if e.kind != "special"), default=0.0)
    return max(rates) or fallback or max(max(e.rates.values()) for e in machine.engines)


def roofline_contraction(machine: Machine, gemm: Gemm, number_format: str) -> float:
    """Seconds of a contraction at the best engine's achievable rate."""
    best = 0.0
    for engine in machine.engines:
        if engine.kind != "special":
            best = max(best, engine.rates.get(number_format, 0.0) * engine.achievable)
    return 2 * gemm.macs / (best or peak_rate(machine, number_format))


def elementwise_seconds(machine: Machine, work: KernelWork) -> float:
    """Seconds of the operations outside contractions, on vector and special units at once."""
    vector = max((e.rates.get("f32", 0.0) * e.achievable for e in machine.engines_of("vector")), default=0.0)
    vector = vector or peak_rate(machine, "f32")
    special = max((e.rates.get("f32", 0.0) * e.achievable for e in machine.engines_of("special")), default=0.0)
    operations = work.vector_ops + _VECTOR_OPS_PER_SPECIAL * work.special_ops
    if special:
        return max(operations * _LONE_OPERATION / vector, work.special_ops / special)
    return (operations + 4 * _VECTOR_OPS_PER_SPECIAL * work.special_ops) * _LONE_OPERATION / vector


def kernel_bytes(machine: Machine, work: KernelWork, cached: float = 0.0) -> float:
    """Bytes over the outermost memory's pins: operands read (again where blocks do not fit), outputs written.

    ``cached``: bytes of inputs that are on the chip already.
    """
    reads = float(work.bytes_in)
    for gemm in work.gemms:
        # What blocking reads beyond each operand once.
        reads += gemm_reads(gemm, on_chip_bytes(machine)) - gemm_reads(gemm, float("inf"))
    return max(0.0, reads - min(cached, work.bytes_in)) + work.bytes_out


def kernel_time(
    machine: Machine,
    work: KernelWork,
    precision: str,
    contraction: ContractionModel = roofline_contraction,
    *,
    overhead: float = 0.0,
    cached: float = 0.0,
) -> KernelTime:
    """Where the time of one launch of ``work`` goes."""
    compute = elementwise_seconds(machine, work)
    for gemm in work.gemms:
        compute += contraction(machine, gemm, matrix_format(machine, gemm.format, precision))
    memory = machine.memory
    return KernelTime(
        compute=compute,
        memory=kernel_bytes(machine, work, cached) / (memory.bandwidth * memory.achievable),
        latency=memory.latency,
        overhead=overhead,
    )


def host_seconds(machine: Machine, work: KernelWork) -> float:
    """Seconds of a launch that is placed on the host: operands over the link and back, and the host's own roofline.

    Constants lie on the host already. It never costs nothing: the link's latency is paid both ways.
    """
    host = machine.host
    crossing = sum(o.touched for o in work.inputs if not o.constant) + work.bytes_out
    busy = max(work.flops / host.rate, (work.bytes_in + work.bytes_out) / host.memory_bandwidth)
    return 2 * host.link_latency + crossing / host.link_bandwidth + busy


def launch_energy(machine: Machine, work: KernelWork, precision: str, moved: float, seconds: float) -> dict[str, float]:
    """Joules by part; empty unless the description has the energy of the outermost memory and of every format used."""
    if machine.memory.energy is None:
        return {}
    parts = {"dram": moved * machine.memory.energy}
    for gemm in work.gemms:
        per_op = _energy_per_op(machine, matrix_format(machine, gemm.format, precision))
        if per_op is None:
            return {}
        part = f"matrix.{gemm.format}"
        parts[part] = parts.get(part, 0.0) + 2 * gemm.macs * per_op
    lone = sum(work.ops.values())
    if lone:
        per_op = min((e.energy["f32"] for e in machine.engines_of("vector") if "f32" in e.energy), default=None)
        if per_op is None:
            return {}
        parts["vector"] = lone * per_op
    if machine.static_power is not None:
        parts["static"] = machine.static_power * seconds
    return parts


def _energy_per_op(machine: Machine, number_format: str) -> float | None:
    known = [e.energy[number_format] for e in machine.engines if number_format in e.energy]
    return min(known, default=None)


def predict(
    module: Any,
    machine: Machine,
    precision: str,
    *,
    contraction: ContractionModel = roofline_contraction,
    overhead: float = 0.0,
) -> CostReport:
    """What the plan of a module at the `kernels` stage costs on ``machine``."""
    from accelc.dialects import plan as plan_dialect

    return predict_plan(
        plan_dialect.export(module.operation),
        kernel_works(module),
        machine,
        precision,
        contraction=contraction,
        overhead=overhead,
    )


def predict_plan(
    plan: Plan,
    works: Mapping[str, KernelWork],
    machine: Machine,
    precision: str,
    *,
    contraction: ContractionModel = roofline_contraction,
    overhead: float = 0.0,
) -> CostReport:
    """As `predict`, from a plan and the work of its kernels."""
    cache = CacheModel(plan, _cache_bytes(machine))
    launches = []
    for launch in plan.steps:
        if isinstance(launch, Copy):
            launches.append(_copy(machine, 2.0 * plan.buffers[launch.source].nbytes, overhead))
            continue
        cached = cache.touch(dict.fromkeys(launch.inputs))
        cache.touch(dict.fromkeys(launch.outputs))
        work = works[launch.kernel]
        if launch.device == "host":
            launches.append(_host_launch(machine, launch, work))
            continue
        time = kernel_time(machine, work, precision, contraction, overhead=overhead, cached=cached)
        launches.append(_device_launch(machine, launch, work, precision, time, cached))
    return CostReport(
        target=f"{machine.backend}:{machine.name}",
        precision=precision,
        source="analytical",
        launches=tuple(launches),
        clock=machine.clock,
        peak_bandwidth=machine.memory.bandwidth,
        max_power=machine.max_power,
    )


def _cache_bytes(machine: Machine) -> float:
    # Explicit memories keep nothing between kernels: each kernel starts with its own view of them.
    return max(
        (level.capacity for level in machine.levels[1:] if level.kind == "cache" and level.scope == "device"),
        default=0.0,
    )


def _device_launch(
    machine: Machine, launch: Launch, work: KernelWork, precision: str, time: KernelTime, cached: float
) -> LaunchCost:
    moved = kernel_bytes(machine, work, cached)
    rates = {g.format: peak_rate(machine, matrix_format(machine, g.format, precision)) for g in work.gemms}
    ideal = sum(2 * g.macs / rates[g.format] for g in work.gemms)
    return LaunchCost(
        kernel=launch.kernel,
        kind=work.kind,
        nodes=launch.provenance,
        seconds=time.total,
        bound=time.bound,
        macs=work.macs,
        bytes_moved=moved,
        overhead_s=time.overhead,
        peak_macs_s=work.macs / ideal if ideal else 0.0,
        energy=launch_energy(machine, work, precision, moved, time.total),
    )


def _copy(machine: Machine, moved: float, overhead: float) -> LaunchCost:
    """A copy from memory to memory: read once, written once."""
    transfer = moved / machine.memory.bandwidth
    dram = machine.memory.energy
    return LaunchCost(
        kernel="copy",
        kind="copy",
        nodes=(),
        seconds=overhead + transfer,
        bound="memory" if transfer >= overhead else "launch",
        macs=0,
        bytes_moved=moved,
        overhead_s=overhead,
        energy={"dram": moved * dram} if dram is not None else {},
    )


def _host_launch(machine: Machine, launch: Launch, work: KernelWork) -> LaunchCost:
    crossing = float(sum(o.touched for o in work.inputs if not o.constant) + work.bytes_out)
    energy = {"link": crossing * machine.host.link_energy} if machine.host.link_energy is not None else {}
    return LaunchCost(
        kernel=launch.kernel,
        kind=work.kind,
        nodes=launch.provenance,
        seconds=host_seconds(machine, work),
        bound="host",
        macs=work.macs,
        bytes_moved=crossing,
        device="host",
        peak_macs_s=machine.host.rate / 2,
        energy=energy,
    )
