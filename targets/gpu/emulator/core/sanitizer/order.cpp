// What orders accesses: barriers of all kinds, fences, and releases that acquires see.
#include <algorithm>

#include "sanitizer/checker.h"

namespace emu {

namespace {

void raise(Clocks& to, uint32_t slot, uint32_t clock) {
    if (!clock) return;
    if (to.size() <= slot) to.resize(slot + 1, 0);
    to[slot] = std::max(to[slot], clock);
}

void raise(Clocks& to, const Known& from) {
    if (!from) return;
    if (to.size() < from->size()) to.resize(from->size(), 0);
    for (size_t k = 0; k < from->size(); ++k) to[k] = std::max(to[k], (*from)[k]);
}

/// The own clocks of a thread, which its shared knowledge leaves out.
void raise_own(Clocks& seen, Clocks& fenced, uint32_t thread, uint32_t clock, uint32_t fenced_clock, const ThreadClock& t, uint32_t cp,
               uint32_t read, uint32_t write) {
    raise(seen, thread, clock);
    raise(fenced, thread, fenced_clock);
    if (t.cp_async.slot) { raise(seen, t.cp_async.slot, cp); raise(fenced, t.cp_async.slot, std::min(t.cp_async.fenced, cp)); }
    if (t.bulk_read.slot) raise(seen, t.bulk_read.slot, read);
    if (t.bulk_write.slot) raise(seen, t.bulk_write.slot, write);
}

}  // namespace

// ---- barriers ---------------------------------------------------------------------------------------------------------

void Checker::arrive(Warp& w, Mask mask, SyncKey key) {
    const auto guard = lock();
    CtaClock& cta = clock_of(w);
    Sync& sync = syncs_[key];
    const auto& wgmma = cta.warp[w.index].wgmma;
    cta.warp[w.index].stale = true;
    Foreign last;
    for (Mask m = mask; m; m &= m - 1) {
        const ThreadClock& t = cta.thread[w.thread(__builtin_ctz(m))];
        if (!t.foreign || t.foreign == last) continue;
        last = t.foreign;
        for (const Part& p : *t.foreign) {
            Sync::Gather& g = sync.of(p.cta);
            raise(g.seen, p.seen);
            raise(g.fenced, p.fenced);
        }
    }
    Sync::Gather& gather = sync.of(cta.cta);
    if (wgmma.slot) raise(gather.seen, wgmma.slot, wgmma.done);
    for (Mask m = mask; m; m &= m - 1) {
        const uint32_t thread = w.thread(__builtin_ctz(m));
        ThreadClock& t = cta.thread[thread];
        if (t.seen != gather.last_seen) {
            raise(gather.seen, t.seen);
            gather.last_seen = t.seen;
        }
        if (t.fenced != gather.last_fenced) {
            raise(gather.fenced, t.fenced);
            gather.last_fenced = t.fenced;
        }
        raise_own(gather.seen, gather.fenced, thread, t.clock, t.fenced_clock, t, t.cp_async.done, t.bulk_read.done, t.bulk_write.done);
        ++t.clock;
    }
}

void Checker::complete(SyncKey key) {
    const auto guard = lock();
    const auto it = syncs_.find(key);
    if (it == syncs_.end()) return;
    it->second.complete();
}

void Checker::wait(Warp& w, Mask mask, SyncKey key) {
    const auto guard = lock();
    const auto it = syncs_.find(key);
    if (it == syncs_.end() || it->second.done.empty()) return;
    CtaClock& cta = clock_of(w);
    const Released& done = it->second.done;
    cta.warp[w.index].stale = true;
    // Lanes that knew the same before know the same now.
    const ThreadClock* last = nullptr;
    Known seen_before, fenced_before;
    for (Mask m = mask; m; m &= m - 1) {
        const uint32_t thread = w.thread(__builtin_ctz(m));
        ThreadClock& t = cta.thread[thread];
        if (done.size() == 1 && last && t.seen == seen_before && t.fenced == fenced_before) {
            t.seen = last->seen;
            t.fenced = last->fenced;
            continue;
        }
        seen_before = t.seen;
        fenced_before = t.fenced;
        acquire(cta, t, thread, done, false);
        last = &t;
    }
}

void Checker::forget(SyncKey key) {
    const auto guard = lock();
    syncs_.erase(key);
}

// ---- releases and acquires by memory ------------------------------------------------------------------------------------

ThreadClock::Snapshot Checker::snapshot(const ThreadClock& t, Scope scope) {
    return {true, t.seen, t.fenced, t.foreign, t.clock, t.fenced_clock, t.cp_async.done, t.bulk_read.done, t.bulk_write.done, scope};
}

Released Checker::released(const CtaClock& cta, uint32_t thread, const ThreadClock::Snapshot& s) const {
    Clocks seen, fenced;
    raise(seen, s.seen);
    raise(fenced, s.fenced);
    raise_own(seen, fenced, thread, s.clock, s.fenced_clock, cta.thread[thread], s.cp, s.read, s.write);
    const auto& wgmma = cta.warp[thread / kLanes].wgmma;
    if (wgmma.slot) raise(seen, wgmma.slot, wgmma.done);
    Released own = {{cta.cta, Known::make(std::move(seen)), Known::make(std::move(fenced))}};
    if (s.foreign) join_into(own, *s.foreign);
    return own;
}

Released Checker::release(const CtaClock& cta, const ThreadClock& t, uint32_t thread) const {
    return released(cta, thread, snapshot(t, Scope::sys));
}

void Checker::acquire(CtaClock& cta, ThreadClock& t, uint32_t thread, const Released& from, bool own_only) {
    touch(cta, thread);
    std::vector<Part> others;
    for (const Part& p : from) {
        if (p.cta == cta.cta) {
            t.seen = cta.joined(t.seen, p.seen);
            t.fenced = join(t.fenced, p.fenced);
        } else if (!own_only) {
            others.push_back(p);
        }
    }
    if (others.empty()) return;
    t.foreign = join(t.foreign, Foreign::make(std::move(others)));
}

/// A strong access of a lane: what it releases at the address, or acquires there.
void Checker::synchronise(Warp& w, const Inst&, int lane, Region& region, uint64_t offset, const Access& how) {
    CtaClock& cta = clock_of(w);
    const uint32_t thread = w.thread(lane);
    ThreadClock& t = cta.thread[thread];
    touch(cta, thread);
    auto& locations = shadow_of(region).locations;
    const bool narrow = how.scope == Scope::cta;
    if (how.read) {
        const auto it = locations.find(offset);
        if (it == locations.end()) return;
        const bool acquires = how.order == Order::acquire || how.order == Order::acq_rel || how.order == Order::sc;
        auto take = [&](const Released& from) {
            if (from.empty()) return;
            if (acquires) acquire(cta, t, thread, from, narrow);
            else join_into(t.fences().pending, from);
        };
        take(it->second.wide);
        if (it->second.narrow_cta == cta.cta) take(it->second.narrow);
        return;
    }
    const bool releases = how.order == Order::release || how.order == Order::acq_rel || how.order == Order::sc;
    const bool fenced = t.relaxed && t.relaxed->fence.valid;
    if (!releases && !fenced) {
        // A relaxed store ends what was released here before; a read-modify-write carries it on.
        if (!how.atomic) locations.erase(offset);
        return;
    }
    const Released now = releases ? release(cta, t, thread) : released(cta, thread, t.relaxed->fence);
    const bool only_cta = narrow || (!releases && t.relaxed->fence.scope == Scope::cta);
    Location& location = locations[offset];
    if (!how.atomic) location = {};
    if (only_cta) {
        if (location.narrow_cta != cta.cta) location.narrow.clear();
        location.narrow_cta = cta.cta;
        join_into(location.narrow, now);
    } else {
        join_into(location.wide, now);
    }
    if (releases) ++t.clock;
}

void Checker::fence(Warp& w, Mask mask, Order, Scope scope) {
    const auto guard = lock();
    CtaClock& cta = clock_of(w);
    cta.warp[w.index].stale = true;
    for (Mask m = mask; m; m &= m - 1) {
        const uint32_t thread = w.thread(__builtin_ctz(m));
        ThreadClock& t = cta.thread[thread];
        auto& relaxed = t.fences();
        if (!relaxed.pending.empty()) {
            acquire(cta, t, thread, relaxed.pending, scope == Scope::cta);
            relaxed.pending.clear();
        }
        relaxed.fence = snapshot(t, scope);
        ++t.clock;
    }
}

void Checker::proxy_fence(Warp& w, const Inst&, Mask mask, Proxy) {
    const auto guard = lock();
    CtaClock& cta = clock_of(w);
    cta.warp[w.index].stale = true;
    for (Mask m = mask; m; m &= m - 1) {
        ThreadClock& t = cta.thread[w.thread(__builtin_ctz(m))];
        t.fenced = t.seen;
        t.fenced_clock = t.clock;
        t.cp_async.fenced = t.cp_async.done;
        if (t.foreign) {
            auto parts = *t.foreign;
            for (Part& p : parts) p.fenced = p.seen;
            t.foreign = Foreign::make(std::move(parts));
        }
        ++t.clock;
    }
}

}  // namespace emu
