// The transcendental functions, bit for bit as docs/sim_accel_isa.md section 2.1 says: f32 in and out, binary64
// inside, every fused multiply-add written as one, no libm function that is not exactly rounded.
// Included by kernels.cpp once for each instruction-set variant.
#pragma once
#include <bit>
#include <cstdint>

namespace sim {
namespace KERNEL_NS {

constexpr double kLog2e = 0x1.71547652b82fep+0;
constexpr double kLn2Hi = 0x1.62e42fefa39efp-1;
constexpr double kLn2Lo = 0x1.abc9e3b39803fp-56;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
constexpr double kPio2Hi = 0x1.921fb54442d18p+0;
constexpr double kPio2Lo = 0x1.1a62633145c07p-54;
constexpr double kRound = 0x1.8p+52;  // adding and subtracting it rounds to an integer, half to even

constexpr double kExpC[] = {
    0x1.1eed8eff8d898p-29, 0x1.ae64567f544e4p-26, 0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19,
    0x1.a01a01a01a01ap-16, 0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10, 0x1.1111111111111p-7,
    0x1.5555555555555p-5,  0x1.5555555555555p-3,  0x1.0000000000000p-1,  0x1.0000000000000p+0,
    0x1.0000000000000p+0};
constexpr double kLogC[] = {
    0x1.af286bca1af28p-4, 0x1.e1e1e1e1e1e1ep-4, 0x1.1111111111111p-3, 0x1.3b13b13b13b14p-3, 0x1.745d1745d1746p-3,
    0x1.c71c71c71c71cp-3, 0x1.2492492492492p-2, 0x1.999999999999ap-2, 0x1.5555555555555p-1};
constexpr double kSinC[] = {
    -0x1.ae7f3e733b81fp-41, 0x1.6124613a86d09p-33,  -0x1.ae64567f544e4p-26, 0x1.71de3a556c734p-19,
    -0x1.a01a01a01a01ap-13, 0x1.1111111111111p-7, -0x1.5555555555555p-3};
constexpr double kCosC[] = {
    0x1.ae7f3e733b81fp-45, -0x1.93974a8c07c9dp-37, 0x1.1eed8eff8d898p-29, -0x1.27e4fb7789f5cp-22,
    0x1.a01a01a01a01ap-16, -0x1.6c16c16c16c17p-10, 0x1.5555555555555p-5,  -0x1.0000000000000p-1};
constexpr double kErfC[] = {
    -0x1.ffef2bb611fc2p-22, 0x1.99629bc9271fap-20,  -0x1.effd8ad23ca97p-20, 0x1.46a885797d93dp-18,
    -0x1.46bad4c89de10p-16, 0x1.abc8861189d8fp-15,  -0x1.e9ba0bde4bfe8p-14, 0x1.1dadbe34ae020p-12,
    -0x1.41aec5471e8a6p-11, 0x1.535f7332bf0afp-10,  -0x1.51e6147b00561p-9,  0x1.3e06cfa0506c3p-8,
    -0x1.1a02d2f2153cbp-7,  0x1.d63727e475de2p-7,   -0x1.7034ec83b3ee5p-6,  0x1.0ed515703ba75p-5,
    -0x1.76e8654bad868p-5,  0x1.ea97f3a51a1bdp-5,   -0x1.3215d8b28d6ecp-4,  0x1.717efc681b7c7p-4,
    -0x1.b92e95c1acc28p-4,  0x1.0dabaf063f5a8p-3,   -0x1.69a0ccda3de95p-3,  0x1.6a040781a4867p-2};
// 2/pi as a binary fraction, most significant first.
constexpr uint64_t kTwoOverPiBits[] = {0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561};

constexpr float kInf = __builtin_inff();
constexpr float kNan = __builtin_nanf("");

inline double fma64(double a, double b, double c) { return __builtin_fma(a, b, c); }

/// Horner's rule, highest coefficient first, one fma a step.
template <int N>
inline double horner(const double (&c)[N], double x) {
    double p = c[0];
    for (int i = 1; i < N; ++i) p = fma64(p, x, c[i]);
    return p;
}

inline double clamp64(double x, double lo, double hi) {
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

/// e to the x in binary64, for |x| <= 700 (callers clamp); NaN stays NaN.
inline double exp64(double x) {
    const double t = fma64(x, kLog2e, kRound);
    const double n = t - kRound;
    double r = fma64(-n, kLn2Hi, x);
    r = fma64(-n, kLn2Lo, r);
    const double p = horner(kExpC, r);
    const double scale = std::bit_cast<double>((std::bit_cast<uint64_t>(t) + 1023) << 52);
    return p * scale;
}

/// Natural logarithm in binary64 of a positive, finite, normal binary64.
inline double log64(double x) {
    const uint64_t bits = std::bit_cast<uint64_t>(x);
    // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)).
    const int32_t k = static_cast<int32_t>((bits - 0x3FE6A09E667F3BCDull) >> 52 << 20) >> 20;
    const double m = std::bit_cast<double>(bits - (static_cast<uint64_t>(static_cast<int64_t>(k)) << 52));
    const double s = (m - 1.0) / (m + 1.0);
    const double s2 = s * s;
    const double p = horner(kLogC, s2);
    const double u = s + s;
    const double l = fma64(s * s2, p, u);
    const double kd = static_cast<double>(k);
    return fma64(kd, kLn2Hi, fma64(kd, kLn2Lo, l));
}

inline float f_exp(float x) { return static_cast<float>(exp64(clamp64(x, -200.0, 200.0))); }

inline float f_log(float x) {
    const bool ok = x > 0.0f && x < kInf;
    const float r = static_cast<float>(log64(ok ? static_cast<double>(x) : 1.0));
    const float special = x == 0.0f ? -kInf : (x == kInf ? kInf : kNan);
    return ok ? r : special;
}

inline float f_tanh(float x) {
    const double z = clamp64(__builtin_fabs(static_cast<double>(x)), 0.0, 20.0);
    const double e = exp64(z + z);
    const double large = 1.0 - 2.0 / (e + 1.0);
    const double z2 = z * z;
    const double small = fma64(z * z2, fma64(z2, 0x1.1111111111111p-3, -0x1.5555555555555p-2), z);
    return __builtin_copysignf(static_cast<float>(z < 0x1p-10 ? small : large), x);
}

inline float f_sigmoid(float x) { return static_cast<float>(1.0 / (1.0 + exp64(clamp64(-static_cast<double>(x), -200.0, 200.0)))); }

inline float f_erf(float x) {
    const double z = clamp64(__builtin_fabs(static_cast<double>(x)), 0.0, 4.0);
    const double t = fma64(z * z, 0.125, -1.0);
    const double r = z * horner(kErfC, t);
    return __builtin_copysignf(static_cast<float>(r), x);
}

/// x - n * pi/2 with n the nearest integer to x * 2/pi; `quadrant` gets n (its low two bits matter).
inline double reduce_small(double x, uint64_t& quadrant) {
    const double t = fma64(x, kTwoOverPi, kRound);
    const double n = t - kRound;
    quadrant = std::bit_cast<uint64_t>(t);
    return fma64(-n, kPio2Lo, fma64(-n, kPio2Hi, x));
}

/// The same for finite |x| >= 2^28, exact integer arithmetic on 96 bits of 2/pi.
inline double reduce_large(float x, uint64_t& quadrant) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    const int e = static_cast<int>(bits >> 23 & 255) - 150;  // x = m * 2^e
    const uint64_t m = (bits & 0x7FFFFF) | 0x800000;
    // w = 96 bits of 2/pi from weight 2^1 down, after multiplying by 2^e.
    const int start = e - 2;  // index of the first bit that still matters modulo 4 (bit i of the table weighs 2^-(i+1))
    auto word = [&](int at) {  // 32 bits from bit `at`
        const uint64_t hi = kTwoOverPiBits[at / 64];
        const uint64_t lo = at / 64 < 3 ? kTwoOverPiBits[at / 64 + 1] : 0;
        const int shift = at % 64;
        const uint64_t joined = shift ? hi << shift | lo >> (64 - shift) : hi;
        return joined >> 32;
    };
    const unsigned __int128 w = static_cast<unsigned __int128>(word(start)) << 64 |
                                static_cast<unsigned __int128>(word(start + 32)) << 32 | word(start + 64);
    const unsigned __int128 product = w * m;  // modulo 2^96 it is (x * 2/pi mod 4) * 2^94
    const uint64_t top = static_cast<uint64_t>(product >> 32);  // modulo 2^64: (x * 2/pi mod 4) * 2^62
    const uint64_t n = (top + (1ull << 61)) >> 62;
    const int64_t rest = static_cast<int64_t>(top - (n << 62));
    const double r = static_cast<double>(rest) * 0x1p-62 * kPio2Hi;
    quadrant = x < 0 ? 0 - n : n;
    return x < 0 ? -r : r;
}

inline float sincos_of(double r, uint64_t quadrant) {
    const double r2 = r * r;
    const double s = fma64(r * r2, horner(kSinC, r2), r);
    const double c = fma64(r2, horner(kCosC, r2), 1.0);
    const double v = quadrant & 1 ? c : s;
    return static_cast<float>(quadrant & 2 ? -v : v);
}

constexpr float kLargeAngle = 0x1p28f;

inline float f_sin_small(float x) {
    uint64_t q;
    const double r = reduce_small(x, q);
    return x == 0.0f ? x : sincos_of(r, q);
}
inline float f_cos_small(float x) {
    uint64_t q;
    const double r = reduce_small(x, q);
    return sincos_of(r, q + 1);
}
inline float f_sincos_large(float x, uint64_t turn) {
    if (!(__builtin_fabsf(x) < kInf)) return kNan;
    uint64_t q;
    const double r = reduce_large(x, q);
    return sincos_of(r, q + turn);
}

inline float f_pow(float x, float y) {
    const float ax = __builtin_fabsf(x);
    const bool normal = ax > 0.0f && ax < kInf;
    double l = log64(normal ? static_cast<double>(ax) : 1.0);
    l = ax == 0.0f ? -static_cast<double>(kInf) : (ax == kInf ? static_cast<double>(kInf) : l);
    const double mag = exp64(clamp64(static_cast<double>(y) * l, -200.0, 200.0));
    const bool integer = __builtin_truncf(y) == y;
    const float half = y * 0.5f;  // exact, but for the smallest denormals, which are no integers
    const bool odd = integer && __builtin_truncf(half) != half && __builtin_fabsf(y) < 0x1p24f;
    float r = static_cast<float>(mag);
    r = x < 0.0f && !integer && ax < kInf ? kNan : r;
    r = __builtin_signbit(x) && odd ? -r : r;
    r = ax != ax || y != y ? kNan : r;
    r = ax == 1.0f && __builtin_fabsf(y) == kInf ? 1.0f : r;
    return x == 1.0f || y == 0.0f ? 1.0f : r;
}

}  // namespace KERNEL_NS
}  // namespace sim
