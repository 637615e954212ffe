// add, sub, mul, fma and mad of f32: every rounding mode, ftz and sat.
#include "numerics/directed.h"
#include "ops/float_lanes.h"

namespace emu {
namespace {

template <Round R, bool Ftz, bool Sat>
struct Add {
    float operator()(float a, float b) const { return given<Ftz, Sat>(num::add<R>(taken<Ftz>(a), taken<Ftz>(b))); }
};
template <Round R, bool Ftz, bool Sat>
struct Sub {
    float operator()(float a, float b) const { return given<Ftz, Sat>(num::add<R>(taken<Ftz>(a), -taken<Ftz>(b))); }
};
template <Round R, bool Ftz, bool Sat>
struct Mul {
    float operator()(float a, float b) const { return given<Ftz, Sat>(num::mul<R>(taken<Ftz>(a), taken<Ftz>(b))); }
};
template <Round R, bool Ftz, bool Sat>
struct Fma {
    float operator()(float a, float b, float c) const {
        return given<Ftz, Sat>(num::fma<R>(taken<Ftz>(a), taken<Ftz>(b), taken<Ftz>(c)));
    }
};

template <template <Round, bool, bool> class Op, bool Three>
Handler choose(Round round, bool ftz, bool sat) {
    return with_round(round, [=](auto r) {
        return with_bool(ftz, [=](auto f) {
            return with_bool(sat, [](auto s) -> Handler {
                using F = Op<decltype(r)::value, decltype(f)::value, decltype(s)::value>;
                if constexpr (Three) return ternary<float, float, float, float, F>;
                else return binary<float, float, float, F>;
            });
        });
    });
}

}  // namespace

void decode_add32(Decode& d) {
    const std::string& opcode = d.source_text.opcode;
    const Round round = rounding(d);
    const bool ftz = d.has("ftz"), sat = d.has("sat"), three = opcode == "fma" || opcode == "mad";
    operands_of(d, Type::f32, three ? 3 : 2);
    d.inst.run = three           ? choose<Fma, true>(round, ftz, sat)
                 : opcode == "add" ? choose<Add, false>(round, ftz, sat)
                 : opcode == "sub" ? choose<Sub, false>(round, ftz, sat)
                                   : choose<Mul, false>(round, ftz, sat);
}

}  // namespace emu
