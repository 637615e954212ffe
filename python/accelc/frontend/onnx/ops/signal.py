"""Fourier transforms as products with matrices of cosines and sines, and filter banks."""

from __future__ import annotations

import numpy as np

from accelc.core.store import Array
from accelc.dialects import nn
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import nn_dtype
from accelc.frontend.onnx.values import Value, known


def _matrix(size: int, outputs: int, inverse: bool) -> tuple[Array, Array]:
    """Real and imaginary part of ``exp(-2 pi i j k / size)``, j below ``size``, k below ``outputs``."""
    angle = 2.0 * np.pi * np.outer(np.arange(size), np.arange(outputs)) / size
    sign = 1.0 if inverse else -1.0
    factor = 1.0 / size if inverse else 1.0
    return np.cos(angle) * factor, sign * np.sin(angle) * factor


def dft(n: Node, x: Value, axis: int, length: int, inverse: bool, onesided: bool) -> Value:
    """The transform of x (last dimension: 1 real, or 2 real and imaginary) along ``axis``, zero-padded or cut."""
    shape = n.static(x)
    if length > shape[axis]:
        extra = [0] * x.rank
        extra[axis] = length - shape[axis]
        x = n.b.pad(x, [0] * x.rank, extra)
    x = n.b.slice_axis(x, axis, 0, length)
    # A real result of an inverse one-sided transform needs the other half, which mirrors this one.
    outputs = length // 2 + 1 if onesided else length
    cosine, sine = (n.b.const(m, x.dtype) for m in _matrix(length, outputs, inverse))
    letters = "abcdefgh"[: x.rank - 1]
    k = letters[axis]
    spec = f"{letters},{k}z->{letters.replace(k, 'z')}"
    real = n.b.squeeze(n.b.slice_axis(x, x.rank - 1, 0, 1), [x.rank - 1])
    parts = [n.b.contract(real, cosine, spec), n.b.contract(real, sine, spec)]
    if shape[-1] == 2:
        imaginary = n.b.squeeze(n.b.slice_axis(x, x.rank - 1, 1, 1), [x.rank - 1])
        parts[0] = n.b.sub(parts[0], n.b.contract(imaginary, sine, spec))
        parts[1] = n.b.add(parts[1], n.b.contract(imaginary, cosine, spec))
    return n.b.concat([n.b.expand_dims(p, [x.rank - 1]) for p in parts], x.rank - 1)


@handler("DFT")
def dft_op(n: Node) -> Value:
    """Discrete Fourier transform along an axis."""
    x = n.x()
    if n.version < 20:
        axis = n.axis(x.rank, 1)
    else:
        axis = n.resolve(n.constant_ints(2, "the axis")[0] if n.has(2) else -2, x.rank)
    if axis == x.rank - 1:
        raise n.invalid("cannot transform the last dimension, which holds real and imaginary parts")
    length = n.constant_ints(1, "the length")[0] if n.has(1) else n.static(x)[axis]
    inverse, onesided = n.flag("inverse"), n.flag("onesided")
    if inverse and onesided:
        x = _two_sided(n, x, axis, length if n.has(1) else 2 * (n.static(x)[axis] - 1))
        length = length if n.has(1) else n.static(x)[axis]
        return n.b.slice_axis(dft(n, x, axis, length, True, False), x.rank - 1, 0, 1)
    return dft(n, x, axis, length, inverse, onesided)


def _two_sided(n: Node, x: Value, axis: int, length: int) -> Value:
    """A one-sided spectrum with its mirrored, conjugated half."""
    half = length // 2 + 1
    x = n.b.slice_axis(x, axis, 0, min(half, n.static(x)[axis]))
    count = length - n.static(x)[axis]
    if count <= 0:
        return x
    mirrored = n.b.slice_axis(x, axis, count, count, -1)
    sign = n.b.const([1.0, -1.0], x.dtype)
    return n.b.concat([x, n.b.mul(mirrored, sign)], axis)


@handler("STFT")
def stft(n: Node) -> Value:
    """Transforms of windows of a signal."""
    x = n.x(0)
    length = n.static(x, 3)[1]
    step = n.constant_ints(1, "frame_step")[0]
    window = n.maybe(2)
    size = n.constant_ints(3, "frame_length")[0] if n.has(3) else n.static(window)[0] if window is not None else 0
    if size < 1 or step < 1 or size > length:
        raise n.invalid(f"has frames of {size} every {step} of a signal of {length}")
    frames = (length - size) // step + 1
    at = np.arange(frames)[:, None] * step + np.arange(size)[None]
    cut = n.b.gather(x, known(at.astype(np.int64)), 1)
    if window is not None:
        cut = n.b.mul(cut, n.b.reshape(window, [1, 1, size, 1]))
    return dft(n, cut, 2, size, False, n.flag("onesided", True))


@handler("MelWeightMatrix", limits="inputs must be constant")
def mel_weight_matrix(n: Node) -> Value:
    """Triangular filters, equally spaced on the mel scale (``2595 log10(1 + f / 700)``)."""
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    bins, length, rate, low, high = (n.constant(i, name).reshape(-1)[0] for i, name in enumerate(names))
    dtype = nn_dtype(n.integer("output_datatype", 1), "the result of MelWeightMatrix")
    spectrum = int(length) // 2 + 1
    mel = 2595.0 * np.log10(1.0 + np.array([low, high], np.float64) / 700.0)
    edges = mel[0] + np.arange(int(bins) + 2) * ((mel[1] - mel[0]) / (int(bins) + 2))
    hertz = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    points = np.floor((int(length) + 1) * hertz / int(rate)).astype(np.int64)
    table = np.zeros((spectrum, int(bins)))
    for i in range(int(bins)):
        first, center, last = points[i : i + 3]
        if center == first:
            table[center, i] = 1.0
        else:
            table[first : center + 1, i] = (np.arange(first, center + 1) - first) / (center - first)
        if last > center:
            table[center:last, i] = (last - np.arange(center, last)) / (last - center)
    return known(table.astype(nn.numpy_dtype(dtype)))
