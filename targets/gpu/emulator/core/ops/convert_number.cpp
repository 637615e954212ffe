// cvt between integers and floats of every size, rounding mode and register width.
#include "numerics/convert.h"
#include "ops/convert.h"

namespace emu {
namespace {

using num::bits;
using num::real;

uint64_t widened(float x) { return bits(static_cast<double>(x)); }

/// The lanes' floats as doubles, which hold all of them exactly. f32 NaNs keep their bits as far as doubles do.
void to_double(uint64_t* x, Type from, bool ftz) {
    switch (from) {
        case Type::f16:
            for (int l = 0; l < kLanes; ++l) x[l] = widened(num::f16_to_f32(static_cast<uint16_t>(x[l])));
            break;
        case Type::bf16:
            for (int l = 0; l < kLanes; ++l) x[l] = widened(num::bf16_to_f32(static_cast<uint16_t>(x[l])));
            break;
        case Type::f32:
            for (int l = 0; l < kLanes; ++l) {
                const float f = real(static_cast<uint32_t>(x[l]));
                x[l] = widened(ftz ? num::flush(f) : f);
            }
            break;
        default: break;
    }
}

double whole(double x, Whole mode) {
    switch (mode) {
        case Whole::rni: return std::rint(x);
        case Whole::rzi: return std::trunc(x);
        case Whole::rmi: return std::floor(x);
        case Whole::rpi: return std::ceil(x);
        default: return x;
    }
}

void integer_to_integer(const Conversion& c, uint64_t* x) {
    if (!c.sat) return;
    const uint32_t width = 8 * bytes_of(c.to);
    for (int l = 0; l < kLanes; ++l) x[l] = num::clamp_integer(x[l], c.from == Type::u64, width, is_signed(c.to));
}

void float_to_integer(const Conversion& c, uint64_t* x) {
    const uint32_t width = 8 * bytes_of(c.to);
    const bool zero = c.from != Type::f64 && width < 64;
    const uint64_t nan = zero ? 0 : uint64_t{1} << (width - 1);
    to_double(x, c.from, c.ftz);
    for (int l = 0; l < kLanes; ++l) {
        const double v = real(x[l]);
        x[l] = v != v ? nan : num::to_integer(whole(v, c.whole), width, is_signed(c.to));
    }
}

/// Lanes that hold doubles to the destination's bits; NaN, -0 and the rest clamped to [0, 1] if `sat`.
template <Round R>
void round_floats(const Conversion& c, uint64_t* x) {
    if (c.sat) {
        for (int l = 0; l < kLanes; ++l) {
            const double v = real(x[l]), low = v > 0 ? v : 0.0;
            x[l] = bits(low < 1 ? low : 1.0);
        }
    }
    switch (c.to) {
        case Type::f16:
            for (int l = 0; l < kLanes; ++l) x[l] = num::encode<num::kF16, R>(num::narrow_odd(real(x[l])));
            break;
        case Type::bf16:
            for (int l = 0; l < kLanes; ++l) x[l] = num::encode<num::kBf16, R>(num::narrow_odd(real(x[l])));
            break;
        case Type::f32:
            for (int l = 0; l < kLanes; ++l) {
                const float f = num::canonical(num::narrow<R>(real(x[l])));
                x[l] = bits(c.ftz ? num::flush(f) : f);
            }
            break;
        default:
            for (int l = 0; l < kLanes; ++l) x[l] = real(x[l]) != real(x[l]) ? bits(num::quiet(real(x[l]))) : x[l];
            break;
    }
}

void round_floats(const Conversion& c, uint64_t* x) {
    with_round(c.round, [&](auto r) { round_floats<decltype(r)::value>(c, x); });
}

template <Round R>
void integer_to_double(const Conversion& c, uint64_t* x) {
    const bool is_unsigned = c.from == Type::u64;
    if (c.to == Type::f64) {
        for (int l = 0; l < kLanes; ++l) x[l] = bits(num::integer_to_f64<R>(x[l], is_unsigned));
    } else {
        for (int l = 0; l < kLanes; ++l) x[l] = bits(num::integer_to_odd(x[l], is_unsigned));
    }
}

/// The sources that hold the destination's numbers already, unchanged to their last NaN.
bool is_copy(const Conversion& c) { return c.from == c.to && c.whole == Whole::none && !c.ftz && !c.sat; }

void run_conversion(Warp& w, const Inst& i, Mask mask) {
    const Conversion& c = i.as<Conversion>();
    uint64_t x[kLanes];
    read_lanes(w, i.a, c.from, c.from_bytes, x);
    if (!is_float(c.from)) {
        if (!is_float(c.to)) {
            integer_to_integer(c, x);
        } else {
            with_round(c.round, [&](auto r) { integer_to_double<decltype(r)::value>(c, x); });
            round_floats(c, x);
        }
    } else if (!is_float(c.to)) {
        float_to_integer(c, x);
    } else if (c.from == Type::bf16 && c.to == Type::f32 && !c.ftz) {
        for (int l = 0; l < kLanes; ++l) x[l] <<= 16;  // NaNs too: the hardware shifts
    } else if (!is_copy(c)) {
        to_double(x, c.from, c.ftz);
        if (c.whole != Whole::none) {
            for (int l = 0; l < kLanes; ++l) x[l] = bits(whole(real(x[l]), c.whole));
        }
        round_floats(c, x);
    }
    write_lanes(w, i.d, c.to, c.to_bytes, x, mask);
}

Whole whole_mode(const Decode& d) {
    if (d.has("rni")) return Whole::rni;
    if (d.has("rzi")) return Whole::rzi;
    if (d.has("rmi")) return Whole::rmi;
    return d.has("rpi") ? Whole::rpi : Whole::none;
}

/// Registers of 8 bits have 16 a lane; literals of 8 bits have 8.
uint8_t lane_bytes(Type declared, Slot slot) {
    const uint32_t bytes = bytes_of(declared);
    return static_cast<uint8_t>(bytes == 1 && !(slot & kConstant) ? 2 : bytes);
}

}  // namespace

void decode_convert(Decode& d) {
    d.expect(2, 2);
    Conversion c;
    c.to = d.type(0);
    c.from = d.type(1);
    c.round = rounding(d);
    c.whole = whole_mode(d);
    c.ftz = d.has("ftz");
    c.sat = d.has("sat");
    Type declared_to, declared_from;
    d.inst.d = d.dest_at_least(d.operand(0), c.to, &declared_to);
    d.inst.a = d.source_at_least(d.operand(1), c.from, &declared_from);
    c.to_bytes = lane_bytes(declared_to, d.inst.d);
    c.from_bytes = lane_bytes(declared_from, d.inst.a);
    if (c.to_bytes > 8 || c.from_bytes > 8) d.fail("cvt takes no 128-bit registers");
    d.inst.run = fast_conversion(c);
    if (d.inst.run != nullptr) return;
    d.attach(c);
    d.inst.run = run_conversion;
}

}  // namespace emu
