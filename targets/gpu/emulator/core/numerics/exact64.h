// f64 arithmetic rounded toward zero and the infinities: exact results in 128 bits with a sticky last bit, rounded
// once. rn is the machine's own operation. Rare in kernels, so plain rather than fast.
//
// NaN results are as the f64 units of GPUs give them, as far as is known: the first operand that is NaN, made quiet,
// else 0xfff8000000000000.
#pragma once
#include <utility>

#include "numerics/rounding.h"

namespace emu::num {

using Wide = unsigned __int128;

inline double quiet(double x) { return real(bits(x) | 0x0008000000000000u); }

/// All ones where x is NaN, and a select by that: as `less` and `pick` of rounding.h.
inline uint64_t nan_mask(double x) { return 0u - ((0x7ff0000000000000u - (bits(x) & 0x7fffffffffffffffu)) >> 63); }
inline uint64_t quiet_if(double x, uint64_t otherwise) {
    const uint64_t mask = nan_mask(x);
    return (bits(quiet(x)) & mask) | (otherwise & ~mask);
}
inline double result_or(double result, uint64_t nan) {
    const uint64_t mask = nan_mask(result);
    return real((nan & mask) | (bits(result) & ~mask));
}

/// The result, or the NaN for it.
inline double with_nan(double result, double a) { return result_or(result, quiet_if(a, kNan64)); }
inline double with_nan(double result, double a, double b) {
    return result_or(result, quiet_if(a, quiet_if(b, kNan64)));
}
inline double with_nan(double result, double a, double b, double c) {
    return result_or(result, quiet_if(a, quiet_if(b, quiet_if(c, kNan64))));
}

/// (-1)^negative * magnitude * 2^exponent; the last bit of `magnitude` may stand for everything below it.
struct Exact {
    bool negative;
    Wide magnitude;
    int exponent;
};

inline bool finite(double x) { return (bits(x) & 0x7ff0000000000000u) != 0x7ff0000000000000u; }

inline Exact unpack(double x) {
    const uint64_t u = bits(x);
    const int e = static_cast<int>(u >> 52 & 0x7ff);
    const uint64_t m = u & 0xfffffffffffffu;
    return {(u >> 63) != 0, e == 0 ? m : m | 0x10000000000000u, (e == 0 ? 1 : e) - 1075};
}

inline int top_bit(Wide m) {  // of m != 0
    const uint64_t high = static_cast<uint64_t>(m >> 64);
    return high != 0 ? 127 - std::countl_zero(high) : 63 - std::countl_zero(static_cast<uint64_t>(m));
}

/// Shifts right by n >= 0; the last bit collects what falls out.
inline Wide shift_sticky(Wide m, int n) {
    if (n == 0) return m;
    if (n > 127) return m != 0;
    return (m >> n) | ((m & ((Wide{1} << n) - 1)) != 0);
}

/// Rounds to f64. A magnitude of 0 gives the zero of its sign.
template <Round R>
inline double pack(Exact x) {
    const uint64_t sign = x.negative ? uint64_t{1} << 63 : 0;
    if (x.magnitude == 0) return real(sign);
    const int top = top_bit(x.magnitude) + x.exponent;           // 2^top <= |x|
    const int last = (top < -1022 ? -1022 : top) - 52;           // the place of the result's last bit
    const int drop = last - x.exponent;
    uint64_t m;
    bool up = false;
    if (drop <= 0) {
        m = static_cast<uint64_t>(x.magnitude << -drop);
    } else {
        // Two bits more than the result has, so that half and sticky can be told apart.
        const Wide w = drop >= 2 ? shift_sticky(x.magnitude, drop - 2) : x.magnitude << (2 - drop);
        m = static_cast<uint64_t>(w >> 2);
        const unsigned rest = static_cast<unsigned>(w & 3);
        if constexpr (R == Round::rn) up = rest > 2 || (rest == 2 && (m & 1));
        if constexpr (R == Round::rna) up = rest >= 2;
        if constexpr (R == Round::rm) up = x.negative && rest;
        if constexpr (R == Round::rp) up = !x.negative && rest;
    }
    m += up;
    int e = last;
    if (m >> 53) { m >>= 1; ++e; }
    if (e + 52 > 1023) {
        const bool nearest = R == Round::rn || R == Round::rna;
        const bool infinite = nearest || (R == Round::rm && x.negative) || (R == Round::rp && !x.negative);
        return real(sign | (infinite ? 0x7ff0000000000000u : 0x7fefffffffffffffu));
    }
    const uint64_t field = m >> 52 ? static_cast<uint64_t>(e + 1075) << 52 | (m & 0xfffffffffffffu) : m;
    return real(sign | field);
}

/// The sum of two exact values whose magnitudes have at most 106 bits.
template <Round R>
inline double add_exact(Exact a, Exact b) {
    if (a.magnitude == 0 || b.magnitude == 0) {
        if (a.magnitude == 0 && b.magnitude == 0) {
            const bool negative = R == Round::rm ? a.negative || b.negative : a.negative && b.negative;
            return real(negative ? uint64_t{1} << 63 : 0);
        }
        return pack<R>(a.magnitude == 0 ? b : a);
    }
    // Both with bit 126 as their top, then the smaller shifted to the exponent of the larger: bits fall out only if
    // the exponents differ by more than 20, where nothing cancels and a sticky bit says enough.
    for (Exact* x : {&a, &b}) {
        const int up = 126 - top_bit(x->magnitude);
        x->magnitude <<= up;
        x->exponent -= up;
    }
    if (a.exponent < b.exponent) std::swap(a, b);
    b.magnitude = shift_sticky(b.magnitude, a.exponent - b.exponent);
    if (a.negative == b.negative) return pack<R>({a.negative, a.magnitude + b.magnitude, a.exponent});
    if (a.magnitude == b.magnitude) return real(R == Round::rm ? uint64_t{1} << 63 : 0);
    if (a.magnitude > b.magnitude) return pack<R>({a.negative, a.magnitude - b.magnitude, a.exponent});
    return pack<R>({b.negative, b.magnitude - a.magnitude, a.exponent});
}

template <Round R>
inline double add(double a, double b) {
    if (R == Round::rn || !finite(a) || !finite(b)) return with_nan(a + b, a, b);
    return add_exact<R>(unpack(a), unpack(b));
}

template <Round R>
inline double sub(double a, double b) {
    if (R == Round::rn || !finite(a) || !finite(b)) return with_nan(a - b, a, b);
    return add_exact<R>(unpack(a), unpack(-b));
}

inline Exact product(double a, double b) {
    const Exact x = unpack(a), y = unpack(b);
    return {x.negative != y.negative, x.magnitude * y.magnitude, x.exponent + y.exponent};
}

template <Round R>
inline double mul(double a, double b) {
    if (R == Round::rn || !finite(a) || !finite(b)) return with_nan(a * b, a, b);
    return pack<R>(product(a, b));
}

template <Round R>
inline double fma(double a, double b, double c) {
    if (R == Round::rn || !finite(a) || !finite(b) || !finite(c)) return with_nan(std::fma(a, b, c), a, b, c);
    return add_exact<R>(product(a, b), unpack(c));
}

template <Round R>
inline double div(double a, double b) {
    if (R == Round::rn || !finite(a) || !finite(b) || a == 0 || b == 0) return with_nan(a / b, a, b);
    const Exact x = unpack(a), y = unpack(b);
    // 64 quotient bits or more: the dividend's top at bit 126, the divisor's at most at 52.
    const int up = 126 - top_bit(x.magnitude);
    const Wide dividend = x.magnitude << up;
    const Wide quotient = dividend / y.magnitude;
    const bool rest = quotient * y.magnitude != dividend;
    return pack<R>({x.negative != y.negative, quotient << 1 | rest, x.exponent - up - y.exponent - 1});
}

template <Round R>
inline double sqrt(double a) {
    const double near = std::sqrt(a);
    if (R == Round::rn || !(a > 0) || !finite(a)) return with_nan(near, a);
    // near^2 against a, both exact: near's last place is far above the least subnormal.
    const Exact root = unpack(near), x = unpack(a);
    const Wide square = root.magnitude * root.magnitude;        // * 2^(2 * root.exponent), 105 or 106 bits
    // For a normal root of a number a: 2 * root.exponent lies 50 to 105 places below x.exponent.
    const Wide value = x.magnitude << (x.exponent - 2 * root.exponent);
    if (square == value) return near;
    const bool below = square > value;                          // the exact root is below near
    const bool step_down = below && (R == Round::rz || R == Round::rm), step_up = !below && R == Round::rp;
    return real(step_down ? bits(near) - 1 : step_up ? bits(near) + 1 : bits(near));
}

}  // namespace emu::num
