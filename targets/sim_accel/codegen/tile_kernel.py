"""Tiles one kernel: which nests compute it, and what goes through DRAM between them."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import dialect, ir
from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.codegen.build_tiled import TiledBuilder
from accelc.targets.sim_accel.codegen.graph import Compute, Concat, GraphReader, Insert, Kernel, Reshape, Val
from accelc.targets.sim_accel.codegen.locate import locate
from accelc.targets.sim_accel.codegen.memory import ScratchpadOverflow
from accelc.targets.sim_accel.codegen.nest import Destination, store_item, whole
from accelc.targets.sim_accel.codegen.search import Choice, Search
from accelc.targets.sim_accel.codegen.spans import full
from accelc.targets.sim_accel.limits import Limits

func = dialect("func")
memref = dialect("memref")

# Estimates may fall short of what placement needs; each further attempt leaves more of the scratchpad free.
_ATTEMPTS = (1.0, 0.75, 0.5, 0.35)


def tile_kernel(kernel: Any, limits: Limits) -> None:
    """Replaces a kernel's ``@entry`` on tensors by its tiled form on memrefs.

    Raises UnsupportedError where it has something that the machine cannot do.
    """
    old = next(op for op in kernel.regions[0].blocks[0].operations if op.operation.name == "func.func")
    error: ScratchpadOverflow | None = None
    for share in _ATTEMPTS:
        graph = GraphReader(old.operation).kernel
        new = _Tiler(graph, limits, int(limits.config.sp_bytes * share)).build(old)
        try:
            _dry_run(new.operation, limits)
        except ScratchpadOverflow as problem:
            error = problem
            new.operation.erase()
            continue
        old.operation.erase()
        return
    assert error is not None
    raise error


def _dry_run(function: Any, limits: Limits) -> None:
    """Places the tiles as the lowering will. Raises ScratchpadOverflow."""
    from accelc.targets.sim_accel.passes.sim_lower import schedule

    schedule(function, limits)


class _Tiler:
    """Nests of one kernel, in order. Values that a nest cannot compute along with its root go through DRAM."""

    def __init__(self, kernel: Kernel, limits: Limits, capacity: int) -> None:
        self.kernel = kernel
        self.limits = limits
        self.capacity = capacity
        self.done: dict[Val, Val] = {}
        self.memrefs: dict[Val, Any] = {}
        self.nests = 0

    def build(self, old: Any) -> Any:
        """Builds the tiled function before ``old``; returns it."""
        kernel = self.kernel
        arguments = [*kernel.inputs, *kernel.outputs]
        types = [ir.MemRefType.get(list(v.shape), v.element_type) for v in arguments]
        with ir.InsertionPoint(old):
            new = func.FuncOp("entry", (types, []))
        for name in ("accelc.num_outputs", "arg_attrs"):
            if name in old.operation.attributes:
                new.attributes[name] = old.operation.attributes[name]
        block = new.add_entry_block()
        for val, argument in zip(arguments, block.arguments, strict=True):
            self.memrefs[val] = argument
        with ir.InsertionPoint(block):
            final = func.ReturnOp([])
        self.builder = TiledBuilder(self.memrefs)
        anchor = ir.InsertionPoint(final)
        self.builder.constants_at = ir.InsertionPoint.at_block_begin(block)
        with anchor:
            # Constants stand before everything else: a marker keeps the two apart while building.
            marker = ir.Operation.create("sim_accel.nop")
            self.builder.constants_at = ir.InsertionPoint(marker)
            for result, output in zip(kernel.results, kernel.outputs, strict=True):
                self._output(result, output)
            marker.erase()
        return new

    def _output(self, result: Val, output: Val) -> None:
        if result in self.done:
            if self.done[result] is output:
                return
            self._copy(self.done[result], output)
            return
        self._value(result, whole(output))
        self.done.setdefault(result, output)

    def _copy(self, source: Val, output: Val) -> None:
        alias = Val(source.shape, source.element_type, None, source)
        self.memrefs[alias] = self.memrefs[source]
        self._nest(alias, whole(output))

    # ---- one value ----

    def _value(self, val: Val, destination: Destination) -> None:
        """Computes ``val`` into its destination: pieces of a concatenation one by one, else one nest, else several."""
        producer = val.producer
        if isinstance(producer, Concat):
            at = 0
            for source in producer.sources:
                self._value(source, _part(destination, producer.axis, at))
                at += source.shape[producer.axis]
            return
        if isinstance(producer, Insert) and len(producer.kept) == val.rank:
            if producer.target is not None:
                self._value(producer.target, destination)
            self._value(producer.source, _inside(destination, producer))
            return
        try:
            self._nest(val, destination)
        except UnsupportedError:
            if not self._materialize(val):
                raise
            self._nest(val, destination)

    def _nest(self, val: Val, destination: Destination) -> None:
        choices = Search(val, destination, self.limits, self.capacity).run()
        choice = choices[0]
        self._side_outputs(choice)
        if self.nests:
            queues = "|".join(map(str, range(len(isa.QUEUES))))
            ir.Operation.create("sim_accel.fence", attributes={"queues": ir.StringAttr.get(queues)})
        self.nests += 1
        self.builder.nest(choice.nest, choice.tiling)

    def _side_outputs(self, choice: Choice) -> None:
        """Other results of the kernel that this nest computes tile by tile anyway are stored by it too."""
        nest, tiling = choice.nest, choice.tiling
        for result, output in zip(self.kernel.results, self.kernel.outputs, strict=True):
            if result is nest.root or result in self.done or result.memref is not None:
                continue
            found = nest.planner.computed(result)
            if found is None:
                continue
            spans, tile = found
            loops = set(tiling.loops)
            exact = all(
                (not [d for d in s.dims if d in loops] and s.size(tiling.sizes) == n and s.const == 0)
                or (
                    len(s.coeffs) == 1
                    and s.coeffs[0][1] == 1
                    and s.base == 1
                    and s.const == 0
                    and nest.extents[s.coeffs[0][0]] == n
                )
                for s, n in zip(spans, result.shape, strict=True)
            )
            if exact:
                nest.items.append(store_item(tile, whole(output)))
                self.done[result] = output

    # ---- values through DRAM ----

    def _materialize(self, root: Val) -> bool:
        """Computes what ``root`` depends on into DRAM, each value by itself; False if there is nothing to do."""
        order: list[Val] = []
        seen: set[Val] = set()

        def visit(val: Val) -> None:
            if val in seen or val.memref is not None:
                return
            seen.add(val)
            for source in operands(val):
                visit(source)
            order.append(val)

        visit(root)
        changed = False
        for val in order:
            if val is root or val.memref is not None or locate(val, tuple(full(n) for n in val.shape)) is not None:
                continue
            if not isinstance(val.producer, Compute | Concat | Insert) and not (
                isinstance(val.producer, Reshape) is False and operands(val)
            ):
                continue
            if val in self.done:
                self._bind(val, self.done[val])
                changed = True
                continue
            stored = Val(val.shape, val.element_type)
            kind = ir.MemRefType.get(list(val.shape), val.element_type)
            with self.builder.constants_at:
                self.memrefs[stored] = memref.AllocOp(kind, [], []).result
            stored.memref = stored
            self._value(val, whole(stored))
            self._bind(val, stored)
            changed = True
        return changed

    def _bind(self, val: Val, stored: Val) -> None:
        """From now on ``val`` is read from DRAM."""
        val.memref = stored
        self.memrefs[val] = self.memrefs[stored]


def operands(val: Val) -> list[Val]:
    """The values that a value is made of."""
    producer = val.producer
    if isinstance(producer, Compute):
        return [v for v in (*producer.ins, *producer.inits) if isinstance(v, Val)]
    if isinstance(producer, Concat):
        return list(producer.sources)
    if isinstance(producer, Insert):
        return [v for v in (producer.source, producer.target) if v is not None]
    source = getattr(producer, "source", None)
    return [source] if isinstance(source, Val) else []


def _part(destination: Destination, axis: int, at: int) -> Destination:
    d = destination.dims[axis]
    offsets = list(destination.offsets)
    offsets[d] += at * destination.steps[d]
    return Destination(destination.target, tuple(offsets), destination.steps, destination.dims)


def _inside(destination: Destination, producer: Insert) -> Destination:
    offsets, steps = list(destination.offsets), list(destination.steps)
    for i, (offset, stride) in enumerate(zip(producer.offsets, producer.strides, strict=True)):
        d = destination.dims[i]
        offsets[d] += offset * destination.steps[d]
        steps[d] = destination.steps[d] * stride
    return Destination(destination.target, tuple(offsets), tuple(steps), destination.dims)
