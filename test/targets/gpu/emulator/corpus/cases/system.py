"""What a module holds beside code: variables, structs by value, printf, assert, local and dynamic shared memory."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from corpus.harness import Bench, FoundError, case, close, same

RNG = np.random.default_rng


@case("system.cu")
@case("system.cu", flags=["-G"], suffix="_debug")
def variables(bench: Bench) -> None:
    out, fout = np.zeros(96, np.int32), np.zeros(32, np.float32)
    bench.launch("variables", 1, 32, out, fout)
    i = np.arange(32)
    primes, grid = np.array([2, 3, 5, 7, 11, 13, 17, 19]), np.array([[1, 2, 3], [4, 5, 6]])
    same(out[:32], primes[i % 8] - 3 + grid[i % 2, i % 3] + 5000)
    same(fout, np.array([1.5, -2.0, 3.25, 0.0])[i % 4] + 0.125)
    same(out[32:64], 10 * (i % 3 + 1))
    names = ["none", "one", "many"]
    same(out[64:], [len(names[v % 3]) * 256 + ord(names[v % 3][0]) for v in i])
    assert np.frombuffer(bench.emulator.symbol("counter").read(4), np.int32)[0] == 100 + i.sum()
    bench.emulator.symbol("primes").write(np.arange(8, dtype=np.int32).tobytes())
    bench.launch("variables", 1, 32, out, fout)
    same(out[:32], i % 8 - 3 + grid[i % 2, i % 3] + 5000)


def params(table: int) -> bytes:
    """A `Params` as C++ lays it out: count, scale[3], two of {short, 6 bytes, double}, a pointer, a char."""
    inner = struct.pack("<h6xdh6xd", -3, 0.5, 7, 2.0)
    return struct.pack("<i3f", 40, 1.0, 2.0, 4.0) + inner + struct.pack("<Qb7x", table, ord("A"))


@case("system.cu")
@case("system.cu", flags=["-G"], suffix="_debug")
def by_value(bench: Bench) -> None:
    table = RNG(1).integers(0, 100, 32).astype(np.int32)
    held, out = bench.buffer(table), np.zeros(32)
    bench.launch("by_value", 1, 32, params(held.address), out, struct.pack("<3i", 1, 2, 3), -5)
    i = np.arange(32)
    weight, tag = np.array([0.5, 2.0])[i % 2], np.array([-3, 7])[i % 2]
    same(out, 40 + np.array([1.0, 2.0, 4.0])[i % 3] * weight + tag + table + 65 + 123 - 5)


@case("system.cu")
@case("system.cu", flags=["-G"], suffix="_debug")
def struct_calls(bench: Bench) -> None:
    out = np.zeros(32, np.float32)
    bench.launch("struct_calls", 1, 32, params(0), out)

    def one(i: int) -> float:
        count, scale, tags = 40, [1.0, 2.0, 4.0], [-3, 7]
        for by in (i, i + 1):
            count += by
            tags[by % 2] = by
            scale[by % 3] *= 2
        return count + scale[0] + 10 * scale[1] + 100 * scale[2] + 1000 * tags[0] + 10000 * tags[1]

    close(out, np.array([one(i) for i in range(32)]), 1e-6)


@case("system.cu")
def say(bench: Bench) -> None:
    report = bench.launch("say", 1, 32, np.array([1.0, -22.125, 1e6] + [0.0] * 29))
    lines = report.output.splitlines()
    assert sorted(lines) == [
        "no arguments",
        "thread 0 of 32:  1.00 none a 0 1099511627776%",
        "thread 1 of 32: -22.12 one b 0xff 2199023255552%",
        "thread 2 of 32: 1000000.00 many c 0x1fe 4398046511104%",
    ]


@case("system.cu", sanitize=False)
def check(bench: Bench) -> None:
    bench.launch("check", 1, 32, np.arange(32, dtype=np.int32), 32)
    with pytest.raises(FoundError, match="too large"):
        bench.launch("check", 1, 32, np.arange(32, dtype=np.int32), 20)


@case("system.cu")
@case("system.cu", flags=["-G"], suffix="_debug")
def local_memory(bench: Bench) -> None:
    n = 50
    x, out = RNG(2).integers(0, 256, n).astype(np.uint8), np.zeros(64, np.uint32)
    bench.launch("local_memory", 1, 64, x, out, n)

    def one(t: int) -> int:
        got = [int(x[(i * 7 + t) % n]) for i in range(n)]
        counts, value = [0] * 16, 0
        for i in range(n):
            counts[got[i] & 15] += got[(i + 1) % n]
        for i in range(16):
            value = (value * 31 + counts[(i * 5 + t) & 15]) % (1 << 32)
        return value

    same(out, [one(t) for t in range(64)])


@case("system.cu")
def dynamic_shared(bench: Bench) -> None:
    n = 96
    d, s, out = RNG(3).standard_normal(n), RNG(4).integers(-100, 100, n).astype(np.int16), np.zeros(n)
    bench.launch("dynamic_shared", 1, n, d, s, out, n, shared_bytes=10 * n)
    close(out, d[::-1] * np.roll(s, -1) + 10 * n, 1e-12)


@case("system.cu")
def three_dimensions(bench: Bench) -> None:
    out = np.zeros((6, 4, 15), np.int32)
    bench.launch("three_dimensions", (3, 2, 3), (5, 2, 2), out)
    z, y, x = np.indices(out.shape)
    same(out, x + 100 * y + 10000 * z)
