// What the tables of forms are made of: a handler for the C++ type of a PTX type, and the usual shapes of operands.
#pragma once
#include <cstdint>
#include <type_traits>

#include "decode/decode.h"
#include "ops/lanes.h"

namespace emu {

/// An unsigned type to calculate in: no promotion to int, so no overflow of one.
template <class T>
using Word = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

/// f(T{}) for the unsigned integer of 2, 4 or 8 bytes.
template <class F>
Handler by_size(uint32_t bytes, F f) {
    switch (bytes) {
        case 2: return f(uint16_t{});
        case 4: return f(uint32_t{});
        default: return f(uint64_t{});
    }
}

/// f(T{}) for the integer of 16, 32 or 64 bits that a type is; untyped ones are unsigned.
template <class F>
Handler by_integer(Type type, F f) {
    switch (type) {
        case Type::s16: return f(int16_t{});
        case Type::s32: return f(int32_t{});
        case Type::s64: return f(int64_t{});
        case Type::b16: case Type::u16: return f(uint16_t{});
        case Type::b32: case Type::u32: return f(uint32_t{});
        default: return f(uint64_t{});
    }
}

// F of one, two or three values of a type and to it, as by_size and by_integer ask for it.
template <class F>
struct Unary {
    template <class T> Handler operator()(T) const { return &unary<T, T, F>; }
};
template <class F>
struct Binary {
    template <class T> Handler operator()(T) const { return &binary<T, T, T, F>; }
};
template <class F>
struct Ternary {
    template <class T> Handler operator()(T) const { return &ternary<T, T, T, T, F>; }
};

/// d, a
inline void operands2(Decode& d, Type to, Type from, Handler run) {
    d.expect(2, 2);
    d.inst.a = d.source(1, from);
    d.inst.d = d.dest(0, to);
    d.inst.run = run;
}

/// d, a, b
inline void operands3(Decode& d, Type to, Type a, Type b, Handler run) {
    d.expect(3, 3);
    d.inst.a = d.source(1, a);
    d.inst.b = d.source(2, b);
    d.inst.d = d.dest(0, to);
    d.inst.run = run;
}

/// d, a, b, c
inline void operands4(Decode& d, Type to, Type a, Type b, Type c, Handler run) {
    d.expect(4, 4);
    d.inst.a = d.source(1, a);
    d.inst.b = d.source(2, b);
    d.inst.c = d.source(3, c);
    d.inst.d = d.dest(0, to);
    d.inst.run = run;
}

}  // namespace emu
