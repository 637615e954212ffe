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

int reach_of(Scope s) { return s == Scope::cta ? 1 : s == Scope::cluster ? 2 : 3; }

void raise(Clocks& to, const Known& from) {
    if (!from) return;
    if (to.size() < from->size()) to.resize(from->size(), 0);
    for (size_t k = 0; k < from->size(); ++k) to[k] = std::max(to[k], (*from)[k]);
}

/// The own clocks of a thread, which its shared knowledge leaves out.
void raise_own(Clocks& seen, Clocks& fenced, uint32_t thread, uint32_t clock, uint32_t fenced_clock,
               const ThreadClock& t, uint32_t cp, uint32_t read, uint32_t write) {
    raise(seen, thread, clock);
    raise(fenced, thread, fenced_clock);
    if (t.cp_async.slot) {
        raise(seen, t.cp_async.slot, cp);
        raise(fenced, t.cp_async.slot, std::min(t.cp_async.fenced, cp));
    }
    if (t.bulk_read.slot) raise(seen, t.bulk_read.slot, read);
    if (t.bulk_write.slot) raise(seen, t.bulk_write.slot, write);
}

}  // namespace

// ---- barriers
// ---------------------------------------------------------------------------------------------------------

void Checker::arrive(Warp& w, Mask mask, SyncKey key, bool relaxed) {
    const auto guard = lock();
    if (relaxed) return arrive_relaxed(w, mask, key);
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
    arrive_fences(w, mask, sync);
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
        raise_own(gather.seen, gather.fenced, thread, t.clock, t.fenced_clock, t, t.cp_async.done, t.bulk_read.done,
                  t.bulk_write.done);
        ++t.clock;
    }
}

/// Fences .sc have one order. So in `write; fence.sc; barrier`, and then a flag that another thread sets, whoever sees
/// the flag and has a fence .sc behind it is behind the write: the first fence is carried through the barrier.
void Checker::arrive_fences(Warp& w, Mask mask, Sync& sync) {
    CtaClock& cta = clock_of(w);
    for (Mask m = mask; m; m &= m - 1) {
        const uint32_t thread = w.thread(__builtin_ctz(m));
        const ThreadClock& t = cta.thread[thread];
        if (!t.relaxed) continue;
        ThreadClock::Relaxed& own = *t.relaxed;
        if (own.brought && own.brought != sync.last_brought) {
            sync.last_brought = own.brought;
            for (const Part& p : *own.brought) {
                Sync::Gather& g = sync.fence_of(p.cta);
                raise(g.seen, p.seen);
                raise(g.fenced, p.fenced);
            }
        }
        if (!own.all_order) continue;
        own.all_order = false;
        const ThreadClock::Snapshot& s = own.fence;
        if (s.foreign) {
            for (const Part& p : *s.foreign) {
                Sync::Gather& g = sync.fence_of(p.cta);
                if (g.last_seen == p.seen && g.last_fenced == p.fenced) continue;
                raise(g.seen, p.seen);
                raise(g.fenced, p.fenced);
                g.last_seen = p.seen;
                g.last_fenced = p.fenced;
            }
        }
        Sync::Gather& g = sync.fence_of(cta.cta);
        if (s.seen != g.last_seen) raise(g.seen, s.seen);
        if (s.fenced != g.last_fenced) raise(g.fenced, s.fenced);
        g.last_seen = s.seen;
        g.last_fenced = s.fenced;
        raise_own(g.seen, g.fenced, thread, s.clock, s.fenced_clock, t, s.cp, s.read, s.write);
    }
}

/// What it brings to those who leave a barrier.
void Checker::take_fences(Warp& w, Mask mask, const Sync& sync) {
    if (!sync.fences_done) return;
    std::shared_ptr<const Released> before, joined;
    for (Mask m = mask; m; m &= m - 1) {
        auto& brought = thread_of(w, __builtin_ctz(m)).fences().brought;
        if (!brought || brought == sync.fences_done) {
            brought = sync.fences_done;
            continue;
        }
        if (brought != before) {
            before = brought;
            Released both = *brought;
            join_into(both, *sync.fences_done);
            joined = std::make_shared<const Released>(std::move(both));
        }
        brought = joined;
    }
}

/// A relaxed arrival releases what a fence before it did.
void Checker::arrive_relaxed(Warp& w, Mask mask, SyncKey key) {
    CtaClock& cta = clock_of(w);
    for (Mask m = mask; m; m &= m - 1) {
        const uint32_t thread = w.thread(__builtin_ctz(m));
        const ThreadClock& t = cta.thread[thread];
        if (!t.relaxed || !t.relaxed->fence.valid) continue;
        for (const Part& p : released(cta, thread, t.relaxed->fence)) {
            Sync::Gather& g = syncs_[key].of(p.cta);
            raise(g.seen, p.seen);
            raise(g.fenced, p.fenced);
        }
    }
}

void Checker::complete(SyncKey key) {
    const auto guard = lock();
    const auto it = syncs_.find(key);
    if (it == syncs_.end()) return;
    it->second.complete();
}

void Checker::wait(Warp& w, Mask mask, SyncKey key, bool relaxed) {
    const auto guard = lock();
    const auto it = syncs_.find(key);
    if (it == syncs_.end() || it->second.done.empty()) return;
    CtaClock& cta = clock_of(w);
    if (relaxed) {
        // A fence behind it acquires.
        for (Mask m = mask; m; m &= m - 1) {
            join_into(cta.thread[w.thread(__builtin_ctz(m))].fences().pending, it->second.done);
        }
        return;
    }
    take_fences(w, mask, it->second);
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
        acquire(cta, t, thread, done);
        last = &t;
    }
}

void Checker::forget(SyncKey key) {
    const auto guard = lock();
    const auto it = syncs_.find(key);
    if (it == syncs_.end()) return;
    // Phases count on: what is in flight for the old object does not end with the new one's first phase.
    it->second.gather.clear();
    it->second.done.clear();
    it->second.fences.clear();
    it->second.fences_done = it->second.last_brought = nullptr;
    ++it->second.phase;
}

// ---- releases and acquires by memory
// ------------------------------------------------------------------------------------

ThreadClock::Snapshot Checker::snapshot(const ThreadClock& t, Scope scope) {
    return {true,           t.seen,          t.fenced,         t.foreign,         t.clock,
            t.fenced_clock, t.cp_async.done, t.bulk_read.done, t.bulk_write.done, scope};
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

void Checker::acquire(CtaClock& cta, ThreadClock& t, uint32_t thread, const Released& from) {
    touch(cta, thread);
    std::vector<Part> others;
    for (const Part& p : from) {
        if (p.cta == cta.cta) {
            t.seen = cta.joined(t.seen, p.seen);
            t.fenced = join(t.fenced, p.fenced);
        } else {
            others.push_back(p);
        }
    }
    if (others.empty()) return;
    t.foreign = join(t.foreign, Foreign::make(std::move(others)));
}

/// A strong access of a lane: what it releases at the address, or acquires there. They must be in each other's scope.
void Checker::synchronise(Warp& w, const Inst&, int lane, Region& region, uint64_t offset, const Access& how) {
    CtaClock& cta = clock_of(w);
    const uint32_t thread = w.thread(lane);
    ThreadClock& t = cta.thread[thread];
    touch(cta, thread);
    auto& locations = shadow_of(region).locations;
    const auto reach = reach_of;
    if (how.read) {
        const auto it = locations.find(offset);
        if (it == locations.end()) return;
        const bool acquires = how.order == Order::acquire || how.order == Order::acq_rel || how.order == Order::sc;
        for (const Location::Release& from : it->second.releases) {
            const int least = std::min(from.level, reach(how.scope));
            const bool many = from.cta == Location::kMany;  // one of them may be near
            if (!many && (least == 1 ? from.cta != cta.cta : least == 2 && from.cluster != cta.cluster)) continue;
            if (acquires) {
                acquire(cta, t, thread, from.clocks);
            } else {
                // A fence behind it acquires, as far as both reach.
                auto& relaxed = t.fences();
                join_into(from.cta == cta.cta || many   ? relaxed.pending
                          : from.cluster == cta.cluster ? relaxed.pending_cluster
                                                        : relaxed.pending_far,
                          from.clocks);
            }
        }
        return;
    }
    const bool releases = how.order == Order::release || how.order == Order::acq_rel || how.order == Order::sc;
    const bool brought = t.relaxed && t.relaxed->brought;
    const bool fenced = t.relaxed && (t.relaxed->fence.valid || brought);
    const uint64_t who = pack({cta.cta, thread});
    const auto old = locations.find(offset);
    if (!releases && !fenced) {
        // Another thread's relaxed store ends what was released here before; a read-modify-write carries it on.
        if (!how.atomic && old != locations.end() && old->second.who != who) locations.erase(old);
        return;
    }
    int level = reach(how.scope);
    if (!releases && !brought) level = std::min(level, reach(t.relaxed->fence.scope));
    Released now;
    if (releases) now = release(cta, t, thread);
    else if (t.relaxed->fence.valid) now = released(cta, thread, t.relaxed->fence);
    if (brought) join_into(now, *t.relaxed->brought);
    Location& location = locations[offset];
    if (!how.atomic && location.who != who) location.releases.clear();
    location.who = who;
    if (releases) ++t.clock;
    for (Location::Release& r : location.releases) {
        if (r.level != level || (r.cta != cta.cta && level != 3)) continue;
        join_into(r.clocks, now);
        if (r.cta != cta.cta) r.cta = Location::kMany;
        return;
    }
    location.releases.push_back({level, cta.cta, cta.cluster, now});
}

void Checker::fence(Warp& w, Mask mask, Order order, Scope scope) {
    const auto guard = lock();
    CtaClock& cta = clock_of(w);
    cta.warp[w.index].stale = true;
    for (Mask m = mask; m; m &= m - 1) {
        const uint32_t thread = w.thread(__builtin_ctz(m));
        ThreadClock& t = cta.thread[thread];
        auto& relaxed = t.fences();
        if (order != Order::release) {
            const auto take = [&](Released& from) {
                if (from.empty()) return;
                acquire(cta, t, thread, from);
                from.clear();
            };
            take(relaxed.pending);
            if (scope != Scope::cta) take(relaxed.pending_cluster);
            if (scope == Scope::gpu || scope == Scope::sys) take(relaxed.pending_far);
        }
        if (order != Order::acquire) {
            relaxed.fence = snapshot(t, scope);
            relaxed.all_order = order == Order::sc && (scope == Scope::gpu || scope == Scope::sys);
            if (reach_of(scope) == 3) relaxed.brought = nullptr;  // barriers brought the clocks as well
        }
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
