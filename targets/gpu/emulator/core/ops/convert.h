// cvt: what its files share. Numbers go through 64-bit lanes in three steps (read, convert, write), so that registers
// wider than a type cost no further forms; the common conversions have handlers of their own (convert_fast.cpp).
#pragma once
#include "ops/float_lanes.h"

namespace emu {

enum class Whole : uint8_t { none, rni, rzi, rmi, rpi };

/// A cvt between two types, as its row and registers say.
struct Conversion {
    Type from = Type::none, to = Type::none;
    uint8_t from_bytes = 0, to_bytes = 0;  // of the registers
    Round round = Round::rn;
    Whole whole = Whole::none;
    bool ftz = false, sat = false;
};

/// The 32 registers' low bits as the type says: integers extended to 64 bits by their sign, floats' bits.
void read_lanes(const Warp& w, Slot slot, Type type, uint32_t register_bytes, uint64_t* out);
/// Writes values of the type into registers, signed ones extended by their sign, all others by zeros.
void write_lanes(Warp& w, Slot slot, Type type, uint32_t register_bytes, const uint64_t* values, Mask mask);

/// A handler for a common conversion between registers of the types' own sizes; null if there is none.
Handler fast_conversion(const Conversion& c);

void decode_convert(Decode&);         // convert_number.cpp: between the number types
void decode_convert_half(Decode&);    // convert_narrow.cpp: relu and satfinite to f16, bf16 and pairs of them
void decode_convert_tf32(Decode&);
void decode_convert_narrow(Decode&);  // to pairs of 8, 6 and 4-bit floats
void decode_convert_widen(Decode&);   // and back
void decode_convert_pack(Decode&);    // convert_pack.cpp: cvt.pack

}  // namespace emu
