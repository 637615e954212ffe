// ex2 and tanh of f16, f16x2, bf16 and bf16x2: those of f32, rounded once more, which is far inside of the bounds.
#include "numerics/approx.h"
#include "ops/half_lanes.h"
#include "ops/transcendental.h"

namespace emu {
namespace {

template <bool Bf16>
struct Ex2 {
    float operator()(float a) const {
        const float r = num::exp2_approx(a);
        return Bf16 ? num::flush(r) : r;  // the form of bf16 is ex2.approx.ftz
    }
};
struct Tanh { float operator()(float a) const { return num::tanh_approx(a); } };

}  // namespace

void decode_half_approx(Decode& d) {
    const Type type = d.type();
    operands_of(d, type, 1);
    const bool two = is_pair(type);
    constexpr Finish plain = Finish::none;
    const bool bf16 = is_bf16(type);
    if (d.source_text.opcode == "ex2") {
        d.inst.run = bf16 ? half_unary<true, plain, Ex2<true>>(two) : half_unary<false, plain, Ex2<false>>(two);
    } else {
        d.inst.run = bf16 ? half_unary<true, plain, Tanh>(two) : half_unary<false, plain, Tanh>(two);
    }
}

}  // namespace emu
