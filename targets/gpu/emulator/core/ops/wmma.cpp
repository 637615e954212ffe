// wmma.mma, and the shapes of fragments. Loads and stores are in wmma_memory.cpp.
#include <cstring>

#include "machine/warp.h"
#include "numerics/formats.h"
#include "ops/wmma_fragment.h"
#include "ops/wmma_memory.h"

namespace emu {
namespace wmma {

Fragment fragment_of(Decode& d, Part part, const std::string& shape, const std::string& type) {
    const mma::Shape s = mma::shape_of(shape);
    Fragment f;
    f.part = part;
    f.rows = part == Part::b ? s.k : s.m;
    f.columns = part == Part::a ? s.k : s.n;
    static constexpr struct { const char* types; int bits; } widths[] = {
        {" f64 ", 64}, {" f32 s32 tf32 ", 32}, {" f16 bf16 ", 16}, {" s8 u8 ", 8}, {" s4 u4 ", 4}, {" b1 ", 1}};
    for (const auto& w : widths)
        if (std::strstr(w.types, (" " + type + " ").c_str())) f.bits = w.bits;
    const char* k = s.k == 4 ? "f64" : s.k == 8 ? "tf32" : s.k == 32 ? "s4 u4" : s.k == 128 ? "b1" : "f16 bf16 s8 u8";
    const char* sums = s.k == 4 ? "f64" : s.k == 8 ? "f32" : s.k == 16 ? "f16 f32 s32" : "s32";
    if ((" " + std::string(part == Part::c ? sums : k) + " ").find(" " + type + " ") == std::string::npos)
        d.fail("shape ." + shape + " has no matrices of ." + type);
    f.type = f.bits == 64 ? Type::f64 : type == "f32" ? Type::f32 : Type::b32;
    if (part == Part::c) f.registers = f.rows * f.columns / (f.bits == 16 ? 64 : 32);
    else f.registers = type == "f16" ? 8 : f.blocks() * f.chunks();
    return f;
}

}  // namespace wmma

namespace {

using matmul::Element;
using matmul::Sum;
using wmma::Fragment;
using wmma::Part;

struct Wmma {
    Fragment a, b, c, d;
    Element a_type = Element::f16, b_type = Element::f16;
    Sum sum = Sum::f32;          // in which is computed: f16 accumulators are f32 here
    bool bits = false, exclusive = false;
    int rounding = 0;
    uint64_t flops = 0;
    std::vector<Slot> a_slots, b_slots, c_slots, d_slots;
};

constexpr int kSums = 8;  // registers of an accumulator: 256 numbers, 8 a lane

void run_f64(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Wmma& m = inst.as<Wmma>();
    const double *a = w.get<double>(m.a_slots[0]), *b = w.get<double>(m.b_slots[0]);
    const double* c[2] = {w.get<double>(m.c_slots[0]), w.get<double>(m.c_slots[1])};
    double* d[2] = {w.out<double>(m.d_slots[0]), w.out<double>(m.d_slots[1])};
    matmul::multiply_f64(&a, &b, 1, 1, c, d, mask, m.rounding);
    mma::count_flops(w, inst, m.flops);
}

void run(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Wmma& m = inst.as<Wmma>();
    // The accumulator is taken first and given back last: its registers may be others of the result's.
    alignas(64) uint32_t in[kSums][32], out[kSums][32];
    const uint32_t* c[kSums];
    uint32_t* d[kSums];
    for (int i = 0; i < kSums; ++i) {
        c[i] = in[i];
        d[i] = out[i];
    }
    const size_t sums = static_cast<size_t>(m.c.rows * m.c.columns / 32);
    for (size_t i = 0; i < sums; ++i) {
        if (m.c.bits != 16) {
            std::memcpy(in[i], w.get<uint32_t>(m.c_slots[i]), 128);
        } else {
            const uint32_t* packed = w.get<uint32_t>(m.c_slots[i / 2]);
            for (int l = 0; l < 32; ++l)
                in[i][l] = num::bits(num::f16_to_f32(static_cast<uint16_t>(packed[l] >> (16 * (i & 1)))));
        }
    }
    const int pair = m.a.blocks() > 1 ? 2 : 1, chunks = m.a.chunks(), columns = m.b.blocks();
    const int each = columns * pair * 2;  // registers of 16 (or 8) rows
    if (m.bits) {
        const uint32_t *a = w.get<uint32_t>(m.a_slots[0]), *b = w.get<uint32_t>(m.b_slots[0]);
        matmul::multiply_bits(&a, &b, 1, 1, 1, m.exclusive, c, d, kAll);
    } else {
        alignas(64) float a[32 * 2 * 32], panel[4 * 32 * 8];
        const matmul::ExpandA expand = matmul::expand_a(m.a_type);
        const matmul::PanelB convert = matmul::panel_b(m.b_type);
        const int per = matmul::per_row(m.a_type);
        for (int j = 0; j < columns; ++j)
            for (int i = 0; i < chunks; ++i)
                convert(w.get<uint32_t>(m.b_slots[static_cast<size_t>(m.b.tile(j, i))]),
                        panel + (j * chunks + i) * per * 8);
        for (int t = 0; t < m.a.blocks() / pair; ++t) {
            for (int i = 0; i < chunks; ++i)
                for (int r = 0; r < pair; ++r)
                    expand(w.get<uint32_t>(m.a_slots[static_cast<size_t>(m.a.tile(t * pair + r, i))]),
                           a + (i * per * pair + r) * 32, pair * 32);
            matmul::multiply({.a = a, .panel = panel, .rows = pair, .columns = columns, .k = chunks * per, .sum = m.sum,
                              .c = c + t * each, .d = d + t * each});
        }
    }
    for (size_t i = 0; i < sums; ++i) {
        if (m.d.bits != 16) {
            w.put(m.d_slots[i], out[i], mask);
        } else if (i % 2 == 0) {
            alignas(64) uint32_t packed[32];
            for (int l = 0; l < 32; ++l)
                packed[l] = num::f32_to_f16(num::real(out[i][l])) |
                            static_cast<uint32_t>(num::f32_to_f16(num::real(out[i + 1][l]))) << 16;
            w.put(m.d_slots[i / 2], packed, mask);
        }
    }
    mma::count_flops(w, inst, m.flops);
}

void finish(Decode& d, Wmma m, const std::string& shape, const std::string& sum_d, const std::string& a,
            const std::string& b, const std::string& sum_c) {
    d.expect(4, 4);
    m.a = wmma::fragment_of(d, Part::a, shape, a);
    m.b = wmma::fragment_of(d, Part::b, shape, b);
    m.c = wmma::fragment_of(d, Part::c, shape, sum_c);
    m.d = wmma::fragment_of(d, Part::c, shape, sum_d);
    if (a != b) d.fail("the types of a and b must be the same");
    if (sum_c == "s32") m.sum = d.has("satfinite") ? Sum::s32_sat : Sum::s32;
    m.bits = a == "b1";
    m.exclusive = d.has("xor");
    m.rounding = mma::rounding_of(d);
    if (a != "f64" && !m.bits) m.a_type = m.b_type = mma::element_named(d, a);
    const mma::Shape s = mma::shape_of(shape);
    m.flops = 2ull * static_cast<uint64_t>(s.m) * static_cast<uint64_t>(s.n) * static_cast<uint64_t>(s.k);
    m.d_slots = mma::dests(d, 0, static_cast<size_t>(m.d.registers), m.d.type);
    m.a_slots = mma::sources(d, 1, static_cast<size_t>(m.a.registers), m.a.type);
    m.b_slots = mma::sources(d, 2, static_cast<size_t>(m.b.registers), m.b.type);
    m.c_slots = mma::sources(d, 3, static_cast<size_t>(m.c.registers), m.c.type);
    d.inst.run = a == "f64" ? run_f64 : run;
    d.attach(std::move(m));
}

/// mma sync aligned LAYOUT LAYOUT SHAPE D C, of f16
void decode_half(Decode& d) { finish(d, {}, d.word(5), d.word(6), "f16", "f16", d.word(7)); }

/// mma sync aligned LAYOUT LAYOUT SHAPE [..] D A B C
template <int Types>
void decode_typed(Decode& d) {
    finish(d, {}, d.word(5), d.word(Types), d.word(Types + 1), d.word(Types + 2), d.word(Types + 3));
}
/// mma xor|and popc sync aligned row col m8n8k128 s32 b1 b1 s32
void decode_bits(Decode& d) { finish(d, {}, d.word(7), "s32", "b1", "b1", "s32"); }

#define EMU_K16 "m16n16k16|m32n8k16|m8n32k16"
#define EMU_SPACE "[global|shared|shared::cta]"
constexpr const char* kMma = "d, a, b, c";
constexpr const char* kLoad = "r, [p][, stride]";
constexpr const char* kStore = "[p], r[, stride]";
const Form kForms[] = {
    {"wmma", "mma sync aligned row|col row|col " EMU_K16 " f16|f32 f16|f32", kMma, decode_half},
    {"wmma", "mma sync aligned row|col row|col " EMU_K16 " f32 bf16 bf16 f32", kMma, decode_typed<6>},
    {"wmma", "mma sync aligned row|col row|col m16n16k8 f32 tf32 tf32 f32", kMma, decode_typed<6>},
    {"wmma", "mma sync aligned row|col row|col " EMU_K16 " s32 s8|u8 s8|u8 s32 [satfinite]", kMma, decode_typed<6>},
    {"wmma", "mma sync aligned row|col row|col m8n8k4 [rn|rz|rm|rp] f64 f64 f64 f64", kMma, decode_typed<7>},
    {"wmma", "mma sync aligned row|col row|col m8n8k4 f64 f64 f64 f64 rn|rz|rm|rp", kMma, decode_typed<6>},
    {"wmma", "mma sync aligned row col m8n8k32 s32 s4|u4 s4|u4 s32 [satfinite]", kMma, decode_typed<6>},
    {"wmma", "mma sync aligned row col m8n8k128 s32 b1 b1 s32 xor|and popc", kMma, decode_typed<6>},
    {"wmma", "mma xor|and popc sync aligned row col m8n8k128 s32 b1 b1 s32", kMma, decode_bits},
    {"wmma", "load a|b sync aligned row|col " EMU_K16 " " EMU_SPACE " f16|bf16|s8|u8", kLoad, wmma::decode_load},
    {"wmma", "load a|b sync aligned row|col m16n16k8 " EMU_SPACE " tf32", kLoad, wmma::decode_load},
    {"wmma", "load a|b sync aligned row|col m8n8k4 " EMU_SPACE " f64", kLoad, wmma::decode_load},
    {"wmma", "load a sync aligned row m8n8k32 " EMU_SPACE " s4|u4", kLoad, wmma::decode_load},
    {"wmma", "load b sync aligned col m8n8k32 " EMU_SPACE " s4|u4", kLoad, wmma::decode_load},
    {"wmma", "load a sync aligned row m8n8k128 " EMU_SPACE " b1", kLoad, wmma::decode_load},
    {"wmma", "load b sync aligned col m8n8k128 " EMU_SPACE " b1", kLoad, wmma::decode_load},
    {"wmma", "load c sync aligned row|col " EMU_K16 " " EMU_SPACE " f16|f32|s32", kLoad, wmma::decode_load},
    {"wmma", "load c sync aligned row|col m16n16k8 " EMU_SPACE " f32", kLoad, wmma::decode_load},
    {"wmma", "load c sync aligned row|col m8n8k4 " EMU_SPACE " f64", kLoad, wmma::decode_load},
    {"wmma", "load c sync aligned row|col m8n8k32|m8n8k128 " EMU_SPACE " s32", kLoad, wmma::decode_load},
    {"wmma", "store d sync aligned row|col " EMU_K16 " " EMU_SPACE " f16|f32|s32", kStore, wmma::decode_store},
    {"wmma", "store d sync aligned row|col m16n16k8 " EMU_SPACE " f32", kStore, wmma::decode_store},
    {"wmma", "store d sync aligned row|col m8n8k4 " EMU_SPACE " f64", kStore, wmma::decode_store},
    {"wmma", "store d sync aligned row|col m8n8k32|m8n8k128 " EMU_SPACE " s32", kStore, wmma::decode_store},
};

}  // namespace

Forms wmma_forms() { return kForms; }

}  // namespace emu
