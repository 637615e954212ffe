// Asynchronous copies of single elements: cp.async from global to shared memory, its groups, and st.async and red.async
// to the shared memory of the cluster, which count their bytes on an mbarrier.
#include <algorithm>
#include <cstring>

#include "ops/bulk_copy.h"
#include "ops/bulk_copy_reduce.h"
#include "ops/memory_access.h"

namespace emu {

namespace {

// ---- cp.async -------------------------------------------------------------------------------------------------------

/// inst.a and inst.imm address the destination, inst.n is cp-size.
struct AsyncCopy {
    Where from;
    Slot size = kNone;         // src-size, or none
    Slot ignore = kNone;       // ignore-src, a predicate, or none
    bool ignore_negated = false;
};

void tell(Warp& w, const Inst& i, Mask mask, const Resolved& at, const uint32_t* bytes, bool write) {
    each_lane(mask, [&](int l) {
        if (bytes[l]) {
            w.sanitizer->async_access(w, i, l, *at.region[l], at.offset(l), bytes[l], write, Queue::cp_async);
        }
    });
}

/// The sources of lanes that read `size` bytes each, 0 to cp-size. Fewer than cp-size are the edge of an array: what
/// lies beyond may not be there.
void find_sources(Warp& w, const Inst& i, Mask mask, const uint64_t* address, const uint32_t* size, Resolved& out) {
    Mask whole = 0, some = 0;
    each_lane(mask, [&](int l) {
        if (size[l] == i.n) whole |= 1u << l;
        else if (size[l] != 0) some |= 1u << l;
    });
    out.ok = 0;
    if (whole) resolve(w, i, whole, Space::global, address, i.n, i.n, false, out);
    each_lane(mask & ~whole, [&](int l) {
        out.host[l] = nullptr;
        if ((some >> l & 1) == 0) {
            out.ok |= 1u << l;
            return;
        }
        out.host[l] = resolve_one(w, i, l, Space::global, address[l], size[l], i.n, false, &out.region[l]);
        out.address[l] = address[l];
        if (out.host[l]) out.ok |= 1u << l;
    });
}

template <uint32_t kBytes>
void copy_lanes(Mask mask, const Resolved& to, const Resolved& from, const uint32_t* size) {
    each_lane(mask, [&](int l) {
        uint8_t row[kBytes] = {};
        if (size[l] == kBytes) std::memcpy(row, from.host[l], kBytes);
        else if (size[l] != 0) std::memcpy(row, from.host[l], size[l]);
        std::memcpy(to.host[l], row, kBytes);
    });
}

void run_cp_async(Warp& w, const Inst& i, Mask mask) {
    const auto& copy = i.as<AsyncCopy>();
    uint64_t to_address[kLanes], from_address[kLanes];
    uint32_t size[kLanes];
    w.addresses(i, to_address);
    copy.from.all(w, from_address);
    for (int l = 0; l < kLanes; ++l) size[l] = i.n;
    if (copy.size != kNone) {
        const uint32_t* given = w.get<uint32_t>(copy.size);
        for (int l = 0; l < kLanes; ++l) size[l] = std::min<uint32_t>(given[l], i.n);
    }
    if (copy.ignore != kNone) {
        const Mask ignored = w.predicate(copy.ignore) ^ (copy.ignore_negated ? kAll : 0);
        for (int l = 0; l < kLanes; ++l) size[l] = (ignored >> l & 1) ? 0 : size[l];
    }
    Resolved to, from;
    resolve(w, i, mask, Space::shared, to_address, i.n, i.n, true, to);
    if (!to.ok) return;
    find_sources(w, i, to.ok, from_address, size, from);
    mask = from.ok;
    if (!mask) return;
    Mask reading = 0;
    for (int l = 0; l < kLanes; ++l) reading |= static_cast<Mask>(size[l] != 0 ? 1u : 0u) << l;
    reading &= mask;
    if (w.sanitizer) {
        uint32_t whole[kLanes];
        std::fill_n(whole, kLanes, uint32_t{i.n});
        tell(w, i, reading, from, size, false);
        tell(w, i, mask, to, whole, true);
    }
    if (reading) count_memory(w, i, reading, Space::global, from_address, i.n);
    count_banks_only(w, i, [&] { count_memory(w, i, mask, Space::shared, to_address, i.n); });
    switch (i.n) {
        case 4: copy_lanes<4>(mask, to, from, size); break;
        case 8: copy_lanes<8>(mask, to, from, size); break;
        default: copy_lanes<16>(mask, to, from, size); break;
    }
}

void decode_cp_async(Decode& d) {
    const bool hint = d.has("L2::cache_hint");
    d.expect(hint ? 4 : 3, hint ? 5 : 4);
    d.address(0, Space::shared);
    AsyncCopy copy;
    copy.from = where(d, 1, Space::global);
    const int64_t bytes = d.literal(2);
    const bool legal = d.has("cg") ? bytes == 16 : bytes == 4 || bytes == 8 || bytes == 16;
    if (!legal) d.fail(d.has("cg") ? "cp-size must be 16" : "cp-size must be 4, 8 or 16");
    d.inst.n = static_cast<uint16_t>(bytes);
    if (hint) d.source(d.operands() - 1, Type::b64);
    if (d.operands() - (hint ? 1 : 0) == 4) {
        const ast::Operand& o = d.operand(3);
        const bool predicate = o.kind == ast::Operand::negated ||
                               (o.kind == ast::Operand::reg && d.find(o.name).type == Type::pred);
        if (predicate) copy.ignore = d.predicate(o, &copy.ignore_negated);
        else copy.size = d.source(o, Type::u32);
    }
    d.attach(copy);
    d.inst.space = Space::global;  // for the counters
    d.inst.run = run_cp_async;
}

void decode_commit(Decode& d) { decode_commit_group(d, Queue::cp_async); }
void decode_wait(Decode& d) { decode_wait_group(d, Queue::cp_async); }

// ---- st.async, red.async --------------------------------------------------------------------------------------------

struct AsyncStore {
    Where to, barrier;
    Slot value[4] = {kNone, kNone, kNone, kNone};
    uint32_t elements = 1, element_bytes = 4;
    Reducer reduce = nullptr;
};

// These are not of the async proxy; their barrier's phase ends them, and orders what their thread did before.
void run_async_store(Warp& w, const Inst& i, Mask mask) {
    const auto& store = i.as<AsyncStore>();
    const uint32_t bytes = store.elements * store.element_bytes;
    uint64_t address[kLanes];
    store.to.all(w, address);
    Mask done = 0;
    each_lane(mask, [&](int lane) {
        const Bytes to = find_bytes(w, i, lane, store.to, bytes, bytes, true);
        if (!to) return;
        const Bytes barrier = find_barrier(w, i, lane, store.barrier, store.barrier.at(w, lane));
        if (!barrier) return;
        if (barrier.region != to.region) {
            w.fault(Kind::mbarrier_misuse, i, lane, barrier.address,
                    "the mbarrier lies in another CTA's shared memory than the destination");
            return;
        }
        if (w.sanitizer) {
            w.sanitizer->async_access(w, i, lane, *to.region, to.offset(), bytes, true, Queue::mbarrier, completion_of(barrier).key,
                                      store.reduce != nullptr, true);
            w.sanitizer->arrive(w, 1u << lane, completion_of(barrier).key);
        }
        uint8_t value[16];
        for (uint32_t k = 0; k < store.elements; ++k) {
            const uint8_t* lanes = w.get<uint8_t>(store.value[k]);
            std::memcpy(value + k * store.element_bytes, lanes + static_cast<uint32_t>(lane) * store.element_bytes,
                        store.element_bytes);
        }
        if (store.reduce) store.reduce(to.host, value, bytes, false);
        else std::memcpy(to.host, value, bytes);
        complete_bytes(w, i, lane, barrier, bytes);
        done |= 1u << lane;
    });
    if (done) count_memory(w, i, done, store.to.space, address, bytes);
}

void async_store(Decode& d, AsyncStore& store) {
    d.expect(3, 3);
    const Space space = d.has("shared::cluster") ? Space::shared : Space::generic;
    store.to = where(d, 0, space, true);
    store.barrier = where(d, 2, space, true);
    const Type type = d.type();
    store.element_bytes = bytes_of(type);
    store.elements = vector_named(d);
    const auto values = d.elements(d.operand(1));
    if (values.size() != store.elements) {
        d.fail("the vector does not have " + std::to_string(store.elements) + " elements");
    }
    for (uint32_t k = 0; k < store.elements; ++k) store.value[k] = d.source(values[k], type);
    d.attach(store);
    d.inst.space = space;
    d.inst.run = run_async_store;
}

void decode_st_async(Decode& d) {
    AsyncStore store;
    async_store(d, store);
}

void decode_red_async(Decode& d) {
    AsyncStore store;
    ReduceOp op = ReduceOp::add;
    for (const auto& m : d.source_text.modifiers) {
        if (reduce_op(m.c_str(), op)) break;
    }
    store.reduce = reducer(op, d.type(), false);
    async_store(d, store);
}

constexpr const char* kCopy = "[dst], [src], cp-size {, src-size | ignore-src} {, policy}";
constexpr const char* kStore = "[a], b, [mbar]";

constexpr Form kForms[] = {
    {"cp", "async ca shared|shared::cta global [L2::cache_hint] [L2::64B|L2::128B|L2::256B]", kCopy,
     decode_cp_async},
    {"cp", "async cg shared|shared::cta global [L2::cache_hint] [L2::64B|L2::128B|L2::256B]", kCopy,
     decode_cp_async},
    {"cp", "async ca|cg shared|shared::cta global L2::64B|L2::128B|L2::256B L2::cache_hint", kCopy,
     decode_cp_async},
    {"cp", "async commit_group", "", decode_commit},
    {"cp", "async wait_group", "N", decode_wait},
    {"cp", "async wait_all", "", decode_wait},
    {"st", "async [weak] [shared::cluster] mbarrier::complete_tx::bytes [v2|v4] b32|u32|s32|f32", kStore,
     decode_st_async},
    {"st", "async [weak] [shared::cluster] mbarrier::complete_tx::bytes [v2] b64|u64|s64|f64", kStore,
     decode_st_async},
    {"red", "async relaxed cluster [shared::cluster] mbarrier::complete_tx::bytes inc|dec u32", kStore,
     decode_red_async},
    {"red", "async relaxed cluster [shared::cluster] mbarrier::complete_tx::bytes min|max u32|s32", kStore,
     decode_red_async},
    {"red", "async relaxed cluster [shared::cluster] mbarrier::complete_tx::bytes add u32|s32|u64|s64", kStore,
     decode_red_async},
    {"red", "async relaxed cluster [shared::cluster] mbarrier::complete_tx::bytes and|or|xor b32", kStore,
     decode_red_async},
};

}  // namespace

Forms async_copy_forms() { return kForms; }

}  // namespace emu
