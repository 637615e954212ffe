// wmma.load and wmma.store: matrices in memory, by rows or by columns, to fragments and back. The memory is accessed by
// pieces of up to 32 bytes, one a lane.
#include "ops/wmma_memory.h"

#include <algorithm>
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
    // For each `unit` bytes of the registers, all lanes of one after the other, where they are in the lines, counted in
    // units. Of fragments whose registers repeat, those that differ.
    std::vector<uint16_t> places;
    int unit = 4;
    size_t each() const { return static_cast<size_t>(32 * (fragment.bits == 64 ? 8 : 4) / unit); }  // of a register
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

struct Piece { uint64_t words[2]; };

/// Registers from the matrix, or the matrix from them, by the table of places.
template <class T>
void take(const uint8_t* matrix, const uint16_t* places, size_t count, uint8_t* to) {
    for (size_t i = 0; i < count; ++i) std::memcpy(to + i * sizeof(T), matrix + places[i] * sizeof(T), sizeof(T));
}
template <class T>
void give(uint8_t* matrix, const uint16_t* places, size_t count, const uint8_t* from) {
    for (size_t i = 0; i < count; ++i) std::memcpy(matrix + places[i] * sizeof(T), from + i * sizeof(T), sizeof(T));
}

void run_load(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Access2d& m = inst.as<Access2d>();
    Resolved where;
    alignas(64) uint8_t matrix[kMostBytes] = {}, out[256];
    const size_t bytes = static_cast<size_t>(pieces(w, inst, mask, m, false, where));
    if (where.ok == 0) return;
    for (size_t p = 0; p < kLanes; ++p)
        if (where.ok >> p & 1) std::memcpy(matrix + p * bytes, where.host[p], bytes);
    const size_t each = m.each(), distinct = m.places.size() / each;
    for (size_t s = 0; s < m.slots.size(); ++s) {
        const uint16_t* places = m.places.data() + s % distinct * each;
        uint8_t* to = mask == kAll ? w.out<uint8_t>(m.slots[s]) : out;
        switch (m.unit) {
            case 1: take<uint8_t>(matrix, places, each, to); break;
            case 2: take<uint16_t>(matrix, places, each, to); break;
            case 4: take<uint32_t>(matrix, places, each, to); break;
            case 8: take<uint64_t>(matrix, places, each, to); break;
            default: take<Piece>(matrix, places, each, to); break;
        }
        if (mask == kAll) continue;
        if (m.fragment.bits == 64) w.put(m.slots[s], reinterpret_cast<const uint64_t*>(out), mask);
        else w.put(m.slots[s], reinterpret_cast<const uint32_t*>(out), mask);
    }
}

void run_store(Warp& w, const Inst& inst, Mask mask) {
    if (!mma::together(w, inst, mask)) return;
    const Access2d& m = inst.as<Access2d>();
    alignas(64) uint8_t matrix[kMostBytes];
    const size_t each = m.each();
    for (size_t i = 0; i < m.slots.size(); ++i) {
        const uint16_t* places = m.places.data() + i * each;
        const uint8_t* from = w.get<uint8_t>(m.slots[i]);
        switch (m.unit) {
            case 2: give<uint16_t>(matrix, places, each, from); break;
            case 4: give<uint32_t>(matrix, places, each, from); break;
            default: give<uint64_t>(matrix, places, each, from); break;
        }
    }
    Resolved where;
    const size_t bytes = static_cast<size_t>(pieces(w, inst, mask, m, true, where));
    for (size_t p = 0; p < kLanes; ++p)
        if (where.ok >> p & 1) std::memcpy(where.host[p], matrix + p * bytes, bytes);
}

/// Fills in what each register takes from where in the matrix's lines.
void tabulate(Access2d& m) {
    const Fragment& f = m.fragment;
    const auto at = [&](int row, int column) {  // in elements
        return static_cast<uint16_t>(f.column_major ? column * f.rows + row : row * f.columns + column);
    };
    const int lane_bytes = f.bits == 64 ? 8 : 4;
    if (f.part == Part::c) {
        m.unit = f.bits / 8;
        const int in_lane = lane_bytes / m.unit;  // f16: both columns
        m.places.resize(m.slots.size() * m.each());
        for (int row = 0; row < f.rows; ++row)
            for (int column = 0; column < f.columns; ++column) {
                const int odd = column & 1, slot = f.sum(row / 8, column / 8) + (in_lane == 1 ? odd : 0);
                const int lane = row % 8 * 4 + column % 8 / 2;
                const int part = in_lane == 1 ? 0 : odd;
                m.places[static_cast<size_t>((slot * 32 + lane) * in_lane + part)] = at(row, column);
            }
        return;
    }
    // Of lines along k, a tile takes whole pieces of 16 bytes, of others elements.
    const bool along_k = (f.part == Part::a) != f.column_major;
    m.unit = along_k ? 16 : f.bits / 8;
    const int in_row = 4 * lane_bytes / m.unit;
    m.places.resize(static_cast<size_t>(f.blocks() * f.chunks()) * m.each());
    for (int block = 0; block < f.blocks(); ++block)
        for (int chunk = 0; chunk < f.chunks(); ++chunk)
            for (int g = 0; g < 8; ++g)
                for (int e = 0; e < in_row; ++e) {
                    const int line = block * 8 + g, k = chunk * in_row + e;
                    const uint16_t place = along_k ? static_cast<uint16_t>(line * f.chunks() * in_row + k)
                                                   : f.part == Part::a ? at(line, k) : at(k, line);
                    m.places[static_cast<size_t>((f.tile(block, chunk) * 8 + g) * in_row + e)] = place;
                }
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
    tabulate(m);
    d.attach(std::move(m));
    d.inst.run = store ? run_store : run_load;
}

}  // namespace

void decode_load(Decode& d) { decode(d, false); }
void decode_store(Decode& d) { decode(d, true); }

}  // namespace emu::wmma
