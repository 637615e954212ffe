// Approximate functions: f32 and the table here, halves in transcendental_half.cpp.
#include "numerics/approx.h"
#include "numerics/exact64.h"
#include "ops/transcendental.h"

namespace emu {
namespace {

template <bool Ftz>
struct Sin { float operator()(float a) const { return given<Ftz>(num::sin_approx<false>(taken<Ftz>(a))); } };
template <bool Ftz>
struct Cos { float operator()(float a) const { return given<Ftz>(num::sin_approx<true>(taken<Ftz>(a))); } };
template <bool Ftz>
struct Ex2 { float operator()(float a) const { return given<Ftz>(num::exp2_approx(taken<Ftz>(a))); } };
template <bool Ftz>
struct Lg2 { float operator()(float a) const { return given<Ftz>(num::log2_approx(taken<Ftz>(a))); } };
template <bool Ftz>
struct Rcp { float operator()(float a) const { return given<Ftz>(1.0f / taken<Ftz>(a)); } };
template <bool Ftz>
struct Rsqrt { float operator()(float a) const { return given<Ftz>(num::rsqrt_approx(taken<Ftz>(a))); } };
template <bool Ftz>
struct Sqrt { float operator()(float a) const { return given<Ftz>(std::sqrt(taken<Ftz>(a))); } };
struct Tanh { float operator()(float a) const { return given<false>(num::tanh_approx(a)); } };
template <bool Full, bool Ftz>
struct Div {
    float operator()(float a, float b) const {
        return given<Ftz>(num::div_approx<Full, Ftz>(taken<Ftz>(a), taken<Ftz>(b)));
    }
};
struct Rcp64 { double operator()(double a) const { return num::rcp_approx(a); } };
struct RsqrtGross64 { double operator()(double a) const { return num::rsqrt_gross(a); } };
struct Rsqrt64 { double operator()(double a) const { return num::with_nan(1.0 / std::sqrt(a), a); } };

template <template <bool> class Op>
void decode_unary(Decode& d) {
    operands_of(d, Type::f32, 1);
    d.inst.run = d.has("ftz") ? unary<float, float, Op<true>> : unary<float, float, Op<false>>;
}

void decode_tanh(Decode& d) {
    operands_of(d, Type::f32, 1);
    d.inst.run = unary<float, float, Tanh>;
}

template <bool Full>
void decode_div(Decode& d) {
    operands_of(d, Type::f32, 2);
    const bool ftz = d.has("ftz");
    d.inst.run = ftz ? binary<float, float, float, Div<Full, true>> : binary<float, float, float, Div<Full, false>>;
}

template <class Op>
void decode_f64(Decode& d) {
    operands_of(d, Type::f64, 1);
    d.inst.run = unary<double, double, Op>;
}

constexpr Form kForms[] = {
    {"sin", "approx [ftz] f32", "d, a", decode_unary<Sin>},
    {"cos", "approx [ftz] f32", "d, a", decode_unary<Cos>},
    {"ex2", "approx [ftz] f32", "d, a", decode_unary<Ex2>},
    {"lg2", "approx [ftz] f32", "d, a", decode_unary<Lg2>},
    {"rcp", "approx [ftz] f32", "d, a", decode_unary<Rcp>},
    {"rsqrt", "approx [ftz] f32", "d, a", decode_unary<Rsqrt>},
    {"sqrt", "approx [ftz] f32", "d, a", decode_unary<Sqrt>},
    {"tanh", "approx f32", "d, a", decode_tanh},
    {"div", "approx [ftz] f32", "d, a, b", decode_div<false>},
    {"div", "full [ftz] f32", "d, a, b", decode_div<true>},
    {"rcp", "approx ftz f64", "d, a", decode_f64<Rcp64>},
    {"rsqrt", "approx ftz f64", "d, a", decode_f64<RsqrtGross64>},
    {"rsqrt", "approx f64", "d, a", decode_f64<Rsqrt64>},
    {"ex2", "approx f16|f16x2", "d, a", decode_half_approx},
    {"ex2", "approx ftz bf16|bf16x2", "d, a", decode_half_approx},
    {"tanh", "approx f16|f16x2|bf16|bf16x2", "d, a", decode_half_approx},
};

}  // namespace

Forms transcendental_forms() { return kForms; }

}  // namespace emu
