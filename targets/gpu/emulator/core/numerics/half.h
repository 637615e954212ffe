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

/// The same, but that NaNs keep their sign and what they say: for results that are shortened again, which gives NaNs
/// their code then.
template <bool Bf16>
inline float widen_raw(uint16_t h) {
    if constexpr (Bf16) return real(static_cast<uint32_t>(h) << 16);
    const uint32_t magnitude = static_cast<uint32_t>(h & 0x7fffu) << 13;
    const uint32_t u = bits(real(magnitude) * 0x1p112f);
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    return real(pick(less(magnitude, 0x0f800000u), u, magnitude | 0x7f800000u) | sign);
}

/// x + y rounded to a float with an odd last bit where it is inexact; for sums that do not overflow.
inline float add_odd(float x, float y) {
    const float s = x + y;
    const float from_y = s - x, from_x = s - from_y;
    const float rest = (x - from_x) + (y - from_y);
    const uint32_t u = bits(s), inward = (bits(rest) ^ u) >> 31;
    return real(u + ((1u - 2u * inward) & (0u - (counts(rest) & ~u & 1u))));
}

/// a * b + c of widened halves, as a float that has one rounding to the format left.
template <bool Bf16>
inline float fma_wide(float a, float b, float c) {
    if constexpr (Bf16) {
        const double product = static_cast<double>(a) * static_cast<double>(b);  // exact
        return narrow_odd(odd(two_sum(product, c)));
    } else {
        return add_odd(a * b, c);                                                // the product is exact
    }
}

/// f16 subnormals become zeros of their sign.
inline uint16_t flush_half(uint16_t h) { return (h & 0x7c00u) == 0 ? h & 0x8000u : h; }

/// Clamps negative numbers and -0 to +0; NaN stays.
inline float relu(float x) {
    const uint32_t u = bits(x), number = less(u & 0x7fffffffu, 0x7f800001u);
    return real(u & ~((0u - (u >> 31)) & number));
}

}  // namespace emu::num
