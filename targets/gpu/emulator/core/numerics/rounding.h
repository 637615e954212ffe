// Rounding modes, and the small steps on floats' bits that the other numeric headers are made of. Everything here is
// branch-free where it may run over lanes.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace emu::num {

/// The rounding modifiers of PTX: to nearest (ties to even; rna: ties away), toward zero, minus and plus infinity.
enum class Round : uint8_t { rn, rz, rm, rp, rna };

constexpr uint32_t kNan32 = 0x7fffffffu;                  // what f32 arithmetic gives for NaN
constexpr uint64_t kNan64 = 0xfff8000000000000u;          // what f64 arithmetic gives for 0/0 and the like

inline uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }
inline uint64_t bits(double x) { return std::bit_cast<uint64_t>(x); }
inline float real(uint32_t u) { return std::bit_cast<float>(u); }
inline double real(uint64_t u) { return std::bit_cast<double>(u); }

inline bool is_nan(float x) { return (bits(x) & 0x7fffffffu) > 0x7f800000u; }
inline bool is_nan(double x) { return (bits(x) & 0x7fffffffffffffffu) > 0x7ff0000000000000u; }

/// All ones where a < b, of numbers below 2^31. With `pick` a select that GCC leaves one: of some ternaries it makes
/// branches, and a loop with a branch does not vectorize.
inline uint32_t less(uint32_t a, uint32_t b) { return static_cast<uint32_t>(static_cast<int32_t>(a - b) >> 31); }
inline uint32_t pick(uint32_t mask, uint32_t a, uint32_t b) { return (a & mask) | (b & ~mask); }

/// The result with NaN made the canonical one.
inline float canonical(float x) { return x != x ? real(kNan32) : x; }

/// Subnormals become zeros of their sign.
inline float flush(float x) {
    const uint32_t u = bits(x);
    return real((u & 0x7f800000u) == 0 ? u & 0x80000000u : u);
}

/// To [0, 1]; NaN and -0 give +0.
inline float saturate(float x) {
    const float low = x > 0.0f ? x : 0.0f;
    return low < 1.0f ? low : 1.0f;
}

/// The neighbour above (`up`) or below, zeros' neighbours being the least subnormals; of the largest finite number it
/// is infinity, of infinity toward zero the largest finite number.
inline uint32_t neighbour(uint32_t u, bool up) {
    const bool zero = (u & 0x7fffffffu) == 0;
    const bool away = ((u >> 31) == 0) == up;
    const uint32_t moved = away ? u + 1 : u - 1;
    return zero ? (up ? 1u : 0x80000001u) : moved;
}

/// `near` is a float next to an exact value or the value itself, and `rest` is negative, zero or positive as the exact
/// value minus `near` is; `near` was rounded to nearest, which gives the sign of zero. The value rounded as R says.
template <Round R>
inline float settle(float near, double rest) {
    if constexpr (R == Round::rn) return near;
    const uint32_t u = bits(near);
    const bool above = rest > 0, below = rest < 0;
    const bool negative = (u >> 31) != 0;
    bool up = false, down = false;
    if constexpr (R == Round::rp) up = above;
    if constexpr (R == Round::rm) down = below;
    if constexpr (R == Round::rz) { up = above & negative; down = below & !negative; }
    return real(up | down ? neighbour(u, up) : u);
}

/// The double as a float, rounded as R says, subnormals and overflow included. NaN stays some NaN.
template <Round R>
inline float narrow(double x) {
    const float near = static_cast<float>(x);
    return settle<R>(near, x - static_cast<double>(near));  // exact; inf - inf is NaN: neither above nor below
}

/// 1 if x is a number but zero, else 0.
inline uint32_t counts(float x) {
    const uint32_t m = bits(x) & 0x7fffffffu;
    return ((0u - m) & ~(0x7f800000u - m)) >> 31;
}
inline uint64_t counts(double x) {
    const uint64_t m = bits(x) & 0x7fffffffffffffffu;
    return ((0u - m) & ~(0x7ff0000000000000u - m)) >> 63;
}

/// The double rounded to a float with an odd last bit where it is inexact: a second rounding to at most 22 bits, in
/// any mode, then gives what one rounding of `x` would.
inline float narrow_odd(double x) {
    const float near = static_cast<float>(x);
    const double rest = x - static_cast<double>(near);
    const uint32_t u = bits(near);
    const uint32_t inward = (static_cast<uint32_t>(bits(rest) >> 32) ^ u) >> 31;
    const uint32_t step = (1u - 2u * inward) & (0u - (static_cast<uint32_t>(counts(rest)) & ~u & 1u));
    return real(u + step);
}

}  // namespace emu::num
