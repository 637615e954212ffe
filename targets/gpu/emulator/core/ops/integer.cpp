// Integer arithmetic without carries: add sub mul mad mul24 mad24 div rem abs neg min max sad dp4a dp2a.
#include "ops/carry.h"
#include "ops/integer_functions.h"

namespace emu {
namespace {

using namespace integer;

/// d, a, b of one type; signedness does not matter to F.
template <class F>
void wrapping(Decode& d) {
    const Type t = d.type();
    operands3(d, t, t, t, by_size(bytes_of(t), Binary<F>{}));
}

template <class F>
void two(Decode& d) {
    const Type t = d.type();
    operands3(d, t, t, t, by_integer(t, Binary<F>{}));
}

template <class F>
void three(Decode& d) {
    const Type t = d.type();
    operands4(d, t, t, t, t, by_integer(t, Ternary<F>{}));
}

template <class F>
void one(Decode& d) {
    const Type t = d.type();
    operands2(d, t, t, by_integer(t, Unary<F>{}));
}

/// Two of .s32, and F for nothing else.
template <class F>
void two_s32(Decode& d) { operands3(d, Type::s32, Type::s32, Type::s32, &binary<int32_t, int32_t, int32_t, F>); }

template <class F>
void three_s32(Decode& d) {
    operands4(d, Type::s32, Type::s32, Type::s32, Type::s32, &ternary<int32_t, int32_t, int32_t, int32_t, F>);
}

/// 24 bits: .u32 and .s32.
template <class F>
void two_24(Decode& d) {
    const Type t = d.type();
    operands3(d, t, t, t, by_integer(t, Binary<F>{}));
}
template <class F>
void three_24(Decode& d) {
    const Type t = d.type();
    operands4(d, t, t, t, t, by_integer(t, Ternary<F>{}));
}

/// Halves of 32 bits.
template <class T, class F>
void packed(Decode& d) {
    operands3(d, Type::b32, Type::b32, Type::b32, &binary<uint32_t, uint32_t, uint32_t, Halves<T, F>>);
}

struct WideTypes { Type type, wide; };
WideTypes widened(const Decode& d) {
    switch (const Type t = d.type()) {
        case Type::u16: return {t, Type::u32};
        case Type::s16: return {t, Type::s32};
        case Type::u32: return {t, Type::u64};
        default: return {t, Type::s64};
    }
}

void mul_wide(Decode& d) {
    const auto [t, wide] = widened(d);
    Handler run = nullptr;
    switch (t) {
        case Type::u16: run = &binary<uint32_t, uint16_t, uint16_t, MulWide>; break;
        case Type::s16: run = &binary<int32_t, int16_t, int16_t, MulWide>; break;
        case Type::u32: run = &binary<uint64_t, uint32_t, uint32_t, MulWide>; break;
        default: run = &binary<int64_t, int32_t, int32_t, MulWide>; break;
    }
    operands3(d, wide, t, t, run);
}

void mad_wide(Decode& d) {
    const auto [t, wide] = widened(d);
    Handler run = nullptr;
    switch (t) {
        case Type::u16: run = &ternary<uint32_t, uint16_t, uint16_t, uint32_t, Mad<MulWide>>; break;
        case Type::s16: run = &ternary<int32_t, int16_t, int16_t, int32_t, Mad<MulWide>>; break;
        case Type::u32: run = &ternary<uint64_t, uint32_t, uint32_t, uint64_t, Mad<MulWide>>; break;
        default: run = &ternary<int64_t, int32_t, int32_t, int64_t, Mad<MulWide>>; break;
    }
    operands4(d, wide, t, t, wide, run);
}

void mad_lo(Decode& d) {
    const Type t = d.type();
    operands4(d, t, t, t, t, by_size(bytes_of(t), Ternary<Mad<MulLo>>{}));
}

/// A dot product's types: the result and the addend are signed if a factor is.
template <template <class, class> class Dot, class UA, class SA>
void dot(Decode& d) {
    using W = uint32_t;
    const bool sa = d.type(0) == Type::s32, sb = d.type(1) == Type::s32;
    const Type t = sa || sb ? Type::s32 : Type::u32;
    const Handler run = sa ? (sb ? &ternary<W, W, W, W, Dot<SA, int8_t>> : &ternary<W, W, W, W, Dot<SA, uint8_t>>)
                           : (sb ? &ternary<W, W, W, W, Dot<UA, int8_t>> : &ternary<W, W, W, W, Dot<UA, uint8_t>>);
    operands4(d, t, d.type(0), d.type(1), t, run);
}
template <class A, class B> using Dp2aLo = Dp2a<A, B, 0>;
template <class A, class B> using Dp2aHi = Dp2a<A, B, 16>;

constexpr const char* kTypes = "u16|u32|u64|s16|s32|s64";

constexpr Form kForms[] = {
    {"add", kTypes, "d, a, b", wrapping<Add>},
    {"add", "sat s32", "d, a, b", two_s32<AddSat>},
    {"add", "u16x2|s16x2", "d, a, b", packed<uint16_t, Add>},
    {"add", "cc u32|s32|u64|s64", "d, a, b", carry_add<false, true>},
    {"addc", "u32|s32|u64|s64", "d, a, b", carry_add<true, false>},
    {"addc", "cc u32|s32|u64|s64", "d, a, b", carry_add<true, true>},
    {"sub", kTypes, "d, a, b", wrapping<Sub>},
    {"sub", "sat s32", "d, a, b", two_s32<SubSat>},
    {"sub", "cc u32|s32|u64|s64", "d, a, b", carry_sub<false, true>},
    {"subc", "u32|s32|u64|s64", "d, a, b", carry_sub<true, false>},
    {"subc", "cc u32|s32|u64|s64", "d, a, b", carry_sub<true, true>},
    {"mul", "lo u16|u32|u64|s16|s32|s64", "d, a, b", wrapping<MulLo>},
    {"mul", "hi u16|u32|u64|s16|s32|s64", "d, a, b", two<MulHi>},
    {"mul", "wide u16|u32|s16|s32", "d, a, b", mul_wide},
    {"mad", "lo u16|u32|u64|s16|s32|s64", "d, a, b, c", mad_lo},
    {"mad", "hi u16|u32|u64|s16|s32|s64", "d, a, b, c", three<Mad<MulHi>>},
    {"mad", "hi sat s32", "d, a, b, c", three_s32<MadSat<MulHi>>},
    {"mad", "wide u16|u32|s16|s32", "d, a, b, c", mad_wide},
    {"mad", "lo|hi cc u32|s32|u64|s64", "d, a, b, c", carry_mad<false, true>},
    {"madc", "lo|hi u32|s32|u64|s64", "d, a, b, c", carry_mad<true, false>},
    {"madc", "lo|hi cc u32|s32|u64|s64", "d, a, b, c", carry_mad<true, true>},
    {"mul24", "lo u32|s32", "d, a, b", two_24<Mul24<0>>},
    {"mul24", "hi u32|s32", "d, a, b", two_24<Mul24<16>>},
    {"mad24", "lo u32|s32", "d, a, b, c", three_24<Mad<Mul24<0>>>},
    {"mad24", "hi u32|s32", "d, a, b, c", three_24<Mad<Mul24<16>>>},
    {"mad24", "hi sat s32", "d, a, b, c", three_s32<MadSat<Mul24<16>>>},
    {"div", kTypes, "d, a, b", two<Div>},
    {"rem", kTypes, "d, a, b", two<Rem>},
    {"sad", kTypes, "d, a, b, c", three<Sad>},
    {"abs", "s16|s32|s64", "d, a", one<Abs>},
    {"neg", "s16|s32|s64", "d, a", one<Neg>},
    {"min", kTypes, "d, a, b", two<Min>},
    {"max", kTypes, "d, a, b", two<Max>},
    {"min", "relu s32", "d, a, b", two_s32<Relu<Min>>},
    {"max", "relu s32", "d, a, b", two_s32<Relu<Max>>},
    {"min", "u16x2", "d, a, b", packed<uint16_t, Min>},
    {"max", "u16x2", "d, a, b", packed<uint16_t, Max>},
    {"min", "s16x2", "d, a, b", packed<int16_t, Min>},
    {"max", "s16x2", "d, a, b", packed<int16_t, Max>},
    {"min", "relu s16x2", "d, a, b", packed<int16_t, Relu<Min>>},
    {"max", "relu s16x2", "d, a, b", packed<int16_t, Relu<Max>>},
    {"dp4a", "u32|s32 u32|s32", "d, a, b, c", dot<Dp4a, uint8_t, int8_t>},
    {"dp2a", "lo u32|s32 u32|s32", "d, a, b, c", dot<Dp2aLo, uint16_t, int16_t>},
    {"dp2a", "hi u32|s32 u32|s32", "d, a, b, c", dot<Dp2aHi, uint16_t, int16_t>},
};

}  // namespace

Forms integer_forms() { return kForms; }

}  // namespace emu
