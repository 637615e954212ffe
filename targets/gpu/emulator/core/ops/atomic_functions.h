// What atomic operations make of the value in memory and the lanes' operands: new = F{}(old, b, c, global). Values are
// bits; `global` matters to f32 sums alone, which flush subnormals in global memory and not in shared memory.
#pragma once
#include "numerics/formats.h"
#include "numerics/rounding.h"
#include "ops/memory_access.h"

namespace emu::atomic_ops {

// ---- integers -------------------------------------------------------------------------------------------------------
struct And {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old & b); }
};
struct Or {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old | b); }
};
struct Xor {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old ^ b); }
};
struct Exchange {
    template <class T>
    T operator()(T, T b, T, bool) const { return b; }
};
struct CompareAndSwap {
    template <class T>
    T operator()(T old, T b, T c, bool) const { return old == b ? c : old; }
};
struct Add {
    template <class T>
    T operator()(T old, T b, T, bool) const { return static_cast<T>(old + b); }
};
struct Increment {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool) const { return old >= b ? 0 : old + 1; }
};
struct Decrement {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool) const { return old == 0 || old > b ? b : old - 1; }
};
template <class Ordered, bool Max>
struct Choose {
    template <class T>
    T operator()(T old, T b, T, bool) const {
        static_assert(sizeof(T) == sizeof(Ordered));
        return (static_cast<Ordered>(b) > static_cast<Ordered>(old)) == Max ? b : old;
    }
};

// ---- floats ---------------------------------------------------------------------------------------------------------
struct AddF32 {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool global) const {
        if (!global) return num::bits(num::canonical(num::real(old) + num::real(b)));
        return num::bits(num::flush(num::canonical(num::flush(num::real(old)) + num::flush(num::real(b)))));
    }
};
struct AddF64 {
    uint64_t operator()(uint64_t old, uint64_t b, uint64_t, bool) const {
        return num::bits(num::real(old) + num::real(b));
    }
};

struct Half {
    static float wide(uint16_t code) { return num::f16_to_f32(code); }
    static uint16_t narrow(float x) { return num::f32_to_f16(x); }
    static constexpr uint16_t infinity = 0x7c00;
};
struct Brain {
    static float wide(uint16_t code) { return num::bf16_to_f32(code); }
    static uint16_t narrow(float x) { return num::f32_to_bf16(x); }
    static constexpr uint16_t infinity = 0x7f80;
};
/// f32 is wide enough that rounding the sum twice is rounding it once.
template <class H>
struct AddNarrow {
    uint16_t operator()(uint16_t old, uint16_t b, uint16_t, bool) const { return H::narrow(H::wide(old) + H::wide(b)); }
};
/// A NaN gives way to a number; -0 lies below +0.
template <class H, bool Max>
struct ChooseNarrow {
    uint16_t operator()(uint16_t old, uint16_t b, uint16_t, bool) const {
        const bool old_nan = (old & 0x7fff) > H::infinity, b_nan = (b & 0x7fff) > H::infinity;
        if (old_nan && b_nan) return 0x7fff;
        if (old_nan || b_nan) return old_nan ? b : old;
        const auto order = [](uint16_t u) { return u & 0x8000 ? -1 - (u & 0x7fff) : int{u}; };
        return (order(b) > order(old)) == Max ? b : old;
    }
};
/// Both halves of 32 bits.
template <class F>
struct Pair {
    uint32_t operator()(uint32_t old, uint32_t b, uint32_t, bool global) const {
        const auto low = F{}(static_cast<uint16_t>(old), static_cast<uint16_t>(b), uint16_t{0}, global);
        const auto high = F{}(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16), uint16_t{0}, global);
        return low | static_cast<uint32_t>(high) << 16;
    }
};

// ---- handlers -------------------------------------------------------------------------------------------------------

/// What an atomic instruction keeps besides its Inst.
struct Atomic {
    Order order = Order::relaxed;
    Scope scope = Scope::gpu;
    bool cluster = false;
    bool returns = true;     // atom; red does not
    Slot d[8] = {}, b[8] = {}, c = kNone;  // by element
};

/// Lanes one after the other, lowest first; within a lane, elements one after the other, each atomic for itself.
template <class T, class F, int N = 1>
void run(Warp& w, const Inst& i, Mask mask) {
    constexpr uint32_t bytes = sizeof(T) * N;
    const auto& s = i.as<Atomic>();
    alignas(64) uint64_t address[kLanes];
    w.addresses(i, address);
    alignas(64) T result[N][kLanes] = {};
    const T* b[N];
    for (int e = 0; e < N; ++e) b[e] = w.get<T>(s.b[e]);
    const T* c = s.c == kNone ? b[0] : w.get<T>(s.c);
    auto plain = [&](uint8_t* at, int l, bool global) {
        for (int e = 0; e < N; ++e) {
            const T old = load_plain<T>(at + e * sizeof(T));
            store_plain<T>(at + e * sizeof(T), F{}(old, b[e][l], c[l], global));
            result[e][l] = old;
        }
    };
    auto contend = [&](uint8_t* at, int l, bool global) {
        for (int e = 0; e < N; ++e) {
            result[e][l] = update_atomic<T>(at + e * sizeof(T), [&](T old) { return F{}(old, b[e][l], c[l], global); });
        }
    };
    Flat f;
    if (w.sanitizer == nullptr && flat<bytes>(w, i, mask, i.space, address, true, s.cluster, f)) {
        const bool global = f.space == Space::global;
        if (contended(w, f.space)) {
            each_lane(mask, [&](int l) { contend(f.at(address, l), l, global); });
        } else if (N == 1 && f.pattern == Pattern::uniform) {
            uint8_t* at = f.straight(address, f.first);
            T value = load_plain<T>(at);
            each_lane(mask, [&](int l) {
                result[0][l] = value;
                value = F{}(value, b[0][l], c[l], global);
            });
            store_plain<T>(at, value);
        } else {
            each_lane(mask, [&](int l) { plain(f.at(address, l), l, global); });
        }
        count_flat<bytes>(w, i, mask, address, f);
    } else {
        Resolved r;
        resolve(w, i, mask, i.space, address, bytes, bytes, true, r, s.cluster);
        mask = r.ok;
        if (mask == 0) return;
        if (w.sanitizer != nullptr) {
            w.sanitizer->access(w, i, mask, r, bytes,
                                {.read = true, .write = true, .atomic = true, .order = s.order, .scope = s.scope});
        }
        const bool threads = w.launch->options.threads > 1;
        each_lane(mask, [&](int l) {
            const Space space = r.region[l]->space;
            const bool global = space != Space::shared && space != Space::local;
            if (threads && global) contend(r.host[l], l, global);
            else plain(r.host[l], l, global);
        });
        count_memory(w, i, mask, i.space, address, bytes);
    }
    if (!s.returns) return;
    for (int e = 0; e < N; ++e) w.put(s.d[e], result[e], mask);
    w.polled();
}

/// The handler for F on elements of 1, 2, 4 or 8.
template <class T, class F>
Handler by_elements(uint32_t elements) {
    switch (elements) {
        case 1: return run<T, F, 1>;
        case 2: return run<T, F, 2>;
        case 4: return run<T, F, 4>;
        default: return run<T, F, 8>;
    }
}

}  // namespace emu::atomic_ops
