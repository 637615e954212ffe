// What the families of f16 and bf16 share.
#pragma once
#include "numerics/half.h"
#include "ops/float_lanes.h"

namespace emu {

/// What is done to the operands and the result besides the operation.
enum class Finish : uint8_t { none, ftz, sat, ftz_sat, relu, ftz_relu };

constexpr bool flushes(Finish f) { return f == Finish::ftz || f == Finish::ftz_sat || f == Finish::ftz_relu; }

inline Finish finish_of(const Decode& d) {
    const bool ftz = d.has("ftz");
    if (d.has("sat")) return ftz ? Finish::ftz_sat : Finish::sat;
    if (d.has("relu")) return ftz ? Finish::ftz_relu : Finish::relu;
    return ftz ? Finish::ftz : Finish::none;
}

template <Finish F>
inline uint16_t taken_half(uint16_t h) { return flushes(F) ? num::flush_half(h) : h; }

/// Rounds to the format and finishes.
template <bool Bf16, Finish F>
inline uint16_t given_half(float x) {
    if constexpr (F == Finish::sat || F == Finish::ftz_sat) x = num::saturate(x);
    if constexpr (F == Finish::relu || F == Finish::ftz_relu) x = num::relu(x);
    const uint16_t h = num::shorten<Bf16>(x);
    return flushes(F) ? num::flush_half(h) : h;
}

// An instruction W registers wide, one half or two: halves to floats, the operation on floats, floats to halves. These
// are loops of their own because each of them vectorizes, which one loop over both widths does not.
template <class W>
constexpr int kHalves = kLanes * static_cast<int>(sizeof(W) / 2);

template <bool Bf16, Finish F, int N>
inline void widen_lanes(const uint16_t* from, float* to) {
    for (int l = 0; l < N; ++l) to[l] = num::widen_raw<Bf16>(taken_half<F>(from[l]));
}
template <class W, bool Bf16, Finish F>
inline void give_lanes(Warp& w, const Inst& i, const float* from, Mask mask) {
    uint16_t d[kHalves<W>];
    for (int l = 0; l < kHalves<W>; ++l) d[l] = given_half<Bf16, F>(from[l]);
    put_as<W>(w, i.d, d, mask);
}

template <class W, bool Bf16, Finish F, class Op>
[[gnu::flatten]] void run_half1(Warp& w, const Inst& i, Mask mask) {
    float a[kHalves<W>];
    widen_lanes<Bf16, F, kHalves<W>>(w.get<uint16_t>(i.a), a);
    for (int l = 0; l < kHalves<W>; ++l) a[l] = Op{}(a[l]);
    give_lanes<W, Bf16, F>(w, i, a, mask);
}
template <class W, bool Bf16, Finish F, class Op>
[[gnu::flatten]] void run_half2(Warp& w, const Inst& i, Mask mask) {
    float a[kHalves<W>], b[kHalves<W>];
    widen_lanes<Bf16, F, kHalves<W>>(w.get<uint16_t>(i.a), a);
    widen_lanes<Bf16, F, kHalves<W>>(w.get<uint16_t>(i.b), b);
    for (int l = 0; l < kHalves<W>; ++l) a[l] = Op{}(a[l], b[l]);
    give_lanes<W, Bf16, F>(w, i, a, mask);
}
template <class W, bool Bf16, Finish F, class Op>
[[gnu::flatten]] void run_half3(Warp& w, const Inst& i, Mask mask) {
    float a[kHalves<W>], b[kHalves<W>], c[kHalves<W>];
    widen_lanes<Bf16, F, kHalves<W>>(w.get<uint16_t>(i.a), a);
    widen_lanes<Bf16, F, kHalves<W>>(w.get<uint16_t>(i.b), b);
    widen_lanes<Bf16, F, kHalves<W>>(w.get<uint16_t>(i.c), c);
    for (int l = 0; l < kHalves<W>; ++l) a[l] = Op{}(a[l], b[l], c[l]);
    give_lanes<W, Bf16, F>(w, i, a, mask);
}

/// The handlers of an operation on floats, for registers of one half or of two.
template <bool Bf16, Finish F, class Op>
inline Handler half_unary(bool two) {
    return two ? run_half1<uint32_t, Bf16, F, Op> : run_half1<uint16_t, Bf16, F, Op>;
}
template <bool Bf16, Finish F, class Op>
inline Handler half_binary(bool two) {
    return two ? run_half2<uint32_t, Bf16, F, Op> : run_half2<uint16_t, Bf16, F, Op>;
}
template <bool Bf16, Finish F, class Op>
inline Handler half_ternary(bool two) {
    return two ? run_half3<uint32_t, Bf16, F, Op> : run_half3<uint16_t, Bf16, F, Op>;
}

inline bool is_bf16(Type t) { return t == Type::bf16 || t == Type::bf16x2; }
inline bool is_pair(Type t) { return t == Type::f16x2 || t == Type::bf16x2; }

void decode_half_arithmetic(Decode&);  // half_arithmetic.cpp
void decode_half_minmax(Decode&);      // half_select.cpp
void decode_half_sign(Decode&);

}  // namespace emu
