// The conversions that kernels are full of, as single loops.
#include "numerics/half.h"
#include "ops/convert.h"

namespace emu {
namespace {

struct Same {
    template <class T>
    T operator()(T x) const { return x; }
};
template <class D, class A>
struct Cast { D operator()(A a) const { return static_cast<D>(a); } };

/// Rounds to an integral value, clamps, and gives 0 for NaN. The cast sees only what it can hold.
template <class D, Whole W>
struct ToInteger {
    D operator()(float x) const {
        if constexpr (W == Whole::rni) x = std::rint(x);
        constexpr bool is_signed = static_cast<D>(-1) < 0;
        constexpr float top = is_signed ? 0x1p31f : 0x1p32f, below = is_signed ? 0x1.fffffep30f : 0x1.fffffep31f;
        constexpr float low = is_signed ? -0x1p31f : 0.0f;
        float c = x < top ? x : below;
        c = c > low ? c : low;
        const D r = static_cast<D>(x == x ? c : 0.0f);
        return x >= top ? (is_signed ? static_cast<D>(0x7fffffff) : static_cast<D>(0xffffffff)) : r;
    }
};
template <class A>
struct FromInteger { float operator()(A a) const { return static_cast<float>(a); } };
struct HalfToFloat { float operator()(uint16_t a) const { return num::f16_to_f32(a); } };
struct FloatToHalf { uint16_t operator()(float a) const { return num::f32_to_f16(a); } };
struct BfloatToFloat { uint32_t operator()(uint16_t a) const { return static_cast<uint32_t>(a) << 16; } };
struct FloatToBfloat { uint16_t operator()(float a) const { return num::f32_to_bf16(a); } };
struct Double { double operator()(float a) const { return static_cast<double>(a); } };
struct Single { float operator()(double a) const { return num::canonical(static_cast<float>(a)); } };

struct Row {
    Type to, from;
    Round round;
    Whole whole;
    Handler run;
};
template <class D, class A>
constexpr Handler cast = unary<D, A, Cast<D, A>>;

constexpr Row kRows[] = {
    {Type::u64, Type::u32, Round::rn, Whole::none, cast<uint64_t, uint32_t>},
    {Type::s64, Type::u32, Round::rn, Whole::none, cast<uint64_t, uint32_t>},
    {Type::s64, Type::s32, Round::rn, Whole::none, cast<int64_t, int32_t>},
    {Type::u64, Type::s32, Round::rn, Whole::none, cast<int64_t, int32_t>},
    {Type::u32, Type::u64, Round::rn, Whole::none, cast<uint32_t, uint64_t>},
    {Type::u32, Type::s64, Round::rn, Whole::none, cast<uint32_t, uint64_t>},
    {Type::s32, Type::u64, Round::rn, Whole::none, cast<uint32_t, uint64_t>},
    {Type::s32, Type::s64, Round::rn, Whole::none, cast<uint32_t, uint64_t>},
    {Type::u32, Type::u16, Round::rn, Whole::none, cast<uint32_t, uint16_t>},
    {Type::s32, Type::u16, Round::rn, Whole::none, cast<uint32_t, uint16_t>},
    {Type::s32, Type::s16, Round::rn, Whole::none, cast<int32_t, int16_t>},
    {Type::u32, Type::s16, Round::rn, Whole::none, cast<int32_t, int16_t>},
    {Type::u64, Type::u16, Round::rn, Whole::none, cast<uint64_t, uint16_t>},
    {Type::s64, Type::s16, Round::rn, Whole::none, cast<int64_t, int16_t>},
    {Type::u16, Type::u32, Round::rn, Whole::none, cast<uint16_t, uint32_t>},
    {Type::u16, Type::s32, Round::rn, Whole::none, cast<uint16_t, uint32_t>},
    {Type::s16, Type::u32, Round::rn, Whole::none, cast<uint16_t, uint32_t>},
    {Type::s16, Type::s32, Round::rn, Whole::none, cast<uint16_t, uint32_t>},
    {Type::u16, Type::u64, Round::rn, Whole::none, cast<uint16_t, uint64_t>},
    {Type::f32, Type::s32, Round::rn, Whole::none, unary<float, int32_t, FromInteger<int32_t>>},
    {Type::f32, Type::u32, Round::rn, Whole::none, unary<float, uint32_t, FromInteger<uint32_t>>},
    {Type::f32, Type::u16, Round::rn, Whole::none, unary<float, uint16_t, FromInteger<uint16_t>>},
    {Type::f32, Type::s16, Round::rn, Whole::none, unary<float, int16_t, FromInteger<int16_t>>},
    {Type::f64, Type::s32, Round::rn, Whole::none, cast<double, int32_t>},
    {Type::f64, Type::u32, Round::rn, Whole::none, cast<double, uint32_t>},
    {Type::s32, Type::f32, Round::rn, Whole::rzi, unary<int32_t, float, ToInteger<int32_t, Whole::rzi>>},
    {Type::s32, Type::f32, Round::rn, Whole::rni, unary<int32_t, float, ToInteger<int32_t, Whole::rni>>},
    {Type::u32, Type::f32, Round::rn, Whole::rzi, unary<uint32_t, float, ToInteger<uint32_t, Whole::rzi>>},
    {Type::u32, Type::f32, Round::rn, Whole::rni, unary<uint32_t, float, ToInteger<uint32_t, Whole::rni>>},
    {Type::f32, Type::f16, Round::rn, Whole::none, unary<float, uint16_t, HalfToFloat>},
    {Type::f16, Type::f32, Round::rn, Whole::none, unary<uint16_t, float, FloatToHalf>},
    {Type::f32, Type::bf16, Round::rn, Whole::none, unary<uint32_t, uint16_t, BfloatToFloat>},
    {Type::bf16, Type::f32, Round::rn, Whole::none, unary<uint16_t, float, FloatToBfloat>},
    {Type::f64, Type::f32, Round::rn, Whole::none, unary<double, float, Double>},
    {Type::f32, Type::f64, Round::rn, Whole::none, unary<float, double, Single>},
};

template <class T>
constexpr Handler copy = unary<T, T, Same>;

}  // namespace

Handler fast_conversion(const Conversion& c) {
    if (c.from_bytes != bytes_of(c.from) || c.to_bytes != bytes_of(c.to) || c.sat || c.ftz) return nullptr;
    if (c.from == c.to && c.whole == Whole::none) {
        switch (c.to_bytes) {
            case 2: return copy<uint16_t>;
            case 4: return copy<uint32_t>;
            case 8: return copy<uint64_t>;
            default: return nullptr;
        }
    }
    for (const Row& row : kRows) {
        if (row.to == c.to && row.from == c.from && row.round == c.round && row.whole == c.whole) return row.run;
    }
    return nullptr;
}

}  // namespace emu
