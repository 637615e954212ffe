"""What a cost model answers: a `CostReport`, made of one `LaunchCost` a launch.

All targets use these, whether their figures come from a formula or from a simulator. Times are in seconds, energies in
joules, sizes in bytes; None means that the machine's description does not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Bound = Literal["compute", "memory", "latency", "launch", "host"]


@dataclass(frozen=True)
class LaunchCost:
    """One launch of a kernel.

    kernel: its name in the plan. nodes: the model's nodes that it computes. device: ``target`` or ``host``.
    seconds: from the end of what came before to its own end, overhead included.
    overhead_s: of that, launching and waiting for the first bytes.
    bound: what more of would make it faster: ``compute``, ``memory``, ``latency`` (of memory), ``launch``, or ``host``
        (it runs there).
    macs, bytes_moved: multiply-accumulates; bytes over the outermost memory's pins (over the link, for ``host``).
    peak_macs_s: MACs a second at the machine's peak in the number format used; 0 where the kernel has none.
    energy: joules by part (``dram``, ``matrix``, ...); empty where it is not known.
    """

    kernel: str
    kind: str
    nodes: tuple[str, ...]
    seconds: float
    bound: Bound
    macs: int
    bytes_moved: float
    device: str = "target"
    overhead_s: float = 0.0
    peak_macs_s: float = 0.0
    energy: Mapping[str, float] = field(default_factory=dict)

    @property
    def utilization(self) -> float | None:
        """MACs over what the peak would have done in the time; None for a kernel without MACs."""
        if not self.macs or not self.peak_macs_s or not self.seconds:
            return None
        return self.macs / (self.seconds * self.peak_macs_s)


@dataclass(frozen=True)
class CostReport:
    """What a model costs on a machine.

    source: ``analytical`` or ``simulated``. clock: Hz. peak_bandwidth: bytes/s of the outermost memory.
    max_power: W that the machine never exceeds: with the time, a limit to the energy.
    extra: further figures of one target, by name (JSON values).
    """

    target: str
    precision: str
    source: Literal["analytical", "simulated"]
    launches: tuple[LaunchCost, ...]
    clock: float
    peak_bandwidth: float
    max_power: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """One run of the model: its launches one after another."""
        return sum(launch.seconds for launch in self.launches)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all launches."""
        return sum(launch.macs for launch in self.launches)

    @property
    def bytes_moved(self) -> float:
        """Bytes over the outermost memory's pins."""
        return sum(launch.bytes_moved for launch in self.launches)

    @property
    def energy_parts(self) -> dict[str, float] | None:
        """Joules by part, summed over launches; None unless every launch has them."""
        if not self.launches or not all(launch.energy for launch in self.launches):
            return None
        parts: dict[str, float] = {}
        for launch in self.launches:
            for part, joules in launch.energy.items():
                parts[part] = parts.get(part, 0.0) + joules
        return dict(sorted(parts.items()))

    @property
    def energy(self) -> float | None:
        """Joules of one run: the sum of `energy_parts`."""
        parts = self.energy_parts
        return None if parts is None else sum(parts.values())

    @property
    def energy_limit(self) -> float | None:
        """Joules that one run cannot exceed: the time at `max_power`; None where that is not known."""
        return None if self.max_power is None else self.max_power * self.seconds

    @property
    def utilization(self) -> float | None:
        """MACs over what the peaks of the formats used would have done in the time of the whole run."""
        ideal = sum(launch.macs / launch.peak_macs_s for launch in self.launches if launch.peak_macs_s)
        return ideal / self.seconds if ideal and self.seconds else None

    @property
    def bandwidth_utilization(self) -> float | None:
        """Bytes moved over what the outermost memory's peak would have moved in the time."""
        return self.bytes_moved / (self.seconds * self.peak_bandwidth) if self.seconds and self.peak_bandwidth else None

    def seconds_by_bound(self) -> dict[str, float]:
        """Seconds by what bounds them, the largest first. A launch's overhead counts as ``launch``."""
        parts: dict[str, float] = {}
        for launch in self.launches:
            parts[launch.bound] = parts.get(launch.bound, 0.0) + launch.seconds - launch.overhead_s
            parts["launch"] = parts.get("launch", 0.0) + launch.overhead_s
        return dict(sorted(((k, v) for k, v in parts.items() if v > 0), key=lambda item: (-item[1], item[0])))

    @property
    def bound(self) -> str:
        """What most of the time is bound by."""
        return next(iter(self.seconds_by_bound()), "launch")

    def top(self, count: int) -> list[KernelCost]:
        """The kernels that take the most time, all launches of one kernel together."""
        return kernel_costs(self.launches)[:count]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, totals included."""
        return {
            "target": self.target,
            "precision": self.precision,
            "source": self.source,
            "seconds": self.seconds,
            "throughput": 1 / self.seconds if self.seconds else None,
            "cycles": round(self.seconds * self.clock),
            "energy_j": self.energy,
            "energy_limit_j": self.energy_limit,
            "energy_parts_j": self.energy_parts,
            "bytes_moved": self.bytes_moved,
            "macs": self.macs,
            "utilization": self.utilization,
            "bandwidth_utilization": self.bandwidth_utilization,
            "bound": self.bound,
            "seconds_by_bound": self.seconds_by_bound(),
            "kernels": [asdict(k) for k in kernel_costs(self.launches)],
            "extra": dict(self.extra),
        }


@dataclass(frozen=True)
class KernelCost:
    """All launches of one kernel together."""

    kernel: str
    kind: str
    nodes: tuple[str, ...]
    launches: int
    seconds: float
    bound: str
    macs: int
    bytes_moved: float
    utilization: float | None
    device: str


def kernel_costs(launches: Sequence[LaunchCost]) -> list[KernelCost]:
    """Launches grouped by kernel, the most expensive first."""
    groups: dict[str, list[LaunchCost]] = {}
    for launch in launches:
        groups.setdefault(launch.kernel, []).append(launch)
    costs = [_group(name, group) for name, group in groups.items()]
    return sorted(costs, key=lambda c: (-c.seconds, c.kernel))


def _group(name: str, group: list[LaunchCost]) -> KernelCost:
    seconds = sum(launch.seconds for launch in group)
    ideal = sum(launch.macs / launch.peak_macs_s for launch in group if launch.peak_macs_s)
    return KernelCost(
        kernel=name,
        kind=group[0].kind,
        nodes=tuple(dict.fromkeys(node for launch in group for node in launch.nodes)),
        launches=len(group),
        seconds=seconds,
        bound=group[0].bound,
        macs=sum(launch.macs for launch in group),
        bytes_moved=sum(launch.bytes_moved for launch in group),
        utilization=ideal / seconds if ideal and seconds else None,
        device=group[0].device,
    )
