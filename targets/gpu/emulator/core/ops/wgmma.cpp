// wgmma: matrix multiplications of a warpgroup, B and perhaps A in shared memory. Each warp computes its own 16 rows
// when it comes to the instruction; what is asynchronous about it is told to the sanitizer.
#include <cstring>
#include <memory>

#include "machine/memory_count.h"
#include "machine/warp.h"
#include "ops/mma_operands.h"
#include "ops/wgmma_descriptor.h"
#include "sanitizer/sanitizer.h"

namespace emu {
namespace {

using matmul::Element;
using matmul::Sum;

struct Wgmma {
    bool bits = false;          // b1
    Element a_type = Element::f16, b_type = Element::f16;
    Sum sum = Sum::f32;
    int columns = 1;            // of 8
    int chunks = 2;             // tiles of B along k; A has half of them where it is sparse
    bool sparse = false, negative = false;
    bool a_mn = false, b_mn = false;
    mma::Sparsity sparsity{};
    uint64_t flops = 0;         // of a warp
    Slot a_descriptor = kNone, b_descriptor = kNone, metadata = kNone;
    Slot scale_d = kNone;
    bool scale_d_negated = false;
    std::vector<Slot> a, d;     // a: registers, or empty
    int per() const { return matmul::per_row(a_type); }
    int a_chunks() const { return sparse ? chunks / 2 : chunks; }
};

constexpr int kMostTiles = 32 * 4;  // of B: 256 columns, 4 tiles along k where A is sparse

/// B as it was converted last, on this thread of the host: the four warps of a warpgroup, and later instructions, often
/// want the same. It is the same where the bytes are.
struct Panel {
    Element type = Element::f16;
    int columns = 0, chunks = 0;
    bool mn = false;
    alignas(64) uint8_t bytes[kMostTiles * 128];
    alignas(64) uint8_t read[kMostTiles * 128];  // where new bytes come
    alignas(64) float values[kMostTiles * 32 * 8];
};
Panel& panel_of_thread() {
    static thread_local std::unique_ptr<Panel> panel = std::make_unique<Panel>();
    return *panel;
}

const float* convert_b(const Wgmma& g, Panel& p) {
    const size_t bytes = static_cast<size_t>(g.columns * g.chunks) * 128;
    const bool same = p.type == g.b_type && p.columns == g.columns && p.chunks == g.chunks && p.mn == g.b_mn &&
                      std::memcmp(p.bytes, p.read, bytes) == 0;
    if (same) return p.values;
    p.type = g.b_type;
    p.columns = g.columns;
    p.chunks = g.chunks;
    p.mn = g.b_mn;
    std::memcpy(p.bytes, p.read, bytes);
    const matmul::PanelB convert = matmul::panel_b(g.b_type);
    const int step = g.per() * 8;
    for (int i = 0; i < g.columns * g.chunks; ++i) {
        alignas(64) uint32_t tile[32], turned[32];
        std::memcpy(tile, p.bytes + i * 128, 128);
        if (g.b_mn) matmul::transpose16(tile, turned);
        convert(g.b_mn ? turned : tile, p.values + i * step);
    }
    return p.values;
}

/// Tells the sanitizer which shared memory is read.
void in_flight(Warp& w, const Inst& inst, const std::vector<wgmma::Range>& ranges) {
    for (const wgmma::Range& r : ranges)
        w.sanitizer->async_access(w, inst, 0, w.cta->shared, r.offset, r.bytes, false, Queue::wgmma);
}

void run(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Wgmma& g = inst.as<Wgmma>();
    const int first = __builtin_ctz(mask);
    const uint32_t rank = w.index % 4;
    std::vector<wgmma::Range> ranges;
    std::vector<wgmma::Range>* told = w.sanitizer ? &ranges : nullptr;

    // A: 16 rows, tiles [chunks][2].
    alignas(64) uint8_t loaded[2 * 4 * 128];
    alignas(64) uint32_t tiles[8][32];
    const uint32_t* a[8];
    const int a_chunks = g.a_chunks();
    if (g.a_descriptor != kNone) {
        const wgmma::Descriptor at(w.get<uint64_t>(g.a_descriptor)[first]);
        if (!wgmma::gather(w, inst, at, g.a_mn, 2 * rank, 2, static_cast<uint32_t>(a_chunks), loaded, told)) return;
        if (told) in_flight(w, inst, ranges);
        count_bulk(w, inst, Space::shared, at.start, static_cast<uint64_t>(2 * a_chunks) * 128);
        for (int i = 0; i < 2 * a_chunks; ++i) {
            std::memcpy(tiles[i], loaded + (i % 2 * a_chunks + i / 2) * 128, 128);
            a[i] = tiles[i];
            if (g.a_mn) {
                alignas(64) uint32_t turned[32];
                matmul::transpose16(tiles[i], turned);
                std::memcpy(tiles[i], turned, 128);
            }
        }
    } else {
        for (int i = 0; i < 2 * a_chunks; ++i) a[i] = w.get<uint32_t>(g.a[static_cast<size_t>(i)]);
    }

    Panel& panel = panel_of_thread();
    const wgmma::Descriptor at(w.get<uint64_t>(g.b_descriptor)[first]);
    const uint32_t columns = static_cast<uint32_t>(g.columns), chunks = static_cast<uint32_t>(g.chunks);
    if (!wgmma::gather(w, inst, at, g.b_mn, 0, columns, chunks, panel.read, told)) return;
    if (told) in_flight(w, inst, ranges);
    // The tensor core reads B once for the four warps.
    if (rank == 0) count_bulk(w, inst, Space::shared, at.start, uint64_t{columns} * chunks * 128);

    const uint32_t* c[128];
    uint32_t* d[128];
    for (size_t i = 0; i < g.d.size(); ++i) c[i] = d[i] = w.out<uint32_t>(g.d[i]);
    const bool scale_d = ((w.predicate(g.scale_d) >> first & 1) != 0) != g.scale_d_negated;
    if (g.bits) {
        const uint32_t* b[kMostTiles];
        for (int i = 0; i < g.columns * g.chunks; ++i) b[i] = reinterpret_cast<const uint32_t*>(panel.read + i * 128);
        matmul::multiply_bits(a, b, 2, g.columns, g.chunks, false, scale_d ? c : nullptr, d, mask);
    } else {
        alignas(64) float values[64 * 2 * 32];
        alignas(64) float spread[mma::kMostSparse];
        alignas(64) uint32_t keep[mma::kMostSparse];
        const matmul::ExpandA expand = matmul::expand_a(g.a_type);
        const int per = g.per();
        for (int i = 0; i < 2 * a_chunks; ++i) expand(a[i], values + (i / 2 * per * 2 + i % 2) * 32, 64);
        if (g.negative)
            for (int i = 0; i < a_chunks * per * 64; ++i) values[i] = -values[i];
        if (g.sparse) mma::expand_sparse(g.sparsity, values, w.get<uint32_t>(g.metadata), spread, keep);
        matmul::multiply({.a = g.sparse ? spread : values, .keep = g.sparse ? keep : nullptr,
                          .panel = convert_b(g, panel), .rows = 2, .columns = g.columns, .k = g.chunks * per,
                          .sum = g.sum, .c = scale_d ? c : nullptr, .d = d, .lanes = mask});
    }
    mma::count_flops(w, inst, g.flops);
    if (w.sanitizer) {
        w.sanitizer->registers_in_flight(w, inst, g.d.data(), static_cast<uint32_t>(g.d.size()), true);
        if (!g.a.empty())
            w.sanitizer->registers_in_flight(w, inst, g.a.data(), static_cast<uint32_t>(g.a.size()), false);
    }
}

int one(Decode& d, size_t n, const char* what) {
    const int64_t v = d.is_literal(n) ? d.literal(n) : 0;
    if (v != 1 && v != -1) d.fail(std::string(what) + " must be 1 or -1");
    return static_cast<int>(v);
}
bool flag(Decode& d, size_t n, const char* what) {
    const int64_t v = d.is_literal(n) ? d.literal(n) : -1;
    if (v != 0 && v != 1) d.fail(std::string(what) + " must be 0 or 1");
    return v == 1;
}

enum class Family { half, other_float, integer, bits };

/// mma_async [sp] sync aligned SHAPE ...; the types are the words from Types on. Operands: d, a, b[, metadata,
/// selector], scale-d[, scale-a, scale-b[, trans-a][, trans-b]].
template <Family F, bool Sparse, int Types>
void decode(Decode& d) {
    const mma::Shape shape = mma::shape_of(d.word(Sparse ? 4 : 3));
    Wgmma g;
    g.sparse = Sparse;
    g.bits = F == Family::bits;
    const std::string& sum = d.word(Types);
    g.sum = sum == "f16" ? Sum::f16 : sum == "f32" ? Sum::f32 : d.has("satfinite") ? Sum::s32_sat : Sum::s32;
    int row_elements = 128;
    if (!g.bits) {
        g.a_type = mma::element_named(d, d.word(Types + 1));
        g.b_type = mma::element_named(d, d.word(Types + 2));
        row_elements = g.per();
    }
    g.columns = shape.n / 8;
    g.chunks = shape.k / row_elements;
    g.flops = 2ull * 16 * static_cast<uint64_t>(shape.n) * static_cast<uint64_t>(shape.k);

    const ast::Operand& a = d.operand(1);
    const bool in_registers = a.kind == ast::Operand::vector;
    size_t expected = 4;
    if (Sparse) expected += 2;
    if (F == Family::half) expected += in_registers ? 3 : 4;
    if (F == Family::other_float) expected += 2;
    d.expect(expected, expected);
    g.d = mma::dests(d, 0, static_cast<size_t>(g.columns) * (g.sum == Sum::f16 ? 2 : 4),
                     g.sum == Sum::f32 ? Type::f32 : Type::b32);
    if (in_registers) g.a = mma::sources(d, 1, static_cast<size_t>(2 * g.a_chunks()), Type::b32);
    else g.a_descriptor = d.source(1, Type::b64);
    g.b_descriptor = d.source(2, Type::b64);
    size_t next = 3;
    if (Sparse) {
        g.metadata = d.source(next++, Type::b32);
        const bool two = row_elements <= 8;  // selectors: lanes 0 and 1, or 2 and 3
        const int64_t selector = d.is_literal(next) ? d.literal(next) : -1;
        if (selector < 0 || selector > (two ? 1 : 0))
            d.fail(two ? "the sparsity selector must be 0 or 1" : "the sparsity selector must be 0");
        ++next;
        g.sparsity = {g.a_type, g.a_chunks(), static_cast<uint32_t>(selector)};
    }
    g.scale_d = d.predicate(d.operand(next++), &g.scale_d_negated);
    if (F == Family::half || F == Family::other_float) {
        const int scale_a = one(d, next++, "imm-scale-a"), scale_b = one(d, next++, "imm-scale-b");
        g.negative = scale_a != scale_b;
    }
    if (F == Family::half) {
        if (!in_registers) g.a_mn = flag(d, next++, "imm-trans-a");
        g.b_mn = flag(d, next++, "imm-trans-b");
    }
    d.attach(std::move(g));
    d.inst.run = run;
}

void run_fence(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    if (w.sanitizer) w.sanitizer->wgmma_fence(w, mask);
}
void run_commit(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    if (w.sanitizer) w.sanitizer->async_commit(w, mask, Queue::wgmma);
}
void run_wait(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    if (w.sanitizer) w.sanitizer->async_wait(w, mask, Queue::wgmma, static_cast<uint32_t>(inst.imm));
}

void decode_fence(Decode& d) {
    d.expect(0, 0);
    d.inst.run = run_fence;
}
void decode_commit(Decode& d) {
    d.expect(0, 0);
    d.inst.run = run_commit;
}
void decode_wait(Decode& d) {
    d.expect(1, 1);
    if (!d.is_literal(0)) d.fail("the number of groups must be a constant");
    d.inst.imm = d.literal(0);
    if (d.inst.imm < 0 || d.inst.imm > 0x7fffffff) d.fail("the number of groups is out of range");
    d.inst.run = run_wait;
}

// n of every multiple of 8, and those that integers take.
#define EMU_SOME_N(k)                                                                                             \
    "m64n8" k "|m64n16" k "|m64n24" k "|m64n32" k "|m64n48" k "|m64n64" k "|m64n80" k "|m64n96" k "|m64n112" k     \
    "|m64n128" k "|m64n144" k "|m64n160" k "|m64n176" k "|m64n192" k "|m64n208" k "|m64n224" k "|m64n240" k       \
    "|m64n256" k
#define EMU_EVERY_N(k)                                                                                            \
    EMU_SOME_N(k) "|m64n40" k "|m64n56" k "|m64n72" k "|m64n88" k "|m64n104" k "|m64n120" k "|m64n136" k          \
    "|m64n152" k "|m64n168" k "|m64n184" k "|m64n200" k "|m64n216" k "|m64n232" k "|m64n248" k

constexpr const char* kHalf = "d, a, b, scale-d, imm-scale-a, imm-scale-b[, imm-trans-a], imm-trans-b";
constexpr const char* kFloat = "d, a, b, scale-d, imm-scale-a, imm-scale-b";
constexpr const char* kInteger = "d, a, b, scale-d";
constexpr const char* kHalfSparse =
    "d, a, b, metadata, selector, scale-d, imm-scale-a, imm-scale-b[, imm-trans-a], imm-trans-b";
constexpr const char* kFloatSparse = "d, a, b, metadata, selector, scale-d, imm-scale-a, imm-scale-b";
constexpr const char* kIntegerSparse = "d, a, b, metadata, selector, scale-d";

const Form kForms[] = {
    {"wgmma", "mma_async sync aligned " EMU_EVERY_N("k16") " f16|f32 f16 f16", kHalf, decode<Family::half, false, 4>},
    {"wgmma", "mma_async sync aligned " EMU_EVERY_N("k16") " f32 bf16 bf16", kHalf, decode<Family::half, false, 4>},
    {"wgmma", "mma_async sync aligned " EMU_EVERY_N("k8") " f32 tf32 tf32", kFloat,
     decode<Family::other_float, false, 4>},
    {"wgmma", "mma_async sync aligned " EMU_EVERY_N("k32") " f16|f32 e4m3|e5m2 e4m3|e5m2", kFloat,
     decode<Family::other_float, false, 4>},
    {"wgmma", "mma_async sync aligned " EMU_SOME_N("k32") " [satfinite] s32 s8|u8 s8|u8 [satfinite]", kInteger,
     decode<Family::integer, false, 5>},
    {"wgmma", "mma_async sync aligned " EMU_SOME_N("k256") " s32 b1 b1 and popc", kInteger,
     decode<Family::bits, false, 4>},
    {"wgmma", "mma_async sp sync aligned " EMU_EVERY_N("k32") " f16|f32 f16 f16", kHalfSparse,
     decode<Family::half, true, 5>},
    {"wgmma", "mma_async sp sync aligned " EMU_EVERY_N("k32") " f32 bf16 bf16", kHalfSparse,
     decode<Family::half, true, 5>},
    {"wgmma", "mma_async sp sync aligned " EMU_EVERY_N("k16") " f32 tf32 tf32", kFloatSparse,
     decode<Family::other_float, true, 5>},
    {"wgmma", "mma_async sp sync aligned " EMU_EVERY_N("k64") " f16|f32 e4m3|e5m2 e4m3|e5m2", kFloatSparse,
     decode<Family::other_float, true, 5>},
    {"wgmma", "mma_async sp sync aligned " EMU_SOME_N("k64") " [satfinite] s32 s8|u8 s8|u8 [satfinite]", kIntegerSparse,
     decode<Family::integer, true, 6>},
    {"wgmma", "fence sync aligned", "", decode_fence},
    {"wgmma", "commit_group sync aligned", "", decode_commit},
    {"wgmma", "wait_group sync aligned", "n", decode_wait},
};

}  // namespace

Forms wgmma_forms() { return kForms; }

}  // namespace emu
