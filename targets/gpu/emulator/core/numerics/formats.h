// The narrow floating-point formats and their conversions to and from f32: f16, bf16, tf32, the 8, 6 and 4-bit formats
// and ue8m0. Encodings are the integer codes; every function is pure and branch-free, so that loops over lanes
// vectorize. Encoders round once, exactly, in every mode; sources wider than f32 go through narrow_odd (rounding.h).
//
// NaN: f16 and bf16 0x7fff, tf32 0x7fffffff, e4m3 and e5m2 0x7f, ue8m0 0xff; the formats without NaN take their largest
// positive number. Decoders give 0x7fffffff for every NaN.
#pragma once
#include <algorithm>

#include "numerics/rounding.h"

namespace emu::num {

enum class Top : uint8_t {
    ieee,    // the highest exponent holds infinity and NaN
    nan,     // only the code of all ones is NaN, there is no infinity (e4m3)
    finite,  // every code is a number
};

/// A format of one sign bit, `exponent` and `mantissa` bits.
struct Format {
    int exponent, mantissa;
    Top top;
    uint32_t nan;   // the code for NaN
    constexpr int bias() const { return (1 << (exponent - 1)) - 1; }
    constexpr uint32_t sign() const { return 1u << (exponent + mantissa); }
    constexpr uint32_t infinity() const { return ((1u << exponent) - 1) << mantissa; }  // of ieee
    constexpr uint32_t largest() const {
        return top == Top::ieee ? infinity() - 1 : top == Top::nan ? sign() - 2 : sign() - 1;
    }
};
constexpr Format kF16{5, 10, Top::ieee, 0x7fff}, kBf16{8, 7, Top::ieee, 0x7fff}, kTf32{8, 10, Top::ieee, 0x3ffff},
    kE4m3{4, 3, Top::nan, 0x7f}, kE5m2{5, 2, Top::ieee, 0x7f}, kE2m1{2, 1, Top::finite, 0x7},
    kE2m3{2, 3, Top::finite, 0x1f}, kE3m2{3, 2, Top::finite, 0x1f};

/// f32 to the format. `Saturate`: what lies beyond the largest number, infinities included, becomes the largest of its
/// sign. Without it overflow goes to infinity, or to the largest number where the mode rounds toward zero; formats
/// without infinity give NaN's code then.
template <Format F, Round R = Round::rn, bool Saturate = false>
inline uint32_t encode(float x) {
    constexpr int drop = 23 - F.mantissa;
    constexpr int low = 127 - F.bias() + 1;                     // the f32 exponent of the least normal number
    const uint32_t u = bits(x), magnitude = u & 0x7fffffffu, negative = 0u - (u >> 31);
    // In the format's own exponent, subnormals shifted so that their last place is the last place of the result.
    const int e = static_cast<int>(magnitude >> 23), effective = std::max(e, 1);
    const uint32_t shift = static_cast<uint32_t>(drop + std::min(std::max(low - effective, 0), 25 - drop));
    const uint32_t significand = (magnitude & 0x7fffffu) + (static_cast<uint32_t>(std::min(e, 1)) << 23);
    const uint32_t full = pick(less(static_cast<uint32_t>(effective), low), significand,
                               magnitude - (static_cast<uint32_t>(low - 1) << 23));
    const uint32_t half = 1u << (shift - 1), below = half + half - 1;
    uint32_t code;
    if constexpr (R == Round::rn) code = (full + (half - 1) + (full >> shift & 1u)) >> shift;
    else if constexpr (R == Round::rna) code = (full + half) >> shift;
    else if constexpr (R == Round::rm) code = (full + (below & negative)) >> shift;
    else if constexpr (R == Round::rp) code = (full + (below & ~negative)) >> shift;
    else code = full >> shift;
    uint32_t over;                                              // what replaces codes beyond the largest number
    if constexpr (Saturate) {
        over = F.largest();
    } else if constexpr (F.top == Top::ieee) {
        uint32_t to_largest = 0;
        if constexpr (R == Round::rz) to_largest = ~0u;
        if constexpr (R == Round::rm) to_largest = ~negative;
        if constexpr (R == Round::rp) to_largest = negative;
        over = pick(to_largest & less(magnitude, 0x7f800000u), F.largest(), F.infinity());
    } else {
        over = F.nan;
    }
    code = pick(less(F.largest(), code), over, code) | (negative & F.sign());
    return pick(less(0x7f800000u, magnitude), F.nan, code);
}

/// The format's code (its low bits; higher ones are ignored) as f32: exact.
template <Format F>
inline float decode(uint32_t code) {
    const uint32_t magnitude = code & (F.sign() - 1);
    const uint32_t sign = (code & F.sign()) << (31 - F.exponent - F.mantissa);
    uint32_t u = magnitude << (23 - F.mantissa);
    constexpr float scale = std::bit_cast<float>(static_cast<uint32_t>(254 - F.bias()) << 23);  // 2^(127 - bias)
    if constexpr (F.exponent < 8) u = bits(real(u) * scale);
    if constexpr (F.top == Top::ieee) u = pick(less(magnitude, F.infinity()), u, 0x7f800000u);
    u |= sign;
    if constexpr (F.top == Top::ieee) u = pick(less(F.infinity(), magnitude), kNan32, u);
    if constexpr (F.top == Top::nan) u = pick(less(F.largest(), magnitude), kNan32, u);
    return real(u);
}

// ---- by name --------------------------------------------------------------------------------------------------------
inline float f16_to_f32(uint16_t h) { return decode<kF16>(h); }
inline float bf16_to_f32(uint16_t h) { return decode<kBf16>(h); }
inline float e4m3_to_f32(uint8_t v) { return decode<kE4m3>(v); }
inline float e5m2_to_f32(uint8_t v) { return decode<kE5m2>(v); }
inline float e2m1_to_f32(uint8_t v) { return decode<kE2m1>(v); }  // the low 4 bits
inline float e2m3_to_f32(uint8_t v) { return decode<kE2m3>(v); }  // the low 6 bits
inline float e3m2_to_f32(uint8_t v) { return decode<kE3m2>(v); }

/// To nearest, ties to even. f16: through the float adder for subnormals, which is shorter than `encode`.
inline uint16_t f32_to_f16(float x) {
    const uint32_t u = bits(x), magnitude = u & 0x7fffffffu;
    const uint32_t tiny = bits(real(magnitude) + 0.5f) - 0x3f000000u;         // 0.5's last place is 2^-24
    const uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    uint32_t code = pick(less(magnitude, 0x38800000u), tiny, normal);
    code = pick(less(magnitude, 0x47800000u), code, 0x7c00u) | ((u >> 16) & 0x8000u);
    return static_cast<uint16_t>(pick(less(0x7f800000u, magnitude), 0x7fffu, code));
}
inline uint16_t f32_to_bf16(float x) {
    const uint32_t u = bits(x);
    const uint32_t code = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<uint16_t>(pick(less(0x7f800000u, u & 0x7fffffffu), 0x7fffu, code));
}
template <Round R = Round::rn>
inline uint8_t f32_to_e4m3(float x) { return static_cast<uint8_t>(encode<kE4m3, R, true>(x)); }  // satfinite
template <Round R = Round::rn>
inline uint8_t f32_to_e5m2(float x) { return static_cast<uint8_t>(encode<kE5m2, R, true>(x)); }  // satfinite

/// tf32 is an f32 of which only the upper 19 bits count; the result's low 13 bits are zero but for NaN.
template <Round R, bool Saturate = false>
inline uint32_t f32_to_tf32(float x) {
    return pick(less(0x7f800000u, bits(x) & 0x7fffffffu), kNan32, encode<kTf32, R, Saturate>(x) << 13);
}
/// What the matrix units read of a .tf32 operand.
inline float tf32_to_f32(uint32_t u) { return real(u & 0xffffe000u); }

/// ue8m0: 2^(code - 127), 0xff is NaN. Signs are dropped; `rp` rounds up to the next power of two, `rz` down. Beyond
/// 2^127: `Saturate` gives the largest, 0xfe, else NaN.
template <Round R, bool Saturate = false>
inline uint8_t f32_to_ue8m0(float x) {
    static_assert(R == Round::rz || R == Round::rp);
    const uint32_t magnitude = bits(x) & 0x7fffffffu;
    uint32_t code = magnitude >> 23;
    if constexpr (R == Round::rp) {
        // A subnormal above 2^-127 (code 0) rounds up to 2^-126.
        code = (magnitude + pick(less(0u, code), 0x7fffffu, 0x3fffffu)) >> 23;
    }
    code = std::min(code, Saturate ? 0xfeu : 0xffu);
    return static_cast<uint8_t>(pick(less(0x7f800000u, magnitude), 0xffu, code));
}
inline float ue8m0_to_f32(uint8_t v) {
    const uint32_t u = v == 0 ? 0x400000u : static_cast<uint32_t>(v) << 23;
    return real(v == 0xff ? kNan32 : u);
}

}  // namespace emu::num
