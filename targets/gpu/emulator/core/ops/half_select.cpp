// min, max, abs and neg of f16, f16x2, bf16 and bf16x2. As in f32: through f32, exactly; NaN results are 0x7fff.
#include "numerics/select.h"
#include "ops/half_lanes.h"

namespace emu {
namespace {

template <bool Max, bool NaN, bool Xorsign>
struct Select { float operator()(float a, float b) const { return num::select<Max, NaN, Xorsign>(a, b); } };

template <bool Bf16>
Handler choose(bool max, bool ftz, bool nan, bool xorsign, bool two) {
    return with_bool(max, [=](auto m) {
        return with_bool(nan, [=](auto n) {
            return with_bool(xorsign, [=](auto x) {
                using Op = Select<decltype(m)::value, decltype(n)::value, decltype(x)::value>;
                if constexpr (!Bf16) {
                    if (ftz) return half_binary<Bf16, Finish::ftz, Op>(two);
                }
                return half_binary<Bf16, Finish::none, Op>(two);
            });
        });
    });
}

template <bool Bf16, bool Neg, bool Ftz>
struct Sign {
    uint16_t operator()(uint16_t a) const {
        const uint16_t h = taken_half<Ftz ? Finish::ftz : Finish::none>(a);
        constexpr uint16_t infinity = Bf16 ? 0x7f80 : 0x7c00;
        const uint16_t r = static_cast<uint16_t>(Neg ? h ^ 0x8000u : h & 0x7fffu);
        return (h & 0x7fffu) > infinity ? 0x7fff : r;
    }
};

template <class F>
Handler sign_handler(bool two) {
    return two ? packed_unary<uint32_t, uint16_t, F> : packed_unary<uint16_t, uint16_t, F>;
}

}  // namespace

void decode_half_minmax(Decode& d) {
    const Type type = d.type();
    operands_of(d, type, 2);
    const bool max = d.source_text.opcode == "max", nan = d.has("NaN"), xorsign = d.has("xorsign"), two = is_pair(type);
    d.inst.run = is_bf16(type) ? choose<true>(max, false, nan, xorsign, two)
                               : choose<false>(max, d.has("ftz"), nan, xorsign, two);
}

void decode_half_sign(Decode& d) {
    const Type type = d.type();
    operands_of(d, type, 1);
    const bool neg = d.source_text.opcode == "neg", two = is_pair(type), ftz = d.has("ftz");
    d.inst.run = with_bool(neg, [=](auto n) {
        constexpr bool N = decltype(n)::value;
        if (is_bf16(type)) return sign_handler<Sign<true, N, false>>(two);
        return ftz ? sign_handler<Sign<false, N, true>>(two) : sign_handler<Sign<false, N, false>>(two);
    });
}

}  // namespace emu
