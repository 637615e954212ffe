// wmma.load and wmma.store: matrices in memory, by rows or by columns, to fragments and back. The memory is accessed by
// pieces of up to 32 bytes, one a lane.
#include "ops/wmma_memory.h"

#include <cstring>

#include "machine/memory_count.h"
#include "machine/warp.h"
#include "ops/wmma_fragment.h"
#include "sanitizer/sanitizer.h"

namespace emu::wmma {
namespace {

struct Access2d {
    Fragment fragment;
    Slot stride = kNone;       // u32, in elements; none: the lines follow each other
    std::vector<Slot> slots;
    int lines() const { return fragment.column_major ? fragment.columns : fragment.rows; }
    int line_bytes() const { return (fragment.column_major ? fragment.rows : fragment.columns) * fragment.bits / 8; }
};

constexpr int kMostBytes = 1024;  // of a matrix: 256 numbers of 4 bytes

/// Resolves the pieces. Piece p of the matrix, its lines one after the other, is lane p's.
int pieces(Warp& w, const Inst& inst, Mask mask, const Access2d& m, bool write, Resolved& where) {
    const int first = __builtin_ctz(mask);
    uint64_t base[kLanes], address[kLanes] = {};
    w.addresses(inst, base);
    const int bytes = std::min(32, m.line_bytes()), in_line = m.line_bytes() / bytes, count = in_line * m.lines();
    const uint64_t step = m.stride == kNone
                              ? static_cast<uint64_t>(m.line_bytes())
                              : uint64_t{w.get<uint32_t>(m.stride)[first]} * static_cast<uint64_t>(m.fragment.bits) / 8;
    for (int p = 0; p < count; ++p)
        address[p] =
            base[first] + static_cast<uint64_t>(p / in_line) * step + static_cast<uint64_t>(p % in_line * bytes);
    const Mask lanes = (count == 32 ? kAll : (1u << count) - 1) & mask;
    // Lines must be aligned as the manual says; the hardware minds only its own accesses, of elements or words.
    if (w.sanitizer && (base[first] % 16 != 0 || step % 16 != 0) && m.line_bytes() % 16 == 0)
        w.finding(Kind::misaligned, inst, first, base[first] % 16 != 0 ? base[first] : base[first] + step,
                  "the lines of a matrix must be aligned to 16 bytes: base address and stride are not");
    const uint32_t align = static_cast<uint32_t>(m.fragment.bits < 8 ? 4 : m.fragment.bits / 8);
    resolve(w, inst, lanes, inst.space, address, static_cast<uint32_t>(bytes), align, write, where);
    if (where.ok != 0) {
        const uint32_t size = static_cast<uint32_t>(bytes);
        count_memory(w, inst, where.ok, inst.space, address, size);
        if (w.sanitizer)
            w.sanitizer->access(w, inst, where.ok, where, size, write ? Access::store() : Access::load());
    }
    return bytes;
}

/// Where an element of the matrix is in its lines, one after the other. Elements of whole bytes only.
size_t place(const Fragment& f, int row, int column) {
    const int index = f.column_major ? column * f.rows + row : row * f.columns + column;
    return static_cast<size_t>(index * f.bits / 8);
}

void run_load(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Access2d& m = inst.as<Access2d>();
    const Fragment& f = m.fragment;
    Resolved where;
    alignas(64) uint8_t matrix[kMostBytes] = {};
    const size_t bytes = static_cast<size_t>(pieces(w, inst, mask, m, false, where));
    if (where.ok == 0) return;
    for (size_t p = 0; p < kLanes; ++p)
        if (where.ok >> p & 1) std::memcpy(matrix + p * bytes, where.host[p], bytes);

    alignas(64) uint8_t out[8][256] = {};
    const size_t size = f.bits == 64 ? 8 : 4;  // of a register
    if (f.part == Part::c) {
        const size_t element = static_cast<size_t>(f.bits / 8);
        for (int row = 0; row < f.rows; ++row)
            for (int column = 0; column < f.columns; ++column) {
                const int slot = f.sum(row / 8, column / 8), lane = row % 8 * 4 + column % 8 / 2, odd = column & 1;
                uint8_t* to = f.bits == 16 ? out[slot] + lane * 4 + odd * 2
                                           : out[slot + odd] + static_cast<size_t>(lane) * size;
                std::memcpy(to, matrix + place(f, row, column), element);
            }
    } else {
        const bool along_k = (f.part == Part::a) != f.column_major;  // lines go along k
        const int blocks = f.blocks(), chunks = f.chunks();
        const size_t row_bytes = f.bits == 64 ? 32 : 16;
        for (int block = 0; block < blocks; ++block)
            for (int chunk = 0; chunk < chunks; ++chunk)
                for (int g = 0; g < 8; ++g) {
                    uint8_t* to = out[f.tile(block, chunk)] + static_cast<size_t>(g) * row_bytes;
                    const int line = block * 8 + g;
                    if (along_k) {
                        std::memcpy(to, matrix + (static_cast<size_t>(line * chunks + chunk)) * row_bytes, row_bytes);
                    } else {
                        const size_t element = static_cast<size_t>(f.bits / 8);
                        const int per = static_cast<int>(row_bytes / element);
                        for (int e = 0; e < per; ++e) {
                            const int k = chunk * per + e;
                            const size_t at = f.part == Part::a ? place(f, line, k) : place(f, k, line);
                            std::memcpy(to + static_cast<size_t>(e) * element, matrix + at, element);
                        }
                    }
                }
    }
    const size_t distinct = f.part == Part::c ? m.slots.size() : static_cast<size_t>(f.blocks() * f.chunks());
    for (size_t i = 0; i < m.slots.size(); ++i) {
        if (size == 8) w.put(m.slots[i], reinterpret_cast<const uint64_t*>(out[i % distinct]), mask);
        else w.put(m.slots[i], reinterpret_cast<const uint32_t*>(out[i % distinct]), mask);
    }
}

void run_store(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Access2d& m = inst.as<Access2d>();
    const Fragment& f = m.fragment;
    alignas(64) uint8_t matrix[kMostBytes];
    const size_t element = static_cast<size_t>(f.bits / 8), size = f.bits == 64 ? 8 : 4;
    for (int row = 0; row < f.rows; ++row)
        for (int column = 0; column < f.columns; ++column) {
            const int slot = f.sum(row / 8, column / 8), lane = row % 8 * 4 + column % 8 / 2, odd = column & 1;
            const uint8_t* from = w.get<uint8_t>(m.slots[static_cast<size_t>(f.bits == 16 ? slot : slot + odd)]);
            from += f.bits == 16 ? static_cast<size_t>(lane * 4 + odd * 2) : static_cast<size_t>(lane) * size;
            std::memcpy(matrix + place(f, row, column), from, element);
        }
    Resolved where;
    const size_t bytes = static_cast<size_t>(pieces(w, inst, mask, m, true, where));
    for (size_t p = 0; p < kLanes; ++p)
        if (where.ok >> p & 1) std::memcpy(where.host[p], matrix + p * bytes, bytes);
}

void decode(Decode& d, bool store) {
    d.expect(2, 3);
    const std::string& part = d.word(1);
    Access2d m;
    m.fragment = fragment_of(d, part == "a" ? Part::a : part == "b" ? Part::b : Part::c, d.word(5), d.word(7));
    m.fragment.column_major = d.word(4) == "col";
    const std::string& space = d.word(6);
    const Space named = space.empty() ? Space::generic : space == "global" ? Space::global : Space::shared;
    d.inst.space = d.address(store ? 0 : 1, named);
    if (d.operands() == 3) m.stride = d.source(2, Type::b32);
    const size_t count = static_cast<size_t>(m.fragment.registers);
    m.slots = store ? mma::sources(d, 1, count, m.fragment.type) : mma::dests(d, 0, count, m.fragment.type);
    d.attach(std::move(m));
    d.inst.run = store ? run_store : run_load;
}

}  // namespace

void decode_load(Decode& d) { decode(d, false); }
void decode_store(Decode& d) { decode(d, true); }

}  // namespace emu::wmma
