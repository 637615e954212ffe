"""Indexing: gathers, scatters, cumulative sums, top-k and arg-reductions. Indices are si32 or si64."""

from __future__ import annotations

from accelc.dialects.nn.fields import Flag, Int, Out, Str, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import (
    fail,
    need_axis,
    need_number,
    need_one_of,
    need_same_dtype,
    need_shape,
)
from accelc.dialects.nn.types import TensorType, shapes_agree

REDUCTIONS = ("none", "add", "mul", "min", "max")


def _need_indices(t: TensorType) -> None:
    if t.dtype not in ("si32", "si64"):
        fail(f"needs indices of element type si32 or si64, got {t}")


class Gather(NNOp, name="gather"):
    """Takes slices of x along ``axis``: result ``[x.shape[:axis], *idx.shape, x.shape[axis+1:]]``.

    Indices lie in [0, size); any other is undefined. ONNX: Gather. tensor: extract in a linalg.generic.
    """

    x: Tensor
    idx: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(x: TensorType, idx: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        _need_indices(idx)
        need_axis(axis, x.rank)
        return TensorType((*x.shape[:axis], *idx.shape, *x.shape[axis + 1 :]), x.dtype)


def _need_elements(x: TensorType, idx: TensorType, axis: int) -> None:
    _need_indices(idx)
    need_axis(axis, x.rank)
    fits = idx.rank == x.rank and all(
        i == axis or a is None or b is None or a <= b for i, (a, b) in enumerate(zip(idx.shape, x.shape, strict=True))
    )
    if not fits:
        fail(f"needs indices of x's rank, no larger than x except along axis {axis}, got ({x}, {idx})")


class GatherElements(NNOp, name="gather_elements"):
    """``result[i, j, k] = x[i, idx[i, j, k], k]`` (for axis 1), of idx's shape. Indices as in `gather`.

    ONNX: GatherElements.
    """

    x: Tensor
    idx: Tensor
    result: Out
    axis: Int

    @staticmethod
    def infer(x: TensorType, idx: TensorType, *, axis: int) -> TensorType:
        """Result types."""
        _need_elements(x, idx, axis)
        return TensorType(idx.shape, x.dtype)


class GatherNd(NNOp, name="gather_nd"):
    """Takes slices of x at index tuples: the last dimension of idx (of size n) indexes n dimensions of x.

    The first ``batch_dims`` dimensions of x and idx are equal and run together. Result:
    ``[*idx.shape[:-1], *x.shape[batch_dims + n:]]``. ONNX: GatherND.
    """

    x: Tensor
    idx: Tensor
    result: Out
    batch_dims: Int

    @staticmethod
    def infer(x: TensorType, idx: TensorType, *, batch_dims: int = 0) -> TensorType:
        """Result types."""
        _need_indices(idx)
        if not 0 <= batch_dims < idx.rank or batch_dims > x.rank:
            fail(f"cannot have {batch_dims} batch dimensions in ({x}, {idx})")
        depth = _tuple_size(x, idx, batch_dims)
        if not shapes_agree(x.shape[:batch_dims], idx.shape[:batch_dims]):
            fail(f"needs {batch_dims} equal leading sizes, got ({x}, {idx})")
        return TensorType((*idx.shape[:-1], *x.shape[batch_dims + depth :]), x.dtype)


def _tuple_size(x: TensorType, idx: TensorType, batch_dims: int) -> int:
    if idx.rank == 0 or idx.shape[-1] is None:
        fail(f"needs indices whose last size (the length of an index tuple) is known, got {idx}")
    depth = idx.shape[-1]
    assert depth is not None
    if not 1 <= depth <= x.rank - batch_dims:
        fail(f"has index tuples of {depth} for {x.rank - batch_dims} dimensions in ({x}, {idx})")
    return depth


class ScatterElements(NNOp, name="scatter_elements"):
    """A copy of x with ``x[i, idx[i, j, k], k]`` (for axis 1) replaced by, or combined with, ``upd[i, j, k]``.

    upd has idx's shape and x's element type. ``reduction``: none (of equal indices the last wins), add, mul, min, max.
    ONNX: ScatterElements.
    """

    x: Tensor
    idx: Tensor
    upd: Tensor
    result: Out
    axis: Int
    reduction: Str

    @staticmethod
    def infer(x: TensorType, idx: TensorType, upd: TensorType, *, axis: int, reduction: str = "none") -> TensorType:
        """Result types."""
        _need_elements(x, idx, axis)
        _need_updates(x, upd, reduction)
        need_shape(upd, idx.shape, "updates")
        return x


def _need_updates(x: TensorType, upd: TensorType, reduction: str) -> None:
    need_one_of(reduction, REDUCTIONS, "reduction")
    need_same_dtype(x, upd)
    if reduction != "none":
        need_number(x)


class ScatterNd(NNOp, name="scatter_nd"):
    """A copy of x with slices at index tuples (as in `gather_nd`) replaced by, or combined with, those of upd.

    upd: ``[*idx.shape[:-1], *x.shape[n:]]``, x's element type. ``reduction`` as in `scatter_elements`. ONNX: ScatterND.
    """

    x: Tensor
    idx: Tensor
    upd: Tensor
    result: Out
    reduction: Str

    @staticmethod
    def infer(x: TensorType, idx: TensorType, upd: TensorType, *, reduction: str = "none") -> TensorType:
        """Result types."""
        _need_indices(idx)
        depth = _tuple_size(x, idx, 0)
        _need_updates(x, upd, reduction)
        need_shape(upd, (*idx.shape[:-1], *x.shape[depth:]), "updates")
        return x


class Cumsum(NNOp, name="cumsum"):
    """Running sums along ``axis``; ``exclusive`` leaves each element itself out, ``reverse`` runs from the end.

    Small floats accumulate in f32 and every result is rounded; integers wrap. ONNX: CumSum.
    """

    x: Tensor
    result: Out
    axis: Int
    exclusive: Flag
    reverse: Flag

    @staticmethod
    def infer(x: TensorType, *, axis: int, exclusive: bool = False, reverse: bool = False) -> TensorType:
        """Result types."""
        need_number(x)
        need_axis(axis, x.rank)
        return x


class Topk(NNOp, name="topk"):
    """The ``k`` largest (or smallest) elements along ``axis``, in order, and where they were (si64).

    Equal elements keep their order; NaN counts as larger than everything. ONNX: TopK.
    """

    x: Tensor
    values: Out
    indices: Out
    k: Int
    axis: Int
    largest: Flag

    @staticmethod
    def infer(x: TensorType, *, k: int, axis: int, largest: bool = True) -> list[TensorType]:
        """Result types."""
        need_number(x)
        need_axis(axis, x.rank)
        size = x.shape[axis]
        if k < 0 or (size is not None and k > size):
            fail(f"cannot take {k} elements along axis {axis} of {x}")
        shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
        return [TensorType(shape, x.dtype), TensorType(shape, "si64")]


class Argreduce(NNOp, name="argreduce"):
    """Where along ``axis`` the largest ("max") or smallest ("min") element is: si64, the axis removed.

    The first of equals, or with ``last`` the last; NaN counts as the extremum. ONNX: ArgMax, ArgMin.
    """

    x: Tensor
    result: Out
    axis: Int
    kind: Str
    last: Flag

    @staticmethod
    def infer(x: TensorType, *, axis: int, kind: str, last: bool = False) -> TensorType:
        """Result types."""
        need_number(x)
        need_one_of(kind, ("max", "min"), "kind")
        need_axis(axis, x.rank)
        if x.shape[axis] == 0:
            fail(f"has no element along axis {axis} of {x}")
        return TensorType((*x.shape[:axis], *x.shape[axis + 1 :]), "si64")
