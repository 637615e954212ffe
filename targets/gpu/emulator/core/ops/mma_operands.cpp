#include "ops/mma_operands.h"

#include <cfenv>
#include <cstring>

namespace emu::mma {

namespace {
std::vector<ast::Operand> registers(Decode& d, size_t n, size_t count) {
    std::vector<ast::Operand> elements = d.elements(d.operand(n));
    if (elements.size() != count)
        d.fail("operand " + std::to_string(n + 1) + " has " + std::to_string(elements.size()) + " registers, not " +
               std::to_string(count));
    return elements;
}
}  // namespace

std::vector<Slot> sources(Decode& d, size_t n, size_t count, Type type) {
    std::vector<Slot> slots;
    for (const ast::Operand& o : registers(d, n, count)) slots.push_back(d.source(o, type));
    return slots;
}

std::vector<Slot> dests(Decode& d, size_t n, size_t count, Type type) {
    std::vector<Slot> slots;
    for (const ast::Operand& o : registers(d, n, count)) slots.push_back(d.dest(o, type));
    return slots;
}

Shape shape_of(const std::string& word) {
    Shape s;
    int* to = &s.m;
    for (const char c : word) {
        if (c == 'm') to = &s.m;
        else if (c == 'n') to = &s.n;
        else if (c == 'k') to = &s.k;
        else *to = *to * 10 + (c - '0');
    }
    return s;
}

int rounding_of(const Decode& d) {
    return d.has("rz") ? FE_TOWARDZERO : d.has("rm") ? FE_DOWNWARD : d.has("rp") ? FE_UPWARD : FE_TONEAREST;
}

matmul::Element element_named(Decode& d, const std::string& name) {
    using matmul::Element;
    if (name == "f16") return Element::f16;
    if (name == "bf16") return Element::bf16;
    if (name == "tf32") return Element::tf32;
    if (name == "e4m3") return Element::e4m3;
    if (name == "e5m2") return Element::e5m2;
    if (name == "s8") return Element::s8;
    if (name == "u8") return Element::u8;
    if (name == "s4") return Element::s4;
    if (name == "u4") return Element::u4;
    d.fail("." + name + " is no type of a matrix");
}

void expand_sparse(const Sparsity& s, const float* stored, const uint32_t* metadata, float* a, uint32_t* keep) {
    const int per = matmul::per_row(s.element);
    const int k = 2 * per * s.chunks;
    const size_t count = static_cast<size_t>(k) * 2 * 32;
    std::memset(a, 0, count * sizeof(float));
    std::memset(keep, 0, count * sizeof(uint32_t));
    const bool wide = s.element == matmul::Element::f16 || s.element == matmul::Element::bf16 ||
                      s.element == matmul::Element::tf32;  // 2-byte units; a tf32 is two of them
    const int in_unit = per == 32 ? 2 : 1;                 // elements: 4-bit ones go in pairs
    // A nibble has the places of the two units that a row has of each four. A word holds four nibbles of row g and four
    // of row g + 8 (2-byte units), or eight of one row.
    const int nibbles = wide ? 4 : 8;
    const int groups = per == 4 ? per * s.chunks : per * s.chunks / (2 * in_unit);
    for (int q = 0; q < groups; ++q) {
        const int part = q / nibbles;  // 0 or 1
        for (int r = 0; r < 2; ++r)
            for (int g = 0; g < 8; ++g) {
                const bool all_lanes = s.chunks == 2;
                uint32_t lane, shift;
                if (wide) {
                    lane = all_lanes ? (2 * s.selector + static_cast<uint32_t>(part)) & 3 : s.selector;
                    shift = static_cast<uint32_t>(16 * r + 4 * (q % 4));
                } else {
                    lane = all_lanes ? static_cast<uint32_t>(2 * part + r) : (2 * s.selector + static_cast<uint32_t>(r)) & 3;
                    shift = static_cast<uint32_t>(4 * (q % 8));
                }
                const uint32_t nibble = metadata[4 * g + static_cast<int>(lane)] >> shift & 15u;
                const auto place = [&](int from, int to) {
                    const size_t source = static_cast<size_t>(from * 2 + r) * 32 + static_cast<size_t>(4 * g);
                    const size_t target = static_cast<size_t>(to * 2 + r) * 32 + static_cast<size_t>(4 * g);
                    std::memcpy(a + target, stored + source, 16);
                    std::memset(keep + target, 0xff, 16);
                };
                if (per == 4) {  // tf32: one of two; 0b0100 is the first, 0b1110 the second
                    place(q, 2 * q + static_cast<int>(nibble >> 1 & 1u));
                } else {
                    for (int u = 0; u < 2; ++u) {
                        const int at = 4 * q + static_cast<int>(nibble >> (2 * u) & 3u);
                        for (int n = 0; n < in_unit; ++n) place((2 * q + u) * in_unit + n, at * in_unit + n);
                    }
                }
            }
    }
}

}  // namespace emu::mma
