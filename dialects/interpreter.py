"""A reference interpreter: executes a module of any stage (`nn`, `kernels`, `tiled`) on numpy arrays.

A function is turned once into Python closures over a list of registers, an op a closure; then it runs. An op's closure
comes from its *evaluator*, registered under the op's name: ``make(op, code) -> call(*operand_values)``. What ``call``
gives is the op's result, a tuple where it has several, None where it has none.

Values: a tensor or vector is an array that nobody writes; a memref is an array (a view) that is written in place; a
scalar is a numpy scalar of its type (``index`` is int64, ``i1`` is bool, signless integers are signed numpy ones).
Memory that nobody has written holds NaN, or -1 for integers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import Error, InvalidIRError, UnsupportedError, UsageError
from accelc.core.store import Store
from accelc.dialects.nn.types import DTYPES
from accelc.mlir import ir

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]
Maker = Callable[[Any, "Code"], Call]

_EVALUATORS: dict[str, Maker] = {}
_MODULES = ("nn", "plan", "func", "arith", "math", "linalg", "tensor", "scf", "affine", "memref", "vector")

# Below nn integers have no sign: their bits are held in signed numpy integers.
_SIGNLESS = {f"i{b}": DTYPES[f"si{b}"] for b in (4, 8, 16, 32, 64)}
_ELEMENTS: dict[str, np.dtype[Any]] = {**DTYPES, **_SIGNLESS, "index": np.dtype(np.int64)}


def evaluator(*names: str) -> Callable[[Maker], Maker]:
    """Registers ``make(op, code) -> call(*operands)`` for the ops called ``names``; ``"nn."`` is all of a dialect."""

    def register(make: Maker) -> Maker:
        for name in names:
            _EVALUATORS[name] = make
        return make

    return register


def dtype_of(mlir_type: Any) -> np.dtype[Any]:
    """The numpy dtype of a scalar type, or of a shaped type's elements. Raises UnsupportedError if there is none."""
    element = mlir_type.element_type if isinstance(mlir_type, ir.ShapedType) else mlir_type
    try:
        return _ELEMENTS[str(element)]
    except KeyError:
        raise UnsupportedError(f"the interpreter has no values of type {element}") from None


def fresh(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """An array as memory is before anybody writes it: NaN, or -1 for integers, or true."""
    if dtype.kind in "iu" and dtype.isbuiltin == 1:
        return np.full(shape, np.array(-1).astype(dtype))
    if dtype.kind in "iu" or dtype == np.bool_ or dtype in (DTYPES["si4"], DTYPES["ui4"], DTYPES["f4E2M1FN"]):
        return np.full(shape, 1, dtype)
    return np.full(shape, np.nan, dtype)


def same_bits(array: Array, dtype: np.dtype[Any]) -> Array:
    """``array`` as ``dtype``: another view of it where only the sign of its integers differs."""
    return array if array.dtype == dtype else array.view(dtype)


class Body:
    """A block as closures: call it with its arguments; it gives what its terminator is given."""

    def __init__(self, registers: list[Any]) -> None:
        self.registers = registers
        self.arguments: list[int] = []
        self.steps: list[tuple[Call, tuple[int, ...], tuple[int, ...], tuple[int, ...], Any]] = []
        self.yielded: tuple[int, ...] = ()
        self.terminator: Any = None

    def __call__(self, *arguments: Any) -> list[Any]:
        registers = self.registers
        for slot, value in zip(self.arguments, arguments, strict=True):
            registers[slot] = value
        for call, inputs, outputs, dead, op in self.steps:
            try:
                value = call(*[registers[i] for i in inputs])
            except (IndexError, ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
                raise InvalidIRError(f"'{op.name}' at {op.location} cannot be executed: {error}") from error
            except Error as error:
                if error.node is None and isinstance(op.location, ir.NameLoc):
                    raise type(error)(error.message, node=op.location.name_str, notes=error.notes) from None
                raise
            if len(outputs) == 1:
                registers[outputs[0]] = value
            elif outputs:
                for slot, each in zip(outputs, value, strict=True):
                    registers[slot] = each
            for slot in dead:
                registers[slot] = None
        return [registers[i] for i in self.yielded]


class Code:
    """The closures of one function and of everything nested in it; they share one list of registers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.registers: list[Any] = []
        self._slots: dict[Any, int] = {}

    def slot(self, value: Any) -> int:
        """The register of an SSA value."""
        slot = self._slots.get(value)
        if slot is None:
            slot = self._slots[value] = len(self.registers)
            self.registers.append(None)
        return slot

    def body(self, block: Any, skip: Container[Any] = (), yielded: Sequence[Any] | None = None) -> Body:
        """Compiles a block, without the ops in ``skip``; gives the values ``yielded``, else the terminator's.

        Raises UnsupportedError naming an op that has no evaluator.
        """
        body = Body(self.registers)
        body.arguments = [self.slot(a) for a in block.arguments]
        operations = [o.operation for o in block.operations]
        last = operations.pop() if operations and _is_terminator(operations[-1]) else None
        for op in operations:
            if op in skip:
                continue
            inputs = tuple([self.slot(v) for v in op.operands])
            outputs = tuple([self.slot(v) for v in op.results])
            body.steps.append((self._call(op), inputs, outputs, (), op))
        if last is not None:
            body.yielded = tuple([self.slot(v) for v in (last.operands if yielded is None else yielded)])
            body.terminator = last
        self._free(body)
        return body

    def region(self, op: Any, index: int = 0) -> Body:
        """Compiles the one block of an op's region."""
        blocks = list(op.regions[index].blocks)
        if len(blocks) != 1:
            raise UnsupportedError(f"'{op.name}' at {op.location} has a region of {len(blocks)} blocks")
        return self.body(blocks[0])

    def _call(self, op: Any) -> Call:
        make = _EVALUATORS.get(op.name) or _EVALUATORS.get(op.name.partition(".")[0] + ".")
        if make is None:
            raise UnsupportedError(f"the interpreter cannot execute '{op.name}' at {op.location}")
        return make(op, self)

    def _free(self, body: Body) -> None:
        """Marks after which step a value of this block is no longer needed, so that its memory can go."""
        defined = {slot for step in body.steps for slot in step[2]}
        last: dict[int, int] = {}
        for i, (_, inputs, outputs, _, op) in enumerate(body.steps):
            for slot in (*inputs, *outputs, *self._nested(op)):
                last[slot] = i
        kept = {*body.yielded, *(self._nested(body.terminator) if body.terminator is not None else ())}
        dead: dict[int, list[int]] = {}
        for slot, i in last.items():
            if slot in defined and slot not in kept:
                dead.setdefault(i, []).append(slot)
        for i, slots in dead.items():
            body.steps[i] = (*body.steps[i][:3], tuple(slots), body.steps[i][4])

    def _nested(self, op: Any) -> Iterable[int]:
        for region in op.regions:
            for block in region.blocks:
                for inner in block.operations:
                    yield from (self.slot(v) for v in inner.operation.operands)
                    yield from self._nested(inner.operation)


def _is_terminator(op: Any) -> bool:
    return op.name in ("func.return", "scf.condition", "scf.forall.in_parallel") or op.name.endswith(".yield")


class Session:
    """A module being executed: its functions by symbol, compiled when first called, and the constants they name."""

    def __init__(self, module: Any, store: Store | None = None) -> None:
        for name in _MODULES:
            importlib.import_module(f"accelc.dialects.evaluators.{name}")
        # An operation does not keep the module that owns it alive.
        self._owner = module
        self.module = module.operation
        self.store = store if store is not None else Store()
        self._bodies: dict[tuple[str, ...], Body] = {}

    def find(self, path: tuple[str, ...]) -> Any:
        """The function at a symbol path such as ``("k3", "entry")``. Raises InvalidIRError if there is none."""
        scope = self.module
        for symbol in path:
            inside = scope.regions[0].blocks[0].operations if scope.regions[0].blocks else []
            found = [
                o.operation
                for o in inside
                if "sym_name" in o.operation.attributes and o.operation.attributes["sym_name"].value == symbol
            ]
            if not found:
                raise InvalidIRError(f"the module has no symbol @{'::@'.join(path)}")
            scope = found[0]
        return scope

    def call(self, path: tuple[str, ...], arguments: Sequence[Any]) -> list[Any]:
        """Calls a function on values of its argument types; gives its results. Memrefs are written in place."""
        body = self._bodies.get(path)
        if body is None:
            body = self._bodies[path] = Code(self).region(self.find(path))
        with np.errstate(all="ignore"):
            return body(*arguments)


def entry_function(module: Any) -> tuple[str, ...]:
    """The symbol path of what a module runs: ``@main``, else its only function, also in its only nested module.

    Raises UsageError where that is not clear.
    """
    found: list[tuple[str, ...]] = []
    _functions(module.operation, (), found)
    if ("main",) in found:
        return ("main",)
    if len(found) != 1:
        raise UsageError(f"cannot tell which function to run: there is no @main among {len(found)} functions")
    return found[0]


def _functions(scope: Any, path: tuple[str, ...], found: list[tuple[str, ...]]) -> None:
    for block in scope.regions[0].blocks:
        for o in block.operations:
            op = o.operation
            if "sym_name" not in op.attributes:
                continue
            inner = (*path, op.attributes["sym_name"].value)
            if op.name == "func.func" and len(op.regions[0].blocks):
                found.append(inner)
            elif op.name == "builtin.module":
                _functions(op, inner, found)


def run(module: Any, inputs: Mapping[str, Array], store: Store | None = None) -> dict[str, Array]:
    """Executes a module on named inputs; gives its outputs by name.

    Names are the ``nn.name`` attributes of arguments and results, else ``input<i>`` and ``output<i>``. Where outputs
    are arguments (``plan.num_outputs`` of a main, ``accelc.num_outputs`` of a kernel), they are made here.
    Raises UsageError for inputs that do not fit, UnsupportedError for an op without an evaluator.
    """
    session = Session(module, store)
    path = entry_function(module)
    function = session.find(path)
    kind = function.attributes["function_type"].value
    num_outputs = _num_outputs(function)
    types = list(kind.inputs)
    first_output = len(types) - num_outputs
    names = _names(function, "arg_attrs", "input", first_output)
    extra = sorted(set(inputs) - set(names))
    missing = [n for n in names if n not in inputs]
    if extra or missing:
        problem = f"there is no input '{extra[0]}'" if extra else f"the input '{missing[0]}' is missing"
        raise UsageError(problem, notes=(f"inputs: {', '.join(names)}",))
    arguments = [_argument(n, np.asarray(inputs[n]), t) for n, t in zip(names, types, strict=False)]
    outputs = [fresh(list(t.shape), dtype_of(t)) for t in types[first_output:]]
    # An argument may be written: a caller's array must not be.
    results = session.call(
        path, [*[a.copy() if _is_memref(t) else a for a, t in zip(arguments, types, strict=False)], *outputs]
    )
    if not num_outputs:
        return dict(zip(_names(function, "res_attrs", "output", len(results)), results, strict=True))
    for out, result in zip(outputs, results, strict=False):
        if out is not result:
            out[...] = result
    shown = _names(function, "arg_attrs", "output", len(types))[first_output:]
    return {
        (f"output{i}" if n == f"output{first_output + i}" else n): o
        for i, (n, o) in enumerate(zip(shown, outputs, strict=True))
    }


def _is_memref(mlir_type: Any) -> bool:
    return isinstance(mlir_type, ir.MemRefType)


def _num_outputs(function: Any) -> int:
    for name in ("plan.num_outputs", "accelc.num_outputs"):
        if name in function.attributes:
            return int(function.attributes[name].value)
    return 0


def _names(function: Any, attribute: str, kind: str, count: int) -> list[str]:
    attrs = list(function.attributes[attribute]) if attribute in function.attributes else []
    given = [a["nn.name"].value if "nn.name" in a else None for a in attrs] or [None] * count
    return [name or f"{kind}{i}" for i, name in enumerate(given[:count])]


def _argument(name: str, array: Array, mlir_type: Any) -> Array:
    if not isinstance(mlir_type, ir.ShapedType):
        raise UsageError(f"input '{name}' is a {mlir_type}, not a tensor")
    dynamic = ir.ShapedType.get_dynamic_size()
    shape = list(mlir_type.shape)
    if len(shape) != array.ndim or any(s not in (dynamic, n) for s, n in zip(shape, array.shape, strict=True)):
        raise UsageError(f"input '{name}' has shape {list(array.shape)}, but the model takes {mlir_type}")
    wanted = dtype_of(mlir_type)
    if array.dtype != wanted and (array.dtype.kind not in "iu" or array.dtype.itemsize != wanted.itemsize):
        raise UsageError(f"input '{name}' has elements of {array.dtype}, but the model takes {mlir_type}")
    return same_bits(array, wanted)
