"""
The C++ core of the simulated accelerator; use accelc.targets.sim_accel.simulator.
"""

from typing import Any


class FormatError(ValueError):
    pass

def run(program: bytes, config: dict[str, Any], options: dict[str, Any], dram: list[tuple[int, Any, bool]], regs: dict[int, int], variant: str) -> dict[str, Any]:
    """
    Runs an encoded program; the report as a dict. Raises FormatError for a malformed program.
    """

def decode(program: bytes) -> int:
    """
    Checks an encoded program; its number of instructions. Raises FormatError.
    """

def variants() -> list[str]:
    """
    The kernel variants that this CPU can run, best first; all give the same bits.
    """
