// What bit instructions do to one lane.
#pragma once
#include <algorithm>
#include <bit>

#include "ops/pick.h"

namespace emu::bits {

struct And {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(a & b); }
};
struct Or {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(a | b); }
};
struct Xor {
    template <class T> T operator()(T a, T b) const { return static_cast<T>(a ^ b); }
};
struct Not {
    template <class T> T operator()(T a) const { return static_cast<T>(~a); }
};
struct Cnot {
    template <class T> T operator()(T a) const { return a == 0 ? T{1} : T{0}; }
};

template <class T>
constexpr uint32_t width = 8 * sizeof(T);

// Amounts of the operand's width and more shift everything out, and leave the sign where there is one.
struct Shl {
    template <class T> T operator()(T a, uint32_t n) const {
        return n < width<T> ? static_cast<T>(static_cast<Word<T>>(a) << (n & (width<T> - 1))) : T{0};
    }
};
struct Shr {
    template <class T> T operator()(T a, uint32_t n) const {
        const uint32_t most = width<T> - 1;
        if constexpr (std::is_signed_v<T>) return static_cast<T>(a >> (n < most ? n : most));
        else return n <= most ? static_cast<T>(a >> (n & most)) : T{0};
    }
};
/// The high (Left) or low half of b:a after a shift by n, at most 32 (Clamp) or modulo 32. What comes in from the other
/// word is shifted in two steps, so that none is by 32.
template <bool Left, bool Clamp>
struct Shf {
    uint32_t operator()(uint32_t a, uint32_t b, uint32_t n) const {
        const uint32_t by = n & 31;
        const uint32_t shifted = Left ? b << by | a >> 1 >> (31 - by) : a >> by | b << 1 << (31 - by);
        return Clamp && n >= 32 ? (Left ? a : b) : shifted;
    }
};

/// Not by a product at the end: GCC would know it and call popcnt lane by lane.
struct Popc {
    template <class T> uint32_t operator()(T v) const {
        constexpr T all = static_cast<T>(~T{0});
        v = v - ((v >> 1) & (all / 3));
        v = (v & (all / 15 * 3)) + ((v >> 2) & (all / 15 * 3));
        v = (v + (v >> 4)) & (all / 255 * 15);
        v += v >> 8;
        v += v >> 16;
        if constexpr (sizeof(T) == 8) v += v >> 32;
        return static_cast<uint32_t>(v & 0x7f);
    }
};
/// Leading zeros, by the exponent of a float: clearing what stands below a one keeps it from rounding up to the next.
struct Clz {
    template <class T> uint32_t operator()(T v) const {
        const T rounds_down = v & static_cast<T>(~(v >> 1));
        if constexpr (sizeof(T) == 8) {
            const uint64_t bits = std::bit_cast<uint64_t>(static_cast<double>(rounds_down));
            return v == 0 ? 64 : static_cast<uint32_t>(0x3ff + 63 - (bits >> 52));
        } else {
            const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(rounds_down));
            return v == 0 ? width<T> : 0x7f + width<T> - 1 - (bits >> 23);
        }
    }
};
struct Brev {
    template <class T> T operator()(T v) const {
        constexpr T all = static_cast<T>(~T{0});
        v = (v >> 1 & all / 3) | (v & all / 3) << 1;
        v = (v >> 2 & all / 15 * 3) | (v & all / 15 * 3) << 2;
        v = (v >> 4 & all / 255 * 15) | (v & all / 255 * 15) << 4;
        if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
        else return __builtin_bswap64(v);
    }
};
/// The highest bit that differs from the sign; ~0 if none. With Amount how far to shift it to the top.
template <bool Amount>
struct Bfind {
    template <class T> uint32_t operator()(T v) const {
        using U = std::make_unsigned_t<T>;
        const uint32_t zeros = Clz{}(static_cast<U>(std::is_signed_v<T> && v < 0 ? ~v : v));
        return zeros == width<T> ? ~0u : Amount ? zeros : width<T> - 1 - zeros;
    }
};

/// Ones in the lowest n bits.
template <class U>
U low_ones(uint32_t n) {
    return static_cast<U>(~Shl{}(static_cast<U>(~U{0}), n));
}

/// `length` bits from `position` on, extended by the type's signedness; what lies past the top counts as its sign.
struct Bfe {
    template <class T> T operator()(T a, uint32_t position, uint32_t length) const {
        position &= 0xff;
        length &= 0xff;
        const T field = Shr{}(a, position);
        if constexpr (std::is_signed_v<T>) {
            const uint32_t left = width<T> - std::min(position, width<T> - 1);
            const uint32_t unused = width<T> - std::max(std::min(length, left), 1u);
            const T extended = static_cast<T>(static_cast<Word<T>>(field) << unused) >> unused;
            return length == 0 ? T{0} : extended;
        } else {
            return field & low_ones<T>(length);
        }
    }
};
/// The low `length` bits of a in place of those of b from `position` on.
struct Bfi {
    template <class T> T operator()(T a, T b, uint32_t position, uint32_t length) const {
        position &= 0xff;
        length &= 0xff;
        const T mask = Shl{}(low_ones<T>(length), position);
        return (b & ~mask) | (Shl{}(a, position) & mask);
    }
};
/// Ones from bit a on, b of them.
template <bool Clamp>
struct Bmsk {
    uint32_t operator()(uint32_t a, uint32_t b) const {
        if (!Clamp) {
            a &= 31;
            b &= 31;
        }
        return Shl{}(low_ones<uint32_t>(b), a);
    }
};
/// The low n bits of a, extended by the type's signedness.
template <bool Clamp>
struct Szext {
    template <class T> T operator()(T a, uint32_t n) const {
        const uint32_t keep = Clamp ? std::min(n, 32u) : n & 31;
        const uint32_t unused = 32 - std::max(keep, 1u);
        const T extended = static_cast<T>(static_cast<uint32_t>(a) << unused) >> unused;
        return keep == 0 ? T{0} : extended;
    }
};

/// The place of the n-th one at or above (n > 0) or below (n < 0) `base`; n = 0: base itself, if it is a one.
struct Fns {
    uint32_t operator()(uint32_t mask, uint32_t base, uint32_t offset) const {
        const auto n = static_cast<int32_t>(offset);
        if (base >= 32) return ~0u;
        if (n == 0) return mask >> base & 1 ? base : ~0u;
        uint32_t left = n < 0 ? -offset : offset;
        const int step = n < 0 ? -1 : 1;
        for (int at = static_cast<int>(base); at >= 0 && at < 32; at += step) {
            if ((mask >> at & 1) != 0 && --left == 0) return static_cast<uint32_t>(at);
        }
        return ~0u;
    }
};

/// Four bytes of b:a, chosen by the nibbles of s; a nibble's high bit asks for the byte's sign alone.
struct Prmt {
    uint32_t operator()(uint32_t a, uint32_t b, uint32_t s) const {
        uint32_t d = 0;
        for (int k = 0; k < 4; ++k) {
            const uint32_t nibble = s >> (4 * k);
            const uint32_t from = nibble & 4 ? b : a;
            const uint32_t byte = from >> (8 * (nibble & 3)) & 0xff;
            const uint32_t sign = byte & 0x80 ? 0xff : 0;
            d |= (nibble & 8 ? sign : byte) << (8 * k);
        }
        return d;
    }
};

}  // namespace emu::bits
