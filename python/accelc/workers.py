"""The pool of worker processes that compile kernels."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, cast

from accelc._worker import read_frame, write_frame
from accelc.core import diagnostics
from accelc.core.diagnostics import Error, InternalError
from accelc.core.target import KernelCode


class _Worker:
    def __init__(self, target: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "accelc._worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )
        self._errors: list[bytes] = []
        self._ended_by_us = False
        threading.Thread(target=self._drain, daemon=True).start()
        with suppress(OSError):  # if it is dead already, the first request says so
            write_frame(cast(BinaryIO, self.process.stdin), {"op": "warm", "target": target})

    def _drain(self) -> None:
        # Kept short: it is shown only when the process dies.
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)
            del self._errors[:-20]
        self.process.wait()

    def request(self, header: dict[str, Any], text: str) -> KernelCode:
        try:
            write_frame(cast(BinaryIO, self.process.stdin), header, text.encode())
            frame = read_frame(cast(BinaryIO, self.process.stdout))
        except (OSError, ValueError):
            frame = None
        if frame is None and self._ended_by_us:
            raise InternalError("compiling was stopped")
        if frame is None:
            from accelc.kernel_compiler import keep_kernel

            raise InternalError(
                f"a compiler process ended unexpectedly ({_ending(self.process.wait())})",
                notes=tuple(line.decode(errors="replace").rstrip() for line in self._errors[-5:]),
                # Here and not in the worker, which may have died before it could write anything.
                reproducer=keep_kernel(text, header["target"], header["machine"]),
            )
        answer, payload = frame
        if answer["ok"]:
            return KernelCode(answer["symbol"], payload, answer["meta"])
        raise _rebuild(answer)

    def kill(self) -> None:
        """Ends the process, which holds nothing to save; ending by itself would take longer than a kernel."""
        self._ended_by_us = True
        self.process.kill()


def _ending(status: int) -> str:
    """How a process ended, for a person."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def _environment() -> dict[str, str]:
    env = dict(os.environ)
    # One compile uses one core; libraries must not start pools of their own.
    env.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    return env


def _rebuild(answer: dict[str, Any]) -> Error:
    cls = getattr(diagnostics, answer["error"], InternalError)
    assert issubclass(cls, Error)
    error = cls(answer["message"], node=answer["node"], notes=tuple(answer["notes"]))
    if isinstance(error, InternalError):
        error.reproducer = answer.get("reproducer")  # its note is among the others
    return error


class WorkerPool:
    """``count`` worker processes; used as a context manager. With ``count`` 0 kernels compile in this process."""

    def __init__(self, count: int, target: str) -> None:
        self._target = target
        self._workers: list[_Worker] = []
        self._count = count

    def start(self) -> None:
        """Starts the processes, so that they load their libraries while the caller does something else."""
        self._workers = [_Worker(self._target) for _ in range(self._count)]

    def __enter__(self) -> WorkerPool:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        # Nobody waits: all kernels are done, or after an error or Ctrl-C nobody wants them.
        for worker in self._workers:
            worker.kill()

    def compile(self, jobs: Sequence[tuple[dict[str, Any], str]]) -> Iterator[tuple[int, KernelCode]]:
        """Compiles (header, text) jobs; yields (index, code) as they finish. Raises the first error."""
        if not self._workers:
            from accelc.kernel_compiler import compile_kernel

            for i, (header, text) in enumerate(jobs):
                yield i, compile_kernel(text, header["target"], header["machine"], header["options"])
            return
        waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, KernelCode | Error]] = queue.SimpleQueue()
        # Long kernels first: the text's length is a fair guess, and it balances the two ends.
        for i in sorted(range(len(jobs)), key=lambda i: -len(jobs[i][1])):
            waiting.put(i)
        for _ in self._workers:
            waiting.put(None)

        def serve(worker: _Worker) -> None:
            while (i := waiting.get()) is not None:
                try:
                    done.put((i, worker.request(*jobs[i])))
                except Error as error:
                    done.put((i, error))
                    return

        for worker in self._workers:
            threading.Thread(target=serve, args=(worker,), daemon=True).start()
        for _ in jobs:
            i, result = done.get()
            if isinstance(result, Error):
                raise result.at(jobs[i][0].get("node"))
            yield i, result
