"""Shape and movement: reshape, transpose, broadcast, concat, slice, pad, and the sizes themselves."""

from __future__ import annotations

from collections.abc import Sequence

from accelc.dialects.nn.fields import Int, Ints, OptionalTensor, Out, Str, Tensor, Tensors
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import (
    fail,
    need_axes,
    need_axis,
    need_length,
    need_one_of,
    need_same_dtype,
    need_shape,
    shape_text,
)
from accelc.dialects.nn.ops.constants import check_sizes
from accelc.dialects.nn.types import Dim, Shape, TensorType, dims_agree, merge_shapes, shapes_agree

PAD_MODES = ("reflect", "edge", "wrap")


class Reshape(NNOp, name="reshape"):
    """The same elements in row-major order under the result's shape, at most one size of which is ``?``.

    A ``?`` stands for what is left of x's elements. ONNX: Reshape, Flatten, Squeeze, Unsqueeze.
    tensor: expand_shape, collapse_shape.
    """

    x: Tensor
    result: Out
    FROM_RESULT = ("shape",)

    @staticmethod
    def infer(x: TensorType, *, shape: Shape) -> TensorType:
        """Result types."""
        shape = tuple(shape)
        unknown = shape.count(None)
        if unknown > 1:
            fail(f"has more than one unknown size in {shape_text(shape)}; nn.dynamic_reshape takes sizes as an operand")
        if not x.is_static:
            return TensorType(shape, x.dtype)
        known = 1
        for size in shape:
            known *= 1 if size is None else size
        count = x.num_elements
        if not unknown:
            if known != count:
                fail(f"cannot make {shape_text(shape)} ({known} elements) of {x} ({count} elements)")
            return TensorType(shape, x.dtype)
        if known == 0 or count % known:
            fail(f"cannot make {shape_text(shape)} of {x}: {count} elements are no multiple of {known}")
        return TensorType(tuple([count // known if s is None else s for s in shape]), x.dtype)


class DynamicReshape(NNOp, name="dynamic_reshape"):
    """`reshape` to the sizes in the operand ``shape`` (si64, one element a dimension; one may be -1: what is left).

    The result type says what is known of the sizes. A 0 is a size of 0. ONNX: Reshape with a computed shape.
    """

    x: Tensor
    sizes: Tensor
    result: Out
    FROM_RESULT = ("shape",)

    @staticmethod
    def infer(x: TensorType, sizes: TensorType, *, shape: Shape) -> TensorType:
        """Result types."""
        check_sizes(tuple(shape), (sizes,))
        if x.is_static and None not in shape and TensorType(tuple(shape), x.dtype).num_elements != x.num_elements:
            fail(f"cannot make {shape_text(shape)} of {x}")
        return TensorType(tuple(shape), x.dtype)


class Transpose(NNOp, name="transpose"):
    """Permutes dimensions: result dimension i is operand dimension ``perm[i]``. ONNX: Transpose. linalg: transpose."""

    x: Tensor
    result: Out
    perm: Ints

    @staticmethod
    def infer(x: TensorType, *, perm: Sequence[int]) -> TensorType:
        """Result types."""
        if sorted(perm) != list(range(x.rank)):
            fail(f"needs a permutation of {x.rank} dimensions, got {list(perm)}")
        return TensorType(tuple([x.shape[p] for p in perm]), x.dtype)


class Broadcast(NNOp, name="broadcast"):
    """Operand dimension i becomes result dimension ``dims[i]`` (increasing); its size is equal or 1, others repeat x.

    A ``?`` of the result that no dimension of x says comes from the operand ``sizes`` (si64, one element a dimension
    of the result). ONNX: Expand, and every implicit broadcast. linalg: broadcast.
    """

    x: Tensor
    sizes: OptionalTensor
    result: Out
    dims: Ints
    FROM_RESULT = ("shape",)

    @staticmethod
    def infer(x: TensorType, *sizes: TensorType, dims: Sequence[int], shape: Shape) -> TensorType:
        """Result types."""
        need_length(dims, x.rank, "dims")
        need_axes(dims, len(shape), "dims")
        result = list(shape)
        for i, d in enumerate(dims):
            have = x.shape[i]
            if have != 1 and not dims_agree(have, result[d]):
                fail(f"cannot repeat size {have} of {x} to {result[d]} in {shape_text(shape)}")
            # An operand of unknown size is taken not to be 1, so that its size is the result's.
            if result[d] is None and have != 1 and not sizes:
                result[d] = have
        covered = {d for i, d in enumerate(dims) if x.shape[i] != 1}
        if not sizes and any(s is None and d not in covered for d, s in enumerate(result)):
            fail(f"needs the operand 'sizes' for the unknown sizes of {shape_text(shape)}, which {x} does not say")
        if sizes:
            check_sizes(tuple(result), sizes)
        return TensorType(tuple(result), x.dtype)


class Concat(NNOp, name="concat"):
    """Joins one or more tensors along ``axis``; other sizes are equal. ONNX: Concat. tensor: concat."""

    xs: Tensors
    result: Out
    axis: Int

    @staticmethod
    def infer(*xs: TensorType, axis: int) -> TensorType:
        """Result types."""
        if not xs:
            fail("needs at least one operand")
        need_same_dtype(*xs)
        need_axis(axis, xs[0].rank)
        rest = [(*x.shape[:axis], *x.shape[axis + 1 :]) for x in xs]
        if any(x.rank != xs[0].rank or not shapes_agree(r, rest[0]) for x, r in zip(xs, rest, strict=True)):
            fail(f"needs equal sizes except along axis {axis}, got {', '.join(map(str, xs))}")
        merged = merge_shapes(rest)
        total: Dim = 0
        for x in xs:
            size = x.shape[axis]
            total = None if total is None or size is None else total + size
        return TensorType((*merged[:axis], total, *merged[axis:]), xs[0].dtype)


class Slice(NNOp, name="slice"):
    """Elements ``starts + i * strides`` for i in [0, ``sizes``) along each dimension.

    ``starts`` are resolved (non-negative); ``strides`` may be negative, not 0. A size of -1 means all there are from
    the start (``?`` in the result where x's size is unknown). ONNX: Slice, Split. tensor: extract_slice.
    """

    x: Tensor
    result: Out
    starts: Ints
    sizes: Ints
    strides: Ints

    @staticmethod
    def infer(x: TensorType, *, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> TensorType:
        """Result types."""
        for values, what in ((starts, "starts"), (sizes, "sizes"), (strides, "strides")):
            need_length(values, x.rank, what)
        dims = zip(x.shape, starts, sizes, strides, strict=True)
        return TensorType(tuple([_slice_size(x, i, *d) for i, d in enumerate(dims)]), x.dtype)


def _slice_size(x: TensorType, axis: int, have: Dim, start: int, size: int, stride: int) -> Dim:
    if stride == 0 or start < 0 or size < -1:
        fail(f"has start {start}, size {size}, stride {stride} along axis {axis}; start >= 0, size >= -1, stride != 0")
    if size == -1:
        if stride < 0:
            return start // -stride + 1
        return None if have is None else max(0, -(-(have - start) // stride))
    last = start + (size - 1) * stride
    if size and (last < 0 or (have is not None and not (start < have and last < have))):
        fail(f"takes elements {start} to {last} along axis {axis} of {x}")
    return size


class Pad(NNOp, name="pad"):
    """Puts ``low`` and ``high`` copies of ``value`` (a scalar of x's type) around each dimension; negative crops.

    ONNX: Pad (constant). tensor: pad.
    """

    x: Tensor
    value: Tensor
    result: Out
    low: Ints
    high: Ints

    @staticmethod
    def infer(x: TensorType, value: TensorType, *, low: Sequence[int], high: Sequence[int]) -> TensorType:
        """Result types."""
        need_same_dtype(x, value)
        need_shape(value, (), "a value")
        return _padded(x, low, high)


def _padded(x: TensorType, low: Sequence[int], high: Sequence[int]) -> TensorType:
    need_length(low, x.rank, "low")
    need_length(high, x.rank, "high")
    sizes = [None if s is None else s + a + b for s, a, b in zip(x.shape, low, high, strict=True)]
    if any(s is not None and s < 0 for s in sizes):
        fail(f"crops more than there is: {x} by low {list(low)}, high {list(high)}")
    return TensorType(tuple(sizes), x.dtype)


class PadMode(NNOp, name="pad_mode"):
    """`pad` with x's own elements: "reflect" (mirrored, the edge not repeated), "edge" (its nearest), "wrap" (around).

    Negative amounts crop, after the others have padded. ONNX: Pad (reflect, edge, wrap).
    """

    x: Tensor
    result: Out
    low: Ints
    high: Ints
    mode: Str

    @staticmethod
    def infer(x: TensorType, *, low: Sequence[int], high: Sequence[int], mode: str) -> TensorType:
        """Result types."""
        need_one_of(mode, PAD_MODES, "mode")
        result = _padded(x, low, high)
        for i, size in enumerate(x.shape):
            if size == 0 and (low[i] > 0 or high[i] > 0):
                fail(f"has nothing to pad with along axis {i} of {x}")
        return result


class ShapeOf(NNOp, name="shape_of"):
    """The sizes of x: si64, one element a dimension. ONNX: Shape."""

    x: Tensor
    result: Out

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        """Result types."""
        return TensorType((x.rank,), "si64")


class DimOf(NNOp, name="dim"):
    """The size of x along ``axis``: a scalar si64. ONNX: Shape with Gather. tensor: dim."""

    x: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(x: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        need_axis(axis, x.rank)
        return TensorType((), "si64")


class AssumeDim(NNOp, name="assume_dim"):
    """x itself, whose unknown sizes are what the result type says: a promise, checked when the model is interpreted."""

    x: Tensor
    result: Out
    FROM_RESULT = ("shape",)

    @staticmethod
    def infer(x: TensorType, *, shape: Shape) -> TensorType:
        """Result types."""
        if not shapes_agree(x.shape, tuple(shape)):
            fail(f"cannot take {x} to be of shape {shape_text(shape)}")
        return TensorType(merge_shapes([x.shape, tuple(shape)]), x.dtype)
