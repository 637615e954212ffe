"""onnx's node cases compiled for the GPU by the generic path, and run on the emulator.

python test/targets/gpu/gpu_node_cases.py [PATTERN]     # a summary
python test/targets/gpu/gpu_node_cases.py --update      # also writes the list of passing cases
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[2]))

from frontend import onnx_node_cases as node_cases

Array = np.ndarray[Any, Any]
GOLDEN = Path(__file__).with_suffix(".txt")


def runner(model: onnx.ModelProto, inputs: Mapping[str, Array], bound: Mapping[str, Array]) -> Sequence[Array]:
    """Import, all passes, PTX, emulator: as `accelc.compile` does, in this process and without a cache."""
    from accelc import driver
    from accelc.core.pass_ import PassContext
    from accelc.dialects import plan as plan_dialect
    from accelc.frontend.onnx import import_onnx, load
    from accelc.kernel_compiler import compile_kernel, shared_context
    from accelc.mlir import ir
    from accelc.passes.kernel_texts import kernel_texts
    from accelc.targets.gpu.executor import EmulatedExecutor

    job = driver.resolve("gpu:h200", "strict")
    with shared_context(), ir.Location.unknown():
        imported = import_onnx(load(model), bind=bound)
        store = imported.store
        job.target.graph_pipeline(job.machine, job.options).run(imported.module, PassContext(store=store))
        plan = plan_dialect.export(imported.module.operation)
        jobs = kernel_texts(imported.module.operation)
    code = {j.name: compile_kernel(j.text, "gpu", job.machine_name, job.options.to_json()) for j in jobs}
    constants = {b.ref: store.array(b.ref) for b in plan.buffers if b.kind == "constant"}
    executor = EmulatedExecutor(plan, code, constants, threads=1, host=None, options={})
    return executor.run([inputs[s.name] for s in plan.inputs])


def main(argv: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="run only cases whose name matches this expression")
    parser.add_argument("--update", action="store_true", help=f"write {GOLDEN.name}")
    options = parser.parse_args(argv)
    selected = [c for c in node_cases.cases() if re.search(options.pattern, c.name)]
    outcomes = list(node_cases.run_cases(runner, selected))
    print(node_cases.summary(outcomes))
    if options.update and not options.pattern:
        GOLDEN.write_text("".join(o.line() + "\n" for o in outcomes if o.status == "pass"))
    return int(any(o.status in ("wrong", "crash") for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
