"""From the `sim_accel` dialect to an encoded program."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import InternalError
from accelc.core.target import CompileOptions, KernelCode
from accelc.passes.graph import kernel_entry, kernels_of
from accelc.targets.sim_accel import encoding, isa
from accelc.targets.sim_accel.dialect.instructions import BY_NAME, decode_attributes
from accelc.targets.sim_accel.isa import Instruction, Reg
from accelc.targets.sim_accel.registers import allocate


def kernel_of(module: Any) -> Any:
    """The one kernel module in ``module``. Raises InternalError where there is none, or more than one."""
    kernels = [kernel for _, kernel in kernels_of(module)]
    if len(kernels) != 1:
        raise InternalError(f"a module with {len(kernels)} kernels where one is emitted")
    return kernels[0]


class _Emitter:
    def __init__(self, registers: dict[Any, int]) -> None:
        self.registers = registers
        self.out: list[Instruction] = []

    def block(self, block: Any) -> None:
        for op in block.operations:
            operation = op.operation
            spec = BY_NAME.get(operation.name)
            if spec is None:
                if operation.name != "func.return":
                    raise InternalError(f"'{operation.name}' is no instruction of sim_accel")
                continue
            if spec.mnemonic == "endloop":
                continue
            operands = operation.operands
            args = decode_attributes(operation, spec, lambda n, o, v=operands: Reg(self.registers[v[n]], o))
            if operation.results:
                args["rd"] = self.registers[operation.results[0]]
            if spec.mnemonic == "loop":
                self._loop(operation, spec, args)
            else:
                self.out.append(Instruction(spec, args))

    def _loop(self, operation: Any, spec: isa.Spec, args: dict[str, Any]) -> None:
        body = operation.regions[0].blocks[0]
        start = len(self.out)
        args["rd"] = self.registers[body.arguments[0]]
        self.out.append(Instruction(spec, args))
        self.block(body)
        self.out.append(Instruction(isa.BY_MNEMONIC["endloop"]))
        args["end"] = len(self.out) - 1 - start


def instructions(module: Any) -> list[Instruction]:
    """The program of a module that holds one kernel at the `target` stage."""
    function = kernel_entry(kernel_of(module)).operation
    emitter = _Emitter(allocate(function))
    emitter.block(function.regions[0].blocks[0])
    return emitter.out


def emit(module: Any, machine: Any, options: CompileOptions) -> KernelCode:
    """Encodes a kernel; ``meta`` has ``workspace_bytes`` and what the lowering noted (macs, format).

    Raises UnsupportedError where registers do not suffice.
    """
    attributes = kernel_of(module).attributes
    meta = {
        name: attributes[f"sim_accel.{name}"].value
        for name in ("workspace_bytes", "macs", "format")
        if f"sim_accel.{name}" in attributes
    }
    program = instructions(module)
    return KernelCode("entry", encoding.encode(program), {"device": "target", "instructions": len(program), **meta})


def disassemble(code: KernelCode) -> str:
    """The program's assembly."""
    from accelc.targets.sim_accel.assembler import disassemble as text

    return text(code.data)
