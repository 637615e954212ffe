"""Packs a panel of B into the workspace: for each element of the sum, the panel's columns one after the other."""

from __future__ import annotations

from accelc.targets.host.codegen.contraction_shape import Dim
from accelc.targets.host.codegen.evaluate import Memory
from accelc.targets.host.codegen.kernel_writer import KernelWriter
from accelc.targets.host.codegen.linear import LANE, Linear
from accelc.targets.host.codegen.transpose import transpose_block
from accelc.targets.host.codegen.writer import vector_type


def pack_panel(
    kw: KernelWriter, source: Memory, start: Linear, sums: list[Dim], column: int, width: int, to: Memory, columns: int
) -> None:
    """Copies ``source[start + sums + column * j]`` to ``to[flat sums * columns + j]``, for ``width`` columns; the
    rest is zero.

    column: the distance of columns in the source. columns: the panel's columns, of which ``width`` are used.
    """
    _nest(kw, source, start, sums, column, width, to, Linear(), columns)


def _nest(
    kw: KernelWriter,
    source: Memory,
    position: Linear,
    sums: list[Dim],
    column: int,
    width: int,
    to: Memory,
    row: Linear,
    columns: int,
) -> None:
    if not sums:
        _copy_row(kw, source, position, column, width, to, row * columns, columns)
        return
    dim, *rest = sums
    if not rest and dim.b == 1 and column != 1 and source.element == "f32":
        _transpose_rows(kw, source, position, dim.extent, column, width, to, row * dim.extent, columns)
        return
    with kw.loop(0, dim.extent) as loop:
        variable = Linear.var(loop.variable)
        inner = row * dim.extent + variable
        _nest(kw, source, position + variable * dim.b, rest, column, width, to, inner, columns)


def _copy_row(
    kw: KernelWriter, source: Memory, start: Linear, column: int, width: int, to: Memory, at: Linear, columns: int
) -> None:
    ev = kw.evaluator
    if column == 1:
        mask = None if width == columns else kw.mask(columns, width)
        with ev.vectors(columns, mask):
            value = ev.load(source, start + Linear.var(LANE))
        with ev.vectors(columns):
            ev.store(value, to, at + Linear.var(LANE))
        return
    with ev.vectors(1):
        for j in range(columns):
            value = (
                ev.load(source, start + j * column) if j < width else ev.constant(_zero(source.element), source.element)
            )
            ev.store(value, to, at + j)


def _transpose_rows(
    kw: KernelWriter,
    source: Memory,
    start: Linear,
    extent: int,
    column: int,
    width: int,
    to: Memory,
    row: Linear,
    columns: int,
) -> None:
    """Sums are consecutive in the source: square blocks go through registers."""
    side = min(kw.lanes, columns)
    ev, w = kw.evaluator, kw.writer

    def block(at: Linear, count: int) -> None:
        mask = None if count == side else kw.mask(side, count)
        zero = w.constant(f"dense<{_zero(source.element)}>", vector_type(side, source.element))
        for first in range(0, columns, side):
            rows = []
            with ev.vectors(side, mask), ev.scope():
                for j in range(first, first + side):
                    inside = start + at + j * column + Linear.var(LANE)
                    rows.append(ev.load(source, inside).name if j < width else zero)
            for i, name in enumerate(transpose_block(w, rows, source.element)[:count]):
                kind = vector_type(side, source.element)
                place = w.index((row + at + i) * columns + first)
                w.line(f"vector.store {name}, {to.name}[{place}] : {to.type}, {kind}")

    whole = extent // side * side
    if whole:
        with kw.loop(0, whole, side) as loop:
            block(Linear.var(loop.variable), side)
    if extent > whole:
        block(Linear(whole), extent - whole)


def _zero(element: str) -> str:
    return "0.0" if element[0] in "fb" else "0"
