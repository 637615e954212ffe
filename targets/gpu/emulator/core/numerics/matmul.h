// Matrix multiplication in the layout of warp fragments: what mma, wmma and wgmma have in common.
//
// Everything is made of tiles of 8 rows of 16 bytes (8 rows of 4 numbers for f64), the unit that ldmatrix loads: word
// l = 4 * row + t of a tile is what lane l of a warp holds in one register. A's tiles have its rows, B's tiles its
// columns; along k both are contiguous. The result's registers come by columns of 8 and rows of 8: lane 4 * g + t of
// register e holds row g, column 2 * t + e (f16: both columns in one register).
//
// Order of accumulation, the same on every level of the instruction set: the accumulator starts as c; products are
// added one by one in increasing k, each by one IEEE fused multiply-add in f32 (f64 for f64). Results in f16 are
// rounded once, at the end. Integers are exact. Every NaN result is 0x7fffffff (f16: 0x7fff).
#pragma once
#include <cstdint>

namespace emu::matmul {

/// Types of A and B that are computed in f32. Products of integers and their sums stay below 2^24, so they are exact.
enum class Element : uint8_t { f16, bf16, tf32, e4m3, e5m2, s8, u8, s4, u4 };

/// Elements in the 16 bytes of a tile's row.
constexpr int per_row(Element e) {
    switch (e) {
        case Element::f16: case Element::bf16: return 8;
        case Element::tf32: return 4;
        case Element::s4: case Element::u4: return 32;
        default: return 16;
    }
}
constexpr int kMostPerRow = 32;

/// What the accumulator's registers hold. s32: sums wrap; s32_sat: they stop at the largest and least number.
enum class Sum : uint8_t { f32, f16, s32, s32_sat };

/// A tile of A, each element four times: to[k * stride + lane] is that of row lane / 4.
using ExpandA = void (*)(const uint32_t* tile, float* to, int stride);
/// A tile of B: to[k * 8 + 4 * e + t] is the element of column 2 * t + e.
using PanelB = void (*)(const uint32_t* tile, float* to);
ExpandA expand_a(Element);
PanelB panel_b(Element);

struct Product {
    const float* a;                 // [k][rows][32], as expand_a leaves it
    const uint32_t* keep = nullptr; // [k][rows][32]: all ones where A has an element, else zero; null: everywhere
    const float* panel;             // [columns][k][8], as panel_b leaves it
    int rows;                       // of 8: 1 or 2
    int columns;                    // of 8
    int k;
    Sum sum;
    // Registers, 32 lanes each: [columns][rows][2], f16: [columns][rows]. c null: zeros. d[i] may be c[i].
    const uint32_t* const* c;
    uint32_t* const* d;
    uint32_t lanes = 0xffffffffu;   // of d that are written
};
void multiply(const Product&);

/// f64: a [chunks of 4 k][rows] and b [chunks] tiles of 32 numbers; c and d [rows][2]. `rounding` as fesetround's.
void multiply_f64(const double* const* a, const double* const* b, int rows, int chunks, const double* const* c,
                  double* const* d, uint32_t lanes, int rounding);

/// Bits: counts of ones of a & b or a ^ b over the chunks of 128 bits. a [chunks][rows], b [columns][chunks] tiles;
/// c and d as in Product, sums wrap.
void multiply_bits(const uint32_t* const* a, const uint32_t* const* b, int rows, int columns, int chunks,
                   bool exclusive, const uint32_t* const* c, uint32_t* const* d, uint32_t lanes);

/// Transposes the 8 by 8 16-bit elements of a tile.
void transpose16(const uint32_t* tile, uint32_t* to);

}  // namespace emu::matmul
