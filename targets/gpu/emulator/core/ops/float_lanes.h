// What the floating-point families share: rounding modes and flags of an instruction turned into template arguments,
// flushing, saturation and canonical NaN around an operation, and loops over registers that hold two numbers each.
#pragma once
#include <cstring>

#include "decode/decode.h"
#include "numerics/rounding.h"
#include "ops/lanes.h"

namespace emu {

using num::Round;

/// The instruction's float rounding modifier; rn where there is none.
inline Round rounding(const Decode& d) {
    if (d.has("rz")) return Round::rz;
    if (d.has("rm")) return Round::rm;
    return d.has("rp") ? Round::rp : Round::rn;
}

/// An f32 operand as the operation sees it, and its result as the register gets it.
template <bool Ftz>
inline float taken(float x) { return Ftz ? num::flush(x) : x; }
template <bool Ftz, bool Sat = false>
inline float given(float x) {
    if constexpr (Sat) x = num::saturate(x);
    else x = num::canonical(x);
    return Ftz ? num::flush(x) : x;
}

template <Round R>
struct RoundConstant { static constexpr Round value = R; };
template <bool B>
struct BoolConstant { static constexpr bool value = B; };

/// Calls f with the mode as a type: f(RoundConstant<R>{}).
template <class F>
inline auto with_round(Round r, F f) {
    switch (r) {
        case Round::rz: return f(RoundConstant<Round::rz>{});
        case Round::rm: return f(RoundConstant<Round::rm>{});
        case Round::rp: return f(RoundConstant<Round::rp>{});
        default: return f(RoundConstant<Round::rn>{});
    }
}
template <class F>
inline auto with_bool(bool b, F f) {
    return b ? f(BoolConstant<true>{}) : f(BoolConstant<false>{});
}

/// Writes registers of type W that are given as the numbers in them.
template <class W, class T>
inline void put_as(Warp& w, Slot slot, const T* values, Mask mask) {
    if (mask == kAll) {
        std::memcpy(w.out<W>(slot), values, kLanes * sizeof(W));
    } else {
        W packed[kLanes];
        std::memcpy(packed, values, sizeof packed);
        w.put(slot, packed, mask);
    }
}

// As unary, binary and ternary of lanes.h, over registers W that hold sizeof(W) / sizeof(T) numbers T.
template <class W, class T, class F>
[[gnu::flatten]] inline void packed_unary(Warp& w, const Inst& i, Mask mask) {
    constexpr int n = kLanes * static_cast<int>(sizeof(W) / sizeof(T));
    const T* a = w.get<T>(i.a);
    T d[n];
    for (int l = 0; l < n; ++l) d[l] = F{}(a[l]);
    put_as<W>(w, i.d, d, mask);
}
template <class W, class T, class F>
[[gnu::flatten]] inline void packed_binary(Warp& w, const Inst& i, Mask mask) {
    constexpr int n = kLanes * static_cast<int>(sizeof(W) / sizeof(T));
    const T *a = w.get<T>(i.a), *b = w.get<T>(i.b);
    T d[n];
    for (int l = 0; l < n; ++l) d[l] = F{}(a[l], b[l]);
    put_as<W>(w, i.d, d, mask);
}
template <class W, class T, class F>
[[gnu::flatten]] inline void packed_ternary(Warp& w, const Inst& i, Mask mask) {
    constexpr int n = kLanes * static_cast<int>(sizeof(W) / sizeof(T));
    const T *a = w.get<T>(i.a), *b = w.get<T>(i.b), *c = w.get<T>(i.c);
    T d[n];
    for (int l = 0; l < n; ++l) d[l] = F{}(a[l], b[l], c[l]);
    put_as<W>(w, i.d, d, mask);
}

/// Decodes "d, a[, b[, c]]", all of one type.
inline void operands_of(Decode& d, Type type, size_t sources) {
    d.expect(sources + 1, sources + 1);
    d.inst.d = d.dest(0, type);
    d.inst.a = d.source(1, type);
    if (sources > 1) d.inst.b = d.source(2, type);
    if (sources > 2) d.inst.c = d.source(3, type);
}

// The decoders of the f32 and f64 rows, by file.
void decode_add32(Decode&);           // float_arithmetic.cpp: add, sub, mul, fma, mad
void decode_div32(Decode&);           // float_division.cpp: div, rcp, sqrt
void decode_arithmetic64(Decode&);    // float64.cpp
void decode_minmax32(Decode&);        // float_select.cpp: min, max, abs, neg, copysign
void decode_minmax64(Decode&);
void decode_sign32(Decode&);
void decode_sign64(Decode&);
void decode_copysign(Decode&);
void decode_arithmetic32x2(Decode&);  // float_packed.cpp: f32x2
void decode_mixed(Decode&);           // float_packed.cpp: f32 with f16 or bf16 operands

}  // namespace emu
