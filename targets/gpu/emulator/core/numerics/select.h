// Minimum and maximum as PTX defines them: -0 lies below +0; a NaN gives way to the other operand unless `.NaN`; two of
// them, or any with `.NaN`, give the canonical NaN. `.xorsign.abs` works on magnitudes and gives a number the
// exclusive-or of the operands' signs.
#pragma once
#include "numerics/rounding.h"

namespace emu::num {

template <bool Max, bool NaN, bool Xorsign = false>
inline float select(float a, float b) {
    uint32_t u = bits(a), v = bits(b);
    const bool nan_a = (u & 0x7fffffffu) > 0x7f800000u, nan_b = (v & 0x7fffffffu) > 0x7f800000u;
    const uint32_t sign = (u ^ v) & 0x80000000u;
    if constexpr (Xorsign) {
        u &= 0x7fffffffu;
        v &= 0x7fffffffu;
    }
    // Signed integers in the order of the numbers.
    const int32_t p = static_cast<int32_t>(u ^ (static_cast<uint32_t>(static_cast<int32_t>(u) >> 31) >> 1));
    const int32_t q = static_cast<int32_t>(v ^ (static_cast<uint32_t>(static_cast<int32_t>(v) >> 31) >> 1));
    uint32_t chosen = (Max ? p > q : p < q) ? u : v;
    chosen = nan_a ? v : nan_b ? u : chosen;
    if constexpr (Xorsign) chosen = (chosen & 0x7fffffffu) | sign;
    const bool nan = NaN ? nan_a | nan_b : nan_a & nan_b;
    return real(nan ? kNan32 : chosen);
}

}  // namespace emu::num
