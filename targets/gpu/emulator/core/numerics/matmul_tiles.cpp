// From the bits of fragments to floats in the order in which the kernels read them.
#include <cstring>

#include "numerics/formats.h"
#include "numerics/matmul.h"
#include "numerics/matmul_vector.h"

namespace emu::matmul {
namespace {

template <Element E>
inline float element(uint32_t word, int n) {
    if constexpr (E == Element::f16) return num::decode<num::kF16>(word >> (16 * n) & 0xffffu);
    if constexpr (E == Element::bf16) return num::real(word >> (16 * n) << 16);
    if constexpr (E == Element::tf32) return num::tf32_to_f32(word);
    if constexpr (E == Element::e4m3) return num::decode<num::kE4m3>(word >> (8 * n) & 0xffu);
    if constexpr (E == Element::e5m2) return num::decode<num::kE5m2>(word >> (8 * n) & 0xffu);
    if constexpr (E == Element::s8) return static_cast<float>(static_cast<int32_t>(word << (24 - 8 * n)) >> 24);
    if constexpr (E == Element::u8) return static_cast<float>(static_cast<int32_t>(word >> (8 * n) & 0xffu));
    if constexpr (E == Element::s4) return static_cast<float>(static_cast<int32_t>(word << (28 - 4 * n)) >> 28);
    if constexpr (E == Element::u4) return static_cast<float>(static_cast<int32_t>(word >> (4 * n) & 0xfu));
}

/// The n-th element of each word of a tile.
template <Element E>
inline void column(const uint32_t* tile, int n, float* to) {
#if defined(__AVX512F__)
    if constexpr (E == Element::f16) {
        for (int h = 0; h < 2; ++h) {
            const __m512i w = _mm512_loadu_si512(tile + 16 * h);
            const __m256i halves = _mm512_cvtepi32_epi16(n == 0 ? w : _mm512_srli_epi32(w, 16));
            _mm512_storeu_ps(to + 16 * h, _mm512_cvtph_ps(halves));
        }
        return;
    }
#elif defined(__AVX2__) && defined(__F16C__)
    if constexpr (E == Element::f16) {
        for (int h = 0; h < 4; ++h) {
            const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + 8 * h));
            const __m256i low = n == 0 ? _mm256_and_si256(w, _mm256_set1_epi32(0xffff)) : _mm256_srli_epi32(w, 16);
            const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
            _mm256_storeu_ps(to + 8 * h, _mm256_cvtph_ps(_mm256_castsi256_si128(packed)));
        }
        return;
    }
#endif
    for (int l = 0; l < 32; ++l) to[l] = element<E>(tile[l], n);
}

/// Lanes of a tile's four words of each row, by word: to[t][l] = from[4 * (l / 4) + t].
inline void spread(const float* from, int t, float* to) {
#if defined(__AVX512F__)
    for (int h = 0; h < 2; ++h) {
        const __m512 v = _mm512_loadu_ps(from + 16 * h);
        __m512 r;
        switch (t) {
            case 0: r = _mm512_permute_ps(v, 0x00); break;
            case 1: r = _mm512_permute_ps(v, 0x55); break;
            case 2: r = _mm512_permute_ps(v, 0xaa); break;
            default: r = _mm512_permute_ps(v, 0xff); break;
        }
        _mm512_storeu_ps(to + 16 * h, r);
    }
#else
    for (int l = 0; l < 32; l += 4) {
        const float x = from[l + t];
        to[l] = to[l + 1] = to[l + 2] = to[l + 3] = x;
    }
#endif
}

template <Element E>
void expand(const uint32_t* tile, float* to, int stride) {
    constexpr int words = per_row(E) / 4;  // elements in a word
#pragma GCC unroll 8
    for (int n = 0; n < words; ++n) {
        alignas(64) float values[32];
        column<E>(tile, n, values);
#pragma GCC unroll 4
        for (int t = 0; t < 4; ++t) spread(values, t, to + (t * words + n) * stride);
    }
}

template <Element E>
void panel(const uint32_t* tile, float* to) {
    constexpr int words = per_row(E) / 4;
#pragma GCC unroll 8
    for (int n = 0; n < words; ++n) {
        alignas(64) float values[32];
        column<E>(tile, n, values);
#if defined(__AVX512F__)
        // Column c's element of word t is at 4 * c + t; even columns go first, then the odd ones.
        const __m512 low = _mm512_load_ps(values), high = _mm512_load_ps(values + 16);
        const __m512i first = _mm512_setr_epi32(0, 8, 16, 24, 4, 12, 20, 28, 1, 9, 17, 25, 5, 13, 21, 29);
        const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(2));
        const __m512 r01 = _mm512_permutex2var_ps(low, first, high), r23 = _mm512_permutex2var_ps(low, second, high);
        _mm256_storeu_ps(to + 8 * n, _mm512_castps512_ps256(r01));
        _mm256_storeu_ps(to + 8 * (words + n), _mm512_extractf32x8_ps(r01, 1));
        _mm256_storeu_ps(to + 8 * (2 * words + n), _mm512_castps512_ps256(r23));
        _mm256_storeu_ps(to + 8 * (3 * words + n), _mm512_extractf32x8_ps(r23, 1));
#else
        for (int t = 0; t < 4; ++t) {
            float* row = to + 8 * (t * words + n);
            for (int c = 0; c < 8; ++c) row[4 * (c & 1) + c / 2] = values[4 * c + t];
        }
#endif
    }
}

}  // namespace

ExpandA expand_a(Element e) {
    switch (e) {
        case Element::f16: return expand<Element::f16>;
        case Element::bf16: return expand<Element::bf16>;
        case Element::tf32: return expand<Element::tf32>;
        case Element::e4m3: return expand<Element::e4m3>;
        case Element::e5m2: return expand<Element::e5m2>;
        case Element::s8: return expand<Element::s8>;
        case Element::u8: return expand<Element::u8>;
        case Element::s4: return expand<Element::s4>;
        case Element::u4: return expand<Element::u4>;
    }
    return nullptr;
}

PanelB panel_b(Element e) {
    switch (e) {
        case Element::f16: return panel<Element::f16>;
        case Element::bf16: return panel<Element::bf16>;
        case Element::tf32: return panel<Element::tf32>;
        case Element::e4m3: return panel<Element::e4m3>;
        case Element::e5m2: return panel<Element::e5m2>;
        case Element::s8: return panel<Element::s8>;
        case Element::u8: return panel<Element::u8>;
        case Element::s4: return panel<Element::s4>;
        case Element::u4: return panel<Element::u4>;
    }
    return nullptr;
}

void transpose16(const uint32_t* tile, uint32_t* to) {
    uint16_t from[64], turned[64];
    std::memcpy(from, tile, 128);
#if defined(__AVX512BW__)
    alignas(64) static constexpr auto order = [] {
        struct { uint16_t at[64]; } o{};
        for (int i = 0; i < 64; ++i) o.at[i] = static_cast<uint16_t>(i % 8 * 8 + i / 8);
        return o;
    }();
    const __m512i low = _mm512_loadu_si512(from), high = _mm512_loadu_si512(from + 32);
    for (int h = 0; h < 2; ++h) {
        const __m512i from_where = _mm512_load_si512(order.at + 32 * h);
        _mm512_storeu_si512(turned + 32 * h, _mm512_permutex2var_epi16(low, from_where, high));
    }
#else
    for (int r = 0; r < 8; ++r)
        for (int c = 0; c < 8; ++c) turned[8 * r + c] = from[8 * c + r];
#endif
    std::memcpy(to, turned, 128);
}

}  // namespace emu::matmul
