// Comparisons of one lane's values, integer and floating point.
#pragma once
#include <bit>
#include <cmath>

#include "ops/pick.h"

namespace emu::compare {

enum class Op : uint8_t { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

/// The comparison named so; lo ls hi hs are lt le gt ge of unsigned numbers.
Op named(const std::string& name);

template <Op O>
struct Compare {
    template <class T> bool operator()(T a, T b) const {
        if constexpr (O == Op::eq) return a == b;
        else if constexpr (O == Op::ne) {
            // Ordered, as all without u are: NaN differs from nothing.
            if constexpr (std::is_floating_point_v<T>) return (a < b) | (a > b);
            else return a != b;
        }
        else if constexpr (O == Op::lt) return a < b;
        else if constexpr (O == Op::le) return a <= b;
        else if constexpr (O == Op::gt) return a > b;
        else if constexpr (O == Op::ge) return a >= b;
        else if constexpr (O == Op::equ) return !((a < b) | (a > b));
        else if constexpr (O == Op::neu) return a != b;
        else if constexpr (O == Op::ltu) return !(a >= b);
        else if constexpr (O == Op::leu) return !(a > b);
        else if constexpr (O == Op::gtu) return !(a <= b);
        else if constexpr (O == Op::geu) return !(a < b);
        else if constexpr (O == Op::num) return (a == a) & (b == b);
        else return (a != a) | (b != b);
    }
};

/// Subnormals become zeros of their sign.
inline float flush(float v) {
    const uint32_t bits = std::bit_cast<uint32_t>(v);
    return std::bit_cast<float>((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}
template <Op O>
struct CompareFlushed {
    bool operator()(float a, float b) const { return Compare<O>{}(flush(a), flush(b)); }
};

// Floats of 16 bits are compared as the f32 of the same order: bf16 is one's high half, and f16 fits when its bits are
// moved to where f32 has them, though with another bias. Only NaN and infinity have to be told from large numbers.
struct Bf16 {
    static float order(uint16_t v) { return std::bit_cast<float>(uint32_t{v} << 16); }
};
template <bool Ftz>
struct F16 {
    static float order(uint16_t v) {
        const uint32_t magnitude = v & 0x7fffu, sign = (v & 0x8000u) << 16;
        uint32_t bits = magnitude << 13;
        if (magnitude >= 0x7c00) bits |= 0x7f800000;
        // The smallest of them would be subnormal in f32; the exponents of all are raised.
        else bits = (Ftz ? magnitude < 0x400 : magnitude == 0) ? 0 : bits + 0x00800000;
        return std::bit_cast<float>(bits | sign);
    }
};
/// Of halves: as 16-bit registers, or (High 0 or 1) that half of 32 bits.
template <Op O, class Half, int High = 0>
struct CompareHalf {
    template <class T> bool operator()(T a, T b) const {
        const auto half = [](T v) { return static_cast<uint16_t>(v >> (16 * High)); };
        return Compare<O>{}(Half::order(half(a)), Half::order(half(b)));
    }
};

}  // namespace emu::compare
