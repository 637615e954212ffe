// What atomic operations and asynchronous reductions make of the value in memory and an operand: new = F{}(old, b, c,
// flush). Values are bits; `c` is compare-and-swap's, `flush` of f32 sums: subnormals are zeros of their sign.
#pragma once
#include <cstdint>

#include "numerics/formats.h"
#include "numerics/rounding.h"

namespace emu::atomic_ops {

// ---- integers -------------------------------------------------------------------------------------------------------
struct And {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old & b); }
};
struct Or {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old | b); }
};
struct Xor {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old ^ b); }
};
struct Exchange {
    template <class T>
    T operator()(T, T b, T, bool) const { return b; }
};
struct CompareAndSwap {
    template <class T>
    T operator()(T old, T b, T c, bool) const { return old == b ? c : old; }
};
struct Add {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old + b); }
};
struct Increment {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool) const { return old >= b ? 0 : old + 1; }
};
struct Decrement {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool) const { return old == 0 || old > b ? b : old - 1; }
};
template <class Ordered, bool Max>
struct Choose {
    template <class T>
    T operator()(T old, T b, T, bool) const {
        static_assert(sizeof(T) == sizeof(Ordered));
        return (static_cast<Ordered>(b) > static_cast<Ordered>(old)) == Max ? b : old;
    }
};

// ---- floats ---------------------------------------------------------------------------------------------------------
struct AddF32 {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool flush) const {
        if (!flush) return num::bits(num::canonical(num::real(old) + num::real(b)));
        return num::bits(num::flush(num::canonical(num::flush(num::real(old)) + num::flush(num::real(b)))));
    }
};
struct AddF64 {
    uint64_t operator()(uint64_t old, uint64_t b, uint64_t, bool) const {
        return num::bits(num::real(old) + num::real(b));
    }
};

struct Half {
    static float wide(uint16_t code) { return num::f16_to_f32(code); }
    static uint16_t narrow(float x) { return num::f32_to_f16(x); }
    static constexpr uint16_t infinity = 0x7c00;
};
struct Brain {
    static float wide(uint16_t code) { return num::bf16_to_f32(code); }
    static uint16_t narrow(float x) { return num::f32_to_bf16(x); }
    static constexpr uint16_t infinity = 0x7f80;
};
/// f32 is wide enough that rounding the sum twice is rounding it once.
template <class H>
struct AddNarrow {
    uint16_t operator()(uint16_t old, uint16_t b, uint16_t, bool) const { return H::narrow(H::wide(old) + H::wide(b)); }
};
/// A NaN gives way to a number; -0 lies below +0.
template <class H, bool Max>
struct ChooseNarrow {
    uint16_t operator()(uint16_t old, uint16_t b, uint16_t, bool) const {
        const bool old_nan = (old & 0x7fff) > H::infinity, b_nan = (b & 0x7fff) > H::infinity;
        if (old_nan && b_nan) return 0x7fff;
        if (old_nan || b_nan) return old_nan ? b : old;
        const auto order = [](uint16_t u) { return u & 0x8000 ? -1 - (u & 0x7fff) : int{u}; };
        return (order(b) > order(old)) == Max ? b : old;
    }
};
/// Both halves of 32 bits.
template <class F>
struct Pair {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool flush) const {
        const auto low = F{}(static_cast<uint16_t>(old), static_cast<uint16_t>(b), uint16_t{0}, flush);
        const auto high = F{}(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16), uint16_t{0}, flush);
        return low | static_cast<uint32_t>(high) << 16;
    }
};

}  // namespace emu::atomic_ops
