"""Divergence: loops, jump tables, recursion, indirect calls, lanes that wait for each other."""

from __future__ import annotations

import numpy as np

from corpus.harness import Bench, case, close, same

RNG = np.random.default_rng


@case("control.cu")
@case("control.cu", flags=["-G"], suffix="_debug")
def collatz(bench: Bench) -> None:
    start = RNG(1).integers(1, 100_000, 300).astype(np.uint32)
    steps = np.zeros(300, np.uint32)
    bench.launch("collatz", 3, 128, start, steps, 300)

    def count(value: int) -> int:
        done = 0
        while value != 1:
            value, done = (3 * value + 1 if value & 1 else value // 2), done + 1
        return done

    same(steps, [count(int(s)) for s in start])


def nested(key: int) -> int:
    """What `nested_loops` does, in Python."""
    total = 0
    for a in range(12):
        if (a ^ key) % 5 == 3:
            continue
        leave = False
        for b in range(a, 12):
            if (key >> (b % 8)) & 1:
                if b > 9:
                    break
                continue
            c = 0
            while True:
                total += a * b + c
                c += 1
                if c > (key & 7):
                    break
                if (total & 63) == 17:
                    leave = True
                    break
            if leave:
                break
            if total > 5000:
                return total
        total ^= a
    return total


@case("control.cu")
@case("control.cu", flags=["-G"], suffix="_debug")
def nested_loops(bench: Bench) -> None:
    keys = np.arange(300, dtype=np.int32)
    out = np.zeros(300, np.int32)
    bench.launch("nested_loops", 5, 64, keys, out, 300)
    same(out, [nested(int(k)) for k in keys])


def wrap(value: int) -> int:
    """To a signed 32-bit integer."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def quotient(value: int, by: int) -> int:
    """C's division."""
    return -(-value // by) if value < 0 else value // by


def switched(ops: int, value: int) -> int:
    """What `switch_table` does, in Python."""
    for step in range(4):
        op = (ops >> (4 * step)) & 15
        if op == 0:
            value += 7
        elif op in (1, 2):
            value = wrap(value * 3 if op == 1 else value) - 11
        elif op == 3:
            value ^= value >> 3
        elif op == 4:
            value = -value
        elif op in (5, 6, 7):
            value = wrap(value << 2) if op == 5 else value
            value = value | 0x10 if op < 7 else value
            value -= 1000 * quotient(value, 1000)
        elif op == 8:
            value = quotient(value, 3)
        elif op == 9:
            j = 0
            while j < (value & 7):
                value, j = wrap(value + j * j), j + 1
        elif op == 10:
            return wrap(value)
        elif op == 11:
            value = (value & 0xFFFFFFFF).bit_count()
        elif op == 12:
            value = min(value, 100)
        else:
            value += step
        value = wrap(value)
    return value


@case("control.cu")
@case("control.cu", flags=["-G"], suffix="_debug")
def switch_table(bench: Bench) -> None:
    ops = RNG(2).integers(0, 1 << 16, 500).astype(np.uint32)
    x = RNG(3).integers(-5000, 5000, 500).astype(np.int32)
    out = np.zeros(500, np.int32)
    bench.launch("switch_table", 4, 128, ops, x, out, 500)
    same(out, [switched(int(o), int(v)) for o, v in zip(ops, x, strict=True)])


def ackermann(m: int, n: int) -> int:
    if m == 0:
        return n + 1
    return ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))


def split_sum(digits: list[int], start: int, stop: int) -> int:
    if stop - start <= 4:
        total = 0
        for digit in reversed(digits[start:stop]):
            total = 3 * total + digit
        return total
    middle = (start + stop) // 2
    return split_sum(digits, start, middle) - split_sum(digits, middle, stop)


@case("control.cu")
@case("control.cu", flags=["-G"], suffix="_debug")
def recursion(bench: Bench) -> None:
    n = RNG(4).integers(0, 5, 64).astype(np.uint32)
    digits = RNG(5).integers(0, 10, 40).astype(np.int32)
    out, sums = np.zeros(64, np.uint32), np.zeros(64, np.int32)
    bench.launch("recursion", 1, 64, n, out, digits, sums)
    same(out, [ackermann(i % 3, int(n[i])) for i in range(64)])
    same(sums, [split_sum(digits.tolist(), i % 7, i % 7 + int(n[i]) * 5) for i in range(64)])


@case("control.cu")
def function_pointers(bench: Bench) -> None:
    which = RNG(6).integers(0, 64, 200).astype(np.int32)
    x = RNG(7).integers(-8, 8, 200).astype(np.float32)
    out = np.zeros(200, np.float32)
    bench.launch("function_pointers", 2, 128, which, x, out, 200)
    functions = [lambda v: v * 2, lambda v: v - 1, lambda v: v * v, lambda v: v]

    def one(w: int, v: float) -> float:
        for step in range(3):
            v = functions[(w >> (2 * step)) & 3](v)
        return v * v

    close(out, np.array([one(int(w), float(v)) for w, v in zip(which, x, strict=True)]), 1e-6)


@case("control.cu")
@case("control.cu", flags=["-G"], suffix="_debug")
def virtual_calls(bench: Bench) -> None:
    kind = RNG(8).integers(0, 3, 100).astype(np.int32)
    size = RNG(9).integers(1, 20, 100).astype(np.float32)
    memory, out = bench.emulator.buffer(32 * 100), np.zeros(100, np.float32)
    bench.launch("make_shapes", 1, 128, kind, size, memory, 100)
    bench.launch("use_shapes", 1, 128, memory, out, 100)
    area = np.choose(kind, [size * size, 3 * size * size, size * size / 4])
    same(out, area + 1000 * np.choose(kind, [4, 0, 3]))


@case("control.cu")
def spin_lock(bench: Bench) -> None:
    lock, order, count = np.zeros(1, np.int32), np.full(128, -1, np.int32), np.zeros(1, np.int32)
    bench.launch("spin_lock", 2, 64, lock, order, count)
    assert lock[0] == 0 and count[0] == 128
    same(np.sort(order), np.arange(128))


@case("control.cu")
def lanes_ping_pong(bench: Bench) -> None:
    out, rounds = np.zeros(32, np.int32), 5
    bench.launch("lanes_ping_pong", 1, 32, out, rounds)
    values = list(range(32))
    for _ in range(rounds):
        for pair in range(16):
            sent = wrap(values[2 * pair] * 3 + 1)
            values[2 * pair + 1] = sent + 2 * pair + 1
            values[2 * pair] = values[2 * pair + 1] ^ 5
    same(out, values)


@case("control.cu")
def lanes_in_turn(bench: Bench) -> None:
    turn, out = np.zeros(1, np.uint32), np.zeros(64, np.uint32)
    bench.launch("lanes_in_turn", 1, 64, turn, out)
    expected = [1]
    for i in range(1, 64):
        expected.append((expected[-1] * 3 + i) % (1 << 32))
    same(out, expected)


@case("control.cu")
def early_exit(bench: Bench) -> None:
    x = RNG(10).integers(-100, 1000, 150).astype(np.int32)
    out = np.full(150, -9, np.int32)
    bench.launch("early_exit", 3, 64, x, out, 150)
    same(out, [-9 if v < 0 else -1 if v % 7 == 0 else sum(map(int, str(v))) for v in x.tolist()])
