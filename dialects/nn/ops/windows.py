"""Sliding windows and resampling: `pool`, `resize`, `lrn`."""

from __future__ import annotations

from collections.abc import Sequence

from accelc.dialects.nn.fields import Flag, Float, Floats, Int, Ints, Out, Str, Tensor
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import (
    fail,
    need_float,
    need_length,
    need_number,
    need_one_of,
    need_positive,
    shape_text,
)
from accelc.dialects.nn.ops.contraction import check_window, join_layout, split_layout, window_size
from accelc.dialects.nn.types import Shape, TensorType

POOL_KINDS = ("max", "average", "lp")
RESIZE_MODES = ("nearest", "linear", "cubic")
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


class Pool(NNOp, name="pool"):
    """Combines each window over the spatial dimensions: kind "max", "average" or "lp".

    x in ``layout`` (as `conv`), any spatial rank; sizes as of `conv`. Padding never wins a max and counts in an average
    only with ``count_include_pad``; lp is ``(sum |x|^p)^(1/p)`` with padding 0. max takes any number type, the others
    floats; sums in f32 (f64 for f64). A caller resolves "ceil mode" into ``pads_high``. ONNX: MaxPool, AveragePool,
    LpPool. linalg: a generic with window maps.
    """

    x: Tensor
    result: Out
    kind: Str
    kernel: Ints
    strides: Ints
    pads_low: Ints
    pads_high: Ints
    dilations: Ints
    count_include_pad: Flag
    p: Int
    layout: Str

    @staticmethod
    def infer(
        x: TensorType,
        *,
        kind: str,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads_low: Sequence[int],
        pads_high: Sequence[int],
        dilations: Sequence[int],
        count_include_pad: bool = False,
        p: int = 2,
        layout: str = "nchw",
    ) -> TensorType:
        """Result types."""
        need_one_of(kind, POOL_KINDS, "kind")
        if kind == "max":
            need_number(x)
        else:
            need_float(x)
        batch, channels, spatial = split_layout(x, layout)
        check_window(len(spatial), strides, pads_low, pads_high, dilations)
        need_length(kernel, len(spatial), "kernel sizes")
        need_positive(kernel, "kernel sizes")
        if min((*pads_low, *pads_high)) < 0:
            fail(f"needs pads that are not negative, got {list(pads_low)} and {list(pads_high)}")
        if p < 1:
            fail(f"needs p of at least 1, got {p}")
        sizes = [
            window_size(s, kernel[i], strides[i], pads_low[i], pads_high[i], dilations[i])
            for i, s in enumerate(spatial)
        ]
        return TensorType(join_layout(batch, channels, sizes, layout), x.dtype)


class Resize(NNOp, name="resize"):
    """Resamples x to the result's shape; attributes as of ONNX Resize (opset 19), every one resolved.

    mode: nearest, linear, cubic. ``scales``: one a dimension (1.0 where nothing changes), what the coordinate map uses.
    coordinate: how a result's position maps to x's (half_pixel: ``(i + 0.5) / scale - 0.5``; asymmetric ``i / scale``;
    align_corners ``i * (n-1) / (m-1)``; half_pixel_symmetric, pytorch_half_pixel, tf_half_pixel_for_nn,
    tf_crop_and_resize). nearest: which neighbour (round_prefer_floor, round_prefer_ceil, floor, ceil).
    ``cubic_a``: the cubic kernel's coefficient. ``exclude_outside``: weights outside x are 0, the rest scaled to sum 1.
    ``antialias``: when shrinking, linear and cubic kernels stretch by 1/scale. ``roi``: starts then ends in [0, 1]
    (tf_crop_and_resize; else empty), outside which the value is ``extrapolation``. Computes in f32 (f64 for f64);
    integers are rounded half to even for linear and cubic. ONNX: Resize, Upsample.
    """

    x: Tensor
    result: Out
    mode: Str
    coordinate: Str
    nearest: Str
    scales: Floats
    roi: Floats
    cubic_a: Float
    exclude_outside: Flag
    extrapolation: Float
    antialias: Flag
    FROM_RESULT = ("shape",)

    @staticmethod
    def infer(
        x: TensorType,
        *,
        mode: str,
        coordinate: str,
        scales: Sequence[float],
        shape: Shape,
        nearest: str = "round_prefer_floor",
        roi: Sequence[float] = (),
        cubic_a: float = -0.75,
        exclude_outside: bool = False,
        extrapolation: float = 0.0,
        antialias: bool = False,
    ) -> TensorType:
        """Result types."""
        need_number(x)
        need_one_of(mode, RESIZE_MODES, "mode")
        need_one_of(coordinate, COORDINATES, "coordinate map")
        need_one_of(nearest, NEAREST, "choice of the nearest")
        need_length(scales, x.rank, "scales")
        need_length(shape, x.rank, "sizes")
        if not all(0 < s < float("inf") for s in scales):
            fail(f"needs positive scales, got {list(scales)}")
        if coordinate == "tf_crop_and_resize":
            need_length(roi, 2 * x.rank, "values in roi")
        elif roi:
            fail(f"takes a roi with the coordinate map tf_crop_and_resize only, got '{coordinate}'")
        for i, (have, size) in enumerate(zip(x.shape, shape, strict=True)):
            if have == 0 and size:
                fail(f"cannot make {size} elements of none along axis {i} of {x}: {shape_text(shape)}")
        return TensorType(tuple(shape), x.dtype)


class Lrn(NNOp, name="lrn"):
    """Local response normalization: ``x / (bias + alpha / size * sum(x^2))^beta``.

    The sum is over the channels ``[c - floor((size-1)/2), c + ceil((size-1)/2)]`` that exist; ``layout`` says which
    dimension is the channel. f32 sums (f64 for f64). ONNX: LRN.
    """

    x: Tensor
    result: Out
    size: Int
    alpha: Float
    beta: Float
    bias: Float
    layout: Str

    @staticmethod
    def infer(x: TensorType, *, size: int, alpha: float, beta: float, bias: float, layout: str = "nchw") -> TensorType:
        """Result types."""
        need_float(x)
        split_layout(x, layout)
        need_positive((size,), "size")
        return x
