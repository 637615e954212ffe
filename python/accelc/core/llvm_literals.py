"""Rewrites the floating-point literals of LLVM 24's textual IR for LLVM 22, which differs in nothing else.

LLVM 24 prints ``1.000000e-01``, ``-inf``, ``+qnan``, ``+nan(0x1)`` and ``f0x3DCCCCCD``; LLVM 22 reads a decimal only
where it
is exact, and everything else as bits: ``0xH3C00`` (half), ``0xR3F80`` (bfloat), and for float and double the 64 bits of
the value as a double. A literal's type is the last floating-point type before it on its line.
"""

from __future__ import annotations

import re
import struct
from fractions import Fraction

# Type name -> (exponent bits, mantissa bits).
_FORMATS = {"half": (5, 10), "bfloat": (8, 7), "float": (8, 23), "double": (11, 52)}

_TOKEN = re.compile(
    r"""(?P<string>c?"[^"]*")
      | (?P<comment>;.*$)
      | (?P<name>[%@!$][-\w.$]+)
      | (?P<type>\b(?:half|bfloat|float|double)\b)
      | (?P<bits>\bf0x[0-9A-Fa-f]+)
      | (?P<special>[-+](?:inf|qnan|s?nan\(0x[0-9A-Fa-f]+\)))
      | (?P<decimal>(?<![\w.])[-+]?\d+\.\d*(?:[eE][-+]?\d+)?)""",
    re.VERBOSE,
)
# Most lines hold no literal, and this says so much faster than the tokenizer.
_HINT = re.compile(r"half|bfloat|float|double")
_DIGIT = re.compile(r"\d\.\d|f0x|inf\b|nan\b")


def down_convert(text: str) -> str:
    """LLVM 24's textual IR with its literals as LLVM 22 reads them."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if _DIGIT.search(line) and _HINT.search(line):
            lines[i] = _line(line)
    return "\n".join(lines)


def _line(line: str) -> str:
    kind = ""

    def replace(match: re.Match[str]) -> str:
        nonlocal kind
        group, token = match.lastgroup, match.group()
        if group == "type":
            kind = token
            return token
        if group in ("string", "comment", "name") or not kind:
            return token
        if group == "bits":
            bits = int(token[3:], 16)
        elif group == "special":
            bits = _special_bits(token, kind)
        else:
            bits = decimal_bits(token, kind)
        return _literal(bits, kind)

    return _TOKEN.sub(replace, line)


def decimal_bits(decimal: str, kind: str) -> int:
    """The bits of ``decimal`` rounded to nearest even in the format ``kind`` (half, bfloat, float or double)."""
    exponent_bits, mantissa_bits = _FORMATS[kind]
    sign = int(decimal.startswith("-")) << (exponent_bits + mantissa_bits)
    value = abs(Fraction(decimal))
    if value == 0:
        return sign
    bias = (1 << (exponent_bits - 1)) - 1
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > value:
        exponent -= 1
    exponent = max(exponent, 1 - bias)
    mantissa = round(value / Fraction(2) ** (exponent - mantissa_bits))  # Fraction rounds half to even
    if mantissa >> (mantissa_bits + 1):
        mantissa >>= 1
        exponent += 1
    if not mantissa >> mantissa_bits:
        return sign | mantissa  # denormal
    if exponent > bias:
        return sign | ((1 << exponent_bits) - 1) << mantissa_bits  # overflow to infinity
    return sign | (exponent + bias) << mantissa_bits | (mantissa - (1 << mantissa_bits))


def _special_bits(token: str, kind: str) -> int:
    exponent_bits, mantissa_bits = _FORMATS[kind]
    sign = int(token[0] == "-") << (exponent_bits + mantissa_bits)
    infinity = sign | ((1 << exponent_bits) - 1) << mantissa_bits
    quiet = 1 << (mantissa_bits - 1)
    name = token[1:]
    if name == "inf":
        return infinity
    if name == "qnan":
        return infinity | quiet
    payload = int(name[name.index("(") + 1 : -1], 16)
    return infinity | payload | (0 if name.startswith("snan") else quiet)


def _literal(bits: int, kind: str) -> str:
    if kind == "half":
        return f"0xH{bits:04X}"
    if kind == "bfloat":
        return f"0xR{bits:04X}"
    if kind == "double":
        return f"0x{bits:016X}"
    return f"0x{_widen(bits):016X}"


def _widen(bits: int) -> int:
    """The bits of a float as a double, payloads of NaNs kept."""
    if bits >> 23 & 0xFF == 0xFF:
        return (bits >> 31) << 63 | 0x7FF << 52 | (bits & 0x7FFFFF) << 29
    value = struct.unpack("<f", struct.pack("<I", bits))[0]
    widened: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return widened
