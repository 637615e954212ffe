// The mbarrier instructions, and cp.async.mbarrier.arrive.
#include <bit>

#include "ops/barrier.h"
#include "ops/mbarrier.h"

namespace emu {

namespace {

// Bits of Inst::n: those of Arrive, and
enum : uint16_t { remote = 64, with_tx = 128, is_relaxed = 512, blocking = 1024 };

/// f(lane, region, offset) for each lane's mbarrier; lanes whose address is no place for one are faults and left out.
template <class F>
void each_object(Warp& w, const Inst& i, Mask mask, bool write, F f) {
    uint64_t address[kLanes];
    w.addresses(i, address);
    Region* region = nullptr;
    const uint8_t* host = nullptr;
    for (int last = -1; mask; mask &= mask - 1) {
        const int l = std::countr_zero(mask);
        // Lanes mostly mean the same one.
        if (!host || address[l] != address[last]) {
            host = resolve_one(w, i, l, i.space, address[l], 8, 8, write, &region, (i.n & remote) != 0);
        }
        last = l;
        if (host) f(l, *region, static_cast<uint64_t>(host - region->host));
        if (w.launch->stop.load(std::memory_order_relaxed)) return;
    }
}

void run_init(Warp& w, const Inst& i, Mask mask) {
    const uint32_t* count = w.get<uint32_t>(i.b);
    each_object(w, i, mask, true, [&](int l, Region& r, uint64_t offset) {
        mbarrier_init(w, i, l, r, offset, count[l]);
    });
}

void run_inval(Warp& w, const Inst& i, Mask mask) {
    each_object(w, i, mask, true, [&](int l, Region& r, uint64_t offset) { mbarrier_inval(w, i, l, r, offset); });
}

template <bool complete>
void run_tx(Warp& w, const Inst& i, Mask mask) {
    const uint32_t* bytes = w.get<uint32_t>(i.b);
    each_object(w, i, mask, true, [&](int l, Region& r, uint64_t offset) {
        (complete ? mbarrier_complete_tx : mbarrier_expect_tx)(w, i, l, r, offset, bytes[l]);
    });
}

void run_arrive(Warp& w, const Inst& i, Mask mask) {
    const uint32_t* b = i.b == kNone ? nullptr : w.get<uint32_t>(i.b);
    const auto how = static_cast<Arrive>(i.n & 63);
    uint64_t state[kLanes] = {};
    Mask done = 0;
    each_object(w, i, mask, true, [&](int l, Region& r, uint64_t offset) {
        if ((i.n & with_tx) && !mbarrier_expect_tx(w, i, l, r, offset, b[l])) return;
        const bool wants = i.d != special_sink;
        if (wants && r.cta != w.cta) {
            w.fault(Kind::mbarrier_misuse, i, l, r.begin + offset,
                    "an arrival at another block's mbarrier returns no state");
            return;
        }
        const uint32_t count = (i.n & with_tx) || !b ? 1 : b[l];
        if (mbarrier_arrive(w, i, l, r, offset, count, how, wants ? &state[l] : nullptr)) done |= Mask{1} << l;
    });
    if (i.d != kNone && i.d != special_sink) w.put(i.d, state, done);
}

void run_copies_arrive(Warp& w, const Inst& i, Mask mask) {
    each_object(w, i, mask, true, [&](int l, Region& r, uint64_t offset) {
        mbarrier_arrive(w, i, l, r, offset, 1, static_cast<Arrive>(i.n & 63));
    });
}

template <class T>
void run_wait(Warp& w, const Inst& i, Mask mask) {
    const T* wanted = w.get<T>(i.b);
    constexpr bool parity = sizeof(T) == 4;
    Mask done = 0, seen = 0;
    Wait wait;
    SyncKey keys[kLanes];
    int last = -1;
    each_object(w, i, mask, false, [&](int l, Region& r, uint64_t offset) {
        seen |= Mask{1} << l;
        keys[l] = mbarrier_key(r, offset);
        // Lanes that ask the same get the same; the sanitizer wants to hear of each.
        if (!w.sanitizer && last >= 0 && keys[l] == keys[last] && wanted[l] == wanted[last]) {
            done |= (done >> last & 1u) << l;
            return;
        }
        last = l;
        if (mbarrier_test(w, i, l, r, offset, wanted[l], parity)) {
            done |= Mask{1} << l;
        } else if (wait.what == Wait::nothing && r.cta == w.cta) {
            const uint64_t value = wanted[l];
            wait = mbarrier_wait(r, offset, static_cast<uint32_t>((parity ? value : value >> 61) & 1));
        }
    });
    if ((i.n & blocking) && seen && !done && wait.what != Wait::nothing && !w.now.gave_up &&
        !w.launch->stop.load(std::memory_order_relaxed)) {
        park_lanes(w, i, mask, wait, true);
        return;
    }
    w.put_predicate(i.d, done, mask);
    if (w.sanitizer) {
        for (Mask rest = done; rest;) {
            const SyncKey key = keys[std::countr_zero(rest)];
            Mask same = 0;
            for (Mask m = rest; m; m &= m - 1) {
                const int l = std::countr_zero(m);
                if (keys[l] == key) same |= Mask{1} << l;
            }
            w.sanitizer->wait(w, same, key, (i.n & is_relaxed) != 0);
            rest &= ~same;
        }
    }
    if (done != mask) w.polled();
}

void run_pending_count(Warp& w, const Inst& i, Mask mask) {
    const uint64_t* state = w.get<uint64_t>(i.a);
    uint32_t d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = static_cast<uint32_t>(state[l] & kMbarrierMax);
    w.put(i.d, d, mask);
}

// ---- decoding -----------------------------------------------------------------------------------------------------

void object(Decode& d, size_t n) {
    const bool cluster = d.has("shared::cluster");
    if (cluster) d.inst.n |= remote;
    d.address(n, cluster || d.has("shared") || d.has("shared::cta") ? Space::shared : Space::generic);
}

void check_literal(Decode& d, size_t n, int64_t low, const char* what) {
    if (d.is_literal(n) && (d.literal(n) < low || d.literal(n) > static_cast<int64_t>(kMbarrierMax))) {
        d.fail(std::string(what) + " must be " + std::to_string(low) + " .. " + std::to_string(kMbarrierMax));
    }
}

void decode_init(Decode& d) {
    d.expect(2, 2);
    object(d, 0);
    check_literal(d, 1, 1, "the count");
    d.inst.b = d.source(1, Type::b32);
    d.inst.run = run_init;
}

void decode_inval(Decode& d) {
    d.expect(1, 1);
    object(d, 0);
    d.inst.run = run_inval;
}

void decode_tx(Decode& d) {
    d.expect(2, 2);
    object(d, 0);
    check_literal(d, 1, 0, "the tx-count");
    d.inst.b = d.source(1, Type::b32);
    d.inst.run = d.has("complete_tx") ? run_tx<true> : run_tx<false>;
}

void decode_arrive(Decode& d) {
    const bool tx = d.has("expect_tx"), no_complete = d.has("noComplete");
    d.expect(tx || no_complete ? 3 : 2, 3);
    d.inst.d = d.dest(0, Type::b64);
    if (d.has("shared::cluster") && d.operand(0).kind != ast::Operand::sink) {
        d.fail("with .shared::cluster the destination must be _");
    }
    object(d, 1);
    if (d.operands() == 3) {
        check_literal(d, 2, tx ? 0 : 1, tx ? "the tx-count" : "the count");
        d.inst.b = d.source(2, Type::b32);
    }
    Arrive how = Arrive::plain;
    if (d.has("arrive_drop")) how = how | Arrive::drop;
    if (no_complete) how = how | Arrive::no_complete;
    if (d.has("relaxed")) how = how | Arrive::relaxed;
    d.inst.n |= static_cast<uint16_t>(how);
    if (tx) d.inst.n |= with_tx;
    d.inst.run = run_arrive;
}

void decode_copies_arrive(Decode& d) {
    d.expect(1, 1);
    object(d, 0);
    d.inst.n |= static_cast<uint16_t>(d.has("noinc") ? Arrive::copies_noinc : Arrive::copies);
    d.inst.run = run_copies_arrive;
}

void decode_wait(Decode& d) {
    const bool parity = d.has("parity"), tries = d.has("try_wait");
    d.expect(3, tries ? 4 : 3);
    d.inst.d = d.predicate_dest(d.operand(0));
    object(d, 1);
    if (parity && d.is_literal(2) && (d.literal(2) < 0 || d.literal(2) > 1)) d.fail("a phase's parity is 0 or 1");
    d.inst.b = d.source(2, parity ? Type::b32 : Type::b64);
    if (d.operands() == 4) d.source(3, Type::b32);  // how long to wait: as long as it takes is right too
    if (d.has("relaxed")) d.inst.n |= is_relaxed;
    if (tries) d.inst.n |= blocking;
    d.inst.run = parity ? run_wait<uint32_t> : run_wait<uint64_t>;
    d.ends_block();
}

void decode_pending_count(Decode& d) {
    d.expect(2, 2);
    d.inst.d = d.dest(0, Type::b32);
    d.inst.a = d.source(1, Type::b64);
    d.inst.run = run_pending_count;
}

constexpr Form kForms[] = {
    {"mbarrier", "init [shared|shared::cta] b64", "[addr], count", decode_init},
    {"mbarrier", "inval [shared|shared::cta] b64", "[addr]", decode_inval},
    {"mbarrier", "expect_tx|complete_tx [shared|shared::cta|shared::cluster] b64", "[addr], tx_count", decode_tx},
    {"mbarrier", "expect_tx|complete_tx relaxed cta|cluster [shared|shared::cta|shared::cluster] b64",
     "[addr], tx_count", decode_tx},
    {"mbarrier", "arrive|arrive_drop [shared|shared::cta|shared::cluster] b64", "state|_, [addr]{, count}",
     decode_arrive},
    {"mbarrier", "arrive|arrive_drop release|relaxed cta|cluster [shared|shared::cta|shared::cluster] b64",
     "state|_, [addr]{, count}", decode_arrive},
    {"mbarrier", "arrive|arrive_drop expect_tx [shared|shared::cta|shared::cluster] b64", "state|_, [addr], tx_count",
     decode_arrive},
    {"mbarrier", "arrive|arrive_drop expect_tx release|relaxed cta|cluster [shared|shared::cta|shared::cluster] b64",
     "state|_, [addr], tx_count", decode_arrive},
    {"mbarrier", "arrive|arrive_drop noComplete [shared|shared::cta] b64", "state|_, [addr], count", decode_arrive},
    {"mbarrier", "arrive|arrive_drop noComplete release cta [shared|shared::cta] b64", "state|_, [addr], count",
     decode_arrive},
    {"mbarrier", "arrive|arrive_drop release cta noComplete [shared|shared::cta] b64", "state|_, [addr], count",
     decode_arrive},
    {"mbarrier", "test_wait [parity] [shared|shared::cta] b64", "p, [addr], state|parity", decode_wait},
    {"mbarrier", "test_wait [parity] acquire|relaxed cta|cluster [shared|shared::cta] b64", "p, [addr], state|parity",
     decode_wait},
    {"mbarrier", "try_wait [parity] [shared|shared::cta] b64", "p, [addr], state|parity{, hint}", decode_wait},
    {"mbarrier", "try_wait [parity] acquire|relaxed cta|cluster [shared|shared::cta] b64",
     "p, [addr], state|parity{, hint}", decode_wait},
    {"mbarrier", "pending_count b64", "d, state", decode_pending_count},
    {"cp", "async mbarrier arrive [noinc] [shared|shared::cta] b64", "[addr]", decode_copies_arrive},
};

}  // namespace

Forms mbarrier_forms() { return kForms; }

}  // namespace emu
