"""gpu-split-launches: each loop nest of a kernel becomes a launch of its own, its iterations spread over threads."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.diagnostics import UnsupportedError
from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import dialect, ir
from accelc.passes.kernel_module import ENTRY, entry, kernels, run_pipeline

#: Attribute of the kernel module: the threads that each of its functions is launched with, in order.
LAUNCHES = "gpu.launches"

# Ops that only name memory or compute on values: every launch that needs them has them.
_PREFACE = ("arith.", "math.", "memref.view", "memref.subview", "memref.expand_shape", "memref.collapse_shape",
            "memref.cast", "memref.reinterpret_cast", "affine.apply")  # fmt: skip


@register_pass
@dataclass(frozen=True)
class GpuSplitLaunches(Pass):
    """Makes a launch of every top-level `scf.parallel`, with a thread an iteration, and one of a single thread of what
    lies between two.

    The functions are called entry, entry_1, ... and take the same arguments. They run one after the other: where one
    reads what another wrote, the end of a launch orders them.
    """

    name: ClassVar[str] = "gpu-split-launches"
    summary: ClassVar[str] = "make a launch of every loop nest, its iterations spread over threads"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every bufferized kernel of ``module``.

        Raises UnsupportedError where a launch would need a value that an earlier one computed.
        """
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                if LAUNCHES not in kernel.attributes:
                    _split(kernel)


def _split(kernel: Any) -> None:
    function = entry(kernel)
    launches = _launches(_top_level(function))
    threads = []
    for number, positions in enumerate(launches):
        copy = function.clone(ip=ir.InsertionPoint(kernel.regions[0].blocks[0]))
        copy.attributes["sym_name"] = ir.StringAttr.get(ENTRY if number == 0 else f"{ENTRY}_{number}")
        others = {p for other in launches for p in other if other is not positions}
        work = _keep_only(copy, positions, others)
        if work[0].name == "scf.parallel":
            threads.append(_spread(work[0]))
        else:
            _guard_single(work)
            threads.append(1)
    if launches:
        function.erase()
    kernel.attributes[LAUNCHES] = ir.DenseI64ArrayAttr.get(threads)
    run_pipeline(kernel, "canonicalize,cse")


def _top_level(function: Any) -> list[Any]:
    return [op.operation for op in function.regions[0].blocks[0].operations]


def _launches(ops: Sequence[Any]) -> list[list[int]]:
    """Which of a function's ops each launch does: a parallel nest each, and what lies between two, all together."""
    launches: list[list[int]] = []
    for position, op in enumerate(ops):
        if not _is_work(op, ops[position + 1 :]):
            continue
        alone = op.name == "scf.parallel"
        if alone or not launches or ops[launches[-1][0]].name == "scf.parallel":
            launches.append([])
        launches[-1].append(position)
    return launches


def _is_work(op: Any, later: Sequence[Any]) -> bool:
    if op.name == "memref.load":  # any launch may load what nobody writes from here on
        return _memory_of(op.operands[0]) in {m for other in later for m in _written(other)}
    return not op.name.startswith(_PREFACE) and op.name != "func.return"


def _written(op: Any) -> list[Any]:
    """The pieces of memory that ``op`` stores to, itself or inside."""
    found: list[Any] = []

    def visit(inner: Any) -> Any:
        if inner.name == "memref.store":
            found.append(_memory_of(inner.operands[1]))
        return ir.WalkResult.ADVANCE

    op.walk(visit)
    return found


def _memory_of(memref: Any) -> Any:
    """The argument or the piece of the workspace that a memref is made of. Different ones do not overlap."""
    while not isinstance(memref.owner, ir.Block) and memref.owner.name != "memref.view":
        if not memref.owner.name.startswith(_PREFACE):
            break
        memref = memref.owner.operands[0]
    return memref


def _keep_only(function: Any, positions: Sequence[int], others: Collection[int]) -> list[Any]:
    """Erases the work of ``others``, and what is used no more. Returns the work at ``positions``, in order, with the
    ops between its first and last.
    """
    kept: list[Any] = []
    for position, op in reversed(list(enumerate(_top_level(function)))):
        if positions[0] <= position <= positions[-1] and position not in others:
            kept.append(op)
        elif op.name != "func.return" and not any(list(result.uses) for result in op.results):
            op.erase()
        elif position in others:
            raise UnsupportedError(
                f"'{op.name}' hands a value to a later loop nest, which the generic GPU path does not take"
            )
    return kept[::-1]


def _spread(work: Any) -> int:
    """Gives each iteration of a nest to a thread; returns how many threads that takes."""
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


def _guard_single(work: Sequence[Any]) -> None:
    """A launch has whole blocks of threads: only the first does what is for one."""
    arith, scf, index = dialect("arith"), dialect("scf"), ir.IndexType.get()
    with ir.InsertionPoint(work[0]):
        first = arith.cmpi(arith.CmpIPredicate.eq, _thread_index(), arith.constant(index, 0))
        guard = scf.IfOp(first)
    with ir.InsertionPoint(guard.then_block):
        end = scf.YieldOp([])
    for op in work:
        op.move_before(end.operation)


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
            raise UnsupportedError("a parallel loop with bounds that are no constants has no code on the GPU yet")
        values.append(ir.IntegerAttr(owner.attributes["value"]).value)
    n = len(values) // 3
    return list(zip(values[:n], values[n : 2 * n], values[2 * n : 3 * n], strict=True))
