// div, rcp and sqrt of f32 with IEEE rounding.
#include "numerics/directed.h"
#include "ops/float_lanes.h"

namespace emu {
namespace {

template <Round R, bool Ftz>
struct Div {
    float operator()(float a, float b) const { return given<Ftz>(num::div<R>(taken<Ftz>(a), taken<Ftz>(b))); }
};
template <Round R, bool Ftz>
struct Rcp {
    float operator()(float a) const { return given<Ftz>(num::div<R>(1.0f, taken<Ftz>(a))); }
};
template <Round R, bool Ftz>
struct Sqrt {
    float operator()(float a) const { return given<Ftz>(num::sqrt<R>(taken<Ftz>(a))); }
};

template <template <Round, bool> class Op, bool Two>
Handler choose(Round round, bool ftz) {
    return with_round(round, [=](auto r) {
        return with_bool(ftz, [](auto f) -> Handler {
            using F = Op<decltype(r)::value, decltype(f)::value>;
            if constexpr (Two) return binary<float, float, float, F>;
            else return unary<float, float, F>;
        });
    });
}

}  // namespace

void decode_div32(Decode& d) {
    const std::string& opcode = d.source_text.opcode;
    const Round round = rounding(d);
    const bool ftz = d.has("ftz"), two = opcode == "div";
    operands_of(d, Type::f32, two ? 2 : 1);
    d.inst.run = two               ? choose<Div, true>(round, ftz)
                 : opcode == "rcp" ? choose<Rcp, false>(round, ftz)
                                   : choose<Sqrt, false>(round, ftz);
}

}  // namespace emu
