// The kernels that multiply matrices in the layout of warp fragments. See matmul.h for the order of accumulation.
#include "numerics/matmul.h"

#include <bit>
#include <cfenv>
#include <cstring>

#include "numerics/formats.h"
#include "numerics/matmul_vector.h"

namespace emu::matmul {
namespace {

inline Vec load_bits(const uint32_t* p) { return load(reinterpret_cast<const float*>(p)); }  // vectors alias anything
inline void store_bits(uint32_t* p, Vec v) { store(reinterpret_cast<float*>(p), v); }

// With 32 vector registers, all lanes of a block's accumulators fit at once.
#if defined(__AVX512F__)
constexpr int kTogether = 2;
#else
constexpr int kTogether = 1;
#endif
constexpr int kParts = 32 / kWidth;

/// Columns consecutive blocks of 8 columns, Rows blocks of 8 rows. c null: zeros.
template <int Rows, int Columns, bool Masked>
void block(const float* a, const uint32_t* keep, const float* panel, int k, const uint32_t* const* c,
           uint32_t* const* d) {
    const long next = static_cast<long>(k) * 8;  // from one column block's panel to the next one's
    for (int part = 0; part < kParts; part += kTogether) {
        Vec sum[Columns][Rows][2][kTogether];
#pragma GCC unroll 32
        for (int s = 0; s < Columns * Rows * 2; ++s)
#pragma GCC unroll 2
            for (int h = 0; h < kTogether; ++h)
                sum[s / (Rows * 2)][s / 2 % Rows][s % 2][h] = c ? load_bits(c[s] + (part + h) * kWidth) : zero();
        for (int i = 0; i < k; ++i) {
            Vec b[Columns][2];
#pragma GCC unroll 2
            for (int j = 0; j < Columns; ++j)
#pragma GCC unroll 2
                for (int e = 0; e < 2; ++e) b[j][e] = four(panel + j * next + i * 8 + e * 4);
#pragma GCC unroll 2
            for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
                for (int h = 0; h < kTogether; ++h) {
                    const long at = (static_cast<long>(i) * Rows + r) * 32 + (part + h) * kWidth;
                    const Vec x = load(a + at);
#pragma GCC unroll 2
                    for (int j = 0; j < Columns; ++j)
#pragma GCC unroll 2
                        for (int e = 0; e < 2; ++e) {
                            const Vec y = fused(x, b[j][e], sum[j][r][e][h]);
                            if constexpr (Masked) sum[j][r][e][h] = choose(keep + at, y, sum[j][r][e][h]);
                            else sum[j][r][e][h] = y;
                        }
                }
        }
#pragma GCC unroll 32
        for (int s = 0; s < Columns * Rows * 2; ++s)
#pragma GCC unroll 2
            for (int h = 0; h < kTogether; ++h)
                store_bits(d[s] + (part + h) * kWidth, canonical(sum[s / (Rows * 2)][s / 2 % Rows][s % 2][h]));
    }
}

template <int Columns>
void columns_of(const Product& p, int column, const uint32_t* const* c, uint32_t* const* d) {
    const float* panel = p.panel + static_cast<long>(column) * p.k * 8;
    if (p.rows == 2) {
        if (p.keep) block<2, Columns, true>(p.a, p.keep, panel, p.k, c, d);
        else block<2, Columns, false>(p.a, nullptr, panel, p.k, c, d);
    } else {
        if (p.keep) block<1, Columns, true>(p.a, p.keep, panel, p.k, c, d);
        else block<1, Columns, false>(p.a, nullptr, panel, p.k, c, d);
    }
}

/// Writes the lanes.
inline void put(uint32_t* to, const uint32_t* from, uint32_t lanes) {
    if (lanes == 0xffffffffu) {
        std::memcpy(to, from, 128);
    } else {
        for (int l = 0; l < 32; ++l) to[l] = (lanes >> l & 1) != 0 ? from[l] : to[l];
    }
}

/// The float sums of a block of columns, as bits in `sum`, as the result's registers. c: the accumulators of integers,
/// taken before any register is written, or null.
void finish(const Product& p, int first, int count, const uint32_t (*c)[32], const uint32_t (*sum)[32]) {
    alignas(64) uint32_t out[32];
    if (p.sum == Sum::f16) {
        for (int s = 0; s < count / 2; ++s) {
            for (int l = 0; l < 32; ++l)
                out[l] = num::f32_to_f16(num::real(sum[2 * s][l])) |
                         static_cast<uint32_t>(num::f32_to_f16(num::real(sum[2 * s + 1][l]))) << 16;
            put(p.d[first / 2 + s], out, p.lanes);
        }
        return;
    }
    for (int s = 0; s < count; ++s) {
        if (p.sum == Sum::f32) {
            std::memcpy(out, sum[s], 128);
        } else {
            for (int l = 0; l < 32; ++l) {
                const uint32_t x = c ? c[s][l] : 0u;
                const uint32_t y = static_cast<uint32_t>(static_cast<int32_t>(num::real(sum[s][l])));  // exact
                const uint32_t z = x + y;
                const bool over = ((x ^ z) & (y ^ z)) >> 31 != 0;
                out[l] = p.sum == Sum::s32_sat && over ? 0x7fffffffu + (x >> 31) : z;
            }
        }
        put(p.d[first + s], out, p.lanes);
    }
}

/// Where sums are not just f32 in all lanes: through buffers.
template <int Columns>
void converted(const Product& p, int column) {
    const int count = Columns * p.rows * 2, first = column * p.rows * 2;
    alignas(64) uint32_t in[Columns * 4][32], out[Columns * 4][32];
    const uint32_t* c[Columns * 4];
    uint32_t* d[Columns * 4];
    for (int s = 0; s < count; ++s) {
        d[s] = out[s];
        c[s] = in[s];
        if (!p.c) continue;
        if (p.sum != Sum::f16) {
            std::memcpy(in[s], p.c[first + s], 128);
            continue;
        }
        const uint32_t* packed = p.c[(first + s) / 2];
        for (int l = 0; l < 32; ++l)
            in[s][l] = num::bits(num::f16_to_f32(static_cast<uint16_t>(packed[l] >> (16 * (s & 1)))));
    }
    const bool from_c = p.c && (p.sum == Sum::f32 || p.sum == Sum::f16);
    columns_of<Columns>(p, column, from_c ? c : nullptr, d);
    finish(p, first, count, p.c ? in : nullptr, out);
}

template <int Columns>
void some(const Product& p, int column) {
    if (p.sum == Sum::f32 && p.lanes == 0xffffffffu) {
        const int first = column * p.rows * 2;
        columns_of<Columns>(p, column, p.c ? p.c + first : nullptr, p.d + first);
    } else {
        converted<Columns>(p, column);
    }
}

#if defined(__clang__)
#define EMU_APART __attribute__((noinline))
#else
#define EMU_APART __attribute__((noipa))
#endif
/// On its own, so that the compiler moves none of it over a change of the rounding mode.
EMU_APART void fused_f64(const double* const* a, const double* const* b, int rows, int chunks, const double* const* c,
                         double* const* d) {
    Four left[4][4], right[4][4];  // even and odd columns of chunk, t
    for (int chunk = 0; chunk < chunks; ++chunk) turn(b[chunk], left[chunk], right[chunk]);
    for (int r = 0; r < rows; ++r)
        for (int g = 0; g < 8; g += 4) {  // four rows of the result at a time, each four lanes
            Four even[4], odd[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) {
                even[i] = load(c[2 * r] + 4 * (g + i));
                odd[i] = load(c[2 * r + 1] + 4 * (g + i));
            }
            for (int chunk = 0; chunk < chunks; ++chunk) {
                const double* x = a[chunk * rows + r] + 4 * g;
#pragma GCC unroll 4
                for (int t = 0; t < 4; ++t)
#pragma GCC unroll 4
                    for (int i = 0; i < 4; ++i) {
                        even[i] = fused(x[4 * i + t], left[chunk][t], even[i]);
                        odd[i] = fused(x[4 * i + t], right[chunk][t], odd[i]);
                    }
            }
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) {
                store(d[2 * r] + 4 * (g + i), canonical(even[i]));
                store(d[2 * r + 1] + 4 * (g + i), canonical(odd[i]));
            }
        }
}
#undef EMU_APART

}  // namespace

void multiply(const Product& p) {
    int column = 0;
    for (; column + 2 <= p.columns; column += 2) some<2>(p, column);
    if (column < p.columns) some<1>(p, column);
}

void multiply_f64(const double* const* a, const double* const* b, int rows, int chunks, const double* const* c,
                  double* const* d, uint32_t lanes, int rounding) {
    if (rows == 1 && lanes == 0xffffffffu && rounding == FE_TONEAREST) {
        fused_f64(a, b, rows, chunks, c, d);
        return;
    }
    // Through a buffer: d's registers may be other rows' of a and c.
    alignas(64) double sum[4][32];
    double* const to[4] = {sum[0], sum[1], sum[2], sum[3]};
    if (rounding == FE_TONEAREST) {  // as the host always is
        fused_f64(a, b, rows, chunks, c, to);
    } else {
        std::fesetround(rounding);
        fused_f64(a, b, rows, chunks, c, to);
        std::fesetround(FE_TONEAREST);
    }
    for (int s = 0; s < rows * 2; ++s) {
        if (lanes == 0xffffffffu) {
            std::memcpy(d[s], sum[s], 256);
        } else {
            for (int l = 0; l < 32; ++l) d[s][l] = (lanes >> l & 1) != 0 ? sum[s][l] : d[s][l];
        }
    }
}

void multiply_bits(const uint32_t* const* a, const uint32_t* const* b, int rows, int columns, int chunks,
                   bool exclusive, const uint32_t* const* c, uint32_t* const* d, uint32_t lanes) {
    const auto two = [](const uint32_t* p) {
        uint64_t v;
        std::memcpy(&v, p, 8);
        return v;
    };
    for (int j = 0; j < columns; ++j) {
        alignas(64) uint32_t out[4][32];
        for (int r = 0; r < rows; ++r)
            for (int g = 0; g < 8; ++g)
                for (int n = 0; n < 8; ++n) {
                    uint32_t count = 0;
                    for (int chunk = 0; chunk < chunks; ++chunk) {
                        const uint32_t* x = a[chunk * rows + r] + 4 * g;
                        const uint32_t* y = b[j * chunks + chunk] + 4 * n;
                        for (int w = 0; w < 4; w += 2) {
                            const uint64_t both = exclusive ? two(x + w) ^ two(y + w) : two(x + w) & two(y + w);
                            count += static_cast<uint32_t>(std::popcount(both));
                        }
                    }
                    const int s = r * 2 + n % 2, l = g * 4 + n / 2;
                    out[s][l] = count + (c ? c[j * rows * 2 + s][l] : 0u);
                }
        for (int s = 0; s < rows * 2; ++s) put(d[j * rows * 2 + s], out[s], lanes);
    }
}

}  // namespace emu::matmul
