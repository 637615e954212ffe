// What integer instructions do to one lane. All of them wrap and none has undefined behaviour, whatever the values.
#pragma once
#include <algorithm>
#include <limits>

#include "ops/pick.h"

namespace emu::integer {

/// Twice as wide, of the same signedness.
template <class T>
using Wide = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

template <class T>
Word<T> word(T v) { return static_cast<Word<T>>(v); }

struct Add {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(word(a) + word(b)); }
};
struct Sub {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(word(a) - word(b)); }
};
struct MulLo {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(word(a) * word(b)); }
};

template <class T>
Wide<T> product(T a, T b) {
    if constexpr (sizeof(T) == 2 && !std::is_signed_v<T>) return uint32_t{a} * uint32_t{b};
    else return static_cast<Wide<T>>(a) * b;
}
struct MulHi {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(product(a, b) >> (8 * sizeof(T))); }
};
struct MulWide {
    template <class T> Wide<T> operator()(T a, T b) const { return product(a, b); }
};

/// a * b + c of any multiplication.
template <class Multiply>
struct Mad {
    template <class T, class D> D operator()(T a, T b, D c) const { return Add{}(static_cast<D>(Multiply{}(a, b)), c); }
};

inline int32_t clamp32(int64_t v) {
    using Limits = std::numeric_limits<int32_t>;
    return static_cast<int32_t>(std::clamp<int64_t>(v, Limits::min(), Limits::max()));
}
struct AddSat {
    int32_t operator()(int32_t a, int32_t b) const { return clamp32(int64_t{a} + b); }
};
struct SubSat {
    int32_t operator()(int32_t a, int32_t b) const { return clamp32(int64_t{a} - b); }
};
template <class Multiply>
struct MadSat {
    int32_t operator()(int32_t a, int32_t b, int32_t c) const { return AddSat{}(Multiply{}(a, b), c); }
};

/// The low 24 bits, extended by the type's signedness.
template <class T>
int64_t bits24(T v) {
    if constexpr (std::is_signed_v<T>) return static_cast<int32_t>(static_cast<uint32_t>(v) << 8) >> 8;
    else return v & 0xffffff;
}
template <int Shift>  // 0: the low 32 bits of the 48, 16: the high ones
struct Mul24 {
    template <class T> T operator()(T a, T b) const {
        return static_cast<T>(static_cast<uint64_t>(bits24(a) * bits24(b)) >> Shift);
    }
};

struct Sad {
    template <class T> T operator()(T a, T b, T c) const { return Add{}(c, a < b ? Sub{}(b, a) : Sub{}(a, b)); }
};
struct Neg {
    template <class T> T operator()(T a) const { return Sub{}(T{0}, a); }
};
struct Abs {
    template <class T> T operator()(T a) const { return a < 0 ? Neg{}(a) : a; }
};

struct Min {
    template <class T> T operator()(T a, T b) const { return a < b ? a : b; }
};
struct Max {
    template <class T> T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class F>
struct Relu {
    template <class T> T operator()(T a, T b) const { const T r = F{}(a, b); return r < 0 ? T{0} : r; }
};

/// F on both halves of 32 bits.
template <class T, class F>
struct Halves {
    uint32_t operator()(uint32_t a, uint32_t b) const {
        const auto low = static_cast<uint16_t>(F{}(static_cast<T>(a), static_cast<T>(b)));
        const auto high = static_cast<uint16_t>(F{}(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
        return low | uint32_t{high} << 16;
    }
};

/// The quotient of magnitudes, b not 0. Up to 32 bits it goes by floating point of at least twice as many bits, where
/// the rounded quotient of integers cannot reach the next integer: so it vectorizes.
template <class U>
U quotient(U a, U b) {
    if constexpr (sizeof(U) == 8) {
        return a / b;
    } else {
        using F = std::conditional_t<sizeof(U) == 2, float, double>;
        using I = std::conditional_t<sizeof(U) == 2, int32_t, U>;
        return static_cast<U>(static_cast<I>(static_cast<F>(a) / static_cast<F>(b)));
    }
}
template <class T>
std::make_unsigned_t<T> magnitude(T v) {
    if constexpr (std::is_signed_v<T>) return static_cast<std::make_unsigned_t<T>>(Abs{}(v));
    else return v;
}
// PTX leaves division by zero to the machine: ptxas makes code whose quotient and remainder are both all ones.
struct Div {
    template <class T> T operator()(T a, T b) const {
        using U = std::make_unsigned_t<T>;
        const U q = quotient<U>(magnitude(a), b == 0 ? U{1} : magnitude(b));
        const T signed_q = std::is_signed_v<T> && (a < 0) != (b < 0) ? Neg{}(static_cast<T>(q)) : static_cast<T>(q);
        return b == 0 ? static_cast<T>(-1) : signed_q;
    }
};
struct Rem {
    template <class T> T operator()(T a, T b) const {
        return b == 0 ? static_cast<T>(-1) : Sub{}(a, MulLo{}(Div{}(a, b), b));
    }
};

/// The bits of F's width from bit `at` on, extended as F is: by shifts, so that everything stays in 32 bits.
template <class F>
uint32_t field(uint32_t v, int at) {
    constexpr int kBits = 8 * sizeof(F);
    const uint32_t top = v << (32 - kBits - at);
    if constexpr (std::is_signed_v<F>) return static_cast<uint32_t>(static_cast<int32_t>(top) >> (32 - kBits));
    else return top >> (32 - kBits);
}
/// The sum of products of bytes and c; A and B say how the bytes extend.
template <class A, class B>
struct Dp4a {
    uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
        return c + field<A>(a, 0) * field<B>(b, 0) + field<A>(a, 8) * field<B>(b, 8) + field<A>(a, 16) * field<B>(b, 16) +
               field<A>(a, 24) * field<B>(b, 24);
    }
};
/// Halfwords of a with two bytes of b, from bit `Low` on.
template <class A, class B, int Low>
struct Dp2a {
    uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
        return c + field<A>(a, 0) * field<B>(b, Low) + field<A>(a, 16) * field<B>(b, Low + 8);
    }
};

}  // namespace emu::integer
