"""`accelc-opt`: runs passes on MLIR, ours and upstream's. The counterpart of mlir-opt.

The work is done in a child process, so that a crash inside the bindings ends in a message, a reproducer and exit
status 4, and not in a bare "segmentation fault".
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from accelc.core.diagnostics import Error, InternalError, UsageError
from accelc.core.knobs import knobs
from accelc.tools.opt_args import Arguments, parse_arguments, replay_words


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    return _guarded(lambda: _main(words), debug="--debug" in words)


def _guarded(work: Callable[[], int], debug: bool) -> int:
    """Does ``work``; whatever it raises becomes a message and an exit status."""
    try:
        return work()
    except BrokenPipeError:
        # Whoever read our output has seen enough. What is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Error as error:
        cause, failure = error.__cause__, error
    except MemoryError:
        cause, failure = None, InternalError("out of memory")
    except Exception as error:
        cause, failure = error, InternalError(f"{type(error).__name__}: {error}", notes=("--debug shows where",))
    print(f"accelc-opt: error: {failure.render()}", file=sys.stderr)
    if debug and cause is not None:
        traceback.print_exception(cause)
    return failure.exit_code


def _main(words: list[str]) -> int:
    arguments = parse_arguments(words)
    arguments.debug = arguments.debug or knobs.debug
    if arguments.list_passes or arguments.show_dialects:
        from accelc.tools.opt_lists import list_passes, show_dialects

        print(list_passes() if arguments.list_passes else show_dialects(), end="")
        return 0
    data = _read(arguments.input)
    if arguments.run_reproducer:
        arguments = _replayed(arguments, words, data)
    if not arguments.isolate or not hasattr(os, "fork"):
        return _work(arguments, data)
    return _in_child(arguments, data)


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from None


def _replayed(arguments: Arguments, words: Sequence[str], data: bytes) -> Arguments:
    """The arguments that a reproducer's first line asks for, with the flags given beside it."""
    from accelc.core.reproducer import read_command

    command = read_command(data[:65536].decode(errors="replace"), arguments.input)
    return parse_arguments([*command, *(word for word in words if word.lstrip("-") != "run-reproducer")])


def _work(arguments: Arguments, data: bytes) -> int:
    from accelc.tools.opt_session import Session

    name = "<stdin>" if arguments.input == "-" else arguments.input
    output, status = Session(arguments, data, name).run()
    _write(arguments.output, output, status)
    return status


def _write(path: str, output: bytes, status: int) -> None:
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    elif status == 0:
        from accelc.core.files import atomic_write

        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            # A device or a pipe is written to, not replaced.
            with open(path, "wb") as f:
                f.write(output)
            return
        with atomic_write(path) as file:
            file.write(output)


def _in_child(arguments: Arguments, data: bytes) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _be_child(arguments, data)
    try:
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:
        os.waitpid(child, 0)
        raise
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    if number == signal.SIGINT:
        return 128 + number
    raise InternalError(
        f"the compiler crashed ({signal.strsignal(number)})", reproducer=_crash_reproducer(arguments, data)
    )


def _be_child(arguments: Arguments, data: bytes) -> NoReturn:
    status = InternalError.exit_code
    try:
        status = _guarded(lambda: _work(arguments, data), arguments.debug)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # Not sys.exit: the parent's clean-up is not ours to run.
        os._exit(status)


def _crash_reproducer(arguments: Arguments, data: bytes) -> str | None:
    """Leaves the whole input with the command that crashed; None for bytecode, which is no text."""
    from accelc.core.reproducer import PREFIX, store_text

    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return store_text(f"{PREFIX}{shlex.join(replay_words(arguments))}\n{text}", arguments.reproducer)
