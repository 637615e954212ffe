"""GPU kernels on a CPU: runs the PTX that a GPU would, checks it, and counts what it does.

::

    emulator = Emulator(ptx)
    report = emulator.launch("saxpy", grid=(4, 1, 1), block=(256, 1, 1), args=[x, y, 2.0, 1024], sanitize=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from accelc.targets.gpu.emulator.arguments import Arguments, Parameter
from accelc.targets.gpu.emulator.errors import FindingsError, LaunchError, PtxError, UnsupportedPtxError
from accelc.targets.gpu.emulator.memory import Buffer, Symbol
from accelc.targets.gpu.emulator.native import core
from accelc.targets.gpu.emulator.report import Report

Extent = int | tuple[int] | tuple[int, int] | tuple[int, int, int]


class Emulator:
    """A PTX module, loaded. Its variables and buffers live as long as it does.

    Args:
        ptx: the text of a module, PTX 7.0 to 9.4, for sm_50 to sm_90a.
        level: which build of the core to use ("avx512", "avx2", "baseline"); by default the best that runs here. The
            results are the same bits.

    Raises:
        PtxError: the text is no PTX; the message names the line.
        UnsupportedPtxError: it uses what the emulator does not have; the message names the line and the instruction.
    """

    def __init__(self, ptx: str, *, level: str | None = None) -> None:
        self._core = core(level)
        try:
            self._module = self._core.Module(ptx)
        except SyntaxError as error:
            raise PtxError(str(error)) from None
        except NotImplementedError as error:
            raise UnsupportedPtxError(str(error)) from None
        self._buffers: list[Buffer] = []
        self.kernels = MappingProxyType(
            {name: tuple(Parameter(*row) for row in self._module.parameters(name)) for name in self._module.entries()}
        )

    def buffer(self, nbytes: int) -> Buffer:
        """Device memory of `nbytes`, unwritten (the sanitizer reports early reads), for all launches to come."""
        result = Buffer(self._core, self._module, nbytes, f"buffer {len(self._buffers)}")
        self._buffers.append(result)
        return result

    def symbol(self, name: str) -> Symbol:
        """A .global or .const variable of the module.

        Raises:
            LaunchError: there is none of that name.
        """
        found: Any = self._module.symbol(name)
        if found is None:
            known = ", ".join(self._module.symbols()) or "none"
            raise LaunchError(f"the module has no variable {name}", notes=(f"variables: {known}",))
        return Symbol(*found)

    def launch(
        self,
        kernel: str,
        *,
        grid: Extent = 1,
        block: Extent = 1,
        args: Sequence[Any] = (),
        shared_bytes: int = 0,
        cluster: Extent | None = None,
        sanitize: bool = False,
        threads: int = 1,
        max_steps: int = 1 << 30,
        cooperative: bool = False,
        raise_on_finding: bool = True,
        max_findings: int = 1000,
        stack_bytes: int = 16384,
    ) -> Report:
        """Runs a kernel to its end.

        Args:
            kernel: the name of an entry.
            grid: blocks in x, y, z; one number means x.
            block: threads of a block in x, y, z.
            args: one for each parameter. A numpy array (C-contiguous) is device memory, written in place; a Buffer or a
                region of one, or a symbol, its address; a TensorMap the descriptor by value; bytes a struct by value;
                ints and floats follow the parameter's type; None is a null pointer.
            shared_bytes: dynamic shared memory.
            cluster: blocks of a cluster; None means what the kernel declares (.reqnctapercluster), else 1.
            sanitize: look for races, reads of unwritten memory, and all other `report.KINDS`.
            threads: threads of this machine that share the grid's blocks. One is bit-reproducible; with more only the
                order of atomics between blocks may vary.
            max_steps: warp instructions after which the launch is given up (a finding of kind step_limit).
            cooperative: all blocks are resident at once, for grid-wide barriers.
            raise_on_finding: raise where `report.findings` is not empty.
            max_findings: places of findings to keep.
            stack_bytes: a thread's stack for recursion and calls through pointers, beside its local variables.

        Raises:
            LaunchError: the extents, memory or arguments do not fit the kernel or a GPU.
            FindingsError: there are findings (memory faults, traps and deadlocks are found without `sanitize` too), and
                `raise_on_finding`. Its `report` is complete.
        """
        if kernel not in self.kernels:
            raise LaunchError(
                f"the module has no kernel {kernel}", notes=(f"kernels: {', '.join(self.kernels) or 'none'}",)
            )
        mark = self._module.mark_addresses()
        try:
            arguments = Arguments(self._core, self._module, self.kernels[kernel], self._module.parameter_bytes(kernel))
            arguments.fill(args)
            persistent = [region for buffer in self._buffers for region in buffer.accessible()]
            raw = self._module.launch(
                kernel,
                _extent("grid", grid),
                _extent("block", block),
                self._cluster(kernel, cluster),
                bytes(arguments.bytes),
                persistent + arguments.regions,
                _count("shared_bytes", shared_bytes, 1 << 31),
                sanitize,
                cooperative,
                _count("threads", threads, 256),
                _count("max_steps", max_steps, 1 << 62),
                _count("max_findings", max_findings, 1 << 31),
                _count("stack_bytes", stack_bytes, 1 << 24),
            )
        except self._core.LaunchError as error:
            raise LaunchError(f"kernel {kernel}: {error}") from None
        finally:
            self._module.rewind_addresses(mark)
        if not sanitize:
            # Nobody watched what was written: later sanitized launches take all of it for written.
            for region in persistent:
                region.mark_written(0, region.bytes)
        report = Report.make(kernel, raw, self._module.opcodes(kernel), self._module.files(kernel))
        if report.findings and raise_on_finding:
            raise FindingsError(str(report.findings[0]), report)
        return report

    def _cluster(self, kernel: str, asked: Extent | None) -> tuple[int, int, int]:
        """The cluster to launch with: what is asked for, where the kernel declares none or the same."""
        declared: tuple[int, int, int] = self._module.cluster(kernel)
        if asked is None:
            return declared
        wanted = _extent("cluster", asked)
        if declared != (1, 1, 1) and wanted != declared:
            raise LaunchError(
                f"the kernel {kernel} wants clusters of {declared} blocks (.reqnctapercluster), not {wanted}"
            )
        return wanted


def _count(name: str, value: int, limit: int) -> int:
    if not 0 <= value <= limit:
        raise LaunchError(f"{name} = {value} is not between 0 and {limit}")
    return int(value)


def _extent(name: str, extent: Extent) -> tuple[int, int, int]:
    values = (extent,) if isinstance(extent, int) else tuple(int(v) for v in extent)
    if not 1 <= len(values) <= 3 or any(not 0 < v < 1 << 32 for v in values):
        raise LaunchError(f"{name} = {extent} is not one to three positive numbers")
    x, y, z = (*values, 1, 1)[:3]
    return x, y, z
