"""The house: layout, start-up, pins, and that nothing in the tree knows the machine it was written on."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINKED = ("dialects", "passes", "targets", "tools")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("name", LINKED)
def test_symlinks_are_relative_and_committed(name: str) -> None:
    assert os.readlink(ROOT / "python/accelc" / name) == f"../../{name}"


@pytest.mark.parametrize("name", LINKED)
def test_bare_names_are_refused(name: str) -> None:
    """Two copies of one dialect class break MLIR's registration."""
    done = python(f"import {name}")
    assert done.returncode == 1
    assert f"accelc.{name}" in done.stderr.splitlines()[-1]


def test_importing_accelc_is_immediate() -> None:
    """Nothing heavy comes with the package: artifacts run where there is no MLIR."""
    done = python(
        "import sys, accelc; accelc.Error\n"
        "heavy = {'torch_mlir', 'mlir', 'numpy', 'onnx', 'llvmlite', 'rich', 'typer'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_exports() -> None:
    done = python(
        "import accelc\nfor name in accelc.__all__: getattr(accelc, name)\n"
        "assert set(accelc.__all__) <= set(dir(accelc))\n"
        "try: accelc.nope\nexcept AttributeError as error: print(error)"
    )
    assert done.stdout.strip() == "module 'accelc' has no attribute 'nope'", done.stderr


def test_version_is_said_once_and_the_same() -> None:
    import accelc

    assert accelc.__version__ == PROJECT["project"]["version"] == importlib.metadata.version("accelc")


def test_direct_dependencies_are_pinned_and_explained() -> None:
    page = (ROOT / "docs/dependencies.md").read_text()
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    for text in (t for group in groups for t in group):
        requirement = Requirement(text)
        if requirement.name != "accelc":
            assert canonicalize_name(requirement.name) in pins(), f"{requirement.name} is not in constraints.txt"
            assert f"`{requirement.name}`" in page, f"{requirement.name} is not in docs/dependencies.md"
    for text in PROJECT["build-system"]["requires"]:
        requirement = Requirement(text)
        assert str(requirement.specifier) == f"=={pins()[canonicalize_name(requirement.name)]}"


def test_what_they_need_in_turn_is_pinned_and_installed_at_that_version() -> None:
    # torch from another index has no CUDA packages among its needs; those that it does name, it pins itself.
    pinned, seen = pins(), set[str]()
    extras = PROJECT["project"]["optional-dependencies"]
    todo = [*PROJECT["project"]["dependencies"], *(t for e in ("build", "test", "dev") for t in extras[e])]
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        if name in seen or name == "accelc" or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name.startswith("nvidia-") or name in ("triton", "cuda-bindings", "cuda-pathfinder", "cuda-toolkit"):
            continue
        assert name in pinned, f"{name} is installed and not in constraints.txt"
        assert installed.version.partition("+")[0] == pinned[name]
        todo += list(installed.requires or [])
    assert {"numpy", "torch-mlir", "pydantic-core", "click", "pluggy"} <= seen


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_names_a_path_of_a_machine() -> None:
    absolute = re.compile(r"(?<![\w.~/$}-])/(?:work|home|root|tmp|opt|mnt|Users)/\w")
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {line.strip()}" for line in text.splitlines() if absolute.search(line)]
    assert found == []


def test_files_are_of_a_size_to_be_read() -> None:
    long = {str(p.relative_to(ROOT)): n for p in tracked() if p.suffix in (".py", ".cpp", ".h")
            if (n := len(p.read_text().splitlines())) > 600}  # fmt: skip
    assert long == {}


def test_ci_runs_the_test_command_only() -> None:
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_a_pass_is_named_as_its_file() -> None:
    """`accelc-opt` finds a pass by its file's name, and imports that file only."""
    from accelc.core.pass_ import load_passes, pass_names

    assert sorted(load_passes()) == pass_names()
    for name, cls in load_passes().items():
        assert cls.__module__.rpartition(".")[2] == name.replace("-", "_")
        assert cls.summary
        assert "\n" not in cls.summary
