// Encoded programs to instructions that the core can walk. Refuses all that docs/sim_accel_isa.md section 3 refuses.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "config.h"
#include "isa_table.h"

namespace sim {

struct Instr {
    const Spec* spec;
    uint32_t bits[kFields];  // header part of each field
    uint16_t at[kFields];    // first slot of each field, counted from `slots`
    uint32_t slots;          // index into Program::slots
    int32_t loop;            // for endloop: its loop's pc

    int rank() const { return static_cast<int>(bits[F_SHAPE]); }
};

struct Program {
    std::vector<Instr> code;
    std::vector<uint32_t> slots;

    uint32_t slot(const Instr& i, FieldId f, int n = 0) const { return slots[i.slots + i.at[f] + static_cast<uint32_t>(n)]; }
};

/// Throws FormatError.
Program decode(std::span<const uint8_t> bytes);

}  // namespace sim
