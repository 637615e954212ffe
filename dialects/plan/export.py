"""From the `plan` dialect to `accelc.core.plan.Plan`, which the artifact stores and the runtime reads."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import InvalidIRError
from accelc.core.plan import Buffer, BufferKind, Copy, Launch, Plan, Step, TensorSpec
from accelc.dialects.plan.check import check, kernel_modules, main_of
from accelc.mlir import ir


def provenance(location: Any) -> tuple[str, ...]:
    """The model nodes that a location names: every name in a NameLoc or a FusedLoc, once each, in order."""
    names: dict[str, None] = {}
    _collect_names(location, names)
    return tuple(names)


def _collect_names(location: Any, names: dict[str, None]) -> None:
    if isinstance(location, ir.FusedLoc):
        for part in location.locations:
            _collect_names(part, names)
    elif isinstance(location, ir.NameLoc):
        names[location.name_str] = None


def export(module: Any) -> Plan:
    """The plan of a module at the `kernels` stage or below. Needs the offsets that ``plan-memory`` sets.

    Raises InvalidIRError where a launch does not fit its kernel or an allocation has no offset.
    """
    check(module)
    main = main_of(module)
    devices = {
        name: kernel.attributes["accelc.device"].value if "accelc.device" in kernel.attributes else "target"
        for name, kernel in kernel_modules(module).items()
    }
    if "plan.arena_bytes" not in main.attributes:
        raise InvalidIRError("@main has no plan.arena_bytes; run plan-memory first")
    reader = _Reader(devices)
    inputs, outputs = reader.arguments(main)
    for op in main.regions[0].blocks[0].operations:
        reader.step(op)
    return Plan(inputs, outputs, tuple(reader.buffers), tuple(reader.steps), main.attributes["plan.arena_bytes"].value)


class _Reader:
    def __init__(self, devices: dict[str, str]) -> None:
        self.devices = devices
        self.buffers: list[Buffer] = []
        self.steps: list[Step] = []
        self.index: dict[Any, int] = {}

    def arguments(self, main: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        arguments = list(main.arguments)
        first_output = len(arguments) - main.attributes["plan.num_outputs"].value
        specs: dict[BufferKind, list[TensorSpec]] = {"input": [], "output": []}
        for i, (argument, attrs) in enumerate(zip(arguments, main.arg_attrs, strict=True)):
            kind: BufferKind = "input" if i < first_output else "output"
            name = attrs["nn.name"].value if "nn.name" in attrs else f"{kind}{len(specs[kind])}"
            memref = argument.type
            spec = TensorSpec(name, str(memref.element_type), tuple(memref.shape))
            self.add(argument, kind, index=len(specs[kind]))
            specs[kind].append(spec)
        return tuple(specs["input"]), tuple(specs["output"])

    def add(self, value: Any, kind: BufferKind, *, offset: int = 0, ref: str = "", index: int = 0) -> None:
        memref = value.type
        self.index[value] = len(self.buffers)
        self.buffers.append(Buffer(kind, str(memref.element_type), tuple(memref.shape), offset, ref, index))

    def step(self, op: Any) -> None:
        match op.operation.name:
            case "plan.constant":
                self.add(op.results[0], "constant", ref=op.ref.value)
            case "plan.alloc":
                if "offset" not in op.operation.attributes:
                    raise InvalidIRError(f"plan.alloc at {op.location} has no offset; run plan-memory first")
                self.add(op.results[0], "arena", offset=op.operation.attributes["offset"].value)
            case "plan.view":
                source = self.buffers[self.index[op.operands[0]]]
                self.add(op.results[0], source.kind, offset=source.offset, ref=source.ref, index=source.index)
            case "plan.copy":
                self.steps.append(Copy(*(self.index[v] for v in op.operands)))
            case "plan.launch":
                symbol = op.kernel.value[0]
                ins, outs = ([self.index[v] for v in group] for group in (op.ins, op.outs))
                launch = Launch(symbol, tuple(ins), tuple(outs), self.devices[symbol], provenance(op.location))
                self.steps.append(launch)
            case "func.return":
                pass
            case name:
                raise InvalidIRError(f"'{name}' at {op.location} is no part of a plan")
