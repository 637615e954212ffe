"""Small blocks of networks: linear layers, norms, convolution, attention, a transformer block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelc.core.diagnostics import UsageError
from accelc.dialects import nn
from accelc.frontend.builder import functions as f
from accelc.frontend.builder.tensor import Tensor, as_value, build, caller, cast_value, normalize_axis, scope, traced


@traced
def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """``x @ weight + bias``: weight ``[in, out]``, bias ``[out]``."""
    y = f.matmul(x, weight)
    return y if bias is None else f.binary("add", y, bias)


def _norm(name: str, x: Any, parts: Sequence[Any], epsilon: float, axis: int) -> Tensor:
    value = as_value(x)
    t = nn.tensor_type(value)
    at = normalize_axis(axis, t.rank)
    operands = [build.broadcast_to(cast_value(as_value(p), t.dtype), t.shape[at:]) for p in parts]
    return Tensor(build.make(name, (value, *operands), {"axis": at, "epsilon": epsilon}))


@traced
def layer_norm(x: Any, scale: Any = 1.0, bias: Any = 0.0, epsilon: float = 1e-5, axis: int = -1) -> Tensor:
    """Layer normalization over the axes from ``axis`` on; scale and bias of their shape, or numbers."""
    return _norm("layer_norm", x, (scale, bias), epsilon, axis)


@traced
def rms_norm(x: Any, scale: Any = 1.0, epsilon: float = 1e-6, axis: int = -1) -> Tensor:
    """Root-mean-square normalization over the axes from ``axis`` on."""
    return _norm("rms_norm", x, (scale,), epsilon, axis)


@traced
def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    layout: str = "nchw",
) -> Tensor:
    """Convolution: with "nchw" x ``[N, C, H, W]`` and weight ``[O, C/groups, KH, KW]``, with "nhwc" x ``[N, H, W, C]``
    and weight ``[KH, KW, C/groups, O]``; bias ``[O]``."""
    pads = f._pair(padding)
    value = as_value(x)
    y = build.conv(
        value,
        cast_value(as_value(weight), nn.tensor_type(value).dtype),
        strides=f._pair(stride),
        pads_low=pads,
        pads_high=pads,
        dilations=f._pair(dilation),
        groups=groups,
        layout=layout,
    )
    if bias is None:
        return Tensor(y)
    b = as_value(bias)
    if layout == "nchw":
        b = build.reshape(b, shape=(nn.tensor_type(b).shape[0], 1, 1))
    return f.binary("add", Tensor(y), Tensor(b))


def embedding(indices: Any, table: Any) -> Tensor:
    """Rows of ``table`` at integer indices."""
    return f.take(table, indices, axis=0)


@traced
def causal_mask(length: int) -> Tensor:
    """``[length, length]`` bools: whether position i may see position j."""
    i = build.iota(axis=0, shape=(length, length), dtype="si32")
    j = build.iota(axis=1, shape=(length, length), dtype="si32")
    return Tensor(build.compare(j, i, predicate="le"))


@traced
def attention(q: Any, k: Any, v: Any, mask: Any = None, *, scale: float | None = None, causal: bool = False) -> Tensor:
    """``softmax(scale * q k^T + mask) v`` over the last two dimensions; scale is ``1/sqrt(d)`` unless given."""
    value = as_value(q)
    t = nn.tensor_type(value)
    size = t.shape[-1] if t.rank else None
    if scale is None:
        if size is None:
            raise UsageError(f"attention over {t} needs a scale: its head size is unknown", node=caller())
        scale = 1.0 / float(size) ** 0.5
    masks = []
    if mask is not None:
        m = as_value(mask)
        shape = nn.tensor_type(m).shape
        masks = [build.reshape(m, shape=(*[1] * (t.rank - len(shape)), *shape)) if len(shape) < t.rank else m]
    return Tensor(build.attention(value, as_value(k), as_value(v), *masks, scale=scale, causal=causal))


@traced
def multi_head_attention(
    x: Any, w_qkv: Any, w_out: Any, heads: int, *, b_qkv: Any = None, b_out: Any = None, causal: bool = False
) -> Tensor:
    """Self-attention of x ``[B, L, D]``: w_qkv ``[D, 3 D]``, w_out ``[D, D]``, ``heads`` that divide D."""
    t = Tensor(as_value(x))
    width = t.type.shape[-1]
    if t.ndim != 3 or width is None or width % heads:
        raise UsageError(
            f"needs [batch, length, width] with a width that {heads} heads divide, got {t.type}", node=caller()
        )
    qkv = linear(t, w_qkv, b_qkv)
    split = f.reshape(qkv, t.shape[0], t.shape[1], 3, heads, width // heads)
    q, k, v = (f.transpose(split[:, :, i], 0, 2, 1, 3) for i in range(3))
    mixed = f.transpose(attention(q, k, v, causal=causal), 0, 2, 1, 3)
    return linear(f.reshape(mixed, t.shape[0], t.shape[1], width), w_out, b_out)


def transformer_block(x: Any, weights: Mapping[str, Any], heads: int, *, causal: bool = False) -> Tensor:
    """A pre-norm block: ``x + attention(norm(x))``, then ``x + mlp(norm(x))`` with gelu.

    weights: ``ln1_scale ln1_bias w_qkv b_qkv w_out b_out ln2_scale ln2_bias w_up b_up w_down b_down``; biases may be
    missing.
    """
    w = weights
    with scope("attention"):
        h = layer_norm(x, w["ln1_scale"], w.get("ln1_bias", 0.0))
        mixed = multi_head_attention(
            h, w["w_qkv"], w["w_out"], heads, b_qkv=w.get("b_qkv"), b_out=w.get("b_out"), causal=causal
        )
        x = f.binary("add", x, mixed)
    with scope("mlp"):
        h = layer_norm(x, w["ln2_scale"], w.get("ln2_bias", 0.0))
        h = linear(f.gelu(linear(h, w["w_up"], w.get("b_up"))), w["w_down"], w.get("b_down"))
        return f.binary("add", x, h)
