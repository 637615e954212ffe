// min, max, abs, neg and copysign of f32 and f64.
#include "numerics/exact64.h"
#include "numerics/select.h"
#include "ops/float_lanes.h"

namespace emu {
namespace {

template <bool Max, bool Ftz, bool NaN, bool Xorsign>
struct Select {
    float operator()(float a, float b) const { return num::select<Max, NaN, Xorsign>(taken<Ftz>(a), taken<Ftz>(b)); }
};
/// Of three, `.abs` takes magnitudes first.
template <bool Max, bool Ftz, bool NaN, bool Abs>
struct Select3 {
    static float operand(float x) { return taken<Ftz>(Abs ? num::real(num::bits(x) & 0x7fffffffu) : x); }
    float operator()(float a, float b, float c) const {
        return num::select<Max, NaN>(num::select<Max, NaN>(operand(a), operand(b)), operand(c));
    }
};

template <template <bool, bool, bool, bool> class Op, bool Three>
Handler choose(bool max, bool ftz, bool nan, bool last) {
    return with_bool(max, [=](auto m) {
        return with_bool(ftz, [=](auto f) {
            return with_bool(nan, [=](auto n) {
                return with_bool(last, [](auto x) -> Handler {
                    using F = Op<decltype(m)::value, decltype(f)::value, decltype(n)::value, decltype(x)::value>;
                    if constexpr (Three) return ternary<float, float, float, float, F>;
                    else return binary<float, float, float, F>;
                });
            });
        });
    });
}

/// One NaN gives way to the other operand; of two, the second comes out, made quiet.
template <bool Max>
struct Select64 {
    double operator()(double a, double b) const {
        const uint64_t u = num::bits(a), v = num::bits(b);
        const double equal = num::real(Max ? u & v : u | v);  // zeros of unlike sign; else both are the same
        const double chosen = a == b ? equal : (Max ? a > b : a < b) ? a : b;
        return a != a ? (b != b ? num::quiet(b) : b) : b != b ? a : chosen;
    }
};

// The hardware does abs and neg by adding zero, so they give the canonical NaN.
template <bool Neg, bool Ftz>
struct Sign {
    float operator()(float a) const {
        const uint32_t u = num::bits(taken<Ftz>(a));
        return given<Ftz>(num::real(Neg ? u ^ 0x80000000u : u & 0x7fffffffu));
    }
};
template <bool Neg>
struct Sign64 {
    double operator()(double a) const {
        const uint64_t u = num::bits(a), top = uint64_t{1} << 63;
        const double r = num::real(Neg ? u ^ top : u & ~top);
        return r != r ? num::quiet(r) : r;
    }
};

/// The sign of a on the magnitude of b.
struct Copysign32 {
    uint32_t operator()(uint32_t a, uint32_t b) const { return (a & 0x80000000u) | (b & 0x7fffffffu); }
};
struct Copysign64 {
    uint64_t operator()(uint64_t a, uint64_t b) const {
        const uint64_t top = uint64_t{1} << 63;
        return (a & top) | (b & ~top);
    }
};

}  // namespace

void decode_minmax32(Decode& d) {
    const bool max = d.source_text.opcode == "max", xorsign = d.has("xorsign"), abs = d.has("abs");
    d.expect(abs && !xorsign ? 4 : 3, xorsign ? 3 : 4);
    const bool three = d.operands() == 4;
    operands_of(d, Type::f32, three ? 3 : 2);
    d.inst.run = three ? choose<Select3, true>(max, d.has("ftz"), d.has("NaN"), abs)
                       : choose<Select, false>(max, d.has("ftz"), d.has("NaN"), xorsign);
}

void decode_minmax64(Decode& d) {
    operands_of(d, Type::f64, 2);
    d.inst.run = d.source_text.opcode == "max" ? binary<double, double, double, Select64<true>>
                                               : binary<double, double, double, Select64<false>>;
}

void decode_sign32(Decode& d) {
    operands_of(d, Type::f32, 1);
    const bool neg = d.source_text.opcode == "neg";
    d.inst.run = with_bool(neg, [&](auto n) {
        return with_bool(d.has("ftz"), [](auto f) -> Handler {
            return unary<float, float, Sign<decltype(n)::value, decltype(f)::value>>;
        });
    });
}

void decode_sign64(Decode& d) {
    operands_of(d, Type::f64, 1);
    const bool neg = d.source_text.opcode == "neg";
    d.inst.run = neg ? unary<double, double, Sign64<true>> : unary<double, double, Sign64<false>>;
}

void decode_copysign(Decode& d) {
    operands_of(d, d.type(), 2);
    d.inst.run = d.type() == Type::f32 ? binary<uint32_t, uint32_t, uint32_t, Copysign32>
                                       : binary<uint64_t, uint64_t, uint64_t, Copysign64>;
}

}  // namespace emu
