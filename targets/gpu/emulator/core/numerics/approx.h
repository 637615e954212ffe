// The approximate functions of PTX, within the bounds that its manual gives. They are polynomials of f32 additions and
// multiplications, so that every build gives the same bits; which bits a GPU gives is not documented, and they differ
// in the last places. Where the range is reduced or scaled, it is done as ptxas does it for sm_90, since that decides
// results at the edges: sin and cos multiply by 1/(2 pi) rounded toward zero, div multiplies by a reciprocal.
//
// Special values: NaN in, canonical NaN out (by the caller); the rest is as the manual's tables say.
#pragma once
#include "numerics/directed.h"

namespace emu::num {

constexpr float kShifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which its low bits then hold

/// 2^x, subnormal results included.
inline float exp2_approx(float x) {
    x = x < -152.0f ? -152.0f : x;
    x = x > 129.0f ? 129.0f : x;
    const float t = x + kShifter;
    const float f = x - (t - kShifter);                     // in [-1/2, 1/2]
    float p = 0x1.44138ap-13f;
    p = p * f + 0x1.5f089p-10f;
    p = p * f + 0x1.3b2a54p-7f;
    p = p * f + 0x1.c6af6cp-5f;
    p = p * f + 0x1.ebfbep-3f;
    p = p * f + 0x1.62e43p-1f;
    p = p * f + 1.0f;
    const int32_t n = static_cast<int32_t>(bits(t) - bits(kShifter)), half = n >> 1;
    const float first = real(static_cast<uint32_t>(half + 127) << 23);
    const float second = real(static_cast<uint32_t>(n - half + 127) << 23);
    return p * first * second;                              // only the last product rounds
}

/// log2(x): NaN below -0, -infinity at zeros.
inline float log2_approx(float x) {
    const bool subnormal = x < 0x1p-126f;
    const uint32_t u = bits(subnormal ? x * 0x1p24f : x);
    const int32_t e = static_cast<int32_t>(u - 0x3f3504f3u) >> 23;   // x = m * 2^e, m from sqrt(1/2) to sqrt(2)
    const float f = real(u - (static_cast<uint32_t>(e) << 23)) - 1.0f;
    const float s = f / (f + 2.0f), z = s * s;
    float p = 0x1.ba1434p-2f;
    p = p * z + 0x1.274736p-1f;
    p = p * z + 0x1.ec70e6p-1f;
    p = p * z + 0x1.715476p+1f;
    float r = static_cast<float>(e - (subnormal ? 24 : 0)) + s * p;
    r = x == 0 ? -real(0x7f800000u) : r;
    r = bits(x) == 0x7f800000u ? x : r;
    return x >= 0 ? r : real(kNan32);
}

/// sin, or cos, of 2 pi t; zeros keep their sign.
template <bool Cos>
inline float turn_approx(float t) {
    t = flush(t);
    const float whole = std::rint(t);
    const float r = (bits(t) & 0x7fffffffu) < 0x3f000000u ? t : t - whole;  // in [-1/2, 1/2], exact
    const float q = r * 4.0f + kShifter;
    const uint32_t quarter = bits(q) + (Cos ? 1u : 0u);
    const float rest = r - (q - kShifter) * 0.25f;          // in [-1/8, 1/8], exact
    const float s = (q - kShifter) == 0 ? r : rest;         // keeps the sign of zero
    const float z = s * s;
    float a = -0x1.2d9b4p+6f;
    a = a * z + 0x1.465ec4p+6f;
    a = a * z + -0x1.4abbbap+5f;
    a = a * z + 0x1.921fb6p+2f;
    a = a * s;                                              // sin
    float b = 0x1.db6492p+5f;
    b = b * z + -0x1.55cb98p+6f;
    b = b * z + 0x1.03c1eap+6f;
    b = b * z + -0x1.3bd3ccp+4f;
    b = b * z + 1.0f;                                       // cos
    const float v = (quarter & 1u) != 0 ? b : a;
    const float signed_v = (quarter & 2u) != 0 ? -v : v;
    return t - t == 0 ? signed_v : real(kNan32);
}
template <bool Cos>
inline float sin_approx(float x) { return turn_approx<Cos>(mul<Round::rz>(x, 0x1.45f306p-3f)); }

inline float tanh_approx(float x) {
    const float m = real(bits(x) & 0x7fffffffu);
    const float z = x * x;
    float p = 0x1.47130cp-9f;
    p = p * z + -0x1.16af2ep-7f;
    p = p * z + 0x1.656372p-6f;
    p = p * z + -0x1.ba132p-5f;
    p = p * z + 0x1.111102p-3f;
    p = p * z + -0x1.555556p-2f;
    const float small = m + m * (z * p);
    const float large = 1.0f - 2.0f / (exp2_approx(m * 0x1.715476p+1f) + 1.0f);
    const uint32_t magnitude = bits(m < 0.55f ? small : large);
    return x != x ? x : real(magnitude | (bits(x) & 0x80000000u));
}

inline float rsqrt_approx(float x) { return 1.0f / std::sqrt(x); }

/// a / b as a times the reciprocal of b, subnormal reciprocals being zero. Divisors below 2^-126 are scaled first;
/// with `Full` also those above 2^126, so that the bound holds for every b.
template <bool Full, bool Ftz>
inline float div_approx(float a, float b) {
    const uint32_t magnitude = bits(b) & 0x7fffffffu;
    float scale = 1.0f;
    if constexpr (Full) scale = (magnitude > 0x7e800000u) & (magnitude <= 0x7f800000u) ? 0.25f : scale;
    if constexpr (!Ftz) scale = magnitude < 0x00800000u ? 0x1p24f : scale;
    return (a * scale) * flush(1.0f / (b * scale));
}

/// The gross approximations of f64 read and give upper halves; subnormals are zeros.
inline double upper_half(double x) {
    const uint64_t u = bits(x);
    const uint64_t flushed = (u & 0x7ff0000000000000u) == 0 ? u & 0x8000000000000000u : u;
    return real(flushed & 0xffffffff00000000u);
}
inline double to_upper_half(double x) {
    const uint64_t u = bits(x);
    if ((u & 0x7ff0000000000000u) == 0x7ff0000000000000u) return x != x ? real(uint64_t{0x7fffffff00000000u}) : x;
    return upper_half(real(u + 0x80000000u));
}
inline double rcp_approx(double x) {
    // A NaN of which only the lower half says so would be an infinity; it stays NaN.
    return to_upper_half(x != x ? x : 1.0 / upper_half(x));
}
inline double rsqrt_gross(double x) { return to_upper_half(x != x ? x : 1.0 / std::sqrt(upper_half(x))); }

}  // namespace emu::num
