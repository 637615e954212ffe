"""Kernels of every family on both machines: right beside numpy, and free of hazards."""

from __future__ import annotations

import pytest
from codegen_cases import CASES
from codegen_helpers import check, machine_named, random_arrays, reference, relative_error, tiled_results


@pytest.mark.parametrize("machine", ["cloud", "edge"])
@pytest.mark.parametrize("name", CASES)
def test_kernel(name: str, machine: str) -> None:
    specs, body, tolerance = CASES[name]
    check(specs, body, machine, tolerance)


# On edge most of these have several tiles; long ones are left out, the interpreter being slow.
TILED = [n for n in CASES if n not in ("rows/softmax-long", "contraction/large", "pointwise/large")]


@pytest.mark.parametrize("name", TILED)
def test_tiled_stage_on_the_interpreter(name: str) -> None:
    specs, body, tolerance = CASES[name]
    arrays = random_arrays(specs)
    wanted = reference(specs, body, arrays)
    got = tiled_results(specs, body, machine_named("edge"), arrays)
    for a, b in zip(got, wanted, strict=True):
        assert relative_error(a.reshape(b.shape).view(b.dtype), b) <= max(tolerance, 1e-6)
