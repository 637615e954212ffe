"""What can go wrong with a PTX text or a launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from accelc.core.diagnostics import Error

if TYPE_CHECKING:
    from accelc.targets.gpu.emulator.report import Report


class PtxError(Error):
    """The text is not PTX of versions 7.0 to 9.4. The message names the line."""

    exit_code: ClassVar[int] = 2


class UnsupportedPtxError(Error):
    """An instruction, or a form of one, that the emulator does not have. The message names the line."""

    exit_code: ClassVar[int] = 3


class LaunchError(Error):
    """The grid, block, cluster, memory or arguments do not fit the kernel."""

    exit_code: ClassVar[int] = 2


class FindingsError(Error):
    """The launch ended in a fault, or the sanitizer found something.

    Attributes:
        report: the whole report; what ran before is in the buffers.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, report: Report) -> None:
        self.report = report
        super().__init__(message, notes=tuple(str(f) for f in report.findings[1:10]))
