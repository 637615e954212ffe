// mma and mma.sp: the matrix multiplications of a warp on registers, sm_80 to sm_90. Every shape but the oldest one
// (m8n8k4 of f16) is tiles of 8 rows of 16 bytes; see numerics/matmul.h.
#include <cfenv>

#include "machine/warp.h"
#include "numerics/formats.h"
#include "numerics/matmul_scalar.h"
#include "ops/mma_operands.h"

namespace emu {
namespace {

using matmul::Element;
using matmul::Sum;
using mma::Shape;
using mma::shape_of;

struct Mma {
    matmul::ExpandA expand = nullptr;
    matmul::PanelB panel = nullptr;
    Sum sum = Sum::f32;
    bool exclusive = false;     // of bits
    int rows = 2, chunks = 1;   // of A: blocks of 8 rows, tiles along k as stored
    int per = 0;                // elements in a tile's row
    int rounding = FE_TONEAREST;
    uint64_t flops = 0;
    mma::Sparsity sparsity{};
    Slot metadata = kNone;
    std::vector<Slot> a, b, c, d;
};

template <size_t N, class T>
void pointers(const Warp& w, const std::vector<Slot>& slots, const T* (&to)[N]) {
    for (size_t i = 0; i < slots.size(); ++i) to[i] = w.get<T>(slots[i]);
}
template <size_t N, class T>
void targets(Warp& w, const std::vector<Slot>& slots, T* (&to)[N]) {
    for (size_t i = 0; i < slots.size(); ++i) to[i] = w.out<T>(slots[i]);
}

void run_float(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Mma& m = inst.as<Mma>();
    alignas(64) float a[64 * 2 * 32], panel[64 * 8];
    for (int i = 0; i < m.chunks * m.rows; ++i)
        m.expand(w.get<uint32_t>(m.a[i]), a + (i / m.rows * m.per * m.rows + i % m.rows) * 32, m.rows * 32);
    for (int i = 0; i < m.chunks; ++i) m.panel(w.get<uint32_t>(m.b[i]), panel + i * m.per * 8);
    const uint32_t* c[4];
    uint32_t* d[4];
    pointers(w, m.c, c);
    targets(w, m.d, d);
    matmul::multiply({.a = a, .panel = panel, .rows = m.rows, .columns = 1, .k = m.chunks * m.per, .sum = m.sum,
                      .c = c, .d = d, .lanes = mask});
    mma::count_flops(w, inst, m.flops);
}

void run_sparse(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Mma& m = inst.as<Mma>();
    alignas(64) float stored[64 * 2 * 32], a[mma::kMostSparse], panel[128 * 8];
    alignas(64) uint32_t keep[mma::kMostSparse];
    for (int i = 0; i < m.chunks * 2; ++i)
        m.expand(w.get<uint32_t>(m.a[i]), stored + (i / 2 * m.per * 2 + i % 2) * 32, 64);
    mma::expand_sparse(m.sparsity, stored, w.get<uint32_t>(m.metadata), a, keep);
    for (int i = 0; i < m.chunks * 2; ++i) m.panel(w.get<uint32_t>(m.b[i]), panel + i * m.per * 8);
    const uint32_t* c[4];
    uint32_t* d[4];
    pointers(w, m.c, c);
    targets(w, m.d, d);
    matmul::multiply({.a = a, .keep = keep, .panel = panel, .rows = 2, .columns = 1, .k = m.chunks * m.per * 2,
                      .sum = m.sum, .c = c, .d = d, .lanes = mask});
    mma::count_flops(w, inst, m.flops);
}

void run_f64(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Mma& m = inst.as<Mma>();
    const double *a[8], *b[4], *c[4];
    double* d[4];
    pointers(w, m.a, a);
    pointers(w, m.b, b);
    pointers(w, m.c, c);
    targets(w, m.d, d);
    matmul::multiply_f64(a, b, m.rows, m.chunks, c, d, mask, m.rounding);
    mma::count_flops(w, inst, m.flops);
}

void run_bits(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Mma& m = inst.as<Mma>();
    const uint32_t *a[4], *b[2], *c[4];
    uint32_t* d[4];
    pointers(w, m.a, a);
    pointers(w, m.b, b);
    pointers(w, m.c, c);
    targets(w, m.d, d);
    matmul::multiply_bits(a, b, m.rows, 1, m.chunks, m.exclusive, c, d, mask);
    mma::count_flops(w, inst, m.flops);
}

// ---- m8n8k4 of f16: four quarters of a warp, each with matrices of its own ------------------------------------------
struct Volta {
    bool a_column, b_row, c_half, d_half;
    std::vector<Slot> a, b, c, d;
};

/// Where the accumulator's i-th number of a lane (0..3 and, of the upper half warp, 4..7) lies.
void volta_place(bool half, int lane, int i, int& row, int& column) {
    if (half) {
        row = lane;
        column = i;
    } else {
        row = (lane & 4) + (lane & 1) + (i & 2);
        column = (i & 4) + (lane & 2) + (i & 1);
    }
}

void run_volta(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Volta& m = inst.as<Volta>();
    const auto half = [&](const std::vector<Slot>& slots, int lane, int i) {
        return num::f16_to_f32(static_cast<uint16_t>(w.get<uint32_t>(slots[i / 2])[lane] >> (16 * (i & 1))));
    };
    alignas(64) uint32_t out[8][32] = {};
    for (int quad = 0; quad < 4; ++quad) {
        float a[8][4], b[4][8], d[8][8];
        for (int n = 0; n < 8; ++n) {  // lanes of the quad pair
            const int lane = quad * 4 + n % 4 + n / 4 * 16;
            for (int i = 0; i < 4; ++i) {
                if (m.a_column) a[i + n / 4 * 4][n % 4] = half(m.a, lane, i);
                else a[n][i] = half(m.a, lane, i);
                if (m.b_row) b[n % 4][i + n / 4 * 4] = half(m.b, lane, i);
                else b[i][n] = half(m.b, lane, i);
            }
            for (int i = 0; i < 8; ++i) {
                int row, column;
                volta_place(m.c_half, n, i, row, column);
                d[row][column] = m.c_half ? half(m.c, lane, i) : w.get<float>(m.c[i])[lane];
            }
        }
        for (int r = 0; r < 8; ++r)
            for (int c = 0; c < 8; ++c) {
                for (int k = 0; k < 4; ++k) d[r][c] = matmul::fused(a[r][k], b[k][c], d[r][c]);
                d[r][c] = num::canonical(d[r][c]);
            }
        for (int n = 0; n < 8; ++n) {
            const int lane = quad * 4 + n % 4 + n / 4 * 16;
            for (int i = 0; i < 8; ++i) {
                int row, column;
                volta_place(m.d_half, n, i, row, column);
                const float x = d[row][column];
                if (m.d_half) out[i / 2][lane] |= static_cast<uint32_t>(num::f32_to_f16(x)) << (16 * (i & 1));
                else out[i][lane] = num::bits(x);
            }
        }
    }
    for (size_t i = 0; i < m.d.size(); ++i) w.put(m.d[i], out[i], mask);
    mma::count_flops(w, inst, 4 * 2 * 8 * 8 * 4);
}

void decode_volta(Decode& d) {
    // sync aligned m8n8k4 row|col row|col f16|f32 f16 f16 f16|f32
    d.expect(4, 4);
    Volta m;
    m.a_column = d.word(3) == "col";
    m.b_row = d.word(4) == "row";
    m.d_half = d.word(5) == "f16";
    m.c_half = d.word(8) == "f16";
    if (m.d_half && !m.c_half) d.fail("the result must be .f32 where the accumulator is");
    m.a = mma::sources(d, 1, 2, Type::b32);
    m.b = mma::sources(d, 2, 2, Type::b32);
    m.c = mma::sources(d, 3, m.c_half ? 4 : 8, m.c_half ? Type::b32 : Type::f32);
    m.d = mma::dests(d, 0, m.d_half ? 4 : 8, m.d_half ? Type::b32 : Type::f32);
    d.attach(std::move(m));
    d.inst.run = run_volta;
}

// ---- decoding -------------------------------------------------------------------------------------------------------
/// The registers, where `bits` are those of an element of A and B. `operand_type` is b32 or f64.
void registers(Decode& d, Mma& m, Shape shape, int bits, Type operands, Type sums) {
    const int width = operands == Type::f64 ? 256 : 128;
    const bool sparse = m.metadata != kNone || m.sparsity.chunks != 0;
    m.per = width / bits;
    m.rows = shape.m / 8;
    m.chunks = shape.k / m.per / (sparse ? 2 : 1);
    m.flops = 2ull * static_cast<uint64_t>(shape.m * shape.n * shape.k);
    const size_t count = static_cast<size_t>(m.sum == Sum::f16 ? m.rows : m.rows * 2);
    m.a = mma::sources(d, 1, static_cast<size_t>(m.rows * m.chunks), operands);
    m.b = mma::sources(d, 2, static_cast<size_t>(m.chunks * (sparse ? 2 : 1)), operands);
    m.c = mma::sources(d, 3, count, sums);
    m.d = mma::dests(d, 0, count, sums);
}

void set_types(Decode& d, Mma& m, const std::string& sum, const std::string& a, const std::string& b) {
    const Element ea = mma::element_named(d, a), eb = mma::element_named(d, b);
    m.expand = matmul::expand_a(ea);
    m.panel = matmul::panel_b(eb);
    m.sum = sum == "f16" ? Sum::f16 : sum == "f32" ? Sum::f32 : d.has("satfinite") ? Sum::s32_sat : Sum::s32;
    m.sparsity.element = ea;
}

Type type_of(Sum sum) { return sum == Sum::f32 ? Type::f32 : sum == Sum::f16 ? Type::b32 : Type::s32; }

/// sync aligned SHAPE row col SUM A B SUM, or with [satfinite] before the types.
template <int First>
void decode_dense(Decode& d) {
    d.expect(4, 4);
    Mma m;
    if (d.word(First) != d.word(First + 3)) d.fail("the accumulator's types must be the same");
    set_types(d, m, d.word(First), d.word(First + 1), d.word(First + 2));
    registers(d, m, shape_of(d.word(2)), static_cast<int>(mma::bits_of(m.sparsity.element)), Type::b32, type_of(m.sum));
    d.attach(std::move(m));
    d.inst.run = run_float;
}

/// sp sync aligned SHAPE row col ...
template <int First>
void decode_sparse(Decode& d) {
    d.expect(6, 6);
    Mma m;
    if (d.word(First) != d.word(First + 3)) d.fail("the accumulator's types must be the same");
    set_types(d, m, d.word(First), d.word(First + 1), d.word(First + 2));
    const Shape shape = shape_of(d.word(3));
    m.sparsity.chunks = 1;
    registers(d, m, shape, static_cast<int>(mma::bits_of(m.sparsity.element)), Type::b32, type_of(m.sum));
    m.sparsity.chunks = m.chunks;
    m.metadata = d.source(4, Type::b32);
    if (!d.is_literal(5)) d.fail("the sparsity selector must be a constant");
    const bool wide = matmul::per_row(m.sparsity.element) <= 8;
    const int64_t most = wide ? (m.chunks == 1 ? 3 : 1) : (m.chunks == 1 ? 1 : 0), selector = d.literal(5);
    if (selector < 0 || selector > most) d.fail("the sparsity selector must be 0 to " + std::to_string(most));
    m.sparsity.selector = static_cast<uint32_t>(selector);
    d.attach(std::move(m));
    d.inst.run = run_sparse;
}

/// sync aligned SHAPE row col f64 f64 f64 f64, the rounding before or after the types
void decode_f64(Decode& d) {
    d.expect(4, 4);
    Mma m;
    m.rounding = mma::rounding_of(d);
    registers(d, m, shape_of(d.word(2)), 64, Type::f64, Type::f64);
    d.attach(std::move(m));
    d.inst.run = run_f64;
}

/// sync aligned SHAPE row col s32 b1 b1 s32 xor|and popc
void decode_bits(Decode& d) {
    d.expect(4, 4);
    Mma m;
    m.sum = Sum::s32;
    m.exclusive = d.word(9) == "xor";
    registers(d, m, shape_of(d.word(2)), 1, Type::b32, Type::s32);
    d.attach(std::move(m));
    d.inst.run = run_bits;
}

constexpr const char* kOperands = "d, a, b, c";
constexpr const char* kSparseOperands = "d, a, b, c, metadata, selector";
const Form kForms[] = {
    {"mma", "sync aligned m8n8k4 row|col row|col f16|f32 f16 f16 f16|f32", kOperands, decode_volta},
    {"mma", "sync aligned m16n8k8|m16n8k16 row col f16|f32 f16 f16 f16|f32", kOperands, decode_dense<5>},
    {"mma", "sync aligned m16n8k8|m16n8k16 row col f32 bf16 bf16 f32", kOperands, decode_dense<5>},
    {"mma", "sync aligned m16n8k4|m16n8k8 row col f32 tf32 tf32 f32", kOperands, decode_dense<5>},
    {"mma", "sync aligned m16n8k16|m16n8k32 row col f16|f32 e4m3|e5m2 e4m3|e5m2 f16|f32", kOperands, decode_dense<5>},
    {"mma", "sync aligned m8n8k16|m16n8k16|m16n8k32 row col [satfinite] s32 s8|u8 s8|u8 s32", kOperands,
     decode_dense<6>},
    {"mma", "sync aligned m8n8k32|m16n8k32|m16n8k64 row col [satfinite] s32 s4|u4 s4|u4 s32", kOperands,
     decode_dense<6>},
    {"mma", "sync aligned m8n8k4|m16n8k4|m16n8k8|m16n8k16 row col [rn|rz|rm|rp] f64 f64 f64 f64", kOperands,
     decode_f64},
    {"mma", "sync aligned m8n8k4|m16n8k4|m16n8k8|m16n8k16 row col f64 f64 f64 f64 rn|rz|rm|rp", kOperands, decode_f64},
    {"mma", "sync aligned m8n8k128|m16n8k128|m16n8k256 row col s32 b1 b1 s32 xor|and popc", kOperands, decode_bits},
    {"mma", "sp|sp::ordered_metadata sync aligned m16n8k16|m16n8k32 row col f16|f32 f16 f16 f16|f32", kSparseOperands,
     decode_sparse<6>},
    {"mma", "sp|sp::ordered_metadata sync aligned m16n8k16|m16n8k32 row col f32 bf16 bf16 f32", kSparseOperands,
     decode_sparse<6>},
    {"mma", "sp|sp::ordered_metadata sync aligned m16n8k8|m16n8k16 row col f32 tf32 tf32 f32", kSparseOperands,
     decode_sparse<6>},
    {"mma", "sp|sp::ordered_metadata sync aligned m16n8k64 row col f32 e4m3|e5m2 e4m3|e5m2 f32", kSparseOperands,
     decode_sparse<6>},
    {"mma", "sp|sp::ordered_metadata sync aligned m16n8k32|m16n8k64 row col [satfinite] s32 s8|u8 s8|u8 s32",
     kSparseOperands, decode_sparse<7>},
    {"mma", "sp|sp::ordered_metadata sync aligned m16n8k64|m16n8k128 row col [satfinite] s32 s4|u4 s4|u4 s32",
     kSparseOperands, decode_sparse<7>},
};

}  // namespace

Forms mma_forms() { return kForms; }

}  // namespace emu
