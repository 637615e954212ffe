// ldmatrix, stmatrix and movmatrix: 8 by 8 matrices of 16-bit elements between shared memory and registers, a row of 16
// bytes at each lane's address.
#include <cstring>

#include "machine/memory_count.h"
#include "machine/warp.h"
#include "numerics/matmul.h"
#include "ops/mma_operands.h"
#include "sanitizer/sanitizer.h"

namespace emu {
namespace {

struct Matrices {
    bool transposed = false;
    std::vector<Slot> registers;
};

/// The rows that the instruction touches: lane 8 * m + r has row r of matrix m.
Mask rows_of(const Matrices& m) { return m.registers.size() == 4 ? kAll : (1u << (8 * m.registers.size())) - 1; }

/// Resolves the rows and tells who wants to know.
bool access(Warp& w, const Inst& inst, Mask rows, bool write, Resolved& where) {
    uint64_t address[kLanes];
    w.addresses(inst, address);
    resolve(w, inst, rows, inst.space, address, 16, 16, write, where);
    if (where.ok == 0) return false;
    count_memory(w, inst, where.ok, inst.space, address, 16);
    if (w.sanitizer) w.sanitizer->access(w, inst, where.ok, where, 16, write ? Access::store() : Access::load());
    return true;
}

void run_load(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Matrices& m = inst.as<Matrices>();
    Resolved where;
    if (!access(w, inst, rows_of(m) & mask, false, where)) return;
    const bool all = mask == kAll && where.ok == rows_of(m) && !m.transposed;
    for (size_t i = 0; i < m.registers.size(); ++i) {
        if (all) {
            uint32_t* to = w.out<uint32_t>(m.registers[i]);
            for (size_t r = 0; r < 8; ++r) std::memcpy(to + 4 * r, where.host[8 * i + r], 16);
            continue;
        }
        alignas(64) uint32_t tile[32] = {}, turned[32];
        for (size_t r = 0; r < 8; ++r)
            if (where.ok >> (8 * i + r) & 1) std::memcpy(tile + 4 * r, where.host[8 * i + r], 16);
        if (m.transposed) matmul::transpose16(tile, turned);
        w.put(m.registers[i], m.transposed ? turned : tile, mask);
    }
}

void run_store(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Matrices& m = inst.as<Matrices>();
    Resolved where;
    if (!access(w, inst, rows_of(m) & mask, true, where)) return;
    for (size_t i = 0; i < m.registers.size(); ++i) {
        alignas(64) uint32_t turned[32];
        const uint32_t* tile = w.get<uint32_t>(m.registers[i]);
        if (m.transposed) {
            matmul::transpose16(tile, turned);
            tile = turned;
        }
        for (size_t r = 0; r < 8; ++r)
            if (where.ok >> (8 * i + r) & 1) std::memcpy(where.host[8 * i + r], tile + 4 * r, 16);
    }
}

void run_move(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    alignas(64) uint32_t turned[32];
    matmul::transpose16(w.get<uint32_t>(inst.a), turned);
    w.put(inst.d, turned, mask);
}

/// sync aligned m8n8 x1|x2|x4 [trans] [shared|shared::cta] b16; CUTLASS writes the number before the shape.
template <bool Store>
void decode_access(Decode& d) {
    d.expect(2, 2);
    const size_t count = d.has("x4") ? 4 : d.has("x2") ? 2 : 1;
    Matrices m;
    m.transposed = d.has("trans");
    d.inst.space = d.address(Store ? 0 : 1, d.has("shared") || d.has("shared::cta") ? Space::shared : Space::generic);
    m.registers = Store ? mma::sources(d, 1, count, Type::b32) : mma::dests(d, 0, count, Type::b32);
    d.attach(std::move(m));
    d.inst.run = Store ? run_store : run_load;
}

void decode_move(Decode& d) {
    d.expect(2, 2);
    d.inst.a = d.source(1, Type::b32);
    d.inst.d = d.dest(0, Type::b32);
    d.inst.run = run_move;
}

const Form kForms[] = {
    {"ldmatrix", "sync aligned m8n8 x1|x2|x4 [trans] [shared|shared::cta] b16", "r, [p]", decode_access<false>},
    {"ldmatrix", "sync aligned x1|x2|x4 [trans] m8n8 [trans] [shared|shared::cta] b16", "r, [p]", decode_access<false>},
    {"stmatrix", "sync aligned m8n8 x1|x2|x4 [trans] [shared|shared::cta] b16", "[p], r", decode_access<true>},
    {"stmatrix", "sync aligned x1|x2|x4 [trans] m8n8 [trans] [shared|shared::cta] b16", "[p], r", decode_access<true>},
    {"movmatrix", "sync aligned m8n8 trans b16", "d, a", decode_move},
};

}  // namespace

Forms matrix_load_forms() { return kForms; }

}  // namespace emu
