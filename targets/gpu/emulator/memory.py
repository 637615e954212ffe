"""Device memory that outlives a launch: buffers, regions of them, and module variables."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from accelc.targets.gpu.emulator.errors import LaunchError
from accelc.targets.gpu.emulator.native import Core

Bytes = NDArray[np.uint8]


class CoreModule(Protocol):
    """What of the core's Module is used here."""

    def take_address(self, nbytes: int, /) -> int: ...


class Memory:
    """Bytes of the device that the host copies in and out.

    Attributes: address (virtual), nbytes.
    """

    def __init__(self, address: int, memory: Bytes) -> None:
        self.address = address
        self._memory = memory

    @property
    def nbytes(self) -> int:
        """Its length."""
        return int(self._memory.nbytes)

    def _span(self, nbytes: int, offset: int) -> slice:
        if offset < 0 or nbytes < 0 or offset + nbytes > self.nbytes:
            raise LaunchError(f"bytes {offset} to {offset + nbytes} of memory of {self.nbytes}")
        return slice(offset, offset + nbytes)

    def write(self, data: bytes | NDArray[Any], offset: int = 0) -> None:
        """Copies `data` to `offset` bytes from the start.

        Raises:
            LaunchError: it does not fit.
        """
        raw = (
            np.frombuffer(data, np.uint8)
            if isinstance(data, bytes)
            else np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        )
        self._memory[self._span(raw.nbytes, offset)] = raw

    def read(self, nbytes: int | None = None, offset: int = 0) -> bytes:
        """A copy of `nbytes` (default: the rest) from `offset` on.

        Raises:
            LaunchError: they reach beyond its end.
        """
        return self._memory[self._span(self.nbytes - offset if nbytes is None else nbytes, offset)].tobytes()

    def array(self, dtype: Any, shape: int | tuple[int, ...] = -1, offset: int = 0) -> NDArray[Any]:
        """A copy as an array of a numpy dtype and shape (default: 1-d, all that is there)."""
        dt = np.dtype(dtype)
        if shape == -1:
            shape = (self.nbytes - offset) // dt.itemsize
        count = int(np.prod(shape))
        return np.frombuffer(self.read(count * dt.itemsize, offset), dt).reshape(shape).copy()


class Symbol(Memory):
    """A variable of the module."""


class Region(Memory):
    """Bytes [offset, offset + length) of a buffer, with bounds of their own. Passed to a launch it is its address."""

    def __init__(self, native: Any, memory: Bytes) -> None:
        super().__init__(int(native.address), memory)
        self._native = native

    def write(self, data: bytes | NDArray[Any], offset: int = 0) -> None:
        """Copies `data` to `offset` bytes from the start; these bytes are then written.

        Raises:
            LaunchError: it does not fit.
        """
        super().write(data, offset)
        self._native.mark_written(offset, len(data) if isinstance(data, bytes) else data.nbytes)


class Buffer(Region):
    """Device memory of `nbytes`, unwritten at first. While no region was made of it, all of it may be accessed;
    afterwards only its regions.
    """

    def __init__(self, core: Core, module: CoreModule, nbytes: int, name: str) -> None:
        if nbytes < 0:
            raise LaunchError(f"a buffer of {nbytes} bytes")
        memory = np.zeros(nbytes, np.uint8)
        super().__init__(core.Region(module.take_address(nbytes), memory, name, True, False), memory)
        self._core = core
        self._name = name
        self._regions: dict[tuple[int, int], Region] = {}

    def region(self, offset: int, length: int) -> Region:
        """Bytes [offset, offset + length) as memory of its own: an access beyond them is out of bounds.

        Raises:
            LaunchError: it lies outside of the buffer, or overlaps another region of it in part.
        """
        span = self._span(length, offset)
        if (offset, length) in self._regions:
            return self._regions[offset, length]
        for low, size in self._regions:
            if offset < low + size and low < offset + length:
                raise LaunchError(
                    f"region [{offset}, {offset + length}) overlaps [{low}, {low + size}) of the same buffer"
                )
        memory = self._memory[span]
        native = self._core.Region(
            self.address + offset, memory, f"{self._name}[{offset}:{offset + length}]", True, False
        )
        native.inherit(self._native)
        result = Region(native, memory)
        self._regions[offset, length] = result
        return result

    def write(self, data: bytes | NDArray[Any], offset: int = 0) -> None:
        """Copies `data` to `offset` bytes from the start, into the regions that lie there too."""
        super().write(data, offset)
        size = len(data) if isinstance(data, bytes) else data.nbytes
        for (low, length), region in self._regions.items():
            begin, end = max(low, offset), min(low + length, offset + size)
            if begin < end:
                region._native.mark_written(begin - low, end - begin)

    def accessible(self) -> list[Any]:
        """The core's regions that a launch may access."""
        return [r._native for r in self._regions.values()] if self._regions else [self._native]
