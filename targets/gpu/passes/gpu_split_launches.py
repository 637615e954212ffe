"""gpu-split-launches: each loop nest of a kernel becomes a launch of its own, its iterations spread over threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.diagnostics import UnsupportedError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import ENTRY, entry, kernels, name_of, run_pipeline

#: Attribute of the kernel module: the threads that each of its functions is launched with, in order.
LAUNCHES = "gpu.launches"

# Ops that only name memory or compute on indices: every launch that needs them has them.
_PREFACE = ("arith.", "memref.view", "memref.subview", "memref.expand_shape", "memref.collapse_shape", "memref.cast",
            "memref.reinterpret_cast", "affine.apply")  # fmt: skip


@register_pass
@dataclass(frozen=True)
class GpuSplitLaunches(Pass):
    """Makes a function of every top-level `scf.parallel`, one thread an iteration, and of every other nest, one thread.

    The functions are called entry, entry_1, ... and take the same arguments. They run one after the other: where one
    reads what another wrote, the end of a launch orders them.
    """

    name: ClassVar[str] = "gpu-split-launches"
    summary: ClassVar[str] = "make a launch of every loop nest, its iterations spread over threads"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every bufferized kernel of ``module``."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                if LAUNCHES not in kernel.attributes:
                    _split(kernel)


def _split(kernel: Any) -> None:
    function = entry(kernel)
    effects = [k for k, op in enumerate(_top_level(function)) if _is_work(op)]
    threads = []
    for number, position in enumerate(effects):
        name = ENTRY if number == 0 else f"{ENTRY}_{number}"
        copy = function.clone(ip=ir.InsertionPoint(kernel.regions[0].blocks[0]))
        copy.attributes["sym_name"] = ir.StringAttr.get(name)
        _keep_only(copy, position, name_of(kernel))
        threads.append(_spread(copy, _top_level(copy)))
    if effects:
        function.erase()
    kernel.attributes[LAUNCHES] = ir.DenseI64ArrayAttr.get(threads)
    run_pipeline(kernel, "canonicalize,cse")


def _top_level(function: Any) -> list[Any]:
    return [op.operation for op in function.regions[0].blocks[0].operations]


def _is_work(op: Any) -> bool:
    return not op.name.startswith(_PREFACE) and op.name != "func.return"


def _keep_only(function: Any, position: int, kernel: str) -> None:
    """Erases all work but that at ``position``; what is unused then goes when the function is canonicalized."""
    for k, op in reversed(list(enumerate(_top_level(function)))):
        if k == position or not _is_work(op):
            continue
        if any(list(result.uses) for result in op.results):
            raise UnsupportedError(
                f"'{op.name}' hands a value to the rest of its kernel, which the generic GPU path does not take",
                node=kernel,
            )
        op.erase()


def _spread(function: Any, ops: list[Any]) -> int:
    """Gives each iteration of the function's nest to a thread; returns how many threads that takes."""
    (work,) = [op for op in ops if _is_work(op)]
    if work.name != "scf.parallel":
        _guard_single(work)
        return 1
    bounds = _bounds(work)
    extents = [max(0, -(-(high - low) // step)) for low, high, step in bounds]
    total = math.prod(extents)
    body = work.regions[0].blocks[0]
    arith, scf, index = dialect("arith"), dialect("scf"), ir.IndexType.get()
    with ir.InsertionPoint(work):
        thread = _thread_index()
        inside = arith.cmpi(arith.CmpIPredicate.ult, thread, arith.constant(index, total))
        guard = scf.IfOp(inside)
    with ir.InsertionPoint(guard.then_block):
        end = scf.YieldOp([])
    rest = thread
    values = []
    with ir.InsertionPoint(end):
        for (low, _, step), extent in reversed(list(zip(bounds, extents, strict=True))):
            size = arith.constant(index, max(extent, 1))
            at = arith.remui(rest, size)
            rest = arith.divui(rest, size)
            scaled = arith.muli(at, arith.constant(index, step))
            values.append(arith.addi(scaled, arith.constant(index, low)))
    for argument, value in zip(body.arguments, reversed(values), strict=True):
        argument.replace_all_uses_with(value)
    for op in list(body.operations):
        if op.operation.name != "scf.reduce":
            op.operation.move_before(end.operation)
    work.erase()
    return max(total, 1)


def _guard_single(work: Any) -> None:
    """A launch has whole blocks of threads: only the first does what is for one."""
    arith, scf, index = dialect("arith"), dialect("scf"), ir.IndexType.get()
    with ir.InsertionPoint(work):
        first = arith.cmpi(arith.CmpIPredicate.eq, _thread_index(), arith.constant(index, 0))
        guard = scf.IfOp(first)
    with ir.InsertionPoint(guard.then_block):
        end = scf.YieldOp([])
    work.move_before(end.operation)


def _thread_index() -> Any:
    """This thread's number in the launch: block id * block size + thread id."""
    gpu, arith = dialect("gpu"), dialect("arith")
    x = gpu.Dimension.x
    return arith.addi(arith.muli(gpu.block_id(x), gpu.block_dim(x)), gpu.thread_id(x))


def _bounds(parallel: Any) -> list[tuple[int, int, int]]:
    """(low, high, step) of each dimension. Shapes are static, so these are constants."""
    values = []
    for operand in parallel.operands:
        owner = operand.owner
        if isinstance(owner, ir.Block) or owner.name != "arith.constant":
            raise UnsupportedError(
                "a parallel loop with bounds that are no constants", node=name_of(parallel.parent.parent)
            )
        values.append(ir.IntegerAttr(owner.attributes["value"]).value)
    n = len(values) // 3
    return list(zip(values[:n], values[n : 2 * n], values[2 * n : 3 * n], strict=True))
