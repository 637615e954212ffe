"""Shape and movement: reshapes, transposes, concatenation, slices, padding, repetition."""

from __future__ import annotations

import math

from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import AnyValue, Partial, Value


@handler("Identity")
def identity(n: Node) -> AnyValue:
    """The input itself."""
    return n.value(0)


@handler("Reshape")
def reshape(n: Node) -> Value:
    """Another shape: 0 keeps a size, -1 is what is left."""
    x = n.x()
    if n.version < 5:
        return _reshape_to(n, x, n.ints("shape"))
    sizes = n.x(1)
    if sizes.array is None and sizes.partial is not None:
        return _reshape_partially(n, x, sizes, sizes.partial)
    return _reshape_to(n, x, n.constant_ints(1, "the shape"))


def _reshape_to(n: Node, x: Value, shape: list[int]) -> Value:
    keep = not n.flag("allowzero")
    if shape.count(-1) > 1 or any(s < -1 for s in shape):
        raise n.invalid(f"has the shape {shape}")
    sizes: list[int | None] = []
    for i, s in enumerate(shape):
        if s == 0 and keep:
            if i >= x.rank:
                raise n.invalid(f"keeps size {i} of {x.type}, which has no such dimension")
            sizes.append(x.shape[i])
        else:
            sizes.append(None if s == -1 else s)
    if -1 in shape and x.type.is_static:
        rest = math.prod(s for s in sizes if s is not None)
        if rest == 0 or x.type.num_elements % rest:
            raise n.invalid(f"cannot make {shape} of {x.type}")
    return n.b.reshape(x, sizes)


def _reshape_partially(n: Node, x: Value, sizes: Value, partial: Partial) -> Value:
    """Some of the sizes are known, the others when the model runs."""
    shape: list[int | None] = []
    for i, (s, is_known) in enumerate(zip(partial.values.tolist(), partial.known.tolist(), strict=True)):
        if is_known and s == 0 and not n.flag("allowzero"):
            shape.append(x.shape[i] if i < x.rank else None)
        else:
            shape.append(s if is_known and s >= 0 else None)
    if shape.count(None) == 1:
        return n.b.reshape(x, shape)
    if any(k and s == 0 for s, k in zip(partial.values.tolist(), partial.known.tolist(), strict=True)):
        raise n.unsupported("that keeps sizes (0) beside computed ones")
    return n.b.op("dynamic_reshape", x, n.b.cast(sizes, "si64"), shape=tuple(shape))


@handler("Flatten")
def flatten(n: Node) -> Value:
    """A matrix: what is before the axis by what is from it on."""
    x = n.x()
    axis = n.integer("axis", 1)
    if not -x.rank <= axis <= x.rank:
        raise n.invalid(f"has axis {axis} for {x.type}")
    axis = axis + x.rank if axis < 0 else axis
    return n.b.reshape(x, flat(x, axis))


def flat(x: Value, axis: int) -> list[int | None]:
    """The sizes of x as a matrix cut at ``axis``."""
    return [_product(x.shape[:axis]), _product(x.shape[axis:])]


def _product(shape: tuple[int | None, ...]) -> int | None:
    total = 1
    for s in shape:
        if s is None:
            return None
        total *= s
    return total


@handler("Squeeze")
def squeeze(n: Node) -> Value:
    """Dimensions of size 1 taken out."""
    x = n.x()
    axes = n.attr_or_input("axes", 1, 13)
    if axes is None:
        axes = [i for i, s in enumerate(n.static(x)) if s == 1]
    return n.b.squeeze(x, n.resolve_all(axes, x.rank))


@handler("Unsqueeze")
def unsqueeze(n: Node) -> Value:
    """Dimensions of size 1 put in."""
    axes = n.attr_or_input("axes", 1, 13)
    if axes is None:
        raise n.invalid("needs axes")
    return n.b.expand_dims(n.x(), n.resolve_all(axes, n.x().rank + len(axes)))


@handler("Transpose")
def transpose(n: Node) -> Value:
    """Dimensions permuted; reversed by default."""
    x = n.x()
    perm = n.maybe_ints("perm") or list(range(x.rank))[::-1]
    return n.b.transpose(x, [p + x.rank if p < 0 else p for p in perm])


@handler("Concat")
def concat(n: Node) -> Value:
    """Tensors joined along an axis."""
    xs = [n.x(i) for i in range(len(n.inputs))]
    axis = n.axis(xs[0].rank, 1 if n.version < 4 else None)
    return n.b.concat(xs, axis)


@handler("Split")
def split(n: Node) -> list[Value]:
    """A tensor cut along an axis, into equal parts or given sizes."""
    x = n.x()
    axis = n.axis(x.rank, 0)
    sizes = n.attr_or_input("split", 1, 13) if n.op == "Split" else None
    if sizes is None:
        total = x.shape[axis]
        if total is None:
            raise n.unsupported(f"of {x.type} along axis {axis}, whose size is unknown,")
        count = n.integer("num_outputs", len(n.wanted))
        part = -(-total // count)
        sizes = [min(part, total - i * part) for i in range(count)]
        if n.version < 18 and total % count:
            raise n.invalid(f"cannot cut {x.type} into {count} equal parts along axis {axis}")
    if x.shape[axis] is not None and sum(sizes) != x.shape[axis]:
        raise n.invalid(f"cuts {x.type} into {sizes} along axis {axis}")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [n.b.slice_axis(x, axis, start, size) for start, size in zip(starts, sizes, strict=True)]


@handler("Slice")
def slice_op(n: Node) -> Value:
    """A range of each dimension, with steps."""
    x = n.x()
    if n.version < 10:
        starts, ends = n.ints("starts"), n.ints("ends")
        axes, steps = n.maybe_ints("axes"), None
    else:
        starts, ends = n.constant_ints(1, "starts"), n.constant_ints(2, "ends")
        axes = n.constant_ints(3, "axes") if n.has(3) else None
        steps = n.constant_ints(4, "steps") if n.has(4) else None
    axes = n.resolve_all(axes if axes is not None else list(range(len(starts))), x.rank)
    steps = steps or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise n.invalid(f"has {len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} steps")
    begin, sizes, strides = [0] * x.rank, [-1 if s is None else s for s in x.shape], [1] * x.rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        begin[axis], sizes[axis], strides[axis] = _range(n, x, start, end, axis, step)
    if (begin, sizes, strides) == ([0] * x.rank, list(x.shape), [1] * x.rank):
        return x
    return n.b.slice(x, begin, sizes, strides)


def _range(n: Node, x: Value, start: int, end: int, axis: int, step: int) -> tuple[int, int, int]:
    """Start, size and stride of one dimension."""
    if step == 0:
        raise n.invalid("has a step of 0")
    size = x.shape[axis]
    if size is not None:
        taken = range(*slice(start, end, step).indices(size))
        return (taken.start if len(taken) else 0), len(taken), step
    if start >= 0 and step > 0 and end >= 2**31 - 1:
        return start, -1, step
    if 0 <= start <= end and step > 0:
        return start, len(range(start, end, step)), step
    raise n.unsupported(f"[{start}:{end}:{step}] of {x.type} along axis {axis}, whose size is unknown,")


@handler("Pad")
def pad(n: Node) -> Value:
    """Elements put around: a constant, or the tensor's own."""
    x = n.x()
    fill: Value | None = None
    if n.version < 11:
        pads = n.ints("paddings" if n.version < 2 else "pads")
        if n.real("value", 0.0):
            fill = n.b.scalar(n.real("value"), x)
    else:
        pads = n.constant_ints(1, "pads")
        given = n.maybe(2)
        fill = None if given is None else n.b.reshape(given, ())
    axes = n.resolve_all(n.constant_ints(3, "axes") if n.has(3) else list(range(x.rank)), x.rank)
    if len(pads) != 2 * len(axes):
        raise n.invalid(f"has {len(pads)} pads for {len(axes)} axes")
    low, high = [0] * x.rank, [0] * x.rank
    for i, axis in enumerate(axes):
        low[axis], high[axis] = pads[i], pads[i + len(axes)]
    mode = n.text("mode", "constant")
    if mode == "constant":
        return n.b.pad(x, low, high, fill if fill is not None else 0)
    if mode not in ("reflect", "edge", "wrap"):
        raise n.invalid(f"has the mode '{mode}'")
    return n.b.op("pad_mode", x, low=tuple(low), high=tuple(high), mode=mode)


@handler("Expand")
def expand(n: Node) -> Value:
    """Repeated to a shape, as numpy would; the shape's ones take x's sizes."""
    x = n.x()
    wanted: list[int | None] = list(n.constant_ints(1, "the shape"))
    rank = max(x.rank, len(wanted))
    mine = [1] * (rank - x.rank) + list(x.shape)
    theirs = [1] * (rank - len(wanted)) + wanted
    return n.b.broadcast_to(x, [a if b == 1 else b for a, b in zip(mine, theirs, strict=True)])


@handler("Tile")
def tile(n: Node) -> Value:
    """Whole copies side by side."""
    x = n.x()
    if n.version < 6:
        repeats = [1] * x.rank
        repeats[n.constant_ints(2, "the axis")[0]] = n.constant_ints(1, "tiles")[0]
    else:
        repeats = n.constant_ints(1, "repeats")
    return tiled(n, x, repeats)


def tiled(n: Node, x: Value, repeats: list[int]) -> Value:
    """x repeated ``repeats[i]`` times along dimension i."""
    if len(repeats) != x.rank or any(r < 0 for r in repeats):
        raise n.invalid(f"has repeats {repeats} for {x.type}")
    axes = [i for i, r in enumerate(repeats) if r != 1]
    if not axes:
        return x
    shape = n.static(x)
    if all(shape[i] == 1 for i in axes):
        return n.b.broadcast_to(x, [s * r for s, r in zip(shape, repeats, strict=True)])
    # [a, b] -> [a, 1, b, 1] -> [r, a, s, b] merged.
    spread = n.b.reshape(x, [d for s in shape for d in (1, s)])
    repeated = n.b.broadcast_to(spread, [d for s, r in zip(shape, repeats, strict=True) for d in (r, s)])
    return n.b.reshape(repeated, [s * r for s, r in zip(shape, repeats, strict=True)])


@handler("DepthToSpace")
def depth_to_space(n: Node) -> Value:
    """Channels moved into blocks of space."""
    x = n.x()
    b, c, h, w = _nchw(n, x)
    k = n.integer("blocksize")
    if c % (k * k):
        raise n.invalid(f"cannot move the channels of {x.type} into blocks of {k}x{k}")
    rest = c // (k * k)
    if n.text("mode", "DCR") == "DCR":
        parts = n.b.transpose(n.b.reshape(x, [b, k, k, rest, h, w]), [0, 3, 4, 1, 5, 2])
    else:
        parts = n.b.transpose(n.b.reshape(x, [b, rest, k, k, h, w]), [0, 1, 4, 2, 5, 3])
    return n.b.reshape(parts, [b, rest, h * k, w * k])


@handler("SpaceToDepth")
def space_to_depth(n: Node) -> Value:
    """Blocks of space moved into channels."""
    x = n.x()
    b, c, h, w = _nchw(n, x)
    k = n.integer("blocksize")
    if h % k or w % k:
        raise n.invalid(f"cannot cut {x.type} into blocks of {k}x{k}")
    blocks = n.b.reshape(x, [b, c, h // k, k, w // k, k])
    perm = [0, 1, 3, 5, 2, 4] if n.text("mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
    return n.b.reshape(n.b.transpose(blocks, perm), [b, c * k * k, h // k, w // k])


def _nchw(n: Node, x: Value) -> tuple[int, int, int, int]:
    shape = n.static(x, 4)
    return shape[0], shape[1], shape[2], shape[3]


@handler("Trilu")
def trilu(n: Node) -> Value:
    """The upper or lower triangle of each matrix; 0 elsewhere."""
    x = n.x()
    if x.rank < 2:
        raise n.invalid(f"needs matrices, got {x.type}")
    rows, columns = n.static(x)[-2:]
    k = n.constant_ints(1, "k")[0] if n.has(1) else 0
    row, column = n.b.iota([rows, columns], 0), n.b.iota([rows, columns], 1)
    inside = n.b.compare("ge" if n.flag("upper", True) else "le", n.b.sub(column, row), k)
    return n.b.select(inside, x, n.b.const(0, x.dtype))


@handler("ReverseSequence")
def reverse_sequence(n: Node) -> Value:
    """The first ``sequence_lens[b]`` steps of each example reversed."""
    x = n.x()
    shape = n.static(x)
    time, batch = n.axis(x.rank, 0, "time_axis"), n.axis(x.rank, 1, "batch_axis")
    if {time, batch} != {0, 1}:
        raise n.invalid(f"has time axis {time} and batch axis {batch}; they must be 0 and 1")
    lengths = n.b.along(n.b.cast(n.x(1), "si64"), 2, batch)
    step = n.b.iota([shape[0], shape[1]], time)
    reversed_step = n.b.sub(n.b.sub(lengths, 1), step)
    idx = n.b.select(n.b.compare("lt", step, lengths), reversed_step, step)
    idx = n.b.reshape(idx, [*shape[:2], *([1] * (x.rank - 2))])
    return n.b.op("gather_elements", x, n.b.broadcast_to(idx, shape), axis=time)
