// What asynchronous copies have in common: operands that are addresses, barriers that count their bytes, and what the
// sanitizer is told.
//
// Every copy is performed when it is issued, which is one of the orders that PTX allows. The sanitizer is told what is
// in flight and when it ends, and so finds the programs that rely on that.
#pragma once
#include <cstdint>

#include "decode/decode.h"
#include "machine/cta.h"
#include "machine/launch.h"
#include "machine/memory_count.h"
#include "ops/mbarrier.h"
#include "sanitizer/sanitizer.h"

namespace emu {

/// An operand in brackets.
struct Where {
    Slot base = kNone;
    int64_t imm = 0;
    bool address32 = false;
    bool cluster = false;      // shared memory of the whole cluster
    Space space = Space::none;
    uint64_t at(const Warp& w, int lane) const {
        const uint64_t b = address32 ? w.get<uint32_t>(base)[lane] : w.get<uint64_t>(base)[lane];
        return b + static_cast<uint64_t>(imm);
    }
    void all(const Warp& w, uint64_t* address) const {
        for (int l = 0; l < kLanes; ++l) address[l] = at(w, l);
    }
};

inline Where where(Decode& d, size_t operand, Space space, bool cluster = false) {
    const Decode::Address a = d.address_of(d.operand(operand), space);
    return {.base = a.base, .imm = a.imm, .address32 = a.address32, .cluster = cluster, .space = a.space};
}

/// Bytes of memory that a lane may use; host is null after a fault, which was reported.
struct Bytes {
    uint8_t* host = nullptr;
    Region* region = nullptr;
    uint64_t address = 0;
    uint64_t offset() const { return static_cast<uint64_t>(host - region->host); }
    explicit operator bool() const { return host != nullptr; }
};

Bytes find_bytes(Warp& w, const Inst& i, int lane, const Where& where, uint64_t bytes, uint32_t align, bool write);
/// At an address of the operand's space, rather than at the operand's own.
Bytes find_bytes(Warp& w, const Inst& i, int lane, const Where& where, uint64_t address, uint64_t bytes, uint32_t align,
                 bool write);

/// The address of the same place in the shared memory of another CTA of the cluster.
constexpr uint64_t in_cta(uint64_t address, uint32_t rank) {
    return (address & ((uint64_t{1} << kRankShift) - 1)) | static_cast<uint64_t>(rank) << kRankShift;
}

/// How a copy ends: by the phase of an mbarrier, or by the groups of the thread that issued it.
struct Completion {
    Queue queue = Queue::bulk_group;
    SyncKey key;
};
inline Completion completion_of(const Bytes& barrier) {
    return {Queue::mbarrier, mbarrier_key(*barrier.region, barrier.offset())};
}

/// The mbarrier of a copy, in `where` or in another CTA's shared memory: checked, not yet changed.
Bytes find_barrier(Warp& w, const Inst& i, int lane, const Where& where, uint64_t address);
/// complete_tx: so many bytes have arrived.
void complete_bytes(Warp& w, const Inst& i, int lane, const Bytes& barrier, uint64_t bytes);

/// Tells the sanitizer, if there is one.
inline void in_flight(Warp& w, const Inst& i, int lane, const Bytes& at, uint64_t bytes, bool write,
                      const Completion& end) {
    if (!w.sanitizer || !bytes) return;
    w.sanitizer->async_access(w, i, lane, *at.region, at.offset(), bytes, write, end.queue, end.key);
}

/// Tells it of a reduction: atomic operations in flight, which nobody need wait for before the next to the same place.
inline void reduces(Warp& w, const Inst& i, int lane, const Bytes& at, uint64_t bytes, const Completion& end) {
    if (!w.sanitizer || !bytes) return;
    w.sanitizer->async_access(w, i, lane, *at.region, at.offset(), bytes, true, end.queue, end.key, true);
}

/// Passes over shared memory's banks that the shared side of a copy takes; its bytes are counted where it meets global
/// memory.
template <class F>
inline void count_banks_only(Warp& w, const Inst& i, F count) {
    MemoryCount& m = w.worker->counters.memory[i.pc];
    const uint64_t requests = m.requests, bytes = m.bytes;
    count();
    m.requests = requests;
    m.bytes = bytes;
}

/// The lane's CTAs of a multicast, or none (the operand is absent): bit r is rank r.
inline uint32_t multicast_mask(const Warp& w, Slot mask, int lane) {
    return mask == kNone ? 0 : w.get<uint16_t>(mask)[lane];
}

/// commit_group, wait_group and wait_all of a queue.
void decode_commit_group(Decode& d, Queue queue);
void decode_wait_group(Decode& d, Queue queue);

}  // namespace emu
