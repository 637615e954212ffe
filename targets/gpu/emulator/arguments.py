"""Python values become the bytes of a kernel's parameters, and numpy arrays device memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from accelc.targets.gpu.emulator.errors import LaunchError
from accelc.targets.gpu.emulator.memory import Region, Symbol
from accelc.targets.gpu.emulator.native import Core
from accelc.targets.gpu.emulator.tensor_map import TensorMap


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter: its PTX type ("u64", "f32", "b8" with bytes > 1: a struct), size and place."""

    name: str
    type: str
    bytes: int
    align: int
    offset: int

    def __str__(self) -> str:
        return f".{self.type} {self.name}" + (f"[{self.bytes}]" if self.type == "b8" and self.bytes > 1 else "")


class Arguments:
    """Gathers the parameter bytes of a launch and the regions behind its numpy arrays."""

    def __init__(self, core: Core, module: Any, parameters: Sequence[Parameter], size: int) -> None:
        self._core, self._module, self._parameters = core, module, parameters
        self.bytes = bytearray(size)
        self.regions: list[Any] = []
        self._arrays: dict[tuple[int, int], Any] = {}

    def fill(self, args: Sequence[Any]) -> None:
        """Packs all of `args`.

        Raises:
            LaunchError: the number, a type or a range does not fit.
        """
        if len(args) != len(self._parameters):
            wanted = ", ".join(map(str, self._parameters)) or "none"
            raise LaunchError(
                f"the kernel takes {len(self._parameters)} arguments ({wanted}), and {len(args)} are given"
            )
        for index, (arg, parameter) in enumerate(zip(args, self._parameters, strict=True)):
            raw = self._pack(arg, parameter, index)
            if len(raw) != parameter.bytes:
                raise LaunchError(
                    f"argument {index}: {len(raw)} bytes for parameter {parameter}, which has {parameter.bytes}"
                )
            self.bytes[parameter.offset : parameter.offset + parameter.bytes] = raw

    def _pack(self, arg: Any, p: Parameter, index: int) -> bytes:
        if isinstance(arg, TensorMap):
            return arg.encode(self._tensor_address(arg, index))
        if isinstance(arg, np.ndarray):
            return self._pointer(self._place(arg, index), p, index)
        if isinstance(arg, Region | Symbol):
            return self._pointer(arg.address, p, index)
        if arg is None:
            return self._pointer(0, p, index)
        if isinstance(arg, bytes | bytearray | memoryview):
            return bytes(arg)
        if isinstance(arg, np.generic):
            if arg.dtype.itemsize == p.bytes and arg.dtype.kind != "b":
                return arg.tobytes()
            arg = arg.item()
        if isinstance(arg, bool | int):
            return self._integer(int(arg), p, index)
        if isinstance(arg, float):
            return self._float(arg, p, index)
        raise LaunchError(
            f"argument {index}: a {type(arg).__name__} for parameter {p}",
            notes=("an argument is a numpy array, a buffer, a TensorMap, bytes, an int, a float, or None",),
        )

    def _pointer(self, address: int, p: Parameter, index: int) -> bytes:
        if p.bytes != 8:
            raise LaunchError(f"argument {index}: an address for parameter {p} of {p.bytes} bytes")
        return address.to_bytes(8, "little")

    def _integer(self, value: int, p: Parameter, index: int) -> bytes:
        if p.type in ("f32", "f64", "f16", "bf16"):
            return self._float(float(value), p, index)
        if p.bytes > 8 or (p.type == "b8" and p.bytes != 1):
            raise LaunchError(f"argument {index}: an integer for parameter {p}; a struct is given as bytes")
        bits = 8 * p.bytes
        if not -(1 << (bits - 1)) <= value < 1 << bits:
            raise LaunchError(f"argument {index}: {value} does not fit in parameter {p}")
        return (value & ((1 << bits) - 1)).to_bytes(p.bytes, "little")

    def _float(self, value: float, p: Parameter, index: int) -> bytes:
        if p.type == "bf16":
            return np.array(value, ml_dtypes.bfloat16).tobytes()
        formats = {2: "<e", 4: "<f", 8: "<d"}
        if p.bytes not in formats or p.type[0] in "us":
            raise LaunchError(f"argument {index}: a float for parameter {p}")
        try:
            return struct.pack(formats[p.bytes], value)
        except OverflowError:
            raise LaunchError(f"argument {index}: {value} does not fit in parameter {p}") from None

    def _place(self, array: NDArray[Any], index: int) -> int:
        """The address of an array, given one if it has none yet."""
        if not array.flags.c_contiguous:
            raise LaunchError(
                f"argument {index}: the array of shape {array.shape} is not contiguous",
                notes=("pass numpy.ascontiguousarray(x), and copy back what the kernel writes",),
            )
        if array.dtype.hasobject:
            raise LaunchError(f"argument {index}: an array of Python objects")
        key = (array.__array_interface__["data"][0], array.nbytes)
        if key not in self._arrays:
            flat = array.reshape(-1).view(np.uint8) if array.nbytes else np.zeros(0, np.uint8)
            address = self._module.take_address(array.nbytes)
            name = f"argument {index}"
            self._arrays[key] = self._core.Region(address, flat, name, bool(array.flags.writeable), True)
            self.regions.append(self._arrays[key])
        return int(self._arrays[key].address)

    def _tensor_address(self, tensor_map: TensorMap, index: int) -> int:
        memory = tensor_map.memory
        return self._place(memory, index) if isinstance(memory, np.ndarray) else int(memory.address)
