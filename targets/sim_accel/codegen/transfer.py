"""Tile transfers as DMA instructions: dimensions merged, bounds only where they can matter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from accelc.targets.sim_accel import isa
from accelc.targets.sim_accel.codegen.schedule import Transfer
from accelc.targets.sim_accel.codegen.tiles import row_major
from accelc.targets.sim_accel.dialect.syntax import Value, tile
from accelc.targets.sim_accel.isa import DTYPE_BYTES

if TYPE_CHECKING:
    from accelc.targets.sim_accel.codegen.select import Selector


@dataclass
class _Dim:
    """One dimension of a transfer.

    size: of the bound; None where none is needed. windows: (extent, scratchpad stride, step) of further dimensions of
    the tile that move this one's position.
    """

    extent: int
    sp: int
    dram: int
    pos: Value = 0
    size: int | None = None
    step: int = 1
    gathered: bool = False
    windows: list[tuple[int, int, int]] = field(default_factory=list)


def _dims(s: Selector, t: Transfer) -> tuple[list[_Dim], Value]:
    """The dimensions of a transfer, and the byte offset of what they leave out."""
    strides = row_major(t.dram.shape)
    item = DTYPE_BYTES[t.dram.dtype]
    offset: Value = 0
    dims: list[_Dim] = []
    gathered = t.dims[0] if t.kind == "gather" else None
    for j, d in enumerate(t.dims):
        if d < 0 and t.tile.shape[j] > 1:
            dims.append(_Dim(t.tile.shape[j], t.tile.strides[j], 0))
    for d, stride in enumerate(strides):
        terms = [(t.tile.shape[j], t.tile.strides[j], t.steps[j]) for j, e in enumerate(t.dims) if e == d]
        more, extra = _along(s, t, d, terms, stride, item, d == gathered)
        dims += more
        offset = s.b.add(offset, extra)
    return dims, offset


def _along(
    s: Selector, t: Transfer, d: int, terms: list[tuple[int, int, int]], stride: int, item: int, gathered: bool
) -> tuple[list[_Dim], Value]:
    """Dimensions and byte offset for one dimension in DRAM, along which (extent, scratchpad stride, step) terms run."""
    low, high = s.bounds(t.positions[d])
    size = t.dram.shape[d]
    if gathered:
        ((extent, sp, step),) = terms
        return [_Dim(extent, sp, stride, s.index(t.positions[d]), size, step, True)], 0
    low += sum(min(0, (extent - 1) * step) for extent, _, step in terms)
    high += sum(max(0, (extent - 1) * step) for extent, _, step in terms)
    if low >= 0 and high < size:
        offset = s.b.mul(s.index(t.positions[d]), stride * item)
        return [_Dim(extent, sp, stride * step) for extent, sp, step in terms if extent > 1], offset
    live = sorted([term for term in terms if term[0] > 1], key=lambda term: -term[0]) or [(1, 0, 1)]
    (extent, sp, step), *others = live
    main = _Dim(extent, sp, stride, s.index(t.positions[d]), size, step)
    # The others move the position of this one: loops around the instruction.
    main.windows = [(n, tile, shift) for n, tile, shift in others]
    return [main], 0


def _merged(dims: list[_Dim]) -> list[_Dim]:
    """Fastest-changing DRAM dimension last; neighbours that chain on both sides become one."""
    ordered = sorted(dims, key=lambda x: (not x.gathered, x.dram == 0 and x.size is None and -1, -abs(x.dram)))
    result: list[_Dim] = []
    for dim in ordered:
        last = result[-1] if result else None
        if (
            last is not None
            and last.size is None
            and dim.size is None
            and last.sp == dim.sp * dim.extent
            and last.dram == dim.dram * dim.extent
        ):
            result[-1] = _Dim(last.extent * dim.extent, dim.sp, dim.dram)
        else:
            result.append(dim)
    return result or [_Dim(1, 1, 1)]


def emit_transfer(s: Selector, t: Transfer) -> None:
    """One DMA instruction, in loops where it has more dimensions than the ISA."""
    dims, offset = _dims(s, t)
    dims = _merged(dims)
    dram = s.b.add(s.base(t.dram), offset)
    sp = s.b.add(s.address(t.tile.buffer), t.tile.offset * t.tile.itemsize)
    _loops(s, t, dims, dram, sp)


def _loops(s: Selector, t: Transfer, dims: list[_Dim], dram: Value, sp: Value) -> None:
    at = next((i for i, d in enumerate(dims) if d.windows), None)
    if at is not None:
        (extent, stride, step), *windows = dims[at].windows
        with s.b.loop(extent) as i:
            pos = s.b.add(dims[at].pos, s.b.mul(i, step))
            shifted = [*dims[:at], replace(dims[at], pos=pos, windows=windows), *dims[at + 1 :]]
            _loops(s, t, shifted, dram, s.b.add(sp, s.b.mul(i, stride * t.tile.itemsize)))
        return
    if len(dims) > isa.MAX_RANK:
        at = next(i for i, d in enumerate(dims) if not d.gathered)
        first = dims[at]
        rest = dims[:at] + dims[at + 1 :]
        with s.b.loop(first.extent) as i:
            inner_sp = s.b.add(sp, s.b.mul(i, first.sp * t.tile.itemsize))
            if first.size is None:
                inner_dram = s.b.add(dram, s.b.mul(i, first.dram * DTYPE_BYTES[t.dram.dtype]))
                _loops(s, t, rest, inner_dram, inner_sp)
                return
            moved = s.b.add(first.pos, s.b.mul(i, first.step))
            # A bounded dimension stays one, of a single element.
            single = _Dim(1, 0, first.dram, moved, first.size, 1)
            last = rest[-1]
            if len(rest) >= isa.MAX_RANK:
                _loops(s, t, rest, dram, inner_sp) if first.size is None else _checked(
                    s, t, single, rest, dram, inner_sp
                )
                return
            _loops(s, t, [single, *rest[:-1], last], dram, inner_sp)
        return
    _instruction(s, t, dims, dram, sp)


def _checked(s: Selector, t: Transfer, single: _Dim, rest: list[_Dim], dram: Value, sp: Value) -> None:
    """A bounded dimension of one element besides five others: loop over one of those first."""
    free = next((i for i, d in enumerate(rest) if d.size is None and not d.gathered), None)
    at = 0 if free is None else free
    chosen = rest[at]
    others = [single, *rest[:at], *rest[at + 1 :]]
    with s.b.loop(chosen.extent) as i:
        inner_sp = s.b.add(sp, s.b.mul(i, chosen.sp * t.tile.itemsize))
        if chosen.size is None:
            _instruction(s, t, others, s.b.add(dram, s.b.mul(i, chosen.dram * DTYPE_BYTES[t.dram.dtype])), inner_sp)
        else:
            raise_rank()


def raise_rank() -> None:
    """Raises UnsupportedError for a transfer with too many bounded dimensions."""
    from accelc.core.diagnostics import UnsupportedError

    raise UnsupportedError("a transfer with more than five dimensions that need bounds")


def _instruction(s: Selector, t: Transfer, dims: list[_Dim], dram: Value, sp: Value) -> None:
    bounded = t.kind == "gather" or any(d.size is not None for d in dims)
    local = tile(t.tile.dtype, sp, tuple(d.sp for d in dims))
    memory = tile(t.dram.dtype, s.b.address(dram), tuple(d.dram for d in dims))
    fields: dict[str, Any] = {"q": t.queue, "shape": tuple(d.extent for d in dims)}
    if bounded:
        fields["pos"] = tuple(d.pos for d in dims)
        fields["size"] = tuple(d.extent if d.size is None else d.size for d in dims)
        fields["step"] = tuple(1 if d.size is None else d.step for d in dims)
        if t.kind != "store":
            fields["fill"] = t.fill
    if t.kind == "store":
        s.b.op("dma.store", dst=memory, a=local, **fields)
    elif t.kind == "load":
        s.b.op("dma.load", dst=local, a=memory, **fields)
    else:
        assert t.index is not None
        at = s.b.add(s.address(t.index.buffer), t.index.offset * t.index.itemsize)
        index = tile(t.index.dtype, at, (t.index.strides[0] if t.index.strides else 1,))
        s.b.op("dma.gather", dst=local, a=memory, b=index, **fields)
