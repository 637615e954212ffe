"""Resizing, and sampling at computed positions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value

_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}
# Keys' coefficient in GridSample (Keys, 1981).
CUBIC = -0.75


def _mode(n: Node) -> str:
    mode = n.text("mode", "nearest")
    if mode not in _MODES:
        raise n.invalid(f"has the mode '{mode}'")
    return _MODES[mode]


@handler("Upsample")
def upsample(n: Node) -> Value:
    """Repetition or linear interpolation by given factors."""
    x = n.x()
    shape = n.static(x)
    if n.version < 7:
        scales = [1.0, 1.0, n.real("height_scale"), n.real("width_scale")]
    elif n.version < 9:
        scales = [float(s) for s in n.attributes.get("scales", [])]
    else:
        scales = [float(s) for s in n.constant(1, "scales").reshape(-1)]
    if len(scales) != x.rank:
        raise n.invalid(f"has {len(scales)} scales for {x.type}")
    sizes = [math.floor(s * f) for s, f in zip(shape, scales, strict=True)]
    return n.b.op(
        "resize", x, mode=_mode(n), coordinate="asymmetric", nearest="floor", scales=scales, shape=tuple(sizes)
    )


@handler("Resize")
def resize(n: Node) -> Value:
    """Resampling to given sizes or by given factors."""
    x = n.x()
    n.static(x)
    legacy = n.version < 11
    axes = n.resolve_all(n.maybe_ints("axes") or list(range(x.rank)), x.rank)
    scales, sizes = _scales_and_sizes(n, x, axes, 1 if legacy else 2)
    coordinate = "asymmetric" if legacy else n.text("coordinate_transformation_mode", "half_pixel")
    if coordinate == "align_corners" and not n.flag("antialias"):
        coordinate, scales = "asymmetric", _corner_scales(x, scales)
    roi: list[float] = []
    if coordinate == "tf_crop_and_resize":
        roi = _roi(n, x, axes)
    return n.b.op(
        "resize",
        x,
        mode=_mode(n),
        coordinate=coordinate,
        nearest="floor" if legacy else n.text("nearest_mode", "round_prefer_floor"),
        scales=scales,
        roi=roi,
        cubic_a=n.real("cubic_coeff_a", -0.75),
        exclude_outside=n.flag("exclude_outside"),
        extrapolation=n.real("extrapolation_value", 0.0),
        antialias=n.flag("antialias"),
        shape=tuple(sizes),
    )


def _given(n: Node, i: int, what: str) -> list[float]:
    """A list that counts as absent where it is empty."""
    return [float(v) for v in n.constant(i, what).reshape(-1)] if n.has(i) else []


def _scales_and_sizes(n: Node, x: Value, axes: list[int], i: int) -> tuple[list[float], list[int]]:
    """For every dimension: its factor, as the coordinate map uses it, and its size after."""
    shape = n.static(x)
    scales, sizes = [1.0] * x.rank, list(shape)
    factors, targets = _given(n, i, "scales"), _given(n, i + 1, "sizes")
    if len(factors or targets) != len(axes):
        raise n.invalid(f"has {len(factors)} scales and {len(targets)} sizes for {len(axes)} axes")
    if factors:
        for axis, factor in zip(axes, factors, strict=True):
            scales[axis], sizes[axis] = factor, math.floor(shape[axis] * factor)
        return scales, sizes
    wanted = [t / shape[axis] if shape[axis] else 1.0 for axis, t in zip(axes, targets, strict=True)]
    policy = n.text("keep_aspect_ratio_policy", "stretch")
    for axis, factor, target in zip(axes, wanted, targets, strict=True):
        if policy == "stretch":
            scales[axis], sizes[axis] = factor, int(target)
        else:
            scales[axis] = min(wanted) if policy == "not_larger" else max(wanted)
            # Halves round up, as onnx does.
            sizes[axis] = math.floor(shape[axis] * scales[axis] + 0.5)
    return scales, sizes


def _corner_scales(x: Value, scales: list[float]) -> list[float]:
    """Factors that map corners to corners: ONNX means the corners before the size is rounded down."""
    return [
        (s * f - 1.0) / (s - 1.0) if s is not None and s > 1 and s * f > 1.0 else f if f == 1.0 else math.inf
        for s, f in zip(x.shape, scales, strict=True)
    ]


def _roi(n: Node, x: Value, axes: list[int]) -> list[float]:
    given = _given(n, 1, "roi")
    if len(given) != 2 * len(axes):
        raise n.invalid(f"has {len(given)} values in roi for {len(axes)} axes")
    starts, ends = [0.0] * x.rank, [1.0] * x.rank
    for i, axis in enumerate(axes):
        starts[axis], ends[axis] = given[i], given[len(axes) + i]
    return starts + ends


# -- sampling -------------------------------------------------------------------------------------------------------


def _reflect(b: Builder, x: Value, low: float, high: float) -> Value:
    """Positions mirrored at both ends until they lie between them: a triangle wave."""
    span = high - low
    if span <= 0:
        return b.mul(x, 0.0)
    away = b.op("abs", b.sub(x, low))
    phase = b.binary("mod", away, 2.0 * span, fmod=True)
    return b.add(b.select(b.compare("gt", phase, span), b.sub(b.scalar(2.0 * span, phase), phase), phase), low)


class _Sampler:
    """Reads x [N, C, *S] at positions: one float tensor [N, P] a spatial dimension."""

    def __init__(self, n: Node, x: Value, padding: str, align: bool) -> None:
        self.b, self.x, self.padding, self.align = n.b, x, padding, align
        self.shape = n.static(x)
        self.spatial = self.shape[2:]
        self.flat = n.b.reshape(x, [*self.shape[:2], math.prod(self.spatial)])

    def bounds(self, d: int) -> tuple[float, float]:
        """Where reflection turns around."""
        size = self.spatial[d]
        return (0.0, size - 1.0) if self.align else (-0.5, size - 0.5)

    def placed(self, position: Value, d: int) -> Value:
        """A position brought inside, as the padding mode says."""
        low, high = self.bounds(d)
        if self.padding == "border":
            return self.b.clamp(position, 0.0, self.spatial[d] - 1.0)
        if self.padding == "reflection":
            outside = self.b.binary(
                "logical_or", self.b.compare("lt", position, low), self.b.compare("gt", position, high)
            )
            return self.b.select(outside, _reflect(self.b, position, low, high), position)
        return position

    def at(self, whole: Sequence[Value]) -> Value:
        """x at whole-numbered positions (in float): [N, C, P]; outside as the padding mode says."""
        b = self.b
        inside: Value | None = None
        flat: Value | None = None
        for d, position in enumerate(whole):
            size = self.spatial[d]
            if self.padding == "zeros":
                here = b.binary("logical_and", b.compare("ge", position, 0.0), b.compare("le", position, size - 1.0))
                inside = here if inside is None else b.binary("logical_and", inside, here)
            elif self.padding == "reflection":
                # Truncated toward zero, like the position of a pixel.
                mirrored = self.placed(position, d)
                position = b.cast(b.cast(mirrored, "si64"), mirrored.dtype)
            index = b.cast(b.clamp(position, 0.0, size - 1.0), "si64")
            flat = index if flat is None else b.add(b.mul(flat, size), index)
        assert flat is not None
        batch, channels, points = *self.shape[:2], flat.shape[1]
        index = b.broadcast_in(flat, [batch, channels, points], [0, 2])
        values = b.op("gather_elements", self.flat, index, axis=2)
        return values if inside is None else b.select(b.expand_dims(inside, [1]), values, 0)


def _linear_weights(b: Builder, t: Value) -> list[Value]:
    return [b.sub(b.scalar(1.0, t), t), t]


def _cubic_weights(b: Builder, t: Value) -> list[Value]:
    """Keys' kernel at distances 1 + t, t, 1 - t, 2 - t."""
    a = CUBIC

    def inner(s: Value) -> Value:
        return b.add(b.mul(b.mul(b.sub(b.mul(s, a + 2), a + 3), s), s), 1.0)

    def outer(s: Value) -> Value:
        return b.sub(b.mul(b.add(b.mul(b.sub(b.mul(s, a), 5 * a), s), 8 * a), s), 4 * a)

    rest = b.sub(b.scalar(1.0, t), t)
    return [outer(b.add(t, 1.0)), inner(t), inner(rest), outer(b.add(rest, 1.0))]


def interpolate(b: Builder, sampler: _Sampler, positions: Sequence[Value], mode: str) -> Value:
    """x at fractional positions, by products of one-dimensional kernels over the neighbours."""
    first = {"linear": 0, "cubic": -1}[mode]
    floors = [b.op("floor", p) for p in positions]
    weigh = _linear_weights if mode == "linear" else _cubic_weights
    weights = [weigh(b, b.sub(p, f)) for p, f in zip(positions, floors, strict=True)]
    total: Value | None = None
    for offsets in itertools.product(range(len(weights[0])), repeat=len(positions)):
        whole = [b.add(f, float(o + first)) for f, o in zip(floors, offsets, strict=True)]
        factor = weights[0][offsets[0]]
        for d, o in enumerate(offsets[1:], 1):
            factor = b.mul(factor, weights[d][o])
        term = b.mul(sampler.at(whole), b.expand_dims(factor, [1]))
        total = term if total is None else b.add(total, term)
    assert total is not None
    return total


@handler("GridSample")
def grid_sample(n: Node) -> Value:
    """x at the positions of a grid, in [-1, 1] along each dimension, the last dimension first."""
    x, grid = n.x(0), n.x(1)
    rank = x.rank - 2
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(n.text("mode", "linear"), n.text("mode", "linear"))
    padding = n.text("padding_mode", "zeros")
    if mode not in ("linear", "nearest", "cubic") or padding not in ("zeros", "border", "reflection"):
        raise n.invalid(f"has the mode '{mode}' and the padding mode '{padding}'")
    if grid.shape[-1] != rank or grid.rank != x.rank:
        raise n.invalid(f"has the grid {grid.type} for {x.type}")
    align = n.flag("align_corners")
    sampler = _Sampler(n, x, padding, align)
    target = n.static(grid)[1:-1]
    points = n.b.reshape(n.b.cast(grid, x.dtype if x.is_float else "f32"), [sampler.shape[0], math.prod(target), rank])
    positions = []
    for d, size in enumerate(sampler.spatial):
        g = n.b.squeeze(n.b.slice_axis(points, 2, rank - 1 - d, 1), [2])
        position = n.b.mul(n.b.add(g, 1.0), (size - 1) / 2.0) if align else _unaligned(n.b, g, size)
        if mode == "nearest":
            position = n.b.op("round", position)
        positions.append(sampler.placed(position, d))
    y = sampler.at(positions) if mode == "nearest" else interpolate(n.b, sampler, positions, mode)
    return n.b.reshape(y, [*sampler.shape[:2], *target])


def _unaligned(b: Builder, g: Value, size: int) -> Value:
    """``((g + 1) * size - 1) / 2``."""
    return b.mul(b.sub(b.mul(b.add(g, 1.0), float(size)), 1.0), 0.5)
