"""Compiles one kernel: MLIR text of a kernel module in, code out. Runs in a worker process, or in the driver's."""

from __future__ import annotations

import functools
import shlex
from contextlib import suppress
from typing import Any

from accelc.core.diagnostics import Error, InternalError, UnsupportedError
from accelc.core.reproducer import PREFIX, store_text
from accelc.core.target import CompileOptions, KernelCode, Target, load_target

_ANY_KERNEL = """
module {
  module @kernel attributes {accelc.device = "target"} {
    func.func @entry(%x: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32>
        attributes {accelc.num_outputs = 1 : i64} {
      %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
          iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%out : tensor<64xf32>) {
      ^bb0(%a: f32, %b: f32):
        %c = arith.addf %a, %a : f32
        linalg.yield %c : f32
      } -> tensor<64xf32>
      return %y : tensor<64xf32>
    }
  }
}
"""


def target_named(name: str) -> Target:
    """The manifest of a target, by name."""
    from accelc.targets import TARGETS

    return load_target(name, TARGETS)


@functools.cache
def shared_context() -> Any:
    """One context for all kernels of this process: making one with our dialects takes longer than a small kernel."""
    from accelc.core.context import make_context

    return make_context()


def warm(target: str) -> None:
    """Loads what compiling for ``target`` needs, ahead of the first kernel, by compiling one that is as good as any."""
    manifest = target_named(target)
    machine = manifest.default_machine
    options = CompileOptions(manifest.default_precision(manifest.load_machine(machine)))
    # What cannot be done here cannot be done to the kernels either, and these will say so.
    with suppress(Error):
        compile_kernel(_ANY_KERNEL, target, machine, options.to_json())


def compile_kernel(text: str, target: str, machine: str, options: dict[str, Any]) -> KernelCode:
    """Lowers a module that holds one kernel and emits its code.

    Args:
        text: the module at the `kernels` stage.
        target, machine: names as in ``target:machine``; machine may be the path of a TOML file.
        options: `CompileOptions` as JSON.

    Raises:
        Error: what the passes or the emitter raise; anything else becomes an InternalError with a reproducer.
    """
    from accelc.mlir import ir

    manifest = target_named(target)
    description = manifest.load_machine(machine)
    compile_options = CompileOptions.from_json(options)
    assert manifest.kernel_pipeline is not None and manifest.emit is not None
    try:
        with shared_context(), ir.Location.unknown():
            module = ir.Module.parse(text)
            manifest.kernel_pipeline(description, compile_options).run(module)
            return manifest.emit(module, description, compile_options)
    except Error:
        raise
    except MemoryError:
        raise UnsupportedError(f"compiling a kernel for {target} needs more memory than there is") from None
    except Exception as error:
        raise InternalError(
            f"compiling a kernel for {target} failed: {type(error).__name__}: {error}",
            reproducer=keep_kernel(text, target, machine),
        ) from error


def keep_kernel(text: str, target: str, machine: str) -> str | None:
    """Leaves the IR of a kernel that could not be compiled, with the command that replays it; the file's path."""
    arguments = ["--target", f"{target}:{machine}", "--start-at", "kernels", "--stop-after", "target"]
    return store_text(f"{PREFIX}{shlex.join(arguments)}\n{text}")
