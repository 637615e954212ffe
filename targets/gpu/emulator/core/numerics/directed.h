// f32 arithmetic rounded in every mode, exactly, without the machine's rounding mode: rn is the machine's own
// operation; the others find the neighbour of a nearest result through the sign of what it misses, which doubles give.
// NaN results are some NaN; callers make them canonical.
#pragma once
#include "numerics/rounding.h"

namespace emu::num {

/// A sum and what its rounding left out: `high` is x + y to nearest, and high + low is x + y.
struct TwoSum {
    double high, low;
};
inline TwoSum two_sum(double x, double y) {
    const double s = x + y;
    const double from_y = s - x, from_x = s - from_y;
    return {s, (x - from_x) + (y - from_y)};
}

/// high + low (as of two_sum) as a float. `opposite`: a zero sum has terms of unlike signs, and is -0 in mode rm.
template <Round R>
inline float narrow(TwoSum sum, bool opposite) {
    const float near = static_cast<float>(sum.high);
    const double step = sum.high - static_cast<double>(near);
    const float settled = settle<R>(near, step != 0 ? step : sum.low);
    if constexpr (R == Round::rm) return (sum.high == 0) & opposite ? -0.0f : settled;
    return settled;
}

template <Round R>
inline float add(float a, float b) {
    if constexpr (R == Round::rn) return a + b;
    return narrow<R>(two_sum(a, b), ((bits(a) ^ bits(b)) >> 31) != 0);
}

template <Round R>
inline float mul(float a, float b) {
    if constexpr (R == Round::rn) return a * b;
    return narrow<R>(static_cast<double>(a) * static_cast<double>(b));  // exact
}

/// A double rounded to an odd last bit: `high` with `low` left out. It is not 0 where low is not.
inline double odd(TwoSum sum) {
    const uint64_t u = bits(sum.high);
    const uint64_t inward = (bits(sum.low) ^ u) >> 63;
    return real(u + ((1u - 2u * inward) & (0u - (counts(sum.low) & ~u & 1u))));
}

template <Round R>
inline float fma(float a, float b, float c) {
#ifdef __FMA__
    if constexpr (R == Round::rn) return std::fma(a, b, c);
#endif
    const double product = static_cast<double>(a) * static_cast<double>(b);  // exact, and never subnormal
    const TwoSum sum = two_sum(product, c);
    if constexpr (R == Round::rn) return static_cast<float>(odd(sum));
    return narrow<R>(sum, ((bits(product) ^ bits(static_cast<double>(c))) >> 63) != 0);
}

template <Round R>
inline float div(float a, float b) {
    const float near = a / b;
    if constexpr (R == Round::rn) return near;
    const double rest = static_cast<double>(a) - static_cast<double>(near) * static_cast<double>(b);  // sign is exact
    return settle<R>(near, (bits(b) >> 31) != 0 ? -rest : rest);
}

template <Round R>
inline float sqrt(float a) {
    const float near = std::sqrt(a);
    if constexpr (R == Round::rn) return near;
    return settle<R>(near, static_cast<double>(a) - static_cast<double>(near) * static_cast<double>(near));
}

}  // namespace emu::num
