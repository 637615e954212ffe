"""docs/add_a_target.md, followed to the letter in a folder beside the tree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent

# The page's two lines, put into the tables of every process, worker processes too.
TABLES = """
import accelc.targets
accelc.targets.__path__.append({folder!r})
accelc.targets.TARGETS.update({{{manifest}}})
accelc.targets.EXECUTORS.update({{{executor}}})
"""


def test_the_page_works(root: Path, tmp_path: Path) -> None:
    page = (root / "docs/add_a_target.md").read_text()
    code = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    init, manifest, executor, line1, line2, script = code
    folder = tmp_path / "targets/slate"
    folder.mkdir(parents=True)
    for name, text in (("__init__", init), ("target", manifest), ("executor", executor)):
        (folder / f"{name}.py").write_text(text)
    (tmp_path / "try_slate.py").write_text(script)
    tables = TABLES.format(folder=str(folder.parent), manifest=line1, executor=line2)
    (tmp_path / "sitecustomize.py").write_text(tables)
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(tmp_path)}
    outputs = []
    for command in re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1].strip().splitlines():
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        outputs.append(done.stdout)
    assert "below 1e-6: True" in outputs[0]
    assert int(outputs[0].split("launches:")[1]) >= 2
    assert "slate" in outputs[1]
