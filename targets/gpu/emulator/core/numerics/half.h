// f16 and bf16 arithmetic with a single rounding to nearest. Sums and products go through f32, which is wide enough
// that rounding twice gives what rounding once would (24 bits against 2 * 11 + 2, and bf16's subnormals have 16 more
// in f32); fma rounds to odd first. NaN results are 0x7fff.
#pragma once
#include "numerics/directed.h"
#include "numerics/formats.h"

namespace emu::num {

template <bool Bf16>
inline float widen(uint16_t h) { return Bf16 ? bf16_to_f32(h) : f16_to_f32(h); }
template <bool Bf16>
inline uint16_t shorten(float x) { return Bf16 ? f32_to_bf16(x) : f32_to_f16(x); }

/// x + y rounded to a float with an odd last bit where it is inexact; for sums that do not overflow.
inline float add_odd(float x, float y) {
    const float s = x + y;
    const float from_y = s - x, from_x = s - from_y;
    const float rest = (x - from_x) + (y - from_y);
    const uint32_t u = bits(s);
    return real((rest != 0) & (rest == rest) & ((u & 1u) == 0) ? neighbour(u, rest > 0) : u);
}

/// a * b + c, as a float that has one rounding to the format left.
template <bool Bf16>
inline float fma_wide(uint16_t a, uint16_t b, uint16_t c) {
    if constexpr (Bf16) {
        const double product = static_cast<double>(widen<true>(a)) * static_cast<double>(widen<true>(b));  // exact
        return narrow_odd(odd(two_sum(product, widen<true>(c))));
    } else {
        return add_odd(widen<false>(a) * widen<false>(b), widen<false>(c));                               // exact product
    }
}

/// f16 subnormals become zeros of their sign.
inline uint16_t flush_half(uint16_t h) { return (h & 0x7c00u) == 0 ? h & 0x8000u : h; }

/// Clamps negative numbers and -0 to +0; NaN stays.
inline float relu(float x) { return (bits(x) >> 31) != 0 && x == x ? 0.0f : x; }

}  // namespace emu::num
