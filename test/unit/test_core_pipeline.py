"""Pipelines: text and back, order constraints, failures with reproducers, stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from accelc.core import pass_ as registry
from accelc.core.diagnostics import Error, InternalError, UnsupportedError, UsageError
from accelc.core.instrument import IRPrinter, Timing, TreeDump
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.core.pass_runner import PassFailedError, run_upstream
from accelc.core.pipeline import Pipeline, Stage, Upstream
from accelc.core.pipeline_text import leaves, parse_pipeline, pass_from_flag
from accelc.core.reproducer import read_command
from accelc.core.rewrite import walk
from accelc.core.upstream_passes import UPSTREAM_PASSES
from accelc.mlir import PassManager, ir

SOURCE = """
func.func @f(%a: i32) -> i32 {
  %0 = arith.constant 1 : i32
  %1 = arith.addi %a, %0 : i32
  %2 = arith.muli %a, %a : i32
  return %1 : i32
}
"""


@dataclass(frozen=True)
class Configured(Pass):
    name: ClassVar[str] = "test-configured"
    summary: ClassVar[str] = "has an option of every type"

    count: int = 1
    ratio: float = 0.5
    deep: bool = False
    layout: Literal["nchw", "nhwc"] = "nchw"
    text: str = ""
    limit: int | None = 3
    names: tuple[str, ...] = ()
    dims: Mapping[str, int] | None = None

    def run(self, module: Any, context: PassContext) -> None:
        pass


@dataclass(frozen=True)
class Breaks(Pass):
    name: ClassVar[str] = "test-breaks"
    summary: ClassVar[str] = "fails in the way it is told"

    how: str = "python"

    def run(self, module: Any, context: PassContext) -> None:
        add = walk(module, {"arith.addi"})[0].operation
        if self.how == "python":
            raise KeyError("lost")
        if self.how == "invalid":
            add.operands[0] = add.results[0]
        elif self.how == "unsupported":
            raise UnsupportedError("not this")
        elif self.how == "warn":
            add.location.emit_error("only said")


@dataclass(frozen=True)
class Makes(Pass):
    name: ClassVar[str] = "test-makes"
    summary: ClassVar[str] = "establishes a fact"
    establishes: ClassVar[frozenset[str]] = frozenset({"tidy"})

    def run(self, module: Any, context: PassContext) -> None:
        pass


@dataclass(frozen=True)
class Loses(Makes):
    name: ClassVar[str] = "test-loses"
    establishes: ClassVar[frozenset[str]] = frozenset()
    invalidates: ClassVar[frozenset[str]] = frozenset({"tidy"})


@dataclass(frozen=True)
class Needs(Makes):
    name: ClassVar[str] = "test-needs"
    establishes: ClassVar[frozenset[str]] = frozenset()
    requires: ClassVar[frozenset[str]] = frozenset({"tidy"})


@dataclass(frozen=True)
class Holds(Makes):
    name: ClassVar[str] = "test-holds"
    machine: object = None


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PASSES", {})
    monkeypatch.setattr(registry, "_pass_modules", dict)
    for cls in (Configured, Breaks, Makes, Loses, Needs, Holds):
        register_pass(cls)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("ACCELC_REPRODUCER_DIR", str(tmp_path / "reproducers"))
    context = ir.Context()
    context.enable_multithreading(False)
    with context, ir.Location.unknown():
        yield ir.Module.parse(SOURCE)


def run(module: Any, *elements: Any, **options: Any) -> PassContext:
    return Pipeline(elements).run(module, legality=lambda stage, op: None, **options)


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "builtin.module()",
        "builtin.module(test-configured,canonicalize,func.func(cse,canonicalize{max-iterations=2}),stage=kernels)",
        "builtin.module(test-configured{count=-2 ratio=1e-05 deep=true layout=nhwc text=a-b limit=none names=a,b})",
        'builtin.module(test-configured{text="with space, {brace}" names={} dims=batch:8,seq:128})'.replace(
            " names={}", ""
        ),
        'builtin.module(test-configured{text="none"})',
        "builtin.module(builtin.module(func.func(cse)),any(cse))",
    ],
)
def test_round_trip(module: Any, text: str) -> None:
    pipeline = parse_pipeline(text)
    assert str(pipeline) == text
    assert parse_pipeline(str(pipeline)) == pipeline
    assert parse_pipeline(text.removeprefix("builtin.module(").removesuffix(")")) == pipeline


def test_options_are_typed(module: Any) -> None:
    (configured,) = parse_pipeline(
        'test-configured{count=7 deep layout=nhwc names={a,"b c"} dims=batch:8 limit=4}'
    ).elements
    assert configured == Configured(count=7, deep=True, layout="nhwc", names=("a", "b c"), dims={"batch": 8}, limit=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test-configuredd", "there is no pass 'test-configuredd'\n  note: did you mean test-configured"),
        ("test-configured{colour=1}", "pass 'test-configured' has no option 'colour'\n  note: options: count, deep"),
        ("test-configured{count=x}", "option 'count' of pass 'test-configured': expected a whole number, not 'x'"),
        ("test-configured{count}", "option 'count' of pass 'test-configured' needs a value"),
        ("test-configured{layout=x}", "expected one of nchw, nhwc, not 'x'"),
        ("test-configured{deep=maybe}", "expected true or false, not 'maybe'"),
        ("test-configured{dims=8}", "expected name:value, not '8'"),
        ("test-holds{machine=x}", "option 'machine' of pass 'test-holds' cannot be given as text"),
        ("func.func(test-makes)", "pass 'test-makes' works on a whole module and cannot be nested"),
        ("func.func(nope)", "there is no pass 'nope'"),
        ("canonicalize{nope=1}", "MLIR refuses 'canonicalize{nope=1}': <Pass-Options-Parser>: no such option nope"),
        ("convert-gpu-to-nvvm", "MLIR refuses 'convert-gpu-to-nvvm': Can't add pass"),
        ("builtin.module(cse", "the pipeline cannot be read: missing ')' at the end"),
        ("cse)", "the pipeline cannot be read: unexpected ')' at column 4"),
        ('test-configured{text="x}', "the pipeline cannot be read: the string that starts at column 22 does not end"),
        ("Cse!", "'Cse!' is not a pass"),
    ],
)
def test_wrong_text(module: Any, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pipeline(text)
    assert message in str(caught.value)


def test_flags_nest_where_upstream_needs_it(module: Any) -> None:
    assert pass_from_flag("test-configured", "count=2") == Configured(count=2)
    assert pass_from_flag("cse", None) == Upstream("cse")
    assert pass_from_flag("convert-gpu-to-nvvm", None) == Upstream("gpu.module(convert-gpu-to-nvvm)")
    with pytest.raises(UsageError, match="there is no pass 'csee'"):
        pass_from_flag("csee", None)


def test_leaves() -> None:
    text = "func.func(cse,scf.for(canonicalize{max-iterations=1})),inline"
    assert [(leaf.name, leaf.text) for leaf in leaves(text)] == [
        ("cse", "func.func(cse)"),
        ("canonicalize", "func.func(scf.for(canonicalize{max-iterations=1}))"),
        ("inline", "inline"),
    ]


def test_upstream_names_are_right(module: Any) -> None:
    """The committed list: every name parses at its anchor, and nowhere lower than it has to be."""
    for name, anchor in UPSTREAM_PASSES.items():
        PassManager.parse(f"builtin.module({f'{anchor}({name})' if anchor else name})")
        if anchor:
            with pytest.raises(ValueError, match="restricted to"):
                PassManager.parse(f"builtin.module({name})")


# -- order ------------------------------------------------------------------------------------------------------------


def test_order_is_checked() -> None:
    assert Pipeline((Makes(), Needs())).check() == {"tidy"}
    with pytest.raises(
        InternalError, match=r"'test-needs' requires 'tidy', which nothing .*; test-holds or test-makes"
    ):
        Pipeline((Needs(),)).check()
    lost = Pipeline((Makes(), Loses(), Upstream("cse"), Needs()))
    for assume in (frozenset[str](), None):
        with pytest.raises(InternalError, match="requires 'tidy', which pass 'test-loses' before it invalidated"):
            lost.check(assume)
    # An input that is not known is trusted, unless a pass of the pipeline lost the fact.
    assert Pipeline((Needs(),)).check(None) == frozenset()
    assert Pipeline((Loses(), Makes(), Needs())).check(None) == {"tidy"}


def test_parts() -> None:
    whole = Pipeline((Makes(), Stage("tiled"), Needs(), Stage("target")))
    assert whole.stages == ("tiled", "target")
    assert whole.part(stop_after="tiled").elements == (Makes(), Stage("tiled"))
    assert whole.part(start_at="tiled").elements == (Needs(), Stage("target"))
    assert whole.part(start_at="kernels") == whole
    assert whole.part(start_at="tiled", stop_after="tiled").elements == ()
    with pytest.raises(UsageError, match="has no stage 'nope'"):
        whole.part(stop_after="nope")
    with pytest.raises(UsageError, match="stage 'tiled' comes before stage 'target'"):
        whole.part(start_at="target", stop_after="tiled")


def test_only_elements() -> None:
    with pytest.raises(InternalError, match="not str"):
        Pipeline(("cse",))  # type: ignore[arg-type]


def test_passes_with_untextual_options() -> None:
    pipeline = Pipeline((Holds(machine=object()),))
    assert not pipeline.is_textual
    assert str(pipeline) == "builtin.module(test-holds{...})"
    assert Pipeline((Holds(),)).is_textual


# -- running ----------------------------------------------------------------------------------------------------------


def test_runs_ours_and_upstreams(module: Any) -> None:
    context = run(module, Makes(), Upstream("func.func(canonicalize,cse)"), Stage("kernels"))
    assert "arith.muli" not in str(module)
    assert context.facts == {"tidy"}


def test_stop_after(module: Any) -> None:
    run(module, Stage("nn"), Upstream("canonicalize"), Stage("kernels"), stop_after="nn")
    assert "arith.muli" in str(module)


def test_stages_are_checked(module: Any) -> None:
    seen = []

    def legality(stage: str, op: Any) -> None:
        seen.append(stage)
        if walk(op, {"arith.muli"}):
            raise InternalError(f"arith.muli at stage {stage}")

    with pytest.raises(InternalError, match=r"arith\.muli at stage nn"):
        Pipeline((Stage("nn"), Stage("kernels"))).run(module, legality=legality)
    Pipeline((Upstream("canonicalize"), Stage("nn"), Stage("kernels"))).run(module, legality=legality)
    assert seen == ["nn", "nn", "kernels"]


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("python", InternalError, r"pass 'test-breaks' failed: KeyError: 'lost'\n  note: raised at .*run"),
        (
            "invalid",
            PassFailedError,
            r"invalid after pass 'test-breaks': operand #0 does not dominate this use \(-:4:8\)",
        ),
        ("unsupported", UnsupportedError, "not this"),
    ],
)
def test_failures(module: Any, tmp_path: Path, how: str, kind: type[Error], message: str) -> None:
    context = PassContext()
    before = str(module)
    with pytest.raises(kind, match=message) as caught:
        run(module, Upstream("func.func(cse)"), Breaks(how=how), Makes(), context=context)
    written = sorted((tmp_path / "reproducers").glob("*")) if (tmp_path / "reproducers").exists() else []
    if not isinstance(caught.value, InternalError):
        assert written == []
        return
    assert [str(w) for w in written] == [caught.value.reproducer]
    text = written[0].read_text()
    assert f"reproducer: {written[0]}" in str(caught.value)
    (command,) = read_command(text, "x")
    option = "" if how == "python" else "{how=invalid}"
    assert command == f"--pass-pipeline=builtin.module(func.func(cse),test-breaks{option})"
    assert str(ir.Module.parse(text)) == before
    with pytest.raises(kind, match=message):
        parse_pipeline(command.partition("=")[2]).run(ir.Module.parse(text))


def test_upstream_failure_says_what_mlir_said(module: Any) -> None:
    bad = ir.Module.parse(
        """func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
      %0 = tosa.abs %a : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32> }"""
    )
    bufferize = "one-shot-bufferize{bufferize-function-boundaries=1}"
    message = rf"'cse,{bufferize}' failed: op was not bufferized \(-:2:12\)"
    context = PassContext()
    with pytest.raises(PassFailedError, match=message) as caught:
        run(bad, Upstream(f"cse,{bufferize}"), context=context)
    assert context.diagnostics == list(caught.value.diagnostics)
    assert [d.severity for d in context.diagnostics] == ["error"]
    with pytest.raises(PassFailedError, match="failed: "):
        run_upstream(bad, bufferize)


def test_messages_of_mlir_are_kept(module: Any, capfd: pytest.CaptureFixture[str]) -> None:
    context = PassContext()
    run(module, Breaks(how="warn"), context=context)
    assert [(d.severity, d.message, str(d.position)) for d in context.diagnostics] == [("error", "only said", "-:4:8")]
    assert capfd.readouterr().err == ""


def test_hooks(module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timing = Timing()
    hooks = (
        IRPrinter(before=frozenset({"cse"}), after=None, only_changes=True),
        TreeDump(str(tmp_path / "tree")),
        timing,
    )
    run(module, Makes(), Upstream("func.func(canonicalize,cse)"), hooks=hooks)
    titles = [line for line in capsys.readouterr().err.splitlines() if line.startswith("// -----//")]
    assert titles == [
        "// -----// IR Dump After canonicalize //----- //",
        "// -----// IR Dump Before cse //----- //",
    ]
    assert sorted(p.name for p in (tmp_path / "tree").iterdir()) == [
        "0_input.mlir", "1_test-makes.mlir", "2_canonicalize.mlir", "3_cse.mlir",
    ]  # fmt: skip
    assert [name for name, _ in timing.rows] == ["test-makes", "canonicalize", "cse"]
    timing.report({"parse": 0.5})
    assert "s (100.0%)  total" in capsys.readouterr().err


def test_dump_knob(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_DUMP", str(tmp_path / "dump"))
    run(module, Makes())
    assert [p.name for p in sorted((tmp_path / "dump").glob("*/*"))] == ["0_input.mlir", "1_test-makes.mlir"]
