"""What the host's tests share: kernels as text, and running one on numpy arrays."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.core.target import KernelCode
from accelc.targets.host.emit import compile_kernel
from accelc.targets.host.executor import HostKernelTable

Array = np.ndarray[Any, Any]


def tensor(shape: Sequence[int], dtype: str) -> str:
    """``tensor<2x3xf32>``"""
    return f"tensor<{''.join(f'{d}x' for d in shape)}{dtype}>"


def elementwise_kernel(ins: list[tuple[str, tuple[int, ...]]], out: tuple[str, tuple[int, ...]], body: str) -> str:
    """One `linalg.generic` over equal shapes; ``body`` uses %a0, %a1, ... and yields."""
    n = len(out[1])
    dims = ", ".join(f"d{i}" for i in range(n))
    types = [tensor(shape, dtype) for dtype, shape in ins]
    result = tensor(out[1], out[0])
    arguments = ", ".join(f"%x{i}: {t}" for i, t in enumerate(types))
    return f"""
    #id = affine_map<({dims}) -> ({dims})>
    module @kernel {{
    func.func @entry({arguments}, %out: {result}) -> {result} attributes {{accelc.num_outputs = 1 : i64}} {{
      %g = linalg.generic {{indexing_maps = [{", ".join(["#id"] * (len(ins) + 1))}],
          iterator_types = [{", ".join(['"parallel"'] * n)}]}}
          ins({", ".join(f"%x{i}" for i in range(len(ins)))} : {", ".join(types)}) outs(%out : {result}) {{
      ^bb0({", ".join(f"%a{i}: {dtype}" for i, (dtype, _) in enumerate(ins))}, %acc: {out[0]}):
        {body}
      }} -> {result}
      return %g : {result}
    }} }}"""


@functools.lru_cache(maxsize=64)
def compiled(text: str, machine: str = "native") -> KernelCode:
    """The kernel's code; a test module may run the same kernel on several inputs."""
    return compile_kernel(text, machine)


def run_kernel(
    text: str, inputs: Sequence[Array], outputs: Sequence[tuple[Sequence[int], np.dtype[Any]]], machine: str = "native"
) -> list[Array]:
    """Compiles and runs a kernel; outputs start as garbage."""
    code = compiled(text, machine)
    results = [np.frombuffer(b"\xa5" * (int(np.prod(s)) * d.itemsize), d).reshape(s).copy() for s, d in outputs]
    HostKernelTable({"kernel": code}).launch("kernel", [*map(np.ascontiguousarray, inputs), *results])
    return results
