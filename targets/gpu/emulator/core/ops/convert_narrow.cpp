// cvt to and from the narrow floats: halves with relu and satfinite, pairs of halves, tf32, and pairs of 8, 6 and
// 4-bit floats. Of two sources the first goes to the upper half of the result.
#include "numerics/half.h"
#include "ops/convert.h"

namespace emu {
namespace {

using num::Format;

template <bool Relu>
float entering(float x) { return Relu ? num::relu(x) : x; }

template <Format F, Round R, bool Relu, bool Saturate>
struct Encode {
    uint32_t operator()(float x) const { return num::encode<F, R, Saturate>(entering<Relu>(x)); }
};
// The shorter ways of rounding to nearest, where there are some.
template <>
struct Encode<num::kF16, Round::rn, false, false> {
    uint32_t operator()(float x) const { return num::f32_to_f16(x); }
};
template <>
struct Encode<num::kBf16, Round::rn, false, false> {
    uint32_t operator()(float x) const { return num::f32_to_bf16(x); }
};

template <class E>
struct One { uint16_t operator()(float a) const { return static_cast<uint16_t>(E{}(a)); } };
template <class E, class D, int Shift>
struct Two {
    D operator()(float a, float b) const { return static_cast<D>(E{}(a) << Shift | E{}(b)); }
};
/// The halves of a pair, each on its own.
template <class E, class D, int Shift, bool Bf16>
struct Pair {
    D operator()(uint32_t a) const {
        const float high = num::widen<Bf16>(static_cast<uint16_t>(a >> 16));
        const float low = num::widen<Bf16>(static_cast<uint16_t>(a));
        return static_cast<D>(E{}(high) << Shift | E{}(low));
    }
};

template <Format F>
Handler choose_half(Round round, bool relu, bool satfinite, int registers) {
    return with_bool(round == Round::rz, [=](auto z) {
        return with_bool(relu, [=](auto r) {
            return with_bool(satfinite, [=](auto s) -> Handler {
                using E = Encode<F, decltype(z)::value ? Round::rz : Round::rn, decltype(r)::value, decltype(s)::value>;
                if (registers == 1) return unary<uint16_t, float, One<E>>;
                return registers == 2 ? binary<uint32_t, float, float, Two<E, uint32_t, 16>>
                                      : binary<uint64_t, float, float, Two<E, uint32_t, 16>>;
            });
        });
    });
}

/// .rna as ptxas makes it for sm_90: half of the last place is added to what is finite, and the lower bits are cut off,
/// those of NaNs too. With satfinite what is then no number or infinite becomes the code before it.
template <bool Saturate>
struct Tf32Away {
    uint32_t operator()(float x) const {
        const uint32_t u = num::bits(x);
        const bool finite = (u & 0x7fffffffu) < 0x7f800000u;
        const uint32_t r = (finite ? u + 0x1000u : u) & 0xffffe000u;
        return Saturate && (r & 0x7fffffffu) >= 0x7f800000u ? r - 0x2000u : r;
    }
};
template <Round R, bool Relu, bool Saturate>
struct Tf32 {
    uint32_t operator()(float x) const { return num::f32_to_tf32<R, Saturate>(entering<Relu>(x)); }
};

/// A pair of 4-bit numbers goes to an 8-bit register, which has 16 bits a lane.
template <class E, int Bits>
Handler choose_sources(Type source) {
    using D = uint16_t;
    if (source == Type::f32) return binary<D, float, float, Two<E, D, Bits>>;
    if (source == Type::f16x2) return unary<D, uint32_t, Pair<E, D, Bits, false>>;
    return unary<D, uint32_t, Pair<E, D, Bits, true>>;
}
template <Format F, int Bits>
Handler choose_narrow(bool relu, Type source) {
    return with_bool(relu, [=](auto r) {
        return choose_sources<Encode<F, Round::rn, decltype(r)::value, true>, Bits>(source);
    });
}

template <Round R, bool Saturate>
struct Scale {
    uint32_t operator()(float x) const { return num::f32_to_ue8m0<R, Saturate>(x); }
};

template <Format F, bool Relu, class A, int Shift>
struct Widen {
    uint32_t operator()(A a) const {
        const uint32_t high = num::f32_to_f16(entering<Relu>(num::decode<F>(a >> Shift)));
        return high << 16 | num::f32_to_f16(entering<Relu>(num::decode<F>(a)));
    }
};
struct WidenScale {
    uint32_t operator()(uint16_t a) const {
        const uint32_t high = num::f32_to_bf16(num::ue8m0_to_f32(static_cast<uint8_t>(a >> 8)));
        return high << 16 | num::f32_to_bf16(num::ue8m0_to_f32(static_cast<uint8_t>(a)));
    }
};
template <Format F, class A, int Shift>
Handler choose_widen(bool relu) {
    return relu ? unary<uint32_t, A, Widen<F, true, A, Shift>> : unary<uint32_t, A, Widen<F, false, A, Shift>>;
}

}  // namespace

void decode_convert_half(Decode& d) {
    const Type to = d.type(0);
    const bool pair = to == Type::f16x2 || to == Type::bf16x2, bf16 = to == Type::bf16 || to == Type::bf16x2;
    d.expect(pair ? 3 : 2, pair ? 3 : 2);
    Type declared = to;
    d.inst.d = pair ? d.dest_at_least(d.operand(0), to, &declared) : d.dest(0, to);
    d.inst.a = d.source(1, Type::f32);
    if (pair) d.inst.b = d.source(2, Type::f32);
    if (bytes_of(declared) > 8) d.fail("cvt takes no 128-bit registers");
    const int registers = !pair ? 1 : bytes_of(declared) == 4 ? 2 : 4;
    d.inst.run = bf16 ? choose_half<num::kBf16>(rounding(d), d.has("relu"), d.has("satfinite"), registers)
                      : choose_half<num::kF16>(rounding(d), d.has("relu"), d.has("satfinite"), registers);
}

void decode_convert_tf32(Decode& d) {
    d.expect(2, 2);
    d.inst.d = d.dest(0, Type::b32);
    d.inst.a = d.source(1, Type::f32);
    const bool satfinite = d.has("satfinite");
    if (d.has("rna")) {
        d.inst.run = satfinite ? unary<uint32_t, float, Tf32Away<true>> : unary<uint32_t, float, Tf32Away<false>>;
        return;
    }
    d.inst.run = with_bool(d.has("rz"), [&](auto z) {
        return with_bool(d.has("relu"), [&](auto r) {
            return with_bool(satfinite, [](auto s) -> Handler {
                constexpr Round round = decltype(z)::value ? Round::rz : Round::rn;
                return unary<uint32_t, float, Tf32<round, decltype(r)::value, decltype(s)::value>>;
            });
        });
    });
}

void decode_convert_narrow(Decode& d) {
    const Type from = d.type();
    const bool two = from == Type::f32, nibbles = d.has("e2m1x2"), relu = d.has("relu");
    d.expect(two ? 3 : 2, two ? 3 : 2);
    d.inst.d = d.dest(0, nibbles ? Type::b8 : Type::b16);
    d.inst.a = d.source(1, from);
    if (two) d.inst.b = d.source(2, from);
    if (d.has("ue8m0x2")) {
        d.inst.run = with_bool(d.has("rp"), [&](auto p) {
            return with_bool(d.has("satfinite"), [&](auto s) {
                return choose_sources<Scale<decltype(p)::value ? Round::rp : Round::rz, decltype(s)::value>, 8>(from);
            });
        });
        return;
    }
    d.inst.run = nibbles             ? choose_narrow<num::kE2m1, 4>(relu, from)
                 : d.has("e4m3x2")   ? choose_narrow<num::kE4m3, 8>(relu, from)
                 : d.has("e5m2x2")   ? choose_narrow<num::kE5m2, 8>(relu, from)
                 : d.has("e2m3x2")   ? choose_narrow<num::kE2m3, 8>(relu, from)
                                     : choose_narrow<num::kE3m2, 8>(relu, from);
}

void decode_convert_widen(Decode& d) {
    d.expect(2, 2);
    const bool nibbles = d.has("e2m1x2"), relu = d.has("relu");
    d.inst.d = d.dest(0, Type::b32);
    d.inst.a = d.source(1, nibbles ? Type::b8 : Type::b16);
    const bool byte_lanes = nibbles && (d.inst.a & kConstant);  // of a literal; registers of 8 bits have 16 a lane
    d.inst.run = d.has("ue8m0x2")  ? unary<uint32_t, uint16_t, WidenScale>
                 : byte_lanes      ? choose_widen<num::kE2m1, uint8_t, 4>(relu)
                 : nibbles         ? choose_widen<num::kE2m1, uint16_t, 4>(relu)
                 : d.has("e4m3x2") ? choose_widen<num::kE4m3, uint16_t, 8>(relu)
                 : d.has("e5m2x2") ? choose_widen<num::kE5m2, uint16_t, 8>(relu)
                 : d.has("e2m3x2") ? choose_widen<num::kE2m3, uint16_t, 8>(relu)
                                   : choose_widen<num::kE3m2, uint16_t, 8>(relu);
}

}  // namespace emu
