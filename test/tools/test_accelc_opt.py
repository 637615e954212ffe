"""accelc-opt from the outside: start-up, failures of every kind, and the way back from a reproducer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = Path(sys.executable).parent / "accelc-opt"

BREAKING_PASS = """
from dataclasses import dataclass
from accelc.core.pass_ import Pass, register_pass
from accelc.core.rewrite import walk

@register_pass
@dataclass(frozen=True)
class Break(Pass):
    name = "test-break"
    summary = "fails"
    how: str = "raise"

    def run(self, module, context):
        if self.how == "raise":
            raise KeyError("lost")
        if self.how == "abort":
            import os
            os.abort()
        add = walk(module, {"arith.muli"})[0].operation
        add.operands[0] = add.results[0]
"""

SOURCE = """func.func @f(%a: i32) -> i32 {
  %0 = arith.muli %a, %a : i32
  return %0 : i32
}
"""


@pytest.fixture
def breaking(tmp_path: Path) -> list[str]:
    """A command that runs accelc-opt with one more pass, which fails."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "test_break.py").write_text(BREAKING_PASS)
    code = (
        f"import sys, accelc.passes; accelc.passes.__path__.append({str(folder)!r})\n"
        "from accelc.tools.accelc_opt import main; sys.exit(main())"
    )
    return [sys.executable, "-c", code]


def run(command: list[str], text: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_help_is_quick() -> None:
    """In less than twice the time that importing numpy alone takes: nothing heavy is loaded for it."""
    times: dict[str, list[float]] = {"help": [], "numpy": []}
    for _ in range(3):
        for what, command in (("numpy", [sys.executable, "-c", "import numpy"]), ("help", [str(TOOL), "--help"])):
            start = time.perf_counter()
            assert run(command, "").returncode == 0
            times[what].append(time.perf_counter() - start)
    assert min(times["help"]) < 2 * min(times["numpy"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "error: pass 'test-break' failed: KeyError: 'lost'"),
        ("invalid", "error: the IR is invalid after pass 'test-break': operand #0 does not dominate this use"),
        ("abort", "error: the compiler crashed (Aborted)"),
    ],
)
def test_our_faults_end_with_a_reproducer_that_replays(
    breaking: list[str], tmp_path: Path, how: str, message: str
) -> None:
    file = tmp_path / "replay me.mlir"
    flags = ["--cse", f"--test-break=how={how}", f"--mlir-pass-pipeline-crash-reproducer={file}"]
    done = run([*breaking, *flags], SOURCE)
    assert done.returncode == 4
    assert message in done.stderr
    assert f"note: reproducer: {file}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    again = run([*breaking, str(file), "--run-reproducer"], "", ACCELC_REPRODUCER_DIR=str(tmp_path / "again"))
    assert again.returncode == 4
    assert message in again.stderr


def test_reproducers_are_written_without_being_asked_for(breaking: list[str], tmp_path: Path) -> None:
    done = run([*breaking, "--test-break"], SOURCE, ACCELC_REPRODUCER_DIR=str(tmp_path / "left"))
    (left,) = (tmp_path / "left").iterdir()
    assert f"note: reproducer: {left}" in done.stderr
    assert left.read_text().startswith("// accelc-opt '--pass-pipeline=builtin.module(test-break)'\n")


def test_debug_shows_the_traceback(breaking: list[str], tmp_path: Path) -> None:
    for flags in (["--debug"], ["--debug", "--no-isolate"]):
        done = run([*breaking, "--test-break", *flags], SOURCE, ACCELC_REPRODUCER_DIR=str(tmp_path))
        assert done.returncode == 4
        assert "KeyError: 'lost'" in done.stderr
        assert "Traceback" in done.stderr


def test_upstream_failures_are_located(tmp_path: Path) -> None:
    text = (
        SOURCE.replace("i32", "tensor<4xi32>")
        .replace("arith.muli %a, %a", "tosa.mul %a, %a")
        .replace("tosa.mul %a, %a : tensor<4xi32>", "tosa.abs %a : (tensor<4xi32>) -> tensor<4xi32>")
    )
    file = tmp_path / "r.mlir"
    flags = ["--one-shot-bufferize=bufferize-function-boundaries=1", f"--mlir-pass-pipeline-crash-reproducer={file}"]
    done = run([str(TOOL), *flags], text)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "<stdin>:2:8: error: op was not bufferized\n  %0 = tosa.abs %a : (tensor<4xi32>) -> tensor<4xi32>\n       ^\n"
    )
    assert done.stderr.endswith(f"note: reproducer: {file}\n")
    assert run([str(TOOL), str(file), "--run-reproducer"], "").returncode == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe", "neither MLIR text nor bytecode (byte 0 is not UTF-8)"),
        (b"module {\0}", "neither MLIR text nor bytecode (it contains a zero byte)"),
        (b"ML\xefRnonsense", "error: "),
        (b"func.func @f() { \"x.y\"() : () -> () return }", "<stdin>:1:23: error: operation being parsed"),
        (b"func.func @f() { call @k::@e() : () -> () return }", "<stdin>:1:23: error: custom op 'func.call'"),
    ],
)  # fmt: skip
def test_hostile_input(data: bytes, message: str) -> None:
    done = subprocess.run([str(TOOL)], input=data, capture_output=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr.decode()


def test_a_crash_of_the_parser_is_a_message(tmp_path: Path) -> None:
    done = run([str(TOOL), f"--mlir-pass-pipeline-crash-reproducer={tmp_path / 'r'}"], "module {" * 20000 + "}" * 20000)
    assert done.returncode == 4
    assert "error: the compiler crashed" in done.stderr


def test_output_is_whole_or_absent(tmp_path: Path) -> None:
    out = tmp_path / "out.mlir"
    out.write_text("before")
    bad = SOURCE + "\n// -----\n" + SOURCE.replace("-> i32", "-> f32")
    assert run([str(TOOL), "--split-input-file", "-o", str(out)], bad).returncode == 2
    assert out.read_text() == "before"
    assert run([str(TOOL), "-o", str(out)], SOURCE).returncode == 0
    assert out.read_text().startswith("module {")
    done = run([str(TOOL), "-o", str(tmp_path / "none" / "out.mlir")], SOURCE)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mlir"]
    assert run([str(TOOL), "-o", os.devnull], SOURCE).returncode == 0
    assert not Path(os.devnull).is_file()


def test_a_closed_pipe_is_no_error() -> None:
    text = "".join(f"func.func @f{i}() {{ return }}\n" for i in range(20000))
    with subprocess.Popen(
        [str(TOOL)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(text)
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_store(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    np.savez(tmp_path / "w.npz", w=np.ones((2, 3), np.float32))
    save_file({"w": np.ones((2, 3), np.float32)}, tmp_path / "w.safetensors")
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    for name, code in (("w.npz", 0), ("w.safetensors", 0), ("bad.npz", 2), ("bad.safetensors", 2), ("none.npz", 2)):
        done = run([str(TOOL), f"--store={tmp_path / name}", "--cse"], SOURCE)
        assert done.returncode == code, done.stderr
        assert ("error: --store" in done.stderr) == (code == 2)


KERNEL = """
module @k0 attributes {accelc.device = "target"} {
  func.func @entry(%x: tensor<4x8xf32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {accelc.num_outputs = 1 : i64} {
    %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%out : tensor<4x8xf32>) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.addf %a, %a : f32
      linalg.yield %1 : f32
    } -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}
"""


def test_a_targets_own_pipeline_by_stages() -> None:
    """In two steps the same as in one."""
    text = f"module {{ {KERNEL} }}"
    target = [str(TOOL), "--target=host"]
    tiled = run([*target, "--start-at=kernels", "--stop-after=tiled"], text)
    assert tiled.returncode == 0, tiled.stderr
    assert "memref" in tiled.stdout
    assert "llvm.func" not in tiled.stdout
    lowered = run([*target, "--start-at=tiled"], tiled.stdout)
    assert lowered.returncode == 0, lowered.stderr
    assert "llvm.func" in lowered.stdout
    assert lowered.stdout == run([*target, "--start-at=kernels", "--stop-after=target"], text).stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--start-at=nn"], "--start-at needs --target"),
        (
            ["--target=host", "--stop-after=nope"],
            "there is no stage 'nope'\n  note: stages: nn, kernels, tiled, target",
        ),
        (["--target=host", "--start-at=target", "--stop-after=tiled"], "stage 'tiled' comes before stage 'target'"),
        (["--target=host", "--cse"], "--cse and --target cannot be combined"),
        (["--target=host", "--precision=int3"], "has no precision 'int3'"),
    ],
)
def test_wrong_target_flags(flags: list[str], message: str) -> None:
    done = run([str(TOOL), *flags], SOURCE)
    assert done.returncode == 2
    assert message in done.stderr
