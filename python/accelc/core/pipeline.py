"""Pipelines as data: a tuple of configured passes, upstream's by name, and marks where a stage is reached.

::

    Pipeline((
        NnFold(),
        NnToLinalg(),
        Upstream("canonicalize"),          # anything that could stand inside builtin.module(...)
        Stage("kernels"),
    ))

Why a pass stands where it does is said by the facts that passes require, establish and invalidate; `check` holds a
pipeline to them. `run` verifies the IR after each pass and the stage's legality table at each mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelc.core.diagnostics import InternalError, UsageError
from accelc.core.options import NotText, format_options
from accelc.core.pass_ import Pass, PassContext

if TYPE_CHECKING:
    from accelc.core.pass_runner import Hook, Legality
    from accelc.core.reproducer import Replay


@dataclass(frozen=True)
class Upstream:
    """Passes of MLIR itself, as text: ``canonicalize``, ``func.func(canonicalize,cse)``, ``cse{...}``."""

    pipeline: str

    def __str__(self) -> str:
        return self.pipeline


@dataclass(frozen=True)
class Stage:
    """A mark: here the module is at the stage ``name``, and holds only what the stage's legality table allows."""

    name: str

    def __str__(self) -> str:
        return f"stage={self.name}"


Element = Pass | Upstream | Stage


def format_element(element: Element) -> str:
    """An element as it stands in a textual pipeline. Raises NotText for a pass with an option that has no text."""
    if isinstance(element, Pass):
        options = format_options(element)
        return f"{element.name}{{{options}}}" if options else element.name
    return str(element)


@dataclass(frozen=True)
class Pipeline:
    """What is done to a module, in order."""

    elements: tuple[Element, ...]

    def __init__(self, elements: Iterable[Element]) -> None:
        checked = tuple(elements)
        for element in checked:
            if not isinstance(element, (Pass, Upstream, Stage)):
                raise InternalError(f"a pipeline holds passes, Upstream and Stage, not {type(element).__name__}")
        object.__setattr__(self, "elements", checked)

    def __add__(self, other: Pipeline) -> Pipeline:
        return Pipeline((*self.elements, *other.elements))

    def __str__(self) -> str:
        return f"builtin.module({','.join(self._texts())})"

    def _texts(self) -> list[str]:
        texts = []
        for element in self.elements:
            try:
                texts.append(format_element(element))
            except NotText:
                texts.append(f"{element.name}{{...}}" if isinstance(element, Pass) else str(element))
        return texts

    @property
    def is_textual(self) -> bool:
        """Whether parsing ``str(pipeline)`` gives this pipeline again."""
        try:
            for element in self.elements:
                format_element(element)
        except NotText:
            return False
        return True

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages that the pipeline marks, in order."""
        return tuple(e.name for e in self.elements if isinstance(e, Stage))

    def part(self, *, start_at: str | None = None, stop_after: str | None = None) -> Pipeline:
        """The elements after the mark ``start_at``, up to and with the mark ``stop_after``.

        A ``start_at`` that the pipeline does not mark means its beginning, whose stage has no mark in it. Raises
        UsageError for an unknown ``stop_after``, or one that comes first.
        """
        begin, end = 0, len(self.elements)
        if start_at in self.stages:
            begin = self.elements.index(Stage(start_at)) + 1
        if stop_after is not None:
            if stop_after not in self.stages:
                raise UsageError(
                    f"the pipeline has no stage '{stop_after}'", notes=(f"stages: {', '.join(self.stages) or 'none'}",)
                )
            end = self.elements.index(Stage(stop_after)) + 1
            if end < begin:
                raise UsageError(f"stage '{stop_after}' comes before stage '{start_at}'")
        return Pipeline(self.elements[begin:end])

    def check(self, assume: frozenset[str] | None = frozenset()) -> frozenset[str]:
        """Holds the pipeline to its passes' order constraints; returns the facts that hold at its end.

        Args:
            assume: facts about the input. None trusts it: any fact that nothing invalidated is taken to hold.

        Raises InternalError naming the pass, the fact, and what would establish it.
        """
        facts = set(assume or ())
        lost: dict[str, str] = {}
        for element in self.elements:
            if not isinstance(element, Pass):
                continue
            for fact in sorted(element.requires - facts):
                if fact in lost or assume is not None:
                    raise InternalError(_order_problem(element, fact, lost.get(fact)))
            for fact in element.invalidates:
                facts.discard(fact)
                lost[fact] = element.name
            facts |= element.establishes
            for fact in element.establishes:
                lost.pop(fact, None)
        return frozenset(facts)

    def run(
        self,
        module: Any,
        context: PassContext | None = None,
        *,
        stop_after: str | None = None,
        assume: frozenset[str] | None = None,
        verify_each: bool = True,
        legality: Legality | None = None,
        hooks: Sequence[Hook] = (),
        replay: Replay | None = None,
        user_pipeline: bool = False,
    ) -> PassContext:
        """Runs the passes on ``module`` (an ``ir.Module`` or its operation) in place; returns the context.

        Args:
            context: the constant store, and where facts and MLIR's messages are left; a fresh one if None.
            stop_after: the stage to end at, where it is not the last.
            assume: facts about the input, as for `check`.
            verify_each: verify after every pass; otherwise only at the end.
            legality: called as ``legality(stage, module_op)`` at each mark; by default the project's table.
            hooks: watchers; upstream passes are then run one at a time.
            replay: where a reproducer goes, and with what command.
            user_pipeline: the pipeline was written by the user, so that upstream passes that give up are the user's
                error (`InvalidIRError`) and not ours.

        Raises:
            Error: what a pass raised on purpose.
            InternalError: a pass failed, left invalid or illegal IR, or the order constraints do not hold; carries
                the path of a reproducer.
        """
        from accelc.core.pass_runner import Runner

        pipeline = self.part(stop_after=stop_after) if stop_after is not None else self
        context = context or PassContext()
        facts = pipeline.check(assume)
        Runner(
            pipeline,
            module.operation,
            context,
            verify_each=verify_each,
            legality=legality,
            hooks=tuple(hooks),
            replay=replay,
            user_pipeline=user_pipeline,
        ).run()
        context.facts |= facts
        return context


def _order_problem(element: Pass, fact: str, lost_by: str | None) -> str:
    if lost_by is not None:
        return f"pass '{element.name}' requires '{fact}', which pass '{lost_by}' before it invalidated"
    from accelc.core.pass_ import registered_passes

    makers = [name for name, cls in registered_passes().items() if fact in cls.establishes]
    hint = f"; {' or '.join(makers)} would establish it" if makers else ""
    return f"pass '{element.name}' requires '{fact}', which nothing before it established{hint}"
