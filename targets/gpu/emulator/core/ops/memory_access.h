// What loads, stores and atomics have in common: the words of their modifiers, host atomics, registers wider than memory.
#pragma once
#include <atomic>

#include "decode/decode.h"
#include "machine/memory_paths.h"
#include "sanitizer/sanitizer.h"

namespace emu {

/// 16 bytes in a register or in memory.
struct U128 {
    uint64_t low = 0, high = 0;
    bool operator==(const U128&) const = default;
};

/// The state space that the modifiers name; generic where they name none. `cluster` for .shared::cluster.
inline Space space_named(const Decode& d, bool* cluster) {
    *cluster = d.has("shared::cluster");
    if (d.has("global")) return Space::global;
    if (d.has("shared") || d.has("shared::cta") || *cluster) return Space::shared;
    if (d.has("local")) return Space::local;
    if (d.has("const")) return Space::constant;
    if (d.has("param") || d.has("param::entry") || d.has("param::func")) return Space::param;
    return Space::generic;
}

/// The order that the modifiers name; `none` where they name none.
inline Order order_named(const Decode& d, Order none) {
    if (d.has("volatile") || d.has("relaxed")) return Order::relaxed;
    if (d.has("acquire")) return Order::acquire;
    if (d.has("release")) return Order::release;
    if (d.has("acq_rel")) return Order::acq_rel;
    return none;
}

inline Scope scope_named(const Decode& d, Scope none) {
    if (d.has("cta")) return Scope::cta;
    if (d.has("cluster")) return Scope::cluster;
    if (d.has("gpu")) return Scope::gpu;
    if (d.has("sys") || d.has("volatile")) return Scope::sys;
    return none;
}

inline uint32_t vector_named(const Decode& d) { return d.has("v2") ? 2 : d.has("v4") ? 4 : d.has("v8") ? 8 : 1; }

/// Is this memory that another thread of the host may touch at the same time?
inline bool contended(const Warp& w, Space space) {
    return space == Space::global && w.launch->options.threads > 1;
}

/// Locks for accesses that the host has no atomic instruction for: of 16 bytes, or where an array of the user's is not
/// aligned as its virtual address is.
class HostLock {
public:
    explicit HostLock(const void* at) : flag_(flags[(reinterpret_cast<uintptr_t>(at) >> 4) % count]) {
        while (flag_.test_and_set(std::memory_order_acquire)) {
        }
    }
    ~HostLock() { flag_.clear(std::memory_order_release); }
    HostLock(const HostLock&) = delete;
    HostLock& operator=(const HostLock&) = delete;

private:
    static constexpr size_t count = 256;
    static inline std::atomic_flag flags[count];
    std::atomic_flag& flag_;
};

template <class M>
inline M load_plain(const uint8_t* at) {
    M value;
    std::memcpy(&value, at, sizeof value);
    return value;
}
template <class M>
inline void store_plain(uint8_t* at, M value) {
    std::memcpy(at, &value, sizeof value);
}

template <class M>
constexpr bool has_host_atomic = sizeof(M) <= 8;
template <class M>
inline bool host_aligned(const uint8_t* at) {
    return (reinterpret_cast<uintptr_t>(at) & (sizeof(M) - 1)) == 0;
}

/// Single-copy atomic; sequentially consistent loads and acquire loads are the same on the hosts that we know.
template <class M>
inline M load_atomic(const uint8_t* at) {
    if constexpr (has_host_atomic<M>) {
        using Word [[gnu::may_alias]] = M;
        if (host_aligned<M>(at)) return __atomic_load_n(reinterpret_cast<const Word*>(at), __ATOMIC_ACQUIRE);
    }
    HostLock lock(at);
    return load_plain<M>(at);
}
template <class M>
inline void store_atomic(uint8_t* at, M value) {
    if constexpr (has_host_atomic<M>) {
        using Word [[gnu::may_alias]] = M;
        if (host_aligned<M>(at)) {
            __atomic_store_n(reinterpret_cast<Word*>(at), value, __ATOMIC_RELEASE);
            return;
        }
    }
    HostLock lock(at);
    store_plain<M>(at, value);
}
/// Replaces the value by f(value), atomically; returns the value before.
template <class M, class F>
inline M update_atomic(uint8_t* at, F f) {
    if constexpr (has_host_atomic<M>) {
        using Word [[gnu::may_alias]] = M;
        if (host_aligned<M>(at)) {
            auto* word = reinterpret_cast<Word*>(at);
            M old = __atomic_load_n(word, __ATOMIC_RELAXED);
            M next = f(old);
            while (!__atomic_compare_exchange_n(word, &old, next, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) next = f(old);
            return old;
        }
    }
    HostLock lock(at);
    const M old = load_plain<M>(at);
    store_plain<M>(at, f(old));
    return old;
}

/// Calls f(lane) for the lanes of the mask, lowest first.
template <class F>
inline void each_lane(Mask mask, F f) {
    if (mask == kAll) {
        for (int l = 0; l < kLanes; ++l) f(l);
    } else {
        for (; mask != 0; mask &= mask - 1) f(std::countr_zero(mask));
    }
}

}  // namespace emu
