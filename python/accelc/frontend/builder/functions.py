"""Functions on tensors, named and shaped as in numpy."""

# The names are numpy's, some of which are builtins.
# ruff: noqa: A001

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import UsageError
from accelc.dialects import nn
from accelc.frontend.builder.dtypes import DType, dtype_name, promote
from accelc.frontend.builder.tensor import (
    Size,
    Tensor,
    as_value,
    build,
    caller,
    cast_value,
    is_number,
    normalize_axes,
    normalize_axis,
    traced,
    unify,
)

Operand = Any
Axis = int | Sequence[int] | None


def _floating(x: Operand) -> Any:
    value = as_value(x)
    return value if nn.is_float(nn.tensor_type(value).dtype) else build.cast(value, dtype="f32")


def _float_function(name: str, doc: str) -> Callable[[Operand], Tensor]:
    def function(x: Operand) -> Tensor:
        return Tensor(build.make(name, (_floating(x),), {}))

    function.__name__ = name
    function.__doc__ = f"{doc} Integers are taken as f32."
    return traced(function)


exp = _float_function("exp", "e to the power x.")
log = _float_function("log", "Natural logarithm.")
sqrt = _float_function("sqrt", "Square root.")
rsqrt = _float_function("rsqrt", "1 / sqrt(x).")
sin = _float_function("sin", "Sine.")
cos = _float_function("cos", "Cosine.")
tan = _float_function("tan", "Tangent.")
asin = _float_function("asin", "Inverse sine.")
acos = _float_function("acos", "Inverse cosine.")
atan = _float_function("atan", "Inverse tangent.")
sinh = _float_function("sinh", "Hyperbolic sine.")
cosh = _float_function("cosh", "Hyperbolic cosine.")
tanh = _float_function("tanh", "Hyperbolic tangent.")
erf = _float_function("erf", "Error function.")
sigmoid = _float_function("sigmoid", "1 / (1 + exp(-x)).")
silu = _float_function("silu", "x * sigmoid(x).")
floor = _float_function("floor", "Largest integer not above x.")
ceil = _float_function("ceil", "Smallest integer not below x.")
round = _float_function("round", "Nearest integer, halves to even.")
isnan = _float_function("isnan", "Whether x is NaN.")


@traced
def isinf(x: Operand) -> Tensor:
    """Whether x is infinite, of either sign."""
    return Tensor(build.isinf(_floating(x), positive=True, negative=True))


@traced
def gelu(x: Operand, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit: exact ("none") or by tanh ("tanh")."""
    return Tensor(build.gelu(_floating(x), approximate=approximate))


@traced
def relu(x: Operand) -> Tensor:
    """max(x, 0)."""
    return Tensor(build.relu(as_value(x)))


@traced
def abs(x: Operand) -> Tensor:
    """|x|."""
    return Tensor(build.abs(as_value(x)))


@traced
def sign(x: Operand) -> Tensor:
    """-1, 0 or 1."""
    return Tensor(build.sign(as_value(x)))


@traced
def binary(name: str, a: Operand, b: Operand, **attrs: Any) -> Tensor:
    """An elementwise op of two operands, promoted to one number type and broadcast together."""
    return Tensor(build.make(name, unify(a, b, at_least="number"), attrs))


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger, elementwise; NaN if either is NaN."""
    return binary("maximum", a, b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller, elementwise; NaN if either is NaN."""
    return binary("minimum", a, b)


@traced
def divide(a: Operand, b: Operand) -> Tensor:
    """a / b; integers are taken as f32."""
    return Tensor(build.div(*unify(a, b, at_least="float")))


@traced
def floor_divide(a: Operand, b: Operand) -> Tensor:
    """The largest integer not above a / b, in the operands' type."""
    x, y = unify(a, b, at_least="number")
    if nn.is_float(nn.tensor_type(x).dtype):
        return Tensor(build.floor(build.div(x, y)))
    return Tensor(build.div(build.sub(x, build.mod(x, y, fmod=False)), y))


@traced
def power(a: Operand, b: Operand) -> Tensor:
    """a to the power b."""
    if is_number(b) and b == 2:
        value = as_value(a)
        return Tensor(build.mul(value, value))
    return Tensor(build.pow(*unify(a, b, at_least="number")))


@traced
def compare(predicate: str, a: Operand, b: Operand) -> Tensor:
    """``a <predicate> b`` as bools."""
    return Tensor(build.compare(*unify(a, b), predicate=predicate))


@traced
def bitwise(name: str, a: Operand, b: Operand) -> Tensor:
    """``and``, ``or`` or ``xor``: logical on bools, by bits on integers."""
    x, y = unify(a, b)
    kind = "logical" if nn.tensor_type(x).dtype == "i1" else "bitwise"
    return Tensor(build.make(f"{kind}_{name}", (x, y), {}))


def logical_and(a: Operand, b: Operand) -> Tensor:
    """Both, as bools."""
    return bitwise("and", cast(a, "bool"), cast(b, "bool"))


def logical_or(a: Operand, b: Operand) -> Tensor:
    """Either, as bools."""
    return bitwise("or", cast(a, "bool"), cast(b, "bool"))


@traced
def logical_not(x: Operand) -> Tensor:
    """Neither true nor nonzero, as bools."""
    return Tensor(build.logical_not(cast_value(as_value(x), "i1")))


@traced
def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """``a`` where the condition holds, else ``b``."""
    x, y = unify(a, b)
    chosen, x, y = build.broadcast_together(cast_value(as_value(condition), "i1"), x, y)
    return Tensor(build.select(chosen, x, y))


@traced
def clip(x: Operand, low: float | None = None, high: float | None = None) -> Tensor:
    """x within [low, high]; bounds are Python numbers, None for none."""
    inf = float("inf")
    return Tensor(build.clamp(as_value(x), min=-inf if low is None else low, max=inf if high is None else high))


@traced
def cast(x: Operand, dtype: DType | str, *, saturate: bool = False) -> Tensor:
    """x in another element type; ``saturate`` takes what is out of range to the nearest bound (see `nn.cast`)."""
    value = as_value(x)
    if saturate:
        return Tensor(build.cast(value, dtype=dtype_name(dtype), saturate=True))
    return Tensor(cast_value(value, dtype_name(dtype)))


# Shapes.


@traced
def reshape(x: Operand, *shape: Any) -> Tensor:
    """x under another shape: numbers, sizes of other tensors, and at most one -1 for what is left."""
    sizes = list(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else list(shape)
    value = as_value(x)
    for s in sizes:
        if not isinstance(s, Size) and (not isinstance(s, int | np.integer) or s < -1):
            raise UsageError(f"{s!r} is no size to reshape to", node=caller())
    known = tuple(None if isinstance(s, Size) or s == -1 else int(s) for s in sizes)
    if known.count(None) <= 1:
        return Tensor(build.reshape(value, shape=known))
    if builtins.sum(not isinstance(s, Size) and s == -1 for s in sizes) > 1:
        raise UsageError(f"reshape has more than one -1 in {sizes}", node=caller())
    return Tensor(build.dynamic_reshape(value, _sizes(sizes), shape=known))


def _sizes(sizes: Sequence[Any]) -> Any:
    parts = [
        build.reshape(as_value(s), shape=(1,)) if isinstance(s, Size) else build.constant([s], "si64") for s in sizes
    ]
    return build.concat(*parts, axis=0)


def flatten(x: Operand, start: int = 1) -> Tensor:
    """All dimensions from ``start`` as one."""
    shape = x.shape
    return reshape(x, *shape[:start], -1)


@traced
def transpose(x: Operand, *axes: Any) -> Tensor:
    """Dimensions in the order of ``axes``; reversed where none are given."""
    value = as_value(x)
    rank = nn.tensor_type(value).rank
    order = list(axes[0]) if len(axes) == 1 and isinstance(axes[0], tuple | list) else list(axes)
    perm = [normalize_axis(a, rank) for a in order] or list(reversed(range(rank)))
    return Tensor(build.transpose(value, perm=perm))


@traced
def broadcast_to(x: Operand, shape: Sequence[Any]) -> Tensor:
    """x repeated to ``shape``."""
    known = [None if isinstance(s, Size) else int(s) for s in shape]
    sizes = _sizes(shape) if None in known else None
    return Tensor(build.broadcast_to(as_value(x), known, sizes))


@traced
def expand_dims(x: Operand, axis: int) -> Tensor:
    """A dimension of size 1 put at ``axis``."""
    t = Tensor(as_value(x))
    at = normalize_axis(axis, t.ndim + 1)
    return _with_shape(t, [*t.shape[:at], 1, *t.shape[at:]])


@traced
def squeeze(x: Operand, axis: Axis = None) -> Tensor:
    """Dimensions of size 1 removed: all, or those of ``axis``."""
    t = Tensor(as_value(x))
    ones = [i for i, s in enumerate(t.type.shape) if s == 1]
    axes = ones if axis is None else list(normalize_axes(axis, t.ndim))
    if any(a not in ones for a in axes):
        raise UsageError(f"cannot squeeze axes {axes} of {t.type}: not all are of size 1", node=caller())
    return _with_shape(t, [s for i, s in enumerate(t.shape) if i not in axes])


def _with_shape(t: Tensor, shape: Sequence[Any]) -> Tensor:
    return reshape(t, *shape) if shape else Tensor(build.reshape(t.value, shape=()))


@traced
def concat(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors joined along ``axis``, promoted to one element type."""
    values = [as_value(t) for t in tensors]
    if not values:
        raise UsageError("concat needs at least one tensor", node=caller())
    dtype = nn.tensor_type(values[0]).dtype
    for v in values[1:]:
        dtype = promote(dtype, nn.tensor_type(v).dtype)
    rank = nn.tensor_type(values[0]).rank
    return Tensor(build.concat(*[cast_value(v, dtype) for v in values], axis=normalize_axis(axis, rank)))


def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension at ``axis``."""
    return concat([expand_dims(t, axis) for t in tensors], axis=axis)


@traced
def split(x: Operand, parts: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut along ``axis`` into equal ``parts``, or into parts of the given sizes."""
    t = Tensor(as_value(x))
    axis = normalize_axis(axis, t.ndim)
    size = t.type.shape[axis]
    if size is None:
        raise UsageError(f"cannot split {t.type} along the unknown size of axis {axis}", node=caller())
    if isinstance(parts, int):
        if parts < 1 or size % parts:
            raise UsageError(f"cannot split {size} elements along axis {axis} into {parts} equal parts", node=caller())
        parts = [size // parts] * parts
    if builtins.sum(parts) != size:
        raise UsageError(f"parts of {list(parts)} are not the {size} elements along axis {axis}", node=caller())
    starts = [builtins.sum(parts[:i]) for i in range(len(parts))]
    return [t[(slice(None),) * axis + (slice(s, s + n),)] for s, n in zip(starts, parts, strict=True)]


@traced
def pad(x: Operand, widths: Sequence[tuple[int, int]], value: float = 0, mode: str = "constant") -> Tensor:
    """x with ``widths`` (low, high) elements around each dimension: ``value``, or mode reflect, edge or wrap."""
    v = as_value(x)
    low, high = [w[0] for w in widths], [w[1] for w in widths]
    if mode == "constant":
        return Tensor(build.pad(v, build.scalar_like(v, value), low=low, high=high))
    return Tensor(build.pad_mode(v, low=low, high=high, mode=mode))


# Constants.


@traced
def full(shape: Sequence[int], value: float, dtype: DType | str = "f32") -> Tensor:
    """``value`` repeated to ``shape``."""
    return Tensor(build.broadcast_to(build.constant(value, dtype_name(dtype)), tuple(shape)))


def zeros(shape: Sequence[int], dtype: DType | str = "f32") -> Tensor:
    """Zeros."""
    return full(shape, 0, dtype)


def ones(shape: Sequence[int], dtype: DType | str = "f32") -> Tensor:
    """Ones."""
    return full(shape, 1, dtype)


@traced
def arange(size: Any, dtype: DType | str = "i64") -> Tensor:
    """0, 1, ... below ``size`` (a number, or a size of another tensor)."""
    if isinstance(size, Size):
        sizes = build.reshape(as_value(size), shape=(1,))
        return Tensor(build.iota(sizes, axis=0, shape=(None,), dtype=dtype_name(dtype)))
    return Tensor(build.iota(axis=0, shape=(int(size),), dtype=dtype_name(dtype)))


# Reductions.


@traced
def reduce(kind: str, x: Operand, axis: Axis, keepdims: bool) -> Tensor:
    """sum, mean, max, min or prod over ``axis`` (None: all)."""
    t = Tensor(as_value(x))
    dtype = t.type.dtype
    if dtype == "i1" and kind not in ("max", "min"):
        t = Tensor(build.cast(t.value, dtype="f32" if kind == "mean" else "si64"))
    elif kind == "mean" and not nn.is_float(dtype):
        t = Tensor(build.cast(t.value, dtype="f32"))
    axes = normalize_axes(axis, t.ndim)
    result = Tensor(build.reduce(t.value, kind=kind, axes=axes))
    if not keepdims:
        return result
    return _with_shape(result, [1 if i in axes else s for i, s in enumerate(t.shape)])


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over ``axis`` (None: all); bools count as si64."""
    return reduce("sum", x, axis, keepdims)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over ``axis`` (None: all); integers are taken as f32."""
    return reduce("mean", x, axis, keepdims)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest over ``axis`` (None: all)."""
    return reduce("max", x, axis, keepdims)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest over ``axis`` (None: all)."""
    return reduce("min", x, axis, keepdims)


def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product over ``axis`` (None: all)."""
    return reduce("prod", x, axis, keepdims)


@traced
def var(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The variance (of the population) over ``axis`` (None: all)."""
    t = Tensor(_floating(x))
    centered = t - mean(t, axis, keepdims=True)
    return mean(centered * centered, axis, keepdims)


@traced
def argmax(x: Operand, axis: int) -> Tensor:
    """Where the first largest element along ``axis`` is: si64."""
    value = as_value(x)
    at = normalize_axis(axis, nn.tensor_type(value).rank)
    return Tensor(build.argreduce(value, axis=at, kind="max"))


@traced
def argmin(x: Operand, axis: int) -> Tensor:
    """Where the first smallest element along ``axis`` is: si64."""
    value = as_value(x)
    at = normalize_axis(axis, nn.tensor_type(value).rank)
    return Tensor(build.argreduce(value, axis=at, kind="min"))


@traced
def cumsum(x: Operand, axis: int) -> Tensor:
    """Running sums along ``axis``."""
    value = as_value(x)
    return Tensor(build.cumsum(value, axis=normalize_axis(axis, nn.tensor_type(value).rank)))


@traced
def topk(x: Operand, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The ``k`` largest (or smallest) elements along ``axis`` in order, and where they were (si64)."""
    value = as_value(x)
    at = normalize_axis(axis, nn.tensor_type(value).rank)
    values, indices = build.topk(value, k=k, axis=at, largest=largest)
    return Tensor(values), Tensor(indices)


@traced
def softmax(x: Operand, axis: int = -1) -> Tensor:
    """exp(x) over its sum along ``axis``."""
    value = _floating(x)
    return Tensor(build.softmax(value, axis=normalize_axis(axis, nn.tensor_type(value).rank)))


@traced
def log_softmax(x: Operand, axis: int = -1) -> Tensor:
    """The logarithm of `softmax`."""
    value = _floating(x)
    return Tensor(build.log_softmax(value, axis=normalize_axis(axis, nn.tensor_type(value).rank)))


# Indexing, contraction and windows.


@traced
def take(x: Operand, indices: Operand, axis: int = 0) -> Tensor:
    """Slices of x along ``axis`` at integer indices: those of a traced tensor in [0, size), others as numpy's."""
    value = as_value(x)
    source = nn.tensor_type(value)
    axis = normalize_axis(axis, source.rank)
    if not isinstance(indices, Tensor):
        indices = _resolved(indices, source, axis)
    idx = as_value(indices)
    dtype = nn.tensor_type(idx).dtype
    if not nn.is_integer(dtype):
        raise UsageError(
            f"indices into {source} must be integers, got {nn.tensor_type(idx)}",
            node=caller(),
            notes=("how many elements a mask takes is known only when the model runs; ab.where chooses by value",),
        )
    if dtype not in ("si32", "si64"):
        idx = build.cast(idx, dtype="si64")
    return Tensor(build.gather(value, idx, axis=axis))


def _resolved(indices: Any, source: nn.TensorType, axis: int) -> Any:
    """Indices known now, counted from the front. Raises UsageError where one is out of range."""
    array, size = np.asarray(indices), source.shape[axis]
    if array.dtype.kind not in "iu" or size is None:
        return indices
    for index in (array.min(initial=0), array.max(initial=-size)):
        if not -size <= index < size:
            raise UsageError(f"index {index} is out of range along axis {axis} of {source}", node=caller())
    return np.where(array < 0, array + size, array)


@traced
def matmul(a: Operand, b: Operand) -> Tensor:
    """The matrix product of the last two dimensions, as numpy's: leading ones are broadcast, vectors are allowed."""
    x, y = _promoted(a, b)
    left, right = nn.tensor_type(x), nn.tensor_type(y)
    if not left.rank or not right.rank:
        raise UsageError(f"matmul needs at least one dimension, got {left} and {right}", node=caller())
    batch_a, batch_b = left.shape[:-2], right.shape[:-2]
    if batch_a and batch_b and batch_a != batch_b:
        batch = build.broadcast_shapes(batch_a, batch_b)
        x = build.broadcast_to(x, (*batch, *left.shape[-2:]))
        y = build.broadcast_to(y, (*batch, *right.shape[-2:]))
        batch_a = batch_b = batch
    letters = "abcdefgh"[: builtins.max(len(batch_a), len(batch_b))]
    rows, columns = "m" * (left.rank > 1), "n" * (right.rank > 1)
    spec = f"{letters * bool(batch_a)}{rows}k,{letters * bool(batch_b)}k{columns}->{letters}{rows}{columns}"
    return Tensor(build.contract(x, y, spec=spec))


def _promoted(a: Operand, b: Operand) -> tuple[Any, Any]:
    x, y = as_value(a), as_value(b)
    dtype = promote(nn.tensor_type(x).dtype, nn.tensor_type(y).dtype)
    return cast_value(x, dtype), cast_value(y, dtype)


@traced
def einsum(spec: str, a: Operand, b: Operand) -> Tensor:
    """An einsum of two operands, such as ``"bqd,bkd->bqk"``; a letter is at most once in each of the three terms."""
    inputs, arrow, out = spec.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or len(terms) != 2:
        raise UsageError(f"einsum takes two operands and an output, such as 'ij,jk->ik', got '{spec}'", node=caller())
    x, y = _promoted(a, b)
    x, first = _drop_lonely(x, terms[0], terms[1] + out)
    y, second = _drop_lonely(y, terms[1], terms[0] + out)
    return Tensor(build.contract(x, y, spec=f"{first},{second}->{out}"))


def _drop_lonely(value: Any, term: str, others: str) -> tuple[Any, str]:
    """Sums out the letters that no other term has."""
    axes = [i for i, c in enumerate(term) if c not in others]
    if not axes or len(term) != nn.tensor_type(value).rank:
        return value, term
    return build.reduce(value, kind="sum", axes=axes), "".join(c for c in term if c in others)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _pool(x: Operand, kind: str, kernel: Any, stride: Any, padding: Any, layout: str) -> Tensor:
    pads = _pair(padding)
    return Tensor(
        build.pool(
            as_value(x),
            kind=kind,
            kernel=_pair(kernel),
            strides=_pair(kernel if stride is None else stride),
            pads_low=pads,
            pads_high=pads,
            dilations=(1, 1),
            layout=layout,
        )
    )


@traced
def max_pool2d(x: Operand, kernel: Any, stride: Any = None, padding: Any = 0, layout: str = "nchw") -> Tensor:
    """The largest of each window; the stride is the kernel unless given."""
    return _pool(x, "max", kernel, stride, padding, layout)


@traced
def avg_pool2d(x: Operand, kernel: Any, stride: Any = None, padding: Any = 0, layout: str = "nchw") -> Tensor:
    """The mean of each window, padding not counted; the stride is the kernel unless given."""
    return _pool(x, "average", kernel, stride, padding, layout)
