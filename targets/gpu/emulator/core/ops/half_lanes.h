// What the families of f16 and bf16 share.
#pragma once
#include "numerics/half.h"
#include "ops/float_lanes.h"

namespace emu {

/// What is done to the operands and the result besides the operation.
enum class Finish : uint8_t { none, ftz, sat, ftz_sat, relu, ftz_relu };

constexpr bool flushes(Finish f) { return f == Finish::ftz || f == Finish::ftz_sat || f == Finish::ftz_relu; }

inline Finish finish_of(const Decode& d) {
    const bool ftz = d.has("ftz");
    if (d.has("sat")) return ftz ? Finish::ftz_sat : Finish::sat;
    if (d.has("relu")) return ftz ? Finish::ftz_relu : Finish::relu;
    return ftz ? Finish::ftz : Finish::none;
}

template <Finish F>
inline uint16_t taken_half(uint16_t h) { return flushes(F) ? num::flush_half(h) : h; }

/// Rounds to the format and finishes.
template <bool Bf16, Finish F>
inline uint16_t given_half(float x) {
    if constexpr (F == Finish::sat || F == Finish::ftz_sat) x = num::saturate(x);
    if constexpr (F == Finish::relu || F == Finish::ftz_relu) x = num::relu(x);
    const uint16_t h = num::shorten<Bf16>(x);
    return flushes(F) ? num::flush_half(h) : h;
}

/// One instruction for a register of one half or of two.
template <class F>
inline Handler half_unary(bool two) { return two ? packed_unary<uint32_t, uint16_t, F> : packed_unary<uint16_t, uint16_t, F>; }
template <class F>
inline Handler half_binary(bool two) { return two ? packed_binary<uint32_t, uint16_t, F> : packed_binary<uint16_t, uint16_t, F>; }
template <class F>
inline Handler half_ternary(bool two) { return two ? packed_ternary<uint32_t, uint16_t, F> : packed_ternary<uint16_t, uint16_t, F>; }

inline bool is_bf16(Type t) { return t == Type::bf16 || t == Type::bf16x2; }
inline bool is_pair(Type t) { return t == Type::f16x2 || t == Type::bf16x2; }

void decode_half_arithmetic(Decode&);  // half_arithmetic.cpp
void decode_half_minmax(Decode&);      // half_select.cpp
void decode_half_sign(Decode&);

}  // namespace emu
