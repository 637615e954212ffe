"""Links object code into this process."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import sys
from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm

from accelc.core.diagnostics import ArtifactError
from accelc.core.target import KernelCode
from accelc.targets.host.cpu import check_runs_here, native, target_machine


class LoadedCode:
    """Kernels in memory, by name; they live as long as this object.

    Raises ArtifactError where the code is for another CPU, is not an object file, or needs a symbol that neither the
    C library nor its mathematical part has.
    """

    def __init__(self, code: Mapping[str, KernelCode]) -> None:
        self._jit = llvm.create_lljit_compiler(target_machine(native()), use_jit_link=False)
        self._trackers: list[Any] = []
        self.addresses: dict[str, int] = {}
        for name, kernel in code.items():
            self.addresses[name] = self._link(name, kernel)

    def _link(self, name: str, kernel: KernelCode) -> int:
        check_runs_here(str(kernel.meta["triple"]), tuple(kernel.meta["features"]))
        builder = llvm.JITLibraryBuilder().add_object_img(kernel.data).export_symbol(kernel.symbol)
        for symbol in kernel.meta["symbols"]:
            builder.import_symbol(symbol, library_symbol(symbol, name))
        try:
            tracker = builder.link(self._jit, f"kernel.{len(self._trackers)}")
            address = int(tracker[kernel.symbol])
        except (RuntimeError, KeyError) as error:
            raise ArtifactError(f"the code of kernel '{name}' cannot be linked: {error}") from None
        self._trackers.append(tracker)
        return address


def library_symbol(symbol: str, kernel: str) -> int:
    """The address of a function of libm or libc. Raises ArtifactError where there is none."""
    for library in _libraries():
        try:
            return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0
        except AttributeError:
            continue
    raise ArtifactError(f"kernel '{kernel}' calls '{symbol}', which no library of this system has")


@functools.cache
def _libraries() -> tuple[ctypes.CDLL, ...]:
    libm = ctypes.util.find_library("m")
    if sys.platform == "win32":
        return (ctypes.cdll.msvcrt,)
    names = [libm] if libm else []
    return (*(ctypes.CDLL(n) for n in names), ctypes.CDLL(None))
