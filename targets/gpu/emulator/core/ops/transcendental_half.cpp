// ex2 and tanh of f16, f16x2, bf16 and bf16x2: those of f32, rounded once more, which is far inside of the bounds.
#include "numerics/approx.h"
#include "ops/half_lanes.h"
#include "ops/transcendental.h"

namespace emu {
namespace {

template <bool Bf16>
struct Ex2 {
    uint16_t operator()(uint16_t a) const {
        const float r = num::exp2_approx(num::widen<Bf16>(a));
        return num::shorten<Bf16>(Bf16 ? num::flush(r) : r);  // the form of bf16 is ex2.approx.ftz
    }
};
template <bool Bf16>
struct Tanh {
    uint16_t operator()(uint16_t a) const { return num::shorten<Bf16>(num::tanh_approx(num::widen<Bf16>(a))); }
};

}  // namespace

void decode_half_approx(Decode& d) {
    const Type type = d.type();
    operands_of(d, type, 1);
    const bool two = is_pair(type);
    if (d.source_text.opcode == "ex2") d.inst.run = is_bf16(type) ? half_unary<Ex2<true>>(two) : half_unary<Ex2<false>>(two);
    else d.inst.run = is_bf16(type) ? half_unary<Tanh<true>>(two) : half_unary<Tanh<false>>(two);
}

}  // namespace emu
