"""RNN, GRU and LSTM, unrolled over a static number of steps. Formulas and gate orders are those of the ONNX docs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accelc.frontend.onnx.ops.activation import activation
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value

# A sequence longer than this would be a graph of tens of thousands of ops.
MAX_STEPS = 1024
# The opset in which the batch could come first.
LAYOUT_SINCE = 14

# gates(step's input part, h, c) -> new h, new c
Cell = Callable[[Value, Value, Value | None], tuple[Value, Value | None]]


@dataclass(frozen=True)
class Direction:
    """One direction's weights: w [gates*H, I], r [gates*H, H], bias [2*gates*H], peepholes [3*H]; and its functions."""

    index: int
    w: Value
    r: Value
    bias: Value | None
    peepholes: Value | None
    functions: tuple[Callable[[Value], Value], ...]


def _directions(n: Node, gates: int, defaults: Sequence[str]) -> list[Direction]:
    kind = n.text("direction", "forward")
    if kind not in ("forward", "reverse", "bidirectional"):
        raise n.invalid(f"has the direction '{kind}'")
    count = 2 if kind == "bidirectional" else 1
    found = []
    for i in range(count):
        bias, peepholes = n.maybe(3), n.maybe(7) if n.op == "LSTM" else None
        found.append(
            Direction(
                i,
                _part(n, n.x(1), i),
                _part(n, n.x(2), i),
                None if bias is None else _part(n, bias, i),
                None if peepholes is None else _part(n, peepholes, i),
                _functions(n, i, defaults),
            )
        )
    return found


def _part(n: Node, x: Value, i: int) -> Value:
    return n.b.squeeze(n.b.slice_axis(x, 0, i, 1), [0])


def _functions(n: Node, direction: int, defaults: Sequence[str]) -> tuple[Callable[[Value], Value], ...]:
    names = list(n.attributes.get("activations") or [])
    names = names[direction * len(defaults) : (direction + 1) * len(defaults)] or list(defaults)
    first = direction * len(defaults)

    def parameter(key: str, i: int) -> float | None:
        values = n.attributes.get(key) or []
        return float(values[first + i]) if first + i < len(values) else None

    def bind(i: int, name: str) -> Callable[[Value], Value]:
        alpha, beta = parameter("activation_alpha", i), parameter("activation_beta", i)

        def call(x: Value) -> Value:
            y = activation(n.b, name, _clipped(n, x), alpha, beta)
            if y is None:
                raise n.unsupported(f"with the activation '{name}'")
            return y

        return call

    return tuple(bind(i, name) for i, name in enumerate(names))


def _clipped(n: Node, x: Value) -> Value:
    limit = n.real("clip", 0.0)
    return n.b.clamp(x, -limit, limit) if limit else x


def _run(n: Node, gates: int, defaults: Sequence[str], make: Callable[[Node, Direction], Cell]) -> list[Value | None]:
    """Runs all directions; gives Y, Y_h and (LSTM) Y_c in the node's layout."""
    batch_first = n.version >= LAYOUT_SINCE and n.flag("layout")
    n.static(n.x(), 3)
    x = n.b.transpose(n.x(), [1, 0, 2]) if batch_first else n.x()
    steps, batch, _ = n.static(x, 3)
    if steps > MAX_STEPS:
        raise n.unsupported(f"over {steps} steps (at most {MAX_STEPS})")
    with_cell = n.op == "LSTM"
    outputs, finals, cells = [], [], []
    for d in _directions(n, gates, defaults):
        hidden = n.static(d.r)[-1]
        h = _initial(n, 5, d.index, batch_first, [batch, hidden], x)
        c = _initial(n, 6, d.index, batch_first, [batch, hidden], x) if with_cell else None
        backward = d.index == 1 or n.text("direction", "forward") == "reverse"
        ys, h, c = _steps(n, x, d, make(n, d), h, c, backward)
        outputs.append(n.b.concat([n.b.expand_dims(y, [0]) for y in ys], 0))
        finals.append(h)
        cells.append(c)
    axis = 1 if batch_first else 0
    y = n.b.concat([n.b.expand_dims(o, [1]) for o in outputs], 1)
    results: list[Value | None] = [n.b.transpose(y, [2, 0, 1, 3]) if batch_first else y]
    results.append(n.b.concat([n.b.expand_dims(h, [axis]) for h in finals], axis))
    results.append(
        n.b.concat([n.b.expand_dims(c, [axis]) for c in cells if c is not None], axis) if with_cell else None
    )
    return results


def _initial(n: Node, i: int, direction: int, batch_first: bool, shape: list[int], x: Value) -> Value:
    given = n.maybe(i)
    if given is None:
        return n.b.full(0.0, shape, x.dtype)
    axis = 1 if batch_first else 0
    return n.b.squeeze(n.b.slice_axis(given, axis, direction, 1), [axis])


def _steps(
    n: Node, x: Value, d: Direction, cell: Cell, h: Value, c: Value | None, backward: bool
) -> tuple[list[Value], Value, Value | None]:
    """One direction over all steps. Beyond an example's length its state stays, and its output is 0."""
    steps = n.static(x)[0]
    projected = n.b.contract(x, d.w, "sbi,oi->sbo")
    lengths = n.maybe(4)
    ys: list[Value] = []
    for step in reversed(range(steps)) if backward else range(steps):
        new_h, new_c = cell(_part(n, projected, step), h, c)
        y = new_h
        if lengths is not None:
            inside = n.b.expand_dims(n.b.compare("gt", lengths, step), [1])
            y = n.b.select(inside, new_h, 0.0)
            new_h = n.b.select(inside, new_h, h)
            new_c = None if new_c is None or c is None else n.b.select(inside, new_c, c)
        h, c = new_h, new_c
        ys.append(y)
    return ys[::-1] if backward else ys, h, c


def _bias(n: Node, d: Direction, x: Value, start: int, size: int) -> Value:
    """x plus part of the bias, if there is one."""
    return x if d.bias is None else n.b.add(x, n.b.slice(d.bias, [start], [size]))


def _gate(n: Node, x: Value, i: int, hidden: int) -> Value:
    return n.b.slice_axis(x, 1, i * hidden, hidden)


def _recurrence(n: Node, h: Value, r: Value) -> Value:
    return n.b.contract(h, r, "bi,oi->bo")


def _rnn_cell(n: Node, d: Direction) -> Cell:
    hidden = n.static(d.r)[-1]

    def cell(x: Value, h: Value, c: Value | None) -> tuple[Value, Value | None]:
        total = n.b.add(x, _recurrence(n, h, d.r))
        total = _bias(n, d, _bias(n, d, total, 0, hidden), hidden, hidden)
        return d.functions[0](total), None

    return cell


def _gru_cell(n: Node, d: Direction) -> Cell:
    hidden = n.static(d.r)[-1]
    linear = n.flag("linear_before_reset")

    def cell(x: Value, h: Value, c: Value | None) -> tuple[Value, Value | None]:
        x = _bias(n, d, x, 0, 3 * hidden)
        gates = _bias(n, d, _recurrence(n, h, n.b.slice_axis(d.r, 0, 0, 2 * hidden)), 3 * hidden, 2 * hidden)
        z = d.functions[0](n.b.add(_gate(n, x, 0, hidden), _gate(n, gates, 0, hidden)))
        r = d.functions[0](n.b.add(_gate(n, x, 1, hidden), _gate(n, gates, 1, hidden)))
        weights = n.b.slice_axis(d.r, 0, 2 * hidden, hidden)
        before = h if linear else n.b.mul(r, h)
        inner = _bias(n, d, _recurrence(n, before, weights), 5 * hidden, hidden)
        inner = n.b.mul(r, inner) if linear else inner
        candidate = d.functions[1](n.b.add(_gate(n, x, 2, hidden), inner))
        # (1 - z) * candidate + z * h
        return n.b.add(n.b.mul(n.b.sub(n.b.scalar(1.0, z), z), candidate), n.b.mul(z, h)), None

    return cell


def _lstm_cell(n: Node, d: Direction) -> Cell:
    hidden = n.static(d.r)[-1]
    f, g, h_function = d.functions
    coupled = n.flag("input_forget")

    def peephole(total: Value, c: Value, i: int) -> Value:
        if d.peepholes is None:
            return total
        return n.b.add(total, n.b.mul(c, n.b.slice(d.peepholes, [i * hidden], [hidden])))

    def cell(x: Value, h: Value, c: Value | None) -> tuple[Value, Value | None]:
        assert c is not None
        total = n.b.add(x, _recurrence(n, h, d.r))
        total = _bias(n, d, _bias(n, d, total, 0, 4 * hidden), 4 * hidden, 4 * hidden)
        # Gates in the order i, o, f, c; peepholes in the order i, o, f.
        i = f(peephole(_gate(n, total, 0, hidden), c, 0))
        forget = n.b.sub(n.b.scalar(1.0, i), i) if coupled else f(peephole(_gate(n, total, 2, hidden), c, 2))
        new = n.b.add(n.b.mul(forget, c), n.b.mul(i, g(_gate(n, total, 3, hidden))))
        o = f(peephole(_gate(n, total, 1, hidden), new, 1))
        return n.b.mul(o, h_function(new)), new

    return cell


@handler("RNN", limits="unrolled, at most 1024 steps")
def rnn(n: Node) -> list[Value | None]:
    """A simple recurrent layer."""
    return _run(n, 1, ["Tanh"], _rnn_cell)


@handler("GRU", limits="unrolled, at most 1024 steps")
def gru(n: Node) -> list[Value | None]:
    """Gated recurrent units."""
    return _run(n, 3, ["Sigmoid", "Tanh"], _gru_cell)


@handler("LSTM", limits="unrolled, at most 1024 steps")
def lstm(n: Node) -> list[Value | None]:
    """Long short-term memory."""
    return _run(n, 4, ["Sigmoid", "Tanh", "Tanh"], _lstm_cell)
