// redux.sync: one value from all lanes of a warp.
#include <cmath>

#include "ops/warp_level.h"

namespace emu {

namespace {

struct Add { uint32_t operator()(uint32_t a, uint32_t b) const { return a + b; } };
struct And { uint32_t operator()(uint32_t a, uint32_t b) const { return a & b; } };
struct Or { uint32_t operator()(uint32_t a, uint32_t b) const { return a | b; } };
struct Xor { uint32_t operator()(uint32_t a, uint32_t b) const { return a ^ b; } };
struct Min { template <class T> T operator()(T a, T b) const { return b < a ? b : a; } };
struct Max { template <class T> T operator()(T a, T b) const { return a < b ? b : a; } };

template <class T, class F>
void run_redux(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    const T* a = w.get<T>(i.a);
    T d[kLanes] = {};
    each_group(w, i, mask, [&](Mask group) {
        if (group == kAll) {
            T value = a[0];
            for (int l = 1; l < kLanes; ++l) value = F{}(value, a[l]);
            for (int l = 0; l < kLanes; ++l) d[l] = value;
            return;
        }
        T value = a[std::countr_zero(group)];
        for (Mask m = group & (group - 1); m; m &= m - 1) value = F{}(value, a[std::countr_zero(m)]);
        for (Mask m = group; m; m &= m - 1) d[std::countr_zero(m)] = value;
    });
    w.put(i.d, d, mask);
}

enum : uint16_t { take_abs = 8, propagate_nan = 16, take_max = 32 };

/// As min.f32 and max.f32: -0 is below +0; a NaN counts only where all are (with .NaN, where one is), and is canonical.
void run_redux_float(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    const float* a = w.get<float>(i.a);
    float d[kLanes] = {};
    each_group(w, i, mask, [&](Mask group) {
        bool some = false, nan = false;
        float value = 0;
        for (Mask m = group; m; m &= m - 1) {
            float x = a[std::countr_zero(m)];
            if (i.n & take_abs) x = std::fabs(x);
            if (std::isnan(x)) {
                nan = true;
            } else if (!some) {
                value = x;
                some = true;
            } else {
                const bool below = x < value || (x == value && std::signbit(x) && !std::signbit(value));
                const bool above = value < x || (x == value && std::signbit(value) && !std::signbit(x));
                if ((i.n & take_max) ? above : below) value = x;
            }
        }
        if (!some || (nan && (i.n & propagate_nan))) value = std::bit_cast<float>(0x7fffffffu);
        for (Mask m = group; m; m &= m - 1) d[std::countr_zero(m)] = value;
    });
    w.put(i.d, d, mask);
}

void decode_operands(Decode& d, Type type) {
    d.expect(3, 3);
    d.inst.d = d.dest(0, type);
    d.inst.a = d.source(1, type);
    decode_members(d, 2);
}

}  // namespace

void decode_redux(Decode& d) {
    decode_operands(d, d.type());
    const bool is_signed = d.has("s32");
    d.inst.run = d.has("add")   ? run_redux<uint32_t, Add>
                 : d.has("and") ? run_redux<uint32_t, And>
                 : d.has("or")  ? run_redux<uint32_t, Or>
                 : d.has("xor") ? run_redux<uint32_t, Xor>
                 : d.has("min") ? (is_signed ? run_redux<int32_t, Min> : run_redux<uint32_t, Min>)
                                : (is_signed ? run_redux<int32_t, Max> : run_redux<uint32_t, Max>);
}

void decode_redux_float(Decode& d) {
    decode_operands(d, Type::f32);
    if (d.has("abs")) d.inst.n |= take_abs;
    if (d.has("NaN")) d.inst.n |= propagate_nan;
    if (d.has("max")) d.inst.n |= take_max;
    d.inst.run = run_redux_float;
}

}  // namespace emu
