// Arithmetic with the condition code: the flag of each lane is a bit of special_carry.
#include "ops/carry.h"

#include "ops/integer_functions.h"

namespace emu {
namespace {

/// x + y or x + ~y with the flag, which a subtraction without one takes as set; `x` is a function of the lane.
template <class T, bool In, bool Out, bool Subtract, class X>
inline void with_carry(Warp& w, const Inst& i, Mask mask, X x, const T* y) {
    const Mask flag = In ? w.predicate(special_carry) : Subtract ? kAll : 0;
    T d[kLanes];
    Truth<T> carry[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        const T a = x(l), b = Subtract ? ~y[l] : y[l], in = static_cast<T>(flag >> l & 1);
        const T partial = a + b;
        d[l] = partial + in;
        carry[l] = ((partial < a) | (d[l] < in)) ? -1 : 0;
    }
    w.put(i.d, d, mask);
    if constexpr (Out) w.put_predicate(special_carry, signs<sizeof(T)>(carry), mask);
}

template <class T, bool In, bool Out, bool Subtract>
void sum(Warp& w, const Inst& i, Mask mask) {
    const T* a = w.get<T>(i.a);
    with_carry<T, In, Out, Subtract>(w, i, mask, [a](int l) { return a[l]; }, w.get<T>(i.b));
}

template <class T, bool In, bool Out, class Multiply>
void product_sum(Warp& w, const Inst& i, Mask mask) {
    using U = std::make_unsigned_t<T>;
    const T* a = w.get<T>(i.a);
    const T* b = w.get<T>(i.b);
    auto product = [a, b](int l) { return static_cast<U>(Multiply{}(a[l], b[l])); };
    with_carry<U, In, Out, false>(w, i, mask, product, w.get<U>(i.c));
}

template <bool In, bool Out, bool Subtract>
void decode_sum(Decode& d) {
    const Type t = d.type();
    operands3(d, t, t, t, bytes_of(t) == 4 ? &sum<uint32_t, In, Out, Subtract> : &sum<uint64_t, In, Out, Subtract>);
}

}  // namespace

template <bool In, bool Out>
void carry_add(Decode& d) { decode_sum<In, Out, false>(d); }

template <bool In, bool Out>
void carry_sub(Decode& d) { decode_sum<In, Out, true>(d); }

template <bool In, bool Out>
void carry_mad(Decode& d) {
    using namespace integer;
    const Type t = d.type();
    Handler run = nullptr;
    if (d.word(0) == "lo") {
        run = bytes_of(t) == 4 ? &product_sum<uint32_t, In, Out, MulLo> : &product_sum<uint64_t, In, Out, MulLo>;
    } else {
        switch (t) {
            case Type::u32: run = &product_sum<uint32_t, In, Out, MulHi>; break;
            case Type::s32: run = &product_sum<int32_t, In, Out, MulHi>; break;
            case Type::u64: run = &product_sum<uint64_t, In, Out, MulHi>; break;
            default: run = &product_sum<int64_t, In, Out, MulHi>; break;
        }
    }
    operands4(d, t, t, t, t, run);
}

template void carry_add<false, true>(Decode&);
template void carry_add<true, false>(Decode&);
template void carry_add<true, true>(Decode&);
template void carry_sub<false, true>(Decode&);
template void carry_sub<true, false>(Decode&);
template void carry_sub<true, true>(Decode&);
template void carry_mad<false, true>(Decode&);
template void carry_mad<true, false>(Decode&);
template void carry_mad<true, true>(Decode&);

}  // namespace emu
