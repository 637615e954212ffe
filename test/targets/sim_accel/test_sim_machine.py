"""The machines that ship, and what a description of a simulated accelerator may not say."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accelc.core.diagnostics import MachineError, UsageError
from accelc.targets.sim_accel.config import SimConfig
from accelc.targets.sim_accel.machine import MACHINES, load_config, sim_config

EDGE = (MACHINES.folder / "edge.toml").read_text()


def test_edge() -> None:
    edge = load_config("edge")
    assert (edge.array, edge.sp_bytes, edge.dram_bytes_per_cycle) == (16, 256 * 1024, 25.6)
    assert edge.row_cycles == {"i8": 1, "u8": 1, "bf16": 1}
    edge.check()


def test_cloud() -> None:
    cloud = load_config("cloud")
    assert (cloud.array, cloud.sp_bytes) == (128, 16 << 20)
    assert cloud.row_cycles["f32"] == 4
    assert all(cloud.row_cycles[t] == 1 for t in ("bf16", "e4m3", "e5m2", "i8"))
    assert "f16" not in cloud.row_cycles
    cloud.check()


def test_resolved_machine_gives_the_same_config() -> None:
    machine = MACHINES.load("cloud")
    assert sim_config(MACHINES.from_json(machine.to_json())) == sim_config(machine)


def test_rates_become_fractions() -> None:
    text = EDGE.replace('i8 = "256 MAC/cycle"', 'i8 = "512 MAC/cycle"').replace('clock = "1 GHz"', 'clock = "1.37 GHz"')
    assert sim_config(MACHINES.parse(text)).row_cycles["i8"] == Fraction(1, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('bf16 = "256 MAC/cycle"', 'bf16 = "255.5 MAC/cycle"', "no simple fraction"),
        ('bf16 = "256 MAC/cycle"', 'f64 = "256 MAC/cycle"', "has no format f64"),
        ('kind = "matrix"', 'kind = "special"', "kind 'matrix'"),
        ('kind = "vector"', 'kind = "special"', "kind 'vector'"),
        ('scope = "core"', 'scope = "device"', "the scratchpad"),
        ("dma_queues = 2", "dma_queues = 9", "dma_queues"),
        ("array = 16", "aray = 16", "did you mean 'array'"),
    ],
)
def test_impossible_machines(old: str, new: str, message: str) -> None:
    assert old in EDGE
    with pytest.raises(MachineError) as caught:
        sim_config(MACHINES.parse(EDGE.replace(old, new, 1)))
    assert message in str(caught.value)


def test_impossible_configs() -> None:
    for bad in (
        SimConfig(array=0),
        SimConfig(dma_queues=9),
        SimConfig(lanes={}),
        SimConfig(row_cycles={"f64": Fraction(1)}),
        SimConfig(sp_bytes=-1),
    ):
        with pytest.raises(UsageError):
            bad.check()
