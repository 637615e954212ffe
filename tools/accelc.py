"""The command line ``accelc``: what it takes. What each command does is in its ``cli_<command>.py``.

Exit codes: 0 ok, 1 wrong result, 2 bad input or usage, 3 unsupported, 4 internal.
"""

# typer reads the annotations at run time, so they stay values here.
from typing import Annotated

import typer

app = typer.Typer(
    name="accelc",
    help="Compiles neural networks for several accelerators, runs them, and says what they cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Each command imports its implementation when it runs: --help must answer at once.
Model = Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, or FILE.py[:NAME] with a builder model.")]
ModelOrArtifact = Annotated[
    str,
    typer.Argument(
        metavar="MODEL|ARTIFACT", help="An ONNX file, FILE.py[:NAME] with a builder model, or a compiled .accelc file."
    ),
]
TargetOption = Annotated[
    str,
    typer.Option(
        "-t", "--target", metavar="BACKEND[:MACHINE]", help="Such as host, sim_accel:edge, or a machine's .toml file."
    ),
]
DimOption = Annotated[
    list[str] | None, typer.Option("--dim", metavar="NAME=SIZE", help="Fixes a symbolic dimension; may be repeated.")
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision", metavar="P", help="strict, fast, or a format such as bf16; each target has its default."
    ),
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads for work on the host.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Prints one JSON value on standard output instead.")]


def _finish(run: object) -> None:
    from accelc.tools.cli_common import guarded

    assert callable(run)
    raise typer.Exit(guarded(run))


def _version(wanted: bool) -> None:
    if wanted:
        from accelc import __version__

        typer.echo(f"accelc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Prints the version.")
    ] = False,
) -> None:
    """Compiles neural networks for several accelerators, runs them, and says what they cost."""


@app.command("compile")
def compile_command(
    model: Model,
    target: TargetOption = "host",
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Default: MODEL's name with .accelc.")
    ] = None,
    dim: DimOption = None,
    precision: PrecisionOption = None,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Compiles a model into one file that runs anywhere its target does."""

    def run() -> int:
        from accelc.tools.cli_compile import compile_model

        return compile_model(model, target, output, dims=dim, precision=precision, threads=threads, as_json=json)

    _finish(run)


@app.command("run")
def run_command(
    model: ModelOrArtifact,
    target: Annotated[
        str | None,
        typer.Option(
            "-t", "--target", metavar="BACKEND[:MACHINE]", help="Default: host, or what an artifact was made for."
        ),
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="IN.npz", help="Arrays by input name; default: random.")
    ] = None,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="OUT.npz", help="Expected arrays by output name.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE.npz", help="Writes the outputs.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Expects what onnxruntime says (or our interpreter, without it).")
    ] = False,
    rel_l2: Annotated[
        float | None, typer.Option("--rel-l2", min=0, help="The bound on each output's relative L2 error.")
    ] = None,
    rtol: Annotated[
        float | None, typer.Option("--rtol", min=0, help="With --atol: must hold for every element too.")
    ] = None,
    atol: Annotated[
        float | None, typer.Option("--atol", min=0, help="With --rtol: must hold for every element too.")
    ] = None,
    dim: DimOption = None,
    precision: PrecisionOption = None,
    threads: ThreadsOption = 1,
    repeat: Annotated[
        int | None,
        typer.Option(
            "--repeat", min=0, help="Timed runs after the first; default: 5, or none where one takes over 0.5 s."
        ),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage", metavar="S", help="Runs the IR of a stage (nn, kernels, tiled) on the reference interpreter."
        ),
    ] = None,
    emulate: Annotated[
        bool, typer.Option("--emulate", help="gpu: runs the PTX on the emulator, on this computer's CPU.")
    ] = False,
    sanitize: Annotated[
        bool, typer.Option("--sanitize", help="With --emulate: any race or stray access is an error.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Runs a model and says whether its answers are right."""

    def run() -> int:
        from accelc.tools.cli_run import RunRequest, run_model

        return run_model(
            RunRequest(
                model=model,
                target=target,
                inputs=inputs,
                expect=expect,
                output=output,
                check=check,
                rel_l2=rel_l2,
                rtol=rtol,
                atol=atol,
                dims=tuple(dim or ()),
                precision=precision,
                threads=threads,
                repeat=repeat,
                stage=stage,
                emulate=emulate,
                sanitize=sanitize,
            ),
            as_json=json,
        )

    _finish(run)


@app.command("compare")
def compare_command(
    model: Model,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "-t", "--target", metavar="BACKEND[:MACHINE]", help="Repeat it; default: every machine that ships."
        ),
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Writes a report that needs no other file.")
    ] = None,
    dim: DimOption = None,
    precision: PrecisionOption = None,
    top: Annotated[int, typer.Option("--top", min=0, help="How many kernels of each target to show.")] = 5,
    json: JsonOption = False,
) -> None:
    """Compares what a model costs on several machines, and says what bounds it on each."""

    def run() -> int:
        from accelc.tools.cli_compare import compare_model

        return compare_model(model, target or [], html, dims=dim, precision=precision, top=top, as_json=json)

    _finish(run)


@app.command("check")
def check_command(
    model: Model,
    target: TargetOption = "host",
    dim: DimOption = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
) -> None:
    """Says before compiling what a target cannot do or does slowly, and why."""

    def run() -> int:
        from accelc.tools.cli_check import check_model

        return check_model(model, target, dims=dim, precision=precision, as_json=json)

    _finish(run)


@app.command("inspect")
def inspect_command(
    artifact: Annotated[str, typer.Argument(metavar="ARTIFACT", help="A compiled .accelc file.")],
    kernel: Annotated[str | None, typer.Option("--kernel", metavar="NAME", help="Disassembles one kernel.")] = None,
    disassemble: Annotated[bool, typer.Option("--disassemble", help="Disassembles every kernel.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Shows every step of the plan.")] = False,
    json: JsonOption = False,
) -> None:
    """Shows what is in a compiled file: interface, kernels, memory map, code."""

    def run() -> int:
        from accelc.tools.cli_inspect import inspect_artifact

        return inspect_artifact(artifact, kernel=kernel, disassemble=disassemble, plan=plan, as_json=json)

    _finish(run)


@app.command("emulate")
def emulate_command(
    ptx: Annotated[str, typer.Argument(metavar="KERNEL.ptx", help="A PTX module.")],
    entry: Annotated[str | None, typer.Option("--entry", metavar="NAME", help="Default: the only kernel.")] = None,
    grid: Annotated[str, typer.Option("--grid", metavar="X,Y,Z", help="Blocks.")] = "1",
    block: Annotated[str, typer.Option("--block", metavar="X,Y,Z", help="Threads of a block.")] = "32",
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="X,Y,Z", help="Blocks of a cluster; default: the kernel's own.")
    ] = None,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg",
            metavar="ARG",
            help="One for each parameter, in order: i32:5, f32:0.5, bytes:0x.., null, an array as IN.npy, "
            "zeros:f32[1024], empty:f32[1024] (unwritten), random:f32[64,64]; >OUT.npy behind an array saves it "
            "afterwards.",
        ),
    ] = None,
    shared: Annotated[int, typer.Option("--shared", min=0, metavar="BYTES", help="Dynamic shared memory.")] = 0,
    sanitize: Annotated[bool, typer.Option("--sanitize", help="Looks for races, stray and unwritten memory.")] = False,
    counters: Annotated[bool, typer.Option("--counters", help="Shows what was executed and moved.")] = False,
    by: Annotated[
        str, typer.Option("--by", metavar="KEY", help="Of --counters: opcode, line, source, space.")
    ] = "opcode",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads that share the blocks.")] = 1,
    cooperative: Annotated[bool, typer.Option("--cooperative", help="All blocks are resident at once.")] = False,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, help="Warp instructions after which to give up.")] = 1
    << 30,
    json: JsonOption = False,
) -> None:
    """Runs a GPU kernel's PTX on the CPU: results, findings, counters."""

    def run() -> int:
        from accelc.tools.cli_emulate import EmulateRequest, emulate

        return emulate(
            EmulateRequest(
                ptx=ptx,
                entry=entry,
                grid=grid,
                block=block,
                cluster=cluster,
                args=tuple(arg or ()),
                shared=shared,
                sanitize=sanitize,
                counters=counters,
                by=by,
                threads=threads,
                cooperative=cooperative,
                max_steps=max_steps,
            ),
            as_json=json,
        )

    _finish(run)


@app.command("targets")
def targets_command(json: JsonOption = False) -> None:
    """Lists the targets and the machine descriptions that ship."""

    def run() -> int:
        from accelc.tools.cli_targets import list_targets

        return list_targets(as_json=json)

    _finish(run)


def main() -> None:
    """Entry point of the ``accelc`` script."""
    app()


if __name__ == "__main__":
    main()
