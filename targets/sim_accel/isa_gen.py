"""Writes what derives from the instruction table: sim/isa_table.h and the table in docs/sim_accel_isa.md."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from accelc.targets.sim_accel import encoding, isa
from accelc.targets.sim_accel.isa import Kind, Spec, Unit

_HERE = Path(__file__).resolve().parent
HEADER_PATH = _HERE / "sim" / "isa_table.h"
DOC_PATH = _HERE.parents[1] / "docs" / "sim_accel_isa.md"
FUNCTIONS_PATH = _HERE / "sim" / "functions.h"
_COSTS = ("", "simple", "div", "func", "pow", "gather")


def _field_names() -> list[str]:
    names: dict[str, None] = {}
    for spec in isa.INSTRUCTIONS:
        names.update((f.name, None) for f in spec.fields)
    return list(names)


def _cxx_spec(spec: Spec) -> str:
    layout = encoding.header_layout(spec)
    fields = []
    for field in spec.fields:
        low, width = layout.get(field.name, (0, 0))
        fields.append(f"{{Kind::{field.kind.name}, F_{field.name.upper()}, {low}, {width}}}")
    used = max((low + width for low, width in layout.values()), default=8)
    ctypes = sum(1 << isa.CTYPES.index(c) for c in spec.ctypes)
    cost = _COSTS.index(spec.cost)
    return (
        f'    {{{spec.cname}, "{spec.mnemonic}", Unit::{spec.unit.name}, {ctypes}, {cost}, {used}, {len(fields)},\n'
        f"     {{{', '.join(fields)}}}}},"
    )


def cxx_header() -> str:
    """The text of sim/isa_table.h."""
    opcodes = "\n".join(f"    {s.cname} = {s.opcode:#04x}," for s in isa.INSTRUCTIONS)
    specs = "\n".join(map(_cxx_spec, isa.INSTRUCTIONS))
    dtypes = ", ".join(f"DT_{d.upper()}" for d in isa.DTYPES)
    sizes = ", ".join(str(isa.DTYPE_BYTES[d]) for d in isa.DTYPES)
    longest = max(len(s.fields) for s in isa.INSTRUCTIONS)
    return f"""// Generated from isa.py by `python -m accelc.targets.sim_accel.isa`; do not edit.
#pragma once
#include <cstdint>

namespace sim {{

constexpr int kVersion = {isa.VERSION};
constexpr int kRegisters = {isa.REGISTERS};
constexpr int kSemaphores = {isa.SEMAPHORES};
constexpr int kMaxRank = {isa.MAX_RANK};
constexpr int kMaxLoopDepth = {isa.MAX_LOOP_DEPTH};
constexpr int kQueues = {len(isa.QUEUES)};
constexpr const char* kQueueNames[kQueues] = {{{", ".join(f'"{q}"' for q in isa.QUEUES)}}};
enum Queue {{ Q_SEQ, Q_MXU, Q_VEC, Q_DMA0 }};

enum Dtype : uint8_t {{ {dtypes}, kDtypes }};
constexpr int kDtypeBytes[kDtypes] = {{{sizes}}};
constexpr const char* kDtypeNames[kDtypes] = {{{", ".join(f'"{d}"' for d in isa.DTYPES)}}};
enum Ctype : uint8_t {{ {", ".join(f"CT_{c.upper()}" for c in isa.CTYPES)} }};

enum class Unit : uint8_t {{ {", ".join(u.name for u in Unit)} }};
enum class Kind : uint8_t {{ {", ".join(k.name for k in Kind)} }};
enum Cost : uint8_t {{ COST_NONE, {", ".join(f"COST_{c.upper()}" for c in _COSTS[1:])}, kCosts }};
enum FieldId : uint8_t {{ {", ".join(f"F_{n.upper()}" for n in _field_names())}, kFields }};

enum Opcode : uint8_t {{
{opcodes}
}};

struct FieldDesc {{
    Kind kind;
    FieldId id;
    uint8_t low, width;
}};

struct Spec {{
    uint8_t opcode;
    const char* name;
    Unit unit;
    uint8_t ctypes;       // bit set of the compute types it has
    uint8_t cost;         // Cost
    uint8_t header_bits;  // bits of the header word in use
    uint8_t n_fields;
    FieldDesc fields[{longest}];
}};

constexpr Spec kSpecs[] = {{
{specs}
}};

}}  // namespace sim
"""


def doc_table() -> str:
    """The instruction table of the document."""
    lines = ["| opcode | instruction | fields (header bits; others are slots) | effect |", "|---|---|---|---|"]
    for spec in isa.INSTRUCTIONS:
        layout = encoding.header_layout(spec)
        parts = []
        for field in spec.fields:
            bits = ""
            if field.name in layout:
                low, width = layout[field.name]
                bits = f" {low}..{low + width - 1}" if width > 1 else f" {low}"
            optional = "=" if field.keyword and field.kind is not Kind.BOUNDED else ""
            parts.append(f"{field.name}{optional}:{field.kind.value}{bits}")
        ctypes = "." + "/".join(spec.ctypes) if spec.ctypes else ""
        lines.append(f"| {spec.opcode:#04x} | `{spec.mnemonic}{ctypes}` | {', '.join(parts)} | {spec.doc} |")
    return "\n".join(lines)


def doc_coefficients() -> str:
    """The polynomials of functions.h, highest coefficient first."""
    arrays = re.findall(r"constexpr double k(\w+)C\[\] = \{([^}]*)\}", FUNCTIONS_PATH.read_text())
    lines = ["```"]
    for name, body in arrays:
        lines.append(f"{name.upper()} = " + textwrap.fill(" ".join(body.split()), 110, subsequent_indent=" " * 6))
    return "\n".join([*lines, "```"])


def _replace(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}:begin", f"<!-- {name}:end -->"
    head, rest = text.split(begin, 1)
    marker, rest = rest.split("\n", 1)
    return f"{head}{begin}{marker}\n{content}\n{end}{rest.split(end, 1)[1]}"


def document(text: str) -> str:
    """The document with its generated parts brought up to date."""
    return _replace(_replace(text, "table", doc_table()), "coefficients", doc_coefficients())


def main(argv: list[str]) -> int:
    """Rewrites both files; with --check only says (exit 1) whether either is stale."""
    stale = False
    for path, text in ((HEADER_PATH, cxx_header()), (DOC_PATH, document(DOC_PATH.read_text()))):
        if not path.exists() or path.read_text() != text:
            stale = True
            if "--check" in argv:
                print(f"stale: {path}")
            else:
                path.write_text(text)
    return int(stale and "--check" in argv)
