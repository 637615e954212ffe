"""The command line of `accelc-opt`, read without importing MLIR, so that ``--help`` is immediate."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from accelc.core.diagnostics import UsageError

_LONG_WITH_ONE_DASH = re.compile(r"^-[A-Za-z][\w-]+(=.*)?$", re.DOTALL)

_EPILOG = """\
passes, ours and upstream's, are given in either way, not in both:
  --pass-pipeline='builtin.module(nn-fold,nn-to-linalg,canonicalize,func.func(cse))'
  --nn-fold --nn-to-linalg --canonicalize --one-shot-bufferize='bufferize-function-boundaries=1'
or as a part of a target's own pipeline:
  --target=host --start-at=nn --stop-after=kernels

exit status: 0 ok, 1 the diagnostics differ from those expected, 2 bad input or usage, 3 unsupported,
4 internal error (with a reproducer, for --run-reproducer)
"""


@dataclass
class Arguments:
    """What the command line says; see ``accelc-opt --help`` for each."""

    input: str = "-"
    output: str = "-"
    pass_pipeline: str | None = None
    pass_flags: list[tuple[str, str | None]] = field(default_factory=list)
    target: str | None = None
    start_at: str | None = None
    stop_after: str | None = None
    precision: str | None = None
    store: str | None = None
    split_input_file: bool = False
    verify_diagnostics: bool = False
    verify_each: bool = True
    allow_unregistered_dialect: bool = False
    emit_bytecode: bool = False
    print_before: list[str] = field(default_factory=list)
    print_after: list[str] = field(default_factory=list)
    print_before_all: bool = False
    print_after_all: bool = False
    print_after_change: bool = False
    print_after_failure: bool = False
    print_tree_dir: str | None = None
    timing: bool = False
    elide_above: int | None = None
    debug_info: bool = False
    generic: bool = False
    reproducer: str | None = None
    run_reproducer: bool = False
    isolate: bool = True
    debug: bool = False
    dump_pass_pipeline: bool = False
    list_passes: bool = False
    show_dialects: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, notes=("run: accelc-opt --help",))


def _truth(text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, not '{text}'")
    return text.lower() in ("1", "true")


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, not '{text}'")
    return int(text)


def _parser() -> _Parser:
    parser = _Parser(
        prog="accelc-opt",
        description="Runs passes on MLIR: accelc's own and upstream's, in one pipeline.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("input", nargs="?", metavar="FILE", help="MLIR text or bytecode; '-' (the default) reads standard input")
    add("-o", dest="output", metavar="FILE", help="output file ('-': standard output); whole or not written at all")
    add("--pass-pipeline", metavar="TEXT", help="the passes to run")
    _add_target_flags(parser.add_argument_group("a target's pipeline"))
    _add_mode_flags(parser.add_argument_group("input and output"))
    _add_print_flags(parser.add_argument_group("watching passes"))
    _add_failure_flags(parser.add_argument_group("failures"))
    group = parser.add_argument_group("what there is")
    group.add_argument("--list-passes", action="store_true", help="all passes: ours with their options, and upstream's")
    group.add_argument("--show-dialects", action="store_true", help="all dialects")
    group.add_argument("--dump-pass-pipeline", action="store_true", help="print the pipeline before running it")
    return parser


def _add_target_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--target", metavar="T[:MACHINE]", help="run the pipeline of this target")
    group.add_argument("--start-at", metavar="STAGE", help="the input's stage: nn (the default), kernels or tiled")
    group.add_argument(
        "--stop-after", metavar="STAGE", help="the stage to reach: kernels, tiled or target (the default)"
    )
    group.add_argument("--precision", metavar="P", help="the numerics policy; by default the target's")


def _add_mode_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--store", metavar="FILE", help="constants by name: .npz or .safetensors")
    group.add_argument("--split-input-file", action="store_true", help="take parts between '// -----' one by one")
    group.add_argument("--verify-diagnostics", action="store_true", help="hold messages to expected-* comments")
    group.add_argument(
        "--verify-each", nargs="?", const=True, type=_truth, metavar="BOOL", help="verify after each pass (default)"
    )
    group.add_argument("--allow-unregistered-dialect", action="store_true", help="accept ops of unknown dialects")
    group.add_argument("--emit-bytecode", action="store_true", help="write bytecode")
    group.add_argument(
        "--mlir-elide-elementsattrs-if-larger", dest="elide_above", type=_count, metavar="N",
        help="do not print the values of constants of more than N elements",
    )  # fmt: skip
    group.add_argument("--mlir-print-debuginfo", dest="debug_info", action="store_true", help="print locations")
    group.add_argument("--mlir-print-op-generic", dest="generic", action="store_true", help="print the generic form")


def _add_print_flags(group: argparse._ArgumentGroup) -> None:
    for when in ("before", "after"):
        group.add_argument(
            f"--mlir-print-ir-{when}", dest=f"print_{when}", action="append", metavar="PASS",
            help=f"print the IR {when} this pass (several: repeat, or separate by commas)",
        )  # fmt: skip
        group.add_argument(
            f"--mlir-print-ir-{when}-all", dest=f"print_{when}_all", action="store_true", help=f"... {when} every pass"
        )
    group.add_argument(
        "--mlir-print-ir-after-change", dest="print_after_change", action="store_true",
        help="... after a pass, but only if it changed the IR",
    )  # fmt: skip
    group.add_argument(
        "--mlir-print-ir-after-failure", dest="print_after_failure", action="store_true", help="... after a failed pass"
    )
    group.add_argument(
        "--mlir-print-ir-tree-dir", dest="print_tree_dir", metavar="DIR", help="write the IR after each pass to a file"
    )
    group.add_argument("--mlir-timing", dest="timing", action="store_true", help="print the time of each pass")


def _add_failure_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mlir-pass-pipeline-crash-reproducer", dest="reproducer", metavar="FILE",
        help="where an internal error leaves a reproducer (by default: the folder for temporary files)",
    )  # fmt: skip
    group.add_argument("--run-reproducer", action="store_true", help="the input is a reproducer: replay it")
    group.add_argument(
        "--no-isolate", dest="isolate", action="store_false", help="do not run in a child process (for a debugger)"
    )
    group.add_argument("--debug", action="store_true", help="show the Python traceback of an internal error")


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Reads the command line. Raises UsageError; ``--help`` prints and exits."""
    known, rest = _parser().parse_known_args([_two_dashes(word) for word in words])
    arguments = Arguments(**vars(known))
    for word in rest:
        name, equals, options = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise UsageError(f"unexpected argument '{word}'", notes=("run: accelc-opt --help",))
        arguments.pass_flags.append((name, options if equals else None))
    arguments.print_before = _names(arguments.print_before)
    arguments.print_after = _names(arguments.print_after)
    _check(arguments)
    return arguments


def _two_dashes(word: str) -> str:
    # `-canonicalize` is as good as `--canonicalize`, and must not be taken for `-c`.
    return f"-{word}" if _LONG_WITH_ONE_DASH.match(word) else word


def _names(values: list[str]) -> list[str]:
    return [name for value in values for name in value.split(",") if name]


def _check(arguments: Arguments) -> None:
    ways = [
        ("--pass-pipeline", arguments.pass_pipeline is not None),
        (f"--{arguments.pass_flags[0][0]}" if arguments.pass_flags else "", bool(arguments.pass_flags)),
        ("--target", arguments.target is not None),
    ]
    given = [flag for flag, present in ways if present]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} cannot be combined")
    if arguments.target is None:
        for flag, value in (("--start-at", arguments.start_at), ("--stop-after", arguments.stop_after),
                            ("--precision", arguments.precision)):  # fmt: skip
            if value is not None:
                raise UsageError(f"{flag} needs --target")


def replay_words(arguments: Arguments) -> list[str]:
    """The flags that decide what is done to an input, for a reproducer's command line."""
    valued = [
        ("pass-pipeline", arguments.pass_pipeline),
        *arguments.pass_flags,
        ("target", arguments.target),
        ("start-at", arguments.start_at),
        ("stop-after", arguments.stop_after),
        ("precision", arguments.precision),
        ("store", os.path.abspath(arguments.store) if arguments.store else None),
    ]
    flags = [
        ("split-input-file", arguments.split_input_file),
        ("allow-unregistered-dialect", arguments.allow_unregistered_dialect),
        ("verify-each=0", not arguments.verify_each),
    ]
    named = {name for name, _ in arguments.pass_flags}
    words = [f"--{name}" if value is None else f"--{name}={value}" for name, value in valued
             if value is not None or name in named]  # fmt: skip
    return words + [f"--{flag}" for flag, given in flags if given]
