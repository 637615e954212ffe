"""The Winograd family: 3x3 convolutions of stride 1 as 36 small matrix products, F(4x4, 3x3).

A 6x6 piece of the input is transformed, multiplied with transformed filters channel by channel, and transformed back
to a
4x4 piece of the output: 36 multiplications where the convolution takes 144. Some rows of pieces go through all three
steps
together, so that what lies between stays in cache. Matrices: A. Lavin and S. Gray, "Fast Algorithms for Convolutional
Neural Networks", 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accelc.targets.host.codegen.analysis import uses
from accelc.targets.host.codegen.evaluate import Index, Memory, Val
from accelc.targets.host.codegen.kernel_writer import KernelWriter, Tiled
from accelc.targets.host.codegen.linear import LANE, Linear
from accelc.targets.host.codegen.reader import (
    Argument,
    Generic,
    Kernel,
    NotTileable,
    Slice,
    Tensor,
    Unpack,
    WinogradInput,
    WinogradOutput,
)
from accelc.targets.host.codegen.tiles import register_tile
from accelc.targets.host.codegen.writer import Writer, vector_type
from accelc.targets.host.cpu import Cpu

Matrix = tuple[tuple[float, ...], ...]

# B^T, from six inputs to six, and A^T, from six products to four outputs.
_INPUT: Matrix = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_OUTPUT: Matrix = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
PIECE, WINDOW = 4, 6
# Bytes of transformed filters that are worth reading again for every row of pieces.
_SMALL_FILTERS = 1 << 20
# Pieces that go through together where filters are small.
_PIECES = 14


@dataclass(frozen=True)
class Shape:
    """The parts of a Winograd kernel. result: the convolution's output; ``value`` is an elementwise function of it."""

    value: Tensor
    result: Tensor
    image: Tensor
    filters: Unpack
    rows: int
    columns: int

    @property
    def channels(self) -> int:
        """Input channels."""
        return self.image.shape[3]

    @property
    def features(self) -> int:
        """Output channels."""
        return self.result.shape[3]


def write_winograd(kernel: Kernel, cpu: Cpu) -> Tiled:
    """Writes a kernel of `linalg.winograd_*` ops. Raises NotTileable."""
    kw = KernelWriter(kernel, cpu)
    return _WinogradWriter(kw, _shape(kernel, kw)).write()


def _shape(kernel: Kernel, kw: KernelWriter) -> Shape:
    if len(kernel.outputs) != 1:
        raise NotTileable("several outputs")
    value = kernel.outputs[0]
    result, output = _find(value)
    product = output.source
    if not isinstance(product, Generic) or len(product.op.inputs) != 2:
        raise NotTileable("no product of transforms")
    image, filters = product.op.inputs
    if not isinstance(image, WinogradInput) or not isinstance(filters, Unpack):
        raise NotTileable("no product of transforms")
    if value.shape != result.shape or not isinstance(filters.source, Argument):
        raise NotTileable("an epilogue of another shape")
    memory = {**kw.evaluator.memory, result: Memory("", 0, "f32")}
    found = uses(value, tuple(Linear.var(f"o{i}") for i in range(4)), memory)
    if found.blocked or found.reductions or found.opaque:
        raise NotTileable("an epilogue that is not elementwise")
    rows, columns = image.shape[2:4]
    return Shape(value, result, image.source, filters, rows, columns)


def _find(tensor: Tensor) -> tuple[Tensor, WinogradOutput]:
    """The convolution's result in an epilogue, and the transform that it is (a slice of)."""
    work, seen = [tensor], set()
    while work:
        current = work.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, WinogradOutput):
            return current, current
        if isinstance(current, Slice) and isinstance(current.source, WinogradOutput):
            if any(current.offsets) or current.kept != (0, 1, 2, 3):
                raise NotTileable("a slice of another kind")
            return current, current.source
        if isinstance(current, Generic):
            work += current.op.inputs
    raise NotTileable("no Winograd transform")


class _WinogradWriter:
    def __init__(self, kw: KernelWriter, shape: Shape) -> None:
        self.kw = kw
        self.shape = shape
        self.together = self._rows_together()
        self.pieces = self.together * shape.columns
        self.panel = shape.filters.tile
        self.panels = -(-shape.features // self.panel)
        count = WINDOW * WINDOW * self.pieces
        self.inputs = kw.scratch(count * shape.channels, "f32")
        self.products = kw.scratch(count * self.panels * self.panel, "f32")

    def _rows_together(self) -> int:
        """How many rows of pieces go through together: large filters should be read few times, but by two threads."""
        rows, columns = self.shape.rows, self.shape.columns
        if WINDOW * WINDOW * self.shape.channels * self.shape.features * 4 > _SMALL_FILTERS:
            return -(-rows // 2)
        return min(rows, max(1, _PIECES // columns))

    def write(self) -> Tiled:
        """The kernel; a tile is some rows of pieces of one image."""
        extents = [self.shape.image.shape[0], -(-self.shape.rows // self.together)]
        with self.kw.tiles(extents) as (image, group):
            self._rows(group, lambda row, top: self._transform_inputs(image, row, top))
            self._multiply()
            self._rows(group, lambda row, top: self._transform_outputs(image, row, top))
        return self.kw.finish(extents[0] * extents[1])

    def _rows(self, group: Linear, emit: Callable[[Linear, Linear], None]) -> None:
        """Goes over the rows of a group: ``emit(row in the group, row of the image)``."""
        if self.together == 1:
            emit(Linear(), group)
            return
        w, end = self.kw.writer, self.together
        if self.shape.rows % end:  # the last group has fewer; the products of its missing rows are never looked at
            left = w.op(f"arith.subi {w.integer(self.shape.rows)}, {w.index(group * end)} : index")
            bound: int | str = w.op(f"arith.minui {w.integer(end)}, {left} : index")
        else:
            bound = end
        with self.kw.loop(0, bound) as loop:
            row = Linear.var(loop.variable)
            self.kw.evaluator.ranges[loop.variable] = (0, end - 1)
            emit(row, group * self.together + row)

    def _columns(self, emit: Callable[[Linear], None], *, last_apart: bool) -> None:
        """Goes over the pieces of a row; the last in code of its own where it is cut off."""
        columns = self.shape.columns
        loops = columns - 1 if last_apart else columns
        if loops:
            with self.kw.loop(0, loops) as loop:
                emit(Linear.var(loop.variable))
        if last_apart:
            with self.kw.evaluator.scope():
                emit(Linear(columns - 1))

    def _lanes(self, extent: int) -> int:
        lanes = self.kw.lanes
        while lanes > 4 and extent % lanes:
            lanes //= 2
        return lanes

    def _transform_inputs(self, image: Linear, row: Linear, top: Linear) -> None:
        ev, channels = self.kw.evaluator, self.shape.channels

        def piece(column: Linear) -> None:
            def emit(channel: Linear, _: list[str]) -> list[str]:
                with ev.scope():
                    window = [
                        [self._input((image, top * PIECE + i, column * PIECE + j, channel)) for j in range(WINDOW)]
                        for i in range(WINDOW)
                    ]
                    for p, name in enumerate(transform(self.kw.writer, _INPUT, window, ev.lanes)):
                        at = (row * self.shape.columns + column + p * self.pieces) * channels + channel
                        ev.store(Val(name, "f32", ev.lanes), self.inputs, at)
                return []

            self.kw.sweep(channels, self._lanes(channels), emit)

        self._columns(piece, last_apart=False)

    def _input(self, index: Index) -> str:
        ev = self.kw.evaluator
        return ev.widen(ev.value(self.shape.image, index), ev.lanes).name

    def _multiply(self) -> None:
        """For each of the 36 places: pieces by channels, times channels by features."""
        tile = register_tile(self.pieces, self.panel, 4, self.kw.cpu)
        whole, tail = divmod(self.pieces, tile.rows)
        with self.kw.loop(0, WINDOW * WINDOW) as place, self.kw.loop(0, self.panels) as panel:
            at, column = Linear.var(place.variable), Linear.var(panel.variable)
            if whole == 1:
                self._block(at, column, Linear(), tile.rows)
            elif whole:
                with self.kw.loop(0, whole) as loop:
                    self._block(at, column, Linear.var(loop.variable, tile.rows), tile.rows)
            if tail:
                with self.kw.evaluator.scope():
                    self._block(at, column, Linear(whole * tile.rows), tail)

    def _block(self, place: Linear, panel: Linear, first: Linear, rows: int) -> None:
        ev, w, channels = self.kw.evaluator, self.kw.writer, self.shape.channels
        kind = vector_type(self.panel, "f32")
        zero = w.constant("dense<0.0>", kind)
        filters = ev.memory[self.shape.filters.source]
        weights = (place * self.panels + panel) * (channels * self.panel)
        pieces = (place * self.pieces + first) * channels
        with ev.vectors(self.panel):
            with self.kw.loop(0, channels, carried=[(zero, kind)] * rows) as loop:
                channel = Linear.var(loop.variable)
                column = ev.load(filters, weights + channel * self.panel + Linear.var(LANE))
                for i, total in enumerate(loop.arguments):
                    factor = ev.widen(ev.load(self.inputs, pieces + channel + i * channels), self.panel)
                    loop.yields.append(w.op(f"math.fma {factor.name}, {column.name}, {total} : {kind}"))
            features = self.panels * self.panel
            out = (place * self.pieces + first) * features + panel * self.panel + Linear.var(LANE)
            for i, total in enumerate(loop.results):
                ev.store(Val(total, "f32", self.panel), self.products, out + i * features)

    def _transform_outputs(self, image: Linear, row: Linear, top: Linear) -> None:
        ev, features = self.kw.evaluator, self.shape.features
        stride = self.panels * self.panel

        def piece(column: Linear) -> None:
            def emit(feature: Linear, _: list[str]) -> list[str]:
                with ev.scope():
                    place = (row * self.shape.columns + column) * stride + feature
                    window = [
                        [
                            ev.load(self.products, place + (i * WINDOW + j) * (self.pieces * stride)).name
                            for j in range(WINDOW)
                        ]
                        for i in range(WINDOW)
                    ]
                    outputs = transform(self.kw.writer, _OUTPUT, window, ev.lanes)
                    for i in range(PIECE):
                        self._store_row(
                            outputs[i * PIECE : i * PIECE + PIECE], (image, top * PIECE + i, column, feature)
                        )
                return []

            self.kw.sweep(features, self._lanes(features), emit)

        self._columns(piece, last_apart=self.shape.result.shape[2] % PIECE != 0)

    def _store_row(self, outputs: list[str], at: Index) -> None:
        """Stores four neighbours, where they are inside of the output."""
        image, row, column, feature = at
        _, height, width, _ = self.shape.result.shape
        inside = self.kw.evaluator.within(row, height)
        if inside is False:
            return

        def store() -> None:
            for j, name in enumerate(outputs):
                x = column * PIECE + j
                if self.kw.evaluator.within(x, width) is None:
                    self._store(name, (image, row, x, feature))

        if inside is None:
            store()
            return
        with self.kw.writer.when(str(inside)), self.kw.evaluator.scope():
            store()

    def _store(self, name: str, index: Index) -> None:
        ev = self.kw.evaluator

        def result(asked: Index) -> Val:
            if asked != index:
                raise NotTileable("an epilogue that mixes elements")
            return Val(name, "f32", ev.lanes)

        ev.bound[self.shape.result] = result
        with ev.scope():
            place = ev.address(self.kw.kernel.destinations[0], index)
            assert place is not None
            ev.store(ev.value(self.shape.value, index), *place)


def transform(writer: Writer, matrix: Matrix, window: list[list[str]], lanes: int) -> list[str]:
    """``matrix @ window @ matrix.T`` on vectors, row by row."""
    kind = vector_type(lanes, "f32")
    columns = [[_combine(writer, row, [line[j] for line in window], kind) for row in matrix] for j in range(WINDOW)]
    half = [[columns[j][i] for j in range(WINDOW)] for i in range(len(matrix))]
    return [_combine(writer, row, line, kind) for line in half for row in matrix]


def _combine(writer: Writer, coefficients: tuple[float, ...], values: list[str], kind: str) -> str:
    """A sum of products, without multiplying by 1; the first term is one with coefficient 1."""
    terms = [(c, v) for c, v in zip(coefficients, values, strict=True) if c]
    terms.sort(key=lambda t: t[0] != 1)
    total = terms[0][1]
    for c, value in terms[1:]:
        if abs(c) == 1:
            total = writer.op(f"arith.{'addf' if c > 0 else 'subf'} {total}, {value} : {kind}")
        else:
            factor = writer.constant(f"dense<{float(c)!r}>", kind)
            total = writer.op(f"math.fma {value}, {factor}, {total} : {kind}")
    return total
