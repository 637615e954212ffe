"""docs/add_a_pass.md, followed to the letter in a folder beside the tree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def test_the_page_works(root: Path, tmp_path: Path) -> None:
    page = (root / "docs/add_a_pass.md").read_text()
    (code,), (test,) = blocks(page, "python"), blocks(page, "mlir")
    more = tmp_path / "passes"
    more.mkdir()
    (more / "nn_cancel_neg.py").write_text(code)
    (tmp_path / "test/passes").mkdir(parents=True)
    (tmp_path / "test/passes/nn-cancel-neg.mlir").write_text(test)
    (tmp_path / "test/lit.cfg.py").write_text((root / "test/lit.cfg.py").read_text())
    # The same tool, with the folder of the new pass beside the project's own, before the environment's on the path.
    tool = tmp_path / "bin/accelc-opt"
    tool.parent.mkdir()
    tool.write_text(
        f"#!{sys.executable}\nimport sys, accelc.passes\naccelc.passes.__path__.append({str(more)!r})\n"
        "from accelc.tools.accelc_opt import main\nsys.exit(main())\n"
    )
    tool.chmod(0o755)
    config = tmp_path / "test/lit.cfg.py"
    config.write_text(config.read_text() + f"\nconfig.environment['PATH'] = {str(tool.parent)!r} + ':' + "
                      "config.environment['PATH']\n")  # fmt: skip
    environment = {**os.environ, "PATH": os.pathsep.join([str(tool.parent), str(BIN), os.environ["PATH"]])}
    outputs = []
    for script in blocks(page, "sh")[1:]:
        for command in script.strip().splitlines():
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            outputs.append(done.stdout)
    assert outputs[0].count('"nn.neg"') == 2
    assert outputs[1].strip("\n").startswith(blocks(page, "")[0].strip("\n"))
    assert "Passed: 1" in outputs[2]
