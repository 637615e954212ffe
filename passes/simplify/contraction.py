"""Contractions take transposes and broadcasts into their spec; convolutions and pools take pads."""

from __future__ import annotations

import math
from typing import Any

from accelc.core.rewrite import Handler, Rewriter
from accelc.dialects import nn
from accelc.passes.constants import splat
from accelc.passes.graph import defining, has_one_use

Value = Any


def simplify_contract(op: Any, rw: Rewriter) -> None:
    """Operands that are transposed or broadcast; dimensions of size 1 that are summed stay."""
    attrs = nn.attrs(op)
    sides, out = attrs["spec"].split("->")
    letters = sides.split(",")
    operands = list(op.operation.operands)
    changed = False
    for i in (0, 1):
        inner = defining(operands[i], "transpose")
        if inner is not None:
            perm = nn.attrs(inner)["perm"]
            letters[i] = "".join(letters[i][perm.index(d)] for d in range(len(perm)))
            operands[i] = inner.operation.operands[0]
            changed = True
            continue
        inner = defining(operands[i], "broadcast")
        if inner is not None and (taken := _without_broadcast(inner, letters[i], letters[1 - i], out)) is not None:
            operands[i], letters[i] = taken
            changed = True
    if changed:
        spec = f"{letters[0]},{letters[1]}->{out}"
        rw.replace(op, nn.build.contract(*operands, spec=spec, dtype=attrs["dtype"]))


def _without_broadcast(inner: Any, mine: str, other: str, out: str) -> tuple[Value, str] | None:
    """The operand before a broadcast along batch letters, and its letters."""
    source, dims = inner.operation.operands[0], nn.attrs(inner)["dims"]
    if len(inner.operation.operands) != 1:
        return None
    sizes = inner.operation.results[0].type.shape
    if any(source.type.shape[i] != sizes[d] for i, d in enumerate(dims)):
        return None
    added = [c for d, c in enumerate(mine) if d not in dims]
    if not all(c in other and c in out for c in added):
        return None
    return source, "".join(mine[d] for d in dims)


def simplify_transpose_of_contract(op: Any, rw: Rewriter) -> bool:
    """A transpose of a contraction that nobody else reads: the output's letters are permuted instead."""
    operand = op.operation.operands[0]
    inner = defining(operand, "contract")
    if inner is None or not has_one_use(operand):
        return False
    attrs, perm = nn.attrs(inner), nn.attrs(op)["perm"]
    sides, out = attrs["spec"].split("->")
    spec = f"{sides}->{''.join(out[p] for p in perm)}"
    rw.replace(op, nn.build.contract(*inner.operation.operands, spec=spec, dtype=attrs["dtype"]))
    return True


def _spatial_pad(pad: Any, layout: str) -> tuple[list[int], list[int]] | None:
    """(low, high) of a pad of spatial dimensions only, that adds elements; None for others."""
    attrs = nn.attrs(pad)
    low, high = list(attrs["low"]), list(attrs["high"])
    channel = 1 if layout == "nchw" else len(low) - 1
    if low[0] or high[0] or low[channel] or high[channel] or min(*low, *high) < 0:
        return None
    space = [d for d in range(1, len(low)) if d != channel]
    return [low[d] for d in space], [high[d] for d in space]


def simplify_conv(op: Any, rw: Rewriter) -> None:
    """A pad with zeros before a convolution."""
    operands = list(op.operation.operands)
    pad = defining(operands[0], "pad")
    if pad is None or splat(pad.operation.operands[1]) != 0:
        return
    attrs = nn.attrs(op)
    amounts = _spatial_pad(pad, attrs["layout"])
    if amounts is None:
        return
    for key, more in zip(("pads_low", "pads_high"), amounts, strict=True):
        attrs[key] = tuple(a + b for a, b in zip(attrs[key], more, strict=True))
    rw.replace(op, nn.build.conv(pad.operation.operands[0], operands[1], **attrs))


def simplify_pool(op: Any, rw: Rewriter) -> None:
    """A pad with -inf before a maximum, or with zeros before an average that counts them."""
    pad = defining(op.operation.operands[0], "pad")
    if pad is None:
        return
    attrs, number = nn.attrs(op), splat(pad.operation.operands[1])
    amounts = _spatial_pad(pad, attrs["layout"])
    if amounts is None or number is None:
        return
    padded = any(attrs["pads_low"]) or any(attrs["pads_high"])
    if attrs["kind"] == "max":
        fits = number == -math.inf
    elif attrs["kind"] == "average":
        fits = number == 0 and (attrs["count_include_pad"] or not padded)
        attrs["count_include_pad"] = True
    else:
        fits = number == 0
    if not fits:
        return
    for key, more in zip(("pads_low", "pads_high"), amounts, strict=True):
        attrs[key] = tuple(a + b for a, b in zip(attrs[key], more, strict=True))
    rw.replace(op, nn.build.pool(pad.operation.operands[0], **attrs))


HANDLERS: dict[str, Handler] = {
    "contract": simplify_contract,
    "conv": simplify_conv,
    "pool": simplify_pool,
}
