// Loops over the 32 lanes of a warp, written once: a function of one, two or three values becomes a handler.
#pragma once
#include "machine/warp.h"

namespace emu {

/// d = f(a) for each lane. F is a stateless callable type; the loops vectorize where F inlines.
template <class D, class A, class F>
inline void unary(Warp& w, const Inst& i, Mask mask) {
    const A* a = w.get<A>(i.a);
    D d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = F{}(a[l]);
    w.put(i.d, d, mask);
}

template <class D, class A, class B, class F>
inline void binary(Warp& w, const Inst& i, Mask mask) {
    const A* a = w.get<A>(i.a);
    const B* b = w.get<B>(i.b);
    D d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = F{}(a[l], b[l]);
    w.put(i.d, d, mask);
}

template <class D, class A, class B, class C, class F>
inline void ternary(Warp& w, const Inst& i, Mask mask) {
    const A* a = w.get<A>(i.a);
    const B* b = w.get<B>(i.b);
    const C* c = w.get<C>(i.c);
    D d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = F{}(a[l], b[l], c[l]);
    w.put(i.d, d, mask);
}

/// The lanes where f(a, b) holds, of all 32.
template <class A, class B, class F>
inline Mask where(const A* a, const B* b, F f) {
    Mask m = 0;
    for (int l = 0; l < kLanes; ++l) m |= static_cast<Mask>(f(a[l], b[l]) ? 1u : 0u) << l;
    return m;
}

}  // namespace emu
