"""The committed stub of the native module says what the module has."""

from pathlib import Path

from nanobind.stubgen import StubGen

import accelc.targets.host as host
from accelc.targets.host import _host


def test_stub_is_fresh() -> None:
    generator = StubGen(_host)
    generator.put(_host)
    committed = (Path(host.__file__).parent / "_host.pyi").read_text()
    assert generator.get().split() == committed.split()
