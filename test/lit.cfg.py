"""lit: the .mlir tests, each a RUN line that pipes `accelc-opt` into FileCheck."""

import os
import sys
import tempfile
from pathlib import Path

import lit.formats

config.name = "accelc"  # noqa: F821  (lit provides `config` and `lit_config`)
config.test_format = lit.formats.ShTest(False)  # noqa: F821
config.suffixes = [".mlir", ".test"]  # noqa: F821
config.excludes = ["Inputs"]  # noqa: F821
config.test_source_root = str(Path(__file__).parent)  # noqa: F821
# Outputs go out of the tree, one folder a run, so that runs at the same time do not meet.
config.test_exec_root = os.environ.get("LIT_EXEC_ROOT") or tempfile.mkdtemp(prefix="accelc-lit-")  # noqa: F821

# The tools of the environment whose Python runs lit, and filecheck.
config.environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # noqa: F821
config.environment["ACCELC_CACHE"] = "0"  # noqa: F821
