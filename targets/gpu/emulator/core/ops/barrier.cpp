// The sixteen barriers of a CTA: bar and barrier.cta in their forms sync, arrive and red.
//
// Arrivals are counted in threads. A warp counts whole: its first arrival of a phase counts the lanes that are over or
// never were, too, so that thread counts stay multiples of 32. With a count, a phase ends when so many have arrived;
// without (or with a count of 0), when all live threads of the CTA have. The last to arrive completes the phase, hands
// results to those that wait and goes on; they only poll the generation.
#include "ops/barrier.h"

#include <bit>

namespace emu {

namespace {

enum Action : uint8_t { none, sync, red_popc, red_and, red_or };
enum : uint16_t { is_aligned = 1, negated = 2 };  // in Inst::n, and above them the Action
constexpr int kActionShift = 4;

uint32_t popc(Mask m) { return static_cast<uint32_t>(std::popcount(m)); }

SyncKey key_of(const Barrier& b) { return {&b, 0}; }

bool ready(const Warp& w, const Wait& wait) { return w.cta->barriers[wait.x].generation != wait.y; }

std::string describe(const Warp& w, const Wait& wait) {
    const Cta& cta = *w.cta;
    const Barrier& b = cta.barriers[wait.x];
    uint32_t lanes = 0;  // that exist
    for (size_t n = 0; n < b.came.size(); ++n) lanes += popc(b.came[n] & cta.warps[n]->live);
    const uint32_t arrived = b.counted ? b.arrived : lanes;
    const uint32_t expected = b.counted ? b.expected : cta.live_threads();
    return "barrier " + std::to_string(wait.x) + " of block " + block_name(cta) + ": " + std::to_string(arrived) +
           " of " + std::to_string(expected) + " threads arrived; missing " +
           missing_warps(cta, [&](const Warp& o) { return o.index < b.came.size() ? b.came[o.index] : 0; });
}

/// What a barrier.red gives, to the lanes of `mask`.
void deliver(Warp& w, const Inst& i, Mask mask, const Barrier& b) {
    const unsigned action = i.n >> kActionShift;
    if (action == red_popc) {
        uint32_t d[kLanes];
        for (int l = 0; l < kLanes; ++l) d[l] = b.count;
        w.put(i.d, d, mask);
    } else if (action == red_and || action == red_or) {
        w.put_predicate(i.d, (action == red_and ? b.all : b.any) ? kAll : 0, mask);
    }
}

/// The phase is complete: those who wait get what they wait for.
void complete(Cta& cta, Barrier& b) {
    Sanitizer* sanitizer = cta.launch->sanitizer.get();
    if (sanitizer) sanitizer->complete(key_of(b));
    if (b.reduces || sanitizer) {
        const auto id = static_cast<uint64_t>(&b - cta.barriers);
        for (auto& w : cta.warps) {
            const auto see = [&](const Split& s) {
                const Wait& wait = s.wait;
                if (wait.what != Wait::poll || wait.ready != ready || wait.x != id || wait.y != b.generation) return;
                deliver(*w, *static_cast<const Inst*>(wait.object), s.mask, b);
                if (sanitizer) sanitizer->wait(*w, s.mask, key_of(b));
            };
            see(w->now);
            for (const Split& s : w->others) see(s);
        }
    }
    if (!cta.warps.empty() && cta.warps[0]->worker) ++cta.warps[0]->worker->counters.barriers;
    ++b.generation;
    b.arrived = b.expected = b.count = 0;
    b.counted = b.any = false;
    b.all = true;
    b.action = none;
    b.reduces = false;
    std::fill(b.came.begin(), b.came.end(), 0);
}

bool all_came(const Cta& cta, const Barrier& b) {
    if (b.counted) return b.arrived >= b.expected;
    if (b.arrived < cta.live_threads()) return false;
    for (const auto& w : cta.warps) {
        if (w->live & ~b.came[w->index]) return false;
    }
    return true;
}

void misuse(Warp& w, const Inst& i, uint32_t id, const std::string& message) {
    if (w.sanitizer) w.finding(Kind::barrier_divergence, i, -1, 0, "barrier " + std::to_string(id) + ": " + message);
}

/// The barrier and the count that the lanes name; false after a fault. They must agree within the warp.
bool named(Warp& w, const Inst& i, Mask mask, uint32_t& id, uint32_t& count) {
    const int first = std::countr_zero(mask);
    const uint32_t* ids = w.get<uint32_t>(i.a);
    id = ids[first];
    count = 0;
    if (i.a < kConstant || (i.b != kNone && i.b < kConstant)) {
        const uint32_t* counts = i.b == kNone ? ids : w.get<uint32_t>(i.b);
        for (Mask rest = mask; rest; rest &= rest - 1) {
            const int l = std::countr_zero(rest);
            if (ids[l] == id && counts[l] == counts[first]) continue;
            w.fault(Kind::barrier_divergence, i, l, 0, "lanes of one warp name different barriers or thread counts");
            return false;
        }
    }
    if (id > 15) {
        w.fault(Kind::barrier_divergence, i, first, 0,
                "barrier " + std::to_string(id) + ": there are barriers 0 to 15");
        return false;
    }
    if (i.b == kNone) return true;
    count = w.get<uint32_t>(i.b)[first];
    if (count % kLanes != 0) {
        w.fault(Kind::barrier_divergence, i, first, 0,
                "barrier " + std::to_string(id) + ": a count of " + std::to_string(count) +
                    " threads is no multiple of 32");
        return false;
    }
    return true;
}

template <Action action, bool waits>
void run(Warp& w, const Inst& i, Mask mask) {
    if ((i.n & is_aligned) && !aligned(w, i, mask)) return;
    uint32_t id, count;
    if (!named(w, i, mask, id, count)) return;
    Cta& cta = *w.cta;
    Barrier& b = cta.barriers[id];
    if (!waits && count == 0) {
        w.fault(Kind::barrier_divergence, i, -1, 0, "barrier " + std::to_string(id) + ": arrive needs a thread count");
        return;
    }
    const uint32_t threads = (cta.threads + kLanes - 1) / kLanes * kLanes;
    if (b.came.empty()) b.came.assign(cta.warps.size(), 0);
    if (b.arrived == 0) {
        b.action = action;
        b.counted = count != 0;
        b.expected = count ? count : threads;
        if (b.counted && count > threads && w.sanitizer) {
            misuse(w, i, id, "it waits for " + std::to_string(count) + " threads, and the block has " +
                             std::to_string(cta.threads));
        }
    } else {
        if ((count ? count : threads) != b.expected) {
            misuse(w, i, id, "a count of " + std::to_string(count ? count : threads) +
                                 " threads, where those before waited for " + std::to_string(b.expected));
        }
        if (b.action != action) misuse(w, i, id, "a reduction meets another operation in one phase");
    }
    // Aligned, a warp arrives as a whole, and so often as it executes the instruction.
    const bool whole = (i.n & is_aligned) && !w.now.forced;
    Mask& came = b.came[w.index];
    const Mask credit = came == 0 ? ~w.live : 0;
    const Mask arriving = whole ? kAll : (mask | credit);
    if (came & arriving & w.live) misuse(w, i, id, "threads arrive twice in one phase");
    came |= arriving;
    b.arrived += popc(arriving);
    if constexpr (action != sync) {
        b.reduces = true;
        Mask p = w.predicate(i.c);
        if (i.n & negated) p = ~p;
        b.count += popc(p & mask);
        b.all = b.all && (~p & mask) == 0;
        b.any = b.any || (p & mask) != 0;
    }
    if (w.sanitizer) {
        if (b.counted && b.arrived > b.expected) {
            misuse(w, i, id, "more threads arrive than the " + std::to_string(b.expected) + " it waits for");
        }
        w.sanitizer->arrive(w, mask, key_of(b));
    }
    if (all_came(cta, b)) {
        if constexpr (waits) deliver(w, i, mask, b);
        complete(cta, b);
        if (waits && w.sanitizer) w.sanitizer->wait(w, mask, key_of(b));
    } else if constexpr (waits) {
        Wait wait;
        wait.what = Wait::poll;
        wait.ready = ready;
        wait.describe = describe;
        wait.x = id;
        wait.y = b.generation;
        wait.object = const_cast<Inst*>(&i);
        park_lanes(w, i, mask, wait, false);
    }
}

// ---- decoding -----------------------------------------------------------------------------------------------------

/// The id, and the count where the operand after it is one; checked here where they are literals.
void barrier_operands(Decode& d, size_t id, bool counted) {
    if (d.is_literal(id) && (d.literal(id) < 0 || d.literal(id) > 15)) d.fail("there are barriers 0 to 15");
    d.inst.a = d.source(id, Type::u32);
    if (counted) {
        if (d.is_literal(id + 1) && d.literal(id + 1) % kLanes != 0) d.fail("the thread count is no multiple of 32");
        d.inst.b = d.source(id + 1, Type::u32);
    }
    if (d.source_text.opcode == "bar" || d.has("aligned")) d.inst.n |= is_aligned;
    d.ends_block();
}

void decode_sync(Decode& d) {
    d.expect(1, 2);
    barrier_operands(d, 0, d.operands() == 2);
    d.inst.run = run<sync, true>;
}

void decode_arrive(Decode& d) {
    d.expect(2, 2);
    barrier_operands(d, 0, true);
    if (d.is_literal(1) && d.literal(1) == 0) d.fail("arrive needs a thread count");
    d.inst.run = run<sync, false>;
}

void decode_red(Decode& d) {
    d.expect(3, 4);
    const bool pred = d.has("pred");
    d.inst.d = pred ? d.predicate_dest(d.operand(0)) : d.dest(0, Type::u32);
    barrier_operands(d, 1, d.operands() == 4);
    bool negate = false;
    d.inst.c = d.predicate(d.operand(d.operands() - 1), &negate);
    if (negate) d.inst.n |= negated;
    d.inst.n |= static_cast<uint16_t>((!pred ? red_popc : d.has("and") ? red_and : red_or) << kActionShift);
    d.inst.run = !pred ? run<red_popc, true> : d.has("and") ? run<red_and, true> : run<red_or, true>;
}

constexpr Form kForms[] = {
    {"bar", "[cta] sync", "a{, b}", decode_sync},
    {"bar", "[cta] arrive", "a, b", decode_arrive},
    {"bar", "[cta] red popc u32", "d, a{, b}, {!}c", decode_red},
    {"bar", "[cta] red and|or pred", "p, a{, b}, {!}c", decode_red},
    {"barrier", "[cta] sync [aligned]", "a{, b}", decode_sync},
    {"barrier", "[cta] arrive [aligned]", "a, b", decode_arrive},
    {"barrier", "[cta] red popc [aligned] u32", "d, a{, b}, {!}c", decode_red},
    {"barrier", "[cta] red and|or [aligned] pred", "p, a{, b}, {!}c", decode_red},
    {"barrier", "cluster arrive [release|relaxed] [aligned]", "", decode_cluster_arrive},
    {"barrier", "cluster wait [acquire] [aligned]", "", decode_cluster_wait},
    {"membar", "cta|gl|sys", "", decode_membar},
    {"membar", "proxy alias", "", decode_fence_proxy},
    {"fence", "[sc|acq_rel|acquire|release] cta|cluster|gpu|sys", "", decode_fence},
    {"fence", "acquire sync_restrict::shared::cluster cluster", "", decode_fence_restricted},
    {"fence", "release sync_restrict::shared::cta cluster", "", decode_fence_restricted},
    {"fence", "mbarrier_init release cluster", "", decode_fence_restricted},
    {"fence", "proxy alias", "", decode_fence_proxy},
    {"fence", "proxy async [global|shared::cta|shared::cluster]", "", decode_fence_proxy},
    {"fence", "proxy async::generic acquire sync_restrict::shared::cluster cluster", "", decode_fence_proxy},
    {"fence", "proxy async::generic release sync_restrict::shared::cta cluster", "", decode_fence_proxy},
    {"fence", "proxy tensormap::generic release cta|cluster|gpu|sys", "", decode_fence_tensormap},
    {"fence", "proxy tensormap::generic acquire cta|cluster|gpu|sys", "[addr], 128", decode_fence_tensormap},
    {"nanosleep", "u32", "t", decode_nanosleep},
    {"griddepcontrol", "wait|launch_dependents", "", decode_griddepcontrol},
    {"setmaxnreg", "inc|dec sync aligned u32", "imm", decode_setmaxnreg},
};

}  // namespace

Forms barrier_forms() { return kForms; }

std::string block_name(const Cta& cta) {
    return "(" + std::to_string(cta.id[0]) + "," + std::to_string(cta.id[1]) + "," + std::to_string(cta.id[2]) + ")";
}

bool aligned(Warp& w, const Inst& i, Mask mask) {
    if (w.now.mask != w.live && !w.converge(i, kAll)) return false;
    if (w.sanitizer && mask != w.live && !w.now.forced) {
        w.finding(Kind::barrier_divergence, i, -1, 0,
                  "the lanes of a warp must execute " + w.program->opcodes[w.program->origins[i.pc].opcode] +
                  " together, and the guard keeps some out");
    }
    return true;
}

void barriers_on_exit(Cta& cta) {
    for (Barrier& b : cta.barriers) {
        if (b.arrived == 0) continue;
        // Lanes that are over count with the lanes of their warp that came.
        for (const auto& w : cta.warps) {
            Mask& came = b.came[w->index];
            if (came == 0) continue;
            const Mask extra = ~w->live & ~came;
            came |= extra;
            b.arrived += popc(extra);
        }
        if (cta.live_threads() && all_came(cta, b)) complete(cta, b);
    }
    warp_barriers_on_exit(cta);
    if (cta.cluster && cta.cluster->arrived) cluster_barrier_on_exit(*cta.cluster);
}

}  // namespace emu
