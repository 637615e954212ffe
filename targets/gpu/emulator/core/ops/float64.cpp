// add, sub, mul, fma, mad, div, rcp and sqrt of f64 with IEEE rounding.
#include "numerics/exact64.h"
#include "ops/float_lanes.h"

namespace emu {
namespace {

template <Round R>
struct Add { double operator()(double a, double b) const { return num::add<R>(a, b); } };
template <Round R>
struct Sub { double operator()(double a, double b) const { return num::sub<R>(a, b); } };
template <Round R>
struct Mul { double operator()(double a, double b) const { return num::mul<R>(a, b); } };
template <Round R>
struct Div { double operator()(double a, double b) const { return num::div<R>(a, b); } };
template <Round R>
struct Fma { double operator()(double a, double b, double c) const { return num::fma<R>(a, b, c); } };
template <Round R>
struct Sqrt { double operator()(double a) const { return num::sqrt<R>(a); } };
template <Round R>
struct Rcp { double operator()(double a) const { return num::with_nan(num::div<R>(1.0, a), a); } };

template <template <Round> class Op>
Handler choose1(Round round) {
    return with_round(round, [](auto r) -> Handler { return unary<double, double, Op<decltype(r)::value>>; });
}
template <template <Round> class Op>
Handler choose2(Round round) {
    return with_round(round, [](auto r) -> Handler { return binary<double, double, double, Op<decltype(r)::value>>; });
}

Handler choose(const std::string& opcode, Round round) {
    if (opcode == "add") return choose2<Add>(round);
    if (opcode == "sub") return choose2<Sub>(round);
    if (opcode == "mul") return choose2<Mul>(round);
    if (opcode == "div") return choose2<Div>(round);
    if (opcode == "rcp") return choose1<Rcp>(round);
    if (opcode == "sqrt") return choose1<Sqrt>(round);
    return with_round(round, [](auto r) -> Handler {
        return ternary<double, double, double, double, Fma<decltype(r)::value>>;
    });
}

}  // namespace

void decode_arithmetic64(Decode& d) {
    const std::string& opcode = d.source_text.opcode;
    const size_t sources = opcode == "rcp" || opcode == "sqrt" ? 1 : opcode == "fma" || opcode == "mad" ? 3 : 2;
    operands_of(d, Type::f64, sources);
    d.inst.run = choose(opcode, rounding(d));
}

}  // namespace emu
