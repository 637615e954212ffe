// Loops over the 32 lanes of a warp, written once: a function of one, two or three values becomes a handler.
#pragma once
#include <type_traits>

#include "machine/warp.h"

#if defined(__AVX512BW__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace emu {

// With all lanes active a result goes straight to its register, which is the common case; GCC is told that no lane
// reads what another writes (slots are the same or apart). Otherwise `Warp::put` merges it.
#define EMU_LANES(l) _Pragma("GCC ivdep") for (int l = 0; l < kLanes; ++l)

/// d = f(a) for each lane. F is a stateless callable type; the loops vectorize where F inlines, which `flatten` sees to.
template <class D, class A, class F>
[[gnu::flatten]] inline void unary(Warp& w, const Inst& i, Mask mask) {
    const A* a = w.get<A>(i.a);
    if (mask == kAll) {
        D* d = w.out<D>(i.d);
        EMU_LANES(l) d[l] = F{}(a[l]);
    } else {
        D d[kLanes];
        for (int l = 0; l < kLanes; ++l) d[l] = F{}(a[l]);
        w.put(i.d, d, mask);
    }
}

template <class D, class A, class B, class F>
[[gnu::flatten]] inline void binary(Warp& w, const Inst& i, Mask mask) {
    const A* a = w.get<A>(i.a);
    const B* b = w.get<B>(i.b);
    if (mask == kAll) {
        D* d = w.out<D>(i.d);
        EMU_LANES(l) d[l] = F{}(a[l], b[l]);
    } else {
        D d[kLanes];
        for (int l = 0; l < kLanes; ++l) d[l] = F{}(a[l], b[l]);
        w.put(i.d, d, mask);
    }
}

template <class D, class A, class B, class C, class F>
[[gnu::flatten]] inline void ternary(Warp& w, const Inst& i, Mask mask) {
    const A* a = w.get<A>(i.a);
    const B* b = w.get<B>(i.b);
    const C* c = w.get<C>(i.c);
    if (mask == kAll) {
        D* d = w.out<D>(i.d);
        EMU_LANES(l) d[l] = F{}(a[l], b[l], c[l]);
    } else {
        D d[kLanes];
        for (int l = 0; l < kLanes; ++l) d[l] = F{}(a[l], b[l], c[l]);
        w.put(i.d, d, mask);
    }
}

/// The sign bits of 32 integers of `Bytes` each.
template <int Bytes>
inline Mask signs(const void* values) {
    Mask m = 0;
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
    const auto* v = static_cast<const __m512i*>(values);
    if constexpr (Bytes == 2) {
        m = _mm512_movepi16_mask(_mm512_loadu_si512(v));
    } else if constexpr (Bytes == 4) {
        for (int k = 0; k < 2; ++k) m |= static_cast<Mask>(_mm512_movepi32_mask(_mm512_loadu_si512(v + k))) << (16 * k);
    } else {
        for (int k = 0; k < 4; ++k) m |= static_cast<Mask>(_mm512_movepi64_mask(_mm512_loadu_si512(v + k))) << (8 * k);
    }
#elif defined(__AVX2__)
    const auto* v = static_cast<const __m256i*>(values);
    if constexpr (Bytes == 2) {
        // Packing works on halves of 128 bits: the quarters come out in the order 0, 2, 1, 3.
        const __m256i packed = _mm256_packs_epi16(_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1));
        m = static_cast<Mask>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xd8)));
    } else if constexpr (Bytes == 4) {
        for (int k = 0; k < 4; ++k) {
            m |= static_cast<Mask>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_loadu_si256(v + k)))) << (8 * k);
        }
    } else {
        for (int k = 0; k < 8; ++k) {
            m |= static_cast<Mask>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_loadu_si256(v + k)))) << (4 * k);
        }
    }
#elif defined(__SSE2__)
    const auto* v = static_cast<const __m128i*>(values);
    if constexpr (Bytes == 2) {
        for (int k = 0; k < 2; ++k) {
            const __m128i packed = _mm_packs_epi16(_mm_loadu_si128(v + 2 * k), _mm_loadu_si128(v + 2 * k + 1));
            m |= static_cast<Mask>(_mm_movemask_epi8(packed)) << (16 * k);
        }
    } else if constexpr (Bytes == 4) {
        for (int k = 0; k < 8; ++k) {
            m |= static_cast<Mask>(_mm_movemask_ps(_mm_castsi128_ps(_mm_loadu_si128(v + k)))) << (4 * k);
        }
    } else {
        for (int k = 0; k < 16; ++k) {
            m |= static_cast<Mask>(_mm_movemask_pd(_mm_castsi128_pd(_mm_loadu_si128(v + k)))) << (2 * k);
        }
    }
#else
    using I = std::conditional_t<Bytes == 2, int16_t, std::conditional_t<Bytes == 4, int32_t, int64_t>>;
    const auto* v = static_cast<const I*>(values);
    for (int l = 0; l < kLanes; ++l) m |= static_cast<Mask>(v[l] < 0 ? 1u : 0u) << l;
#endif
    return m;
}

/// An integer of T's size to hold a truth value in: as wide as what is compared, so that the loop stays in vectors.
template <class T>
using Truth = std::conditional_t<sizeof(T) <= 2, int16_t, std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>;

/// The lanes where f(a) or f(a, b) holds, of all 32.
template <class A, class F>
inline Mask where(const A* a, F f) {
    Truth<A> holds[kLanes];
    for (int l = 0; l < kLanes; ++l) holds[l] = f(a[l]) ? -1 : 0;
    return signs<sizeof(Truth<A>)>(holds);
}

template <class A, class B, class F>
inline Mask where(const A* a, const B* b, F f) {
    Truth<A> holds[kLanes];
    for (int l = 0; l < kLanes; ++l) holds[l] = f(a[l], b[l]) ? -1 : 0;
    return signs<sizeof(Truth<A>)>(holds);
}

}  // namespace emu
