"""
The host's runtime core: tables of kernel calls, run by a pool of threads.
"""

from collections.abc import Sequence

class Program:
    """A table of steps over a table of buffers, run by `threads` threads."""

    def __init__(self, threads: int, buffers: int) -> None: ...
    def add_step(self, kernel: int, tiles: int, buffers: Sequence[int]) -> None:
        """
        Adds a call of the kernel at an address with these buffers (and the thread's workspace after them).
        """

    def add_copy(self, source: int, destination: int, size: int) -> None:
        """
        Adds a copy between buffers; `size` is a buffer whose address is the number of bytes.
        """

    def bind(self, buffer: int, address: int) -> None:
        """Says where a buffer is."""

    def bind_workspace(self, thread: int, address: int) -> None:
        """Says where a thread's workspace is."""

    def run(self) -> None:
        """Runs all steps."""

    def run_timed(self) -> list[float]:
        """Runs all steps; returns the seconds that each one took."""

    @property
    def steps(self) -> int:
        """How many steps there are."""

    @property
    def threads(self) -> int:
        """How many threads run them."""
