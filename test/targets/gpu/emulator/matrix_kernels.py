"""What the tests of matrix instructions share: element types as codes, fragments by the manual's formulas, the rows of
the form tables, and products accumulated in the declared order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from accelc.targets.gpu.emulator.native import core

Array = np.ndarray[Any, Any]

BITS = {"f64": 64, "f32": 32, "s32": 32, "tf32": 32, "f16": 16, "bf16": 16, "e4m3": 8, "e5m2": 8, "s8": 8, "u8": 8}
BITS |= {"s4": 4, "u4": 4, "b1": 1}
_FLOATS: dict[str, Any] = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
}


def values(codes: Array, kind: str) -> Array:
    """What codes (uint64) of a type mean, float64: exact."""
    if kind == "f64":
        return codes.astype(np.uint64).view(np.float64)
    if kind in ("f32", "tf32"):
        mask = 0xFFFFE000 if kind == "tf32" else 0xFFFFFFFF
        with np.errstate(invalid="ignore"):
            return (codes & mask).astype(np.uint32).view(np.float32).astype(np.float64)
    if kind in _FLOATS:
        unsigned = np.uint16 if BITS[kind] == 16 else np.uint8
        with np.errstate(invalid="ignore"):
            return codes.astype(unsigned).view(_FLOATS[kind]).astype(np.float64)
    signed = kind.startswith("s")
    bits = BITS[kind]
    numbers = codes.astype(np.int64)
    return np.where(signed & (numbers >> (bits - 1) & 1 == 1), numbers - (1 << bits), numbers).astype(np.float64)


def random_codes(kind: str, shape: tuple[int, ...], rng: np.random.Generator, edges: bool = False) -> Array:
    """Codes (uint64): of floats near 1, or with `edges` zeros, subnormals, infinities, NaN and the largest."""
    bits = BITS[kind]
    if kind in ("f32", "f64", "tf32", *_FLOATS):
        numbers = rng.standard_normal(shape)
        if kind == "f64":
            codes = numbers.view(np.uint64).copy()
        elif kind in ("f32", "tf32"):
            codes = numbers.astype(np.float32).view(np.uint32).astype(np.uint64)
        else:
            codes = numbers.astype(_FLOATS[kind]).view(np.uint16 if bits == 16 else np.uint8).astype(np.uint64)
        if edges:
            mantissa = {"f64": 52, "f32": 23, "tf32": 23, "f16": 10, "bf16": 7, "e4m3": 3, "e5m2": 2}[kind]
            infinity = ((1 << (bits - 1)) - 1) >> mantissa << mantissa
            special = [0, 1, 1 << max(mantissa - 1, 0), infinity - 1, infinity, infinity | 1, 1 << mantissa]
            special += [s | 1 << (bits - 1) for s in special]
            weights = np.array([8, 4, 4, 1, 0.3, 0.3, 4] * 2)
            chosen = rng.choice(np.array(special, np.uint64), shape, p=weights / weights.sum())
            codes = np.where(rng.random(shape) < 0.3, chosen, codes)
        return codes
    high = (1 << bits) - 1
    codes = rng.integers(0, high, shape, np.uint64, endpoint=True)
    if edges:
        ends = rng.choice(np.array([0, high, high >> 1, 1 << (bits - 1)], np.uint64), shape)
        codes = np.where(rng.random(shape) < 0.7, ends, codes)
    return codes


# ---- fragments by the manual -----------------------------------------------------------------------------------------

Place = Callable[[int, int, int], tuple[int, int]]  # lane's group, lane in group, index of the element: row, column


def _a(shape: str, bits: int) -> tuple[int, Place]:
    """Elements a lane, and their places, of A: the sections "Matrix Fragments for mma.<shape>"."""
    table: dict[tuple[str, int], tuple[int, Place]] = {
        ("m16n8k8", 16): (4, lambda g, t, i: (g if i < 2 else g + 8, t * 2 + (i & 1))),
        ("m16n8k16", 16): (8, lambda g, t, i: (g if i in (0, 1, 4, 5) else g + 8, t * 2 + (i & 1) + 8 * (i >= 4))),
        ("m16n8k4", 32): (2, lambda g, t, i: (g if i == 0 else g + 8, t)),
        ("m16n8k8", 32): (4, lambda g, t, i: (g if i in (0, 2) else g + 8, t if i < 2 else t + 4)),
        ("m8n8k16", 8): (4, lambda g, t, i: (g, t * 4 + i)),
        ("m16n8k16", 8): (8, lambda g, t, i: (g if i < 4 else g + 8, t * 4 + (i & 3))),
        ("m16n8k32", 8): (
            16,
            lambda g, t, i: (g if i < 4 or 8 <= i < 12 else g + 8, t * 4 + (i & 3) + 16 * (i >= 8)),
        ),
        ("m8n8k32", 4): (8, lambda g, t, i: (g, t * 8 + i)),
        ("m16n8k32", 4): (16, lambda g, t, i: (g if i < 8 else g + 8, t * 8 + (i & 7))),
        ("m16n8k64", 4): (
            32,
            lambda g, t, i: (g if i < 8 or 16 <= i < 24 else g + 8, t * 8 + (i & 7) + 32 * (i >= 16)),
        ),
        ("m8n8k128", 1): (32, lambda g, t, i: (g, t * 32 + i)),
        ("m16n8k128", 1): (64, lambda g, t, i: (g if i < 32 else g + 8, t * 32 + (i & 31))),
        ("m16n8k256", 1): (
            128,
            lambda g, t, i: (g if i < 32 or 64 <= i < 96 else g + 8, t * 32 + (i & 31) + 128 * (i >= 64)),
        ),
        ("m8n8k4", 64): (1, lambda g, t, i: (g, t)),
        ("m16n8k4", 64): (2, lambda g, t, i: (g if i == 0 else g + 8, t)),
        ("m16n8k8", 64): (4, lambda g, t, i: (g if i in (0, 2) else g + 8, t if i < 2 else t + 4)),
        ("m16n8k16", 64): (8, lambda g, t, i: (g if i % 2 == 0 else g + 8, i * 2 + t if i % 2 == 0 else i * 2 - 2 + t)),
    }
    return table[shape, bits]


def _b(k: int, bits: int) -> tuple[int, Place]:
    """Of B, which has 8 columns in every shape."""
    in_register = max(32 // bits, 1)
    run = 4 * in_register  # k that one register of four lanes covers
    return k // 4, lambda g, t, i: (t * in_register + i % in_register + i // in_register * run, g)


def _c(m: int) -> tuple[int, Place]:
    return m // 4, lambda g, t, i: (g if i < 2 else g + 8, t * 2 + (i & 1))


@dataclass(frozen=True)
class Fragment:
    """Where the elements of a matrix are: rows and columns of shape (32, elements a lane)."""

    rows: Array
    columns: Array
    bits: int

    @property
    def registers(self) -> int:
        """32-bit (of f64: 64-bit) registers a lane."""
        return max(self.rows.shape[1] * self.bits // (64 if self.bits == 64 else 32), 1)

    def pack(self, matrices: Array) -> Array:
        """Registers (n, registers, 32) of matrices of codes (n, rows, columns)."""
        codes = matrices[:, self.rows, self.columns]  # (n, 32, elements)
        if self.bits == 64:
            return np.ascontiguousarray(codes.transpose(0, 2, 1)).astype(np.uint64)
        per = 32 // self.bits
        grouped = codes.reshape(codes.shape[0], 32, -1, per)
        words = np.zeros(grouped.shape[:3], np.uint64)
        for i in range(per):
            words |= (grouped[..., i] & ((1 << self.bits) - 1)) << np.uint64(i * self.bits)
        return np.ascontiguousarray(words.transpose(0, 2, 1)).astype(np.uint32)

    def unpack(self, registers: Array, rows: int, columns: int) -> Array:
        """Matrices of codes (n, rows, columns) of registers (n, registers, 32)."""
        lanes = registers.astype(np.uint64).transpose(0, 2, 1)  # (n, 32, registers)
        per = max(32 // self.bits, 1)
        mask = np.uint64((1 << self.bits) - 1)
        codes = np.stack([lanes >> np.uint64(i * self.bits) & mask for i in range(per)], -1).reshape(len(lanes), 32, -1)
        result = np.zeros((len(lanes), rows, columns), np.uint64)
        result[:, self.rows, self.columns] = codes
        return result


def fragment(count: int, place: Place, bits: int) -> Fragment:
    """The places of `count` elements of every lane."""
    places = np.array([[place(lane >> 2, lane & 3, i) for i in range(count)] for lane in range(32)])
    return Fragment(places[..., 0], places[..., 1], bits)


def fragment_a(shape: str, kind: str) -> Fragment:
    """Of A in mma."""
    return fragment(*_a(shape, BITS[kind]), BITS[kind])


def fragment_b(k: int, kind: str) -> Fragment:
    """Of B in mma."""
    return fragment(*_b(k, BITS[kind]), BITS[kind])


def fragment_c(m: int, kind: str) -> Fragment:
    """Of the accumulators in mma."""
    return fragment(*_c(m), BITS[kind])


def dimensions(shape: str) -> tuple[int, int, int]:
    """m, n, k of "m16n8k16"."""
    m, _, rest = shape.removeprefix("m").partition("n")
    n, _, k = rest.partition("k")
    return int(m), int(n), int(k)


# ---- products --------------------------------------------------------------------------------------------------------


def accumulate(a: Array, b: Array, c: Array, keep: Array | None = None) -> Array:
    """c + a @ b as declared, float64 (n, m, k), (n, k, cols) and float32 values (n, m, cols): one fma after the other
    in increasing k, each rounded to f32 once. `keep` (n, m, k): which elements of a are there."""
    total = c.astype(np.float64)
    with np.errstate(all="ignore"):
        for k in range(a.shape[2]):
            x, y = np.broadcast_arrays(a[:, :, k, None] * b[:, None, k, :], total)
            s = x + y
            t = s - x  # the error of s, exactly; rounding to odd makes the second rounding right
            rest = (x - (s - t)) + (y - t)
            u = s.view(np.uint64)
            inexact = ((rest > 0) | (rest < 0)) & (u & np.uint64(1) == 0)
            one = np.where((rest > 0) == (s > 0), 1, -1).astype(np.int64)
            odd = np.where(inexact, (u.view(np.int64) + one).view(np.uint64), u).view(np.float64)
            new = odd.astype(np.float32).astype(np.float64)
            total = new if keep is None else np.where(keep[:, :, k, None], new, total)
    return total.astype(np.float32)


def f32_codes(x: Array) -> Array:
    """Codes (uint64) of float32 values, every NaN 0x7fffffff."""
    with np.errstate(invalid="ignore"):
        codes = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    return np.where(np.isnan(x), np.uint64(0x7FFFFFFF), codes)


def f16_codes(x: Array) -> Array:
    """Codes (uint64) of float32 values rounded to f16, every NaN 0x7fff."""
    with np.errstate(all="ignore"):
        codes = x.astype(np.float32).astype(np.float16).view(np.uint16).astype(np.uint64)
    return np.where(np.isnan(x), np.uint64(0x7FFF), codes)


def s32_codes(c: Array, products: Array, saturate: bool) -> Array:
    """Codes (uint64) of the integers c (codes) + products, wrapped or saturated."""
    total = values(c, "s32").astype(np.int64) + products.astype(np.int64)
    if saturate:
        total = np.clip(total, -(2**31), 2**31 - 1)
    return (total & 0xFFFFFFFF).astype(np.uint64)


def expected_codes(
    a: Array, b: Array, c: Array, kinds: tuple[str, str, str, str], saturate: bool = False, keep: Array | None = None
) -> Array:
    """The result's codes for codes a (n, m, k), b (n, k, cols), c (n, m, cols) of the kinds a, b, c, d."""
    x, y = values(a, kinds[0]), values(b, kinds[1])
    if kinds[2] == "s32":
        return s32_codes(c, np.where(keep, x, 0) @ y if keep is not None else x @ y, saturate)
    total = accumulate(x, y, values(c, kinds[2]), keep)
    return f16_codes(total) if kinds[3] == "f16" else f32_codes(total)


# ---- the form tables -------------------------------------------------------------------------------------------------


def rows(opcode: str) -> list[list[list[str]]]:
    """The rows of an opcode: alternatives at each place, "" for none."""
    found = []
    for name, modifiers, _ in core().forms():
        if name == opcode:
            words = modifiers.split()
            found.append([["", *w.strip("[]").split("|")] if w.startswith("[") else w.split("|") for w in words])
    return found


def uncovered(opcode: str, names: Iterable[str]) -> list[str]:
    """Words of the opcode's rows that no instruction name (without operands) uses."""
    table = rows(opcode)
    used: list[list[set[str]]] = [[set() for _ in row] for row in table]
    for name in set(names):
        words = name.split(".")[1:]
        for row, seen in zip(table, used, strict=True):
            match = _fit(row, words)
            if match is not None:
                for place, word in zip(seen, match, strict=True):
                    place.add(word)
                break
    missing = []
    for row, seen in zip(table, used, strict=True):
        for place, words_seen in zip(row, seen, strict=True):
            shown = " ".join("|".join(p) for p in row)[:60]
            missing += [f"{opcode} {shown}: {w or '(nothing)'}" for w in place if w not in words_seen]
    return missing


def _fit(row: list[list[str]], words: list[str]) -> list[str] | None:
    if not row:
        return [] if not words else None
    if words and words[0] in row[0]:
        rest = _fit(row[1:], words[1:])
        if rest is not None:
            return [words[0], *rest]
    if "" in row[0]:
        rest = _fit(row[1:], words)
        if rest is not None:
            return ["", *rest]
    return None
