"""What the kernels out of MLIR must compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from corpus.cases.hopper import rows
from corpus.cases.matrices import normal, product
from corpus.harness import Bench, close

CASES: dict[str, Callable[[Bench], None]] = {}


def case(*names: str) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Registers what kernels of mlir_kernels.py must compute."""

    def register(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
        CASES.update(dict.fromkeys(names, function))
        return function

    return register


@case("matmul_sm_80", "matmul_sm_90a")
def matmul(bench: Bench) -> None:
    m, n, k = 128, 192, 96
    a, b, bias = normal(1, (m, k), np.float32), normal(2, (k, n), np.float32), normal(3, (n,), np.float32)
    out = np.zeros((m, n), np.float32)
    # Outlining gives the kernel its arguments in the order of their first use.
    bench.launch("matmul_kernel", (n // 64, m // 64), (16, 16), out, a, b, bias)
    close(out, np.maximum(product(a, b.T) + bias, 0), 1e-4, 1e-4)


@case("softmax")
def softmax(bench: Bench) -> None:
    x, out = normal(4, (64, 256), np.float32), np.zeros((64, 256), np.float32)
    bench.launch("softmax", 16, 128, x, out)
    e = np.exp(x.astype(np.float64))
    close(out, e / e.sum(1, keepdims=True), 1e-5, 1e-7)


@case("tensor_cores")
def tensor_cores(bench: Bench) -> None:
    a, b = normal(5, (64, 64), np.float16), normal(6, (64, 32), np.float16)
    c = np.zeros((64, 32), np.float32)
    bench.launch("tensor_cores", (4, 4), 32, a, b, c)
    close(c, product(a, b.T), 1e-5, 1e-4)


@case("hopper")
def hopper(bench: Bench) -> None:
    k = 5 * 64
    a, b = normal(7, (128, k), np.float16), normal(8, (k, 256), np.float16)
    c = np.zeros((128, 256), np.float32)
    maps = [rows(v, v.shape, np.float16, (64, 64)) for v in (a, b)]
    bench.launch("hopper", (2, 2), 128, *maps, c, shared_bytes=49152)
    close(c, product(a, b.T), 1e-4, 1e-3)
