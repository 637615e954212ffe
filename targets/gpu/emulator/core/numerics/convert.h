// Integers to floats and back, exactly rounded and clamped as cvt does it.
#pragma once
#include "numerics/exact64.h"
#include "numerics/formats.h"

namespace emu::num {

/// The largest integer of `width` bits.
inline uint64_t largest_integer(uint32_t width, bool is_signed) {
    return ~uint64_t{0} >> (64 - width + (is_signed ? 1 : 0));
}

/// x, a number of 64 bits (signed unless `is_unsigned`), clamped to an integer type of `width` bits.
inline uint64_t clamp_integer(uint64_t x, bool is_unsigned, uint32_t width, bool to_signed) {
    const uint64_t top = largest_integer(width, to_signed);
    const int64_t s = static_cast<int64_t>(x);
    if (is_unsigned || s >= 0) return x > top ? top : x;
    const int64_t low = to_signed ? -static_cast<int64_t>(top) - 1 : 0;
    return static_cast<uint64_t>(s < low ? low : s);
}

/// An integral x, not NaN, as an integer of `width` bits, clamped to its range.
inline uint64_t to_integer(double x, uint32_t width, bool to_signed) {
    const double top = real(uint64_t{1023 + width - (to_signed ? 1 : 0)} << 52);  // 2^width or 2^(width - 1)
    const double low = to_signed ? -top : 0.0;
    if (x < low) x = low;
    if (x >= top) return largest_integer(width, to_signed);
    const bool high = x >= 0x1p63;
    return static_cast<uint64_t>(static_cast<int64_t>(high ? x - 0x1p63 : x)) + (high ? uint64_t{1} << 63 : 0);
}

/// A 64-bit integer as a double whose last bit is odd where it is inexact: to be rounded once more, to f32 or less.
inline double integer_to_odd(uint64_t x, bool is_unsigned) {
    const bool negative = !is_unsigned && static_cast<int64_t>(x) < 0;
    const uint64_t m = negative ? 0 - x : x;
    const uint64_t high = m >> 11, rest = m & 0x7ff;
    const bool exact = m < (uint64_t{1} << 53);
    const int64_t significand = static_cast<int64_t>(exact ? m : high | (rest != 0));
    const double magnitude = static_cast<double>(significand) * (exact ? 1.0 : 2048.0);
    return negative ? -magnitude : magnitude;
}

template <Round R>
inline double integer_to_f64(uint64_t x, bool is_unsigned) {
    const bool negative = !is_unsigned && static_cast<int64_t>(x) < 0;
    return pack<R>({negative, negative ? 0 - x : x, 0});
}

}  // namespace emu::num
