// cvt.pack: two integers clamped to a short type, side by side: the second in the low bits, the first above it, and
// for types of 8 bits and less the low bits of c above both.
#include <algorithm>

#include "ops/convert.h"

namespace emu {
namespace {

template <int Bits, bool Signed>
uint32_t clamp(int32_t x) {
    constexpr int32_t low = Signed ? -(1 << (Bits - 1)) : 0, high = Signed ? (1 << (Bits - 1)) - 1 : (1 << Bits) - 1;
    return static_cast<uint32_t>(std::clamp(x, low, high)) & ((1u << Bits) - 1);
}

template <int Bits, bool Signed>
struct Pack {
    uint32_t operator()(int32_t a, int32_t b) const { return clamp<Bits, Signed>(a) << Bits | clamp<Bits, Signed>(b); }
    uint32_t operator()(int32_t a, int32_t b, uint32_t c) const { return c << (2 * Bits) | (*this)(a, b); }
};
template <int Bits, bool Signed>
constexpr Handler three = ternary<uint32_t, int32_t, int32_t, uint32_t, Pack<Bits, Signed>>;

}  // namespace

void decode_convert_pack(Decode& d) {
    const std::string& to = d.word(2);
    const bool with_c = d.has("b32");
    d.expect(with_c ? 4 : 3, with_c ? 4 : 3);
    d.inst.d = d.dest(0, Type::b32);
    d.inst.a = d.source(1, Type::s32);
    d.inst.b = d.source(2, Type::s32);
    if (with_c) d.inst.c = d.source(3, Type::b32);
    d.inst.run = to == "u16"  ? binary<uint32_t, int32_t, int32_t, Pack<16, false>>
                 : to == "s16" ? binary<uint32_t, int32_t, int32_t, Pack<16, true>>
                 : to == "u8"  ? three<8, false>
                 : to == "s8"  ? three<8, true>
                 : to == "u4"  ? three<4, false>
                 : to == "s4"  ? three<4, true>
                 : to == "u2"  ? three<2, false>
                               : three<2, true>;
}

}  // namespace emu
