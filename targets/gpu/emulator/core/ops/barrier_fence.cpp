// Fences, and instructions that only pace a thread: nanosleep, griddepcontrol, setmaxnreg.
//
// A launch runs on one thread of the host or several; each warp's accesses are performed in program order, so a fence
// is needed only between host threads. What a fence orders and a proxy fence makes visible is the sanitizer's to know.
#include <atomic>
#include <bit>

#include "ops/barrier.h"

namespace emu {

namespace {

void host_fence(Warp& w) {
    if (w.launch->options.threads > 1) std::atomic_thread_fence(std::memory_order_seq_cst);
}

Order order_of(const Inst& i) { return static_cast<Order>(i.n & 15); }
Scope scope_of(const Inst& i) { return static_cast<Scope>(i.n >> 4 & 15); }

void fence(Warp& w, const Inst& i, Mask mask) {
    host_fence(w);
    if (w.sanitizer) w.sanitizer->fence(w, mask, order_of(i), scope_of(i));
}

void proxy_alias(Warp& w, const Inst&, Mask) { host_fence(w); }

void proxy_async(Warp& w, const Inst& i, Mask mask) {
    host_fence(w);
    if (w.sanitizer) w.sanitizer->proxy_fence(w, i, mask, Proxy::async);
}

void tensormap_release(Warp& w, const Inst& i, Mask mask) {
    host_fence(w);
    if (!w.sanitizer) return;
    w.sanitizer->proxy_fence(w, i, mask, Proxy::tensormap);
    w.sanitizer->fence(w, mask, Order::release, scope_of(i));
}

/// A fence reads nothing: code with an operand less (CUTLASS's grouped GEMM without C) fences at a null pointer.
void tensormap_acquire(Warp& w, const Inst& i, Mask mask) {
    uint64_t address[kLanes];
    w.addresses(i, address);
    Mask maps = 0;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = std::countr_zero(m);
        if (address[l]) maps |= Mask{1} << l;
    }
    host_fence(w);
    if (!maps) return;
    Resolved at;
    resolve(w, i, maps, i.space, address, 128, 128, false, at);
    if (!w.sanitizer || !at.ok) return;
    w.sanitizer->fence(w, at.ok, Order::acquire, scope_of(i));
    w.sanitizer->proxy_fence(w, i, at.ok, Proxy::tensormap);
}

void sleep(Warp& w, const Inst&, Mask) { w.yield(); }

void nothing(Warp&, const Inst&, Mask) {}

void together(Warp& w, const Inst& i, Mask mask) { (void)aligned(w, i, mask); }

Scope scope_named(Decode& d) {
    if (d.has("cta")) return Scope::cta;
    if (d.has("cluster")) return Scope::cluster;
    return d.has("gpu") || d.has("gl") ? Scope::gpu : Scope::sys;
}

uint16_t pack(Order order, Scope scope) {
    return static_cast<uint16_t>(static_cast<unsigned>(order) | static_cast<unsigned>(scope) << 4);
}

}  // namespace

void decode_fence(Decode& d) {
    d.expect(0, 0);
    const Order order = d.has("sc")        ? Order::sc
                        : d.has("acquire") ? Order::acquire
                        : d.has("release") ? Order::release
                                           : Order::acq_rel;
    d.inst.n = pack(order, scope_named(d));
    d.inst.run = fence;
}

// On sm_70 and later a membar is a fence.sc.
void decode_membar(Decode& d) {
    d.expect(0, 0);
    d.inst.n = pack(Order::sc, scope_named(d));
    d.inst.run = fence;
}

void decode_fence_restricted(Decode& d) {
    d.expect(0, 0);
    d.inst.n = pack(d.has("acquire") ? Order::acquire : Order::release, Scope::cluster);
    d.inst.run = fence;
}

void decode_fence_proxy(Decode& d) {
    d.expect(0, 0);
    d.inst.run = d.has("alias") ? proxy_alias : proxy_async;
}

void decode_fence_tensormap(Decode& d) {
    const bool acquire = d.has("acquire");
    d.expect(acquire ? 2 : 0, acquire ? 2 : 0);
    d.inst.n = pack(acquire ? Order::acquire : Order::release, scope_named(d));
    d.inst.run = acquire ? tensormap_acquire : tensormap_release;
    if (!acquire) return;
    d.address(0, Space::generic);
    if (d.literal(1) != 128) d.fail("the size of a tensor map is 128");
}

void decode_nanosleep(Decode& d) {
    d.expect(1, 1);
    d.inst.a = d.source(0, Type::u32);
    d.inst.run = sleep;
    d.ends_block();
}

// One grid runs at a time: those that it depends on are complete, and those that depend on it have not begun.
void decode_griddepcontrol(Decode& d) {
    d.expect(0, 0);
    d.inst.run = nothing;
}

// Registers are no scarce thing here; what is wrong on hardware is an error all the same.
void decode_setmaxnreg(Decode& d) {
    d.expect(1, 1);
    const int64_t n = d.literal(0);
    if (n < 24 || n > 256 || n % 8 != 0) d.fail("the number of registers must be a multiple of 8 from 24 to 256");
    d.inst.run = together;
    d.ends_block();
}

}  // namespace emu
