// cp.async.bulk between global and shared memory and between the CTAs of a cluster, cp.reduce.async.bulk, prefetches,
// and the groups by which a thread waits for them.
#include "ops/bulk_copy.h"

#include <cstring>

#include "ops/bulk_copy_reduce.h"
#include "ops/memory_access.h"

namespace emu {

Bytes find_bytes(Warp& w, const Inst& i, int lane, const Where& where, uint64_t address, uint64_t bytes, uint32_t align,
                 bool write) {
    Bytes r;
    r.address = address;
    r.host = resolve_one(w, i, lane, where.space, address, bytes, align, write, &r.region, where.cluster);
    return r;
}

Bytes find_bytes(Warp& w, const Inst& i, int lane, const Where& where, uint64_t bytes, uint32_t align, bool write) {
    return find_bytes(w, i, lane, where, where.at(w, lane), bytes, align, write);
}

Bytes find_barrier(Warp& w, const Inst& i, int lane, const Where& where, uint64_t address) {
    Bytes r = find_bytes(w, i, lane, where, address, 8, 8, true);
    if (r && r.region->space != Space::shared) {
        w.fault(Kind::mbarrier_misuse, i, lane, address,
                "an mbarrier lies in shared memory, and this address does not");
        r.host = nullptr;
    }
    return r;
}

void complete_bytes(Warp& w, const Inst& i, int lane, const Bytes& barrier, uint64_t bytes) {
    mbarrier_complete_tx(w, i, lane, *barrier.region, barrier.offset(), bytes);
}

namespace {

struct BulkCopy {
    Where to, from, barrier;      // barrier.base is kNone where a bulk group counts
    Slot size = kNone;
    Slot ctas = kNone;            // of a multicast
    Slot byte_mask = kNone;       // of .cp_mask
    Reducer reduce = nullptr;
};

/// The bytes of each 16 whose bit is set.
void copy_masked(uint8_t* to, const uint8_t* from, uint64_t bytes, uint32_t mask) {
    for (uint64_t k = 0; k < bytes; ++k) {
        if (mask >> (k & 15) & 1) to[k] = from[k];
    }
}

/// To one destination. False after a fault. After a fault at the source only the barrier hears of it: with the
/// sanitizer the program goes on, and who waits should not wait for ever.
bool deliver(Warp& w, const Inst& i, int lane, const BulkCopy& copy, const Bytes& from, uint64_t to_address,
             uint64_t barrier_address, uint32_t bytes) {
    const Bytes to = find_bytes(w, i, lane, copy.to, to_address, bytes, 16, true);
    if (!to) return false;
    Completion end;
    Bytes barrier;
    if (copy.barrier.base != kNone) {
        barrier = find_barrier(w, i, lane, copy.barrier, barrier_address);
        if (!barrier) return false;
        if (barrier.region != to.region) {
            w.fault(Kind::mbarrier_misuse, i, lane, barrier_address,
                    "the mbarrier lies in another CTA's shared memory than the destination");
            return false;
        }
        end = completion_of(barrier);
    }
    if (!from) {
        if (barrier) complete_bytes(w, i, lane, barrier, bytes);
        return true;
    }
    in_flight(w, i, lane, from, bytes, false, end);
    if (copy.reduce) reduces(w, i, lane, to, bytes, end);
    else in_flight(w, i, lane, to, bytes, true, end);
    const auto count = [&] { count_bulk(w, i, copy.to.space, to_address, bytes); };
    if (copy.from.space == Space::global) count_banks_only(w, i, count);
    else count();
    if (copy.reduce) {
        copy.reduce(to.host, from.host, bytes, contended(w, copy.to.space));
    } else if (copy.byte_mask != kNone) {
        copy_masked(to.host, from.host, bytes, w.get<uint16_t>(copy.byte_mask)[lane]);
    } else {
        std::memmove(to.host, from.host, bytes);
    }
    if (barrier) complete_bytes(w, i, lane, barrier, bytes);
    return true;
}

void run_copy(Warp& w, const Inst& i, Mask mask) {
    const auto& copy = i.as<BulkCopy>();
    each_lane(mask, [&](int lane) {
        const uint32_t bytes = w.get<uint32_t>(copy.size)[lane];
        const uint64_t to = copy.to.at(w, lane), source = copy.from.at(w, lane);
        if (bytes % 16 != 0) {
            w.fault(Kind::misaligned, i, lane, source,
                    "a bulk copy of " + std::to_string(bytes) + " bytes, which is not a multiple of 16");
            return;
        }
        if (bytes == 0) return;
        const Bytes from = find_bytes(w, i, lane, copy.from, source, bytes, 16, false);
        if (from) {
            const auto count = [&] { count_bulk(w, i, copy.from.space, source, bytes); };
            if (copy.from.space == Space::shared) count_banks_only(w, i, count);
            else count();
        }
        const uint64_t barrier = copy.barrier.base == kNone ? 0 : copy.barrier.at(w, lane);
        if (copy.ctas == kNone) {
            deliver(w, i, lane, copy, from, to, barrier, bytes);
            return;
        }
        const uint32_t ctas = multicast_mask(w, copy.ctas, lane);
        for (uint32_t rank = 0; rank < 16; ++rank) {
            if ((ctas >> rank & 1) == 0) continue;
            if (!deliver(w, i, lane, copy, from, in_cta(to, rank), in_cta(barrier, rank), bytes)) return;
        }
    });
}

void run_prefetch(Warp& w, const Inst& i, Mask mask) {
    const auto& copy = i.as<BulkCopy>();
    each_lane(mask, [&](int lane) {
        const uint32_t bytes = w.get<uint32_t>(copy.size)[lane];
        if (bytes % 16 != 0) {
            w.fault(Kind::misaligned, i, lane, copy.from.at(w, lane),
                    "a bulk prefetch of " + std::to_string(bytes) + " bytes, which is not a multiple of 16");
        } else if (bytes != 0) {
            find_bytes(w, i, lane, copy.from, bytes, 16, false);
        }
    });
}

void run_commit(Warp& w, const Inst& i, Mask mask) {
    if (w.sanitizer) w.sanitizer->async_commit(w, mask, static_cast<Queue>(i.n));
}

// Of a wait, beside the queue in inst.n.
constexpr uint16_t kReadsOnly = 0x100, kEverything = 0x200;

void run_wait(Warp& w, const Inst& i, Mask mask) {
    if (!w.sanitizer) return;
    w.sanitizer->async_wait(w, mask, static_cast<Queue>(i.n & 0xff), static_cast<uint32_t>(i.imm),
                            (i.n & kReadsOnly) != 0, (i.n & kEverything) != 0);
}

/// What stands behind the addresses and sizes: [ctaMask], [cache-policy], [byteMask].
void trailing(Decode& d, size_t at, BulkCopy& copy) {
    const bool multicast = d.has("multicast::cluster"), hint = d.has("L2::cache_hint"), masked = d.has("cp_mask");
    const size_t count = at + multicast + hint + masked;
    d.expect(count, count);
    if (multicast) copy.ctas = d.source(at++, Type::b16);
    if (hint) d.source(at++, Type::b64);
    if (masked) copy.byte_mask = d.source(at, Type::b16);
    d.attach(copy);
}

void to_shared(Decode& d, Space source) {
    const bool cluster = d.has("shared::cluster");
    BulkCopy copy;
    copy.to = where(d, 0, Space::shared, cluster);
    copy.from = where(d, 1, source);
    copy.size = d.source(2, Type::u32);
    copy.barrier = where(d, 3, Space::shared, cluster);
    if (d.source_text.opcode == "cp" && d.word(0) == "reduce") {
        ReduceOp op = ReduceOp::add;
        for (const auto& m : d.source_text.modifiers) {
            if (reduce_op(m.c_str(), op)) break;
        }
        copy.reduce = reducer(op, d.type(), false);
    }
    trailing(d, 4, copy);
    d.inst.space = source;
    d.inst.run = run_copy;
}

void decode_global_to_shared(Decode& d) { to_shared(d, Space::global); }
void decode_shared_to_shared(Decode& d) { to_shared(d, Space::shared); }

void decode_to_global(Decode& d) {
    BulkCopy copy;
    copy.to = where(d, 0, Space::global);
    copy.from = where(d, 1, Space::shared);
    copy.size = d.source(2, Type::u32);
    if (d.word(0) == "reduce") {
        ReduceOp op = ReduceOp::add;
        for (const auto& m : d.source_text.modifiers) {
            if (reduce_op(m.c_str(), op)) break;
        }
        copy.reduce = reducer(op, d.type(), true);
    }
    trailing(d, 3, copy);
    d.inst.space = Space::global;
    d.inst.run = run_copy;
}

void decode_prefetch(Decode& d) {
    BulkCopy copy;
    copy.from = where(d, 0, Space::global);
    copy.size = d.source(1, Type::u32);
    trailing(d, 2, copy);
    d.inst.run = run_prefetch;
}

void decode_bulk_commit(Decode& d) { decode_commit_group(d, Queue::bulk_group); }
void decode_bulk_wait(Decode& d) { decode_wait_group(d, Queue::bulk_group); }

constexpr Form kForms[] = {
    {"cp", "async bulk shared::cluster global mbarrier::complete_tx::bytes [multicast::cluster] [L2::cache_hint]",
     "[dst], [src], size, [mbar] {, ctaMask} {, policy}", decode_global_to_shared},
    {"cp", "async bulk shared::cta global mbarrier::complete_tx::bytes [L2::cache_hint]",
     "[dst], [src], size, [mbar] {, policy}", decode_global_to_shared},
    {"cp", "async bulk shared::cluster shared::cta mbarrier::complete_tx::bytes", "[dst], [src], size, [mbar]",
     decode_shared_to_shared},
    {"cp", "async bulk global shared::cta bulk_group [L2::cache_hint] [cp_mask]",
     "[dst], [src], size {, policy} {, byteMask}", decode_to_global},
    {"cp", "async bulk prefetch L2 global [L2::cache_hint]", "[src], size {, policy}", decode_prefetch},
    {"cp", "async bulk commit_group", "", decode_bulk_commit},
    {"cp", "async bulk wait_group [read]", "N", decode_bulk_wait},
    {"cp", "reduce async bulk shared::cluster shared::cta mbarrier::complete_tx::bytes and|or|xor b32",
     "[dst], [src], size, [mbar]", decode_shared_to_shared},
    {"cp", "reduce async bulk shared::cluster shared::cta mbarrier::complete_tx::bytes add u32|s32|u64",
     "[dst], [src], size, [mbar]", decode_shared_to_shared},
    {"cp", "reduce async bulk shared::cluster shared::cta mbarrier::complete_tx::bytes inc|dec u32",
     "[dst], [src], size, [mbar]", decode_shared_to_shared},
    {"cp", "reduce async bulk shared::cluster shared::cta mbarrier::complete_tx::bytes min|max u32|s32",
     "[dst], [src], size, [mbar]", decode_shared_to_shared},
    {"cp", "reduce async bulk global shared::cta bulk_group [L2::cache_hint] and|or|xor b32|b64",
     "[dst], [src], size {, policy}", decode_to_global},
    {"cp", "reduce async bulk global shared::cta bulk_group [L2::cache_hint] add u32|s32|u64|f32|f64",
     "[dst], [src], size {, policy}", decode_to_global},
    {"cp", "reduce async bulk global shared::cta bulk_group [L2::cache_hint] add noftz f16|bf16",
     "[dst], [src], size {, policy}", decode_to_global},
    {"cp", "reduce async bulk global shared::cta bulk_group [L2::cache_hint] inc|dec u32",
     "[dst], [src], size {, policy}", decode_to_global},
    {"cp", "reduce async bulk global shared::cta bulk_group [L2::cache_hint] min|max u32|s32|u64|s64|f16|bf16",
     "[dst], [src], size {, policy}", decode_to_global},
};

}  // namespace

void decode_commit_group(Decode& d, Queue queue) {
    d.expect(0, 0);
    d.inst.n = static_cast<uint16_t>(queue);
    d.inst.run = run_commit;
}

void decode_wait_group(Decode& d, Queue queue) {
    d.inst.n = static_cast<uint16_t>(queue);
    if (d.has("wait_all")) {
        d.expect(0, 0);
        d.inst.n |= kEverything;
    } else {
        d.expect(1, 1);
        const int64_t pending = d.literal(0);
        if (pending < 0 || pending > 0x7fffffff) d.fail("the number of groups that may be in flight is out of range");
        d.inst.imm = pending;
        if (d.has("read")) d.inst.n |= kReadsOnly;
    }
    d.inst.run = run_wait;
}

Forms bulk_copy_forms() { return kForms; }

}  // namespace emu
