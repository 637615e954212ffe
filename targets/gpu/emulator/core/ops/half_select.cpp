// min, max, abs and neg of f16, f16x2, bf16 and bf16x2. As in f32: through f32, exactly; NaN results are 0x7fff.
#include "numerics/select.h"
#include "ops/half_lanes.h"

namespace emu {
namespace {

template <bool Bf16, bool Max, bool Ftz, bool NaN, bool Xorsign>
struct Select {
    static constexpr Finish F = Ftz ? Finish::ftz : Finish::none;
    static float operand(uint16_t h) {
        h = taken_half<F>(h);
        // The sign of a NaN counts for xorsign, so the bits are kept.
        return Bf16 ? num::real(static_cast<uint32_t>(h) << 16)
                    : num::real(num::bits(num::f16_to_f32(h)) | static_cast<uint32_t>(h & 0x8000u) << 16);
    }
    uint16_t operator()(uint16_t a, uint16_t b) const {
        return num::shorten<Bf16>(num::select<Max, NaN, Xorsign>(operand(a), operand(b)));
    }
};

template <bool Bf16>
Handler choose(bool max, bool ftz, bool nan, bool xorsign, bool two) {
    return with_bool(max, [=](auto m) {
        return with_bool(nan, [=](auto n) {
            return with_bool(xorsign, [=](auto x) {
                constexpr bool M = decltype(m)::value, N = decltype(n)::value, X = decltype(x)::value;
                if constexpr (!Bf16) {
                    if (ftz) return half_binary<Select<Bf16, M, true, N, X>>(two);
                }
                return half_binary<Select<Bf16, M, false, N, X>>(two);
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
        if (is_bf16(type)) return half_unary<Sign<true, N, false>>(two);
        return ftz ? half_unary<Sign<false, N, true>>(two) : half_unary<Sign<false, N, false>>(two);
    });
}

}  // namespace emu
