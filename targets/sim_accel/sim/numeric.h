// Conversions between number formats, exactly rounded, and integer division as the instruction set defines it.
// Included by kernels.cpp once for each instruction-set variant, hence the namespace.
#pragma once
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace sim {
namespace KERNEL_NS {

inline float bf16_to_f32(uint16_t v) {
    const float f = std::bit_cast<float>(static_cast<uint32_t>(v) << 16);
    return f != f ? std::bit_cast<float>(0x7FC00000u) : f;
}

inline uint16_t f32_to_bf16(float f) {
    const uint32_t u = std::bit_cast<uint32_t>(f);
    const uint32_t rounded = (u + 0x7FFF + (u >> 16 & 1)) >> 16;
    return f != f ? 0x7FC0 : static_cast<uint16_t>(rounded);
}

/// A small float format with `E` exponent and `M` mantissa bits in its low bits, IEEE but for e4m3's NaN, to f32.
template <int E, int M, bool Finite>
inline float small_to_f32(uint32_t v) {
    constexpr int bias = (1 << (E - 1)) - 1;
    const uint32_t sign = v >> (E + M) << 31;
    const uint32_t magnitude = v & ((1u << (E + M)) - 1);
    // Move exponent and mantissa into place, then rescale exactly: this takes care of denormals.
    const float scaled = std::bit_cast<float>(magnitude << (23 - M)) * std::bit_cast<float>(static_cast<uint32_t>(254 - bias) << 23);
    uint32_t bits = std::bit_cast<uint32_t>(scaled);
    constexpr uint32_t top = ((1u << E) - 1) << M;
    if (Finite) {
        if (magnitude == (top | ((1u << M) - 1))) return std::bit_cast<float>(0x7FC00000u);
    } else if (magnitude >= top) {
        if (magnitude > top) return std::bit_cast<float>(0x7FC00000u);
        bits = 0x7F800000u;
    }
    return std::bit_cast<float>(bits | sign);
}

/// f32 to a small float format, round to nearest even.
template <int E, int M, bool Finite>
inline uint32_t f32_to_small(float f, bool sat) {
    constexpr int bias = (1 << (E - 1)) - 1;
    constexpr uint32_t inf = ((1u << E) - 1) << M;
    constexpr uint32_t largest = Finite ? inf | ((1u << M) - 2) : inf - 1;
    constexpr uint32_t nan = Finite ? inf | ((1u << M) - 1) : inf | 1u << (M - 1);
    const uint32_t u = std::bit_cast<uint32_t>(f);
    const uint32_t sign = u >> 31 << (E + M);
    const uint32_t a = u & 0x7FFFFFFF;
    if (a > 0x7F800000) return nan;
    constexpr uint32_t smallest_normal = static_cast<uint32_t>(127 - bias + 1) << 23;
    uint32_t r;
    if (a < smallest_normal) {
        // Adding this constant rounds to the format's denormal grid in f32 itself.
        const float magic = std::bit_cast<float>(static_cast<uint32_t>(127 - bias + 1 + (23 - M)) << 23);
        r = std::bit_cast<uint32_t>(std::bit_cast<float>(a) + magic) - std::bit_cast<uint32_t>(magic);
    } else {
        constexpr int shift = 23 - M;
        const uint32_t rounded = (a + ((1u << (shift - 1)) - 1) + (a >> shift & 1)) >> shift;
        r = rounded - (static_cast<uint32_t>(127 - bias) << M);
        if (r > largest) r = sat ? largest : (Finite ? nan : inf);
    }
    return r | sign;
}

inline float f16_to_f32(uint16_t v) { return small_to_f32<5, 10, false>(v); }
inline float e4m3_to_f32(uint8_t v) { return small_to_f32<4, 3, true>(v); }
inline float e5m2_to_f32(uint8_t v) { return small_to_f32<5, 2, false>(v); }
inline uint16_t f32_to_f16(float f, bool sat) { return static_cast<uint16_t>(f32_to_small<5, 10, false>(f, sat)); }
inline uint8_t f32_to_e4m3(float f, bool sat) { return static_cast<uint8_t>(f32_to_small<4, 3, true>(f, sat)); }
inline uint8_t f32_to_e5m2(float f, bool sat) { return static_cast<uint8_t>(f32_to_small<5, 2, false>(f, sat)); }

/// Truncation towards zero, saturating; NaN gives 0.
template <class Int>
inline Int f32_to_int(float f) {
    constexpr Int lo = std::numeric_limits<Int>::min(), hi = std::numeric_limits<Int>::max();
    constexpr float flo = static_cast<float>(lo);
    constexpr float fhi = static_cast<float>(hi);  // rounds up to a power of two where hi has more than 24 bits
    const bool in = f > flo - 1.0f && f < fhi + 1.0f && !(sizeof(Int) >= 4 && f >= fhi) && !(sizeof(Int) >= 4 && f < flo);
    const float safe = in ? f : 0.0f;
    using Wide = std::conditional_t<(sizeof(Int) < 4), int32_t, Int>;
    const Int value = static_cast<Int>(static_cast<Wide>(safe));
    return in ? value : (f != f ? Int(0) : (f < 0.0f ? lo : hi));
}

/// An integer as an f32 rounded to odd, so that a second rounding to a narrower format is the right one.
template <class Int>
inline float int_to_f32_odd(Int v) {
    if (v > -(1 << 24) && v < (1 << 24)) return static_cast<float>(v);
    const uint64_t a = v < 0 ? 0 - static_cast<uint64_t>(v) : static_cast<uint64_t>(v);
    const int drop = 40 - std::countl_zero(a);  // keep 24 bits
    const uint64_t kept = a >> drop | static_cast<uint64_t>((a & ((1ull << drop) - 1)) != 0);
    const float f = static_cast<float>(static_cast<uint32_t>(kept)) * std::bit_cast<float>(static_cast<uint32_t>(127 + drop) << 23);
    return v < 0 ? -f : f;
}

template <class Int>
inline Int int_div(Int x, Int y) {
    if (y == 0) return -1;
    if (y == -1) return static_cast<Int>(0 - static_cast<std::make_unsigned_t<Int>>(x));
    return x / y;
}

template <class Int>
inline Int int_rem(Int x, Int y) {
    if (y == 0) return x;
    return y == -1 ? Int(0) : x % y;
}

}  // namespace KERNEL_NS
}  // namespace sim
