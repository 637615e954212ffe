"""Machine descriptions: what a good one gives, and that every error names file, line and field."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelc.core import units
from accelc.core.diagnostics import MachineError
from accelc.core.machine import MachineFamily, PositiveInt, Schema, Time
from accelc.core.toml_lines import key_lines


class ToySection(Schema):
    cores: PositiveInt
    startup: Time


TOYS = MachineFamily("toy", ToySection, Path(__file__).parent)

GOOD = """\
schema = 1
name = "toy-1"
clock = "1 GHz"

[[levels]]
name = "dram"
capacity = "80 GB"
bandwidth = "100 B/cycle"
latency = "500 cycles"
scope = "device"
kind = "explicit"
energy = "20 pJ/bit"

[[levels]]
name = "scratchpad"
capacity = "256 KiB"
bandwidth = "64 GB/s"
latency = "5 ns"
scope = "core"
kind = "explicit"

[[engines]]
name = "array"
kind = "matrix"
rates = { bf16 = "256 MAC/cycle", f32 = "100 GFLOP/s" }
energy = { bf16 = "0.4 pJ/MAC" }

[host]
link_bandwidth = "64 GB/s"
link_latency = "5 us"
rate = "1 TFLOP/s"
memory_bandwidth = "200 GB/s"

[toy]
cores = 4
startup = "20 cycles"
"""


def test_values_are_in_base_units() -> None:
    m = TOYS.parse(GOOD)
    assert m.clock == 1e9
    assert m.memory.capacity == 80e9
    assert m.memory.bandwidth == 100e9
    assert m.memory.latency == pytest.approx(500e-9)
    assert m.memory.energy == pytest.approx(160e-12)
    assert m.level("scratchpad").capacity == 256 * 1024
    assert m.engine("array").rate("bf16") == 512e9
    assert m.best_rate("matrix", "bf16") == 512e9
    assert m.best_rate("vector", "f32") == 0
    assert m.engine("array").energy["bf16"] == pytest.approx(0.2e-12)
    assert m.cores == 4
    assert m.section.startup == pytest.approx(20e-9)


def test_json_round_trip() -> None:
    m = TOYS.parse(GOOD)
    assert TOYS.from_json(m.to_json()) == m
    assert TOYS.from_json(m.to_json()).digest() == m.digest()
    with pytest.raises(MachineError, match="clock"):
        TOYS.from_json({**m.to_json(), "clock": None})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"80 GB"', '"80"', 'm.toml:7: levels[0].capacity: "80" has no unit'),
        ('"80 GB"', "80", "m.toml:7: levels[0].capacity: 80 has no unit"),
        ('"80 GB"', '"-80 GB"', "m.toml:7: levels[0].capacity: '-80 GB' is impossible"),
        ('"80 GB"', '"80 GHz"', 'm.toml:7: levels[0].capacity: "GHz" is not a unit of a size'),
        ('"80 GB"', '"80 gb"', 'did you mean "GB"?'),
        ('"80 GB"', '"1e999 GB"', 'm.toml:7: levels[0].capacity: "1e999 GB" is not a finite number'),
        ('"64 GB/s"\nlatency', '"0 GB/s"\nlatency', "m.toml:17: levels[1].bandwidth: '0 GB/s' is impossible"),
        ("bandwidth = ", "bandwith = ", "m.toml:8: levels[0].bandwith: unknown key; did you mean 'bandwidth'?"),
        ("cores = 4", "cores = 0", "m.toml:35: toy.cores: 0 is impossible"),
        ("cores = 4", "cores = 4.5", "m.toml:35: toy.cores"),
        (
            "bf16 = ",
            "fp8 = ",
            "m.toml:25: engines[0].rates.fp8: 'fp8' is not a number format; did you mean 'f8E4M3FN'?",
        ),
        ('"256 MAC/cycle"', '"256"', 'm.toml:25: engines[0].rates.bf16: "256" has no unit'),
        ('link_latency = "5 us"\n', "", "m.toml:28: host.link_latency: this key is missing"),
        ('"device"', '"devic"', "m.toml:10: levels[0].scope: 'devic' is impossible"),
        ('"explicit"', '"cache"', "m.toml:5: levels: the first level is the device's memory"),
        ('"scratchpad"', '"dram"', "two entries are named 'dram'"),
        ("schema = 1", "schema = 2", "m.toml:1: has schema 2; write: schema = 1"),
        ("schema = 1\n", "", "m.toml: has no 'schema' key"),
        ('"1 GHz"', '"0 GHz"', "m.toml:3: clock: '0 GHz' is impossible"),
        ('"toy-1"', '""', "m.toml:2: name"),
        ("[host]", "[hosts]", "m.toml:28: hosts: unknown key; did you mean 'host'?"),
        ('name = "toy-1"', 'name = "toy-1"\nbackend = "x"', "m.toml:3: backend: unknown key"),
        ("cores = 4", "cores = ", "m.toml: not valid TOML"),
    ],
)
def test_errors_name_file_line_and_field(old: str, new: str, message: str) -> None:
    with pytest.raises(MachineError) as caught:
        TOYS.parse(GOOD.replace(old, new, 1), "m.toml")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_error_of_a_file_is_told() -> None:
    broken = GOOD.replace('"5 ns"', '"5"').replace("cores = 4", "cores = -1")
    with pytest.raises(MachineError) as caught:
        TOYS.parse(broken, "m.toml")
    assert "toy.cores" in str(caught.value)
    assert "m.toml:18: levels[1].latency" in str(caught.value)


def test_missing_machine_and_file(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="toy has no machine 'nope'"):
        TOYS.load("nope")
    with pytest.raises(MachineError, match="cannot be read"):
        TOYS.load(str(tmp_path / "x.toml"))
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(MachineError, match="not a text file"):
        TOYS.load(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text(GOOD)
    assert TOYS.load(tmp_path / "x.toml").name == "toy-1"


def test_key_lines_see_through_strings_and_arrays() -> None:
    text = 'a = """\n[no]\nb = 1\n"""\n[t]\nc = [\n  1, # [\n  2,\n]\nd.e = "x = [1"\n'
    text += "[[u]]\nf = 1\n[[u]]\nf = 2\n[u.v]\ng = 3\n"
    assert key_lines(text) == {
        ("a",): 1,
        ("t",): 5,
        ("t", "c"): 6,
        ("t", "d", "e"): 10,
        ("u", 0): 11,
        ("u", 0, "f"): 12,
        ("u", 1): 13,
        ("u", 1, "f"): 14,
        ("u", 1, "v"): 15,
        ("u", 1, "v", "g"): 16,
    }


@given(st.text(alphabet=string.printable, max_size=200))
def test_key_lines_never_fails(text: str) -> None:
    key_lines(text)


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("1.6 TB/s", units.BANDWIDTH, 1.6e12),
        ("192 KiB", units.BYTES, 192 * 1024),
        ("1.1GHz", units.FREQUENCY, 1.1e9),
        ("120 ns", units.TIME, 120e-9),
        ("5 µs", units.TIME, 5e-6),
        ("2.1 pJ", units.ENERGY, 2.1e-12),
        ("989 TFLOP/s", units.RATE, 989e12),
        ("1 TMAC/s", units.RATE, 2e12),
        ("8 pJ/bit", units.ENERGY_PER_BYTE, 64e-12),
        ("700 W", units.POWER, 700),
    ],
)
def test_quantities(text: str, dimension: units.Dimension, value: float) -> None:
    assert units.parse_quantity(text, dimension) == value


@given(st.text(max_size=30))
def test_a_quantity_is_a_finite_number_or_a_value_error(text: str) -> None:
    try:
        value = units.parse_quantity(text, units.BANDWIDTH, 1e9)
    except ValueError:
        return
    assert abs(value) < float("inf")


def test_huge_exponents_are_cheap() -> None:
    assert units.parse_quantity("1e-999999999 B", units.BYTES) == 0
    with pytest.raises(ValueError, match="finite"):
        units.parse_quantity("1e999999999 B", units.BYTES)


@given(st.floats(1e-14, 1e17))
def test_format_keeps_three_digits(value: float) -> None:
    text = units.format_quantity(value, "B/s").replace("µ", "u")
    number, unit = text.split(" ")
    scale = {
        "f": 1e-15,
        "p": 1e-12,
        "n": 1e-9,
        "u": 1e-6,
        "m": 1e-3,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
        "T": 1e12,
        "P": 1e15,
    }
    assert float(number) * scale.get(unit[:-3], 1.0) == pytest.approx(value, rel=6e-3)


def test_a_file_names_its_backend_by_its_section(tmp_path: Path) -> None:
    """Any backend's, a new one's too; [host] stands in every file and names none."""
    from accelc.core.target import parse_target

    path = tmp_path / "m.toml"
    path.write_text("schema = 1\n[host]\nrate = 1\n[npu]\nlanes = 4\n")
    assert parse_target(str(path), ("host", "gpu", "npu")) == ("npu", str(path))
    with pytest.raises(MachineError, match=r"m.toml: has no section .* it must have one of \[gpu\]"):
        parse_target(str(path), ("host", "gpu"))
