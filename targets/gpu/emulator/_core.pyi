# mypy: disable-error-code=type-arg
"""The PTX emulator's core."""

from collections.abc import Sequence
from typing import Annotated

import numpy
from numpy.typing import NDArray


class LaunchError(ValueError):
    pass

class Region:
    """Memory of Python's, behind a virtual address."""

    def __init__(self, address: int, memory: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], name: str, writable: bool, initialized: bool) -> None: ...

    @property
    def address(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    def mark_written(self, offset: int, bytes: int) -> None:
        """The host wrote these bytes."""

    def inherit(self, from_region: Region) -> None:
        """Takes over which bytes are written of another region."""

class Module:
    """A PTX text, parsed and decoded."""

    def __init__(self, ptx: str) -> None: ...

    def entries(self) -> list:
        """The kernels, in the order of the text."""

    def parameters(self, entry: str) -> list:
        """(name, type, bytes, align, offset) of each parameter."""

    def parameter_bytes(self, entry: str) -> int: ...

    def cluster(self, entry: str) -> tuple:
        """The cluster that the kernel wants; (1, 1, 1) if none."""

    def opcodes(self, entry: str) -> list[str]:
        """Names that the counters' opcode column means."""

    def files(self, entry: str) -> list[str]:
        """Names that the counters' file column means."""

    def take_address(self, bytes: int) -> int: ...

    def mark_addresses(self) -> int: ...

    def rewind_addresses(self, mark: int) -> None: ...

    def symbols(self) -> list:
        """The names of the variables."""

    def symbol(self, name: str) -> object:
        """(address, its bytes) of a variable; None if there is none."""

    def launch(self, entry: str, grid: tuple[int, int, int], block: tuple[int, int, int], cluster: tuple[int, int, int], parameters: bytes, regions: Sequence[Region], dynamic_shared: int, sanitize: bool, cooperative: bool, threads: int, max_steps: int, max_findings: int, stack_bytes: int) -> dict: ...

def forms() -> list:
    """Every supported form: (opcode, modifiers, operands)."""

def refused() -> list:
    """What is known and not supported: (opcode, reason)."""

def dump(ptx: str) -> str:
    """
    The module as the parser understood it, as PTX again; names are not resolved.
    """
