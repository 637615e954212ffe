// add, sub, mul and fma of f16, f16x2, bf16 and bf16x2.
#include "ops/half_lanes.h"

namespace emu {
namespace {

template <bool Bf16, Finish F>
struct Add {
    uint16_t operator()(uint16_t a, uint16_t b) const {
        return given_half<Bf16, F>(num::widen<Bf16>(taken_half<F>(a)) + num::widen<Bf16>(taken_half<F>(b)));
    }
};
template <bool Bf16, Finish F>
struct Sub {
    uint16_t operator()(uint16_t a, uint16_t b) const {
        return given_half<Bf16, F>(num::widen<Bf16>(taken_half<F>(a)) - num::widen<Bf16>(taken_half<F>(b)));
    }
};
template <bool Bf16, Finish F>
struct Mul {
    uint16_t operator()(uint16_t a, uint16_t b) const {
        return given_half<Bf16, F>(num::widen<Bf16>(taken_half<F>(a)) * num::widen<Bf16>(taken_half<F>(b)));
    }
};
template <bool Bf16, Finish F>
struct Fma {
    uint16_t operator()(uint16_t a, uint16_t b, uint16_t c) const {
        return given_half<Bf16, F>(num::fma_wide<Bf16>(taken_half<F>(a), taken_half<F>(b), taken_half<F>(c)));
    }
};

template <template <bool, Finish> class Op>
Handler choose2(bool bf16, Finish finish, bool two) {
    if (bf16) return half_binary<Op<true, Finish::none>>(two);
    switch (finish) {
        case Finish::ftz: return half_binary<Op<false, Finish::ftz>>(two);
        case Finish::sat: return half_binary<Op<false, Finish::sat>>(two);
        case Finish::ftz_sat: return half_binary<Op<false, Finish::ftz_sat>>(two);
        default: return half_binary<Op<false, Finish::none>>(two);
    }
}

Handler choose_fma(bool bf16, Finish finish, bool two) {
    if (bf16) return finish == Finish::relu ? half_ternary<Fma<true, Finish::relu>>(two) : half_ternary<Fma<true, Finish::none>>(two);
    switch (finish) {
        case Finish::ftz: return half_ternary<Fma<false, Finish::ftz>>(two);
        case Finish::sat: return half_ternary<Fma<false, Finish::sat>>(two);
        case Finish::ftz_sat: return half_ternary<Fma<false, Finish::ftz_sat>>(two);
        case Finish::relu: return half_ternary<Fma<false, Finish::relu>>(two);
        case Finish::ftz_relu: return half_ternary<Fma<false, Finish::ftz_relu>>(two);
        default: return half_ternary<Fma<false, Finish::none>>(two);
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
