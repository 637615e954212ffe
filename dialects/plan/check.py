"""Whole-module check of a plan: every launch names a kernel that takes just those buffers."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import InvalidIRError
from accelc.mlir import ir


def main_of(module: Any) -> Any:
    """The ``func.func @main`` of a module's operation. Raises InvalidIRError if there is none."""
    for op in module.regions[0].blocks[0].operations:
        if op.operation.name == "func.func" and op.attributes["sym_name"].value == "main":
            return op
    raise InvalidIRError("the module has no function @main")


def kernel_modules(module: Any) -> dict[str, Any]:
    """The nested kernel modules by symbol name, in order."""
    found = {}
    for op in module.regions[0].blocks[0].operations:
        if op.operation.name == "builtin.module" and "sym_name" in op.operation.attributes:
            found[op.operation.attributes["sym_name"].value] = op.operation
    return found


def entry_of(kernel: Any) -> Any:
    """The ``func.func @entry`` of a kernel module. Raises InvalidIRError if there is none."""
    for op in kernel.regions[0].blocks[0].operations:
        if op.operation.name == "func.func" and op.attributes["sym_name"].value == "entry":
            return op
    name = kernel.attributes["sym_name"].value if "sym_name" in kernel.attributes else "?"
    raise InvalidIRError(f"kernel module @{name} has no function @entry")


def check(module: Any) -> None:
    """Checks every ``plan.launch`` of ``module`` against the kernel it names. Raises InvalidIRError."""
    kernels = kernel_modules(module)
    signatures: dict[str, list[tuple[tuple[int, ...], str]]] = {}
    for op in main_of(module).regions[0].blocks[0].operations:
        if op.operation.name != "plan.launch":
            continue
        symbol, function = op.kernel.value
        if symbol not in kernels or function != "entry":
            raise InvalidIRError(f"plan.launch at {op.location}: there is no kernel @{symbol}::@{function}")
        if symbol not in signatures:
            signatures[symbol] = _signature(kernels[symbol])
        given = [_layout(v.type) for v in op.operation.operands]
        if given != signatures[symbol]:
            raise InvalidIRError(
                f"plan.launch at {op.location}: kernel @{symbol} takes {_show(signatures[symbol])}, "
                f"the launch passes {_show(given)}"
            )


def _signature(kernel: Any) -> list[tuple[tuple[int, ...], str]]:
    return [_layout(t) for t in entry_of(kernel).type.inputs]


def _layout(shaped: Any) -> tuple[tuple[int, ...], str]:
    """Shape and element type, the latter without its sign: kernels are signless, plans are not."""
    if not isinstance(shaped, ir.ShapedType):  # an argument that only kernels at a later stage have
        return (), str(shaped)
    element = shaped.element_type
    text = f"i{element.width}" if isinstance(element, ir.IntegerType) else str(element)
    return tuple(shaped.shape), text


def _show(layouts: list[tuple[tuple[int, ...], str]]) -> str:
    return "(" + ", ".join("x".join([*map(str, shape), element]) for shape, element in layouts) + ")"
