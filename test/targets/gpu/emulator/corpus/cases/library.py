"""What programs take from the language and its library: the heap, standard types, atomics on vectors, hints."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


@case("library.cu")
def heap_lists(bench: Bench) -> None:
    length, out = RNG(1).integers(0, 20, 64).astype(np.int32), np.zeros(64, np.int64)
    bench.launch("heap_lists", 1, 64, length, out)
    same(out, [sum((j + 1) * (3 * j + i) for j in range(n)) for i, n in enumerate(length.tolist())])


@case("library.cu")
def block_votes(bench: Bench) -> None:
    x = RNG(2).integers(0, 77, 96).astype(np.int32)
    for last in (5, 77, -1):
        x[95] = last
        out = np.zeros((96, 3), np.int32)
        bench.launch("block_votes", 1, 96, x, out)
        same(out, np.tile([(x > 50).sum(), (x >= 0).all(), (x == 77).any()], (96, 1)))


@case("library.cu")
def vector_atomics(bench: Bench) -> None:
    h, b = np.zeros(2, np.float16), np.zeros(2, np.uint16)
    two, four, narrow, d = np.zeros(2, np.float32), np.zeros(4, np.float32), np.zeros(2, np.uint16), np.zeros(4)
    bench.launch("vector_atomics", 1, 64, h, b, two, four, narrow, d)
    same(h, [64, 32])
    same(b.view(ml_dtypes.bfloat16).astype(np.float32), [64, -64])
    same(two, [64, 64 * 63 / 2])
    same(four, [64, 128, 192, 64 * 63 / 2])
    same(narrow, [192, 0])
    assert d.view(np.int64)[0] == 5 - 63 and d.view(np.float32)[2] == 2.5
    same(d.view(np.uint32)[4::2], [64 % 10, (7 - 64 % 7) % 7])


@case("library.cu")
def dependent(bench: Bench) -> None:
    out = np.zeros(32, np.int32)
    bench.launch("dependent", 1, 32, out)
    same(out, 2 * np.arange(32))


@case("library.cu")
def address_spaces(bench: Bench) -> None:
    x, out, hinted = RNG(3).integers(0, 100, 32).astype(np.int32), np.zeros((32, 2), np.uint32), np.zeros(32, np.int32)
    bench.launch("address_spaces", 1, 32, x, out, hinted)
    i = np.arange(32)
    same(out[:, 0] & 7, np.choose(i % 3, [1, 2, 4]))
    same(out[:, 1], np.where(i % 3 == 2, x[i % 4], x))
    same(hinted, 3 * x + 4 + i % 4)


@case("library.cu")
def standard_types(bench: Bench) -> None:
    n = 100
    x, out = RNG(4).standard_normal(n).astype(np.float32), np.zeros((n, 5), np.float32)
    bench.launch("standard_types", 1, 128, x, out, n)
    z = (x.astype(np.float64) + 1j) ** 2 / (2 - 1j)
    close(out[:, 0], z.real, 1e-4, 1e-5)
    close(out[:, 1], z.imag, 1e-4, 1e-5)
    near = np.stack([np.roll(x, -j) for j in range(8)])
    least = np.where(near > 0, near, np.inf).min(0)
    same(out[:, 2], np.where(np.isinf(least), -1, least))
    close(out[:, 3], np.where(x < 0, np.arange(n), x) + 1.0, 1e-6)
    same(out[:, 4], [i.bit_count() + 32 - i.bit_length() for i in range(n)])


@case("library.cu")
def stack_memory(bench: Bench) -> None:
    n = 40
    x, out = RNG(5).integers(0, 256, n + 8).astype(np.uint8), np.zeros(32, np.uint32)
    bench.launch("stack_memory", 1, 32, x, out, n)

    def one(t: int) -> int:
        value = 0
        for byte in [7, 7, 7, *x[t % 8 + 3 : n].tolist()]:
            value = (value * 31 + byte) % (1 << 32)
        return value

    same(out, [one(t) for t in range(32)])


@case("library.cu")
def half_functions(bench: Bench) -> None:
    n = 200
    x = RNG(6).uniform(-4, 4, (n, 2)).astype(np.float16)
    out = np.zeros((n, 8, 2), np.float16)
    bench.launch("half_functions", 2, 128, x, out, n)
    v = x.astype(np.float64)
    functions = [
        np.exp,
        lambda u: np.log(np.abs(u)),
        np.sin,
        lambda u: np.sqrt(np.abs(u)),
        np.reciprocal,
        np.exp2,
        np.tanh,
        np.rint,
    ]
    for i, function in enumerate(functions):
        close(out[:, i], function(v), 2e-3, 1e-3)
