"""What `accelc-opt` does with its input, once MLIR is loaded: parse, run passes, print, report."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from accelc.core import context as contexts
from accelc.core.diagnostics import Error, InternalError, InvalidIRError, UsageError
from accelc.core.instrument import IRPrinter, Timing, TreeDump, print_ir
from accelc.core.mlir_diagnostics import MEMORY, Diagnostic, capture, from_error
from accelc.core.pass_ import PassContext
from accelc.core.pass_runner import Hook, PassFailedError
from accelc.core.pipeline import Pipeline
from accelc.core.pipeline_text import parse_pipeline, pass_from_flag
from accelc.core.reproducer import Replay
from accelc.core.store import Store
from accelc.mlir import ir
from accelc.tools.expected_diagnostics import compare, parse_expected
from accelc.tools.opt_args import Arguments
from accelc.tools.opt_store import load_store

SPLIT = "// -----"
BYTECODE = b"ML\xefR"


class Session:
    """One run of the tool over one input."""

    def __init__(self, arguments: Arguments, data: bytes, name: str) -> None:
        self.arguments = arguments
        self.name = name
        self.timing = Timing() if arguments.timing else None
        self.seconds = {"parse": 0.0, "output": 0.0}
        self.is_bytecode = data.startswith(BYTECODE)
        self.data = data
        self.text = "" if self.is_bytecode else self._decode(data)

    def _decode(self, data: bytes) -> str:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidIRError(
                f"{self.name}: neither MLIR text nor bytecode (byte {error.start} is not UTF-8)"
            ) from None
        if "\0" in text:
            raise InvalidIRError(f"{self.name}: neither MLIR text nor bytecode (it contains a zero byte)")
        return text

    def run(self) -> tuple[bytes, int]:
        """Takes the parts of the input one by one; returns the output and the exit status."""
        outputs, status = [], 0
        for number, part in enumerate(self._parts()):
            output, code = self._run_part(part, number)
            if output is not None:
                outputs.append(output)
            status = status or code
        if self.timing:
            self.timing.report(self.seconds)
        return f"{SPLIT}\n".encode().join(outputs), status

    def _parts(self) -> Iterator[str | bytes]:
        if self.is_bytecode:
            yield self.data
        elif not self.arguments.split_input_file:
            yield self.text
        else:
            # Parts keep their place in the file, so that positions are the file's.
            lines: list[str] = []
            for number, line in enumerate(self.text.split("\n")):
                if line.startswith(SPLIT):
                    yield "\n".join(lines)
                    lines = [""] * (number + 1)
                else:
                    lines.append(line)
            yield "\n".join(lines)

    def _run_part(self, part: str | bytes, number: int) -> tuple[bytes | None, int]:
        arguments = self.arguments
        context = PassContext(store=load_store(arguments.store) if arguments.store else Store())
        output, failure = None, None
        made = contexts.make_context(allow_unregistered=arguments.allow_unregistered_dialect)
        with made, ir.Location.unknown(), capture(made) as found:
            try:
                # First, so that wrong passes are said even when the input is wrong as well.
                pipeline, replay = self._pipeline()
                module = self._parse(part)
                self._run_passes(pipeline, module, context, replay, number)
                output = self._print(module)
            except UsageError:
                raise
            except Error as error:
                failure = error
        context.diagnostics[:0] = found
        if arguments.verify_diagnostics:
            return output, self._verify(part, context.diagnostics, failure)
        self._report(context.diagnostics, failure)
        return output, failure.exit_code if failure else 0

    # -- parsing, running, printing ------------------------------------------------------------------------------

    def _parse(self, part: str | bytes) -> Any:
        start = time.perf_counter()
        try:
            return ir.Module.parse(part)
        except ir.MLIRError:
            raise InvalidIRError("the input is not valid IR") from None
        except ValueError as error:
            raise InternalError(f"a verifier failed: {error}") from error
        finally:
            self.seconds["parse"] += time.perf_counter() - start

    def _pipeline(self) -> tuple[Pipeline, Replay]:
        arguments = self.arguments
        also = [f"--store={os.path.abspath(arguments.store)}"] if arguments.store else []
        also += ["--allow-unregistered-dialect"] if arguments.allow_unregistered_dialect else []
        replay = Replay(path=arguments.reproducer, also=tuple(also))
        if arguments.target is not None:
            # Brings in the driver and the target, which running single passes does not need.
            from accelc.tools.opt_target import target_pipeline

            pipeline, words = target_pipeline(
                arguments.target, arguments.start_at, arguments.stop_after, arguments.precision
            )
            replay = replace(replay, instead=words)
        elif arguments.pass_pipeline is not None:
            pipeline = parse_pipeline(arguments.pass_pipeline)
        else:
            pipeline = Pipeline(pass_from_flag(name, options) for name, options in arguments.pass_flags)
        if arguments.dump_pass_pipeline:
            print(f"Pass Manager with {len(pipeline.elements)} passes:\n{pipeline}", file=sys.stderr)
        return pipeline, replay

    def _run_passes(self, pipeline: Pipeline, module: Any, context: PassContext, replay: Replay, number: int) -> None:
        if self.arguments.target is not None:
            from accelc.passes.legality import check_input

            stage = self.arguments.start_at or "nn"
            check_input(stage, module, f"the pipeline of '{self.arguments.target}'")
        pipeline.run(
            module,
            context,
            verify_each=self.arguments.verify_each,
            hooks=self._hooks(number),
            replay=replay,
            user_pipeline=self.arguments.target is None,
        )

    def _hooks(self, number: int) -> list[Hook]:
        arguments = self.arguments
        hooks: list[Hook] = []
        everything = arguments.print_after_all or arguments.print_after_change
        before = None if arguments.print_before_all else frozenset(arguments.print_before)
        after = None if everything else frozenset(arguments.print_after)
        if before is None or after is None or before or after or arguments.print_after_failure:
            hooks.append(
                IRPrinter(
                    before, after, only_changes=arguments.print_after_change,
                    after_failure=arguments.print_after_failure, options=self._print_options(),
                )
            )  # fmt: skip
        if arguments.print_tree_dir is not None:
            folder = arguments.print_tree_dir
            part = os.path.join(folder, f"part{number}") if arguments.split_input_file else folder
            hooks.append(TreeDump(part, self._print_options()))
        if self.timing:
            hooks.append(self.timing)
        return hooks

    def _print_options(self) -> dict[str, Any]:
        arguments = self.arguments
        return {
            "elide_above": arguments.elide_above,
            "debug_info": arguments.debug_info,
            "generic": arguments.generic,
        }  # fmt: skip

    def _print(self, module: Any) -> bytes:
        start = time.perf_counter()
        try:
            if self.arguments.emit_bytecode:
                buffer = io.BytesIO()
                module.operation.write_bytecode(buffer)
                return buffer.getvalue()
            return print_ir(module, **self._print_options()).encode()
        finally:
            self.seconds["output"] += time.perf_counter() - start

    # -- reporting -----------------------------------------------------------------------------------------------

    def _report(self, diagnostics: list[Diagnostic], failure: Error | None) -> None:
        shown = list(diagnostics)
        spoken = any(d.severity == "error" for d in diagnostics)
        if isinstance(failure, InternalError) or (failure and not (isinstance(failure, InvalidIRError) and spoken)):
            shown.append(_without_position(failure) if spoken else from_error(failure))
        lines = self.text.split("\n")
        for diagnostic in shown:
            for text in self._render(diagnostic, lines):
                print(text, file=sys.stderr)
        if (
            isinstance(failure, InvalidIRError)
            and self.arguments.reproducer
            and os.path.exists(self.arguments.reproducer)
        ):
            print(f"note: reproducer: {self.arguments.reproducer}", file=sys.stderr)
        if failure is not None and self.arguments.debug and failure.__cause__ is not None:
            import traceback

            traceback.print_exception(failure.__cause__)

    def _render(self, diagnostic: Diagnostic, lines: list[str]) -> Iterator[str]:
        named = self._named(diagnostic)
        yield named.header()
        position = diagnostic.position
        if position and position.file == MEMORY and 1 <= position.line <= len(lines):
            line = lines[position.line - 1]
            yield line
            yield "".join("\t" if c == "\t" else " " for c in line[: position.column - 1]) + "^"
        for note in diagnostic.notes:
            yield from self._render(note, lines if note.position != position else [])

    def _named(self, diagnostic: Diagnostic) -> Diagnostic:
        position = diagnostic.position
        if position is None or position.file != MEMORY:
            return diagnostic
        return replace(diagnostic, position=replace(position, file=self.name))

    def _verify(self, part: str | bytes, diagnostics: list[Diagnostic], failure: Error | None) -> int:
        expected = parse_expected(part if isinstance(part, str) else "")
        produced = list(diagnostics)
        if isinstance(failure, InternalError) and not isinstance(failure, PassFailedError):
            # Never what a test of diagnostics is after.
            self._report(diagnostics, failure)
            return failure.exit_code
        if failure is not None and not any(d.severity == "error" for d in diagnostics):
            produced.append(from_error(failure))
        problems = compare(expected, produced, self.name)
        for problem in problems:
            print(problem, file=sys.stderr)
        return 1 if problems else 0


def _without_position(failure: Error) -> Diagnostic:
    return Diagnostic("error", failure.message, notes=tuple(Diagnostic("note", note) for note in failure.notes))
