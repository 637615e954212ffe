"""Convolutions, and what pooling shares with them: the geometry of windows."""

from __future__ import annotations

import math
from typing import Any

from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value


def same_pads(n: Node, size: int, extent: int, stride: int) -> tuple[int, int]:
    """Padding of SAME_UPPER and SAME_LOWER: as many windows as ``size / stride``, rounded up."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    half = total // 2
    return (half, total - half) if n.text("auto_pad") == "SAME_UPPER" else (total - half, half)


def window_pads(
    n: Node, spatial: list[int | None], kernel: list[int], strides: list[int], dilations: list[int]
) -> tuple[list[int], list[int]]:
    """Padding before and after each spatial dimension: given, or as ``auto_pad`` says."""
    rank = len(kernel)
    mode = n.text("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = n.maybe_ints("pads") or [0] * (2 * rank)
        if len(pads) != 2 * rank:
            raise n.invalid(f"has {len(pads)} pads for {rank} spatial dimensions")
        return pads[:rank], pads[rank:]
    if mode == "VALID":
        return [0] * rank, [0] * rank
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise n.invalid(f"has the auto_pad '{mode}'")
    pairs = []
    for i, size in enumerate(spatial):
        if size is None:
            raise n.unsupported(f"with auto_pad {mode} and an unknown spatial size")
        pairs.append(same_pads(n, size, (kernel[i] - 1) * dilations[i] + 1, strides[i]))
    return [low for low, _ in pairs], [high for _, high in pairs]


def _filter(n: Node, x: Value, w: Value) -> list[int]:
    """The spatial sizes of the filter."""
    if x.rank < 3 or w.rank != x.rank:
        raise n.invalid(f"needs a tensor of rank 3 or more and a filter of its rank, got {x.type} and {w.type}")
    kernel = list(n.static(w)[2:])
    given = n.maybe_ints("kernel_shape")
    if given is not None and given != kernel:
        raise n.invalid(f"has kernel_shape {given} and the filter {w.type}")
    return kernel


def conv_attributes(n: Node, x: Value, w: Value) -> dict[str, Any]:
    """The attributes of `nn.conv`."""
    kernel = _filter(n, x, w)
    strides = n.maybe_ints("strides") or [1] * len(kernel)
    dilations = n.maybe_ints("dilations") or [1] * len(kernel)
    low, high = window_pads(n, list(x.shape[2:]), kernel, strides, dilations)
    return {
        "strides": strides,
        "pads_low": low,
        "pads_high": high,
        "dilations": dilations,
        "groups": n.integer("group", 1),
        "layout": "nchw",
    }


def add_bias(n: Node, y: Value, bias: Value | None) -> Value:
    """y plus one number a channel."""
    if bias is None:
        return y
    if bias.rank != 1 or bias.shape[0] != y.shape[1]:
        raise n.invalid(f"has the bias {bias.type} for {y.shape[1]} channels")
    return n.b.add(y, n.b.along(bias, y.rank, 1))


@handler("Conv")
def conv(n: Node) -> Value:
    """Convolution of any spatial rank, with groups and dilations."""
    x, w = n.x(0), n.x(1)
    return add_bias(n, n.b.op("conv", x, w, **conv_attributes(n, x, w)), n.maybe(2))


@handler("ConvTranspose")
def conv_transpose(n: Node) -> Value:
    """Transposed convolution."""
    x, w = n.x(0), n.x(1)
    kernel = _filter(n, x, w)
    rank = len(kernel)
    strides = n.maybe_ints("strides") or [1] * rank
    dilations = n.maybe_ints("dilations") or [1] * rank
    extra = n.maybe_ints("output_padding") or [0] * rank
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    low, high = _transpose_pads(n, x, strides, extents, extra)
    y = n.b.op(
        "conv_transpose",
        x,
        w,
        strides=strides,
        pads_low=low,
        pads_high=high,
        dilations=dilations,
        groups=n.integer("group", 1),
        output_pads=extra,
    )
    return add_bias(n, y, n.maybe(2))


def _transpose_pads(
    n: Node, x: Value, strides: list[int], extents: list[int], extra: list[int]
) -> tuple[list[int], list[int]]:
    """Cropping before and after each dimension: given, or such that the output has the shape it should have."""
    rank = len(strides)
    mode = n.text("auto_pad", "NOTSET")
    shape = n.maybe_ints("output_shape")
    sizes = n.static(x)[2:] if shape is not None or mode.startswith("SAME") else ()
    if shape is None and mode.startswith("SAME"):
        shape = [s * stride for s, stride in zip(sizes, strides, strict=True)]
    if shape is None:
        pads = (n.maybe_ints("pads") if mode in ("NOTSET", "") else None) or [0] * (2 * rank)
        return pads[:rank], pads[rank:]
    shape = shape[-rank:]
    low, high = [], []
    for i in range(rank):
        total = strides[i] * (sizes[i] - 1) + extra[i] + extents[i] - shape[i]
        if total < 0 and not mode.startswith("SAME"):
            # More output than there is input for: the rest is zeros at the end.
            low.append(0)
            high.append(total)
            continue
        total = max(total, 0) if mode.startswith("SAME") and total < 0 else total
        half = total // 2
        low.append(half if mode == "SAME_UPPER" else total - half)
        high.append(total - low[-1])
    return low, high


@handler("Col2Im")
def col2im(n: Node) -> Value:
    """Blocks put back into an image; where they overlap they add up."""
    x = n.x()
    image, block = n.constant_ints(1, "the image's shape"), n.constant_ints(2, "the block's shape")
    rank = len(image)
    strides, dilations = n.maybe_ints("strides") or [1] * rank, n.maybe_ints("dilations") or [1] * rank
    pads = n.maybe_ints("pads") or [0] * (2 * rank)
    batch, columns, count = n.static(x, 3)
    size = math.prod(block)
    if len(block) != rank or len(strides) != rank or len(dilations) != rank or len(pads) != 2 * rank or size < 1:
        raise n.invalid(f"has blocks of {block}, strides {strides}, dilations {dilations}, pads {pads} for {image}")
    windows = [
        (s + pads[i] + pads[i + rank] - ((block[i] - 1) * dilations[i] + 1)) // strides[i] + 1
        for i, s in enumerate(image)
    ]
    if columns % size or math.prod(windows) != count:
        raise n.invalid(f"has {x.type} for blocks of {block} in an image of {image}")
    # A transposed convolution with one-hot filters: channel (c, k) writes at offset k.
    channels = columns // size
    eye = n.b.const(_identity(size), x.dtype)
    one_hot = n.b.reshape(eye, [size, 1, *block])
    y = n.b.op(
        "conv_transpose",
        n.b.reshape(x, [batch * channels, size, *windows]),
        one_hot,
        strides=strides,
        pads_low=pads[:rank],
        pads_high=pads[rank:],
        dilations=dilations,
        groups=1,
        output_pads=[
            image[i] + pads[i] + pads[i + rank] - ((windows[i] - 1) * strides[i] + (block[i] - 1) * dilations[i] + 1)
            for i in range(rank)
        ],
    )
    return n.b.reshape(y, [batch, channels, *image])


def _identity(size: int) -> list[list[int]]:
    return [[int(i == j) for j in range(size)] for i in range(size)]
