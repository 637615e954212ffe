"""From a Python function to a module of `nn` and a store."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from accelc.core.context import make_context
from accelc.core.diagnostics import UsageError
from accelc.core.store import Store
from accelc.dialects import nn
from accelc.frontend.builder import operators
from accelc.frontend.builder.dtypes import Dim, Spec
from accelc.frontend.builder.tensor import Tensor, Trace, as_value, tracing
from accelc.mlir import dialect, ir

# Importing it gives `Tensor` its operators.
assert operators

func: Any = dialect("func")


@dataclass(frozen=True)
class Port:
    """An input or output: name, type, and one symbol or number a dimension ("?" where nothing is known)."""

    name: str
    type: nn.TensorType
    dims: tuple[str, ...]


class Model:
    """A function with specifications of its inputs, traced once, when the model is made.

    inputs, outputs: tuples of `Port`.
    """

    def __init__(self, function: Callable[..., Any], specs: Sequence[Spec]) -> None:
        self._function = function
        self._specs = _named(function, specs)
        self.name = getattr(function, "__name__", "model")
        self.inputs = tuple(_input_port(s) for s in self._specs)
        # Traced at once, so that an error in the user's function shows where the model is made; and only once, so
        # that a function that draws random weights gives one model.
        with make_context():
            module, self._store, self.outputs = self._trace()
            self._text: str = module.operation.get_asm(enable_debug_info=True)

    def build(self) -> tuple[Any, Store]:
        """The model as a module in the current MLIR context (a new one where there is none).

        Returns:
            a verified module with ``@main``, and the constants that it names.
        """
        with nullcontext() if ir.Context.current is not None else make_context():
            return ir.Module.parse(self._text), self._store

    def _trace(self) -> tuple[Any, Store, tuple[Port, ...]]:
        store = Store()
        with ir.Location.name(self.name):
            module = ir.Module.create()
            types = [s.type.to_mlir() for s in self._specs]
            with ir.InsertionPoint(module.body):
                main = func.FuncOp("main", ir.FunctionType.get(types, []))
            block = main.add_entry_block()
            trace = Trace(ir.InsertionPoint(block), store)
            with tracing(trace):
                given = self._function(*[Tensor(a) for a in block.arguments])
                with trace.op():
                    results = [(name, as_value(v)) for name, v in _outputs(given)]
            with ir.InsertionPoint(block):
                func.ReturnOp([v for _, v in results])
        outputs = tuple(_output_port(name, v) for name, v in results)
        with module.context, ir.Location.name(self.name):
            main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, [v.type for _, v in results]))
            main.attributes["arg_attrs"] = ir.ArrayAttr.get([_port_attrs(p) for p in self.inputs])
            main.attributes["res_attrs"] = ir.ArrayAttr.get([_port_attrs(p) for p in outputs])
        module.operation.verify()
        return module, store, outputs


def trace(function: Callable[..., Any], *specs: Spec) -> Model:
    """The model that ``function`` computes on inputs as ``specs`` say, one a parameter of the function.

    It returns a tensor, a tuple or list of them (``output0``, ...), or a dict by output name.
    """
    return Model(function, specs)


def model(function: Callable[..., Any]) -> Model:
    """Decorator: the model of a function whose parameters are annotated, such as ``x: ab.f32["batch", 64]``."""
    specs = []
    for p in inspect.signature(function, eval_str=True).parameters.values():
        if not isinstance(p.annotation, Spec):
            raise UsageError(
                f"parameter '{p.name}' of {function.__name__} has no specification",
                notes=('annotate it, such as x: ab.f32["batch", 64]',),
            )
        specs.append(p.annotation)
    return Model(function, specs)


def _named(function: Callable[..., Any], specs: Sequence[Spec]) -> list[Spec]:
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    required = sum(p.default is p.empty for p in positional)
    if len(specs) < required or (len(specs) > len(positional) and not variadic):
        raise UsageError(f"the function takes {len(positional)} inputs, but {len(specs)} are specified")
    names = [p.name for p in positional] + [f"input{i}" for i in range(len(positional), len(specs))]
    result = [Spec(s.dims, s.dtype, s.name or n) for s, n in zip(specs, names, strict=False)]
    if len({s.name for s in result}) != len(result):
        raise UsageError(f"two inputs have one name: {', '.join(str(s.name) for s in result)}")
    return result


def _outputs(given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        return [(str(name), v) for name, v in given.items()]
    values = list(given) if isinstance(given, tuple | list) else [given]
    if not values or any(v is None for v in values):
        raise UsageError("the function returns no tensor")
    return [(f"output{i}", v) for i, v in enumerate(values)]


def _input_port(spec: Spec) -> Port:
    assert spec.name is not None
    return Port(spec.name, spec.type, tuple(d.name if isinstance(d, Dim) else str(d) for d in spec.dims))


def _output_port(name: str, value: Any) -> Port:
    t = nn.tensor_type(value)
    return Port(name, t, tuple("?" if s is None else str(s) for s in t.shape))


def _port_attrs(port: Port) -> Any:
    dims = ir.ArrayAttr.get([ir.StringAttr.get(d) for d in port.dims])
    return ir.DictAttr.get({"nn.name": ir.StringAttr.get(port.name), "nn.dims": dims})
