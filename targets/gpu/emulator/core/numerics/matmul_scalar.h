// One fused multiply-add of the matrix instructions.
#pragma once
#include <cmath>
#include <cstdint>

#include "numerics/rounding.h"

namespace emu::matmul {

/// a * b + c, rounded once.
inline float fused(float a, float b, float c) {
#if defined(__FMA__) || defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    // The product is exact in f64. The sum is rounded to odd there, by the error that it left behind, so that the
    // second rounding, to f32, gives what a single one would.
    const double p = static_cast<double>(a) * static_cast<double>(b), q = static_cast<double>(c);
    const double s = p + q, t = s - p;
    const double rest = (p - (s - t)) + (q - t);
    uint64_t u = num::bits(s);
    const bool inexact = (rest > 0) | (rest < 0);  // not where it is NaN: infinities
    const bool away = (rest > 0) == (s > 0);
    u = inexact & ((u & 1) == 0) ? (away ? u + 1 : u - 1) : u;
    return static_cast<float>(num::real(u));
#endif
}

}  // namespace emu::matmul
