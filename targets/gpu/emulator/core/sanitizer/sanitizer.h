// What the sanitizer is told. It runs nothing and changes nothing; it orders events and reports findings.
#pragma once
#include <cstdint>
#include <memory>

#include "machine/access.h"
#include "machine/memory.h"

namespace emu {

struct Warp;
struct Cta;
struct Launch;

/// What threads synchronise through. Arrivals gather in the current phase; completing it makes them visible to those
/// who wait for it. Keys: the CTA's barrier (cta, id), cluster's barrier, a warp's convergence (warp), an mbarrier
/// (region, offset).
struct SyncKey {
    const void* object = nullptr;
    uint64_t part = 0;
    bool operator==(const SyncKey&) const = default;
};

/// All calls come from the thread of the host that runs the warp; with several, they may be concurrent.
class Sanitizer {
public:
    virtual ~Sanitizer() = default;

    // Life of a CTA. Its threads know what the launch knew.
    virtual void begin(Cta&) = 0;
    virtual void end(Cta&) = 0;

    /// Loads, stores, atomics and reductions of the lanes, before they are performed: races, uninitialized reads, uses
    /// of asynchronous results before their wait, proxies. Strong accesses also synchronise by their order and scope.
    virtual void access(Warp&, const Inst&, Mask, const Resolved&, uint32_t bytes, const Access&) = 0;

    /// One contiguous access on behalf of a lane (ldmatrix rows, bulk copies' synchronous reads, mbarrier words, ...).
    virtual void access_one(Warp&, const Inst&, int lane, Region&, uint64_t offset, uint64_t bytes, const Access&) = 0;

    /// Lanes arrive: what they did so far is released to the current phase of `key`; `relaxed`: what they did before
    /// their last fence.
    virtual void arrive(Warp&, Mask, SyncKey key, bool relaxed = false) = 0;
    /// The current phase of `key` is complete: a new one begins.
    virtual void complete(SyncKey key) = 0;
    /// Lanes have seen the last complete phase of `key`; `relaxed`: their next fence acquires it.
    virtual void wait(Warp&, Mask, SyncKey key, bool relaxed = false) = 0;
    /// `key` names a new object from here on (mbarrier.init, inval).
    virtual void forget(SyncKey key) = 0;

    /// fence / membar (order acq_rel or sc).
    virtual void fence(Warp&, Mask, Order, Scope) = 0;
    /// fence.proxy.async (and .alias, .tensormap): earlier writes of the lanes become visible to the other proxy.
    virtual void proxy_fence(Warp&, const Inst&, Mask, Proxy) = 0;

    /// An asynchronous access of a lane, now in flight: bytes of a region read or written by Proxy::async (or, for
    /// cp_async, generic). It ends when the queue is waited for; of Queue::mbarrier, with the phase of `key`.
    /// Queue::wgmma: `lane` is 0 and it belongs to the warp. `atomic`: a reduction, by relaxed atomics of scope gpu.
    /// `generic`: st.async and red.async, which are not of the asynchronous proxy.
    virtual void async_access(Warp&, const Inst&, int lane, Region&, uint64_t offset, uint64_t bytes, bool write, Queue,
                              SyncKey key = {}, bool atomic = false, bool generic = false) = 0;
    /// Closes the group of what was issued (cp.async.commit_group, bulk.commit_group, wgmma.commit_group).
    virtual void async_commit(Warp&, Mask, Queue) = 0;
    /// At most `pending` groups remain in flight. `reads_only`: cp.async.bulk.wait_group.read (sources may be reused).
    /// `all`: cp.async.wait_all, also what was not committed.
    virtual void async_wait(Warp&, Mask, Queue, uint32_t pending, bool reads_only = false, bool all = false) = 0;
    /// cp.async.mbarrier.arrive: what the lanes issued by cp.async so far ends with the phase of `key`.
    virtual void async_arrive(Warp&, Mask, SyncKey key) = 0;

    /// Registers of the warp that a wgmma writes (or reads, `write` false): nobody may touch them before
    /// wgmma.wait_group, wgmma itself on the same accumulators excepted. `bytes` per slot: 128.
    virtual void registers_in_flight(Warp&, const Inst&, const Slot* slots, uint32_t count, bool write) = 0;
    /// wgmma.fence: earlier register accesses are ordered before later wgmma.
    virtual void wgmma_fence(Warp&, Mask) = 0;
    /// Called before every instruction while Warp::registers_in_flight is set.
    virtual void check_registers(Warp&, const Inst&) = 0;
};

std::unique_ptr<Sanitizer> make_sanitizer(Launch& launch);

}  // namespace emu
