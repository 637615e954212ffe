"""The family of loop nests: any kernel of elementwise work, reductions, windows and movement.

Each output becomes one or more nests (a concatenation is a nest a piece); what cannot be computed on the way is put in
the workspace by a nest of its own first, by every thread for itself.
"""

from __future__ import annotations

import math

from accelc.targets.host.codegen.evaluate import Memory
from accelc.targets.host.codegen.kernel_writer import KernelWriter, Tiled
from accelc.targets.host.codegen.nest import Nest, Store
from accelc.targets.host.codegen.reader import (
    Concat,
    Empty,
    Generic,
    Insert,
    Kernel,
    NotTileable,
    Pad,
    Reshape,
    Splat,
    Tensor,
)
from accelc.targets.host.cpu import Cpu

# A producer computed before the nests costs every thread all of its work, so large ones only make sense where it is
# little.
_MAX_SCRATCH = 64 << 20


def write_loops(kernel: Kernel, cpu: Cpu) -> Tiled:
    """Writes a kernel as loop nests. Raises NotTileable."""
    if any(math.prod(a.shape) == 0 for a in kernel.arguments):
        raise NotTileable("an empty tensor")
    return _Loops(KernelWriter(kernel, cpu)).write()


def materialize(kw: KernelWriter, tensor: Tensor) -> None:
    """Writes nests that put a tensor in the workspace, whole, before anything else. Raises NotTileable."""
    _Loops(kw).materialize(tensor)


class _Loops:
    def __init__(self, kw: KernelWriter) -> None:
        self.kw = kw
        self.kernel = kw.kernel
        self.ordered = False  # whether a later nest overwrites what an earlier one wrote
        self._unfinished: list[Tensor] = []  # producers on their way to the workspace

    def write(self) -> Tiled:
        stores: list[Store] = []
        for value, destination in zip(self.kernel.outputs, self.kernel.destinations, strict=True):
            memory = self.kw.arguments[destination]
            stores += self._pieces(_whole(value, memory, destination.shape))
        nests = [self._plan(group) for group in _grouped(stores)]
        if self.ordered or len(nests) == 1:
            tiles = nests[0].tiles if len(nests) == 1 else 1
            for nest in nests:
                self._run(nest, whole=len(nests) > 1)
            return self.kw.finish(tiles)
        return self._side_by_side(nests)

    def _side_by_side(self, nests: list[Nest]) -> Tiled:
        """Nests that write different places share the kernel's tiles: first those of the first, and so on."""
        w, base = self.kw.writer, 0
        for nest in nests:
            start, count = w.integer(base), w.integer(nest.tiles)
            bounds = []
            for bound in ("%begin", "%end"):
                above = w.op(f"arith.maxui {bound}, {start} : index")
                shifted = w.op(f"arith.subi {above}, {start} : index")
                bounds.append(w.op(f"arith.minui {shifted}, {count} : index"))
            with self.kw.loop(bounds[0], bounds[1]) as loop:
                nest.write(self.kw.split(loop.variable, nest.tile_extents))
            base += nest.tiles
        return self.kw.finish(base)

    def _run(self, nest: Nest, *, whole: bool) -> None:
        low, high = (0, nest.tiles) if whole else ("%begin", "%end")
        with self.kw.loop(low, high) as loop:
            nest.write(self.kw.split(loop.variable, nest.tile_extents))

    def _plan(self, stores: list[Store]) -> Nest:
        """A nest for some stores, after what it cannot compute on the way was put in the workspace."""
        for _ in range(100):
            nest = Nest(self.kw, stores)
            blocked = nest.blocked()
            if not blocked:
                return nest
            self.materialize(blocked[0])
        raise NotTileable("producers that do not end")

    def materialize(self, tensor: Tensor) -> None:
        """Puts a tensor in the workspace."""
        memory = self.kw.evaluator.memory
        size = math.prod(tensor.shape)
        if tensor in memory or tensor in self._unfinished or size * 8 > _MAX_SCRATCH:
            raise NotTileable("a producer that has no place, or that cannot be computed by a nest of its own")
        self._unfinished.append(tensor)
        scratch = self.kw.scratch(size, tensor.element)
        for group in _grouped(self._pieces(_whole(tensor, scratch, tensor.shape))):
            self._run(self._plan(group), whole=True)
        self._unfinished.pop()
        memory[tensor] = scratch

    def _pieces(self, store: Store) -> list[Store]:
        """The stores that make up a value: several where it is put together from others."""
        value = store.value
        none, ones = (0,) * len(value.shape), (1,) * len(value.shape)
        if isinstance(value, Concat):
            result, at = [], list(none)
            for source in value.sources:
                if source.shape[value.axis]:
                    result += self._pieces(_part(store, source, tuple(at), ones))
                at[value.axis] += source.shape[value.axis]
            return result
        if isinstance(value, Pad):
            self.ordered = True
            border = _part(store, Splat(value.shape, value.element, value.value), none, ones)
            if any(low < 0 for low in value.low) or any(
                low + n > m for low, n, m in zip(value.low, value.source.shape, value.shape, strict=True)
            ):
                raise NotTileable("a pad that crops")
            return [border, *self._pieces(_part(store, value.source, value.low, ones))]
        if isinstance(value, Insert):
            self.ordered = True
            base = self._pieces(_part(store, value.base, none, ones))
            return base + self._pieces(_part(store, value.source, value.offsets, value.strides))
        if isinstance(value, Empty):
            return []
        return [store]


def _whole(value: Tensor, to: Memory, shape: tuple[int, ...]) -> Store:
    return Store(value, to, shape, (0,) * len(shape), (1,) * len(shape))


def _part(store: Store, value: Tensor, offsets: tuple[int, ...], strides: tuple[int, ...]) -> Store:
    """The store of ``value``, which stands at ``offsets + strides * i`` of what ``store`` stores."""
    starts = tuple(a + o * s for a, o, s in zip(store.offsets, offsets, store.strides, strict=True))
    steps = tuple(s * t for s, t in zip(store.strides, strides, strict=True))
    return Store(value, store.destination, store.shape, starts, steps)


def _grouped(stores: list[Store]) -> list[list[Store]]:
    """Stores in the nests that compute them: results over the same domain share one."""
    groups: list[list[Store]] = []
    for store in stores:
        for group in groups:
            if group[0].value.shape == store.value.shape and _related(group[0].value, store.value):
                group.append(store)
                break
        else:
            groups.append([store])
    return groups


def _related(a: Tensor, b: Tensor) -> bool:
    return isinstance(a, Generic) and isinstance(b, Generic) and bool(_sources(a) & _sources(b))


def _sources(tensor: Tensor) -> set[int]:
    """Identities of what a tensor is computed from."""
    found: set[int] = set()
    work = [tensor]
    while work:
        current = work.pop()
        if id(current) in found:
            continue
        found.add(id(current))
        if isinstance(current, Generic):
            work += [*current.op.inputs, *current.op.inits]
        elif isinstance(current, Reshape):
            work.append(current.source)
    return found
