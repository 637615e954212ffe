"""Runs a pipeline: diagnostics captured, IR verified, stages checked, failures made errors that can be replayed."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from accelc.core.diagnostics import Error, InternalError, InvalidIRError
from accelc.core.knobs import knobs
from accelc.core.mlir_diagnostics import Diagnostic, capture, summarize, verify
from accelc.core.pass_ import Pass, PassContext
from accelc.core.pipeline import Element, Pipeline, Stage, Upstream
from accelc.core.pipeline_text import leaves
from accelc.core.reproducer import Replay, write_reproducer
from accelc.mlir import PassManager, ir

# ``legality(stage, module_op)`` raises an Error when an op may not be there.
Legality = Callable[[str, Any], None]

# The table of what each stage may hold stands above `core`, so it is named, not imported.
LEGALITY = "accelc.passes.legality"


class PassFailedError(InternalError):
    """A pass gave up or left invalid IR; ``diagnostics`` is what MLIR said."""

    diagnostics: tuple[Diagnostic, ...] = ()


class Hook(Protocol):
    """Watches a run. ``name`` is the pass's name on the command line; ``module`` the op that the pipeline runs on."""

    def before(self, name: str, module: Any) -> None: ...

    def after(self, name: str, module: Any, seconds: float) -> None: ...

    def failed(self, name: str, module: Any) -> None: ...

    def finished(self, module: Any) -> None: ...


def run_upstream(op: Any, pipeline: str, *, verify_each: bool = True) -> None:
    """Runs passes of MLIR itself on ``op``; for use inside a pass.

    Args:
        pipeline: what could stand between the parentheses of ``<op name>(...)``.

    Raises PassFailedError with what MLIR said.
    """
    operation = op.operation
    with capture(operation.context) as found:
        try:
            manager = PassManager.parse(f"{operation.name}({pipeline})", operation.context)
        except ValueError as error:
            raise InternalError(f"pipeline '{pipeline}': {' '.join(str(error).split())}") from None
        manager.enable_verifier(verify_each)
        try:
            manager.run(operation)
        except ir.MLIRError:
            message, notes = summarize(found)
            failure = PassFailedError(f"'{pipeline}' failed: {message or 'no message'}", notes=notes)
            failure.diagnostics = tuple(found)
            raise failure from None


def default_legality() -> Legality | None:
    """The project's legality check, where it is installed."""
    if importlib.util.find_spec("accelc.passes") is None or importlib.util.find_spec(LEGALITY) is None:
        return None
    check: Legality = importlib.import_module(LEGALITY).check
    return check


class Runner:
    """One run of one pipeline on one module."""

    def __init__(
        self,
        pipeline: Pipeline,
        module: Any,
        context: PassContext,
        *,
        verify_each: bool,
        legality: Legality | None,
        hooks: tuple[Hook, ...],
        replay: Replay | None,
        user_pipeline: bool,
    ) -> None:
        self.pipeline = pipeline
        self.module = module
        self.context = context
        self.verify_each = verify_each
        self.legality = legality or default_legality()
        self.hooks = (*hooks, *_knob_hooks())
        self.replay = replay or Replay()
        self.user_pipeline = user_pipeline

    def run(self) -> None:
        """Runs all elements; see `Pipeline.run` for the errors."""
        self._original = self.module.clone()
        with self.module.context, ir.Location.unknown():
            for index, element in enumerate(self.pipeline.elements):
                with self._failures_replayable(index):
                    self._step(element)
            if not self.verify_each and self.pipeline.elements:
                with self._failures_replayable(len(self.pipeline.elements) - 1):
                    self._verify("the pipeline")
        for hook in self.hooks:
            hook.finished(self.module)

    def _step(self, element: Element) -> None:
        if isinstance(element, Stage):
            if self.legality is not None:
                self.legality(element.name, self.module)
        elif isinstance(element, Pass):
            with self._watched(element.name):
                self._run_pass(element)
                if self.verify_each:
                    self._verify(f"pass '{element.name}'")
        elif self.hooks:
            for leaf in leaves(element.pipeline):
                with self._watched(leaf.name):
                    self._run_upstream(Upstream(leaf.text))
        else:
            self._run_upstream(element)

    def _run_pass(self, element: Pass) -> None:
        if self.user_pipeline and element.takes is not None and default_legality() is not None:
            importlib.import_module(LEGALITY).check_input(element.takes, self.module, f"pass '{element.name}'")
        with capture(self.module.context) as found:
            try:
                element.run(self.module, self.context)
            except Error:
                raise
            except ir.MLIRError as error:
                raise _failure(f"pass '{element.name}' failed", found, str(error)) from error
            except Exception as error:
                # Whatever a pass trips over is a fault of ours, never the user's traceback.
                text = f"pass '{element.name}' failed: {type(error).__name__}: {error}"
                raise InternalError(text, notes=(_where(error),)) from error
            finally:
                self.context.diagnostics.extend(found)

    def _run_upstream(self, element: Upstream) -> None:
        with capture(self.module.context) as found:
            try:
                run_upstream(self.module, element.pipeline, verify_each=self.verify_each)
            except PassFailedError as error:
                self.context.diagnostics.extend(error.diagnostics)
                if self.user_pipeline:
                    raise InvalidIRError(error.message, notes=error.notes) from None
                raise
            finally:
                self.context.diagnostics.extend(found)

    def _verify(self, what: str) -> None:
        found = verify(self.module)
        if found:
            self.context.diagnostics.extend(found)
            raise _failure(f"the IR is invalid after {what}", found, "")

    @contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        for hook in self.hooks:
            hook.before(name, self.module)
        start = time.perf_counter()
        try:
            yield
        except Exception:
            for hook in self.hooks:
                hook.failed(name, self.module)
            raise
        seconds = time.perf_counter() - start
        for hook in self.hooks:
            hook.after(name, self.module, seconds)

    @contextmanager
    def _failures_replayable(self, index: int) -> Iterator[None]:
        try:
            yield
        except InternalError as error:
            if error.reproducer is None:
                error.attach_reproducer(self._write_reproducer(index))
            raise
        except InvalidIRError:
            # The user's pipeline on the user's IR: replayable if that was asked for.
            if self.replay.path is not None:
                self._write_reproducer(index)
            raise

    def _write_reproducer(self, index: int) -> str | None:
        ran = Pipeline(self.pipeline.elements[: index + 1])
        return write_reproducer(self._original, ran, self.replay, self.verify_each)


def _failure(what: str, found: list[Diagnostic], fallback: str) -> PassFailedError:
    message, notes = summarize(found)
    failure = PassFailedError(f"{what}: {message or fallback or 'no message'}", notes=notes)
    failure.diagnostics = tuple(found)
    return failure


def _where(error: BaseException) -> str:
    """The line of ours on which a Python exception was raised, without the path of the installation."""
    trace = error.__traceback__
    place = "unknown"
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "?")
        place = f"{module}:{trace.tb_lineno} in {trace.tb_frame.f_code.co_name}"
        trace = trace.tb_next
    return f"raised at {place}"


def _knob_hooks() -> tuple[Hook, ...]:
    if knobs.dump is None:
        return ()
    from accelc.core.instrument import TreeDump

    return (TreeDump.numbered(knobs.dump),)


__all__ = ["Hook", "Legality", "PassFailedError", "Runner", "default_legality", "run_upstream"]
