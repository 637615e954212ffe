"""Writes the text of a tiled kernel: constants once, index arithmetic once a scope, loops that nest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from accelc.targets.host.codegen.linear import Linear


def vector_type(lanes: int, element: str) -> str:
    """``vector<16xf32>``"""
    return f"vector<{lanes}x{element}>"


@dataclass
class Loop:
    """A loop being written: its variable, its carried values, and (set by its body) the values of the next turn."""

    variable: str
    arguments: list[str]
    yields: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


class Writer:
    """Collects the lines of a function's body."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._constants: dict[tuple[str, str], str] = {}
        self._count = 0
        self._scopes: list[dict[Linear, str]] = [{}]

    def text(self, preamble: Sequence[str] = ()) -> str:
        """The function's body: constants, the preamble (which may use them), and what was written."""
        constants = [
            f"{name} = arith.constant {value}" + ("" if kind == "i1" else f" : {kind}")  # true and false say their type
            for (value, kind), name in self._constants.items()
        ]
        return "\n".join([*constants, *preamble, *self._lines])

    def fresh(self) -> str:
        """A new SSA name."""
        self._count += 1
        return f"%v{self._count}"

    def op(self, text: str) -> str:
        """Writes an op with one result; returns the result's name."""
        name = self.fresh()
        self._lines.append(f"{name} = {text}")
        return name

    def line(self, text: str) -> None:
        """Writes an op without results."""
        self._lines.append(text)

    def constant(self, value: str, kind: str) -> str:
        """The name of a constant; ``value`` and ``kind`` as MLIR prints them."""
        key = (value, kind)
        if key not in self._constants:
            self._constants[key] = f"%c{len(self._constants)}"
        return self._constants[key]

    def integer(self, value: int) -> str:
        """The name of an index constant."""
        return self.constant(str(value), "index")

    def index(self, expression: Linear) -> str:
        """The name of an index value, computed at most once where it is still visible."""
        if not expression.terms:
            return self.integer(expression.const)
        if expression.const == 0 and len(expression.terms) == 1 and expression.terms[0][1] == 1:
            return expression.terms[0][0]
        for scope in self._scopes:
            if expression in scope:
                return scope[expression]
        name = self._compute(expression)
        self._scopes[-1][expression] = name
        return name

    def _compute(self, expression: Linear) -> str:
        if expression.const:
            base = self.index(Linear(0, expression.terms))
            return self.op(f"arith.addi {base}, {self.integer(expression.const)} : index")
        *rest, (variable, coefficient) = expression.terms
        term = variable
        if coefficient != 1:
            term = self.op(f"arith.muli {variable}, {self.integer(coefficient)} : index")
        if not rest:
            return term
        return self.op(f"arith.addi {self.index(Linear(0, tuple(rest)))}, {term} : index")

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Names made inside are not used after it (the body of a loop or branch)."""
        self._scopes.append({})
        yield
        self._scopes.pop()

    @contextmanager
    def loop(
        self, low: str | int, high: str | int, step: int = 1, carried: Sequence[tuple[str, str]] = ()
    ) -> Iterator[Loop]:
        """``scf.for``; ``carried`` are (initial value, type). The body sets `Loop.yields`."""
        low, high = (self.integer(b) if isinstance(b, int) else b for b in (low, high))
        loop = Loop(self.fresh(), [self.fresh() for _ in carried])
        head = f"scf.for {loop.variable} = {low} to {high} step {self.integer(step)}"
        kinds = ", ".join(kind for _, kind in carried)
        if carried:
            name = self.fresh()
            loop.results = [name] if len(carried) == 1 else [f"{name}#{i}" for i in range(len(carried))]
            pairs = ", ".join(f"{a} = {init}" for a, (init, _) in zip(loop.arguments, carried, strict=True))
            count = f":{len(carried)}" if len(carried) > 1 else ""
            head = f"{name}{count} = {head} iter_args({pairs}) -> ({kinds})"
        self.line(f"{head} {{")
        with self.scope():
            yield loop
        if carried:
            self.line(f"scf.yield {', '.join(loop.yields)} : {kinds}")
        self.line("}")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """``scf.if`` without results."""
        self.line(f"scf.if {condition} {{")
        with self.scope():
            yield
        self.line("}")

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """The else branch of the `when` that was just closed."""
        assert self._lines[-1] == "}"
        self._lines[-1] = "} else {"
        with self.scope():
            yield
        self.line("}")
