// Arithmetic of PTX 8.6 and later: pairs of f32 in 64-bit registers, and f32 arithmetic with f16 or bf16 factors.
#include "numerics/directed.h"
#include "numerics/formats.h"
#include "ops/float_lanes.h"

namespace emu {
namespace {

template <Round R, bool Ftz>
struct Add {
    float operator()(float a, float b) const { return given<Ftz>(num::add<R>(taken<Ftz>(a), taken<Ftz>(b))); }
};
template <Round R, bool Ftz>
struct Sub {
    float operator()(float a, float b) const { return given<Ftz>(num::add<R>(taken<Ftz>(a), -taken<Ftz>(b))); }
};
template <Round R, bool Ftz>
struct Mul {
    float operator()(float a, float b) const { return given<Ftz>(num::mul<R>(taken<Ftz>(a), taken<Ftz>(b))); }
};
template <Round R, bool Ftz>
struct Fma {
    float operator()(float a, float b, float c) const {
        return given<Ftz>(num::fma<R>(taken<Ftz>(a), taken<Ftz>(b), taken<Ftz>(c)));
    }
};

template <template <Round, bool> class Op, bool Three>
Handler choose(Round round, bool ftz) {
    return with_round(round, [=](auto r) {
        return with_bool(ftz, [](auto f) -> Handler {
            using F = Op<decltype(r)::value, decltype(f)::value>;
            if constexpr (Three) return packed_ternary<uint64_t, float, F>;
            else return packed_binary<uint64_t, float, F>;
        });
    });
}

template <bool Bf16>
float widen(uint16_t h) { return Bf16 ? num::bf16_to_f32(h) : num::f16_to_f32(h); }

template <Round R, bool Sat, bool Bf16>
struct MixedAdd {
    float operator()(uint16_t a, float c) const { return given<false, Sat>(num::add<R>(widen<Bf16>(a), c)); }
};
template <Round R, bool Sat, bool Bf16>
struct MixedSub {
    float operator()(uint16_t a, float c) const { return given<false, Sat>(num::add<R>(widen<Bf16>(a), -c)); }
};
template <Round R, bool Sat, bool Bf16>
struct MixedFma {
    float operator()(uint16_t a, uint16_t b, float c) const {
        return given<false, Sat>(num::fma<R>(widen<Bf16>(a), widen<Bf16>(b), c));
    }
};

template <template <Round, bool, bool> class Op, bool Three>
Handler choose_mixed(Round round, bool sat, bool bf16) {
    return with_round(round, [=](auto r) {
        return with_bool(sat, [=](auto s) {
            return with_bool(bf16, [](auto b) -> Handler {
                using F = Op<decltype(r)::value, decltype(s)::value, decltype(b)::value>;
                if constexpr (Three) return ternary<float, uint16_t, uint16_t, float, F>;
                else return binary<float, uint16_t, float, F>;
            });
        });
    });
}

}  // namespace

void decode_arithmetic32x2(Decode& d) {
    const std::string& opcode = d.source_text.opcode;
    const Round round = rounding(d);
    const bool ftz = d.has("ftz");
    operands_of(d, Type::f32x2, opcode == "fma" ? 3 : 2);
    d.inst.run = opcode == "fma"   ? choose<Fma, true>(round, ftz)
                 : opcode == "add" ? choose<Add, false>(round, ftz)
                 : opcode == "sub" ? choose<Sub, false>(round, ftz)
                                   : choose<Mul, false>(round, ftz);
}

void decode_mixed(Decode& d) {
    const std::string& opcode = d.source_text.opcode;
    const Type narrow = d.type(1);
    const Round round = rounding(d);
    const bool sat = d.has("sat"), bf16 = narrow == Type::bf16, three = opcode == "fma";
    const size_t last = three ? 3 : 2;
    d.expect(last + 1, last + 1);
    d.inst.d = d.dest(0, Type::f32);
    d.inst.a = d.source(1, narrow);
    d.inst.b = d.source(2, three ? narrow : Type::f32);
    if (three) d.inst.c = d.source(3, Type::f32);
    d.inst.run = three             ? choose_mixed<MixedFma, true>(round, sat, bf16)
                 : opcode == "add" ? choose_mixed<MixedAdd, false>(round, sat, bf16)
                                   : choose_mixed<MixedSub, false>(round, sat, bf16);
}

}  // namespace emu
