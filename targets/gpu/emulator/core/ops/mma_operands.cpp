// How the matrix instructions read their operands, types and rounding.
#include "ops/mma_operands.h"

#include <cfenv>

#include "numerics/rounding.h"

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

/// Two elements of each four, by the metadata's places; the four's rows are Step apart.
template <int Step>
static void place(const float* __restrict first, const float* __restrict second, const uint32_t* __restrict word,
                  uint32_t shift, float* __restrict a, uint32_t* __restrict keep) {
    for (int l = 0; l < 32; ++l) {
        const uint32_t w = word[l] >> shift, x = num::bits(first[l]), y = num::bits(second[l]);
#pragma GCC unroll 4
        for (uint32_t p = 0; p < 4; ++p) {
            const uint32_t one = (w & 3u) == p ? 0xffffffffu : 0u, two = (w >> 2 & 3u) == p ? 0xffffffffu : 0u;
            a[static_cast<int>(p) * Step + l] = num::real((y & two) | (x & one & ~two));
            keep[static_cast<int>(p) * Step + l] = one | two;
        }
    }
}

void expand_sparse(const Sparsity& s, const float* stored, const uint32_t* metadata, float* a, uint32_t* keep) {
    const int per = matmul::per_row(s.element);
    const bool wide = per <= 8;               // 2-byte units; a tf32 is two of them
    const bool pairs = s.chunks == 2;         // the metadata takes twice the lanes
    const int in_unit = per == 32 ? 2 : 1;    // elements: 4-bit ones go in pairs
    // A nibble has the places of the two units that a row has of each four. A word holds four nibbles of row g and four
    // of row g + 8 (2-byte units), or eight of one row.
    const int nibbles = wide ? 4 : 8;
    const int groups = per == 4 ? per * s.chunks : per * s.chunks / (2 * in_unit);
    alignas(64) uint32_t words[4][32];        // of each lane of four, for all four
    for (int t = 0; t < 4; ++t)
        for (int l = 0; l < 32; ++l) words[t][l] = metadata[(l & ~3) + t];
    for (int q = 0; q < groups; ++q) {
        const uint32_t part = static_cast<uint32_t>(q / nibbles);  // 0 or 1
        for (uint32_t r = 0; r < 2; ++r) {
            const uint32_t lane = wide ? (pairs ? 2 * s.selector + part : s.selector)
                                       : (pairs ? 2 * part + r : 2 * s.selector + r);
            const uint32_t shift = wide ? 16 * r + 4 * static_cast<uint32_t>(q % 4) : 4 * static_cast<uint32_t>(q % 8);
            const uint32_t* word = words[lane & 3];
            const auto row = [r](auto* of, int k) { return of + (static_cast<size_t>(k) * 2 + r) * 32; };
            if (per == 4) {  // tf32: one of two; 0b0100 is the first, 0b1110 the second
                for (uint32_t p = 0; p < 2; ++p) {
                    const float* from = row(stored, q);
                    float* __restrict to = row(a, 2 * q + static_cast<int>(p));
                    uint32_t* __restrict there = row(keep, 2 * q + static_cast<int>(p));
                    for (int l = 0; l < 32; ++l) {
                        const bool here = (word[l] >> (shift + 1) & 1u) == p;
                        to[l] = here ? from[l] : 0.0f;
                        there[l] = here ? 0xffffffffu : 0u;
                    }
                }
                continue;
            }
            for (int n = 0; n < in_unit; ++n)
                (in_unit == 1 ? place<64> : place<128>)(
                    row(stored, 2 * q * in_unit + n), row(stored, (2 * q + 1) * in_unit + n), word, shift,
                    row(a, 4 * q * in_unit + n), row(keep, 4 * q * in_unit + n));
        }
    }
}

}  // namespace emu::mma
