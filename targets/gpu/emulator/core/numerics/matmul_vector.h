// The few vector operations that the matrix kernels are made of, for each level of the instruction set. One fma is one
// IEEE fused multiply-add on all of them, so that results do not depend on the level.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "numerics/matmul_scalar.h"

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
#include <immintrin.h>
#endif
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined operands inside of its own intrinsics for mistakes (its bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace emu::matmul {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
using Vec = __m512;
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec fused(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
/// Four floats, again and again.
inline Vec four(const float* p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
/// a where `keep`'s lane is all ones, else b.
inline Vec choose(const uint32_t* keep, Vec a, Vec b) {
    const __m512i k = _mm512_loadu_si512(keep);
    return _mm512_mask_blend_ps(_mm512_test_epi32_mask(k, k), b, a);
}
inline Vec canonical(Vec v) {
    const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7fffffff));
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), v, nan);
}
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int kWidth = 8;
using Vec = __m256;
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec fused(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec four(const float* p) { const __m128 v = _mm_loadu_ps(p); return _mm256_set_m128(v, v); }
inline Vec choose(const uint32_t* keep, Vec a, Vec b) {
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(keep))));
}
inline Vec canonical(Vec v) {
    return _mm256_blendv_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)), _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
}
#else
constexpr int kWidth = 4;
struct Vec { float v[4]; };
inline Vec load(const float* p) { Vec r; std::memcpy(r.v, p, 16); return r; }
inline void store(float* p, Vec v) { std::memcpy(p, v.v, 16); }
inline Vec zero() { return Vec{{0, 0, 0, 0}}; }
inline Vec fused(Vec a, Vec b, Vec c) {
    Vec r;
    for (int i = 0; i < 4; ++i) r.v[i] = fused(a.v[i], b.v[i], c.v[i]);
    return r;
}
inline Vec four(const float* p) { return load(p); }
inline Vec choose(const uint32_t* keep, Vec a, Vec b) {
    Vec r;
    for (int i = 0; i < 4; ++i) r.v[i] = keep[i] != 0 ? a.v[i] : b.v[i];
    return r;
}
inline Vec canonical(Vec v) {
    for (int i = 0; i < 4; ++i) v.v[i] = num::canonical(v.v[i]);
    return v;
}
#endif

// ---- four doubles ---------------------------------------------------------------------------------------------------
#if defined(__AVX2__) && defined(__FMA__)
using Four = __m256d;
inline Four load(const double* p) { return _mm256_loadu_pd(p); }
inline void store(double* p, Four v) { _mm256_storeu_pd(p, v); }
inline Four fused(double a, Four b, Four c) { return _mm256_fmadd_pd(_mm256_set1_pd(a), b, c); }
/// B's tile of 8 columns of four k: the even columns' and the odd columns' k-th numbers.
inline void turn(const double* b, Four (&even)[4], Four (&odd)[4]) {
    for (int e = 0; e < 2; ++e) {
        const __m256d r0 = load(b + 4 * e), r1 = load(b + 8 + 4 * e);
        const __m256d r2 = load(b + 16 + 4 * e), r3 = load(b + 24 + 4 * e);
        const __m256d low0 = _mm256_unpacklo_pd(r0, r1), high0 = _mm256_unpackhi_pd(r0, r1);
        const __m256d low1 = _mm256_unpacklo_pd(r2, r3), high1 = _mm256_unpackhi_pd(r2, r3);
        Four(&to)[4] = e == 0 ? even : odd;
        to[0] = _mm256_permute2f128_pd(low0, low1, 0x20);
        to[1] = _mm256_permute2f128_pd(high0, high1, 0x20);
        to[2] = _mm256_permute2f128_pd(low0, low1, 0x31);
        to[3] = _mm256_permute2f128_pd(high0, high1, 0x31);
    }
}
inline Four canonical(Four v) {
    const __m256d nan = _mm256_castsi256_pd(_mm256_set1_epi64x(static_cast<long long>(num::kNan64)));
    return _mm256_blendv_pd(v, nan, _mm256_cmp_pd(v, v, _CMP_UNORD_Q));
}
#else
struct Four { double v[4]; };
inline Four load(const double* p) { Four r; std::memcpy(r.v, p, 32); return r; }
inline void store(double* p, Four v) { std::memcpy(p, v.v, 32); }
inline Four fused(double a, Four b, Four c) {
    for (int i = 0; i < 4; ++i) c.v[i] = std::fma(a, b.v[i], c.v[i]);
    return c;
}
inline void turn(const double* b, Four (&even)[4], Four (&odd)[4]) {
    for (int n = 0; n < 8; ++n)
        for (int t = 0; t < 4; ++t) (n % 2 == 0 ? even : odd)[t].v[n / 2] = b[n * 4 + t];
}
inline Four canonical(Four v) {
    for (int i = 0; i < 4; ++i) v.v[i] = v.v[i] != v.v[i] ? num::real(num::kNan64) : v.v[i];
    return v;
}
#endif

}  // namespace emu::matmul
