// add, sub, mul and fma of f16, f16x2, bf16 and bf16x2.
#include "ops/half_lanes.h"

namespace emu {
namespace {

struct Add { float operator()(float a, float b) const { return a + b; } };
struct Sub { float operator()(float a, float b) const { return a - b; } };
struct Mul { float operator()(float a, float b) const { return a * b; } };
template <bool Bf16>
struct Fma { float operator()(float a, float b, float c) const { return num::fma_wide<Bf16>(a, b, c); } };

template <class Op>
Handler choose2(bool bf16, Finish finish, bool two) {
    if (bf16) return half_binary<true, Finish::none, Op>(two);
    switch (finish) {
        case Finish::ftz: return half_binary<false, Finish::ftz, Op>(two);
        case Finish::sat: return half_binary<false, Finish::sat, Op>(two);
        case Finish::ftz_sat: return half_binary<false, Finish::ftz_sat, Op>(two);
        default: return half_binary<false, Finish::none, Op>(two);
    }
}

Handler choose_fma(bool bf16, Finish finish, bool two) {
    if (bf16 && finish == Finish::relu) return half_ternary<true, Finish::relu, Fma<true>>(two);
    if (bf16) return half_ternary<true, Finish::none, Fma<true>>(two);
    using F = Fma<false>;
    switch (finish) {
        case Finish::ftz: return half_ternary<false, Finish::ftz, F>(two);
        case Finish::sat: return half_ternary<false, Finish::sat, F>(two);
        case Finish::ftz_sat: return half_ternary<false, Finish::ftz_sat, F>(two);
        case Finish::relu: return half_ternary<false, Finish::relu, F>(two);
        case Finish::ftz_relu: return half_ternary<false, Finish::ftz_relu, F>(two);
        default: return half_ternary<false, Finish::none, F>(two);
    }
}

}  // namespace

void decode_half_arithmetic(Decode& d) {
    const std::string& opcode = d.source_text.opcode;
    const Type type = d.type();
    const bool bf16 = is_bf16(type), two = is_pair(type);
    const Finish finish = finish_of(d);
    operands_of(d, type, opcode == "fma" ? 3 : 2);
    d.inst.run = opcode == "fma"   ? choose_fma(bf16, finish, two)
                 : opcode == "add" ? choose2<Add>(bf16, finish, two)
                 : opcode == "sub" ? choose2<Sub>(bf16, finish, two)
                                   : choose2<Mul>(bf16, finish, two);
}

}  // namespace emu
