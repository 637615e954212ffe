"""docs/emulator.md, run as written: its commands, its Python, and an example of each kind of finding."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from accelc.targets.gpu.emulator import Emulator, docs
from accelc.targets.gpu.emulator.native import core
from accelc.targets.gpu.emulator.report import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/emulator.md").read_text()
BIN = Path(sys.executable).parent
HEAD = ".version 8.0\n.target sm_90a\n.address_size 64\n"


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [body for name, body in found if name == language]


EXAMPLES = {
    part.split("`")[0]: part
    for part in PAGE.split("## How to read a finding")[1].split("\n## ")[0].split("\n### `")[1:]
}


@pytest.mark.golden
def test_the_table_of_instructions_is_fresh(golden: Callable[[str, str], None]) -> None:
    golden("docs/emulator_instructions.md", docs.page())


@pytest.mark.golden
def test_the_stub_of_the_core_is_fresh(golden: Callable[[str, str], None]) -> None:
    stubgen = pytest.importorskip("nanobind.stubgen")
    generator = stubgen.StubGen(core())
    generator.put(core())
    # The binding's lists and tuples say no more than that.
    golden("targets/gpu/emulator/_core.pyi", f"# mypy: disable-error-code=type-arg\n{generator.get()}")


def test_matrix_shapes_are_told_as_a_range() -> None:
    shapes = "|".join(f"m64n{n}k16" for n in (16, 8, 24, 32, 40, 48, 56))
    assert docs.shorter(f"sync {shapes} f32|f16") == "sync m64n8k16 ... m64n56k16 (7 shapes) f32|f16"
    assert docs.shorter("m16n8k8|m16n8k16 row") == "m16n8k8|m16n8k16 row"


def test_the_page_works(tmp_path: Path) -> None:
    first = PAGE.split("## How to read a finding")[0]
    (tmp_path / "saxpy.ptx").write_text(blocks(first, "ptx")[0])
    environment = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]), "COLUMNS": "160"}
    script = "set -e\n" + "".join(blocks(first, "sh"))
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "saxpy: no findings" in done.stdout
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), 2 * np.arange(1000, dtype=np.float32) + 1)
    program = "\n".join(blocks(first, "python"))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "fma.rn.f32" in done.stdout


def test_every_kind_has_an_example() -> None:
    assert tuple(EXAMPLES) == KINDS


def found(text: str) -> list[str]:
    report = Emulator(text).launch(
        "k", block=64, args=[np.zeros(64, np.uint32)], sanitize=True, max_steps=10000, raise_on_finding=False
    )
    return [str(finding) for finding in report.findings]


@pytest.mark.golden
def test_the_examples_are_found_as_the_page_says(golden: Callable[[str, str], None]) -> None:
    page = PAGE
    for part in EXAMPLES.values():
        (kernel,), (message,) = blocks(part, "ptx"), blocks(part, "text")
        page = page.replace(f"```text\n{message}```", "```text\n" + "\n".join(found(HEAD + kernel)) + "\n```")
    golden("docs/emulator.md", page)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fix_of_an_example_helps(kind: str) -> None:
    (kernel,), (message,), (difference,) = (blocks(EXAMPLES[kind], name) for name in ("ptx", "text", "diff"))
    assert message.startswith(f"{kind} at k, PTX line ")
    assert found(fixed(HEAD + kernel, difference)) == []


def fixed(text: str, difference: str) -> str:
    """The text with a difference applied: its lines stand in it in this order."""
    lines, at = text.split("\n"), 0
    for sign, line in ((d[0], d[1:]) for d in difference.rstrip("\n").split("\n")):
        if sign == "+":
            lines.insert(at, line)
        else:
            at = lines.index(line, at)
            if sign == "-":
                del lines[at]
                continue
        at += 1
    return "\n".join(lines)


def compare(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "test/bench/emulator_gpu_compare.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_comparison_with_a_gpu_runs_with_itself() -> None:
    done = compare("--with-itself", "--elements", "256", r"^(dp4a|add\.f32|cvt\.rn\.f32|mma|sin)")
    assert done.returncode == 0, done.stderr
    rows = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in done.stdout.splitlines()[4:]}
    assert rows == dict.fromkeys(("integer", "f32, IEEE", "conversions", "approximations", "matrices"), "0")


def test_the_comparison_with_a_gpu_says_where_there_is_none() -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        done = compare()
        assert (done.returncode, done.stdout) == (3, "")
        assert "there is no CUDA driver here" in done.stderr
    else:
        pytest.skip("there is a CUDA driver")


def test_the_readme_runs_the_emulator(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## GPU kernels without a GPU")[1].split("\n## ")[0]
    (tmp_path / "saxpy.ptx").write_text(blocks(PAGE, "ptx")[0])
    environment = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    commands = [line for block in blocks(section, "sh") for line in block.strip().splitlines()]
    assert commands
    (tmp_path / "mlp.py").write_text((ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0])
    (tmp_path / "try.py").write_text("".join(blocks(section, "python")))
    for command in [*commands, f"{sys.executable} try.py"]:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
