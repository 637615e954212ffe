"""What the simulator's tests share: a machine with every format, and programs around one instruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np

from accelc.targets.sim_accel.config import SimConfig
from accelc.targets.sim_accel.isa import Tile
from accelc.targets.sim_accel.program import Program
from accelc.targets.sim_accel.simulator import SimReport, Simulator

NUMPY: dict[str, Any] = {
    "f32": np.float32,
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "i8": np.int8,
    "u8": np.uint8,
    "i32": np.int32,
    "i64": np.int64,
    "bool": np.bool_,
}
_ROWS = {t: Fraction(1) for t in ("bf16", "f16", "e4m3", "e5m2", "i8", "u8")} | {"f32": Fraction(4)}
MACHINE = SimConfig(
    row_cycles=_ROWS,
    sp_bytes=1 << 22,
    dma_queues=4,
    pj_mac=dict.fromkeys(_ROWS, 0.5),
    pj_sp_byte=1.0,
    pj_dram_byte=30.0,
    pj_vec_op=1.5,
    pj_instr=4.0,
    pj_static_cycle=10.0,
)
SMALL = replace(MACHINE, array=4)


def dtype_name(array: np.ndarray) -> str:
    """The instruction set's name of an array's type."""
    return next(name for name, t in NUMPY.items() if array.dtype == t)


def bytes_of(array: np.ndarray) -> np.ndarray:
    """The array's bytes, as a flat buffer."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def run_on_scratchpad(
    body: Callable[[Program, list[int], int], None],
    inputs: Sequence[np.ndarray],
    output: np.ndarray,
    config: SimConfig = MACHINE,
    *,
    variant: str = "",
    regs: dict[int, int] | None = None,
) -> tuple[np.ndarray, SimReport]:
    """Runs body(program, addresses of the inputs, address of the output) on arrays in the scratchpad.

    `output` is its initial contents; what it then holds is returned, with the report.
    """
    program = Program(arguments=8)
    addresses, at = [], 0
    dram: list[tuple[int, np.ndarray, bool]] = []
    output = np.array(output)
    for n, array in enumerate([*inputs, output]):
        raw = bytes_of(array)
        last = n == len(inputs)
        if last:
            raw = output.reshape(-1).view(np.uint8)
        addresses.append(at)
        dram.append((n << 32, raw, last))
        if raw.size:
            program.set(program_reg := program.reg(), n << 32)
            program.dma_load("dma0", Tile("u8", at, (1,)), Tile("u8", program_reg, (1,)), (raw.size,))
            program.free(program_reg)
        at += -(-raw.size // 64) * 64
    program.fence()
    body(program, addresses[:-1], addresses[-1])
    program.fence()
    program.set(where := program.reg(), len(inputs) << 32)
    program.dma_store("dma0", Tile("u8", where, (1,)), Tile("u8", addresses[-1], (1,)), (output.nbytes,))
    program.halt()
    report = Simulator(config, variant).run(program.encode(), dram, regs)
    assert not report.hazards, report.hazards[0]
    return output, report


def elementwise(
    mnemonic: str,
    ctype: str,
    out: str,
    *operands: Any,
    sat: bool = False,
    variant: str = "",
    initial: np.ndarray | None = None,
) -> np.ndarray:
    """One vector instruction on 1-d arrays (numbers become immediates); the result in type `out`."""
    arrays = [o for o in operands if isinstance(o, np.ndarray)]
    n = len(arrays[0])

    def body(p: Program, sources: list[int], to: int) -> None:
        at = iter(sources)
        args = [Tile(dtype_name(o), next(at), (1,)) if isinstance(o, np.ndarray) else o for o in operands]
        getattr(p, mnemonic)(ctype, Tile(out, to, (1,)), *args, (n,), sat=sat)

    return run_on_scratchpad(body, arrays, np.zeros(n, NUMPY[out]), variant=variant)[0]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal bit for bit, but for which NaN a NaN is."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    equal = a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}")
    nan = (a != a) & (b != b)
    return bool((equal | nan).all())
