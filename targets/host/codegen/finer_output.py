"""Moves a reshape that merges dimensions from an output's producer to the output.

A grouped convolution computes ``[n, h, w, group, channel]``; its epilogue sees the last two as one, and an index into
them would have to be divided. Computing the epilogue on the finer shape avoids that: memory is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from accelc.targets.host.codegen.linear import Linear
from accelc.targets.host.codegen.reader import Generic, GenericOp, Kernel, NotTileable, Reshape, Splat, Tensor

Shape = tuple[int, ...]
# For each dimension of a tensor, the extents that it is split into.
Split = tuple[Shape, ...]


def with_finer_output(kernel: Kernel) -> Kernel:
    """The kernel with its only output in the shape of the reduction under its elementwise epilogue, if that is finer.

    Kernels that have no such epilogue, or one that cannot be written so, come back as they are.
    """
    if len(kernel.outputs) != 1:
        return kernel
    output, destination = kernel.outputs[0], kernel.destinations[0]
    split = _split_below(output)
    if split is None:
        return kernel
    finer = replace(destination, shape=_joined(split))
    try:
        value = _Splitter({destination: finer}).split(output, split)
    except NotTileable:
        return kernel
    return Kernel((*kernel.arguments[:-1], finer), (value,))


def _split_below(output: Tensor) -> Split | None:
    """How a reduction's dimensions make up those of an elementwise ``output`` of it; None if not, or if they are it."""
    tensor = output
    while isinstance(tensor, Generic) and _is_elementwise(tensor):
        same = [t for t, m in zip(tensor.op.inputs, tensor.op.maps, strict=False) if _is_identity(m, tensor.shape)]
        below = next((t for t in same if isinstance(t, Generic | Reshape)), None)
        if below is None:
            return None
        tensor = below
    if tensor is output or not isinstance(tensor, Reshape) or not isinstance(tensor.source, Generic):
        return None
    return _grouped(tensor.source.shape, tensor.shape) if tensor.source.op.reductions else None


def _is_elementwise(tensor: Generic) -> bool:
    """Whether element i of a generic is computed at point i of its domain, wherever that is."""
    op = tensor.op
    indexed = any(i.kind in ("index", "extract") for i in op.body.instructions)
    return not op.reductions and not indexed and _is_identity(op.maps[len(op.inputs) + tensor.result], tensor.shape)


def _is_identity(indices: tuple[Linear, ...], shape: Shape) -> bool:
    return indices == tuple(Linear.var(f"d{i}") for i in range(len(shape)))


def _grouped(fine: Shape, coarse: Shape) -> Split | None:
    """The dimensions of ``fine`` that make up each of ``coarse``; None if they do not, or if none is split."""
    groups: list[Shape] = []
    at = 0
    for extent in coarse:
        start, size = at, 1
        while at < len(fine) and (at == start or size < extent):
            size *= fine[at]
            at += 1
        if size != extent:
            return None
        groups.append(fine[start:at])
    return tuple(groups) if at == len(fine) and len(fine) > len(coarse) else None


def _joined(split: Split) -> Shape:
    return tuple(extent for group in split for extent in group)


@dataclass
class _Splitter:
    """Rewrites tensors over split dimensions; ``known`` are those whose finer form is given."""

    known: dict[Tensor, Tensor]
    ops: dict[tuple[GenericOp, Split], GenericOp] = field(default_factory=dict)

    def split(self, tensor: Tensor, split: Split) -> Tensor:
        """``tensor`` with each dimension as ``split`` says. Raises NotTileable."""
        shape = _joined(split)
        if shape == tensor.shape:
            return tensor
        if tensor in self.known and self.known[tensor].shape == shape:
            return self.known[tensor]
        if isinstance(tensor, Splat):
            return replace(tensor, shape=shape)
        if isinstance(tensor, Reshape) and tensor.source.shape == shape:
            return tensor.source
        if isinstance(tensor, Generic) and _is_elementwise(tensor):
            return Generic(shape, tensor.element, self._op(tensor.op, split), tensor.result)
        return Reshape(shape, tensor.element, tensor)

    def _op(self, op: GenericOp, split: Split) -> GenericOp:
        if (op, split) not in self.ops:
            self.ops[op, split] = self._rewritten(op, split)
        return self.ops[op, split]

    def _rewritten(self, op: GenericOp, split: Split) -> GenericOp:
        names = {f"d{i}": i for i in range(len(split))}
        starts = [sum(len(g) for g in split[:i]) for i in range(len(split))]
        operands, maps = [], []
        for tensor, indices in zip((*op.inputs, *op.inits), op.maps, strict=True):
            groups: list[Shape] = []
            finer: list[Linear] = []
            for index, extent in zip(indices, tensor.shape, strict=True):
                dim = names[index.terms[0][0]] if index.terms else None
                if dim is None or len(split[dim]) == 1:
                    groups.append((extent,))
                    finer.append(index.substitute({n: Linear.var(f"d{starts[i]}") for n, i in names.items()}))
                elif index == Linear.var(f"d{dim}"):
                    groups.append(split[dim])
                    finer += [Linear.var(f"d{starts[dim] + i}") for i in range(len(split[dim]))]
                else:
                    raise NotTileable("an epilogue that moves along a split dimension")
            operands.append(self.split(tensor, tuple(groups)))
            maps.append(tuple(finer))
        count, extents = len(op.inputs), _joined(split)
        inputs, inits = tuple(operands[:count]), tuple(operands[count:])
        return GenericOp(inputs, inits, tuple(maps), (True,) * len(extents), extents, op.body)
